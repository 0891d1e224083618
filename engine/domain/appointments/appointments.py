"""Appointments: slots and free slots, booking, moving and cancelling.

A slot is a start time at an office. Its capacity is `desks`; each booking takes one numbered seat. `taken`
are the seats of other dossiers by slot, as the storage reads them. A booking is refused with `not_now`,
`too_early`, `slot_closed`, `slot_full`, `too_many_moves`, `too_late_to_move`, `not_booked` or `visit_ahead`.
"""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain, Span
from engine.domain.common.access import acting_role, is_owner
from engine.domain.common.decision import Decision
from engine.domain.common.text_provider import Wording
from engine.domain.common.working_time import (
    add_days,
    add_span,
    at_minute,
    counts_days,
    local_minute,
    minutes_of,
    openings,
)
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.due_dates import pause_due, step_end
from engine.domain.workflow.elapsed import goes_on
from engine.domain.workflow.tasks import drop_slot, holds_slot, is_satisfied, task_blockers
from engine.domain.workflow.transition_context import Moment, TransitionContext, finished
from engine.model import Appointment, Procedure
from engine.model.directory import Calendar, Directory, Office
from engine.model.types import Scope
from engine.records.dossier import Actor, Booking, Dossier

Seats = Mapping[datetime, frozenset[int]]
GRACE: Final = Span(7, "day")  # least time to choose again, however little the state has left
BY_SERVICE: Final = "service"  # in `Booking.lost`, where an agent cancelled and no opening change did
_SEARCHED: Final = 400  # days searched at most for one list of slots


@dataclass(frozen=True, slots=True)
class Slot:
    """A start time that can be booked. `left` is the number of free seats."""

    start: datetime
    minutes: int
    office: str
    left: int


def resource_key(procedure: Procedure, appointment: str) -> str:
    """Return the key under which the seats of an appointment are counted, for all editions together."""
    return f"{procedure.id}/{appointment}"


def capacity_of(appointment: Appointment, office: Office, day: date | None = None) -> int:
    """Return how many people an office receives at once for an appointment.

    It is `desks` of the appointment (1 by default), at most `desks` of the office. An administrator's value
    for a day replaces it.
    """
    said = office.desks_on(day) if day is not None else None
    if said is not None:
        return said
    return min(appointment.desks or 1, office.desks) if office.desks else appointment.desks or 1


def office_for(procedure: Procedure, appointment: Appointment, dossier: Dossier, moment: Moment) -> str | None:
    """Return the id of the appointment's office: the one the appointment names, else the dossier's.

    None when the directory does not contain it.
    """
    said = appointment.office.value(moment.scope(dossier)) if appointment.office else None
    known = said if isinstance(said, str) else dossier.office
    return known if known in moment.directory.offices else None


def offices_for(procedure: Procedure, appointment: Appointment, dossier: Dossier, moment: Moment) -> tuple[Office, ...]:
    """Return the offices where the appointment may be booked: its own, or all of the agency that have hours."""
    known = office_for(procedure, appointment, dossier, moment)
    if known is not None:
        return (moment.directory.offices[known],)
    return tuple(one for one in moment.directory.offices_of(procedure.identity.agency) if one.hours)


# -- slots -------------------------------------------------------------------------------------------------------------


def seats_of_day(appointment: Appointment, office: Office, day: date, calendar: Calendar) -> int:
    """Return how many people an office receives in a day for an appointment."""
    seats = len(slot_starts(appointment, office, day, calendar)) * capacity_of(appointment, office, day)
    return seats if appointment.quota is None else min(seats, appointment.quota)


def slot_starts(appointment: Appointment, office: Office, day: date, calendar: Calendar) -> tuple[datetime, ...]:
    """Return the start of each slot of a day, booked or free, one after another during opening hours."""
    length = max(1, minutes_of(appointment.lasts))
    hours = openings(office, day, appointment, calendar)
    minutes = (minute for one in hours for minute in range(one.start, one.end - length + 1, length))
    if office.closed_in_part(day) is not None:
        minutes = (one for one in minutes if office.closure_at(day, one, one + length) is None)
    return tuple(at_minute(day, minute) for minute in minutes)


