"""Rules on changes of agents' rights.

An account never changes its own rights. An administrator of an agency grants only the rights of that agency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from engine.core.values import Plain
from engine.records.dossier import Account, Actor

EVERYWHERE: Final = "*"


def agency_of(role: str) -> str:
    """Return the agency of a role key `agency/role`."""
    return role.partition("/")[0]


def is_administrator(actor: Actor) -> bool:
    """Return True for an agent who administers at least one agency."""
    return actor.kind == "agent" and bool(actor.administers)


def administers(actor: Actor, agencies: Iterable[str]) -> bool:
    """Return True when the actor administers all these agencies. True for the system, which runs the command line."""
    if actor.kind == "system":
        return True
    if not is_administrator(actor):
        return False
    return EVERYWHERE in actor.administers or set(agencies) <= actor.administers


def may_see_person(actor: Actor, account: Account) -> bool:
    """Return True when this account belongs to the team of an administrator."""
    if administers(actor, (EVERYWHERE,)):
        return account.kind != "applicant"
    return account.kind == "agent" and any(administers(actor, (agency_of(role),)) for role in account.roles)


def refusal_for_person(actor: Actor, account: Account) -> str | None:
    """Return why the actor may not close the account, set its password or change its limits, None when allowed.

    The code is `own_rights` or `not_your_agency`.
    """
    if actor.id == account.id:
        return "own_rights"
    if account.kind == "auditor" or account.administers or not account.roles:
        return None if administers(actor, (EVERYWHERE,)) else "not_your_agency"
    return None if administers(actor, map(agency_of, account.roles)) else "not_your_agency"


def refusal_for_change(actor: Actor, before: Account | None, after: Account) -> str | None:
    """Return why the actor may not replace the rights `before` by `after`, None when allowed.

    `before` is None for a new account. The code is `own_rights` or `not_your_agency`.
    """
    if actor.id == after.id:
        return "own_rights"
    known = before or Account(after.id, after.kind, "", after.login)
    if known.administers != after.administers and not administers(actor, (EVERYWHERE,)):
        return "not_your_agency"
    if not administers(actor, map(agency_of, _changed_roles(known, after))):
        return "not_your_agency"
    if before is None:
        return refusal_for_person(actor, after)
    bound = (before.name, own_number(before), before.offices, before.until, before.procedures, before.disabled)
    if bound != (after.name, own_number(after), after.offices, after.until, after.procedures, after.disabled):
        return refusal_for_person(actor, before)
    return None


def _changed_roles(before: Account, after: Account) -> frozenset[str]:
    """Return the roles that were granted, withdrawn or given another last day."""
    moved = {role for role in after.roles if before.ends.get(role) != after.ends.get(role)}
    return frozenset(set(before.roles) ^ set(after.roles) | moved)


OWN_NUMBER: Final = "phone"  # in an agent's profile: the number as a person, declared by their administrator


def own_number(account: Account) -> str:
    """Return the number of an agent as a person, empty if it was not declared."""
    return str(account.profile.get(OWN_NUMBER, ""))


ABSENT: Final = "absent"  # in an account's profile


@dataclass(frozen=True, slots=True)
class Absence:
    """The days when an agent is away, first and last included."""

    first: date
    last: date

    def holds(self, day: date) -> bool:
        """Return True when the day is in the absence."""
        return self.first <= day <= self.last


def absence_of(account: Account) -> Absence | None:
    """Return the last recorded absence, past or future. None without one or when it is unreadable."""
    said = account.profile.get(ABSENT)
    if not isinstance(said, Mapping):
        return None
    try:
        return Absence(date.fromisoformat(str(said.get("first"))), date.fromisoformat(str(said.get("last"))))
    except ValueError:
        return None


def is_absent(account: Account, day: date) -> bool:
    """Return True when the account has an absence on this day."""
    found = absence_of(account)
    return found is not None and found.holds(day)


def with_absence(account: Account, absence: Absence | None) -> Mapping[str, Plain]:
    """Return the profile of the account with this absence. None removes it."""
    others = {name: value for name, value in account.profile.items() if name != ABSENT}
    if absence is None:
        return others
    return {**others, ABSENT: {"first": absence.first.isoformat(), "last": absence.last.isoformat()}}
