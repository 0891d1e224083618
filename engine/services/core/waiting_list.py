"""The waiting list for seats.

A freed seat is announced to those who wait at its office, the longest waiting first. It is not
reserved: the first to book has it. Applicants who need no seat any more leave the list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.gsm7 import to_gsm
from engine.core.problems import Refused, refusal
from engine.core.values import group_number, new_id
from engine.domain.appointments.appointments import (
    bookable,
    capacity_of,
    first_bookable,
    has_use_of_seat,
    is_done_with,
    offices_for,
    resource_key,
    slot_starts,
)
from engine.domain.common.access import is_owner
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.transition_context import Moment
from engine.model import Appointment, Procedure
from engine.model.types import Scope
from engine.records.dossier import Actor, Booking, Dossier, OutboundMessage
from engine.records.exchanges import WaitingListEntry
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.context.edition_cache import EditionMissing
from engine.services.context.rate_limit import Limit, too_many
from engine.services.core.journalling import journalise_message
from engine.services.core.outbound_messages import dossier_link
from engine.storage.unit_of_work import Unit

NOTIFIED_AT_ONCE: Final = 3  # for one seat: the first persons notified may not want it
QUIET: Final = timedelta(hours=12)  # no dossier is notified twice within this time
NOTIFIED_PER_CONTACT: Final = 3  # dossiers of one number or address within it: any number of dossiers may wait
SHARE_BY_MAIL: Final = 3  # of so many notified, one has no telephone: an e-mail address costs nothing
FREED_BY_ONE: Final = 2  # seats of one number or address that are announced within it
REST: Final = timedelta(hours=1)  # of an entry that was passed over, so that it does not hide those behind it
MOST_PASSED: Final = 100  # at once
PAGE: Final = 50
MOST_PAGES: Final = 20


def wait_for_seat(ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str, office_id: str) -> None:
    """Put the dossier on the list of an office, in place of its earlier one.

    Raises `NotFound`, or Refused when it cannot book this appointment.
    """
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        task = procedure.tasks.get(appointment_id)
        moment = Moment(procedure, actor, now, ctx.directory, ctx.wording)
        if not isinstance(task, Appointment):
            raise NotFound
        if (closed := bookable(moment, dossier, appointment_id)) is not None:
            raise Refused(closed)
        if office_id not in {one.id for one in offices_for(procedure, task, dossier, moment)}:
            raise NotFound
        known = {one.appointment: one for one in unit.waiting_of(dossier.id)}.get(appointment_id)
        if known is None or known.office != office_id:
            resource = resource_key(procedure, appointment_id)
            unit.put_waiting(WaitingListEntry(dossier.id, appointment_id, resource, office_id, now))


def stop_waiting(ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str) -> None:
    """Remove the dossier from the list of this appointment, without effect if it is on none.

    Raises `NotFound`. Raises Refused("role") for a person who may only read the dossier.
    """
    with ctx.store.unit(write=True) as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        if not is_owner(dossier, actor):
            raise Refused(refusal("role", roles=("applicant",)))
        unit.drop_waiting(dossier.id, appointment_id)


def waits_at(ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str) -> str:
    """Return the office where the dossier waits for a seat; empty if none. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        found = unit.waiting_of(seen(unit, ctx, actor, dossier_id).id)
    return next((one.office for one in found if one.appointment == appointment_id), "")


def seats_changed(
    ctx: AppContext, unit: Unit, procedure: Procedure, before: Dossier, after: Dossier, releases: Iterable[str]
) -> None:
    """Update holds and waiting lists after a decision.

    A dossier that has its appointment or needs none leaves the list. Freed seats are announced.
    """
    freed = frozenset(releases)
    booked = {
        name for name, one in after.bookings.items() if one.status == "booked" and before.bookings.get(name) != one
    }
    for name in booked:
        unit.drop_hold(after.id, name)
    if not before.is_draft and procedure.appointments():
        _leave(ctx, unit, after, booked)
    for name, booking in before.bookings.items():
        task = procedure.tasks.get(name)
        if booking.id in freed and isinstance(task, Appointment):
            _report(ctx, unit, task, resource_key(procedure, name), booking, after)


def _leave(ctx: AppContext, unit: Unit, dossier: Dossier, booked: Collection[str]) -> None:
    for one in unit.waiting_of(dossier.id):
        if one.appointment in booked or _judged(ctx, unit, dossier, one.appointment, is_done_with):
            unit.drop_waiting(dossier.id, one.appointment)


def _judged(
    ctx: AppContext, unit: Unit, dossier: Dossier, appointment: str,
    rule: Callable[[Procedure, Dossier, str, Scope], bool],
) -> bool:  # fmt: skip
    procedure = pinned(ctx, unit, dossier)
    return rule(procedure, dossier, appointment, scope_of(procedure, dossier, ctx.day(), ctx.directory))


