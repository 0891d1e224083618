"""Acts of people, registers and operators on a dossier (`timers.py` has those of time). Each returns a `Decision`.

Pure: the dossier, the procedure, the time and the directory are arguments. An impossible act raises `Refused`
with its reason. After each act the dossier advances until it waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import acting_role, is_owner
from engine.domain.common.decision import NOT_COMPARED, Act, AvailableAction, Decision, PieceComparison
from engine.domain.common.four_eyes import People
from engine.domain.common.task_parts import forms_in_parts, is_in_parts, realigned
from engine.domain.common.text_provider import Wording
from engine.domain.common.working_time import add_span
from engine.domain.workflow.available_actions import guard_refusal, missing_from, offers_of
from engine.domain.workflow.confirmations import confirm, confirms_of, match_again, to_compare, with_answers
from engine.domain.workflow.due_dates import absent_from, resume_due
from engine.domain.workflow.elapsed import closed_by_time, goes_on, law_decides, time_past
from engine.domain.workflow.fee_quotes import opens_transition, part_of
from engine.domain.workflow.linked_dossiers import missing_link
from engine.domain.workflow.state_machine import act_trigger, circuit_of
from engine.domain.workflow.tasks import is_satisfied, mark_done, task_blockers
from engine.domain.workflow.transition_context import Moment, TransitionContext, codes, finished
from engine.domain.workflow.transitions import advance_until_blocked, apply_transition, enter, transition_for
from engine.model import APPLICANT, APPLICATION, SYSTEM, Appointment, Fee, Form, Procedure, Task, Transition
from engine.model.directory import Directory
from engine.model.roles import role_key
from engine.model.types import Scope
from engine.records.dossier import SYSTEM_ACTOR, Actor, Booking, Dossier

LOOK_UP_VALUES: Final = ("found", "not_found", "unavailable")


# -- people ------------------------------------------------------------------------------------------------------------


def open_transitions(
    procedure: Procedure, dossier: Dossier, actor: Actor, now: datetime, directory: Directory, wording: Wording,
    people: People | None = None,
) -> tuple[AvailableAction, ...]:  # fmt: skip
    """Return every act of the present state as this actor sees it: possible, or refused with a reason.

    `people` (by account id) says who still holds a role, for acts reserved to their first actor.
    """
    return offers_of(Moment(procedure, actor, now, directory, wording), dossier, people)


def submit(
    procedure: Procedure, dossier: Dossier, actor: Actor, now: datetime, directory: Directory, wording: Wording
) -> Decision:
    """Submit the request, whose answers the caller has checked, and enter the start state. Raises `Refused`."""
    if not dossier.is_draft:
        raise Refused(refusal("already_submitted"))
    if not is_owner(dossier, actor) and actor.kind != "system":
        raise Refused(refusal("role", roles=(APPLICANT,)))
    moment = Moment(procedure, actor, now, directory, wording)
    missing = missing_link(procedure, dossier, moment.scope(dossier))
    if missing is not None:
        raise Refused(missing)
    passage = TransitionContext.of(dossier).with_(submitted_at=now, form_day=local_day(now), due_at=None)
    passage = passage.with_(office=office_of(moment, passage.dossier))
    passage = enter(mark_done(passage, moment, APPLICATION), moment, procedure.start)
    commits = {f"answers.{name}": answer for name, answer in dossier.answers.items()}
    body: dict[str, Plain] = {"office": passage.dossier.office, "channel": dossier.channel}
    if passage.issue:
        body["issues"] = [order.output for order in passage.issue]
    passage = passage.note("submitted", body, commits).happened("submitted")
    return finished(advance_until_blocked(passage, moment), moment)


def office_of(moment: Moment, dossier: Dossier) -> str | None:
    """Return the office that handles a dossier: the workflow's choice, else the agency's first. None without offices."""
    said = moment.procedure.office.value(moment.scope(dossier)) if moment.procedure.office else None
    if isinstance(said, str) and said in moment.directory.offices:
        return said
    own = moment.directory.offices_of(moment.procedure.identity.agency)
    return own[0].id if own else None


def take(
    procedure: Procedure, dossier: Dossier, act: Act, actor: Actor, now: datetime, directory: Directory,
    wording: Wording, people: People | None = None,
) -> Decision:  # fmt: skip
    """Take a transition for a person. The caller has checked the later form that it fills. Raises `Refused`.

    The guard is evaluated with the answers of that form.
    """
    moment = Moment(procedure, actor, now, directory, wording)
    return take_offered(moment, dossier, act, offers_of(moment, dossier, people))


def take_offered(moment: Moment, dossier: Dossier, act: Act, offers: tuple[AvailableAction, ...]) -> Decision:
    """Take a transition among the available actions of the moment's actor (`offers_of`). Raises `Refused`."""
    procedure, actor = moment.procedure, moment.actor
    offer = next((one for one in offers if one.transition.id == act.transition), None)
    if offer is None:
        raise Refused(_no_such_act(procedure, dossier, act.transition))
    if offer.closed is not None:
        raise Refused(offer.closed)
    missing = missing_from(moment, dossier, offer.transition, act)
    if missing is not None:
        raise Refused(missing)
    if not offer.transition.asks & {"reason", "correction"}:
        act = replace(act, reason=None)  # a text that no page asked for is not kept, and no paper prints it
    passage = _filled(TransitionContext.of(dossier), moment, offer.transition, act)
    transition = circuit_of(procedure).transition(
        dossier.state, act_trigger(act.transition), moment.scope(passage.dossier)
    )
    if transition is None:
        raise Refused(guard_refusal(offer.transitions[-1]))
    role = acting_role(procedure, dossier, actor, transition.by) or actor.kind
    passage = confirm(
        passage, moment, to_compare(moment, dossier, confirms_of(procedure, transition)), act.compared, role
    )
    passage = apply_transition(passage, moment, transition, role, act)
    if transition.fills and transition.fills in passage.dossier.done:
        passage = passage.happened(transition.fills)
    return finished(advance_until_blocked(passage, moment), moment)


