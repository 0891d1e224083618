"""Slots, seats and bookings."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from engine.core.clock import local
from engine.core.problems import Refusal, Refused
from engine.core.values import Span
from engine.domain.appointments.appointments import (
    capacity_of,
    free_slots,
    last_day,
    offices_for,
    place,
    release,
    resource_key,
    seat_for,
    slot_starts,
    why_closed,
    within_step,
)
from engine.domain.appointments.walk_ins import arrived
from engine.domain.common.decision import Act, Decision
from engine.domain.workflow.actions import pay, submit, take
from engine.domain.workflow.transition_context import Moment
from engine.model import Appointment, Hours, Procedure
from engine.records.dossier import SYSTEM_ACTOR, Actor, Booking, Dossier
from tests.engine.domain.small_procedure import (
    CHECKER,
    CLERK,
    DEPOT,
    DIRECTORY,
    FABRICATION,
    FRAIS,
    MONDAY,
    OWNER,
    STRANGER,
    WORDS,
    book,
    constant_text,
    directory,
    draft,
    passport,
)

CENTRE = DIRECTORY.offices["centre"]
CALENDAR = DIRECTORY.calendar


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def waiting(procedure: Procedure) -> Dossier:
    """A dossier whose visit can be booked."""
    dossier = submit(procedure, draft(procedure), OWNER, MONDAY, DIRECTORY, WORDS).dossier
    dossier = take(procedure, dossier, Act("conforme"), CHECKER, MONDAY, DIRECTORY, WORDS).dossier
    return pay(procedure, dossier, ("frais",), 30_000, SYSTEM_ACTOR, MONDAY, DIRECTORY, WORDS).dossier


PASSPORT = passport()
READY = waiting(PASSPORT)


def booked(
    dossier: Dossier = READY, start: str = "2026-12-02 08:30", *, who: Actor = OWNER, now: datetime = MONDAY,
    office: str = "centre", procedure: Procedure = PASSPORT, offices: object = DIRECTORY, name: str = "b1", **taken: object,
) -> Decision:  # fmt: skip
    seats = taken.get("taken", {})
    return place(procedure, dossier, "depot", office, at(start), seats, who, now, offices, WORDS, booking_id=name)  # type: ignore[arg-type]


def refused(run: Callable[[], object]) -> Refusal:
    with pytest.raises(Refused) as caught:
        run()
    return caught.value.reason


# -- slots -------------------------------------------------------------------------------------------------------------


def test_slots_follow_each_other_while_doors_are_open() -> None:
    starts = slot_starts(DEPOT, CENTRE, date(2026, 11, 25), CALENDAR)
    assert [f"{local(one):%H:%M}" for one in starts] == [
        "07:30", "07:50", "08:10", "08:30", "08:50", "09:10", "09:30", "09:50", "10:10", "10:30", "10:50", "11:10",
        "11:30", "14:30", "14:50", "15:10", "15:30", "15:50", "16:10", "16:30",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "day", "count"),
    [
        ({}, date(2026, 11, 24), 0),  # a Tuesday
        ({}, date(2026, 11, 28), 0),  # a Saturday
        ({}, date(2026, 12, 25), 0),  # Christmas
        ({"hours": (Hours(480, 540),)}, date(2026, 11, 25), 3),
        ({"hours": (Hours(700, 900),)}, date(2026, 11, 25), 2),  # 11:40–12:00, then 14:30–15:00
        ({"lasts": Span(3, "hour")}, date(2026, 11, 25), 1),
        ({"lasts": Span(1, "day")}, date(2026, 11, 25), 0),
        ({"weekdays": ()}, date(2026, 11, 24), 20),
    ],
)
def test_slots_of_a_day(change: dict[str, object], day: date, count: int) -> None:
    assert len(slot_starts(replace(DEPOT, **change), CENTRE, day, CALENDAR)) == count  # type: ignore[arg-type]


def test_free_slots_begin_after_the_lead_and_end_with_the_horizon() -> None:
    free = free_slots(DEPOT, CENTRE, {}, MONDAY, CALENDAR, date(2026, 1, 1), 10_000)
    assert free[0].start == at("2026-11-25 07:30")
    assert free[-1].start == at("2027-01-22 16:30")  # sixty days ahead
    soon = replace(DEPOT, lead=Span(2, "hour"))
    assert free_slots(soon, CENTRE, {}, MONDAY, CALENDAR, MONDAY.date(), 1)[0].start == at("2026-11-23 11:10")
    assert free_slots(DEPOT, CENTRE, {}, MONDAY, CALENDAR, date(2027, 6, 1), 5) == ()


def test_full_slots_and_full_days_are_left_out() -> None:
    first, second = at("2026-11-25 07:30"), at("2026-11-25 07:50")
    taken = {first: frozenset({1})}
    assert free_slots(DEPOT, CENTRE, taken, MONDAY, CALENDAR, MONDAY.date(), 1)[0].start == second
    daily = replace(DEPOT, quota=1)
    assert free_slots(daily, CENTRE, taken, MONDAY, CALENDAR, MONDAY.date(), 1)[0].start == at("2026-11-27 07:30")
    pair, wide = replace(DEPOT, desks=3), replace(CENTRE, desks=2)
    slot = free_slots(pair, wide, taken, MONDAY, CALENDAR, MONDAY.date(), 1)[0]
    assert (slot.start, slot.left, slot.minutes) == (first, 1, 20)


@pytest.mark.parametrize(("asked", "there", "desks"), [(None, 6, 1), (3, 6, 3), (3, 2, 2)])
def test_desks(asked: int | None, there: int, desks: int) -> None:
    assert capacity_of(replace(DEPOT, desks=asked), replace(CENTRE, desks=there)) == desks


def test_the_first_free_seat_is_given() -> None:
    start, pair = at("2026-12-02 08:30"), replace(DEPOT, desks=3)
    wide = replace(CENTRE, desks=3)
    assert seat_for(pair, wide, start, {start: frozenset({1, 3})}) == 2
    assert seat_for(pair, wide, start, {start: frozenset({1, 2, 3})}) is None


@pytest.mark.parametrize(
    ("office", "day", "code", "why"),
    [
        ("centre", "2026-11-23", "too_early", None),
        ("centre", "2026-11-24", "slot_closed", "weekday"),
        ("centre", "2026-11-25", None, None),
        ("centre", "2026-12-25", "slot_closed", "holiday"),
        ("port", "2026-12-02", "slot_closed", "closure"),
        ("centre", "2027-02-01", "slot_closed", "horizon"),
    ],
)
def test_why_a_day_is_closed(office: str, day: str, code: str | None, why: str | None) -> None:
    found = why_closed(DEPOT, DIRECTORY.offices[office], date.fromisoformat(day), MONDAY, CALENDAR)
    assert (found.code if found else None) == code
    assert (found.facts.get("why") if found else None) == why


@given(some.integers(1, 500), some.integers(0, 3), some.dates(date(2026, 11, 23), date(2027, 3, 1)))
def test_slots_never_overlap_nor_leave_opening_hours(minutes: int, days: int, day: date) -> None:
    visit = replace(DEPOT, lasts=Span(minutes, "minute"), lead=Span(days, "day"), weekdays=())
    length = timedelta(minutes=minutes)
    free = free_slots(visit, CENTRE, {}, MONDAY, CALENDAR, day, 100)
    for before, after in itertools.pairwise(free):
        assert before.start + length <= after.start
    for slot in free:
        ends = local(slot.start + length)
        assert any(
            opened.start <= local(slot.start).hour * 60 + local(slot.start).minute
            and ends.hour * 60 + ends.minute <= opened.end
            for opened in CENTRE.hours[local(slot.start).weekday()]
        )


# -- booking -----------------------------------------------------------------------------------------------------------


def test_a_slot_is_taken() -> None:
    decision = booked()
    booking = decision.dossier.bookings["depot"]
    assert (booking.start, booking.seat, booking.minutes, booking.sequence) == (at("2026-12-02 08:30"), 1, 20, 0)
    assert decision.events == ("booked:depot",)
    assert [(one.name, one.due_at) for one in decision.timers] == [
        ("visit:depot:0", at("2026-12-02 23:59:59")),
        ("reminder:depot:0:0", at("2026-11-29 08:00")),
        ("reminder:depot:0:1", at("2026-12-01 08:00")),
    ]
    assert decision.entries[0].body["start"] == "2026-12-02T08:30+00:00"


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ("2026-11-23 09:10", "too_early"),
        ("2026-11-24 08:30", "slot_closed"),  # a Tuesday
        ("2026-12-02 08:31", "slot_closed"),  # no slot begins then
        ("2026-12-02 12:30", "slot_closed"),
        ("2026-12-25 08:30", "slot_closed"),
        ("2027-03-01 08:30", "slot_closed"),
        ("2020-01-01 08:30", "too_early"),
    ],
)
def test_times_that_cannot_be_taken(start: str, code: str) -> None:
    assert refused(lambda: booked(start=start)).code == code


def test_a_full_slot_names_the_three_nearest() -> None:
    start = at("2026-12-02 08:30")
    reason = refused(lambda: booked(taken={start: frozenset({1}), at("2026-12-02 08:10"): frozenset({1})}))
    assert reason.code == "slot_full"
    assert reason.facts["nearest"] == ("2026-12-02T07:50+00:00", "2026-12-02T08:50+00:00", "2026-12-02T09:10+00:00")


def test_a_day_s_quota_closes_its_other_slots() -> None:
    daily = replace(PASSPORT, tasks={**PASSPORT.tasks, "depot": replace(DEPOT, quota=2)})
    taken = {at("2026-12-02 07:30"): frozenset({1}), at("2026-12-02 16:30"): frozenset({1})}
    assert refused(lambda: booked(procedure=daily, taken=taken)).code == "slot_full"
    assert booked(procedure=daily, taken={at("2026-12-04 07:30"): frozenset({1})}).dossier.bookings["depot"]


def test_who_books() -> None:
    assert refused(lambda: booked(who=STRANGER)).code == "role"
    assert refused(lambda: booked(who=CHECKER)).code == "role"
    assert booked(who=CLERK).dossier.bookings["depot"].status == "booked"


def test_only_when_the_circuit_waits_for_it() -> None:
    early = submit(PASSPORT, draft(PASSPORT), OWNER, MONDAY, DIRECTORY, WORDS).dossier
    assert refused(lambda: booked(early)).code == "not_now"
    assert refused(lambda: booked(draft(PASSPORT))).code == "not_now"


def test_no_slot_is_given_after_a_step_that_ends_without_the_visit() -> None:
    """In a step that waits for more than the visit, a booking does not stop the time: the visit was void, yet confirmed."""
    step, calendar = PASSPORT.state(READY.state), DIRECTORY.calendar
    gathering = replace(PASSPORT, states={**PASSPORT.states, step.id: replace(step, mode="gather")})

    def given(procedure: Procedure, dossier: Dossier) -> Appointment:
        return within_step(Moment(procedure, OWNER, MONDAY, DIRECTORY, WORDS), dossier, DEPOT)

    due = replace(READY, due_at=at("2026-12-01 23:59"))
    assert given(PASSPORT, due) is DEPOT, "the time is paused while a slot is booked"
    assert last_day(given(gathering, due), MONDAY, calendar) == date(2026, 12, 1)
    assert refused(lambda: booked(due, procedure=gathering)).facts["why"] == "horizon"
    assert given(gathering, replace(READY, due_at=at("2027-12-01 23:59"))) is DEPOT
    moved = Booking("b0", "depot", "centre", at("2026-11-30 08:30"), 10, 1, status="cancelled", moves=DEPOT.moves)
    assert last_day(given(PASSPORT, replace(due, bookings={"depot": moved})), MONDAY, calendar) == date(2026, 12, 1), (
        "without changes left a booking pauses nothing"
    )


def test_only_at_the_office_of_the_visit() -> None:
    assert refused(lambda: booked(office="port", start="2026-12-09 08:30")).code == "slot_closed"
    moment = Moment(PASSPORT, OWNER, MONDAY, DIRECTORY, WORDS)

    def places(visit: Appointment, dossier: Dossier) -> list[str]:
        return [one.id for one in offices_for(PASSPORT, visit, dossier, moment)]

    assert places(DEPOT, READY) == ["centre"]
    assert places(DEPOT, replace(READY, office=None)) == ["centre", "port"]
    assert places(replace(DEPOT, office=constant_text("port")), READY) == ["port"]
    assert places(replace(DEPOT, office=constant_text("nowhere")), READY) == ["centre", "port"]


def test_a_visit_moves_twice_and_until_the_day_before() -> None:
    dossier = booked().dossier
    own_seat = {at("2026-12-02 08:30"): frozenset({1})}
    moved = booked(dossier, "2026-12-04 08:30", name="b2", taken=own_seat)
    assert moved.releases == ("b1",)
    assert moved.events == ("moved:depot",)
    assert (moved.dossier.bookings["depot"].moves, moved.dossier.bookings["depot"].sequence) == (1, 1)
    again = booked(moved.dossier, "2026-12-07 08:30", name="b3").dossier
    assert refused(lambda: booked(again, "2026-12-09 08:30", name="b4")).code == "too_many_moves"
    the_day = at("2026-12-02 07:00")
    assert refused(lambda: booked(dossier, "2026-12-09 08:30", now=the_day)).code == "too_late_to_move"
    the_eve = at("2026-12-01 20:00")
    assert booked(dossier, "2026-12-09 08:30", now=the_eve).dossier.bookings["depot"].moves == 1


def test_one_s_own_seat_is_free_for_oneself() -> None:
    start = at("2026-12-02 08:30")
    dossier = booked().dossier
    assert booked(dossier, name="b2", taken={start: frozenset({1})}).dossier.bookings["depot"].id == "b2"


def test_moving_does_not_restart_the_pause() -> None:
    dossier = booked().dossier
    later = MONDAY + timedelta(days=3)
    moved = booked(dossier, "2026-12-09 08:30", now=later, name="b2").dossier
    assert moved.due_paused_at == MONDAY


def test_giving_a_slot_back() -> None:
    dossier = booked().dossier
    where = (MONDAY, DIRECTORY, WORDS)
    decision = release(PASSPORT, dossier, "depot", OWNER, *where)
    assert decision.releases == ("b1",)
    assert decision.dossier.bookings["depot"].status == "cancelled"
    assert refused(lambda: release(PASSPORT, decision.dossier, "depot", OWNER, *where)).code == "not_booked"
    assert refused(lambda: release(PASSPORT, dossier, "depot", STRANGER, *where)).code == "role"
    begun = at("2026-12-02 08:30")
    assert (
        refused(lambda: release(PASSPORT, dossier, "depot", OWNER, begun, DIRECTORY, WORDS)).code == "too_late_to_move"
    )
    the_day, eve = at("2026-12-02 07:00"), at("2026-12-01 20:00")
    near = refused(lambda: release(PASSPORT, dossier, "depot", OWNER, the_day, DIRECTORY, WORDS))
    assert (near.code, near.facts["until"]) == ("too_late_to_move", "1 day")
    for who, when in ((CLERK, the_day), (OWNER, eve)):
        given = release(PASSPORT, dossier, "depot", who, when, DIRECTORY, WORDS).dossier
        assert given.bookings["depot"].status == "cancelled"
    again = booked(decision.dossier, name="b2").dossier.bookings["depot"]
    assert (again.moves, again.sequence) == (1, 2)  # the calendar entry of before is replaced


def test_giving_back_and_taking_again_gains_no_time() -> None:
    dossier = booked().dossier
    for name in ("b2", "b3"):
        given = release(PASSPORT, dossier, "depot", OWNER, MONDAY, DIRECTORY, WORDS).dossier
        dossier = booked(given, name=name).dossier
        assert dossier.due_paused_at == MONDAY
    assert refused(lambda: booked(dossier, "2026-12-09 08:30", name="b4")).code == "too_many_moves"
    given = release(PASSPORT, dossier, "depot", OWNER, MONDAY, DIRECTORY, WORDS).dossier
    last = booked(given, name="b4")  # nobody is stranded, but the time runs on
    assert (last.dossier.bookings["depot"].status, last.dossier.due_paused_at) == ("booked", None)
    assert last.dossier.due_at == READY.due_at
    assert "due" in {one.name for one in last.timers}
    assert refused(lambda: booked(last.dossier, "2026-12-09 08:30", name="b5")).code == "too_many_moves"


def test_arriving_is_noted_once() -> None:
    dossier = booked().dossier
    eve = at("2026-12-01 23:59")
    assert refused(lambda: arrived(PASSPORT, dossier, "depot", CLERK, eve, DIRECTORY, WORDS)).code == "visit_ahead"
    came = arrived(PASSPORT, dossier, "depot", CLERK, at("2026-12-02 08:20"), DIRECTORY, WORDS).dossier
    again = arrived(PASSPORT, came, "depot", CLERK, at("2026-12-02 08:40"), DIRECTORY, WORDS).dossier
    assert again.bookings["depot"].arrived_at == at("2026-12-02 08:20")
    assert refused(lambda: arrived(PASSPORT, dossier, "depot", OWNER, MONDAY, DIRECTORY, WORDS)).code == "role"


def test_seats_are_counted_over_all_editions() -> None:
    assert resource_key(PASSPORT, "depot") == "essai/depot"


def test_thirty_come_to_one_session() -> None:
    exam: Appointment = replace(DEPOT, desks=30, lasts=Span(3, "hour"), hours=(Hours(450, 720),))
    procedure = book(
        tuple(PASSPORT.states.values()), PASSPORT.transitions, (FRAIS, exam, FABRICATION),
        outputs=tuple(PASSPORT.outputs.values()),
    )  # fmt: skip
    hall = directory(desks=30)
    dossier, start = waiting(procedure), at("2026-12-02 07:30")
    full = {start: frozenset(range(1, 31))}
    last = {start: frozenset(range(1, 30))}
    text = "2026-12-02 07:30"
    assert booked(dossier, text, procedure=procedure, offices=hall, taken=last).dossier.bookings["depot"].seat == 30
    assert refused(lambda: booked(dossier, text, procedure=procedure, offices=hall, taken=full)).code == "slot_full"
