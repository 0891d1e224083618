"""P2 of the answers: a dossier that goes round among states which pass by themselves, with answers that never let it out.

Nobody acts there: only time passes, or all that is waited for was done the first time round. The graph sees a way to an
end; with these answers it is never the one taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.definition.circuit import edges
from engine.definition.expression_compiler import tree
from engine.definition.expression_nodes import Ambient, Call, Happened, Node, children
from engine.definition.expressions import TRUE
from engine.definition.model import Form, Procedure, State, Transition
from engine.definition.prove_forms import not_proved
from engine.definition.prove_places import Places
from engine.definition.prove_solver import Query
from engine.definition.prove_words import facts_of
from engine.problems import Problem, problem

_MOST_ROUNDS: Final = 60


def rounds_without_an_end(places: Places) -> Iterator[Problem]:
    """One is told for each state at which a round begins."""
    told: set[str] = set()
    for at, ways in enumerate(_rounds(places.procedure)):
        if at >= _MOST_ROUNDS:
            return
        first = places.procedure.states[ways[0].source]
        if first.id in told:
            continue
        sure = frozenset[str]().union(*(places.before(way) for way in ways))
        query = Query(tuple(dict.fromkeys(tree(way.when) for way in ways if way.when != TRUE)), sure=sure)
        answer = places.prover.example(query)
        if answer.verdict == "yes":
            told.add(first.id)
            facts = facts_of(places.book, answer.witness, query.holds)
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
    aging = isinstance(node, Call) and node.function == "age" and len(node.arguments) == 1
    return aging or isinstance(node, Ambient | Happened) or any(_may_change(child) for child in children(node))
