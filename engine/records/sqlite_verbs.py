"""How every verb of a SQLite unit speaks to its connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.records.store import Taken
from engine.values import Plain

_UNIQUE: Final = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
)


class Verbs:
    """One transaction's connection. Only a writing unit may change anything: a reading one holds no lock to do it under.

    `lock` and `claim` end a SELECT of rows that this unit is about to change, where a store lets several units write at
    once: wait for whoever has them, or leave them to whoever has them; `steady`, of rows that must stay as they are until
    this unit ends. SQLite lets one unit write at a time.
    """

    lock = ""
    claim = ""
    ends_streams = False  # does a list of several streams read each to its end, unless it is told where to stop?
    steady = ""

    def __init__(self, connection: sqlite3.Connection, writes: bool) -> None:
        self._connection = connection
        self._writes = writes
        self._heads: dict[str, tuple[int, str]] = {}  # of the chains that this unit has to itself
        self._uncommitted: dict[str, dict[str, Plain]] = {}  # by dossier: rows written that no entry commits to yet

    def uncommitted(self, dossier_id: str) -> Mapping[str, Plain]:
        return self._uncommitted.pop(dossier_id, {})

    def _commit_to(self, dossier_id: str, name: str, value: Plain) -> None:
        """The next entry of the dossier's journal commits to this row as it is written."""
        self._uncommitted.setdefault(dossier_id, {})[name] = value

    def _hold(self, dossier_id: str) -> None:
        """Whoever seals an entry has the dossier to themselves until their unit ends."""

    def _has(self, dossier_id: str) -> None:
        """It was read under `lock`: held already."""

    def _turn(self, *of: str) -> None:
        """Whoever reads what is left of these, to take some of it, is alone with them until their unit ends."""

    def _row(self, sql: str, cells: Sequence[Any] = ()) -> Any:
        return self._connection.execute(sql, cells).fetchone()

    def _rows(self, sql: str, cells: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(sql, cells).fetchall()

    def _change(self, sql: str, cells: Sequence[Any] = ()) -> int:
        """How many rows changed. Raises `Taken` when a unique thing exists; the unit may go on."""
        return self._written(sql, cells).rowcount

    def _later(self, sql: str, cells: Sequence[Any] = ()) -> None:
        """A change that cannot meet another one and whose answer nobody waits for: a store may send it with the next."""
        self._written(sql, cells)

    def _changed(self, sql: str, cells: Sequence[Any] = ()) -> list[Any]:
        """The rows a `RETURNING` answers."""
        return self._written(sql, cells).fetchall()

    def _written(self, sql: str, cells: Sequence[Any]) -> sqlite3.Cursor:
        if not self._writes:
            raise RuntimeError("a reading unit was asked to write")
        try:
            return self._connection.execute(sql, cells)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode in _UNIQUE:
                raise Taken(str(error)) from error
            raise
