"""Bookings of appointments: free slots, booking, moves, cancellations, attendance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, TypeAlias

from engine.core.clock import local_day
from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import new_id
from engine.domain.appointments.appointments import (
    Slot,
    bookable,
    by_service,
    first_bookable,
    free_slots,
    last_day,
    offices_for,
    place,
    release,
    resource_key,
    seats_of_day,
    why_closed,
    why_kept,
    within_step,
)
from engine.domain.appointments.walk_ins import arrived
from engine.domain.common.decision import Decision
from engine.domain.common.working_time import at_minute, minutes_of
from engine.domain.fields.scope import EvaluatedAnswers
from engine.domain.messages.preferences import wishes_of
from engine.domain.workflow.actions import no_show, task_done
from engine.domain.workflow.due_dates import has_reminder_ahead
from engine.domain.workflow.transition_context import Moment
from engine.model import Appointment, Output, Procedure, directory
from engine.records.dossier import Actor, Booking, Dossier, OriginalResult
from engine.records.exchanges import SeatHold
from engine.records.people import WITHOUT_PHONE
from engine.services.appointments.originals import put_originals
from engine.services.appointments.seat_cache import SeatsAhead
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.context.rate_limit import Limit, too_many
from engine.services.core.commit import carry_out
from engine.services.core.idempotency import DOSSIER, once
from engine.services.core.outbound_messages import add_message, checked_text
from engine.services.limits.file_counts import has_telephone, is_accepted_company
from engine.storage.results import AlreadyExists
from engine.storage.unit_of_work import Unit

What: TypeAlias = Literal["arrived", "attended", "missed"]
MOST_SLOTS: Final = 100
BOOKED_A_DAY: Final = 10  # bookings of one dossier by its applicant: each sends an SMS, as each cancellation does
BOOKED_PER_ADDRESS: Final = 20  # an hour, by accounts without a telephone behind one address
SEATS_AHEAD: Final = 10  # of one appointment, by the dossiers of one person: one telephone could book an office out
FAMILY_SEATS_AHEAD: Final = 20  # by those of a person and their children: any number of children may be declared
SHARE_OF_DAY: Final = 4  # accounts without a telephone take one seat of so many of an office's day, together
LEAST_SHARE: Final = 2  # and so many of a small day
HELD_PER_ADDRESS: Final = 40  # an hour, by these accounts: a seat that is held is taken for everybody else
HELD: Final = timedelta(minutes=10)  # how long a seat is held while the applicant reads what they are about to confirm


@dataclass(frozen=True, slots=True)
class OfficeChoice:
    """An office where the appointment may take place, and its first free slot, None without one."""

    office: directory.Office
    first_free: Slot | None


@dataclass(frozen=True, slots=True)
class SlotDay:
    """One day of the list: its free slots, or the reason why there is none (`note`)."""

    day: date
    note: Refusal | None
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class SlotSheet:
    """What a booking page shows.

    `because`: why nothing can be booked now. `next_from` begins the next page, None on the last.
    """

    appointment: Appointment
    offices: tuple[OfficeChoice, ...]
    office_id: str | None
    days: tuple[SlotDay, ...]
    first_free: Slot | None
    next_from: date | None
    because: Refusal | None = None


# -- free slots --------------------------------------------------------------------------------------------------------


def slots(
    ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str, *, office_id: str | None = None,
    from_day: date | None = None, limit: int = 20, least_days: int = 1,
) -> SlotSheet:  # fmt: skip
    """Return the free slots of an appointment from a day on: whole days, `least_days` of them even above `limit`.

    The offices are those the procedure names, else that of the dossier; without either, all of the
    agency. Raises `NotFound`.
    """
    now = ctx.now()
    with ctx.store.unit() as unit:
        ctx.directories.look(unit)
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        moment = Moment(procedure, actor, now, ctx.directory, ctx.wording)
        appointment = within_step(moment, dossier, _appointment(procedure, appointment_id))
        places = offices_for(procedure, appointment, dossier, moment)
        taken = {one.id: SeatsAhead(unit, procedure, appointment, one.id, now, dossier.id) for one in places}
        choices = tuple(_choice(ctx, appointment, one, taken[one.id], now) for one in places)
        chosen = next((one for one in choices if one.office.id == office_id), choices[0] if choices else None)
        because = bookable(moment, dossier, appointment_id)
        if chosen is None:
            return SlotSheet(appointment, (), None, (), None, None, because or refusal("no_slot"))
        seats, limit = taken[chosen.office.id], min(max(limit, 1), MOST_SLOTS)
        start = max(from_day or local_day(now), local_day(first_bookable(appointment, now, ctx.directory.calendar)))
        free = free_slots(appointment, chosen.office, seats, now, ctx.directory.calendar, start, limit + 1)
        if len(free) > limit and len({local_day(slot.start) for slot in free}) <= least_days:
            longest = least_days * (24 * 60 // minutes_of(appointment.lasts))
            free = free_slots(appointment, chosen.office, seats, now, ctx.directory.calendar, start, longest + 1)
    shown = _whole_days(free, limit, least_days)
    following = local_day(free[len(shown)].start) if len(free) > len(shown) else None
    days = _days(ctx, appointment, chosen.office, shown, start, now)
    return SlotSheet(appointment, choices, chosen.office.id, days, chosen.first_free, following, because)


def _appointment(procedure: Procedure, appointment_id: str) -> Appointment:
    task = procedure.tasks.get(appointment_id)
    if not isinstance(task, Appointment):
        raise NotFound
    return task


def _choice(
    ctx: AppContext, appointment: Appointment, there: directory.Office, taken: SeatsAhead, now: datetime
) -> OfficeChoice:
    first = free_slots(appointment, there, taken, now, ctx.directory.calendar, local_day(now), 1)
    return OfficeChoice(there, first[0] if first else None)


def _whole_days(free: tuple[Slot, ...], limit: int, least_days: int) -> tuple[Slot, ...]:
    """Return the slots of the whole days that fit on the page, at least of the first days.

    The next page then always begins on another day.
    """
    if len(free) <= limit:
        return free
    days = list(dict.fromkeys(local_day(slot.start) for slot in free))
    shown = {one for one in days if one < local_day(free[limit].start)} | set(days[:least_days])
    return tuple(slot for slot in free if local_day(slot.start) in shown)


def _days(
    ctx: AppContext,
    appointment: Appointment,
    there: directory.Office,
    shown: tuple[Slot, ...],
    start: date,
    now: datetime,
) -> tuple[SlotDay, ...]:
    """Return the days with free slots and the holidays and closures between them.

    Without a free slot, all days up to the last bookable one.
    """
    calendar = ctx.directory.calendar
    until = last_day(appointment, now, calendar)
    until = min(local_day(shown[-1].start), until) if shown else until
    found: list[SlotDay] = []
    day = start
    while day <= until:
        mine = tuple(slot for slot in shown if local_day(slot.start) == day)
        note = None if mine else why_closed(appointment, there, day, now, calendar)
        if mine or (note is not None and note.facts.get("why") in ("holiday", "closure")):
            found.append(SlotDay(day, note, mine))
        day += timedelta(days=1)
    return tuple(found)


# -- booking and cancelling --------------------------------------------------------------------------------------------


def book_slot(
    ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str, office_id: str, start: datetime, *,
    revision: int | None = None, token: str | None = None, client: str = "",
) -> Dossier:  # fmt: skip
    """Book a seat, or move the booking to it: the old seat becomes free once the new one is taken.

    `client` is the address of the applicant's network. The seat is searched inside the writing unit, which holds the openings. A concurrent closure waits
    and then sees the seat taken. Raises `NotFound`, `Conflict`. Raises Refused: slot_full (nearest),
    slot_closed, too_early, too_many_moves, seats_many, seats_shared, too_many_tries…
    """

    def work(unit: Unit) -> Dossier:
        ctx.directories.look(unit, "share")
        now = ctx.now()
        dossier = seen(unit, ctx, actor, dossier_id, revision)
        procedure = pinned(ctx, unit, dossier)
        appointment = _appointment(procedure, appointment_id)
        moment = Moment(procedure, actor, now, ctx.directory, ctx.wording)
        if office_id not in {one.id for one in offices_for(procedure, appointment, dossier, moment)}:
            raise Refused(refusal("slot_closed", why="office", office=office_id))
        decision = _placed(ctx, unit, moment, dossier, appointment, office_id, start)
        _check_share(unit, moment, dossier, appointment_id)
        _check_day(unit, moment, dossier, appointment, office_id, start)
        limits = _limits(unit, actor, dossier, appointment_id, client)
        if (closed := too_many(unit, now, *limits)) is not None:
            raise Refused(closed)
        return carry_out(ctx, unit, dossier, decision, actor)

    arguments = (dossier_id, appointment_id, office_id, start, revision)
    return once(ctx, actor, "book_slot", token, arguments, work, DOSSIER)


def _check_share(unit: Unit, moment: Moment, dossier: Dossier, appointment: str) -> None:
    """Check that the other dossiers of the applicant, and of their children, leave seats to others.

    A booking may always be moved. An agent at a counter and an accepted company are not limited. Raises
    Refused("seats_many", maximum).
    """
    booking, account = dossier.bookings.get(appointment), unit.account(dossier.owner)
    if moment.actor.kind != "applicant" or (booking is not None and booking.status == "booked"):
        return
    if is_accepted_company(account):
        return
    resource, now, own = resource_key(moment.procedure, appointment), moment.now, dossier.owner
    seats = unit.seats_ahead(own, resource, now, dossier.id, moment.actor.id)
    for taken, most in zip(seats, (SEATS_AHEAD, FAMILY_SEATS_AHEAD), strict=True):
        if taken >= most:
            raise Refused(refusal("seats_many", maximum=most))


def _check_day(
    unit: Unit, moment: Moment, dossier: Dossier, appointment: Appointment, office_id: str, start: datetime
) -> None:
    """Check that accounts without a telephone leave most seats of a day to others, by a move too.

    They cost nothing, and have any number of addresses. Raises Refused("seats_shared").
    """
    account = unit.account(dossier.owner)
    if moment.actor.kind != "applicant" or account is None or has_telephone(account) or _is_declared(unit, account.id):
        return
    if is_accepted_company(account) or account.login.startswith(WITHOUT_PHONE):
        return
    day, office = local_day(start), moment.directory.offices[office_id]
    share = max(LEAST_SHARE, seats_of_day(appointment, office, day, moment.directory.calendar) // SHARE_OF_DAY)
    span = at_minute(day, 0), at_minute(day, 1440)
    resource = resource_key(moment.procedure, appointment.id)
    if unit.seats_without_telephone(resource, office_id, *span, moment.now, dossier.id) >= share:
        raise Refused(refusal("seats_shared", maximum=share))


def _is_declared(unit: Unit, account_id: str) -> bool:
    """Return whether a person with a telephone declared this one, as a child is. A mandate that was given proves nothing."""
    holders = (unit.account(one.holder) for one in unit.mandates_given(account_id) if one.made_by == one.holder)
    return any(one is not None and has_telephone(one) for one in holders)


def _limits(unit: Unit, actor: Actor, dossier: Dossier, appointment: str, client: str) -> tuple[Limit, ...]:
    """Return the limits on bookings by applicants, and on moves by agents, which use no move of the applicant.

    An account without a telephone costs nothing, so those of one address share a limit: they could take all the seats
    of an office before a fee is due.
    """
    own, booking = Limit(f"booked:{dossier.id}", BOOKED_A_DAY, timedelta(days=1)), dossier.bookings.get(appointment)
    if actor.kind != "applicant":
        moved = by_service(dossier, actor) and booking is not None and booking.status == "booked"
        return (own._replace(key=f"moved:{dossier.id}"),) if moved else ()
    if booking is not None and (booking.status == "booked" or booking.lost):  # moved, or replaced: its seat was counted
        return (own,)
    return own, *_of_address(unit, dossier, client, "booked", BOOKED_PER_ADDRESS)


def _of_address(unit: Unit, dossier: Dossier, client: str, what: str, most: int) -> tuple[Limit, ...]:
    """Return the limit that accounts without a telephone behind one address share, none for the others.

    A person who acts by telephone for a child or a company has this limit alone, which others at the address leave whole.
    """
    account = unit.account(dossier.owner)
    if not client or account is None or has_telephone(account):
        return ()
    return (Limit(f"{what}@{dossier.contact_phone or client}", most, timedelta(hours=1)),)


def _placed(
    ctx: AppContext, unit: Unit, moment: Moment, dossier: Dossier, appointment: Appointment, office_id: str, start: datetime
) -> Decision:  # fmt: skip
    """Return the decision to take a seat, checked against the seats taken in this unit."""
    procedure, now = moment.procedure, moment.now
    taken = SeatsAhead(unit, procedure, appointment, office_id, now, dossier.id, alone=True)
    return place(
        procedure, dossier, appointment.id, office_id, start, taken, moment.actor, now, ctx.directory, ctx.wording,
        booking_id=new_id(),
    )  # fmt: skip


def hold_slot(
    ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str, office_id: str, start: datetime, *,
    client: str = "",
) -> datetime | None:  # fmt: skip
    """Hold a seat until the applicant confirms it. `client` as in `book_slot`.

    Return the end of the hold, None when the address holds too many: the seat can still be booked. The
    dossier does not change. Raises as `book_slot`.
    """
    with ctx.store.unit(write=True) as unit:
        ctx.directories.look(unit)
        now = ctx.now()
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        appointment = _appointment(procedure, appointment_id)
        moment = Moment(procedure, actor, now, ctx.directory, ctx.wording)
        decision = _placed(ctx, unit, moment, dossier, appointment, office_id, start)
        _check_share(unit, moment, dossier, appointment_id)
        _check_day(unit, moment, dossier, appointment, office_id, start)
        if actor.kind == "applicant" and too_many(
            unit, now, *_of_address(unit, dossier, client, "held", HELD_PER_ADDRESS)
        ):
            return None
        seat, until = decision.dossier.bookings[appointment_id].seat, now + HELD
        resource = resource_key(procedure, appointment_id)
        try:
            unit.hold_seat(SeatHold(resource, office_id, start, seat, dossier.id, appointment_id, until), now)
        except AlreadyExists:  # held at this moment by another dossier
            at = start.isoformat(timespec="minutes")
            raise Refused(refusal("slot_full", nearest=(), start=at, office=office_id)) from None
    return until


def held_until(ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str, start: datetime) -> datetime | None:
    """Return until when this slot is held for the dossier, None if it is not. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        hold = unit.hold_of(seen(unit, ctx, actor, dossier_id).id, appointment_id)
    return hold.until if hold is not None and hold.start == start and hold.until > ctx.now() else None


