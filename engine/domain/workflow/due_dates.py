"""Due dates of one dossier: time of the state, waits, look-ups, legal time limits, reminders, drafts.

Names of timers:

- `due` (the state's time), `wait`, the id of a look-up or of a legal time limit
- `remind:<i>`, `before:<notice>` (with `:<sequence>` for an appointment)
- `reminder:<appointment>:<sequence>:<i>`, `visit:<appointment>:<sequence>` (its day is over)
- `draft`, `draft_reminder:<days>`, and those of `retention`

Their `entry` counts the transitions taken. A timer that fired thus stays fired until the next transition,
even when the list is computed again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Span
from engine.domain.common.task_parts import opened_at, parts_left
from engine.domain.common.working_time import (
    DAY,
    add_span,
    before_instant,
    counts_days,
    due_instant,
    elapsed,
    end_after,
    end_of_day,
    length_in_days,
)  # fmt: skip
from engine.domain.documents.retention import keep_moments
from engine.model import APPLICATION, Appointment, Form, Procedure, TimeLimit
from engine.model.directory import Calendar, Directory
from engine.model.tasks import LOOK_UP_DUE
from engine.model.types import Expression, Scope
from engine.records.dossier import Booking, ClockState, Dossier, Timer

DRAFT_KEPT: Final = Span(30, "day")
DRAFT_REMINDERS: Final = (7, 1)  # days before a draft is closed
WAIT_LIMIT: Final = timedelta(minutes=15)  # after the start of an appointment, for a late person


def instant_of(expression: Expression | None, start: datetime, scope: Scope, calendar: Calendar) -> datetime | None:
    """Return the end of a span or date of the procedure, counted from `start`. None when it is empty."""
    value = expression.value(scope) if expression is not None else None
    if isinstance(value, Span) or (isinstance(value, date) and not isinstance(value, datetime)):
        return due_instant(start, value, calendar)
    return None


def pause_due(dossier: Dossier, now: datetime) -> Dossier:
    """Pause the state's time, while a slot is booked."""
    if dossier.due_at is None or dossier.due_paused_at is not None:
        return dossier
    return replace(dossier, due_paused_at=now)


def resume_due(dossier: Dossier, now: datetime) -> Dossier:
    """Resume the state's time with what was left: whole days if it ends with a day, else to the second."""
    due, paused = dossier.due_at, dossier.due_paused_at
    if due is None or paused is None:
        return replace(dossier, due_paused_at=None)
    if due == end_of_day(local_day(due)):
        later = end_of_day(local_day(due) + (local_day(now) - local_day(paused)))
    else:
        later = due + (now - paused)
    return replace(dossier, due_at=later, due_paused_at=None)


def absent_from(booking: Booking) -> datetime:
    """Return from when a person is absent: 15 minutes after the start, at most the length of the appointment."""
    return booking.start + min(WAIT_LIMIT, timedelta(minutes=booking.minutes))


def visit_end(booking: Booking) -> datetime:
    """Return when an unmarked appointment no longer pauses the state's time: the end of its local day."""
    return end_of_day(local_day(booking.start))


# -- legal time limits -------------------------------------------------------------------------------------------------


def turn_clocks(
    procedure: Procedure, dossier: Dossier, state_id: str, now: datetime, scope: Scope, calendar: Calendar
) -> Mapping[str, ClockState]:
    """Return the legal time limits after the dossier enters a state: some start, pause, resume or end there."""
    turned = dict(dossier.clocks)
    for clock in procedure.clocks.values():
        known = turned.get(clock.id)
        if known is None and state_id in clock.runs_in:
            turned[clock.id] = ClockState(0, now, began=now)
        elif known is not None and not known.over:
            spent = consumed(clock, known, now, scope, calendar)
            turned[clock.id] = _turned(clock, known, state_id, now, spent)
    return turned


def _turned(clock: TimeLimit, known: ClockState, state_id: str, now: datetime, spent: int) -> ClockState:
    if state_id in clock.runs_in:
        return known if known.since else replace(known, since=now)
    return replace(known, consumed=spent, since=None, over=state_id not in clock.paused_in)


