"""Originals that an agent saw at an office, or that differ or are missing. The journal names the papers and results."""

from __future__ import annotations

from collections.abc import Mapping

from engine.core.problems import Refusal
from engine.domain.common.access import acting_role
from engine.domain.common.decision import EntryDraft
from engine.domain.documents.originals import OriginalToSee, originals_to_see, refusal_to_note, with_originals
from engine.domain.fields.scope import EvaluatedAnswers, evaluate_answers
from engine.domain.workflow.transition_context import changes
from engine.model.roles import acting_roles
from engine.records.dossier import Actor, Dossier, OriginalResult
from engine.services.context.app_context import AppContext, pinned, seen
from engine.services.core.commit import keep
from engine.services.core.idempotency import DOSSIER, once
from engine.storage.unit_of_work import Unit


def originals_of(
    ctx: AppContext, actor: Actor, dossier_id: str
) -> tuple[tuple[OriginalToSee, ...], Refusal | None]:  # fmt: skip
    """Return the papers that the applicant brings, and why this actor may note none of them. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        evaluated = _evaluated(ctx, unit, dossier)
    return originals_to_see(evaluated, dossier), refusal_to_note(evaluated, dossier, actor)


def note_originals(
    ctx: AppContext, actor: Actor, dossier_id: str, results: Mapping[str, OriginalResult], *,
    revision: int | None = None, token: str | None = None,
) -> Dossier:  # fmt: skip
    """Note what an agent found of each paper: evidence → result.

    Raises `NotFound`, `Conflict`. Raises Refused: role, own_dossier, closed, unknown_answer.
    """

    def work(unit: Unit) -> Dossier:
        return put_originals(ctx, unit, seen(unit, ctx, actor, dossier_id, revision), actor, results)

    return once(ctx, actor, "note_originals", token, (dossier_id, results, revision), work, DOSSIER)


def put_originals(
    ctx: AppContext, unit: Unit, before: Dossier, actor: Actor, results: Mapping[str, OriginalResult]
) -> Dossier:  # fmt: skip
    """Note originals in this unit. Return the dossier itself if nothing changed. Raises as `note_originals`."""
    evaluated = _evaluated(ctx, unit, before)
    after = with_originals(evaluated, before, actor, results, ctx.now())
    if after is before:
        return before
    role = acting_role(evaluated.procedure, before, actor, acting_roles(evaluated.procedure))
    draft = EntryDraft("originals", {"by": role, **changes(before, after)})
    return keep(ctx, unit, before, after, [draft], actor)


def _evaluated(ctx: AppContext, unit: Unit, dossier: Dossier) -> EvaluatedAnswers:
    return evaluate_answers(pinned(ctx, unit, dossier), dossier, ctx.day(), ctx.directory)
