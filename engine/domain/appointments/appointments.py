"""Visits: which slots exist, which are free, taking one, moving it, giving it back.

A slot is an instant at an office; `desks` people come at once, each on a numbered seat. `taken` are the seats others
hold, by slot, as the store reads them. A booking is refused as `not_now`, `too_early`, `slot_closed`, `slot_full`,
`too_many_moves`, `too_late_to_move`, `not_booked` or `visit_ahead`.
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
from engine.domain.workflow.actions import no_show, task_done, visit_ahead
from engine.domain.workflow.due_dates import pause_due
from engine.domain.workflow.elapsed import goes_on
from engine.domain.workflow.tasks import drop_slot, is_satisfied, task_blockers
from engine.domain.workflow.transition_context import Moment, TransitionContext, finished
from engine.model import Appointment, Procedure
from engine.model.directory import Calendar, Directory, Office
from engine.model.types import Scope
from engine.records.dossier import Actor, Booking, Dossier

Seats = Mapping[datetime, frozenset[int]]
GRACE: Final = Span(7, "day")  # to choose again, whatever was left of the state's time
_SEARCHED: Final = 400  # days looked through at most for one list of slots


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that can be taken. `left` counts the places still free."""

    start: datetime
    minutes: int
    office: str
    left: int


def resource_key(procedure: Procedure, appointment: str) -> str:
    """What the seats of an appointment are counted under, all editions together."""
    return f"{procedure.id}/{appointment}"


def capacity_of(appointment: Appointment, office: Office, day: date | None = None) -> int:
    """Places in parallel: one, or what the appointment says, never more than the office has; on a day for which an
    administrator said how many, that many."""
    said = office.desks_on(day) if day is not None else None
    if said is not None:
        return said
    return min(appointment.desks or 1, office.desks) if office.desks else appointment.desks or 1


def office_for(procedure: Procedure, appointment: Appointment, dossier: Dossier, moment: Moment) -> str | None:
    """The office where the visit takes place: what the appointment says, else the dossier's; none where none is known."""
    said = appointment.office.value(moment.scope(dossier)) if appointment.office else None
    known = said if isinstance(said, str) else dossier.office
    return known if known in moment.directory.offices else None


def offices_for(procedure: Procedure, appointment: Appointment, dossier: Dossier, moment: Moment) -> tuple[Office, ...]:
    """Where the visit may be booked: its office alone; all that receive for the agency where none is named."""
    known = office_for(procedure, appointment, dossier, moment)
    if known is not None:
        return (moment.directory.offices[known],)
    return tuple(one for one in moment.directory.offices_of(procedure.identity.agency) if one.hours)


# -- slots -------------------------------------------------------------------------------------------------------------


def slot_starts(appointment: Appointment, office: Office, day: date, calendar: Calendar) -> tuple[datetime, ...]:
    """Every slot of a day, taken or not: one after another while doors are open."""
    length = max(1, minutes_of(appointment.lasts))
    hours = openings(office, day, appointment, calendar)
    minutes = (minute for one in hours for minute in range(one.start, one.end - length + 1, length))
    if office.closed_in_part(day) is not None:
        minutes = (one for one in minutes if office.closure_at(day, one, one + length) is None)
    return tuple(at_minute(day, minute) for minute in minutes)


def first_bookable(appointment: Appointment, now: datetime, calendar: Calendar) -> datetime:
    """From when slots can be taken: a lead in days ends with midnight, one in hours is exact."""
    if counts_days(appointment.lead):
        return at_minute(add_days(local_day(now), appointment.lead, calendar), 0)
    return add_span(now, appointment.lead, calendar)


def last_day(appointment: Appointment, now: datetime, calendar: Calendar) -> date:
    """The last day that can be booked yet."""
    return local_day(add_span(now, appointment.horizon, calendar))


