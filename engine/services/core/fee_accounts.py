"""The account of each fee of a dossier: paid, left, due dates by instalment, and given back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from engine.domain.common.decision import Decision
from engine.domain.common.working_time import add_span
from engine.domain.fields.scope import scope_of
from engine.journal.chain import JournalEntry
from engine.journal.present_names import MIGRATED, in_present_names
from engine.model import Fee, Instalments, Procedure
from engine.records.dossier import Actor, Dossier, Owed, OwedLine, Payment
from engine.services.context.app_context import AppContext, pinned, seen
from engine.storage.unit_of_work import Unit

DepositOutcome: TypeAlias = Literal["none", "held", "returned", "kept"]


@dataclass(frozen=True, slots=True)
class InstalmentStatus:
    """One instalment: its amount in francs, its due date (None if no day is set), and whether it is paid."""

    amount: int
    due: datetime | None
    paid: bool


@dataclass(frozen=True, slots=True)
class FeeAccount:
    """One fee as its quote fixed it, in francs.

    `parts` are its instalments where the procedure allows several. `open`: it can be paid now. `due` is
    the date of the next payment. `returned` francs are given back to the payer. `deposit` is the
    outcome of a deposit.
    """

    fee: str
    label: str
    amount: int
    paid: int
    lines: tuple[OwedLine, ...]
    open: bool
    due: datetime | None
    parts: tuple[InstalmentStatus, ...]
    deposit: DepositOutcome
    returned: int

    @property
    def left(self) -> int:
        """The francs still to pay, never negative."""
        return max(0, self.amount - self.paid)

    @property
    def next_part(self) -> InstalmentStatus | None:
        """The first unpaid instalment, None if all are paid or the fee has no instalments."""
        return next((part for part in self.parts if not part.paid), None)


def fee_accounts(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[FeeAccount, ...]:
    """Return every fee that is due on the dossier, in the order of the definition. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        given_back = refunds(in_present_names(unit.entries(dossier.id)))
    return tuple(
        _account(ctx, procedure, dossier, fee, given_back) for fee in procedure.fees() if fee.id in dossier.owed
    )


def refunds(entries: Iterable[JournalEntry]) -> dict[str, int]:
    """Return the francs that states and acts give back, by fee, as the journal records them."""
    found: dict[str, int] = {}
    for entry in entries:
        if entry.kind != "refund_owed" or not isinstance(entry.body, Mapping):
            continue
        fee, amount = entry.body.get("fee"), entry.body.get("amount")
        if isinstance(fee, str) and isinstance(amount, int):
            found[fee] = found.get(fee, 0) + amount
    return found


def entries_before(unit: Unit, decision: Decision) -> tuple[JournalEntry, ...]:
    """Return the journal before a decision, with the fees under the names that the decision uses."""
    moves = (one.body for one in decision.entries if one.kind == MIGRATED)
    return in_present_names(unit.entries(decision.dossier.id), moves)


def fees_now(unit: Unit, payment: Payment) -> tuple[str, ...]:
    """Return the fees of a payment under the present names of its dossier, which may have migrated since."""
    for entry in in_present_names(unit.entries(payment.dossier)):
        body = entry.body if isinstance(entry.body, Mapping) else {}
        fees = body.get("fees")
        if entry.kind == "payment_started" and body.get("payment") == payment.id and isinstance(fees, list):
            return tuple(str(one) for one in fees)
    return payment.fees


def given_back(entries: Iterable[JournalEntry], decision: Decision) -> tuple[tuple[str, int, int], ...]:
    """Return what a decision gives back, as (fee, percent, francs): first of each price that it asks again.

    `entries` are those of `entries_before`.

    It is a part of the price and never exceeds what was received for it, whatever states and acts say.
    Money above the price is given back in any case (`surplus`).
    """
    gone = _gone_already(entries)
    former = tuple(_given(owed, percent, gone) for owed, percent in decision.former)
    for owed, _ in decision.former:
        gone.pop(owed.fee, None)
    owed_now = decision.dossier.owed
    present = ((owed_now[fee], percent) for fee, percent in decision.returns if fee in owed_now)
    return (*former, *(_given(owed, percent, gone) for owed, percent in present))


