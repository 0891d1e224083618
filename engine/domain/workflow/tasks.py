"""Tasks of a state: when one is open, done or undone, and what it needs at its start (a price, a look-up)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.common.task_parts import fillings, is_finished, is_in_parts, parts_left, without_parts
from engine.domain.common.working_time import add_span
from engine.domain.documents.documents import granted_rows
from engine.domain.fields.field_types import is_asked
from engine.domain.workflow.confirmations import with_answers
from engine.domain.workflow.due_dates import resume_due
from engine.domain.workflow.fee_quotes import opens_transition, quote
from engine.domain.workflow.transition_context import Moment, TransitionContext
from engine.model import APPLICATION, Appointment, Fee, Form, Link, Procedure, State, Task
from engine.model.types import Scope
from engine.records.dossier import SYSTEM_ACTOR, CorrectionRequest, Done, Dossier, Owed


def is_satisfied(task: Task, dossier: Dossier, scope: Scope) -> bool:
    """Return True when the task needs no waiting: done, not required, or a link that was not named."""
    unlinked = isinstance(task, Link) and task.id not in dossier.links
    return task.id in dossier.done or unlinked or not task.when.holds(scope)


def open_tasks(procedure: Procedure, dossier: Dossier, scope: Scope) -> tuple[Task, ...]:
    """Return the tasks that the present state waits for and that can be done now."""
    if dossier.is_draft or dossier.state not in procedure.states:
        return ()
    awaited = [procedure.tasks[task_id] for task_id in procedure.state(dossier.state).waits]
    left = [task for task in awaited if not is_satisfied(task, dossier, scope)]
    return tuple(task for task in left if not task_blockers(procedure, task, dossier, scope))


def task_blockers(procedure: Procedure, task: Task, dossier: Dossier, scope: Scope) -> tuple[str, ...]:
    """Return the tasks that must be done before this one opens."""
    return tuple(one for one in task.after if not is_satisfied(procedure.tasks[one], dossier, scope))


def mark_done(passage: TransitionContext, moment: Moment, *tasks: str) -> TransitionContext:
    """Return the context with these tasks done now by the moment's actor."""
    done = Done(moment.now, moment.actor.id)
    return passage.with_(done={**passage.dossier.done, **dict.fromkeys(tasks, done)})


def undo(passage: TransitionContext, moment: Moment, task_id: str) -> TransitionContext:
    """Return the context with a task open again, without its price, slot and answers.

    Of a form filled once per row, the rows that a granting document in force names keep their filling. It stays done where
    every row has one.
    """
    if task_id not in moment.procedure.tasks:
        return _undo_opinion(passage, moment, task_id)
    task = moment.procedure.tasks[task_id]
    dossier = passage.dossier
    kept = _granted_fillings(moment, task, dossier) if isinstance(task, Form) and is_in_parts(task) else []
    if kept and all(kept):
        return passage
    gone = {task_id, *(one.id for one in task.services)} if isinstance(task, Form) else {task_id}
    passage = passage.with_(done={name: done for name, done in dossier.done.items() if name not in gone})
    if isinstance(task, Form) and is_in_parts(task):
        return passage.with_(answers={**without_parts(task, dossier.answers), **({task.id: kept} if any(kept) else {})})
    if isinstance(task, Fee):
        return passage.with_(owed={name: owed for name, owed in dossier.owed.items() if name != task_id})
    if isinstance(task, Appointment):
        return drop_slot(passage, moment, task_id)
    if isinstance(task, Form) and task_id != APPLICATION:
        asked = {one.id for one in task.fields} | {task_id}
        return with_answers(
            passage, moment, {name: kept for name, kept in dossier.answers.items() if name not in asked}
        )
    return passage


def _granted_fillings(moment: Moment, form: Form, dossier: Dossier) -> list[Plain]:
    """Return the fillings of rows that stay granted, None for the others."""
    held = granted_rows(moment.procedure, dossier, form.each, local_day(moment.now)) if form.each else frozenset()
    return [one if at in held else None for at, one in enumerate(fillings(form.id, dossier.answers))]


def _undo_opinion(passage: TransitionContext, moment: Moment, service: str) -> TransitionContext:
    """Return the context with one service consulted again. The other opinions remain."""
    asked = moment.procedure.round_of(service)
    if asked is None:
        return passage
    dossier = passage.dossier
    besides = dossier.answers.get(asked.id)
    kept = {name: one for name, one in dossier.answers.items() if name != service}
    if isinstance(besides, dict):
        kept[asked.id] = {name: one for name, one in besides.items() if name != service}
    gone = {service, asked.id}
    return passage.with_(answers=kept, done={name: one for name, one in dossier.done.items() if name not in gone})


