"""Visits that a book lets people take a year ahead and more: their seats are seen as those of next week are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import Refused
from engine.core.values import Span
from engine.model import Appointment, Procedure
from engine.records.dossier import Dossier
from engine.services.appointments import bookings
from engine.services.appointments.bookings import book_slot, hold_slot, slots
from engine.services.context.app_context import AppContext
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Unit
from tests.engine.services.appointments.test_bookings import to_book
from tests.engine.services.world import World, a_world
from tests.postgres import an_empty_store

LOME = "dgdn_lome"
DISTANCES = [300, 430, 700]


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store = SqliteStore(":memory:") if request.param == "sqlite" else an_empty_store()
    one = a_world(tmp_path, store)
    yield one
    store.close()


def far_ahead(monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    """The passport's visit may be taken two years ahead."""
    read = bookings.pinned

    def pinned(office: AppContext, unit: Unit, dossier: Dossier) -> Procedure:
        book = read(office, unit, dossier)
        task = book.tasks["depot"]
        assert isinstance(task, Appointment)
        return replace(book, tasks={**book.tasks, "depot": replace(task, horizon=Span(24, "month"), **more)})

    monkeypatch.setattr(bookings, "pinned", pinned)


def morning(world: World, days: int, minute: int = 30) -> datetime:
    """A time of a day so far ahead on which the passport's office receives."""
    ahead = (world.office.day() + timedelta(days=days + more) for more in range(14))
    holidays = world.office.directory.calendar.holidays
    day: date = next(one for one in ahead if one.weekday() in (0, 2, 4) and one not in holidays)
    return datetime(day.year, day.month, day.day, 8, minute, tzinfo=UTC)


@pytest.mark.parametrize("days", DISTANCES)
def test_a_seat_that_is_held_is_sold_to_nobody_else(
    world: World, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    far_ahead(monkeypatch)
    one, other, start = to_book(world, 1), to_book(world, 2), morning(world, days)
    hold_slot(world.office, world.owner(one), one.id, "depot", LOME, start)
    for take in (hold_slot, book_slot):
        with pytest.raises(Refused, match="slot_full") as full:
            take(world.office, world.owner(other), other.id, "depot", LOME, start)
        assert full.value.reason.facts["nearest"]
    assert book_slot(world.office, world.owner(one), one.id, "depot", LOME, start).bookings["depot"].seat == 1


@pytest.mark.parametrize("days", DISTANCES)
def test_what_is_taken_is_not_offered_and_a_second_desk_is(
    world: World, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    far_ahead(monkeypatch, desks=2)
    start, seats = morning(world, days), list[int]()
    for number in (1, 2):
        dossier = to_book(world, number)
        seats.append(
            book_slot(world.office, world.owner(dossier), dossier.id, "depot", LOME, start).bookings["depot"].seat
        )
    assert seats == [1, 2]
    late = to_book(world, 3)
    with pytest.raises(Refused, match="slot_full"):
        book_slot(world.office, world.owner(late), late.id, "depot", LOME, start)
    sheet = slots(world.office, world.owner(late), late.id, "depot", from_day=start.date(), limit=5)
    assert sheet.days[0].day == start.date()
    assert start not in {one.start for one in sheet.days[0].slots}


@pytest.mark.parametrize("days", DISTANCES)
def test_a_quota_counts_who_comes(world: World, days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    far_ahead(monkeypatch, quota=1)
    one, other = to_book(world, 1), to_book(world, 2)
    book_slot(world.office, world.owner(one), one.id, "depot", LOME, morning(world, days))
    with pytest.raises(Refused, match="slot_full"):
        book_slot(world.office, world.owner(other), other.id, "depot", LOME, morning(world, days, 50))
