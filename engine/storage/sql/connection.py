"""Mapping of a flat record to a table: one column for each field, in their order, composite values as JSON."""

from __future__ import annotations

import dataclasses
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Generic, Literal, TypeVar, get_args, get_origin

from engine.core.values import Plain, canonical_json
from engine.records.codec import Codec, Unreadable, codec_of, plain_hints
from engine.records.dossier import Dossier
from engine.storage.results import AlreadyExists

T = TypeVar("T")
TimerCells = tuple[str, int, str, str]  # name, entry, due time, fire time or empty
TIMER_CELLS: Final = "name, entry, due_at, coalesce(fired_at, '')"
TIMERS_OF: Final = f"SELECT {TIMER_CELLS} FROM timer WHERE dossier = {{}}"
Cell = str | int | None

_ONE_CELL: Final = (str, int, bool, datetime, date)


class _Cell:
    """How values of one annotation are stored in one column."""

    def __init__(self, kind: Any) -> None:
        plain_kind = _when_given(kind)
        codec: Codec = codec_of(kind)
        self._codec = codec
        self._json = plain_kind not in _ONE_CELL and get_origin(plain_kind) is not Literal
        self.read: Callable[[Any], Any] = codec.read
        if self._json:
            self.read = lambda cell: codec.read(read_json(cell))
        elif plain_kind is bool:
            self.read = lambda cell: codec.read(bool(cell))

    def write(self, value: Any) -> Cell:
        plain = self._codec.write(value)
        if self._json:
            return canonical_json(plain).decode()
        return int(plain) if isinstance(plain, bool) else plain  # type: ignore[return-value]


def _when_given(kind: Any) -> Any:
    """Return `X` for `X | None`."""
    parts = get_args(kind)
    return next(part for part in parts if part is not type(None)) if type(None) in parts else kind


_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


def _refuse(number: str) -> None:
    raise ValueError(number)


def read_json(text: str) -> Any:
    """Return the value of a JSON column. Raises `Unreadable`, also for a float or half of a character."""
    try:
        value = json.loads(text, parse_float=_refuse, parse_constant=_refuse)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (TypeError, ValueError, RecursionError):
        raise Unreadable("", "JSON") from None


_UNSAID: Final = frozenset({"token_sha256", "phone", "value"})


class TableMapping(Generic[T]):
    """The columns of one record in one table, and the SQL that writes and reads them."""

    def __init__(self, kind: type[T], table: str, key: Sequence[str] = ("id",)) -> None:
        self.kind = kind
        hints = plain_hints(kind)
        self._cells = [_Cell(hints[one.name]) for one in dataclasses.fields(kind)]  # type: ignore[arg-type]
        self._read = [cell.read for cell in self._cells]
        self.names = [one.name for one in dataclasses.fields(kind)]  # type: ignore[arg-type]
        self.columns = ", ".join(f'"{name}"' for name in self.names)
        self.select = f"SELECT {self.columns} FROM {table}"
        self._table, self._key = table, key
        self._named = {"number"} & set(self.names) or set(key) - _UNSAID  # columns that identify a row in messages

    def insert(self, *more: str) -> str:
        """Return the INSERT of a record's cells, then of `more` columns."""
        marks = ", ".join("?" * (len(self.names) + len(more)))
        return f"INSERT INTO {self._table} ({', '.join([self.columns, *more])}) VALUES ({marks})"

    @property
    def update(self) -> str:
        """UPDATE of all columns. Its parameters are the cells, then the key."""
        sets = ", ".join(f'"{name}" = ?' for name in self.names)
        where = " AND ".join(f'"{name}" = ?' for name in self._key)
        return f"UPDATE {self._table} SET {sets} WHERE {where}"

    @property
    def upsert(self) -> str:
        """INSERT of a record that replaces the row with the same key."""
        sets = ", ".join(f'"{name}" = excluded."{name}"' for name in self.names if name not in self._key)
        return f"{self.insert()} ON CONFLICT ({', '.join(self._key)}) DO UPDATE SET {sets}"

    def cells(self, record: T) -> list[Cell]:
        """Return the column values of a record, in the order of `names`."""
        return [cell.write(getattr(record, name)) for name, cell in zip(self.names, self._cells, strict=True)]

    def read(self, row: Sequence[Any]) -> T:
        """Return the record of a row that begins with its columns. Raises `Unreadable`, naming table and key."""
        try:
            return self.kind(*[read(cell) for read, cell in zip(self._read, row, strict=False)])
        except Unreadable as error:
            error.row = " ".join(
                [self._table, *(str(row[at]) for at, name in enumerate(self.names) if name in self._named)]
            )
            raise

    def read_all(self, rows: Iterable[Sequence[Any]]) -> tuple[T, ...]:
        """Return the records of rows, in their order. Raises `Unreadable`."""
        return tuple(self.read(row) for row in rows)


