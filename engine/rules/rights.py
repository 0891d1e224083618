"""Who may change whose rights. Nobody changes their own; an agency's administrator gives what is of that agency alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.records.dossier import Account, Actor

EVERYWHERE: Final = "*"


def agency_of(role: str) -> str:
    return role.partition("/")[0]


def is_administrator(actor: Actor) -> bool:
    return actor.kind == "agent" and bool(actor.administers)


def administers(actor: Actor, agencies: Iterable[str]) -> bool:
    """Whether the people of all these agencies are theirs to change. Whoever has the machine has the command line."""
    if actor.kind == "system":
        return True
    if not is_administrator(actor):
        return False
    return EVERYWHERE in actor.administers or set(agencies) <= actor.administers


def may_see_person(actor: Actor, account: Account) -> bool:
    """Whether this account is in the team of an administrator."""
    if administers(actor, (EVERYWHERE,)):
        return account.kind != "applicant"
    return account.kind == "agent" and any(administers(actor, (agency_of(role),)) for role in account.roles)


def why_not_person(actor: Actor, account: Account) -> str | None:
    """Why this person may not close an account, give it a password, or change what binds all of it. None when they may."""
    if actor.id == account.id:
        return "own_rights"
    if account.kind == "auditor" or account.administers or not account.roles:
        return None if administers(actor, (EVERYWHERE,)) else "not_your_agency"
    return None if administers(actor, map(agency_of, account.roles)) else "not_your_agency"


def why_not_change(actor: Actor, before: Account | None, after: Account) -> str | None:
    """Why this person may not give an account these rights in place of those it had. None when they may."""
    if actor.id == after.id:
        return "own_rights"
    known = before or Account(after.id, after.kind, "", after.login)
    if known.administers != after.administers and not administers(actor, (EVERYWHERE,)):
        return "not_your_agency"
    if not administers(actor, map(agency_of, _changed_roles(known, after))):
        return "not_your_agency"
    if before is None:
        return why_not_person(actor, after)
    bound = (before.name, before.offices, before.until, before.procedures, before.disabled)
    if bound != (after.name, after.offices, after.until, after.procedures, after.disabled):
        return why_not_person(actor, before)
    return None


def _changed_roles(before: Account, after: Account) -> frozenset[str]:
    """Roles given, taken away, or whose last day changed."""
    moved = {role for role in after.roles if before.ends.get(role) != after.ends.get(role)}
    return frozenset(set(before.roles) ^ set(after.roles) | moved)
