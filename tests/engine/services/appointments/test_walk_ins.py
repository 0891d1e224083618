"""Who comes without a time of today is received all the same; who was marked absent and comes late was not absent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.domain.common.working_time import at_minute
from engine.domain.reporting.counters import CountedDossier, counts_of
from engine.operations.replay import replay
from engine.records.dossier import Actor, Dossier, OutboundMessage
from engine.services.appointments import bookings, office_day
from engine.services.appointments.opening_changes import OpeningChangeRequest, change_openings
from engine.services.appointments.walk_ins import receive, undo_arrival, walk_in
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import NotFound
from engine.services.worker.worker import run_pass
from engine.storage.sqlite.store import SqliteStore
from tests.engine.services.appointments.test_bookings import to_book
from tests.engine.services.world import World, a_world
from tests.postgres import an_empty_store

HERE = "dgdn_lome"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path, SqliteStore(":memory:"))


@pytest.fixture
def clerk(world: World) -> Actor:
    return world.agent("clerk", "dgdn/guichet")


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world in each store, where the seats decide."""
    store = SqliteStore(":memory:") if request.param == "sqlite" else an_empty_store()
    yield a_world(tmp_path, store)
    store.close()


def letters(world: World, dossier: Dossier) -> tuple[OutboundMessage, ...]:
    found: tuple[OutboundMessage, ...] = world.read(lambda unit: unit.letters_of(dossier.id))
    return found


def come(world: World, clerk: Actor, dossier: Dossier, **more: str) -> Dossier:
    return receive(world.office, clerk, dossier.id, "depot", HERE, **more)


def test_without_a_time_they_are_received_today_though_it_is_too_late_to_book(world: World, clerk: Actor) -> None:
    dossier = to_book(world)
    now = world.clock.instant
    first = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot").first_free
    assert first
    assert first.start.date() > now.date(), "nothing can be booked for today"
    assert walk_in(world.office, clerk, dossier.id, "depot").closed is None
    came = come(world, clerk, dossier, token="t")
    assert come(world, clerk, dossier, token="t").bookings == came.bookings, "a double touch is one visit"
    booking = came.bookings["depot"]
    assert (booking.start, booking.arrived_at, booking.is_walk_in) == (now, now, True)
    (line,) = office_day.day(world.office, clerk, now.date())
    assert line.dossier.id == dossier.id
    with pytest.raises(Refused, match="expected_today"):
        come(world, clerk, dossier)
    assert bookings.mark(world.office, clerk, dossier.id, "depot", "attended").state == "originaux"
    assert world.kinds(dossier).count("walked_in") == 1
    assert fsck(world.office) == ()


def test_they_take_no_place_from_who_booked(world: World, clerk: Actor) -> None:
    """At the very hour of a slot, as many may come as there are desks."""
    booked = world.booked(to_book(world), "depot", 0)
    world.clock.instant = booked.bookings["depot"].start
    before = world.read(lambda unit: unit.seats_taken("passeport-ordinaire/depot", HERE, *_around(world)))
    for number in range(1, 4):
        come(world, clerk, to_book(world, number))
    after = world.read(lambda unit: unit.seats_taken("passeport-ordinaire/depot", HERE, *_around(world)))
    assert after == before
    assert len(office_day.day(world.office, clerk, world.clock.instant.date())) == 4
    assert fsck(world.office) == ()


def _around(world: World) -> tuple[object, object]:
    now = world.clock.instant
    return now - timedelta(hours=1), now + timedelta(hours=1)


def test_an_agent_of_other_offices_receives_nobody_here(world: World) -> None:
    dossier, elsewhere = (
        world.force(to_book(world), office=None),
        world.agent("k", "dgdn/guichet", offices=("dgdn_kara",)),
    )
    there = {one.id for one in walk_in(world.office, elsewhere, dossier.id, "depot").offices}
    assert HERE not in there
    with pytest.raises(Refused, match="slot_closed"):
        come(world, elsewhere, dossier)
    assert there or walk_in(world.office, elsewhere, dossier.id, "depot").closed


def test_a_slot_of_another_day_is_given_back(world: World, clerk: Actor) -> None:
    dossier = world.booked(to_book(world), "depot", 3)
    held = dossier.bookings["depot"]
    assert walk_in(world.office, clerk, dossier.id, "depot").held == held
    came = come(world, clerk, dossier)
    assert came.bookings["depot"].moves == held.moves
    taken = world.read(
        lambda unit: unit.seats_taken("passeport-ordinaire/depot", HERE, held.start, held.start + timedelta(1))
    )
    assert held.start not in taken
    assert fsck(world.office) == ()


