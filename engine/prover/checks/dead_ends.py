"""P2 of the answers: a dossier that goes round among states which pass by themselves, with answers that never let it out.

Nobody acts there: only time passes, or all that is waited for was done the first time round. The graph sees a way to an
end; with these answers it is never the one taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Ambient, FunctionCall, Happened, Node, children
from engine.language.lint.graph_rules import states_without_an_end, unreachable_states
from engine.model import Form, Procedure, State, Transition
from engine.model.graph import edges
from engine.model.types import TRUE
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.solver.solver import Query
from engine.prover.solver.witness_facts import facts_of

_MOST_ROUNDS: Final = 60


def rounds_without_an_end(places: ProofContext) -> Iterator[Problem]:
    """One is told for each state at which a round begins."""
    reported: set[str] = set()
    for at, ways in enumerate(_rounds(places.procedure)):
        if at >= _MOST_ROUNDS:
            return
        first = places.procedure.states[ways[0].source]
        if first.id in reported:
            continue
        sure = frozenset[str]().union(*(places.before(way) for way in ways))
        query = Query(tuple(dict.fromkeys(tree(way.when) for way in ways if way.when != TRUE)), sure=sure)
        answer = places.prover.example(query)
        if answer.verdict == "yes":
            reported.add(first.id)
            facts = facts_of(places.definition, answer.witness, query.holds)
            trap = tuple(way.source for way in ways)
            yield problem("P2", ways[-1].where, at=first.id, state=first.id, trap=trap, fault="round", **facts)
        elif answer.verdict == "unknown":
            yield not_proved("P2", first)


def _rounds(procedure: Procedure) -> Iterator[tuple[Transition, ...]]:
    """Every round of ways that nobody takes, each from its first state in the order of the file."""
    order = {state: at for at, state in enumerate(procedure.states)}
    ahead: dict[str, list[Transition]] = {}
    for way in edges(procedure):
        if way.event == "done" and _passes(procedure, procedure.states[way.source]) and not _may_change(tree(way.when)):
            ahead.setdefault(way.source, []).append(way)
    for start in ahead:
        left: list[tuple[Transition, ...]] = [(way,) for way in ahead[start]]
        while left:
            path = left.pop()
            target = path[-1].target
            if target == start:
                if _nothing_is_asked_anew(procedure, path):
                    yield path
            elif order[target] > order[start] and all(way.source != target for way in path) and len(path) < len(order):
                left += [(*path, way) for way in ahead.get(target, ())]


def _passes(procedure: Procedure, state: State) -> bool:
    """Whether the state may be passed without anybody: time alone, or what was done once stays done."""
    if state.wait is not None:
        leaving = procedure.leaving.get(state.id, ())
        timed = any(state.id in clock.runs_in for clock in procedure.clocks.values())
        return not timed and all(way.event == "done" for way in leaving)
    asked_anew = (
        isinstance(task := procedure.tasks.get(one), Form) and task.register is not None for one in state.waits
    )
    return bool(state.waits) and state.correct is None and state.mode != "correct" and not any(asked_anew)


def _nothing_is_asked_anew(procedure: Procedure, path: tuple[Transition, ...]) -> bool:
    """No way of the round reopens what a state of it waits for."""
    waited = {task for way in path for task in procedure.states[way.source].waits}
    services = {one.id for way in path for name in way.reopens if (one := procedure.round_of(name)) is not None}
    return not waited & ({name for way in path for name in way.reopens} | services)


def _may_change(node: Node) -> bool:
    """Whether a condition may come to something else the next time: it reads the day, or what has happened."""
    aging = isinstance(node, FunctionCall) and node.function == "age" and len(node.arguments) == 1
    return aging or isinstance(node, Ambient | Happened) or any(_may_change(child) for child in children(node))


def states_behind_closures(places: ProofContext, found: Sequence[Problem]) -> Iterator[Problem]:
    """`found`: what the proofs told so far."""
    never = {one.facts["at"] for one in found if one.code == "P6" and one.facts.get("fault") == "never"}
    procedure, directory = places.procedure, places.definition.directory
    closed = [way for way in procedure.transitions if way.id in never and not _opens(places, way)]
    if not closed:
        return
    narrowed = _without(procedure, closed)
    for proof in (unreachable_states, states_without_an_end):
        known = {one.facts["at"] for one in proof(procedure, directory)}  # told by the graph alone
        yield from (one for one in proof(narrowed, directory) if one.facts["at"] not in known)


def _opens(places: ProofContext, way: Transition) -> bool:
    filling = frozenset({way.fills}) if way.fills else frozenset[str]()
    query = Query((tree(way.when),), sure=places.before(way), filling=filling)
    return places.prover.possible(query) != "no"


def _without(procedure: Procedure, closed: Sequence[Transition]) -> Procedure:
    left = tuple(way for way in procedure.transitions if way not in closed)
    leaving = {state: tuple(way for way in ways if way not in closed) for state, ways in procedure.leaving.items()}
    return replace(procedure, transitions=left, leaving=MappingProxyType(leaving))
