"""Change of a phone number or e-mail address.

It applies to sign-in, contact of dossiers and mandates, wherever it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

from engine.core.gsm7 import to_gsm
from engine.core.values import Plain, new_id
from engine.domain.common.access import is_active
from engine.domain.common.decision import EntryDraft
from engine.domain.messages.preferences import wishes_of
from engine.records.dossier import Account, Actor, Dossier, OutboundMessage
from engine.records.people import Mandate
from engine.services.context.app_context import AppContext
from engine.services.core.commit import keep
from engine.storage.results import AlreadyExists
from engine.storage.unit_of_work import Unit

MOST_DOSSIERS: Final = 500
_OVER: Final = frozenset({"ended", "refused"})  # states of a mandate that is over


def change_phone(ctx: AppContext, unit: Unit, account: Account, phone: str, actor: Actor) -> None:
    """Make this number the sign-in of the locked account.

    Its running dossiers, and those it fills for others, use the number. Mandates that awaited the
    former number now belong to it. The former number and the e-mail address are notified. Raises `AlreadyExists` for the number
    of an account in use.
    """
    other = unit.account_of("applicant", phone)
    if other is not None and other.id != account.id:
        other = unit.account_held(other.id)  # locked: it can begin nothing from here on
        if other is not None and other.login == phone:
            if not is_bare(unit, other.id):
                raise AlreadyExists(phone)
            leave(ctx, unit, other.id, account.id)
    before = account.login if account.login.startswith("+") else ""
    for awaiting in unit.mandates_awaiting(before) if before else ():
        mandate = unit.mandate(awaiting.id)
        if mandate and not mandate.holder and mandate.invited == before and is_active(mandate, ctx.day()):
            unit.put_mandate(replace(mandate, holder=account.id))
    unit.put_account(replace(account, login=phone))
    unit.drop_phone_move(account.id)
    write_to(ctx, unit, account, actor, phone=phone)
    if before == phone:
        return
    emails = [known.value for known in unit.identifiers_of(account.id) if known.kind == "email"]
    for to in filter(None, (before, *emails)):
        notify(ctx, unit, account, "phone_changed", to, ctx.now())


def is_bare(unit: Unit, account_id: str, but: str = "") -> bool:
    """Return whether an account is empty.

    An empty account has no dossier but erased drafts, no mandate but invitations from others, and no identifier other
    than `but`.
    """
    asked = any(
        line.submitted_at is not None or not line.closed
        for line in unit.dossiers_of(account_id, MOST_DOSSIERS, open_first=True)
    )
    mandates = (*unit.mandates_given(account_id), *unit.mandates_held(account_id))
    return not (
        asked
        or any(one.status not in _OVER and not _is_invitation(one, account_id) for one in mandates)
        or any(one.value != but for one in unit.identifiers_of(account_id))
    )


def _is_invitation(mandate: Mandate, account_id: str) -> bool:
    """Return whether others sent the mandate to the number of the account.

    Any person may invite any number, so invitations keep no number from its holder.
    """
    if mandate.principal == account_id:
        return mandate.status == "asked"
    return bool(mandate.invited) and mandate.made_by != account_id


def leave(ctx: AppContext, unit: Unit, account_id: str, to: str) -> None:
    """Disable an empty account and release its number. Its invitations pass to the account `to`."""
    for one in (*unit.mandates_given(account_id), *unit.mandates_held(account_id)):
        mandate = unit.mandate(one.id)
        for passed in _passed_on(mandate, account_id, to, ctx.now()) if mandate and mandate.status not in _OVER else ():
            unit.put_mandate(passed)
    other = unit.account_held(account_id)
    if other is not None:
        unit.put_account(replace(other, login=f"left:{other.id}", disabled=True))
        unit.drop_phone_move(other.id)
        unit.drop_sessions(other.id)


def _passed_on(mandate: Mandate, account_id: str, to: str, now: datetime) -> tuple[Mandate, ...]:
    """Return an invitation of the account as one of `to`.

    What the account held stays recorded as ended. Nothing passes where `to` is the other party.
    """
    ended = replace(mandate, status="ended", changed_at=now)
    if to in (mandate.principal, mandate.holder):
        return (ended,)
    if mandate.principal == account_id:
        return (replace(mandate, principal=to),)
    return ended, replace(mandate, id=new_id(), holder=to)


def write_to(
    ctx: AppContext, unit: Unit, account: Account, actor: Actor, *, phone: str | None = None, email: str | None = None
) -> None:
    """Set the new contact in the dossiers and drafts of the account.

    In closed ones, and in those it fills for others, only where its number was the contact.
    """
    for before in _dossiers(unit, account, account.login, others=phone is not None):
        theirs = before.owner == account.id and before.closed_at is None
        if theirs or (phone is not None and before.contact_phone == account.login):
            after = replace(
                before, contact_phone=phone or before.contact_phone, contact_email=email or before.contact_email
            )
            _write_there(ctx, unit, before, after, actor, phone or email)


def drop_address(
    ctx: AppContext, unit: Unit, account: Account, actor: Actor, email: str, instead: str | None = None
) -> None:  # fmt: skip
    """Remove an e-mail address of the account from sign-in and from its dossiers, and notify it.

    Dossiers that it fills for others are included. `instead` is the address that replaces it.
    """
    unit.drop_identifier("email", email)
    for before in _dossiers(unit, account, email, others=True):
        if before.contact_email == email:
            _write_there(ctx, unit, before, replace(before, contact_email=instead), actor, instead)
    notify(ctx, unit, account, "email_changed", email, ctx.now())


def forget_contact(ctx: AppContext, unit: Unit, account: Account, actor: Actor) -> None:
    """Remove the contact from the dossiers of an account that is erased: its number may have another holder later."""
    at = _reached(unit, account)
    for dossier_id in unit.dossiers_reaching(account.id, filter(None, at)):
        before = unit.dossier(dossier_id)
        if before is not None:
            after = replace(before, other_phones=tuple(one for one in before.other_phones if one not in at))
            if _writes_to(before, at):
                after = replace(after, contact_phone=None, contact_email=None, former_phones=())
            _write_there(ctx, unit, before, after, actor, None, forgets=True)


def release_contact(ctx: AppContext, unit: Unit, mandate: Mandate, actor: Actor, *, always: bool) -> None:
    """Stop the messages of the principal's dossiers to the holder of a mandate that is over.

    The principal receives them, else another person who acts for them. Without either, no one does, or the
    holder still where not `always`. Closed dossiers are included: a message holds a link to an appointment, and
    a code sent to the contact allows to name the dossier.
    """
    holder, day = unit.account(mandate.holder) if mandate.holder else None, ctx.day()
    if holder is None or mandate.role == "reader":
        return
    former = _reached(unit, holder)
    left = [one for one in unit.mandates_given(mandate.principal) if one.id != mandate.id and is_active(one, day)]
    for dossier_id in unit.dossiers_reaching(mandate.principal, filter(None, former)):
        before = unit.dossier(dossier_id)
        if before is None or not _writes_to(before, former):
            continue
        acting = [one for one in left if one.holder and one.role != "reader" and _covers(one, before)]
        if any(one.holder == holder.id for one in acting):
            continue
        found = (unit.account(one) for one in (mandate.principal, *(one.holder for one in acting)))
        phone, email = next((at for one in found if one and any(at := _reached(unit, one))), (None, None))
        if always or phone or email:
            after = replace(before, contact_phone=phone, contact_email=email)
            _write_there(ctx, unit, before, after, actor, phone or email)


def _reached(unit: Unit, account: Account) -> tuple[str | None, str | None]:
    """Return the number and the e-mail address of an account that is open, as a new dossier takes them."""
    if account.disabled:
        return None, None
    emails = (one.value for one in unit.identifiers_of(account.id) if one.kind == "email")
    return account.login if account.login.startswith("+") else None, next(emails, None)


def _writes_to(dossier: Dossier, at: tuple[str | None, str | None]) -> bool:
    own = (dossier.contact_phone, dossier.contact_email)
    return any(one is not None and one == theirs for one, theirs in zip(own, at, strict=True))


def _covers(mandate: Mandate, dossier: Dossier) -> bool:
    within = not mandate.procedures or dossier.procedure in mandate.procedures
    return within and (not mandate.dossiers or dossier.id in mandate.dossiers)


def _dossiers(unit: Unit, account: Account, contact: str, *, others: bool) -> Iterator[Dossier]:
    """Yield the dossiers and drafts of the account, and with `others` those with this contact that it may fill for others.

    Closed ones are included: a code sent to the contact allows to name the dossier, and numbers get another holder.
    """
    lines = [line.id for line in unit.dossiers_of(account.id, MOST_DOSSIERS, open_first=True)]
    held = unit.mandates_held(account.id) if others else ()
    owners = dict.fromkeys((account.id, *(one.principal for one in held if one.status == "active")))
    theirs = [one for owner in owners for one in unit.dossiers_reaching(owner, (contact,))]
    yield from filter(None, map(unit.dossier, dict.fromkeys((*lines, *theirs))))


def _write_there(
    ctx: AppContext, unit: Unit, before: Dossier, after: Dossier, actor: Actor, contact: str | None, forgets: bool = False
) -> None:  # fmt: skip
    if after == before:
        return
    if before.contact_phone and after.contact_phone != before.contact_phone and not forgets:
        after = replace(after, former_phones=tuple(dict.fromkeys((*before.former_phones, before.contact_phone))))
    body: dict[str, Plain] = {"revision": before.revision + 1}
    commits: dict[str, Plain] = {"contact": contact} if contact else {}
    keep(ctx, unit, before, after, [EntryDraft("contact_changed", body, commits)], actor)


def notify(ctx: AppContext, unit: Unit, account: Account, kind: str, to: str, when: datetime) -> str:
    """Add a message of a kind (`letter.<kind>`) to a number or address, in the language of the account.

    Return its id.
    """
    spoken = wishes_of(account).language or "fr"
    channel: Literal["sms", "email"] = "sms" if to.startswith("+") else "email"
    facts = {"link": f"{ctx.settings.base_url}/compte", "meeting": ctx.wording.short_moment(when, spoken)}
    said = ctx.wording.say(f"letter.{kind}.{channel}", spoken, facts)
    subject = ctx.wording.say(f"letter.{kind}.subject", spoken, facts) if channel == "email" else ""
    letter_id, now = new_id(), ctx.now()
    body = to_gsm(said) if channel == "sms" else said
    unit.add_letter(OutboundMessage(letter_id, None, channel, to, subject, body, now, f"{kind}/{letter_id}", now))
    return letter_id
