"""Over a socket, from several addresses and browsers: what strangers try shuts nobody out."""

from __future__ import annotations

import html
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest
from argon2 import PasswordHasher

from engine.records.dossier import Account
from engine.services.accounts import assistance
from engine.services.keys import secrets
from engine.services.keys.secrets import hash_secret
from engine.services.sign_in import second_factor
from engine.services.sign_in.demo_accounts import open_demo
from engine.storage.sqlite.store import SqliteStore
from renderers.i18n.translations import load_words
from server import Settings, create_app
from tests.engine.services.accounts.test_assistance import begun
from tests.engine.services.world import World, a_world
from tests.web.socket_server import fronting

pytestmark = pytest.mark.slow  # passwords digested as slowly as they must be

PHONE, EMAIL = "90 11 22 33", "afi@exemple.tg"
PASSWORD = "quatre mots sans suite"
ADMINISTRATOR = Account("a1", "agent", "A. Mensah", "mensah", "", ("dgdn/guichet",))
COLLEAGUE = replace(ADMINISTRATOR, id="a2", login="kodjo")
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass
class Browser:
    """A browser with cookies of its own, at an address of this machine."""

    port: int
    address: str
    cookies: dict[str, str] = field(default_factory=dict)
    status: int = 0
    location: str = ""
    text: str = ""
    retry_after: str = ""

    def see(self, path: str) -> Browser:
        return self._ask("GET", path, b"")

    def send(self, path: str, *, at: str = "", **fields: str) -> Browser:
        """Posts the form of the page `at`, `path` when not said."""
        token = _CSRF.search(self.see(at or path).text)
        assert token, (path, self.status)
        return self._ask("POST", path, urlencode({**fields, "csrf_token": token[1]}).encode())

    def _ask(self, method: str, path: str, body: bytes) -> Browser:
        line = HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(self.address, 0))
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies, "Accept": "*/*"}  # as a script, which is answered by the refused page itself
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        line.request(method, path, body or None, headers)
        answer = line.getresponse()
        for said in answer.headers.get_all("Set-Cookie", []):
            name, _, value = said.partition(";")[0].partition("=")
            self.cookies[name] = value
        self.status, self.location = answer.status, answer.headers.get("Location", "")
        self.retry_after = answer.headers.get("Retry-After", "")
        self.text = html.unescape(answer.read().decode()).replace("\u00a0", " ")
        line.close()
        return self


@dataclass
class Site:
    world: World
    port: int
    browsers: int = 1

    def browser(self, address: str = "") -> Browser:
        """A new one, at an address of its own when none is said."""
        self.browsers += 1
        return Browser(self.port, address or f"127.0.0.{self.browsers}")

    def code(self, to: str) -> str:
        """The newest code sent to a number or an address."""
        newest = max(self.world.read(lambda unit: unit.letters_to(to, 500)), key=lambda letter: letter.created_at)
        found = re.search(r"\b\d{3} ?\d{3}\b", newest.body)
        assert found, newest.body
        return found[0].replace(" ", "")

    def factor(self, account: Account) -> str:
        self.world.wait(minutes=1)
        kept = self.world.read(lambda unit: unit.second_factor(account.id))
        return pyotp.TOTP(self.world.office.keys.open_text("second factor", kept.key)).at(self.world.office.now())

    def signed_in(self, phone: str = PHONE) -> Browser:
        found = self.browser()
        found.send("/connexion", phone=phone)
        self.world.wait(seconds=1)
        assert found.send("/connexion/code", code=self.code(f"+228{phone.replace(' ', '')}")).status == 303
        return found

    def agent(self, account: Account = ADMINISTRATOR) -> Browser:
        found = self.browser()
        assert (
            found.send("/agent/connexion", login=account.login, password=PASSWORD).location == "/agent/connexion/suite"
        )
        assert found.send("/agent/connexion/suite", code=self.factor(account)).location == "/agent"
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    world = a_world(tmp_path, SqliteStore(tmp_path / "guichet.db"))
    world.office = replace(world.office, wording=load_words())
    open_demo(world.office)
    secret = hash_secret(PASSWORD)
    with world.office.store.unit(write=True) as unit:
        for account in (ADMINISTRATOR, COLLEAGUE):
            unit.put_account(replace(account, secret=secret))
            sealed, now = second_factor.sealed_key(world.office), world.office.now()
            code = pyotp.TOTP(second_factor.opened_key(world.office, sealed)).at(now)
            assert second_factor.prove(world.office, unit, account.id, sealed, code, now)
    with fronting(create_app(Settings(data=tmp_path, demo=False), world.office, world.operator), threads=8) as port:
        yield Site(world, port)


