"""B8. Half of the deliveries fail, and the worker dies fifty times before or after sending. On both stores.

Each outbound message is sent at least once, a second time under the same id, and no other is sent. Then the mutants.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.integrations.gateways import NotSent
from engine.records.dossier import OutboundMessage
from engine.services.worker import worker as timers
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.effort import tries
from tests.engine.records.makers import a_message
from tests.engine.services.world import World, a_world
from tests.faults.random_dossiers import Died
from tests.postgres import an_empty_store

pytestmark = [pytest.mark.slow, pytest.mark.faults]
LETTERS, DEATHS = 160, 50


@dataclass
class Fickle:
    """Sends one in two, and now and then the worker dies in its hands."""

    chance: random.Random
    deaths: int
    left: list[OutboundMessage] = field(default_factory=list)

    def send(self, letter: OutboundMessage) -> None:
        fate = self.chance.random()
        if self.deaths and fate < 0.2:
            self.deaths -= 1
            if fate < 0.1:
                self.left.append(letter)
            raise Died
        if fate < 0.55:
            raise NotSent("busy")
        self.left.append(letter)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    one: Store = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    yield one
    one.close()


def delivered(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[Fickle, set[str]]:
    """The letters owed, and what left."""
    monkeypatch.setattr(
        timers, "RETRIES", (timedelta(days=1),) * tries(45)
    )  # fewer than deaths, over more days than they take
    sender = Fickle(random.Random(8), tries(DEATHS))
    world.office = replace(world.office, senders=dict.fromkeys(("sms", "email", "inbox"), sender))
    owed = set()
    for number in range(tries(LETTERS)):
        letter = a_message(f"l{number}", due_at=world.office.now(), created_at=world.office.now())
        with suppress(ZeroDivisionError), world.office.store.unit(write=True) as unit:
            unit.add_letter(letter)
            if number % 10 == 0:
                raise ZeroDivisionError  # what was undone owes nothing
            owed.add(letter.id)
    for _ in range(tries(120)):
        with suppress(Died):
            timers.deliver_letters(world.office)
        world.wait(hours=13)  # another worker begins once what was lent is due again
    return sender, owed


def wrong_in(world: World, sender: Fickle, owed: set[str]) -> list[str]:
    times = Counter(one.id for one in sender.left)
    found = [f"{one} never left" for one in sorted(owed - times.keys())]
    found += [f"{one} left and nobody owed it" for one in sorted(times.keys() - owed)]
    found += [f"{one.id} is another the second time" for one in sender.left
              if any(one.id == other.id and (one.to, one.body, one.dedupe) != (other.to, other.body, other.dedupe)
                     for other in sender.left)]  # fmt: skip
    with world.office.store.unit(write=True) as unit:
        left = unit.claim_letters(
            world.office.now() + timedelta(days=900), world.office.now() + timedelta(days=901), 1000
        )
    return found + [f"{one.id} is owed still" for one in left]


def test_each_letter_leaves_at_least_once(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world(tmp_path, store)
    sender, owed = delivered(world, monkeypatch)
    assert wrong_in(world, sender, owed) == []
    assert sender.deaths == 0, "the worker did not die as often as it should"
    assert len(sender.left) > len(owed), "nothing left twice"


def sent_before_it_is(patch: pytest.MonkeyPatch) -> None:
    """Noted as sent, then sent."""
    real = timers._carry

    def carry(office: Any, letter: OutboundMessage, now: Any, patience: Any) -> OutboundMessage:
        with office.store.unit(write=True) as unit:
            unit.update_outbound_message(replace(letter, sent_at=now))
        return real(office, letter, now, patience)

    patch.setattr(timers, "_carry", carry)


def given_up_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(timers, "_again", lambda letter, now, reason, for_good: replace(letter, failed=reason))


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize("mutant", [sent_before_it_is, given_up_at_once], ids=lambda one: one.__name__)
def test_a_letter_lost_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Any) -> None:
    mutant(monkeypatch)
    world = a_world(tmp_path, SqliteStore(":memory:"))
    sender, owed = delivered(world, monkeypatch)
    assert any("never left" in one for one in wrong_in(world, sender, owed))
