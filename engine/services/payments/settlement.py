"""What became of a payment: hear about it, ask its provider, credit it once, ask again about the silent ones.

A callback is only a wake-up. What counts is the provider's answer to our own question, and it counts only if amount,
currency and reference are ours. The status of a payment only rises, whatever the order of the answers; what is kept of earlier
answers is a trace and credits nothing.
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
from engine.integrations.payment_provider import CURRENCY, BadCallback, PaymentNotice, ProviderDown, ProviderStatus
from engine.records.dossier import RECEIVED, SYSTEM_ACTOR, Dossier, Payment, PaymentEvent, PaymentStatus
from engine.services.context.app_context import AppContext, NotFound, pinned
from engine.services.core.call_queue import QueuedCall, queue_call, queued_calls, take_call
from engine.services.core.commit import carry_out
from engine.services.core.journalling import journalise, journalise_message
from engine.services.core.outbound_messages import payment_letter
from engine.storage.unit_of_work import Busy, Unit

log = logging.getLogger("guichet.settlement")

RANK: Final[Mapping[PaymentStatus, int]] = {
    "pending": 0, "unknown": 1, "expired": 2, "failed": 3, "paid": 4, "overpaid": 5,
}  # fmt: skip
OPEN: Final = frozenset({"pending", "unknown"})
FORGERIES_NOTED: Final = 200  # an hour and provider; beyond, only counted
CALLBACKS_NOTED: Final = 20  # callbacks about one payment: those of an unsigned provider may come from its payer
CALLBACKS_HOURLY: Final = 20_000  # callbacks about payments of ours, an hour and provider
CALLBACK_PAUSE: Final = timedelta(minutes=1)  # between two questions about what a callback told
# how long ago a silent payment must have been asked about, by its age
WAIT_LIMIT: Final = (
    (timedelta(seconds=6), timedelta(seconds=2)),
    (timedelta(minutes=1), timedelta(seconds=4)),
    (timedelta(minutes=10), timedelta(seconds=10)),
    (timedelta(hours=1), timedelta(minutes=1)),
    (timedelta(hours=24), timedelta(minutes=10)),
    (timedelta(days=30), timedelta(days=1)),
)
# an operator may say failed, or nothing, then collect: so long we ask again, so often, and nobody pays twice
SECOND_THOUGHTS: Final = timedelta(hours=24)
ENDED_PAUSE: Final = timedelta(minutes=10)
PLACING: Final = timedelta(minutes=1)  # to hand an order over takes up to three calls
UNDER_WAY: Final = (
    "placing"  # the reason of a payment whose order somebody is handing over, or was when they were stopped
)
_NOT_THERE: Final = frozenset({"no_such_order", "not_named"})

CallbackCode: TypeAlias = Literal["noted", "repeated", "refused", "unmatched", "unknown_provider"]


@dataclass(frozen=True, slots=True)
class CallbackOutcome:
    """What was made of a callback. `refused` gets a 400, `unknown_provider` a 404, the others a 200."""

    code: CallbackCode
    payment: Payment | None = None
    reason: str | None = None


def kept_payment(unit: Unit, payment_id: str) -> Payment:
    payment = unit.payment(payment_id)
    if payment is None:
        raise NotFound
    return payment


# -- hearing -----------------------------------------------------------------------------------------------------------


def record_callback(ctx: AppContext, provider: str, headers: Mapping[str, str], body: bytes) -> CallbackOutcome:
    """Notes what a provider says and queues our own question, which the worker asks. Never credits on its word."""
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
        due = now if noted else now + CALLBACK_PAUSE  # what is too many to be noted is asked about less often
        call = QueuedCall("told", provider, ours.id, [notice.provider_ref, due.isoformat()])
        if noted or unit.peeked_aside(call.key) is None:
            queue_call(unit, call, now)
    ctx.wakeup.set()
    return CallbackOutcome("noted" if is_new else "repeated", ours)


def _answer_to(reported: PaymentEvent) -> PaymentEvent:
    """The trace of its having been asked about, whatever the answer was."""
    return replace(reported, event_id=f"answered:{reported.event_id}", note="answered")


def _kept_as_text(notice: PaymentNotice) -> PaymentNotice:
    """A notice whose words no store can keep is none: JSON can say half a sign, or none at all."""
    said = f"{notice.event_id}{notice.reference}{notice.currency}"
    if "\0" in said or any("\ud800" <= sign <= "\udfff" for sign in said):
        raise BadCallback("unreadable")
    return notice


def _note_forgery(ctx: AppContext, provider: str, body: bytes, reason: str, now: datetime) -> None:
    event_id = "refused:" + hashlib.sha256(body).hexdigest()
    with ctx.store.unit(write=True) as unit:
        _note_some(unit, PaymentEvent(provider, event_id, None, "unknown", 0, CURRENCY, now, False, reason))


def _note_some(unit: Unit, event: PaymentEvent) -> None:
    """What proves nothing, or is about nothing of ours, is kept as a trace, so many an hour: a flood must not fill the
    store."""
    if unit.count_try(f"refused@{event.provider}", f"{event.at:%Y-%m-%dT%H}") <= FORGERIES_NOTED:
        unit.add_event(event)


# -- asking ------------------------------------------------------------------------------------------------------------


def ask_reported(ctx: AppContext, call: QueuedCall) -> bool:
    """Asks about a payment that a callback named: at once, then once a minute until its provider answers. False where another
    worker does."""
    now = ctx.now()
    later = replace(call, body=[_theirs(call), (now + CALLBACK_PAUSE).isoformat()])
    with ctx.store.unit(write=True) as unit:
        payment = unit.payment(call.subject)
        if payment is None or unit.peeked_aside(call.key) != call.body:
            return False
        if now - payment.started_at >= WAIT_LIMIT[-1][0]:  # the last time: it is asked about no more
            take_call(unit, call)
        else:
            queue_call(unit, later, now)
    if _asked(ctx, payment, _theirs(call)):
        with ctx.store.unit(write=True) as unit:
            kept_payment(unit, payment.id)  # held first, as by every other unit
            for event in unit.events_of(payment.id):
                if event.note == "told" and event.at <= now:
                    unit.add_event(_answer_to(event))
            if unit.peeked_aside(call.key) == later.body:  # no other callback came meanwhile
                take_call(unit, call)
    return True


def ask_all_reported(ctx: AppContext, limit: int = 200) -> int:
    """Asks about every payment that a callback named, one after another. How many."""
    with ctx.store.unit() as unit:
        calls = queued_calls(unit, limit, "told")
    return sum(ask_reported(ctx, call) for call in calls if is_due(call, ctx.now()))


def is_due(call: QueuedCall, now: datetime) -> bool:
    """Whether to ask now about what a callback told."""
    due = call.body[1] if isinstance(call.body, list) else ""
    return not due or datetime.fromisoformat(str(due)) <= now


def _theirs(call: QueuedCall) -> str | None:
    """How a callback calls the order."""
    name = call.body[0] if isinstance(call.body, list) else None
    return str(name) if name else None


def check_payment(ctx: AppContext, payment_id: str) -> Payment:
    """Asks the provider what became of a payment and keeps its answer; a silent provider changes nothing. For the worker and for
    stories: no request waits for it."""
    with ctx.store.unit() as unit:
        payment = kept_payment(unit, payment_id)
    if payment.status not in OPEN:
        return payment
    try:
        return _ask(ctx, payment)
    except ProviderDown:
        return _unanswered(ctx, payment)


def reconcile(ctx: AppContext, limit: int = 50) -> int:
    """Asks again about silent payments and those that ended without money lately, one after another. How many were asked
    about."""
    return sum(ask_again(ctx, payment) for payment in due_to_ask(ctx, limit))


def due_to_ask(ctx: AppContext, limit: int = 50, without: Sequence[str] = ()) -> list[Payment]:
    """The payments to ask about now, but those of the providers `without`."""
    with ctx.store.unit() as unit:
        return _to_ask(unit, ctx.now(), limit, without)


def ask_again(ctx: AppContext, payment: Payment) -> bool:
    """Asks about a payment that is due, unless another worker did meanwhile. Noting the time before the call keeps two workers
    from asking at once, and puts a payment whose operator says nothing behind the others."""
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        kept = kept_payment(unit, payment.id)
        if kept.checked_at != payment.checked_at or kept.status != payment.status:
            return False
        if is_unplaced(kept) and take_call(
            unit, QueuedCall("order", kept.provider, kept.id)
        ):  # over, and never handed over
            end_unsent(ctx, unit, kept)
            return True
        unit.put_payment(replace(kept, checked_at=now))
    _asked(ctx, kept)
    return True


def _asked(ctx: AppContext, payment: Payment, theirs: str | None = None) -> bool:
    """Whether the provider answered. What fails of one payment concerns no other."""
    try:
        _ask(ctx, payment, theirs)
    except ProviderDown:
        _unanswered(ctx, payment)
    except Busy:
        raise
    except Exception:  # its dossier cannot be read, say
        log.exception("payment %s", payment.id)
        _unanswered(ctx, payment)
    else:
        return True
    return False


def _to_ask(unit: Unit, now: datetime, limit: int, without: Sequence[str] = ()) -> list[Payment]:
    """A few of each age in turn, the youngest first: neither the many old ones nor the many new ones starve the others."""
    ages, younger = [], timedelta()
    for until, pause in WAIT_LIMIT:
        between = {"started_after": now - until, "started_by": now - younger}
        ages.append(unit.pending_payments(now - pause, limit, **between, without=without))
        younger = until
    ages.append(unit.ended_payments(now - SECOND_THOUGHTS, now - ENDED_PAUSE, limit, without))
    in_turn = chain.from_iterable(zip_longest(*ages))
    return [payment for payment in in_turn if payment is not None and not _is_being_placed(payment, now)][:limit]


def _is_being_placed(payment: Payment, now: datetime) -> bool:
    """Whether the worker that marked it may still be handing its order over."""
    marked = payment.checked_at if payment.reason == UNDER_WAY else None
    return marked is not None and now - marked < PLACING


def _ask(ctx: AppContext, payment: Payment, theirs: str | None = None) -> Payment:
    """Our own question, outside any unit; then the answer kept in one. `theirs`: how a callback calls an order whose name of
    theirs we could not keep; the answer says whose it is. Raises `ProviderDown`."""
    connector = ctx.providers.get(payment.provider)
    if connector is None:
        raise ProviderDown("no_such_provider")
    try:
        status = connector.status(payment.reference, payment.provider_ref or theirs)
    except ProviderDown:
        raise
    except Exception as broken:  # of one operator's adapter: the payments of the others are asked about all the same
        log.exception("the adapter of %s failed", payment.provider)
        raise ProviderDown("broken") from broken
    with ctx.store.unit(write=True) as unit:
        return _settle(ctx, unit, payment.id, status)


def _unanswered(ctx: AppContext, payment: Payment) -> Payment:
    """Only when it was asked changes; one whose time is over, or whose worker was stopped on the way, is unknown from now on."""
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        kept = replace(kept_payment(unit, payment.id), checked_at=now)
        stopped = kept.reason == UNDER_WAY and now - (payment.checked_at or kept.started_at) >= PLACING
        if kept.status == "pending" and (stopped or now >= kept.expires_at):
            kept = replace(kept, status="unknown")
        unit.put_payment(kept)
    return kept


def _settle(ctx: AppContext, unit: Unit, payment_id: str, status: ProviderStatus) -> Payment:
    """Keeps a provider's answer: the payment as it stands now."""
    now = ctx.now()
    payment = replace(kept_payment(unit, payment_id), checked_at=now)
    amount = payment.amount if status.amount is None else status.amount
    dossier = unit.dossier(payment.dossier)
    if dossier is None:
        raise NotFound
    mismatch = _mismatch(payment, status, amount)
    if mismatch is None and status.kind in RECEIVED and RANK[status.kind] <= RANK[payment.status]:
        unit.put_payment(payment)  # each of these events is journalled with what it changes
        return payment
    event = PaymentEvent(
        payment.provider, f"asked:{payment.reference}:{status.kind}:{amount}:{status.currency}:{mismatch or ''}",
        payment.id, status.kind, amount, status.currency, now, verified=mismatch is None, note=mismatch or "asked",
    )  # fmt: skip
    is_new = unit.add_event(event)
    if mismatch:
        unit.put_payment(payment)
        if is_new:
            _note(unit, dossier, "payment_mismatch", now, payment=payment.id, why=mismatch, amount=amount)
        return payment
    return _become(ctx, unit, payment, dossier, _answered(payment, status, amount, now), now)


