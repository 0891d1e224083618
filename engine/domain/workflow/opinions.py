"""Contributions of several persons while a dossier waits: opinions of a round, fillings of rows.

Each function returns a `Decision`. The caller has checked the typed answers. A refused act raises `Refused`:
`not_now`, `not_yet`, `already_done`, `role`, `time_past`, `silence_past`, `unknown_task`, `unknown_answer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import acting_role, is_own
from engine.domain.common.decision import NOT_COMPARED, Decision, PieceComparison
from engine.domain.common.task_parts import consulted, with_filling
from engine.domain.common.text_provider import Wording
from engine.domain.fields.raw_answers import OTHER
from engine.domain.workflow.confirmations import confirm, to_compare
from engine.domain.workflow.elapsed import closed_by_time, time_past
from engine.domain.workflow.tacit_outcomes import done_in_part, end_of, form_closed, given
from engine.domain.workflow.transition_context import Moment, TransitionContext, instant_text
from engine.model import Consulted, Form, Procedure
from engine.model.directory import Directory
from engine.model.roles import role_key
from engine.records.dossier import Actor, Dossier

OPINION: str = "opinion"


# -- opinions ----------------------------------------------------------------------------------------------------------


def give_opinion(
    procedure: Procedure, dossier: Dossier, service: str, answers: Mapping[str, Plain], actor: Actor, now: datetime,
    directory: Directory, wording: Wording,
) -> Decision:  # fmt: skip
    """Record a service's answers: `opinion`, and the round's own questions by name. Raises `Refused`."""
    moment = Moment(procedure, actor, now, directory, wording)
    asked, one = _asked(procedure, service)
    closed = opinion_closed(moment, dossier, service)
    if closed is not None:
        raise Refused(closed)
    known = {f"{field.id}{end}" for field in asked.asked.fields for end in ("", f"_{OTHER}")} if asked.asked else set()
    strange = sorted(answers.keys() - known)
    if strange:
        raise Refused(refusal("unknown_answer", one.where, field=strange[0]))
    besides: dict[str, Plain] = {name: plain for name, plain in answers.items() if name != OPINION}
    role = acting_role(procedure, dossier, actor, one.by) or actor.kind
    return given(moment, dossier, asked, one, answers.get(OPINION), besides, role)


def opinion_closed(moment: Moment, dossier: Dossier, service: str) -> Refusal | None:
    """Return why this person cannot give that service's opinion now, None when they can."""
    asked, one = _asked(moment.procedure, service)
    if service in dossier.done:
        return refusal("already_done", task=service)
    closed = form_closed(moment, dossier, asked)
    if closed is not None:
        return closed
    if one not in consulted(asked, moment.scope(dossier)):
        return refusal("not_now", one.where, task=service, state=dossier.state)
    return _role_closed(moment, dossier, one.by) or _silence_past(moment, dossier, asked, one)


def _silence_past(moment: Moment, dossier: Dossier, asked: Form, service: Consulted) -> Refusal | None:
    """Return `silence_past` after the service's time: the tacit opinion applies even before it is recorded."""
    end = end_of(asked, service.id, dossier, moment.directory.calendar)
    if end is None or moment.now < end or moment.actor.kind == "system":
        return None
    return refusal("silence_past", service.where, until=instant_text(end) or "", task=service.id)


def _asked(procedure: Procedure, service: str) -> tuple[Form, Consulted]:
    asked = procedure.round_of(service)
    one = asked.service(service) if asked else None
    if asked is None or one is None:
        raise Refused(refusal("unknown_task", task=service))
    return asked, one


# -- later forms -------------------------------------------------------------------------------------------------------


def fill_row(
    procedure: Procedure, dossier: Dossier, form_id: str, number: int, filling: Mapping[str, Plain], actor: Actor,
    now: datetime, directory: Directory, wording: Wording, compared: PieceComparison = NOT_COMPARED,
) -> Decision:  # fmt: skip
    """Record a later form for one row (from 0), with the answers it confirms. Raises `Refused`.

    A row may be filled again until the form is done.
    """
    moment = Moment(procedure, actor, now, directory, wording)
    form = procedure.tasks.get(form_id)
    if not isinstance(form, Form) or form.each is None:
        raise Refused(refusal("unknown_task", task=form_id))
    closed = filling_closed(moment, dossier, form)
    rows = moment.scope(dossier).get(form.each)
    if closed is None and not (isinstance(rows, tuple) and 0 <= number < len(rows)):
        closed = refusal("not_now", form.where, task=form_id, state=dossier.state)
    if closed is not None:
        raise Refused(closed)
    answers = with_filling(form, dossier.answers, number, filling, actor.id)
    role = acting_role(procedure, dossier, actor, form.by) or actor.kind
    commits: dict[str, Plain] = {f"answers.{form_id}.{number}": dict(filling)}
    passage = TransitionContext.of(dossier).with_(answers=answers)
    asked = to_compare(moment, dossier, form.confirms, form.each, number)
    passage = confirm(passage, moment, asked, compared, role)
    return done_in_part(moment, passage, form, str(number), role, commits)


def filling_closed(moment: Moment, dossier: Dossier, form: Form) -> Refusal | None:
    """Return why this person cannot fill in a form of the state, None when they can."""
    return form_closed(moment, dossier, form) or _role_closed(moment, dossier, form.by)


def _role_closed(moment: Moment, dossier: Dossier, by: tuple[str, ...]) -> Refusal | None:
    actor = moment.actor
    if is_own(dossier, actor):
        return refusal("own_dossier")
    role = "system" if actor.kind == "system" else acting_role(moment.procedure, dossier, actor, by)
    if role is not None:
        return closed_by_time(moment, time_past(moment, dossier), role)
    return refusal("role", roles=tuple(role_key(moment.procedure, role) for role in by))
