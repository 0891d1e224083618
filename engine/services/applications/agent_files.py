"""Files of acts and later forms: of an action that asks for one, or of a question of a form or an opinion.

They are inspected like all files: a picture is re-encoded, a PDF with active content is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from engine.core.problems import Fact, Refused
from engine.core.values import Plain, Text, new_id
from engine.domain.common.access import is_owner
from engine.domain.common.decision import EntryDraft
from engine.domain.fields.files import FILE_TYPES
from engine.domain.fields.views import AnswerProblem
from engine.domain.forms.agent_files import pending_files
from engine.domain.forms.part_forms import part_page
from engine.domain.workflow.available_actions import offers_of
from engine.domain.workflow.transition_context import Moment
from engine.model import Bounds, Field, Form, Transition
from engine.records.dossier import Actor, Attachment, Dossier
from engine.services.applications.attachments import Upload
from engine.services.applications.casework import people_of
from engine.services.applications.draft_answers import count_change
from engine.services.applications.opinions import part_closed
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.core.commit import keep
from engine.services.core.idempotency import Memory, once
from engine.services.limits.file_counts import count_file, forget_file, sender_of
from engine.storage.files.attachments import StoredFile, Uploader
from engine.storage.files.inspection import Rejected
from engine.storage.gate import Crowded
from engine.storage.unit_of_work import Unit

OF_AN_ACT: Final = Bounds(max_items=5, max_size=5_000_000)


@dataclass(frozen=True, slots=True)
class Enclosed:
    """The dossier after an upload. `problem`: why the file was not stored; nothing else changed."""

    dossier: Dossier
    problem: AnswerProblem | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a file: the limits on it, its label, and its name in the journal."""

    path: str
    question: str
    type: str
    label: Text
    bounds: Bounds
    body: dict[str, Plain]


