"""Papers on whose word somebody acted for another: they go some time after the mandate is over, the mandate itself stays.

A paper is kept `mandate_papers` (12 months, `GUICHET_KEEP_MANDATES`) after the mandate ended, was refused or ran out, and as
long as a dossier that was handled under it. Whose mandate it was, by whom and until when, stays as it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal, TypeAlias

from engine.domain.common.access import over_since
from engine.domain.common.working_time import add_span
from engine.records.dossier import Account
from engine.records.people import Mandate
from engine.services.context.app_context import AppContext
from engine.storage.unit_of_work import Unit

PaperOutcome: TypeAlias = Literal["kept", "erased"]
_ON_PAPER: Final = ("company:", "person:")  # the principals whom somebody acts for on the word of a paper


def forget_papers(ctx: AppContext) -> int:
    """Lets go of every paper whose time is over; how many. Its file goes with those that nothing names."""
    with ctx.store.unit() as unit:
        late = [one.id for one in unit.mandates_with_papers() if _is_late(ctx, unit, one)]
    return sum(_forget(ctx, one) for one in late)


def _forget(ctx: AppContext, mandate_id: str) -> bool:
    with ctx.store.unit(write=True) as unit:
        mandate = unit.mandate(mandate_id)
        if mandate is None or not mandate.proof or not _is_late(ctx, unit, mandate):
            return False
        unit.put_mandate(replace(mandate, proof="", proof_name=""))
        return True


def _is_late(ctx: AppContext, unit: Unit, mandate: Mandate) -> bool:
    over = over_since(mandate, ctx.now())
    if over is None or ctx.now() < add_span(over, ctx.settings.mandate_papers, ctx.directory.calendar):
        return False
    return mandate.status == "refused" or not unit.handled_under(mandate, over)


def paper_of(mandate: Mandate, principal: Account | None) -> PaperOutcome | None:
    """What became of the paper of a mandate; none for one that never had any."""
    if mandate.proof:
        return "kept"
    asked = mandate.made_by == mandate.holder and principal is not None and principal.login.startswith(_ON_PAPER)
    return "erased" if asked else None