def consumed(clock: TimeLimit, known: ClockState, now: datetime, scope: Scope, calendar: Calendar) -> int:
    """Return the seconds that a time limit has used by `now`, as `working_time.elapsed` counts them."""
    lasts = clock.lasts.value(scope)
    if known.since is None or not isinstance(lasts, Span):
        return known.consumed
    return known.consumed + elapsed(known.since, now, lasts, calendar)


def clock_left(dossier: Dossier, clock: TimeLimit, now: datetime, scope: Scope, calendar: Calendar) -> int | None:
    """Return the days left of a time limit, working days if its span counts these. None for one counted in hours."""
    known, lasts = dossier.clocks.get(clock.id), clock.lasts.value(scope)
    if not isinstance(lasts, Span) or not counts_days(lasts):
        return None
    if known is None:
        return length_in_days(lasts, now, calendar)
    spent = consumed(clock, known, now, scope, calendar) // DAY
    return max(0, length_in_days(lasts, known.began or known.since or now, calendar) - spent)


def clock_end(dossier: Dossier, clock: TimeLimit, scope: Scope, calendar: Calendar) -> datetime | None:
    """Return when a running time limit ends, None while it is paused or over."""
    known = dossier.clocks.get(clock.id)
    if known is None or known.since is None or known.over:
        return None
    lasts = clock.lasts.value(scope)
    return end_after(known.since, lasts, known.consumed, calendar, known.began) if isinstance(lasts, Span) else None


# -- the list of timers ------------------------------------------------------------------------------------------------


def timers_of(
    procedure: Procedure, dossier: Dossier, now: datetime, directory: Directory, scope: Scope
) -> tuple[Timer, ...]:
    """Return all timers of the dossier. They replace any earlier list."""
    found = [*_instalments(procedure, dossier, now, directory.calendar)] if dossier.erased_at is None else []
    found += keep_moments(procedure, dossier, directory.calendar)
    if dossier.closed_at is None:
        found += _draft_moments(dossier, now, directory.calendar) if dossier.is_draft else _moments(
            procedure, dossier, now, directory.calendar, scope
        )  # fmt: skip
    entry = len(dossier.taken)
    return tuple(Timer(dossier.id, name, entry, at) for name, at in found)


def _instalments(
    procedure: Procedure, dossier: Dossier, now: datetime, calendar: Calendar
) -> Iterator[tuple[str, datetime]]:
    """Yield the reminders of unpaid parts of a fee, also for a closed dossier."""
    for fee in procedure.fees():
        owed, done, plan = dossier.owed.get(fee.id), dossier.done.get(fee.id), fee.instalments
        if owed is None or done is None or plan is None or not owed.left:
            continue
        paid = owed.kept // plan.share(owed.amount)  # parts, of which no reminder speaks any more
        for number in range(max(1, paid), plan.most):
            at = add_span(done.at, replace(plan.every, count=plan.every.count * number), calendar)
            yield from _if_ahead(f"instalment:{fee.id}:{number}", at, now)


def draft_end(dossier: Dossier, calendar: Calendar) -> datetime:
    """Return when an unsubmitted draft is closed."""
    return dossier.due_at or add_span(dossier.created_at, DRAFT_KEPT, calendar)


def _draft_moments(dossier: Dossier, now: datetime, calendar: Calendar) -> Iterator[tuple[str, datetime]]:
    end = draft_end(dossier, calendar)
    yield "draft", end
    for days in DRAFT_REMINDERS:
        at = before_instant(end, Span(days, "day"), calendar)
        if at > now:
            yield f"draft_reminder:{days}", at


