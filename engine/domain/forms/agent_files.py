"""Files that agents attach to a dossier. They are pending until the act or answer they belong to names them.

Only its author sees a pending file. It lapses when the dossier changes state, so no later act sends it. Its
place is an act (`refuser`), or a question of a form or of a part of it (`constat.photos`,
`services.avis_feu.plan`, `decision.2.photo`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.core.values import Plain
from engine.domain.common.task_parts import with_filling
from engine.domain.fields.files import with_file
from engine.domain.forms.part_forms import kept_part, part_page
from engine.model import Field, Form
from engine.records.dossier import Attachment, Dossier


def place_of(form: Form, part: str | None, field: str) -> str:
    """Return the dotted place of a question of a form, within a part if given."""
    return ".".join((form.id, field) if part is None else (form.id, part, field))


def pending_files(dossier: Dossier, by: str, place: str) -> tuple[Attachment, ...]:
    """Return the pending files of this agent (account id) at a place, oldest first."""
    joined = [
        one for one in dossier.attachments
        if one.by == by and one.field == place and one.received_at >= dossier.entered_at
    ]  # fmt: skip
    if not joined:
        return ()
    used = dossier.files_used
    return tuple(one for one in joined if one.id not in used)


def with_pending(form: Form, part: str | None, dossier: Dossier, by: str) -> Dossier:
    """Return the dossier as if the pending files of a form's questions were their answers."""
    page = part_page(form, part) if part is not None else None
    fields = form.fields if part is None else page.fields if page else ()
    kept = dossier.answers if part is None else kept_part(form, part, dossier)
    changed = _joined(fields, form, part, kept, dossier, by)
    if not changed:
        return dossier
    if part is None:
        return replace(dossier, answers={**dossier.answers, **changed})
    if not form.services:
        return replace(dossier, answers=with_filling(form, dossier.answers, int(part), {**kept, **changed}, by))
    besides = dossier.answers.get(form.id)
    others = besides if isinstance(besides, dict) else {}
    said = others.get(part)
    own: dict[str, Plain] = {**(said if isinstance(said, dict) else {}), **changed}
    return replace(dossier, answers={**dossier.answers, form.id: {**others, part: own}})


def _joined(
    fields: Iterable[Field], form: Form, part: str | None, kept: Mapping[str, Plain], dossier: Dossier, by: str
) -> dict[str, Plain]:  # fmt: skip
    changed: dict[str, Plain] = {}
    for field in fields:
        for one in pending_files(dossier, by, place_of(form, part, field.id)):
            changed[field.id] = with_file(field, changed.get(field.id, kept.get(field.id)), one.id)
    return changed
