"""Transitions: take one, apply its effects, enter the state, and advance until something is awaited."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from engine.core.clock import local_day
from engine.core.problems import Refused, refusal
from engine.core.values import Plain
from engine.domain.common.decision import Act, IssueOrder
from engine.domain.common.four_eyes import barred_from_state
from engine.domain.documents.documents import is_issued, status_of
from engine.domain.workflow.due_dates import instant_of, pause_due, turn_clocks
from engine.domain.workflow.state_machine import circuit_of, event_trigger
from engine.domain.workflow.tasks import ask_tasks, drop_slot, holds_slot, is_satisfied, undo, with_corrected_prices
from engine.domain.workflow.transition_context import Moment, TransitionContext, codes
from engine.model import APPLICANT, Effects, Output, Procedure, Transition
from engine.model.types import Scope
from engine.records.dossier import ClockState, CorrectionRequest, DocumentStatus, Dossier, TakenTransition


def apply_effects(
    passage: TransitionContext, moment: Moment, effects: Effects, earlier: Iterable[TakenTransition]
) -> TransitionContext:  # fmt: skip
    """Return the context with documents to issue or change and fees to refund.

    `earlier` are the transitions that had the same effects before: a price is given back once by each act and state.
    """
    for output_id in effects.issues:
        new = tuple(order for order in _orders(passage, moment, output_id) if order not in passage.issue)
        passage = _replaced(replace(passage, issue=(*passage.issue, *new)), moment, new)
    passage = _restatus(passage, moment, effects.revokes, ("valid", "suspended"), "revoked")
    passage = _restatus(passage, moment, effects.suspends, ("valid",), "suspended")
    passage = _restatus(passage, moment, effects.restores, ("suspended",), "valid")
    former = tuple(earlier) if effects.returns else ()
    paid = {
        name: percent
        for name, percent in effects.returns.items()
        if _was_paid(passage.dossier, name) and not _was_given_back(passage.dossier, name, former)
    }
    return replace(passage, returns=(*passage.returns, *paid.items())) if paid else passage


def _give_back_former(passage: TransitionContext, transition: Transition) -> TransitionContext:
    """Return the context with the fees that the transition gives back and asks again.

    They are noted before they are reopened, which removes their price.
    """
    given = [(name, percent) for name, percent in transition.effects.returns.items() if name in transition.reopens]
    former = tuple((passage.dossier.owed[name], percent) for name, percent in given if _was_paid(passage.dossier, name))
    return replace(passage, former=(*passage.former, *former)) if former else passage


def _without_rest(passage: TransitionContext, moment: Moment) -> TransitionContext:
    """Return the context with nothing left to pay of a fee that is given back whole, or at an end without a grant.

    A state that still waits for the fee asks its rest.
    """
    dossier, state = passage.dossier, moment.procedure.state(passage.dossier.state)
    over = state.is_end and state.outcome != "granted"
    ended = {
        name: replace(owed, amount=owed.kept)
        for name, percent in passage.returns
        if (owed := dossier.owed.get(name))
        and owed.left
        and ((over and percent) or (percent == 100 and name in dossier.done))
    }
    return passage.with_(owed={**dossier.owed, **ended}) if ended else passage


def _was_paid(dossier: Dossier, fee: str) -> bool:
    owed = dossier.owed.get(fee)
    return owed is not None and owed.paid > 0


def _orders(passage: TransitionContext, moment: Moment, output_id: str) -> Iterator[IssueOrder]:
    """Yield the documents that an output requires and that are not valid already: one, or one per row."""
    output = moment.procedure.outputs[output_id]
    scope = moment.scope(passage.dossier)
    rows = scope.get(output.per) if output.per else None
    if output.per is None:
        if output.when.holds(scope) and not _stays(passage, moment, output, None):
            yield IssueOrder(output_id)
        return
    for number, row in enumerate(rows if isinstance(rows, tuple) else ()):
        inside = scope.inside(row) if isinstance(row, Mapping) else scope
        if output.when.holds(inside) and not _stays(passage, moment, output, number):
            yield IssueOrder(output_id, number)


def _stays(passage: TransitionContext, moment: Moment, output: Output, row: int | None) -> bool:
    """Return True when the existing document remains.

    An output of the kind `letter` reports one decision. Another decision gets a new one, unless it made the
    old one valid again.
    """
    if not is_issued(passage.dossier, output.id, row, local_day(moment.now)):
        return False
    mine = {(one.id, "valid") for one in passage.dossier.documents if (one.output, one.row) == (output.id, row)}
    return output.kind != "letter" or bool(mine.intersection(passage.documents))


def _replaced(passage: TransitionContext, moment: Moment, new: tuple[IssueOrder, ...]) -> TransitionContext:
    """Return the context with the documents of the kind `letter` of an earlier decision replaced by the new ones."""
    wanted, day = {(order.output, order.row) for order in new}, local_day(moment.now)
    old = {
        one.id
        for one in passage.dossier.documents
        if (one.output, one.row) in wanted and status_of(one, day) in ("valid", "suspended")
    }
    return _become(passage, moment, old, "replaced")


def _restatus(
    passage: TransitionContext, moment: Moment, outputs: Iterable[str], before: tuple[str, ...], after: DocumentStatus
) -> TransitionContext:
    wanted = set(outputs)
    day = local_day(moment.now)
    changed = {one.id for one in passage.dossier.documents if one.output in wanted and status_of(one, day) in before}
    return _become(passage, moment, changed, after)


def _become(
    passage: TransitionContext, moment: Moment, changed: Collection[str], after: DocumentStatus
) -> TransitionContext:
    if not changed:
        return passage
    kept = tuple(
        replace(one, status=after, changed_at=moment.now) if one.id in changed else one
        for one in passage.dossier.documents
    )
    reported = tuple((one.id, after) for one in passage.dossier.documents if one.id in changed)
    passage = replace(passage, documents=(*passage.documents, *reported))
    return passage.with_(documents=kept)


def _was_given_back(dossier: Dossier, fee: str, earlier: Iterable[TakenTransition]) -> bool:
    """Return True when one of these transitions was taken once the present price was paid.

    A price paid in part with nothing left (`_without_rest`) was given back too, since the day when it was fixed.
    """
    done, owed = dossier.done.get(fee), dossier.owed[fee]
    since = done.at if done is not None else None if owed.left else owed.at
    return since is not None and any(one.at >= since for one in earlier)


def finish_task(passage: TransitionContext, moment: Moment, task_id: str) -> TransitionContext:
    """Return the context after a finished and recorded task.

    It takes the transition that the task opens, else it advances.
    """
    passage = passage.happened(task_id)
    transition = transition_for(passage, moment, task_id)
    return advance_until_blocked(apply_transition(passage, moment, transition) if transition else passage, moment)


def transition_for(passage: TransitionContext, moment: Moment, event: str) -> Transition | None:
    """Return the transition that an event opens in the dossier's state, None without one."""
    circuit = circuit_of(moment.procedure)
    return circuit.transition(passage.dossier.state, event_trigger(event), moment.scope(passage.dossier))


