"""Arrivals, and walk-ins: people who come to the office without a booking of today.

A walk-in takes no seat of the calendar, so the offered slots do not change. It begins when it is recorded,
under a number that no slot has. A slot booked for another day is cancelled. A person marked absent earlier
today only came late. Refusals: `not_now`, `role`, `expected_today`, `slot_closed`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zlib import crc32

from engine.core.clock import local_day
from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.appointments.appointments import (
    BY_SERVICE,
    Seats,
    iso_minute,
    not_awaited,
    offices_for,
    quota_reached,
    seat_for,
    slot_lost,
    slot_starts,
)
from engine.domain.common.access import acting_role
from engine.domain.common.decision import Decision
from engine.domain.common.text_provider import Wording
from engine.domain.common.working_time import minutes_of
from engine.domain.workflow.actions import visit_ahead
from engine.domain.workflow.due_dates import pause_due, resume_due
from engine.domain.workflow.elapsed import goes_on
from engine.domain.workflow.tasks import drop_slot
from engine.domain.workflow.transition_context import Moment, TransitionContext, finished
from engine.model import Appointment, Procedure
from engine.model.directory import Calendar, Directory, Office
from engine.records.dossier import OFF_THE_LIST, Actor, Booking, Dossier


def receivable(moment: Moment, dossier: Dossier, appointment: str) -> Refusal | None:
    """Return why this agent cannot record a walk-in now. None when they can."""
    procedure, task = moment.procedure, moment.procedure.tasks.get(appointment)
    if not isinstance(task, Appointment) or task.place != "office" or dossier.is_draft:
        return refusal("not_now", task=appointment)
    if not acting_role(procedure, dossier, moment.actor, task.by) and moment.actor.kind != "system":
        return refusal("role", task.where, roles=tuple(task.by))
    booking = dossier.bookings.get(appointment)
    if booking is not None and booking.status == "booked" and local_day(booking.start) == local_day(moment.now):
        return refusal("expected_today", task.where, task=appointment, start=iso_minute(booking.start))
    return not_awaited(moment, dossier, task)


def receiving(moment: Moment, dossier: Dossier, task: Appointment) -> tuple[Office, ...]:
    """Return the offices of the appointment in which this agent receives people."""
    places = offices_for(moment.procedure, task, dossier, moment)
    return tuple(one for one in places if not moment.actor.offices or one.id in moment.actor.offices)


def came_late(booking: Booking | None, now: datetime) -> bool:
    """Return True when the person was marked absent today."""
    return booking is not None and booking.status == "missed" and local_day(booking.start) == local_day(now)


def come(
    procedure: Procedure, dossier: Dossier, appointment: str, office: str, actor: Actor, now: datetime,
    directory: Directory, wording: Wording, *, booking_id: str,
) -> Decision:  # fmt: skip
    """Record that the person is at this office and waits. `booking_id` is the id of a new booking. Raises `Refused`."""
    moment = Moment(procedure, actor, now, directory, wording)
    closed = receivable(moment, dossier, appointment)
    if closed is not None:
        raise Refused(closed)
    task, before = procedure.tasks[appointment], dossier.bookings.get(appointment)
    assert isinstance(task, Appointment)
    if before is not None and came_late(before, now):
        return _late(moment, dossier, before)
    if office not in {one.id for one in receiving(moment, dossier, task)}:
        raise Refused(refusal("slot_closed", task.where, why="office", name="", office=office))
    seat = OFF_THE_LIST + crc32(booking_id.encode()) % OFF_THE_LIST
    booking = Booking(booking_id, appointment, office, now, minutes_of(task.lasts), seat, arrived_at=now)
    passage = TransitionContext.of(dossier)
    body: dict[str, Plain] = {"appointment": appointment, "office": office, "start": iso_minute(now)}
    if before is not None:
        booking = replace(booking, sequence=before.sequence + 1, moves=before.moves)
        if before.status == "booked":
            passage = replace(passage, releases=(before.id,))
            body["instead"] = iso_minute(before.start)
    passage = passage.with_(bookings={**dossier.bookings, appointment: booking})
    return finished(goes_on(_awaiting(moment, passage).note("walked_in", body), moment), moment)


def _late(moment: Moment, dossier: Dossier, booking: Booking) -> Decision:
    """Return the decision that restores the booking and removes the absence."""
    name = booking.appointment
    count = dossier.missed.get(name, 0) - 1
    missed = {task: times for task, times in dossier.missed.items() if task != name}
    came = replace(booking, status="booked", arrived_at=moment.now)
    passage = TransitionContext.of(dossier).with_(
        bookings={**dossier.bookings, name: came}, missed={**missed, name: count} if count > 0 else missed
    )
    return finished(_awaiting(moment, passage).note("came_late", {"appointment": name}), moment)


def _awaiting(moment: Moment, passage: TransitionContext) -> TransitionContext:
    """Pause the state's time while the person waits at the office, as for a booked slot."""
    if moment.procedure.state(passage.dossier.state).mode != "attend":
        return passage
    return replace(passage, dossier=pause_due(passage.dossier, moment.now))


