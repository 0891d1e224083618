"""Proof P9: each required appointment has a slot, and each role has a possible holder.

Arithmetic on the directory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations
from typing import Final

from engine.core.problems import Fact, Problem, problem
from engine.core.values import Span
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import FunctionCall, If, Name, Node, Or
from engine.model import APPLICANT, SYSTEM, Appointment, Form, Hours, NamedElement, Procedure, Transition
from engine.model.directory import Calendar, Office
from engine.model.graph import acts_from, is_timed
from engine.model.types import Constant
from engine.prover.checks.branches import MUST_LEAD_ON, all_shut
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.solver.witness_facts import facts_of

_MOST_DAYS: Final = 400
_MOST_HOLDERS: Final = 4  # holders of a role that earlier acts may all exclude
_TRIED: Final = 7  # days of start tried: a failure on one day of the week only is no fault
_AT_ONCE: Final = Span(0, "day")
_MINUTES: Final = {"minute": 1, "hour": 60}


def unreachable_visits(places: ProofContext, day: date) -> Iterator[Problem]:
    """Yield P9 for each appointment without a slot between lead and horizon in one of its offices.

    Seven days from `day` are tried. All slots are assumed free.
    """
    for visit in places.procedure.appointments():
        for office in _offices(places, visit):
            if not any(_has_slot(visit, office, day + timedelta(days=ahead), places) for ahead in range(_TRIED)):
                fault, facts = "slot", {"lead": str(visit.lead), "horizon": str(visit.horizon)}
                if _has_slot(replace(visit, lead=_AT_ONCE), office, day, places):
                    fault = "lead"  # the office is open, but not between lead and horizon
                yield problem("P9", visit.where, at=visit.id, name=visit.id, fault=fault, office=office.id, **facts)
                break


def roles_without_holder(places: ProofContext) -> Iterator[Problem]:
    """Yield P9 for each role without seats, at its first use. Unknown roles are no fault here."""
    reported: set[str] = set()
    for thing, key in _roles(places.procedure):
        role = places.definition.directory.role(key)
        if role is not None and role.seats < 1 and key not in reported:
            reported.add(key)
            yield problem("P9", thing.where, at=thing.id, name=thing.id, fault="role", role=key)


def second_eyes_without_holder(places: ProofContext) -> Iterator[Problem]:
    """Yield P9 for a state where all acts that some answers open exclude every holder of their role."""
    procedure = places.procedure
    for state in procedure.states.values():
        leaving = procedure.leaving.get(state.id, ())
        timed = any(transition.event in MUST_LEAD_ON for transition in leaving) or is_timed(procedure, state.id)
        acts = acts_from(procedure, state.id)
        if not acts or timed or state.is_end:
            continue
        alone = {transition.id: role for transition in acts if (role := _alone(places, transition)) is not None}
        query = all_shut(places, [transition for transition in acts if transition.id not in alone])
        if not alone or (query is None and len(alone) < len(acts)):
            continue
        facts: dict[str, Fact] = {}
        if query is not None:
            query = replace(query, holds=_when_taken(procedure, [one for one in acts if one.id in alone]))
            answer = places.prover.example(query)
            if answer.verdict != "yes":
                yield from [not_proved("P9", state)] if answer.verdict == "unknown" else ()
                continue
            facts = facts_of(places.definition, answer.witness, [*query.holds, *query.fails])
        first = next(one for one in acts if one.id in alone)
        yield problem("P9", first.where, at=first.id, name=first.id, fault="eyes", state=state.id,
                      role=min(alone.values()), **facts)  # fmt: skip


def _when_taken(procedure: Procedure, acts: Sequence[Transition]) -> tuple[Node, ...]:
    """The conditions under which the acts that these exclude are taken: one of the conditions of each."""
    found: list[Node] = []
    for excluded in dict.fromkeys(one for act in acts for one in act.other_than):
        guards = [tree(one.when) for one in procedure.transitions if one.id == excluded]
        found += [Or(tuple(guards))] if guards else []
    return tuple(found)


def _alone(places: ProofContext, transition: Transition) -> str | None:
    """A role that an act needs, when earlier acts may exclude every holder of all its roles.

    As many acts of different persons as hold a role exclude them all. With `same_as` it is one person, whom one earlier
    act may exclude.
    """
    seats: dict[str, int] = {}
    for role in transition.by:
        held = places.definition.directory.role(role)
        if held is None or not 1 <= held.seats <= _MOST_HOLDERS:
            return None
        seats[role] = held.seats
    if not seats:
        return None
    if transition.same_as is not None and _may_be_one(places.procedure, transition.same_as, transition.other_than):
        return transition.by[0]
    parts = tuple(part for one in transition.other_than for part in _parts(places.procedure, one))
    return transition.by[0] if _exclude(places.procedure, parts, tuple(seats.items())) else None


def _exclude(procedure: Procedure, acts: tuple[str, ...], seats: tuple[tuple[str, int], ...]) -> bool:
    """Return whether these acts may have been taken by every holder of these roles, each act by one person."""
    if not seats:
        return True
    (role, count), *others = seats
    taken = (one for one in acts if role in _persons(procedure, one))
    return any(
        _are_different(procedure, found)
        and _exclude(procedure, tuple(one for one in acts if one not in found), tuple(others))
        for found in combinations(taken, count)
    )


def _parts(procedure: Procedure, act_or_task: str) -> tuple[str, ...]:
    """The services of a round, each of which excludes a person. Else the act or task itself."""
    task = procedure.tasks.get(act_or_task)
    services = tuple(one.id for one in task.services) if isinstance(task, Form) else ()
    return services or (act_or_task,)


def _may_be_one(procedure: Procedure, first: str, excluded: tuple[str, ...]) -> bool:
    """Return whether the only person who may take an act may have taken one that excludes them."""
    takers = _persons(procedure, first)
    return any(takers & _persons(procedure, one) and not _are_different(procedure, (first, one)) for one in excluded)


def _are_different(procedure: Procedure, acts: tuple[str, ...]) -> bool:
    """Return whether each of these acts excludes the persons of the others, so that no person takes two of them."""
    others = {one.id: one.other_than for one in procedure.transitions}
    return all(one in others.get(two, ()) or two in others.get(one, ()) for one, two in combinations(acts, 2))


def _persons(procedure: Procedure, act_or_task: str) -> frozenset[str]:
    """The roles that may have taken an act or done a task."""
    taken = {role for transition in procedure.transitions if transition.id == act_or_task for role in transition.by}
    round_ = procedure.round_of(act_or_task)
    task = (round_.service(act_or_task) if round_ is not None else None) or procedure.tasks.get(act_or_task)
    filled = {role for transition in procedure.transitions if transition.fills == act_or_task for role in transition.by}
    return frozenset(taken | filled | set(task.by if task is not None else ()))


def _roles(procedure: Procedure) -> Iterator[tuple[NamedElement, str]]:
    for state in procedure.states.values():
        yield from ((state, key) for key in (*state.by, *([state.escalate] if state.escalate else [])))
    for transition in procedure.transitions:
        yield from ((transition, key) for key in transition.by if key not in (APPLICANT, SYSTEM))
    for task in procedure.tasks.values():
        yield from ((task, key) for key in task.by)
        if isinstance(task, Appointment) and task.proposed_by is not None:
            yield task, task.proposed_by
    for output in procedure.outputs.values():
        if output.signed_by is not None:
            yield output, output.signed_by
    for notice in procedure.notices:
        yield notice, notice.to


# -- offices of an appointment -----------------------------------------------------------------------------------------


def _offices(places: ProofContext, visit: Appointment) -> tuple[Office, ...]:
    """The offices that the appointment may use: its own, else that of the dossier."""
    directory, agency = places.definition.directory, places.procedure.identity.agency
    said = visit.office or places.procedure.office
    codes = _worth(places, tree(said)) if said is not None else None
    if codes is None:
        return directory.offices_of(agency)[:1]
    return tuple(directory.offices[code] for code in sorted(codes) if code in directory.offices)


def _worth(places: ProofContext, node: Node) -> frozenset[str] | None:
    """The offices that an expression may give, None when they cannot be listed."""
    match node:
        case Constant(value=str(code)):
            return frozenset({code})
        case Name(id=name) if name in places.definition.fields:
            return places.definition.codes_of(places.definition.fields[name])
        case If(then=then, otherwise=otherwise):
            branches = (_worth(places, then), _worth(places, otherwise))
            return None if None in branches else frozenset[str]().union(*(one for one in branches if one))
        case FunctionCall(function="otherwise", arguments=arguments):
            found = [_worth(places, one) for one in arguments]
            return None if None in found else frozenset[str]().union(*(one for one in found if one))
        case FunctionCall(function="office_serving"):
            directory, agency = places.definition.directory, places.procedure.identity.agency
            serving = (directory.office_serving(place, agency) for place in places.definition.places)
            return frozenset(office for office in serving if office is not None) or None
    return None


# -- slots -------------------------------------------------------------------------------------------------------------


def _has_slot(visit: Appointment, office: Office, today: date, places: ProofContext) -> bool:
    """Return whether there is a slot between the lead and the horizon, if all are free."""
    if visit.quota is not None and visit.quota < 1:
        return False
    calendar = places.definition.directory.calendar
    first, last = _moved(today, visit.lead, calendar), _moved(today, visit.horizon, calendar)
    last = min(last, first + timedelta(days=_MOST_DAYS))
    length = visit.lasts.count * _MINUTES.get(visit.lasts.unit, 1440)
    while first <= last:
        if any(hours.end - hours.start >= length for hours in _openings(visit, office, first, calendar)):
            return True
        first += timedelta(days=1)
    return False


def _openings(visit: Appointment, office: Office, day: date, calendar: Calendar) -> Iterator[Hours]:
    open_hours = office.hours.get(day.weekday(), ())
    closed = day in calendar.holidays or office.closure_on(day) is not None
    if closed or (visit.weekdays and day.weekday() not in visit.weekdays):
        return
    for open_ in open_hours:
        for asked in visit.hours or (open_,):
            yield Hours(max(open_.start, asked.start), min(open_.end, asked.end))


def _moved(day: date, span: Span, calendar: Calendar) -> date:
    if span.working and span.unit == "day":
        return calendar.add_working_days(day, span.count)
    days = {"day": 1, "week": 7, "month": 30, "year": 365}.get(span.unit)
    return day + timedelta(days=span.count * days if days else span.count * _MINUTES.get(span.unit, 1) // 1440)
