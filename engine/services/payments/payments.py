"""What is owed on a dossier, how it may be paid, and the start of a payment.

Settlement handles the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain, new_id
from engine.domain.common.access import is_helped, is_owner
from engine.domain.common.decision import EntryDraft
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.fee_quotes import part_of
from engine.domain.workflow.tasks import open_tasks
from engine.integrations.payment_provider import CURRENCY, NO_CUSTOMER, Customer, order_of
from engine.model import CASH, MOBILE_MONEY, PAYMENT_METHODS, Fee, Procedure
from engine.model.roles import receiving_roles
from engine.records.dossier import Actor, Dossier, Owed, Payment
from engine.records.refunds import PaymentEvent
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.context.contact_parsing import is_of, number_of, read_phone
from engine.services.context.rate_limit import Limit, too_many
from engine.services.core.call_queue import QueuedCall, is_served, queue_call
from engine.services.core.fee_accounts import fees_now
from engine.services.core.idempotency import Memory, once
from engine.services.core.journalling import journalise
from engine.services.limits.file_counts import counted_as
from engine.services.payments.customers import seal_customer
from engine.services.payments.settlement import OPEN, SECOND_THOUGHTS, credit, kept_payment
from engine.storage.unit_of_work import Unit

PAGE_LASTS: Final = timedelta(minutes=30)  # at least, for a card: it is typed on a page and its bank may ask more
# in a quarter of an hour: each order makes a phone ring, which may belong to any person
TRIES_PER_DOSSIER: Final = 10
TRIES_PER_ACCOUNT: Final = 20
TRIES_AT_COUNTER: Final = 40  # of an agent who helps one person after another
TRIES_PER_FOREIGN_NUMBER: Final = 3  # by one account, for a number that is not its own
FOREIGN_A_DAY: Final = 30  # of these in a day: a tired holder may confirm what is not theirs
TRIES_PER_NUMBER: Final = 10  # from all dossiers and accounts together


# -- amounts due -------------------------------------------------------------------------------------------------------


def owed(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[Owed, ...]:
    """Return the quotes to pay now, as they were fixed when they fell due. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        return due_now(ctx, pinned(ctx, unit, dossier), dossier)


def due_now(ctx: AppContext, procedure: Procedure, dossier: Dossier) -> tuple[Owed, ...]:
    """Return the quotes of open fees, and of fees paid in part, that have an amount left."""
    scope = scope_of(procedure, dossier, local_day(ctx.now()), ctx.directory)
    fees = {task.id for task in open_tasks(procedure, dossier, scope) if isinstance(task, Fee)}
    fees |= {fee.id for fee in procedure.fees() if fee.id in dossier.done}  # the rest of a fee paid in part
    return tuple(one for name, one in dossier.owed.items() if name in fees and one.left)


def methods_of(procedure: Procedure, due: Iterable[Owed]) -> frozenset[str]:
    """Return the methods that every one of these fees takes.

    Unknown methods of older definitions are ignored.
    """
    fees = [procedure.tasks[one.fee] for one in due]
    taken = [set(PAYMENT_METHODS & {*fee.methods}) or {MOBILE_MONEY} for fee in fees if isinstance(fee, Fee)]
    return frozenset(set.intersection(*taken)) if taken else frozenset()


def payment_methods_of(ctx: AppContext, actor: Actor, dossier_id: str) -> frozenset[str]:
    """Return the methods by which what is owed now may be paid. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        return methods_of(procedure, due_now(ctx, procedure, dossier))


def least_owed(ctx: AppContext, actor: Actor, dossier_id: str) -> int:
    """Return the least that may be paid now, in francs.

    The next instalments where allowed, else all that is owed. Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    return sum(_parts(ctx, procedure, dossier).values())


def _parts(ctx: AppContext, procedure: Procedure, dossier: Dossier) -> dict[str, int]:
    scope = scope_of(procedure, dossier, local_day(ctx.now()), ctx.directory)
    fees = {fee.id: fee for fee in procedure.fees()}
    return {one.fee: part_of(fees[one.fee], one, scope) for one in due_now(ctx, procedure, dossier)}


