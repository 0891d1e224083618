"""Queries on the journal of rows: entries are appended by the queries that write the rows, and checked by `fsck`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain as joined
from typing import Any, Final

from engine.core.values import Plain
from engine.journal.chain import COMMITS, JournalEntry, commit_value
from engine.journal.leaves import OWE
from engine.journal.row_journal import (
    ADD_SALT,
    FOUND,
    GONE,
    KEPT,
    Ask,
    Rows,
    account_pages,
    identifiers_value,
    mandate_pages,
    next_entry,
    row_value,
)
from engine.records.codec import Unreadable
from engine.records.dossier import Account
from engine.records.people import Identifier, Mandate, PhoneMove, SecondFactor
from engine.storage.results import IntegrityFinding
from engine.storage.sql.connection import Queries, TableMapping, read_json

ACCOUNTS: Final = TableMapping(Account, "account")
FACTORS: Final = TableMapping(SecondFactor, "second_factor", ("account",))
IDENTIFIERS: Final = TableMapping(Identifier, "identifier", ("kind", "value"))
MANDATES: Final = TableMapping(Mandate, "mandate")
MOVES: Final = TableMapping(PhoneMove, "phone_move", ("account",))
ROW_ENTRIES: Final = TableMapping(JournalEntry, "row_entry", ("dossier", "n"))
_COLUMNS: Final = {
    "account": ACCOUNTS.names, "second_factor": FACTORS.names, "phone_move": MOVES.names, "mandate": MANDATES.names,
}  # fmt: skip
_HEAD: Final = "SELECT n, hash FROM row_entry WHERE dossier = ? ORDER BY n DESC LIMIT 1"

# Code of the finding → query of (dossier or NULL, what it is about): chains whose row was deleted.
ROW_QUESTIONS: Final = {
    f"{table}_deleted": f"""
      SELECT NULL, substr(dossier, 9) FROM row_entry WHERE n = 1 AND substr(dossier, 1, 8) = '{table}/'
      AND NOT EXISTS (SELECT 1 FROM {table} WHERE id = substr(row_entry.dossier, 9))"""
    for table in ("account", "mandate")
}
FOUND_ROWS: Final = f"SELECT substr(dossier, 1, 7), count(*) FROM row_entry WHERE n = 1 AND kind = '{FOUND}' GROUP BY 1"


class RowQueries(Queries):
    """Base of queries that write journalled rows."""

    def _seal_rows(self, chain: str, rows: Rows) -> None:
        """Append an entry. The caller must have locked the row that the chain is named after."""
        head = self._row(_HEAD, (chain,))
        entry, salts = next_entry((head[0], head[1]) if head else (0, ""), chain, KEPT, rows)
        self._later(ROW_ENTRIES.insert(), ROW_ENTRIES.cells(entry))
        self._later(OWE, (chain, entry.n, entry.hash))
        if head:
            among = ", ".join("?" * len(rows))
            self._later(f"DELETE FROM row_salt WHERE dossier = ? AND name IN ({among})", (chain, *rows))
        self._add_rows(ADD_SALT, [(chain, name, salt) for name, salt in salts.items()])

    def _seal_row(self, chain: str, shape: TableMapping[Any], record: Any, name: str) -> None:
        self._seal_rows(chain, {name: row_value(shape.names, shape.cells(record))})

    def _seal_identifiers(self, account_id: str) -> None:
        self._row(f"SELECT id FROM account WHERE id = ?{self.lock}", (account_id,))
        rows = self._rows("SELECT kind, value, since FROM identifier WHERE account = ?", (account_id,))
        self._seal_rows(
            f"account/{account_id}", {"identifiers": identifiers_value((row[0], row[1], row[2]) for row in rows)}
        )

    def _seal_gone(self, account_id: str, name: str) -> None:
        self._row(f"SELECT id FROM account WHERE id = ?{self.lock}", (account_id,))
        self._seal_rows(f"account/{account_id}", {name: None})


# -- fsck --------------------------------------------------------------------------------------------------------------


def broken_rows(ask: Ask) -> Iterator[IntegrityFinding]:
    """Yield rows that differ from the last commitment of their chain, or that no entry names."""
    for page in joined(account_pages(ask, _COLUMNS.__getitem__), mandate_pages(ask, _COLUMNS.__getitem__)):
        reported = _reported(ask, min(page), max(page))
        for chain, rows in page.items():
            yield from _of_chain(chain, rows, reported.get(chain))


def _of_chain(chain: str, rows: Rows, reported: Mapping[str, tuple[str, str]] | None) -> Iterator[IntegrityFinding]:
    table, _, key = chain.partition("/")
    about = _named(rows, key)
    if reported is None:
        yield IntegrityFinding(f"{table}_unjournaled", None, {"about": about})
        return
    for name in sorted(rows.keys() | reported.keys()):
        sealed, salt = reported.get(name, ("", ""))
        if name not in rows or not _opens(sealed, salt, rows[name]):
            yield IntegrityFinding(
                f"{name}_differs" if name != "identifiers" else "identifier_differs", None, {"about": about}
            )


def _named(rows: Rows, key: str) -> str:
    """Return the login of an agent or auditor, and the account id of an applicant, whose login is a phone."""
    row = rows.get("account")
    if isinstance(row, dict) and row.get("kind") != "applicant":
        return str(row.get("login", key))
    return key


def _opens(sealed: str, salt: str, value: Plain) -> bool:
    try:
        return bool(sealed) and sealed == commit_value(salt, value)
    except (TypeError, ValueError):  # no salt, or a cell that is not text
        return False


def _said(body: str) -> tuple[Mapping[str, Plain], Sequence[Plain]]:
    """Return the commitments and the deleted rows of an entry; none where it cannot be read: its chain is broken."""
    try:
        said = read_json(body)
    except Unreadable:
        said = None
    commits, gone = (said.get(COMMITS), said.get(GONE)) if isinstance(said, dict) else (None, None)
    return commits if isinstance(commits, dict) else {}, gone if isinstance(gone, list) else []


def _reported(ask: Ask, first: str, last: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Return, by chain, the last commitment and the salt of each row that should exist."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    sql = "SELECT dossier, body FROM row_entry WHERE dossier >= ? AND dossier <= ? ORDER BY dossier, n"
    for chain, body in ask(sql, (first, last)):
        rows = found.setdefault(chain, {})
        commits, gone = _said(body)
        rows |= {name: (str(sealed), "") for name, sealed in commits.items()}
        for name in gone:
            rows.pop(str(name), None)
    for chain, name, salt in ask(
        "SELECT dossier, name, salt FROM row_salt WHERE dossier >= ? AND dossier <= ?", (first, last)
    ):
        if name in found.get(chain, {}):
            found[chain][name] = (found[chain][name][0], salt)
    return found