def apply_transition(
    passage: TransitionContext, moment: Moment, transition: Transition, role: str = "system", act: Act | None = None
) -> TransitionContext:
    """Take one transition: effects, reopened tasks, the new state. The journal gets codes, and reasons as commitments."""
    actor = moment.actor if transition.event is None else None
    taken = TakenTransition(
        transition.id, transition.source, transition.target, moment.now, actor.id if actor else "system",
        actor.kind if actor else "system", act.reason if act else None, act.attachments if act else (),
        act.grounds if act else (),
    )  # fmt: skip
    orders = len(passage.issue)
    asked_again = [name for name in transition.reopens if _was_paid(passage.dossier, name)]
    passage = _give_back_former(passage, transition)
    for task_id in transition.reopens:
        passage = undo(passage, moment, task_id)
    before = passage.dossier.taken
    same = (one for one in before if (one.transition, one.source) == (transition.id, transition.source))
    passage = apply_effects(passage, moment, transition.effects, same)
    passage = passage.with_(taken=(*passage.dossier.taken, taken))
    if transition.event is None:
        passage = passage.happened(transition.id)
    passage = _without_rest(enter(_leave(passage, moment, transition, act), moment, transition.target), moment)
    return _note_transition(passage, transition, role, act, orders, asked_again)


def _note_transition(
    passage: TransitionContext, transition: Transition, role: str, act: Act | None, orders: int, asked_again: list[str]
) -> TransitionContext:
    """Return the context with the entry.

    `asked_again` are the fees whose price starts from nothing: paid in part before, or done again at 0 by this act,
    which the tasks done do not show.
    """
    body: dict[str, Plain] = {
        "transition": transition.id,
        "source": transition.source,
        "target": transition.target,
        "by": role,
    }
    if transition.event is not None:
        body["event"] = transition.event
    if passage.issue[orders:]:
        body["issues"] = [order.output for order in passage.issue[orders:]]
    if asked_again:
        body["reopened"] = codes(asked_again)
    if act and "correction" in transition.asks:
        body["fields"] = codes(act.correction)
    if act and act.attachments:
        body["attachments"] = list(act.attachments)
    if act and act.grounds:
        body["grounds"] = list(act.grounds)
    return passage.note("transition", body, _commitments(act) if act else {})


def _commitments(act: Act) -> dict[str, Plain]:
    """Return what the person wrote, which the journal proves without containing it."""
    written: dict[str, Plain] = {"reason": act.reason} if act.reason else {}
    written.update({f"correction.{name}": reason for name, reason in act.correction.items()})
    written.update({f"answers.{name}": answer for name, answer in act.filling.items()})
    return written


