"""How those whom a mandate binds are named to one another, by what an agent accepted or a person proved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.values import national
from engine.domain.common.names import readable_name
from engine.records.dossier import Account
from engine.records.people import Mandate

COMPANY: Final = "company:"  # the login of a company, before its number
PAPER: Final = "person:"  # the login of somebody without a telephone


@dataclass(frozen=True, slots=True)
class MandateView:
    """A mandate as it is read: for whom, by whom, and whether it holds today."""

    mandate: Mandate
    principal: Account
    holder: Account | None
    active: bool


def called(account: Account) -> str:
    """How an account is called where it is told apart from others: a company by the name that an agent accepted, else by its
    number; a person by the name they gave, else by how they are reached."""
    if account.login.startswith(COMPANY):
        return account.name or account.login.removeprefix(COMPANY)
    return readable_name(account.name) or reached(account)


def reached(account: Account) -> str:
    """The number or the address that an account has proven; empty for one without."""
    return national(account.login) if account.login.startswith("+") or "@" in account.login else ""


def principal_shown(one: MandateView) -> str:
    """For whom a mandate is, as its holder reads it. Until an agent or the person agreed, they read only what they typed: a page
    never tells whether a number is known here, nor what another person gave as the name of a company."""
    mandate, login = one.mandate, one.principal.login
    if mandate.status == "active" or mandate.made_by != mandate.holder:
        return called(one.principal)
    if login.startswith((COMPANY, PAPER)):
        return mandate.declared or called(one.principal)
    return national(mandate.invited) or reached(one.principal)


def holder_shown(one: MandateView) -> str:
    """Who holds a mandate, as those for whom they act read it: the number that let them in; for who asked a person, the name they
    gave, which was checked by nobody, and their number, which is proven; else how they are called."""
    mandate, holder = one.mandate, one.holder
    if holder is None or mandate.made_by != mandate.holder:
        return national(mandate.invited) or (called(holder) if holder else "")
    if one.principal.login.startswith((COMPANY, PAPER)):
        return called(holder)
    return ", ".join(filter(None, (readable_name(mandate.declared or holder.name), reached(holder))))
