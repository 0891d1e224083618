"""The proof that a citizen takes away: from the page of their dossier, theirs alone, and it verifies without us."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from engine.journal.chain import read_export, receipt_in, verify_export
from engine.services.core.checkpoints import sign_journal
from server import Settings, create_app
from tests.engine.services.world import B3, PHONE, World, a_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = a_world(tmp_path)
    settings = replace(world.office.settings, checkpoints=tmp_path / "notes")
    world.office = replace(world.office, settings=settings)
    return world


@pytest.fixture
def app(world: World, tmp_path: Path) -> Flask:
    app = create_app(Settings(data=tmp_path), world.office, world.operator)
    app.config["WTF_CSRF_ENABLED"] = False
    return app


def signed_in(app: Flask, world: World, phone: str) -> FlaskClient:
    client = app.test_client()
    client.post("/connexion", data={"phone": phone})
    client.post("/connexion/code", data={"code": re.findall(r"\b\d{6}\b", world.letters(phone)[-1])[0]})
    return client


def test_a_citizen_takes_the_proof_away(app: Flask, world: World) -> None:
    client = signed_in(app, world, PHONE)
    owner = world.read(lambda unit: unit.account_of("applicant", PHONE))
    world.people[f"applicant {PHONE}"] = owner.actor()
    dossier = world.sent(B3)
    sign_journal(world.office)
    page = client.get(f"/dossiers/{dossier.number}").text
    [address] = re.findall(r'href="([^"]*/preuve\.json)"', page)
    answer = client.get(address)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="preuve-{dossier.number}.json"'
    plain = read_export(answer.data)
    assert verify_export(plain) is None
    assert receipt_in(plain) is not None
    assert app.test_client().get(address).status_code == 401
    assert signed_in(app, world, "+22890445566").get(address).status_code == 404
