"""What is proven of a circuit before it is published: P1 to P3 (grammar §14). The solver's proofs come beside them.

Each failure names the place and a concrete way to see it: the state nobody reaches, the state no end follows, the state
where nothing can ever happen.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.circuit import (
    acts_from,
    automatic_from,
    closure,
    predecessors,
    successors,
    waits_for_applicant,
)  # fmt: skip
from engine.definition.directory import Directory
from engine.definition.model import APPLICANT, Procedure, State
from engine.definition.rulebook import rule
from engine.problems import Problem, problem


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


@rule("P3")
def states_where_nothing_happens(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Somebody can act or a clock runs; whoever makes the applicant wait says until when, and what then."""
    for state in procedure.states.values():
        for fault in _faults(procedure, state):
            yield problem("P3", state.where, at=state.id, state=state.id, fault=fault)


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
    expects_applicant = state.by == (APPLICANT,) or any(
        waits_for_applicant(procedure.tasks[task]) for task in state.waits if task in procedure.tasks
    )
    if (expects_applicant or state.public == "ready") and state.due is None and not clocks:
        yield "no_due"
    must_end = state.mode in {"pay", "correct", "attend", "book"}
    if must_end and state.due is not None and not automatic_from(procedure, state.id, "due"):
        yield "no_late"
