"""Attachments of dossiers: upload, removal and reading.

A file is inspected and stored before any unit opens, then named by the dossier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from engine.core.problems import Fact, Refused, refusal
from engine.core.values import Plain, new_id
from engine.domain.common.access import may_read_file
from engine.domain.fields.files import FILE_TYPES, files_of, with_file, without_file
from engine.domain.fields.raw_answers import Raw
from engine.domain.fields.scope import Values, evaluate_answers
from engine.domain.fields.views import AnswerProblem
from engine.domain.forms.corrections import is_corrected
from engine.domain.forms.pages import open_fields, read_corrections, read_page
from engine.model import Field, Procedure
from engine.records.dossier import Actor, Attachment, Dossier
from engine.records.unverified_files import UnprovenFile
from engine.services.applications.draft_answers import dossier_again, keep_answers, own, without_orphans
from engine.services.applications.unverified_files import (
    check_still_kept,
    count_file_in,
    count_pieces_in,
    hold,
    let_go,
    pieces_came,
    release_announced,
    remove_replaced,
)
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.core.idempotency import DOSSIER, Memory, once
from engine.services.limits.file_counts import count_file, count_piece, count_pixels, forget_file, sender_of
from engine.storage.files.attachments import OURSELVES, Before, Lost, StoredFile, Uploader, Weigh
from engine.storage.files.inspection import Rejected
from engine.storage.files.reserve import NoSpace
from engine.storage.files.resumable_uploads import LARGEST
from engine.storage.gate import Crowded
from engine.storage.unit_of_work import Unit

NO_SPACE: Final = "file_no_room"  # uploads stop: the disk is down to its reserve
NO_SPACE_UNVERIFIED: Final = "file_no_room_unproven"  # uploads stop earlier for an unverified phone number


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as received; its name proves nothing. `pieces` is the key of one sent in pieces."""

    name: str
    data: bytes
    pieces: str = ""


@dataclass(frozen=True, slots=True)
class Attached:
    """The dossier after an upload. `problem`: why the file was not stored; the rest of the page is saved."""

    dossier: Dossier
    problem: AnswerProblem | None = None


@dataclass(frozen=True, slots=True)
class UploadField:
    """A question that takes files, with its path in the answers.

    `root` is the question of the form that contains it, such as its rows.
    """

    path: str
    field: Field
    root: Field

    @property
    def parts(self) -> tuple[str, ...]:
        """The path split at its dots: names and row numbers."""
        return tuple(self.path.split("."))


def attach(
    ctx: AppContext, actor: Actor, dossier_id: str, path: str, file: Upload,
    details: Mapping[str, str] | None = None, *, revision: int | None = None, token: str | None = None, client: str = "",
    browser: str = "",
) -> Attached:  # fmt: skip
    """Upload a file at a question (`acte`, `enfants.0.acte`).

    `details` are the controls posted beside it: which alternative, date of issue. `client` is the key
    of the address, `browser` the mark of the browser. Raises `NotFound`, `Conflict`. Raises Refused:
    role, closed, already_submitted.
    """
    with ctx.store.unit() as unit:
        dossier = own(unit, ctx, actor, dossier_id, filling=True)
        spot = spot_of(ctx, pinned(ctx, unit, dossier), dossier.typed, path)
    before_it_lies = partial(_counted, ctx, dossier.id, client) if actor.unproven else partial(hold, ctx, dossier.id)
    weigh = partial(count_pixels, ctx, actor, client, browser) if actor.unproven else None
    sender = sender_of(ctx, actor, browser, client)
    count_file(ctx, dossier, len(file.data), client, browser)
    kept = keep_file(ctx, dossier, spot, file, before_it_lies, weigh, sender)
    if isinstance(kept, AnswerProblem):
        return Attached(dossier, kept)
    gone: list[UnprovenFile] = []

    def work(unit: Unit) -> Attached:
        before = own(unit, ctx, actor, dossier_id, revision, filling=True)
        procedure = pinned(ctx, unit, before)
        after = _with_details(ctx, procedure, before.typed, spot, details or {})
        spot_of(ctx, procedure, after, path)
        after, full = handed_in(ctx, after, spot, kept)
        if full is not None:
            return Attached(before, full)
        after = _marked(after, spot, is_corrected(spot.root, before.answers, after.answers))
        check_still_kept(unit, before.id, kept.sha256)
        if actor.unproven:
            pieces_came(unit, before.id, file.pieces)
        after = _orderly(ctx, unit, before, after, actor, gone)
        return Attached(keep_answers(ctx, unit, before, after, "attached", actor, file=kept.kind, size=kept.size))

    try:
        attached = once(ctx, actor, "attach", token, (dossier_id, path, kept.sha256, details, revision), work, ATTACHED)
    finally:
        if not actor.unproven:
            release_announced(ctx, dossier_id, kept.sha256)
    remove_replaced(ctx, gone)
    return attached