def _leave(passage: TransitionContext, moment: Moment, transition: Transition, act: Act | None) -> TransitionContext:
    """Return the context without what ends with the state, such as its correction. A requested correction begins."""
    procedure, correction = moment.procedure, passage.dossier.correction
    if procedure.state(transition.source).mode == "correct":
        passage, correction = _without_unsent(passage, moment), None
    if act and act.correction and "correction" in transition.asks:
        correction = CorrectionRequest(dict(act.correction), act.reason or "", moment.now, moment.actor.id)
    kept = passage.dossier.assigned
    if kept and not keeps_actor(procedure, passage.dossier, transition.target, kept):
        kept = None
    return passage.with_(correction=correction, assigned=kept)


def _without_unsent(passage: TransitionContext, moment: Moment) -> TransitionContext:
    """Return the context without a correction that was saved and not sent: its answers, its files, its prices."""
    dossier = passage.dossier
    if dossier.correction is None or dossier.correction.unsent is None:
        return passage
    priced, gone = with_corrected_prices(moment, dossier), dossier.files_unsent
    left = tuple(one for one in dossier.attachments if one.id not in gone)
    return passage.with_(attachments=left, owed=priced.owed, done=priced.done)


def keeps_actor(procedure: Procedure, dossier: Dossier, target: str, holder: str) -> bool:
    """Return True when the agent in charge remains.

    They remain until the dossier reaches other roles than the last that had it, or an act that another person
    must take, such as the answer to an appeal.
    """
    if barred_from_state(procedure, dossier, target, holder) is not None:
        return False
    roles = _agents_of(procedure, target)
    if not roles:
        return True
    sources = (taken.source for taken in reversed(dossier.taken))
    last = next((found for found in (_agents_of(procedure, source) for source in sources) if found), roles)
    return last == roles


def _agents_of(procedure: Procedure, state_id: str) -> frozenset[str]:
    state = procedure.states.get(state_id)
    return frozenset(state.by) - {APPLICANT} if state else frozenset()


def enter(passage: TransitionContext, moment: Moment, state_id: str) -> TransitionContext:
    """Return the context in a state, with its time, legal time limits, tasks and effects."""
    procedure, now = moment.procedure, moment.now
    state = procedure.state(state_id)
    passage = passage.with_(
        state=state_id, entered_at=now, closed_at=now if state.is_end else None, due_at=None, due_paused_at=None,
        clocks=_turned(passage.dossier, moment, state_id),
    )  # fmt: skip
    passage = replace(passage, moved=True)
    passage = ask_tasks(passage, moment, state)
    if state.due is not None:
        passage = passage.with_(
            due_at=instant_of(state.due, now, moment.scope(passage.dossier), moment.directory.calendar)
        )
    if state.mode == "attend" and any(holds_slot(passage.dossier, task) for task in state.waits):
        passage = replace(passage, dossier=pause_due(passage.dossier, now))
    if state.is_end:
        for appointment in tuple(passage.dossier.bookings):
            passage = drop_slot(passage, moment, appointment)
    came = (one for one in passage.dossier.taken[:-1] if one.target == state_id)
    return apply_effects(passage, moment, state.effects, came)


def _turned(dossier: Dossier, moment: Moment, state_id: str) -> Mapping[str, ClockState]:
    """Return the legal time limits in a state. Most procedures have none."""
    procedure = moment.procedure
    if not procedure.clocks:
        return dossier.clocks
    return turn_clocks(procedure, dossier, state_id, moment.now, moment.scope(dossier), moment.directory.calendar)


def advance_until_blocked(passage: TransitionContext, moment: Moment) -> TransitionContext:
    """Advance until the state waits for something. Raises `Refused` (`endless`) for a workflow that never waits."""
    circuit = circuit_of(moment.procedure)
    for _ in range(2 * len(moment.procedure.states) + 2):
        scope = moment.scope(passage.dossier)
        event = ripe_event(moment.procedure, passage.dossier, scope, moment)
        transition = circuit.transition(passage.dossier.state, event_trigger(event), scope) if event else None
        if transition is None:
            return passage.happened(passage.dossier.state) if passage.moved else passage
        passage = apply_transition(passage, moment, transition)
    raise Refused(refusal("endless", moment.procedure.state(passage.dossier.state).where, state=passage.dossier.state))


def ripe_event(procedure: Procedure, dossier: Dossier, scope: Scope, moment: Moment) -> str | None:
    """Return the event by which the dossier leaves its state now, None while it waits."""
    state = procedure.state(dossier.state)
    if state.is_end:
        return None
    if state.booked:
        held = all(
            holds_slot(dossier, one) or is_satisfied(procedure.tasks[one], dossier, scope) for one in state.waits
        )
        return "booked" if held else None
    if state.mode == "wait":
        over = instant_of(state.wait, dossier.entered_at, scope, moment.directory.calendar)
        return "done" if over is not None and over <= moment.now else None
    waits = [procedure.tasks[one] for one in state.waits]
    return "done" if waits and all(is_satisfied(task, dossier, scope) for task in waits) else None
