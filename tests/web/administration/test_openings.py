"""The pages on which an administrator closes an office, opens it for longer, adds a holiday; and what whoever loses a visit reads
and does: on their dossier, at the link of the message, in their diary."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from icalendar import Calendar

from engine.core.clock import local_day
from engine.core.values import Text, new_id
from engine.domain.appointments.opening_changes import ClosedDay
from engine.records.dossier import Dossier
from engine.services.accounts import agents as people
from engine.services.appointments import bookings
from engine.services.appointments import opening_changes as openings
from engine.services.audit.integrity import fsck
from engine.services.core.appointment_links import visit_token
from engine.services.sign_in.sessions import open_session
from renderers.web.administration import office_day as agent_day
from tests import worker
from tests.engine.services.appointments.test_bookings import to_book
from tests.engine.services.appointments.test_openings import LOME, WEDNESDAY, on
from tests.engine.services.world import PASSPORT, World
from tests.web.browser_person import DESK
from tests.web.conftest import Enter
from tests.web.portal import PASSWORD, Portal
from tests.web.staff_site import Seat, StaffSite, hidden, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test

HOME = "/agent/equipe/bureaux"
HERE = f"{HOME}/{LOME}"
CLOSING = {"du": "2026-11-25", "raison": "Grève du personnel", "raison_en": "Staff on strike"}


@dataclass
class Closing:
    """Somebody who has a visit, and somebody who is about to close the office."""

    staff_site: StaffSite
    chief: Seat
    dossier: Dossier

    @property
    def kept(self) -> Dossier:
        return self.staff_site.kept(self.dossier)

    def owner(self, language: str = "fr") -> Seat:
        return self.staff_site.owner(self.dossier, language)

    def close(self, **more: str) -> None:
        seen = self.chief.post(f"{HERE}/fermer", **{**CLOSING, **more})
        done = self.chief.client.post(f"{HERE}/fermer", data={**hidden(seen), "go": "confirm"})
        assert done.status_code == 303, read(done)


@pytest.fixture
def site(tmp_path: Path) -> Closing:
    staff_site = open_staff_site(tmp_path)
    return Closing(
        staff_site, staff_site.agent("administration"), on(staff_site.world, to_book(staff_site.world), WEDNESDAY)
    )


def test_an_office_is_closed_once_it_is_seen_what_that_takes_away(site: Closing) -> None:
    assert "DGDN, Lomé" in site.chief.see(HOME)
    before = site.chief.see(HERE)
    assert "Lundi–vendredi : 7 h 30–12 h, 14 h 30–17 h" in before
    assert "Mercredi 25 novembre 19 1 0" in before.split("Passeport ordinaire")[1]
    seen = site.chief.post(f"{HERE}/fermer", **CLOSING)
    page = read(seen)
    assert "1 rendez-vous sera annulé." in page
    number = site.dossier.number
    assert f"{number[:2]} {number[2:6]} {number[6:10]} {number[10:]}" in page
    assert "annulé, DGDN, Lomé: Grève du personnel. Autre date: http" in page
    assert page.count("vendredi 27 novembre 2026 à") == 3
    assert visit_token(site.staff_site.world.office, site.dossier, "depot") not in seen.get_data(as_text=True)
    assert site.kept == site.dossier
    fields = hidden(seen)
    corrected = site.chief.client.post(f"{HERE}/fermer", data={**fields, "go": "edit"}).get_data(as_text=True)
    assert 'value="Grève du personnel"' in corrected
    assert site.kept == site.dossier
    done = site.chief.client.post(f"{HERE}/fermer", data={**fields, "go": "confirm"})
    assert done.headers["Location"] == HERE
    after = site.chief.see(HERE)
    assert "C’est fait. 1 personne est prévenue." in after
    assert "Fermé le mercredi 25 novembre 2026, toute la journée Grève du personnel Par B. Tossou" in after
    assert "Mercredi 25 novembre Fermé : Grève du personnel 0 0 20" in after
    again = site.chief.client.post(f"{HERE}/fermer", data={**fields, "go": "confirm"})
    assert again.status_code == 303
    assert len(openings.changes_of(site.staff_site.world.office, site.staff_site.actor("administration"), LOME)) == 1
    noted = site.chief.see("/agent/equipe/journal")
    assert "ouverture d’un bureau changée" in noted
    assert "DGDN, Lomé Fermé, le mercredi 25 novembre 2026, toute la journée Raison : Grève du personnel" in noted
    assert fsck(site.staff_site.world.office) == ()


def test_a_dossier_that_cannot_be_read_is_told_apart_and_the_office_closes(site: Closing) -> None:
    """Its message leads nowhere: whoever closes the office is told whom to find another date with."""
    world, before = site.staff_site.world, site.kept
    with world.office.store.unit(write=True) as unit:
        unit.put_dossier(replace(before, fingerprint="f" * 64, revision=before.revision + 1), before.revision)
    seen = site.chief.post(f"{HERE}/fermer", **CLOSING)
    page = read(seen)
    assert "1 rendez-vous sera annulé." in page
    assert "Rendez-vous touchés" not in page
    apart = page.split("Dossiers qui ne se lisent plus", 1)[1]
    assert "annulé, DGDN, Lomé: Grève du personnel. Nous vous dirons comment choisir une autre date. Dossier" in apart
    site.chief.client.post(f"{HERE}/fermer", data={**hidden(seen), "go": "confirm"})
    number = before.number
    after = site.chief.see(HERE)
    assert (
        "1 personne est prévenue. Un de ces dossiers ne se lit plus. Trouvez une autre date avec la personne :" in after
    )
    assert f"{number[:2]} {number[2:6]} {number[6:10]} {number[10:]}" in after
    assert site.kept.bookings["depot"].lost


def test_a_visit_that_stands_on_a_closed_day_is_led_to(site: Closing, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the closure was written in the shared files: nobody was told."""
    shut = (ClosedDay(LOME, Text.of("Travaux")), ClosedDay("dgdn_kara", Text.of("Noël"), holiday=True))
    monkeypatch.setattr(agent_day, "shut_on", lambda *_: shut)
    page = site.staff_site.agent("dgdn.guichet").get("/agent/rendez-vous/2026-11-25")
    assert "Fermé ce jour : DGDN, Lomé. Travaux. 1 rendez-vous y reste pris" in read(page)
    assert "Jour férié : Noël." in read(page)
    assert f'href="/agent/rendez-vous/2026-11-25?bureau={LOME}#visites"' in page.get_data(as_text=True)
    assert 'id="visites"' in page.get_data(as_text=True)


