"""The workflow as a graph: successors, conditions of an edge, and what is surely done on all paths.

Used by the rules of families C and P, the layout of the diagram and the public list of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from engine.model import APPLICANT, Appointment, Fee, Form, Procedure, Task, TimeLimit, Transition
from engine.model.corrections import asked_by_change
from engine.model.types import TRUE, Expression


def never(condition: Expression) -> bool:
    """Return whether a guard is written as false. The solver finds less obvious ones."""
    return condition.node == ("literal", False) or getattr(condition.node, "value", None) is False


def edges(procedure: Procedure) -> tuple[Transition, ...]:
    """Return the transitions that some answers could open."""
    return tuple(transition for transition in procedure.transitions if not never(transition.when))


def closure(starts: Iterable[str], next_of: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return all states reached from `starts` along `next_of`, starts included."""
    seen: set[str] = set()
    left = list(starts)
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            left.extend(next_of.get(one, ()))
    return frozenset(seen)


def is_timed(procedure: Procedure, state_id: str) -> bool:
    """Return whether a time limit set by law runs at each stay in a state.

    One that is over, or that an earlier state left, does not start again: after an appeal it no longer runs.
    """
    return any(is_ended_by(procedure, state_id, clock) for clock in procedure.clocks.values())


def is_ended_by(procedure: Procedure, state_id: str, clock: TimeLimit) -> bool:
    """Return whether a time limit ends each stay in a state: it runs there at each, and leads on for all answers."""
    over = automatic_from(procedure, state_id, clock.id)
    leads_on = any(one.when == TRUE or "." in one.id for one in over)  # the last of a list takes all other cases
    return state_id in clock.runs_in and leads_on and state_id not in left_by(procedure, clock)


def left_by(procedure: Procedure, clock: TimeLimit) -> frozenset[str]:
    """Return the states that follow the end of a time limit."""
    listed = clock.runs_in | clock.paused_in
    after = [
        one.target
        for one in edges(procedure)
        if one.event == clock.id or (one.source in listed and one.target not in listed)
    ]
    return closure(after, successors(procedure))


def successors(procedure: Procedure) -> Mapping[str, tuple[str, ...]]:
    """Return the states that follow each state, each once, in the order of the transitions."""
    follows: dict[str, list[str]] = {state: [] for state in procedure.states}
    for transition in edges(procedure):
        if transition.source in follows and transition.target not in follows[transition.source]:
            follows[transition.source].append(transition.target)
    return {state: tuple(targets) for state, targets in follows.items()}


def predecessors(procedure: Procedure) -> Mapping[str, tuple[str, ...]]:
    """Return the states that come before each state, each once, in the order of the transitions."""
    before: dict[str, list[str]] = {state: [] for state in procedure.states}
    for transition in edges(procedure):
        if transition.target in before and transition.source not in before[transition.target]:
            before[transition.target].append(transition.source)
    return {state: tuple(sources) for state, sources in before.items()}


def acts_from(procedure: Procedure, state_id: str) -> tuple[Transition, ...]:
    """Return the transitions that a state waits for a person to take.

    One of the applicant alone, such as a withdrawal, counts only where the state waits for the applicant.
    """
    visited = APPLICANT in procedure.states[state_id].by
    return tuple(
        transition
        for transition in procedure.leaving.get(state_id, ())
        if transition.event is None and not never(transition.when) and (visited or transition.by != (APPLICANT,))
    )


def automatic_from(procedure: Procedure, state_id: str, *events: str) -> tuple[Transition, ...]:
    """Return the transitions that leave a state on one of these events, in the order of the file."""
    return tuple(
        transition
        for transition in procedure.leaving.get(state_id, ())
        if transition.event in events and not never(transition.when)
    )


def awaited(procedure: Procedure) -> frozenset[str]:
    """Return the ids of the tasks that some state waits for."""
    return frozenset(task for state in procedure.states.values() for task in state.waits)


def filled(procedure: Procedure) -> frozenset[str]:
    """Return the ids of the later forms that some act fills."""
    return frozenset(transition.fills for transition in procedure.transitions if transition.fills)


def issued(procedure: Procedure) -> frozenset[str]:
    """Return the ids of the outputs that some state or act issues."""
    places: list[tuple[str, ...]] = [state.effects.issues for state in procedure.states.values()]
    places += [transition.effects.issues for transition in procedure.transitions]
    return frozenset(output for place in places for output in place)


def issued_by(procedure: Procedure, transition: Transition) -> tuple[str, ...]:
    """Return the ids of the outputs that a transition issues, then those of the state it enters."""
    state = procedure.states.get(transition.target)
    return (*transition.effects.issues, *(state.effects.issues if state is not None else ()))


def waits_for_applicant(task: Task) -> bool:
    """Return whether a state waits for the applicant: a fee, an appointment, the form, or a later form of theirs."""
    return isinstance(task, (Fee, Appointment)) or (isinstance(task, Form) and APPLICANT in task.by)


@dataclass(frozen=True, slots=True)
class Sure:
    """Tasks surely done on entry of each state: done on every path to it (`docs/language.md` §14)."""

    at: Mapping[str, frozenset[str]]

    def __getitem__(self, state_id: str) -> frozenset[str]:
        return self.at.get(state_id, frozenset())


def surely_done(procedure: Procedure, covers: Callable[[Transition], Iterable[str]] | None = None) -> Sure:
    """Return the tasks surely done in each state: the greatest fixpoint, forward over the workflow.

    `covers` adds what an edge counts as done (`without`, for P4).
    """
    everything = frozenset(procedure.tasks)
    known: dict[str, frozenset[str]] = dict.fromkeys(procedure.states, everything)
    known[procedure.start] = frozenset({procedure.form.id})
    transitions = edges(procedure)
    changed = True
    while changed:
        changed = False
        for state_id in procedure.states:
            arriving = [frozenset({procedure.form.id})] if state_id == procedure.start else []
            arriving += [
                done_after(procedure, transition, known[transition.source], covers(transition) if covers else ())
                for transition in transitions
                if transition.target == state_id
            ]
            if not arriving:
                continue
            sure = frozenset.intersection(*arriving)
            if sure != known[state_id]:
                known[state_id] = sure
                changed = True
    return Sure(known)


def done_after(
    procedure: Procedure, transition: Transition, before: Iterable[str] = (), covered: Iterable[str] = ()
) -> frozenset[str]:  # fmt: skip
    """Return the tasks done after a transition, of those done `before` it. `covered` count as done by it.

    A task that changed answers may ask for afterwards is none of them, until a state waits for it again.
    """
    done, state = {*before, *covered}, procedure.states.get(transition.source)
    if transition.event == "done" and state is not None:
        done |= set(state.waits)
    if transition.event in procedure.tasks:
        done.add(str(transition.event))
    done |= {transition.fills} if transition.fills else set()
    reopened = {asked.id for one in transition.reopens if (asked := procedure.round_of(one)) is not None}
    return frozenset(done - set(transition.reopens) - reopened - set(asked_by_change(procedure, transition)))
