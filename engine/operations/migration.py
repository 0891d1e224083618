"""Migration of running dossiers to a later edition, as its `migrate` declares: one recorded act each,
whole or not at all. Each dossier has its own unit of work. An interruption loses nothing, and a
repeated run moves no dossier twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.core.problems import Refused, refusal
from engine.core.progress import ProgressReporter, unwatched
from engine.domain.appointments.appointments import resource_key
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
from engine.storage.results import Busy, Damaged
from engine.storage.unit_of_work import Unit

log = logging.getLogger("guichet.migration")


@dataclass(frozen=True, slots=True)
class MigratedDossier:
    """A migrated dossier. `names` are the declared names that it held: old → new, None when dropped."""

    number: str
    edition: int
    source: str
    target: str
    names: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Staying:
    """A dossier that stays under its edition, and why."""

    number: str
    edition: int
    state: str
    why: Stays


@dataclass(frozen=True, slots=True)
class Migration:
    """The result, or the forecast with `dry_run`.

    `there`: dossiers already under the edition. `closed`: finished ones. `more`: the limit was reached
    before the end.
    """

    definition: Procedure
    before: Mapping[int, Procedure]  # the editions of the migrated dossiers
    dry_run: bool
    moved: tuple[MigratedDossier, ...]
    staying: tuple[Staying, ...]
    there: int
    closed: int
    more: bool


def migrate(
    ctx: AppContext, procedure_id: str, edition: int | None = None, *, dry_run: bool = False, limit: int | None = None,
    by: str = "", progress: ProgressReporter = unwatched,
) -> Migration:  # fmt: skip
    """Migrate the open dossiers of earlier editions to the edition in force, or to the published one
    numbered `edition`. At most `limit` of them. `by` is the person who asks, named in the journals.
    Raises `NotFound`, `InvalidDefinition`. Raises Refused: edition_none_in_force, edition_unpublished,
    edition_without_map.
    """
    procedure = published(ctx, procedure_id, edition)
    moved: list[MigratedDossier] = []
    staying: list[Staying] = []
    procedures: dict[int, Procedure] = {}
    there = closed = 0
    known = ctx.store.all_dossiers
    for dossier_id in progress(known(procedure_id), lambda: sum(1 for _ in known(procedure_id)), "dossiers"):
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
    """Return a published edition: the last with that number, else the one in force today.

    Raises as `migrate`.
    """
    with ctx.store.unit() as unit:
        kept = unit.editions(procedure_id)
    if not kept and procedure_id not in ctx.catalogue.procedures:
        raise NotFound
    if edition is None:  # as decided in the store, whatever the files of this process say
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
    """Check one dossier, then check it again and migrate it in one unit.

    Return the dossier itself if it is not concerned, None if it is erased. Unexpected failures are
    reported, and the others go on.
    """
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
                if not _is_concerned(procedure, dossier):  # another process was faster
                    return dossier
                before, crossing = _judged(ctx, unit, procedure, dossier, by)
                after = _kept(ctx, unit, before, procedure, crossing) if isinstance(crossing, Crossing) else dossier
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
    """Return whether a draft was discarded or expired: nothing is left of it."""
    return dossier.is_draft and dossier.closed_at is not None


def _judged(
    ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier, by: str
) -> tuple[Procedure, Crossing | Stays]:  # fmt: skip
    before = pinned(ctx, unit, dossier)
    moment = Moment(procedure, SYSTEM_ACTOR, ctx.now(), ctx.directory, ctx.wording)
    return before, cross(Translation.between(before, procedure), dossier, unit.payments_of(dossier.id), moment, by)


def _kept(ctx: AppContext, unit: Unit, before: Procedure, procedure: Procedure, crossing: Crossing) -> Dossier:
    """Save the dossier under its new edition: one revision, one entry, and all effects."""
    _rename_appointments(unit, Translation.between(before, procedure), crossing.before)
    decision = replace(crossing.decision, dossier=without_orphans(crossing.decision.dossier))
    return carry_out(ctx, unit, crossing.before, decision, SYSTEM_ACTOR)


def _rename_appointments(unit: Unit, translation: Translation, dossier: Dossier) -> None:
    """Give the rows beside the dossier the new names of its appointments: past visits, and its waiting lists.

    A coming visit never gets another name (`migration.cross`).
    """
    known = {booking.id: booking for _, booking in unit.bookings_of(dossier.id)}
    for booking in dossier.bookings.values():
        if booking.id in known and known[booking.id] != booking:
            unit.put_booking(booking)
    for waiting in unit.waiting_of(dossier.id):
        name = translation.name(waiting.appointment)
        if name is not None and name != waiting.appointment:
            unit.drop_waiting(dossier.id, waiting.appointment)
            resource = resource_key(translation.after, name)
            unit.put_waiting(replace(waiting, appointment=name, resource=resource))
