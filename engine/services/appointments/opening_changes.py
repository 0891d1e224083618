"""Opening changes of offices: shown, previewed with the appointments they cancel, made and withdrawn.

A change, its cancellations, messages and journal entries are saved in one unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain, canonical_json, new_id
from engine.domain.appointments.opening_changes import days_of, refusal_for_opening_change, rests_on
from engine.domain.common.agent_rights import EVERYWHERE, administers, is_administrator
from engine.domain.common.names import free_text
from engine.domain.common.working_time import at_minute
from engine.journal.chain import JournalEntry, seal
from engine.model import Appointment, directory
from engine.records.administration import OpeningChange, OpeningKind
from engine.records.codec import to_plain
from engine.records.dossier import Actor, Booking
from engine.records.people import CHAIN
from engine.services.appointments.capacity import serve_waiting
from engine.services.appointments.lost_appointments import LostAppointment, foreseen, take_away
from engine.services.context.app_context import AppContext, NotFound, pinned
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.idempotency import Memory, once
from engine.storage.results import IntegrityFinding
from engine.storage.unit_of_work import Unit

_WHOLE: Final = 2**31  # number of entries: the whole journal
_REPORTED: Final = frozenset({"openings_changed", "openings_restored"})
CALENDAR: Final = ""  # in place of an office: the holidays of all offices


@dataclass(frozen=True, slots=True)
class OpeningChangeRequest:
    """A requested change. Hours in minutes since midnight; None means the whole day."""

    kind: OpeningKind
    office: str
    first_day: date
    last_day: date
    from_minute: int | None = None
    to_minute: int | None = None
    desks: int | None = None
    because: str = ""
    because_en: str = ""


@dataclass(frozen=True, slots=True)
class Foresight:
    """The effect of a change: appointments it cancels, and bookings that exceed a reduced capacity."""

    change: OpeningChange
    lost: tuple[LostAppointment, ...]
    beyond: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """A change made or withdrawn, and how many persons were notified.

    `unread`: numbers of the dossiers with an unreadable edition, whose applicants need another date.
    """

    change: OpeningChange
    notified: int
    unread: tuple[str, ...] = ()


def managed_offices(ctx: AppContext, actor: Actor) -> tuple[directory.Office, ...]:
    """Return the offices of the agencies that an administrator manages, by agency."""
    if not is_administrator(actor):
        return ()
    mine = (one for one in ctx.directory.offices.values() if administers(actor, (one.agency,)))
    return tuple(sorted(mine, key=lambda one: (one.agency, str(one.label))))


def managed_office(ctx: AppContext, actor: Actor, office_id: str) -> directory.Office:
    """Return one managed office in its present state. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        ctx.directories.look(unit)
    there = ctx.directory.offices.get(office_id)
    if there is None or not administers(actor, (there.agency,)):
        raise NotFound
    return there


def changes_of(ctx: AppContext, actor: Actor, office_id: str) -> tuple[OpeningChange, ...]:
    """Return every change of an office, or of the calendar (the empty name), the newest first.

    Raises `NotFound`.
    """
    _check(ctx, actor, office_id)
    with ctx.store.unit() as unit:
        return unit.opening_changes_of([office_id])


def current_changes(ctx: AppContext, actor: Actor) -> tuple[OpeningChange, ...]:
    """Return the changes of managed offices that apply today or later, the next first."""
    mine, today = {one.id for one in managed_offices(ctx, actor)}, ctx.day()
    with ctx.store.unit() as unit:
        found = [one for one in unit.opening_changes() if one.office in mine and one.last_day >= today]
    return tuple(sorted(found, key=lambda one: (one.first_day, one.n)))


def current_change(ctx: AppContext, change_id: str) -> OpeningChange | None:
    """Return a change by its id, for applicants whose appointment it cancelled. None if unknown."""
    with ctx.store.unit() as unit:
        return unit.opening_change(change_id)


def _check(ctx: AppContext, actor: Actor, office_id: str) -> None:
    """Check that the actor may change this office.

    Raises `NotFound`. Holidays need a right for all agencies.
    """
    there = ctx.directory.offices.get(office_id)
    known = (EVERYWHERE,) if office_id == CALENDAR else (there.agency,) if there is not None else None
    if known is None or not administers(actor, known):
        raise NotFound


# -- preview -----------------------------------------------------------------------------------------------------------


