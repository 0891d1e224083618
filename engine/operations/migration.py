"""Running dossiers brought over to a later edition: only as its `migrate` says, one recorded act each, whole or not at all.

Each dossier is its own unit of work, so that an interruption loses nothing and beginning again moves nobody twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.core.problems import Refused, refusal
from engine.domain.editions.migration import Crossing, Stays, cross
from engine.domain.editions.renaming import Translation
from engine.domain.workflow.transition_context import Moment
from engine.model import Procedure
from engine.publication.publications import arranged, decided
from engine.records.dossier import SYSTEM_ACTOR, Dossier
from engine.services.applications.draft_answers import without_orphans
from engine.services.context.app_context import AppContext, NotFound, pinned
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.commit import carry_out
from engine.storage.unit_of_work import Busy, Damaged, Unit

log = logging.getLogger("guichet.migration")


@dataclass(frozen=True, slots=True)
class MigratedDossier:
    """A dossier that comes over. `names` are the declared names that it held: old → new, None when dropped."""

    number: str
    edition: int
    source: str
    target: str
    names: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Staying:
    """A dossier that does not, and why."""

    number: str
    edition: int
    state: str
    why: Stays


@dataclass(frozen=True, slots=True)
class Migration:
    """What was done, or would be (`dry_run`). `there` are those already of the edition, `closed` those that are over; `more`
    tells that the limit was reached before the end."""

    definition: Procedure
    before: Mapping[int, Procedure]  # the editions that dossiers come from
    dry_run: bool
    moved: tuple[MigratedDossier, ...]
    staying: tuple[Staying, ...]
    there: int
    closed: int
    more: bool


def migrate(
    ctx: AppContext, procedure_id: str, edition: int | None = None, *, dry_run: bool = False, limit: int | None = None,
    by: str = "",
) -> Migration:  # fmt: skip
    """Brings the open dossiers of earlier editions over to one that was published: the one in force, unless `edition` names
    another. At most `limit` of them. `by` is who asks for it, whom the journals name. Raises NotFound, InvalidDefinition; Refused: edition_unpublished, edition_without_map."""
    procedure = published(ctx, procedure_id, edition)
    moved: list[MigratedDossier] = []
    staying: list[Staying] = []
    procedures: dict[int, Procedure] = {}
    there = closed = 0
    for dossier_id in ctx.store.all_dossiers(procedure_id):
        if limit is not None and len(moved) >= limit:
            return Migration(procedure, procedures, dry_run, tuple(moved), tuple(staying), there, closed, True)
        found = _one(ctx, procedure, dossier_id, dry_run, by)
        if isinstance(found, Dossier):
            there, closed = there + (found.closed_at is None), closed + (found.closed_at is not None)
        elif found is not None:
            before, reported = found
            procedures.setdefault(before.edition, before)
            if isinstance(reported, MigratedDossier):
                moved.append(reported)
            else:
                staying.append(reported)
    return Migration(procedure, procedures, dry_run, tuple(moved), tuple(staying), there, closed, False)


def published(ctx: AppContext, procedure_id: str, edition: int | None) -> Procedure:
    """An edition that was kept: the last of that number, else the one in force today."""
    with ctx.store.unit() as unit:
        kept = unit.editions(procedure_id)
    if not kept and procedure_id not in ctx.catalogue.procedures:
        raise NotFound
    if edition is None:  # what the store decided, whatever the files of this process say
        known = decided(ctx.store, [procedure_id])
        current = arranged(ctx.catalogue, known, {}, ctx.now()).current(procedure_id, ctx.day())
        wanted = [one for one in kept if current is not None and one.fingerprint == current.fingerprint]
    else:
        wanted = [one for one in kept if one.edition == edition]
    if not wanted and edition is None:
        raise Refused(refusal("edition_none_in_force", name=procedure_id))
    if not wanted:
        raise Refused(refusal("edition_unpublished", edition=edition or 0))
    last = wanted[-1]
    procedure = ctx.catalogue.edition(procedure_id, last.fingerprint) or ctx.catalogue.rebuild(last)
    if not procedure.migrate:
        earlier = max((one.edition for one in kept if one.edition < procedure.edition), default=procedure.edition)
        raise Refused(
            refusal("edition_without_map", edition=procedure.edition, before=earlier, next=kept[-1].edition + 1)
        )
    return procedure


def _one(
    ctx: AppContext, procedure: Procedure, dossier_id: str, dry_run: bool, by: str
) -> Dossier | tuple[Procedure, MigratedDossier | Staying] | None:
    """One dossier looked at, then judged again and moved in one unit. The dossier itself when it is not concerned. What
    fails unexpectedly stays as it was and is told; the others go on."""
    with ctx.store.unit() as unit:
        dossier = unit.dossier(dossier_id)
    if dossier is None or _is_forgotten(dossier):
        return None
    if not _is_concerned(procedure, dossier):
        return dossier
    try:
        with ctx.store.unit() as unit:
            before, crossing = _judged(ctx, unit, procedure, dossier, by)
        after = dossier
        if isinstance(crossing, Crossing) and dry_run:
            after = crossing.decision.dossier
        elif isinstance(crossing, Crossing):
            with ctx.store.unit(write=True) as unit:
                dossier = unit.dossier(dossier_id) or dossier
                if not _is_concerned(procedure, dossier):  # somebody was faster
                    return dossier
                before, crossing = _judged(ctx, unit, procedure, dossier, by)
                after = _kept(ctx, unit, crossing) if isinstance(crossing, Crossing) else dossier
    except (Busy, Damaged):
        raise
    except Exception as fault:
        log.exception("dossier %s", dossier_id)
        why = Stays("edition_lost" if isinstance(fault, EditionMissing) else "fault", {})
        return procedure, Staying(dossier.number, dossier.edition, dossier.state, why)
    if isinstance(crossing, Stays):
        return before, Staying(dossier.number, dossier.edition, dossier.state, crossing)
    return before, MigratedDossier(dossier.number, dossier.edition, dossier.state, after.state, crossing.names)


def _is_concerned(procedure: Procedure, dossier: Dossier) -> bool:
    return dossier.closed_at is None and dossier.edition < procedure.edition


def _is_forgotten(dossier: Dossier) -> bool:
    """A draft that was dropped or ran out of time: nothing is left of it."""
    return dossier.is_draft and dossier.closed_at is not None


def _judged(
    ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier, by: str
) -> tuple[Procedure, Crossing | Stays]:  # fmt: skip
    before = pinned(ctx, unit, dossier)
    moment = Moment(procedure, SYSTEM_ACTOR, ctx.now(), ctx.directory, ctx.wording)
    return before, cross(Translation.between(before, procedure), dossier, unit.payments_of(dossier.id), moment, by)


def _kept(ctx: AppContext, unit: Unit, crossing: Crossing) -> Dossier:
    """Keeps the dossier under its new edition: one revision, one entry for the move, and all that follows from it."""
    decision = replace(crossing.decision, dossier=without_orphans(crossing.decision.dossier))
    return carry_out(ctx, unit, crossing.before, decision, SYSTEM_ACTOR)
