"""Proof P10: the announced delay can be respected.

It compares `delay` with the longest path from the first state to a granted document or end. Only the time of the
administration counts, also up to a date counted from the sending. All lengths are in working days, five of seven days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from engine.core.problems import Fact, Problem, problem
from engine.core.values import Span
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Ambient, Arithmetic, FunctionCall, If, Lookup, Name, Node, Not
from engine.language.expressions.typing import leaves
from engine.model import APPLICANT, Appointment, Form, Procedure, State, Transition
from engine.model.graph import edges, is_ended_by, is_timed, issued_by, waits_for_applicant
from engine.model.tasks import LOOK_UP_DUE
from engine.model.types import DATE, TRUE, Constant, Expression
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.checks.paths import Path, TooManyPaths, paths
from engine.prover.solver.solver import Query
from engine.prover.solver.witness_facts import facts_of

_MOST_TRIED: Final = 40
_DAY: Final = Fraction(5, 7)  # a calendar day, in working days
_UNITS: Final = {
    "minute": _DAY / 1440, "hour": _DAY / 24, "day": _DAY, "week": Fraction(5), "month": _DAY * 365 / 12,
    "year": _DAY * 365,
}  # fmt: skip
_KNOWN_DAYS: Final = ("submitted_on", "today")
_WORKING: Final = {"hour": Fraction(1, 7), "day": Fraction(1)}  # seven opening hours a day


def working_days(span: Span) -> Fraction:
    """Return the length of a span in working days."""
    return span.count * (_WORKING if span.working else _UNITS).get(span.unit, Fraction(0))


@dataclass(frozen=True, slots=True)
class Journey:
    """A path to a granted document and the administration's time on it, in working days."""

    path: Path
    takes: Fraction


def delays_that_cannot_be_kept(places: ProofContext) -> Iterator[Problem]:
    """Yield P10 for the longest journey that some answers allow and that exceeds their delay."""
    procedure = places.procedure
    delay = procedure.identity.delay
    if delay.law or not delay.entries:
        return
    try:
        journeys = sorted(_journeys(procedure), key=lambda one: one.takes, reverse=True)
    except TooManyPaths:
        yield not_proved("P10", procedure.identity)
        return
    for state in _has_unknown_time(procedure):
        yield not_proved("P10", state)
    before_grant = {one.source for journey in journeys for one in journey.path.transitions}
    for state in (procedure.states[one] for one in sorted(before_grant)):
        if _ends_at_unknown_date(procedure, state):
            yield problem("V790", state.where, at=state.id, name=state.id, proof="P10", fault="date")
    before: tuple[Node, ...] = ()
    for when, span in delay.entries:
        here = (*before, *((tree(when),) if when != TRUE else ()))
        yield from _late(places, journeys, span, here)
        before = (*before, Not(tree(when)))


def _late(places: ProofContext, journeys: list[Journey], span: Span, here: tuple[Node, ...]) -> Iterator[Problem]:
    longer = [one for one in journeys if one.takes > working_days(span)]
    unknown = len(longer) > _MOST_TRIED
    for one in longer[:_MOST_TRIED]:
        query: Query = one.path.query(*here)
        answer = places.prover.example(query)
        unknown = unknown or answer.verdict == "unknown"
        if answer.verdict == "yes":
            facts: dict[str, Fact] = {"given": ceil(working_days(span)), "days": ceil(one.takes)}
            facts |= {"cycles": cycles} if (cycles := _cycles(places.procedure, one.path)) else {}
            facts |= facts_of(places.definition, answer.witness, query.holds)
            identity = places.procedure.identity
            where = identity.delay.where if identity.delay.where.line else identity.where
            yield problem("P10", where, at="delay", name="delay", path=one.path.states, **facts)
            return
    if unknown:
        yield not_proved("P10", places.procedure.identity)


def _journeys(procedure: Procedure) -> Iterator[Journey]:
    """The journeys that pass each state at most once. Transitions from an end (an appeal) are left out."""
    for path in paths(
        procedure,
        lambda transition: _grants(procedure, transition) and not _from_end(procedure, transition),
        lambda transition: not _from_end(procedure, transition),
    ):
        yield Journey(path, max(_time_on(procedure, path), _least_lead(procedure, path)))


