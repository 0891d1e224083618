"""The portal over a world in memory, as agents and controllers meet it: sign in, ask for pages, post what pages carry."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from engine.language.catalogue.catalogue import Catalogue
from engine.records.dossier import Actor, Dossier
from engine.services.sign_in.demo_accounts import PASSWORD, open_demo
from engine.services.sign_in.sessions import open_session
from engine.storage.unit_of_work import Store
from renderers.i18n.translations import load_words
from server import Settings, create_app
from tests.engine.services.world import World, a_world

GATEKEEPER, DESK, MAKER = "dgdn.controleur", "dgdn.guichet", "dgdn.production"
CLERK, OTHER_CLERK = "sncja.greffier_en_chef", "sncja.greffier_en_chef.2"
_ONCE = frozenset({"csrf_token", "token", "revision", "suite", "login", "password"})
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@dataclass
class Seat:
    """Somebody at a desk. `see` is a page as read: tags away, entities and fixed spaces made plain."""

    client: FlaskClient

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def see(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code)
        return read(answer)

    def post(self, path: str, *, at: str = "", **fields: object) -> TestResponse:
        """Posts a form with the hidden fields of the page `at` it stands on (`path` itself when not said)."""
        carried = hidden(self.client.get(at or path))
        return self.client.post(path, data={**carried, **fields})

    def noted(self, day: str, mark: str) -> TestResponse:
        """Notes on the page of a day who was received or absent, and confirms it."""
        asked = self.post(day, mark=mark)
        assert asked.status_code == 200, asked.status_code
        return self.client.post(day, data={**hidden(asked), "go": "confirm"})


def read(answer: TestResponse) -> str:
    text = re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", answer.get_data(as_text=True), flags=re.S)
    plain = html.unescape(text).replace("\u00a0", " ").replace("\u202f", " ").replace("\u2011", "-")
    return " ".join(plain.split())


def hidden(answer: TestResponse) -> dict[str, str | list[str]]:
    """Hidden fields of a page: those every form carries once, the others as often as they are said."""
    found: dict[str, str | list[str]] = {}
    for name, value in _HIDDEN.findall(answer.get_data(as_text=True)):
        known = found.get(name, [])
        if name in _ONCE or not isinstance(known, list):
            found[name] = html.unescape(value)
        else:
            found[name] = [*known, html.unescape(value)]
    return found


def all_same(answer: TestResponse) -> dict[str, list[str]]:
    """What ticks each answer that the page of an act compares: its piece says the same."""
    boxes = re.findall(r'name="act-same" value="([^"]+)"', answer.get_data(as_text=True))
    return {"act-same": boxes} if boxes else {}


@dataclass
class StaffSite:
    """The portal and its world."""

    app: Flask
    world: World

    def stranger(self) -> Seat:
        return Seat(self.app.test_client())

    def agent(self, login: str) -> Seat:
        seat = self.stranger()
        answer = seat.client.post("/agent/connexion", data={"login": login, "password": PASSWORD})
        assert answer.status_code == 303
        return seat

    def auditor(self) -> Seat:
        seat = self.stranger()
        assert seat.client.post("/audit/connexion", data={"login": "controle", "password": PASSWORD}).status_code == 303
        return seat

    def owner(self, dossier: Dossier, language: str = "fr") -> Seat:
        """The person whose request it is, signed in."""
        seat, office = self.stranger(), self.world.office
        with office.store.unit(write=True) as unit:
            account = unit.account(dossier.owner)
            assert account is not None
            token = open_session(office, unit, account, office.now()).token
        seat.client.set_cookie("guichet", token)
        seat.client.set_cookie("langue", language)
        return seat

    def actor(self, login: str) -> Actor:
        with self.world.office.store.unit() as unit:
            account = unit.account_of("agent", login)
        assert account is not None
        return account.actor()

    def kept(self, dossier: Dossier) -> Dossier:
        return self.world.kept(dossier)


def open_staff_site(folder: Path, store: Store | None = None, catalogue: Catalogue | None = None) -> StaffSite:
    """Over the shipped procedures, or those of another catalogue."""
    world = a_world(folder, store, catalogue=catalogue)
    world.office = replace(world.office, wording=load_words())
    open_demo(world.office)
    app = create_app(Settings(data=folder, demo=False), world.office, world.operator)
    app.config["WTF_CSRF_ENABLED"] = False
    return StaffSite(app, world)
