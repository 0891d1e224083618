"""P4: nobody gets a document around what another went through. P5: in each situation one way on, and only one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import And, Node, Not, Or, names_of
from engine.model import (
    APPLICANT,
    APPLICATION,
    Appointment,
    Fee,
    Form,
    Output,
    Procedure,
    State,
    Task,
    Transition,
)
from engine.model.graph import closure, edges
from engine.model.types import TRUE, YES_NO, Constant
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.checks.paths import Path, TooManyPaths, done_after, paths
from engine.prover.solver.solver import Query
from engine.prover.solver.witness_facts import facts_of

_MOST_TRIED: Final = 60
_MUST_LEAD_ON: Final = ("done", "booked", "missed", "due")
_ALWAYS: Final = Constant(True, YES_NO)
_SHUT: Final = Constant(False, YES_NO)

# -- P4 ----------------------------------------------------------------------------------------------------------------


def ways_around(places: ProofContext) -> Iterator[Problem]:
    for output in places.procedure.outputs.values():
        if output.grants:
            yield from _around(places, output)


def _around(places: ProofContext, output: Output) -> Iterator[Problem]:
    """For each task that some path to the document waits for, a path to it that did not go through that task."""
    procedure = places.procedure
    before = _states_before(procedure, output)
    for task in procedure.tasks.values():
        waiting = [state for state in before if task.id in procedure.states[state].waits]
        if waiting and _is_owed(task):
            yield from _without(places, output, task, before, waiting)


def _is_owed(task: Task) -> bool:
    """A fee, a visit, a round, a form that somebody fills; not the application, not what a register says."""
    if isinstance(task, Form):
        return task.id != APPLICATION and task.register is None
    return isinstance(task, (Fee, Appointment))


def _issues(procedure: Procedure, output: Output, way: Transition) -> bool:
    state = procedure.states.get(way.target)
    return output.id in way.effects.issues or (state is not None and output.id in state.effects.issues)


def _states_before(procedure: Procedure, output: Output) -> frozenset[str]:
    """The states met before the document is first issued, and from which it may still be."""
    forward: dict[str, list[str]] = {}
    backward: dict[str, list[str]] = {}
    last: set[str] = set()
    for way in edges(procedure):
        if _issues(procedure, output, way):
            last.add(way.source)
        else:
            forward.setdefault(way.source, []).append(way.target)
            backward.setdefault(way.target, []).append(way.source)
    return closure([procedure.start], forward) & closure(last, backward)


def _without(
    places: ProofContext, output: Output, task: Task, before: frozenset[str], waiting: list[str]
) -> Iterator[Problem]:
    procedure = places.procedure
    avoiding: list[Path] = []
    try:
        for path in paths(procedure, lambda way: _issues(procedure, output, way), lambda way: way.target in before):
            if not _covered(procedure, path, task.id):
                avoiding.append(path)
    except TooManyPaths:
        if not avoiding:
            yield not_proved("P4", output)
            return
    unknown = len(avoiding) > _MOST_TRIED
    for path in avoiding[:_MOST_TRIED]:
        query = path.query(tree(task.when))
        answer = places.prover.example(query)
        unknown = unknown or answer.verdict == "unknown"
        if answer.verdict == "yes":
            facts = facts_of(places.definition, answer.witness, query.holds)
            where = _turning(procedure, path, waiting, before).where
            yield problem("P4", where, at=output.id, name=output.id, task=task.id, path=path.states, **facts)
            return
    if unknown:
        yield not_proved("P4", output)


def _covered(procedure: Procedure, path: Path, task: str) -> bool:
    """The task is done at the end of the path, or a way declared that it does without (`without`)."""
    covered = False
    for way in path.ways:
        done = task in done_after(procedure, way, frozenset({task} if covered else ()))
        covered = done or task in way.without
    return covered


def _turning(procedure: Procedure, path: Path, waiting: list[str], before: frozenset[str]) -> Transition:
    """The way where the path leaves behind every state that waits for the task: the line to mend."""
    backward: dict[str, list[str]] = {}
    for way in edges(procedure):
        if way.target in before:
            backward.setdefault(way.target, []).append(way.source)
    may_still = closure(waiting, backward)
    leaving = [way for way in path.ways if way.source in may_still and way.target not in may_still]
    return leaving[-1] if leaving else path.ways[-1]


# -- P5 ----------------------------------------------------------------------------------------------------------------


def cases_that_lack_or_overlap(places: ProofContext) -> Iterator[Problem]:
    """First-match lists are closed by their shape; ways written apart for one event, and acts, are put to the solver."""
    for state in places.procedure.states.values():
        groups: dict[str, dict[str, list[Transition]]] = {}
        for way in places.procedure.leaving.get(state.id, ()):
            if way.event is not None:
                groups.setdefault(way.event, {}).setdefault(way.id, []).append(way)
        for event, ways in groups.items():
            yield from _overlapping(places, state, ways)
            if event in _MUST_LEAD_ON:
                yield from _lacking(places, state, ways)
        yield from _nothing_open(places, state)


def _when(ways: Iterable[Transition]) -> Node:
    guards = tuple(tree(way.when) for way in ways)
    return guards[0] if len(guards) == 1 else Or(guards)


def _overlapping(places: ProofContext, state: State, ways: dict[str, list[Transition]]) -> Iterator[Problem]:
    for (first, ones), (second, others) in combinations(ways.items(), 2):
        query = Query((_when(ones), _when(others)), sure=places.before(others[0]))
        answer = places.prover.example(query)
        if answer.verdict == "yes":
            facts = facts_of(places.definition, answer.witness, query.holds)
            where = others[0].where
            yield problem("P5", where, at=second, state=state.id, fault="overlap", names=(first, second), **facts)
        elif answer.verdict == "unknown":
            yield not_proved("P5", others[0])


def _lacking(places: ProofContext, state: State, ways: dict[str, list[Transition]]) -> Iterator[Problem]:
    """Answers with which the event leads nowhere. A list closed by its shape needs no question."""
    if any(_is_closed(group) for group in ways.values()):
        return
    every = [way for group in ways.values() for way in group]
    query = Query((), tuple(tree(way.when) for way in every), sure=places.before(every[0]))
    answer = places.prover.example(query)
    if answer.verdict == "yes":
        facts = facts_of(places.definition, answer.witness, query.fails)
        yield problem("P5", every[-1].where, at=every[-1].id, state=state.id, fault="lack", **facts)
    elif answer.verdict == "unknown":
        yield not_proved("P5", every[-1])


def _is_closed(ways: list[Transition]) -> bool:
    """A way without condition, or the list of a `then`, `late` or `missed`."""
    return any(way.when == TRUE or "." in way.id for way in ways)


def _nothing_open(places: ProofContext, state: State) -> Iterator[Problem]:
    """Answers with which nobody of those a state waits for may act, where nothing else ever moves it."""
    procedure = places.procedure
    leaving = procedure.leaving.get(state.id, ())
    moved = any(way.event is not None for way in leaving) or any(
        state.id in clock.runs_in for clock in procedure.clocks.values()
    )
    acts = [way for way in leaving if way.event is None and (APPLICANT in state.by or set(way.by) - {APPLICANT})]
    opened = [_at_best(tree(way.when), _filled_by(places, way)) for way in acts]
    if state.mode != "by" or moved or not acts or any(node == _ALWAYS for node in opened):
        return
    query = Query((), tuple(opened), sure=places.sure[state.id])
    answer = places.prover.example(query)
    if answer.verdict == "yes":
        facts = facts_of(places.definition, answer.witness, query.fails)
        yield problem("P5", state.where, at=state.id, state=state.id, fault="closed", **facts)
    elif answer.verdict == "unknown":
        yield not_proved("P5", state)


def _filled_by(places: ProofContext, way: Transition) -> frozenset[str]:
    return frozenset(
        name for name, form in places.definition.owners.items() if way.fills is not None and form == way.fills
    )


def _at_best(node: Node, filled: frozenset[str], holds: bool = True) -> Node:
    """The condition where its own form decides as well as it can: whoever fills the form chooses those answers, so only
    the rest can keep the act shut."""
    match node:
        case And(items=items):
            parts = tuple(_at_best(one, filled, holds) for one in items)
            return _SHUT if _SHUT in parts else _joined(And, tuple(one for one in parts if one != _ALWAYS), _ALWAYS)
        case Or(items=items):
            parts = tuple(_at_best(one, filled, holds) for one in items)
            return _ALWAYS if _ALWAYS in parts else _joined(Or, tuple(one for one in parts if one != _SHUT), _SHUT)
        case Not(item=item):
            inner = _at_best(item, filled, not holds)
            return (
                {_ALWAYS: _SHUT, _SHUT: _ALWAYS}.get(inner, Not(inner)) if isinstance(inner, Constant) else Not(inner)
            )
    if names_of(node) & filled:
        return _ALWAYS if holds else _SHUT
    return node


def _joined(kind: type[And] | type[Or], parts: tuple[Node, ...], none: Node) -> Node:
    return none if not parts else parts[0] if len(parts) == 1 else kind(parts)
