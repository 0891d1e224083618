"""Opening changes by administrators: the directory with them, the bookings that one closes, the capacity of a day.

A change is checked against its days and hours, never against earlier bookings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

from engine.core.clock import local_day
from engine.core.gsm7 import to_gsm
from engine.core.problems import Refusal, refusal
from engine.core.values import Plain, Text
from engine.domain.appointments.appointments import GRACE, Seats, capacity_of, iso_minute, slot_starts
from engine.domain.common.working_time import add_span, local_minute, opening_hours
from engine.domain.workflow.due_dates import resume_due
from engine.domain.workflow.transition_context import TransitionContext
from engine.model import Appointment, Hours
from engine.model.directory import Calendar, Closure, Directory, ExtraOpening, Office
from engine.records.administration import OpeningChange
from engine.records.dossier import Booking, Dossier

MOST_DAYS: Final = 92  # that one change may cover
FARTHEST: Final = 366  # days ahead
MOST_DESKS: Final = 200
LONGEST_REASON: Final = 60  # it is part of an SMS, beside the instructions


def over(directory: Directory, changes: Iterable[OpeningChange]) -> Directory:
    """Return the directory with these changes applied in their order."""
    holidays = dict(directory.calendar.holidays)
    offices = dict(directory.offices)
    closed: dict[str, list[Closure]] = {}
    opened: dict[str, list[ExtraOpening]] = {}
    for one in changes:
        if one.kind == "holiday":
            holidays.update(dict.fromkeys(days_of(one), reason_of(one)))
        elif one.kind == "closed":
            closed.setdefault(one.office, []).append(_closure(one))
        else:
            opened.setdefault(one.office, []).append(_opened(one))
    for name in (closed.keys() | opened.keys()) & offices.keys():
        there = offices[name]
        offices[name] = replace(
            there, closed=(*there.closed, *closed.get(name, ())), opened=(*there.opened, *opened.get(name, ()))
        )
    calendar = replace(directory.calendar, holidays=MappingProxyType(holidays))
    return replace(directory, offices=MappingProxyType(offices), calendar=calendar)


def days_of(change: OpeningChange) -> tuple[date, ...]:
    """Return the days of a change in order, first and last included."""
    return tuple(change.first_day + timedelta(days=n) for n in range((change.last_day - change.first_day).days + 1))


def reason_of(change: OpeningChange) -> Text:
    """Return the reason that people read, in the languages it was given in."""
    return Text.of({"fr": change.because, **({"en": change.because_en} if change.because_en else {})})


def hours_of(change: OpeningChange) -> Hours | None:
    """Return the hours of a change on each of its days. None means all day."""
    if change.from_minute is None or change.to_minute is None:
        return None
    return Hours(change.from_minute, change.to_minute)


def _closure(one: OpeningChange) -> Closure:
    return Closure(one.first_day, one.last_day, reason_of(one), hours_of(one), one.id)


def _opened(one: OpeningChange) -> ExtraOpening:
    hours = hours_of(one) if one.kind == "open" else None
    return ExtraOpening(one.first_day, one.last_day, hours, one.desks, one.id)


def refusal_for_opening_change(change: OpeningChange, office: Office | None, today: date) -> Refusal | None:
    """Return what is wrong with a requested change. None when it may be made."""
    last = today + timedelta(days=FARTHEST)
    if change.last_day < change.first_day:
        return refusal("opening_backwards", field="until")
    if change.first_day < today:
        return refusal("opening_past", field="from")
    if change.last_day > last or (change.last_day - change.first_day).days >= MOST_DAYS:
        return refusal("opening_far", field="until", most=MOST_DAYS)
    if (change.from_minute is None) != (change.to_minute is None):
        return refusal("opening_hours_half", field="opens" if change.from_minute is None else "shuts")
    hours = hours_of(change)
    if hours is not None and hours.end <= hours.start:
        return refusal("opening_hours_backwards", field="shuts")
    if change.kind == "open" and hours is None:
        return refusal("opening_hours_missing", field="opens")
    if change.kind == "desks" and not 1 <= (change.desks or 0) <= MOST_DESKS:
        return refusal("opening_desks", field="desks", most=MOST_DESKS)
    return _why_not_said(change)


def _why_not_said(change: OpeningChange) -> Refusal | None:
    """Return why the reason of a change is refused: it must exist and fit in an SMS."""
    for name, text in (("because", change.because), ("because_en", change.because_en)):
        if len(to_gsm(text)) > LONGEST_REASON:
            return refusal("opening_reason_long", field=name, most=LONGEST_REASON, signs=len(text))
    if not change.because and change.kind in ("closed", "holiday"):
        return refusal("opening_reason_missing", field="because")
    return None


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """Why an office is closed on a day or for some hours of it. `holiday` means a public holiday."""

    office: str
    because: Text | None
    hours: Hours | None = None
    holiday: bool = False

    def keeps_out(self, booking: Booking) -> bool:
        """Return True when a booking lies in the closed time."""
        start = local_minute(booking.start)
        meets = self.hours is None or (self.hours.start < start + booking.minutes and start < self.hours.end)
        return booking.status == "booked" and booking.office == self.office and meets


def shut_on(directory: Directory, offices: Iterable[str], day: date) -> tuple[ClosedDay, ...]:
    """Return the offices closed on a day by a closure or a holiday, in order. Weekly days off are not reported."""
    holiday, found = directory.calendar.holidays.get(day), list[ClosedDay]()
    for name in offices:
        there = directory.offices.get(name)
        if there is None:
            continue
        closure = there.closure_on(day) or there.closed_in_part(day)
        if closure is not None:
            found.append(ClosedDay(name, closure.because, closure.hours))
        elif holiday is not None and not there.extra_hours(day):
            found.append(ClosedDay(name, holiday, holiday=True))
    return tuple(found)


def is_shut_out(booking: Booking, directory: Directory, change: OpeningChange, now: datetime) -> bool:
    """Return True when a change closes the office at the time of a future booking. `directory` is without it."""
    day = local_day(booking.start)
    if booking.status != "booked" or booking.start <= now or not change.first_day <= day <= change.last_day:
        return False
    start = local_minute(booking.start)
    end = start + booking.minutes
    if change.kind == "closed":
        hours = hours_of(change)
        return hours is None or (hours.start < end and start < hours.end)
    there = directory.offices.get(booking.office)
    meant = there is not None and any(one.start <= start and end <= one.end for one in there.extra_hours(day))
    return change.kind == "holiday" and not meant


def most_desks(appointment: Appointment, office: Office, day: date) -> int:
    """Return the largest capacity that any opening change gives the day, so that a later reduction cancels no seat."""
    said = [one.desks for one in office.opened if one.desks is not None and one.covers(day)]
    return max([capacity_of(appointment, office), *said])


def rests_on(
    change: OpeningChange, booking: Booking, task: Appointment | None, directory: Directory, without: Directory
) -> bool:
    """Return True when a booking is possible only because of an opening change.

    `directory` includes the change, and `without` does not. `task` is None when the procedure cannot be read.
    Then opening hours and a capacity of one decide.
    """
    if booking.is_walk_in or booking.office not in without.offices:
        return False
    day, there = local_day(booking.start), without.offices[booking.office]
    if change.kind == "desks":
        kept = most_desks(task, there, day) if task is not None else 1
        return kept < booking.seat and (change.desks or 0) >= booking.seat
    start = local_minute(booking.start)
    end, hours = start + booking.minutes, hours_of(change)
    if change.kind != "open" or hours is None:
        return False
    within = hours.start < end and start < hours.end
    if task is None:
        return within and not any(
            one.start <= start and end <= one.end for one in opening_hours(there, day, without.calendar)
        )
    if booking.start in slot_starts(task, there, day, without.calendar):
        return False
    return within or booking.start in slot_starts(task, directory.offices[booking.office], day, directory.calendar)


def lose_unread(
    dossier: Dossier, appointment: str, change: str, now: datetime, calendar: Calendar
) -> TransitionContext:
    """Cancel a booking because of a closure when the dossier's procedure cannot be read.

    It works as `appointments.lose` without new timers. The state gets time to choose if its time was paused
    for the booking.
    """
    booking, after = dossier.bookings[appointment], resume_due(dossier, now)
    gone = replace(booking, status="cancelled", sequence=booking.sequence + 1, lost=change)
    passage = replace(
        TransitionContext.of(dossier), dossier=replace(after, bookings={**after.bookings, appointment: gone})
    )
    if after.due_at is not None and dossier.due_paused_at is not None:
        passage = passage.with_(due_at=max(after.due_at, add_span(now, GRACE, calendar)))
    body: dict[str, Plain] = {"appointment": appointment, "office": booking.office, "start": iso_minute(booking.start)}
    return passage.note("slot_lost", {**body, "change": change})


# -- counting ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DayCapacity:
    """The seats of one day for one appointment: free, booked and removed by a closure."""

    free: int
    booked: int
    closed: int


def places(
    appointment: Appointment, office: Office, usual: Office, taken: Seats, day: date, now: datetime,
    calendar: Calendar, usual_calendar: Calendar,
) -> DayCapacity:  # fmt: skip
    """Return the seats of a day at an office. `usual` and `usual_calendar` are without opening changes."""
    desks = capacity_of(appointment, office, day)
    starts = [one for one in slot_starts(appointment, office, day, calendar) if one > now]
    free = sum(max(0, desks - len(taken.get(one, ()))) for one in starts)
    booked = sum(len(seats) for start, seats in taken.items() if local_day(start) == day)
    if appointment.quota is not None:
        free = min(free, max(0, appointment.quota - booked))
    before = {one for one in slot_starts(appointment, usual, day, usual_calendar) if one > now}
    return DayCapacity(free, booked, len(before - set(starts)) * capacity_of(appointment, usual))


def by_day(taken: Seats) -> Mapping[date, Seats]:
    """Return taken seats by day."""
    found: dict[date, dict[datetime, frozenset[int]]] = {}
    for start, seats in taken.items():
        found.setdefault(local_day(start), {})[start] = seats
    return found
