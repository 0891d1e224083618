"""Every column of every table, changed by SQL past all guards: `fsck` says so, or the list says why it need not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engine.office.inspection import Inspected, fsck, inspect, number_of
from engine.records.sqlite import SqliteStore
from renderers.console_findings import findings_report
from renderers.words import load_words
from tests.engine.office.tampering import DECISIONS, FIXED, Hand, PostgresHand, SqliteHand, another, everything
from tests.engine.office.world import World
from tests.postgres import an_empty_store

TRIED = sorted(table for table, said in DECISIONS.items() if not isinstance(said, str))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def owned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Hand]]:
    folder = tmp_path_factory.mktemp("office")
    if request.param == "sqlite":
        world = everything(folder, SqliteStore(folder / "guichet.db"))
        yield world, SqliteHand(folder / "guichet.db")
    else:
        store = an_empty_store()
        world = everything(folder, store)
        yield world, PostgresHand(store.address)
    world.office.store.close()


def said(world: World, found: Inspected, language: str) -> str:
    return findings_report(found, 4, lambda one: number_of(world.office, one), load_words(), language)


def assert_told(world: World, before: set[str], where: str) -> None:
    """Found, and told in both languages by a sentence of its own."""
    found = inspect(world.office)
    assert {one.code for one in found.findings} - before, where
    for language in ("fr", "en"):
        told = said(world, found, language)
        assert all(f"[{one.code}]" in told for one in found.findings), where


def test_untampered_it_is_clean(owned: tuple[World, Hand]) -> None:
    world, hand = owned
    assert fsck(world.office) == ()
    assert inspect(world.office).before == {}
    assert [table for table in TRIED if not hand.rows(table)] == [], "every table has a row to tamper with"


def test_every_table_has_its_decision(owned: tuple[World, Hand]) -> None:
    _, hand = owned
    assert set(DECISIONS) == hand.tables()
    for table, said in DECISIONS.items():
        assert isinstance(said, str) or set(said) <= set(hand.columns(table)), table


@pytest.mark.parametrize("table", TRIED)
def test_every_column_that_is_changed_is_told(owned: tuple[World, Hand], table: str) -> None:
    world, hand = owned
    harmless = DECISIONS[table]
    assert not isinstance(harmless, str)
    names, rows = hand.columns(table), hand.rows(table)
    for at, name in enumerate(names):
        if name in harmless or (table, name) in FIXED:
            continue
        row = next((n for n, one in enumerate(rows) if one[at] is not None), 0)
        changed = [*rows[row][:at], another(table, name, rows[row][at]), *rows[row][at + 1 :]]
        assert changed != list(rows[row]), (table, name)
        with hand.altered(table, [*rows[:row], changed, *rows[row + 1 :]]):
            assert_told(world, set(), f"{table}.{name}")
    assert fsck(world.office) == ()


@pytest.mark.parametrize("table", TRIED)
def test_every_row_that_is_deleted_is_told(owned: tuple[World, Hand], table: str) -> None:
    world, hand = owned
    rows = hand.rows(table)
    for n in {0, len(rows) // 2, len(rows) - 1}:
        if (table, "deleted") in UNTOLD and _is_untold(table, hand.columns(table), rows[n]):
            continue
        with hand.altered(table, [*rows[:n], *rows[n + 1 :]]):
            assert_told(world, set(), f"{table}: {rows[n]}")


UNTOLD = {("letter", "deleted"), ("pay_event", "deleted"), ("edition", "deleted"), ("serial", "deleted")}


def _is_untold(table: str, names: list[str], row: tuple[Any, ...]) -> bool:
    """Codes of the door are of no dossier and swept after a day; an answer that credits nothing; an edition out of service."""
    cells = dict(zip(names, row, strict=True))
    if table == "letter":
        return cells["dossier"] is None
    if table == "pay_event":
        return not cells["verified"] or cells["kind"] not in ("paid", "overpaid")
    return True