def first_bookable(appointment: Appointment, now: datetime, calendar: Calendar) -> datetime:
    """Return the first instant that can be booked, after the minimum notice of the procedure (`lead`).

    A notice in days ends at midnight, one in hours is exact.
    """
    if counts_days(appointment.lead):
        return at_minute(add_days(local_day(now), appointment.lead, calendar), 0)
    return add_span(now, appointment.lead, calendar)


def last_day(appointment: Appointment, now: datetime, calendar: Calendar) -> date:
    """Return the last day that can be booked now."""
    return local_day(add_span(now, appointment.horizon, calendar))


def within_step(moment: Moment, dossier: Dossier, appointment: Appointment) -> Appointment:
    """Return the appointment without the days after a step that a booking does not pause: the visit would be void."""
    procedure, calendar, today = moment.procedure, moment.directory.calendar, local_day(moment.now)
    state, before = procedure.states.get(dossier.state), dossier.bookings.get(appointment.id)
    if state is None or appointment.id not in state.waits:
        return appointment
    moves = _moves_after(before, by_service(dossier, moment.actor)) if before is not None else 0
    if state.mode == "attend" and moves <= appointment.moves:
        return appointment
    end = step_end(procedure, dossier, scope_of(procedure, dossier, today, moment.directory), calendar)
    if end is None or local_day(end) >= last_day(appointment, moment.now, calendar):
        return appointment
    return replace(appointment, horizon=Span(max(0, (local_day(end) - today).days), "day"))


def free_slots(
    appointment: Appointment, office: Office, taken: Seats, now: datetime, calendar: Calendar, from_day: date,
    limit: int,
) -> tuple[Slot, ...]:  # fmt: skip
    """Return the first `limit` slots that can be booked from `from_day` on."""
    found: list[Slot] = []
    for slot in _free(appointment, office, taken, now, calendar, from_day):
        if len(found) >= limit:
            break
        found.append(slot)
    return tuple(found)


def _free(
    appointment: Appointment, office: Office, taken: Seats, now: datetime, calendar: Calendar, from_day: date
) -> Iterator[Slot]:
    earliest = first_bookable(appointment, now, calendar)
    day, end = max(from_day, local_day(earliest)), last_day(appointment, now, calendar)
    end = min(end, day + timedelta(days=_SEARCHED))
    minutes = minutes_of(appointment.lasts)
    full = quota_reached(appointment, taken)
    while day <= end:
        desks = capacity_of(appointment, office, day)
        starts = [start for start in slot_starts(appointment, office, day, calendar) if start >= earliest]
        if starts and not full(day):
            for start in starts:
                left = desks - len(taken.get(start, ()))
                if left > 0:
                    yield Slot(start, minutes, office.id, left)
        day += timedelta(days=1)


def quota_reached(appointment: Appointment, taken: Seats) -> Callable[[date], bool]:
    """Return a test whether a day has as many bookings as its quota allows."""
    most = appointment.quota
    if most is None:
        return lambda _: False
    coming = Counter[date]()
    for start, seats in taken.items():
        coming[local_day(start)] += len(seats)
    return lambda day: coming[day] >= most


def seat_for(appointment: Appointment, office: Office, start: datetime, taken: Seats) -> int | None:
    """Return the first free seat of a slot, numbered from 1. None when it is full.

    It may be full with a free number: a former edition had more desks.
    """
    held = taken.get(start, frozenset())
    desks = capacity_of(appointment, office, local_day(start))
    if len(held) >= desks:
        return None
    return next((seat for seat in range(1, desks + 1) if seat not in held), None)


def why_closed(
    appointment: Appointment, office: Office, day: date, now: datetime, calendar: Calendar
) -> Refusal | None:
    """Return why no slot of that day could be booked even if all were free. None when one could."""
    if day < local_day(first_bookable(appointment, now, calendar)):
        return refusal("too_early", day=day.isoformat(), office=office.id, lead=str(appointment.lead))
    closure, name = office.closure_on(day) or office.closed_in_part(day), ""
    if day > last_day(appointment, now, calendar):
        why = "horizon"
    elif slot_starts(appointment, office, day, calendar):
        return None
    elif day in calendar.holidays:
        why, name = "holiday", str(calendar.holidays[day])
    elif closure is not None:
        why, name = "closure", str(closure.because or "")
    else:
        why = "weekday"
    return refusal("slot_closed", why=why, name=name, day=day.isoformat(), office=office.id)