def payments(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[Payment, ...]:
    """Return all payments of a dossier, whatever their status. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        return unit.payments_of(seen(unit, ctx, actor, dossier_id).id)


def see_payment(ctx: AppContext, actor: Actor, dossier_id: str, payment_id: str) -> Payment:
    """Return one payment of a dossier, with the present names of its fees.

    Raises `NotFound`, also for a payment of another dossier.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        payment = unit.payment(payment_id)
        if payment is None or payment.dossier != dossier.id:
            raise NotFound
        known = dossier.owed.keys() >= set(payment.fees)  # not renamed: the journal is not read
        return payment if known else replace(payment, fees=fees_now(unit, payment))


def returned_payment(ctx: AppContext, actor: Actor, provider: str, reference: str) -> tuple[Payment, str] | None:
    """Return the payment whose operator page sent the payer back, and the number of the dossier.

    None unless it belongs to the owner. Nothing else in the address is trusted.
    """
    with ctx.store.unit() as unit:
        payment = unit.payment_referenced(reference)
        dossier = unit.dossier(payment.dossier) if payment is not None and payment.provider == provider else None
        if payment is None or dossier is None or not is_owner(dossier, actor):
            return None
        return payment, dossier.number


# -- start -------------------------------------------------------------------------------------------------------------


def start_payment(
    ctx: AppContext, actor: Actor, dossier_id: str, *, provider: str, payer: str = "", part: bool = False,
    token: str | None = None, customer: Customer = NO_CUSTOMER, shown: int | None = None,
) -> Payment:  # fmt: skip
    """Open a payment of all that is owed now, or of the next instalments (`part`), and queue its order.

    `payer` is the number of a wallet, `customer` the data that card providers ask for, `shown` the sum that the payer
    read. Raises Refused: amount_changed (another sum is owed by now), phone_format, phone_country, unknown_provider, role, nothing_owed, too_many_tries.
    payment_pending and payment_unknown (payment, until): money may still come, and no fee is paid
    twice.
    method_refused: a fee does not take this method. amount_refused: the provider does not take this
    amount.
    payments_closed: no worker is alive, and nothing was begun.
    """
    connector = ctx.providers.get(provider)
    if connector is None:
        raise Refused(refusal("unknown_provider", provider=provider[:40]))
    phone = read_phone(payer) if "payer" in connector.asks else ""
    if phone and not is_of(phone, connector.countries):
        codes, examples = zip(*(number_of(one) for one in connector.countries), strict=True)
        raise Refused(refusal("phone_country", provider=connector.label, codes=codes, example=examples[0]))

    def work(unit: Unit) -> Payment:
        dossier = seen(unit, ctx, actor, dossier_id)
        if not is_owner(dossier, actor):
            raise Refused(refusal("role", roles=("applicant",)))
        return _open_payment(ctx, unit, dossier, provider, phone, actor, part, customer, shown)

    arguments = (dossier_id, provider, phone, *((part,) if part else ()))
    payment = once(ctx, actor, "start_payment", token, arguments, work, PAYMENT)
    ctx.wakeup.set()
    return payment


def _open_payment(
    ctx: AppContext, unit: Unit, dossier: Dossier, provider: str, phone: str, actor: Actor, part: bool,
    customer: Customer, shown: int | None,
) -> Payment:  # fmt: skip
    procedure, now = pinned(ctx, unit, dossier), ctx.now()
    due = due_now(ctx, procedure, dossier)
    if not due:
        raise Refused(refusal("nothing_owed"))
    if (other := awaited_in(unit, dossier, now)) is not None:
        raise Refused(_awaited(other))
    amount = sum(_parts(ctx, procedure, dossier).values()) if part else sum(one.left for one in due)
    if shown is not None and shown != amount:
        raise Refused(refusal("amount_changed"))
    rung = phone if ctx.providers[provider].rings else ""
    if (closed := too_many(unit, now, *_limits(unit, actor, dossier, rung))) is not None:
        raise Refused(closed)
    if not is_served(ctx, unit):
        raise Refused(refusal("payments_closed"))
    connector, wanted = ctx.providers[provider], methods_of(procedure, due)
    if connector.method not in wanted:
        raise Refused(refusal("method_refused", method=connector.method, wanted=tuple(sorted(wanted))))
    lasts = max(ctx.settings.payment_lasts, PAGE_LASTS if connector.method == "card" else timedelta())
    payment = Payment(
        new_id(), new_id(), dossier.id, tuple(one.fee for one in due), amount, provider, connector.method, phone, "pending",
        now, now + lasts,
    )  # fmt: skip
    if (refused := connector.accepts(order_of(payment))) is not None:
        raise Refused(refused)
    unit.add_payment(payment)
    queue_call(unit, QueuedCall("order", provider, payment.id, seal_customer(ctx, customer)), now)
    fees: list[Plain] = [*payment.fees]
    started: dict[str, Plain] = {
        "payment": payment.id, "provider": provider, "amount": payment.amount, "fees": fees,
    }  # fmt: skip
    journalise(unit, dossier, [EntryDraft("payment_started", started)], actor, now)
    return payment


def _limits(unit: Unit, actor: Actor, dossier: Dossier, rung: str) -> Iterator[Limit]:
    """Yield the limits on starting a payment.

    `rung` is the number whose phone rings; cards and the simulated operator ring none. The verified
    number of the person is not counted: other accounts cannot block it. A person is counted by their telephone, and in
    a day all accounts without one together: an e-mail address costs nothing.
    """
    if rung:
        yield Limit(f"payer:{actor.id}", TRIES_PER_ACCOUNT if actor.kind == "applicant" else TRIES_AT_COUNTER)
    yield Limit(f"pay:{dossier.id}", TRIES_PER_DOSSIER)
    account = unit.account(actor.id) if rung else None
    if account is not None and account.login != rung:
        if actor.kind == "applicant":
            who = counted_as(unit, actor.id)
            yield Limit(f"rung:{rung}/{who}", TRIES_PER_FOREIGN_NUMBER)
            yield Limit(f"rung:{rung}/{who if who != actor.id else 'free'}", FOREIGN_A_DAY, timedelta(days=1))
        yield Limit(f"rung:{rung}", TRIES_PER_NUMBER)


def _awaited(other: Payment) -> Refusal:
    until = (other.started_at + SECOND_THOUGHTS).isoformat(timespec="seconds")
    return refusal(f"payment_{other.status}", payment=other.id, until=until)


def awaited_payment(ctx: AppContext, actor: Actor, dossier_id: str) -> Payment | None:
    """Return the payment of the last day without a known result.

    While there is one, no other may be started. Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        return awaited_in(unit, seen(unit, ctx, actor, dossier_id), ctx.now())


def awaited_among(ctx: AppContext, actor: Actor, dossier_ids: Iterable[str]) -> frozenset[str]:
    """Return those of these dossiers with a payment that awaits its result.

    A list then does not ask to pay again. Raises `NotFound`.
    """
    ids, now = tuple(dossier_ids), ctx.now()
    if not ids:
        return frozenset()
    with ctx.store.unit() as unit:
        return frozenset(one for one in ids if awaited_in(unit, seen(unit, ctx, actor, one), now) is not None)


def awaited_in(unit: Unit, dossier: Dossier, now: datetime) -> Payment | None:
    """Return the first open payment of the dossier started within `SECOND_THOUGHTS`, None without one."""
    return awaited_of(unit.payments_of(dossier.id), now)


def awaited_of(payments: Iterable[Payment], now: datetime) -> Payment | None:
    """Return the first of the payments of a dossier that is open and was started within `SECOND_THOUGHTS`."""
    still = (one for one in payments if one.status in OPEN)
    return next((one for one in still if now < one.started_at + SECOND_THOUGHTS), None)


PAYMENT: Final[Memory[Payment]] = Memory(
    lambda payment: payment.id, lambda unit, payment_id: kept_payment(unit, str(payment_id))
)


def cash_due(ctx: AppContext, actor: Actor, dossier_id: str) -> int:
    """Return what may be paid in cash now: all that is owed if every fee takes cash, else 0.

    It is 0 too unless the agent helps with this dossier. Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        takes = is_helped(dossier, actor) and awaited_in(unit, dossier, ctx.now()) is None
        return _owed_in_cash(ctx, unit, dossier) if takes else 0


def takes_cash(ctx: AppContext, actor: Actor, dossier_id: str) -> bool:
    """Return whether all that is owed may be paid in cash at a counter. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        return _owed_in_cash(ctx, unit, seen(unit, ctx, actor, dossier_id)) > 0


def _owed_in_cash(ctx: AppContext, unit: Unit, dossier: Dossier) -> int:
    procedure = pinned(ctx, unit, dossier)
    due = due_now(ctx, procedure, dossier) if receiving_roles(procedure) else ()
    fees = [procedure.tasks[one.fee] for one in due]
    return sum(one.left for one in due) if all(isinstance(fee, Fee) and CASH in fee.methods for fee in fees) else 0


def take_cash(ctx: AppContext, actor: Actor, dossier_id: str, amount: int, *, token: str | None = None) -> Payment:
    """Record that the helping agent received this sum in cash, and credit it.

    Raises `NotFound`. Raises Refused: role; cash_refused (another sum than is owed, or a fee takes no
    cash). payment_pending and payment_unknown: money may still come another way.
    """

    def work(unit: Unit) -> Payment:
        dossier, now = seen(unit, ctx, actor, dossier_id), ctx.now()
        if not is_helped(dossier, actor):
            raise Refused(refusal("role", roles=("agent",)))
        if (other := awaited_in(unit, dossier, now)) is not None:
            until = (other.started_at + SECOND_THOUGHTS).isoformat(timespec="seconds")
            raise Refused(refusal(f"payment_{other.status}", payment=other.id, until=until))
        owed = _owed_in_cash(ctx, unit, dossier)
        if not owed or amount != owed:
            raise Refused(refusal("cash_refused"))
        due = due_now(ctx, pinned(ctx, unit, dossier), dossier)
        payment = Payment(
            new_id(), new_id(), dossier.id, tuple(one.fee for one in due), amount, CASH, CASH,
            dossier.contact_phone or "", "pending", now, now,
        )  # fmt: skip
        unit.add_payment(payment)
        fees: list[Plain] = [*payment.fees]
        body: dict[str, Plain] = {"payment": payment.id, "provider": CASH, "amount": amount, "fees": fees}
        journalise(unit, dossier, [EntryDraft("payment_started", body)], actor, now)
        unit.add_event(PaymentEvent(
            CASH, f"hand:{payment.reference}", payment.id, "paid", amount, CURRENCY, now, verified=True, note=actor.id
        ))  # fmt: skip
        return credit(ctx, unit, payment, dossier, amount, now)

    return once(ctx, actor, "take_cash", token, (dossier_id, amount), work, PAYMENT)
