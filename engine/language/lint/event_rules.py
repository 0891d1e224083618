"""The rules C596, C597 and V771: an event that a state never has, a correction of nothing, a time limit of the wrong person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.core.problems import Fact, Problem, problem
from engine.language.lint.outcome_rules import before_grant, is_filled_by_agents
from engine.language.lint.rule_registry import rule
from engine.model import APPLICANT, Appointment, Fee, Form, Procedure, State, Transition
from engine.model.directory import Directory
from engine.model.graph import acts_from, automatic_from, closure, edges, successors

_GIVEN_UP: Final = ("abandoned", "withdrawn", "expired")


@rule("C596")
def event_that_never_comes(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C596 for each automatic transition of a state where its event never happens.

    Such a transition leads nowhere, although the graph has it: a state that nothing else leaves is a dead end.
    """
    for transition in edges(procedure):
        if transition.event is not None and not _may_happen(procedure, transition, transition.event):
            yield problem(
                "C596", transition.where, at=transition.id, name=transition.id, state=transition.source,
                event=transition.event,
            )  # fmt: skip


def _may_happen(procedure: Procedure, transition: Transition, event: str) -> bool:
    """Return whether an event may happen in the source of a transition. C502 and C503 report `due` and `missed`."""
    state = procedure.states[transition.source]
    if event == "done":
        return (bool(state.waits) or state.mode == "wait") and not state.booked
    if event == "booked":
        return state.booked
    if event in ("due", "missed"):
        return True
    if event in procedure.clocks:
        return state.id in procedure.clocks[event].runs_in
    task = procedure.tasks.get(event) or procedure.round_of(event)
    if task is None or isinstance(task, Fee | Appointment):  # these may also be paid or attended in a later state
        return not state.is_end
    return task.id in state.waits


@rule("C597")
def correction_of_nothing(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C597 for each transition to `correct: requested` that names no answer: the dossier passes at once.

    Also for each act that asks a correction from which no state of correction is reached: the applicant cannot send it.
    """
    pending, follows = _pending(procedure), successors(procedure)
    correcting = {state.id for state in procedure.states.values() if state.correct is not None}
    for transition in edges(procedure):
        asks = "correction" in transition.asks
        target = procedure.states[transition.target]
        kept = transition.source in pending - correcting
        if target.correct == "requested" and not asks and not kept:
            yield _of_correction(transition, "nothing")
        elif asks and not correcting & closure([target.id], follows):
            yield _of_correction(transition, "nowhere")


def _of_correction(transition: Transition, fault: str) -> Problem:
    return problem(
        "C597", transition.where, at=transition.id, name=transition.id, fault=fault, state=transition.target,
        act=transition.event is None,
    )  # fmt: skip


@rule("V771")
def ended_without_an_agent(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V771 for each `late` that ends the request without an agent, where an agent is waited for too.

    The applicant loses the request because no agent proposed a slot, filled a form or decided.
    """
    follows = {
        state: [one.target for one in edges(procedure) if one.source == state and one.event is not None]
        for state in procedure.states
        if not acts_from(procedure, state)
    }
    for state in procedure.states.values():
        waited = _of_an_agent(procedure, state)
        for late in automatic_from(procedure, state.id, "due") if waited else ():
            reached = closure([late.target], follows)
            ends = (one.id for one in procedure.states.values() if one.id in reached and one.outcome in _GIVEN_UP)
            if (end := next(ends, None)) is not None:
                yield problem("V771", late.where, at=late.id, name=late.id, state=state.id, end=end, **waited)


def _of_an_agent(procedure: Procedure, state: State) -> dict[str, Fact]:
    """Return what a state waits for of an agent: a proposed slot, a form, or before a grant an act. Empty for nothing."""
    for task in (procedure.tasks[one] for one in state.waits if one in procedure.tasks):
        if isinstance(task, Appointment) and task.proposed_by is not None:
            return {"fault": "slot", "role": task.proposed_by, "task": task.id}
        if isinstance(task, Form) and is_filled_by_agents(task):
            return {"fault": "form", "task": task.id}
    acts = APPLICANT not in state.by and state.public != "ready" and state.id in procedure.once(before_grant)
    return {"fault": "act", "role": ", ".join(state.by)} if state.mode == "by" and acts else {}


def _pending(procedure: Procedure) -> frozenset[str]:
    """The states where a correction was asked on all paths and not sent yet, such as one that a chief validates."""
    found = {state for state in procedure.states if state != procedure.start}
    changed = True
    while changed:
        lost = {
            one.target for one in edges(procedure)
            if one.target in found and "correction" not in one.asks
            and (one.source not in found or procedure.states[one.source].correct is not None)
        }  # fmt: skip
        found, changed = found - lost, bool(lost)
    return frozenset(found)