def free_slots(
    appointment: Appointment, office: Office, taken: Seats, now: datetime, calendar: Calendar, from_day: date,
    limit: int,
) -> tuple[Slot, ...]:  # fmt: skip
    """The first `limit` slots that can be taken from `from_day` on."""
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
    full = _quota_reached(appointment, taken)
    while day <= end:
        desks = capacity_of(appointment, office, day)
        starts = [start for start in slot_starts(appointment, office, day, calendar) if start >= earliest]
        if starts and not full(day):
            for start in starts:
                left = desks - len(taken.get(start, ()))
                if left > 0:
                    yield Slot(start, minutes, office.id, left)
        day += timedelta(days=1)


def _quota_reached(appointment: Appointment, taken: Seats) -> Callable[[date], bool]:
    """Whether as many people come on a day as may."""
    most = appointment.quota
    if most is None:
        return lambda _: False
    coming = Counter[date]()
    for start, seats in taken.items():
        coming[local_day(start)] += len(seats)
    return lambda day: coming[day] >= most


def seat_for(appointment: Appointment, office: Office, start: datetime, taken: Seats) -> int | None:
    """The first free place of a slot, numbered from 1; none when it is full."""
    held = taken.get(start, frozenset())
    desks = capacity_of(appointment, office, local_day(start))
    return next((seat for seat in range(1, desks + 1) if seat not in held), None)


def why_closed(
    appointment: Appointment, office: Office, day: date, now: datetime, calendar: Calendar
) -> Refusal | None:
    """Why no slot of that day can be taken, were they all free; none when some can."""
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
    """Why this visit cannot be booked or moved now by this actor; none when it can."""
    procedure, task = moment.procedure, moment.procedure.tasks.get(appointment)
    if not isinstance(task, Appointment) or dossier.is_draft or dossier.state not in procedure.states:
        return refusal("not_now", task=appointment)
    if not _may_handle(moment, dossier, (*task.by, task.proposed_by or "")):
        return refusal("role", task.where, roles=("applicant",))
    booking = dossier.bookings.get(appointment)
    if booking is not None and booking.status == "booked":
        return _immovable(task, booking, moment)
    return not_awaited(moment, dossier, task)


def not_awaited(moment: Moment, dossier: Dossier, task: Appointment) -> Refusal | None:
    """Why the dossier does not wait for this visit now; none when it does."""
    procedure, scope = moment.procedure, moment.scope(dossier)
    if not _is_awaited(procedure, dossier, task, scope) or task_blockers(procedure, task, dossier, scope):
        return refusal("not_now", task.where, task=task.id, state=dossier.state)
    return None


def _is_awaited(procedure: Procedure, dossier: Dossier, task: Appointment, scope: Scope) -> bool:
    state, booking = procedure.state(dossier.state), dossier.bookings.get(task.id)
    awaited = task.id in state.waits or (booking is not None and bool(booking.lost) and not state.is_end)
    return awaited and not is_satisfied(task, dossier, scope)


def has_use_of_seat(procedure: Procedure, dossier: Dossier, appointment: str, scope: Scope) -> bool:
    """Whether a seat is of use to the dossier now: the visit is awaited, though not open yet, or can be moved."""
    task = procedure.tasks.get(appointment)
    if not isinstance(task, Appointment) or is_done_with(procedure, dossier, appointment, scope):
        return False
    return _is_held(dossier, appointment) or _is_awaited(procedure, dossier, task, scope)


def is_done_with(procedure: Procedure, dossier: Dossier, appointment: str, scope: Scope) -> bool:
    """Whether no seat will be of use to the dossier again. One that passes through other states comes back to its visit."""
    task = procedure.tasks.get(appointment)
    if not isinstance(task, Appointment) or dossier.closed_at is not None or dossier.state not in procedure.states:
        return True
    over = procedure.state(dossier.state).is_end or is_satisfied(task, dossier, scope)
    return over and not _is_held(dossier, appointment)


def _is_held(dossier: Dossier, appointment: str) -> bool:
    booking = dossier.bookings.get(appointment)
    return booking is not None and booking.status == "booked"


def _may_handle(moment: Moment, dossier: Dossier, roles: Iterable[str]) -> bool:
    """The applicant handles their own slots, the agents who receive help them, the system may."""
    actor = moment.actor
    own = actor.kind == "system" or is_owner(dossier, actor)
    return own or acting_role(moment.procedure, dossier, actor, roles) is not None