# -- taking one --------------------------------------------------------------------------------------------------------


def bookable(moment: Moment, dossier: Dossier, appointment: str) -> Refusal | None:
    """Return why this actor cannot book or move the appointment now. None when they can."""
    procedure, task = moment.procedure, moment.procedure.tasks.get(appointment)
    if not isinstance(task, Appointment) or dossier.is_draft or dossier.state not in procedure.states:
        return refusal("not_now", task=appointment)
    if not _may_handle(moment, dossier, (*task.by, task.proposed_by or "")):
        return refusal("role", task.where, roles=("applicant",))
    booking = dossier.bookings.get(appointment)
    if booking is not None and booking.status == "booked":
        return _immovable(moment, dossier, task, booking)
    return not_awaited(moment, dossier, task)


def not_awaited(moment: Moment, dossier: Dossier, task: Appointment) -> Refusal | None:
    """Return why the dossier does not wait for this appointment now. None when it does."""
    procedure, scope = moment.procedure, moment.scope(dossier)
    if not _is_awaited(procedure, dossier, task, scope) or task_blockers(procedure, task, dossier, scope):
        return refusal("not_now", task.where, task=task.id, state=dossier.state)
    return None


def _is_awaited(procedure: Procedure, dossier: Dossier, task: Appointment, scope: Scope) -> bool:
    state, booking = procedure.state(dossier.state), dossier.bookings.get(task.id)
    awaited = task.id in state.waits or (booking is not None and bool(booking.lost) and not state.is_end)
    return awaited and not is_satisfied(task, dossier, scope)


def has_use_of_seat(procedure: Procedure, dossier: Dossier, appointment: str, scope: Scope) -> bool:
    """Return True when the dossier can use a seat now.

    Either it waits for the appointment, perhaps after other tasks, or it holds one that can be moved.
    """
    task = procedure.tasks.get(appointment)
    if not isinstance(task, Appointment) or is_done_with(procedure, dossier, appointment, scope):
        return False
    return holds_slot(dossier, appointment) or _is_awaited(procedure, dossier, task, scope)


def is_done_with(procedure: Procedure, dossier: Dossier, appointment: str, scope: Scope) -> bool:
    """Return True when the dossier will never need a seat again. A dossier in another state may still return to it."""
    task = procedure.tasks.get(appointment)
    if not isinstance(task, Appointment) or dossier.closed_at is not None or dossier.state not in procedure.states:
        return True
    over = procedure.state(dossier.state).is_end or is_satisfied(task, dossier, scope)
    return over and not holds_slot(dossier, appointment)


def _may_handle(moment: Moment, dossier: Dossier, roles: Iterable[str]) -> bool:
    """Return True for the applicant's own slots, for agents in these roles and for the system."""
    actor = moment.actor
    own = actor.kind == "system" or is_owner(dossier, actor)
    return own or acting_role(moment.procedure, dossier, actor, roles) is not None


def by_service(dossier: Dossier, actor: Actor) -> bool:
    """Return True for an agent who acts for the service, not for the applicant as at a counter."""
    return actor.kind == "agent" and not is_owner(dossier, actor)


def _immovable(moment: Moment, dossier: Dossier, task: Appointment, booking: Booking) -> Refusal | None:
    """Return why a booked slot cannot be moved: too many moves of the applicant, or too close to its start."""
    if booking.moves >= task.moves and not by_service(dossier, moment.actor):
        return refusal("too_many_moves", task.where, most=task.moves)
    return too_near(task, booking, moment.now, moment.directory.calendar)


def too_near(task: Appointment, booking: Booking, now: datetime, calendar: Calendar) -> Refusal | None:
    """Return why a booked slot is too close to be changed or cancelled. None when there is time."""
    span = Span(-task.moves_until.count, task.moves_until.unit, task.moves_until.working)
    if counts_days(span):
        late = local_day(now) > add_days(local_day(booking.start), span, calendar)
    else:
        late = now > booking.start + timedelta(minutes=minutes_of(span))
    return refusal("too_late_to_move", task.where, until=str(task.moves_until)) if late else None


