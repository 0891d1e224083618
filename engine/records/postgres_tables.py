"""The PostgreSQL store seen as tables, to be moved whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, Final

import psycopg
from psycopg import errors

from engine.records.removal import TABLES

_TRIES: Final = 10


class PostgresRows:
    """One transaction over all tables. Names come from our own schema."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._cursors = count()

    def hold(self) -> None:
        """Nobody else writes until this transaction ends; everybody may read. The tables are had one by one: where somebody
        who has one wants another meanwhile, what is had is given back, and they go first."""
        for left in range(_TRIES - 1, -1, -1):
            try:
                with self._connection.transaction():
                    self._connection.execute(f"LOCK TABLE {', '.join(TABLES)} IN EXCLUSIVE MODE")
                return
            except errors.DeadlockDetected:
                if not left:
                    raise

    def columns(self, table: str) -> tuple[str, ...]:
        sql = (
            "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND table_name = %s AND is_generated = 'NEVER'"
        )
        return tuple(sorted(name for (name,) in self._connection.execute(sql, (table,)).fetchall()))

    def key(self, table: str) -> tuple[str, ...]:
        sql = (
            "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number"
            " WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY k.place"
        )
        return tuple(name for (name,) in self._connection.execute(sql, (table,)).fetchall())

    def count(self, table: str) -> int:
        row = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0

    def read(self, table: str, columns: Sequence[str], order: Sequence[str]) -> Iterator[Sequence[Any]]:
        with self._connection.cursor(name=f"move{next(self._cursors)}") as cursor:
            cursor.itersize = 1000
            yield from cursor.execute(f"SELECT {_named(columns)} FROM {table} ORDER BY {_named(order)}")

    def write(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({_named(columns)}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
