"""Lines of receipts, and their verification by third parties, by the QR code or by two numbers.

The code is the payment id with a signature over the content of the receipt. Nothing is stored for it,
and an id without a valid signature is not revealed. Older receipts have no such code: their number is
asked with the dossier number. One dossier number in a hundred million exists.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.core.values import Plain, Text, digits_only, has_check_digit
from engine.journal.chain import JournalEntry
from engine.journal.present_names import in_present_names
from engine.records.dossier import RECEIVED, Actor, Dossier, OwedLine, Payment
from engine.records.refunds import Refund
from engine.services.context.app_context import NUMBER_DIGITS, AppContext, pinned, seen
from engine.services.context.rate_limit import too_many
from engine.services.keys.signing_keys import has_signed
from engine.services.limits import guesses
from engine.services.limits.code_limits import CHECKS_PER_BROWSER, UNKNOWN_ASKER, Asker, limits_of
from engine.storage.unit_of_work import Unit

NUMBER: Final = re.compile(r"Q-[0-9]{4}-[0-9]{6,9}")
WRONG_A_DAY: Final = 10_000  # for one dossier number, from all addresses
_ID, _CODE = 22, 108  # characters: of an id, of an id with its signature


@dataclass(frozen=True, slots=True)
class ReceiptVerdict:
    """What a third party may know of a payment: only the last characters of payer and dossier number.

    `unknown` reveals nothing else.
    """

    kind: Literal["received", "repaid", "unknown"]
    receipt: str = ""
    amount: int = 0
    paid_on: date | None = None
    payer: str = ""
    title: Text | None = None
    agency: Text | None = None
    dossier: str = ""
    repaid: int = 0  # francs of the receipt that were paid back


UNKNOWN: Final = ReceiptVerdict("unknown")


def receipt_lines(ctx: AppContext, actor: Actor, payment: Payment) -> tuple[OwedLine, ...]:
    """Return the lines of the prices that a payment paid. Raises `NotFound`.

    Only the francs paid are known of a price that changed since: each fee is then one line.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, payment.dossier)
        found = _credited(in_present_names(unit.entries(dossier.id)), payment)
        procedure = pinned(ctx, unit, dossier)
    shares, prices = found if found is not None else (dict.fromkeys(payment.fees, 0), None)
    kept = [owed for fee in shares if (owed := dossier.owed.get(fee)) is not None]
    ended = payment.ended_at or payment.started_at
    if prices is None or (
        len(kept) == len(shares) and all(one.amount == prices.get(one.fee) and one.at <= ended for one in kept)
    ):
        return tuple(line for owed in kept for line in owed.lines)
    labels, left, lines = {fee.id: fee.label for fee in procedure.fees()}, payment.amount, list[OwedLine]()
    for fee, francs in shares.items():
        part = min(left, francs)
        if part > 0 and fee in labels:
            lines.append(OwedLine(fee, labels[fee].in_(dossier.language), part))
            left -= part
    return tuple(lines)


def _credited(entries: Iterable[JournalEntry], payment: Payment) -> tuple[dict[str, int], dict[str, Plain]] | None:
    """Return the francs that a payment paid of each fee and the prices of that moment, None if the journal has no such entry."""
    prices, shares, then = dict[str, Plain](), dict[str, int](), dict[str, Plain]()
    for entry in entries:
        body = entry.body if isinstance(entry.body, Mapping) else {}
        if entry.kind == "credited" and body.get("payment") == payment.id:
            return shares, then
        fees, priced = body.get("fees"), body.get("priced")
        if entry.kind == "paid" and isinstance(fees, Mapping):
            shares = {str(fee): francs for fee, francs in fees.items() if isinstance(francs, int)}
            then = dict(prices)
        prices.update(priced if isinstance(priced, Mapping) else {})
    return None


def receipt_code(ctx: AppContext, payment: Payment) -> str:
    """Return the text of the QR code of a receipt."""
    _, signature = ctx.keys.sign_bytes(_said(payment))
    return payment.id + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


def is_receipt_code(code: str) -> bool:
    """Return whether a text has the length of a receipt code; it is not verified."""
    return len(code) == _CODE


