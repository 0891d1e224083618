"""Signing in with an identity provider served over real HTTP: there and back, joined to an account, refused otherwise."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser

from engine.integrations.http_client import HttpClient
from engine.integrations.openid import Client, OpenIdProvider
from engine.integrations.payment_provider import ProviderDown
from engine.services.limits.code_limits import PER_BROWSER
from server import Settings, create_app
from tests.engine.integrations.local_identity import CLIENT, SECRET, LocalIdentity, local_identity
from tests.web.account.test_unverified_drafts import filled
from tests.web.browser_person import DESK, Person
from tests.web.client import PortalClient, a_portal_client, another, later
from tests.web.live_site import listening

pytestmark = pytest.mark.slow  # a whole site for each test


@pytest.fixture
def there() -> Iterator[LocalIdentity]:
    with local_identity() as provider:
        yield provider


@pytest.fixture
def visitor(tmp_path: Path, there: LocalIdentity) -> PortalClient:
    plain = a_portal_client(tmp_path)
    provider = OpenIdProvider(
        "identité numérique", Client(there.url, CLIENT, SECRET, levels={"2": "high"}), plain.clock
    )
    there.now = int(plain.clock.now().timestamp())
    office = replace(plain.office, identity=provider)
    app = create_app(Settings(data=tmp_path, secret="test"), office, plain.operator)
    return replace(plain, client=app.test_client(), office=office)


def go_and_come_back(visitor: PortalClient, there: LocalIdentity, start: str = "/connexion/identite") -> str:
    """Where the provider sends this browser back to."""
    left = visitor.open(start)
    assert left.address.startswith(f"{there.url}/authorize?")
    returned = urlsplit(there.authorise(left.address))
    return f"{returned.path}?{returned.query}"


def join_link(visitor: PortalClient) -> str:
    """The link of the account page that joins an identity."""
    found = re.search(r'href="(/connexion/identite\?lier=[^"]+)"', visitor.open("/compte").html)
    assert found
    return found[1]


def test_somebody_new_is_known_and_what_is_said_of_them_is_not_theirs_to_change(
    visitor: PortalClient, there: LocalIdentity
) -> None:
    there.person |= {"acr": "2", "phone_number": "+22890112233", "phone_number_verified": True}
    assert "Continuer avec : identité numérique" in visitor.open("/connexion").text
    assert visitor.open(go_and_come_back(visitor, there)).address == "/dossiers"
    account = visitor.open("/compte").text
    for said in ("AMEGAN", "Afi", "Vient de votre identité numérique", "Niveau de confiance élevé", "90 11 22 33"):
        assert said in account
    visitor.send("/compte/identite", family_name="AUTRE", birth_place="Kpalimé")
    account = visitor.open("/compte").text
    assert "AMEGAN" in account
    assert "AUTRE" not in account
    assert "Kpalimé" in account


def test_the_same_person_comes_back_to_the_page_asked_for(visitor: PortalClient, there: LocalIdentity) -> None:
    visitor.open(go_and_come_back(visitor, there))
    number = visitor.begin()
    elsewhere = another(visitor)
    back = elsewhere.open(go_and_come_back(elsewhere, there, f"/connexion/identite?suite=/dossiers/{number}"))
    assert back.address == f"/dossiers/{number}"
    assert number in visitor.open("/dossiers").html


def test_who_signed_in_long_ago_proves_anew_at_the_provider(visitor: PortalClient, there: LocalIdentity) -> None:
    """Who finds a computer where the provider still knows its owner takes the account over neither here nor by signing
    out first: a session is as old as the proof."""
    visitor.open(go_and_come_back(visitor, there))
    assert visitor.open("/compte/telephone").status == 200
    there.entered = there.now
    later(visitor, minutes=16)
    there.now = int(visitor.clock.now().timestamp())
    start = "/connexion/identite?suite=/compte/telephone"
    assert visitor.open("/compte/telephone").address.startswith("/connexion?")
    asked = parse_qs(urlsplit(visitor.open(start).address).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    there.heeds = False
    refused = visitor.open(go_and_come_back(visitor, there, start))
    assert (refused.status, "prouver encore que c’est vous" in refused.text) == (409, True)
    assert visitor.open("/compte").status == 200, "they are signed in all the same"
    elsewhere = another(visitor)
    elsewhere.open(go_and_come_back(elsewhere, there))
    assert elsewhere.open("/compte").status == 200, "the provider knows this browser"
    assert elsewhere.open("/compte/telephone").address.startswith("/connexion?")
    there.twist = {"auth_time": None}
    elsewhere.open(go_and_come_back(elsewhere, there))
    assert elsewhere.open("/compte/telephone").address.startswith("/connexion?"), "nor does one that says no time"
    there.twist, there.heeds = {}, True
    assert visitor.open(go_and_come_back(visitor, there, start)).address == "/compte/telephone"
    assert visitor.open("/compte/telephone").status == 200


@pytest.mark.parametrize("said", ["20000102", "2000-W01-1"])
def test_a_birth_date_of_another_form_is_not_taken(visitor: PortalClient, there: LocalIdentity, said: str) -> None:
    there.person |= {"birthdate": said}
    visitor.open(go_and_come_back(visitor, there))
    account = visitor.open("/compte").text
    assert "AMEGAN" in account
    assert said not in account


def test_one_browser_asks_the_provider_a_few_times(
    visitor: PortalClient, there: LocalIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.open(go_and_come_back(visitor, there))
    asked, finish = [], OpenIdProvider.finish
    monkeypatch.setattr(OpenIdProvider, "finish", lambda *given: (asked.append(1), finish(*given))[1])
    answers = [visitor.open(go_and_come_back(visitor, there)) for _ in range(PER_BROWSER + 2)]
    assert len(asked) <= PER_BROWSER
    assert "Trop d’essais" in answers[-1].text
    later(visitor, minutes=20)
    there.now = int(visitor.clock.now().timestamp())
    assert visitor.open(go_and_come_back(visitor, there)).address == "/dossiers"


def test_a_number_that_looks_alike_joins_nobody(visitor: PortalClient, there: LocalIdentity) -> None:
    visitor.sign_in()
    number = visitor.begin()
    there.person |= {"phone_number": "+22890112233", "phone_number_verified": True}
    stranger = another(visitor)
    stranger.open(go_and_come_back(stranger, there))
    assert stranger.open(f"/dossiers/{number}").status == 404


def test_an_account_is_joined_by_who_is_signed_in_to_it(visitor: PortalClient, there: LocalIdentity) -> None:
    visitor.sign_in()
    number = visitor.begin()
    assert visitor.open(go_and_come_back(visitor, there, join_link(visitor))).address == "/compte"
    assert "est joint à votre identité numérique" in visitor.open("/compte").text
    with visitor.office.store.unit() as unit:
        said = [letter.body for letter in unit.letters_to("+22890112233")]
    assert any("identité numérique" in one for one in said), (
        "its owner is told: a thief of the phone could join their own"
    )
    elsewhere = another(visitor)
    elsewhere.open(go_and_come_back(elsewhere, there))
    assert number in elsewhere.open("/dossiers").html
    later(visitor, minutes=5)
    other = another(visitor).sign_in("91445566")
    assert other.open(go_and_come_back(other, there, join_link(other))).status == 409


def test_a_link_of_another_site_joins_nothing(visitor: PortalClient, there: LocalIdentity) -> None:
    """Where the provider knows a stranger in this browser, it would give them the account."""
    visitor.sign_in()
    number = visitor.begin()
    stranger = another(visitor).sign_in("91445566")
    for forged in ("/connexion/identite?lier=1", join_link(stranger)):
        assert visitor.open(forged).address == "/compte"
    assert visitor.open(join_link(visitor)).address.startswith(there.url), "the account page has the right one"
    thief = another(visitor)
    thief.open(go_and_come_back(thief, there))
    assert number not in thief.open("/dossiers").html


def test_who_signs_in_meanwhile_is_not_joined(visitor: PortalClient, there: LocalIdentity) -> None:
    visitor.sign_in()
    back = go_and_come_back(visitor, there, join_link(visitor))
    visitor.sign_in("91445566")
    number = visitor.begin()
    assert visitor.open(back).address == "/compte"
    stranger = another(visitor)
    stranger.open(go_and_come_back(stranger, there))
    assert number not in stranger.open("/dossiers").html


def test_an_answer_that_was_not_asked_for_opens_nothing(visitor: PortalClient, there: LocalIdentity) -> None:
    address = go_and_come_back(visitor, there)
    forged = another(visitor)
    assert forged.open(address).address == "/connexion"
    assert forged.open("/dossiers").status == 303
    code = parse_qs(urlsplit(address).query)["code"][0]
    wrong = visitor.open(f"/connexion/identite/retour?{urlencode({'code': code, 'state': 'x'})}")
    assert wrong.address == "/connexion"
    assert visitor.open(address).address == "/connexion", "what was asked serves once, right or wrong"


def test_giving_up_a_word_that_does_not_hold_and_silence_are_said(visitor: PortalClient, there: LocalIdentity) -> None:
    left = visitor.open("/connexion/identite")
    state = parse_qs(urlsplit(left.address).query)["state"][0]
    visitor.open(f"/connexion/identite/retour?{urlencode({'error': 'access_denied', 'state': state})}")
    assert "Votre session n’est pas ouverte" in visitor.follow().text
    there.twist = {"aud": "somebody else"}
    assert "n’est pas sûre" in visitor.open(go_and_come_back(visitor, there)).text
    there.down = True
    later(visitor, hours=2)
    assert "ne répond pas" in visitor.open("/connexion/identite").text


def test_what_a_code_by_sms_is_worth_is_told_beside_the_way_that_is_worth_more(
    visitor: PortalClient, tmp_path: Path
) -> None:
    told = visitor.open("/aide")
    assert "peut lire le code" in told.text
    assert "Plus sûr qu’un SMS : identité numérique" in told.text.replace("\u00a0", " ")
    assert 'href="/connexion/identite"' in told.html
    without = a_portal_client(tmp_path / "other").open("/aide").text
    assert "peut lire le code" in without
    assert "Plus sûr" not in without


def test_without_a_provider_there_is_no_such_door(tmp_path: Path) -> None:
    visitor = a_portal_client(tmp_path)
    assert visitor.open("/connexion/identite").status == 404
    assert "Continuer avec" not in visitor.open("/connexion").text


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(
    "viewport",
    [{"width": 360, "height": 740}, pytest.param(DESK, marks=pytest.mark.nightly("journey"))],
    ids=["360", "1280"],
)
def test_there_and_back_in_a_browser(
    browser: Browser, visitor: PortalClient, there: LocalIdentity, viewport: dict[str, int]
) -> None:
    """Two real servers: the link leaves this site, the provider sends back, the session is there."""
    app = visitor.client.application
    site = app.extensions["guichet"]
    with listening(threads=2) as listener:
        address = listener.address
        settings = replace(site.office.settings, base_url=address)
        app.extensions["guichet"] = replace(site, office=replace(site.office, settings=settings))
        listener.serves(app)
        context = browser.new_context(viewport=viewport, locale="fr-FR")  # type: ignore[arg-type]
        try:
            there.person["acr"] = "2"
            person = Person(context.new_page(), address, looks=True, limit=60_000)
            person.go("/connexion?suite=/compte")
            person.press("Continuer avec : identité numérique")
            assert person.sees("AMEGAN")
            assert person.sees("Vient de votre identité numérique")
            person.go("/compte/identite")
            assert person.sees("Elle se corrige auprès de qui tient votre identité numérique.")
            person.check()
        finally:
            context.close()


def test_nothing_declared_before_in_this_browser_is_submitted_by_it(
    visitor: PortalClient, there: LocalIdentity
) -> None:
    """The page of the code says that the request is submitted next. This way in passes no such page."""
    number = filled(visitor)
    visitor.send(f"/dossiers/{number}/verification", declared="1")
    there.person |= {"phone_number": "+22890112233", "phone_number_verified": True}
    assert visitor.open(go_and_come_back(visitor, there)).address == f"/dossiers/{number}/verification"
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    assert dossier is not None
    assert dossier.submitted_at is None


def test_while_the_provider_gives_no_answer_the_other_pages_answer(
    visitor: PortalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten people who pressed the button kept every page waiting, one after another for five seconds each."""
    asked, done, threads = threading.Semaphore(0), threading.Event(), 8

    def hangs(*_: object) -> None:
        asked.release()
        done.wait(30)
        raise ProviderDown("silent")

    monkeypatch.setattr(HttpClient, "get", hangs)
    with listening(visitor.client.application, threads) as listener, ThreadPoolExecutor(2 * threads) as hands:
        host = listener.address.partition("//")[2]

        def opens(address: str) -> str:
            line = HTTPConnection(host, timeout=20)
            line.request("GET", address)
            return line.getresponse().read().decode()

        left = [hands.submit(opens, "/connexion/identite") for _ in range(2 * threads)]
        try:
            assert asked.acquire(timeout=20)
            assert all("identité numérique" in opens("/connexion") for _ in range(3))
        finally:
            done.set()
        assert all("ne répond pas maintenant" in one.result() for one in left)