def _no_such_act(procedure: Procedure, dossier: Dossier, name: str) -> Refusal:
    known = any(transition.id == name for transition in procedure.transitions if transition.event is None)
    return refusal("state" if known else "unknown_act", act=name, state=dossier.state)


def _filled(passage: TransitionContext, moment: Moment, transition: Transition, act: Act) -> TransitionContext:
    """Return the context with the later form that the act fills, so that the guard reads its answers."""
    if transition.fills is None:
        return passage
    passage = with_answers(passage, moment, {**passage.dossier.answers, **act.filling})
    return mark_done(passage, moment, transition.fills)


# -- tasks -------------------------------------------------------------------------------------------------------------


def task_done(
    procedure: Procedure, dossier: Dossier, task_id: str, actor: Actor, now: datetime, directory: Directory,
    wording: Wording, answers: Mapping[str, Plain] | None = None, compared: PieceComparison = NOT_COMPARED,
) -> Decision:  # fmt: skip
    """Finish a task of the state: corrections, an appointment, a form (`answers`, checked by the caller) or a fee.

    `compared` are the answers that the form confirms. The dossier advances if it waits for nothing else. A fee is paid in full. Raises `Refused`.
    """
    moment = Moment(procedure, actor, now, directory, wording)
    task = procedure.tasks.get(task_id)
    closed = _task_closed(moment, dossier, task, task_id)
    if closed is not None:
        raise Refused(closed)
    if isinstance(task, Fee):
        return pay(procedure, dossier, (task_id,), dossier.owed[task_id].left, actor, now, directory, wording)
    passage = _carried_out(TransitionContext.of(dossier), moment, task_id, answers or {})
    body: dict[str, Plain] = {"task": task_id, "by": _actor_role(moment, dossier, task)}
    if task_id == APPLICATION and dossier.correction:
        body["fields"] = codes(dossier.correction.fields)
    commits = {f"answers.{name}": answer for name, answer in (answers or {}).items()}
    passage = mark_done(passage, moment, task_id)
    if isinstance(task, Form):
        passage = confirm(passage, moment, to_compare(moment, dossier, task.confirms), compared, str(body["by"]))
    passage = passage.note("task_done", body, commits)
    if isinstance(task, Form) and task.matches:
        passage = match_again(passage, moment, task)
    return finished(goes_on(passage, moment, task_id), moment)