def place(
    procedure: Procedure, dossier: Dossier, appointment: str, office: str, start: datetime, taken: Seats,
    actor: Actor, now: datetime, directory: Directory, wording: Wording, *, booking_id: str,
) -> Decision:  # fmt: skip
    """Book a slot, or move the appointment to it. `taken` must cover the whole day.

    The old seat is in `releases`, and the dossier has the new booking under a new id. After a cancellation
    without moves left another slot may be booked, but the state's time then runs on. Raises `Refused`.
    """
    moment = Moment(procedure, actor, now, directory, wording)
    closed = bookable(moment, dossier, appointment)
    if closed is not None:
        raise Refused(closed)
    task = procedure.tasks[appointment]
    assert isinstance(task, Appointment)
    task = within_step(moment, dossier, task)
    there = next((one for one in offices_for(procedure, task, dossier, moment) if one.id == office), None)
    if there is None:
        raise Refused(refusal("slot_closed", task.where, why="office", name="", office=office))
    before = dossier.bookings.get(appointment)
    held = before if before is not None and before.status == "booked" else None
    others = _without_own(taken, held, office)
    seat = _seat(task, there, start, others, now, directory.calendar)
    booking = Booking(booking_id, appointment, office, start, minutes_of(task.lasts), seat, moves=0)
    if before is not None:
        moves = _moves_after(before, by_service(dossier, actor))
        booking = replace(booking, sequence=before.sequence + 1, moves=moves)
    passage = TransitionContext.of(dossier).with_(bookings={**dossier.bookings, appointment: booking})
    if held is not None:
        passage = replace(passage, releases=(held.id,))
    if procedure.state(dossier.state).mode == "attend" and booking.moves <= task.moves:
        passage = replace(passage, dossier=pause_due(passage.dossier, now))
    kind = "moved" if held else "booked"
    body: dict[str, Plain] = {"appointment": appointment, "office": office, "start": iso_minute(start), "seat": seat}
    if held is not None and by_service(dossier, actor):
        body["by"] = acting_role(procedure, dossier, actor, (*task.by, task.proposed_by or ""))
    passage = passage.note(kind, {**body, "sequence": booking.sequence}).happened(f"{kind}:{appointment}")
    return finished(goes_on(passage, moment), moment)


def _moves_after(before: Booking, service: bool) -> int:
    """Return the number of moves after a booking.

    A slot that the applicant changed or cancelled counts, not a closure nor an agent. After an attended or missed one it is 0.
    """
    if before.lost or before.is_walk_in or (service and before.status == "booked"):
        return before.moves
    return before.moves + 1 if before.status in ("booked", "cancelled") else 0


def _without_own(taken: Seats, held: Booking | None, office: str) -> Seats:
    if held is None or held.office != office or held.seat not in taken.get(held.start, ()):
        return taken
    return ChainMap({held.start: taken[held.start] - {held.seat}}, taken)  # type: ignore[arg-type]  # only read


def _seat(task: Appointment, office: Office, start: datetime, taken: Seats, now: datetime, calendar: Calendar) -> int:
    """Return the seat to take in a slot. Raises `Refused` for a start that is invalid, too near, too far or full."""
    day, at = local_day(start), iso_minute(start)
    closed = why_closed(task, office, day, now, calendar)
    if closed is not None:
        raise Refused(closed)
    if start < first_bookable(task, now, calendar):
        raise Refused(refusal("too_early", task.where, day=day.isoformat(), office=office.id, lead=str(task.lead)))
    if start not in slot_starts(task, office, day, calendar):
        raise Refused(_not_a_slot(task, office, start))
    seat = seat_for(task, office, start, taken)
    if seat is None or quota_reached(task, taken)(day):
        nearest = _nearest(task, office, start, taken, now, calendar)
        raise Refused(refusal("slot_full", task.where, start=at, office=office.id, nearest=nearest))
    return seat


def _not_a_slot(task: Appointment, office: Office, start: datetime) -> Refusal:
    """Return why no appointment starts at that time of a day with slots: a closure, or no valid start."""
    day, minute = local_day(start), local_minute(start)
    shut = office.closure_at(day, minute, minute + minutes_of(task.lasts))
    why, name = ("closure", str(shut.because or "")) if shut else ("hours", "")
    return refusal("slot_closed", task.where, why=why, name=name, day=day.isoformat(), office=office.id)


