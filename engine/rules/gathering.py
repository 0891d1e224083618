"""What several hands give while a dossier waits: opinions of a round, fillings row by row, silences, forms overdue.

Each verb answers a `Decision`; what was typed has been checked by the caller. A closed act raises `Refused`: `not_now`,
`not_yet`, `already_done`, `role`, `unknown_task`, `unknown_answer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from engine.definition.directory import Directory
from engine.definition.model import Consulted, Form, Procedure
from engine.definition.roles import role_key
from engine.problems import Refusal, Refused, refusal
from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier
from engine.rules.access import acting_role
from engine.rules.answers import OTHER
from engine.rules.calendars import add_span
from engine.rules.decision import Decision
from engine.rules.moves import finish_task, move, settle, way_of
from engine.rules.parts import SILENT, consulted, is_finished, opened_at, parts_left, with_filling
from engine.rules.passage import Moment, Passage, finished
from engine.rules.tasks import mark_done, task_blockers
from engine.rules.wording import Wording
from engine.values import Plain

OPINION: str = "opinion"


# -- opinions ----------------------------------------------------------------------------------------------------------


def give_opinion(
    procedure: Procedure, dossier: Dossier, service: str, answers: Mapping[str, Plain], actor: Actor, now: datetime,
    directory: Directory, wording: Wording,
) -> Decision:  # fmt: skip
    """A service answers: `opinion`, and the round's own questions by their names."""
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
    return _given(moment, dossier, asked, one, answers.get(OPINION), besides, role)


def opinion_closed(moment: Moment, dossier: Dossier, service: str) -> Refusal | None:
    """Why this person cannot give that service's opinion now; none when they can."""
    asked, one = _asked(moment.procedure, service)
    if service in dossier.done:
        return refusal("already_done", task=service)
    closed = _form_closed(moment, dossier, asked)
    if closed is not None:
        return closed
    if one not in consulted(asked, moment.scope(dossier)):
        return refusal("not_now", one.where, task=service, state=dossier.state)
    return _role_closed(moment, dossier, one.by)


def _asked(procedure: Procedure, service: str) -> tuple[Form, Consulted]:
    asked = procedure.round_of(service)
    one = asked.service(service) if asked else None
    if asked is None or one is None:
        raise Refused(refusal("unknown_task", task=service))
    return asked, one


def _given(
    moment: Moment, dossier: Dossier, asked: Form, service: Consulted, opinion: Plain, besides: dict[str, Plain],
    role: str,
) -> Decision:  # fmt: skip
    kept = dossier.answers.get(asked.id)
    answers = {**dossier.answers, service.id: opinion}
    if besides:
        answers[asked.id] = {**(kept if isinstance(kept, dict) else {}), service.id: besides}
    passage = mark_done(Passage.of(dossier).with_(answers=answers), moment, service.id)
    commits: dict[str, Plain] = {f"answers.{service.id}": opinion}
    commits |= {f"answers.{asked.id}.{service.id}": besides} if besides else {}
    return _done_in_part(moment, passage, asked, service.id, role, commits)


def _done_in_part(
    moment: Moment, passage: Passage, form: Form, part: str, role: str, commits: Mapping[str, Plain]
) -> Decision:
    """A part is done; the task too when that was enough. The dossier goes the way this opens, if one is."""
    body: dict[str, Plain] = {"task": form.id, "part": part, "by": role}
    whole = is_finished(form, passage.dossier, moment.scope(passage.dossier))
    if whole:
        passage = mark_done(passage, moment, form.id)
    passage = passage.note("part_done", body, commits)
    if part in {service.id for service in form.services}:
        passage = passage.happened(part)
        way = way_of(passage, moment, part)
        if way is not None:
            return finished(settle(move(passage, moment, way), moment), moment)
    return finished(finish_task(passage, moment, form.id) if whole else passage, moment)


# -- later forms -------------------------------------------------------------------------------------------------------


def fill_row(
    procedure: Procedure, dossier: Dossier, form_id: str, number: int, filling: Mapping[str, Plain], actor: Actor,
    now: datetime, directory: Directory, wording: Wording,
) -> Decision:  # fmt: skip
    """A later form is filled for one row (from 0). A row may be filled again until the form is done."""
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
    return _done_in_part(moment, Passage.of(dossier).with_(answers=answers), form, str(number), role, commits)


def filling_closed(moment: Moment, dossier: Dossier, form: Form) -> Refusal | None:
    """Why this person cannot fill a form that the state gathers; none when they can."""
    return _form_closed(moment, dossier, form) or _role_closed(moment, dossier, form.by)


def _form_closed(moment: Moment, dossier: Dossier, form: Form) -> Refusal | None:
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


def _role_closed(moment: Moment, dossier: Dossier, by: tuple[str, ...]) -> Refusal | None:
    actor = moment.actor
    if actor.kind == "agent" and actor.id == dossier.owner:
        return refusal("own_dossier")
    if actor.kind == "system" or acting_role(moment.procedure, dossier, actor, by):
        return None
    return refusal("role", roles=tuple(role_key(moment.procedure, role) for role in by))


# -- time --------------------------------------------------------------------------------------------------------------


def part_over(
    procedure: Procedure, dossier: Dossier, name: str, now: datetime, directory: Directory, wording: Wording
) -> Decision:
    """The time of a service or of a later form is over: silence is written as the book says; a form that is late is told
    to those who owe it. One that no longer stands is refused as `void_timer`."""
    moment = Moment(procedure, SYSTEM_ACTOR, now, directory, wording)
    form = procedure.tasks.get(name)
    asked = form if isinstance(form, Form) else procedure.round_of(name)
    if asked is None or _form_closed(moment, dossier, asked) is not None or not _is_over(moment, dossier, asked, name):
        raise Refused(refusal("void_timer", timer=name))
    service = asked.service(name)
    if service is not None:
        silence = SILENT if service.silence == "none" else service.silence
        return _given(moment, dossier, asked, service, silence, {}, SYSTEM_ACTOR.kind)
    passage = Passage.of(dossier).note("due", {"timer": name, "escalate": None}).happened(f"overdue:{name}")
    return finished(passage, moment)


def _is_over(moment: Moment, dossier: Dossier, asked: Form, name: str) -> bool:
    service = asked.service(name)
    span = (service.due if service else None) or asked.due
    if span is None or (service is not None and name not in parts_left(asked, dossier, moment.scope(dossier))):
        return False
    return moment.now >= add_span(opened_at(asked, dossier), span, moment.directory.calendar)
