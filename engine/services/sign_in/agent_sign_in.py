"""Sign-in of agents and auditors: a password, then a second factor.

Between the two, a ticket without any right. Every failure looks the same. Wrong tries are counted in
the store (`guesses`). Beyond their limits, a password is checked only together with the second factor.
Tries of others therefore lock no account. At the first sign-in, a person chooses a password and enrols
an authenticator application.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.records.codec import instant_text
from engine.records.dossier import Account, Actor
from engine.records.people import SecondFactor
from engine.services.context.app_context import AppContext
from engine.services.context.rate_limit import block_of, too_many
from engine.services.keys.secrets import hash_secret, is_secret, new_token, token_digest
from engine.services.limits.guesses import browser_key, count_wrong, is_known, limits_of, shut
from engine.services.sign_in import second_factor
from engine.services.sign_in.demo_accounts import is_invented
from engine.services.sign_in.passwords import refusal_for_password
from engine.services.sign_in.security_log import logged
from engine.services.sign_in.sessions import SignedIn, open_session
from engine.storage.unit_of_work import Unit

_KEYS: Final = "keys"  # in the profile: whether one letter acts

Kind: TypeAlias = Literal["agent", "auditor"]
Want: TypeAlias = Literal["password", "enrolment", "code", "both"]

PASSWORDS_A_DAY: Final = 100  # wrong ones of one login, from unknown browsers
CODES_A_DAY: Final = 100  # wrong ones of one account, likewise
POSTS_PER_CLIENT: Final = 300  # passwords in a window from an address or a known browser: each is slow to check
TICKET_LASTS: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Halfway:
    """A sign-in in progress.

    `wants` is what the holder of the ticket must still give. "both": the password was not checked yet,
    and a code is asked for in any case.
    """

    ticket: str
    wants: Want


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator application needs: the address in the QR code, and the key to type."""

    address: str
    key: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A completed enrolment with its session. `recovery` holds the recovery codes, shown once."""

    signed: SignedIn
    recovery: tuple[str, ...]


Passed: TypeAlias = SignedIn | Halfway


@logged("password")
def sign_in(
    ctx: AppContext, kind: Kind, login: str, password: str, client: str = "", device: str = "", browser: str = ""
) -> Passed:
    """Sign in an agent or auditor, fully or up to the next step.

    Raises Refused: too_many_tries (minutes), sign_in_wrong. The latter is the same for an unknown
    login, a wrong password and a closed account.
    """
    now, login = ctx.now(), login.strip()[:100]
    with ctx.store.unit(write=True) as unit:
        account = unit.account_of(kind, login)
        known = is_known(ctx, account.id if account else "", browser)
        sender = f"login~{browser_key(browser)}" if known else f"login@{client}"
        closed = too_many(unit, now, (sender, POSTS_PER_CLIENT))
    if closed:
        raise Refused(closed)
    kept, place = account.secret if account else "", block_of(client)
    right = is_secret(kept, password, known=known, place=place)  # slow on purpose: outside any unit
    tries = limits_of(f"login:{kind}:{login}", PASSWORDS_A_DAY, client=client, browser=browser if known else "")
    passed: Passed | None = None
    with ctx.store.unit(write=True) as unit:
        held = unit.account_held(account.id if account else "")
        still = held if held and account and right and _is_same(ctx, held, account.secret) else None
        closed = shut(unit, now, tries)
        if still is not None and (closed is None or _is_always_heard(still)):
            passed = _passed(ctx, unit, still, now, device)
        elif closed is None:
            count_wrong(unit, now, tries)
        elif kind == "auditor" or ctx.settings.second_factor:
            passed = _halfway(unit, still, now, "both", kind)
    if passed is None:  # raised outside the unit, so that the count is saved
        raise Refused(closed or refusal("sign_in_wrong"))
    return passed


def _is_same(ctx: AppContext, held: Account, secret: str) -> bool:
    """Return whether an open account still has the password that was checked outside this unit."""
    return held.is_open(ctx.day()) and held.secret == secret


def _is_always_heard(account: Account) -> bool:
    """Return whether the right password is accepted beyond every limit.

    A generated one has 79 bits and is never guessed. One of a demonstration is public.
    """
    return account.fresh or is_invented(account)


def _passed(ctx: AppContext, unit: Unit, account: Account, now: datetime, device: str) -> Passed:
    wants = _wanted(ctx, unit, account)
    if wants is None:
        return open_session(ctx, unit, account, now, device=device)
    return _halfway(unit, account, now, wants, account.kind)


def _halfway(unit: Unit, account: Account | None, now: datetime, wants: Want, kind: str) -> Halfway:
    """Store a ticket and return it.

    It refers to the account, or to none if the password was wrong and unchecked. Its holder cannot see
    which.
    """
    ticket = new_token()
    kept: Plain = {
        "account": account.id if account else "", "secret": token_digest(account.secret if account else ""),
        "until": instant_text(now + TICKET_LASTS), "both": kind if wants == "both" else "",
    }  # fmt: skip
    unit.keep_aside(_place(ticket), kept, now)
    return Halfway(ticket, wants)


def _wanted(ctx: AppContext, unit: Unit, account: Account) -> Want | None:
    if account.fresh:
        return "password"
    if second_factor.proven(unit, account.id) is not None:
        return "code"
    return "enrolment" if second_factor.is_wanted(ctx, account) else None


# -- with a ticket -----------------------------------------------------------------------------------------------------


def wanted_of(ctx: AppContext, kind: Kind, ticket: str) -> Want | None:
    """Return what the holder of a ticket must still give; None if the ticket is not valid for this kind."""
    with ctx.store.unit() as unit:
        if _unjudged(ctx, unit, kind, ticket):
            return "both"
        account = _holder(ctx, unit, kind, ticket)
        return _wanted(ctx, unit, account) if account is not None else None


@logged("own password at the first sign-in")
def choose_password(ctx: AppContext, kind: Kind, ticket: str, password: str, device: str = "") -> Passed:
    """Replace a password that another person chose.

    Raises Refused: ticket_over, password_short (least), password_plain.
    """
    with ctx.store.unit() as unit:
        account = _needed(ctx, unit, kind, ticket, "password")
    _check_password(ctx, account, password)
    secret = hash_secret(password)
    with ctx.store.unit(write=True) as unit:
        account = _needed(ctx, unit, kind, ticket, "password")
        unit.taken_aside(_place(ticket))
        account = replace(account, secret=secret, fresh=False)
        unit.put_account(account)
        return _passed(ctx, unit, account, ctx.now(), device)


def enrolment(ctx: AppContext, kind: Kind, ticket: str) -> Enrolment:
    """Return what the enrolment page shows. Raises Refused("ticket_over")."""
    with ctx.store.unit(write=True) as unit:
        account = _needed(ctx, unit, kind, ticket, "enrolment")
        key = second_factor.opened_key(ctx, _offered_key(ctx, unit, ticket))
    issuer = urlsplit(ctx.settings.base_url).hostname or "guichet"
    return Enrolment(second_factor.application_address(key, account.login, issuer), key)


def _offered_key(ctx: AppContext, unit: Unit, ticket: str) -> str:
    """Return the encrypted key of the enrolment of this ticket, the same when the page is shown again.

    Each ticket has its own: a person who knows only the password never sees the key that the owner enrols.
    """
    kept = _kept(ctx, unit, ticket) or {}
    sealed = str(kept.get("key") or second_factor.sealed_key(ctx))
    unit.keep_aside(_place(ticket), {**kept, "key": sealed}, ctx.now())
    return sealed


@logged("enrolment of a second factor")
def enrol(ctx: AppContext, kind: Kind, ticket: str, typed: str, *, device: str = "") -> Enrolled:
    """Complete an enrolment with a first code of the application.

    Raises Refused: ticket_over, factor_wrong.
    """
    now, done = ctx.now(), None
    with ctx.store.unit(write=True) as unit:
        account = _needed(ctx, unit, kind, ticket, "enrolment")
        codes = second_factor.prove(ctx, unit, account.id, _offered_key(ctx, unit, ticket), typed, now)
        if codes is not None:
            unit.taken_aside(_place(ticket))
            done = Enrolled(open_session(ctx, unit, account, now, device=device), codes)
    if done is None:
        raise Refused(refusal("factor_wrong"))
    return done


@logged("second factor")
def pass_factor(
    ctx: AppContext, kind: Kind, ticket: str, typed: str, *, client: str = "", device: str = "", browser: str = ""
) -> SignedIn:
    """Complete a sign-in by a code of the application or a recovery code.

    Raises Refused: ticket_over, factor_wrong, too_many_tries (minutes).
    """
    done = None
    with ctx.store.unit(write=True) as unit:
        account = _needed(ctx, unit, kind, ticket, "code")
        wrong = _why_not_code(ctx, unit, second_factor.proven(unit, account.id), typed, client, browser)
        if wrong is None:
            unit.taken_aside(_place(ticket))
            done = open_session(ctx, unit, account, ctx.now(), device=device)
    if done is None:
        raise Refused(wrong or refusal("factor_wrong"))
    return done


@logged("password and second factor")
def pass_both(
    ctx: AppContext, kind: Kind, ticket: str, typed: str, *, client: str = "", device: str = "", browser: str = ""
) -> SignedIn:
    """Check an unchecked password together with a code, once per ticket.

    It is not revealed which of the two is wrong. Raises Refused: ticket_over, sign_in_wrong.
    """
    done = None
    with ctx.store.unit(write=True) as unit:
        if not _unjudged(ctx, unit, kind, ticket):
            raise Refused(refusal("ticket_over"))
        account = _whose(ctx, unit, _kept(ctx, unit, ticket))
        unit.taken_aside(_place(ticket))
        factor = second_factor.proven(unit, account.id if account else "")
        judged = factor or second_factor.decoy(ctx, token_digest(ticket))
        wrong = _why_not_code(ctx, unit, judged, typed, client, browser)
        if wrong is None and account is not None:
            done = open_session(ctx, unit, account, ctx.now(), device=device)
    if done is None:
        raise Refused(refusal("sign_in_wrong", why="both"))
    return done


def _why_not_code(
    ctx: AppContext, unit: Unit, factor: SecondFactor | None, typed: str, client: str, browser: str, of: str = "factor"
) -> Refusal | None:  # fmt: skip
    """Consume a code of the application or a recovery code; return the refusal if it is not accepted.

    A recovery code has 118 bits: it is accepted whatever the number of tries.
    """
    if factor is None:
        return refusal("factor_wrong")
    now, known = ctx.now(), is_known(ctx, factor.account, browser)
    tries = limits_of(f"{of}:{factor.account}", CODES_A_DAY, client=client, browser=browser if known else "")
    closed = None if second_factor.is_recovery(typed) else shut(unit, now, tries)
    if closed is not None:
        return closed
    if second_factor.takes(ctx, unit, factor, typed, now):
        return None
    count_wrong(unit, now, tries)
    return refusal("factor_wrong")


def _place(ticket: str) -> str:
    return f"halfway/{token_digest(ticket)}"


def _kept(ctx: AppContext, unit: Unit, ticket: str) -> dict[str, Plain] | None:
    kept = unit.peeked_aside(_place(ticket)) if ticket else None
    return kept if isinstance(kept, dict) and str(kept.get("until")) > instant_text(ctx.now()) else None


def _unjudged(ctx: AppContext, unit: Unit, kind: Kind, ticket: str) -> bool:
    """Return whether this is a ticket of this kind whose password was not checked."""
    kept = _kept(ctx, unit, ticket)
    return kept is not None and kept.get("both") == kind


def _whose(ctx: AppContext, unit: Unit, kept: dict[str, Plain] | None) -> Account | None:
    """Return the open account of a ticket, if its password has not changed since; None otherwise."""
    account = unit.account_held(str(kept["account"])) if kept is not None else None
    if account is None or kept is None or not account.is_open(ctx.day()):
        return None
    return account if token_digest(account.secret) == kept.get("secret") else None


def _holder(ctx: AppContext, unit: Unit, kind: Kind, ticket: str) -> Account | None:
    kept = _kept(ctx, unit, ticket)
    account = _whose(ctx, unit, kept)
    judged = kept is not None and not kept.get("both")
    return account if judged and account is not None and account.kind == kind else None


def _needed(ctx: AppContext, unit: Unit, kind: Kind, ticket: str, want: Want) -> Account:
    account = _holder(ctx, unit, kind, ticket)
    if account is None or _wanted(ctx, unit, account) != want:
        raise Refused(refusal("ticket_over"))
    return account


# -- own password and factor -------------------------------------------------------------------------------------------


def factor_of(ctx: AppContext, actor: Actor) -> SecondFactor | None:
    """Return the second factor of this person, None without one."""
    with ctx.store.unit() as unit:
        return second_factor.proven(unit, actor.id)


def uses_keys(ctx: AppContext, actor: Actor) -> bool:
    """Return whether one letter acts on the pages of this agent, as it does unless they switched it off."""
    with ctx.store.unit() as unit:
        account = unit.account(actor.id)
    return account is not None and account.profile.get(_KEYS) is not False


def choose_keys(ctx: AppContext, actor: Actor, on: bool) -> None:
    """Save whether one letter acts on the pages of this agent."""
    with ctx.store.unit(write=True) as unit:
        account = unit.account_held(actor.id)
        if account is not None:
            unit.put_account(replace(account, profile={**account.profile, _KEYS: on}))


@logged("change of password")
def change_password(
    ctx: AppContext, actor: Actor, before: str, password: str, client: str = "", browser: str = ""
) -> None:
    """Replace the person's own password and end every session.

    Raises Refused: sign_in_wrong, password_short, password_plain, too_many_tries.
    """
    with ctx.store.unit() as unit:
        account = unit.account(actor.id)
    right = is_secret(account.secret if account else "", before)
    known = is_known(ctx, actor.id, browser)
    tries = limits_of(f"password:{actor.id}", PASSWORDS_A_DAY, client=client, browser=browser if known else "")
    with ctx.store.unit(write=True) as unit:
        unit.account_held(actor.id)
        closed = shut(unit, ctx.now(), tries)
        if closed is None and not right:
            count_wrong(unit, ctx.now(), tries)
    if closed is not None or account is None or not right:
        raise Refused(closed or refusal("sign_in_wrong", why="password"))
    _check_password(ctx, account, password)
    secret = hash_secret(password)
    with ctx.store.unit(write=True) as unit:
        held = unit.account_held(actor.id)
        if held is None or not _is_same(ctx, held, account.secret):
            raise Refused(refusal("sign_in_wrong", why="password"))
        unit.put_account(replace(held, secret=secret, fresh=False))
        unit.drop_sessions(actor.id)


@logged("new recovery codes")
def renew_recovery(
    ctx: AppContext, actor: Actor, typed: str, client: str = "", browser: str = ""
) -> tuple[str, ...]:  # fmt: skip
    """Return new recovery codes for a person who types a code of their application.

    Raises Refused: factor_wrong, too_many_tries.
    """
    codes = None
    with ctx.store.unit(write=True) as unit:
        factor = second_factor.proven(unit, actor.id)
        wrong = _why_not_code(ctx, unit, factor, typed, client, browser, "renew")
        if wrong is None and factor is not None:
            codes = second_factor.renewed_recovery(ctx, unit, unit.second_factor(actor.id) or factor)
    if codes is None:
        raise Refused(wrong or refusal("factor_wrong"))
    return codes


def _check_password(ctx: AppContext, account: Account, password: str) -> None:
    closed = refusal_for_password(account, password, ctx.settings.base_url)
    if closed:
        raise Refused(closed)
