"""State of each fee of a dossier in words: paid, left, due date, refunded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from engine.model import CASH
from engine.records.dossier import OwedLine, Payment
from engine.services.core.fee_accounts import FeeAccount
from engine.services.payments.refunds import OwedBack
from engine.services.payments.settlement import RECEIVED
from renderers.web.platform.dossier_context import DossierContext, label
from renderers.web.platform.request_context import app_ctx, day_of, language, say, site
from renderers.web.shared.row_results import DocumentLine


@dataclass(frozen=True, slots=True)
class PaymentLine:
    """One attempt to pay that brought no money yet. The address is that of its page while it is open."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class PartLine:
    """One instalment: amount and due date in words, and whether it is paid."""

    amount: str
    when: str
    paid: bool


@dataclass(frozen=True, slots=True)
class MoneyLine:
    """One fee: its sentences, then its instalments if there are several."""

    title: str
    lines: tuple[str, ...]
    parts: tuple[PartLine, ...] = ()
    open: bool = False


def francs(amount: int) -> str:
    """Return an amount in francs, in the language of the page."""
    return site().words.money(amount, language())


def money_lines(one: DossierContext) -> list[MoneyLine]:
    """Return all fees that became due, with their payments and refunds."""
    awaited = one.awaited
    back = [line for line in one.refunds if line.refund.fee is not None]
    return [
        money_line(account, awaited, [line for line in back if line.refund.fee == account.fee])
        for account in one.accounts
    ]


def money_line(
    account: FeeAccount, awaited: Payment | None = None, back: Iterable[OwedBack] = ()
) -> MoneyLine:  # fmt: skip
    """Return one fee.

    `awaited` is a payment without result, whose amount is not asked for meanwhile. `back` are its refunds.
    """
    parts = tuple(
        PartLine(francs(part.amount), say("money.part_before", day=day_of(part.due)) if part.due else "", part.paid)
        for part in account.parts
    )
    several = len(parts) > 1 and (account.open or account.paid < account.amount)
    return MoneyLine(
        account.label, (*_said(account, awaited), *map(fee_line, back)), parts if several else (), account.open
    )


def first_due(accounts: Iterable[FeeAccount]) -> datetime | None:
    """Return the earliest day by which one of the fees is to be paid, None without one."""
    return min((account.due for account in accounts if account.due is not None), default=None)


def provider_label(provider: str) -> str:
    """Return the name of a payment operator, cash included. An unknown one keeps its code."""
    if provider == CASH:
        return say("counter.cash")
    known = app_ctx().providers.get(provider)
    return known.label if known else provider


def _said(account: FeeAccount, awaited: Payment | None) -> Iterator[str]:
    facts = {"paid": francs(account.paid), "amount": francs(account.amount), "left": francs(account.left)}
    checked = awaited if awaited is not None and account.left and account.fee in awaited.fees else None
    if checked is not None:
        key = "money.checking_part" if account.paid else "money.checking"
        yield say(key, **facts, provider=provider_label(checked.provider))
    elif not account.amount:
        yield say("money.nothing")
    elif not account.left:
        yield say("money.all_paid", **facts)
    elif account.paid:
        yield say("money.some_paid", **facts)
    elif account.open:
        yield say("money.none_paid", **facts)
    else:
        yield say("money.not_asked", **facts)
    upcoming = account.next_part if account.open and checked is None else None
    if upcoming is not None and upcoming.due is not None and account.paid:
        yield say("money.next", amount=francs(upcoming.amount), day=day_of(upcoming.due))
    elif account.open and account.due is not None and checked is None:
        yield say("money.before", day=day_of(account.due))
    if account.deposit != "none":
        held = min(account.paid, account.amount)  # an overpayment is shown with its payment
        kept = francs(max(0, held - account.returned))
        key = "returned_part" if account.deposit == "returned" and account.returned < held else account.deposit
        yield say(f"money.deposit_{key}", returned=francs(account.returned), kept=kept)
    elif account.returned:
        yield say("money.returned", returned=francs(account.returned))


