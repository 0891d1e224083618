"""Notices about appointments: days without slot, cancellation by a closure, late or missed visits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from engine.core.clock import local_day
from engine.core.problems import Refusal
from engine.domain.appointments.appointments import BY_SERVICE
from engine.domain.appointments.opening_changes import reason_of
from engine.domain.workflow.state_machine import circuit_of, event_trigger
from engine.model import Appointment
from engine.records.dossier import Actor, Booking
from engine.services.appointments.opening_changes import current_change
from engine.services.core.waiting_list import waits_at
from renderers.i18n.translations import first_capital
from renderers.web.platform.dossier_context import DossierContext, label, place, place_label
from renderers.web.platform.request_context import app_ctx, at_counter, language, moment_of, say, site


@dataclass(frozen=True, slots=True)
class CancelledAppointmentBox:
    """An appointment cancelled by a closure or an agent: who, why and what to do.

    `choose` leads to new slots. `diary` is the calendar file that cancels the entry, empty at a counter.
    """

    lines: tuple[str, ...]
    choose: str
    diary: str


def lost_of(one: DossierContext, task: Appointment) -> Booking | None:
    """Return the booking cancelled by a closure or an agent, None once another slot is taken."""
    booking = one.dossier.bookings.get(task.id)
    return booking if booking is not None and booking.status == "cancelled" and booking.lost else None


def lost_box(
    one: DossierContext, task: Appointment, here: str, who: Actor | None = None
) -> CancelledAppointmentBox | None:
    """Return the notice of a cancelled appointment for the page `here`, None if there is none.

    With `who`, it says whether that person is on the waiting list.
    """
    booking = lost_of(one, task)
    if booking is None or not booking.lost:
        return None
    change = current_change(app_ctx(), booking.lost)
    if change is not None:
        lines = [_who(booking, change.kind == "holiday"), say("lost_visit.because", because=label(reason_of(change)))]
    elif booking.lost == BY_SERVICE:
        lines = [say("lost_visit.called_off", office=place_label(booking.office), moment=moment_of(booking.start))]
    else:
        return None
    lines.append(say("lost_visit.again"))
    if who is not None and waits_at(app_ctx(), who, one.id, task.id):
        lines.append(say("lost_visit.waiting"))
    diary = "" if at_counter() else f"{here}.ics?quoi={task.id}"
    return CancelledAppointmentBox(tuple(lines), f"{here}?quoi={task.id}", diary)


def _who(booking: Booking, holiday: bool) -> str:
    there = place(booking.office)
    agency = app_ctx().directory.agencies.get(there.agency) if there else None
    name, of = place_label(booking.office), label(agency.label) if agency else ""
    if holiday:
        day = site().words.day(local_day(booking.start), language())
        return say("lost_visit.holiday", office=name, day=first_capital(day))
    return say("lost_visit.who", office=name, agency=of, moment=moment_of(booking.start))


def lost_boxes(one: DossierContext, who: Actor) -> list[CancelledAppointmentBox]:
    """Return the notices of all cancelled appointments that nothing replaces yet."""
    if one.dossier.closed_at is not None:
        return []
    here = one.at("/rendez-vous")
    found = (lost_box(one, task, here, who) for task in one.procedure.appointments())
    return [box for box in found if box is not None]


def day_note(note: Refusal) -> str:
    """Return why a day has no slot: the holiday, the reason of the closure, or closed."""
    name = _named(note) or str(note.facts.get("name", ""))
    return say("text.named", name=name, text=say("slots.closed")) if name else first_capital(say("slots.closed"))


def _named(note: Refusal) -> str:
    there, day = place(str(note.facts.get("office", ""))), date.fromisoformat(str(note.facts.get("day", "")))
    if note.facts.get("why") == "holiday":
        return label(app_ctx().directory.calendar.holidays.get(day))
    closure = (there.closure_on(day) or there.closed_in_part(day)) if there else None
    return label(closure.because) if closure and closure.because else ""


def is_unmarked(booking: Booking) -> bool:
    """Return True when the day of an appointment is over and the office noted nothing."""
    return booking.arrived_at is None and local_day(app_ctx().now()) > local_day(booking.start)


def hour_come(one: DossierContext, booking: Booking) -> Iterator[str]:
    """Yield what to do from the hour of the appointment on: arrival noted, late, or absence unnoted."""
    now, phone = app_ctx().now(), site().settings.phone
    task = one.procedure.tasks.get(booking.appointment)
    at_home = isinstance(task, Appointment) and task.place == "applicant"
    if local_day(now) > local_day(booking.start):
        yield say("visit_day.unmarked", phone=phone, moment=moment_of(booking.start))
    elif at_home:
        if now > booking.start:
            yield say("visit_day.late_home", phone=phone)
    elif booking.arrived_at is not None:
        yield say("visit_day.arrived", at=site().words.clock(booking.arrived_at, language()))
    elif now > booking.start:
        yield say("visit_day.late", phone=phone)


def missed_lines(one: DossierContext, task: Appointment | None = None) -> Iterator[str]:
    """Yield which missed appointments need a new booking, and what another absence would cause.

    With `task`, only that appointment.
    """
    if one.dossier.state not in one.procedure.states:
        return
    awaited = one.procedure.state(one.dossier.state).waits
    for booking in one.dossier.bookings.values():
        visit = one.procedure.tasks.get(booking.appointment)
        if booking.status != "missed" or not isinstance(visit, Appointment) or visit.id not in awaited:
            continue
        if booking.start < one.dossier.entered_at:  # of an earlier visit: this one was asked again
            continue
        if task is None or visit.id == task.id:
            yield say("visit_day.missed", moment=moment_of(booking.start))
            if one.dossier.missed.get(visit.id, 0) >= visit.no_show:
                yield from absence_costs(one, visit)


def absence_costs(one: DossierContext, visit: Appointment) -> Iterator[str]:
    """Yield what an absence causes: the end of the request, after as many as its appointment says, or a state."""
    transition = circuit_of(one.procedure).transition(one.dossier.state, event_trigger("missed"), one.evaluated().scope)
    target = one.procedure.states.get(transition.target) if transition is not None else None
    again = bool(one.dossier.missed.get(visit.id))
    if target is not None and target.is_end and target.outcome != "granted":
        yield say("visit_day.last_ends") if again else say("sheet.may.missed", count=visit.no_show + 1)
    elif target is not None and again:
        yield say("visit_day.last", state=label(target.label))
