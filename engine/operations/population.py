"""The anonymous snapshot: counts of what runs, taken from the store and holding nobody."""

from __future__ import annotations

from engine.core.values import Plain
from engine.domain.editions.renaming import names_in_use
from engine.language.diff.population import Tally, snapshot_plain
from engine.model import Procedure
from engine.records.dossier import Dossier
from engine.services.context.app_context import AppContext, pinned
from engine.services.context.edition_cache import EditionMissing


def take_snapshot(ctx: AppContext) -> Plain:
    """Counts of every dossier that is not over, by procedure, edition, state, answer and option in use (`snapshot.schema.json`)."""
    tallies: dict[str, dict[int, Tally]] = {}
    for dossier_id in ctx.store.all_dossiers():
        with ctx.store.unit() as unit:
            dossier = unit.dossier(dossier_id)
            if dossier is None or dossier.closed_at is not None:
                continue
            try:
                procedure: Procedure | None = pinned(ctx, unit, dossier)
            except EditionMissing:
                procedure = None  # it runs all the same
        tally = tallies.setdefault(dossier.procedure, {}).setdefault(dossier.edition, Tally())
        _count(ctx, tally, dossier, procedure)
    return snapshot_plain(tallies, ctx.day())


def _count(ctx: AppContext, tally: Tally, dossier: Dossier, procedure: Procedure | None) -> None:
    if dossier.is_draft:
        tally.drafts += 1
        return
    tally.add("states", [dossier.state])
    tally.add("fees", dossier.owed)
    now = ctx.now()
    tally.add(
        "bookings", [name for name, one in dossier.bookings.items() if one.status == "booked" and one.start > now]
    )
    if procedure is not None:
        tally.add("answers", names_in_use(procedure, dossier.answers))
