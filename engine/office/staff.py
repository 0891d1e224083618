"""The door of agents and controllers: a password, then a second factor. Between the two, a ticket that opens nothing.

Every failure says the same; tries are counted in the store. Who signs in for the first time chooses their own password, and
enrols the application that will give their codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from engine.office import second_factor
from engine.office.doors import told
from engine.office.office import Office
from engine.office.passwords import why_not_password
from engine.office.secrets import hash_secret, is_secret, new_token, token_digest
from engine.office.sessions import SignedIn, open_session
from engine.office.tries import too_many
from engine.problems import Refusal, Refused, refusal
from engine.records.bodies import instant_text
from engine.records.dossier import Account, Actor
from engine.records.people import SecondFactor
from engine.records.store import Unit

Kind: TypeAlias = Literal["agent", "auditor"]
Want: TypeAlias = Literal["password", "enrolment", "code"]

TRIES_PER_LOGIN: Final = 10
TRIES_PER_CLIENT: Final = 60
TICKET_LASTS: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Halfway:
    """The password was right; `wants` is what is still asked of whoever holds the ticket."""

    ticket: str
    wants: Want


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an application needs to give codes: the address a QR code says, and the key to type."""

    address: str
    key: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Somebody enrolled and signed in; `recovery` is told this once."""

    signed: SignedIn
    recovery: tuple[str, ...]


Passed: TypeAlias = SignedIn | Halfway


@told("password")
def sign_in(office: Office, kind: Kind, login: str, password: str, client: str = "", device: str = "") -> Passed:
    """Lets an agent or a controller in, or halfway in. Raises Refused: sign_in_wrong (the same for an unknown login, a wrong
    password and a closed account), too_many_tries (minutes)."""
    now, login = office.now(), login.strip()[:100]
    with office.store.unit(write=True) as unit:
        counted = ((f"login:{kind}:{login}", TRIES_PER_LOGIN), (f"login@{client}", TRIES_PER_CLIENT))
        closed = too_many(unit, now, *counted)
        account = unit.account_of(kind, login)
    if closed:
        raise Refused(closed)
    right = is_secret(account.secret if account else "", password)  # slow on purpose: outside any unit
    with office.store.unit(write=True) as unit:
        still = _still(unit, account) if account and right else None
        if still is None or not still.is_open(office.day()):
            raise Refused(refusal("sign_in_wrong"))
        return _passed(office, unit, still, now, device)


def _still(unit: Unit, judged: Account) -> Account | None:
    """An account whose password was looked at outside any unit, held; none where another was put in its place meanwhile."""
    account = unit.account_held(judged.id)
    return account if account is not None and account.secret == judged.secret else None


def _passed(office: Office, unit: Unit, account: Account, now: datetime, device: str) -> Passed:
    wants = _wanted(office, unit, account)
    if wants is None:
        return open_session(office, unit, account, now, device=device)
    ticket = new_token()
    until = instant_text(now + TICKET_LASTS)
    unit.keep_aside(_place(ticket), {"account": account.id, "until": until}, now)
    return Halfway(ticket, wants)


def _wanted(office: Office, unit: Unit, account: Account) -> Want | None:
    if account.fresh:
        return "password"
    if second_factor.proven(unit, account.id) is not None:
        return "code"
    return "enrolment" if second_factor.is_wanted(office, account) else None


# -- with a ticket -----------------------------------------------------------------------------------------------------


def wanted_of(office: Office, kind: Kind, ticket: str) -> Want | None:
    """What the holder of a ticket is still asked for; none when it is no ticket of this door."""
    with office.store.unit() as unit:
        account = _holder(office, unit, kind, ticket)
        return _wanted(office, unit, account) if account is not None else None


@told("own password at the first sign-in")
def choose_password(office: Office, kind: Kind, ticket: str, password: str, device: str = "") -> Passed:
    """Replaces a password that somebody else chose. Raises Refused: ticket_over, password_short (least), password_plain."""
    with office.store.unit() as unit:
        account = _needed(office, unit, kind, ticket, "password")
    _check_password(office, account, password)
    secret = hash_secret(password)
    with office.store.unit(write=True) as unit:
        account = _needed(office, unit, kind, ticket, "password")
        unit.taken_aside(_place(ticket))
        account = replace(account, secret=secret, fresh=False)
        unit.put_account(account)
        return _passed(office, unit, account, office.now(), device)


def enrolment(office: Office, kind: Kind, ticket: str) -> Enrolment:
    """What the page of an enrolment shows. Raises Refused("ticket_over")."""
    with office.store.unit(write=True) as unit:
        account = _needed(office, unit, kind, ticket, "enrolment")
        key = second_factor.offered_key(office, unit, account.id)
    issuer = urlsplit(office.settings.base_url).hostname or "guichet"
    return Enrolment(second_factor.application_address(key, account.login, issuer), key)


@told("enrolment of a second factor")
def enrol(office: Office, kind: Kind, ticket: str, typed: str, *, client: str = "", device: str = "") -> Enrolled:
    """Ends an enrolment with a first code of the application. Raises Refused: ticket_over, factor_wrong, too_many_tries."""
    now, done = office.now(), None
    with office.store.unit(write=True) as unit:
        account = _needed(office, unit, kind, ticket, "enrolment")
        closed = _too_many_codes(unit, account, client, now)
        codes = None if closed else second_factor.prove(office, unit, account.id, typed, now)
        if codes is not None:
            unit.taken_aside(_place(ticket))
            done = Enrolled(open_session(office, unit, account, now, device=device), codes)
    if done is None:
        raise Refused(closed or refusal("factor_wrong"))
    return done


@told("second factor")
def pass_factor(office: Office, kind: Kind, ticket: str, typed: str, *, client: str = "", device: str = "") -> SignedIn:
    """Lets in whoever types a code of their application, or one of their recovery codes. Raises as `enrol` does."""
    now, done = office.now(), None
    with office.store.unit(write=True) as unit:
        account = _needed(office, unit, kind, ticket, "code")
        factor = second_factor.proven(unit, account.id)
        closed = _too_many_codes(unit, account, client, now)
        if closed is None and factor is not None and second_factor.takes(office, unit, factor, typed, now):
            unit.taken_aside(_place(ticket))
            done = open_session(office, unit, account, now, device=device)
    if done is None:
        raise Refused(closed or refusal("factor_wrong"))
    return done


def _too_many_codes(unit: Unit, account: Account, client: str, now: datetime) -> Refusal | None:
    return too_many(unit, now, (f"factor:{account.id}", TRIES_PER_LOGIN), (f"factor@{client}", TRIES_PER_CLIENT))


def _place(ticket: str) -> str:
    return f"halfway/{token_digest(ticket)}"


def _holder(office: Office, unit: Unit, kind: Kind, ticket: str) -> Account | None:
    kept = unit.peeked_aside(_place(ticket)) if ticket else None
    if not isinstance(kept, Mapping) or str(kept.get("until")) <= instant_text(office.now()):
        return None
    account = unit.account_held(str(kept.get("account")))
    usable = account is not None and account.kind == kind and account.is_open(office.day())
    return account if usable else None


def _needed(office: Office, unit: Unit, kind: Kind, ticket: str, want: Want) -> Account:
    account = _holder(office, unit, kind, ticket)
    if account is None or _wanted(office, unit, account) != want:
        raise Refused(refusal("ticket_over"))
    return account


# -- one's own keys ----------------------------------------------------------------------------------------------------


def factor_of(office: Office, actor: Actor) -> SecondFactor | None:
    """The second factor this person holds."""
    with office.store.unit() as unit:
        return second_factor.proven(unit, actor.id)


@told("change of password")
def change_password(office: Office, actor: Actor, before: str, password: str, client: str = "") -> None:
    """A new password in place of one's own; every session of before ends. Raises Refused: sign_in_wrong, password_short,
    password_plain, too_many_tries."""
    with office.store.unit(write=True) as unit:
        closed = too_many(
            unit, office.now(), (f"password:{actor.id}", TRIES_PER_LOGIN), (f"login@{client}", TRIES_PER_CLIENT)
        )
        account = unit.account(actor.id)
    if closed:
        raise Refused(closed)
    if account is None or not is_secret(account.secret, before):
        raise Refused(refusal("sign_in_wrong", why="password"))
    _check_password(office, account, password)
    secret = hash_secret(password)
    with office.store.unit(write=True) as unit:
        still = _still(unit, account)
        if still is None:
            raise Refused(refusal("sign_in_wrong", why="password"))
        unit.put_account(replace(still, secret=secret, fresh=False))
        unit.drop_sessions(actor.id)


@told("new recovery codes")
def renew_recovery(office: Office, actor: Actor, typed: str, client: str = "") -> tuple[str, ...]:
    """New recovery codes, for who types a code of their application. Raises Refused: factor_wrong, too_many_tries."""
    now, codes = office.now(), None
    with office.store.unit(write=True) as unit:
        account, factor = unit.account(actor.id), second_factor.proven(unit, actor.id)
        closed = _too_many_codes(unit, account, client, now) if account else None
        if closed is None and factor is not None and second_factor.takes(office, unit, factor, typed, now):
            codes = second_factor.renewed_recovery(office, unit, unit.second_factor(actor.id) or factor)
    if codes is None:
        raise Refused(closed or refusal("factor_wrong"))
    return codes


def _check_password(office: Office, account: Account, password: str) -> None:
    closed = why_not_password(account, password, office.settings.base_url)
    if closed:
        raise Refused(closed)
