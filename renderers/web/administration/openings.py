"""Openings of offices for administrators: the next two weeks, the changes made, the holidays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, Response, abort, session

from engine.domain.appointments.opening_changes import hours_of, reason_of
from engine.domain.common.agent_rights import EVERYWHERE, administers, is_administrator
from engine.model import Hours
from engine.model.directory import Office as Place
from engine.records.administration import OpeningChange
from engine.records.dossier import Actor
from engine.services.appointments.capacity import DayPlaces, KindPlaces, places_of
from engine.services.appointments.opening_changes import (
    CALENDAR,
    changes_of,
    current_changes,
    managed_office,
    managed_offices,
)
from renderers.i18n.formats import weekday
from renderers.i18n.translations import first_capital
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.request_context import actor, app_ctx, language, moment_of, say, site
from renderers.web.shared.staff import people, staff_page

blueprint = Blueprint("openings", __name__)

HOME = "/agent/equipe/bureaux"
HOLIDAYS = "/agent/equipe/feries"
CHANGES = "/agent/equipe/changements"
_AHEAD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class OpeningChangeRow:
    """One change in words. `lift` is the address that revokes it, empty if it cannot be revoked."""

    what: str
    when: str
    reason: str
    by: str
    lift: str = ""
    lifted: str = ""


@dataclass(frozen=True, slots=True)
class OfficeCard:
    """One office in the list, with its usual hours."""

    href: str
    name: str
    hours: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day of an office: free, booked and closed places."""

    day: str
    free: int
    booked: int
    closed: int
    note: str


@dataclass(frozen=True, slots=True)
class KindTable:
    """The days of one kind of appointment. `at_once`: how many people are received at the same time."""

    procedure: str
    title: str
    at_once: str
    rows: tuple[DayRow, ...]


@dataclass(frozen=True, slots=True)
class HolidayLine:
    """One holiday and who added it."""

    day: date
    name: str
    by: str
    lift: str = ""


def administrator() -> Actor:
    """Return the actor, who manages the offices of an agency. Answers 403 to others."""
    if not is_administrator(actor()):
        abort(403)
    return actor()


@blueprint.get(HOME)
@agent()
def home() -> Response:
    """Show the offices that the administrator manages, and the current changes."""
    who = administrator()
    agencies: dict[str, list[OfficeCard]] = {}
    for there in managed_offices(app_ctx(), who):
        card = OfficeCard(f"{HOME}/{there.id}", label(there.label), tuple(usual_hours(there)))
        agencies.setdefault(agency_label(there), []).append(card)
    changes = current_changes(app_ctx(), who)
    lines = zip(changes, _lines(changes, lifts=False), strict=True)
    return staff_page(
        "agent/openings.html", agencies=sorted(agencies.items()), holidays=HOLIDAYS,
        changes=[(f"{HOME}/{one.office}", place_label(one.office), line) for one, line in lines],
        note=session.pop("desk_note", ""),
    )  # fmt: skip


def agency_label(there: Place) -> str:
    """Return the name of the office's agency."""
    found = app_ctx().directory.agencies.get(there.agency)
    return label(found.label) if found else there.agency


@blueprint.get(f"{HOME}/<office_id>")
@agent()
def one(office_id: str) -> Response:
    """Show the next two weeks of an office, its changes and what can be changed."""
    there = managed_office(app_ctx(), administrator(), office_id[:80])
    changes = changes_of(app_ctx(), actor(), there.id)
    in_force = _current(changes)
    return staff_page(
        "agent/opening_office.html", name=label(there.label), agency=agency_label(there), back=HOME,
        hours=list(usual_hours(there)), desks=str(there.desks) if there.desks else say("openings.as_each"),
        here=f"{HOME}/{there.id}", tables=[_table(one) for one in places_of(app_ctx(), there.id)],
        in_force=list(_lines(in_force)), past=list(_lines([one for one in changes if one not in in_force], lifts=False)),
        note=session.pop("desk_note", ""),
    )  # fmt: skip


def _current(changes: Iterable[OpeningChange]) -> list[OpeningChange]:
    """Return the changes of today and later, the next first."""
    found = [one for one in changes if one.lifted_at is None and one.last_day >= app_ctx().day()]
    return sorted(found, key=lambda one: (one.first_day, one.n))


# -- in words ----------------------------------------------------------------------------------------------------------


def usual_hours(there: Place) -> Iterator[str]:
    """Yield the hours, days with the same hours together: « lundi–vendredi : 7 h 30–12 h »."""
    groups: list[tuple[int, int, tuple[Hours, ...]]] = []
    for day in range(7):
        hours = there.hours.get(day, ())
        if groups and groups[-1][1] == day - 1 and groups[-1][2] == hours:
            groups[-1] = (groups[-1][0], day, hours)
        elif hours:
            groups.append((day, day, hours))
    for first, last, hours in groups:
        days = "–".join(weekday(one, language()) for one in sorted({first, last}))
        yield say("text.named", name=first_capital(days), text=", ".join(map(span_of, hours)))


