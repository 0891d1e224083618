"""What was listed before it was held is looked at again once it is, on both stores: letters, waiting lists, payments, passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.records.dossier import SYSTEM_ACTOR, OutboundMessage, Payment
from engine.services.accounts import agents as people
from engine.services.accounts.agents import Person
from engine.services.appointments import bookings
from engine.services.appointments import opening_changes as openings
from engine.services.core import waiting_list
from engine.services.keys.secrets import is_secret
from engine.services.sign_in import agent_sign_in as staff
from engine.services.worker import retention
from engine.services.worker.worker import run_pass
from engine.storage.postgres.store import PostgresUnit
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store, Unit
from tests.concurrent_units import Beside, beside
from tests.engine.services.appointments.test_bookings import to_book
from tests.engine.services.appointments.test_openings import LOME, STRIKE, _refuses, chief, on
from tests.engine.services.worker.test_retention import refused
from tests.engine.services.world import World, a_world
from tests.postgres import an_empty_store

FRIDAY = date(2026, 11, 27)
CLOSED = replace(STRIKE, first_day=FRIDAY, last_day=FRIDAY)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store: Store = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    yield a_world(tmp_path, store)
    store.close()


def unit_of(world: World) -> type[Any]:
    return Unit if isinstance(world.office.store, SqliteStore) else PostgresUnit


def test_a_reminder_that_leaves_at_the_moment_of_the_closure_has_left(world: World) -> None:
    dossier = on(world, to_book(world), FRIDAY)
    world.clock.instant = dossier.bookings["depot"].start - timedelta(hours=20)
    world.office.senders["sms"].send = _refuses  # type: ignore[method-assign,attr-defined]
    run_pass(world.office)
    administrator = chief(world)

    def reminders() -> list[OutboundMessage]:
        return [one for one in world.read(lambda unit: unit.letters_of(dossier.id)) if ":reminder:" in one.dedupe]

    left = replace(reminders()[0], sent_at=world.office.now())
    closing = Beside(world.office.store, lambda: openings.change_openings(world.office, administrator, CLOSED).notified)
    with world.office.store.unit(write=True) as unit:
        unit.update_outbound_message(left)
        closing.begin()
    assert closing.end() == 1
    assert reminders() == [left]


def test_who_waits_no_more_is_not_put_back_on_the_list(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    visit, waits = on(world, to_book(world), FRIDAY), to_book(world, 1)
    waiting_list.wait_for_seat(world.office, world.owner(waits), waits.id, "depot", LOME)
    leaving = Beside(
        world.office.store, lambda: waiting_list.stop_waiting(world.office, world.owner(waits), waits.id, "depot")
    )
    beside(monkeypatch, unit_of(world), "waiting_for", leaving)
    bookings.cancel_booking(world.office, world.owner(visit), visit.id, "depot")
    leaving.end()
    assert waiting_list.waits_at(world.office, world.owner(waits), waits.id, "depot") == ""


@pytest.mark.parametrize("act", ["sign in", "change it"])
def test_a_password_replaced_while_it_is_looked_at_is_not_the_one_any_more(
    act: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = people.add_person(world.office, SYSTEM_ACTOR, "agent", "ama", Person("A. Mensah", {"dgdn/guichet": None}))
    replacing = Beside(world.office.store, lambda: people.give_password(world.office, SYSTEM_ACTOR, given.account.id))
    beside(monkeypatch, staff, "is_secret", replacing)
    acts: dict[str, Callable[[], Any]] = {
        "sign in": lambda: staff.sign_in(world.office, "agent", "ama", given.password),
        "change it": lambda: staff.change_password(
            world.office, given.account.actor(), given.password, "another-one-of-mine"
        ),
    }
    with pytest.raises(Refused, match="sign_in_wrong"):
        acts[act]()
    latest = replacing.end()
    account = world.read(lambda unit: unit.account(given.account.id))
    assert is_secret(account.secret, latest.password)
    assert world.read(lambda unit: unit.sessions_of(account.id)) == ()


def test_what_an_operator_says_of_a_payment_is_not_undone_by_forgetting_its_payer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    dossier = refused(world)
    payment = Payment(
        "p1", "r1", dossier.id, ("droits",), 500, "sandbox", "mobile_money", "+22890112233", "failed", world.office.now(),
        world.office.now(), ended_at=world.office.now(),
    )  # fmt: skip
    with world.office.store.unit(write=True) as unit:
        unit.add_payment(payment)
    world.wait(days=4000)

    def told() -> None:
        with world.office.store.unit(write=True) as unit:
            kept = unit.payment("p1")
            assert kept
            unit.put_payment(replace(kept, reason="limit", checked_at=world.office.now()))

    telling = Beside(world.office.store, told)
    beside(monkeypatch, unit_of(world), "payments_of", telling)
    assert retention.forget_overdue(world.office, dossier.id)
    assert telling.end() is None
    after = world.read(lambda unit: unit.payment("p1"))
    assert (after.payer, after.reason, after.checked_at) == ("", "limit", world.office.now())