def _task_closed(moment: Moment, dossier: Dossier, task: Task | None, task_id: str) -> Refusal | None:
    """Return why this actor cannot do a task now, None when they can."""
    procedure = moment.procedure
    if task is None or dossier.is_draft:
        return refusal("unknown_task" if task is None else "not_now", task=task_id)
    if task_id in dossier.done:
        return refusal("already_done", task=task_id)
    if isinstance(task, Fee):
        return None if task_id in dossier.owed else refusal("not_now", task=task_id)
    if isinstance(task, Appointment):
        return _visit_closed(moment, dossier, task) or visit_ahead(dossier.bookings[task_id], moment.now)
    if isinstance(task, Form) and is_in_parts(task):
        return refusal("in_parts", task.where, task=task_id)
    scope = moment.scope(dossier)
    if task_id not in procedure.state(dossier.state).waits or is_satisfied(task, dossier, scope):
        return refusal("not_now", task=task_id, state=dossier.state)
    blockers = task_blockers(procedure, task, dossier, scope)
    if blockers:
        return refusal("not_yet", task=task_id, after=blockers)
    person = _actor_role(moment, dossier, task)
    if person is None:
        return refusal("role", task.where, roles=tuple(role_key(procedure, role) for role in task.by))
    late = closed_by_time(moment, time_past(moment, dossier), person, task.where)
    if late is not None:
        return late
    everything = procedure.state(dossier.state).correct == "everything"
    if task_id == APPLICATION and dossier.correction and dossier.correction.left and not everything:
        return refusal("correction_incomplete", fields=dossier.correction.left)
    return None


def _visit_closed(moment: Moment, dossier: Dossier, task: Appointment) -> Refusal | None:
    booking = dossier.bookings.get(task.id)
    if booking is None or booking.status != "booked":
        return refusal("not_booked", task=task.id)
    if _actor_role(moment, dossier, task) is None:
        return refusal("role", task.where, roles=tuple(role_key(moment.procedure, role) for role in task.by))
    return None


def visit_ahead(booking: Booking, now: datetime) -> Refusal | None:
    """Return `visit_ahead` before the local day of the appointment, when no arrival can be recorded. Else None."""
    day = local_day(booking.start)
    return refusal("visit_ahead", task=booking.appointment, day=day.isoformat()) if local_day(now) < day else None


def _actor_role(moment: Moment, dossier: Dossier, task: Task | None) -> str | None:
    """Return the role in which the actor does a task. The system may do any, and the owner corrects their form."""
    if moment.actor.kind == "system":
        return SYSTEM
    by = (APPLICANT,) if task is not None and task.id == APPLICATION else task.by if task else ()
    return acting_role(moment.procedure, dossier, moment.actor, by)


def _carried_out(
    passage: TransitionContext, moment: Moment, task_id: str, answers: Mapping[str, Plain]
) -> TransitionContext:
    """Return the further changes of a finished task: its answers, the end of a correction, the used booking."""
    dossier = passage.dossier
    if task_id == APPLICATION:
        answers = passage.dossier.answers
        for form in forms_in_parts(moment.procedure):
            answers = realigned(form, answers) if form.each and form.id in answers else answers
        return with_answers(passage, moment, answers).with_(correction=None)
    booking = dossier.bookings.get(task_id)
    if booking is not None:
        used = replace(booking, status="attended", arrived_at=booking.arrived_at or moment.now)
        return passage.with_(bookings={**dossier.bookings, task_id: used})
    return with_answers(passage, moment, {**dossier.answers, **answers})


def pay(
    procedure: Procedure, dossier: Dossier, fees: tuple[str, ...], amount: int, actor: Actor, now: datetime,
    directory: Directory, wording: Wording,
) -> Decision:  # fmt: skip
    """Credit a payment in whole francs to these fees, whatever state the dossier is in.

    A fee paid in full is done, and the dossier advances when all are. An overpayment stays on the last fee.
    """
    moment = Moment(procedure, actor, now, directory, wording)
    scope = moment.scope(dossier)
    known = [name for name in fees if name in dossier.owed]
    credited = _shared_out(procedure, dossier, known, amount, scope)
    owed = {**dossier.owed, **{
        name: replace(dossier.owed[name], paid=dossier.owed[name].paid + part) for name, part in credited.items()
    }}  # fmt: skip
    passage = TransitionContext.of(dossier).with_(owed=owed)
    enough = [name for name in known if opens_transition(_fee(procedure, name), owed[name], scope)]
    settled = [name for name in enough if name not in dossier.done]
    passage = _more_time(passage, moment, {name: credited[name] for name in known if name not in enough})
    passage = mark_done(passage, moment, *settled).note("paid", {"fees": dict(credited), "amount": amount})
    for name in settled:
        passage = goes_on(passage, moment, name) if name == settled[-1] else passage.happened(name)
    return finished(passage, moment)


