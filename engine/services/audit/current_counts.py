"""Counts of dossiers by state of a procedure, with small counts hidden from the public."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.language.diff.population import Count, Snapshot, added
from engine.model import Procedure
from engine.services.context.app_context import AppContext
from engine.storage.unit_of_work import DossierQuery

FEW: Final = 10  # below this number, the public sees `<10`
_MOST: Final = 100_000


def current_counts(ctx: AppContext, procedure: Procedure, *, few: int = 0) -> Mapping[str, Count]:
    """Return the dossiers by state, of all editions, open or closed.

    A count below `few` is replaced by the text `<few`.
    """
    with ctx.store.unit() as unit:
        counts = {
            one: unit.count_dossiers(DossierQuery(((procedure.id, one),), open_only=False), _MOST)
            for one in procedure.states
        }
    return MappingProxyType({one: f"<{few}" if 0 < count < few else count for one, count in counts.items()})


def running(ctx: AppContext, procedure: Procedure, *, few: int = 0) -> Snapshot:
    """Return the running dossiers by non-final state, for a comparison of editions."""
    counts = current_counts(ctx, procedure, few=few)
    states = {one: count for one, count in counts.items() if count and not procedure.states[one].is_end}
    return Snapshot(added(states.values()), states=MappingProxyType(states))