ATTACHED: Final[Memory[Attached]] = Memory(
    lambda attached: attached.dossier.id, lambda unit, dossier_id: Attached(dossier_again(unit, str(dossier_id)))
)


def detach(ctx: AppContext, actor: Actor, dossier_id: str, attachment_id: str, *, token: str | None = None) -> Dossier:
    """Remove a file from the question it answers. Raises `NotFound`, Refused."""
    gone: list[UnprovenFile] = []

    def work(unit: Unit) -> Dossier:
        before = own(unit, ctx, actor, dossier_id, filling=True)
        attachment = before.attachment(attachment_id)
        if attachment is None:
            raise NotFound
        typed = before.typed
        spot = spot_of(ctx, pinned(ctx, unit, before), typed, attachment.field)
        answers = _changed(typed.answers, spot, lambda plain: without_file(spot.field, plain, attachment_id))
        after = _marked(replace(typed, answers=answers), spot, made=False)
        after = _orderly(ctx, unit, before, after, actor, gone)
        return keep_answers(ctx, unit, before, after, "detached", actor)

    dossier = once(ctx, actor, "detach", token, (dossier_id, attachment_id), work, DOSSIER)
    remove_replaced(ctx, gone)
    return dossier


def _orderly(
    ctx: AppContext, unit: Unit, before: Dossier, after: Dossier, actor: Actor, gone: list[UnprovenFile]
) -> Dossier:  # fmt: skip
    """Remove unnamed files from a draft.

    `gone` receives the files to delete after the commit. A submitted dossier keeps every file.
    """
    if not before.is_draft:
        return after
    after = without_orphans(after)
    gone[:] = let_go(ctx, unit, before, after, actor)
    return after