def test_noted_by_mistake_their_booking_of_another_day_is_theirs_again(stored: World) -> None:
    """The same slot, and the time of the state stays paused: the first SMS still says what is true."""
    clerk = stored.agent("clerk", "dgdn/guichet")
    dossier = stored.booked(to_book(stored), "depot", 3)
    held, told = dossier.bookings["depot"], letters(stored, dossier)
    come(stored, clerk, dossier)
    undone = undo_arrival(stored.office, clerk, dossier.id, "depot")
    assert undone.bookings["depot"] == replace(held, sequence=held.sequence + 2)
    assert (undone.due_at, undone.due_paused_at) == (dossier.due_at, dossier.due_paused_at)
    assert letters(stored, dossier) == told
    assert f"visit:depot:{held.sequence + 2}" in str(stored.read(lambda unit: unit.timer_rows(dossier.id)))
    come(stored, clerk, undone)
    assert undo_arrival(stored.office, clerk, dossier.id, "depot").bookings["depot"].id == held.id
    assert stored.booked(stored.kept(dossier), "depot", 5).bookings["depot"].moves == 1
    assert fsck(stored.office) == ()


@pytest.mark.parametrize(
    ("stored", "why"),
    [("sqlite", "taken"), ("postgresql", "taken"), ("sqlite", "closed"), ("sqlite", "over")],
    indirect=["stored"],
)
def test_a_booking_whose_seat_is_gone_meanwhile_is_cancelled_by_the_service(stored: World, why: str) -> None:
    clerk = stored.agent("clerk", "dgdn/guichet")
    dossier = stored.booked(to_book(stored), "depot", 3)
    held = dossier.bookings["depot"]
    come(stored, clerk, dossier)
    if why == "taken":
        assert stored.booked(to_book(stored, 1), "depot", 3).bookings["depot"].start == held.start
    elif why == "closed":
        day = local_day(held.start)
        chief = replace(clerk, administers=frozenset({"dgdn"}))
        change_openings(stored.office, chief, OpeningChangeRequest("closed", HERE, day, day, because="Grève"))
    else:
        stored.clock.instant = held.start + timedelta(hours=1)
    undone = undo_arrival(stored.office, clerk, dossier.id, "depot")
    lost = undone.bookings["depot"]
    assert (lost.id, lost.status, lost.lost, lost.start) == (held.id, "cancelled", "service", held.start)
    assert undone.due_at is not None
    assert undone.due_at >= stored.office.now() + timedelta(days=7)
    assert letters(stored, dossier)[-1].body.startswith("notice.called_off.sms")
    (message,) = stored.read(lambda unit: unit.messages_of(dossier.id))
    assert (message.side, message.body.strip()) == ("agent", "walk_in.seat_taken")
    assert stored.booked(undone, "depot", 6).bookings["depot"].moves == 0
    assert fsck(stored.office) == ()


def test_what_was_cancelled_before_the_walk_in_stays_cancelled(world: World, clerk: Actor) -> None:
    dossier = world.booked(to_book(world), "depot", 3)
    bookings.cancel_booking(world.office, world.owner(dossier), dossier.id, "depot")
    come(world, clerk, dossier)
    undone = undo_arrival(world.office, clerk, dossier.id, "depot")
    assert (undone.bookings["depot"].status, undone.bookings["depot"].lost) == ("cancelled", None)
    assert fsck(world.office) == ()


def test_noted_by_mistake_they_may_book_as_before(world: World, clerk: Actor) -> None:
    dossier = come(world, clerk, to_book(world))
    undone = undo_arrival(world.office, clerk, dossier.id, "depot")
    assert undone.bookings["depot"].status == "cancelled"
    again = world.booked(undone, "depot")
    assert (again.bookings["depot"].moves, again.bookings["depot"].is_walk_in) == (0, False)
    assert fsck(world.office) == ()


def test_an_arrival_undone_leaves_the_slot(world: World, clerk: Actor) -> None:
    dossier = world.booked(to_book(world), "depot")
    world.clock.instant = dossier.bookings["depot"].start
    bookings.mark(world.office, clerk, dossier.id, "depot", "arrived")
    undone = undo_arrival(world.office, clerk, dossier.id, "depot")
    assert undone.bookings["depot"] == dossier.bookings["depot"]
    with pytest.raises(Refused, match="not_booked"):
        undo_arrival(world.office, clerk, dossier.id, "depot")