def refusal_to_cancel(ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str) -> Refusal | None:
    """Return why the actor cannot cancel a booking now. None when they can. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        moment = Moment(pinned(ctx, unit, dossier), actor, ctx.now(), ctx.directory, ctx.wording)
    return why_kept(moment, dossier, appointment_id)


def cancel_booking(
    ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str, *, reason: str = "", revision: int | None = None,
    token: str | None = None,
) -> Dossier:  # fmt: skip
    """Cancel a booking, which frees its seat. An agent gives a `reason`, which the applicant reads as a message.

    Raises `NotFound`, `Conflict`, Refused: not_booked, role, too_late_to_move, message_empty, message_long…
    """

    def work(unit: Unit) -> Dossier:
        ctx.directories.look(unit)
        dossier = seen(unit, ctx, actor, dossier_id, revision)
        procedure = pinned(ctx, unit, dossier)
        decision = release(
            procedure, dossier, appointment_id, actor, ctx.now(), ctx.directory, ctx.wording
        )  # fmt: skip
        after = carry_out(ctx, unit, dossier, decision, actor)
        if by_service(dossier, actor):
            add_message(ctx, unit, after, actor, "agent", checked_text(reason))
        return after

    return once(ctx, actor, "cancel_booking", token, (dossier_id, appointment_id, reason), work, DOSSIER)


# -- at the office ------------------------------------------------------------------------------------------------------


def is_reminded(ctx: AppContext, dossier: Dossier, visit: Appointment, booking: Booking) -> bool:
    """Return True when an SMS about a booked appointment is still to come, which its applicant wants."""
    if not dossier.contact_phone or not has_reminder_ahead(visit, booking, ctx.now(), ctx.directory.calendar):
        return False
    with ctx.store.unit() as unit:
        return wishes_of(unit.account(dossier.owner)).reminders


def forms_to_bring(procedure: Procedure, evaluated: EvaluatedAnswers) -> tuple[Output, ...]:
    """Return the forms that the applicant prints and brings, drawn from these answers."""
    return tuple(one for one in procedure.outputs.values() if one.kind == "form" and one.when.holds(evaluated.scope))


def mark(
    ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str, what: What, *,
    originals: Mapping[str, OriginalResult] | None = None, revision: int | None = None, token: str | None = None,
) -> Dossier:  # fmt: skip
    """Record that the applicant arrived, that the appointment took place, or that it was missed.

    `originals`: what the agent found of the papers that the applicant brought, noted first. Raises `NotFound`,
    `Conflict`, Refused.
    """
    rules: dict[str, Callable[..., Decision]] = {"arrived": arrived, "attended": task_done, "missed": no_show}
    rule = rules.get(what)
    if rule is None:
        raise Refused(refusal("unknown_act", act=str(what)[:40]))

    def work(unit: Unit) -> Dossier:
        dossier = seen(unit, ctx, actor, dossier_id, revision)
        procedure = pinned(ctx, unit, dossier)
        if originals:
            dossier = put_originals(ctx, unit, dossier, actor, originals)
        decision = rule(procedure, dossier, appointment_id, actor, ctx.now(), ctx.directory, ctx.wording)
        return carry_out(ctx, unit, dossier, decision, actor)

    arguments = (dossier_id, appointment_id, *([originals, revision] if originals else []))
    return once(ctx, actor, f"mark:{what}", token, arguments, work, DOSSIER)
