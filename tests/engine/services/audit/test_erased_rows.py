"""What stays of an erased dossier, and to whom a refund goes, changed by SQL: `fsck` says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.services.audit.integrity import fsck
from engine.services.payments.refunds import pay_back
from engine.services.payments.settlement import check_payment
from engine.services.worker.worker import run_pass
from engine.storage.sqlite.store import SqliteStore
from tests.engine.services.payments.test_cards import TWO, hall, pay
from tests.engine.services.payments.test_refunds import IN_PARTS
from tests.engine.services.tampering import TWICE_DEBITED
from tests.engine.services.world import PASSPORT, World, a_world, left_salts
from tests.postgres import an_empty_store

STRANGER = "+22899887766"


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    yield a_world(tmp_path, store)
    store.close()


def changed(world: World, sql: str) -> set[str]:
    with world.office.store.unit(write=True) as unit:
        assert unit._change(sql), sql
    return {one.code for one in fsck(world.office)}


def test_money_and_visits_of_an_erased_dossier_are_compared(world: World) -> None:
    checker = world.agent("checker", "dgdn/controleur")
    passport = world.take(world.sent(PASSPORT), checker, "conforme")
    passport = world.booked(world.booked(world.paid(passport, TWICE_DEBITED), "depot"), "depot", 3)
    for days in (180, 365 * 3, 1):
        world.wait(days=days)
        run_pass(world.office)
    assert world.kept(passport).erased_at is not None
    assert fsck(world.office) == ()
    assert "refund_differs" in changed(world, f"UPDATE refund SET payer = '{STRANGER}'")
    assert "refund_differs" not in changed(world, f"UPDATE refund SET payer = '{TWICE_DEBITED}'")
    assert "event_differs" in changed(world, "UPDATE pay_event SET amount = amount + 5 WHERE verified = 1")
    assert "event_differs" not in changed(world, "UPDATE pay_event SET amount = amount - 5 WHERE verified = 1")
    assert "booking_differs" in changed(world, "UPDATE booking SET minutes = minutes + 1 WHERE status = 'cancelled'")
    assert "booking_differs" not in changed(
        world, "UPDATE booking SET minutes = minutes - 1 WHERE status = 'cancelled'"
    )

    (line,) = world.read(lambda unit: unit.refunds_of(passport.id))
    assert f"refunds.{line.entry}" in left_salts(world, passport)
    pay_back(world.office, checker, passport.id, line.entry, "OM-2030-1")
    assert fsck(world.office) == ()
    assert "refund_differs" in changed(world, f"UPDATE refund SET payer = '{STRANGER}'")
    assert "refund_reference" in changed(world, "UPDATE refund SET reference = 'OM-2030-2'")


def test_a_refund_to_a_card_goes_to_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, dossier = hall(tmp_path, monkeypatch, *TWO, book=IN_PARTS)
    for token in ("first", "second"):
        asked = pay(world, dossier, part=True, token=token)
        world.operator.end_card(asked.reference, "paid")
        check_payment(world.office, asked.id)
    world.take(world.kept(dossier), world.agent("i", "obac/instructeur"), "rendre")
    assert fsck(world.office) == ()
    assert changed(world, f"UPDATE refund SET payer = '{STRANGER}'") == {"refund_differs"}
