"""Names of the parties of a mandate as each other sees them, from checked or verified data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.core.values import national
from engine.domain.common.names import readable_name
from engine.records.dossier import Account
from engine.records.people import Mandate

COMPANY: Final = "company:"  # prefix of the login of a company, before its number
PAPER: Final = "person:"  # prefix of the login of a person without a phone


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
    """Return the verified number or address of an account; empty without one."""
    return national(account.login) if account.login.startswith("+") or "@" in account.login else ""


def principal_shown(one: MandateView) -> str:
    """Return the principal of a mandate as its holder sees it.

    Until it is accepted, the holder sees only what they typed. A page never reveals whether a number is
    known, nor a company name given by another person.
    """
    mandate, login = one.mandate, one.principal.login
    if mandate.status == "active" or mandate.made_by != mandate.holder:
        return called(one.principal)
    if login.startswith((COMPANY, PAPER)):
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
    if one.principal.login.startswith((COMPANY, PAPER)):
        return called(holder)
    return ", ".join(filter(None, (readable_name(mandate.declared or holder.name), reached(holder))))