_ROWS: Final = 500  # of one INSERT

_UNIQUE: Final = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
)


class Queries:
    """The connection of one transaction. Only a writing unit may change rows.

    `lock` and `claim` end a SELECT of rows that this unit will change, where several units write at once. `lock` waits
    for the unit that holds them, and `claim` skips those rows. `steady` keeps rows unchanged until this unit ends.
    SQLite has one writer at a time and needs none of them.
    """

    lock = ""
    claim = ""
    ends_streams = False  # whether a UNION reads each subquery to its end, unless limited
    steady = ""

    def __init__(self, connection: sqlite3.Connection, writes: bool) -> None:
        self._connection = connection
        self._writes = writes
        self._heads: dict[str, tuple[int, str]] = {}  # heads of the chains that this unit has locked
        self._timers: dict[str, list[TimerCells]] = {}  # timers of the dossiers that this unit has locked
        self._seen: dict[str, Dossier] = {}  # dossiers as they are stored: those that a writing unit has locked
        self._uncommitted: dict[str, dict[str, Plain]] = {}  # by dossier: rows that no entry commits to yet

    def uncommitted(self, dossier_id: str) -> Mapping[str, Plain]:
        """Return rows of the dossier written since its last entry, by name, for the next entry. A second call returns
        none."""
        return self._uncommitted.pop(dossier_id, {})

    def _commit_to(self, dossier_id: str, name: str, value: Plain) -> None:
        """Let the next entry of the dossier's journal commit to this row as written."""
        self._uncommitted.setdefault(dossier_id, {})[name] = value

    def _hold(self, dossier_id: str) -> None:
        """Lock the dossier until the unit ends, before an entry is appended."""

    def _has(self, dossier_id: str) -> None:
        """Note that the dossier was read under `lock`."""

    def _turn(self, *of: str, shared: bool = False) -> None:
        """Lock this name until the unit ends, before free values of it are counted and taken. First come, first served.
        `shared`: other such units go on."""

    def _row(self, sql: str, cells: Sequence[Any] = ()) -> Any:
        return self._connection.execute(sql, cells).fetchone()

    def _rows(self, sql: str, cells: Sequence[Any] = ()) -> list[Any]:
        return self._connection.execute(sql, cells).fetchall()

    def _change(self, sql: str, cells: Sequence[Any] = ()) -> int:
        """Return how many rows changed. Raises `AlreadyExists` for a duplicate, after which the unit may go on."""
        return self._written(sql, cells).rowcount

    def _later(self, sql: str, cells: Sequence[Any] = ()) -> None:
        """Execute a change that cannot conflict and whose result is unused. PostgreSQL sends it with the next one."""
        self._written(sql, cells)

    def _add_rows(self, insert: str, rows: Sequence[Sequence[Any]], conflict: str = "") -> None:
        """Insert rows that cannot conflict, or do as `conflict` says, by one statement. `insert` ends with the marks of
        one row."""
        marks = insert.rpartition(" VALUES ")[2]
        for at in range(0, len(rows), _ROWS):
            some = rows[at : at + _ROWS]
            sql = f"{insert}{f', {marks}' * (len(some) - 1)}{conflict}"
            self._later(sql, [cell for row in some for cell in row])

    def _changed(self, sql: str, cells: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a `RETURNING` clause."""
        return self._written(sql, cells).fetchall()

    def _written(self, sql: str, cells: Sequence[Any]) -> sqlite3.Cursor:
        if not self._writes:
            raise RuntimeError("a reading unit was asked to write")
        try:
            return self._connection.execute(sql, cells)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode in _UNIQUE:
                raise AlreadyExists(str(error)) from error
            raise
