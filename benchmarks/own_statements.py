"""What some work says to its SQLite store, said again alone: the statements with their values, on a copy of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.measure import WALL, spent
from engine.services.context.app_context import AppContext
from engine.storage.schema.migration_list import prepare
from engine.storage.sqlite.store import SqliteStore

FULL = 2
Statement = tuple[str, Sequence[Any]]


class _Heard:
    """A connection of the store whose statements are noted."""

    def __init__(self, connection: sqlite3.Connection, said: list[Statement]) -> None:
        self._connection, self._said = connection, said

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        self._said.append((sql, values))
        return self._connection.execute(sql, values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("execute"):
            raise AttributeError(f"{name} is not noted: a replay would leave its statements out")
        return getattr(self._connection, name)


class OwnStatements:
    """The statements of some works, to be said again as often as wanted."""

    def __init__(self, ctx: AppContext, works: Sequence[Callable[[], object]], twin: Path) -> None:
        """Does the works once, and keeps what they say and the store from before them."""
        store = ctx.store
        if not isinstance(store, SqliteStore):
            raise TypeError("only of a store in SQLite")
        self._before = sqlite3.connect(":memory:")
        with closing(sqlite3.connect(store.path)) as now:
            now.backup(self._before)
        self._twin = sqlite3.connect(twin, isolation_level=None, cached_statements=256)
        prepare(self._twin, "wal")
        if self._twin.execute("PRAGMA synchronous").fetchone() != (FULL,):
            raise SystemExit("the copy is not kept as the store is")
        self._said = [_heard(store, work) for work in works]

    @property
    def each(self) -> float:
        """Statements of one work, transactions included."""
        return sum(map(len, self._said)) / len(self._said)

    def again(self) -> float:
        """Seconds of one work's statements; those of the first work prepare the connection and are not counted."""
        self._before.backup(self._twin)
        self._twin.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()  # later commits write into the log there is
        self._say(self._said[0])
        return spent(lambda: [self._say(one) for one in self._said[1:]], WALL) / (len(self._said) - 1)

    def _say(self, statements: Sequence[Statement]) -> None:
        execute = self._twin.execute
        for sql, values in statements:
            execute(sql, values).fetchall()

    def close(self) -> None:
        self._twin.close()
        self._before.close()


def _heard(store: SqliteStore, work: Callable[[], object]) -> list[Statement]:
    said: list[Statement] = []
    plain, writer = store._idle, store._writer
    if writer is None:
        raise SystemExit("the store has written nothing yet")
    store._idle = [_Heard(one, said) for one in plain]  # type: ignore[misc]
    store._writer = _Heard(writer, said)  # type: ignore[assignment]
    work()
    if len(store._idle) != len(plain):
        raise SystemExit("another connection was opened meanwhile")
    store._idle, store._writer = plain, writer
    return said