def foresee(ctx: AppContext, actor: Actor, asked: OpeningChangeRequest) -> Foresight:
    """Return the effect of a change and save nothing.

    Raises `NotFound`. Raises Refused: its faults (`refusal_for_opening_change`), opening_known for an
    existing holiday.
    """
    with ctx.store.unit() as unit:
        ctx.directories.look(unit)
        change = _made(ctx, actor, asked, ctx.directories.n + 1)
        then = replace(ctx, directories=ctx.directories.with_(change))
        lost = foreseen(then, unit, change, ctx.directory)
        return Foresight(change, lost, _beyond(unit, change))


def _made(ctx: AppContext, actor: Actor, asked: OpeningChangeRequest, n: int) -> OpeningChange:
    _check(ctx, actor, asked.office)
    if (asked.kind == "holiday") != (asked.office == CALENDAR):
        raise NotFound
    change = OpeningChange(
        new_id(), n, asked.kind, asked.office, asked.first_day, asked.last_day, asked.from_minute, asked.to_minute,
        asked.desks, " ".join(free_text(asked.because).split()), " ".join(free_text(asked.because_en).split()), actor.id, ctx.now(),
    )  # fmt: skip
    wrong = refusal_for_opening_change(change, ctx.directory.offices.get(asked.office), ctx.day())
    if wrong is not None:
        raise Refused(wrong)
    if change.kind == "holiday" and all(day in ctx.directory.calendar.holidays for day in days_of(change)):
        raise Refused(refusal("opening_known", field="from"))
    return change


def _beyond(unit: Unit, change: OpeningChange) -> int:
    """Count the bookings above a reduced capacity: they stay."""
    if change.kind != "desks" or change.desks is None:
        return 0
    from_, until = at_minute(change.first_day, 0), at_minute(change.last_day, 1440)
    held = unit.bookings_on([change.office], from_, until)
    return sum(one.status == "booked" and change.desks < one.seat and not one.is_walk_in for _, _, one in held)


# -- changes -----------------------------------------------------------------------------------------------------------


def change_openings(ctx: AppContext, actor: Actor, asked: OpeningChangeRequest, *, token: str | None = None) -> Changed:
    """Make a change and notify the applicants concerned.

    Closures cancel appointments; openings notify the waiting list. Raises as `foresee`.
    """

    def work(unit: Unit) -> Changed:
        n = ctx.directories.look(unit, "change")
        change = _made(ctx, actor, asked, n + 1)
        before = ctx.directory
        then = replace(ctx, directories=ctx.directories.with_(change))
        unit.add_opening_change(change)
        lost = take_away(then, unit, change, before, actor)
        served = serve_waiting(then, unit, change, before) if change.kind in ("open", "desks") else 0
        reported = lost.count + served
        _note(ctx, unit, actor, "openings_changed", change, reported)
        return Changed(change, reported, lost.unread)

    done = once(ctx, actor, "change_openings", token, asked, work, _CHANGED)
    _look_again(ctx)
    return done


def take_back(ctx: AppContext, actor: Actor, change_id: str, *, token: str | None = None) -> Changed:
    """Withdraw a change: closed slots are offered again and the waiting list is notified.

    Cancelled appointments stay cancelled. Raises `NotFound`. Raises Refused: opening_lifted,
    opening_over, opening_booked (count) for bookings in what it opened.
    """

    def work(unit: Unit) -> Changed:
        ctx.directories.look(unit, "change")
        change = _liftable(ctx, unit, actor, change_id)
        before = ctx.directory
        then = replace(ctx, directories=ctx.directories.without(change.id))
        lifted = replace(change, lifted_at=ctx.now(), lifted_by=actor.id)
        unit.put_opening_change(lifted)
        reported = serve_waiting(then, unit, change, before) if change.kind in ("closed", "holiday") else 0
        _note(ctx, unit, actor, "openings_restored", lifted, reported)
        return Changed(lifted, reported)

    done = once(ctx, actor, "take_back", token, change_id, work, _CHANGED)
    _look_again(ctx)
    return done


def to_take_back(ctx: AppContext, actor: Actor, change_id: str) -> OpeningChange:
    """Return a change that may be withdrawn now. Raises as `take_back`."""
    with ctx.store.unit() as unit:
        ctx.directories.look(unit)
        return _liftable(ctx, unit, actor, change_id)