def enclose(
    ctx: AppContext, actor: Actor, dossier_id: str, place: str, file: Upload, *, token: str | None = None,
    client: str = "", browser: str = "",
) -> Enclosed:  # fmt: skip
    """Attach a file to an action (`refuser`) or to a question of a form (`constat.photos`, `decision.2.photo`).

    A file of the owner is counted like one of the application; `client` and `browser` identify its sender. Raises
    `NotFound`, Refused("too_many_tries"). Raises Refused when this person may not take that action or fill that form now.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        where = _place(ctx, unit, dossier, actor, place)
    sender = sender_of(ctx, actor, browser, client)
    counted = is_owner(dossier, actor)
    if counted:
        count_file(ctx, dossier, len(file.data), client, browser)
    try:
        kept = _judged(ctx, dossier, where, file, sender)
    except Crowded:  # it was not inspected and is sent again
        if counted:
            forget_file(ctx, dossier)
        raise
    if isinstance(kept, AnswerProblem):
        return Enclosed(dossier, kept)

    def work(unit: Unit) -> Enclosed:
        before = seen(unit, ctx, actor, dossier_id)
        _count_change_of_owner(ctx, unit, before, actor)
        return _join(ctx, unit, before, _place(ctx, unit, before, actor, place), kept, actor)

    return once(ctx, actor, "enclose", token, (dossier_id, place, kept.sha256), work, ENCLOSED)


def take_back(
    ctx: AppContext, actor: Actor, dossier_id: str, attachment_id: str, *, token: str | None = None
) -> Dossier:
    """Remove a file that this person attached and no answer names yet.

    Raises `NotFound` for any other. Raises Refused("too_many_tries").
    """

    def work(unit: Unit) -> Enclosed:
        before = seen(unit, ctx, actor, dossier_id)
        one = before.attachment(attachment_id)
        if one is None or one not in pending_files(before, actor.id, one.field):
            raise NotFound
        left = tuple(each for each in before.attachments if each.id != attachment_id)
        where = _place(ctx, unit, before, actor, one.field)
        _count_change_of_owner(ctx, unit, before, actor)
        draft = EntryDraft("detached", {"revision": before.revision + 1, **where.body})
        return Enclosed(keep(ctx, unit, before, replace(before, attachments=left), [draft], actor))

    return once(ctx, actor, "take_back", token, (dossier_id, attachment_id), work, ENCLOSED).dossier


def _count_change_of_owner(ctx: AppContext, unit: Unit, dossier: Dossier, actor: Actor) -> None:
    if is_owner(dossier, actor):
        count_change(ctx, unit, actor)


def _recall(unit: Unit, dossier_id: Plain) -> Enclosed:
    dossier = unit.dossier(str(dossier_id))
    if dossier is None:
        raise NotFound
    return Enclosed(dossier)


ENCLOSED: Final[Memory[Enclosed]] = Memory(lambda enclosed: enclosed.dossier.id, _recall)


# -- place -------------------------------------------------------------------------------------------------------------


Fits: TypeAlias = Callable[[Transition], bool]


def _place(ctx: AppContext, unit: Unit, dossier: Dossier, actor: Actor, path: str) -> _Place:
    procedure = pinned(ctx, unit, dossier)
    moment = Moment(procedure, actor, ctx.now(), ctx.directory, ctx.wording)
    name, *rest = path.split(".")
    form = procedure.tasks.get(name)
    if not rest:
        transition = _open_act(ctx, unit, moment, dossier, lambda one: one.id == name and "attachment" in one.asks)
        return _Place(path, path, "file", transition.label, OF_AN_ACT, {"transition": name})
    if not isinstance(form, Form) or len(rest) > 2:
        raise NotFound
    part = rest[0] if len(rest) == 2 else None
    if form.id in procedure.state(dossier.state).waits:
        closed = part_closed(moment, dossier, form, part)
        if closed is not None:
            raise Refused(closed)
    else:
        _open_act(ctx, unit, moment, dossier, lambda one: one.fills == form.id)
    field = _question(form, part, rest[-1])
    body: dict[str, Plain] = {"task": form.id, "fields": [field.id]}
    where = {**body, "part": part} if part is not None else body
    return _Place(path, field.id, field.type, field.label, field.bounds, where)


def _open_act(ctx: AppContext, unit: Unit, moment: Moment, dossier: Dossier, fits: Fits) -> Transition:
    for offer in offers_of(moment, dossier, people_of(ctx, unit)):
        if fits(offer.transition) and offer.closed is not None:
            raise Refused(offer.closed)
        if fits(offer.transition):
            return offer.transition
    raise NotFound


def _question(form: Form, part: str | None, name: str) -> Field:
    page = part_page(form, part) if part is not None else None
    fields = form.fields if part is None else page.fields if page else ()
    field = next((one for one in fields if one.id == name and one.type in FILE_TYPES), None)
    if field is None:
        raise NotFound
    return field


# -- file --------------------------------------------------------------------------------------------------------------


def _judged(
    ctx: AppContext, dossier: Dossier, where: _Place, file: Upload, sender: Uploader
) -> StoredFile | AnswerProblem:  # fmt: skip
    bounds = where.bounds
    try:
        return ctx.attachments.keep(
            file.data, file.name, bounds.accept, bounds.max_size, dossier.id, sender=sender
        )  # fmt: skip
    except Rejected as rejected:
        facts: dict[str, Fact] = {"type": where.type, **rejected.facts}
        return AnswerProblem(where.question, rejected.code, facts, label=where.label)


def _join(ctx: AppContext, unit: Unit, before: Dossier, where: _Place, kept: StoredFile, actor: Actor) -> Enclosed:
    """Return the dossier with one more file. Where one is allowed, it replaces the pending one."""
    pending = pending_files(before, actor.id, where.path)
    if where.bounds.max_items > 1 and len(pending) >= where.bounds.max_items:
        most: dict[str, Fact] = {"type": where.type, "maximum": where.bounds.max_items}
        return Enclosed(before, AnswerProblem(where.question, "files_many", most, label=where.label))
    gone = {one.id for one in pending} if where.bounds.max_items == 1 else frozenset()
    attachment = Attachment(
        new_id(), where.path, kept.name, kept.kind, kept.size, kept.sha256, ctx.now(), kept.pages, actor.id
    )  # fmt: skip
    left = (one for one in before.attachments if one.id not in gone)
    after = replace(before, attachments=(*left, attachment))
    body: dict[str, Plain] = {"revision": before.revision + 1, **where.body, "file": kept.kind, "size": kept.size}
    draft = EntryDraft("attached", body, {f"files.{attachment.id}": kept.sha256})
    return Enclosed(keep(ctx, unit, before, after, [draft], actor))