def wrong(right: str) -> str:
    return f"{(int(right) + 1) % 10**6:06d}"


# -- applicants --------------------------------------------------------------------------------------------------------


def test_codes_typed_in_other_browsers_leave_the_one_that_was_asked_for(site: Site) -> None:
    owner = site.browser()
    owner.send("/connexion", phone=PHONE)
    code = site.code("+22890112233")
    for _ in range(4):
        stranger = site.browser()
        site.world.wait(seconds=1)
        assert stranger.send("/connexion", phone=PHONE).location == "/connexion/code"
        said = [stranger.send("/connexion/code", code=wrong(site.code("+22890112233"))).text for _ in range(6)]
        assert ["n’est plus valable" in one for one in said] == [False] * 4 + [True] * 2
    assert owner.send("/connexion/code", code=wrong(code)).status == 422
    assert "Essais restants : 4" in owner.text
    assert owner.send("/connexion/code", code=code).location == "/dossiers"
    assert owner.see("/dossiers").status == 200


def test_whoever_shares_the_address_is_heard(site: Site) -> None:
    """An address of a mobile operator: thousands are behind it."""
    owner = site.browser("127.0.0.9")
    owner.send("/connexion", phone=PHONE)
    code, stranger = site.code("+22890112233"), site.browser("127.0.0.9")
    stranger.send("/connexion", phone="91 22 33 44")
    for _ in range(80):
        stranger.send("/connexion/code", code="000000")
    assert owner.send("/connexion/code", code=code).location == "/dossiers"


@pytest.mark.parametrize(
    ("place", "way", "to"), [("telephone", "92 33 44 55", "+22892334455"), ("courriel", EMAIL, EMAIL)]
)
def test_the_code_of_a_new_number_or_address_is_of_the_account_that_asked(
    site: Site, place: str, way: str, to: str
) -> None:
    owner, stranger = site.signed_in(), site.signed_in("91 22 33 44")
    owner.send(f"/compte/{place}", way=way)
    code = site.code(to)
    site.world.wait(seconds=1)
    stranger.send(f"/compte/{place}", way=way)
    assert stranger.location == "/compte/code"
    for _ in range(6):
        assert stranger.send("/compte/code", code=code).status == 422, "not theirs, although it is right"
    assert owner.send("/compte/code", code=code).location == "/compte"


def test_a_receipt_is_heard_where_its_owner_came_in_before(site: Site) -> None:
    agent, door = site.agent(), "/agent/guichet"
    agent.send(door, how="paper", family_name="AMEGAN", given_names="Afi", signed="1")
    _, dossier = begun(site.world, site.world.office.person(ADMINISTRATOR))
    code = assistance.follow_code(site.world.office, dossier)
    usual = site.browser("127.0.0.9")
    assert usual.send("/suivi/code", number=dossier.number, code=code).location == f"/dossiers/{dossier.number}"
    usual.send("/deconnexion")
    stranger = site.browser("127.0.0.9")
    said = [stranger.send("/suivi/code", number=dossier.number, code="00000000").status for _ in range(8)]
    assert said == [422] * 5 + [429] * 3
    assert "Attendez jusqu’au" in stranger.text
    assert int(stranger.retry_after) <= 360
    assert site.browser("127.0.0.9").send("/suivi/code", number=dossier.number, code=code).status == 429
    assert usual.send("/suivi/code", number=dossier.number, code=code).location == f"/dossiers/{dossier.number}"


# -- agents ------------------------------------------------------------------------------------------------------------


def attack(site: Site, login: str, addresses: int = 21, each: int = 5) -> list[tuple[int, str]]:
    """What strangers hear of wrong passwords, a browser at each address."""
    heard = []
    for _ in range(addresses):
        stranger = site.browser()
        for _ in range(each):
            stranger.send("/agent/connexion", login=login, password="autre chose")
            heard.append((stranger.status, stranger.location))
    return heard