def _mismatch(payment: Payment, status: ProviderStatus, amount: int) -> str | None:
    """Why an answer cannot be about our order; money is believed only to the franc."""
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
    """What a payment becomes by an answer."""

    status: PaymentStatus
    received: int
    reason: str | None
    provider_ref: str | None


def _answered(payment: Payment, status: ProviderStatus, amount: int, now: datetime) -> _PaymentResult:
    """By the answer just received and by nothing that the store says was answered before: whoever writes to the store credits
    nothing by it."""
    kind, reason = (status.kind, status.reason) if status.kind not in OPEN else _still_open(payment, status, now)
    received = amount if kind in RECEIVED else 0
    return _PaymentResult(kind, received, reason, payment.provider_ref or status.provider_ref)


def _still_open(payment: Payment, status: ProviderStatus, now: datetime) -> tuple[PaymentStatus, str | None]:
    """No ending yet. An order the provider does not know, its time being over, never was; nor one that has no name of theirs,
    unless whoever handed it over was stopped on the way. Just begun, it may be on its way to them."""
    over, unknown = now >= payment.expires_at, status.reason == "no_such_order"
    if over and (unknown or (status.reason == "not_named" and payment.reason != UNDER_WAY)):
        return "failed", _why(payment) or "operator_down"
    if payment.status == "pending" and status.reason in _NOT_THERE and now - payment.started_at < PLACING:
        return "pending", payment.reason
    if payment.status == "unknown" or status.kind == "unknown" or over:
        return "unknown", payment.reason
    return "pending", _why(payment)  # the operator has the order


