"""Effects of parts of a task: a part is done, or the time of a service ends with a tacit outcome."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.decision import Decision
from engine.domain.common.task_parts import SILENT, is_finished, opened_at, parts_left
from engine.domain.common.text_provider import Wording
from engine.domain.common.working_time import add_span
from engine.domain.workflow.tasks import mark_done, task_blockers
from engine.domain.workflow.transition_context import Moment, TransitionContext, finished
from engine.domain.workflow.transitions import advance_until_blocked, apply_transition, finish_task, transition_for
from engine.model import Consulted, Form, Procedure
from engine.model.directory import Calendar, Directory
from engine.records.dossier import SYSTEM_ACTOR, Dossier

# -- parts -------------------------------------------------------------------------------------------------------------


def given(
    moment: Moment, dossier: Dossier, asked: Form, service: Consulted, opinion: Plain, besides: dict[str, Plain],
    role: str,
) -> Decision:  # fmt: skip
    """Return the decision that records a service's opinion, given or tacit, with its further answers."""
    kept = dossier.answers.get(asked.id)
    answers = {**dossier.answers, service.id: opinion}
    if besides:
        answers[asked.id] = {**(kept if isinstance(kept, dict) else {}), service.id: besides}
    passage = mark_done(TransitionContext.of(dossier).with_(answers=answers), moment, service.id)
    commits: dict[str, Plain] = {f"answers.{service.id}": opinion}
    commits |= {f"answers.{asked.id}.{service.id}": besides} if besides else {}
    return done_in_part(moment, passage, asked, service.id, role, commits)


def done_in_part(
    moment: Moment, passage: TransitionContext, form: Form, part: str, role: str, commits: Mapping[str, Plain]
) -> Decision:
    """Return the decision for a finished part, and finish the task with it when no further part is needed.

    An opinion may also open a transition of its own, which the dossier then takes.
    """
    body: dict[str, Plain] = {"task": form.id, "part": part, "by": role}
    whole = is_finished(form, passage.dossier, moment.scope(passage.dossier))
    if whole:
        passage = mark_done(passage, moment, form.id)
    passage = passage.note("part_done", body, commits)
    if part in {service.id for service in form.services}:
        passage = passage.happened(part)
        transition = transition_for(passage, moment, part)
        if transition is not None:
            return finished(advance_until_blocked(apply_transition(passage, moment, transition), moment), moment)
    return finished(finish_task(passage, moment, form.id) if whole else passage, moment)


def form_closed(moment: Moment, dossier: Dossier, form: Form) -> Refusal | None:
    """Return why a form cannot be filled in now by any person, None when it can."""
    procedure = moment.procedure
    if dossier.is_draft or dossier.state not in procedure.states or form.id not in procedure.state(dossier.state).waits:
        return refusal("not_now", form.where, task=form.id, state=dossier.state)
    if form.id in dossier.done:
        return refusal("already_done", form.where, task=form.id)
    scope = moment.scope(dossier)
    if not form.when.holds(scope):
        return refusal("not_now", form.where, task=form.id, state=dossier.state)
    blockers = task_blockers(procedure, form, dossier, scope)
    return refusal("not_yet", form.where, task=form.id, after=blockers) if blockers else None


# -- time --------------------------------------------------------------------------------------------------------------


def part_over(
    procedure: Procedure, dossier: Dossier, name: str, now: datetime, directory: Directory, wording: Wording
) -> Decision:
    """Return the decision at the end of the time of a service or later form.

    A missing opinion is recorded as the procedure says. A late form is reported to those who owe it. Raises
    `Refused` (`void_timer`) when it no longer applies.
    """
    moment = Moment(procedure, SYSTEM_ACTOR, now, directory, wording)
    form = procedure.tasks.get(name)
    asked = form if isinstance(form, Form) else procedure.round_of(name)
    if asked is None or form_closed(moment, dossier, asked) is not None or not _is_over(moment, dossier, asked, name):
        raise Refused(refusal("void_timer", timer=name))
    service = asked.service(name)
    if service is not None:
        silence = SILENT if service.silence == "none" else service.silence
        return given(moment, dossier, asked, service, silence, {}, SYSTEM_ACTOR.kind)
    passage = TransitionContext.of(dossier).note("due", {"timer": name, "escalate": None}).happened(f"overdue:{name}")
    return finished(passage, moment)


def _is_over(moment: Moment, dossier: Dossier, asked: Form, name: str) -> bool:
    if asked.service(name) is not None and name not in parts_left(asked, dossier, moment.scope(dossier)):
        return False
    end = end_of(asked, name, dossier, moment.directory.calendar)
    return end is not None and moment.now >= end


def end_of(asked: Form, name: str, dossier: Dossier, calendar: Calendar) -> datetime | None:
    """Return when the time of an open form, or of one of its services, ends. None without a due date."""
    service = asked.service(name)
    span = (service.due if service else None) or asked.due
    return add_span(opened_at(asked, dossier), span, calendar) if span is not None else None
