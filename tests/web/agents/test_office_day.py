"""The day of visits: originals noted with a visit and on the page of a dossier, absences noted together, the week."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine.records.dossier import Dossier
from engine.services.appointments.office_day import occupancy, seats_of_week
from tests.web.staff_site import DESK, GATEKEEPER, StaffSite, hidden, open_staff_site, read

pytestmark = pytest.mark.slow


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def booked(staff_site: StaffSite, phone: str, number: int = 0) -> Dossier:
    world = staff_site.world
    sent = world.sent("passeport-ordinaire", world.applicant(phone))
    return world.booked(world.paid(world.take(sent, staff_site.actor(GATEKEEPER), "conforme")), "depot", number)


def test_originals_are_noted_with_the_visit_then_corrected_on_the_dossier(staff_site: StaffSite) -> None:
    dossier = booked(staff_site, "+22890112233")
    staff_site.world.clock.instant = dossier.bookings["depot"].start
    seat, day_ = staff_site.agent(DESK), f"/agent/rendez-vous/{staff_site.world.office.day()}"
    assert "4 pièces" in seat.see(day_)
    asked = seat.post(day_, mark=f"{dossier.number}/depot/attended")
    assert "Originaux : 0 sur 4 vus" in read(asked)
    noted = {"original-acte_naissance": "seen", "original-photos": "missing"}
    assert seat.client.post(day_, data={**hidden(asked), **noted, "go": "confirm"}).status_code == 303
    assert "3 pièces" in seat.see(day_)
    at = f"/agent/dossiers/{dossier.number}"
    assert "Originaux : 1 sur 4 vus 1 manque ou diffère" in seat.see(at)
    assert "Un original manque ou n’est pas conforme : Photos d’identité" in seat.see(f"{at}/acte/originaux_conformes")
    page = seat.get(at)
    assert seat.client.post(f"{at}/originaux", data={**hidden(page), "original-photos": "seen"}).status_code == 303
    history = seat.see(at)
    assert "Originaux : Vu : Acte de naissance; Manque : Photos d’identité sur fond blanc" in history
    assert "Originaux : 2 sur 4 vus" in history
    assert "Un original manque" not in seat.see(f"{at}/acte/originaux_conformes")
    stale = seat.client.post(f"{at}/originaux", data={**hidden(page), "token": "other", "original-photos": "differs"})
    assert stale.status_code == 409
    auditor = staff_site.auditor()
    opened = auditor.post(f"/audit/dossiers/{dossier.number}", motive="Contrôle")
    journal = auditor.see(opened.headers["Location"])
    assert "Originaux notés Originaux qui manquent : « Photos d’identité sur fond blanc »" in journal
    assert "originals_" not in journal


def test_absences_of_an_hour_are_listed_then_noted_together(staff_site: StaffSite) -> None:
    first, second, last = (booked(staff_site, f"+2289011223{n}", n) for n in (1, 2, 9))
    world = staff_site.world
    world.clock.instant = second.bookings["depot"].start + timedelta(hours=1)
    seat = staff_site.agent(DESK)
    day_ = f"/agent/rendez-vous/{world.office.day()}"
    page = seat.see(day_)
    assert "3 attendus" in page
    assert "Absents : les 2 attendus passés d’une heure" in page
    asked = seat.post(day_, mark="late")
    assert read(asked).count("Un message demande au demandeur") == 2
    assert staff_site.kept(first).missed == {}, "they are only listed"
    seat.post(day_, mark=f"{first.number}/depot/arrived")
    world.wait(minutes=75)
    seat = staff_site.agent(DESK)
    sure = {**hidden(asked), "go": "confirm"}
    assert [seat.client.post(day_, data=sure).status_code for _ in range(2)] == [303, 303]
    page = seat.see(day_)
    assert "1 sur place, le plus long attend 1 h 15 1 absent" in page
    assert [staff_site.kept(one).missed for one in (first, second, last)] == [{}, {"depot": 1}, {}]


def test_the_week_of_an_office_counts_seats(staff_site: StaffSite) -> None:
    dossier = booked(staff_site, "+22890112233")
    visit = dossier.bookings["depot"]
    day_ = visit.start.date()
    taken, places = seats_of_week(staff_site.world.office, staff_site.actor(DESK), day_, visit.office)[day_]
    assert taken == 1
    page = staff_site.agent(DESK).see(f"/agent/rendez-vous/{day_}?bureau={visit.office}")
    assert f"{taken}/{places}" in page
    assert f"1 sur {places} places prises" in page
    assert page.count(" places prises") == 5, "closed on the two others"


def test_the_seats_of_a_month_are_counted_by_weekday_and_hour_up_to_yesterday(staff_site: StaffSite) -> None:
    dossier = booked(staff_site, "+22890112233")
    visit, world = dossier.bookings["depot"], staff_site.world
    procedure = world.office.catalogue.procedures[dossier.procedure]
    first, at = visit.start.date().replace(day=1), (visit.start.weekday(), visit.start.hour)
    ends = [visit.start.date(), visit.start.date() + timedelta(days=1)]
    before, after = (occupancy(world.office, procedure, [visit.office], first, end) for end in ends)
    assert before.get(at, (0, 0))[0] == 0
    taken, places = after[at]
    assert (taken, places > before.get(at, (0, 0))[1]) == (1, True)
    assert all(day < 5 for day, _ in after), "closed at the week-end"
    assert occupancy(world.office, procedure, [], first, ends[1]) == {}
    world.clock.instant = visit.start + timedelta(days=1)
    asked = f"demarche={dossier.procedure}&bureau={visit.office}"
    page = staff_site.agent(DESK).see(f"/agent/statistiques?periode={first:%Y-%m}&{asked}")
    assert "Places prises aux rendez-vous" in page
    assert f"1/{places}" in page
    whole_year = staff_site.agent(DESK).see(f"/agent/statistiques?periode={first:%Y}&{asked}")
    assert "Places prises aux rendez-vous" not in whole_year


def test_the_search_opens_a_dossier_by_its_number_or_that_of_its_receipt(staff_site: StaffSite) -> None:
    dossier = booked(staff_site, "+22890112233")
    (payment,) = staff_site.world.read(lambda unit: unit.payments_of(dossier.id))
    seat = staff_site.agent(DESK)
    for text in (dossier.number, f"{dossier.number[:2]} {dossier.number[2:]}", payment.receipt):
        assert seat.get(f"/agent/chercher?q={text}").headers["Location"] == f"/agent/dossiers/{dossier.number}", text
    assert seat.get("/agent/chercher?q=amegan").headers["Location"] == "/agent?file=tous&q=amegan"
    page = seat.see("/agent?file=tous&q=Q-2026-999999")
    assert "Les dossiers d’autres administrations et d’autres bureaux ne sont pas cherchés." in page
