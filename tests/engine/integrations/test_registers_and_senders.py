"""A register finds whom it is asked about, and nobody else; senders hand letters on."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.core.values import Plain
from engine.integrations.gateways import ConsoleSender, InboxSender
from engine.integrations.registers import FileRegister
from engine.records.dossier import OutboundMessage

KEPT = [
    {"who": {"nom": "TCHALLA", "prenoms": "Essowè", "naissance": "1991-08-05"}, "answers": {"mentions": 1}},
    {"who": {"societe": "Sable & Mer SARL"}},
]


@pytest.fixture
def register(tmp_path: Path) -> FileRegister:
    (tmp_path / "fichier.json").write_text(json.dumps(KEPT), "utf-8")
    (tmp_path / "broken.json").write_text("[{]", "utf-8")
    (tmp_path / "odd.json").write_text('[{"whom": {}}]', "utf-8")
    return FileRegister(tmp_path)


@pytest.mark.parametrize(
    ("sent", "result"),
    [
        ({"nom": "Tchalla", "prenoms": "ESSOWE", "naissance": "1991-08-05"}, "found"),
        ({"nom": "Tchalla", "prenoms": "Essowè", "naissance": "1991-08-06"}, "not_found"),
        ({"nom": "Tchalla", "prenoms": "Essowè", "naissance": None}, "not_found"),
        ({"societe": "sable et mer"}, "not_found"),
        ({"societe": "SABLE MER SARL", "nom": None}, "found"),
        ({"ville": "Kara"}, "not_found"),
        ({}, "not_found"),
    ],
)
def test_all_that_the_record_knows_must_be_equal(register: FileRegister, sent: dict[str, Plain], result: str) -> None:
    assert register.ask("fichier", sent).result == result


def test_the_answers_come_with_the_person(register: FileRegister) -> None:
    answer = register.ask("fichier", {"nom": "TCHALLA", "prenoms": "Essowè", "naissance": "1991-08-05"})
    assert answer.answers == {"mentions": 1}


@pytest.mark.parametrize("register_id", ["missing", "broken", "odd", "../fichier"])
def test_a_register_that_cannot_be_read_is_unavailable(register: FileRegister, register_id: str) -> None:
    assert register.ask(register_id, {"nom": "TCHALLA"}).result == "unavailable"


def test_senders() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    letter = OutboundMessage("l", None, "sms", "+22890112233", "", "Bonjour", now, "d", now)
    page = io.StringIO()
    ConsoleSender(page).send(letter)
    InboxSender().send(letter)
    assert page.getvalue() == "[sms] +22890112233\n  \n  Bonjour\n"