def verify_receipt(ctx: AppContext, code: str) -> ReceiptVerdict:
    """Verify a receipt by its code. A code without a valid signature gives `UNKNOWN`."""
    try:
        signature = base64.urlsafe_b64decode(code[_ID:] + "==")
    except (ValueError, binascii.Error):
        return UNKNOWN
    with ctx.store.unit() as unit:
        payment = unit.payment(code[:_ID])
        if payment is None or not any(has_signed(key, signature, _said(payment)) for key in ctx.keys.public_keys()):
            return UNKNOWN
        return _verdict(ctx, unit, payment)


def verify_receipt_number(ctx: AppContext, receipt: str, number: str, asker: Asker = UNKNOWN_ASKER) -> ReceiptVerdict:
    """Verify a receipt by its number and the dossier number. Raises Refused("too_many_tries")."""
    digits = digits_only(number)[:NUMBER_DIGITS]
    tries = guesses.limits_of(f"receipt_of:{digits}", WRONG_A_DAY, client=asker.client, browser="")
    with ctx.store.unit(write=True) as unit:
        asked = limits_of(asker, "verify", CHECKS_PER_BROWSER)
        closed = too_many(unit, ctx.now(), *asked) or guesses.shut(unit, ctx.now(), tries)
        if closed is None and len(digits) == NUMBER_DIGITS and has_check_digit(digits):
            dossier = unit.dossier_numbered(digits)
            payments = unit.payments_of(dossier.id) if dossier is not None else ()
            found = next((one for one in payments if one.receipt and one.receipt == receipt.strip().upper()), None)
            if found is not None:
                return _verdict(ctx, unit, found)
            guesses.count_wrong(unit, ctx.now(), tries)
    if closed is not None:
        raise Refused(closed)
    return UNKNOWN


def _said(payment: Payment) -> bytes:
    return "\x1f".join(("guichet receipt", payment.id, payment.receipt or "", str(payment.amount))).encode()


def _verdict(ctx: AppContext, unit: Unit, payment: Payment) -> ReceiptVerdict:
    dossier = unit.dossier(payment.dossier)
    if dossier is None or payment.status not in RECEIVED or payment.receipt is None:
        return UNKNOWN
    identity = pinned(ctx, unit, dossier).identity
    agency = ctx.directory.agencies.get(identity.agency)
    repaid = _repaid(unit, dossier, payment)
    return ReceiptVerdict(
        "repaid" if repaid >= payment.amount else "received", payment.receipt, payment.amount,
        local_day(payment.ended_at or payment.started_at), _masked(payment.payer), identity.title,
        agency.label if agency else None, _masked(dossier.number, 4), repaid,
    )  # fmt: skip


def _repaid(unit: Unit, dossier: Dossier, payment: Payment) -> int:
    """Return the francs of the receipt that were paid back of this payment.

    Of several payments of a payer, the last is paid back first: the last before the refund arose. A later one
    paid a price that was asked again.
    """
    payer, paid_back = payment.payer or payment.id, [one for one in unit.refunds_of(dossier.id) if one.paid_at]
    received = [one for one in unit.payments_of(dossier.id) if one.receipt and (one.payer or one.id) == payer]
    latest_first = sorted(received, key=lambda one: one.ended_at or one.started_at, reverse=True)
    repaid = {one.id: _repaid_over(unit, one, paid_back) for one in latest_first}
    for refund in paid_back:
        left = refund.amount if refund.fee is not None and (refund.payer or refund.payment) == payer else 0
        for one in latest_first:
            if (one.ended_at or one.started_at) <= refund.owed_at:
                part = min(left, one.amount - repaid[one.id])
                repaid[one.id], left = repaid[one.id] + part, left - part
    return repaid.get(payment.id, 0)


def _repaid_over(unit: Unit, payment: Payment, paid_back: Iterable[Refund]) -> int:
    """Return the francs of the receipt that were paid back because the price was already paid.

    What the operator collected above the order is not on the receipt.
    """
    over = sum(one.amount for one in paid_back if one.fee is None and one.payment == payment.id)
    if not over:
        return 0
    received = (one.amount for one in unit.events_of(payment.id) if one.verified and one.kind in RECEIVED)
    collected = max(received, default=payment.amount)
    return max(0, over - max(0, collected - payment.amount))


def _masked(number: str, shown: int = 2) -> str:
    return f"••• {number[-shown:]}" if number else ""
