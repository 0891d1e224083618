"""Drafts begun with an unverified phone number, and their adoption after sign-in.

Only one browser knows them. Such a person has an account without sign-in. It reaches nothing of the
true owner of the number, and no other person reaches its drafts. A number is trusted once its code is
typed.
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
from engine.services.limits.code_limits import UNKNOWN_ASKER, Asker, limits_of
from engine.services.sign_in.sessions import SignedIn, is_alive, open_session
from engine.storage.results import AlreadyExists, Busy
from engine.storage.unit_of_work import Unit

MOST_LINES: Final = 500
CLOSED_AT_ONCE: Final = 500
MOST_BATCHES: Final = 40  # of these in one sweep: one address may begin 40,000 accounts a day
_PHONE: Final = "claimed"  # in the profile: the number that was given

Choice: TypeAlias = Literal["this", "other"]  # store the draft of this browser, or erase it


@dataclass(frozen=True, slots=True)
class UnverifiedDraft:
    """A draft of this browser that the signed-in person must decide about.

    It was begun with another number, or they already have a draft of the procedure (`rival`).
    """

    draft: Dossier
    phone: str
    rival: Dossier | None = None


# -- without a code ----------------------------------------------------------------------------------------------------


def go_on_unproven(ctx: AppContext, phone_raw: str, *, asker: Asker = UNKNOWN_ASKER, device: str = "") -> SignedIn:
    """Open a session without a code, for a known number or not.

    Raises Refused: phone_format, too_many_tries.
    """
    phone, account_id = read_phone(phone_raw), new_id()
    account = Account(account_id, "applicant", "", f"{CLAIMED}{account_id}", profile={_PHONE: phone})
    signed: SignedIn | None = None
    with ctx.store.unit(write=True) as unit:
        closed = too_many(unit, ctx.now(), *limits_of(asker, "claim"))
        if closed is None:
            unit.put_account(account)
            signed = open_session(ctx, unit, account, ctx.now(), keep=True, device=device)
    if signed is None:  # raised outside the unit, so that the count of tries is saved
        raise Refused(closed or refusal("too_many_tries"))
    return signed


def claimed_phone(ctx: AppContext, actor: Actor) -> str:
    """Return the number that an unverified person gave; empty for others."""
    with ctx.store.unit() as unit:
        account = unit.account(actor.id) if actor.unproven else None
    return _phone(account) if account else ""


def claim_other(ctx: AppContext, actor: Actor, phone_raw: str) -> None:
    """Replace the unverified number by a corrected one. Raises Refused("phone_format")."""
    phone = read_phone(phone_raw)
    with ctx.store.unit(write=True) as unit:
        account = unit.account_held(actor.id)
        if account is not None and account.is_claimed:
            unit.put_account(replace(account, profile={_PHONE: phone}))


def holds(ctx: AppContext, actor: Actor, number: str) -> bool:
    """Return whether this person owns the dossier with this number."""
    with ctx.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    return dossier is not None and dossier.owner == actor.id


# -- after sign-in -----------------------------------------------------------------------------------------------------


def waiting(ctx: AppContext, actor: Actor, token: str) -> tuple[UnverifiedDraft, ...]:
    """Return the drafts of the browser with this token that the signed-in person must decide about."""
    with ctx.store.unit() as unit:
        source, owner = _claim_of(ctx, unit, token), unit.account(actor.id)
        return tuple(_drafts(unit, source, owner)) if source and owner and _may_own(actor) else ()


def adopt(
    ctx: AppContext, actor: Actor, token: str, chosen: Mapping[str, Choice] | None = None
) -> tuple[UnverifiedDraft, ...]:  # fmt: skip
    """Give the signed-in person the drafts of this browser under their verified number, and apply `chosen`
    (by number). Return the drafts still to decide about. All in one unit. Raises `Busy`.
    """
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
    """Apply the choice about a draft. Return whether it was decided: adopted or erased."""
    if choice is None and (one.rival is not None or one.phone != owner.login):
        return False
    if choice == "other":
        forget_draft(ctx, unit, one.draft, actor)
        return True
    if one.rival is not None:
        forget_draft(ctx, unit, one.rival, actor)
    email = next((identifier.value for identifier in unit.identifiers_of(owner.id) if identifier.kind == "email"), None)
    phone = owner.login if owner.login.startswith("+") else None
    after = replace(one.draft, owner=owner.id, contact_phone=phone, contact_email=email)
    body: dict[str, Plain] = {"revision": one.draft.revision + 1}
    contact: dict[str, Plain] = {"contact": phone or email} if phone or email else {}
    keep(ctx, unit, one.draft, after, [EntryDraft("adopted", body, contact)], actor)
    unit.prove_files(one.draft.id)
    return True


# -- erasure -----------------------------------------------------------------------------------------------------------


def forsake(ctx: AppContext, token: str) -> None:
    """Erase the drafts of this browser and the number given."""
    with ctx.store.unit(write=True) as unit:
        source = _claim_of(ctx, unit, token)
        if source is not None:
            _forget(ctx, unit, source, source.actor())


def close_forsaken(ctx: AppContext) -> int:
    """Close the accounts of browsers whose session has ended, and erase their drafts. Return how many."""
    closed = 0
    for _ in range(MOST_BATCHES):
        with ctx.store.unit() as unit:
            left = unit.accounts_left(CLAIMED, ctx.now(), CLOSED_AT_ONCE)
        for one in left:
            with ctx.store.unit(write=True) as unit:
                account = unit.account_held(one.id)
                if account is not None and account.is_claimed:
                    _forget(ctx, unit, account, SYSTEM_ACTOR)
        closed += len(left)
        if len(left) < CLOSED_AT_ONCE:
            break
    return closed


def _forget(ctx: AppContext, unit: Unit, source: Account, actor: Actor) -> None:
    for draft in _open_drafts(unit, source):
        forget_draft(ctx, unit, draft, actor)
    _close(unit, source)


def _close(unit: Unit, source: Account) -> None:
    unit.put_account(Account(source.id, "applicant", "", f"left:{source.id}", disabled=True))
    unit.drop_sessions(source.id)


# -- reading -----------------------------------------------------------------------------------------------------------


def _claim_of(ctx: AppContext, unit: Unit, token: str) -> Account | None:
    """Return the unverified account of this browser while its session is alive; None otherwise."""
    session = unit.session(token_digest(token)) if token else None
    account = unit.account_held(session.account) if session else None
    if session is None or account is None or not account.is_claimed:
        return None
    return account if is_alive(ctx, session, account, ctx.now()) else None


def _drafts(unit: Unit, source: Account, owner: Account) -> Iterator[UnverifiedDraft]:
    for draft in _open_drafts(unit, source):
        yield UnverifiedDraft(draft, _phone(source), unit.draft_of(owner.id, draft.procedure))


def _open_drafts(unit: Unit, source: Account) -> list[Dossier]:
    """Return the open drafts, read again once locked: another unit may have closed or adopted them.

    A locked account begins no new one.
    """
    lines = [line for line in unit.dossiers_of(source.id, MOST_LINES) if line.submitted_at is None and not line.closed]
    held = filter(None, (unit.dossier(line.id) for line in lines))
    return [one for one in held if one.is_open_draft and one.owner == source.id]


def _phone(account: Account) -> str:
    return str(account.profile.get(_PHONE, ""))