def test_an_agent_attacked_from_everywhere_comes_in_from_the_usual_browser_and_from_a_new_one(site: Site) -> None:
    usual, other = site.agent(), site.browser()
    usual.send("/agent/deconnexion", at="/agent")
    assert usual.see("/agent").location.startswith("/agent/connexion")
    heard = attack(site, "mensah")
    assert heard == [(422, "")] * 100 + [(303, "/agent/connexion/suite")] * 5

    assert usual.send("/agent/connexion", login="mensah", password=PASSWORD).location == "/agent/connexion/suite"
    assert "trop d’essais" not in usual.see("/agent/connexion/suite").text
    assert usual.send("/agent/connexion/suite", code=site.factor(ADMINISTRATOR)).location == "/agent"

    assert other.send("/agent/connexion", login="mensah", password=PASSWORD).location == "/agent/connexion/suite"
    assert "trop d’essais" in other.see("/agent/connexion/suite").text
    assert other.send("/agent/connexion/suite", code=site.factor(ADMINISTRATOR)).location == "/agent"
    assert other.see("/agent").status == 200

    assert attack(site, "personne") == heard, "a login that does not exist hears the same"
    stranger = site.browser()
    for login, password in (("mensah", "autre chose"), ("personne", PASSWORD)):
        stranger.send("/agent/connexion", login=login, password=password)
        assert "trop d’essais" in stranger.see("/agent/connexion/suite").text
        assert stranger.send("/agent/connexion/suite", code=site.factor(ADMINISTRATOR)).location == "/agent/connexion"
        assert "L’identifiant, le mot de passe ou le code n’est pas le bon" in stranger.see("/agent/connexion").text
        assert stranger.see("/agent").location.startswith("/agent/connexion")


class Slow(PasswordHasher):
    """As on a machine that does other work: each check takes a while, and no processor of this one."""

    def verify(self, hash: Any, password: Any) -> Any:
        time.sleep(0.3)
        return super().verify(hash, password)


def test_a_flood_of_passwords_leaves_the_usual_browser_its_place(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers at many addresses keep the checks busy, each within its limits."""
    usual, over, heard = site.agent(), threading.Event(), list[int]()
    usual.send("/agent/deconnexion", at="/agent")
    monkeypatch.setattr(secrets, "_hasher", Slow())

    def flood(first: int) -> None:
        for turn in range(10_000):
            if over.is_set():
                return
            stranger = site.browser(f"127.0.{first}.{turn % 250 + 1}")
            heard.append(stranger.send("/agent/connexion", login=f"personne{first}", password="autre chose").status)

    strangers = [threading.Thread(target=flood, args=(first,)) for first in range(1, 9)]
    for one in strangers:
        one.start()
    try:
        until = time.monotonic() + 30
        while 503 not in heard and time.monotonic() < until:
            time.sleep(0.05)
        came = [usual.send("/agent/connexion", login="mensah", password=PASSWORD).location for _ in range(5)]
    finally:
        over.set()
        for one in strangers:
            one.join()
    assert 503 in heard, "the checks are busy"
    assert came == ["/agent/connexion/suite"] * 5


def test_who_knows_a_password_leaves_its_owner_their_codes(site: Site) -> None:
    usual = site.agent()
    thief = site.browser()
    thief.send("/agent/connexion", login="mensah", password=PASSWORD)
    right = site.factor(ADMINISTRATOR)
    said = [thief.send("/agent/connexion/suite", code=wrong(right)).status for _ in range(6)]
    assert said == [422] * 5 + [429]
    assert "Attendez jusqu’au" in thief.text
    assert "Un code de secours passe tout de suite" in thief.text
    assert thief.send("/agent/connexion/suite", code=right).status == 429
    usual.send("/agent/deconnexion", at="/agent")
    usual.send("/agent/connexion", login="mensah", password=PASSWORD)
    assert usual.send("/agent/connexion/suite", code=site.factor(ADMINISTRATOR)).location == "/agent"


def test_the_code_read_at_one_counter_is_not_tried_at_another(site: Site) -> None:
    here, there = site.agent(), site.agent(COLLEAGUE)
    assert here.send("/agent/guichet", how="phone", phone=PHONE).location == "/agent/guichet/code"
    code = site.code("+22890112233")
    site.world.wait(seconds=1)
    assert there.send("/agent/guichet", how="phone", phone=PHONE).location == "/agent/guichet/code"
    for _ in range(6):
        assert there.send("/agent/guichet/code", code=code).status == 422
    assert here.send("/agent/guichet/code", code=code).location == "/agent/guichet"