def test_the_help_page_says_which_days_are_not_as_usual(site: Closing) -> None:
    """Beside the hours of the office, where people look before they come."""
    assert "Fermé le" not in site.owner().see("/aide")
    site.close()
    reader = site.owner()
    assert "17 h Fermé le mercredi 25 novembre 2026 : Grève du personnel" in reader.see("/aide")
    site.close(du="2026-11-26", de="14:00", a="16:00")
    assert "Fermé le jeudi 26 novembre 2026, de 14 h à 16 h : Grève" in reader.see("/aide")
    assert "Closed on Wednesday, 25 November 2026: Staff on strike" in site.owner("en").see("/aide")


def test_the_day_of_an_office_says_that_it_is_closed(site: Closing) -> None:
    desk, path = site.staff_site.agent("dgdn.guichet"), "/agent/rendez-vous/2026-11-25"
    assert "Fermé ce jour" not in desk.see(path)
    site.close(de="14:00", a="16:00")  # the visit of the morning stands
    assert "Fermé ce jour : DGDN, Lomé (14 h–16 h). Grève du personnel." in desk.see(path)
    assert "reste pris" not in desk.see(path)
    assert "Fermé ce jour" not in desk.see("/agent/rendez-vous/2026-11-26")
    assert "Closed on this day: DGDN, Lomé (14:00–16:00). Staff on strike." in desk.see(f"{path}?lang=en")