def payment_lines(one: DossierContext) -> list[PaymentLine]:
    """Return the attempts to pay that brought no money, oldest first."""
    return [_payment(one, payment) for payment in one.payments if payment.status not in RECEIVED]


def receipt_lines(one: DossierContext) -> list[DocumentLine]:
    """Return the receipts, each with its day and what is or was refunded of it."""
    return [
        DocumentLine(
            say("track.receipt", amount=francs(payment.amount)),
            ". ".join([day_of(payment.ended_at or payment.started_at), *(over_line(line) for line in one.refunds if is_over(line, payment))]),
            one.at(f"/recu/{payment.id}.pdf"), say(f"payment.tag.{payment.status}"),
            "ok" if payment.status == "paid" else "act",
        )
        for payment in one.payments if payment.status in RECEIVED
    ]  # fmt: skip


def is_over(line: OwedBack, payment: Payment) -> bool:
    """Return whether the refund is the overpayment of this payment."""
    return line.refund.payment == payment.id and line.refund.fee is None


def over_line(line: OwedBack) -> str:
    """Return the overpaid amount, and when it is or was refunded."""
    return say("refund.citizen_over" if line.refund.paid_at else "refund.citizen_over_owed", **_back(line))


def fee_line(line: OwedBack) -> str:
    """Return the refunded part of a fee, and when it is or was refunded."""
    return say("refund.citizen_paid" if line.refund.paid_at else "refund.citizen_owed", **_back(line))


def _back(line: OwedBack) -> dict[str, str]:
    refund = line.refund
    return {
        "amount": francs(refund.amount), "until": day_of(line.due), "reference": refund.reference or "",
        "day": day_of(refund.paid_at) if refund.paid_at else "",
    }  # fmt: skip


def _payment(one: DossierContext, payment: Payment) -> PaymentLine:
    key = payment.status if payment.status in ("pending", "unknown") else "failed"
    day = day_of(payment.ended_at or payment.started_at)
    text = say(f"payment.line_{key}", amount=francs(payment.amount), day=day)
    return PaymentLine(text, one.at(f"/paiement/{payment.id}") if key != "failed" else "")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of the fee table: how it is computed, and its law."""

    label: str
    amount: int
    detail: str
    law: str
    exempt: bool


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The lines of a fee and their total in francs."""

    label: str
    lines: tuple[PriceLine, ...]
    total: int
    left: bool = False  # a part is already paid
    note: str = ""


def price_table(one: DossierContext, title: str, lines: tuple[OwedLine, ...], total: int) -> PriceTable:
    """Return the lines of a fee with their laws. A line of one row names it."""
    names = _row_names(one, lines)
    return PriceTable(title, tuple(_price_line(one, line, names.get(line.id, "")) for line in lines), total)


def _price_line(one: DossierContext, line: OwedLine, row: str) -> PriceLine:
    law = one.procedure.laws.get(line.basis or "")
    detail = ""
    if line.unit_amount is not None and line.times is not None:
        amount = site().words.money(line.unit_amount, language())
        key = "price.each" if line.per else "price.times"
        detail = say(key, amount=amount, per=line.per or "", times=line.times)
    plain = line.label.removesuffix(f" ({line.id.rpartition('.')[2]})")
    return PriceLine(
        say("row.of", group=plain, label=row) if row else line.label, line.amount, detail,
        label(law.title) if law and law.is_public else "", line.exempt,
    )  # fmt: skip


def _row_names(one: DossierContext, lines: tuple[OwedLine, ...]) -> dict[str, str]:
    """Return the names of rows for the lines that price each of them (`visa.2`)."""
    groups = {known.id: known.for_each for fee in one.procedure.fees() for known in fee.lines if known.for_each}
    if not any(line.id.partition(".")[0] in groups for line in lines):
        return {}
    views = {view.id: view for part in one.form().pages for view in part.fields if view.type == "rows"}
    return {
        f"{name}.{at}": row.label
        for name, group in groups.items() if group in views
        for at, row in enumerate(views[group].rows, 1) if row.label
    }  # fmt: skip
