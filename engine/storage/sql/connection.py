"""How a flat record lies in a table: one column a field, in the order of the fields, composite values as JSON."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Generic, Literal, TypeVar, get_args, get_origin

from engine.core.values import Plain, canonical_json
from engine.records.codec import Codec, Unreadable, codec_of, plain_hints
from engine.storage.unit_of_work import AlreadyExists

T = TypeVar("T")
Cell = str | int | None

_ONE_CELL: Final = (str, int, bool, datetime, date)


class _Cell:
    """How values of one annotation lie in one column."""

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
    """`X` of `X | None`."""
    parts = get_args(kind)
    return next(part for part in parts if part is not type(None)) if type(None) in parts else kind


def read_json(text: str) -> Any:
    """What a JSON column says. Raises `Unreadable`."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise Unreadable("", "JSON") from None


_UNSAID: Final = frozenset({"token_sha256", "phone", "value"})


class TableMapping(Generic[T]):
    """The columns of one record in one table, and the SQL to write and read them."""

    def __init__(self, kind: type[T], table: str, key: Sequence[str] = ("id",)) -> None:
        self.kind = kind
        hints = plain_hints(kind)
        self._cells = [_Cell(hints[one.name]) for one in dataclasses.fields(kind)]  # type: ignore[arg-type]
        self._read = [cell.read for cell in self._cells]
        self.names = [one.name for one in dataclasses.fields(kind)]  # type: ignore[arg-type]
        self.columns = ", ".join(f'"{name}"' for name in self.names)
        self.select = f"SELECT {self.columns} FROM {table}"
        self._table, self._key = table, key
        self._named = {"number"} & set(self.names) or set(key) - _UNSAID  # by which a row is named to people

    def insert(self, *more: str) -> str:
        """INSERT of a record's cells, then of `more` columns."""
        marks = ", ".join("?" * (len(self.names) + len(more)))
        return f"INSERT INTO {self._table} ({', '.join([self.columns, *more])}) VALUES ({marks})"

    @property
    def update(self) -> str:
        """UPDATE of every column from a record's cells, then its key."""
        sets = ", ".join(f'"{name}" = ?' for name in self.names)
        where = " AND ".join(f'"{name}" = ?' for name in self._key)
        return f"UPDATE {self._table} SET {sets} WHERE {where}"

    @property
    def upsert(self) -> str:
        sets = ", ".join(f'"{name}" = excluded."{name}"' for name in self.names if name not in self._key)
        return f"{self.insert()} ON CONFLICT ({', '.join(self._key)}) DO UPDATE SET {sets}"

    def cells(self, record: T) -> list[Cell]:
        return [cell.write(getattr(record, name)) for name, cell in zip(self.names, self._cells, strict=True)]

    def read(self, row: Sequence[Any]) -> T:
        """The record of a row that begins with its columns. Raises `Unreadable`."""
        try:
            return self.kind(*[read(cell) for read, cell in zip(self._read, row, strict=False)])
        except Unreadable as error:
            error.row = " ".join(
                [self._table, *(str(row[at]) for at, name in enumerate(self.names) if name in self._named)]
            )
            raise

    def read_all(self, rows: Iterable[Sequence[Any]]) -> tuple[T, ...]:
        return tuple(self.read(row) for row in rows)


_UNIQUE: Final = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
)


class Queries:
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
        """How many rows changed. Raises `AlreadyExists` when a unique thing exists; the unit may go on."""
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
                raise AlreadyExists(str(error)) from error
            raise