@pytest.mark.parametrize(
    ("fields", "at", "said"),
    [
        ({"du": ""}, "#du", "Choisissez un jour."),
        ({"du": "2026-02-30"}, "#du", "Cette date n’existe pas : 2026-02-30"),
        ({"du": "2026-11-20"}, "#du", "Ce jour est passé."),
        ({"au": "2026-11-24"}, "#au", "Le dernier jour est avant le premier."),
        ({"de": "25:00"}, "#de", "Cette heure n’existe pas : 25:00"),
        ({"de": "8h"}, "#a", "Donnez les deux heures, ou aucune."),
        ({"raison": ""}, "#raison", "Écrivez la raison."),
        ({"raison": "x" * 61}, "#raison", "La raison a 61 signes. Elle en a 60 au plus"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands_and_nothing_typed_is_lost(
    site: Closing, fields: dict[str, str], at: str, said: str
) -> None:
    answer = site.chief.post(f"{HERE}/fermer", **{**CLOSING, **fields})
    assert answer.status_code == 422
    assert read(answer).count(said) == 2
    html = answer.get_data(as_text=True)
    assert f'href="{at}"' in html
    assert 'value="Staff on strike"' in html


def test_who_loses_a_visit_reads_why_and_chooses_again(site: Closing) -> None:
    site.close(de="07:30", a="12:00")
    owner, base = site.owner(), f"/dossiers/{site.dossier.number}"
    followed = owner.see(base)
    assert "Votre rendez-vous est annulé" in followed
    assert "DGDN, Lomé (Direction générale de la documentation nationale) ne reçoit pas le mercredi 25" in followed
    assert "Raison : Grève du personnel" in followed
    assert "Vous êtes sur la liste d’attente de ce bureau." in followed
    page = owner.get(f"{base}/rendez-vous?quoi=depot")
    assert "ne compte pas dans ceux qui vous sont permis" in read(page)
    starts = re.findall(r'name="start" value="([^"]+)"', page.get_data(as_text=True))
    assert starts
    assert not [one for one in starts if one.startswith("2026-11-25T") and one[11:13] < "12"]
    diary = Calendar.from_ical(owner.get(f"{base}/rendez-vous.ics?quoi=depot").data)
    (event,) = diary.walk("VEVENT")
    assert (diary["METHOD"], event["STATUS"], event["SEQUENCE"]) == ("CANCEL", "CANCELLED", 1)
    sent = {"quoi": "depot", "bureau": LOME, "start": starts[-1]}
    assert owner.client.post(f"{base}/rendez-vous", data=sent).status_code == 303
    assert site.kept.bookings["depot"].status == "booked"
    assert site.kept.bookings["depot"].moves == 0
    assert "Votre rendez-vous est annulé" not in owner.see(base)


def test_the_link_of_the_message_opens_the_slots_without_signing_in(site: Closing) -> None:
    site.close()
    link = f"/r/{visit_token(site.staff_site.world.office, site.dossier, 'depot')}"
    stranger = site.staff_site.stranger()
    with site.staff_site.world.office.store.unit() as unit:
        assert any(link in one.body for one in unit.letters_of(site.dossier.id))
    page = stranger.get(link)
    assert "Raison : Grève du personnel" in read(page)
    assert site.dossier.label not in read(page)
    start = re.findall(r'name="start" value="([^"]+)"', page.get_data(as_text=True))[0]
    assert stranger.client.post(link, data={"bureau": LOME, "start": start}).status_code == 303
    assert site.kept.bookings["depot"].status == "booked"
    assert "METHOD:PUBLISH" in stranger.get(f"{link}.ics").get_data(as_text=True)


def test_an_office_closed_for_weeks_says_that_nothing_is_free_and_until_when(site: Closing) -> None:
    """Not a list of closed days under « Tous les créneaux »."""
    site.close(au="2027-01-31")
    seat = site.owner()
    page = read(seat.get(f"/dossiers/{site.dossier.number}/rendez-vous"))
    assert "Aucun créneau libre dans ce bureau" in page
    assert "Tous les créneaux" not in page
    assert "Me prévenir si une place se libère" in page or "Vous êtes sur la liste d’attente" in page
    assert "Du mercredi 25 novembre 2026 au " in page
    assert page.count("Grève du personnel : fermé") < 5, "days in a row are told once"


def test_a_slot_read_before_the_closure_is_refused_with_those_that_are_left(site: Closing) -> None:
    other = to_book(site.staff_site.world, 7)
    seat = Closing(site.staff_site, site.chief, other).owner()
    base = f"/dossiers/{other.number}/rendez-vous"
    start = site.dossier.bookings["depot"].start.isoformat()
    site.close()
    for path in (base, f"{base}/confirmer"):
        answer = seat.client.post(path, data={"quoi": "depot", "bureau": LOME, "start": start})
        assert answer.status_code == 409
        assert "Le bureau est fermé à ce moment. Choisissez un autre créneau." in read(answer)
        assert 'name="start"' in answer.get_data(as_text=True)
    assert "depot" not in site.staff_site.kept(other).bookings


def test_it_is_told_in_english_too(site: Closing) -> None:
    site.close()
    owner, base = site.owner("en"), f"/dossiers/{site.dossier.number}"
    assert "Your appointment is cancelled" in owner.see(base)
    page = owner.see(f"{base}/rendez-vous?quoi=depot")
    assert "Reason: Staff on strike" in page
    site.chief.client.set_cookie("langue", "en")
    assert "Wednesday, 25 November Closed: Staff on strike 0 0 20" in site.chief.see(HERE)
    assert "Public holidays" in site.chief.see("/agent/equipe/feries")


def test_what_was_closed_is_opened_again(site: Closing) -> None:
    site.close()
    lift = re.search(r'href="(/agent/equipe/changements/[^"]+)"', site.chief.get(HERE).get_data(as_text=True))
    assert lift
    assert "Personne n’est remis d’office à son ancienne heure." in site.chief.see(lift[1])
    assert site.chief.post(lift[1]).headers["Location"] == HERE
    after = site.chief.see(HERE)
    assert "C’est fait. 1 personne est prévenue." in after
    assert "Repris par B. Tossou" in after
    assert site.kept.bookings["depot"].status == "cancelled"
    assert "déjà repris" in site.chief.see(lift[1], 409)
    owner = site.owner().see(f"/dossiers/{site.dossier.number}/rendez-vous?quoi=depot")
    assert "Mercredi 25 novembre 2026" in owner


def test_more_hours_and_more_places(site: Closing) -> None:
    before = site.chief.see(HERE)
    assert "Places en parallèle, au plus" in before
    assert "1 place par créneau" in before.split("Passeport ordinaire")[1], (
        "the visit says one where the office could more"
    )
    seen = site.chief.post(f"{HERE}/ouvrir", du="2026-11-25", de="12:00", a="13:00")
    assert "liste d’attente sont prévenues des places nouvelles" in read(seen)
    assert site.chief.client.post(f"{HERE}/ouvrir", data={**hidden(seen), "go": "confirm"}).status_code == 303
    passport = site.chief.see(HERE).split("Passeport ordinaire")[1]
    assert "Mercredi 25 novembre 22 1 0" in passport
    seen = site.chief.post(f"{HERE}/places", du="2026-11-25", places="2")
    assert site.chief.client.post(f"{HERE}/places", data={**hidden(seen), "go": "confirm"}).status_code == 303
    page = site.chief.see(HERE)
    assert "1 place par créneau" in page, "today nothing changed"
    assert "2 places en parallèle le mercredi 25 novembre 2026" in page
    assert "Mercredi 25 novembre 45 1 0" in page
    assert "va de 1 à 200" in read(site.chief.post(f"{HERE}/places", du="2026-11-25", places="beaucoup"))


def test_a_holiday_is_added_on_its_eve(site: Closing) -> None:
    page = site.chief.see("/agent/equipe/feries")
    assert "Vendredi 25 décembre 2026 Noël Dans le fichier du service" in page
    seen = site.chief.post("/agent/equipe/feries", du="2026-11-25", raison="Deuil national")
    assert "1 rendez-vous sera annulé." in read(seen)
    done = site.chief.client.post("/agent/equipe/feries", data={**hidden(seen), "go": "confirm"})
    assert done.headers["Location"] == "/agent/equipe/feries"
    assert "Mercredi 25 novembre 2026 Deuil national Par B. Tossou" in site.chief.see("/agent/equipe/feries")
    told = "Jours fériés, tous les bureaux sont fermés : mercredi 25 novembre 2026 (Deuil national) ;"
    assert told in site.owner().see("/aide")
    assert "Mercredi 25 novembre Férié : Deuil national 0 0 20" in site.chief.see(HERE)
    followed = site.owner().see(f"/dossiers/{site.dossier.number}")
    assert "Mercredi 25 novembre 2026 est un jour férié" in followed
    assert "déjà férié" in read(site.chief.post("/agent/equipe/feries", du="2026-11-25", raison="Deuil"))


def test_who_manages_one_agency_has_its_offices_alone(site: Closing) -> None:
    office, root = site.staff_site.world.office, site.staff_site.actor("administration")
    person = people.Person("C. Chef", {"sncja/reclamations": None}, administers=("sncja",))
    given = people.change_person(office, root, "demo-sncja.reclamations", person)
    chief = site.staff_site.agent(given.login)
    assert "DGDN, Lomé" not in chief.see(HOME)
    for path in (HERE, f"{HERE}/fermer"):
        assert chief.get(path).status_code == 404
    assert chief.client.post(f"{HERE}/fermer", data={**CLOSING, "go": "confirm"}).status_code == 404
    assert "Ajouter un jour férié" not in chief.see("/agent/equipe/feries")
    holiday = {"du": "2026-11-25", "raison": "Deuil", "go": "confirm"}
    assert chief.client.post("/agent/equipe/feries", data=holiday).status_code == 404
    clerk = site.staff_site.agent("dgdn.guichet")
    for path in (HOME, HERE, f"{HERE}/fermer", "/agent/equipe/feries"):
        assert clerk.get(path).status_code == 403
    assert site.kept == site.dossier


def test_the_history_of_a_dossier_tells_it(site: Closing) -> None:
    site.close()
    page = site.staff_site.agent("dgdn.guichet").see(f"/agent/dossiers/{site.dossier.number}")
    assert "Rendez-vous annulé par une fermeture" in page


# -- in a browser ------------------------------------------------------------------------------------------------------


def with_visits(portal: Portal, count: int) -> tuple[date, list[Dossier]]:
    """Passports of which everyone comes on the same day, as far as they may."""
    world = World(portal.office, portal.clock, portal.operator)  # type: ignore[arg-type]
    found, day = [], None
    for number in range(count):
        owner = world.applicant(f"+228901{number:05d}")
        checked = world.take(world.sent(PASSPORT, owner), world.agent("checker", "dgdn/controleur"), "conforme")
        worker.start_payment(
            portal.office, owner, checked.id, provider="mixx", payer="+22890000001", token=new_id()
        )  # fmt: skip
        sheet = bookings.slots(portal.office, owner, checked.id, "depot", limit=100)
        assert sheet.first_free, sheet.because
        day = day or local_day(sheet.first_free.start)
        first = sheet.first_free
        found.append(bookings.book_slot(portal.office, owner, checked.id, "depot", first.office, first.start))
    assert day is not None
    return day, found


@pytest.mark.browser
@pytest.mark.parametrize("language", ["fr", pytest.param("en", marks=pytest.mark.nightly("journey"))])
@pytest.mark.parametrize(
    "viewport",
    [{"width": 360, "height": 740}, pytest.param(DESK, marks=pytest.mark.nightly("journey"))],
    ids=["360", "1280"],
)
def test_an_office_is_closed_in_a_browser(
    enter: Enter, portal: Portal, viewport: dict[str, int], language: str
) -> None:
    day, dossiers = with_visits(portal, 2)
    chief = enter("chief", viewport, looks=True, limit=80_000)
    chief.page.context.add_cookies([{"name": "langue", "value": language, "url": portal.url}])
    chief.go(f"/agent/connexion?suite={HOME}")
    chief.fill(login="administration", password=PASSWORD)
    french = language == "fr"
    chief.press("Se connecter" if french else "Sign in")
    agency = "Direction générale de la documentation" if french else "National Documentation Directorate"
    chief.page.locator("summary", has_text=agency).click()
    chief.press("DGDN, Lomé")
    chief.press("Changer le nombre de places" if french else "Change the number of places")
    chief.go(HERE)
    chief.press("Fermer ce bureau" if french else "Close this office")
    chief.page.fill("#du", day.isoformat())
    chief.press("Voir ce que cela change" if french else "See what it changes")
    assert chief.sees("Écrivez la raison." if french else "Write the reason.")
    chief.page.fill("#raison", "Coupure d’électricité")
    chief.page.fill("#raison_en", "Power cut")
    chief.press("Voir ce que cela change" if french else "See what it changes")
    assert chief.sees("2 rendez-vous seront annulés." if french else "2 appointments will be cancelled.")
    chief.press("Fermer et prévenir" if french else "Close and tell them")
    assert chief.sees("2 personnes sont prévenues" if french else "2 people were told")
    chief.press("Rouvrir" if french else "Reopen")
    chief.go("/agent/equipe/feries")
    lost = enter("lost", viewport, looks=True)
    lost.page.context.add_cookies([{"name": "langue", "value": language, "url": portal.url}])
    lost.go(f"/r/{visit_token(portal.office, dossiers[0], 'depot')}")
    assert lost.sees("Coupure d’électricité" if french else "Power cut")
    with portal.office.store.unit(write=True) as unit:
        account = unit.account(dossiers[0].owner)
        assert account is not None
        token = open_session(portal.office, unit, account, portal.office.now()).token
    lost.page.context.add_cookies([{"name": "guichet", "value": token, "url": portal.url}])
    lost.go(f"/dossiers/{dossiers[0].number}")
    assert lost.sees("Votre rendez-vous est annulé" if french else "Your appointment is cancelled")
    chief.check()
    lost.check()


def test_the_form_is_among_what_to_bring_and_need_not_be_printed(site: Closing) -> None:
    """It waits among the documents: whoever reads what to bring is told of it there."""
    told = "À apporter Formulaire du rendez-vous, sur votre téléphone ou imprimé (dans votre dossier, sous « Vos documents »)"
    assert told in site.owner().see(f"/dossiers/{site.dossier.number}/rendez-vous")
