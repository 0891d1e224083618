"""Contributions while a dossier waits: opinions of services, later forms, and forms filled by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.core.clock import local_day
from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import is_owner
from engine.domain.common.decision import NOT_COMPARED, Decision, PieceComparison
from engine.domain.common.task_parts import consulted, filling_at, is_in_parts, parts_left, row_mark
from engine.domain.documents.documents import granted_rows
from engine.domain.fields.scope import scope_of
from engine.domain.fields.views import AnswerProblem, PageView
from engine.domain.forms import pages as forms
from engine.domain.forms import part_forms
from engine.domain.forms.agent_files import with_pending
from engine.domain.workflow import opinions as gathering
from engine.domain.workflow.actions import task_done
from engine.domain.workflow.tasks import open_tasks
from engine.domain.workflow.transition_context import Moment
from engine.model import SYSTEM, Form, Procedure
from engine.records.dossier import Actor, Dossier
from engine.services.applications.casework import ActPreview, foreseen
from engine.services.applications.comparisons import check_comparison
from engine.services.applications.draft_answers import count_change
from engine.services.context.app_context import AppContext, NotFound, WrongAnswers, pinned, seen
from engine.services.core.commit import carry_out
from engine.services.core.idempotency import DOSSIER, once
from engine.storage.unit_of_work import Unit


@dataclass(frozen=True, slots=True)
class AwaitedPart:
    """One form that a state waits for: a later form, a row of it, or the opinion of a service.

    `part` is the service or the row number (from 0), None for a whole form. `closed`: why this person
    may not fill it.
    """

    form: Form
    part: str | None
    done: bool
    closed: Refusal | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A part being filled: the answers, their problems, and the page to draw.

    `mark` is a digest of a row and its stored filling, empty for other parts.
    """

    answers: Mapping[str, Plain]
    problems: tuple[AnswerProblem, ...]
    page: PageView
    mark: str = ""


# -- reading -----------------------------------------------------------------------------------------------------------


