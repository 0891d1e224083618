"""The rules P1 to P3 on the graph of a workflow (`docs/language.md` §14). The prover adds the proofs of the solver.

Each failure names the place and a concrete case: the unreachable state, the state without a path to an end, the
state where nothing can ever happen.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.problems import Problem, problem
from engine.core.values import Span
from engine.language.expressions.compiler import tree
from engine.language.lint.rule_registry import rule
from engine.model import APPLICANT, Form, Link, Procedure, State, Transition
from engine.model.directory import Directory
from engine.model.graph import (
    acts_from,
    automatic_from,
    closure,
    is_timed,
    predecessors,
    successors,
    waits_for_applicant,
)  # fmt: skip
from engine.model.types import TRUE, Constant, Expression


@rule("P1")
def unreachable_states(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield P1 for each state that cannot be reached from the start."""
    reached = closure([procedure.start], successors(procedure))
    for state in procedure.states.values():
        if state.id not in reached:
            yield problem("P1", state.where, at=state.id, state=state.id, start=procedure.start)


@rule("P2")
def states_without_an_end(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield P2 for each reachable state from which no end is reached, and for cycles of due times.

    P3 reports states without any successor.
    """
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
    """P2: an applicant who does nothing must reach an end. Time limits may not follow each other in a cycle."""
    transitions = {
        state.id: transitions
        for state in procedure.states.values()
        if (transitions := _without_visitor(procedure, state))
    }
    kept = dict(transitions)
    while lost := [one for one, out in kept.items() if any(transition.target not in kept for transition in out)]:
        kept = {one: out for one, out in kept.items() if one not in lost}
    follows = {one: [transition.target for transition in out] for one, out in kept.items()}
    reported: set[str] = set()
    for state_id, out in kept.items():
        trap = closure(follows[state_id], follows)
        visited = any(_expects_applicant(procedure, procedure.states[one]) for one in trap)
        if visited and state_id in trap and not reported & trap:
            reported |= trap
            yield problem("P2", out[0].where, at=state_id, state=state_id, trap=tuple(sorted(trap)), fault="nobody")


def _without_visitor(procedure: Procedure, state: State) -> tuple[Transition, ...]:
    """The transitions out of a state while the applicant does nothing and no agent may act: by time, or by a register."""
    if is_timed(procedure, state.id):
        return ()
    if _expects_applicant(procedure, state):
        return automatic_from(procedure, state.id, "due") if state.due else ()
    passes = (state.mode in ("wait", "look_up") or _stays_done(procedure, state)) and not acts_from(procedure, state.id)
    return automatic_from(procedure, state.id, "done", "due") if passes else ()


def _stays_done(procedure: Procedure, state: State) -> bool:
    """Return whether a state asks agents or services only, and passes at once the next time: nothing reopens its tasks."""
    tasks = [procedure.tasks.get(one) for one in state.waits] if state.mode == "gather" else []
    parts = {*state.waits, *(part.id for one in tasks if isinstance(one, Form) for part in one.services)}
    reopened = any(not parts.isdisjoint(one.reopens) for one in procedure.transitions)
    return bool(tasks) and all(isinstance(one, Form) and APPLICANT not in one.by for one in tasks) and not reopened


def _expects_applicant(procedure: Procedure, state: State) -> bool:
    return state.by == (APPLICANT,) or any(
        waits_for_applicant(procedure.tasks[task]) for task in state.waits if task in procedure.tasks
    )


def _needs_late(procedure: Procedure, state: State) -> bool:
    """Return whether nothing but the applicant leads on, so that the dossier of one who does nothing stays for ever.

    Tasks of agents beside do not help: the last task is awaited. An act of an agent does, if it is open for all and always.
    """
    opened = any(
        one.when == TRUE and one.within is None and one.by != (APPLICANT,) for one in acts_from(procedure, state.id)
    )
    waits = APPLICANT in state.by or _awaits_another(procedure, state)
    waits = waits or (state.mode == "gather" and _expects_applicant(procedure, state))
    return state.by == (APPLICANT,) or (waits and not opened)


def _awaits_another(procedure: Procedure, state: State) -> bool:
    """Return whether a state waits for the end of an earlier request, which may stay open, such as a permit in force."""
    return any(isinstance(procedure.tasks.get(one), Link) for one in state.waits)


def _time_that_is_none(procedure: Procedure) -> Iterator[Problem]:
    """What must be done in no time cannot be done."""
    for state in procedure.states.values():
        if state.due is not None and _is_nothing(state.due) and not state.is_end:
            yield problem("P3", state.due.where, at=state.id, state=state.id, fault="no_time", key="due")
    for transition in procedure.transitions:
        if transition.within is not None and not transition.within.count:
            yield problem(
                "P3", transition.where, at=transition.id, state=transition.source, fault="no_time", key="within"
            )


def _is_nothing(length: Expression) -> bool:
    node = tree(length)
    return isinstance(node, Constant) and isinstance(node.value, Span) and not node.value.count


@rule("P3")
def states_where_nothing_happens(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield P3 for each state where no person can act and no time limit runs.

    A state that makes the applicant wait must also give a limit, and what follows it.
    """
    for state in procedure.states.values():
        for fault in _faults(procedure, state):
            yield problem("P3", state.where, at=state.id, state=state.id, fault=fault)
    yield from _time_that_is_none(procedure)


def _faults(procedure: Procedure, state: State) -> Iterator[str]:
    if state.is_end:
        return
    moves = acts_from(procedure, state.id) or automatic_from(procedure, state.id, "done", "booked")
    clocks = is_timed(procedure, state.id)
    timed = state.due is not None and automatic_from(procedure, state.id, "due")
    if not (moves or clocks or timed):
        yield "stuck"
    elif acts_from(procedure, state.id) and all(transition.within for transition in moves) and not (clocks or timed):
        yield "shut_in_time"  # the day after, no person may act
    left = _needs_late(procedure, state) and not clocks
    if (left or _expects_applicant(procedure, state) or state.public == "ready") and state.due is None and not clocks:
        yield "endless" if _awaits_another(procedure, state) else "no_due"
    must_end = state.mode in {"pay", "correct", "attend", "book"} or left
    if must_end and state.due is not None and not automatic_from(procedure, state.id, "due"):
        yield "no_late"