def _immovable(task: Appointment, booking: Booking, moment: Moment) -> Refusal | None:
    """A slot held can be moved so many times, and until some time before it."""
    if booking.moves >= task.moves:
        return refusal("too_many_moves", task.where, most=task.moves)
    return too_near(task, booking, moment.now, moment.directory.calendar)


def too_near(task: Appointment, booking: Booking, now: datetime, calendar: Calendar) -> Refusal | None:
    """Why a slot held cannot be changed nor given back any more, so near to it."""
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
    """Takes a slot, or moves the visit to it. The old seat is in `releases`; the new booking, under a new id, is the
    dossier's. `taken` must cover the whole day, the dossier's own seat left out or not. Who gave back a slot with no move
    left may take another, so that nobody is stranded, but the state's time then runs on."""
    moment = Moment(procedure, actor, now, directory, wording)
    closed = bookable(moment, dossier, appointment)
    if closed is not None:
        raise Refused(closed)
    task = procedure.tasks[appointment]
    assert isinstance(task, Appointment)
    there = next((one for one in offices_for(procedure, task, dossier, moment) if one.id == office), None)
    if there is None:
        raise Refused(refusal("slot_closed", task.where, why="office", name="", office=office))
    before = dossier.bookings.get(appointment)
    held = before if before is not None and before.status == "booked" else None
    others = _without_own(taken, held, office)
    seat = _seat(task, there, start, others, now, directory.calendar)
    booking = Booking(booking_id, appointment, office, start, minutes_of(task.lasts), seat, moves=0)
    if before is not None:
        booking = replace(booking, sequence=before.sequence + 1, moves=_moves_after(before))
    passage = TransitionContext.of(dossier).with_(bookings={**dossier.bookings, appointment: booking})
    if held is not None:
        passage = replace(passage, releases=(held.id,))
    if procedure.state(dossier.state).mode == "attend" and booking.moves <= task.moves:
        passage = replace(passage, dossier=pause_due(passage.dossier, now))
    kind = "moved" if held else "booked"
    body: dict[str, Plain] = {"appointment": appointment, "office": office, "start": iso_minute(start), "seat": seat}
    passage = passage.note(kind, {**body, "sequence": booking.sequence}).happened(f"{kind}:{appointment}")
    return finished(goes_on(passage, moment), moment)


def _moves_after(before: Booking) -> int:
    """A changed or cancelled slot counts as moved, one that the office lost does not; one used or missed begins anew."""
    if before.lost or before.is_walk_in:
        return before.moves
    return before.moves + 1 if before.status in ("booked", "cancelled") else 0


def _without_own(taken: Seats, held: Booking | None, office: str) -> Seats:
    if held is None or held.office != office or held.seat not in taken.get(held.start, ()):
        return taken
    return ChainMap({held.start: taken[held.start] - {held.seat}}, taken)  # type: ignore[arg-type]  # only read


def _seat(task: Appointment, office: Office, start: datetime, taken: Seats, now: datetime, calendar: Calendar) -> int:
    """The place taken in a slot. Refuses times that do not exist, are too near, too far or full."""
    day, at = local_day(start), iso_minute(start)
    closed = why_closed(task, office, day, now, calendar)
    if closed is not None:
        raise Refused(closed)
    if start < first_bookable(task, now, calendar):
        raise Refused(refusal("too_early", task.where, day=day.isoformat(), office=office.id, lead=str(task.lead)))
    if start not in slot_starts(task, office, day, calendar):
        raise Refused(_not_a_slot(task, office, start))
    seat = seat_for(task, office, start, taken)
    if seat is None or _quota_reached(task, taken)(day):
        nearest = _nearest(task, office, start, taken, now, calendar)
        raise Refused(refusal("slot_full", task.where, start=at, office=office.id, nearest=nearest))
    return seat


def _not_a_slot(task: Appointment, office: Office, start: datetime) -> Refusal:
    """Why no visit begins at that time of a day with slots: closed for these hours, or no time of this visit."""
    day, minute = local_day(start), local_minute(start)
    shut = office.closure_at(day, minute, minute + minutes_of(task.lasts))
    why, name = ("closure", str(shut.because or "")) if shut else ("hours", "")
    return refusal("slot_closed", task.where, why=why, name=name, day=day.isoformat(), office=office.id)


