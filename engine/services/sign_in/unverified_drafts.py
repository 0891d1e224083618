"""Requests begun before a code has come: a number that was given and not proven, drafts that one browser alone knows, and how
they become their owner's once somebody signs in there.

Such a person has an account that no number is the way into: whatever belongs to the true owner of the number stays out of reach,
and nobody else reaches their drafts. A number is believed when its code is typed, never before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from engine.core.problems import Refused, refusal
from engine.core.values import Plain, new_id
from engine.domain.common.decision import EntryDraft
from engine.records.dossier import CLAIMED, SYSTEM_ACTOR, Account, Actor, Dossier
from engine.services.context.app_context import AppContext
from engine.services.context.contact_parsing import read_phone
from engine.services.context.rate_limit import too_many
from engine.services.core.commit import forget_draft, keep
from engine.services.keys.secrets import token_digest
from engine.services.limits.askers import UNKNOWN_ASKER, Asker, limits_of
from engine.services.sign_in.sessions import SignedIn, is_alive, open_session
from engine.storage.unit_of_work import AlreadyExists, Busy, Unit

MOST_LINES: Final = 500
CLOSED_AT_ONCE: Final = 500  # by one sweep
_PHONE: Final = "claimed"  # in the profile: the number that was given

Choice: TypeAlias = Literal["this", "other"]  # keep the draft of this browser, or forget it


@dataclass(frozen=True, slots=True)
class UnverifiedDraft:
    """A draft of this browser that somebody who signed in there must choose about: it was begun with another number, or they
    have a draft of that procedure already (`rival`)."""

    draft: Dossier
    phone: str
    rival: Dossier | None = None


# -- before the code ---------------------------------------------------------------------------------------------------


def go_on_unproven(ctx: AppContext, phone_raw: str, *, asker: Asker = UNKNOWN_ASKER, device: str = "") -> SignedIn:
    """Lets somebody begin who has received no code, known number or not. Raises Refused: phone_format, too_many_tries."""
    phone, account_id = read_phone(phone_raw), new_id()
    account = Account(account_id, "applicant", "", f"{CLAIMED}{account_id}", profile={_PHONE: phone})
    signed: SignedIn | None = None
    with ctx.store.unit(write=True) as unit:
        closed = too_many(unit, ctx.now(), *limits_of(asker, "claim"))
        if closed is None:
            unit.put_account(account)
            signed = open_session(ctx, unit, account, ctx.now(), keep=True, device=device)
    if signed is None:  # the count of tries is kept: nothing was raised inside the unit
        raise Refused(closed or refusal("too_many_tries"))
    return signed


def claimed_phone(ctx: AppContext, actor: Actor) -> str:
    """The number that somebody gave and has not proven; empty for anybody else."""
    with ctx.store.unit() as unit:
        account = unit.account(actor.id) if actor.unproven else None
    return _phone(account) if account else ""


def claim_other(ctx: AppContext, actor: Actor, phone_raw: str) -> None:
    """The number was typed wrong: this is the one. Raises Refused("phone_format")."""
    phone = read_phone(phone_raw)
    with ctx.store.unit(write=True) as unit:
        account = unit.account_held(actor.id)
        if account is not None and account.is_claimed:
            unit.put_account(replace(account, profile={_PHONE: phone}))


def holds(ctx: AppContext, actor: Actor, number: str) -> bool:
    """Whether this dossier is one that they began here."""
    with ctx.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    return dossier is not None and dossier.owner == actor.id


# -- once somebody has signed in ---------------------------------------------------------------------------------------


def waiting(ctx: AppContext, actor: Actor, token: str) -> tuple[UnverifiedDraft, ...]:
    """The drafts of the browser that holds this token, about which whoever signed in there must choose."""
    with ctx.store.unit() as unit:
        source, owner = _claim_of(ctx, unit, token), unit.account(actor.id)
        return tuple(_drafts(unit, source, owner)) if source and owner and _may_own(actor) else ()


def adopt(
    ctx: AppContext, actor: Actor, token: str, chosen: Mapping[str, Choice] | None = None
) -> tuple[UnverifiedDraft, ...]:  # fmt: skip
    """Gives whoever signed in the drafts begun in this browser under the number they proved, and those of `chosen` (by
    number). What is left is still to be chosen about: nothing of it is lost. All in one unit."""
    try:
        with ctx.store.unit(write=True) as unit:
            source, owner = _claim_of(ctx, unit, token), unit.account_held(actor.id)
            if source is None or owner is None or owner.disabled or not _may_own(actor):
                return ()
            left = tuple(
                one for one in _drafts(unit, source, owner)
                if not _settle(ctx, unit, one, owner, actor, (chosen or {}).get(one.draft.number))
            )  # fmt: skip
            if not left:
                _close(unit, source)
            return left
    except AlreadyExists as twin:
        raise Busy("draft") from twin


def _may_own(actor: Actor) -> bool:
    return actor.kind == "applicant" and not actor.unproven and not actor.principal


def _settle(
    ctx: AppContext, unit: Unit, one: UnverifiedDraft, owner: Account, actor: Actor, choice: Choice | None
) -> bool:  # fmt: skip
    """Whether a draft found its place: its owner's, or none."""
    if choice is None and (one.rival is not None or one.phone != owner.login):
        return False
    if choice == "other":
        forget_draft(ctx, unit, one.draft, actor)
        return True
    if one.rival is not None:
        forget_draft(ctx, unit, one.rival, actor)
    email = next((way.value for way in unit.identifiers_of(owner.id) if way.kind == "email"), None)
    phone = owner.login if owner.login.startswith("+") else None
    after = replace(one.draft, owner=owner.id, contact_phone=phone, contact_email=email)
    body: dict[str, Plain] = {"revision": one.draft.revision + 1}
    contact: dict[str, Plain] = {"contact": phone or email} if phone or email else {}
    keep(ctx, unit, one.draft, after, [EntryDraft("adopted", body, contact)], actor)
    unit.prove_files(one.draft.id)
    return True


