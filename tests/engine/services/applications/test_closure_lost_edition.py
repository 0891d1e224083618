"""An office closes while the edition of one of its visitors is lost: it closes all the same, nobody stays expected behind its
doors, and whoever closes it is told whom to find another date with."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.core.clock import local_day
from engine.core.values import Text
from engine.domain.common.decision import EntryDraft
from engine.domain.common.working_time import end_of_day
from engine.domain.workflow.transition_context import instant_text
from engine.journal.chain import verify
from engine.model import Link
from engine.records.dossier import SYSTEM_ACTOR, Dossier, LinkedDossier
from engine.services.appointments import bookings
from engine.services.appointments import opening_changes as openings
from engine.services.appointments.opening_changes import OpeningChangeRequest
from engine.services.audit.integrity import fsck
from engine.services.core.commit import succession
from engine.services.core.journalling import journalise
from engine.storage.sqlite.store import SqliteStore
from tests.engine.services.appointments.test_bookings import to_book
from tests.engine.services.appointments.test_openings import LOME, STRIKE, WEDNESDAY, chief, offered, on, told
from tests.engine.services.world import B3, PASSPORT, World, a_world
from tests.postgres import an_empty_store

LOST = "f" * 64
MOURNING = OpeningChangeRequest("holiday", "", WEDNESDAY, WEDNESDAY, because="Deuil national")


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store = SqliteStore(":memory:") if request.param == "sqlite" else an_empty_store()
    one = a_world(tmp_path, store)
    yield one
    store.close()


def under(world: World, dossier: Dossier, fingerprint: str) -> Dossier:
    """The dossier as if it had been opened under another edition."""
    before = world.kept(dossier)
    after = replace(before, fingerprint=fingerprint, revision=before.revision + 1)
    with world.office.store.unit(write=True) as unit:
        unit.put_dossier(after, before.revision)
        moved = EntryDraft("migrated", {"revision": after.revision})
        journalise(unit, after, [moved], SYSTEM_ACTOR, world.office.now())
    return world.kept(dossier)


def codes(world: World, dossier: Dossier) -> set[str]:
    return {one.code for one in fsck(world.office) if one.dossier == dossier.id}


@pytest.mark.parametrize("asked", [STRIKE, MOURNING])
def test_it_closes_and_tells_everybody(
    world: World, asked: OpeningChangeRequest, caplog: pytest.LogCaptureFixture
) -> None:
    lost, other = on(world, to_book(world), WEDNESDAY), on(world, to_book(world, 1), WEDNESDAY)
    lost, boss = under(world, lost, LOST), chief(world, "*")
    seen = {one.dossier.id: one for one in openings.foresee(world.office, boss, asked).lost}
    assert (seen[lost.id].procedure, seen[lost.id].appointment, seen[lost.id].nearest) == (None, None, ())
    assert seen[other.id].procedure
    with caplog.at_level(logging.WARNING, "guichet.openings"):
        done = openings.change_openings(world.office, boss, asked, token="t")
    assert (done.notified, done.unread) == (2, (lost.number,))
    assert lost.id in caplog.text
    assert openings.change_openings(world.office, boss, asked, token="t") == done
    for dossier in (lost, other):
        booking = world.kept(dossier).bookings["depot"]
        assert (booking.status, booking.lost, booking.moves) == ("cancelled", done.change.id, 0)
        assert world.kinds(dossier)[-1] == "slot_lost"
        assert verify(world.read(lambda unit, one=dossier: unit.entries(one.id))) is None
    ((without,), (link,)) = told(world, lost), told(world, other)
    foretold = seen[lost.id].letter
    assert foretold
    assert (without.to, without.body) == (foretold.to, foretold.body)
    assert "unread_" in without.body
    assert "/r/" not in without.body
    assert "/r/" in link.body
    assert world.read(lambda unit: unit.waiting_of(lost.id)) == ()
    assert offered(world, to_book(world, 2), WEDNESDAY) == []
    assert codes(world, lost) == {"edition_lost"}


def test_once_its_edition_is_back_another_date_is_chosen_without_a_move(world: World) -> None:
    dossier = to_book(world)
    assert dossier.due_at
    world.clock.instant = dossier.due_at - timedelta(hours=20)
    held = world.booked(dossier, "depot")
    day, edition = local_day(held.bookings["depot"].start), held.fingerprint
    assert held.due_paused_at
    under(world, held, LOST)
    openings.change_openings(world.office, chief(world), replace(STRIKE, first_day=day, last_day=day))
    lost = world.kept(held)
    assert lost.due_paused_at is None
    assert lost.due_at == end_of_day(local_day(world.office.now()) + timedelta(days=7))
    back = under(world, lost, edition)
    last = world.read(lambda unit: unit.entries(back.id))[-2]
    assert (last.kind, last.body["due"], last.body["paused"]) == ("slot_lost", instant_text(back.due_at), None)
    again = world.booked(back, "depot")
    assert (again.bookings["depot"].moves, again.bookings["depot"].lost) == (0, None)


def test_it_closes_though_the_edition_of_a_dossier_that_a_visitor_has_a_link_to_is_lost(world: World) -> None:
    """Nothing is issued: what an earlier dossier would lose by it is not looked for."""
    earlier = under(world, world.sent(), LOST)
    visitor = on(world, to_book(world), WEDNESDAY)
    link = Link(id="avant", label=Text.of("Le précédent"), relation="renews", procedure=B3)
    passport = world.office.catalogue.procedures[PASSPORT]
    book = replace(passport, tasks={**passport.tasks, link.id: link})
    linked = replace(visitor, links={link.id: LinkedDossier(earlier.id, earlier.number)})
    with world.office.store.unit() as unit:
        assert list(succession(world.office, unit, book, visitor, linked, (), world.office.now())) == []


def test_the_seat_is_free_once_the_closure_is_taken_back(world: World) -> None:
    lost = under(world, on(world, to_book(world), WEDNESDAY), LOST)
    start = lost.bookings["depot"].start
    done = openings.change_openings(world.office, chief(world), STRIKE)
    openings.take_back(world.office, chief(world), done.change.id)
    other = to_book(world, 1)
    assert (
        bookings.book_slot(world.office, world.owner(other), other.id, "depot", LOME, start).bookings["depot"].seat == 1
    )