def read_attachment(ctx: AppContext, actor: Actor, dossier_id: str, attachment_id: str) -> tuple[Attachment, bytes]:
    """Return a file and its content for a reader of its answer.

    Raises `NotFound`, also if the content is lost.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    attachment = dossier.attachment(attachment_id)
    if attachment is None or not may_read_file(procedure, dossier, attachment, actor):
        raise NotFound
    try:
        return attachment, ctx.attachments.read(attachment.sha256, dossier.id)
    except Lost:
        raise NotFound from None


# -- question ----------------------------------------------------------------------------------------------------------


def spot_of(ctx: AppContext, procedure: Procedure, dossier: Dossier, path: str) -> UploadField:
    """Return the question of a path, which must take files and be shown.

    Raises `NotFound`, or Refused when it is not open now.
    """
    name, *rest = path.split(".")
    root = next((one for one in procedure.form.fields if one.id == name), None)
    if root is None:
        raise NotFound
    if name not in open_fields(procedure, dossier):
        raise Refused(refusal("not_correctable" if not dossier.is_draft else "not_now", field=name))
    evaluated = evaluate_answers(procedure, dossier, ctx.day(), ctx.directory)
    field = _column(root, evaluated.values, rest)
    if field is None or field.type not in FILE_TYPES:
        raise NotFound
    return UploadField(path, field, root)


def _column(field: Field, values: Values, rest: list[str]) -> Field | None:
    """Return the question that `rest` leads to (`0`, `acte`) if it is shown there; None otherwise."""
    if not values.shows(field.id):
        return None
    if not rest:
        return field
    rows = values.rows(field.id) if field.type == "rows" else ()
    if len(rest) < 2 or not (rest[0].isascii() and rest[0].isdigit()) or int(rest[0]) >= len(rows):
        return None
    column = next((one for one in field.rows if one.id == rest[1]), None)
    return _column(column, rows[int(rest[0])], rest[2:]) if column else None


# -- file --------------------------------------------------------------------------------------------------------------


def keep_file(
    ctx: AppContext, dossier: Dossier, spot: UploadField, file: Upload, before: Before | None = None, weigh: Weigh | None = None,
    sender: Uploader = OURSELVES,
) -> StoredFile | AnswerProblem:  # fmt: skip
    """Inspect and store a file before any unit.

    The sweep deletes it if no answer names it. `before` is called with digest and size first. `weigh`
    is called with the pixels for an unverified person. Raises `Busy`; a file not inspected for lack of
    capacity is not counted.
    """
    unproven = weigh is not None
    bounds = spot.field.bounds
    try:
        return ctx.attachments.keep(
            file.data,
            file.name,
            bounds.accept,
            bounds.max_size,
            dossier.id,
            before,
            weigh,
            unproven=unproven,
            sender=sender,
        )
    except Crowded:
        forget_file(ctx, dossier)
        raise
    except Rejected as rejected:
        facts: dict[str, Fact] = {"type": spot.field.type, **rejected.facts}
        return AnswerProblem(spot.path, rejected.code, facts, label=spot.field.label)
    except NoSpace:
        code = NO_SPACE_UNVERIFIED if unproven else NO_SPACE
        return AnswerProblem(spot.path, code, {"type": spot.field.type}, label=spot.field.label)


def _counted(ctx: AppContext, dossier_id: str, client: str, digest: str, size: int) -> None:
    count_file_in(ctx, dossier_id, digest, size, client)


def handed_in(
    ctx: AppContext, dossier: Dossier, spot: UploadField, kept: StoredFile
) -> tuple[Dossier, AnswerProblem | None]:
    """Return the dossier with one more file at a question.

    If the question is full, the same dossier and the problem.
    """
    attachment = Attachment(
        new_id(), spot.path, kept.name, kept.kind, kept.size, kept.sha256, ctx.now(), kept.pages
    )  # fmt: skip
    answers = _changed(dossier.answers, spot, lambda plain: with_file(spot.field, plain, attachment.id))
    if len(files_of(_at(answers, spot.parts))) > spot.field.bounds.max_items:
        most: dict[str, Fact] = {"type": spot.field.type, "maximum": spot.field.bounds.max_items}
        return dossier, AnswerProblem(spot.path, "files_many", most, label=spot.field.label)
    removed = tuple(one for one in dossier.removed_files if one != spot.path)
    attachments = (*dossier.attachments, attachment)
    return replace(dossier, answers=answers, attachments=attachments, removed_files=removed), None


def _marked(dossier: Dossier, spot: UploadField, made: bool) -> Dossier:
    """Return the dossier where a new file counts as the correction that an agent asked for."""
    correction, name = dossier.correction, spot.root.id
    if correction is None or name not in correction.fields:
        return dossier
    kept = correction.made | {name} if made else correction.made - {name}
    return replace(dossier, correction=replace(correction, made=kept))


def _with_details(
    ctx: AppContext, procedure: Procedure, dossier: Dossier, spot: UploadField, details: Mapping[str, str]
) -> Dossier:
    """Return the dossier with the controls posted beside the file; those of other questions are ignored."""
    raw: Raw = {name: (value,) for name, value in details.items() if _is_beside(name, spot.path)}
    if not raw:
        return dossier
    if not dossier.is_draft:
        read = read_corrections(procedure, dossier, raw, ctx.day(), ctx.directory)
        return replace(dossier, answers=read.answers)
    page = next(page for page in procedure.form.pages if spot.root in page.fields)
    only = frozenset({spot.root.id})
    read = read_page(procedure, dossier, page.id, raw, ctx.day(), ctx.directory, only)
    return replace(dossier, answers=read.answers)


def _is_beside(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}_issued")


def _at(answers: Plain | Mapping[str, Plain], parts: tuple[str, ...]) -> Plain:
    found: object = answers
    for part in parts:
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list):
            found = found[int(part)]
    return found  # type: ignore[return-value]


def _changed(answers: Mapping[str, Plain], spot: UploadField, change: Callable[[Plain], Plain]) -> dict[str, Plain]:
    """Return the answers with the one at a question changed. Rows on the way are copied."""
    return _changed_at(answers, spot.parts, change)


def _changed_at(
    answers: Mapping[str, Plain], parts: tuple[str, ...], change: Callable[[Plain], Plain]
) -> dict[str, Plain]:
    name, rest = parts[0], parts[1:]
    if not rest:
        return {**answers, name: change(answers.get(name))}
    rows = answers.get(name)
    kept: list[Plain] = list(rows) if isinstance(rows, list) else []
    row = kept[int(rest[0])]
    kept[int(rest[0])] = _changed_at(row if isinstance(row, dict) else {}, rest[1:], change)
    return {**answers, name: kept}


def receive_piece(
    ctx: AppContext, actor: Actor, dossier_id: str, key: str, at: int, data: bytes, client: str = "", browser: str = ""
) -> int:  # fmt: skip
    """Store a piece of a file.

    Return the number of bytes received so far, from which the sender continues. Raises `NotFound`,
    Refused, `NoRoom`.
    """
    dossier = _of(ctx, actor, dossier_id)
    ctx.attachments.reserve.check(len(data), unproven=actor.unproven)
    if actor.kind == "applicant" and not actor.unproven:
        count_piece(ctx, dossier, len(data), client, browser)
    arriving = ctx.attachments.arriving
    if actor.unproven and at <= (there := arriving.received(dossier.id, key)):
        count_pieces_in(ctx, dossier.id, key, max(there, min(at + len(data), LARGEST)), client)
    return arriving.add(dossier.id, key, at, data)


def received(ctx: AppContext, actor: Actor, dossier_id: str, key: str) -> int:
    """Return how many bytes of a file were received. Raises `NotFound`, Refused."""
    return ctx.attachments.arriving.received(_of(ctx, actor, dossier_id).id, key)


def arrived(ctx: AppContext, actor: Actor, dossier_id: str, key: str) -> bytes | None:
    """Return a file sent in pieces once it is whole, None before.

    It stays for a while, in case the answer was lost and is asked for again.
    """
    return ctx.attachments.arriving.whole(_of(ctx, actor, dossier_id).id, key)


def _of(ctx: AppContext, actor: Actor, dossier_id: str) -> Dossier:
    with ctx.store.unit() as unit:
        return own(unit, ctx, actor, dossier_id, filling=True)