# -- leaving -----------------------------------------------------------------------------------------------------------


def forsake(ctx: AppContext, token: str) -> None:
    """Forgets what was begun in this browser: its drafts, the number given."""
    with ctx.store.unit(write=True) as unit:
        source = _claim_of(ctx, unit, token)
        if source is not None:
            _forget(ctx, unit, source, source.actor())


def close_forsaken(ctx: AppContext) -> int:
    """Closes the accounts of browsers that can come back no more, and forgets their drafts. How many."""
    with ctx.store.unit() as unit:
        left = unit.accounts_left(CLAIMED, ctx.now(), CLOSED_AT_ONCE)
    for one in left:
        with ctx.store.unit(write=True) as unit:
            account = unit.account_held(one.id)
            if account is not None and account.is_claimed:
                _forget(ctx, unit, account, SYSTEM_ACTOR)
    return len(left)


def _forget(ctx: AppContext, unit: Unit, source: Account, actor: Actor) -> None:
    for draft in _open_drafts(unit, source):
        forget_draft(ctx, unit, draft, actor)
    _close(unit, source)


def _close(unit: Unit, source: Account) -> None:
    unit.put_account(Account(source.id, "applicant", "", f"left:{source.id}", disabled=True))
    unit.drop_sessions(source.id)


# -- finding -----------------------------------------------------------------------------------------------------------


def _claim_of(ctx: AppContext, unit: Unit, token: str) -> Account | None:
    """Whose browser this is, while it may still come back."""
    session = unit.session(token_digest(token)) if token else None
    account = unit.account_held(session.account) if session else None
    if session is None or account is None or not account.is_claimed:
        return None
    return account if is_alive(ctx, session, account, ctx.now()) else None


def _drafts(unit: Unit, source: Account, owner: Account) -> Iterator[UnverifiedDraft]:
    for draft in _open_drafts(unit, source):
        yield UnverifiedDraft(draft, _phone(source), unit.draft_of(owner.id, draft.procedure))


def _open_drafts(unit: Unit, source: Account) -> list[Dossier]:
    """Each looked at again once it is held: another tab may have given it up, another unit handed it over. None is begun meanwhile
    by an account that is held."""
    lines = [line for line in unit.dossiers_of(source.id, MOST_LINES) if line.submitted_at is None and not line.closed]
    held = filter(None, (unit.dossier(line.id) for line in lines))
    return [one for one in held if one.is_open_draft and one.owner == source.id]


def _phone(account: Account) -> str:
    return str(account.profile.get(_PHONE, ""))
