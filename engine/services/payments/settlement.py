"""Settlement of payments: callbacks, status requests, crediting once.

A callback only triggers a status request. Only the answer to that request counts, and only with the amount, currency
and reference of the order. Answers in any order only raise the status of a payment. Earlier ones credit nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Final, Literal, TypeAlias

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.common.decision import EntryDraft
from engine.domain.workflow.actions import pay
from engine.integrations import payment_provider as orders
from engine.integrations.payment_provider import CURRENCY, BadCallback, PaymentNotice, ProviderDown, ProviderStatus
from engine.records.dossier import RECEIVED, SYSTEM_ACTOR, Dossier, Payment, PaymentStatus
from engine.records.refunds import PaymentEvent
from engine.services.context.app_context import AppContext, NotFound, pinned
from engine.services.core.call_queue import QueuedCall, queue_call, queued_calls, take_call
from engine.services.core.commit import carry_out
from engine.services.core.fee_accounts import fees_now
from engine.services.core.journalling import journalise, journalise_message
from engine.services.core.outbound_messages import payment_letter
from engine.storage.results import Busy
from engine.storage.unit_of_work import Unit

log = logging.getLogger("guichet.settlement")

RANK: Final[Mapping[PaymentStatus, int]] = {
    "pending": 0, "unknown": 1, "expired": 2, "failed": 3, "paid": 4, "overpaid": 5,
}  # fmt: skip
OPEN: Final = frozenset({"pending", "unknown"})
FORGERIES_NOTED: Final = 200  # an hour and provider; more are only counted
CALLBACKS_NOTED: Final = 20  # callbacks about one payment: those of an unsigned provider may come from its payer
CALLBACKS_HOURLY: Final = 20_000  # callbacks about known payments, an hour and provider
CALLBACK_PAUSE: Final = timedelta(minutes=1)  # between two status requests about one callback
# the pause between two status requests about a silent payment, by its age
WAIT_LIMIT: Final = (
    (timedelta(seconds=6), timedelta(seconds=2)),
    (timedelta(minutes=1), timedelta(seconds=4)),
    (timedelta(minutes=10), timedelta(seconds=10)),
    (timedelta(hours=1), timedelta(minutes=1)),
    (timedelta(hours=24), timedelta(minutes=10)),
    (timedelta(days=30), timedelta(days=1)),
)
# an operator may report a failure, or nothing, and collect later: requests go on for so long and so often,
# and no new payment starts
SECOND_THOUGHTS: Final = timedelta(hours=24)
ENDED_PAUSE: Final = timedelta(minutes=10)
PLACING: Final = timedelta(minutes=1)  # sending an order takes up to three calls
UNDER_WAY: Final = "placing"  # reason of a payment whose order a worker is sending, or was when it stopped
MISMATCH: Final = "mismatch"  # reason of an unknown payment whose operator reports money that does not fit the order
_NOT_THERE: Final = frozenset({"no_such_order", "not_named"})

CallbackCode: TypeAlias = Literal["noted", "repeated", "refused", "unmatched", "unknown_provider"]


@dataclass(frozen=True, slots=True)
class CallbackOutcome:
    """The result of a callback. HTTP status: `refused` 400, `unknown_provider` 404, others 200."""

    code: CallbackCode
    payment: Payment | None = None
    reason: str | None = None


def kept_payment(unit: Unit, payment_id: str) -> Payment:
    """Return a payment by id. Raises `NotFound`."""
    payment = unit.payment(payment_id)
    if payment is None:
        raise NotFound
    return payment


def may_still_come(unit: Unit, dossier_id: str, now: datetime) -> bool:
    """Return whether an operator is still asked about a payment of the dossier. Its payer may have to be paid back."""
    return any(
        now - one.started_at < WAIT_LIMIT[-1][0]
        if one.status in OPEN
        else now < (one.ended_at or now) + SECOND_THOUGHTS
        for one in unit.payments_of(dossier_id)
        if one.status not in RECEIVED
    )


# -- callbacks ---------------------------------------------------------------------------------------------------------


def record_callback(ctx: AppContext, provider: str, headers: Mapping[str, str], body: bytes) -> CallbackOutcome:
    """Record a callback of a provider and queue a status request for the worker. A callback never credits."""
    connector = ctx.providers.get(provider)
    if connector is None:
        return CallbackOutcome("unknown_provider")
    now = ctx.now()
    try:
        notice = _kept_as_text(connector.read_callback(headers, body))
    except BadCallback as bad:
        _note_forgery(ctx, provider, body, str(bad), now)
        return CallbackOutcome("refused", reason=str(bad))
    with ctx.store.unit(write=True) as unit:
        payment = unit.payment_referenced(notice.reference)
        ours = payment if payment is not None and payment.provider == provider else None
        reported = PaymentEvent(
            provider, f"told:{notice.event_id}"[:180], ours.id if ours else None, notice.kind, notice.amount,
            notice.currency, now, verified=False, note="told" if ours else "unmatched",
        )  # fmt: skip
        if ours is None:
            _note_some(unit, reported)
            return CallbackOutcome("unmatched")
        events = unit.events_of(ours.id)
        noted = sum(one.event_id.startswith("told:") for one in events) < CALLBACKS_NOTED
        noted = unit.count_try(f"told@{provider}", f"{now:%Y-%m-%dT%H}") <= CALLBACKS_HOURLY and noted
        is_new = noted and unit.add_event(reported)
        if not is_new and ours.status not in OPEN and _answer_to(reported).event_id in {one.event_id for one in events}:
            return CallbackOutcome("repeated", ours)
        due = now if noted else now + CALLBACK_PAUSE  # callbacks above the limit lead to fewer requests
        call = QueuedCall("told", provider, ours.id, [notice.provider_ref, due.isoformat()])
        if noted or unit.peeked_aside(call.key) is None:
            queue_call(unit, call, now)
    ctx.wakeup.set()
    return CallbackOutcome("noted" if is_new else "repeated", ours)


def _answer_to(reported: PaymentEvent) -> PaymentEvent:
    """Return the event that records the status request made after this callback."""
    return replace(reported, event_id=f"answered:{reported.event_id}", note="answered")


def _kept_as_text(notice: PaymentNotice) -> PaymentNotice:
    """Return the notice. Raises `BadCallback` for a text that cannot be stored (lone surrogate, NUL)."""
    said = f"{notice.event_id}{notice.reference}{notice.currency}"
    if "\0" in said or any("\ud800" <= sign <= "\udfff" for sign in said):
        raise BadCallback("unreadable")
    return notice


def _note_forgery(ctx: AppContext, provider: str, body: bytes, reason: str, now: datetime) -> None:
    event_id = "refused:" + hashlib.sha256(body).hexdigest()
    with ctx.store.unit(write=True) as unit:
        _note_some(unit, PaymentEvent(provider, event_id, None, "unknown", 0, CURRENCY, now, False, reason))


def _note_some(unit: Unit, event: PaymentEvent) -> None:
    """Record an event that proves nothing or matches no payment, a limited number an hour against floods."""
    if unit.count_try(f"refused@{event.provider}", f"{event.at:%Y-%m-%dT%H}") <= FORGERIES_NOTED:
        unit.add_event(event)


# -- status requests ---------------------------------------------------------------------------------------------------


def ask_reported(ctx: AppContext, call: QueuedCall) -> bool:
    """Ask about a payment of a callback, once a minute at most. False if another worker does it."""
    now = ctx.now()
    later = replace(call, body=[_theirs(call), (now + CALLBACK_PAUSE).isoformat()])
    with ctx.store.unit(write=True) as unit:
        payment = unit.payment(call.subject)
        if payment is None or unit.peeked_aside(call.key) != call.body:
            return False
        if now - payment.started_at >= WAIT_LIMIT[-1][0]:  # too old: this is the last request
            take_call(unit, call)
        else:
            queue_call(unit, later, now)
    if _asked(ctx, payment, _theirs(call)):
        with ctx.store.unit(write=True) as unit:
            kept_payment(unit, payment.id)  # locked first, as by every other unit
            for event in unit.events_of(payment.id):
                if event.note == "told" and event.at <= now:
                    unit.add_event(_answer_to(event))
            if unit.peeked_aside(call.key) == later.body:  # no other callback came meanwhile
                take_call(unit, call)
    return True


def ask_all_reported(ctx: AppContext, limit: int = 200) -> int:
    """Ask about every payment that a callback named, one after another. Return how many were asked about."""
    with ctx.store.unit() as unit:
        calls = queued_calls(unit, limit, "told")
    return sum(ask_reported(ctx, call) for call in calls if is_due(call, ctx.now()))


def is_due(call: QueuedCall, now: datetime) -> bool:
    """Return whether the status request of a callback is due now."""
    due = call.body[1] if isinstance(call.body, list) else ""
    return not due or datetime.fromisoformat(str(due)) <= now


def _theirs(call: QueuedCall) -> str | None:
    """Return the name that the operator gives the order in its callback, None without one."""
    return str(call.body[0]) if isinstance(call.body, list) and call.body[0] else None


def check_payment(ctx: AppContext, payment_id: str) -> Payment:
    """Ask the provider for the result and save it, without effect if silent. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        payment = kept_payment(unit, payment_id)
    if payment.status not in OPEN:
        return payment
    try:
        return _ask(ctx, payment)
    except ProviderDown:
        return _unanswered(ctx, payment)