def iso_minute(instant: datetime) -> str:
    return instant.isoformat(timespec="minutes")


def _nearest(
    task: Appointment, office: Office, start: datetime, taken: Seats, now: datetime, calendar: Calendar
) -> tuple[str, ...]:
    """The three free slots nearest to one that is full, as ISO instants, in order of time."""
    free = free_slots(task, office, taken, now, calendar, local_day(start) - timedelta(days=7), 200)
    near = sorted(free, key=lambda slot: abs(slot.start - start))[:3]
    return tuple(sorted(iso_minute(slot.start) for slot in near))


# -- what becomes of it ------------------------------------------------------------------------------------------------


def release(
    procedure: Procedure, dossier: Dossier, appointment: str, actor: Actor, now: datetime, directory: Directory,
    wording: Wording,
) -> Decision:  # fmt: skip
    """Gives the slot back before it begins, the applicant as long as it may be moved (`moves_until`). The state's time
    runs again; another slot may be taken."""
    moment = Moment(procedure, actor, now, directory, wording)
    task, booking = procedure.tasks.get(appointment), dossier.bookings.get(appointment)
    if not isinstance(task, Appointment) or booking is None or booking.status != "booked":
        raise Refused(refusal("not_booked", task=appointment))
    if not _may_handle(moment, dossier, task.by):
        raise Refused(refusal("role", task.where, roles=("applicant",)))
    if booking.start <= now:
        raise Refused(refusal("too_late_to_move", task.where, until="0 minutes"))
    near = too_near(task, booking, now, directory.calendar) if is_owner(dossier, actor) else None
    if near is not None:
        raise Refused(near)
    passage = drop_slot(TransitionContext.of(dossier), moment, appointment)
    passage = passage.note("cancelled", {"appointment": appointment}).happened(f"cancelled:{appointment}")
    return finished(passage, moment)


def lose(
    procedure: Procedure, dossier: Dossier, appointment: str, change: str, actor: Actor, now: datetime,
    directory: Directory, wording: Wording,
) -> Decision:  # fmt: skip
    """The office does not receive at the time of a visit that is held (`change` says why): the slot goes, no move is used
    up, and another may be taken. The state's time runs again, at least long enough to choose (`GRACE`): nobody's request
    lapses because a door was closed."""
    moment, booking = Moment(procedure, actor, now, directory, wording), dossier.bookings.get(appointment)
    if booking is None or booking.status != "booked":
        raise Refused(refusal("not_booked", task=appointment))
    passage = drop_slot(TransitionContext.of(dossier), moment, appointment)
    bookings = passage.dossier.bookings
    passage = passage.with_(bookings={**bookings, appointment: replace(bookings[appointment], lost=change)})
    due = passage.dossier.due_at
    if due is not None and appointment in procedure.state(dossier.state).waits:
        passage = passage.with_(due_at=max(due, add_span(now, GRACE, directory.calendar)))
    body: dict[str, Plain] = {"appointment": appointment, "office": booking.office, "start": iso_minute(booking.start)}
    return finished(passage.note("slot_lost", {**body, "change": change}), moment)


def arrived(
    procedure: Procedure, dossier: Dossier, appointment: str, actor: Actor, now: datetime, directory: Directory,
    wording: Wording,
) -> Decision:  # fmt: skip
    """The person is there and waits."""
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


def attended(
    procedure: Procedure, dossier: Dossier, appointment: str, actor: Actor, now: datetime, directory: Directory,
    wording: Wording,
) -> Decision:  # fmt: skip
    """The visit took place: the task is done."""
    return task_done(procedure, dossier, appointment, actor, now, directory, wording)


def missed(
    procedure: Procedure, dossier: Dossier, appointment: str, actor: Actor, now: datetime, directory: Directory,
    wording: Wording,
) -> Decision:  # fmt: skip
    """Nobody came (`workflow.no_show`)."""
    return no_show(procedure, dossier, appointment, actor, now, directory, wording)