def awaited_parts(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[AwaitedPart, ...]:
    """Return the forms and opinions that are open on the dossier now, as this person sees them.

    Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    moment = _moment(ctx, procedure, actor)
    scope = scope_of(procedure, dossier, ctx.day(), ctx.directory)
    found: list[AwaitedPart] = []
    for form in open_tasks(procedure, dossier, scope):
        if not isinstance(form, Form) or SYSTEM in form.by or form.id == procedure.form.id:
            continue
        if not is_in_parts(form):
            found.append(AwaitedPart(form, None, False, gathering.filling_closed(moment, dossier, form)))
            continue
        left = parts_left(form, dossier, scope)
        if form.services:
            parts = [(one.id, gathering.opinion_closed(moment, dossier, one.id)) for one in consulted(form, scope)]
        else:
            rows, closed = scope.get(form.each or ""), gathering.filling_closed(moment, dossier, form)
            parts = [(str(at), closed) for at in range(len(rows) if isinstance(rows, tuple) else 0)]
        found += [AwaitedPart(form, part, part not in left, closed) for part, closed in parts]
    return tuple(found)


def read_part(
    ctx: AppContext, actor: Actor, dossier_id: str, form_id: str, part: str | None = None,
    raw: Mapping[str, Sequence[str]] | None = None,
) -> Answered:  # fmt: skip
    """Return the questions of a part, as stored or as a post would fill them.

    Saves nothing. Raises `NotFound` when the dossier does not wait for it, Refused when this person may
    not fill it.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    form = _form(procedure, form_id)
    closed = part_closed(_moment(ctx, procedure, actor), dossier, form, part)
    if closed is not None:
        raise Refused(closed)
    dossier = with_pending(form, part, dossier, actor.id)
    answered = _whole(ctx, procedure, dossier, form, raw, actor) if part is None else _part(
        ctx, procedure, dossier, form, part, raw, actor
    )  # fmt: skip
    if answered is None:
        raise NotFound
    return answered


def _whole(
    ctx: AppContext, procedure: Procedure, dossier: Dossier, form: Form, raw: Mapping[str, Sequence[str]] | None,
    actor: Actor,
) -> Answered | None:  # fmt: skip
    day, directory, words = ctx.day(), ctx.directory, ctx.wording
    answers: Mapping[str, Plain] = {}
    found: tuple[AnswerProblem, ...] = ()
    if raw is not None:
        answers = forms.read_filling(procedure, form.id, dossier, raw, day, directory).answers
        found = forms.check_filling(procedure, form.id, dossier, answers, day, directory)
    view = forms.view_filling(procedure, form.id, dossier, day, directory, words, found, answers, actor)
    return Answered(answers, found, view.pages[0]) if view.pages else None


def _part(
    ctx: AppContext, procedure: Procedure, dossier: Dossier, form: Form, part: str,
    raw: Mapping[str, Sequence[str]] | None, actor: Actor,
) -> Answered | None:  # fmt: skip
    day, directory, words = ctx.day(), ctx.directory, ctx.wording
    answers = part_forms.kept_part(form, part, dossier)
    found: tuple[AnswerProblem, ...] = ()
    if raw is not None:
        answers = part_forms.read_part(procedure, form, part, dossier, raw, day, directory)
        found = part_forms.check_part(procedure, form, part, dossier, answers, day, directory)
    page = part_forms.view_part(procedure, form, part, dossier, day, directory, words, found, answers, actor)
    mark = row_mark(form, dossier.answers, int(part)) if form.each is not None else ""
    return Answered(answers, found, page, mark) if page is not None else None


# -- filling -----------------------------------------------------------------------------------------------------------


def give_opinion(
    ctx: AppContext, actor: Actor, dossier_id: str, service: str, answers: Mapping[str, Plain], *,
    revision: int | None = None, token: str | None = None,
) -> Dossier:  # fmt: skip
    """Give the opinion of a service: `opinion` and the questions of its form.

    Raises `WrongAnswers`, `NotFound`, `Conflict`. Raises Refused: not_now, not_yet, already_done, role.
    """

    def work(unit: Unit) -> Dossier:
        dossier = seen(unit, ctx, actor, dossier_id, revision)
        form = pinned(ctx, unit, dossier).round_of(service)
        if form is None:
            raise NotFound
        return _done(ctx, unit, dossier, form.id, service, answers, actor)

    arguments = (dossier_id, service, answers, revision)
    return once(ctx, actor, "give_opinion", token, arguments, work, DOSSIER)


def fill_form(
    ctx: AppContext, actor: Actor, dossier_id: str, form_id: str, filling: Mapping[str, Plain], *,
    revision: int | None = None, token: str | None = None, compared: PieceComparison = NOT_COMPARED,
) -> Dossier:  # fmt: skip
    """Fill a later form that the dossier waits for, with the answers it confirms. Raises as `give_opinion`."""

    def work(unit: Unit) -> Dossier:
        return _done(
            ctx, unit, seen(unit, ctx, actor, dossier_id, revision), form_id, None, filling, actor, compared
        )  # fmt: skip

    arguments = (dossier_id, form_id, filling, revision, *((compared,) if compared != NOT_COMPARED else ()))
    return once(ctx, actor, "fill_form", token, arguments, work, DOSSIER)


def fill_row(
    ctx: AppContext, actor: Actor, dossier_id: str, form_id: str, number: int, filling: Mapping[str, Plain], *,
    revision: int | None = None, token: str | None = None, compared: PieceComparison = NOT_COMPARED, mark: str = "",
) -> Dossier:  # fmt: skip
    """Fill a later form for one row (from 0), with the answers it confirms. Raises as `give_opinion`.

    `mark` is that of the page the person saw. Raises Refused("row_changed") if the row or its filling changed since.
    """

    def work(unit: Unit) -> Dossier:
        dossier = seen(unit, ctx, actor, dossier_id, revision)
        form = _form(pinned(ctx, unit, dossier), form_id)
        if mark and mark != row_mark(form, dossier.answers, number):
            raise Refused(refusal("row_changed", form.where, task=form_id))
        return _done(ctx, unit, dossier, form_id, str(number), filling, actor, compared)

    arguments = (dossier_id, form_id, number, filling, revision, *((compared,) if compared != NOT_COMPARED else ()))
    return once(ctx, actor, "fill_row", token, arguments, work, DOSSIER)


def do_part(
    ctx: AppContext, actor: Actor, dossier_id: str, form_id: str, part: str | None, answers: Mapping[str, Plain], *,
    revision: int | None = None, token: str | None = None, compared: PieceComparison = NOT_COMPARED, mark: str = "",
) -> Dossier:  # fmt: skip
    """Fill a whole form, an opinion or a row, by the kind of `part`. Raises as `fill_row`."""
    if part is None:
        return fill_form(
            ctx, actor, dossier_id, form_id, answers, revision=revision, token=token, compared=compared
        )  # fmt: skip
    if not part.isdecimal():
        return give_opinion(ctx, actor, dossier_id, part, answers, revision=revision, token=token)
    return fill_row(
        ctx, actor, dossier_id, form_id, int(part), answers, revision=revision, token=token, compared=compared, mark=mark
    )  # fmt: skip


def preview_part(
    ctx: AppContext, actor: Actor, dossier_id: str, form_id: str, part: str | None, answers: Mapping[str, Plain],
    compared: PieceComparison = NOT_COMPARED,
) -> ActPreview:  # fmt: skip
    """Return the effect of filling a part and save nothing. Raises as `do_part`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        decision = _decided(ctx, procedure, dossier, form_id, part, answers, actor, compared)
        return foreseen(ctx, unit, procedure, dossier, decision, actor)


def _done(
    ctx: AppContext, unit: Unit, dossier: Dossier, form_id: str, part: str | None, answers: Mapping[str, Plain],
    actor: Actor, compared: PieceComparison = NOT_COMPARED,
) -> Dossier:  # fmt: skip
    decision = _decided(ctx, pinned(ctx, unit, dossier), dossier, form_id, part, answers, actor, compared)
    if is_owner(dossier, actor):
        count_change(ctx, unit, actor)  # a row may be filled again and again
    return carry_out(ctx, unit, dossier, decision, actor)


def _decided(
    ctx: AppContext, procedure: Procedure, dossier: Dossier, form_id: str, part: str | None,
    answers: Mapping[str, Plain], actor: Actor, compared: PieceComparison,
) -> Decision:  # fmt: skip
    """Return the decision of filling a part.

    A person who may not fill it gets the reason before the answers are checked.
    """
    form, now = _form(procedure, form_id), ctx.now()
    closed = part_closed(_moment(ctx, procedure, actor), dossier, form, part)
    if closed is not None:
        raise Refused(closed)
    if part is None:
        _check_form(ctx, procedure, dossier, form, answers)
        check_comparison(ctx, procedure, dossier, actor, form.confirms, compared)
        return task_done(procedure, dossier, form_id, actor, now, ctx.directory, ctx.wording, answers, compared)
    _check_part(ctx, procedure, dossier, form, part, answers)
    if form.services:
        return gathering.give_opinion(
            procedure, dossier, part, answers, actor, now, ctx.directory, ctx.wording
        )  # fmt: skip
    check_comparison(ctx, procedure, dossier, actor, form.confirms, compared, form.each, int(part))
    return gathering.fill_row(
        procedure, dossier, form_id, int(part), answers, actor, now, ctx.directory, ctx.wording, compared
    )  # fmt: skip


def _form(procedure: Procedure, form_id: str) -> Form:
    form = procedure.tasks.get(form_id)
    if not isinstance(form, Form) or SYSTEM in form.by or form_id == procedure.form.id:
        raise NotFound
    return form


def part_closed(moment: Moment, dossier: Dossier, form: Form, part: str | None) -> Refusal | None:
    """Return why this person may not fill a part now; None when they may.

    Raises `NotFound` when the form has no such part.
    """
    if is_in_parts(form) != (part is not None) or (part is not None and part_forms.part_page(form, part) is None):
        raise NotFound
    if form.services and part is not None:
        return gathering.opinion_closed(moment, dossier, part)
    rows = form.each or ""
    is_filled = rows and part and filling_at(form.id, dossier.answers, int(part)) is not None
    if is_filled and part and int(part) in granted_rows(moment.procedure, dossier, rows, local_day(moment.now)):
        return refusal("already_done", task=form.id)  # a new examination left the row, and its document, as they are
    return gathering.filling_closed(moment, dossier, form)


def _check_form(
    ctx: AppContext, procedure: Procedure, dossier: Dossier, form: Form, filling: Mapping[str, Plain]
) -> None:
    known = {name for field in form.fields for name in (field.id, f"{field.id}_other")}
    strange = sorted(filling.keys() - known)
    if strange:
        raise Refused(refusal("unknown_answer", form.where, field=strange[0]))
    found = forms.check_filling(procedure, form.id, dossier, filling, ctx.day(), ctx.directory)
    if any(not one.warns for one in found):
        raise WrongAnswers(found)


def _check_part(
    ctx: AppContext, procedure: Procedure, dossier: Dossier, form: Form, part: str, answers: Mapping[str, Plain]
) -> None:
    page = part_forms.part_page(form, part)
    known = {name for field in page.fields for name in (field.id, f"{field.id}_other")} if page else set()
    strange = sorted(answers.keys() - known)
    if strange:
        raise Refused(refusal("unknown_answer", form.where, field=strange[0]))
    found = part_forms.check_part(procedure, form, part, dossier, answers, ctx.day(), ctx.directory)
    if any(not one.warns for one in found):
        raise WrongAnswers(found)


def _moment(ctx: AppContext, procedure: Procedure, actor: Actor) -> Moment:
    return Moment(procedure, actor, ctx.now(), ctx.directory, ctx.wording)
