"""Cancellation of appointments by a closure.

It does not count as a move, and the message has a link to choose again. The applicants join the waiting
list of the same office. A dossier with an unreadable edition does not stop a closure. Its appointment
is cancelled and announced without the link, which could not open it. The administrator gets the list of
these dossiers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.gsm7 import in_alphabet, sms_parts
from engine.core.values import group_number, new_id
from engine.domain.appointments.appointments import free_slots, lose, offices_for, resource_key
from engine.domain.appointments.opening_changes import is_shut_out, lose_unread, reason_of
from engine.domain.common.working_time import at_minute
from engine.domain.workflow.transition_context import Moment
from engine.model import Appointment, Procedure
from engine.model.directory import Directory
from engine.records.administration import OpeningChange
from engine.records.dossier import Actor, Booking, Dossier, OutboundMessage
from engine.records.exchanges import WaitingListEntry
from engine.services.appointments.seat_cache import END
from engine.services.context.app_context import AppContext, pinned
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.appointment_links import visit_link
from engine.services.core.commit import carry_out, keep
from engine.storage.unit_of_work import Unit

log = logging.getLogger("guichet.openings")

NEAREST: Final = 3
_LOOKED: Final = timedelta(days=7)  # before a lost slot, in search of near ones
_MOST_LOOKED: Final = 300
_SAID: Final = ("sms_full", "sms_reason", "sms_short", "sms_bare")  # the same news in ever fewer characters
_SAID_UNREAD: Final = ("unread_full", "unread_reason", "unread_bare")  # where no link opens the dossier


@dataclass(frozen=True, slots=True)
class LostAppointment:
    """One appointment that a change cancels, the message to its applicant, and the nearest free slots.

    The link is removed from the message, since it would let its holder act. No `procedure` where the
    edition is unreadable.
    """

    dossier: Dossier
    booking: Booking
    procedure: Procedure | None
    letter: OutboundMessage | None
    signs: int = 0  # characters of an SMS, its link included
    nearest: tuple[datetime, ...] = ()

    @property
    def appointment(self) -> Appointment | None:
        """The appointment in the procedure, None without a readable edition."""
        task = self.procedure.tasks[self.booking.appointment] if self.procedure is not None else None
        return task if isinstance(task, Appointment) else None


def shut_out(
    ctx: AppContext, unit: Unit, change: OpeningChange, directory: Directory
) -> Iterator[tuple[Dossier, Booking]]:
    """Yield the booked appointments within a closure, by hour.

    `directory` excludes the change. In a writing unit each dossier is locked, then read: an appointment moved
    meanwhile is left out.
    """
    offices = sorted(directory.offices) if change.kind == "holiday" else [change.office]
    from_, until = at_minute(change.first_day, 0), at_minute(change.last_day, 1440)
    now = ctx.now()
    for dossier_id, _, booked in unit.bookings_on(offices, from_, until):
        if not is_shut_out(booked, directory, change, now):
            continue
        dossier = unit.dossier(dossier_id)
        booking = dossier.bookings.get(booked.appointment) if dossier is not None else None
        if dossier is not None and booking is not None and booking.id == booked.id and booking.status == "booked":
            yield dossier, booking


def foreseen(ctx: AppContext, unit: Unit, change: OpeningChange, directory: Directory) -> tuple[LostAppointment, ...]:
    """Return what a change would cancel. `ctx` includes the change, `directory` excludes it."""
    nearby, found = _Nearby(ctx, unit), []
    for dossier, booking, procedure in _with_procedures(ctx, unit, shut_out(ctx, unit, change, directory)):
        letter = news_of(ctx, dossier, booking, change, opens=procedure is not None)
        near = nearby.of(procedure, dossier, booking) if procedure is not None else ()
        signs = sms_parts(letter.body).signs if letter is not None and letter.channel == "sms" else 0
        link = visit_link(ctx, dossier, booking.appointment)
        shown = replace(letter, body=letter.body.replace(link, _no_link(link))) if letter is not None else None
        found.append(LostAppointment(dossier, booking, procedure, shown, signs, near))
    return tuple(found)


def _no_link(link: str) -> str:
    return f"{link.rpartition('/')[0]}/…"


def _with_procedures(
    ctx: AppContext, unit: Unit, found: Iterable[tuple[Dossier, Booking]]
) -> Iterator[tuple[Dossier, Booking, Procedure | None]]:
    for dossier, booking in found:
        try:
            procedure = pinned(ctx, unit, dossier)
        except EditionMissing:  # its applicant cannot be received under another edition
            yield dossier, booking, None
            continue
        if isinstance(procedure.tasks.get(booking.appointment), Appointment):
            yield dossier, booking, procedure


@dataclass(frozen=True, slots=True)
class TakenAway:
    """How many appointments a change cancelled.

    `unread`: numbers of the dossiers with an unreadable edition, to be handled by a person.
    """

    count: int
    unread: tuple[str, ...]


def take_away(ctx: AppContext, unit: Unit, change: OpeningChange, directory: Directory, actor: Actor) -> TakenAway:
    """Cancel every booking within a closure and notify its applicant.

    `ctx` includes the change, `directory` excludes it.
    """
    lost = list(_with_procedures(ctx, unit, shut_out(ctx, unit, change, directory)))
    for dossier, booking, procedure in lost:
        now = ctx.now()
        letter = news_of(ctx, dossier, booking, change, opens=procedure is not None)
        if letter is not None:
            unit.add_letter(letter)
        if procedure is None:
            after = _lose_unread(ctx, unit, change, dossier, booking, actor)
        else:
            decision = lose(procedure, dossier, booking.appointment, change.id, actor, now, ctx.directory, ctx.wording)
            after = carry_out(ctx, unit, dossier, decision, actor)
            resource = resource_key(procedure, booking.appointment)
            unit.put_waiting(WaitingListEntry(after.id, booking.appointment, resource, booking.office, now))
        _silence_reminders(unit, after, booking)
    return TakenAway(len(lost), tuple(dossier.number for dossier, _, procedure in lost if procedure is None))


def _lose_unread(
    ctx: AppContext, unit: Unit, change: OpeningChange, dossier: Dossier, booking: Booking, actor: Actor
) -> Dossier:
    """Cancel a booking without its edition: no message of the procedure, no timer.

    It does not join the waiting list, since no link would let it book.
    """
    log.warning("the edition of %s cannot be read: its visit is given back without it", dossier.id)
    passage = lose_unread(dossier, booking.appointment, change.id, ctx.now(), ctx.directory.calendar)
    unit.release_seat(booking.id)
    unit.put_booking(passage.dossier.bookings[booking.appointment])
    return keep(ctx, unit, dossier, passage.dossier, passage.entries, actor)


def _silence_reminders(unit: Unit, dossier: Dossier, booking: Booking) -> None:
    """Stop unsent reminders of a cancelled appointment."""
    mark = f":reminder:{booking.appointment}"
    for letter in unit.letters_of(dossier.id):
        if letter.sent_at is None and letter.failed is None and mark in letter.dedupe:
            unit.silence_letter(letter.id, "slot_lost")  # unless it is being sent at this moment


# -- messages ----------------------------------------------------------------------------------------------------------


def news_of(
    ctx: AppContext, dossier: Dossier, booking: Booking, change: OpeningChange, opens: bool = True
) -> OutboundMessage | None:  # fmt: skip
    """Return the message about a cancelled appointment.

    An SMS in one part, else e-mail, else the inbox on the site. None without an owner. `opens`: its
    link leads to the choice of another date.
    """
    now, spoken = ctx.now(), dossier.language
    there = ctx.directory.offices.get(booking.office)
    facts = {
        "dossier": group_number(dossier.number),
        "office": there.label.in_(spoken) if there else "", "because": reason_of(change).in_(spoken),
        "meeting": ctx.wording.short_moment(booking.start, spoken),
    }  # fmt: skip
    if opens:
        facts["link"] = visit_link(ctx, dossier, booking.appointment)
    dedupe = f"{dossier.id}:lost:{booking.id}:{change.id}"
    if dossier.contact_phone:
        body = _one_part(ctx, spoken, facts, _SAID if opens else _SAID_UNREAD)
        return OutboundMessage(new_id(), dossier.id, "sms", dossier.contact_phone, "", body, now, dedupe, now)
    subject = ctx.wording.say("visit.lost.subject", spoken, facts)
    long = ctx.wording.say("visit.lost.mail" if opens else "visit.lost.unread_mail", spoken, facts)
    if dossier.contact_email:
        return OutboundMessage(new_id(), dossier.id, "email", dossier.contact_email, subject, long, now, dedupe, now)
    if dossier.owner:
        return OutboundMessage(new_id(), dossier.id, "inbox", dossier.owner, subject, long, now, dedupe, now)
    return None


def _one_part(ctx: AppContext, spoken: str, facts: dict[str, str], wordings: Iterable[str]) -> str:
    """Return the longest wording that fits in one SMS."""
    body = ""
    for name in wordings:
        body = in_alphabet(ctx.wording.say(f"visit.lost.{name}", spoken, facts))
        if sms_parts(body).count == 1:
            break
    return body


# -- near slots --------------------------------------------------------------------------------------------------------


class _Nearby:
    """Free slots near cancelled ones, searched once for each kind of appointment and office."""

    def __init__(self, ctx: AppContext, unit: Unit) -> None:
        self._office, self._unit = ctx, unit
        self._free: dict[tuple[str, str], tuple[datetime, ...]] = {}

    def of(self, procedure: Procedure, dossier: Dossier, booking: Booking) -> tuple[datetime, ...]:
        office, now = self._office, self._office.now()
        task = procedure.tasks[booking.appointment]
        assert isinstance(task, Appointment)
        moment = Moment(procedure, Actor("system", "system"), now, office.directory, office.wording)
        where = [one.id for one in offices_for(procedure, task, dossier, moment)]
        there = booking.office if booking.office in where or not where else where[0]
        key = (resource_key(procedure, task.id), there)
        if key not in self._free:
            self._free[key] = self._look(procedure, task, there, booking.start - _LOOKED)
        near = sorted(self._free[key], key=lambda start: abs(start - booking.start))[:NEAREST]
        return tuple(sorted(near))

    def _look(self, procedure: Procedure, task: Appointment, there: str, from_: datetime) -> tuple[datetime, ...]:
        office, now = self._office, self._office.now()
        day = max(local_day(from_), local_day(now))
        taken = self._unit.seats_taken(resource_key(procedure, task.id), there, at_minute(day, 0), END)
        free = free_slots(
            task, office.directory.offices[there], taken, now, office.directory.calendar, day, _MOST_LOOKED
        )
        return tuple(one.start for one in free)
