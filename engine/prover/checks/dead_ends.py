"""Proof P2 with answers: a dossier that cycles for ever among states that pass without a person.

No person acts there: only time passes, or all tasks were done the first time. The graph has a path to an end, but
with these answers it is never taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import (
    Ambient,
    And,
    FunctionCall,
    Happened,
    Node,
    Not,
    Or,
    children,
    names_of,
    rebuilt,
)
from engine.language.lint.graph_rules import states_without_an_end, unreachable_states
from engine.model import Form, Procedure, State, Transition
from engine.model.corrections import corrected_by
from engine.model.graph import acts_from, edges, is_timed
from engine.model.types import TRUE
from engine.prover.checks.branches import ALWAYS, SHUT, at_best
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.solver.solver import Query
from engine.prover.solver.witness_facts import facts_of

_MOST_ROUNDS: Final = 60
_MOST_CASES: Final = 24


def rounds_without_an_end(places: ProofContext) -> Iterator[Problem]:
    """Yield P2 with answers for each state at which an endless cycle begins."""
    reported: set[str] = set()
    for at, transitions in enumerate(_rounds(places.procedure)):
        if at >= _MOST_ROUNDS:
            return
        first = places.procedure.states[transitions[0].source]
        if first.id in reported:
            continue
        sure = frozenset[str]().union(*(places.before(transition) for transition in transitions))
        query = Query(
            tuple(dict.fromkeys(tree(transition.when) for transition in transitions if transition.when != TRUE)),
            sure=sure,
        )
        answer = places.prover.example(query)
        if answer.verdict == "yes":
            reported.add(first.id)
            facts = facts_of(places.definition, answer.witness, query.holds)
            trap = tuple(transition.source for transition in transitions)
            yield problem("P2", transitions[-1].where, at=first.id, state=first.id, trap=trap, fault="round", **facts)
        elif answer.verdict == "unknown":
            yield not_proved("P2", first)
    if not reported:
        yield from _trapped(places)


def _trapped(places: ProofContext) -> Iterator[Problem]:
    """P2 for a state that some answers reach and from which they never reach an end, whatever people do.

    A state of correction leads to an end by `late`, so the answers are the same on the whole way that remains. What forms,
    registers, acts and days decide may open any path.
    """
    procedure = places.procedure
    first: dict[str, _Cases] = {procedure.start: {frozenset()}}
    behind = _cases(_moves(procedure, _answers(procedure, kept=True), {}), first)
    ahead = _to_an_end(procedure, _moves(procedure, _answers(procedure), _asked_in(procedure, behind)))
    for state in procedure.states.values():
        led, came = ahead.get(state.id, set()), behind.get(state.id, set())
        if not led or frozenset() in led or not came or len(led | came) > _MOST_CASES:
            continue
        reached = () if frozenset() in came else (Or(tuple(And(tuple(one)) for one in came)),)
        query = Query(reached, tuple(And(tuple(one)) for one in led))
        answer = places.prover.example(query)
        if answer.verdict == "yes":
            facts = facts_of(places.definition, answer.witness, [*query.holds, *query.fails])
            yield problem("P2", state.where, at=state.id, state=state.id, fault="answers", **facts)
            return


def _asked_in(procedure: Procedure, behind: Mapping[str, _Cases]) -> Mapping[str, Node]:
    """By task, the condition that it is asked in a state that is reached, where some answers reach none."""
    found: dict[str, Node] = {}
    for task in procedure.tasks.values():
        states = {one.id for one in procedure.states.values() if task.id in one.waits}
        states |= {one.source for one in edges(procedure) if one.fills == task.id}
        cases = [case for state in states for case in behind.get(state, ())]
        own = () if task.when == TRUE else (tree(task.when),)
        if states and frozenset() not in cases and len(cases) <= _MOST_CASES and task.id != procedure.form.id:
            own = (*own, Or(tuple(And(tuple(case)) for case in cases)))
        if own:
            found[task.id] = And(own)
    return found


def _moves(procedure: Procedure, fixed: frozenset[str], asked: Mapping[str, Node]) -> list[_Move]:
    """The transitions that time, tasks or agents take, with what fixed answers say of their conditions."""

    def needed(node: Node, waits: tuple[str, ...]) -> Node:
        """A task is done only where it is asked, and once its state is left by `then`."""
        task = node.id if isinstance(node, Happened) and node.function == "done" else ""
        if task in waits:
            return tree(procedure.tasks[task].when)
        return And((node, asked[task])) if task in asked else rebuilt(node, lambda one: needed(one, waits))

    def decided(node: Node) -> bool:
        return _may_change(node) or not names_of(node) <= fixed

    taken = (one for one in edges(procedure) if one.event is not None or one in acts_from(procedure, one.source))
    left = {state.id: state.waits for state in procedure.states.values()}
    return [
        (
            one.source,
            one.target,
            at_best(needed(tree(one.when), left[one.source] if one.event == "done" else ()), decided),
        )
        for one in taken
    ]


def _to_an_end(procedure: Procedure, moves: list[_Move]) -> dict[str, _Cases]:
    """By state, the conditions under which an end is reached. P5 reports answers for which no act is open: they count."""
    first: dict[str, _Cases] = {}
    for state in procedure.states.values():
        shut = tuple(guard for source, _, guard in moves if source == state.id)
        first[state.id] = {frozenset()} if state.is_end else {frozenset({Not(Or(shut))})} if shut else set()
    return _cases([(target, source, guard) for source, target, guard in moves], first)


_Move: TypeAlias = tuple[str, str, Node]
_Cases: TypeAlias = set[frozenset[Node]]


def _cases(moves: list[_Move], first: Mapping[str, _Cases]) -> dict[str, _Cases]:
    """By state, the conditions that lead to it from the first ones: sets that must hold together, the least only."""
    found = {state: set(cases) for state, cases in first.items()}
    left = list(found)
    while left:
        state = left.pop()
        for source, target, guard in moves:
            if source != state or guard == SHUT:
                continue
            known = found.setdefault(target, set())
            more = {case if guard == ALWAYS else case | {guard} for case in found[source]}
            least = {one for one in known | more if not any(other < one for other in known | more)}
            if least != known and len(known) <= _MOST_CASES:
                found[target] = least
                left.append(target)
    return found


def _answers(procedure: Procedure, kept: bool = False) -> frozenset[str]:
    """The answers of the application, `kept`: those that no correction changes."""
    asked = {name for field in procedure.form.fields for name in field.names_within}
    asked |= {one.id for one in procedure.eligibility}
    changed = (corrected_by(procedure, one) for one in edges(procedure)) if kept else ()
    return frozenset(asked).difference(*changed)


def _rounds(procedure: Procedure) -> Iterator[tuple[Transition, ...]]:
    """Each cycle of automatic transitions, from its first state in the order of the file."""
    order = {state: at for at, state in enumerate(procedure.states)}
    ahead: dict[str, list[Transition]] = {}
    for transition in edges(procedure):
        if transition.event == "done" and _passes(procedure, procedure.states[transition.source]):
            ahead.setdefault(transition.source, []).append(transition)
    for start in ahead:
        left: list[tuple[Transition, ...]] = [(transition,) for transition in ahead[start]]
        while left:
            path = left.pop()
            target = path[-1].target
            if target == start:
                if _nothing_is_asked_anew(procedure, path) and _stays(procedure, path):
                    yield path
            elif (
                order[target] > order[start]
                and all(transition.source != target for transition in path)
                and len(path) < len(order)
            ):
                left += [(*path, transition) for transition in ahead.get(target, ())]


def _passes(procedure: Procedure, state: State) -> bool:
    """Return whether a state passes without a person: by time alone, or because its tasks stay done."""
    if state.wait is not None:
        leaving = procedure.leaving.get(state.id, ())
        return not is_timed(procedure, state.id) and all(transition.event == "done" for transition in leaving)
    asked_anew = (
        isinstance(task := procedure.tasks.get(one), Form) and task.register is not None for one in state.waits
    )
    return bool(state.waits) and state.correct is None and state.mode != "correct" and not any(asked_anew)


def _stays(procedure: Procedure, path: tuple[Transition, ...]) -> bool:
    """Return whether the conditions of a cycle hold again: at once they all do, after a wait those of answers."""
    waits = any(procedure.states[transition.source].wait is not None for transition in path)
    return not waits or not any(_may_change(tree(transition.when)) for transition in path)


def _nothing_is_asked_anew(procedure: Procedure, path: tuple[Transition, ...]) -> bool:
    """Return whether no transition of the cycle reopens a task that one of its states waits for."""
    waited = {task for transition in path for task in procedure.states[transition.source].waits}
    services = {
        one.id for transition in path for name in transition.reopens if (one := procedure.round_of(name)) is not None
    }
    return not waited & ({name for transition in path for name in transition.reopens} | services)


def _may_change(node: Node) -> bool:
    """Return whether a condition may change the next time: it reads the day, or the history."""
    aging = isinstance(node, FunctionCall) and node.function == "age" and len(node.arguments) == 1
    return aging or isinstance(node, Ambient | Happened) or any(_may_change(child) for child in children(node))


def states_behind_closures(places: ProofContext, found: Sequence[Problem]) -> Iterator[Problem]:
    """Yield P1 and P2 of the graph without the transitions that P6 proves impossible.

    `found` are the problems found so far. Problems of the whole graph are not repeated.
    """
    never = {one.facts["at"] for one in found if one.code == "P6" and one.facts.get("fault") == "never"}
    procedure, directory = places.procedure, places.definition.directory
    closed = [
        transition for transition in procedure.transitions if transition.id in never and not _opens(places, transition)
    ]
    if not closed:
        return
    narrowed = _without(procedure, closed)
    for proof in (unreachable_states, states_without_an_end):
        known = {one.facts["at"] for one in proof(procedure, directory)}  # reported for the whole graph
        yield from (one for one in proof(narrowed, directory) if one.facts["at"] not in known)


def _opens(places: ProofContext, transition: Transition) -> bool:
    filling = frozenset({transition.fills}) if transition.fills else frozenset[str]()
    query = Query((tree(transition.when),), sure=places.before(transition), filling=filling)
    return places.prover.possible(query) != "no"


def _without(procedure: Procedure, closed: Sequence[Transition]) -> Procedure:
    left = tuple(transition for transition in procedure.transitions if transition not in closed)
    leaving = {
        state: tuple(transition for transition in transitions if transition not in closed)
        for state, transitions in procedure.leaving.items()
    }
    return replace(procedure, transitions=left, leaving=MappingProxyType(leaving))
