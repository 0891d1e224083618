"""An office closes for an afternoon, opens on a Saturday, receives at more desks; a holiday is decreed on its eve. Whoever loses
a visit is told, chooses again without a move counted, and what was closed is offered to nobody meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.domain.common.working_time import end_of_day
from engine.journal.chain import verify
from engine.operations.refresh import FolderSource, Refresher
from engine.records.administration import OpeningChange
from engine.records.dossier import Account, Actor, Dossier
from engine.services.appointments import bookings
from engine.services.appointments import opening_changes as openings
from engine.services.appointments.opening_changes import OpeningChangeRequest
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import NotFound
from engine.services.core import waiting_list
from engine.services.core.appointment_links import visit_token
from engine.services.worker.worker import run_pass
from engine.storage.sqlite.store import SqliteStore
from tests.engine.services.appointments.test_bookings import book, to_book
from tests.engine.services.world import MONDAY, PASSPORT, World, a_world
from tests.postgres import an_empty_store

LOME = "dgdn_lome"
WEDNESDAY = date(2026, 11, 25)
FRIDAY = date(2026, 11, 27)
RACERS = 8
STRIKE = OpeningChangeRequest(
    "closed", LOME, WEDNESDAY, WEDNESDAY, because="Grève du personnel", because_en="Staff on strike"
)
MORNING = replace(STRIKE, from_minute=450, to_minute=720)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    store = SqliteStore(":memory:") if request.param == "sqlite" else an_empty_store()
    one = a_world(tmp_path, store)
    yield one
    store.close()


def chief(world: World, *agencies: str) -> Actor:
    """Who manages the people of these agencies."""
    managed = agencies or ("dgdn",)
    account = Account(f"chief {managed}", "agent", "A. Chief", f"chief.{managed[0]}", administers=managed)
    with world.office.store.unit(write=True) as unit:
        unit.put_account(account)
    return account.actor()


def offered(world: World, dossier: Dossier, day: date) -> list[Any]:
    sheet = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot", from_day=day, limit=100)
    return [slot for one in sheet.days if one.day == day for slot in one.slots]


def on(world: World, dossier: Dossier, day: date, number: int = 0) -> Dossier:
    return book(world, dossier, offered(world, dossier, day)[number])


def timers(world: World, dossier: Dossier) -> list[tuple[str, datetime]]:
    due = world.read(lambda unit: unit.due_timers(world.office.now() + timedelta(days=60), 100))
    return [(one.name, one.due_at) for one in due if one.dossier == dossier.id]


def rung(world: World, dossier: Dossier) -> list[str]:
    """The timers that rang, as the journal says."""
    return [one.body["timer"] for one in world.read(lambda unit: unit.entries(dossier.id)) if one.kind == "due"]


def told(world: World, dossier: Dossier) -> list[Any]:
    return [one for one in world.read(lambda unit: unit.letters_of(dossier.id)) if ":lost:" in one.dedupe]


class TestClosing:
    def test_what_it_takes_away_is_seen_first_and_nothing_is_kept(self, world: World) -> None:
        dossier = on(world, to_book(world), WEDNESDAY)
        other = on(world, to_book(world, 1), date(2026, 11, 27))
        seen = openings.foresee(world.office, chief(world), STRIKE)
        (lost,) = seen.lost
        assert (lost.dossier.number, lost.booking) == (dossier.number, dossier.bookings["depot"])
        assert lost.letter
        assert lost.letter.to == dossier.contact_phone
        assert "Grève du personnel" in lost.letter.body
        assert lost.signs == len(lost.letter.body) - len("…") + len(visit_token(world.office, dossier, "depot"))
        assert visit_token(world.office, dossier, "depot") not in lost.letter.body
        assert len(lost.nearest) == 3
        assert WEDNESDAY not in {local_day(start) for start in lost.nearest}
        assert world.kept(dossier) == dossier
        assert told(world, dossier) == []
        assert offered(world, to_book(world, 2), WEDNESDAY)
        assert world.kept(other) == other

    @pytest.mark.parametrize(
        ("code", "statement"),
        [
            ("opening_deleted", "DELETE FROM opening_change"),
            ("opening_differs", "UPDATE opening_change SET from_minute = 480, to_minute = 600"),
            ("opening_differs", "UPDATE opening_change SET because = 'Autre'"),
            ("opening_differs", "UPDATE opening_change SET lifted_at = at, lifted_by = account"),
            ("opening_unjournaled", "UPDATE opening_change SET id = 'x' WHERE n = 1"),
        ],
    )
    def test_a_closure_written_into_the_store_is_told(self, world: World, code: str, statement: str) -> None:
        openings.change_openings(world.office, chief(world), STRIKE)
        later = replace(STRIKE, first_day=FRIDAY, last_day=FRIDAY)
        done = openings.change_openings(world.office, chief(world), later)
        openings.take_back(world.office, chief(world), done.change.id)
        assert fsck(world.office) == ()
        with world.office.store.unit(write=True) as unit:
            unit._change(statement)
        assert code in {one.code for one in fsck(world.office)}

    def test_the_visit_is_given_back_told_and_chosen_again_without_a_move(self, world: World) -> None:
        dossier = on(world, to_book(world), WEDNESDAY)
        done = openings.change_openings(world.office, chief(world), STRIKE, token="t")
        assert done.notified == 1
        lost = world.kept(dossier)
        booking = lost.bookings["depot"]
        assert (booking.status, booking.lost, booking.moves) == ("cancelled", done.change.id, 0)
        assert booking.sequence == dossier.bookings["depot"].sequence + 1
        assert lost.due_paused_at is None
        assert world.kinds(dossier)[-1] == "slot_lost"
        (letter,) = told(world, dossier)
        assert letter.channel == "sms"
        assert offered(world, lost, WEDNESDAY) == []
        again = on(world, lost, date(2026, 11, 27))
        assert (again.bookings["depot"].moves, again.bookings["depot"].lost) == (0, None)
        assert verify(world.read(lambda unit: unit.entries(dossier.id))) is None
        assert fsck(world.office) == ()

    def test_there_is_time_to_choose_again(self, world: World) -> None:
        """Whoever had one day left when they booked has a week: the closure is not theirs."""
        dossier = to_book(world)
        assert dossier.due_at
        world.clock.instant = dossier.due_at - timedelta(hours=20)
        held = world.booked(dossier, "depot")
        day = local_day(held.bookings["depot"].start)
        openings.change_openings(world.office, chief(world), replace(STRIKE, first_day=day, last_day=day))
        lost = world.kept(dossier)
        assert lost.due_at == end_of_day(local_day(world.office.now()) + timedelta(days=7))
        world.wait(days=6)
        run_pass(world.office)
        assert world.kept(dossier).state == held.state
        assert fsck(world.office) == ()

    def test_made_twice_it_is_made_once(self, world: World) -> None:
        dossier = on(world, to_book(world), WEDNESDAY)
        first = openings.change_openings(world.office, chief(world), STRIKE, token="t")
        assert openings.change_openings(world.office, chief(world), STRIKE, token="t") == first
        assert world.kinds(dossier).count("slot_lost") == 1
        assert len(openings.changes_of(world.office, chief(world), LOME)) == 1

    def test_some_hours_leave_the_others_where_they_were(self, world: World) -> None:
        before = {slot.start for slot in offered(world, to_book(world, 5), WEDNESDAY)}
        morning = on(world, to_book(world), WEDNESDAY)
        afternoon = on(world, to_book(world, 1), WEDNESDAY, -1)
        openings.change_openings(world.office, chief(world), replace(MORNING, to_minute=605))
        after = {slot.start for slot in offered(world, to_book(world, 5), WEDNESDAY)}
        assert after < before
        assert world.kept(morning).bookings["depot"].lost
        assert world.kept(afternoon) == afternoon
        first = min(after)
        assert first.hour * 60 + first.minute >= 605
        with pytest.raises(Refused, match="slot_closed") as closed:
            book(world, to_book(world, 2), replace(offered(world, to_book(world, 2), WEDNESDAY)[0], start=min(before)))
        assert closed.value.reason.facts["why"] == "closure"
        assert closed.value.reason.facts["name"] == "Grève du personnel"

    def test_reminders_of_it_do_not_leave(self, world: World) -> None:
        dossier = on(world, to_book(world), date(2026, 11, 27))
        world.clock.instant = dossier.bookings["depot"].start - timedelta(hours=20)
        friday = replace(STRIKE, first_day=date(2026, 11, 27), last_day=date(2026, 11, 27))
        openings.change_openings(world.office, chief(world), friday)
        world.wait(days=2)
        run_pass(world.office)
        assert "reminded" not in world.kinds(dossier)

    def test_a_reminder_owed_already_is_silenced(self, world: World) -> None:
        dossier = on(world, to_book(world), date(2026, 11, 27))
        world.clock.instant = dossier.bookings["depot"].start - timedelta(hours=20)
        world.office.senders["sms"].send = _refuses  # type: ignore[method-assign,attr-defined]
        run_pass(world.office)
        mine = [one for one in world.read(lambda unit: unit.letters_of(dossier.id)) if ":reminder:" in one.dedupe]
        assert [one.sent_at for one in mine] == [None]
        friday = replace(STRIKE, first_day=date(2026, 11, 27), last_day=date(2026, 11, 27))
        openings.change_openings(world.office, chief(world), friday)
        mine = [one for one in world.read(lambda unit: unit.letters_of(dossier.id)) if ":reminder:" in one.dedupe]
        assert [one.failed for one in mine] == ["slot_lost"]

    def test_by_whoever_manages_the_agency_alone(self, world: World) -> None:
        for stranger in (chief(world, "mairie"), world.agent("clerk", "dgdn/guichet"), world.applicant()):
            with pytest.raises(NotFound):
                openings.change_openings(world.office, stranger, STRIKE)
            assert LOME not in {one.id for one in openings.managed_offices(world.office, stranger)}
        assert LOME in {one.id for one in openings.managed_offices(world.office, chief(world, "*"))}

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"last_day": date(2026, 11, 24)}, "opening_backwards"),
            ({"first_day": date(2026, 11, 20)}, "opening_past"),
            ({"last_day": date(2027, 11, 25)}, "opening_far"),
            ({"from_minute": 600}, "opening_hours_half"),
            ({"from_minute": 600, "to_minute": 600}, "opening_hours_backwards"),
            ({"because": " \u200b "}, "opening_reason_missing"),
            ({"because": "x" * 61}, "opening_reason_long"),
            ({"kind": "open"}, "opening_hours_missing"),
            ({"kind": "desks", "desks": 0}, "opening_desks"),
        ],
    )
    def test_what_is_wrong_is_refused(self, world: World, changes: dict[str, Any], code: str) -> None:
        with pytest.raises(Refused, match=code):
            openings.foresee(world.office, chief(world), replace(STRIKE, **changes))

    def test_who_waits_is_not_told_of_seats_that_are_closed(self, world: World) -> None:
        on(world, to_book(world), WEDNESDAY)
        waiting = to_book(world, 1)
        waiting_list.wait_for_seat(world.office, world.owner(waiting), waiting.id, "depot", LOME)
        openings.change_openings(world.office, chief(world), STRIKE)
        assert not [one for one in world.read(lambda unit: unit.letters_of(waiting.id)) if ":freed:" in one.dedupe]

    def test_it_is_told_in_the_language_of_the_dossier(self, world: World) -> None:
        dossier = on(world, to_book(world), WEDNESDAY)
        with world.office.store.unit(write=True) as unit:
            unit.put_dossier(replace(dossier, language="en", revision=dossier.revision + 1), dossier.revision)
        (lost,) = openings.foresee(world.office, chief(world), STRIKE).lost
        assert lost.letter
        assert "Staff on strike" in lost.letter.body


def _refuses(letter: object) -> None:
    raise RuntimeError("the line is down")


class TestTakenBack:
    def test_slots_are_offered_again_nobody_is_booked_again_who_waits_is_told(self, world: World) -> None:
        dossier = on(world, to_book(world), WEDNESDAY)
        done = openings.change_openings(world.office, chief(world), STRIKE)
        back = openings.take_back(world.office, chief(world), done.change.id, token="b")
        assert back.notified == 1
        assert back.change.lifted_by == chief(world).id
        assert openings.take_back(world.office, chief(world), done.change.id, token="b") == back
        assert world.kept(dossier).bookings["depot"].status == "cancelled"
        assert offered(world, dossier, WEDNESDAY)
        freed = [one for one in world.read(lambda unit: unit.letters_of(dossier.id)) if ":freed:" in one.dedupe]
        assert len(freed) == 1
        again = on(world, world.kept(dossier), WEDNESDAY)
        assert again.bookings["depot"].moves == 0
        assert world.read(lambda unit: unit.waiting_of(dossier.id)) == ()
        with pytest.raises(Refused, match="opening_lifted"):
            openings.take_back(world.office, chief(world), done.change.id)
        assert fsck(world.office) == ()

    def test_not_once_it_is_over_nor_by_another(self, world: World) -> None:
        done = openings.change_openings(world.office, chief(world), STRIKE)
        with pytest.raises(NotFound):
            openings.take_back(world.office, chief(world, "mairie"), done.change.id)
        with pytest.raises(NotFound):
            openings.take_back(world.office, chief(world), "absent")
        world.wait(days=3)
        with pytest.raises(Refused, match="opening_over"):
            openings.take_back(world.office, chief(world), done.change.id)


class TestOpening:
    # the passport's book receives on Mondays, Wednesdays and Fridays: more hours on a Wednesday, none on a Saturday
    NOON = OpeningChangeRequest("open", LOME, WEDNESDAY, WEDNESDAY, 720, 870)

    def test_more_hours_are_offered_and_their_seats_sold(self, world: World) -> None:
        before = len(offered(world, to_book(world), WEDNESDAY))
        waiting = to_book(world, 1)
        waiting_list.wait_for_seat(world.office, world.owner(waiting), waiting.id, "depot", LOME)
        done = openings.change_openings(world.office, chief(world), self.NOON)
        assert done.notified == 1
        slots = offered(world, to_book(world), WEDNESDAY)
        assert len(slots) > before
        noon = next(one for one in slots if one.start.hour == 12)
        dossier = book(world, to_book(world), noon)
        with pytest.raises(Refused, match="opening_booked"):
            openings.take_back(world.office, chief(world), done.change.id)
        assert fsck(world.office) == ()
        openings.change_openings(world.office, chief(world), replace(STRIKE, from_minute=720, to_minute=870))
        assert world.kept(dossier).bookings["depot"].lost
        openings.take_back(world.office, chief(world), done.change.id)
        assert len(offered(world, to_book(world), WEDNESDAY)) == before

    def test_more_desks_then_fewer_keep_who_has_a_seat(self, world: World) -> None:
        first = offered(world, to_book(world), WEDNESDAY)[0]
        more = OpeningChangeRequest("desks", LOME, WEDNESDAY, WEDNESDAY, desks=first.left + 1)
        openings.change_openings(world.office, chief(world), more)
        assert offered(world, to_book(world), WEDNESDAY)[0].left == first.left + 1
        for number in range(first.left + 1):
            book(world, to_book(world, number), first)
        assert fsck(world.office) == ()
        fewer = replace(more, desks=1)
        seen = openings.foresee(world.office, chief(world), fewer)
        assert (seen.lost, seen.beyond) == ((), first.left)
        openings.change_openings(world.office, chief(world), fewer)
        assert first.start not in {one.start for one in offered(world, to_book(world, 60), WEDNESDAY)}
        assert fsck(world.office) == ()


class TestHoliday:
    EVE = OpeningChangeRequest("holiday", "", WEDNESDAY, WEDNESDAY, because="Deuil national")

    def test_it_closes_every_office_and_is_told(self, world: World) -> None:
        dossier = on(world, to_book(world), WEDNESDAY)
        done = openings.change_openings(world.office, chief(world, "*"), self.EVE)
        assert done.notified == 1
        assert world.kept(dossier).bookings["depot"].lost == done.change.id
        sheet = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot", from_day=WEDNESDAY)
        note = next(one.note for one in sheet.days if one.day == WEDNESDAY)
        assert note
        assert (note.facts["why"], note.facts["name"]) == ("holiday", "Deuil national")
        assert fsck(world.office) == ()

    def test_by_who_manages_everything_alone(self, world: World) -> None:
        with pytest.raises(NotFound):
            openings.change_openings(world.office, chief(world), self.EVE)
        with pytest.raises(Refused, match="opening_known"):
            openings.foresee(
                world.office, chief(world, "*"), replace(self.EVE, first_day=date(2026, 12, 25), last_day=date(2026, 12, 25))
            )  # fmt: skip

    def test_a_day_told_stays_and_what_is_counted_from_then_on_counts_it(self, world: World) -> None:
        sent = world.sent(PASSPORT)
        due = sent.due_at
        assert due
        openings.change_openings(world.office, chief(world, "*"), self.EVE)
        assert world.kept(sent).due_at == due
        assert not world.office.directory.calendar.works(WEDNESDAY)
        after = world.sent(PASSPORT, world.applicant("+22890110001"))
        assert after.due_at
        assert after.due_at - due == timedelta(days=1)

    def test_what_waits_for_a_working_day_waits_for_the_next_one(self, world: World) -> None:
        """Its timer was set by the calendar of before: it is put off to its new moment, and rings then, once."""
        paid = world.paid(world.sent("creation-entreprise", forme="ei"))
        dossier = world.take(paid, world.agent("cfe", "cfe/guichetier_cfe"), "transmettre")
        rings = ("inscription_rccm", end_of_day(date(2026, 11, 24)))
        assert rings in timers(world, dossier)
        tuesday = date(2026, 11, 24)
        eve = replace(self.EVE, first_day=tuesday, last_day=tuesday)
        openings.change_openings(world.office, chief(world, "*"), eve)
        world.clock.instant = end_of_day(tuesday) + timedelta(minutes=1)
        run_pass(world.office)
        assert rung(world, dossier) == ["due"]  # the day told for the whole stays
        assert ("inscription_rccm", end_of_day(WEDNESDAY)) in timers(world, dossier)
        assert (world.kinds(dossier)[-1], fsck(world.office)) == ("timer_moved", ())
        world.clock.instant = end_of_day(WEDNESDAY) + timedelta(minutes=1)
        run_pass(world.office)
        run_pass(world.office)
        assert rung(world, dossier).count("inscription_rccm") == 1
        assert fsck(world.office) == ()

    def test_not_taken_back_once_begun(self, world: World) -> None:
        done = openings.change_openings(world.office, chief(world, "*"), self.EVE)
        world.wait(days=2)
        with pytest.raises(Refused, match="opening_over"):
            openings.take_back(world.office, chief(world, "*"), done.change.id)


def test_another_process_offers_no_closed_slot(tmp_path: Path) -> None:
    """It learns of the change when a seat is looked for, and whenever it looks."""
    mine = a_world(tmp_path, SqliteStore(tmp_path / "office.db"))
    theirs = a_world(tmp_path, SqliteStore(tmp_path / "office.db"))
    theirs.people = mine.people
    dossier = to_book(mine)
    slot = offered(theirs, dossier, WEDNESDAY)[0]
    openings.change_openings(mine.office, chief(mine), STRIKE)
    with pytest.raises(Refused, match="slot_closed"):
        book(theirs, dossier, slot)
    assert offered(theirs, dossier, WEDNESDAY) == []


def test_a_process_that_serves_learns_of_a_change_within_a_second(tmp_path: Path) -> None:
    """Whatever it answers with then, a page that looks no seat up too."""
    mine = a_world(tmp_path, SqliteStore(tmp_path / "office.db"))
    theirs = a_world(tmp_path, SqliteStore(tmp_path / "office.db"))
    keeping = Refresher(FolderSource(), lambda: theirs.office, lambda office: None)
    eve = OpeningChangeRequest("holiday", "", WEDNESDAY, WEDNESDAY, because="Deuil national")
    openings.change_openings(mine.office, chief(mine, "*"), eve)
    assert theirs.office.directory.calendar.works(WEDNESDAY)
    keeping.notice()
    assert not theirs.office.directory.calendar.works(WEDNESDAY)


def test_a_visit_behind_closed_doors_is_found(tmp_path: Path) -> None:
    """Somebody writes a closure into the store past every verb: the visit it should have taken away is told."""
    world = a_world(tmp_path)
    dossier = on(world, to_book(world), WEDNESDAY)
    assert fsck(world.office) == ()
    made = OpeningChange("c", 1, "closed", LOME, WEDNESDAY, WEDNESDAY, None, None, None, "Panne", "", "a", MONDAY)
    with world.office.store.unit(write=True) as unit:
        unit.add_opening_change(made)
    found = [("opening_unjournaled", None), ("seat_shut", dossier.id)]
    assert [(one.code, one.dossier) for one in fsck(world.office)] == found


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_booked_at_the_moment_of_the_closure(kind: str, tmp_path: Path) -> None:
    """Whoever took a seat is told it is lost, everybody else is refused: nobody comes to a closed door."""
    store = SqliteStore(tmp_path / "office.db") if kind == "sqlite" else an_empty_store()
    world = a_world(tmp_path, store)
    people = [to_book(world, number) for number in range(RACERS)]
    slots, administrator = offered(world, people[0], WEDNESDAY), chief(world)
    start = Barrier(RACERS + 1)

    def one(number: int) -> str:
        start.wait()
        try:
            book(world, people[number], slots[number % len(slots)], token=f"b{number}")
        except Refused as closed:
            return closed.reason.code
        return "booked"

    def close() -> int:
        start.wait()
        return openings.change_openings(world.office, administrator, STRIKE, token="close").notified

    with ThreadPoolExecutor(RACERS + 1) as pool:
        closing, booking = pool.submit(close), [pool.submit(one, number) for number in range(RACERS)]
        said, lost = [each.result() for each in booking], closing.result()
    assert set(said) <= {"booked", "slot_closed"}
    assert said.count("booked") == lost
    for dossier, came in zip(people, said, strict=True):
        held = world.kept(dossier).bookings.get("depot")
        assert (held is not None and held.status == "cancelled" and bool(held.lost)) == (came == "booked")
        assert len(told(world, dossier)) == (came == "booked")
    assert fsck(world.office) == ()
    store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_visits_given_back_and_moved_while_it_closes_and_everybody_waits(kind: str, tmp_path: Path) -> None:
    """Whoever gives a seat back tells others, who are giving theirs back: nobody waits for somebody who waits for them."""
    store = SqliteStore(tmp_path / "office.db") if kind == "sqlite" else an_empty_store()
    world = a_world(tmp_path, store)
    people = [on(world, to_book(world, number), WEDNESDAY, number) for number in range(RACERS)]
    for one in people:
        waiting_list.wait_for_seat(world.office, world.owner(one), one.id, "depot", LOME)
    friday, administrator = offered(world, people[0], date(2026, 11, 27)), chief(world)
    start = Barrier(RACERS + 1)

    def act(number: int) -> str:
        start.wait()
        mine = people[number]
        try:
            if number % 2:
                bookings.cancel_booking(world.office, world.owner(mine), mine.id, "depot", token=f"c{number}")
            else:
                book(world, mine, friday[number], token=f"m{number}")
        except Refused as closed:
            return closed.reason.code
        return "done"

    def close() -> int:
        start.wait()
        return openings.change_openings(world.office, administrator, STRIKE, token="close").notified

    with ThreadPoolExecutor(RACERS + 1) as pool:
        closing, acting = pool.submit(close), [pool.submit(act, number) for number in range(RACERS)]
        said, lost = [each.result() for each in acting], closing.result()
    assert set(said) <= {"done", "not_booked"}  # what is lost can be given back no more
    held = [world.kept(one).bookings["depot"] for one in people]
    assert not [one for one in held if one.status == "booked" and local_day(one.start) == WEDNESDAY]
    assert sum(len(told(world, one)) for one in people) == lost
    assert fsck(world.office) == ()
    store.close()
