"""Time as administrations count it: spans, working days, opening hours. All instants are UTC.

Days and longer spans count whole local days and end with the last second of the day. A task due in 30 days is
thus on time until midnight. Minutes and hours are exact. Working hours count only during opening hours.
"""

from __future__ import annotations

import calendar as months
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from engine.core.clock import ZONE, local, local_day
from engine.core.values import Span
from engine.model import Appointment, Hours
from engine.model.directory import Calendar, Office

WORKING_HOURS: Final = (Hours(450, 720), Hours(870, 1020))  # 07:30–12:00 and 14:30–17:00, the civil service's
DAY: Final = 86_400  # seconds
MORNING: Final = 8 * 60  # when reminders counted in days are sent
_LONGEST_WAIT: Final = 3660  # days
_LAST_SECOND: Final = time(23, 59, 59)


def at_minute(day: date, minute: int) -> datetime:
    """Return the instant of a local minute of that day (1440 = the next midnight)."""
    wall = datetime.combine(day, time(), ZONE) + timedelta(minutes=minute)  # wall-clock arithmetic
    return wall.astimezone(UTC)


def end_of_day(day: date) -> datetime:
    """Return the last second of a local day, in UTC."""
    return datetime.combine(day, _LAST_SECOND, ZONE).astimezone(UTC)


