"""What people, registers and operators do to a dossier along its circuit (what time does: `timers.py`). Each verb answers
a `Decision`.

Nothing is kept here and nothing is asked of the world: the dossier, the book, the time and the directory come in. A
closed act raises `Refused` with why. After each verb the dossier has passed on until it rests.
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
from engine.domain.common.decision import Act, AvailableAction, Decision
from engine.domain.common.task_parts import forms_in_parts, is_in_parts, realigned
from engine.domain.common.text_provider import Wording
from engine.domain.common.working_time import add_span
from engine.domain.workflow.available_actions import People, guard_refusal, missing_from, offers_of
from engine.domain.workflow.due_dates import absent_from, resume_due
from engine.domain.workflow.elapsed import closed_by_time, goes_on, law_decides, time_past
from engine.domain.workflow.fee_quotes import opens_way, part_of
from engine.domain.workflow.linked_dossiers import missing_link
from engine.domain.workflow.state_machine import act_trigger, circuit_of
from engine.domain.workflow.tasks import is_satisfied, mark_done, task_blockers
from engine.domain.workflow.transition_context import Moment, TransitionContext, codes, finished
from engine.domain.workflow.transitions import enter, move, settle, way_of
from engine.model import (
    APPLICANT,
    APPLICATION,
    SYSTEM,
    Appointment,
    Fee,
    Form,
    Procedure,
    Task,
    Transition,
)
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
    """Every act of the present state as this actor sees it: open, or closed and why. `people` (by account id) tells who
    still holds a role, for acts kept to the hand that began."""
    return offers_of(Moment(procedure, actor, now, directory, wording), dossier, people)


def submit(
    procedure: Procedure, dossier: Dossier, actor: Actor, now: datetime, directory: Directory, wording: Wording
) -> Decision:
    """Sends the request, whose answers the caller has checked: it enters the circuit at its start."""
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
    return finished(settle(passage, moment), moment)


def office_of(moment: Moment, dossier: Dossier) -> str | None:
    """The office that handles a dossier: what the circuit says, else the agency's first."""
    said = moment.procedure.office.value(moment.scope(dossier)) if moment.procedure.office else None
    if isinstance(said, str) and said in moment.directory.offices:
        return said
    own = moment.directory.offices_of(moment.procedure.identity.agency)
    return own[0].id if own else None


def take(
    procedure: Procedure, dossier: Dossier, act: Act, actor: Actor, now: datetime, directory: Directory,
    wording: Wording, people: People | None = None,
) -> Decision:  # fmt: skip
    """A person takes a transition. The later form it fills was checked by the caller; the guard is judged with it."""
    moment = Moment(procedure, actor, now, directory, wording)
    return take_offered(moment, dossier, act, offers_of(moment, dossier, people))


def take_offered(moment: Moment, dossier: Dossier, act: Act, offers: tuple[AvailableAction, ...]) -> Decision:
    """The same, once it is known what is open to the moment's actor (`offers_of`)."""
    procedure, actor = moment.procedure, moment.actor
    offer = next((one for one in offers if one.transition.id == act.transition), None)
    if offer is None:
        raise Refused(_no_such_act(procedure, dossier, act.transition))
    if offer.closed is not None:
        raise Refused(offer.closed)
    missing = missing_from(moment, dossier, offer.transition, act)
    if missing is not None:
        raise Refused(missing)
    passage = _filled(TransitionContext.of(dossier), moment, offer.transition, act)
    way = circuit_of(procedure).way(dossier.state, act_trigger(act.transition), moment.scope(passage.dossier))
    if way is None:
        raise Refused(guard_refusal(offer.ways[-1]))
    role = acting_role(procedure, dossier, actor, way.by) or actor.kind
    passage = move(passage, moment, way, role, act)
    if way.fills and way.fills in passage.dossier.done:
        passage = passage.happened(way.fills)
    return finished(settle(passage, moment), moment)


def _no_such_act(procedure: Procedure, dossier: Dossier, name: str) -> Refusal:
    known = any(way.id == name for way in procedure.transitions if way.event is None)
    return refusal("state" if known else "unknown_act", act=name, state=dossier.state)


def _filled(passage: TransitionContext, moment: Moment, way: Transition, act: Act) -> TransitionContext:
    """The later form that the act fills counts in its own guard."""
    if way.fills is None:
        return passage
    passage = passage.with_(answers={**passage.dossier.answers, **act.filling})
    return mark_done(passage, moment, way.fills)


# -- tasks -------------------------------------------------------------------------------------------------------------


def task_done(
    procedure: Procedure, dossier: Dossier, task_id: str, actor: Actor, now: datetime, directory: Directory,
    wording: Wording, answers: Mapping[str, Plain] | None = None,
) -> Decision:  # fmt: skip
    """One thing the state waits for is done: the corrections sent, a visit attended, a form filled (`answers`, checked by
    the caller), a fee paid in full. The dossier passes on if nothing else is awaited."""
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
    passage = mark_done(passage, moment, task_id).note("task_done", body, commits)
    return finished(goes_on(passage, moment, task_id), moment)


