"""The SQLite store seen as tables, to be moved whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from engine.records.removal import ORDERED, in_batches


class SqliteRows:
    """One transaction over all tables. Names come from our own schema."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def columns(self, table: str) -> tuple[str, ...]:
        rows = self._connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,)).fetchall()
        own = ("rowid",) if rows and table in ORDERED else ()
        return tuple(sorted((*(name for (name,) in rows), *own)))

    def key(self, table: str) -> tuple[str, ...]:
        rows = self._connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk", (table,))
        return tuple(name for (name,) in rows)

    def count(self, table: str) -> int:
        found: int = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return found

    def read(self, table: str, columns: Sequence[str], order: Sequence[str]) -> Iterator[Sequence[Any]]:
        yield from self._connection.execute(f"SELECT {_named(columns)} FROM {table} ORDER BY {_named(order)}")

    def write(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        sql = f"INSERT INTO {table} ({_named(columns)}) VALUES ({', '.join('?' * len(columns))})"
        for batch in in_batches(rows):
            self._connection.executemany(sql, batch)


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
