"""An applicant's own account, page by page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.web.browser_person import DESK
from tests.web.client import PHONE, PortalClient, a_portal_client, another, later
from tests.web.conftest import Enter
from tests.web.portal import Portal

pytestmark = pytest.mark.slow  # a whole site and its people for each test

EMAIL, NEW = "afi@exemple.tg", "91445566"
PAGES = (
    "/compte", "/compte/telephone", "/compte/courriel", "/compte/identite", "/compte/messages", "/compte/appareils",
    "/compte/consultations", "/compte/donnees.json", "/compte/supprimer",
)  # fmt: skip


@pytest.fixture
def visitor(tmp_path: Path) -> PortalClient:
    return a_portal_client(tmp_path)


def last_code(visitor: PortalClient, to: str) -> str:
    with visitor.office.store.unit() as unit:
        newest = max(unit.letters_to(to), key=lambda letter: letter.created_at)
    found = re.search(r"\b(\d{6})\b", newest.body)
    assert found
    return found[1]


@pytest.mark.parametrize("address", PAGES)
def test_nobody_else_opens_it(visitor: PortalClient, address: str) -> None:
    seen = visitor.open(address)
    assert seen.address.startswith("/connexion") or seen.status == 401


def test_an_address_then_a_new_number(visitor: PortalClient) -> None:
    visitor.sign_in()
    assert visitor.send("/compte/courriel", way="afi").status == 422
    visitor.send("/compte/courriel", way=EMAIL)
    assert visitor.send("/compte/code", code="12").status == 422
    visitor.send("/compte/code", code=last_code(visitor, EMAIL))
    assert EMAIL in visitor.follow().text
    visitor.send("/compte/telephone", way=NEW)
    visitor.send("/compte/code", code=last_code(visitor, f"+228{NEW}"))
    assert "91 44 55 66" in visitor.follow().text
    later(visitor, minutes=5)
    stranger = another(visitor).sign_in(PHONE)
    assert EMAIL not in stranger.open("/compte").text


@pytest.mark.parametrize(
    "address", ["/compte/telephone", "/compte/courriel", "/compte/supprimer", "/compte/entreprises/inviter"]
)
def test_whoever_signed_in_long_ago_proves_anew_who_they_are(visitor: PortalClient, address: str) -> None:
    """Who finds a telephone that is still signed in does not take the account over."""
    visitor.sign_in()
    assert visitor.open(address).status == 200
    later(visitor, minutes=16)
    assert visitor.open("/compte").status == 200, "they are signed in all the same"
    assert visitor.open(address).address == f"/connexion?suite={address.replace('/', '%2F')}"
    assert "prouvez encore que c’est vous" in visitor.follow().text
    visitor.post("/connexion", **{**visitor.page.form(), "phone": PHONE})
    assert visitor.send("/connexion/code", code=visitor.code()).address == address
    assert visitor.open(address).status == 200


def test_what_was_typed_is_kept_over_a_new_proof(visitor: PortalClient) -> None:
    """A person opens the page of a new address, and sends it when the sign-in is older than 15 minutes."""
    visitor.sign_in()
    form = visitor.open("/compte/courriel").form()
    later(visitor, minutes=16)
    assert visitor.post("/compte/courriel", **{**form, "way": EMAIL}).address == "/connexion?suite=%2Freprendre"
    visitor.follow()
    visitor.post("/connexion", **{**visitor.page.form(), "phone": PHONE})
    assert visitor.send("/connexion/code", code=visitor.code()).address == "/reprendre"
    assert f'value="{EMAIL}"' in visitor.follow().html
    assert visitor.post("/compte/courriel", **visitor.page.form()).address == "/compte/code"


def test_a_device_is_signed_out_by_who_proves_anew(visitor: PortalClient) -> None:
    visitor.sign_in()
    later(visitor, minutes=5)
    other = another(visitor).sign_in()
    later(visitor, minutes=11)
    page = visitor.open("/compte/appareils")
    assert visitor.post("/compte/appareils", **{**page.form(), "elsewhere": "1"}).address.startswith("/connexion?")
    assert other.open("/dossiers").status == 200, "not yet"


def test_the_account_opens_in_a_language_that_is_a_sample(visitor: PortalClient) -> None:
    visitor.sign_in()
    visitor.client.set_cookie("langue", "ee")
    assert visitor.open("/compte").status == 200


def test_wishes_choose_the_language_here_and_at_the_next_sign_in(visitor: PortalClient) -> None:
    visitor.sign_in()
    kept = visitor.send("/compte/messages", language="en")
    assert "My account" in visitor.open(kept.address).text
    later(visitor, minutes=5)
    elsewhere = another(visitor)
    elsewhere.send("/connexion", phone=PHONE)
    assert elsewhere.send("/connexion/code", code=visitor.code()).address == "/dossiers?lang=en"


def test_an_identity_is_shown_as_it_was_given(visitor: PortalClient) -> None:
    visitor.sign_in()
    wrong = visitor.send("/compte/identite", family_name="AMEGAN", birth_year="2990", birth_month="1", birth_day="1")
    assert (wrong.status, 'value="AMEGAN"' in wrong.html) == (422, True)
    visitor.send("/compte/identite", family_name="AMEGAN", birth_year="1990", birth_month="3", birth_day="27", sex="f")
    seen = visitor.follow().text
    for said in ("AMEGAN", "27 mars 1990", "Féminin"):
        assert said in seen


def test_other_devices_are_signed_out(visitor: PortalClient) -> None:
    visitor.sign_in()
    later(visitor, minutes=5)
    other = another(visitor).sign_in()
    page = visitor.open("/compte/appareils")
    assert page.text.count("Déconnecter") >= 2
    visitor.post("/compte/appareils", **{**page.form(), "elsewhere": "1"})
    assert other.open("/dossiers").status == 303
    assert visitor.open("/dossiers").status == 200


def test_ones_data_is_a_file_and_an_account_is_erased(visitor: PortalClient) -> None:
    visitor.sign_in()
    number = visitor.begin()
    answer = visitor.open("/compte/donnees.json").response
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert [one["number"] for one in json.loads(answer.get_data())["dossiers"]] == [number]
    assert "Votre compte est supprimé" in visitor.send("/compte/supprimer").text
    assert visitor.open("/compte").status == 303


def test_a_running_request_says_why_the_account_stays(visitor: PortalClient) -> None:
    visitor.sign_in()
    visitor.sent()
    seen = visitor.send("/compte/supprimer")
    assert ("Revenir en arrière" in seen.text, "Revenir au dossier" in seen.text) == (True, False), (
        "it is about no dossier"
    )
    assert (seen.status, "Des demandes sont en cours (1)" in seen.text) == (409, True)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    "viewport",
    [{"width": 360, "height": 740}, pytest.param(DESK, marks=pytest.mark.nightly("journey"))],
    ids=["360", "1280"],
)
def test_the_account_in_a_browser(enter: Enter, portal: Portal, viewport: dict[str, int]) -> None:
    afi = enter("afi", viewport, looks=True)
    afi.go("/connexion/courriel?suite=/compte")
    afi.fill(email=EMAIL)
    afi.press("Recevoir le lien")
    with portal.office.store.unit() as unit:
        body = unit.letters_to(EMAIL)[0].body
    found = re.search(r"/connexion/lien/\S+", body)
    assert found
    afi.go(found[0])
    afi.press("Me connecter")
    assert afi.sees("Pour vous joindre")
    for address in PAGES:
        if not address.endswith(".json"):
            afi.go(address)
    afi.go("/compte/telephone")
    afi.fill(way="90 11 22 33")
    afi.press("Recevoir le code")
    afi.fill(code=portal.code_for("+22890112233"))
    afi.press("Continuer")
    assert afi.sees("Votre numéro est gardé.")
    afi.go("/connexion/lien/inconnu")
    afi.go("/connexion/numero-perdu")
    afi.check()


def test_the_next_person_at_this_browser_does_not_read_what_the_former_one_was_adding(visitor: PortalClient) -> None:
    visitor.sign_in()
    visitor.send("/compte/courriel", way=EMAIL)
    assert EMAIL in visitor.open("/compte/code").text
    visitor.sign_in("91223344")
    assert visitor.open("/compte/code").address == "/compte"
    assert EMAIL not in visitor.page.text