def _task_closed(moment: Moment, dossier: Dossier, task: Task | None, task_id: str) -> Refusal | None:
    """Why a task cannot be done now by this actor."""
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
    """Nobody has come nor been received before the local day of the visit."""
    day = local_day(booking.start)
    return refusal("visit_ahead", task=booking.appointment, day=day.isoformat()) if local_day(now) < day else None


def _actor_role(moment: Moment, dossier: Dossier, task: Task | None) -> str | None:
    """In which role the actor does a task: the system may do any, the owner corrects their form."""
    if moment.actor.kind == "system":
        return SYSTEM
    by = (APPLICANT,) if task is not None and task.id == APPLICATION else task.by if task else ()
    return acting_role(moment.procedure, dossier, moment.actor, by)


def _carried_out(
    passage: TransitionContext, moment: Moment, task_id: str, answers: Mapping[str, Plain]
) -> TransitionContext:
    """What doing a task changes besides: its answers, the correction it ends, the booking it uses."""
    dossier = passage.dossier
    if task_id == APPLICATION:
        answers = passage.dossier.answers
        for form in forms_in_parts(moment.procedure):
            answers = realigned(form, answers) if form.each and form.id in answers else answers
        return passage.with_(correction=None, answers=answers)
    booking = dossier.bookings.get(task_id)
    if booking is not None:
        used = replace(booking, status="attended", arrived_at=booking.arrived_at or moment.now)
        return passage.with_(bookings={**dossier.bookings, task_id: used})
    return passage.with_(answers={**dossier.answers, **answers})


def pay(
    procedure: Procedure, dossier: Dossier, fees: tuple[str, ...], amount: int, actor: Actor, now: datetime,
    directory: Directory, wording: Wording,
) -> Decision:  # fmt: skip
    """Money came in for these fees, in whole francs. It is credited wherever the dossier stands by now; what is paid in
    full is done, and the dossier passes on when all is. Money over the price stays on the last fee."""
    moment = Moment(procedure, actor, now, directory, wording)
    scope = moment.scope(dossier)
    known = [name for name in fees if name in dossier.owed]
    credited = _shared_out(procedure, dossier, known, amount, scope)
    owed = {**dossier.owed, **{
        name: replace(dossier.owed[name], paid=dossier.owed[name].paid + part) for name, part in credited.items()
    }}  # fmt: skip
    passage = TransitionContext.of(dossier).with_(owed=owed)
    enough = [name for name in known if opens_way(_fee(procedure, name), owed[name], scope)]
    settled = [name for name in enough if name not in dossier.done]
    passage = _more_time(passage, moment, [name for name in known if name not in enough])
    passage = mark_done(passage, moment, *settled).note("paid", {"fees": dict(credited), "amount": amount})
    for name in settled:
        passage = goes_on(passage, moment, name) if name == settled[-1] else passage.happened(name)
    return finished(passage, moment)


def _shared_out(
    procedure: Procedure, dossier: Dossier, fees: list[str], amount: int, scope: Scope
) -> dict[str, int]:  # fmt: skip
    """What of an amount goes to each fee: first the part that each awaits, then the rest in order; the last keeps what
    is over the price."""
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


def _more_time(passage: TransitionContext, moment: Moment, fees: list[str]) -> TransitionContext:
    """A part that was paid in time gives until the next one: the state is not late before."""
    dossier, procedure = passage.dossier, moment.procedure
    plans = [_fee(procedure, name).instalments for name in fees if name in procedure.state(dossier.state).waits]
    ends = [add_span(moment.now, plan.every, moment.directory.calendar) for plan in plans if plan is not None]
    if dossier.due_at is None or not ends:
        return passage
    return passage.with_(due_at=max(dossier.due_at, *ends))


def answer_look_up(
    procedure: Procedure, dossier: Dossier, task_id: str, value: str, answers: Mapping[str, Plain], now: datetime,
    directory: Directory, wording: Wording,
) -> Decision:  # fmt: skip
    """A register answered `found`, `not_found` or `unavailable`; `answers` are what it knows, by the names of the form."""
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
    """Nobody came. Up to the number of no-shows allowed the applicant books again; above it the state's `missed` way is
    taken."""
    moment = Moment(procedure, actor, now, directory, wording)
    task = procedure.tasks.get(appointment)
    if not isinstance(task, Appointment):
        raise Refused(refusal("unknown_task", task=appointment))
    closed = _visit_closed(moment, dossier, task)
    if closed is not None:
        raise Refused(closed)
    booking = dossier.bookings[appointment]
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
    way = way_of(passage, moment, "missed") if awaited and count > task.no_show else None
    way = None if law_decides(moment, passage.dossier) else way
    return finished(settle(move(passage, moment, way), moment) if way else passage, moment)
