"""Proofs P4 and P5 on the transitions of a workflow.

P4: no path to a document avoids a task that another path waits for. P5: each case has one transition, and only one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import And, Happened, Node, Not, Or, names_of, walk
from engine.model import APPLICATION, Appointment, Fee, Form, Output, Procedure, State, Task, Transition
from engine.model.graph import acts_from, closure, done_after, edges, is_timed, issued_by, predecessors
from engine.model.types import TRUE, YES_NO, Constant
from engine.prover.checks.conditions import not_proved
from engine.prover.checks.established_facts import ProofContext
from engine.prover.checks.paths import Path, TooManyPaths, paths
from engine.prover.solver.solver import Query
from engine.prover.solver.witness_facts import facts_of

_MOST_TRIED: Final = 60
MUST_LEAD_ON: Final = ("done", "booked", "missed", "due")
ALWAYS: Final = Constant(True, YES_NO)
SHUT: Final = Constant(False, YES_NO)

# -- P4 ----------------------------------------------------------------------------------------------------------------


def paths_around(places: ProofContext) -> Iterator[Problem]:
    """Yield P4 for each document that a path reaches without a task that other paths wait for.

    Only documents that grant the request are checked.
    """
    for output in places.procedure.outputs.values():
        if output.grants:
            yield from _around(places, output)


def _around(places: ProofContext, output: Output) -> Iterator[Problem]:
    """For each task that some path to the document waits for, a path to it without that task."""
    procedure = places.procedure
    before = _states_before(procedure, output)
    for task in procedure.tasks.values():
        waiting = [state for state in before if task.id in procedure.states[state].waits]
        if waiting and _is_owed(task):
            yield from _without(places, output, task, before, waiting)


def _is_owed(task: Task) -> bool:
    """Return whether a task counts: a fee, an appointment, a round, a later form. Not the application or a look-up."""
    if isinstance(task, Form):
        return task.id != APPLICATION and task.register is None
    return isinstance(task, (Fee, Appointment))


def _states_before(procedure: Procedure, output: Output) -> frozenset[str]:
    """The states before the first issue of the document, from which it may still be issued."""
    forward: dict[str, list[str]] = {}
    backward: dict[str, list[str]] = {}
    last: set[str] = set()
    for transition in edges(procedure):
        if output.id in issued_by(procedure, transition):
            last.add(transition.source)
        else:
            forward.setdefault(transition.source, []).append(transition.target)
            backward.setdefault(transition.target, []).append(transition.source)
    return closure([procedure.start], forward) & closure(last, backward)


def _without(
    places: ProofContext, output: Output, task: Task, before: frozenset[str], waiting: list[str]
) -> Iterator[Problem]:
    procedure = places.procedure
    avoiding: list[Path] = []
    again = any(_reopens(procedure, one, task.id) for one in edges(procedure))
    still = closure([one.source for one in _issuing(procedure, output)], predecessors(procedure)) if again else before
    try:
        for path in paths(
            procedure,
            lambda transition: output.id in issued_by(procedure, transition),
            lambda transition: transition.target in still,
            _twice(procedure, task),
            lambda path: again and _covered(procedure, path, task.id),
        ):
            if not _covered(procedure, path, task.id) and _issues_anew(procedure, path, output):
                avoiding.append(path)
    except TooManyPaths:
        if not avoiding:
            yield not_proved("P4", output)
            return
    unknown = len(avoiding) > _MOST_TRIED
    for path in avoiding[:_MOST_TRIED]:
        query = replace(
            path.query(tree(task.when)), fails=(Happened("done", task.id),), sure=path.done - {task.id}
        )  # fmt: skip
        answer = places.prover.example(query)
        unknown = unknown or answer.verdict == "unknown"
        if answer.verdict == "yes":
            facts = facts_of(places.definition, answer.witness, query.holds)
            where = _turning(procedure, path, waiting, before).where
            yield problem("P4", where, at=output.id, name=output.id, task=task.id, path=path.states, **facts)
            return
    if unknown:
        yield not_proved("P4", output)


def _issuing(procedure: Procedure, output: Output) -> tuple[Transition, ...]:
    return tuple(one for one in edges(procedure) if output.id in issued_by(procedure, one))


def _issues_anew(procedure: Procedure, path: Path, output: Output) -> bool:
    """Return whether the end of a path makes a document: the first one, or one after that was revoked or may have expired.

    A letter is made for each decision. A document of rows may be that of another row.
    """
    if output.valid is not None or output.per is not None or output.kind == "letter":
        return True
    there = False
    for transition in path.transitions[:-1]:
        effects = (transition.effects, procedure.states[transition.target].effects)
        there = there or output.id in issued_by(procedure, transition)
        there = there and not any(output.id in one.revokes for one in effects)
    return not there or output.id in path.transitions[-1].effects.revokes


def _covered(procedure: Procedure, path: Path, task: str) -> bool:
    """Return whether the task is done at the end of the path.

    It counts as done if a transition declares that it needs none (`without`).
    """
    covered = False
    for transition in path.transitions:
        done = task in done_after(procedure, transition, frozenset({task} if covered else ()))
        covered = (done or task in transition.without) and not _counts(procedure, transition, task)
    return covered


def _twice(procedure: Procedure, task: Task) -> Callable[[Path], Hashable]:
    """Return what distinguishes two visits of a state: whether the task is done, if a transition asks it again.

    C595 looks at fees that an act asks again. What is known of the answers that decide on the task counts too: a
    correction may change them.
    """
    again = any(
        _reopens(procedure, one, task.id) and not (isinstance(task, Fee) and task.id in one.reopens)
        for one in edges(procedure)
    )
    names = names_of(tree(task.when))
    return lambda path: (again and _covered(procedure, path, task.id), path.so_far.known_of(names))


def _reopens(procedure: Procedure, transition: Transition, task: str) -> bool:
    again = task not in done_after(procedure, transition, frozenset({task}))
    return again or _counts(procedure, transition, task)


def _counts(procedure: Procedure, transition: Transition, task: str) -> bool:
    """Return whether a transition adds to an act or an absence on whose number it depends that a task is asked."""
    known, waits = procedure.tasks.get(task), procedure.states[transition.source].waits
    read = [one for one in walk(tree(known.when)) if isinstance(one, Happened)] if known is not None else []
    missed = task not in waits and any(one.function == "missed" and one.id in waits for one in read)
    return missed or any(one.function == "taken" and one.id == transition.id for one in read)


def _turning(procedure: Procedure, path: Path, waiting: list[str], before: frozenset[str]) -> Transition:
    """The transition after which no state that waits for the task is reachable: the line to correct."""
    backward: dict[str, list[str]] = {}
    for transition in edges(procedure):
        if transition.target in before:
            backward.setdefault(transition.target, []).append(transition.source)
    may_still = closure(waiting, backward)
    leaving = [
        transition
        for transition in path.transitions
        if transition.source in may_still and transition.target not in may_still
    ]
    return leaving[-1] if leaving else path.transitions[-1]


# -- P5 ----------------------------------------------------------------------------------------------------------------


def cases_that_lack_or_overlap(places: ProofContext) -> Iterator[Problem]:
    """Yield P5 for transitions of a state that overlap, or that leave a case without any.

    First-match lists are complete by their shape, so only the other transitions are given to the solver.
    """
    for state in places.procedure.states.values():
        groups: dict[str, dict[str, list[Transition]]] = {}
        for transition in places.procedure.leaving.get(state.id, ()):
            if transition.event is not None:
                groups.setdefault(transition.event, {}).setdefault(transition.id, []).append(transition)
        for event, transitions in groups.items():
            yield from _overlapping(places, state, transitions)
            if event in MUST_LEAD_ON:
                yield from _lacking(places, state, transitions)
        yield from _nothing_open(places, state)
        yield from _appeal_closed(places, state)


def _when(transitions: Iterable[Transition]) -> Node:
    guards = tuple(tree(transition.when) for transition in transitions)
    return guards[0] if len(guards) == 1 else Or(guards)


def _overlapping(places: ProofContext, state: State, transitions: dict[str, list[Transition]]) -> Iterator[Problem]:
    for (first, ones), (second, others) in combinations(transitions.items(), 2):
        query = Query((_when(ones), _when(others)), sure=places.before(others[0]))
        answer = places.prover.example(query)
        if answer.verdict == "yes":
            facts = facts_of(places.definition, answer.witness, query.holds)
            where = others[0].where
            yield problem("P5", where, at=second, state=state.id, fault="overlap", names=(first, second), **facts)
        elif answer.verdict == "unknown":
            yield not_proved("P5", others[0])


def _lacking(places: ProofContext, state: State, transitions: dict[str, list[Transition]]) -> Iterator[Problem]:
    """Answers for which the event has no transition. A list complete by its shape is not checked."""
    if any(_is_closed(group) for group in transitions.values()):
        return
    every = [transition for group in transitions.values() for transition in group]
    query = Query((), tuple(tree(transition.when) for transition in every), sure=places.before(every[0]))
    answer = places.prover.example(query)
    if answer.verdict == "yes":
        facts = facts_of(places.definition, answer.witness, query.fails)
        yield problem("P5", every[-1].where, at=every[-1].id, state=state.id, fault="lack", **facts)
    elif answer.verdict == "unknown":
        yield not_proved("P5", every[-1])


def _is_closed(transitions: list[Transition]) -> bool:
    """Return whether one transition has no condition, or belongs to the list of a `then`, `late` or `missed`."""
    return any(transition.when == TRUE or "." in transition.id for transition in transitions)


def _nothing_open(places: ProofContext, state: State) -> Iterator[Problem]:
    """Answers for which no person may act, in a state that only acts leave."""
    procedure = places.procedure
    leaving = procedure.leaving.get(state.id, ())
    moved = any(transition.event in MUST_LEAD_ON for transition in leaving) or is_timed(procedure, state.id)
    acts = acts_from(procedure, state.id)
    query = all_shut(places, acts)
    if state.mode != "by" or moved or query is None:
        return
    answer = places.prover.example(query)
    if answer.verdict == "yes":
        facts = facts_of(places.definition, answer.witness, query.fails)
        yield problem("P5", state.where, at=state.id, state=state.id, fault="closed", **facts)
    elif answer.verdict == "unknown":
        yield not_proved("P5", state)


def _appeal_closed(places: ProofContext, state: State) -> Iterator[Problem]:
    """Answers that are refused, and for which the act of an announced appeal is not open."""
    procedure = places.procedure
    for name in (
        dict.fromkeys(one.act for one in procedure.identity.appeals.values()) if state.outcome == "refused" else ()
    ):
        acts = [one for one in procedure.leaving.get(state.id, ()) if one.id == name and one.event is None]
        if not acts or any(one.when == TRUE for one in acts):
            continue  # without any act: C571
        guards = tuple(tree(one.when) for one in acts)
        for entering in (one for one in edges(procedure) if one.target == state.id):
            query = Query((tree(entering.when),), guards, sure=places.after(entering))
            answer = places.prover.example(query)
            if answer.verdict == "yes":
                facts = facts_of(places.definition, answer.witness, [*query.holds, *query.fails])
                yield problem(
                    "P5", acts[0].where, at=acts[0].id, name=acts[0].id, state=state.id, fault="appeal", **facts
                )  # fmt: skip
                return
            if answer.verdict == "unknown":
                yield not_proved("P5", acts[0])


def all_shut(places: ProofContext, acts: Sequence[Transition]) -> Query | None:
    """Return the query of the answers for which none of these acts of a state is open. None if one is open for all."""
    lasting = [transition for transition in acts if transition.within is None] or acts  # P3 reports those that all end
    opened = [at_best(tree(transition.when), _filled_by(places, transition)) for transition in lasting]
    if not acts or any(node == ALWAYS for node in opened):
        return None
    return Query((), tuple(opened), sure=places.sure[acts[0].source])


def _filled_by(places: ProofContext, transition: Transition) -> Callable[[Node], bool]:
    """Return whether a part of a condition reads an answer that the act gives: its person chooses it."""
    filled = frozenset(
        name
        for name, form in places.definition.owners.items()
        if transition.fills is not None and form == transition.fills
    )
    return lambda node: bool(names_of(node) & filled)


def at_best(node: Node, decided: Callable[[Node], bool], holds: bool = True) -> Node:
    """Return the condition with each part that is `decided` later at its best value: the other parts alone can fail."""
    match node:
        case And(items=items):
            parts = tuple(at_best(one, decided, holds) for one in items)
            return SHUT if SHUT in parts else _joined(And, tuple(one for one in parts if one != ALWAYS), ALWAYS)
        case Or(items=items):
            parts = tuple(at_best(one, decided, holds) for one in items)
            return ALWAYS if ALWAYS in parts else _joined(Or, tuple(one for one in parts if one != SHUT), SHUT)
        case Not(item=item):
            inner = at_best(item, decided, not holds)
            return {ALWAYS: SHUT, SHUT: ALWAYS}.get(inner, Not(inner)) if isinstance(inner, Constant) else Not(inner)
    if decided(node):
        return ALWAYS if holds else SHUT
    return node


def _joined(kind: type[And] | type[Or], parts: tuple[Node, ...], none: Node) -> Node:
    return none if not parts else parts[0] if len(parts) == 1 else kind(parts)
