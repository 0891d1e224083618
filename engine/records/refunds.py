"""Money as operators report it, and refunds due until they are paid: one for each journal entry that owes money."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.records.codec import Unreadable, instant_text, read_instant
from engine.records.dossier import PaymentStatus

_DIGITS: Final = 9  # most digits of an entry's number


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """What a provider reported once. `verified` means confirmed by our own status call."""

    provider: str
    event_id: str
    payment: str | None
    kind: PaymentStatus
    amount: int
    currency: str
    at: datetime
    verified: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """Francs to give back, recorded by the journal entry `entry`.

    With a `fee`: an act gives back a price, with one entry for each payer. Without: a payment exceeded the
    price. `payer` is the number that paid. A paid refund has its date, agent and reference.
    """

    dossier: str
    entry: int
    procedure: str
    fee: str | None
    payment: str | None
    payer: str
    amount: int
    owed_at: datetime
    paid_at: datetime | None = None
    paid_by: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class RefundMark:
    """Position where the next page of a list begins. The oldest refunds come first."""

    owed_at: datetime
    dossier: str
    entry: int


def mark_text(refund: Refund) -> str:
    """Return the position after a line, for use in a URL."""
    return f"{instant_text(refund.owed_at)}~{refund.dossier}~{refund.entry}"


def read_mark(text: str | None) -> RefundMark | None:
    """Return the position of a URL. None, the first page, for a text that `mark_text` does not write."""
    instant, _, rest = (text or "").partition("~")
    dossier, _, entry = rest.partition("~")
    if not dossier or not entry.isascii() or not entry.isdecimal() or len(entry) > _DIGITS:
        return None
    try:
        return RefundMark(read_instant(instant), dossier, int(entry))
    except Unreadable:
        return None


REFUNDS = """
CREATE TABLE refund (
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  entry INTEGER NOT NULL,
  procedure TEXT NOT NULL,
  fee TEXT,
  payment TEXT,
  payer TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  owed_at TEXT NOT NULL,
  paid_at TEXT,
  paid_by TEXT,
  reference TEXT,
  PRIMARY KEY (dossier, entry),
  CHECK ((paid_at IS NULL) = (paid_by IS NULL) AND (paid_at IS NULL) = (reference IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX refund_open ON refund (procedure, owed_at, dossier, entry) WHERE paid_at IS NULL;
"""


def owed_so_far(cell: Callable[[str, str], str], whole: Callable[[str, str], str]) -> Iterator[str]:
    """Yield the statements that fill the table from journals written before it existed. `cell` and `whole`
    give the SQL of a text and a number of a JSON column."""
    into = "INSERT INTO refund (dossier, entry, procedure, fee, payment, payer, amount, owed_at)"
    entry = "FROM entry e JOIN dossier d ON d.id = e.dossier"
    paid = f"{entry} JOIN payment p ON p.id = {cell('e.body', 'payment')}"
    yield (
        f"{into} SELECT e.dossier, e.n, d.procedure, NULL, p.id, p.payer, {whole('e.body', 'extra')}, e.at {paid}"
        f" WHERE e.kind = 'credited' AND {whole('e.body', 'extra')} > 0"
    )
    known = (
        f"(SELECT coalesce(max({whole('b.body', 'amount')}), 0) FROM entry b WHERE b.dossier = e.dossier AND b.n < e.n"
        f" AND b.kind IN ('credited', 'overpaid') AND {cell('b.body', 'payment')} = p.id)"
    )
    more = f"{whole('e.body', 'amount')} - {known}"
    yield (
        f"{into} SELECT e.dossier, e.n, d.procedure, NULL, p.id, p.payer, {more}, e.at {paid}"
        f" WHERE e.kind = 'overpaid' AND {more} > 0"
    )
    fee = cell("e.body", "fee")
    of_it = (
        "FROM payment p WHERE p.dossier = e.dossier AND p.status IN ('paid', 'overpaid')"
        f""" AND p.fees LIKE '%"' || {fee} || '"%' ORDER BY p.started_at DESC LIMIT 1"""
    )
    yield (
        f"{into} SELECT e.dossier, e.n, d.procedure, {fee}, (SELECT p.id {of_it}), coalesce((SELECT p.payer {of_it}), ''),"
        f" {whole('e.body', 'amount')}, e.at {entry} WHERE e.kind = 'refund_owed' AND {whole('e.body', 'amount')} > 0"
    )
