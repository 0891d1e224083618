"""How many dossiers stand in each step of a procedure: true for those who control it, hidden when few for everyone else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.language.diff.population import Count, Snapshot, added
from engine.model import Procedure
from engine.services.context.app_context import AppContext
from engine.storage.unit_of_work import DossierQuery

FEW: Final = 10  # the public reads `<10` where fewer dossiers stand
_MOST: Final = 100_000


def current_counts(ctx: AppContext, procedure: Procedure, *, few: int = 0) -> Mapping[str, Count]:
    """Dossiers by step, whatever their edition and over or not; a count below `few` is only said to be so."""
    with ctx.store.unit() as unit:
        counts = {
            one: unit.count_dossiers(DossierQuery(((procedure.id, one),), open_only=False), _MOST)
            for one in procedure.states
        }
    return MappingProxyType({one: f"<{few}" if 0 < count < few else count for one, count in counts.items()})


def running(ctx: AppContext, procedure: Procedure, *, few: int = 0) -> Snapshot:
    """What a comparison of editions says of the dossiers that run: how many in each step that is no end."""
    counts = current_counts(ctx, procedure, few=few)
    states = {one: count for one, count in counts.items() if count and not procedure.states[one].is_end}
    return Snapshot(added(states.values()), states=MappingProxyType(states))