def _why(payment: Payment) -> str | None:
    return payment.reason if payment.reason != UNDER_WAY else None


def is_unplaced(payment: Payment) -> bool:
    """Whether no worker began to hand its order to the provider."""
    touched = payment.reason or payment.provider_ref or payment.page or payment.checked_at
    return payment.status == "pending" and not touched


def is_placing(payment: Payment) -> bool:
    """Whether its order waits to be handed over, or is being so: the provider did not answer yet."""
    return is_unplaced(payment) or (payment.status == "pending" and payment.reason == UNDER_WAY)


def _become(
    ctx: AppContext, unit: Unit, payment: Payment, dossier: Dossier, result: _PaymentResult, now: datetime
) -> Payment:
    after = replace(payment, status=result.status, provider_ref=result.provider_ref, reason=result.reason)
    if result.status == payment.status or RANK[result.status] < RANK[payment.status]:
        reason = result.reason if payment.status == "pending" else payment.reason
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
    """Credits all that came in, once for ever; what is over the price stays visible on the dossier, to give back."""
    if not unit.add_credit(payment.id, dossier.id, received, now):  # taken twice, learnt after it was credited once
        unit.put_payment(payment)
        payment_letter(ctx, unit, dossier, payment, now, received - payment.amount)
        _note(unit, dossier, "overpaid", now, payment=payment.id, amount=received)
        return payment
    open_fees = [fee for fee in payment.fees if dossier.closed_at is None or fee in dossier.done]
    left = sum(dossier.owed[fee].left for fee in open_fees if fee in dossier.owed)
    extra = max(0, received - left)
    year = local_day(now).year
    receipt = f"Q-{year}-{unit.next_serial(f'receipt/{year}'):06d}"
    payment = replace(payment, status="overpaid" if extra else "paid", ended_at=now, receipt=receipt)
    procedure = pinned(ctx, unit, dossier)
    decision = pay(
        procedure, dossier, payment.fees, received, SYSTEM_ACTOR, now, ctx.directory, ctx.wording
    )  # fmt: skip
    unit.put_payment(payment)
    payment_letter(ctx, unit, dossier, payment, now, extra)
    moved = carry_out(ctx, unit, dossier, decision, SYSTEM_ACTOR)
    _note(unit, moved, "credited", now, payment=payment.id, amount=received, receipt=receipt, extra=extra)
    return payment


def end_unsent(ctx: AppContext, unit: Unit, payment: Payment) -> None:
    """Ends a payment whose order was never handed over, its time being over: its operator knows nothing of it."""
    dossier = unit.dossier(payment.dossier)
    if dossier is None:
        raise NotFound
    now = ctx.now()
    _become(ctx, unit, replace(payment, checked_at=now), dossier, _PaymentResult("failed", 0, "not_sent", None), now)


def forget_orders(unit: Unit) -> None:
    """In a store that came back from a backup: orders that waited may have been handed over since. They are asked about, and never
    sent."""
    while calls := queued_calls(unit, kind="order"):
        for call in calls:
            payment = unit.payment(call.subject)
            take_call(unit, call)
            if payment is not None and is_unplaced(payment):
                unit.put_payment(replace(payment, reason=UNDER_WAY, checked_at=payment.started_at))


def _note(unit: Unit, dossier: Dossier, kind: str, now: datetime, **body: Plain) -> None:
    journalise(unit, dossier, [EntryDraft(kind, body)], SYSTEM_ACTOR, now)
