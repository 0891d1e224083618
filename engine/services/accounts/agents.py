"""Agents and auditors with their rights.

Each change has an entry in a journal of its own. Requested rights are checked against the directory.
The domain rules decide whether the administrator may grant them. A password created here is shown once
and replaced at the first sign-in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Refused, refusal
from engine.core.values import Plain, fingerprint, new_id
from engine.domain.common.agent_rights import (
    EVERYWHERE,
    OWN_NUMBER,
    agency_of,
    may_see_person,
    own_number,
    refusal_for_change,
    refusal_for_person,
)
from engine.domain.common.names import free_text
from engine.journal.chain import JournalEntry, seal
from engine.records.dossier import Account, Actor
from engine.records.people import CHAIN
from engine.services.context.app_context import AppContext, NotFound
from engine.services.context.contact_parsing import read_phone
from engine.services.keys.secrets import hash_secret, new_password
from engine.services.sign_in.agent_sign_in import Kind
from engine.storage.results import AlreadyExists, IntegrityFinding
from engine.storage.unit_of_work import Unit

_LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{1,59}")
LONGEST_NAME: Final = 80
_WHOLE: Final = 2**31  # number of entries: the whole journal
_READ_AT_ONCE: Final = 200  # entries of the journal of rights
_MOST_READ: Final = 4_000  # for one page
_NUMBER: Final = "own_number"  # in an entry of the journal
_STAFF: Final[tuple[Kind, ...]] = ("agent", "auditor")


@dataclass(frozen=True, slots=True)
class Person:
    """The rights requested for a person: `roles` by `agency/role`, each with its last day or None.

    `phone` is the number of an agent as a person, who handles no dossier of that number. None leaves the one declared.
    """

    name: str
    roles: Mapping[str, date | None] = field(default_factory=dict)
    offices: tuple[str, ...] = ()
    until: date | None = None
    procedures: tuple[str, ...] = ()
    administers: tuple[str, ...] = ()
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """An account with a new temporary password, which is shown once."""

    account: Account
    password: str


def team(ctx: AppContext, actor: Actor) -> tuple[Account, ...]:
    """Return the accounts whose rights concern this administrator, by name."""
    with ctx.store.unit() as unit:
        everyone = (*unit.accounts("agent"), *unit.accounts("auditor"))
    return tuple(one for one in everyone if may_see_person(actor, one))


def member(ctx: AppContext, actor: Actor, account_id: str) -> Account:
    """Return one account of the team. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        return _member(unit, actor, account_id)


