"""Migration of a draft to the edition in force when its owner returns, with a report of what changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from engine.domain.common.access import is_owner
from engine.domain.editions.draft_migration import Redrafted, redraft
from engine.domain.editions.renaming import Translation
from engine.domain.forms.pages import dossier_label
from engine.domain.workflow.transition_context import Moment
from engine.model import Procedure
from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier
from engine.services.applications.draft_answers import own_draft, without_orphans
from engine.services.context.app_context import AppContext, pinned
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.commit import carry_out
from engine.storage.results import GLANCE, Busy
from engine.storage.unit_of_work import Unit


@dataclass(frozen=True, slots=True)
class Renewed:
    """A draft under a later edition, in force since `since`.

    `new`: number of additional questions. `again`: those whose answer must be given again or checked.
    `prices`: in francs, before and now, where they differ.
    """

    dossier: Dossier
    definition: Procedure
    since: date | None
    new: int
    again: tuple[str, ...]
    prices: tuple[int, int] | None = None


def renew(ctx: AppContext, actor: Actor, dossier: Dossier) -> Renewed | None:
    """Migrate a draft for the person who fills it in.

    None where nothing changes, or while the store is locked. No procedure is loaded for that.
    """
    if not is_outdated(ctx, dossier) or not is_owner(dossier, actor):
        return None
    try:
        return _brought_over(ctx, actor, dossier)
    except Busy:  # it is shown unchanged; the next visit migrates it
        return None


def _brought_over(ctx: AppContext, actor: Actor, dossier: Dossier) -> Renewed | None:
    with ctx.store.unit(write=True, wait_limit=GLANCE) as unit:
        draft = own_draft(unit, ctx, actor, dossier.id, filling=True)
        found = _judged(ctx, unit, draft)
        if found is None:
            return None
        procedure, reported = found
        after = without_orphans(reported.decision.dossier)
        label = dossier_label(procedure, after, ctx.day(), ctx.directory, ctx.wording)
        decision = replace(reported.decision, dossier=replace(after, label=label))
        kept = carry_out(ctx, unit, reported.before, decision, SYSTEM_ACTOR)
    return Renewed(kept, procedure, procedure.identity.from_, len(reported.new), reported.again, reported.prices)


def is_outdated(ctx: AppContext, dossier: Dossier) -> bool:
    """Return whether a later edition than that of a draft is in force."""
    if not dossier.is_draft or dossier.closed_at is not None:
        return False
    current = ctx.catalogue.current_entry(dossier.procedure, ctx.day())
    return current is not None and current.edition > dossier.edition


def would_come_over(ctx: AppContext, unit: Unit, draft: Dossier) -> bool:
    """Return whether a draft about to be submitted must first migrate to a later edition."""
    return is_outdated(ctx, draft) and _judged(ctx, unit, draft) is not None


def _judged(ctx: AppContext, unit: Unit, draft: Dossier) -> tuple[Procedure, Redrafted] | None:
    if not is_outdated(ctx, draft):  # another unit did it meanwhile
        return None
    try:
        procedure = ctx.catalogue.current(draft.procedure, ctx.day())
    except EditionMissing:
        return None
    if procedure is None:
        return None
    translation = Translation.between(pinned(ctx, unit, draft), procedure)
    moment = Moment(procedure, SYSTEM_ACTOR, ctx.now(), ctx.directory, ctx.wording)
    reported = redraft(translation, draft, unit.payments_of(draft.id), moment)
    return (procedure, reported) if reported is not None else None
