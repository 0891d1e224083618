"""Evidence that the applicant already holds, found in the documents that this installation issued to them.

It is looked for when a draft is opened, saved and sent. Only requests of the same account are read. A journal entry
says what was found, and what no longer counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.core.values import Plain
from engine.domain.common.access import may_see
from engine.domain.documents.documents import Worth, status_of
from engine.domain.documents.held_documents import (
    evidence_held_by,
    held_document,
    held_in,
    names_same_person,
    with_documents,
)
from engine.domain.documents.paper_words import as_stated
from engine.domain.fields.files import terms_of
from engine.domain.fields.scope import EvaluatedAnswers, evaluate_answers
from engine.model import Field, Procedure
from engine.records.dossier import Actor, Dossier, IssuedDocument
from engine.services.applications.draft_answers import keep_answers
from engine.services.context.app_context import AppContext, pinned, seen
from engine.services.context.edition_cache import EditionMissing
from engine.storage.unit_of_work import Unit

LOOKED_AT: Final = 20  # earlier requests of one procedure, the newest first


def look_for_held(ctx: AppContext, unit: Unit, before: Dossier, actor: Actor) -> Dossier:
    """Return the draft in which exactly the evidence that its owner holds today counts as held.

    Saved with an entry when it changed. Nothing is looked for before the telephone is verified. Raises
    Refused: too_many_tries.
    """
    procedure = pinned(ctx, unit, before)
    asked = any(field.evidence is not None and field.evidence.held_by for field in procedure.form.fields)
    if not asked or actor.unproven or not before.is_draft:
        return before
    evaluated = evaluate_answers(procedure, before, ctx.day(), ctx.directory)
    fields, found = tuple(evidence_held_by(evaluated)), dict[str, tuple[Dossier, IssuedDocument]]()
    for field in fields:
        one = _found(ctx, unit, before, evaluated, field, actor)
        if one is not None:
            found[field.id] = one
    answers = with_documents(before, fields, found)
    if answers == before.answers:
        return before
    documents: list[Plain] = [document.id for _, document in found.values()]
    return keep_answers(ctx, unit, before, replace(before, answers=answers), "held", actor, documents=documents)


def _found(
    ctx: AppContext, unit: Unit, draft: Dossier, evaluated: EvaluatedAnswers, field: Field, actor: Actor
) -> tuple[Dossier, IssuedDocument] | None:
    """Return the earlier request and its document that replace this evidence."""
    for line in unit.dossiers_of(draft.owner, LOOKED_AT, terms_of(field).held_by or ""):
        earlier = unit.dossier(line.id) if line.submitted_at is not None else None
        if earlier is None or not earlier.documents or earlier.owner != draft.owner:
            continue
        try:
            definition = pinned(ctx, unit, earlier)
        except EditionMissing:
            continue
        if not _may_know(definition, earlier, actor):
            continue
        document = held_document(field, evaluated, definition, earlier, ctx.directory.calendar)
        if document is not None:
            return earlier, document
    return None


def _may_know(definition: Procedure, earlier: Dossier, actor: Actor) -> bool:
    """Return whether number and day may be shown to this person: the owner, one who represents them, or who helps them.

    A mandate for some procedures tells nothing of others. At a counter the owner is present.
    """
    helped = actor.kind == "agent" and actor.principal == earlier.owner
    return helped or (actor.kind == "applicant" and may_see(definition, earlier, actor))


def held_by_others(ctx: AppContext, actor: Actor, dossier_id: str) -> frozenset[str]:
    """Return the held evidence that names another person than the request now does.

    A later correction or piece changed the name. An erased request names no person, so it is left out. Raises
    `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        evaluated = evaluate_answers(procedure, as_stated(dossier), ctx.day(), ctx.directory)
        return frozenset(
            name for name, (earlier, _) in held_in(dossier).items()
            if not _is_of_person(ctx, unit, procedure.fields[name], evaluated, unit.dossier(earlier))
        )  # fmt: skip


def _is_of_person(
    ctx: AppContext, unit: Unit, field: Field, evaluated: EvaluatedAnswers, earlier: Dossier | None
) -> bool:
    if earlier is None or earlier.erased_at is not None:
        return True
    try:
        return names_same_person(field, evaluated, pinned(ctx, unit, earlier), earlier)
    except EditionMissing:
        return True


def worth_of_held(ctx: AppContext, actor: Actor, dossier_id: str) -> dict[str, Worth]:
    """Return what each held document is worth today, by evidence. A document that is gone is `revoked`.

    Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        held = held_in(seen(unit, ctx, actor, dossier_id))
        found: dict[str, Worth] = {}
        for name, (earlier_id, document_id) in held.items():
            earlier = unit.dossier(earlier_id)
            documents = earlier.documents if earlier is not None else ()
            one = next((document for document in documents if document.id == document_id), None)
            found[name] = status_of(one, ctx.day()) if one is not None else "revoked"
    return found
