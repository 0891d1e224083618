"""Mandates: the names of their parties as each other sees them, and the time of their documents.

A document is stored for `mandate_papers` (12 months, `GUICHET_KEEP_MANDATES`) after the mandate ended,
was refused or expired. It stays as long as a dossier that was handled under it. The data of the mandate
stays unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Literal, TypeAlias

from engine.core.values import national
from engine.domain.common.access import is_active, over_since
from engine.domain.common.names import readable_name
from engine.domain.common.working_time import add_span
from engine.records.dossier import SYSTEM_ACTOR, Account, Actor
from engine.records.people import COMPANY, WITHOUT_PHONE, Mandate
from engine.services.accounts.contact_change import release_contact
from engine.services.context.app_context import AppContext
from engine.storage.unit_of_work import Unit


@dataclass(frozen=True, slots=True)
class MandateView:
    """A mandate with its principal and holder, and whether it is active today."""

    mandate: Mandate
    principal: Account
    holder: Account | None
    active: bool


def called(account: Account) -> str:
    """Return the name of an account: a company by its accepted name, else by its number.

    A person by the name they gave, else by their contact.
    """
    if account.login.startswith(COMPANY):
        return account.name or account.login.removeprefix(COMPANY)
    return readable_name(account.name) or reached(account)


def reached(account: Account) -> str:
    """Return the verified phone number or e-mail address of an account; empty without one."""
    return national(account.login) if account.login.startswith("+") or "@" in account.login else ""


def known_within(unit: Unit, actor: Actor, mandate: Mandate) -> Mandate | None:
    """Return a mandate as far as it is for the procedures of this actor, None if it is for none of them."""
    both = tuple(one for one in mandate.procedures if one in actor.procedures)
    theirs = {dossier.procedure for dossier in filter(None, map(unit.dossier, mandate.dossiers))}
    apart = (mandate.procedures and not both) or (theirs and theirs.isdisjoint(actor.procedures))
    return None if apart or mandate.status != "active" else replace(mandate, procedures=both)


def principal_shown(one: MandateView) -> str:
    """Return the principal of a mandate as its holder sees it.

    Until it is accepted, the holder sees only what they typed. A page never reveals whether a number is
    known, nor a company name given by another person.
    """
    mandate, login = one.mandate, one.principal.login
    if mandate.status == "active" or mandate.made_by != mandate.holder:
        return called(one.principal)
    if login.startswith((COMPANY, WITHOUT_PHONE)):
        return mandate.declared or called(one.principal)
    return national(mandate.invited) or reached(one.principal)


def holder_shown(one: MandateView) -> str:
    """Return the holder of a mandate as the principal sees them.

    For a given mandate, the invited number. For one that the holder asked a person for, the unchecked
    name and the verified number. Otherwise the name of the account.
    """
    mandate, holder = one.mandate, one.holder
    if holder is None or mandate.made_by != mandate.holder:
        return national(mandate.invited) or (called(holder) if holder else "")
    if one.principal.login.startswith((COMPANY, WITHOUT_PHONE)):
        return called(holder)
    return ", ".join(filter(None, (readable_name(mandate.declared or holder.name), reached(holder))))


PaperOutcome: TypeAlias = Literal["kept", "erased"]
_ON_PAPER: Final = ("company:", "person:")  # logins of principals whose mandate rests on a document


def forget_papers(ctx: AppContext) -> int:
    """Erase every document whose time is over. Return how many. The sweep deletes the files themselves."""
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
    """Return whether the document of a mandate is stored or erased; None if it never had one."""
    if mandate.proof:
        return "kept"
    asked = mandate.made_by == mandate.holder and principal is not None and principal.login.startswith(_ON_PAPER)
    return "erased" if asked else None


def given_before(unit: Unit, mandate: Mandate, day: date) -> Mandate | None:
    """Return the same mandate that was given before and is active, None without one."""
    found = (one for one in unit.mandates_given(mandate.principal) if is_active(one, day))
    return next((one for one in found if replace(mandate, id=one.id, created_at=one.created_at) == one), None)


def declared_before(unit: Unit, mandate: Mandate, child: Account) -> Mandate | None:
    """Return the active mandate that the holder has for a child of this name and day of birth, None without one."""
    for one in unit.mandates_held(mandate.holder):
        known = unit.account(one.principal) if (one.kind, one.status) == ("child", "active") else None
        if known is not None and child.profile.items() <= known.profile.items():
            return one
    return None


LATELY: Final = timedelta(days=31)  # the sweep sees a mandate this long after its last day


def release_expired(ctx: AppContext) -> int:
    """Stop the messages to holders of mandates whose last day is over. Return how many mandates were looked at."""
    day = ctx.day()
    with ctx.store.unit() as unit:
        over = unit.mandates_expired(day - LATELY, day)
    for one in over:
        with ctx.store.unit(write=True) as unit:
            mandate = unit.mandate(one.id)
            if mandate is not None and mandate.status == "active" and not is_active(mandate, day):
                release_contact(ctx, unit, mandate, SYSTEM_ACTOR, always=False)
    return len(over)
