"""P10: the announced delay can be kept. The longest way from the first state to a granted document, counting only the
administration's time, against `delay`; in working days, of which seven days hold five."""

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
from engine.model.graph import edges, waits_for_applicant
from engine.model.types import TRUE, Constant, Expression
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.checks.paths import Path, TooManyPaths, paths
from engine.prover.solver.solver import Query
from engine.prover.solver.witness_facts import facts_of

_MOST_TRIED: Final = 40
_DAY: Final = Fraction(5, 7)  # a day of the calendar, in working days
_UNITS: Final = {
    "minute": _DAY / 1440, "hour": _DAY / 24, "day": _DAY, "week": Fraction(5), "month": _DAY * 365 / 12,
    "year": _DAY * 365,
}  # fmt: skip
_WORKING: Final = {"hour": Fraction(1, 7), "day": Fraction(1)}  # seven hours of open doors a day


def working_days(span: Span) -> Fraction:
    """A length of time in working days."""
    return span.count * (_WORKING if span.working else _UNITS).get(span.unit, Fraction(0))


@dataclass(frozen=True, slots=True)
class Journey:
    """A path to a granted document and the administration's time on it."""

    path: Path
    takes: Fraction


def delays_that_cannot_be_kept(places: ProofContext) -> Iterator[Problem]:
    """The longest journey that some answers open, against the delay announced for these answers."""
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
    """Each state once. What follows an end (an appeal) is another matter than the first answer."""
    granting = {output.id for output in procedure.outputs.values() if output.grants}
    for path in paths(
        procedure,
        lambda way: _grants(procedure, way, granting) and not _from_end(procedure, way),
        lambda way: not _from_end(procedure, way),
    ):
        yield Journey(path, _time_on(procedure, path))


def _grants(procedure: Procedure, way: Transition, granting: set[str]) -> bool:
    state = procedure.states[way.target]
    return bool({*way.effects.issues, *state.effects.issues} & granting)


def _from_end(procedure: Procedure, way: Transition) -> bool:
    return procedure.states[way.source].is_end


def _time_on(procedure: Procedure, path: Path) -> Fraction:
    """The sum of the times of the states left; those a legal clock runs in count no longer than it does."""
    times = {way.source: _time_in(procedure, procedure.states[way.source]) for way in path.ways}
    for clock in sorted(procedure.clocks.values(), key=lambda one: len(one.runs_in)):
        left = _longest(clock.lasts)
        for state in times if left else ():
            if state in clock.runs_in:
                times[state] = min(times[state], left)
                left -= times[state]
    return sum(times.values(), Fraction(0))


def _time_in(procedure: Procedure, state: State) -> Fraction:
    """How long the administration may keep a dossier in a state; nothing where the applicant is waited for."""
    if state.mode == "wait":
        return _longest(state.wait)
    if state.public == "ready" or state.mode in ("pay", "book", "attend", "correct"):
        return Fraction(0)
    if state.mode == "by":
        return Fraction(0) if state.by == (APPLICANT,) else _longest(state.due)
    return max((_time_of_task(procedure, task) for task in state.waits), default=Fraction(0)) or _own_time(
        procedure, state
    )


def _own_time(procedure: Procedure, state: State) -> Fraction:
    """The state's own time, when none of its tasks is the applicant's."""
    tasks = [procedure.tasks[task] for task in state.waits if task in procedure.tasks]
    return Fraction(0) if any(waits_for_applicant(task) for task in tasks) else _longest(state.due)


def _time_of_task(procedure: Procedure, task_id: str) -> Fraction:
    task = procedure.tasks.get(task_id)
    if not isinstance(task, Form) or waits_for_applicant(task) or task.due is None:
        return Fraction(0)
    return working_days(task.due)


def _longest(expression: Expression | None) -> Fraction:
    """The longest span an expression may come to; nothing for a date, which no path knows in advance."""
    if expression is None:
        return Fraction(0)
    spans = (_span(leaf) for leaf in leaves(tree(expression)))
    return max((working_days(span) for span in spans if span is not None), default=Fraction(0))


def spans_of(expression: Expression) -> tuple[Span, ...]:
    """Every span an expression may come to; none at all when it may be something no file tells: a date, an answer."""
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
    """The states of the path from which a dossier may come back to an earlier one: the time of that is not counted."""
    order = {state: at for at, state in enumerate(path.states)}
    back = {
        way.source
        for way in edges(procedure)
        if way.source in order and way.target in order and order[way.target] < order[way.source]
    }
    return tuple(state for state in path.states if state in back)
