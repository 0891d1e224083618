"""Who waits for a seat: told in turn, nobody hidden behind others, on the list no longer than a seat is of use; on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.records.dossier import Dossier
from engine.records.exchanges import WaitingListEntry
from engine.services.appointments import bookings
from engine.services.audit.integrity import fsck
from engine.services.core import waiting_list
from engine.services.worker.worker import run_timers
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.services.appointments.test_bookings import to_book
from tests.engine.services.appointments.test_openings import LOME
from tests.engine.services.world import World, a_world
from tests.postgres import an_empty_store


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store: Store = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    yield a_world(tmp_path, store)
    store.close()


def wait(world: World, dossier: Dossier) -> Dossier:
    waiting_list.wait_for_seat(world.office, world.owner(dossier), dossier.id, "depot", LOME)
    world.wait(seconds=1)
    return dossier


def free(world: World, holder: Dossier) -> None:
    """A seat taken and given back."""
    slot = bookings.slots(world.office, world.owner(holder), holder.id, "depot").first_free
    assert slot
    bookings.book_slot(world.office, world.owner(holder), holder.id, "depot", slot.office, slot.start)
    bookings.cancel_booking(world.office, world.owner(holder), holder.id, "depot")


def on_list(world: World, dossier: Dossier) -> tuple[WaitingListEntry, ...]:
    return world.read(lambda unit: unit.waiting_of(dossier.id))


def told(world: World, dossier: Dossier) -> int:
    return sum(":freed:" in one.dedupe for one in world.read(lambda unit: unit.letters_of(dossier.id)))


def test_who_closes_their_dossier_waits_no_more(world: World) -> None:
    lapsed = wait(world, to_book(world))
    world.wait(days=62)
    run_timers(world.office)
    assert world.kept(lapsed).closed_at is not None
    assert on_list(world, lapsed) == ()


def test_who_came_waits_no_more_who_has_a_visit_and_wants_another_does(world: World) -> None:
    clerk, dossier = world.agent("clerk", "dgdn/guichet"), world.booked(to_book(world), "depot")
    wait(world, dossier)
    world.clock.instant = dossier.bookings["depot"].start
    assert len(on_list(world, dossier)) == 1
    assert bookings.mark(world.office, clerk, dossier.id, "depot", "attended").state == "originaux"
    assert on_list(world, dossier) == ()


def test_who_passes_through_another_state_keeps_their_place_and_is_told_once_back(world: World) -> None:
    dossier, holder = wait(world, to_book(world)), to_book(world, 1)
    back = dossier.state
    elsewhere = world.force(dossier, state="originaux")
    with world.office.store.unit(write=True) as unit:
        waiting_list._leave(world.office, unit, elsewhere, ())
    assert len(on_list(world, dossier)) == 1
    free(world, holder)
    assert (told(world, dossier), len(on_list(world, dossier))) == (0, 1), "a seat is of no use to them there"
    world.force(world.kept(dossier), state=back)
    free(world, holder)
    assert told(world, dossier) == 1


def test_a_page_left_on_the_list_by_an_earlier_release_hides_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_list, "PAGE", 4)
    listed = WaitingListEntry("", "depot", "passeport-ordinaire/depot", LOME, world.office.now())
    first = world.booked(to_book(world), "depot")
    lapsed = [to_book(world, number) for number in range(1, 6)]
    world.clock.instant = first.bookings["depot"].start
    came = bookings.mark(world.office, world.agent("clerk", "dgdn/guichet"), first.id, "depot", "attended")
    world.wait(days=62)
    run_timers(world.office)
    with world.office.store.unit(write=True) as unit:
        for one in (came, *lapsed):
            unit.put_waiting(replace(listed, dossier=one.id))
    waits = wait(world, to_book(world, 60))
    free(world, to_book(world, 61))
    assert [told(world, one) for one in (waits, came, lapsed[0])] == [1, 0, 0]
    assert on_list(world, came) == ()
    assert fsck(world.office) == ()


def test_a_page_told_a_moment_ago_hides_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_list, "PAGE", 4)
    waiting = [wait(world, to_book(world, number)) for number in range(6)]
    with world.office.store.unit(write=True) as unit:
        for one in waiting[:4]:
            unit.put_waiting(replace(unit.waiting_of(one.id)[0], told_at=world.office.now()))
    free(world, to_book(world, 60))
    assert [told(world, one) for one in waiting[2:]] == [0, 0, 1, 1]


def test_those_who_are_passed_over_hide_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives a seat back while waiting for another is not told of it; the pages after theirs are read."""
    monkeypatch.setattr(waiting_list, "PAGE", 1)
    holder, other = wait(world, world.booked(to_book(world), "depot")), wait(world, to_book(world, 1))
    bookings.cancel_booking(world.office, world.owner(holder), holder.id, "depot")
    assert (told(world, holder), told(world, other)) == (0, 1)
    assert len(on_list(world, holder)) == 1


