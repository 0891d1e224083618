"""What agents and controllers see of themselves: recovery codes, password, what they looked into; and whoever they read sees it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from engine.records.dossier import SYSTEM_ACTOR, Account
from engine.services.accounts import agents as people
from engine.services.accounts.access_log import my_readings, readings_of_mine
from engine.services.accounts.agents import Person
from engine.services.keys.secrets import hash_secret
from engine.services.sign_in import agent_sign_in as staff
from tests.engine.services.world import B3, PASSPORT
from tests.web.staff_site import CLERK, Seat, StaffSite, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test

PASSWORD = "quatre mots sans suite"


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def with_a_telephone(staff_site: StaffSite) -> tuple[Seat, str]:
    """An agent signed in with two factors, and the key in their telephone."""
    office = staff_site.world.office
    with office.store.unit(write=True) as unit:
        unit.put_account(Account("a1", "agent", "A. Mensah", "mensah", hash_secret(PASSWORD), ("dgdn/controleur",)))
    seat = staff_site.stranger()
    seat.post("/agent/connexion", login="mensah", password=PASSWORD)
    found = re.search(r"\b((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})\b", seat.see("/agent/connexion/suite"))
    assert found
    key = found[1].replace(" ", "")
    seat.post("/agent/connexion/suite", code=pyotp.TOTP(key).at(office.now()))
    staff_site.world.wait(seconds=60)
    return seat, key


def test_new_recovery_codes_for_a_code_of_the_application(staff_site: StaffSite) -> None:
    seat, key = with_a_telephone(staff_site)
    assert "Il reste 10 codes de secours." in seat.see("/agent/compte")
    assert seat.post("/agent/compte", code="000000").status_code == 422
    shown = read(seat.post("/agent/compte", code=pyotp.TOTP(key).at(staff_site.world.office.now())))
    assert len(re.findall(r"\b[2-9a-z]{6}(?:-[2-9a-z]{6}){3}\b", shown)) == 10


def test_a_new_password_signs_out_everywhere(staff_site: StaffSite) -> None:
    seat, _ = with_a_telephone(staff_site)
    page = "/agent/compte/mot-de-passe"
    assert "n’est pas le bon" in read(
        seat.post(page, before="faux", password="dix autres mots", again="dix autres mots")
    )
    assert "ne sont pas les mêmes" in read(seat.post(page, before=PASSWORD, password="dix autres mots", again="onze"))
    done = seat.post(page, before=PASSWORD, password="dix autres mots", again="dix autres mots")
    assert done.headers["Location"] == "/agent/connexion"
    assert seat.get("/agent").status_code == 303
    assert isinstance(staff.sign_in(staff_site.world.office, "agent", "mensah", "dix autres mots"), staff.Halfway)


def test_other_places_are_signed_out_by_who_proves_anew(staff_site: StaffSite) -> None:
    seat, key = with_a_telephone(staff_site)
    for _ in range(2):  # at work, but signed in long ago
        staff_site.world.wait(minutes=9)
        assert seat.get("/agent").status_code == 200
    door = seat.post("/agent/compte", act="elsewhere")
    assert door.headers["Location"] == "/agent/connexion?suite=%2Fagent%2Fcompte"
    assert "prouvez encore que c’est vous" in seat.see(door.headers["Location"])
    seat.post("/agent/connexion", login="mensah", password=PASSWORD, suite="/agent/compte")
    back = seat.post("/agent/connexion/suite", code=pyotp.TOTP(key).at(staff_site.world.office.now()))
    assert back.headers["Location"] == "/agent/compte"
    done = seat.post("/agent/compte", act="elsewhere")
    assert done.headers["Location"] == "/agent/compte"
    assert "prouvez encore" not in seat.see("/agent/compte")


def test_each_dossier_opened_is_noted_and_its_owner_sees_by_whom(staff_site: StaffSite) -> None:
    world = staff_site.world
    dossier = world.paid(world.sent(B3))
    clerk = staff_site.agent(CLERK)
    assert "aucun dossier" in clerk.see("/agent/mes-consultations")
    for _ in range(2):
        clerk.see(f"/agent/dossiers/{dossier.number}")
    auditor = staff_site.auditor()
    auditor.post(f"/audit/dossiers/{dossier.number}", motive="Contrôle de décembre")
    numbered = re.sub(r"(\d\d)(\d{4})(\d{4})(\d)", r"\1 \2 \3 \4", dossier.number)
    assert clerk.see("/agent/mes-consultations").count(numbered) == 1
    assert numbered in auditor.see("/audit/mes-consultations")
    assert len(my_readings(world.office, staff_site.actor(CLERK))) == 1
    seen = readings_of_mine(world.office, world.owner(dossier))
    assert {(reading.account, reading.role) for reading, _ in seen} == {
        (f"demo-{CLERK}", "sncja/greffier_en_chef"), ("demo-controle", ""),
    }  # fmt: skip
    assert readings_of_mine(world.office, world.applicant("+22890998877")) == ()


def test_a_controller_s_desk_closes_with_the_mandate(staff_site: StaffSite) -> None:
    office = staff_site.world.office
    last = office.day() + timedelta(days=1)
    given = people.add_person(office, SYSTEM_ACTOR, "auditor", "cour", Person("Cour", until=last))
    assert isinstance(staff.sign_in(office, "auditor", "cour", given.password), staff.Halfway)
    staff_site.world.wait(days=2)
    seat = staff_site.stranger()
    assert "n’est pas le bon" in read(seat.post("/audit/connexion", login="cour", password=given.password))


def test_a_mandate_lists_and_opens_the_procedures_it_names(staff_site: StaffSite) -> None:
    office, world = staff_site.world.office, staff_site.world
    with office.store.unit(write=True) as unit:
        account = unit.account_of("auditor", "controle")
        assert account is not None
        unit.put_account(replace(account, procedures=(B3,)))
    auditor = staff_site.auditor()
    listed = auditor.see("/audit/demarches")
    assert "casier judiciaire" in listed.lower()
    assert "Passeport ordinaire" not in listed
    assert auditor.get(f"/audit/dossiers/{world.sent(PASSPORT).number}").status_code == 404
    assert auditor.get(f"/audit/dossiers/{world.sent(B3).number}").status_code == 200


def test_an_agent_says_how_they_are_told(staff_site: StaffSite) -> None:
    """A wrong address loses nothing; a right one is written to; a controller has no such choice."""
    clerk, office = staff_site.agent(CLERK), staff_site.world.office
    page = clerk.get("/agent/compte").text
    assert re.search(r'id="how-daily"[^>]* checked', page)
    wrong = clerk.post("/agent/compte", act="tidings", how="soon", email="k.mensah")
    assert wrong.status_code == 422
    shown = wrong.text
    assert re.search(r'id="how-soon"[^>]* checked', shown)
    assert 'value="k.mensah"' in shown
    assert 'href="#email"' in shown
    assert not re.search(r'id="code"[^>]*aria-invalid', shown)
    assert "Donnez une adresse" in read(clerk.post("/agent/compte", act="tidings", how="soon"))
    done = clerk.post("/agent/compte", act="tidings", how="soon", email="k.mensah@sncja.example")
    assert done.headers["Location"] == "/agent/compte"
    page = clerk.get("/agent/compte").text
    assert "Un premier message part à k.mensah@sncja.example." in page
    assert re.search(r'id="how-soon"[^>]* checked', page)
    with office.store.unit() as unit:
        assert len(unit.letters_to("k.mensah@sncja.example", 5)) == 1
    clerk.post("/agent/compte", act="tidings", how="never", email="k.mensah@sncja.example")
    assert "Vous ne recevrez plus rien." in clerk.see("/agent/compte")
    auditor = staff_site.auditor()
    assert 'name="how"' not in auditor.get("/audit/compte").text
    assert auditor.post("/audit/compte", act="tidings", how="soon", email="c@cour.example").status_code in (303, 422)
    with office.store.unit() as unit:
        assert unit.letters_to("c@cour.example", 5) == ()