def journal_of_rights(
    ctx: AppContext, actor: Actor, before: int | None = None, limit: int = 50, *, person: str = "", until: date | None = None
) -> tuple[tuple[JournalEntry, ...], int | None]:  # fmt: skip
    """Return changes that concern the team of this administrator, the newest first, and where the next page begins.

    `before` is the number that the last page gave. The second value is None once every entry is read. A page
    is short when other entries fill all that is read at once. `person`: only what that account did or what concerns
    it. `until`: nothing after that day.
    """
    found: list[JournalEntry] = []
    accounts: dict[str, Account | None] = {}
    with ctx.store.unit() as unit:
        for _ in range(_MOST_READ // _READ_AT_ONCE):
            entries = unit.rights(_READ_AT_ONCE, before)
            for entry in entries:
                if len(found) == limit:
                    return tuple(found), before
                before, about = entry.n, _about(entry)
                if (person and person not in (about, entry.actor)) or (until and local_day(entry.at) > until):
                    continue
                if about not in accounts:
                    accounts[about] = unit.account(about)
                account = accounts[about]
                if account is not None and may_see_person(actor, account):
                    found.append(entry)
            if len(entries) < _READ_AT_ONCE:
                return tuple(found), None
    return tuple(found), before


def _about(entry: JournalEntry) -> str:
    return str(entry.body.get("account", "")) if isinstance(entry.body, dict) else ""


# -- changes -----------------------------------------------------------------------------------------------------------


def add_person(ctx: AppContext, actor: Actor, kind: Kind, login: str, asked: Person) -> Given:
    """Open an account with a temporary password.

    Raises `Conflict` when rights changed meanwhile. Raises Refused: own_rights, not_your_agency, login_format,
    login_taken, and the refusals of `change_person` about rights.
    """
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise Refused(refusal("login_format"))
    password = new_password()
    account = _with(Account(new_id(), kind, "", login, hash_secret(password), fresh=True), asked)
    try:
        with ctx.store.unit(write=True) as unit:
            head = unit.right_head()
            _check_rights(ctx, unit, actor, None, account)
            if unit.account_of(kind, login) is not None:
                raise Refused(refusal("login_taken", login=login))
            unit.put_account(account)
            note_about(ctx, unit, actor, "person_added", account, _noted(ctx, None, account), head=head)
    except AlreadyExists:
        raise Refused(refusal("login_taken", login=login)) from None
    return Given(account, password)


def rights_seen(account: Account) -> str:
    """Return a digest of the name, the number and the rights as read: `change_person` refuses if they changed since."""
    number: dict[str, Plain] = {OWN_NUMBER: own_number(account)} if own_number(account) else {}
    return fingerprint({"name": account.name, **number, **_rights(account)})[:16]


def change_person(
    ctx: AppContext, actor: Actor, account_id: str, asked: Person, *, seen: str | None = None
) -> Account:  # fmt: skip
    """Replace the rights of an account, if they still are those `seen`.

    Raises `NotFound`, `Conflict` as `add_person`. Raises Refused: rights_changed, own_rights, not_your_agency, name_missing, phone_format,
    no_rights, role_unknown, office_unknown, procedure_unknown, agency_unknown, day_past,
    mandate_endless, seats_full (role, seats).
    """
    with ctx.store.unit(write=True) as unit:
        head, before = unit.right_head(), _member(unit, actor, account_id)
        if seen is not None and seen != rights_seen(before):
            raise Refused(refusal("rights_changed"))
        after = _with(before, asked)
        _check_rights(ctx, unit, actor, before, after)
        if after != before:
            unit.put_account(after)
            note_about(ctx, unit, actor, "rights_changed", after, _noted(ctx, before, after), head=head)
    return after


def close_person(ctx: AppContext, actor: Actor, account_id: str) -> Account:
    """Disable an account, end its sessions at once, and forget which dossiers it follows.

    Raises `NotFound`. Raises Refused: own_rights, not_your_agency.
    """
    with ctx.store.unit(write=True) as unit:
        before = _changeable(unit, actor, account_id)
        after = replace(before, disabled=True)
        if not before.disabled:
            unit.put_account(after)
            unit.unfollow(before.id)
            note_about(ctx, unit, actor, "person_closed", after)
        unit.drop_sessions(before.id)
    return after


def reopen_person(ctx: AppContext, actor: Actor, account_id: str) -> Given:
    """Enable an account again with a temporary password. Raises as `close_person`, and Refused("seats_full"), `Conflict`."""
    return _new_password(ctx, actor, account_id, "person_reopened")


def give_password(ctx: AppContext, actor: Actor, account_id: str) -> Given:
    """Replace a lost password by a temporary one and end every session.

    Raises `NotFound`. Raises Refused: own_rights, not_your_agency.
    """
    return _new_password(ctx, actor, account_id, "password_given")


def _new_password(ctx: AppContext, actor: Actor, account_id: str, kind: str) -> Given:
    password = new_password()
    secret = hash_secret(password)
    with ctx.store.unit(write=True) as unit:
        head, before = unit.right_head(), _changeable(unit, actor, account_id)
        after = replace(before, secret=secret, fresh=True, disabled=before.disabled and kind != "person_reopened")
        _check_seats(ctx, unit, before, after)
        unit.put_account(after)
        unit.drop_sessions(before.id)
        note_about(ctx, unit, actor, kind, after, head=head)
    return Given(after, password)


def reset_factor(ctx: AppContext, actor: Actor, account_id: str) -> Account:
    """Delete a lost second factor and end every session.

    Its owner enrols another at the next sign-in. Raises as `close_person`.
    """
    with ctx.store.unit(write=True) as unit:
        account = _changeable(unit, actor, account_id)
        unit.drop_second_factor(account.id)
        unit.drop_sessions(account.id)
        note_about(ctx, unit, actor, "factor_reset", account)
    return account


def found_by_login(ctx: AppContext, kind: Kind, login: str) -> Account:
    """Return the account with this login, for the command line. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        account = unit.account_of(kind, login.strip().lower())
    if account is None:
        raise NotFound
    return account


# -- checks ------------------------------------------------------------------------------------------------------------


def _member(unit: Unit, actor: Actor, account_id: str) -> Account:
    account = unit.account_held(account_id)
    if account is None or account.kind == "applicant" or not may_see_person(actor, account):
        raise NotFound
    return account


def _changeable(unit: Unit, actor: Actor, account_id: str) -> Account:
    account = _member(unit, actor, account_id)
    closed = refusal_for_person(actor, account)
    if closed:
        raise Refused(refusal(closed))
    return account


def _with(account: Account, asked: Person) -> Account:
    ends = {role: day for role, day in asked.roles.items() if day is not None}
    profile = account.profile
    if asked.phone is not None and account.kind == "agent":
        number = read_phone(asked.phone) if asked.phone.strip() else ""
        others = {name: value for name, value in profile.items() if name != OWN_NUMBER}
        profile = {**others, OWN_NUMBER: number} if number else others
    return replace(
        account, profile=profile, name=" ".join(free_text(asked.name).split())[:LONGEST_NAME], roles=tuple(sorted(asked.roles)), ends=ends,
        offices=tuple(sorted(set(asked.offices))), until=asked.until, procedures=tuple(sorted(set(asked.procedures))),
        administers=tuple(sorted(set(asked.administers))),
    )  # fmt: skip


def _check_rights(ctx: AppContext, unit: Unit, actor: Actor, before: Account | None, after: Account) -> None:
    closed = refusal_for_change(actor, before, after)
    if closed:
        raise Refused(refusal(closed))
    if not after.name:
        raise Refused(refusal("name_missing"))
    _check_known(ctx, before, after)
    _check_days(ctx, before, after)
    _check_seats(ctx, unit, before, after)


def _check_known(ctx: AppContext, before: Account | None, after: Account) -> None:
    """Check that every right is known. A mandate keeps procedures that were withdrawn: their dossiers remain."""
    directory, held = ctx.directory, before.procedures if before else ()
    agencies = {agency_of(role) for role in after.roles}
    for role in after.roles:
        if directory.role(role) is None:
            raise Refused(refusal("role_unknown", role=role))
    for one in after.offices:
        place = directory.offices.get(one)
        if place is None or place.agency not in agencies:
            raise Refused(refusal("office_unknown", office=one))
    for one in after.procedures:
        if one not in ctx.catalogue.procedures and one not in held:
            raise Refused(refusal("procedure_unknown", procedure=one))
    for one in after.administers:
        if one != EVERYWHERE and one not in directory.agencies:
            raise Refused(refusal("agency_unknown", agency=one))


def _check_days(ctx: AppContext, before: Account | None, after: Account) -> None:
    """Check that a mandate of an auditor ends, that an agent has a right, and new last days."""
    if after.kind == "auditor":
        if after.until is None:
            raise Refused(refusal("mandate_endless"))
        if after.roles or after.offices or after.administers:
            raise Refused(refusal("role_unknown", role=", ".join((*after.roles, *after.administers))))
    elif not after.roles and not after.administers:
        raise Refused(refusal("no_rights"))
    known = {before.until, *before.ends.values()} if before else set()
    for day in (after.until, *after.ends.values()):
        if day is not None and day not in known and day < ctx.day():
            raise Refused(refusal("day_past", day=day.isoformat()))


def _check_seats(ctx: AppContext, unit: Unit, before: Account | None, after: Account) -> None:
    """Check that no more agents hold a role than the directory has seats for.

    A role is checked when it is given, and when it counts again: reopened, or with a later last day. Raises
    Refused("seats_full").
    """
    day = ctx.day()
    given = set(after.roles) - set(before.roles if before else ())
    taken = given | (_held_on(day, after) - (_held_on(day, before) if before else frozenset()))
    others = [_held_on(day, one) for one in unit.accounts("agent") if one.id != after.id] if taken else []
    for role in sorted(taken):
        seats = ctx.directory.role(role)
        if seats is not None and sum(role in held for held in others) >= seats.seats:
            raise Refused(refusal("seats_full", role=role, seats=seats.seats))


def _held_on(day: date, account: Account) -> frozenset[str]:
    return account.on(day).roles if account.is_open(day) else frozenset()


def _rights(account: Account) -> dict[str, Plain]:
    """Return the rights as the journal records them: without name or secret."""
    return {
        "roles": list(account.roles),
        "ends": {role: day.isoformat() for role, day in account.ends.items()},
        "offices": list(account.offices),
        "until": account.until.isoformat() if account.until else None,
        "procedures": list(account.procedures),
        "administers": list(account.administers),
    }


def _noted(ctx: AppContext, before: Account | None, after: Account) -> dict[str, Plain]:
    """Return what the journal records of a person: the rights, the keyed digest of the number, and what changed.

    Of a new name it has the keyed digests, the former first: a document bears the name of the day of its signature.
    """
    noted = {**_rights(after), **({_NUMBER: _sealed_numbers(ctx, after)[0]} if own_number(after) else {})}
    had, has = own_number(before) if before else "", own_number(after)
    if had != has:
        noted["number"] = "changed" if had and has else "declared" if has else "removed"
    if before is None:
        return noted
    if before.name != after.name:
        noted |= {"renamed": True, "names": [ctx.keys.seal_code("name", after.id, one.name) for one in (before, after)]}
    return {**noted, "before": _rights(before)}


def _sealed_numbers(ctx: AppContext, account: Account) -> tuple[str, ...]:
    return ctx.keys.seals_of("own number", account.id, own_number(account)) if own_number(account) else ("",)


def note_about(
    ctx: AppContext, unit: Unit, actor: Actor, kind: str, account: Account, more: Mapping[str, Plain] | None = None, *,
    head: tuple[int, str] | None = None,
) -> None:  # fmt: skip
    """Append an entry about a person to the journal of rights.

    With a `head` that was read before the checks, raise `Conflict` if another change of rights came between.
    """
    reported: Plain = {"account": account.id, "login": account.login, **(more or {})}
    unit.add_right(seal(unit.right_head() if head is None else head, CHAIN, ctx.now(), actor, kind, "", reported))


# -- fsck --------------------------------------------------------------------------------------------------------------


def broken_rights(ctx: AppContext) -> Iterator[IntegrityFinding]:
    """Yield agents and auditors whose rights differ from the last entry in the journal of rights."""
    with ctx.store.unit() as unit:
        entries = unit.rights(_WHOLE)
        people = {one.id: one for kind in _STAFF for one in unit.accounts(kind)}
    given: dict[str, JournalEntry] = {}
    for entry in entries:  # the newest first
        if entry.kind in ("person_added", "rights_changed"):
            given.setdefault(_about(entry), entry)
    for account_id, entry in given.items():
        account = people.get(account_id)
        rights = _rights(account) if account is not None else {}
        body = entry.body if isinstance(entry.body, dict) else {}
        moved = account is not None and body.get(_NUMBER, "") not in _sealed_numbers(ctx, account)
        if not body or moved or any(body.get(name) != value for name, value in rights.items()):
            yield IntegrityFinding(
                "rights_differ", None, {"about": account.login if account is not None else account_id}
            )