def reconcile(ctx: AppContext, limit: int = 50) -> int:
    """Ask about silent payments and those that recently ended without money. Return how many."""
    return sum(ask_again(ctx, payment) for payment in due_to_ask(ctx, limit))


def due_to_ask(ctx: AppContext, limit: int = 50, without: Sequence[str] = ()) -> list[Payment]:
    """Return the payments to ask about now, except those of the providers in `without`."""
    with ctx.store.unit() as unit:
        return _to_ask(unit, ctx.now(), limit, without)


def ask_again(ctx: AppContext, payment: Payment) -> bool:
    """Ask about a payment that is due, unless another worker did. Silent operators come last: the time is saved first."""
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        kept = kept_payment(unit, payment.id)
        if kept.checked_at != payment.checked_at or kept.status != payment.status:
            return False
        if is_unplaced(kept) and take_call(unit, QueuedCall("order", kept.provider, kept.id)):
            end_unsent(ctx, unit, kept)  # its time is over
            return True
        unit.put_payment(replace(kept, checked_at=now))
    _asked(ctx, kept)
    return True


def _asked(ctx: AppContext, payment: Payment, theirs: str | None = None) -> bool:
    """Return whether the provider answered. A failure of one payment does not affect others."""
    try:
        _ask(ctx, payment, theirs)
    except ProviderDown:
        _unanswered(ctx, payment)
    except Busy:
        raise
    except Exception:  # for instance, its dossier cannot be read
        log.exception("payment %s", payment.id)
        _unanswered(ctx, payment)
    else:
        return True
    return False


