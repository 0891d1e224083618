"""All that is kept moves from one store to another, both ways, and what did not arrive whole is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.storage.postgres.store import PostgresRows, PostgresStore
from engine.storage.sqlite.store import SqliteStore
from engine.storage.table_copy import TABLES, NotEmpty, NotWhole, copy_tables
from tests.engine.records.makers import NOON, a_code, a_dossier, a_message, a_session, opened
from tests.engine.services.world import B3, a_world
from tests.postgres import an_empty_store


@pytest.fixture
def target() -> Iterator[PostgresStore]:
    one = an_empty_store()
    yield one
    one.close()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[SqliteStore]:
    """An installation that lived: dossiers, money, seats, documents, people, drafts, editions."""
    one = SqliteStore(tmp_path / "lived.db")
    world = a_world(tmp_path, one)
    world.paid(world.sent(B3))
    world.draft()
    with one.unit(write=True) as unit:
        for n in range(20):
            unit.add_letter(a_message(f"same-instant-{n}"))
        unit.put_session(a_session())
        unit.put_code(a_code())
        unit.keep_aside("key", {"é": None}, NOON)
        unit.count_try("key", "window")
    yield one
    one.close()


def whole(store: Any) -> dict[str, list[Any]]:
    with store.tables("read") as rows:
        return {name: list(rows.read(name, rows.columns(name), rows.key(name))) for name in TABLES}


def test_there_and_back(source: SqliteStore, target: PostgresStore, tmp_path: Path) -> None:
    there = copy_tables(source, target)
    assert {one.table for one in there} == set(TABLES)
    assert whole(target) == whole(source)
    assert list(target.findings()) == []
    again = SqliteStore(tmp_path / "back.db")
    again.migrate()
    assert copy_tables(target, again) == there
    assert whole(again) == whole(source)
    assert list(again.findings()) == []
    with again.unit() as unit, source.unit() as other:
        assert unit.letters_to("+22890000000") == other.letters_to("+22890000000")
    again.close()


def test_letters_of_one_microsecond_arrive_too(source: SqliteStore, target: PostgresStore, tmp_path: Path) -> None:
    """PostgreSQL tells the order of insertion by its clock, which several may read at once; SQLite wants places apart."""
    copy_tables(source, target)
    with psycopg.connect(target.address, autocommit=True) as db:
        db.execute("UPDATE letter SET rowid = 7 WHERE id LIKE 'same-instant-%'")
    back = SqliteStore(tmp_path / "back.db")
    back.migrate()
    copy_tables(target, back)
    with back.unit() as unit:
        found = [one.id for one in unit.letters_to("+22890000000")]
    assert found == sorted(found, reverse=True), "of one place, by their key"
    assert set(found) == {f"same-instant-{n}" for n in range(20)}
    back.close()


def test_a_store_that_keeps_something_is_not_filled(source: SqliteStore, target: PostgresStore) -> None:
    opened(target, a_dossier())
    with pytest.raises(NotEmpty):
        copy_tables(source, target)
    assert list(target.all_dossiers()) == ["d1"]


def test_what_does_not_arrive_whole_leaves_nothing(
    source: SqliteStore, target: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = PostgresRows.write

    def loses_a_row(self: Any, table: str, columns: Any, rows: Any) -> None:
        write(self, table, columns, list(rows)[:-1] if table == "letter" else rows)

    monkeypatch.setattr(PostgresRows, "write", loses_a_row)
    with pytest.raises(NotWhole, match="letter"):
        copy_tables(source, target)
    assert not any(whole(target).values())


def test_nobody_writes_meanwhile(source: SqliteStore, target: PostgresStore) -> None:
    other = sqlite3.connect(source.path, timeout=0)
    tried: list[str] = []

    def told(_: object) -> None:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as locked:
            tried.append(str(locked))

    copy_tables(source, target, told)
    assert tried == ["database is locked"] * len(TABLES)
    other.close()
