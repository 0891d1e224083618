"""Sign-in with an identity provider.

Data it confirms fills the profile and cannot be changed by the applicant. Only a signed-in person joins
an account to a provider; a similar number never does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain
from engine.integrations.gateways import IdentityProvider, NotProven, SignInStart, VerifiedIdentity
from engine.integrations.payment_provider import ProviderDown
from engine.records.dossier import Account, Actor
from engine.records.people import Identifier
from engine.services.context.app_context import AppContext, NotFound
from engine.services.context.contact_parsing import read_email, read_phone
from engine.services.context.rate_limit import too_many
from engine.services.limits.code_limits import UNKNOWN_ASKER, Asker, limits_of
from engine.services.sign_in.applicant_sign_in import applicant_known_by, once_more
from engine.services.sign_in.security_log import logged
from engine.services.sign_in.sessions import FRESH, SignedIn, open_session
from engine.storage.gate import WAIT_LIMIT, Crowded, ThreadLimit
from engine.storage.results import AlreadyExists
from engine.storage.unit_of_work import Unit

ASSURANCE: Final = "assurance"  # in the profile: the level, and the names of the fields that the provider confirmed
ASKED_AT_ONCE: Final = 4  # threads that may wait for the provider: half of those that serve requests, by default
_threads: Final = ThreadLimit(ASKED_AT_ONCE)


def begin(ctx: AppContext, back: str, anew: bool = False) -> SignInStart:
    """Return where to send the browser, `anew` to prove there again who they are.

    Raises `NotFound` without a provider, Refused("identity_down").
    """
    provider = _provider(ctx)
    with _asking():
        return provider.begin(back, anew)


@logged("identity provider")
def finish(
    ctx: AppContext, back: str, code: str, nonce: str, verifier: str, *, anew: bool = False, joining: Actor | None = None,
    device: str = "", asker: Asker = UNKNOWN_ASKER,
) -> SignedIn | None:  # fmt: skip
    """Sign in the person that the provider confirms, known or new. `anew`: they were to prove it again now.

    The session is as old as the proof, so that a provider that knew the browser proves nothing anew. With `joining`,
    join that actor's account to the provider instead and return None. Raises `NotFound`. Raises Refused:
    too_many_tries, identity_down, identity_unproven, identity_old, address_taken (joined to another account).
    """
    provider = _provider(ctx)
    with ctx.store.unit(write=True) as unit:
        closed = too_many(unit, ctx.now(), *limits_of(asker, "identity"))
    if closed is not None:
        raise Refused(closed)
    try:
        with _asking():
            identity = provider.finish(back, code, nonce, verifier)
    except NotProven:
        raise Refused(refusal("identity_unproven")) from None
    now = ctx.now()
    proven_at = identity.proven_at or now - FRESH
    if anew and now - proven_at >= FRESH:
        raise Refused(refusal("identity_old"))
    return _signed_in(ctx, identity, joining, device, proven_at)


@once_more
def _signed_in(
    ctx: AppContext, identity: VerifiedIdentity, joining: Actor | None, device: str, proven_at: datetime
) -> SignedIn | None:
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        account = _joined(unit, identity, joining, ctx) if joining else None
        if account is None:
            new = unit.identifier("provider", identity.subject) is None
            account = applicant_known_by(unit, "provider", identity.subject, now)
            account = unit.account_held(account.id) or account  # as another tab has left it
            account = _reached(ctx, unit, account, identity) if new else account
        account = _with_profile(account, identity)
        unit.put_account(account)
        if joining is not None:
            return None
        return open_session(ctx, unit, account, now, device=device, proven_at=proven_at)


@contextmanager
def _asking() -> Iterator[None]:
    """Ask the provider as one of `ASKED_AT_ONCE` threads, so that a silent one keeps no other page waiting.

    Raises Refused("identity_down").
    """
    try:
        with _threads.place(WAIT_LIMIT):
            yield
    except (ProviderDown, Crowded):
        raise Refused(refusal("identity_down")) from None


def _provider(ctx: AppContext) -> IdentityProvider:
    if ctx.identity is None:
        raise NotFound
    return ctx.identity


def _joined(unit: Unit, identity: VerifiedIdentity, actor: Actor, ctx: AppContext) -> Account:
    account, known = unit.account_held(actor.id), unit.identifier("provider", identity.subject)
    if account is None or account.kind != "applicant" or account.disabled:
        raise NotFound
    if known is None:
        unit.add_identifier(Identifier("provider", identity.subject, account.id, ctx.now()))
    elif known.account != account.id:
        raise Refused(refusal("address_taken"))
    return account


def _reached(ctx: AppContext, unit: Unit, account: Account, identity: VerifiedIdentity) -> Account:
    """Return the account with the phone and address that the provider verified.

    Those of another account are left out.
    """
    with suppress(Refused):
        phone = read_phone(identity.phone)
        if unit.account_of("applicant", phone) is None:
            account = replace(account, login=phone)
    with suppress(Refused, AlreadyExists):
        unit.add_identifier(Identifier("email", read_email(identity.email), account.id, ctx.now()))
    return account


def _with_profile(account: Account, identity: VerifiedIdentity) -> Account:
    """Return the account with its profile replaced by the data of the provider, marked as confirmed."""
    said: dict[str, Plain] = {
        name: text for name, text in identity.profile.items() if name != "birth_date" or _is_day(text)
    }
    if not said:
        return account
    names: list[Plain] = [*sorted(said)]
    assurance: Plain = {"level": identity.level, "names": names}
    profile = {**account.profile, **said, ASSURANCE: assurance}
    name = " ".join(str(profile[part]) for part in ("family_name", "given_names") if part in profile)
    return replace(account, profile=profile, name=name or account.name)


def _is_day(text: str) -> bool:
    """Return whether a text is YYYY-MM-DD, the form of OpenID Connect that pages show as a day."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def vouched(profile: Mapping[str, Plain]) -> tuple[frozenset[str], str]:
    """Return the field names of a profile that a provider confirmed, and its level of assurance."""
    kept = profile.get(ASSURANCE)
    names = kept.get("names") if isinstance(kept, Mapping) else None
    level = str(kept.get("level", "")) if isinstance(kept, Mapping) else ""
    return frozenset(str(one) for one in names) if isinstance(names, list) else frozenset(), level
