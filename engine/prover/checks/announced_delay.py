"""Proof P10: the announced delay can be respected.

It compares `delay` with the longest path from the first state to a granted document. Only the time of the
administration counts. All lengths are in working days, five of seven days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from engine.core.problems import Fact, Problem, problem
from engine.core.values import Span
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import FunctionCall, Node, Not
from engine.language.expressions.typing import leaves
from engine.model import APPLICANT, Form, Procedure, State, Transition
from engine.model.graph import edges, issued_by, waits_for_applicant
from engine.model.types import TRUE, Constant, Expression
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
    granting = {output.id for output in procedure.outputs.values() if output.grants}
    for path in paths(
        procedure,
        lambda transition: (
            not granting.isdisjoint(issued_by(procedure, transition)) and not _from_end(procedure, transition)
        ),
        lambda transition: not _from_end(procedure, transition),
    ):
        yield Journey(path, _time_on(procedure, path))


def _from_end(procedure: Procedure, transition: Transition) -> bool:
    return procedure.states[transition.source].is_end


def _time_on(procedure: Procedure, path: Path) -> Fraction:
    """The sum of the times of the states left. States of one time limit count at most its length together."""
    times = {
        transition.source: _time_in(procedure, procedure.states[transition.source]) for transition in path.transitions
    }
    for clock in sorted(procedure.clocks.values(), key=lambda one: len(one.runs_in)):
        left = _longest(clock.lasts)
        for state in times if left else ():
            if state in clock.runs_in:
                times[state] = min(times[state], left)
                left -= times[state]
    return sum(times.values(), Fraction(0))


def _time_in(procedure: Procedure, state: State) -> Fraction:
    """The longest time of the administration in a state, 0 where the applicant is waited for."""
    if state.mode == "wait":
        return _longest(state.wait)
    if state.public == "ready" or state.mode in ("pay", "book", "attend", "correct"):
        return Fraction(0)
    if state.mode == "by":
        return Fraction(0) if state.by == (APPLICANT,) else _longest(state.due)
    return max((_time_of_task(procedure, task, state) for task in state.waits), default=Fraction(0)) or _own_time(
        procedure, state
    )


def _own_time(procedure: Procedure, state: State) -> Fraction:
    """The time of the state itself, when none of its tasks is the applicant's."""
    tasks = [procedure.tasks[task] for task in state.waits if task in procedure.tasks]
    return Fraction(0) if any(waits_for_applicant(task) for task in tasks) else _longest(state.due)


def _time_of_task(procedure: Procedure, task_id: str, state: State) -> Fraction:
    """The time of a task, from the end of those that it comes `after` in the same state."""
    task = procedure.tasks.get(task_id)
    before = (one for one in (task.after if task is not None else ()) if one in state.waits)
    begins = max((_time_of_task(procedure, one, state) for one in before), default=Fraction(0))
    if not isinstance(task, Form) or waits_for_applicant(task):
        return begins
    dues = [one.due or task.due for one in task.services] or [task.due]  # a service may have longer than its round
    return begins + max(working_days(due) if due is not None else Fraction(0) for due in dues)


def _longest(expression: Expression | None) -> Fraction:
    """The longest span that an expression may give, 0 for a date, which is not known in advance."""
    if expression is None:
        return Fraction(0)
    spans = (_span(leaf) for leaf in leaves(tree(expression)))
    return max((working_days(span) for span in spans if span is not None), default=Fraction(0))


def spans_of(expression: Expression) -> tuple[Span, ...]:
    """Return each span that an expression may give. Empty when it may give one unknown here: a date, an answer."""
    spans = [_span(leaf) for leaf in leaves(tree(expression))]
    return tuple(span for span in spans if span is not None) if None not in spans else ()


def _span(node: Node) -> Span | None:
    match node:
        case Constant(value=Span() as span):
            return span
        case FunctionCall(function=function, arguments=(Constant(value=int(count)),)) if node.type.kind == "span":
            unit, working = ("day", True) if function == "working_days" else (function.removesuffix("s"), False)
            return Span(count, unit, working)
    return None


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
