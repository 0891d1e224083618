"""What a kept dossier and its journal disagree on, for those who read it: a row changed by another hand, a journal that was cut."""

from __future__ import annotations

from typing import Final

from engine.domain.reporting.journal_state import differences, fold, projection_of
from engine.records.dossier import Actor
from engine.services.context.app_context import AppContext, seen

CUT: Final = "cut"


def departures(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[str, ...]:
    """The names of what differs (see `rules.history`), and `cut` where the signed journal knows later entries. None: they agree."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        entries, tree = unit.entries(dossier.id), unit.tree()
        last = unit.last_leaf(dossier.id, tree.size) if tree is not None else None
    cut = last is not None and last[1].n > len(entries)
    return (*((CUT,) if cut else ()), *differences(fold(entries), projection_of(dossier)))