def iso_minute(instant: datetime) -> str:
    """Return an instant as ISO text to the minute."""
    return instant.isoformat(timespec="minutes")


def _nearest(
    task: Appointment, office: Office, start: datetime, taken: Seats, now: datetime, calendar: Calendar
) -> tuple[str, ...]:
    """Return the three free slots nearest to a full one, as ISO instants in order of time."""
    free = free_slots(task, office, taken, now, calendar, local_day(start) - timedelta(days=7), 200)
    near = sorted(free, key=lambda slot: abs(slot.start - start))[:3]
    return tuple(sorted(iso_minute(slot.start) for slot in near))


# -- cancelled, lost, attended -----------------------------------------------------------------------------------------


def release(
    procedure: Procedure, dossier: Dossier, appointment: str, actor: Actor, now: datetime, directory: Directory,
    wording: Wording,
) -> Decision:  # fmt: skip
    """Cancel the slot before its start, for the applicant as long as it may be moved (`moves_until`).

    The state's time runs again, and another slot may be booked. A cancellation by an agent counts no move and leaves
    `GRACE`. Raises `Refused`.
    """
    moment = Moment(procedure, actor, now, directory, wording)
    closed = why_kept(moment, dossier, appointment)
    if closed is not None:
        raise Refused(closed)
    task, booking = procedure.tasks.get(appointment), dossier.bookings[appointment]
    if isinstance(task, Appointment) and by_service(dossier, actor):
        by = acting_role(procedure, dossier, actor, (*task.by, task.proposed_by or ""))
        passage = slot_lost(moment, dossier, booking, BY_SERVICE).note(
            "cancelled", {"appointment": appointment, "by": by}
        )
        return finished(passage.happened(f"called_off:{appointment}"), moment)
    passage = drop_slot(TransitionContext.of(dossier), moment, appointment)
    passage = passage.note("cancelled", {"appointment": appointment}).happened(f"cancelled:{appointment}")
    return finished(passage, moment)


def why_kept(moment: Moment, dossier: Dossier, appointment: str) -> Refusal | None:
    """Return why this person cannot cancel the slot now. None when they can."""
    task, booking = moment.procedure.tasks.get(appointment), dossier.bookings.get(appointment)
    if not isinstance(task, Appointment) or booking is None or booking.status != "booked":
        return refusal("not_booked", task=appointment)
    if not _may_handle(moment, dossier, (*task.by, task.proposed_by or "")):
        return refusal("role", task.where, roles=("applicant",))
    if booking.start <= moment.now:
        return refusal("too_late_to_move", task.where, until="0 minutes")
    return too_near(task, booking, moment.now, moment.directory.calendar) if is_owner(dossier, moment.actor) else None


def slot_lost(moment: Moment, dossier: Dossier, booking: Booking, cause: str) -> TransitionContext:
    """Return the context after the loss of a slot for which the applicant is not responsible."""
    passage = drop_slot(TransitionContext.of(dossier), moment, booking.appointment)
    bookings = passage.dossier.bookings
    passage = passage.with_(
        bookings={**bookings, booking.appointment: replace(bookings[booking.appointment], lost=cause)}
    )
    due = passage.dossier.due_at
    if due is not None and booking.appointment in moment.procedure.state(dossier.state).waits:
        passage = passage.with_(due_at=max(due, add_span(moment.now, GRACE, moment.directory.calendar)))
    return passage


def lose(
    procedure: Procedure, dossier: Dossier, appointment: str, change: str, actor: Actor, now: datetime,
    directory: Directory, wording: Wording,
) -> Decision:  # fmt: skip
    """Cancel a booked slot because of the opening change `change`, without counting a move.

    The state's time runs again with at least `GRACE` to choose another slot, so a closure ends no request.
    Raises `Refused` (`not_booked`).
    """
    moment, booking = Moment(procedure, actor, now, directory, wording), dossier.bookings.get(appointment)
    if booking is None or booking.status != "booked":
        raise Refused(refusal("not_booked", task=appointment))
    passage = slot_lost(moment, dossier, booking, change)
    body: dict[str, Plain] = {"appointment": appointment, "office": booking.office, "start": iso_minute(booking.start)}
    return finished(passage.note("slot_lost", {**body, "change": change}), moment)