def _liftable(ctx: AppContext, unit: Unit, actor: Actor, change_id: str) -> OpeningChange:
    change = unit.opening_change(change_id)
    if change is None:
        raise NotFound
    _check(ctx, actor, change.office)
    if change.lifted_at is not None:
        raise Refused(refusal("opening_lifted"))
    begun = change.first_day <= ctx.day() if change.kind == "holiday" else change.last_day < ctx.day()
    if begun:
        raise Refused(refusal("opening_over"))
    held = _held_by(ctx, unit, change) if change.kind in ("open", "desks") else 0
    if held:
        raise Refused(refusal("opening_booked", count=held))
    return change


def _held_by(ctx: AppContext, unit: Unit, change: OpeningChange) -> int:
    """Count the coming appointments that only this change makes possible."""
    from_, until = at_minute(change.first_day, 0), at_minute(change.last_day, 1440)
    without = replace(ctx, directories=ctx.directories.without(change.id)).directory
    return sum(
        rests_on(change, one, _visit_of(ctx, unit, dossier_id, one), ctx.directory, without)
        for dossier_id, _, one in unit.bookings_on([change.office], from_, until)
        if one.status == "booked" and one.start > ctx.now()
    )


def _visit_of(ctx: AppContext, unit: Unit, dossier_id: str, booking: Booking) -> Appointment | None:
    """Return the kind of appointment, None where the edition of its dossier is unreadable."""
    dossier = unit.dossier(dossier_id)
    try:
        task = pinned(ctx, unit, dossier).tasks.get(booking.appointment) if dossier is not None else None
    except EditionMissing:
        return None
    return task if isinstance(task, Appointment) else None


def _note(ctx: AppContext, unit: Unit, actor: Actor, kind: str, change: OpeningChange, reported: int) -> None:
    """Append an entry to the journal of rights: agent, change and how many were notified."""
    body: dict[str, Plain] = {
        "account": actor.id, "change": change.id, "what": change.kind, "office": change.office, "told": reported,
        "from": change.first_day.isoformat(), "until": change.last_day.isoformat(), "row": _digest(change),
    }  # fmt: skip
    unit.add_right(seal(unit.right_head(), CHAIN, ctx.now(), actor, kind, "", body))


def _digest(change: OpeningChange) -> str:
    """Return the digest of the whole row: all of it is public."""
    return sha256(canonical_json(to_plain(change))).hexdigest()


def broken_openings(ctx: AppContext) -> Iterator[IntegrityFinding]:
    """Yield each opening change whose row differs from its last entry in the journal of rights.

    Rows without an entry are reported too. Entries of earlier releases record the kind, the office and the
    days.
    """
    with ctx.store.unit() as unit:
        kept = {one.id: one for one in unit.all_opening_changes()}
        entries = [one for one in unit.rights(_WHOLE) if one.kind in _REPORTED]
    reported: dict[str, JournalEntry] = {}
    for entry in entries:  # the newest first
        reported.setdefault(str(_body(entry).get("change")), entry)
    for change_id in sorted(kept.keys() | reported.keys()):
        if change_id not in reported:
            yield IntegrityFinding("opening_unjournaled", None, {"about": change_id})
        elif change_id not in kept:
            yield IntegrityFinding("opening_deleted", None, {"about": change_id})
        elif not _is_as_reported(kept[change_id], reported[change_id]):
            yield IntegrityFinding("opening_differs", None, {"about": change_id})


def _is_as_reported(change: OpeningChange, entry: JournalEntry) -> bool:
    body = _body(entry)
    if "row" in body:
        return body["row"] == _digest(change)
    reported = (body.get("what"), body.get("office"), body.get("from"), body.get("until"))
    days = (change.first_day.isoformat(), change.last_day.isoformat())
    lifted = change.lifted_at is not None
    return reported == (change.kind, change.office, *days) and lifted == (entry.kind == "openings_restored")


def _body(entry: JournalEntry) -> Mapping[str, Plain]:
    return entry.body if isinstance(entry.body, dict) else {}


def _look_again(ctx: AppContext) -> None:
    """Load the change in this process after the commit.

    Others see it within a second, and when they book a seat.
    """
    with ctx.store.unit() as unit:
        ctx.directories.look(unit)


def _again(unit: Unit, kept: Plain) -> Changed:
    known = kept if isinstance(kept, dict) else {}
    change, reported, unread = unit.opening_change(str(known.get("change"))), known.get("told"), known.get("unread")
    if change is None:
        raise NotFound
    numbers = tuple(map(str, unread)) if isinstance(unread, list) else ()
    return Changed(change, reported if isinstance(reported, int) else 0, numbers)


_CHANGED: Final[Memory[Changed]] = Memory(
    lambda done: {"change": done.change.id, "told": done.notified, "unread": list(done.unread)}, _again
)