def _least_lead(procedure: Procedure, path: Path) -> Fraction:
    """The longest `lead` of a visit that the path waits for: the path takes as long at least."""
    left = (procedure.states[one.source] for one in path.transitions if one.event in ("done", "booked"))
    visits = (procedure.tasks.get(task) for state in left for task in state.waits)
    leads = [working_days(one.lead) for one in visits if isinstance(one, Appointment) and one.when == TRUE]
    return max(leads, default=Fraction(0))


def _grants(procedure: Procedure, transition: Transition) -> bool:
    """Return whether a transition issues a document that grants a right, or enters a granted end.

    Where no document grants one, a state that the public reads as accepted counts too.
    """
    granting = {output.id for output in procedure.outputs.values() if output.grants}
    target = procedure.states[transition.target]
    granted = target.outcome == "granted" or (not granting and target.public == "accepted")
    return granted or not granting.isdisjoint(issued_by(procedure, transition))


def _from_end(procedure: Procedure, transition: Transition) -> bool:
    return procedure.states[transition.source].is_end


def _time_on(procedure: Procedure, path: Path) -> Fraction:
    """The sum of the times of the states left. States of one time limit count at most its length together."""
    times = {
        transition.source: _time_in(procedure, procedure.states[transition.source]) for transition in path.transitions
    }
    for clock in sorted(procedure.clocks.values(), key=lambda one: len(one.runs_in)):
        left = _longest(procedure, clock.lasts)
        for state in times if left else ():
            if is_ended_by(procedure, state, clock):
                times[state] = min(times[state], left)
                left -= times[state]
    spent = Fraction(0)
    for state, own in times.items():
        spent += max(own, _from_sending(procedure, procedure.states[state], own) - spent)
    return spent


def _from_sending(procedure: Procedure, state: State, own: Fraction) -> Fraction:
    """The longest time from the sending to the end of a state, where its limit is a date counted from the sending. Else 0."""
    timed = is_timed(procedure, state.id)
    limit = _limit(procedure, state, own)
    return Fraction(0) if timed or limit is None else _longest_of(procedure, _added_to("submitted_on", limit))


def _limit(procedure: Procedure, state: State, own: Fraction) -> Expression | None:
    """The time limit of the administration in a state. None where the applicant is waited for, or where tasks have theirs."""
    if state.mode == "wait":
        return state.wait
    if state.mode == "by":
        return None if state.public == "ready" or state.by == (APPLICANT,) else state.due
    waited = (procedure.tasks[task] for task in state.waits if task in procedure.tasks)
    return None if own or state.mode == "correct" or any(map(waits_for_applicant, waited)) else state.due


def _added_to(day: str, expression: Expression) -> Iterator[Node]:
    """The lengths of time that an expression adds to a day that the system knows."""
    for leaf in leaves(tree(expression)):
        if isinstance(leaf, Arithmetic) and leaf.operator == "+" and leaf.left == Ambient(day, DATE):
            yield leaf.right


def _time_in(procedure: Procedure, state: State) -> Fraction:
    """The longest time of the administration in a state, 0 where the applicant is waited for."""
    if state.mode == "wait":
        return _longest(procedure, state.wait)
    if state.public == "ready" or state.mode in ("pay", "book", "attend", "correct"):
        return Fraction(0)
    if state.mode == "by":
        return Fraction(0) if state.by == (APPLICANT,) else _longest(procedure, state.due)
    return max((_time_of_task(procedure, task, state) for task in state.waits), default=Fraction(0)) or _own_time(
        procedure, state
    )


def _own_time(procedure: Procedure, state: State) -> Fraction:
    """The time of the state itself, when none of its tasks is the applicant's."""
    tasks = [procedure.tasks[task] for task in state.waits if task in procedure.tasks]
    return Fraction(0) if any(waits_for_applicant(task) for task in tasks) else _longest(procedure, state.due)