def _report(ctx: AppContext, unit: Unit, task: Appointment, resource: str, freed: Booking, of: Dossier) -> None:
    """Announce a freed seat, unless one person frees seats again and again: those who wait would hear of no other.

    Those without a telephone are one person here: an e-mail address costs nothing.
    """
    if not _stands(ctx, task, freed) or next(_in_turn(unit, resource, freed.office, ctx.now() - QUIET), None) is None:
        return
    freed_by = of.contact_phone or f"mail:{resource}:{freed.office}"
    if too_many(unit, ctx.now(), Limit(f"frees:{freed_by}", FREED_BY_ONE, QUIET)) is None:
        notify_waiting(ctx, unit, resource, freed.office, freed.id, NOTIFIED_AT_ONCE, of.id)


def _stands(ctx: AppContext, task: Appointment, freed: Booking) -> bool:
    """Return whether a freed seat can be booked: the office is open then and still has this many seats."""
    calendar, day = ctx.directory.calendar, local_day(freed.start)
    there = ctx.directory.offices.get(freed.office)
    if there is None or freed.start < first_bookable(task, ctx.now(), calendar):
        return False
    return freed.start in slot_starts(task, there, day, calendar) and freed.seat <= capacity_of(task, there, day)


def notify_waiting(
    ctx: AppContext, unit: Unit, resource: str, office_id: str, source: str, most: int, but: str = ""
) -> int:  # fmt: skip
    """Notify at most `most` applicants who wait at an office that a seat is free.

    The longest waiting come first. Return the number notified. `source` identifies what freed it: no
    applicant is notified twice of the same. A dossier that another unit is changing now is skipped. One whose contact
    was notified often enough is passed over, so that one person does not receive all notices.
    """
    now, reported, passed, by_mail = ctx.now(), 0, 0, max(1, most // SHARE_BY_MAIL)
    for one in _in_turn(unit, resource, office_id, now - QUIET):
        if reported >= most or passed >= MOST_PASSED:
            break
        dossier = unit.dossier_at_rest(one.dossier) if one.dossier != but else None
        still = _still(unit, one) if dossier is not None else None
        if dossier is None or still is None or (still.told_at is not None and now - still.told_at < QUIET):
            continue
        try:
            wanted = _judged(ctx, unit, dossier, one.appointment, has_use_of_seat)
            done = not wanted and _judged(ctx, unit, dossier, one.appointment, is_done_with)
        except EditionMissing:  # no booking is possible without the edition
            continue
        if done:  # an entry that an earlier release left on the list
            unit.drop_waiting(one.dossier, one.appointment)
        if not wanted:
            continue
        if not (dossier.contact_phone or by_mail) or _is_notified_enough(unit, dossier, now):
            unit.put_waiting(replace(still, told_at=now - QUIET + REST))
            passed += 1
            continue
        unit.put_waiting(replace(still, told_at=now))
        notified = _owe(ctx, unit, dossier, office_id, source, now)
        reported, by_mail = reported + notified, by_mail - (notified and not dossier.contact_phone)
    return reported


def _is_notified_enough(unit: Unit, dossier: Dossier, now: datetime) -> bool:
    """Count one more notification of the contact of a dossier. Return whether it had as many as allowed already."""
    to = dossier.contact_phone or dossier.contact_email
    return bool(to) and too_many(unit, now, Limit(f"freed:{to}", NOTIFIED_PER_CONTACT, QUIET)) is not None


def _in_turn(unit: Unit, resource: str, office_id: str, quiet: datetime) -> Iterator[WaitingListEntry]:
    """Yield the entries that may be notified, within a bounded number of pages.

    Skipped entries do not hide later ones.
    """
    last = None
    for _ in range(MOST_PAGES):
        page = unit.waiting_for(resource, office_id, PAGE, reported_before=quiet, after=last)
        yield from page
        if len(page) < PAGE:
            break
        last = page[-1]


def _still(unit: Unit, one: WaitingListEntry) -> WaitingListEntry | None:
    """Return the entry as it is once its dossier is locked; None if it waits there no more."""
    same = (now for now in unit.waiting_of(one.dossier) if now.appointment == one.appointment)
    return next((now for now in same if (now.resource, now.office) == (one.resource, one.office)), None)


def _owe(ctx: AppContext, unit: Unit, dossier: Dossier, office_id: str, source: str, now: datetime) -> bool:
    there = ctx.directory.offices.get(office_id)
    facts = {
        "dossier": group_number(dossier.number), "link": dossier_link(ctx, dossier),
        "office": there.label.in_(dossier.language) if there else "",
    }  # fmt: skip
    channel = "sms" if dossier.contact_phone else "email"
    to = dossier.contact_phone or dossier.contact_email
    if not to:
        return False
    body = ctx.wording.say("visit.freed.sms", dossier.language, facts)
    dedupe = f"{dossier.id}:freed:{source}:{channel}"
    if channel == "sms":
        letter = OutboundMessage(new_id(), dossier.id, "sms", to, "", to_gsm(body), now, dedupe, now)
    else:
        subject = ctx.wording.say("visit.freed.subject", dossier.language, facts)
        letter = OutboundMessage(new_id(), dossier.id, "email", to, subject, body, now, dedupe, now)
    if not unit.add_letter(letter):
        return False
    journalise_message(unit, dossier, "freed", now)
    return True