def seat_again(
    task: Appointment, office: Office | None, former: Booking, taken: Seats, now: datetime, calendar: Calendar
) -> int | None:
    """Return a seat in the slot that a walk-in gave up. None when it is over, closed or full."""
    day = local_day(former.start)
    if office is None or former.start <= now or former.start not in slot_starts(task, office, day, calendar):
        return None
    return None if quota_reached(task, taken)(day) else seat_for(task, office, former.start, taken)


def not_come(
    procedure: Procedure, dossier: Dossier, appointment: str, actor: Actor, now: datetime, directory: Directory,
    wording: Wording, *, former: Booking | None = None, seat: int | None = None,
) -> Decision:  # fmt: skip
    """Undo an arrival recorded by mistake, or for a person who left before their turn. Raises `Refused`.

    A booked slot is expected again, and a walk-in is removed. The booking `former` that it gave up is booked again in
    `seat`; without a seat it is cancelled by the service.
    """
    moment = Moment(procedure, actor, now, directory, wording)
    task, booking = procedure.tasks.get(appointment), dossier.bookings.get(appointment)
    if task is None or booking is None or booking.status != "booked" or booking.arrived_at is None:
        raise Refused(refusal("not_booked", task=appointment))
    if actor.kind != "system" and not acting_role(procedure, dossier, actor, task.by):
        raise Refused(refusal("role", task.where, roles=tuple(task.by)))
    passage, body = TransitionContext.of(dossier), dict[str, Plain](appointment=appointment)
    if booking.is_walk_in and former is not None:
        body |= {"start": iso_minute(former.start), "seat": seat}
        passage = _given_back(moment, dossier, booking, former, seat)
    elif booking.is_walk_in:
        passage = drop_slot(passage, moment, appointment)
    else:
        passage = passage.with_(bookings={**dossier.bookings, appointment: replace(booking, arrived_at=None)})
    return finished(passage.note("not_come", body), moment)


def _given_back(
    moment: Moment, dossier: Dossier, walk_in: Booking, former: Booking, seat: int | None
) -> TransitionContext:
    """Return the context with the former booking in place of a walk-in, cancelled by the service without a seat."""
    name, sequence, task = walk_in.appointment, walk_in.sequence + 1, moment.procedure.tasks[walk_in.appointment]
    if seat is None:
        passage = slot_lost(moment, dossier, walk_in, BY_SERVICE).happened(f"called_off:{name}")
        booking = replace(former, status="cancelled", sequence=sequence, lost=BY_SERVICE)
    else:
        attends = moment.procedure.state(dossier.state).mode == "attend"
        paused = attends and isinstance(task, Appointment) and former.moves <= task.moves  # as when it was booked
        held = (pause_due if paused else resume_due)(dossier, moment.now)
        passage = replace(TransitionContext.of(dossier), dossier=held, releases=(walk_in.id,))
        booking = replace(former, status="booked", seat=seat, sequence=sequence)
    return passage.with_(bookings={**dossier.bookings, name: booking})


def arrived(
    procedure: Procedure, dossier: Dossier, appointment: str, actor: Actor, now: datetime, directory: Directory,
    wording: Wording,
) -> Decision:  # fmt: skip
    """Record that the person arrived and waits. Raises `Refused`."""
    moment = Moment(procedure, actor, now, directory, wording)
    task, booking = procedure.tasks.get(appointment), dossier.bookings.get(appointment)
    if task is None or booking is None or booking.status != "booked":
        raise Refused(refusal("not_booked", task=appointment))
    if actor.kind != "system" and not acting_role(procedure, dossier, actor, task.by):
        raise Refused(refusal("role", task.where, roles=tuple(task.by)))
    ahead = visit_ahead(booking, now)
    if ahead is not None:
        raise Refused(ahead)
    came = replace(booking, arrived_at=booking.arrived_at or now)
    passage = TransitionContext.of(dossier).with_(bookings={**dossier.bookings, appointment: came})
    return finished(passage.note("arrived", {"appointment": appointment}), moment)