def _time_of_task(procedure: Procedure, task_id: str, state: State) -> Fraction:
    """The time of a task, from the end of those that it comes `after` in the same state. Without a time, that of the state."""
    task = procedure.tasks.get(task_id)
    before = (one for one in (task.after if task is not None else ()) if one in state.waits)
    begins = max((_time_of_task(procedure, one, state) for one in before), default=Fraction(0))
    if not isinstance(task, Form) or waits_for_applicant(task):
        return begins
    dues = [one.due or task.due for one in task.services] or [task.due]  # a service may have longer than its round
    if task.register is not None:
        dues = [task.due or LOOK_UP_DUE]
    known = [working_days(due) for due in dues if due is not None]
    return begins + max(known) if known else max(begins, _own_time(procedure, state))


def _longest(procedure: Procedure, expression: Expression | None) -> Fraction:
    """The longest span that an expression may give, 0 for a date that is not known in advance."""
    if expression is None:
        return Fraction(0)
    return _longest_of(procedure, (*leaves(tree(expression)), *_added_to("today", expression)))


def _longest_of(procedure: Procedure, nodes: Iterable[Node]) -> Fraction:
    spans = (_span(node, procedure) for node in nodes)
    return max((working_days(span) for span in spans if span is not None), default=Fraction(0))


def _has_unknown_time(procedure: Procedure) -> Iterator[State]:
    """Yield the states whose time is a number of days without a known maximum."""
    for state in procedure.states.values():
        limits = [one for one in (state.due, state.wait) if one is not None]
        nodes = [leaf for one in limits for leaf in leaves(tree(one))]
        nodes += [node for one in limits for day in _KNOWN_DAYS for node in _added_to(day, one)]
        if any(node.type.kind == "span" and _span(node, procedure) is None for node in nodes):
            yield state


def _ends_at_unknown_date(procedure: Procedure, state: State) -> bool:
    """Return whether the time of the administration in a state ends at a date that is not counted, such as a typed one."""
    limit = _limit(procedure, state, _time_in(procedure, state))
    if limit is None or is_timed(procedure, state.id):
        return False
    known = [Ambient(day, DATE) for day in _KNOWN_DAYS]
    dates = (leaf for leaf in leaves(tree(limit)) if leaf.type == DATE)
    return any((one.left if isinstance(one, Arithmetic) else one) not in known for one in dates)


def spans_of(expression: Expression) -> tuple[Span, ...]:
    """Return each span that an expression may give. Empty when it may give one unknown here: a date, an answer."""
    spans = [_span(leaf) for leaf in leaves(tree(expression))]
    return tuple(span for span in spans if span is not None) if None not in spans else ()


def _span(node: Node, procedure: Procedure | None = None) -> Span | None:
    """The span that a node gives, the longest one of a procedure if it is given. None for another value."""
    match node:
        case Constant(value=Span() as span):
            return span
        case FunctionCall(function=function, arguments=(number,)) if node.type.kind == "span":
            count = _most(procedure, number) if procedure is not None else getattr(number, "value", None)
            unit, working = ("day", True) if function == "working_days" else (function.removesuffix("s"), False)
            return Span(count, unit, working) if isinstance(count, int) else None
    return None


def _most(procedure: Procedure, node: Node) -> int | None:
    """The largest whole number that a node may give: that of a table, or the maximum of a question. None if unknown."""
    match node:
        case Constant(value=int(number)):
            return number
        case If(then=then, otherwise=otherwise):
            found = [_most(procedure, then), _most(procedure, otherwise)]
        case Lookup(table=name) if name in procedure.tables:
            table = procedure.tables[name]
            found = [one for one in (*table.rows.values(), table.otherwise) if isinstance(one, int)]
        case Name(id=name) if name in procedure.fields:
            most = procedure.fields[name].bounds.maximum
            return _most(procedure, tree(most)) if most is not None else None
        case _:
            return None
    return None if None in found else max((one for one in found if one is not None), default=None)


def _cycles(procedure: Procedure, path: Path) -> tuple[str, ...]:
    """The states of the path with a transition back to an earlier one. That time is not counted."""
    order = {state: at for at, state in enumerate(path.states)}
    back = {
        transition.source
        for transition in edges(procedure)
        if transition.source in order
        and transition.target in order
        and order[transition.target] < order[transition.source]
    }
    return tuple(state for state in path.states if state in back)
