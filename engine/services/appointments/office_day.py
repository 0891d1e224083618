"""The appointments of a day in the offices of an agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from engine.core.clock import local, local_day
from engine.core.values import Text
from engine.domain.appointments.appointments import capacity_of, resource_key, seats_of_day, slot_starts
from engine.domain.common.access import holds, in_their_offices, may_see
from engine.domain.common.working_time import at_minute
from engine.domain.documents.originals import originals_to_see
from engine.domain.fields.scope import evaluate_answers
from engine.model import Appointment, Procedure
from engine.model.roles import roles_of
from engine.records.dossier import Actor, Booking, Dossier
from engine.services.appointments.bookings import forms_to_bring
from engine.services.appointments.capacity import visits_of
from engine.services.context.app_context import AppContext, pinned
from engine.services.context.edition_cache import EditionMissing
from engine.storage.unit_of_work import Unit

MOST_OFFICES: Final = 5  # of which a week is summed


@dataclass(frozen=True, slots=True)
class DayLine:
    """One appointment of an office day, ordered by time.

    `to_bring`: labels of the forms and papers to bring. `to_see`: how many of the papers no agent
    saw yet, None without any. No `appointment` where the edition of the
    dossier is unreadable: the applicant still comes.
    """

    dossier: Dossier
    booking: Booking
    appointment: Appointment | None
    procedure_title: Text
    to_bring: tuple[Text, ...] = ()
    to_see: int | None = None


def day(ctx: AppContext, actor: Actor, day: date, office_id: str | None = None) -> tuple[DayLine, ...]:
    """Return the appointments of a day in the offices of this agent.

    Only procedures in which they have a part are included. Empty for other actors.
    """
    offices, from_ = _offices(ctx, actor, office_id), at_minute(day, 0)
    if not offices:
        return ()
    with ctx.store.unit() as unit:
        booked = unit.bookings_on(sorted(offices), from_, from_ + timedelta(days=1))
        lines = [_day_line(ctx, unit, actor, dossier_id, booking) for dossier_id, _, booking in booked]
    return tuple(line for line in lines if line is not None)


def _offices(ctx: AppContext, actor: Actor, office_id: str | None) -> frozenset[str]:
    """Return the chosen office or all of this agent, those alone that the directory holds. None for other actors."""
    known = frozenset(ctx.directory.offices)
    offices = (actor.offices & known) if actor.offices else known
    chosen = offices if office_id is None else offices & {office_id}
    return chosen if actor.kind == "agent" else frozenset()


def seats_of_week(
    ctx: AppContext, actor: Actor, day: date, office_id: str | None = None
) -> Mapping[date, tuple[int, int]]:  # fmt: skip
    """Return how many seats are taken and open on each day of a week, Monday first.

    They are of the procedures in which the agent has a part. Empty for many offices: a sum over them says little.
    """
    agencies = {role.partition("/")[0] for role in actor.roles}
    offices = [
        one for key in sorted(_offices(ctx, actor, office_id)) if (one := ctx.directory.offices[key]).agency in agencies
    ]
    if not 0 < len(offices) <= MOST_OFFICES:
        return {}
    days = [day + timedelta(days=n - day.weekday()) for n in range(7)]
    taken, places = Counter[date](), Counter[date]()
    with ctx.store.unit() as unit:
        ctx.directories.look(unit)
        for office in offices:
            for procedure, visit in visits_of(ctx, office.agency):
                if not holds(actor, roles_of(procedure)):
                    continue
                resource, span = resource_key(procedure, visit.id), (at_minute(days[0], 0), at_minute(days[-1], 1440))
                taken.update(local_day(one.start) for one in unit.visits_taken(resource, office.id, *span))
                for each in days:
                    places[each] += seats_of_day(visit, office, each, ctx.directory.calendar)
    return {each: (taken[each], places[each]) for each in days}


def occupancy(
    ctx: AppContext, procedure: Procedure, offices: Sequence[str], first: date, end: date
) -> Mapping[tuple[int, int], tuple[int, int]]:  # fmt: skip
    """Return the seats taken and open by weekday (0 is Monday) and local hour, from a day up to the day before another.

    `offices` are those that the reader may see, at most `MOST_OFFICES`: a sum over more says little, and is empty. Open
    seats are those of the opening hours of today and of the closed days of the period.
    """
    taken, places = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    days = [first + timedelta(days=n) for n in range((end - first).days)]
    known = [one for key in offices if (one := ctx.directory.offices[key]).agency == procedure.identity.agency]
    if not days or len(known) > MOST_OFFICES:
        return {}
    with ctx.store.unit() as unit:
        for office in known:
            for visit in procedure.appointments():
                span = (at_minute(first, 0), at_minute(end, 0))
                held = unit.visits_taken(resource_key(procedure, visit.id), office.id, *span)
                taken.update(_weekly_hour(one.start) for one in held)
                for day_ in days:
                    seats = capacity_of(visit, office, day_)
                    for start in slot_starts(visit, office, day_, ctx.directory.calendar):
                        places[_weekly_hour(start)] += seats
    return {each: (taken[each], places[each]) for each in sorted(taken | places)}


def _weekly_hour(at: datetime) -> tuple[int, int]:
    return local_day(at).weekday(), local(at).hour


def _day_line(ctx: AppContext, unit: Unit, actor: Actor, dossier_id: str, booking: Booking) -> DayLine | None:
    dossier = unit.dossier(dossier_id)
    if dossier is None:
        return None
    try:
        procedure = pinned(ctx, unit, dossier)
    except EditionMissing:  # the other appointments are still shown
        return _unread_line(ctx, actor, dossier, booking)
    appointment = procedure.tasks.get(booking.appointment)
    if not isinstance(appointment, Appointment) or not may_see(procedure, dossier, actor):
        return None
    evaluated = evaluate_answers(procedure, dossier, ctx.day(), ctx.directory)
    forms, papers = forms_to_bring(procedure, evaluated), originals_to_see(evaluated, dossier)
    left = sum(one.found is None or one.found.result != "seen" for one in papers)
    return DayLine(
        dossier, booking, appointment, procedure.identity.title,
        (*(form.title for form in forms), *(one.field.agents_label for one in papers)), left if papers else None,
    )  # fmt: skip


def _unread_line(ctx: AppContext, actor: Actor, dossier: Dossier, booking: Booking) -> DayLine | None:
    """Return the line of a dossier with an unreadable edition.

    None unless a readable edition gives the agent a part in the procedure.
    """
    mine = ctx.editions.having(ctx.catalogue, actor.roles)
    known = next((one for one in mine if one.id == dossier.procedure), None)
    if known is None or not in_their_offices(dossier, actor):
        return None
    return DayLine(dossier, booking, None, known.title)