def test_who_comes_late_was_not_absent(world: World, clerk: Actor) -> None:
    dossier = world.booked(to_book(world), "depot")
    world.clock.instant = dossier.bookings["depot"].start + timedelta(minutes=15)
    missed = bookings.mark(world.office, clerk, dossier.id, "depot", "missed")
    assert missed.missed == {"depot": 1}
    assert walk_in(world.office, clerk, dossier.id, "depot").late
    world.clock.instant += timedelta(minutes=30)
    came = come(world, clerk, missed)
    assert came.missed == {}
    assert (came.bookings["depot"].id, came.bookings["depot"].status) == (missed.bookings["depot"].id, "booked")
    assert came.bookings["depot"].arrived_at == world.clock.instant
    assert bookings.mark(world.office, clerk, dossier.id, "depot", "attended").state == "originaux"
    assert visits(world, dossier) == {"depot:missed": 0, "depot:attended": 1}
    assert fsck(world.office) == ()


def visits(world: World, dossier: Dossier) -> dict[str, int]:
    kept = world.kept(dossier)
    entries = world.read(lambda unit: unit.entries(kept.id))
    book = world.office.catalogue.procedures[kept.procedure]
    case = CountedDossier(kept, entries, {one.edition: book for one in entries})
    found: dict[str, int] = {}
    for count, n in counts_of(case, {one.n for one in entries}, world.office.directory):
        if count.figure == "visit":
            found[count.detail] = found.get(count.detail, 0) + n
    return found


def test_the_next_day_an_absence_stands(world: World, clerk: Actor) -> None:
    dossier = world.booked(to_book(world), "depot")
    world.clock.instant = dossier.bookings["depot"].start + timedelta(minutes=15)
    dossier = bookings.mark(world.office, clerk, dossier.id, "depot", "missed")
    world.clock.instant += timedelta(days=1)
    came = come(world, clerk, dossier)
    assert (came.missed, came.bookings["depot"].is_walk_in) == ({"depot": 1}, True)


def test_who_left_without_being_received_keeps_their_time(world: World, clerk: Actor) -> None:
    """The state's time stands still while they wait, and runs again when the day is over."""
    dossier = come(world, clerk, to_book(world))
    assert dossier.due_paused_at is not None
    world.clock.instant = at_minute(world.clock.instant.date() + timedelta(days=1), 60)
    run_pass(world.office)
    assert world.kept(dossier).due_paused_at is None
    undone = undo_arrival(world.office, clerk, dossier.id, "depot")
    assert world.booked(undone, "depot").bookings["depot"].status == "booked"


@pytest.mark.parametrize("who", ["owner", "other_service", "other_office", "elsewhere"])
def test_not_by_anybody_nor_anywhere(world: World, clerk: Actor, who: str) -> None:
    dossier = to_book(world)
    actor = {
        "owner": world.owner(dossier), "other_service": world.agent("judge", "sncja/greffier_en_chef"),
        "other_office": replace(clerk, offices=frozenset({"dgdn_kara"})), "elsewhere": clerk,
    }[who]  # fmt: skip
    with pytest.raises((Refused, NotFound)):
        receive(world.office, actor, dossier.id, "depot", "dgdn_kara" if who == "elsewhere" else HERE)
    assert "depot" not in world.kept(dossier).bookings


def test_nobody_is_absent_who_may_only_be_late(world: World, clerk: Actor) -> None:
    dossier = world.booked(to_book(world), "depot")
    world.clock.instant = dossier.bookings["depot"].start + timedelta(minutes=14)
    with pytest.raises(Refused, match="too_soon"):
        bookings.mark(world.office, clerk, dossier.id, "depot", "missed")


def test_who_has_arrived_is_not_absent(world: World, clerk: Actor) -> None:
    dossier = world.booked(to_book(world), "depot")
    world.clock.instant = dossier.bookings["depot"].start + timedelta(minutes=20)
    bookings.mark(world.office, clerk, dossier.id, "depot", "arrived")
    with pytest.raises(Refused, match="has_arrived"):
        bookings.mark(world.office, clerk, dossier.id, "depot", "missed")


def test_the_last_absence_says_that_the_request_is_closed_and_nothing_else(world: World, clerk: Actor) -> None:
    dossier = to_book(world)
    for absences in (1, 2):
        dossier = world.booked(dossier, "depot", 20 * absences)
        world.clock.instant = dossier.bookings["depot"].start + timedelta(minutes=20)
        before = len(world.letters(dossier.contact_phone))
        bookings.mark(world.office, clerk, dossier.id, "depot", "missed")
        dossier, sent = world.kept(dossier), world.letters(dossier.contact_phone)[before:]
        assert (dossier.state == "abandonne") is (absences == 2)
        assert ["notice.missed" in one for one in sent] == [absences == 1], sent


