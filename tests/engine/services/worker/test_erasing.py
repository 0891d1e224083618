"""One-time codes and sign-in links are in no message that left or is over. On both stores."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.integrations.gateways import InboxSender, NotSent
from engine.operations.backup import back_up, bring_back
from engine.records.dossier import OutboundMessage
from engine.services.sign_in.applicant_sign_in import check_code, send_code, send_help_code, send_link_code
from engine.services.sign_in.mail_links import send_link
from engine.services.worker.worker import deliver_letters, run_pass, sweep
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.services.world import B3, PHONE, World, a_world, keys
from tests.postgres import an_empty_store

EMAIL = "afi@example.tg"


class Operator:
    """Who carries messages, or does not: what each said when it was handed over."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.fault: NotSent | None = None

    def send(self, letter: OutboundMessage) -> None:
        self.heard.append(letter.body)
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path, operator: Operator) -> Iterator[World]:
    store: Store = SqliteStore(":memory:") if request.param == "sqlite" else an_empty_store()
    store.migrate()
    yield a_world(tmp_path, store, senders={"sms": operator, "email": operator, "inbox": InboxSender()})
    store.close()


def bodies(world: World) -> list[str]:
    return [body for to in (PHONE, EMAIL) for body in world.letters(to)]


def ask_all(world: World) -> None:
    send_code(world.office, PHONE)
    send_help_code(world.office, PHONE)
    send_link_code(world.office, PHONE)
    send_link(world.office, EMAIL)


def test_what_left_holds_no_code(world: World, operator: Operator) -> None:
    ask_all(world)
    world.sent(B3)
    owed = bodies(world)
    assert deliver_letters(world.office) == len(owed)
    assert sorted(operator.heard) == sorted(owed)
    kept = bodies(world)
    assert kept.count("") == 4
    assert sorted(filter(None, kept)) == sorted(one for one in owed if "code" not in one and "letter.link" not in one)


def test_a_code_that_was_not_sent_yet_is_tried_again_and_opens(world: World, operator: Operator) -> None:
    send_code(world.office, PHONE)
    operator.fault = NotSent("busy")
    deliver_letters(world.office)
    assert bodies(world) == operator.heard
    operator.fault = None
    world.wait(minutes=2)
    deliver_letters(world.office)
    assert bodies(world) == [""]
    assert operator.heard[0] == operator.heard[1]
    code = re.search(r"\d{6}", operator.heard[1])
    assert code
    assert check_code(world.office, PHONE, code[0]).token


def test_what_was_given_up_holds_no_code_either(world: World, operator: Operator) -> None:
    send_code(world.office, PHONE)
    operator.fault = NotSent("no such number", for_good=True)
    deliver_letters(world.office)
    assert bodies(world) == [""]


def test_what_an_earlier_release_left_is_swept_and_what_is_owed_is_not(world: World) -> None:
    ask_all(world)
    for letter in world.read(lambda unit: unit.letters_to(PHONE)):
        with world.office.store.unit(write=True) as unit:
            unit.update_outbound_message(replace(letter, sent_at=world.office.now()))
    world.wait(minutes=1)
    sweep(world.office)
    assert [bool(one) for one in bodies(world)] == [False, False, False, True]
    world.wait(days=1)
    sweep(world.office)
    assert bodies(world) == [""] * 4
    (over,) = world.read(lambda unit: unit.letters_to(EMAIL))
    assert (over.failed, over.sent_at) == ("over", None), "a code of yesterday is not sent"


def test_a_demonstration_shows_what_was_sent(world: World) -> None:
    demo = replace(world.office, settings=replace(world.office.settings, demo=True))
    send_code(demo, PHONE)
    run_pass(demo)
    assert re.search(r"\d{6}", bodies(world)[0])
    world.wait(days=1)
    run_pass(world.office)  # the same store, for real people
    assert bodies(world) == [""]


def test_a_backup_that_comes_back_brings_no_code(tmp_path: Path) -> None:
    kept = SqliteStore(tmp_path / "kept.db")
    world = a_world(tmp_path, kept)
    ask_all(world)
    ring = tmp_path / "file_keys.json"
    if not ring.exists():
        keys().save(ring)
    back_up(kept, world.office.attachments, ring, tmp_path / "backup", world.office.now() + timedelta())
    target = SqliteStore(tmp_path / "back.db")
    target.migrate()
    bring_back(tmp_path / "backup", target, tmp_path / "back", tmp_path / "back.keys")
    with target.unit() as unit:
        letters = [*unit.letters_to(PHONE), *unit.letters_to(EMAIL)]
    assert [one.body for one in letters] == [""] * 4
    target.close()
    kept.close()