def drop_slot(passage: TransitionContext, moment: Moment, appointment: str) -> TransitionContext:
    """Return the context with a booked slot cancelled, if any, and the state's time running."""
    booking = passage.dossier.bookings.get(appointment)
    if booking is None or booking.status != "booked":
        return passage
    cancelled = replace(booking, status="cancelled", sequence=booking.sequence + 1)
    passage = replace(
        passage, dossier=resume_due(passage.dossier, moment.now), releases=(*passage.releases, booking.id)
    )
    return passage.with_(bookings={**passage.dossier.bookings, appointment: cancelled})


def ask_tasks(passage: TransitionContext, moment: Moment, state: State) -> TransitionContext:
    """Return the context after the start of a state's tasks: price, look-up, reopened form."""
    if state.mode == "correct":
        passage = _reopen_form(passage, moment, state)
    for task_id in state.waits:
        task = moment.procedure.tasks[task_id]
        if isinstance(task, Fee):
            passage = _fix_price(passage, moment, task)
        elif isinstance(task, Form) and is_in_parts(task):
            passage = ask_parts(passage, moment, task)
        elif isinstance(task, Form) and task.register is not None:
            passage = undo(passage, moment, task_id)
            if task.when.holds(moment.scope(passage.dossier)):
                passage = replace(passage, look_ups=(*(one for one in passage.look_ups if one != task_id), task_id))
    return passage


def ask_parts(passage: TransitionContext, moment: Moment, form: Form) -> TransitionContext:
    """Return the context with a round or form per row closed or open, as its parts require.

    New rows or services open it again. Without any part it is done at once.
    """
    dossier, scope = passage.dossier, moment.scope(passage.dossier)
    finished = is_finished(form, dossier, scope)
    if finished and form.id not in dossier.done and form.when.holds(scope) and not parts_left(form, dossier, scope):
        return mark_done(passage, replace(moment, actor=SYSTEM_ACTOR), form.id)
    if not finished and form.id in dossier.done:
        return passage.with_(done={name: one for name, one in dossier.done.items() if name != form.id})
    return passage


def _reopen_form(passage: TransitionContext, moment: Moment, state: State) -> TransitionContext:
    correction = passage.dossier.correction
    if state.correct == "everything":
        asked = {one.id: "" for one in moment.procedure.form.fields if is_asked(one)}
        kept = correction or CorrectionRequest({}, "", moment.now, moment.actor.id)
        correction = replace(kept, fields={**asked, **kept.fields})
        passage = passage.with_(correction=correction)
    if correction is None or not correction.left:
        return passage
    open_again = {name: done for name, done in passage.dossier.done.items() if name != APPLICATION}
    passage = passage.with_(done=open_again, correction=correction)
    return passage.with_(correction=replace(correction, offsets=price_offsets(moment, passage.dossier)))


def _fix_price(passage: TransitionContext, moment: Moment, fee: Fee) -> TransitionContext:
    """Return the context with the price fixed for the time in the state, no lower than what was paid for it.

    A fee of zero is done at once.

    A guaranteed price is that of its first day, for the answers as they are now: a correction may have changed them.
    """
    dossier = passage.dossier
    scope = moment.scope(dossier)
    before = dossier.owed.get(fee.id)
    if is_satisfied(fee, dossier, scope):
        unpaid = before is not None and not before.paid and fee.id not in dossier.done
        return (
            passage.with_(owed={name: one for name, one in dossier.owed.items() if name != fee.id})
            if unpaid
            else passage
        )
    until = add_span(before.at, fee.valid_for, moment.directory.calendar) if before and fee.valid_for else None
    at = before.at if before is not None and until is not None and moment.now <= until else moment.now
    priced = quote(
        moment.procedure, fee.id, replace(moment, now=at).scope(dossier), dossier.language, moment.wording
    )  # fmt: skip
    amount = max(priced.amount, min(before.kept, before.amount) if before else 0)
    if before is not None and at == before.at and amount == before.amount:
        return passage
    owed = Owed(
        fee.id, priced.label, amount, tuple(priced.lines), at, *((before.paid, before.surplus) if before else ())
    )
    passage = passage.with_(owed={**dossier.owed, fee.id: owed})
    unknown = priced.missing and not priced.exempt  # an amount that depends on an empty answer is not zero
    return passage if owed.left or unknown else mark_done(passage, moment, fee.id)


