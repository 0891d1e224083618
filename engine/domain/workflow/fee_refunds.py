"""Whose money goes back when a price is given back: each payer is owed what they paid of it, never somebody else's.

The last payment goes back first, up to the amount: what an agency keeps of a price given back in part is what came in
first, as when a payment that was not needed any more is undone. A payer who paid several times is owed one sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.core.values import Plain
from engine.journal.chain import JournalEntry
from engine.records.dossier import Payment


@dataclass(frozen=True, slots=True)
class Brought:
    """Francs of a price that a payment brought and that were not given back."""

    payment: str
    payer: str
    francs: int


def shared_back(brought: Sequence[Brought], francs: int) -> tuple[Brought, ...]:
    """An amount given back, one share a payer, under the last payment of theirs: the last payment first. What no known
    payment brought is nobody's share."""
    shares: dict[str, Brought] = {}
    for one in reversed(brought):
        part = min(one.francs, francs)
        if part > 0:
            known, francs = shares.get(one.payer), francs - part
            shares[one.payer] = replace(known or one, francs=part + (known.francs if known else 0))
    return tuple(shares.values())


def without(brought: Sequence[Brought], shares: Iterable[Brought]) -> tuple[Brought, ...]:
    """What is left once these shares went back."""
    for one in shares:
        brought = _less(brought, one.payer, one.francs)
    return tuple(brought)


def brought_for(
    fee: str, price: int, entries: Iterable[JournalEntry], payments: Iterable[Payment], now_paid: Mapping[str, int]
) -> tuple[Brought, ...]:
    """What payments brought of a price as it stands, in the order they came, less what was given back of it. What came in
    over the price is no part of it, and a price asked anew begins again. `now_paid`: what is credited to each price in the
    very unit that gives back, by the payment that the journal does not name yet."""
    known = {one.id: one for one in payments}
    found, left, reported = list[Brought](), price, set[str]()
    for kind, body in _with_shares(entries):
        payment = known.get(str(body.get("payment")))
        if kind == "credited" and payment is not None:
            reported.add(payment.id)
            found, left = _with(found, left, payment, fee, body.get("fees"))
        elif kind == "refund_owed" and body.get("fee") == fee:
            found = _less(found, _payer(payment) if payment else None, body.get("amount"))
        reopened = body.get("reopened")
        if isinstance(reopened, list) and fee in reopened:
            found, left = [], price
    fresh = [one for one in known.values() if one.id not in reported and one.status in ("paid", "overpaid")]
    for payment in fresh[-1:]:
        found, left = _with(found, left, payment, fee, dict(now_paid))
    return tuple(found)


def _with_shares(entries: Iterable[JournalEntry]) -> Iterator[tuple[str, Mapping[str, Plain]]]:
    """Entries by kind, that of a credit with what it came to for each price: the entry before it says so."""
    shares: Plain = None
    for entry in entries:
        body = entry.body if isinstance(entry.body, Mapping) else {}
        if entry.kind == "paid":
            shares = body.get("fees")
        yield entry.kind, {**body, "fees": shares} if entry.kind == "credited" else body


def _with(
    found: list[Brought], left: int, payment: Payment, fee: str, shares: Plain
) -> tuple[list[Brought], int]:  # fmt: skip
    said = shares.get(fee) if isinstance(shares, Mapping) else None
    francs = min(left, said) if isinstance(said, int) else 0
    return ([*found, Brought(payment.id, _payer(payment), francs)], left - francs) if francs > 0 else (found, left)


def _payer(payment: Payment) -> str:
    """Who paid: a wallet's number; of a card, of which nothing is kept, each payment is somebody's own."""
    return payment.payer or payment.id


def _less(found: Sequence[Brought], payer: str | None, amount: Plain) -> list[Brought]:
    """What is left once an amount went back to a payer; to nobody known, as before payers were told apart: the last first."""
    left, kept = amount if isinstance(amount, int) else 0, list[Brought]()
    for one in reversed(found):
        part = min(left, one.francs) if payer in (None, one.payer) else 0
        left -= part
        kept.append(replace(one, francs=one.francs - part))
    return [one for one in reversed(kept) if one.francs]
