"""The journal of rows that belong to no dossier: accounts, ways of being known, second factors, phone changes, mandates.

One chain for each account (`account/ID`) and each mandate (`mandate/ID`). The store seals an entry in the same transaction as
the row it writes. An entry commits to the rows as they are from then on; its instant is the machine's. Only the last salt of a
row is kept, so former values are unknowable. One text for both stores.
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

ROW_CHAIN: Final = "/"  # in the name of each of these chains, and of no other; their instants are the machine's
FOUND: Final = "found"  # the first entry of rows that were there before they were journalled
KEPT: Final = "kept"
GONE: Final = "gone"  # key of a body: the names of rows that are no more
PAGE: Final = 500

Ask: TypeAlias = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]
Columns: TypeAlias = Callable[[str], Sequence[str]]  # of a table
Rows: TypeAlias = Mapping[str, Plain]  # name of a row → what is committed to; empty when there is none

ADD_SALT: Final = "INSERT INTO row_salt (dossier, name, salt) VALUES (?, ?, ?)"
_EMPTY: Final = (None, "", 0, "[]", "{}", "null")
_MOVING: Final = frozenset({"last_step"})  # changes at each sign-in; guards one code for half a minute


def row_value(names: Sequence[str], cells: Sequence[Any]) -> dict[str, Plain]:
    """A row as it is committed to: its cells that say something, so that a column added later with an empty default changes
    nothing of what was committed to before."""
    pairs = zip(names, cells, strict=True)
    return {name: cell for name, cell in pairs if cell not in _EMPTY and name not in _MOVING}


def ways_value(rows: Iterable[tuple[str, str, str]]) -> list[Plain]:
    """All the ways an account is known by, as they are committed to: kind, value, since."""
    return [list(row) for row in sorted(rows)]


def next_entry(head: tuple[int, str], chain: str, kind: str, rows: Rows) -> tuple[JournalEntry, Mapping[str, str]]:
    """The entry that commits to rows as they are now, and the salts of the rows that there are."""
    gone: list[Plain] = [*sorted(name for name, value in rows.items() if not value)]
    there = {name: value for name, value in rows.items() if value}
    body, salts = with_commitments({GONE: gone} if gone else {}, there)
    return seal(head, chain, datetime.now(UTC), SYSTEM_ACTOR, kind, "", body), salts


def account_pages(ask: Ask, columns: Columns) -> Iterator[Mapping[str, Rows]]:
    """Every account with its rows, by chain, in slices."""
    for first, last, page in _pages(ask, "account", columns("account")):
        found: dict[str, dict[str, Plain]] = {f"account/{one}": {"account": row} for one, row in page.items()}
        ways: dict[str, list[tuple[str, str, str]]] = {}
        sql = "SELECT account, kind, value, since FROM identifier WHERE account >= ? AND account <= ?"
        for account, *way in ask(sql, (first, last)):
            ways.setdefault(account, []).append((way[0], way[1], way[2]))
        for account, known in ways.items():
            found.setdefault(f"account/{account}", {})["identifiers"] = ways_value(known)
        for table in ("second_factor", "phone_move"):
            names = columns(table)
            for row in ask(_between(table, names, "account"), (first, last)):
                value = row_value(names, row)
                found.setdefault(f"account/{value['account']}", {})[table] = value
        yield found


def mandate_pages(ask: Ask, columns: Columns) -> Iterator[Mapping[str, Rows]]:
    """Every mandate, by chain, in slices."""
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
    """For a store of an earlier release: the first entry of each chain, which commits to its rows as they were found."""
    for pages in (account_pages(ask, columns), mandate_pages(ask, columns)):
        for page in pages:
            for chain, rows in page.items():
                yield next_entry((0, ""), chain, FOUND, rows)