def _to_ask(unit: Unit, now: datetime, limit: int, without: Sequence[str] = ()) -> list[Payment]:
    """Return a few payments of each age in turn, the youngest first, so that no age blocks the others."""
    ages, younger = [], timedelta()
    for until, pause in WAIT_LIMIT:
        between = {"started_after": now - until, "started_by": now - younger}
        ages.append(unit.pending_payments(now - pause, limit, **between, without=without))
        younger = until
    ages.append(unit.ended_payments(now - SECOND_THOUGHTS, now - ENDED_PAUSE, limit, without))
    in_turn = chain.from_iterable(zip_longest(*ages))
    return [payment for payment in in_turn if payment is not None and not _is_being_placed(payment, now)][:limit]


def _is_being_placed(payment: Payment, now: datetime) -> bool:
    """Return whether the worker that marked the payment may still be sending its order."""
    marked = payment.checked_at if payment.reason == UNDER_WAY else None
    return marked is not None and now - marked < PLACING


def _ask(ctx: AppContext, payment: Payment, theirs: str | None = None) -> Payment:
    """Ask the provider outside any unit, then save the answer in one.

    `theirs` is the operator's name of the order in a callback, used if none is stored. The answer says
    whose order it is. Raises `ProviderDown`.
    """
    connector = ctx.providers.get(payment.provider)
    if connector is None:
        raise ProviderDown("no_such_provider")
    try:
        status = connector.status(payment.reference, payment.provider_ref or theirs)
    except ProviderDown:
        raise
    except Exception as broken:  # an error in the adapter of one operator does not stop requests to the others
        log.exception("the adapter of %s failed", payment.provider)
        raise ProviderDown("broken") from broken
    with ctx.store.unit(write=True) as unit:
        return _settle(ctx, unit, payment.id, status)