def _shared_out(
    procedure: Procedure, dossier: Dossier, fees: list[str], amount: int, scope: Scope
) -> dict[str, int]:  # fmt: skip
    """Return the share of each fee in an amount.

    Each fee first gets the part it waits for, then the rest in order. The last gets any overpayment.
    """
    shares, left = dict.fromkeys(fees, 0), amount
    for whole in (False, True):
        for name in fees:
            owed = dossier.owed[name]
            awaited = owed.left if whole else part_of(_fee(procedure, name), owed, scope)
            more = min(left, awaited - shares[name])
            shares[name], left = shares[name] + more, left - more
    if fees:
        shares[fees[-1]] += left
    return shares


def _fee(procedure: Procedure, fee_id: str) -> Fee:
    fee = procedure.tasks[fee_id]
    assert isinstance(fee, Fee)
    return fee


def _more_time(passage: TransitionContext, moment: Moment, credited: Mapping[str, int]) -> TransitionContext:
    """Move the state's time to the next unpaid part: one span from its present end for each part that was paid.

    A part paid early takes no day from those after it, whose days the payer read before.
    """
    dossier, procedure, calendar = passage.dossier, moment.procedure, moment.directory.calendar
    if dossier.due_at is None:
        return passage
    ends = [dossier.due_at]
    for name, francs in credited.items():
        plan, owed = _fee(procedure, name).instalments, dossier.owed[name]
        if plan is None or name not in procedure.state(dossier.state).waits:
            continue
        share, end = plan.share(owed.amount), dossier.due_at
        for _ in range(owed.kept // share - (owed.kept - francs) // share):
            end = add_span(end, plan.every, calendar)
        ends += [end, add_span(moment.now, plan.every, calendar)]
    return passage.with_(due_at=max(ends))


def answer_look_up(
    procedure: Procedure, dossier: Dossier, task_id: str, value: str, answers: Mapping[str, Plain], now: datetime,
    directory: Directory, wording: Wording,
) -> Decision:  # fmt: skip
    """Record a register's answer: `found`, `not_found` or `unavailable`. `answers` are its values by field.

    Raises `Refused`.
    """
    task = procedure.tasks.get(task_id)
    if not isinstance(task, Form) or task.register is None or value not in LOOK_UP_VALUES:
        raise Refused(refusal("unknown_task", task=task_id))
    known = {field.id for field in task.fields}
    kept = {name: answer for name, answer in answers.items() if name in known}
    found: dict[str, Plain] = {**kept, task_id: value}
    return task_done(procedure, dossier, task_id, SYSTEM_ACTOR, now, directory, wording, found)


def no_show(
    procedure: Procedure, dossier: Dossier, appointment: str, actor: Actor, now: datetime, directory: Directory,
    wording: Wording,
) -> Decision:  # fmt: skip
    """Record that the person did not come. Up to the allowed number, the applicant takes another slot.

    Above it the state's `missed` transition is taken. Raises `Refused`.
    """
    moment = Moment(procedure, actor, now, directory, wording)
    task = procedure.tasks.get(appointment)
    if not isinstance(task, Appointment):
        raise Refused(refusal("unknown_task", task=appointment))
    closed = _visit_closed(moment, dossier, task)
    if closed is not None:
        raise Refused(closed)
    booking = dossier.bookings[appointment]
    if actor.kind == "agent" and booking.arrived_at is not None:
        raise Refused(refusal("has_arrived", task=appointment))
    if actor.kind == "agent" and now < absent_from(booking):
        raise Refused(refusal("too_soon", task=appointment))
    count = dossier.missed.get(appointment, 0) + 1
    passage = replace(TransitionContext.of(dossier), dossier=resume_due(dossier, now)).with_(
        bookings={**dossier.bookings, appointment: replace(booking, status="missed")},
        missed={**dossier.missed, appointment: count},
    )
    passage = passage.note(
        "missed", {"appointment": appointment, "count": count, "by": _actor_role(moment, dossier, task)}
    )
    passage = passage.happened(f"missed:{appointment}")
    awaited = appointment in procedure.state(dossier.state).waits
    transition = transition_for(passage, moment, "missed") if awaited and count > task.no_show else None
    transition = None if law_decides(moment, passage.dossier) else transition
    return finished(
        advance_until_blocked(apply_transition(passage, moment, transition), moment) if transition else passage, moment
    )