def price_offsets(moment: Moment, dossier: Dossier) -> dict[str, int]:
    """Return by fee that was passed what the answers cost now above the price that was fixed.

    These are the fees with a price, and those that a state passed because they did not apply. Answers that cost less
    than what was paid, after an earlier correction, may cost that much again.
    """
    procedure, scope = moment.procedure, moment.scope(dossier)
    left = (procedure.states[one.source] for one in dossier.taken if one.source in procedure.states)
    passed = {name for state in left for name in state.waits}
    found = {}
    for fee in procedure.fees():
        applies, owed = fee.when.holds(scope), dossier.owed.get(fee.id)
        if owed is not None:
            priced = quote(procedure, fee.id, scope, dossier.language, moment.wording).amount if applies else 0
            found[fee.id] = max(0, priced - owed.amount)
        elif owed is None and fee.id in passed and not applies:
            found[fee.id] = 0
    return found


def raised_fees(dossier: Dossier) -> Mapping[str, int]:
    """Return the offsets of the fees that no state asks again.

    A fee whose payment was under way when the correction was asked is among them once it is done.
    """
    found = dossier.correction.offsets if dossier.correction is not None else {}
    return {name: offset for name, offset in found.items() if name in dossier.done or name not in dossier.owed}


def with_corrected_prices(moment: Moment, dossier: Dossier) -> Dossier:
    """Return a corrected dossier with the prices that its answers raise, on the day when the correction was asked.

    What was paid stays paid: the difference is left to pay, and no price falls below what was paid for it. A price
    that is raised and not paid falls again with the answers.
    """
    correction = dossier.correction
    if correction is None or not correction.offsets:
        return dossier
    scope = replace(moment, now=correction.at).scope(dossier)
    owed, done = dict(dossier.owed), dict(dossier.done)
    for name, offset in raised_fees(dossier).items():
        fee, before = moment.procedure.tasks.get(name), owed.get(name)
        if not isinstance(fee, Fee):
            continue
        if not fee.when.holds(scope):
            if before is not None and before.left and before.kept:
                owed[name] = replace(before, amount=before.kept)
            elif before is not None and before.left:
                owed.pop(name)
                done.pop(name, None)
            continue
        priced = quote(moment.procedure, name, scope, dossier.language, moment.wording)
        least = min(before.kept, before.amount) if before is not None else 0
        amount = max(priced.amount - offset, least)
        unknown = priced.missing and not priced.exempt
        if not unknown and amount != (before.amount if before is not None else 0):
            fixed = before or Owed(name, "", 0, (), moment.now)
            over = fixed.surplus + max(0, fixed.kept - fixed.amount)
            owed[name] = replace(
                fixed, label=priced.label, amount=amount, lines=tuple(priced.lines), surplus=over
            )  # fmt: skip
            done.setdefault(name, Done(moment.now, moment.actor.id))
    return dossier if owed == dossier.owed else replace(dossier, owed=owed, done=done)


def awaits_difference(moment: Moment, dossier: Dossier) -> bool:
    """Return True when a price that a correction raised is not paid yet. The correction is not sent before."""
    raised = raised_fees(dossier)
    fees = [fee for fee in moment.procedure.fees() if fee.id in raised and fee.id in dossier.owed]
    return not all(opens_transition(fee, dossier.owed[fee.id], moment.scope(dossier)) for fee in fees)


def has_paid_more(moment: Moment, dossier: Dossier) -> bool:
    """Return True when a price that a correction raised was paid above what the answers sent before it cost."""
    correction = dossier.correction
    if correction is None:
        return False
    procedure, scope = moment.procedure, replace(moment, now=correction.at).scope(dossier)
    for name, offset in raised_fees(dossier).items():
        fee, owed = procedure.tasks.get(name), dossier.owed.get(name)
        if not isinstance(fee, Fee) or owed is None:
            continue
        applies = fee.when.holds(scope)
        priced = quote(procedure, name, scope, dossier.language, moment.wording).amount if applies else 0
        if min(owed.amount, owed.kept) > max(0, priced - offset):
            return True
    return False


def holds_slot(dossier: Dossier, appointment: str) -> bool:
    """Return True when a slot is booked for this appointment and not used yet."""
    booking = dossier.bookings.get(appointment)
    return booking is not None and booking.status == "booked"
