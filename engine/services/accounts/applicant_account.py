"""The own account of an applicant: identifiers, profile, notification preferences and erasure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import is_active
from engine.domain.common.names import person_name
from engine.domain.messages.preferences import WISHES, NotificationPreferences, wishes_of
from engine.records.dossier import Account, Actor
from engine.records.people import WITHOUT_PHONE, Identifier
from engine.services.accounts.contact_change import (
    change_phone,
    drop_address,
    forget_contact,
    is_bare,
    leave,
    notify,
    release_contact,
    write_to,
)
from engine.services.applications.draft_answers import count_change
from engine.services.context.app_context import AppContext, NotFound
from engine.services.context.contact_parsing import read_email, read_phone
from engine.services.core.commit import forget_draft
from engine.services.limits.code_limits import UNKNOWN_ASKER, Asker
from engine.services.payments.settlement import may_still_come
from engine.services.sign_in.applicant_sign_in import (
    CodeSent,
    free_login,
    read_code,
    send_code,
    send_email_code,
    taken_code,
)
from engine.services.sign_in.identity_provider import ASSURANCE, vouched
from engine.storage.results import AlreadyExists
from engine.storage.unit_of_work import Unit

NAMES: Final = ("family_name", "given_names")
WORDS: Final = (*NAMES, "birth_place", "residence")  # text fields of the profile, besides sex and birth date
SEXES: Final = ("f", "m")
LONGEST: Final = 120
MOST_DOSSIERS: Final = 500


@dataclass(frozen=True, slots=True)
class Own:
    """The identifiers of an account and the notification preferences of its owner."""

    account: Account
    phone: str
    emails: tuple[str, ...]
    providers: tuple[str, ...]
    wishes: NotificationPreferences


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """The result of an erasure: drafts erased, and dossiers stored as long as the law requires."""

    drafts: int
    kept: int


def own(ctx: AppContext, actor: Actor) -> Own:
    """Return the own account of an applicant. Raises `NotFound` for others and for unverified persons."""
    with ctx.store.unit() as unit:
        account = _account(unit, actor)
        identifiers = unit.identifiers_of(account.id)
    return Own(
        account, account.login if account.login.startswith("+") else "",
        tuple(one.value for one in identifiers if one.kind == "email"), tuple(one.value for one in identifiers if one.kind == "provider"),
        wishes_of(account),
    )  # fmt: skip


def _account(unit: Unit, actor: Actor) -> Account:
    """Return the account, locked for a change: what another tab saves meanwhile is not overwritten."""
    account = unit.account_held(actor.id) if actor.kind == "applicant" and not actor.unproven else None
    if account is None or account.disabled:  # erased or left by an act that this one waited for
        raise NotFound
    return account


# -- identifiers -------------------------------------------------------------------------------------------------------


def send_proof(
    ctx: AppContext, kind: str, raw: str, *, asker: Asker = UNKNOWN_ASKER, language: str = "fr", mark: str = ""
) -> CodeSent:  # fmt: skip
    """Send a code to a new number or address. Raises as `send_code`."""
    return (send_code if kind == "phone" else send_email_code)(ctx, raw, asker=asker, language=language, mark=mark)


def add_identifier(ctx: AppContext, actor: Actor, kind: str, raw: str, code: str, *, mark: str = "") -> None:
    """Replace the phone number or add the e-mail address whose code was typed.

    Running dossiers use it from now on. The old number or address is notified, and the number of an added
    address. Raises as `check_code`. Raises
    Refused: address_taken; move_waits while a change asked for at a counter waits.
    """
    value, digits = (read_phone if kind == "phone" else read_email)(raw), read_code(code)
    try:
        with ctx.store.unit(write=True) as unit:
            account = _account(unit, actor)
            closed = taken_code(ctx, unit, value, digits, mark)
            if closed is None and kind == "phone" and unit.phone_move(account.id) is not None:
                closed = refusal("move_waits")
            if closed is None and kind == "phone":
                change_phone(ctx, unit, account, value, actor)
            elif closed is None:
                _add_email(ctx, unit, account, value, actor)
    except AlreadyExists:
        raise Refused(refusal("address_taken")) from None
    if closed is not None:
        raise Refused(closed)


def _add_email(ctx: AppContext, unit: Unit, account: Account, email: str, actor: Actor) -> None:
    known = unit.identifier("email", email)
    if known is not None and known.account == account.id:
        return
    if known is not None:
        unit.account_held(known.account)  # locked: it can begin nothing from here on
    if known is not None and not is_bare(unit, known.account, email):
        raise AlreadyExists(email)
    if known is not None:
        unit.drop_identifier("email", email)
        leave(ctx, unit, known.account, account.id)
    former = {one.value for one in unit.identifiers_of(account.id) if one.kind == "email"}
    for address in former:
        drop_address(ctx, unit, account, actor, address, instead=email)
    if account.login in former:
        unit.put_account(replace(account, login=free_login(unit, "email", email, account.id)))
    unit.add_identifier(Identifier("email", email, account.id, ctx.now()))
    write_to(ctx, unit, account, actor, email=email)
    if account.login.startswith("+"):  # a thief of the phone could add an address unseen
        notify(ctx, unit, account, "email_added", account.login, ctx.now())


def notify_of_identity(ctx: AppContext, actor: Actor) -> None:
    """Notify the number and the addresses of an account that an identity of a provider signs in to it now.

    A thief of the phone could join their own unseen.
    """
    with ctx.store.unit(write=True) as unit:
        account = _account(unit, actor)
        phone = (account.login,) if account.login.startswith("+") else ()
        for to in (*phone, *(one.value for one in unit.identifiers_of(account.id) if one.kind == "email")):
            notify(ctx, unit, account, "identity_added", to, ctx.now())


def drop_email(ctx: AppContext, actor: Actor, email: str) -> None:
    """Remove an e-mail address unless it is the only identifier; dossiers do not write to it any more.

    Raises `NotFound`, Refused("only_way").
    """
    with ctx.store.unit(write=True) as unit:
        account = _account(unit, actor)
        known = unit.identifier("email", email)
        if known is None or known.account != account.id:
            raise NotFound
        if not account.login.startswith("+"):
            raise Refused(refusal("only_way"))
        drop_address(ctx, unit, account, actor, email)


# -- profile and preferences -------------------------------------------------------------------------------------------


def save_profile(ctx: AppContext, actor: Actor, given: Mapping[str, str]) -> None:
    """Save the data that new requests begin with. Raises Refused: birth_date_wrong, name_signs, name_long,
    too_many_tries."""
    profile: dict[str, Plain] = {}
    for name in WORDS:
        if said := " ".join(given.get(name, "").split())[:LONGEST]:
            profile[name] = said
    if given.get("sex") in SEXES:
        profile["sex"] = given["sex"]
    if born := given.get("birth_date", "").strip():
        profile["birth_date"] = _birth(born, ctx.day())
    with ctx.store.unit(write=True) as unit:
        account = _account(unit, actor)
        fixed, _ = vouched(account.profile)
        profile |= {name: person_name(given[name]) for name in NAMES if name in profile and name not in fixed}
        kept = {name: value for name, value in account.profile.items() if name in {WISHES, ASSURANCE, *fixed}}
        profile |= kept  # data of an identity provider is not changed here
        name = " ".join(str(profile[part]) for part in NAMES if part in profile)
        _keep(ctx, unit, actor, account, replace(account, profile=profile, name=name))


def _birth(text: str, today: date) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused(refusal("birth_date_wrong")) from None
    if not date(1900, 1, 1) <= day <= today:
        raise Refused(refusal("birth_date_wrong"))
    return day.isoformat()


def save_wishes(ctx: AppContext, actor: Actor, wishes: NotificationPreferences) -> None:
    """Save the notification preferences of an applicant. Raises `NotFound`."""
    kept: Plain = {"language": wishes.language, "email": wishes.email, "reminders": wishes.reminders}
    with ctx.store.unit(write=True) as unit:
        account = _account(unit, actor)
        _keep(ctx, unit, actor, account, replace(account, profile={**account.profile, WISHES: kept}))


def _keep(ctx: AppContext, unit: Unit, actor: Actor, before: Account, after: Account) -> None:
    """Store a changed account. Without a change, nothing is journalled. Raises Refused("too_many_tries")."""
    if after != before:
        count_change(ctx, unit, actor)
        unit.put_account(after)


# -- erasure -----------------------------------------------------------------------------------------------------------


def erase_own(ctx: AppContext, actor: Actor) -> ErasureResult:
    """Erase an account, and those of the persons whom no one reaches any more: profile, identifiers, sessions, drafts.

    Submitted dossiers stay as long as the law requires, with an owner who cannot sign in. The dossiers of a child whom
    no other account represents count as their own. A person without a phone who has a receipt keeps their account. Raises Refused("erase_running", count) while a request runs;
    erase_paying while money may still come; move_waits while a change asked for at a counter waits.
    """
    with ctx.store.unit(write=True) as unit:
        account = _account(unit, actor)
        if unit.phone_move(account.id) is not None:  # a thief of the phone would end it without a message
            raise Refused(refusal("move_waits"))
        lines = unit.dossiers_of(account.id, MOST_DOSSIERS, open_first=True)
        alone = tuple(dict.fromkeys((*_children_alone(ctx, unit, account), *_named_alone(ctx, unit, account))))
        every = (*lines, *(line for one in alone for line in unit.dossiers_of(one, MOST_DOSSIERS, open_first=True)))
        held = [one for line in every if not line.closed and (one := unit.dossier(line.id)) is not None]
        running = [one for one in held if not one.is_draft and one.closed_at is None]  # as they are once locked
        if running:
            raise Refused(refusal("erase_running", count=len(running)))
        if any(may_still_come(unit, line.id, ctx.now()) for line in every):  # its payer could no longer be reached
            raise Refused(refusal("erase_paying"))
        drafts = [one for one in held if one.is_open_draft]
        for draft in drafts:
            forget_draft(ctx, unit, draft, actor)
        theirs = (*unit.mandates_held(account.id), *unit.mandates_given(account.id))
        for mandate in filter(None, map(unit.mandate, dict.fromkeys(one.id for one in theirs))):
            over = mandate.status in ("ended", "refused")
            ended = mandate if over else replace(mandate, status="ended", changed_at=ctx.now())
            declared = ended.declared if ended.kind == "company" else ""  # for a person it is the applicant's own name
            unit.put_mandate(replace(ended, invited="", declared=declared))
        for mandate in unit.mandates_held(account.id):
            release_contact(ctx, unit, mandate, actor, always=True)
        forget_contact(ctx, unit, account, actor)
        for identifier in unit.identifiers_of(account.id):
            unit.drop_identifier(identifier.kind, identifier.value)
        unit.drop_sessions(account.id)
        for gone in (account.id, *(one for one in alone if not _represented(ctx, unit, one))):
            unit.put_account(Account(gone, "applicant", "", f"erased:{gone}", disabled=True))
        sent = {line.id for line in lines if line.submitted_at is not None}
        sent |= {one.id for one in held if not one.is_draft and one.owner == account.id}
    return ErasureResult(len(drafts), len(sent))


def _represented(ctx: AppContext, unit: Unit, account_id: str) -> bool:
    """Return whether another person still acts for this account, if only for one dossier."""
    return any(is_active(one, ctx.day()) for one in unit.mandates_given(account_id))


def _named_alone(ctx: AppContext, unit: Unit, account: Account) -> Iterator[str]:
    """Yield the accounts of persons without a phone that only a proxy of this account made, and that sent no request."""
    for person in dict.fromkeys(one.principal for one in unit.mandates_held(account.id)):
        principal = unit.account_held(person)
        if principal is None or not principal.login.startswith(WITHOUT_PHONE):
            continue
        others = (one for one in unit.mandates_given(person) if one.holder != account.id and is_active(one, ctx.day()))
        sent = any(line.submitted_at is not None for line in unit.dossiers_of(person, MOST_DOSSIERS))
        if not sent and not any(others):
            yield person


def _children_alone(ctx: AppContext, unit: Unit, account: Account) -> Iterator[str]:
    """Yield the accounts of the children whom this account alone represents."""
    day = ctx.day()
    held = (one for one in unit.mandates_held(account.id) if one.kind == "child" and is_active(one, day))
    for child in dict.fromkeys(one.principal for one in held):
        given = (one for one in unit.mandates_given(child) if is_active(one, day) and one.role != "reader")
        if not any(one.holder not in ("", account.id) and not one.dossiers and not one.procedures for one in given):
            yield child
