"""What a closure means for whoever comes: why a day has no slot, a visit that was lost by it and what to do now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from engine.clock import local_day
from engine.definition.model import Appointment
from engine.office.openings import standing_change
from engine.office.waiting_list import waits_at
from engine.problems import Refusal
from engine.records.dossier import Actor, Booking
from engine.rules.openings import reason_of
from renderers.web.base import at_counter, language, moment_of, office, say, site
from renderers.web.cases import Case, label, place, place_label
from renderers.words import first_capital


@dataclass(frozen=True, slots=True)
class LostBox:
    """A visit that the office cancelled: who, why, what to do; where to choose again, and the entry of a diary to cancel (not at
    a counter)."""

    lines: tuple[str, ...]
    choose: str
    diary: str


def lost_of(one: Case, task: Appointment) -> Booking | None:
    """The visit as it was lost, until another slot is taken."""
    booking = one.dossier.bookings.get(task.id)
    return booking if booking is not None and booking.status == "cancelled" and booking.lost else None


def lost_box(one: Case, task: Appointment, here: str, who: Actor | None = None) -> LostBox | None:
    """What is said of it at `here`, where the visit is handled; `who` asks whether they wait for another place."""
    booking = lost_of(one, task)
    change = standing_change(office(), booking.lost) if booking is not None and booking.lost else None
    if booking is None or change is None:
        return None
    lines = [_who(booking, change.kind == "holiday")]
    lines.append(say("lost_visit.because", because=label(reason_of(change))))
    lines.append(say("lost_visit.again"))
    if who is not None and waits_at(office(), who, one.id, task.id):
        lines.append(say("lost_visit.waiting"))
    diary = "" if at_counter() else f"{here}.ics?quoi={task.id}"
    return LostBox(tuple(lines), f"{here}?quoi={task.id}", diary)


def _who(booking: Booking, holiday: bool) -> str:
    there = place(booking.office)
    agency = office().directory.agencies.get(there.agency) if there else None
    name, of = place_label(booking.office), label(agency.label) if agency else ""
    if holiday:
        day = site().words.day(local_day(booking.start), language())
        return say("lost_visit.holiday", office=name, day=first_capital(day))
    return say("lost_visit.who", office=name, agency=of, moment=moment_of(booking.start))


def lost_boxes(one: Case, who: Actor) -> list[LostBox]:
    """Every visit of a dossier that was lost and that nothing replaces yet."""
    if one.dossier.closed_at is not None:
        return []
    here = one.at("/rendez-vous")
    found = (lost_box(one, task, here, who) for task in one.procedure.appointments())
    return [box for box in found if box is not None]


def day_note(note: Refusal) -> str:
    """Why a day has no slot, with the name of the feast or the reason of the closure where there is one."""
    name = _named(note) or str(note.facts.get("name", ""))
    return say("text.named", name=name, text=say("slots.closed")) if name else first_capital(say("slots.closed"))


def _named(note: Refusal) -> str:
    there, day = place(str(note.facts.get("office", ""))), date.fromisoformat(str(note.facts.get("day", "")))
    if note.facts.get("why") == "holiday":
        return label(office().directory.calendar.holidays.get(day))
    closure = (there.closure_on(day) or there.closed_in_part(day)) if there else None
    return label(closure.because) if closure and closure.because else ""