def _given(owed: Owed, percent: int, gone: dict[str, int]) -> tuple[str, int, int]:
    """Return what goes back of a price, and count it as gone."""
    paid = min(owed.kept, owed.amount)
    francs = max(0, min(paid * percent // 100, paid - gone.get(owed.fee, 0)))
    gone[owed.fee] = gone.get(owed.fee, 0) + francs
    return owed.fee, percent, francs


def _gone_already(entries: Iterable[JournalEntry]) -> dict[str, int]:
    """Return the francs given back of each present price. A reopened fee starts at zero again."""
    found: dict[str, int] = {}
    for entry in entries:
        for fee, amount in refunds([entry]).items():
            found[fee] = found.get(fee, 0) + amount
        reopened = entry.body.get("reopened") if isinstance(entry.body, Mapping) else None
        for name in reopened if isinstance(reopened, list) else ():
            found.pop(str(name), None)
    return found


def _account(
    ctx: AppContext, procedure: Procedure, dossier: Dossier, fee: Fee, given_back: Mapping[str, int]
) -> FeeAccount:
    owed, returned = dossier.owed[fee.id], given_back.get(fee.id, 0)
    state = procedure.states.get(dossier.state)
    awaited = dossier.closed_at is None and state is not None and fee.id in state.waits
    is_open = bool(owed.left) and (awaited or fee.id in dossier.done)
    parts = tuple(_parts(ctx, procedure, dossier, fee)) if is_open or owed.left == 0 else ()
    upcoming = next((part.due for part in parts if not part.paid), None)
    due = (upcoming if parts else dossier.due_at if awaited else None) if is_open else None
    return FeeAccount(
        fee.id, owed.label, owed.amount, owed.kept, owed.lines, is_open, due, parts,
        _outcome(dossier, fee, owed.kept, returned), returned,
    )  # fmt: skip


def _outcome(dossier: Dossier, fee: Fee, paid: int, returned: int) -> DepositOutcome:
    if not fee.deposit or not paid:
        return "none"
    if returned:
        return "returned"
    return "kept" if dossier.closed_at is not None else "held"


def _parts(ctx: AppContext, procedure: Procedure, dossier: Dossier, fee: Fee) -> Iterator[InstalmentStatus]:
    """Yield the instalments; the last is smaller when the price does not divide.

    The first unpaid one is due on the day of the state while the state waits for it. Each further one
    follows after a span. No day moves forward when a part is paid.
    """
    plan, owed = fee.instalments, dossier.owed[fee.id]
    scope = scope_of(procedure, dossier, ctx.day(), ctx.directory)
    if plan is None or plan.most < 2 or not owed.amount or not plan.when.holds(scope):
        return
    share, done, left = plan.share(owed.amount), dossier.done.get(fee.id), owed.amount
    number = ahead = 0
    while left > 0:
        amount = min(share, left)
        left -= amount
        paid = owed.kept >= owed.amount - left
        yield InstalmentStatus(
            amount, None if paid else _due(ctx, plan, dossier, done.at if done else None, number, ahead), paid
        )
        number, ahead = number + 1, ahead + (not paid)


def _due(
    ctx: AppContext, plan: Instalments, dossier: Dossier, opened: datetime | None, number: int, ahead: int
) -> datetime | None:
    calendar = ctx.directory.calendar
    if opened is not None:  # paid enough to leave the state: the rest counts from that day
        return add_span(opened, replace(plan.every, count=plan.every.count * number), calendar) if number else opened
    due = dossier.due_at
    if due is None or not ahead:
        return due
    if plan.opens == "first":  # as if the first part was paid now: a later one moves no other part forward
        return add_span(min(due, ctx.now()), replace(plan.every, count=plan.every.count * number), calendar)
    for _ in range(ahead):  # one span after another, as the state's time moves with each part (`actions.pay`)
        due = add_span(due, plan.every, calendar)
    return due
