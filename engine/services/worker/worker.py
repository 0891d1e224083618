"""The worker pass: timers, message delivery, registers and operators to ask again, and the sweep.

Any number of workers may run it at once. A timer is claimed and run in one unit, and a message is
claimed by one worker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.core.values import Plain
from engine.domain.common.decision import EntryDraft
from engine.domain.documents.retention import KEEP, KEEP_DOCUMENT
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.due_dates import stands_still_while_paid, timers_of
from engine.domain.workflow.tasks import raised_fees
from engine.domain.workflow.timers import time_over
from engine.integrations.gateways import NotSent
from engine.model import Procedure
from engine.records.dossier import SECRET_LETTERS, SYSTEM_ACTOR, Dossier, OutboundMessage, Timer
from engine.services.accounts.access_log import note_owed
from engine.services.accounts.lost_phones import make_moves
from engine.services.accounts.mandates import forget_papers, release_expired
from engine.services.applications.corrections import send_paid
from engine.services.applications.linked_dossiers import follow_links
from engine.services.applications.unverified_files import end_removals, remove_idle
from engine.services.audit.sms_report import count_sms
from engine.services.context.app_context import AppContext, pinned
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.checkpoints import sign_journal
from engine.services.core.commit import carry_out, forget_expired
from engine.services.core.journalling import journalise
from engine.services.core.register_lookups import ask_registers, queue_registers
from engine.services.core.stored_files import places
from engine.services.limits.code_limits import why_no_letter
from engine.services.payments.order_placement import place_orders
from engine.services.payments.payments import awaited_in
from engine.services.payments.settlement import ask_all_reported, may_still_come, reconcile
from engine.services.sign_in.mail_links import LASTS
from engine.services.sign_in.sessions import ASIDE_LASTS
from engine.services.sign_in.unverified_drafts import close_forsaken
from engine.services.worker.agent_notifications import notify_agents
from engine.services.worker.job_runner import carry_orders
from engine.services.worker.retention import (
    AT_ONCE,
    erase_codes,
    forget,
    forget_overdue,
    forgetful,
    is_of_keeping,
    overdue,
)
from engine.storage.results import Busy
from engine.storage.unit_of_work import Unit

SHARE: Final = timedelta(seconds=30)
SILENCES: Final = 2  # one after another


class TimeBudget:
    """The time limit of one channel in a delivery.

    Without it, a silent gateway could hold messages beyond their lease, and another worker would send them
    too. It ends with its share of time, or after `SILENCES` tries without an answer. Messages not tried are
    returned unchanged.
    """

    def __init__(self, ctx: AppContext) -> None:
        self._office, self._until = ctx, ctx.now() + SHARE
        self._silences = 0

    def is_over(self) -> bool:
        """Return whether the time, or the number of tries without an answer, is used up.

        No further message is then tried.
        """
        return self._silences >= SILENCES or self._office.now() >= self._until

    def note(self, answered: bool) -> None:
        """Record the end of a try. Any answer, even a refusal, shows that the gateway is reachable."""
        self._silences = 0 if answered else self._silences + 1


log = logging.getLogger("guichet.tour")

BATCH: Final = 50
MOST_BATCHES: Final = 200
SENDER_FAULT: Final = "sender_fault"  # stored as why a message was not sent: an error that its sender did not foresee
LEASE: Final = timedelta(minutes=2)
RETRIES: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480, 1440))
ERASING: Final = (KEEP, KEEP_DOCUMENT, "draft")  # kinds of timers that erase data of applicants
ORPHANS_KEPT: Final = timedelta(days=1)
MOMENTS_KEPT: Final = timedelta(days=7)  # stored replies and tries


@dataclass(frozen=True, slots=True)
class WorkerPass:
    """The counts of what one pass did.

    `links`: dossiers advanced by the end of a linked one. `orders`: items of jobs. `moved`: accounts moved to
    a new phone number.
    """

    timers: int
    letters: int
    registers: int
    payments: int
    swept: int
    links: int = 0
    orders: int = 0
    callbacks: int = 0
    moved: int = 0

    def __bool__(self) -> bool:
        return any(astuple(self))


def run_pass(
    ctx: AppContext, *, signs: bool = True, calls: bool = True, acts: bool = True, erases: bool = True
) -> WorkerPass:
    """Do everything that is due, once.

    A part that fails is logged and left for the next pass; the others go on. `signs`: sign the journal.
    A demonstration leaves it until its past dossiers are all created. `calls`: make calls to partners
    too, one after another, as scenarios need. A worker makes them beside its passes (`dispatcher.py`).
    `acts`: timers fire. `erases`: expired data is erased, and a number moves to the new phone of its
    owner (see `clock_watch`).
    """
    with ctx.store.unit() as unit:
        ctx.directories.look(unit)
    if calls:
        payments, registers = make_calls(ctx)
    else:
        payments, registers = 0, _part(ctx, queue_registers)
    links = _part(ctx, follow_links)  # an event that arrived counts before a time limit that is over
    timers = _part(ctx, partial(run_timers, erases=erases)) if acts else 0
    orders = _part(ctx, carry_orders)
    reported = _part(ctx, notify_agents)
    moved = _part(ctx, make_moves) if erases else 0
    _part(ctx, note_owed)
    letters = _part(ctx, deliver_letters) if calls else 0
    swept = _part(ctx, end_removals) + (_part(ctx, sweep) + _part(ctx, remove_idle) if erases else 0)
    if signs:
        _part(ctx, sign_journal)
    return WorkerPass(timers, letters, registers, payments, swept, links, orders, reported, moved)


def make_calls(ctx: AppContext) -> tuple[int, int]:
    """Make every queued call, one after another. Return how many payments and dossiers were asked about."""
    _part(ctx, place_orders)
    payments = _part(ctx, ask_all_reported) + _part(ctx, reconcile)
    return payments, _part(ctx, ask_registers)


def _part(ctx: AppContext, work: Callable[[AppContext], int]) -> int:
    """Run one part of the pass and return its count.

    A part that fails is logged and does not stop the others. Raises `Busy`.
    """
    try:
        return work(ctx)
    except Busy:  # the other parts would fail too
        raise
    except Exception:
        log.exception("a part of the tour: %s", getattr(getattr(work, "func", work), "__name__", ""))
        return 0


# -- time --------------------------------------------------------------------------------------------------------------


def run_timers(ctx: AppContext, *, erases: bool = True) -> int:
    """Run the due timers, each in its own unit, and those that become due meanwhile.

    Return how many had an effect.
    """
    done, tried, without = 0, set[Timer](), () if erases else ERASING
    for _ in range(MOST_BATCHES):
        with ctx.store.unit() as unit:
            due = [one for one in unit.due_timers(ctx.now(), BATCH + len(tried), without) if one not in tried]
        if not due:
            break
        for timer in due:
            tried.add(timer)
            done += _run(ctx, timer)
    return done


def _run(ctx: AppContext, timer: Timer) -> bool:
    try:
        return _fire(ctx, timer) is not None
    except Busy:  # the others would fail too
        raise
    except Exception:
        log.exception("timer %s of %s", timer.name, timer.dossier)
        return False


def _fire(ctx: AppContext, timer: Timer) -> Dossier | None:
    """Claim a timer and run it in one unit, so that it is never run twice or lost.

    None if it had no effect.
    """
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        dossier = unit.dossier(timer.dossier)
        if dossier is None:
            unit.fire_timer(timer, now)
            return None
        procedure = pinned(ctx, unit, dossier)
        if _is_held(unit, procedure, dossier, timer, now) or _is_put_off(ctx, unit, procedure, dossier, timer):
            return None
        if not unit.fire_timer(timer, now):
            return None
        if is_of_keeping(timer.name):
            left = forget(ctx, unit, procedure, dossier, timer.name)
            if left is None:
                _note(unit, dossier, "timer_void", {"timer": timer.name}, now)
            return left
        if timer.name == "due" and (sent := send_paid(ctx, unit, dossier)) is not None:
            return sent
        try:
            decision = time_over(procedure, dossier, timer.name, now, ctx.directory, ctx.wording)
        except Refused as closed:
            if closed.reason.code == "void_timer":
                _note(unit, dossier, "timer_void", {"timer": timer.name}, now)
            else:  # the procedure forbids it: a person must look at it
                _note(unit, dossier, "timer_refused", {"timer": timer.name, "why": closed.reason.code}, now)
            return None
        moved = carry_out(ctx, unit, dossier, decision, SYSTEM_ACTOR)
        expired = moved.is_draft and moved.closed_at is not None
        return forget_expired(ctx, unit, moved) if expired else moved


def _is_held(unit: Unit, procedure: Procedure, dossier: Dossier, timer: Timer, now: datetime) -> bool:
    """Return whether the timer waits for a payment result.

    It fires on the first pass after the result is known. An erasure waits too: it removes the number that may
    have to be paid back.
    """
    if timer.name == KEEP:
        return may_still_come(unit, dossier.id, now)
    payment = awaited_in(unit, dossier, now)
    if payment is None:
        return False
    raised = raised_fees(dossier) if timer.name == "due" else ()
    differs = not set(payment.fees).isdisjoint(raised)  # a correction is sent once its higher price is paid
    return differs or stands_still_while_paid(procedure, dossier, timer.name, payment.fees)


def _is_put_off(ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier, timer: Timer) -> bool:
    """Return whether the calendar now moves the timer to a later day: a holiday was added meanwhile.

    The timer is then set again. Fired now, it would be void and never fire again.
    """
    now = ctx.now()
    scope = scope_of(procedure, dossier, local_day(now), ctx.directory)
    timers = timers_of(procedure, dossier, now, ctx.directory, scope)
    ahead = any((one.name, one.entry) == (timer.name, timer.entry) and one.due_at > now for one in timers)
    if ahead:
        unit.set_timers(dossier.id, timers)
        _note(unit, dossier, "timer_moved", {"timer": timer.name}, now)
    return ahead


def _note(unit: Unit, dossier: Dossier, kind: str, body: Mapping[str, Plain], now: datetime) -> None:
    """Append an entry for a change of timers; it commits to them."""
    journalise(unit, dossier, [EntryDraft(kind, body)], SYSTEM_ACTOR, now)


# -- messages ----------------------------------------------------------------------------------------------------------


def deliver_letters(ctx: AppContext) -> int:
    """Deliver the due messages of every channel, one after another. Return how many were sent."""
    return sum(deliver_channel(ctx, channel) for channel in ctx.senders)


def deliver_channel(ctx: AppContext, channel: str) -> int:
    """Deliver the due messages of one channel outside any unit.

    Return how many were sent. Each is sent at least once: a crash between sending and recording sends
    that one again.
    """
    sent, wait_limit = 0, TimeBudget(ctx)
    others = tuple(one for one in ctx.senders if one != channel)
    for _ in range(MOST_BATCHES):
        now = ctx.now()
        until = now + LEASE
        with ctx.store.unit(write=True) as unit:
            lent = unit.claim_letters(now, until, BATCH, others)
        if not lent:
            break
        for letter in lent:
            sent += _settle(ctx, _carry(ctx, letter, now, wait_limit), until)
        if wait_limit.is_over():
            break
    return sent


def _settle(ctx: AppContext, letter: OutboundMessage, until: datetime) -> bool:
    """Record the result of one message, which may be erased with its dossier. Return whether it was sent.

    A sent message is recorded without its lease, other results only with it.
    """
    with ctx.store.unit(write=True) as unit:
        count_sms(ctx, unit, [letter])
        with suppress(LookupError):
            unit.update_outbound_message(forgetful(ctx, letter), None if letter.sent_at else until)
            return letter.sent_at is not None
    return False


def _carry(ctx: AppContext, letter: OutboundMessage, now: datetime, wait_limit: TimeBudget) -> OutboundMessage:
    sender = ctx.senders.get(letter.channel)
    if sender is None:
        return replace(letter, failed="no_sender")
    if letter.dedupe.startswith(SECRET_LETTERS) and now - letter.created_at >= max(ctx.settings.code_lasts, LASTS):
        return replace(letter, failed="over")  # after an outage: what expired delays nothing that is still valid
    if letter.channel == "sms" and (closed := why_no_letter(ctx, letter.to)):
        return replace(letter, failed=closed)
    if wait_limit.is_over():
        return replace(letter, attempts=letter.attempts - 1)  # returned as it was claimed
    try:
        sender.send(letter)
    except NotSent as failure:
        wait_limit.note(not failure.silent)
        return _again(letter, now, str(failure), failure.for_good)
    except Exception:  # an error of one sender must not hold back the other messages
        log.exception("letter %s by %s", letter.id, letter.channel)
        return _again(letter, now, SENDER_FAULT, False)
    wait_limit.note(True)
    return replace(letter, sent_at=now)


def _again(letter: OutboundMessage, now: datetime, reason: str, for_good: bool) -> OutboundMessage:
    """Return the message for a later try, or as failed.

    Claiming counts as an attempt, even by a worker that died before trying. The whole retry time must
    have passed too, so that no message fails untried.
    """
    tried = letter.attempts > len(RETRIES) and now - letter.created_at >= sum(RETRIES, timedelta())
    if for_good or tried:
        return replace(letter, failed=reason[:200] or "failed")
    return replace(letter, due_at=now + RETRIES[min(max(letter.attempts, 1), len(RETRIES)) - 1])


# -- sweep -------------------------------------------------------------------------------------------------------------


def sweep(ctx: AppContext) -> int:
    """Delete once a day what is not needed any more: unnamed files, expired documents of mandates, abandoned
    drafts, short-lived rows. Expired mandates lose the messages. Return how many."""
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        today, last = now.date().isoformat(), unit.taken_aside("swept")
        unit.keep_aside("swept", today, now)
        if last == today:
            return 0
        forgotten = unit.sweep(now - MOMENTS_KEPT, now - ASIDE_LASTS) + unit.throw_files(now) + erase_codes(ctx, unit)
    forgotten += sum(_part(ctx, part) for part in (_forget_overdue, close_forsaken, forget_papers))
    _part(ctx, release_expired)
    return forgotten + _part(ctx, _sweep_files)


def _sweep_files(ctx: AppContext) -> int:
    return len(ctx.attachments.sweep(set(places(ctx.store)), ctx.now() - ORPHANS_KEPT))


def _forget_overdue(ctx: AppContext) -> int:
    """Erase what is past its retention and whose timer was never set, of at most `AT_ONCE` dossiers a day."""
    late: list[str] = []
    for dossier_id in ctx.store.all_dossiers():
        if len(late) == AT_ONCE:
            break
        try:
            with ctx.store.unit() as unit:
                dossier = unit.dossier(dossier_id)
                if dossier is not None and overdue(ctx, unit, dossier) is not None:
                    late.append(dossier_id)
        except Busy:
            raise
        except EditionMissing:
            log.warning("the edition of %s cannot be read", dossier_id)
        except Exception:  # `fsck` says what is wrong with it
            log.exception("the dossier %s cannot be read", dossier_id)
    return sum(forget_overdue(ctx, one) for one in late)