def add_months(day: date, count: int) -> date:
    """Return the day some months later, at most the last day of its month. 31 January + 1 is the end of February."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def add_days(day: date, span: Span, calendar: Calendar) -> date:
    """Return the day that lies a span of days or longer after `day`. A negative count goes back."""
    if span.unit == "day" and span.working:
        return calendar.add_working_days(day, span.count)
    if span.unit == "day":
        return day + timedelta(days=span.count)
    if span.unit == "week":
        return day + timedelta(weeks=span.count)
    return add_months(day, span.count * (12 if span.unit == "year" else 1))


def counts_days(span: Span) -> bool:
    """Return True for a span of days or longer."""
    return span.unit not in ("minute", "hour")


def add_span(instant: datetime, span: Span, calendar: Calendar) -> datetime:
    """Return the instant when `span` is over, counted from `instant`."""
    if counts_days(span):
        return end_of_day(add_days(local_day(instant), span, calendar))
    length = timedelta(minutes=span.count) if span.unit == "minute" else timedelta(hours=span.count)
    return _add_working_time(instant, length, calendar) if span.working else instant + length


def _add_working_time(instant: datetime, left: timedelta, calendar: Calendar) -> datetime:
    first = local_day(instant)
    for ahead in range(_LONGEST_WAIT):
        day = first + timedelta(days=ahead)
        for hours in WORKING_HOURS if calendar.works(day) else ():
            start, end = max(instant, at_minute(day, hours.start)), at_minute(day, hours.end)
            if start < end and left <= end - start:
                return start + left
            left -= max(timedelta(), end - start)
    return end_of_day(first + timedelta(days=_LONGEST_WAIT))  # a calendar without working days


# -- time spent and left, for time limits that pause -------------------------------------------------------------------


def elapsed(start: datetime, end: datetime, span: Span, calendar: Calendar) -> int:
    """Return the seconds between two instants that count for a span.

    A span of days counts a whole day at each midnight, only of working days if the span says so. A span of
    hours is exact, only within opening hours if the span says so.
    """
    if not counts_days(span):
        length = _working_time(start, end, calendar) if span.working else end - start
        return int(length.total_seconds())
    first, last = local_day(start), local_day(end)
    if not span.working:
        return (last - first).days * DAY
    days = ((first + timedelta(days=ahead)) for ahead in range(1, (last - first).days + 1))
    return sum(calendar.works(day) for day in days) * DAY


def end_after(start: datetime, span: Span, spent: int, calendar: Calendar, began: datetime | None = None) -> datetime:
    """Return the end of a span that resumes at `start` with `spent` seconds already used.

    Months and years count the days that they had from `began`, the first start.
    """
    if not counts_days(span):
        left = timedelta(minutes=minutes_of(span)) - timedelta(seconds=spent)
        return _add_working_time(start, left, calendar) if span.working else start + left
    if span.working:
        left_days = Span(max(0, span.count - spent // DAY), "day", working=True)
        return end_of_day(add_days(local_day(start), left_days, calendar))
    days = length_in_days(span, began or start, calendar) - spent // DAY
    return end_of_day(local_day(start) + timedelta(days=days))


def length_in_days(span: Span, start: datetime, calendar: Calendar) -> int:
    """Return the number of days in a span from its start, working days if the span counts these."""
    if span.unit == "day":
        return span.count
    return (add_days(local_day(start), span, calendar) - local_day(start)).days


def _working_time(start: datetime, end: datetime, calendar: Calendar) -> timedelta:
    found, day = timedelta(), local_day(start)
    while day <= local_day(end):
        for hours in WORKING_HOURS if calendar.works(day) else ():
            opens, shuts = max(start, at_minute(day, hours.start)), min(end, at_minute(day, hours.end))
            found += max(timedelta(), shuts - opens)
        day += timedelta(days=1)
    return found


def before_instant(instant: datetime, span: Span, calendar: Calendar) -> datetime:
    """Return when to send a reminder of an instant: that many days before in the morning, or exactly that many
    hours."""
    if counts_days(span):
        day = add_days(local_day(instant), Span(-span.count, span.unit, span.working), calendar)
        return at_minute(day, MORNING)
    return instant - timedelta(minutes=span.count * (60 if span.unit == "hour" else 1))


def due_instant(entered: datetime, value: Span | date, calendar: Calendar) -> datetime:
    """Return when something is due: a span after `entered`, or the end of a given day."""
    return add_span(entered, value, calendar) if isinstance(value, Span) else end_of_day(value)


def minutes_of(span: Span) -> int:
    """Return a span of minutes, hours or days in minutes (a day has 24 hours)."""
    return span.count * {"minute": 1, "hour": 60}.get(span.unit, 1440)


def openings(office: Office, day: date, appointment: Appointment, calendar: Calendar) -> tuple[Hours, ...]:
    """Return when the office receives for this appointment on that day, in local minutes since midnight.

    A partial closure is not subtracted here. `appointments.slot_starts` removes its slots, so the others do
    not move.
    """
    if office.closure_on(day) or (appointment.weekdays and day.weekday() not in appointment.weekdays):
        return ()
    open_hours = opening_hours(office, day, calendar)
    if not appointment.hours:
        return open_hours
    both = (Hours(max(a.start, b.start), min(a.end, b.end)) for a in open_hours for b in appointment.hours)
    return tuple(hours for hours in both if hours.start < hours.end)


def opening_hours(office: Office, day: date, calendar: Calendar) -> tuple[Hours, ...]:
    """Return the opening hours of a day without closures: the usual hours, then extra openings, on holidays too."""
    usual = calendar.works(day) or _opens_at_weekend(office, day, calendar)
    open_hours = office.hours.get(day.weekday(), ()) if usual else ()
    for more in office.extra_hours(day):
        open_hours = (*open_hours, *_beside(more, open_hours))
    return open_hours


def _beside(more: Hours, known: tuple[Hours, ...]) -> tuple[Hours, ...]:
    """Return the parts of some hours outside known hours."""
    left = [more]
    for one in known:
        cut = [Hours(part.start, min(part.end, one.start)) for part in left]
        cut += [Hours(max(part.start, one.end), part.end) for part in left]
        left = [part for part in dict.fromkeys(cut) if part.start < part.end]
    return tuple(sorted(left, key=lambda part: part.start))


def _opens_at_weekend(office: Office, day: date, calendar: Calendar) -> bool:
    """Return True when an office declares hours for this weekday and the day is no holiday."""
    return day not in calendar.holidays and bool(office.hours.get(day.weekday()))


def local_minute(instant: datetime) -> int:
    """Return the local minute of the day, from 0 to 1439."""
    wall = local(instant)
    return wall.hour * 60 + wall.minute