def span_of(hours: Hours) -> str:
    """Return hours in words: « 7 h 30–12 h »."""
    return f"{clock(hours.start)}–{clock(hours.end)}"


def clock(minute: int) -> str:
    """Return a minute of the day as an hour in the page's language."""
    return site().words.hour(minute, language())


def when_of(change: OpeningChange) -> str:
    """Return the days and hours of a change in words."""
    first, last = (site().words.day(day, language()) for day in (change.first_day, change.last_day))
    days = (
        say("openings.span_day", day=first) if first == last else say("openings.span_days", first=first, last=last)
    )  # fmt: skip
    hours = hours_of(change)
    if hours is None:
        return days if change.kind != "closed" else f"{days}, {say('openings.all_day')}"
    return f"{days}, {say('openings.span_hours', opens=clock(hours.start), shuts=clock(hours.end))}"


def what_of(change: OpeningChange) -> str:
    """Return the kind of a change in words."""
    if change.kind == "desks":
        return say("openings.kind_desks", count=change.desks or 0)
    return say(f"openings.kind_{change.kind}")


def change_lines(change: OpeningChange) -> list[str]:
    """Return the office, kind, time and reason of a change, for pages of other areas."""
    there = place_label(change.office) if change.office else ""
    why = say("lost_visit.because", because=label(reason_of(change))) if change.because else ""
    return [one for one in (there, f"{what_of(change)}, {when_of(change)}", why) if one]


def _lines(changes: Iterable[OpeningChange], lifts: bool = True) -> Iterator[OpeningChangeRow]:
    listed = list(changes)
    names = people(name for one in listed for name in (one.account, one.lifted_by) if name)
    for one in listed:
        lifted = ""
        if one.lifted_at is not None:
            lifted = say("openings.lifted", name=_name(names, one.lifted_by), moment=moment_of(one.lifted_at))
        yield OpeningChangeRow(
            what_of(one), when_of(one), label(reason_of(one)) if one.because else "",
            say("openings.by", name=_name(names, one.account), moment=moment_of(one.at)),
            f"{CHANGES}/{one.id}" if lifts else "", lifted,
        )  # fmt: skip


def _name(names: Mapping[str, str], account: str) -> str:
    return names.get(account, say("desk.unknown_person"))


def _table(kind: KindPlaces) -> KindTable:
    rows = tuple(row for one in kind.days if (row := _row(one)) is not None)
    return KindTable(label(kind.procedure), label(kind.appointment), say("openings.per_slot", count=kind.at_once), rows)


def _row(one: DayPlaces) -> DayRow | None:
    """Return a day, None for an ordinary day of the weekend."""
    counted, name = one.places, label(one.because) if one.because else ""
    idle = not (counted.free or counted.booked or counted.closed or one.because)
    if idle and not app_ctx().directory.calendar.works(one.day):
        return None
    key = "holiday" if one.holiday else "partly" if one.partly else "closed"
    note = say(f"openings.note_{key}", name=name) if name else say("openings.note_shut") if idle else ""
    return DayRow(_without_year(one.day), counted.free, counted.booked, counted.closed, note)


def _without_year(day: date) -> str:
    """Return the day without its year: `lundi 30 novembre`."""
    said = site().words.day(day, language())
    return first_capital(said.removesuffix(f"{day.year}").rstrip())


# -- the calendar ------------------------------------------------------------------------------------------------------


def holiday_lines() -> list[HolidayLine]:
    """Return the holidays of the next year, from the directory and from administrators."""
    today, known = app_ctx().day(), app_ctx().directory.calendar.holidays
    added = changes_of(app_ctx(), actor(), CALENDAR) if administers(actor(), (EVERYWHERE,)) else ()
    made = {day: one for one in added if one.lifted_at is None for day in _days(one)}
    names = people(one.account for one in made.values())
    return [_holiday(day, made.get(day), names) for day in sorted(known) if today <= day <= today + _AHEAD]


def _days(change: OpeningChange) -> Iterator[date]:
    day = change.first_day
    while day <= change.last_day:
        yield day
        day += timedelta(days=1)


def _holiday(day: date, change: OpeningChange | None, names: Mapping[str, str]) -> HolidayLine:
    name = label(app_ctx().directory.calendar.holidays[day])
    if change is None:
        return HolidayLine(day, name, say("openings.by_file"))
    by = say("openings.by", name=_name(names, change.account), moment=moment_of(change.at))
    return HolidayLine(day, name, by, f"{CHANGES}/{change.id}" if change.first_day > app_ctx().day() else "")
