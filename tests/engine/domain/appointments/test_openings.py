"""Openings as administrators change them: the slots of the days they name, and of no others; what a holiday decreed does to
what is counted in working days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from engine.domain.appointments.appointments import capacity_of, free_slots, slot_starts, why_closed
from engine.domain.appointments.opening_changes import (
    DayCapacity,
    days_of,
    is_shut_out,
    over,
    places,
    reason_of,
    shut_on,
)
from engine.domain.common.working_time import opening_hours
from engine.records.administration import OpeningChange
from engine.records.dossier import Booking
from tests.engine.domain.small_procedure import DEPOT, DIRECTORY

SUNDAY = date(2026, 12, 13)
FREE = date(2026, 12, 9)  # a Wednesday, with nothing closed
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def change(kind: str = "closed", day: date = FREE, **more: Any) -> OpeningChange:
    made = OpeningChange("c", 1, kind, "centre", day, day, None, None, None, "Panne", "Power cut", "a", NOW)  # type: ignore[arg-type]
    return replace(made, **more)


def starts(directory: Any, day: date = FREE, task: Any = DEPOT) -> list[str]:
    found = slot_starts(task, directory.offices["centre"], day, directory.calendar)
    return [f"{one:%H:%M}" for one in found]


def test_nothing_changed_is_the_same_directory() -> None:
    assert over(DIRECTORY, ()).offices == DIRECTORY.offices


def test_a_whole_day_of_one_office_alone() -> None:
    directory = over(DIRECTORY, [change()])
    assert starts(DIRECTORY)
    assert starts(directory) == []
    friday = date(2026, 12, 11)
    assert starts(directory, friday) == starts(DIRECTORY, friday) != []
    assert directory.offices["port"] == DIRECTORY.offices["port"]
    reason = why_closed(DEPOT, directory.offices["centre"], FREE, NOW, directory.calendar)
    assert reason
    assert (reason.facts["why"], reason.facts["name"]) == ("closure", "Panne")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({}, [("centre", "Panne", None, False)]),
        ({"from_minute": 480, "to_minute": 600}, [("centre", "Panne", (480, 600), False)]),
        ({"kind": "holiday"}, [("centre", "Panne", None, True), ("port", "Panne", None, True)]),
        ({"kind": "desks", "desks": 2}, []),
    ],
)
def test_what_keeps_the_doors_shut_on_a_day(made: dict[str, Any], told: list[object]) -> None:
    directory = over(DIRECTORY, [change(**made)])
    seen = [
        (one.office, str(one.because), one.hours and (one.hours.start, one.hours.end), one.holiday)
        for one in shut_on(directory, ("centre", "port", "nowhere"), FREE)
    ]
    # the small office has its own works from the 1st to the 8th: they are not of this day
    assert seen == told
    assert [one.office for one in shut_on(DIRECTORY, ("centre", "port"), date(2026, 12, 8))] == ["port"]


@pytest.mark.parametrize(
    ("hour", "status", "office", "left"),
    [
        (8, "booked", "centre", True),
        (10, "booked", "centre", False),
        (8, "cancelled", "centre", False),
        (8, "booked", "port", False),
    ],
)
def test_a_visit_that_stands_within_shut_hours_is_seen(hour: int, status: str, office: str, left: bool) -> None:
    [shut] = shut_on(over(DIRECTORY, [change(from_minute=480, to_minute=600)]), ["centre"], FREE)
    start = datetime(FREE.year, FREE.month, FREE.day, hour, tzinfo=UTC)
    assert shut.keeps_out(Booking("b", "depot", office, start, 30, 1, status=status)) is left  # type: ignore[arg-type]


@pytest.mark.parametrize("cut", [(0, 1440), (480, 500), (500, 501), (541, 600)])
def test_hours_closed_take_the_slots_they_touch_and_move_none(cut: tuple[int, int]) -> None:
    directory = over(DIRECTORY, [change(from_minute=cut[0], to_minute=cut[1])])
    length, usual = DEPOT.lasts.count, starts(DIRECTORY)
    touched = [one for one in usual if minute(one) < cut[1] and cut[0] < minute(one) + length]
    assert touched or cut[1] <= minute(usual[0])
    assert starts(directory) == [one for one in usual if one not in touched]


def minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def test_more_hours_leave_the_usual_slots_where_they_are() -> None:
    """Doors that open before, between and after: the slots known keep their hours."""
    usual = opening_hours(DIRECTORY.offices["centre"], FREE, DIRECTORY.calendar)
    opens, shuts = usual[0].start - 45, usual[-1].end + 50
    directory = over(DIRECTORY, [change("open", from_minute=opens, to_minute=shuts)])
    doors = opening_hours(directory.offices["centre"], FREE, directory.calendar)
    assert doors[: len(usual)] == usual
    assert sum(one.end - one.start for one in doors) == shuts - opens
    whole = replace(DEPOT, hours=(), weekdays=())
    assert set(starts(DIRECTORY, task=whole)) < set(starts(directory, task=whole))


def test_an_office_opens_on_a_sunday_and_on_a_feast() -> None:
    whole = replace(DEPOT, hours=(), weekdays=())
    feast = next(iter(DIRECTORY.calendar.holidays))
    for day in (SUNDAY, feast):
        directory = over(DIRECTORY, [change("open", day, from_minute=480, to_minute=600)])
        assert starts(DIRECTORY, day, whole) == []
        assert starts(directory, day, whole)[0] == "08:00"
        shut = over(DIRECTORY, [change("open", day, from_minute=480, to_minute=600), change(day=day)])
        assert starts(shut, day, whole) == []


def test_so_many_desks_that_day_alone_the_last_word_counts() -> None:
    directory = over(DIRECTORY, [change("desks", desks=4), change("desks", desks=2, n=2)])
    office = directory.offices["centre"]
    assert [capacity_of(DEPOT, office, day) for day in (FREE, date(2026, 12, 10))] == [2, 1]
    assert capacity_of(DEPOT, office) == 1
    free = free_slots(DEPOT, office, {}, datetime(2026, 12, 8, 7, tzinfo=UTC), directory.calendar, FREE, 1)
    assert [one.left for one in free] == [2]


def test_a_holiday_is_counted_as_one_and_named() -> None:
    directory = over(DIRECTORY, [change("holiday", office="")])
    assert not directory.calendar.works(FREE)
    assert directory.calendar.holidays[FREE].in_("en") == "Power cut"
    assert directory.calendar.add_working_days(date(2026, 12, 8), 1) == date(2026, 12, 10)
    assert starts(directory) == []
    assert days_of(change(last_day=date(2026, 12, 11))) == (FREE, date(2026, 12, 10), date(2026, 12, 11))
    assert reason_of(change(because_en="")).in_("en") == "Panne"


def held(hour: int, minutes: int = 20, **more: Any) -> Booking:
    start = datetime(2026, 12, 9, hour, tzinfo=UTC)
    return replace(Booking("b", "depot", "centre", start, minutes, 1), **more)


@pytest.mark.parametrize(
    ("booking", "asked", "lost"),
    [
        (held(9), change(), True),
        (held(9), change(from_minute=560, to_minute=600), False),
        (held(9), change(from_minute=559, to_minute=600), True),
        (held(9), change(from_minute=400, to_minute=540), False),
        (held(9), change(from_minute=400, to_minute=541), True),
        (held(9, status="attended"), change(), False),
        (held(9), change(day=date(2026, 12, 10)), False),
        (held(9), change("open", from_minute=480, to_minute=600), False),
        (held(9), change("desks", desks=1), False),
        (held(9), change("holiday", office=""), True),
    ],
)
def test_a_visit_is_shut_out_where_a_closure_touches_it(booking: Booking, asked: OpeningChange, lost: bool) -> None:
    assert is_shut_out(booking, DIRECTORY, asked, NOW) is lost
    assert not is_shut_out(booking, DIRECTORY, asked, booking.start)


def test_a_holiday_spares_hours_that_were_opened_for_it() -> None:
    directory = over(DIRECTORY, [change("open", from_minute=480, to_minute=600)])
    assert not is_shut_out(held(9), directory, change("holiday", office=""), NOW)
    assert is_shut_out(held(11), directory, change("holiday", office=""), NOW)


def test_places_are_free_booked_or_closed() -> None:
    usual = DIRECTORY.offices["centre"]
    whole = len(starts(DIRECTORY))
    taken = {one: frozenset({1}) for one in slot_starts(DEPOT, usual, FREE, DIRECTORY.calendar)[:1]}

    def counted(*changes: OpeningChange, quota: int | None = None) -> DayCapacity:
        directory = over(DIRECTORY, changes)
        task = replace(DEPOT, quota=quota)
        there = directory.offices["centre"]
        return places(task, there, usual, taken, FREE, NOW, directory.calendar, DIRECTORY.calendar)

    assert counted() == DayCapacity(whole - 1, 1, 0)
    assert counted(change()) == DayCapacity(0, 1, whole)
    assert counted(change("holiday", office="")) == DayCapacity(0, 1, whole)
    assert counted(change("desks", desks=3)) == DayCapacity(3 * whole - 1, 1, 0)
    assert counted(quota=2) == DayCapacity(1, 1, 0)
