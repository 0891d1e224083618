"""What is proven of a circuit before it is published: P1 to P3 (grammar §14). The solver's proofs come beside them.

Each failure names the place and a concrete way to see it: the state nobody reaches, the state no end follows, the state
where nothing can ever happen.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.problems import Problem, problem
from engine.core.values import Span
from engine.language.expressions.compiler import tree
from engine.language.lint.rule_registry import rule
from engine.model import APPLICANT, Procedure, State, Transition
from engine.model.directory import Directory
from engine.model.graph import (
    acts_from,
    automatic_from,
    closure,
    predecessors,
    successors,
    waits_for_applicant,
)  # fmt: skip
from engine.model.types import Constant, Expression


@rule("P1")
def unreachable_states(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Every state can be reached from the start."""
    reached = closure([procedure.start], successors(procedure))
    for state in procedure.states.values():
        if state.id not in reached:
            yield problem("P1", state.where, at=state.id, state=state.id, start=procedure.start)


@rule("P2")
def states_without_an_end(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """From every state, an end can be reached."""
    ends = [state.id for state in procedure.states.values() if state.is_end]
    arriving = closure(ends, predecessors(procedure))
    reached = closure([procedure.start], successors(procedure))
    for state in procedure.states.values():
        leads_on = bool(successors(procedure)[state.id])  # one that leads nowhere at all is P3's
        if leads_on and state.id in reached and state.id not in arriving:
            trap = tuple(sorted(closure([state.id], successors(procedure))))
            yield problem("P2", state.where, at=state.id, state=state.id, trap=trap)
    yield from (one for one in _time_that_gives_time_again(procedure) if one.facts["state"] in arriving)


def _time_that_gives_time_again(procedure: Procedure) -> Iterator[Problem]:
    """An applicant who does nothing reaches an end: the times given do not follow each other in a round."""
    ways = {state.id: ways for state in procedure.states.values() if (ways := _without_visitor(procedure, state))}
    kept = dict(ways)
    while lost := [one for one, out in kept.items() if any(way.target not in kept for way in out)]:
        kept = {one: out for one, out in kept.items() if one not in lost}
    follows = {one: [way.target for way in out] for one, out in kept.items()}
    reported: set[str] = set()
    for state_id, out in kept.items():
        trap = closure(follows[state_id], follows)
        if state_id in trap and not reported & trap:
            reported |= trap
            yield problem("P2", out[0].where, at=state_id, state=state_id, trap=tuple(sorted(trap)), fault="nobody")


def _without_visitor(procedure: Procedure, state: State) -> tuple[Transition, ...]:
    """The ways of time out of a state that waits for the applicant alone."""
    if any(state.id in clock.runs_in for clock in procedure.clocks.values()):
        return ()
    return automatic_from(procedure, state.id, "due") if state.due and _expects_applicant(procedure, state) else ()


def _expects_applicant(procedure: Procedure, state: State) -> bool:
    return state.by == (APPLICANT,) or any(
        waits_for_applicant(procedure.tasks[task]) for task in state.waits if task in procedure.tasks
    )


def _time_that_is_none(procedure: Procedure) -> Iterator[Problem]:
    """What must be done in no time at all cannot be done."""
    for state in procedure.states.values():
        if state.due is not None and _is_nothing(state.due) and not state.is_end:
            yield problem("P3", state.due.where, at=state.id, state=state.id, fault="no_time", key="due")
    for way in procedure.transitions:
        if way.within is not None and not way.within.count:
            yield problem("P3", way.where, at=way.id, state=way.source, fault="no_time", key="within")


def _is_nothing(length: Expression) -> bool:
    node = tree(length)
    return isinstance(node, Constant) and isinstance(node.value, Span) and not node.value.count


@rule("P3")
def states_where_nothing_happens(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Somebody can act or a clock runs; whoever makes the applicant wait says until when, and what then."""
    for state in procedure.states.values():
        for fault in _faults(procedure, state):
            yield problem("P3", state.where, at=state.id, state=state.id, fault=fault)
    yield from _time_that_is_none(procedure)


def _faults(procedure: Procedure, state: State) -> Iterator[str]:
    if state.is_end:
        return
    moves = acts_from(procedure, state.id) or automatic_from(procedure, state.id, "done", "booked")
    clocks = [clock for clock in procedure.clocks.values() if state.id in clock.runs_in]
    timed = state.due is not None and automatic_from(procedure, state.id, "due")
    if not (moves or clocks or timed):
        yield "stuck"
    elif acts_from(procedure, state.id) and all(way.within for way in moves) and not (clocks or timed):
        yield "shut_in_time"  # the day after, nobody may act any more
    if (_expects_applicant(procedure, state) or state.public == "ready") and state.due is None and not clocks:
        yield "no_due"
    must_end = state.mode in {"pay", "correct", "attend", "book"}
    if must_end and state.due is not None and not automatic_from(procedure, state.id, "due"):
        yield "no_late"
