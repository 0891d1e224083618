"""The capacity of offices by day and kind of appointment, for administrators.

New places are announced to the waiting list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Text
from engine.domain.appointments.appointments import capacity_of, first_bookable, last_day, resource_key
from engine.domain.appointments.opening_changes import DayCapacity, by_day, days_of, places
from engine.domain.common.working_time import at_minute
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Appointment, Procedure, directory
from engine.records.administration import OpeningChange
from engine.services.context.app_context import AppContext, pinned
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.waiting_list import NOTIFIED_AT_ONCE, notify_waiting
from engine.storage.unit_of_work import Unit

DAYS: Final = 14
MOST_REPORTED: Final = 50  # by one opening, in one office, for one kind of appointment


@dataclass(frozen=True, slots=True)
class DayPlaces:
    """One day of an office.

    `because`: the holiday or closure of that day. `partly`: it covers only some hours.
    """

    day: date
    places: DayCapacity
    because: Text | None = None
    holiday: bool = False
    partly: bool = False


@dataclass(frozen=True, slots=True)
class KindPlaces:
    """The coming days of one kind of appointment. `at_once`: persons received at the same time, as of today."""

    procedure: Text
    appointment: Text
    at_once: int  # persons received at the same time, as of today
    days: tuple[DayPlaces, ...]


def places_of(ctx: AppContext, office_id: str, days: int = DAYS) -> tuple[KindPlaces, ...]:
    """Return each kind of appointment that an office receives, day by day from today."""
    with ctx.store.unit() as unit:
        ctx.directories.look(unit)
        found, there = [], ctx.directory.offices[office_id]
        for procedure, task in _kinds(ctx, unit, office_id):
            first = ctx.day()
            each = (first + timedelta(days=n) for n in range(days))
            counted = _counted(ctx, unit, ctx.directory, procedure, task, office_id, tuple(each))
            rows = tuple(_day_places(ctx, office_id, day, found) for day, found in counted.items())
            found.append(KindPlaces(procedure.identity.title, task.label, capacity_of(task, there, first), rows))
    return tuple(found)


def _day_places(ctx: AppContext, office_id: str, day: date, counted: DayCapacity) -> DayPlaces:
    there, holidays = ctx.directory.offices[office_id], ctx.directory.calendar.holidays
    whole, part = there.closure_on(day), there.closed_in_part(day)
    closure = whole or part
    if day in holidays and whole is None:
        return DayPlaces(day, counted, holidays[day], holiday=True)
    return DayPlaces(day, counted, closure.because if closure else None, partly=whole is None and part is not None)


def _counted(
    ctx: AppContext, unit: Unit, reported: directory.Directory, procedure: Procedure, task: Appointment, office_id: str,
    days: tuple[date, ...],
) -> Mapping[date, DayCapacity]:  # fmt: skip
    """Return the places of these days under a directory."""
    usual, now = ctx.catalogue.directory, ctx.now()
    from_, until = at_minute(days[0], 0), at_minute(days[-1], 1440)
    taken = by_day(unit.seats_taken(resource_key(procedure, task.id), office_id, from_, until))
    return {
        day: places(
            task, reported.offices[office_id], usual.offices[office_id], taken.get(day, {}), day, now, reported.calendar,
            usual.calendar,
        )
        for day in days
    }  # fmt: skip


def _kinds(ctx: AppContext, unit: Unit, office_id: str) -> Iterator[tuple[Procedure, Appointment]]:
    """Yield the appointments of the agency's procedures, and any other kind booked at this office."""
    reported = set[str]()
    for procedure, task in visits_of(ctx, ctx.directory.offices[office_id].agency):
        reported.add(resource_key(procedure, task.id))
        yield procedure, task
    from_ = at_minute(ctx.day(), 0)
    for dossier_id, resource, booking in unit.bookings_on([office_id], from_, from_ + timedelta(days=DAYS)):
        dossier = unit.dossier(dossier_id) if resource not in reported else None
        if dossier is None:
            continue
        reported.add(resource)
        try:
            procedure = pinned(ctx, unit, dossier)
        except EditionMissing:  # the other kinds are still shown
            continue
        other = procedure.tasks.get(booking.appointment)
        if isinstance(other, Appointment):
            yield procedure, other


def visits_of(ctx: AppContext, agency: str) -> tuple[tuple[Procedure, Appointment], ...]:
    """Return the appointments in the procedures of one agency, worked out once for a catalogue."""
    return ctx.editions.worked_out(ctx.catalogue, ("visits", agency), lambda all_: _visits(all_, agency))


def _visits(catalogue: Catalogue, agency: str) -> tuple[tuple[Procedure, Appointment], ...]:
    """Return the appointments in the procedures of one agency. No other procedure is loaded."""
    names = [summary.id for summary in catalogue.summaries() if summary.agency == agency]
    procedures = (procedure for name in names if (procedure := catalogue.procedures.get(name)) is not None)
    return tuple((procedure, task) for procedure in procedures for task in procedure.appointments())


# -- waiting list ------------------------------------------------------------------------------------------------------


def serve_waiting(ctx: AppContext, unit: Unit, change: OpeningChange, before: directory.Directory) -> int:
    """Notify the waiting list of places that a change opened or that its withdrawal restored.

    It notifies `NOTIFIED_AT_ONCE` persons per place, as for a freed seat. `ctx` holds the new directory,
    `before` the former one. Return how many were notified.
    """
    offices = [change.office] if change.office else sorted(ctx.directory.offices)
    reported = 0
    for office_id in offices:
        for procedure, task in _kinds(ctx, unit, office_id):
            resource = resource_key(procedure, task.id)
            if not unit.waiting_for(resource, office_id, 1):
                continue
            won = _won(ctx, unit, change, before, procedure, task, office_id)
            most = min(won * NOTIFIED_AT_ONCE, MOST_REPORTED)
            reported += notify_waiting(ctx, unit, resource, office_id, change.id, most)
    return reported


def _won(
    ctx: AppContext, unit: Unit, change: OpeningChange, before: directory.Directory, procedure: Procedure, task: Appointment,
    office_id: str,
) -> int:  # fmt: skip
    """Return how many more places can be booked."""
    now, calendar = ctx.now(), ctx.directory.calendar
    first, last = local_day(first_bookable(task, now, calendar)), last_day(task, now, calendar)
    days = tuple(day for day in days_of(change) if first <= day <= last)
    if not days:
        return 0
    then, was = (
        _counted(ctx, unit, reported, procedure, task, office_id, days) for reported in (ctx.directory, before)
    )  # fmt: skip
    return sum(max(0, then[day].free - was[day].free) for day in days)