def _unanswered(ctx: AppContext, payment: Payment) -> Payment:
    """Save the time of the request. Past its time, or if its worker stopped, a payment is unknown."""
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        kept = replace(kept_payment(unit, payment.id), checked_at=now)
        stopped = kept.reason == UNDER_WAY and now - (payment.checked_at or kept.started_at) >= PLACING
        if kept.status == "pending" and (stopped or now >= kept.expires_at):
            kept = replace(kept, status="unknown")
        unit.put_payment(kept)
    return kept


def _settle(ctx: AppContext, unit: Unit, payment_id: str, status: ProviderStatus) -> Payment:
    """Save an answer of the provider and return the resulting payment."""
    now = ctx.now()
    payment = replace(kept_payment(unit, payment_id), checked_at=now)
    named = unit.own_name(payment, orders.operator_name(status.provider_ref))
    status = replace(status, currency=status.currency[: orders.LONGEST_CURRENCY], provider_ref=named)
    amount = payment.amount if status.amount is None else status.amount
    dossier = unit.dossier(payment.dossier)
    if dossier is None:
        raise NotFound
    mismatch = _mismatch(payment, status, amount)
    if mismatch is None and status.kind in RECEIVED and RANK[status.kind] <= RANK[payment.status]:
        unit.put_payment(payment)  # each of these events has a journal entry with what it changes
        return payment
    event = PaymentEvent(
        payment.provider, f"asked:{payment.reference}:{status.kind}:{amount}:{status.currency}:{mismatch or ''}",
        payment.id, status.kind, amount, status.currency, now, verified=mismatch is None, note=mismatch or "asked",
    )  # fmt: skip
    if unit.add_event(event) and mismatch:
        _note(unit, dossier, "payment_mismatch", now, payment=payment.id, why=mismatch, amount=amount)
    answered = _unfitting(payment, mismatch, now) if mismatch else _answered(payment, status, amount, now)
    return _become(ctx, unit, payment, dossier, answered, now)


def _mismatch(payment: Payment, status: ProviderStatus, amount: int) -> str | None:
    """Return why an answer does not fit the order, None if it fits. Money must match to the franc."""
    if status.reference != payment.reference:
        return "reference"
    if status.kind not in RECEIVED:
        return None
    if status.currency != CURRENCY:
        return "currency"
    right = amount == payment.amount if status.kind == "paid" else amount > payment.amount
    return None if right else "amount"


@dataclass(frozen=True, slots=True)
class _PaymentResult:
    """The new state of a payment after an answer."""

    status: PaymentStatus
    received: int
    reason: str | None
    provider_ref: str | None


def _unfitting(payment: Payment, mismatch: str, now: datetime) -> _PaymentResult:
    """Return the result of an answer that does not fit. Money may have moved, unless it is about another order."""
    is_other = mismatch == "reference"
    kind = payment.status if is_other and now < payment.expires_at else "unknown"
    return _PaymentResult(kind, 0, payment.reason if is_other else MISMATCH, payment.provider_ref)


def _answered(payment: Payment, status: ProviderStatus, amount: int, now: datetime) -> _PaymentResult:
    """Return the result from this answer only: write access to the store must not allow a credit."""
    kind, reason = (status.kind, status.reason) if status.kind not in OPEN else _still_open(payment, status, now)
    return _PaymentResult(kind, amount if kind in RECEIVED else 0, reason, payment.provider_ref or status.provider_ref)


def _still_open(payment: Payment, status: ProviderStatus, now: datetime) -> tuple[PaymentStatus, str | None]:
    """Return the status and reason of a payment without a result.

    Past its time, an order unknown to the provider failed. So did one without a provider reference,
    unless its worker stopped on the way. A payment just started may still reach the provider.
    """
    over = now >= payment.expires_at and payment.reason != MISMATCH
    if over and (status.reason == "no_such_order" or (status.reason == "not_named" and payment.reason != UNDER_WAY)):
        return "failed", _why(payment) or "operator_down"
    if payment.status == "pending" and status.reason in _NOT_THERE and now - payment.started_at < PLACING:
        return "pending", payment.reason
    if payment.status == "unknown" or status.kind == "unknown" or over:
        return "unknown", payment.reason
    return "pending", _why(payment)  # the operator has the order


def _why(payment: Payment) -> str | None:
    return payment.reason if payment.reason != UNDER_WAY else None


