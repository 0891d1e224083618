"""The desk with people who come as they can: late, on another day, without a time; and what they read of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.records.dossier import Booking, Dossier
from engine.services.appointments import office_day
from engine.services.appointments.bookings import mark
from engine.services.context.edition_cache import EditionMissing
from tests.web.citizen.test_appointments import ready, starts, take
from tests.web.client import MAYOR, STALL, PortalClient, a_portal_client
from tests.web.staff_site import DESK, GATEKEEPER, StaffSite, open_staff_site, read

pytestmark = pytest.mark.slow


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


@pytest.fixture
def patient(tmp_path: Path) -> PortalClient:
    """Where one absence is made good."""
    return a_portal_client(tmp_path, STALL.replace("lead: 1 day", "lead: 1 day\n    no_show: 1", 1)).sign_in()


def to_book(staff_site: StaffSite) -> Dossier:
    world = staff_site.world
    sent = world.sent("passeport-ordinaire", world.applicant())
    return world.paid(world.take(sent, staff_site.actor(GATEKEEPER), "conforme"))


def arrival(dossier: Dossier) -> str:
    return f"/agent/dossiers/{dossier.number}/arrivee/depot"


def test_who_comes_without_a_time_is_put_on_the_list_of_the_day(staff_site: StaffSite) -> None:
    dossier, seat = to_book(staff_site), staff_site.agent(DESK)
    today = f"/agent/rendez-vous/{staff_site.world.clock.instant.date()}"
    assert "Une personne vient sans rendez-vous ?" in seat.see(today)
    assert 'aria-keyshortcuts="a">Noter son arrivée' in seat.get(f"/agent/dossiers/{dossier.number}").text
    page = seat.see(arrival(dossier))
    assert "DGDN, Lomé" in page
    assert "Aucun créneau n’est pris." in page
    assert seat.post(arrival(dossier)).status_code == 303
    assert "AMEGAN" in seat.see(today)
    assert "sans rendez-vous" in seat.see(today)
    assert "Noter son arrivée" not in seat.see(f"/agent/dossiers/{dossier.number}")
    assert seat.get(arrival(dossier)).status_code == 303, "once is enough"
    assert seat.post(today, mark=f"{dossier.number}/depot/undone").status_code == 303
    assert "Arrivée annulée" in seat.see(today)
    assert seat.post(arrival(dossier)).status_code == 303
    assert seat.noted(today, f"{dossier.number}/depot/attended").status_code == 303
    assert staff_site.kept(dossier).state == "originaux"
    history = seat.see(f"/agent/dossiers/{dossier.number}")
    assert history.count("Venue sans rendez-vous") == 2
    assert history.count("Arrivée annulée") == 1


def test_a_procedure_that_cannot_be_read_closes_no_office(
    staff_site: StaffSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    dossier = staff_site.world.booked(to_book(staff_site), "depot")
    seat = staff_site.agent(DESK)

    def lost(*_: object) -> None:
        raise EditionMissing(dossier.procedure)

    monkeypatch.setattr(office_day, "pinned", lost)
    page = seat.get(f"/agent/rendez-vous/{dossier.bookings['depot'].start.date()}")
    assert page.status_code == 200
    assert "Passeport ordinaire : la démarche de ce dossier ne se lit plus. Recevez la personne" in read(page)
    assert f'href="/agent/dossiers/{dossier.number}"' not in page.get_data(as_text=True), "it could not be shown"


def test_what_is_given_back_is_said_before(staff_site: StaffSite) -> None:
    dossier = staff_site.world.booked(to_book(staff_site), "depot", 5)
    seat = staff_site.agent(DESK)
    today, undone = f"/agent/rendez-vous/{staff_site.world.clock.instant.date()}", f"{dossier.number}/depot/undone"
    for said in ("Le rendez-vous est rétabli", "Le rendez-vous est annulé aussi, car sa place n’est plus libre"):
        assert "Cette place est rendue. Si l’arrivée est annulée, elle la reprend" in seat.see(arrival(dossier))
        assert seat.post(arrival(dossier)).status_code == 303
        assert staff_site.kept(dossier).bookings["depot"].is_walk_in
        if "annulé" in said:
            staff_site.world.clock.instant = dossier.bookings["depot"].start + timedelta(hours=1)
            seat = staff_site.agent(DESK)
        assert seat.post(today, mark=undone).status_code == 303
        assert said in seat.see(today)


def test_who_is_marked_absent_and_comes_is_received(staff_site: StaffSite) -> None:
    dossier = staff_site.world.booked(to_book(staff_site), "depot")
    start = dossier.bookings["depot"].start
    today = f"/agent/rendez-vous/{start.date()}"
    staff_site.world.clock.instant = start + timedelta(minutes=14)
    seat = staff_site.agent(DESK)
    assert "Absent" not in seat.see(today)
    early = seat.post(today, mark=f"{dossier.number}/depot/missed")
    assert early.status_code == 409
    assert "quart d’heure" in early.get_data(as_text=True)
    staff_site.world.clock.instant = start + timedelta(minutes=15)
    assert seat.noted(today, f"{dossier.number}/depot/missed").status_code == 303
    assert "Cette absence ne comptera plus." in seat.see(arrival(dossier))
    assert seat.post(arrival(dossier)).status_code == 303
    assert staff_site.kept(dossier).missed == {}
    assert "Venue après l’heure" in seat.see(f"/agent/dossiers/{dossier.number}")


def test_a_person_reads_that_their_hour_came_that_they_missed_it_and_what_another_absence_does(
    patient: PortalClient,
) -> None:
    address = ready(patient)
    take(patient, address, starts(patient, address)[0])
    page, number = address.removesuffix("/rendez-vous"), address.split("/")[2]
    start = booked(patient, number).start
    patient.clock.instant = start - timedelta(minutes=1)
    before = patient.sign_in().open(page).text
    assert "Après 2 rendez-vous manqués, votre demande s’arrête." in before, "not only in a folded line"
    assert "L’heure est passée" not in before
    patient.clock.instant = start + timedelta(minutes=6)
    late = patient.sign_in().open(page).text
    assert "Vous êtes en retard ? Présentez-vous au bureau" in late
    assert "est passée. Vous" in late
    assert "La date du" not in late, "the day is not over"
    assert "Présentez-vous au bureau" in patient.open(address).text
    patient.clock.instant = start + timedelta(days=1)
    for where in (page, address):
        over = patient.sign_in().open(where).text
        assert "Ce rendez-vous est passé et le bureau n’a rien noté" in over, where
        assert "Le bureau note votre venue, ou vous choisissez une autre date." in over, where
        assert "Venez jeudi" not in over, where
        assert "Apportez" not in over, where
    mark(patient.office, MAYOR, patient.dossier_id(number), "remise", "missed")
    for where in (page, address):
        told = patient.open(where).text
        assert "Vous avez manqué le rendez-vous du" in told, where
        assert "Si vous manquez encore un rendez-vous, votre demande s’arrête." in told, where
    take(patient, address, starts(patient, address)[0])
    assert "Vous avez manqué" not in patient.open(page).text


def test_who_is_at_the_office_is_not_told_to_come(patient: PortalClient) -> None:
    address = ready(patient)
    take(patient, address, starts(patient, address)[0])
    page, number = address.removesuffix("/rendez-vous"), address.split("/")[2]
    patient.clock.instant = booked(patient, number).start
    mark(patient.office, MAYOR, patient.dossier_id(number), "remise", "arrived")
    told = patient.sign_in().open(page).text
    assert "Votre arrivée est notée Mairie" in told
    assert "Venez " not in told
    assert "/annuler?" not in patient.open(address).html
    assert "Annuler ce rendez-vous ?" not in patient.open(f"{address}/annuler").text


def booked(visitor: PortalClient, number: str) -> Booking:
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier is not None
    return dossier.bookings["remise"]


def test_a_visit_that_was_moved_meanwhile_is_not_cancelled_unread(staff_site: StaffSite) -> None:
    """The page said 7 o'clock, the applicant moved to 9, and the 9 o'clock visit was cancelled."""
    dossier, seat = staff_site.world.booked(to_book(staff_site), "depot", 3), staff_site.agent(DESK)
    form = f"/agent/dossiers/{dossier.number}/creneau/depot/annuler"
    moved = replace(dossier.bookings["depot"], start=dossier.bookings["depot"].start + timedelta(hours=2))
    staff_site.world.force(staff_site.kept(dossier), bookings={**dossier.bookings, "depot": moved})
    again = seat.post(form, reason="Le scanner est en panne.", revision=str(dossier.revision))
    assert again.status_code == 409
    assert "Ce dossier a changé" in read(again)
    assert "Le scanner est en panne." in read(again)
    assert staff_site.kept(dossier).bookings["depot"].status == "booked"
    assert seat.post(form, reason="Le scanner est en panne.").status_code == 303


def test_an_agent_cancels_a_visit_with_a_reason(staff_site: StaffSite) -> None:
    dossier, seat = staff_site.world.booked(to_book(staff_site), "depot", 3), staff_site.agent(DESK)
    form = f"/agent/dossiers/{dossier.number}/creneau/depot/annuler"
    assert "Changer ou annuler" in seat.see(f"/agent/rendez-vous/{dossier.bookings['depot'].start.date()}")
    assert "Annuler ce rendez-vous" in seat.see(form.removesuffix("/annuler"))
    assert "choisit une autre date" in seat.see(form)
    refused = seat.post(form, reason=" ")
    assert (refused.status_code, "Écrivez la raison" in read(refused)) == (422, True)
    assert staff_site.kept(dossier).bookings["depot"].status == "booked"
    assert seat.post(form, reason="Le scanner est en panne.").status_code == 303
    page = seat.see(f"/agent/dossiers/{dossier.number}")
    assert "rendez-vous annulé. Le demandeur est prévenu." in page
    assert staff_site.kept(dossier).bookings["depot"].status == "cancelled"
    assert seat.get(form).status_code == 303, "once is enough"