def test_who_books_and_cancels_again_and_again_silences_no_list(world: World) -> None:
    """Each release was announced to three more people, who then heard of no seat for twelve hours."""
    patient = [wait(world, to_book(world, at)) for at in range(3, 12)]
    restless, honest = to_book(world, 1), to_book(world, 2)
    for _ in range(4):
        free(world, restless)
    reached = sum(told(world, one) for one in patient)
    assert reached == waiting_list.FREED_BY_ONE * waiting_list.NOTIFIED_AT_ONCE
    free(world, honest)
    assert sum(told(world, one) for one in patient) == reached + waiting_list.NOTIFIED_AT_ONCE


def test_free_mailboxes_together_silence_no_list(world: World) -> None:
    patient = [wait(world, to_book(world, at)) for at in range(3, 12)]
    for at in (20, 21, 22):
        holder = to_book(world, at)
        with world.office.store.unit(write=True) as unit:
            kept = replace(holder, contact_phone=None, contact_email=f"{at}@exemple.tg")
            unit.put_dossier(replace(kept, revision=kept.revision + 1), kept.revision)
        free(world, holder)
    assert sum(told(world, one) for one in patient) == waiting_list.FREED_BY_ONE * waiting_list.NOTIFIED_AT_ONCE


def test_each_is_told_in_turn(world: World) -> None:
    waiting, holder = [wait(world, to_book(world, number)) for number in range(5)], to_book(world, 60)
    free(world, holder)
    assert [told(world, one) for one in waiting] == [1, 1, 1, 0, 0]
    world.wait(hours=13)
    free(world, to_book(world, 61))
    assert [told(world, one) for one in waiting] == [2, 1, 1, 1, 1]


def test_one_person_with_many_dossiers_does_not_receive_the_news_of_all(world: World) -> None:
    greedy = [wait(world, to_book(world)) for _ in range(waiting_list.NOTIFIED_PER_CONTACT + 3)]
    other, holder = wait(world, to_book(world, 1)), to_book(world, 2)
    free(world, holder)
    free(world, holder)
    assert sum(told(world, one) for one in greedy) == waiting_list.NOTIFIED_PER_CONTACT
    assert told(world, other) == 1
    world.wait(hours=13)
    free(world, holder)
    assert sum(told(world, one) for one in greedy) == 2 * waiting_list.NOTIFIED_PER_CONTACT, (
        "later it is their turn again"
    )


def test_addresses_that_cost_nothing_leave_the_news_to_telephones(world: World) -> None:
    by_mail = []
    for number in range(5):
        dossier = wait(world, to_book(world, number))
        address = f"a{number}@exemple.tg"
        by_mail.append(world.force(world.kept(dossier), contact_phone=None, contact_email=address))
    other, holder = wait(world, to_book(world, 8)), to_book(world, 9)
    free(world, holder)
    assert [told(world, one) for one in (*by_mail, other)] == [1, 0, 0, 0, 0, 1]
    world.wait(hours=2)
    free(world, holder)
    assert [told(world, one) for one in by_mail] == [1, 1, 0, 0, 0], "one of them at each seat"


def test_those_passed_over_hide_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_list, "MOST_PASSED", 2)
    monkeypatch.setattr(waiting_list, "FREED_BY_ONE", 9)
    for _ in range(waiting_list.NOTIFIED_PER_CONTACT + 4):
        wait(world, to_book(world))
    other, holder = wait(world, to_book(world, 1)), to_book(world, 2)
    for _ in range(3):
        assert told(world, other) == 0
        free(world, holder)
    free(world, holder)
    assert told(world, other) == 1
