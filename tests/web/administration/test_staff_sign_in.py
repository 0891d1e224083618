"""Agents and controllers at the door, page by page: their own password, the application, recovery codes, a code each time."""

from __future__ import annotations

import re
from pathlib import Path

import pyotp
import pytest

from engine.records.dossier import SYSTEM_ACTOR
from engine.services.accounts import agents as people
from engine.services.accounts.agents import Given, Person
from engine.services.sign_in import agent_sign_in as staff
from tests.web.conftest import Enter
from tests.web.portal import Portal
from tests.web.staff_site import Seat, StaffSite, open_staff_site, read

pytestmark = pytest.mark.slow  # a whole site and its people for each test

OWN = "quatre mots sans suite"


@pytest.fixture
def staff_site(tmp_path: Path) -> StaffSite:
    return open_staff_site(tmp_path)


def newcomer(staff_site: StaffSite, kind: staff.Kind = "agent") -> Given:
    person = Person("A. Mensah", {"dgdn/controleur": None})
    if kind == "auditor":
        person = Person("A. Mensah", until=staff_site.world.office.day())
    return people.add_person(staff_site.world.office, SYSTEM_ACTOR, kind, "mensah", person)


def code(staff_site: StaffSite, key: str) -> str:
    return pyotp.TOTP(key).at(staff_site.world.office.now())


def key_of(text: str) -> str:
    found = re.search(r"\b((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})\b", text)
    assert found, text
    return found[1].replace(" ", "")


@pytest.mark.parametrize(("desk", "kind"), [("agent", "agent"), ("audit", "auditor")])
def test_the_first_sign_in_then_the_next(staff_site: StaffSite, desk: str, kind: staff.Kind) -> None:
    given, seat = newcomer(staff_site, kind), staff_site.stranger()
    door, step = f"/{desk}/connexion", f"/{desk}/connexion/suite"
    answer = seat.post(f"{door}?suite=/{desk}/publications", login="mensah", password=given.password)
    assert answer.headers["Location"] == step
    assert seat.get(f"/{desk}").headers["Location"].startswith(door), "halfway is outside"

    assert "Choisissez votre mot de passe" in seat.see(step)
    assert seat.post(step, password=OWN, again="autre").status_code == 422
    assert seat.post(step, password="court", again="court").status_code == 422
    assert seat.post(step, password=OWN, again=OWN).headers["Location"] == step

    key = key_of(seat.see(step))
    qr = seat.get(f"/{desk}/connexion/qr.svg")
    assert (qr.mimetype, qr.headers["Cache-Control"]) == ("image/svg+xml", "no-store")
    assert staff_site.stranger().get(f"/{desk}/connexion/qr.svg").status_code == 303, "nobody else's"
    assert seat.post(step, code="000000").status_code == 422
    assert key_of(seat.see(step)) == key, "the same key when the page is shown again"
    shown = seat.post(step, code=code(staff_site, key))
    recovery = re.findall(r"\b[2-9a-z]{6}(?:-[2-9a-z]{6}){3}\b", read(shown))
    assert len(recovery) == 10
    assert f'href="/{desk}/publications"' in shown.get_data(as_text=True)
    assert seat.get(f"/{desk}").status_code == 200

    staff_site.world.wait(seconds=60)
    again = staff_site.stranger()
    again.post(door, login="mensah", password=OWN)
    assert "Code de votre application" in again.see(step)
    assert again.post(step, code="000000").status_code == 422
    assert again.post(step, code=recovery[0]).headers["Location"] == f"/{desk}"
    assert again.get(f"/{desk}").status_code == 200
    assert again.get(step).headers["Location"] == door, "nothing is asked any more"


def test_what_was_typed_before_the_session_ended_is_found_again_after_the_code(staff_site: StaffSite) -> None:
    """Fifteen minutes idle, then both factors, back to the page that was asked for."""
    given, seat = newcomer(staff_site), staff_site.stranger()
    sent = seat.get("/agent/rendez-vous")
    seat.post(sent.headers["Location"], login="mensah", password=given.password)
    seat.post("/agent/connexion/suite", password=OWN, again=OWN)
    shown = seat.post("/agent/connexion/suite", code=code(staff_site, key_of(seat.see("/agent/connexion/suite"))))
    assert 'href="/agent/rendez-vous"' in shown.get_data(as_text=True)


def test_a_ticket_of_one_desk_says_nothing_at_the_other(staff_site: StaffSite) -> None:
    given, seat = newcomer(staff_site), staff_site.stranger()
    seat.post("/agent/connexion", login="mensah", password=given.password)
    assert seat.get("/audit/connexion/suite").headers["Location"] == "/audit/connexion"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    "viewport",
    [{"width": 360, "height": 740}, pytest.param({"width": 1280, "height": 900}, marks=pytest.mark.nightly("journey"))],
    ids=["360", "1280"],
)
def test_the_first_sign_in_in_a_browser(enter: Enter, portal: Portal, viewport: dict[str, int]) -> None:
    given = people.add_person(
        portal.office, SYSTEM_ACTOR, "agent", "mensah", Person("A. Mensah", {"dgdn/controleur": None})
    )
    agent = enter("mensah", viewport, looks=True, limit=60_000)
    agent.go("/agent/connexion")
    agent.fill(login="mensah", password=given.password)
    agent.press("Se connecter")
    agent.fill(password=OWN, again=OWN)
    agent.press("Garder ce mot de passe")
    assert agent.page.locator("img.qr").evaluate("image => image.naturalWidth") > 100
    agent.fill(code="12")
    agent.press("Continuer")
    assert agent.sees("Ce code n’est pas le bon")
    key = agent.page.locator(".key").inner_text().replace(" ", "")
    agent.fill(code=pyotp.TOTP(key).at(portal.clock.now()))
    agent.press("Continuer")
    assert agent.sees("Vos codes de secours")
    recovery = agent.page.locator(".codes li").first.inner_text()
    agent.press("C’est noté, continuer")
    assert agent.page.url.endswith("/agent")

    for path in ("/agent/compte", "/agent/compte/mot-de-passe", "/agent/mes-consultations"):
        agent.go(path)
    agent.go("/agent/compte")
    agent.fill(code="000000")
    agent.press("Remplacer mes codes de secours")
    assert agent.sees("Ce code n’est pas le bon")

    agent.page.context.clear_cookies()
    agent.go("/agent/connexion")
    agent.fill(login="mensah", password=OWN)
    agent.press("Se connecter")
    agent.fill(code=recovery)
    agent.press("Continuer")
    assert agent.page.url.endswith("/agent")
    agent.check()


def test_a_person_of_the_demonstration_needs_no_telephone(staff_site: StaffSite) -> None:
    seat: Seat = staff_site.agent("dgdn.controleur")
    assert seat.get("/agent").status_code == 200
