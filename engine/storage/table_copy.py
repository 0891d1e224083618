"""Copy of all tables from one store to another, with proof: each table is counted and hashed on both sides.

With `held`, the source accepts no writes meanwhile, so that no acknowledged write is missed. Otherwise a snapshot is
read, for a backup. The target must be empty. The comparison reads the rows of each side again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Literal, Protocol, TypeAlias

from engine.core.progress import ProgressReporter, unwatched

# In the order of insertion: referenced tables come first.
TABLES: Final = (
    "edition", "publication", "publication_entry", "watch", "account", "people_entry", "second_factor",
    "identifier", "phone_move", "mandate", "row_entry", "row_salt", "dossier", "dossier_body", "dossier_word", "entry", "reading", "salt", "unproven_file", "letter", "timer", "payment", "pay_event", "credit", "refund", "booking", "message", "note", "annotation", "follow", "seat_hold", "waiting", "share", "serial", "document", "session",
    "sign_in_code", "rate", "aside", "reply", "tally", "tally_mark", "sms_count", "work_order",
    "order_line", "order_part", "snippet", "opening_change", "opening_head", "leaf_owed", "leaf", "tree_node", "tree",
)  # fmt: skip
ORDERED: Final = frozenset({"letter", "payment", "pay_event", "edition", "message", "note"})  # read in insertion order
_PLACE: Final = "rowid"  # column of the insertion order; in PostgreSQL two rows of one microsecond may share it
_BATCH: Final = 500


class NotEmpty(Exception):
    """The target holds rows already. `str()` is the table."""


class NotWhole(Exception):
    """The two sides differ. The target is rolled back. `str()` says where."""


class TableRows(Protocol):
    """One store seen as tables, in one transaction."""

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the column names, sorted, without computed ones. Includes `rowid` where insertion order matters."""

    def key(self, table: str) -> tuple[str, ...]:
        """Return the columns of the primary key, in order."""

    def count(self, table: str) -> int:
        """Return the number of rows of the table."""

    def read(self, table: str, columns: Sequence[str], order: Sequence[str]) -> Iterator[Sequence[Any]]:
        """Yield the rows of the table with these columns, in this order."""

    def write(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows with these columns."""

    def change(self, work: Callable[[Any], None]) -> None:
        """Do work in a writing unit of the same transaction."""


Use: TypeAlias = Literal["read", "hold", "fill"]  # a snapshot; the same without writers; exclusive, to fill it


class Movable(Protocol):
    """A store that can be read and filled as a whole."""

    def tables(self, use: Use) -> AbstractContextManager[TableRows]:
        """Open one transaction over all tables."""


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """The number of rows of one table, and their SHA-256."""

    table: str
    rows: int
    digest: str


def copy_tables(
    source: Movable, target: Movable, reported: Callable[[CopiedTable], None] = lambda moved: None, *,
    held: bool = True, progress: ProgressReporter = unwatched, then: Callable[[Any], None] = lambda unit: None,
) -> tuple[CopiedTable, ...]:  # fmt: skip
    """Copy all rows of `source` to `target`, in one transaction of each. Raises `NotEmpty`, `NotWhole`.

    Both have the same migrations. Those of an earlier release lack tables. `then` changes the copied rows in a unit of
    the same transaction.
    """
    done = []
    with source.tables("hold" if held else "read") as here, target.tables("fill") as there:
        _check_empty(there)
        kept = [table for table in TABLES if here.columns(table) or there.columns(table)]
        columns = {table: here.columns(table) for table in kept}
        for table in kept:
            if missing := set(columns[table]) ^ set(there.columns(table)):
                raise NotWhole(f"{table}: {min(missing)} is not on both sides")
        rows = (
            (table, row)
            for table in kept
            for row in here.read(table, columns[table], _order(columns[table], here.key(table)))
        )
        watched = progress(rows, lambda: sum(here.count(table) for table in kept), "rows")
        for table, found in groupby(watched, key=lambda one: one[0]):
            there.write(table, columns[table], _placed(columns[table], (row for _, row in found)))
        for table in kept:
            mine, theirs = (_held(side, table) for side in (here, there))
            if mine != theirs:
                raise NotWhole(f"{table}: {mine.rows}, {mine.digest} here, {theirs.rows}, {theirs.digest} there")
            done.append(mine)
            reported(mine)
        there.change(then)
    return tuple(done)


def contents(store: Movable) -> tuple[CopiedTable, ...]:
    """Return count and digest of each table that exists in the store. Earlier releases have fewer tables."""
    with store.tables("read") as rows:
        return tuple(_held(rows, table) for table in TABLES if rows.columns(table))


def check_empty(target: Movable) -> None:
    """Check that no table of the target has rows. Raises `NotEmpty`."""
    with target.tables("read") as rows:
        _check_empty(rows)


def _check_empty(rows: TableRows) -> None:
    for table in TABLES:
        if rows.columns(table) and rows.count(table):
            raise NotEmpty(table)


def _held(rows: TableRows, table: str) -> CopiedTable:
    columns = rows.columns(table)
    said, order = [one for one in columns if one != _PLACE], _order(columns, rows.key(table))
    return CopiedTable(table, *_digest(rows.read(table, said, order)))


def _order(columns: Sequence[str], key: Sequence[str]) -> tuple[str, ...]:
    return (_PLACE, *key) if _PLACE in columns else tuple(key)


def _placed(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    """Number the rows that were read in insertion order."""
    if _PLACE not in columns:
        return rows
    at = columns.index(_PLACE)
    return ((*row[:at], number, *row[at + 1 :]) for number, row in enumerate(rows, 1))


def _digest(rows: Iterable[Sequence[Any]]) -> tuple[int, str]:
    whole, count = hashlib.sha256(), 0
    for row in rows:
        whole.update(
            json.dumps(list(row), ensure_ascii=True, default=repr).encode() + b"\n"
        )  # bytes occur only in damaged tables
        count += 1
    return count, whole.hexdigest()


def in_batches(rows: Iterable[Sequence[Any]], size: int = _BATCH) -> Iterator[list[Sequence[Any]]]:
    """Yield lists of at most `size` rows, none empty."""
    batch: list[Sequence[Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
