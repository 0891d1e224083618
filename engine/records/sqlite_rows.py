"""How a flat record lies in a table: one column a field, in the order of the fields, composite values as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final, Generic, Literal, TypeVar, get_args, get_origin

from engine.records.bodies import Codec, Unreadable, codec_of, plain_hints
from engine.values import canonical_json

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


class Shape(Generic[T]):
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
