"""What is said of a visit whose hour has come, and of one that was missed: to whoever was expected."""

from __future__ import annotations

from collections.abc import Iterator

from engine.clock import local_day
from engine.definition.model import Appointment, State
from engine.records.dossier import Booking
from engine.rules.machine import circuit_of, event_trigger
from renderers.web.base import language, moment_of, office, say, site
from renderers.web.cases import Case, label


def hour_come(one: Case, booking: Booking) -> Iterator[str]:
    """Nothing before the hour; then whether they are expected yet, and what to do where nobody noted that they came."""
    now, phone = office().now(), site().settings.phone
    task = one.procedure.tasks.get(booking.appointment)
    at_home = isinstance(task, Appointment) and task.place == "applicant"
    if at_home:
        if now > booking.start:
            yield say("visit_day.late_home", phone=phone)
    elif booking.arrived_at is not None and local_day(now) == local_day(booking.start):
        yield say("visit_day.arrived", at=site().words.clock(booking.arrived_at, language()))
    elif local_day(now) > local_day(booking.start):
        yield say("visit_day.unmarked", phone=phone)
    elif now > booking.start:
        yield say("visit_day.late", phone=phone)


def missed_lines(one: Case, task: Appointment | None = None) -> Iterator[str]:
    """Which visit was missed that is to be booked again, and what another absence would do."""
    if one.dossier.state not in one.procedure.states:
        return
    state = one.procedure.state(one.dossier.state)
    for booking in one.dossier.bookings.values():
        visit = one.procedure.tasks.get(booking.appointment)
        if booking.status != "missed" or not isinstance(visit, Appointment) or visit.id not in state.waits:
            continue
        if task is None or visit.id == task.id:
            yield say("visit_day.missed", moment=moment_of(booking.start))
            yield from _last_chance(one, state, visit)


def _last_chance(one: Case, state: State, visit: Appointment) -> Iterator[str]:
    if one.dossier.missed.get(visit.id, 0) < visit.no_show:
        return
    scope = one.standing().scope
    way = circuit_of(one.procedure).way(state.id, event_trigger("missed"), scope)
    target = one.procedure.states.get(way.target) if way is not None else None
    if target is not None:
        yield say("visit_day.last", state=label(target.label))
