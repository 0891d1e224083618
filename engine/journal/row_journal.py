"""The journal of rows without a dossier, and what the journal of a dossier commits to in its rows.

There is one chain for each account (`account/ID`) and each mandate (`mandate/ID`). The store appends an entry
in the transaction that writes the row. An entry commits to the rows as they are from then on. Its time is the
machine's. Only the last salt of a row is stored, so former values are unknowable. The table text serves both
databases.

The commitments to rows of a dossier are in its own chain. The timers of a dossier are one value together, including the fired ones. An entry follows each change to
them.

Columns that change alone are left out: send attempts, read times, openings of a shared document. So are the
times of a payment, which are corrected after a fast clock. The entries of a payment have their own times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from engine.core.values import Plain
from engine.journal.chain import JournalEntry, seal, with_commitments
from engine.records.codec import to_plain
from engine.records.dossier import SYSTEM_ACTOR, Booking, OutboundMessage, Payment
from engine.records.exchanges import Message, Note, NotedValue, Share
from engine.records.refunds import PaymentEvent

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
    """Yield the rows of every account in pages of `PAGE` accounts. Each page maps the name of a chain to its rows."""
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
                account = row[names.index("account")]
                found.setdefault(f"account/{account}", {})[table] = row_value(names, row)
        yield found


def mandate_pages(ask: Ask, columns: Columns) -> Iterator[Mapping[str, Rows]]:
    """Yield the row of every mandate in pages of `PAGE` mandates. Each page maps the name of a chain to its row."""
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


ROWS: Final = "rows"  # first part of each of these names
BODY: Final = "rows.dossier"  # SHA-256 of the body's text
TIMERS: Final = "rows.timers"
WHOLE: Final = (BODY, TIMERS)  # each new commitment supersedes the one before; only the last salt is stored
_PAYMENT: Final = ("reference", "fees", "amount", "provider", "method", "payer")
_ENDED: Final = (*_PAYMENT, "status", "receipt", "reason")


def letter_row(letter: OutboundMessage) -> tuple[str, Plain]:
    """Return the name and the committed value of an outbound message. Send attempts are left out."""
    return f"{ROWS}.letter.{letter.id}", _cells(letter, "channel", "to", "subject", "body", "dedupe", "created_at")


def message_row(message: Message) -> tuple[str, Plain]:
    """Return the name and the committed value of a message. Its text has its own commitment."""
    return f"{ROWS}.message.{message.id}", _cells(message, "at", "by", "side", "files")


def note_row(note: Note) -> tuple[str, Plain]:
    """Return the name and the committed value of an internal note. Its text is left out."""
    return f"{ROWS}.note.{note.id}", _cells(note, "at", "by")


def annotation_row(noted: NotedValue) -> tuple[str, Plain]:
    """Return the name and the committed value of an annotation as it is now."""
    return f"{ROWS}.annotation.{noted.name}", _cells(noted, "value", "at", "by")


def payment_row(payment: Payment) -> tuple[str, Plain]:
    """Return the name and the committed value of a payment. Once ended, it includes the result."""
    return f"{ROWS}.payment.{payment.id}", _cells(payment, *(_PAYMENT if payment.ended_at is None else _ENDED))


def event_row(payment_id: str, event: PaymentEvent) -> tuple[str, Plain]:
    """Return the name and the committed value of a received-money event. A payment has at most one of each kind."""
    value = _cells(event, "provider", "event_id", "kind", "amount", "currency", "at", "note")
    return f"{event_rows(payment_id)}{event.kind}", value


def event_rows(payment_id: str) -> str:
    """Return the prefix of the names of the events of a payment."""
    return f"{ROWS}.event.{payment_id}."


def booking_row(resource: str, booking: Booking) -> tuple[str, Plain]:
    """Return the name and the committed value of a booking as it is now, even past or cancelled."""
    return f"{ROWS}.booking.{booking.id}", {"resource": resource, "booking": to_plain(booking)}


def share_row(share: Share) -> tuple[str, Plain]:
    """Return the name and the committed value of a share. The count of openings is left out."""
    name = f"{ROWS}.share.{share.token_sha256[:16]}"
    return name, _cells(share, "token_sha256", "document", "created_at", "expires_at", "revoked_at")


def _cells(
    record: OutboundMessage | Message | Note | NotedValue | Payment | PaymentEvent | Share, *names: str
) -> Plain:
    plain = to_plain(record)
    return {name: plain[name] for name in names if plain.get(name) not in (None, "", [])}
