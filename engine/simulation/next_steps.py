"""Possible next steps of a dossier, as steps of a scenario.

Available actions, tasks of the state, time. Successful steps precede failing ones: the first of each
kind follows the regular path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.core.clock import ZONE, local_day
from engine.core.problems import Refusal, refusal
from engine.core.values import Plain, Span
from engine.domain.common.task_parts import OPINIONS, parts_left
from engine.domain.common.working_time import add_span
from engine.domain.fields.scope import scope_of
from engine.domain.forms.sample_answers import example_filling
from engine.domain.workflow.available_actions import correctable_fields
from engine.domain.workflow.due_dates import held_bookings
from engine.domain.workflow.state_machine import circuit_of
from engine.domain.workflow.tasks import open_tasks
from engine.model import (
    APPLICANT,
    APPLICATION,
    SYSTEM,
    Appointment,
    Fee,
    Field,
    Form,
    Link,
    Procedure,
    Step,
    Task,
    Transition,
)
from engine.model.roles import role_key
from engine.model.types import Constant
from engine.records.dossier import Actor, Dossier
from engine.services.applications.casework import offers
from engine.services.appointments.bookings import slots
from engine.services.context.app_context import NotFound
from engine.services.payments.payments import least_owed, owed
from engine.simulation.player import ScenarioRun

SECOND: Final = "second"  # the person who acts where a second agent is required
FAR: Final = timedelta(days=20_000)
_MOST_WAITED: Final = 20_000  # days
QUIET: Final = ("remind", "reminder", "before", "draft", "instalment")  # prefixes of timers that change no state
_SAID_OF_LINKS: Final = ("granted", "refused")
_PAYMENTS: Final = ("failed", "expired")
_VARIED: Final = frozenset({"yes_no", "choice", "radio"})
_COUNTED: Final = frozenset({"integer", "money"})  # tried at both limits
_MOST_VARIANTS: Final = 6


@dataclass(frozen=True, slots=True)
class BlockedStep:
    """Something the state waits for that no person could do: the action or task, and why."""

    name: str
    because: Refusal


class NextSteps:
    """The next steps of one dossier.

    `wishes` are answers wanted in later forms; `reason` is what agents write.
    """

    def __init__(self, reported: ScenarioRun, wishes: Mapping[str, Plain], reason: str) -> None:
        self.run, self.wishes, self.reason = reported, wishes, reason
        self.procedure, self.office = reported.procedure, reported.stage.office
        self.dossier: Dossier = reported.stage.dossier(reported.dossier.id) if reported.dossier else _nothing()
        self.scope = scope_of(self.procedure, self.dossier, self.office.day(), self.office.directory)
        self.shut: list[BlockedStep] = []

    def steps(self) -> list[Step]:
        """Return every step: tasks, then actions, then time."""
        if self.dossier.is_draft or self.dossier.state not in self.procedure.states:
            return []
        found = [step for task in self._open() for step in self._task(task)]
        found += [step for booking in held_bookings(self.dossier) for step in self._visit(booking.appointment)]
        found += self._acts()
        found += self._time()
        return list({repr((one.verb, one.value, one.options)): one for one in found}.values())

    def without_holder(self) -> Iterator[BlockedStep]:
        """Yield the awaited forms and opinions none of whose roles has a holder: unknown in the directory,
        or without seats.
        """
        for task in self._open():
            if isinstance(task, Form):
                persons = [task.by, *(one.by for one in task.services if one.id not in self.dossier.done)]
                for roles in persons:
                    if roles and not any(self._is_held(role) for role in roles):
                        yield BlockedStep(task.id, refusal("no_role", roles=tuple(roles)))

    def _is_held(self, role: str) -> bool:
        known = self.office.directory.role(role_key(self.procedure, role))
        return role in (APPLICANT, SYSTEM) or (known is not None and known.seats > 0)

    def _open(self) -> tuple[Task, ...]:
        return open_tasks(self.procedure, self.dossier, self.scope)

    # -- actions -------------------------------------------------------------------------------------------------------

    def _acts(self) -> Iterator[Step]:
        for name, transitions in circuit_of(self.procedure).acts.get(self.dossier.state, {}).items():
            closed: Refusal | None = None
            opened = False
            for role in transitions[0].by:
                for who in ("", SECOND) if role != APPLICANT else ("",):
                    because = self._closed(name, role, who)
                    if because is None:
                        opened = True
                        yield from self._taken(transitions[0], role if role != transitions[0].by[0] else "", who)
                        break
                    closed = because
                    if because.code not in ("four_eyes", "same_as"):
                        break
            if not opened and closed is not None:
                self.shut.append(BlockedStep(name, closed))

    def _closed(self, name: str, role: str, who: str) -> Refusal | None:
        try:
            known = offers(self.office, self._person(role, who), self.dossier.id)
        except NotFound:
            return refusal("role")
        offer = next((one for one in known if one.transition.id == name), None)
        return offer.closed if offer is not None else refusal("role")

    def _person(self, role: str, who: str = "") -> Actor:
        return self.run.stage.person(role if role == APPLICANT else role_key(self.procedure, role), who)

    def _taken(self, transition: Transition, role: str, who: str) -> Iterator[Step]:
        options: dict[str, Plain] = {**({"as": role} if role else {}), **({"who": who} if who else {})}
        if "reason" in transition.asks or "correction" in transition.asks:
            options["reason"] = self.reason
        if "correction" in transition.asks:
            fields = [self.procedure.fields[one] for one in correctable_fields(self.procedure, transition, self.scope)]
            easy = sorted(fields, key=lambda field: field.type in ("evidence", "file", "photo", "rows"))
            if not easy:
                return
            options["fields"] = [easy[0].id]
        for filling in self._fillings(transition.fills):
            yield _step("take", transition.id, {**options, **({"with": filling} if filling else {})})

    def _fillings(self, form_id: str | None) -> Iterator[dict[str, Plain]]:
        """Yield fillings of a form: as wished, then each answer that transitions depend on."""
        form = self.procedure.tasks.get(form_id or "")
        fields = form.fields if isinstance(form, Form) else ()
        asked = form.asked.fields if isinstance(form, Form) and form.asked else ()
        names = {field.id for field in (*fields, *asked)}
        wished = {name: plain for name, plain in self.wishes.items() if name in names}
        yield wished
        turning = frozenset().union(*(transition.when.names for transition in self.procedure.transitions))
        turning |= {name for one in fields if one.id in turning and one.value for name in one.value.names}
        variants = [
            {**wished, field.id: value} for field in fields if field.id in turning for value in _values_of(field)
        ]
        yield from (one for one in variants[:_MOST_VARIANTS] if one != wished)

    # -- tasks ---------------------------------------------------------------------------------------------------------

    def _task(self, task: Task) -> Iterator[Step]:
        if isinstance(task, Fee):
            yield from self._pay()
        elif isinstance(task, Appointment):
            yield from self._book(task)
        elif isinstance(task, Link):
            yield from (_step("linked", {task.id: end}) for end in _SAID_OF_LINKS)
        elif isinstance(task, Form) and task.register is not None:
            yield from self._look_up(task)
        elif isinstance(task, Form) and task.id == APPLICATION:
            yield from self._correct()
        elif isinstance(task, Form) and task.services:
            left = parts_left(task, self.dossier, self.scope)
            yield from (_step("opinion", {one: said}) for one in left for said in self._wished_first(one, OPINIONS))
        elif isinstance(task, Form):
            yield from self._fill(task)

    def _look_up(self, task: Form) -> Iterator[Step]:
        """Yield the answers of a register: each one that transitions depend on, or not found."""
        day, directory = self.office.day(), self.office.directory
        for result in self._wished_first(task.id, ("found", "not_found")):
            for given in self._fillings(task.id) if result == "found" else ():
                reported = example_filling(self.procedure, task.id, self.dossier, given, day, directory)
                yield _step("look_up", {task.id: reported or result})
            if result != "found":
                yield _step("look_up", {task.id: result})

    def _wished_first(self, name: str, choices: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(choices, key=lambda one: one != self.wishes.get(name)))

    def _pay(self) -> Iterator[Step]:
        stage = self.run.stage
        due = sum(one.left for one in owed(stage.office, stage.applicant, self.dossier.id))
        least = least_owed(stage.office, stage.applicant, self.dossier.id)
        if due:
            yield _step("pay", due)
            if least != due:
                yield _step("pay", least)
            yield from (_step("pay", due, {"ends": end}) for end in _PAYMENTS)

    def _book(self, task: Appointment) -> Iterator[Step]:
        person = self._person(task.proposed_by or APPLICANT)
        held = self.dossier.bookings.get(task.id)
        if held is not None and held.status == "booked":
            return
        place = self.run.office_of(task.id) or None
        sheet = slots(self.office, person, self.dossier.id, task.id, office_id=place, limit=1)
        first = sheet.first_free
        if first is None or sheet.because is not None:
            self.shut.append(BlockedStep(task.id, sheet.because or refusal("no_slot")))
            return
        yield _step("book", {task.id: first.start.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")})

    def _visit(self, appointment: str) -> Iterator[Step]:
        if appointment in self.procedure.tasks:
            yield from (_step("visit", end) for end in ("attended", "missed"))

    def _fill(self, form: Form) -> Iterator[Step]:
        roles = tuple(one for one in form.by if one != SYSTEM)
        for role in roles:
            options: dict[str, Plain] = {"as": role} if role != roles[0] else {}
            if form.each is not None:
                yield _step("do", form.id, options)
                left = len(parts_left(form, self.dossier, self.scope))
                choices = [field for field in form.fields if field.type == "yes_no"]
                yield from (
                    _step("do", form.id, {**options, "rows": [{field.id: value} for _ in range(left)]})
                    for field in choices
                    for value in (True, False)
                )  # fmt: skip
                continue
            for filling in self._fillings(form.id):
                yield _step("do", form.id, {**options, **({"with": filling} if filling else {})})

    def _correct(self) -> Iterator[Step]:
        asked = self.dossier.correction.fields if self.dossier.correction else {}
        if asked:
            kept = {name: self.dossier.answers.get(name) for name in asked}
            yield _step("correct", {name: _as_written(self.procedure.fields[name], one) for name, one in kept.items()})

    # -- time ----------------------------------------------------------------------------------------------------------

    def _time(self) -> Iterator[Step]:
        """Yield a wait until the next timer that changes the state."""
        now, ahead = self.office.now(), self.falls_due()
        if ahead:
            yield _step("wait", waiting(now, ahead[0][1], self.run))

    def falls_due(self) -> list[tuple[str, datetime]]:
        """Return the timers that change something with their times, the nearest first; reminders are left out."""
        with self.office.store.unit() as unit:
            timers = unit.due_timers(self.office.now() + FAR, 50)
        return [
            (one.name, one.due_at)
            for one in timers
            if one.dossier == self.dossier.id and not one.name.startswith(QUIET)
        ]


def waiting(now: datetime, until: datetime, reported: ScenarioRun) -> str:
    """Return the wait of a scenario that passes a moment: `31 days`, or hours when it is near."""
    calendar = reported.stage.office.directory.calendar
    hours = max(1, int((until - now).total_seconds() // 3600) + 1)
    if hours < 24:
        return f"{hours} hours" if hours > 1 else "1 hour"
    days = max(1, (local_day(until) - local_day(now)).days)
    while days < _MOST_WAITED and add_span(now, Span(days, "day"), calendar) < until:
        days += 1
    return f"{days} days" if days > 1 else "1 day"


def _values_of(field: Field) -> Iterable[Plain]:
    if field.type == "yes_no":
        return (True, False)
    if field.type in _COUNTED:
        ends = (field.bounds.minimum, field.bounds.maximum)
        values = (one.node.value for one in ends if one is not None and isinstance(one.node, Constant))
        return tuple(one for one in values if isinstance(one, int))
    return tuple(option.code for option in field.options) if field.type in _VARIED else ()


def _as_written(field: Field, kept: Plain) -> Plain:
    """Return an answer as a scenario writes it: evidence by its name, anything else as stored."""
    if field.type == "evidence" and isinstance(kept, dict):
        return str(kept.get("is") or "provided.pdf")
    return ["provided.pdf"] if field.type in ("file", "photo") else kept


def _step(verb: str, value: Plain, options: Mapping[str, Plain] | None = None) -> Step:
    return Step(verb, value, dict(options or {}), None, {})


def _nothing() -> Dossier:
    raise LookupError("no dossier yet")


def roles_named(procedure: Procedure) -> tuple[str, ...]:
    """Return the roles that may act, the applicant first, in the order of the definition."""
    tasks = (role for task in procedure.tasks.values() for role in task.by)
    services = (role for form in procedure.forms() for one in form.services for role in one.by)
    transitions = (role for transition in procedure.transitions for role in transition.by)
    proposed = (one.proposed_by for one in procedure.appointments() if one.proposed_by)
    named = (role_key(procedure, role) for role in (*transitions, *tasks, *services, *proposed))
    return (APPLICANT, *dict.fromkeys(role for role in named if role not in (APPLICANT, SYSTEM)))