def test_no_reminder_leaves_once_the_hour_has_come(world: World) -> None:
    """As after a night without a worker."""
    dossier = world.booked(to_book(world), "depot", 20)
    start = dossier.bookings["depot"].start
    world.clock.instant = start + timedelta(minutes=6)
    run_pass(world.office)
    assert "reminded" not in world.kinds(dossier)


def _is_lived_again_the_same(world: World, dossier: Dossier) -> None:
    world.wait(days=100)
    run_pass(world.office)
    assert world.kept(dossier).closed_at is not None
    book = world.office.catalogue.current("passeport-ordinaire", world.office.day())
    assert book
    found = replay(world.office, book, world.office.directory, None)
    assert (found.played, found.same, found.found, found.unfaithful) == (1, 1, {}, ())


def test_a_life_with_one_is_lived_again_the_same(world: World, clerk: Actor) -> None:
    """Received without a time, sent away for their originals, never back: replayed under its own edition."""
    dossier = to_book(world)
    come(world, clerk, dossier)
    bookings.mark(world.office, clerk, dossier.id, "depot", "attended")
    world.take(world.kept(dossier), clerk, "ajourner", reason="Il manque l'acte")
    _is_lived_again_the_same(world, dossier)


@pytest.mark.parametrize("gone", [False, True])
def test_a_walk_in_undone_is_lived_again_the_same(world: World, clerk: Actor, gone: bool) -> None:
    """At the end of the time, the visit that is theirs again pauses it, and one that is gone leaves a week."""
    dossier = to_book(world)
    world.wait(days=57)
    dossier = world.booked(dossier, "depot")
    come(world, clerk, dossier)
    if gone:
        world.clock.instant = dossier.bookings["depot"].start + timedelta(hours=1)
    undo_arrival(world.office, clerk, dossier.id, "depot")
    if gone:
        world.wait(days=5)
        dossier = world.booked(world.kept(dossier), "depot")
    world.clock.instant = dossier.bookings["depot"].start + timedelta(minutes=15)
    bookings.mark(world.office, clerk, dossier.id, "depot", "missed")
    _is_lived_again_the_same(world, dossier)


def test_a_visit_moved_by_agents_is_lived_again_the_same(world: World, clerk: Actor) -> None:
    """Their moves use none of the applicant's, who has both left, and fewer of them would be refused in the replay."""
    dossier = world.booked(to_book(world), "depot")
    for number in (3, 6, 9):
        moved(world, clerk, dossier, number)
    for number in (12, 15):
        dossier = world.booked(world.kept(dossier), "depot", number)
    assert dossier.bookings["depot"].moves == 2
    moved(world, clerk, dossier, 18)
    _is_lived_again_the_same(world, dossier)


def moved(world: World, clerk: Actor, dossier: Dossier, number: int) -> Dossier:
    sheet = bookings.slots(world.office, clerk, dossier.id, "depot", limit=100)
    slot = [one for day in sheet.days for one in day.slots][number]
    return bookings.book_slot(world.office, clerk, dossier.id, "depot", slot.office, slot.start)


def test_agents_move_a_visit_so_many_times_a_day(world: World, clerk: Actor) -> None:
    """Each move sends an SMS. The applicant still has theirs."""
    dossier, other = world.booked(to_book(world), "depot"), world.agent("other", "dgdn/guichet")
    for number in range(bookings.BOOKED_A_DAY):
        moved(world, (clerk, other)[number % 2], dossier, number + 1)
    with pytest.raises(Refused, match="too_many_tries"):
        moved(world, clerk, dossier, 40)
    assert world.booked(world.kept(dossier), "depot", 41).bookings["depot"].moves == 1


def test_a_visit_cancelled_by_an_agent_is_lived_again_the_same(world: World, clerk: Actor) -> None:
    """The week that the applicant had to choose again, past the time of the state, is theirs in the replay too."""
    dossier = to_book(world)
    world.wait(days=57)
    dossier = world.booked(dossier, "depot")
    bookings.cancel_booking(world.office, clerk, dossier.id, "depot", reason="Panne.")
    world.wait(days=5)
    dossier = world.booked(world.kept(dossier), "depot")
    world.wait(days=1)
    bookings.mark(world.office, clerk, dossier.id, "depot", "missed")
    _is_lived_again_the_same(world, dossier)