def _moments(
    procedure: Procedure, dossier: Dossier, now: datetime, calendar: Calendar, scope: Scope
) -> Iterator[tuple[str, datetime]]:
    state = procedure.state(dossier.state)
    if dossier.due_at is not None and dossier.due_paused_at is None:
        yield "due", dossier.due_at
        for number, span in enumerate(state.remind):
            yield from _if_ahead(f"remind:{number}", before_instant(dossier.due_at, span, calendar), now)
    over = instant_of(state.wait, dossier.entered_at, scope, calendar)
    if over is not None:
        yield "wait", over
    for task_id in state.waits:
        task = procedure.tasks[task_id]
        if isinstance(task, Form) and task_id not in dossier.done and task.when.holds(scope):
            yield from form_ends(procedure, task, dossier, calendar, scope)
    for clock in procedure.clocks.values():
        end = clock_end(dossier, clock, scope, calendar)
        if end is not None:
            yield clock.id, end
    for booking in held_bookings(dossier):
        if dossier.due_at is not None and dossier.due_paused_at is not None and booking.appointment in state.waits:
            yield f"visit:{booking.appointment}:{booking.sequence}", visit_end(booking)
        visit = procedure.tasks.get(booking.appointment)
        for number, span in enumerate(visit.reminders if isinstance(visit, Appointment) else ()):
            name = f"reminder:{booking.appointment}:{booking.sequence}:{number}"
            yield from _if_ahead(name, before_instant(booking.start, span, calendar), now)
    for number, notice in enumerate(procedure.notices):
        at = _announced(procedure, dossier, notice.event, scope, calendar) if notice.before else None
        if at is not None and notice.before is not None:
            meeting = dossier.bookings.get(notice.event)
            name = f"before:{number}:{meeting.sequence}" if meeting else f"before:{number}"
            yield from _if_ahead(name, before_instant(at, notice.before, calendar), now)


def stands_still_while_paid(procedure: Procedure, dossier: Dossier, timer: str, fees: Collection[str]) -> bool:
    """Return True when a payment under way delays a timer: that of a state waiting for one of these fees."""
    state = procedure.states.get(dossier.state)
    of_state = timer == "due" or timer.startswith("remind:")
    return of_state and state is not None and not set(fees).isdisjoint(state.waits)


def form_ends(
    procedure: Procedure, form: Form, dossier: Dossier, calendar: Calendar, scope: Scope
) -> Iterator[tuple[str, datetime]]:
    """Yield the ends of an awaited form: of a register, of each service, or its own once it is open."""
    if form.register is not None:
        yield form.id, add_span(dossier.entered_at, form.due or LOOK_UP_DUE, calendar)
    elif all(one in dossier.done or not procedure.tasks[one].when.holds(scope) for one in form.after):
        start, left = opened_at(form, dossier), parts_left(form, dossier, scope)
        for service in form.services:
            due = service.due or form.due
            if due is not None and service.id in left:
                yield service.id, add_span(start, due, calendar)
        if not form.services and form.due is not None and form.id != APPLICATION:
            yield form.id, add_span(start, form.due, calendar)


def _if_ahead(name: str, at: datetime, now: datetime) -> Iterator[tuple[str, datetime]]:
    """Yield a reminder only when its instant is in the future."""
    if at > now:
        yield name, at


def _announced(procedure: Procedure, dossier: Dossier, event: str, scope: Scope, calendar: Calendar) -> datetime | None:
    """Return the instant from which a notice's `before` counts back, None without one."""
    if event == dossier.state and dossier.due_paused_at is None:
        return dossier.due_at
    if event in procedure.clocks:
        return clock_end(dossier, procedure.clocks[event], scope, calendar)
    return next((one.start for one in held_bookings(dossier) if one.appointment == event), None)


def has_reminder_ahead(visit: Appointment, booking: Booking, now: datetime, calendar: Calendar) -> bool:
    """Return True when a reminder of a booked appointment is still to be sent."""
    return any(before_instant(booking.start, span, calendar) > now for span in visit.reminders)


def held_bookings(dossier: Dossier) -> tuple[Booking, ...]:
    """Return the bookings that are not used yet."""
    return tuple(one for one in dossier.bookings.values() if one.status == "booked")


def step_end(procedure: Procedure, dossier: Dossier, scope: Scope, calendar: Calendar) -> datetime | None:
    """Return when the present step goes on by itself: at its due date, or at the end of a clock. None if it waits."""
    leaving = {one.event for one in procedure.leaving.get(dossier.state, ())}
    clocks = (clock_end(dossier, one, scope, calendar) for one in procedure.clocks.values() if one.id in leaving)
    return min(
        (end for end in (dossier.due_at if "due" in leaving else None, *clocks) if end is not None), default=None
    )
