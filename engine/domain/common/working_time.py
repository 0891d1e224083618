"""Time as administrations count it: spans, working days, opening hours. Instants in and out are UTC.

Days and longer count whole days on local clocks and end with the last second of the day: what is due in 30 days is
not late before midnight. Minutes and hours are exact; working hours run only while doors are open.
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
MORNING: Final = 8 * 60  # when reminders counted in days leave
_LONGEST_WAIT: Final = 3660  # days
_LAST_SECOND: Final = time(23, 59, 59)


def at_minute(day: date, minute: int) -> datetime:
    """The instant when local clocks show that minute of that day (1440 = the next midnight)."""
    wall = datetime.combine(day, time(), ZONE) + timedelta(minutes=minute)  # wall-clock arithmetic
    return wall.astimezone(UTC)


def end_of_day(day: date) -> datetime:
    return datetime.combine(day, _LAST_SECOND, ZONE).astimezone(UTC)


def add_months(day: date, count: int) -> date:
    """31 January and one month is the last day of February."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def add_days(day: date, span: Span, calendar: Calendar) -> date:
    """The day reached from `day` by a span of days or longer; a negative count goes back."""
    if span.unit == "day" and span.working:
        return calendar.add_working_days(day, span.count)
    if span.unit == "day":
        return day + timedelta(days=span.count)
    if span.unit == "week":
        return day + timedelta(weeks=span.count)
    return add_months(day, span.count * (12 if span.unit == "year" else 1))


def counts_days(span: Span) -> bool:
    """Whether a span is a matter of days rather than of the clock."""
    return span.unit not in ("minute", "hour")


def add_span(instant: datetime, span: Span, calendar: Calendar) -> datetime:
    """The instant when `span` is over, counted from `instant`."""
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


# -- time spent and left, for clocks that stop and run again -----------------------------------------------------------


def elapsed(start: datetime, end: datetime, span: Span, calendar: Calendar) -> int:
    """The seconds of a span's own time between two instants: whole days by midnights passed (working days only, where
    the span says so), hours by the clock (open hours only, the same)."""
    if not counts_days(span):
        length = _working_time(start, end, calendar) if span.working else end - start
        return int(length.total_seconds())
    first, last = local_day(start), local_day(end)
    if not span.working:
        return (last - first).days * DAY
    days = ((first + timedelta(days=ahead)) for ahead in range(1, (last - first).days + 1))
    return sum(calendar.works(day) for day in days) * DAY


def end_after(start: datetime, span: Span, spent: int, calendar: Calendar, began: datetime | None = None) -> datetime:
    """When a span is over that runs again from `start`, `spent` seconds of its own time being used. Months and years
    count the days they had from `began`, their first start."""
    if not counts_days(span):
        left = timedelta(minutes=minutes_of(span)) - timedelta(seconds=spent)
        return _add_working_time(start, left, calendar) if span.working else start + left
    if span.working:
        left_days = Span(max(0, span.count - spent // DAY), "day", working=True)
        return end_of_day(add_days(local_day(start), left_days, calendar))
    days = length_in_days(span, began or start, calendar) - spent // DAY
    return end_of_day(local_day(start) + timedelta(days=days))


def length_in_days(span: Span, start: datetime, calendar: Calendar) -> int:
    """How many days a span counts, from its start; working days, where it says so."""
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
    """When to speak of something `span` ahead: that many days before, in the morning; or exactly, for hours."""
    if counts_days(span):
        day = add_days(local_day(instant), Span(-span.count, span.unit, span.working), calendar)
        return at_minute(day, MORNING)
    return instant - timedelta(minutes=span.count * (60 if span.unit == "hour" else 1))


def due_instant(entered: datetime, value: Span | date, calendar: Calendar) -> datetime:
    """When something is due: a span after `entered`, or the end of a given day."""
    return add_span(entered, value, calendar) if isinstance(value, Span) else end_of_day(value)


def minutes_of(span: Span) -> int:
    """A span of the clock in minutes (a day counts 24 hours)."""
    return span.count * {"minute": 1, "hour": 60}.get(span.unit, 1440)


def openings(office: Office, day: date, appointment: Appointment, calendar: Calendar) -> tuple[Hours, ...]:
    """When the office receives for this appointment on that day, minutes since midnight on local clocks. Hours closed for
    a part of a day are taken out slot by slot (`appointments.slot_starts`), so that the other slots stay where they were."""
    if office.closure_on(day) or (appointment.weekdays and day.weekday() not in appointment.weekdays):
        return ()
    doors = opening_hours(office, day, calendar)
    if not appointment.hours:
        return doors
    both = (Hours(max(a.start, b.start), min(a.end, b.end)) for a in doors for b in appointment.hours)
    return tuple(hours for hours in both if hours.start < hours.end)


def opening_hours(office: Office, day: date, calendar: Calendar) -> tuple[Hours, ...]:
    """When the doors are open that day were nothing closed: the usual hours, then what was opened beside them, feast or not."""
    usual = calendar.works(day) or _opens_at_weekend(office, day, calendar)
    doors = office.hours.get(day.weekday(), ()) if usual else ()
    for more in office.extra_hours(day):
        doors = (*doors, *_beside(more, doors))
    return doors


def _beside(more: Hours, known: tuple[Hours, ...]) -> tuple[Hours, ...]:
    """What is left of some hours without those known."""
    left = [more]
    for one in known:
        cut = [Hours(part.start, min(part.end, one.start)) for part in left]
        cut += [Hours(max(part.start, one.end), part.end) for part in left]
        left = [part for part in dict.fromkeys(cut) if part.start < part.end]
    return tuple(sorted(left, key=lambda part: part.start))


def _opens_at_weekend(office: Office, day: date, calendar: Calendar) -> bool:
    """An office that declares Saturday hours opens on Saturdays, feasts apart."""
    return day not in calendar.holidays and bool(office.hours.get(day.weekday()))


def local_minute(instant: datetime) -> int:
    wall = local(instant)
    return wall.hour * 60 + wall.minute