def is_unplaced(payment: Payment) -> bool:
    """Return whether no worker has begun to send the order to the provider."""
    touched = payment.reason or payment.provider_ref or payment.page or payment.checked_at
    return payment.status == "pending" and not touched


def is_placing(payment: Payment) -> bool:
    """Return whether the order is queued or being sent: the provider has not answered yet."""
    return is_unplaced(payment) or (payment.status == "pending" and payment.reason == UNDER_WAY)


def _become(
    ctx: AppContext, unit: Unit, payment: Payment, dossier: Dossier, result: _PaymentResult, now: datetime
) -> Payment:
    after = replace(payment, status=result.status, provider_ref=result.provider_ref, reason=result.reason)
    if result.status == payment.status or RANK[result.status] < RANK[payment.status]:
        reason = result.reason if payment.status in OPEN else payment.reason
        unit.put_payment(replace(payment, provider_ref=result.provider_ref, reason=reason))
        return payment
    if result.status in RECEIVED:
        return credit(ctx, unit, replace(after, reason=None), dossier, result.received, now)
    if result.status in ("failed", "expired"):
        after = replace(after, ended_at=now)
    unit.put_payment(after)
    reported = payment_letter(ctx, unit, dossier, after, now)
    if after.ended_at is not None:
        _note(unit, dossier, "payment_ended", now, payment=payment.id, status=result.status, why=result.reason)
    elif reported:
        journalise_message(unit, dossier, after.status, now)
    return after


def credit(ctx: AppContext, unit: Unit, payment: Payment, dossier: Dossier, received: int, now: datetime) -> Payment:
    """Credit all that was received, once. The amount above the price, or above an ordered part of it, is owed back.

    A closed dossier waits for no price that was not paid before: money for it is owed back, and pays nothing
    if the dossier is opened again.
    """
    open_fees = tuple(fee for fee in fees_now(unit, payment) if dossier.closed_at is None or fee in dossier.done)
    left = sum(dossier.owed[fee].left for fee in open_fees if fee in dossier.owed)
    known = payment.amount if payment.amount < left else received
    if not unit.add_credit(payment.id, dossier.id, known, now):  # collected twice, learnt after the first credit
        unit.put_payment(payment)
        payment_letter(ctx, unit, dossier, payment, now, received - payment.amount)
        _note(unit, dossier, "overpaid", now, payment=payment.id, amount=received)
        return payment
    year, extra = local_day(now).year, max(0, known - left)
    receipt = f"Q-{year}-{unit.next_serial(f'receipt/{year}'):06d}"
    payment = replace(payment, status="overpaid" if extra else "paid", ended_at=now, receipt=receipt)
    decision = pay(pinned(ctx, unit, dossier), dossier, open_fees, known, SYSTEM_ACTOR, now, ctx.directory, ctx.wording)
    unit.put_payment(payment)
    payment_letter(ctx, unit, dossier, payment, now, extra)
    moved = carry_out(ctx, unit, dossier, decision, SYSTEM_ACTOR)
    _note(unit, moved, "credited", now, payment=payment.id, amount=known, receipt=receipt, extra=extra)
    over = replace(payment, status="overpaid")
    return credit(ctx, unit, over, moved, received, now) if known < received else payment


def end_unsent(ctx: AppContext, unit: Unit, payment: Payment) -> None:
    """End a payment that expired before its order was sent: the operator does not know it."""
    now, dossier = ctx.now(), unit.dossier(payment.dossier)
    if dossier is None:
        raise NotFound
    _become(ctx, unit, replace(payment, checked_at=now), dossier, _PaymentResult("failed", 0, "not_sent", None), now)


def forget_orders(unit: Unit) -> None:
    """Mark queued orders as sent after a restore, because they may have been sent since the backup."""
    while calls := queued_calls(unit, kind="order"):
        for call in calls:
            payment = unit.payment(call.subject)
            take_call(unit, call)
            if payment is not None and is_unplaced(payment):
                unit.put_payment(replace(payment, reason=UNDER_WAY, checked_at=payment.started_at))


def _note(unit: Unit, dossier: Dossier, kind: str, now: datetime, **body: Plain) -> None:
    journalise(unit, dossier, [EntryDraft(kind, body)], SYSTEM_ACTOR, now)
