"""The rules of family C on workflows. One small function per code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.core.problems import Problem, problem
from engine.language.expressions.compiler import tree
from engine.language.expressions.typing import leaves
from engine.language.lint.rule_registry import rule, written_at
from engine.model import APPLICANT, APPLICATION, Appointment, Fee, Form, Link, Procedure, Task, Transition
from engine.model.directory import Directory
from engine.model.graph import (
    awaited,
    closure,
    edges,
    filled,
    issued,
    predecessors,
    successors,
    surely_done,
)  # fmt: skip
from engine.model.types import Constant

_NEEDS_THEN = {"pay", "book", "attend", "correct", "gather", "look_up", "await", "wait"}
_AGAINST = ("refused", "revoked")


@rule("C501")
def then_missing(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C501 for each state that waits for tasks and has no transition when they are done."""
    for state in procedure.states.values():
        events = {transition.event for transition in procedure.leaving.get(state.id, ())}
        if state.mode in _NEEDS_THEN and not events & {"done", "booked", *state.waits}:
            yield problem("C501", state.where, at=state.id, state=state.id, waits=state.mode)


@rule("C502")
def late_without_due(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C502 for each state with a transition `late` but without the time limit `due`."""
    for transition in procedure.transitions:
        state = procedure.states.get(transition.source)
        if transition.event == "due" and state is not None and state.due is None:
            yield problem("C502", transition.where, at=state.id, state=state.id)


@rule("C503")
def missed_without_appointment(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C503 for each state with a transition `missed` that waits for no appointment."""
    for transition in procedure.transitions:
        state = procedure.states.get(transition.source)
        if transition.event != "missed" or state is None:
            continue
        if not any(isinstance(procedure.tasks.get(task), Appointment) for task in state.waits):
            yield problem("C503", transition.where, at=state.id, state=state.id)


@rule("C504")
def act_without_label(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C504 for each act without a label."""
    for transition in procedure.transitions:
        if transition.event is None and not transition.label:
            yield problem("C504", transition.where, at=transition.id, name=transition.id)


@rule("C505")
def end_left_without_limit(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C505 for each transition that leaves an end state without the time limit `within`."""
    for transition in procedure.transitions:
        state = procedure.states.get(transition.source)
        if state is not None and state.is_end and transition.within is None:
            yield problem("C505", transition.where, at=transition.id, name=transition.id, state=state.id)


@rule("C506")
def fills_a_form_of_another(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C506 for each act open to a role that may not fill its later form."""
    for transition in procedure.transitions:
        form = procedure.tasks.get(transition.fills) if transition.fills else None
        if isinstance(form, Form) and form.by and not set(form.by) >= set(transition.by):
            yield problem("C506", transition.where, at=transition.id, name=transition.id, form=form.id)


@rule("C507")
def task_never_awaited(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C507 for each task that no state or act uses. Links of another relation than `needs` are exempt."""
    used = awaited(procedure) | filled(procedure) | {APPLICATION}
    used |= {str(transition.event) for transition in procedure.transitions if transition.event in procedure.tasks}
    for task in procedure.tasks.values():
        if task.id not in used and not (isinstance(task, Link) and task.relation != "needs"):
            yield problem("C507", task.where, at=task.id, name=task.id, what=_kind_of_task(task))


def _kind_of_task(task: Task) -> str:
    """Return the section of a task in one word, for a message."""
    if isinstance(task, Form):
        return (
            "link" if isinstance(task, Link) else "look_up" if task.register else "opinion" if task.services else "form"
        )
    return "fee" if isinstance(task, Fee) else "appointment"


@rule("C508")
def output_never_issued(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C508 for each output that no state or act issues."""
    given = issued(procedure)
    for output in procedure.outputs.values():
        if output.id not in given:
            yield problem("C508", output.where, at=output.id, name=output.id)


@rule("C509")
def after_what_never_comes_first(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C509 for a task in a cycle of `after`.

    Also for a task whose `after` is neither awaited in the same state nor surely done by then.
    """
    sure, expected = surely_done(procedure), awaited(procedure)
    for task in procedure.tasks.values():
        for earlier in task.after if task.id in expected else ():
            if earlier not in expected | filled(procedure):
                yield problem("C509", task.where, at=task.id, name=task.id, after=earlier)
            elif task.id in closure([earlier], {one.id: one.after for one in procedure.tasks.values()}):
                yield problem("C509", task.where, at=task.id, name=task.id, after=earlier, fault="circle")
            else:
                late = [one for one in procedure.states.values()
                        if task.id in one.waits and earlier not in one.waits and earlier not in sure[one.id]]  # fmt: skip
                for state in late[:1]:
                    yield problem("C509", task.where, at=task.id, name=task.id, after=earlier, fault="later",
                                  state=state.id)  # fmt: skip


@rule("C510")
def task_without_role(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C510 for each awaited form or appointment without a role. The application is exempt."""
    for state in procedure.states.values():
        for task_id in state.waits:
            task = procedure.tasks.get(task_id)
            if isinstance(task, (Form, Appointment)) and not task.by and task.id != APPLICATION:
                yield problem("C510", task.where, at=task.id, name=task.id, state=state.id)


@rule("C512")
def before_what_has_no_end(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C512 for a message sent before an event that is no time limit, due date or appointment."""
    for notice in procedure.notices:
        state = procedure.states.get(notice.event)
        dated = state is not None and (state.due is not None or state.wait is not None)
        dated = dated or notice.event in procedure.clocks
        if notice.before is not None and not dated and not isinstance(procedure.tasks.get(notice.event), Appointment):
            yield problem("C512", notice.where, at=notice.event, name=notice.event)


@rule("C522")
def without_an_unrequired_task(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C522 for each `without` that names a task no state or act uses."""
    used = awaited(procedure) | filled(procedure)
    for transition in procedure.transitions:
        for task in transition.without:
            if task not in used:
                yield problem("C522", transition.where, at=transition.id, name=task)


@rule("C583")
def correction_left_unsent(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C583 for each transition, other than the sending, from a state of correction to work or to a grant.

    What the applicant saved there does not count: the decision would rest on the answers that an agent asked to correct.
    """
    for transition in edges(procedure):
        source, target = (procedure.states.get(one) for one in (transition.source, transition.target))
        if source is None or source.mode != "correct" or target is None or transition.event == "done":
            continue
        if not target.is_end or target.outcome == "granted":
            yield problem("C583", transition.where, at=transition.id, name=source.id, state=target.id)


@rule("C531")
def unreachable_quorum(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C531 for a quorum above the number of services, or below one."""
    for task in procedure.tasks.values():
        if isinstance(task, Form) and task.quorum is not None:
            numbers = (leaf.value for leaf in leaves(tree(task.quorum)) if isinstance(leaf, Constant))
            wrong = [one for one in numbers if isinstance(one, int) and not 1 <= one <= len(task.services)]
            if wrong:
                yield problem("C531", task.quorum.where, at=task.id, name=task.id, wanted=str(wrong[0]),
                              asked=len(task.services))  # fmt: skip


@rule("C581")
def register_of_another_agency(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C581 for each look-up in a register of another agency that does not let this one read it."""
    agency = procedure.identity.agency
    for task in procedure.forms():
        register = directory.registers.get(task.register or "")
        if register is not None and agency not in (register.agency, *register.readers):
            where = written_at(procedure, ("look_ups", task.id, "register"), task.where)
            yield problem("C581", where, at=task.id, name=register.id, agency=register.agency, reader=agency)


@rule("C540")
def refusal_in_bulk(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C540 for a bulk act that refuses, or that takes an output from its holder.

    Outputs of the kind `letter` are exempt.
    """
    for transition in _in_bulk(procedure):
        there = procedure.states.get(transition.target)
        if there is not None and (
            there.public == "refused" or there.outcome in _AGAINST or _takes(procedure, there.effects.revokes)
        ):
            yield problem("C540", transition.where, at=transition.id, name=transition.id, state=there.id)
        elif _takes(procedure, (*transition.effects.revokes, *transition.effects.suspends)):
            yield problem("C540", transition.where, at=transition.id, name=transition.id, state=transition.target)


def _takes(procedure: Procedure, outputs: Iterable[str]) -> bool:
    """Return whether some of these outputs are of another kind than `letter`: a document that its holder uses."""
    known = (procedure.outputs.get(one) for one in outputs)
    return any(one is None or one.kind != "letter" for one in known)


@rule("C541")
def bulk_that_asks(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C541 for a bulk act that asks more than a reason, is automatic, or is open to the applicant.

    An act with `confirms` compares the answers of each dossier.
    """
    for transition in _in_bulk(procedure):
        asked = sorted(transition.asks & {"attachment", "correction", "grounds"}) + (
            [transition.fills] if transition.fills else []
        )
        asked += ["confirms"] if transition.confirms else []
        asked += ["applicant"] if APPLICANT in transition.by else []
        asked += [transition.event] if transition.event else []
        if asked:
            yield problem("C541", transition.where, at=transition.id, name=transition.id, asked=asked[0])


def _in_bulk(procedure: Procedure) -> Iterator[Transition]:
    """One transition for each act and target: an act open in several states is reported once."""
    reported: set[tuple[str, str]] = set()
    for transition in procedure.transitions:
        if transition.bulk and (transition.id, transition.target) not in reported:
            reported.add((transition.id, transition.target))
            yield transition


@rule("C520")
def clock_left_and_found_again(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C520 for a state between two states of a time limit, if the limit does not list it."""
    forward, backward = successors(procedure), predecessors(procedure)
    for clock in procedure.clocks.values():
        listed = clock.runs_in | clock.paused_in
        ahead, behind = closure(listed, forward), closure(listed, backward)
        for state_id in sorted((ahead & behind) - listed):
            if not procedure.states[state_id].is_end and not _only_after_end(procedure, state_id, listed):
                yield problem("C520", clock.where, at=clock.id, clock=clock.id, state=state_id)


def _only_after_end(procedure: Procedure, state_id: str, listed: frozenset[str]) -> bool:
    """Return whether the state is reached only after an end. An appeal does not revive the time limit."""
    follows: dict[str, list[str]] = {}
    for transition in edges(procedure):
        if not procedure.states[transition.source].is_end:
            follows.setdefault(transition.source, []).append(transition.target)
    return state_id not in closure(listed, follows)


@rule("C521")
def clock_runs_and_pauses(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C521 for each state where a time limit both runs and is paused."""
    for clock in procedure.clocks.values():
        for state_id in sorted(clock.runs_in & clock.paused_in):
            yield problem("C521", clock.where, at=clock.id, clock=clock.id, state=state_id)


@rule("C511")
def done_task_met_again(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C511 for a transition back to a done task that it does not reopen: the dossier would leave that
    state at once."""
    sure = surely_done(procedure)
    for state in procedure.states.values():
        for transition in edges(procedure):
            if transition.target != state.id or transition.event in {"missed", "done"} or state.correct:
                continue
            again = set(state.waits) & sure[transition.source] - set(transition.reopens)
            for task_id in sorted(again):
                task = procedure.tasks.get(task_id)
                if task is not None and not (isinstance(task, Form) and task.register):
                    yield problem(
                        "C511", transition.where, at=transition.id, name=transition.id, state=state.id, task=task_id
                    )


@rule("V770")
def own_refusal_judged(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield V770 for each act by which an agent may decide an appeal against their own refusal.

    With `other_than` the act must be taken by another person, and the rule does not apply.
    """
    reported: set[tuple[str, str]] = set()
    for appeal in procedure.identity.appeals.values():
        transitions = tuple(transition for transition in edges(procedure) if transition.id == appeal.act)
        refusals = _refusals(procedure, frozenset(transition.source for transition in transitions))
        for act in _judging(procedure, transitions, refusals):
            mine = sorted({one.id for one in refusals if set(one.by) & set(act.by)} - set(act.other_than))
            if mine and (act.id, mine[0]) not in reported:
                reported.add((act.id, mine[0]))
                yield problem("V770", act.where, at=act.id, name=act.id, refusal=mine[0], appeal=appeal.id)


def _refusals(procedure: Procedure, contested: frozenset[str]) -> tuple[Transition, ...]:
    """The last acts of agents before the refused ends that are appealed."""
    ends = {one for one in contested if procedure.states[one].outcome == "refused"}
    before: dict[str, list[str]] = {}
    for transition in edges(procedure):
        if transition.event is not None:
            before.setdefault(transition.target, []).append(transition.source)
    near = closure(ends, before)
    return tuple(
        transition for transition in edges(procedure) if transition.target in near and _of_an_agent(transition)
    )


def _judging(
    procedure: Procedure, appeals: tuple[Transition, ...], refusals: tuple[Transition, ...]
) -> Iterator[Transition]:
    """The acts that decide the appeal, each once."""
    names = {one.act for one in procedure.identity.appeals.values()}
    heard = {
        state for state in procedure.states
        if state != procedure.start and all(transition.id in names for transition in edges(procedure) if transition.target == state)
    }  # fmt: skip
    follows: dict[str, list[str]] = {}
    for transition in edges(procedure):
        if transition.source not in heard:
            follows.setdefault(transition.source, []).append(transition.target)
    met = closure((transition.target for transition in appeals), follows)
    where = {transition.target for transition in appeals} & heard | {one.source for one in refusals} & met
    acts = {
        transition.id: transition
        for transition in edges(procedure)
        if transition.source in where and _of_an_agent(transition)
    }
    yield from (transition for transition in acts.values() if "correction" not in transition.asks)


def _of_an_agent(transition: Transition) -> bool:
    return transition.event is None and APPLICANT not in transition.by
