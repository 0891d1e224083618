"""Moving all that is kept from one store to another, and proving it: every row, table by table, counted and digested.

A source that is `held` lets nobody write meanwhile, so nothing is acknowledged there that would not come along; one that is
only `read` gives one moment of itself, for a backup. The target must be empty. What is compared afterwards is what each side reads of its own rows, not what was handed over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

# In the order in which rows may be put: what others refer to comes first.
TABLES: Final = (
    "edition", "publication", "publication_entry", "watch", "account", "people_entry", "second_factor",
    "identifier", "phone_move", "mandate", "row_entry", "row_salt", "dossier", "dossier_body", "dossier_word", "entry", "reading", "salt", "unproven_file", "letter", "timer", "payment", "pay_event", "credit", "refund", "booking", "message", "note", "seat_hold", "waiting", "share", "serial", "document", "session",
    "sign_in_code", "rate", "aside", "reply", "tally", "tally_mark", "sms_count", "work_order",
    "order_line", "order_part", "snippet", "opening_change", "opening_head", "leaf_owed", "leaf", "tree_node", "tree",
)  # fmt: skip
ORDERED: Final = frozenset(
    {"letter", "payment", "pay_event", "edition", "message", "note"}
)  # read in the order of their insertion
_PLACE: Final = "rowid"  # where a row of these stands in that order: two of one microsecond may share it in PostgreSQL
_BATCH: Final = 500


class NotEmpty(Exception):
    """The target keeps something already. `str()` is the table."""


class NotWhole(Exception):
    """The two sides do not read the same; the target is as it was. `str()` says where."""


class TableRows(Protocol):
    """One store seen as tables."""

    def columns(self, table: str) -> tuple[str, ...]:
        """By name, computed ones apart; `rowid` among them where rows are read in the order of their insertion."""
        ...

    def key(self, table: str) -> tuple[str, ...]:
        """The columns of its primary key."""
        ...

    def count(self, table: str) -> int: ...
    def read(self, table: str, columns: Sequence[str], order: Sequence[str]) -> Iterator[Sequence[Any]]: ...
    def write(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None: ...


Use: TypeAlias = Literal["read", "hold", "fill"]  # one moment of it; the same and nobody writes; alone, to fill it


class Movable(Protocol):
    """A store that can be read and filled whole."""

    def tables(self, use: Use) -> AbstractContextManager[TableRows]:
        """One transaction over all tables."""
        ...


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """What one table held: how many rows, and their digest."""

    table: str
    rows: int
    digest: str


def move(
    source: Movable, target: Movable, reported: Callable[[CopiedTable], None] = lambda moved: None, *, held: bool = True
) -> tuple[CopiedTable, ...]:
    """Everything of `source` in `target`, in one transaction of each. Raises `NotEmpty`, `NotWhole`."""
    done = []
    with source.tables("hold" if held else "read") as here, target.tables("fill") as there:
        _check_empty(there)
        for table in TABLES:
            columns = here.columns(table)
            if missing := set(columns) ^ set(there.columns(table)):
                raise NotWhole(f"{table}: {min(missing)} is not on both sides")
            there.write(table, columns, _placed(columns, here.read(table, columns, _order(columns, here.key(table)))))
        for table in TABLES:
            mine, theirs = (_held(side, table) for side in (here, there))
            if mine != theirs:
                raise NotWhole(f"{table}: {mine.rows}, {mine.digest} here, {theirs.rows}, {theirs.digest} there")
            done.append(mine)
            reported(mine)
    return tuple(done)


def contents(store: Movable) -> tuple[CopiedTable, ...]:
    """What each table holds, of those that there are in a store of this release or of an earlier one."""
    with store.tables("read") as rows:
        return tuple(_held(rows, table) for table in TABLES if rows.columns(table))


def check_empty(target: Movable) -> None:
    """Raises `NotEmpty`."""
    with target.tables("read") as rows:
        _check_empty(rows)


def _check_empty(rows: TableRows) -> None:
    for table in TABLES:
        if rows.count(table):
            raise NotEmpty(table)


def _held(rows: TableRows, table: str) -> CopiedTable:
    columns = rows.columns(table)
    said, order = [one for one in columns if one != _PLACE], _order(columns, rows.key(table))
    return CopiedTable(table, *_digest(rows.read(table, said, order)))


def _order(columns: Sequence[str], key: Sequence[str]) -> tuple[str, ...]:
    return (_PLACE, *key) if _PLACE in columns else tuple(key)


def _placed(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    """Rows read in the order of their insertion, each with a place of its own."""
    if _PLACE not in columns:
        return rows
    at = columns.index(_PLACE)
    return ((*row[:at], number, *row[at + 1 :]) for number, row in enumerate(rows, 1))


def _digest(rows: Iterable[Sequence[Any]]) -> tuple[int, str]:
    whole, count = hashlib.sha256(), 0
    for row in rows:
        whole.update(
            json.dumps(list(row), ensure_ascii=True, default=repr).encode() + b"\n"
        )  # bytes: only where it is damaged
        count += 1
    return count, whole.hexdigest()


def in_batches(rows: Iterable[Sequence[Any]], size: int = _BATCH) -> Iterator[list[Sequence[Any]]]:
    """Slices of a stream, none empty."""
    batch: list[Sequence[Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
