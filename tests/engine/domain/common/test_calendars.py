"""Time as administrations count it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engine.core.clock import local_day
from engine.core.values import Span, Text
from engine.domain.common.working_time import (
    DAY,
    add_months,
    add_span,
    before_instant,
    counts_days,
    due_instant,
    elapsed,
    end_after,
    openings,
)
from engine.model import Hours
from engine.model.directory import Calendar
from tests.engine.domain.small_procedure import DEPOT, DIRECTORY, MONDAY, span
from tests.makers import the_directory

CALENDAR = Calendar(holidays={date(2026, 12, 25): Text.of("Noël"), date(2027, 1, 1): Text.of("Nouvel An")})


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        ("2026-11-23 09:00", "3 working days", "2026-11-26 23:59:59"),  # the passport's control
        ("2026-11-20 16:00", "1 working day", "2026-11-23 23:59:59"),  # over a weekend
        ("2026-12-24 09:00", "2 working days", "2026-12-29 23:59:59"),  # over Christmas and a weekend
        ("2026-11-23 09:00", "30 days", "2026-12-23 23:59:59"),
        ("2026-11-23 09:00", "2 weeks", "2026-12-07 23:59:59"),
        ("2026-12-31 09:00", "2 months", "2027-02-28 23:59:59"),  # the last day of February
        ("2028-02-29 09:00", "1 year", "2029-02-28 23:59:59"),
        ("2026-11-23 09:00", "72 hours", "2026-11-26 09:00:00"),
        ("2026-11-23 23:50", "15 minutes", "2026-11-24 00:05:00"),
        ("2026-11-23 11:00", "2 working hours", "2026-11-23 15:30:00"),  # over the midday break
        ("2026-11-23 16:30", "1 working hour", "2026-11-24 08:00:00"),  # to the next morning
        ("2026-12-24 16:30", "2 working hours", "2026-12-28 09:00:00"),  # over Christmas and a weekend
        ("2026-11-22 10:00", "7 working hours", "2026-11-23 17:00:00"),  # a Sunday counts for nothing
        ("2026-11-23 07:30", "0 working days", "2026-11-23 23:59:59"),
    ],
)
def test_a_span_ends(start: str, length: str, end: str) -> None:
    found = add_span(datetime.fromisoformat(start).replace(tzinfo=UTC), span(length), CALENDAR)
    assert found == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_thirty_one_days_of_waiting_pass_a_due_of_thirty() -> None:
    due = add_span(MONDAY, span("30 days"), CALENDAR)
    assert add_span(MONDAY, span("31 days"), CALENDAR) > due
    assert MONDAY.replace(month=12, day=23) < due


def test_a_date_is_due_at_the_end_of_its_day() -> None:
    assert due_instant(MONDAY, date(2026, 12, 1), CALENDAR) == datetime(2026, 12, 1, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ahead", "at"),
    [
        ("1 day", "2026-12-01 08:00"),
        ("3 days", "2026-11-29 08:00"),
        ("1 working day", "2026-12-01 08:00"),
        ("2 hours", "2026-12-02 06:30"),
        ("30 minutes", "2026-12-02 08:00"),
    ],
)
def test_reminders_leave_before(ahead: str, at: str) -> None:
    meeting = datetime(2026, 12, 2, 8, 30, tzinfo=UTC)
    assert before_instant(meeting, span(ahead), CALENDAR) == datetime.fromisoformat(at).replace(tzinfo=UTC)


def test_a_calendar_that_never_works_does_not_hang() -> None:
    never = Calendar(weekend=frozenset(range(7)))
    assert add_span(MONDAY, span("1 working hour"), never) > MONDAY


@given(
    some.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1)),
    some.integers(0, 400),
    some.sampled_from(["minute", "hour", "day", "week", "month", "year"]),
    some.booleans(),
)
def test_spans_never_go_back_and_grow(naive: datetime, count: int, unit: str, working: bool) -> None:
    start = naive.replace(tzinfo=UTC)
    kind = working and unit in ("hour", "day")
    end = add_span(start, Span(min(count, 30) if unit == "year" else count, unit, kind), CALENDAR)
    assert local_day(end) >= local_day(start)
    if not counts_days(Span(1, unit)):
        assert end >= start
    if kind and count:
        assert CALENDAR.works(local_day(end))


@given(some.dates(date(1950, 1, 1), date(2090, 1, 1)), some.integers(-500, 500))
def test_months_keep_the_day_or_shorten_it(day: date, count: int) -> None:
    found = add_months(day, count)
    assert found.day <= day.day
    assert (found.year - day.year) * 12 + found.month - day.month == count


def test_openings_are_the_office_s_less_what_is_shut() -> None:
    centre, port = DIRECTORY.offices["centre"], DIRECTORY.offices["port"]
    table = {
        date(2026, 11, 23): (Hours(450, 720), Hours(870, 1020)),  # a Monday
        date(2026, 11, 24): (),  # not a day of this appointment
        date(2026, 11, 22): (),  # a Sunday
        date(2026, 12, 25): (),  # Christmas, a Friday
    }
    assert {day: openings(centre, day, DEPOT, DIRECTORY.calendar) for day in table} == table
    assert openings(port, date(2026, 12, 2), DEPOT, DIRECTORY.calendar) == ()


# -- clocks that stop and run again ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "start", "stop", "spent"),
    [
        (Span(30, "day"), "2026-11-24 16:00", "2026-12-04 09:00", 10 * DAY),
        (Span(30, "day"), "2026-11-24 09:00", "2026-11-24 23:00", 0),
        (Span(10, "day", working=True), "2026-11-24 09:00", "2026-12-04 09:00", 8 * DAY),
        (Span(10, "day", working=True), "2026-12-24 09:00", "2026-12-28 09:00", DAY),  # Christmas, a week-end
        (Span(2, "month"), "2026-11-24 09:00", "2026-12-24 09:00", 30 * DAY),
        (Span(72, "hour"), "2026-11-24 09:00", "2026-11-25 10:30", 25 * 3600 + 1800),
        (Span(9, "hour", working=True), "2026-11-24 11:00", "2026-11-25 08:00", 3600 + 9000 + 1800),
    ],
)
def test_time_spent_and_time_left_make_the_whole(span: Span, start: str, stop: str, spent: int) -> None:
    """A clock stopped and at once run again ends when it would have."""
    calendar = the_directory().calendar
    begun, paused = (datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC) for text in (start, stop))
    assert elapsed(begun, paused, span, calendar) == spent
    assert end_after(paused, span, spent, calendar, begun) == end_after(begun, span, 0, calendar)
