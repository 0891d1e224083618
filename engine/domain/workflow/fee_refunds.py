"""Refunds of fees by payer: each payer gets back only their own payments.

The last payment is refunded first, up to the amount. After a partial refund the agency thus has the earliest
payments, as if an unneeded payment were undone. A payer of several payments gets one sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.core.values import Plain
from engine.journal.chain import JournalEntry
from engine.records.dossier import Payment


@dataclass(frozen=True, slots=True)
class Brought:
    """The francs of a fee that a payment paid and that were not refunded."""

    payment: str
    payer: str
    francs: int


def shared_back(brought: Sequence[Brought], francs: int) -> tuple[Brought, ...]:
    """Return the shares of a refund, one per payer under their last payment, the last payment first.

    An amount that no known payment paid is in no share.
    """
    shares: dict[str, Brought] = {}
    for one in reversed(brought):
        part = min(one.francs, francs)
        if part > 0:
            known, francs = shares.get(one.payer), francs - part
            shares[one.payer] = replace(known or one, francs=part + (known.francs if known else 0))
    return tuple(shares.values())


def without(brought: Sequence[Brought], shares: Iterable[Brought]) -> tuple[Brought, ...]:
    """Return what remains after these shares."""
    for one in shares:
        brought = _less(brought, one.payer, one.francs)
    return tuple(brought)


def brought_for(
    fee: str, price: int, entries: Iterable[JournalEntry], payments: Iterable[Payment], now_paid: Mapping[str, int]
) -> tuple[Brought, ...]:
    """Return the payments of a fee's present price, in order, less earlier refunds.

    An overpayment is no part of it. A fee that is requested again starts at zero. `now_paid` is credited to
    each fee in the same unit of work. The journal does not name that payment yet.
    """
    known = {one.id: one for one in payments}
    found, left, reported = list[Brought](), price, set[str]()
    for kind, body in _with_shares(entries):
        payment = known.get(str(body.get("payment")))
        if kind == "credited" and payment is not None:
            reported.add(payment.id)
            found, left = _with(found, left, payment, fee, _priced(body, payment))
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
    """Yield entries by kind. A credit gets its amount per fee from the entry before it."""
    shares: Plain = None
    for entry in entries:
        body = entry.body if isinstance(entry.body, Mapping) else {}
        if entry.kind == "paid":
            shares = body.get("fees")
        yield entry.kind, {**body, "fees": shares} if entry.kind == "credited" else body


def _priced(body: Mapping[str, Plain], payment: Payment) -> Plain:
    """Return the shares of a credit without its surplus, which stays on the last fee and was owed back at once."""
    shares, extra = body.get("fees"), body.get("extra")
    if not isinstance(shares, Mapping) or not isinstance(extra, int):
        return shares
    last = next(iter(shares)) if len(shares) == 1 else payment.fees[-1]
    said = shares.get(last)
    return {**shares, last: said - extra} if isinstance(said, int) else dict(shares)


def _with(
    found: list[Brought], left: int, payment: Payment, fee: str, shares: Plain
) -> tuple[list[Brought], int]:  # fmt: skip
    said = shares.get(fee) if isinstance(shares, Mapping) else None
    francs = min(left, said) if isinstance(said, int) else 0
    return ([*found, Brought(payment.id, _payer(payment), francs)], left - francs) if francs > 0 else (found, left)


def _payer(payment: Payment) -> str:
    """Return the payer: the number of a wallet. Cards have no stored payer, so each payment is its own payer."""
    return payment.payer or payment.id


def _less(found: Sequence[Brought], payer: str | None, amount: Plain) -> list[Brought]:
    """Return what remains after a refund to a payer.

    Old refunds name no payer and take from the last payment first.
    """
    left, kept = amount if isinstance(amount, int) else 0, list[Brought]()
    for one in reversed(found):
        part = min(left, one.francs) if payer in (None, one.payer) else 0
        left -= part
        kept.append(replace(one, francs=one.francs - part))
    return [one for one in reversed(kept) if one.francs]
