"""Integrity checks of the tables: the storage part of `fsck`. A check is one SQL query, or a pass over dossiers and
chains. Checks that need a definition are in `engine/services/audit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias

from engine.core.values import Plain, canonical_json
from engine.journal.chain import JournalEntry, verify
from engine.journal.leaves import LEAF_DIFFERS, LEAF_MISSING, TREE_DIFFERS
from engine.records.codec import Unreadable, to_plain
from engine.records.dossier import Dossier
from engine.records.statistics import COUNTS_DIFFER
from engine.storage.results import IntegrityFinding
from engine.storage.sql.connection import TableMapping
from engine.storage.sql.dossiers import ENTRIES, LINES, line_of, read_body
from engine.storage.sql.ledger import BOOKINGS, ISSUED
from engine.storage.sql.people import RIGHTS
from engine.storage.sql.publications import DEEDS
from engine.storage.sql.row_journal import ROW_ENTRIES, ROW_QUESTIONS, broken_rows
from engine.storage.sql.search import words_of

# An SQL query and its parameters → its rows, read one by one.
Ask: TypeAlias = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]

# Code of the finding → query of (dossier or NULL, what it is about).
QUESTIONS: Final = {
    "no_body": "SELECT id, number FROM dossier WHERE NOT EXISTS (SELECT 1 FROM dossier_body WHERE dossier = dossier.id)",
    "no_row": "SELECT dossier, dossier FROM dossier_body WHERE NOT EXISTS (SELECT 1 FROM dossier WHERE id = dossier_body.dossier)",
    "unjournaled": """
        SELECT id, revision FROM dossier
        WHERE coalesce((SELECT max(n) FROM entry WHERE entry.dossier = dossier.id), 0) < CASE WHEN revision > 1 THEN revision ELSE 1 END""",
    "credit_unverified": """
        SELECT dossier, payment FROM credit WHERE NOT EXISTS (
          SELECT 1 FROM pay_event e
          WHERE e.payment = credit.payment AND e.verified = 1 AND e.kind IN ('paid', 'overpaid') AND e.amount >= credit.amount)""",
    "event_uncredited": """
        SELECT p.dossier, p.id FROM pay_event e JOIN payment p ON p.id = e.payment
        WHERE e.verified = 1 AND e.kind IN ('paid', 'overpaid') AND NOT EXISTS (SELECT 1 FROM credit WHERE payment = p.id)""",
    "credit_amount": """
        SELECT c.dossier, c.payment FROM credit c JOIN payment p ON p.id = c.payment
        WHERE c.dossier <> p.dossier OR c.amount < p.amount OR (c.amount > p.amount AND p.status <> 'overpaid')""",
    "credit_unpaid": """
        SELECT c.dossier, c.payment FROM credit c JOIN payment p ON p.id = c.payment
        WHERE p.status NOT IN ('paid', 'overpaid')""",
    "paid_uncredited": """
        SELECT dossier, id FROM payment
        WHERE status IN ('paid', 'overpaid') AND NOT EXISTS (SELECT 1 FROM credit WHERE payment = payment.id)""",
    "seat_sold_twice": """
        SELECT min(dossier), office || ' ' || start || ' ' || seat FROM booking WHERE status <> 'cancelled'
        GROUP BY resource, office, start, seat HAVING count(*) > 1""",
    "booked_twice": """
        SELECT dossier, appointment FROM booking WHERE status = 'booked' GROUP BY dossier, appointment HAVING count(*) > 1""",
    "letter_fate": "SELECT dossier, id FROM letter WHERE sent_at IS NOT NULL AND failed IS NOT NULL",
    "letter_lent": "SELECT dossier, id FROM letter WHERE claimed_until IS NOT NULL AND sent_at IS NOT NULL",
    "timer_ahead": """
        SELECT dossier, name FROM timer
        WHERE entry > coalesce((SELECT max(n) FROM entry WHERE entry.dossier = timer.dossier), 0)""",
    "leaf_differs": LEAF_DIFFERS,
    "leaf_missing": LEAF_MISSING,
    "tree_differs": TREE_DIFFERS,
    "counts_differ": COUNTS_DIFFER,
    **ROW_QUESTIONS,
    "serial_back": """
        SELECT NULL, 'orders' FROM (SELECT max(n) AS most FROM work_order) AS given
        WHERE most > coalesce((SELECT last FROM serial WHERE series = 'orders'), 0)""",
    "order_differs": """
        SELECT NULL, CAST(n AS TEXT) FROM work_order WHERE work IN ('act', 'handover') AND (
          total <> (SELECT count(*) FROM order_line WHERE work_order = work_order.id)
          OR (ended_at IS NOT NULL AND EXISTS (SELECT 1 FROM order_line WHERE work_order = work_order.id AND outcome = '')))""",
    "timer_early": "SELECT dossier, name FROM timer WHERE fired_at < due_at",
}  # fmt: skip


def broken_promises(ask: Ask) -> Iterator[IntegrityFinding]:
    """Yield all inconsistencies that either database can have. Checks of the database file are separate."""
    for code, sql in QUESTIONS.items():
        for dossier, about in ask(sql, ()):
            yield IntegrityFinding(code, dossier, {"about": about})
    for part in (_broken_chains, broken_rows, _broken_bodies):
        try:
            yield from part(ask)
        except RecursionError:  # lists in lists in a cell, hundreds deep
            yield IntegrityFinding("damaged", None, {"said": "RecursionError"})


def _broken_chains(ask: Ask) -> Iterator[IntegrityFinding]:
    for dossier, chain in groupby(ask(f"{ENTRIES.select} ORDER BY dossier, n", ()), key=lambda row: row[0]):
        yield from _broken_chain(dossier, list(chain))
    for _, chain in groupby(ask(f"{ROW_ENTRIES.select} ORDER BY dossier, n", ()), key=lambda row: row[0]):
        yield from _broken_chain(None, list(chain))
    yield from _broken_chain(None, list(ask(f"{DEEDS.select} ORDER BY n", ())))
    yield from _broken_chain(None, list(ask(f"{RIGHTS.select} ORDER BY n", ())))


def _broken_chain(dossier: str | None, rows: list[Sequence[Any]]) -> Iterator[IntegrityFinding]:
    entries: list[JournalEntry] = []
    for row in rows:
        try:
            entry = ENTRIES.read(row)
            faithful = ENTRIES.cells(entry) == list(row)  # equal to the stored text, not only in meaning
        except (Unreadable, TypeError, RecursionError):
            faithful = False
        if not faithful:
            yield IntegrityFinding("chain", dossier, {"n": row[ENTRIES.names.index("n")], "reason": "changed"})
            return
        entries.append(entry)
    if broken := verify(entries):
        yield IntegrityFinding("chain", dossier, {"n": broken.n, "reason": broken.reason})


def _broken_bodies(ask: Ask) -> Iterator[IntegrityFinding]:
    """Compare each body with its list row, its search words, its bookings and its documents."""
    columns = ", ".join(f'd."{name}"' for name in LINES.names)
    sql = f"SELECT {columns}, d.revision, b.body FROM dossier d JOIN dossier_body b ON b.dossier = d.id"
    for *cells, revision, body in ask(sql, ()):
        try:
            dossier = read_body(body)
        except Unreadable as error:
            yield IntegrityFinding("body_unreadable", cells[0], {"at": error.path})
            continue
        if [*LINES.cells(line_of(dossier)), dossier.revision] != [*cells, revision]:
            yield IntegrityFinding("row_differs", dossier.id)
        words = {word for (word,) in ask("SELECT word FROM dossier_word WHERE dossier = ?", (dossier.id,))}
        if words != words_of(dossier):
            yield IntegrityFinding("words_differ", dossier.id)
        yield from _broken_copies(ask, dossier)


def _broken_copies(ask: Ask, dossier: Dossier) -> Iterator[IntegrityFinding]:
    """Check that future bookings hold their seat, and that documents equal their row."""
    seats = _kept(ask, BOOKINGS, dossier.id, " AND status = 'booked'")
    booked = {one.id: to_plain(one) for one in dossier.bookings.values() if one.status == "booked"}
    for booking in sorted(seats.keys() ^ booked.keys()) + sorted(_differ(seats, booked)):
        yield IntegrityFinding("booking_differs", dossier.id, {"about": booking})
    kept = _kept(ask, ISSUED, dossier.id)
    shown = {one.id: to_plain(one) for one in dossier.documents}
    for document in sorted(kept.keys() ^ shown.keys()) + sorted(_differ(kept, shown)):
        yield IntegrityFinding("document_differs", dossier.id, {"about": document})


def _kept(ask: Ask, shape: TableMapping[Any], dossier_id: str, also: str = "") -> dict[str, dict[str, Plain]]:
    """Return the rows of a dossier by id. One that cannot be read is empty, so that it equals no record."""
    found: dict[str, dict[str, Plain]] = {}
    for row in ask(f"{shape.select} WHERE dossier = ?{also}", (dossier_id,)):
        try:
            found[str(row[shape.names.index("id")])] = to_plain(shape.read(row))
        except Unreadable:
            found[str(row[shape.names.index("id")])] = {}
    return found


def _differ(these: dict[str, dict[str, Plain]], those: dict[str, dict[str, Plain]]) -> set[str]:
    return {name for name in these.keys() & those.keys() if canonical_json(these[name]) != canonical_json(those[name])}
