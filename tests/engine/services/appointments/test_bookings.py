"""Visits: what is offered can be taken, the last seat once, and a seat given up is somebody else's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.model import Procedure
from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier
from engine.services.accounts.delegation import acting_for, declare_child
from engine.services.appointments import bookings, office_day
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext, NotFound
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.commit import keep
from engine.services.core.outbound_messages import MOST_A_DAY
from engine.storage.sql.ledger import LedgerQueries
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Unit
from tests.engine.services.world import PASSPORT, World, a_world

CARD, ENROLMENT = "carte-nationale-identite", "enrolement_sur_place"


@pytest.fixture
def clerk(world: World) -> Actor:
    return world.agent("clerk", "dgdn/guichet")


def to_book(world: World, number: int = 0) -> Dossier:
    """A passport paid for, waiting for its visit."""
    owner = world.applicant(f"+228901{number:05d}")
    checker = world.agent("checker", "dgdn/controleur")
    return world.paid(world.take(world.sent(PASSPORT, owner), checker, "conforme"))


def without_telephone(world: World, dossier: Dossier, number: int, contact: str | None = None) -> None:
    """The owner signs in by e-mail; or is a child, whose parent has the telephone `contact`."""
    with world.office.store.unit(write=True) as unit:
        account, before = unit.account(dossier.owner), unit.dossier(dossier.id)
        assert account is not None
        assert before is not None
        unit.put_account(replace(account, login=f"mail-{number}"))
        keep(world.office, unit, before, replace(before, contact_phone=contact), [], SYSTEM_ACTOR)


def book(world: World, dossier: Dossier, slot: object, **more: object) -> Dossier:
    return bookings.book_slot(
        world.office,
        world.owner(dossier),
        dossier.id,
        "depot",
        slot.office,
        slot.start,
        **more,  # type: ignore
    )


class TestOffers:
    def test_what_is_read_is_what_is_looked_at(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """An office whose year is full of visits is not read whole for its first free hours, nor to take one."""
        dossier, read = to_book(world), list[timedelta]()
        honest = LedgerQueries.visits_taken

        def told(unit: Any, resource: str, office: str, from_: datetime, to: datetime, *more: Any) -> Any:
            read.append(to - from_)
            return honest(unit, resource, office, from_, to, *more)

        monkeypatch.setattr(LedgerQueries, "visits_taken", told)
        first = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot", limit=10).first_free
        assert sum(read, timedelta()) <= timedelta(days=21)
        read.clear()
        book(world, dossier, first)
        assert read == [timedelta(days=7)]

    def test_days_with_slots_in_one_office(self, world: World) -> None:
        dossier = to_book(world)
        sheet = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot", limit=30)
        assert (sheet.office_id, sheet.because) == ("dgdn_lome", None)
        assert [choice.office.id for choice in sheet.offices] == ["dgdn_lome"]
        assert sheet.first_free
        assert local_day(sheet.first_free.start) == date(2026, 11, 25)
        assert {day.day.weekday() for day in sheet.days if day.slots} <= {0, 2, 4}
        assert sheet.next_from
        following = bookings.slots(
            world.office, world.owner(dossier), dossier.id, "depot", from_day=sheet.next_from, limit=30
        )
        first, second = ({slot.start for day in one.days for slot in day.slots} for one in (sheet, following))
        assert first
        assert second
        assert not first & second
        assert min(second) > max(first)

    def test_a_day_longer_than_the_page_is_shown_whole_and_the_next_page_begins_after_it(self, world: World) -> None:
        dossier = to_book(world)
        pages, from_day = [], None
        while len(pages) < 3:
            sheet = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot", from_day=from_day, limit=4)
            pages.append([slot.start for day in sheet.days for slot in day.slots])
            assert sheet.next_from
            assert sheet.next_from > local_day(pages[-1][-1])
            from_day = sheet.next_from
        wide = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot", limit=100)
        every = [slot.start for day in wide.days for slot in day.slots]
        told = [start for one in pages for start in one]
        assert len(pages[0]) > 4
        assert told == every[: len(told)]

    def test_feasts_are_told(self, world: World) -> None:
        dossier = to_book(world)
        sheet = bookings.slots(
            world.office, world.owner(dossier), dossier.id, "depot", from_day=date(2026, 12, 24), limit=60
        )
        christmas = next(day for day in sheet.days if day.day == date(2026, 12, 25))
        assert christmas.note
        assert christmas.note.facts["why"] == "holiday"

    def test_it_is_not_the_time(self, world: World) -> None:
        dossier = world.sent(PASSPORT)
        sheet = bookings.slots(world.office, world.applicant(), dossier.id, "depot")
        assert sheet.because
        assert sheet.because.code == "not_now"
        with pytest.raises(NotFound):
            bookings.slots(world.office, world.applicant(), dossier.id, "quittance_passeport")


class TestTaking:
    def test_all_that_is_offered_can_be_taken_then_the_slot_is_gone(self, world: World) -> None:
        first = bookings.slots(world.office, world.owner(to_book(world)), to_book_id(world, 0), "depot").first_free
        assert first
        for number in range(first.left):
            book(world, to_book(world, number + 1), first)
        late = to_book(world, 90)
        with pytest.raises(Refused) as closed:
            book(world, late, first)
        reason = closed.value.reason
        assert reason.code == "slot_full"
        assert isinstance(reason.facts["nearest"], tuple)
        assert len(reason.facts["nearest"]) == 3
        sheet = bookings.slots(world.office, world.owner(late), late.id, "depot")
        assert sheet.first_free
        assert sheet.first_free.start > first.start
        assert fsck(world.office) == ()

    def test_a_double_click_takes_one_seat(self, world: World) -> None:
        dossier = to_book(world)
        slot = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot").first_free
        first, again = book(world, dossier, slot, token="t"), book(world, dossier, slot, token="t")
        assert first.bookings == again.bookings
        assert world.kinds(dossier).count("booked") == 1

    def test_moved_the_old_seat_is_free_again(self, world: World) -> None:
        dossier = world.booked(to_book(world), "depot", 0)
        before = dossier.bookings["depot"]
        moved = world.booked(dossier, "depot", 3)
        after = moved.bookings["depot"]
        assert (after.sequence, after.moves, after.start > before.start) == (before.sequence + 1, 1, True)
        assert _taken(world, before.start) == frozenset()
        assert fsck(world.office) == ()

    def test_given_back(self, world: World) -> None:
        dossier = world.booked(to_book(world), "depot")
        start = dossier.bookings["depot"].start
        cancelled = bookings.cancel_booking(world.office, world.owner(dossier), dossier.id, "depot")
        assert cancelled.bookings["depot"].status == "cancelled"
        assert cancelled.due_paused_at is None
        assert _taken(world, start) == frozenset()
        assert world.booked(cancelled, "depot").bookings["depot"].status == "booked"
        assert fsck(world.office) == ()

    def test_cancelled_by_an_agent(self, world: World, clerk: Actor) -> None:
        """It counts no move, leaves a week to choose again, and its reason is a message of the dossier."""
        dossier = world.booked(to_book(world), "depot", 20)
        start = dossier.bookings["depot"].start
        with pytest.raises(Refused, match="message_empty"):
            bookings.cancel_booking(world.office, clerk, dossier.id, "depot", reason=" ")
        with pytest.raises(Refused, match="role"):
            bookings.cancel_booking(
                world.office, world.agent("checker", "dgdn/controleur"), dossier.id, "depot", reason="Panne."
            )
        after, again = (
            bookings.cancel_booking(world.office, clerk, dossier.id, "depot", reason="Panne.", token="t")
            for _ in range(2)
        )
        assert (after.bookings["depot"].status, after.bookings["depot"].lost) == ("cancelled", "service")
        assert again.revision == after.revision
        assert _taken(world, start) == frozenset()
        assert after.due_at is not None
        assert after.due_at >= world.office.now() + timedelta(days=7)
        messages = world.read(lambda unit: unit.messages_of(dossier.id))
        assert [(one.side, one.body) for one in messages] == [("agent", "Panne.")]
        letters = world.read(lambda unit: unit.letters_of(dossier.id))
        assert letters[-1].body.startswith("notice.called_off.sms")
        assert world.booked(after, "depot", 3).bookings["depot"].moves == 0
        assert fsck(world.office) == ()

    def test_reasons_of_an_agent_count_among_their_messages_of_a_day(self, world: World, clerk: Actor) -> None:
        """Each cancellation sends an SMS."""
        dossier = to_book(world)
        for number in range(MOST_A_DAY + 1):
            (free,) = bookings.slots(world.office, clerk, dossier.id, "depot", limit=1).days[0].slots[:1]
            bookings.book_slot(world.office, clerk, dossier.id, "depot", "dgdn_lome", free.start)
            with pytest.raises(Refused, match="messages_many") if number == MOST_A_DAY else nullcontext():
                bookings.cancel_booking(world.office, clerk, dossier.id, "depot", reason="Panne.")
        assert world.kept(dossier).bookings["depot"].status == "booked"
        assert fsck(world.office) == ()

    def test_taken_and_given_back_again_and_again_sends_so_many_messages_a_day(self, world: World) -> None:
        dossier = to_book(world)
        for _ in range(bookings.BOOKED_A_DAY):
            bookings.cancel_booking(world.office, world.owner(dossier), world.booked(dossier, "depot").id, "depot")
        told = world.read(lambda unit: len(unit.letters_of(dossier.id)))
        with pytest.raises(Refused, match="too_many_tries"):
            world.booked(dossier, "depot")
        assert world.read(lambda unit: len(unit.letters_of(dossier.id))) == told
        world.wait(days=1, hours=2)
        assert world.booked(dossier, "depot").bookings["depot"].status == "booked"

    def test_accounts_without_a_telephone_at_one_address_take_so_many_seats_an_hour(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bookings, "SHARE_OF_DAY", 1)

        def books(number: int, client: str, telephone: bool = False) -> Dossier:
            dossier = to_book(world, number)
            if not telephone:
                without_telephone(world, dossier, number)
            slot = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot").first_free
            assert slot
            return bookings.book_slot(
                world.office, world.owner(dossier), dossier.id, "depot", slot.office, slot.start, client=client
            )

        for number in range(bookings.BOOKED_PER_ADDRESS):
            books(number, "203.0.113.7")
        with pytest.raises(Refused, match="too_many_tries"):
            books(bookings.BOOKED_PER_ADDRESS, "203.0.113.7")
        assert books(90, "203.0.113.7", telephone=True).bookings
        assert books(91, "203.0.113.8").bookings

    def test_who_acts_by_telephone_is_not_kept_out_by_others_of_the_address(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Thousands of parents are behind one address of a mobile operator: two e-mail accounts would keep them out."""
        monkeypatch.setattr(bookings, "BOOKED_PER_ADDRESS", 2)
        asked = [to_book(world, number) for number in range(6)]

        def takes(number: int, contact: str | None) -> Dossier:
            without_telephone(world, asked[number], number, contact)
            owner = world.owner(asked[number])
            slot = bookings.slots(world.office, owner, asked[number].id, "depot").first_free
            return book(world, asked[number], slot, client="203.0.113.7")

        for number in range(2):
            takes(number, None)
        for number in range(2, 4):
            takes(number, "+22890112299")
        for contact in (None, "+22890112299"):
            with pytest.raises(Refused, match="too_many_tries"):
                takes(4, contact)
        assert takes(2, "+22890112299").bookings["depot"].moves == 1, "its seat was counted when it was booked"
        assert takes(5, "+22890112298").bookings

    def test_one_person_s_dossiers_take_so_many_seats_and_leave_the_others(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A procedure whose first state waits for the visit: each request is a seat, and costs nothing yet."""
        monkeypatch.setattr(bookings, "SEATS_AHEAD", 3)
        owner = world.applicant()

        def place(dossier: Dossier) -> tuple[AppContext, Actor, str, str, str, datetime]:
            who = world.owner(dossier)
            free = bookings.slots(world.office, who, dossier.id, ENROLMENT).first_free
            assert free
            return world.office, who, dossier.id, ENROLMENT, free.office, free.start

        def take(dossier: Dossier) -> Dossier:
            return bookings.book_slot(*place(dossier))

        asked = [world.sent(CARD, owner) for _ in range(4)]
        taken = [take(one) for one in asked[:2]]
        assert bookings.hold_slot(*place(asked[2]))
        for one_more in (bookings.book_slot, bookings.hold_slot):
            with pytest.raises(Refused, match="seats_many"):
                one_more(*place(asked[3]))
        assert take(taken[0]).bookings[ENROLMENT].moves == 1, "what is booked may be moved"
        assert take(asked[2]).bookings, "what is held may be booked"
        assert take(world.sent(CARD, world.applicant("+22890445566"))).bookings, "others book"
        bookings.cancel_booking(world.office, owner, asked[2].id, ENROLMENT)
        assert take(asked[3]).bookings
        world.wait(days=60)
        with world.office.store.unit() as unit:
            assert unit.seats_ahead(owner.id, f"{CARD}/{ENROLMENT}", world.office.now(), "") == (0, 0)

    def test_nor_do_the_children_that_one_person_declares(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Any number of children may be declared: each brought ten more seats."""
        monkeypatch.setattr(bookings, "FAMILY_SEATS_AHEAD", 3)
        afi = world.applicant()

        def take(owner: Actor) -> Dossier:
            dossier = world.sent(CARD, owner)
            free = bookings.slots(world.office, owner, dossier.id, ENROLMENT).first_free
            assert free
            return bookings.book_slot(world.office, owner, dossier.id, ENROLMENT, free.office, free.start)

        def child(name: str) -> Actor:
            known = {"family_name": "AMEGAN", "given_names": name}
            mandate = declare_child(world.office, afi, known, date(2015, 3, 27))
            acting = acting_for(world.office, afi, mandate.id)
            assert acting is not None
            world.people[mandate.principal] = acting
            return acting

        kossi, ama, yao = child("Kossi"), child("Ama"), child("Yao")
        assert all(take(one).bookings for one in (afi, kossi, ama))
        for one in (yao, kossi, afi):
            with pytest.raises(Refused, match="seats_many"):
                take(one)
        assert take(world.applicant("+22890445566")).bookings, "others book"

    def test_an_accepted_company_books_for_its_people(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bookings, "SEATS_AHEAD", 0)
        dossier = world.sent(CARD)
        free = bookings.slots(world.office, world.owner(dossier), dossier.id, ENROLMENT).first_free
        assert free
        with pytest.raises(Refused, match="seats_many"):
            bookings.book_slot(world.office, world.owner(dossier), dossier.id, ENROLMENT, free.office, free.start)
        with world.office.store.unit(write=True) as unit:
            account = unit.account(dossier.owner)
            assert account is not None
            unit.put_account(replace(account, login="company:TG-LOM-1", name="SOCIETE"))
        assert bookings.book_slot(
            world.office, world.owner(dossier), dossier.id, ENROLMENT, free.office, free.start
        ).bookings

    def test_accounts_without_a_telephone_at_one_address_hold_so_many_seats_an_hour(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A seat held is taken for everybody else, and a hold is renewed for ever: each counts, as a booking does."""
        monkeypatch.setattr(bookings, "HELD_PER_ADDRESS", 3)

        def holds(number: int, client: str) -> datetime | None:
            dossier = to_book(world, number)
            without_telephone(world, dossier, number)
            return hold(dossier, client)

        def hold(dossier: Dossier, client: str) -> datetime | None:
            owner = world.owner(dossier)
            slot = bookings.slots(world.office, owner, dossier.id, "depot").first_free
            assert slot
            return bookings.hold_slot(
                world.office, owner, dossier.id, "depot", slot.office, slot.start, client=client
            )  # fmt: skip

        assert all(holds(number, "203.0.113.7") for number in range(3))
        assert holds(3, "203.0.113.7") is None
        assert hold(to_book(world, 90), "203.0.113.7"), "who has a telephone is not counted"
        assert holds(4, "203.0.113.8")
        world.wait(hours=1, minutes=10)
        assert holds(5, "203.0.113.7")

    @pytest.mark.parametrize("days", [0, 365])
    def test_times_that_cannot_be_taken(self, world: World, days: int) -> None:
        dossier = to_book(world)
        slot = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot").first_free
        assert slot
        wrong = slot.start + timedelta(days=days, minutes=7)
        with pytest.raises(Refused, match=r"slot_closed|too_early"):
            book(world, dossier, replace(slot, start=wrong))
        with pytest.raises(Refused, match="slot_closed"):
            book(world, dossier, replace(slot, office="dgdn_kara"))

    @pytest.mark.parametrize("year", [1, 2030, 9999])
    def test_a_day_at_the_end_of_the_calendar(self, world: World, year: int) -> None:
        dossier = to_book(world)
        slot = bookings.slots(world.office, world.owner(dossier), dossier.id, "depot").first_free
        assert slot
        with pytest.raises(Refused, match=r"slot_closed|too_early|too_late"):
            book(world, dossier, replace(slot, start=datetime(year, 12, 31, 23, 59, tzinfo=UTC)))

    def test_a_closed_dossier_holds_no_seat(self, world: World) -> None:
        dossier = world.booked(to_book(world), "depot")
        clerk = world.agent("clerk", "dgdn/guichet")
        world.clock.instant = dossier.bookings["depot"].start + timedelta(minutes=15)
        dossier = bookings.mark(world.office, clerk, dossier.id, "depot", "missed")
        dossier = world.booked(dossier, "depot")
        world.clock.instant = dossier.bookings["depot"].start + timedelta(minutes=15)
        assert bookings.mark(world.office, clerk, dossier.id, "depot", "missed").state == "abandonne"
        assert fsck(world.office) == ()


def to_book_id(world: World, number: int) -> str:
    owner = world.applicant(f"+228901{number:05d}")
    return next(line.id for line in world.read(lambda unit: unit.dossiers_of(owner.id)))


def _taken(world: World, start: object) -> frozenset[int]:
    found = world.read(
        lambda unit: unit.seats_taken(f"{PASSPORT}/depot", "dgdn_lome", start, start + timedelta(minutes=1))
    )
    return found.get(start, frozenset())


class TestDay:
    def test_who_comes_and_what_they_bring(self, world: World, clerk: Actor) -> None:
        dossier = world.booked(to_book(world), "depot")
        visit = local_day(dossier.bookings["depot"].start)
        (line,) = office_day.day(world.office, clerk, visit)
        assert (line.dossier.id, str(line.procedure_title)) == (dossier.id, "Passeport ordinaire")
        assert "Photos d'identité sur fond blanc" in [str(label) for label in line.to_bring]
        assert str(line.to_bring[0]) == "Formulaire du rendez-vous"
        assert office_day.day(world.office, clerk, visit + timedelta(days=1)) == ()
        assert office_day.day(world.office, clerk, visit, "dgdn_kara") == ()
        for stranger in (world.agent("chief", "sncja/greffier_en_chef"), world.applicant(), world.auditor()):
            assert office_day.day(world.office, stranger, visit) == ()

    def test_an_edition_that_cannot_be_read_keeps_nobody_from_being_received(
        self, world: World, clerk: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lost, other = world.booked(to_book(world), "depot", 0), world.booked(to_book(world, 1), "depot", 1)
        read = bookings.pinned

        def spoilt(office: AppContext, unit: Unit, dossier: Dossier) -> Procedure:
            if dossier.id == lost.id:
                raise EditionMissing(dossier.procedure)
            return read(office, unit, dossier)

        monkeypatch.setattr(office_day, "pinned", spoilt)
        visit = local_day(lost.bookings["depot"].start)
        first, second = office_day.day(world.office, clerk, visit)
        assert (first.dossier.id, first.appointment, str(first.procedure_title)) == (
            lost.id,
            None,
            "Passeport ordinaire",
        )
        assert (second.dossier.id, second.appointment is not None) == (other.id, True)
        for stranger in (
            world.agent("chief", "sncja/greffier_en_chef"), replace(clerk, offices=frozenset({"dgdn_kara"})), world.auditor()
        ):  # fmt: skip
            assert office_day.day(world.office, stranger, visit) == ()

    def test_arrived_then_attended(self, world: World, clerk: Actor) -> None:
        dossier = world.booked(to_book(world), "depot")
        world.clock.instant = dossier.bookings["depot"].start
        came = bookings.mark(world.office, clerk, dossier.id, "depot", "arrived")
        assert came.bookings["depot"].arrived_at
        assert bookings.mark(world.office, clerk, dossier.id, "depot", "attended").state == "originaux"
        with pytest.raises(Refused):
            bookings.mark(world.office, clerk, dossier.id, "depot", "attended")

    def test_not_by_the_applicant(self, world: World) -> None:
        dossier = world.booked(to_book(world), "depot")
        with pytest.raises(Refused, match="role"):
            bookings.mark(world.office, world.owner(dossier), dossier.id, "depot", "attended")


@pytest.mark.slow
def test_twelve_at_once_for_the_last_seat(tmp_path: Path) -> None:
    world = a_world(tmp_path, SqliteStore(tmp_path / "office.db"))
    dossiers = [to_book(world, number) for number in range(12)]
    first = bookings.slots(world.office, world.owner(dossiers[0]), dossiers[0].id, "depot").first_free
    assert first

    def one(dossier: Dossier) -> str:
        try:
            book(world, dossier, first, token=dossier.id)
        except Refused as closed:
            return closed.reason.code
        return "booked"

    with ThreadPoolExecutor(12) as pool:
        said = list(pool.map(one, dossiers))
    assert said.count("booked") == first.left
    assert said.count("slot_full") == 12 - first.left
    assert fsck(world.office) == ()
