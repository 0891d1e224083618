"""The journal of rows without a dossier: accounts, identifiers, second factors, phone changes, mandates.

There is one chain for each account (`account/ID`) and each mandate (`mandate/ID`). The store appends an entry
in the transaction that writes the row. An entry commits to the rows as they are from then on. Its time is the
machine's. Only the last salt of a row is stored, so former values are unknowable. The table text serves both
databases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from engine.core.values import Plain
from engine.journal.chain import JournalEntry, seal, with_commitments
from engine.records.dossier import SYSTEM_ACTOR

ROW_JOURNAL: Final = """
CREATE TABLE row_entry (
  dossier TEXT NOT NULL,
  n INTEGER NOT NULL CHECK (n > 0),
  at TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  kind TEXT NOT NULL,
  edition TEXT NOT NULL,
  body TEXT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  PRIMARY KEY (dossier, n)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER row_entry_stays BEFORE UPDATE ON row_entry BEGIN SELECT RAISE(ABORT, 'the journal is never rewritten'); END;
CREATE TRIGGER row_entry_kept BEFORE DELETE ON row_entry BEGIN SELECT RAISE(ABORT, 'the journal is never cut'); END;
CREATE TABLE row_salt (
  dossier TEXT NOT NULL,
  name TEXT NOT NULL,
  salt TEXT NOT NULL,
  PRIMARY KEY (dossier, name)
) STRICT, WITHOUT ROWID;
"""

ROW_CHAIN: Final = "/"  # in the name of each of these chains, and of no other
FOUND: Final = "found"  # kind of the first entry of rows older than this journal
KEPT: Final = "kept"
GONE: Final = "gone"  # key of a body: the names of deleted rows
PAGE: Final = 500

Ask: TypeAlias = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]
Columns: TypeAlias = Callable[[str], Sequence[str]]  # the columns of a table
Rows: TypeAlias = Mapping[str, Plain]  # name of a row → value committed to; empty if there is no row

ADD_SALT: Final = "INSERT INTO row_salt (dossier, name, salt) VALUES (?, ?, ?)"
_EMPTY: Final = (None, "", 0, "[]", "{}", "null")
_MOVING: Final = frozenset({"last_step"})  # changes at each sign-in; protects one code for thirty seconds


def row_value(names: Sequence[str], cells: Sequence[Any]) -> dict[str, Plain]:
    """Return the value of a row to commit to: its non-empty cells. So a column added later with an empty
    default keeps earlier commitments valid."""
    pairs = zip(names, cells, strict=True)
    return {name: cell for name, cell in pairs if cell not in _EMPTY and name not in _MOVING}


def identifiers_value(rows: Iterable[tuple[str, str, str]]) -> list[Plain]:
    """Return all identifiers of an account as committed to: kind, value, since."""
    return [list(row) for row in sorted(rows)]


def next_entry(head: tuple[int, str], chain: str, kind: str, rows: Rows) -> tuple[JournalEntry, Mapping[str, str]]:
    """Return the entry that commits to rows as they are now, and the salts of the existing rows. An empty row
    is recorded as gone."""
    gone: list[Plain] = [*sorted(name for name, value in rows.items() if not value)]
    there = {name: value for name, value in rows.items() if value}
    body, salts = with_commitments({GONE: gone} if gone else {}, there)
    return seal(head, chain, datetime.now(UTC), SYSTEM_ACTOR, kind, "", body), salts


def account_pages(ask: Ask, columns: Columns) -> Iterator[Mapping[str, Rows]]:
    """Yield the rows of every account, by chain, in pages of `PAGE` accounts."""
    for first, last, page in _pages(ask, "account", columns("account")):
        found: dict[str, dict[str, Plain]] = {f"account/{one}": {"account": row} for one, row in page.items()}
        rows: dict[str, list[tuple[str, str, str]]] = {}
        sql = "SELECT account, kind, value, since FROM identifier WHERE account >= ? AND account <= ?"
        for account, *cells in ask(sql, (first, last)):
            rows.setdefault(account, []).append((cells[0], cells[1], cells[2]))
        for account, known in rows.items():
            found.setdefault(f"account/{account}", {})["identifiers"] = identifiers_value(known)
        for table in ("second_factor", "phone_move"):
            names = columns(table)
            for row in ask(_between(table, names, "account"), (first, last)):
                value = row_value(names, row)
                found.setdefault(f"account/{value['account']}", {})[table] = value
        yield found


def mandate_pages(ask: Ask, columns: Columns) -> Iterator[Mapping[str, Rows]]:
    """Yield the row of every mandate, by chain, in pages of `PAGE` mandates."""
    for _, _, page in _pages(ask, "mandate", columns("mandate")):
        yield {f"mandate/{one}": {"mandate": row} for one, row in page.items()}


def _pages(ask: Ask, table: str, names: Sequence[str]) -> Iterator[tuple[str, str, dict[str, dict[str, Plain]]]]:
    last, at = "", names.index("id")
    sql = f"SELECT {_named(names)} FROM {table} WHERE id > ? ORDER BY id LIMIT {PAGE}"
    while rows := list(ask(sql, (last,))):
        page = {row[at]: row_value(names, row) for row in rows}
        first, last = rows[0][at], rows[-1][at]
        yield first, last, page


def _between(table: str, names: Sequence[str], key: str) -> str:
    return f"SELECT {_named(names)} FROM {table} WHERE {key} >= ? AND {key} <= ?"


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def found_so_far(ask: Ask, columns: Columns) -> Iterator[tuple[JournalEntry, Mapping[str, str]]]:
    """Yield the first entry of each chain for a store of an earlier release, with its salts."""
    for pages in (account_pages(ask, columns), mandate_pages(ask, columns)):
        for page in pages:
            for chain, rows in page.items():
                yield next_entry((0, ""), chain, FOUND, rows)
