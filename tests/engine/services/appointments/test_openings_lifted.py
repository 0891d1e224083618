"""More hours and more desks are taken back only while nobody comes because of them: who comes at a usual hour, at a usual desk
stands in nobody's way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.problems import Refused
from engine.domain.common.working_time import local_minute
from engine.records.administration import OpeningChange
from engine.records.dossier import Dossier
from engine.services.appointments import bookings
from engine.services.appointments import opening_changes as openings
from engine.services.appointments.opening_changes import OpeningChangeRequest
from engine.services.audit.integrity import fsck
from engine.storage.sqlite.store import SqliteStore
from tests.engine.services.appointments.test_bookings import book, to_book
from tests.engine.services.appointments.test_openings import LOME, WEDNESDAY, chief, offered, on
from tests.engine.services.world import World, a_world
from tests.postgres import an_empty_store

# the passport's book receives one person at once there, whose office has six desks; its doors shut from noon to half past two
THREE = OpeningChangeRequest("desks", LOME, WEDNESDAY, WEDNESDAY, desks=3)
LONGER = OpeningChangeRequest("open", LOME, WEDNESDAY, WEDNESDAY, from_minute=450, to_minute=780)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store = SqliteStore(":memory:") if request.param == "sqlite" else an_empty_store()
    one = a_world(tmp_path, store)
    yield one
    store.close()


def made(world: World, asked: OpeningChangeRequest) -> OpeningChange:
    return openings.change_openings(world.office, chief(world), asked).change


def undone(world: World, change: OpeningChange) -> int:
    """How many come because of it; none when it was taken back."""
    try:
        openings.take_back(world.office, chief(world), change.id)
    except Refused as closed:
        return int(str(closed.reason.facts["count"]))  # `opening_booked` alone has one
    return 0


def together(world: World, count: int) -> list[Dossier]:
    """So many people at the first hour of the day."""
    people = [to_book(world, number) for number in range(count)]
    first = offered(world, people[0], WEDNESDAY)[0]
    return [book(world, one, first) for one in people]


def test_who_sits_at_a_desk_beyond_those_of_their_visit_keeps_it(world: World) -> None:
    change = made(world, THREE)
    people = together(world, 3)
    assert [one.bookings["depot"].seat for one in people] == [1, 2, 3]
    assert undone(world, change) == 2
    assert fsck(world.office) == ()
    for one in people[1:]:
        bookings.cancel_booking(world.office, world.owner(one), one.id, "depot")
    assert undone(world, change) == 0
    assert fsck(world.office) == ()


def test_fewer_desks_are_taken_back_and_another_word_on_the_same_day_keeps_who_has_a_seat(world: World) -> None:
    more = made(world, THREE)
    together(world, 3)
    fewer, again = made(world, replace(THREE, desks=1)), made(world, replace(THREE, desks=4))
    assert undone(world, again) == 0
    assert undone(world, fewer) == 0
    assert undone(world, more) == 2
    assert fsck(world.office) == ()


def test_a_visit_at_a_usual_hour_keeps_no_opening(world: World) -> None:
    change = made(world, LONGER)
    usual = on(world, to_book(world), WEDNESDAY)
    late = next(one for one in offered(world, to_book(world, 1), WEDNESDAY) if 720 <= local_minute(one.start) < 780)
    other = book(world, to_book(world, 1), late)
    assert undone(world, change) == 1
    bookings.cancel_booking(world.office, world.owner(other), other.id, "depot")
    assert undone(world, change) == 0
    assert world.kept(usual) == usual
    assert late.start not in {one.start for one in offered(world, to_book(world, 2), WEDNESDAY)}


def test_two_openings_of_the_same_hours_are_taken_back_one_by_one(world: World) -> None:
    noon = replace(LONGER, from_minute=720, to_minute=780)
    first, second = made(world, noon), made(world, noon)
    late = next(one for one in offered(world, to_book(world), WEDNESDAY) if 720 <= local_minute(one.start) < 780)
    book(world, to_book(world), late)
    assert undone(world, first) == 0
    assert undone(world, second) == 1


def test_a_visit_whose_edition_is_lost_is_judged_by_the_doors(world: World) -> None:
    longer, three = made(world, LONGER), made(world, THREE)
    usual, beside = together(world, 2)
    for one in (usual, beside):
        with world.office.store.unit(write=True) as unit:
            unit.put_dossier(replace(one, fingerprint="f" * 64, revision=one.revision + 1), one.revision)
    assert undone(world, longer) == 0
    assert undone(world, three) == 1
