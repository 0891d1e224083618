"""Messages: those to an applicant with their short links and reading rights, and those between both sides of a dossier."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from engine.core.gsm7 import to_gsm
from engine.core.problems import Refused, refusal
from engine.core.values import Plain, group_number, new_id
from engine.domain.common.access import is_own, stands_for_owner
from engine.domain.common.decision import EntryDraft
from engine.domain.common.names import free_text
from engine.domain.common.sms_policy import DAY
from engine.domain.messages.notifications import ROLE_ADDRESS
from engine.records.dossier import RECEIVED, Actor, Attachment, Dossier, OutboundMessage, Payment
from engine.records.exchanges import Message, Side
from engine.records.refunds import Refund
from engine.services.context.app_context import AppContext, seen
from engine.services.context.rate_limit import Limit, too_many
from engine.services.core.appointment_links import HEAD, SIGNS
from engine.services.core.journalling import journalise
from engine.storage.unit_of_work import Unit

LONGEST: Final = 1000  # characters of a message between both sides
MOST_A_DAY: Final = 20  # of them by one person about one dossier
UNPAID_A_DAY: Final = 10  # SMS to one number about payments that failed, expired or have no result
_PAYMENT_KEYS: Final = {
    "paid": "notice.paid.sms", "overpaid": "notice.paid.sms", "failed": "notice.failed.sms",
    "expired": "notice.failed.sms", "unknown": "notice.unknown.sms",
}  # fmt: skip
_UNASKED: Final = "fr"  # the language of a page for a browser that asked for none
_VISIT_LINK: Final = re.compile(rf"/r/[a-z2-7]{{{HEAD + SIGNS}}}(?![a-z0-9])")


def dossier_link(ctx: AppContext, dossier: Dossier) -> str:
    """Return the address of a dossier in a message.

    It contains the number, which opens nothing without sign-in, the language of the dossier, and how to sign in
    without a phone. So the page needs to look up nothing before the sign-in.
    """
    asked = [("via", "mail")] if dossier.contact_email and not dossier.contact_phone else []
    asked += [("lang", dossier.language)] if dossier.language != _UNASKED else []
    return f"{ctx.settings.short_url}/d/{dossier.number}" + (f"?{urlencode(asked)}" if asked else "")


def payment_letter(
    ctx: AppContext, unit: Unit, dossier: Dossier, payment: Payment, now: datetime, over: int = 0
) -> bool:  # fmt: skip
    """Add a message about a payment, since the applicant may have left the page.

    `over` is the amount that will be given back. Return whether a message was added. Of a day, some SMS about payments
    without money are sent: each cancelled order would cost one. The others are saved as messages that are not sent.
    """
    key = _PAYMENT_KEYS.get(payment.status)
    if key is None or not (dossier.contact_phone or dossier.contact_email):
        return False
    if over:
        key = "notice.paid_closed.sms" if dossier.closed_at is not None else "notice.paid_over.sms"
    facts = {
        "amount": ctx.wording.amount(over or payment.amount, dossier.language), "dossier": group_number(dossier.number),
        "receipt": payment.receipt or "", "link": dossier_link(ctx, dossier),
    }  # fmt: skip
    body = ctx.wording.say(key, dossier.language, facts)
    dedupe = f"{dossier.id}:payment:{payment.id}:{payment.status}"
    if dossier.contact_phone:
        to, closed = dossier.contact_phone, None
        if payment.status not in RECEIVED:
            closed = too_many(unit, now, Limit(f"unpaid:{to}", UNPAID_A_DAY, DAY))
        letter = OutboundMessage(new_id(), dossier.id, "sms", to, "", to_gsm(body), now, dedupe, now)
        letter = replace(letter, failed=closed.code) if closed else letter
    else:
        subject = ctx.wording.say(f"payment.{payment.status}", dossier.language, {})
        letter = OutboundMessage(
            new_id(), dossier.id, "email", dossier.contact_email or "", subject, body, now, dedupe, now
        )
    return unit.add_letter(letter)


def repaid_letter(ctx: AppContext, unit: Unit, dossier: Dossier, refund: Refund, now: datetime) -> None:
    """Add messages that money was paid back, to the number it went to and to the contact of the dossier.

    Those of an erased dossier belong to no dossier: they are deleted soon after they are sent.
    """
    of = None if dossier.erased_at is not None else dossier.id
    facts = {
        "amount": ctx.wording.amount(refund.amount, dossier.language), "dossier": group_number(dossier.number),
        "reference": refund.reference or "", "link": dossier_link(ctx, dossier),
    }  # fmt: skip
    body = ctx.wording.say("notice.repaid.sms", dossier.language, facts)
    phones = dict.fromkeys(one for one in (refund.payer, dossier.contact_phone) if one)
    by_mail = {dossier.contact_email: ctx.wording.say("notice.repaid.subject", dossier.language, facts)}
    for to in phones:
        dedupe = f"{dossier.id}:repaid:{refund.entry}:sms:{to}"
        unit.add_letter(OutboundMessage(new_id(), of, "sms", to, "", to_gsm(body), now, dedupe, now))
    for address, subject in by_mail.items() if not dossier.contact_phone else ():
        if address:
            dedupe = f"{dossier.id}:repaid:{refund.entry}:email:{address}"
            unit.add_letter(OutboundMessage(new_id(), of, "email", address, subject, body, now, dedupe, now))


def letters_of(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[OutboundMessage, ...]:
    """Return the messages of a dossier, queued or sent, that this person may read. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        return readable(dossier, unit.letters_of(dossier.id), actor)


def readable(dossier: Dossier, letters: Iterable[OutboundMessage], actor: Actor) -> tuple[OutboundMessage, ...]:
    """Return the messages of a dossier that a person may read.

    Its owner reads those to them, not those to services, also where the owner is an agent. All others read them without the link to an appointment,
    which would let its holder act: an agent, a reader, and a person whose mandate may end. An auditor reads none.
    """
    if actor.kind == "auditor":
        return ()
    if stands_for_owner(dossier, actor) or is_own(dossier, actor):
        letters = (one for one in letters if not one.to.startswith(ROLE_ADDRESS))
    if actor.kind == "applicant" and actor.id == dossier.owner:
        return tuple(letters)
    return tuple(replace(one, body=_VISIT_LINK.sub("/r/…", one.body)) for one in letters)


def add_message(
    ctx: AppContext, unit: Unit, dossier: Dossier, actor: Actor, side: Side, text: str, files: tuple[Attachment, ...] = (),
    *, notify: bool = False,
) -> Message:  # fmt: skip
    """Add a message to a dossier and its journal. `notify`: the applicant is notified that it waits.

    Raises Refused("messages_many").
    """
    now = ctx.now()
    if unit.count_try(f"messages@{dossier.id}@{actor.id}", f"{ctx.day()}") > MOST_A_DAY:
        raise Refused(refusal("messages_many", maximum=MOST_A_DAY))
    message = Message(new_id(), dossier.id, now, actor.id, side, text, files)
    unit.add_message(message)
    entry: dict[str, Plain] = {"message": message.id, "side": side, "files": len(files)}
    commits: dict[str, Plain] = {f"messages.{message.id}": text}
    commits |= {f"files.{one.id}": one.sha256 for one in files}
    if notify:
        _report(ctx, unit, dossier, message)
    journalise(unit, dossier, [EntryDraft("message", entry, commits)], actor, now)
    return message


def checked_text(body: str) -> str:
    """Return the text as stored. Raises Refused: message_empty, message_long."""
    text = free_text(body)
    if not text:
        raise Refused(refusal("message_empty"))
    if len(text) > LONGEST:
        raise Refused(refusal("message_long", maximum=LONGEST, over=len(text) - LONGEST))
    return text


def _report(ctx: AppContext, unit: Unit, dossier: Dossier, message: Message) -> None:
    """Notify the applicant that a message waits, without its text."""
    facts = {"dossier": group_number(dossier.number), "link": dossier_link(ctx, dossier)}
    addresses = (("sms", dossier.contact_phone), ("email", dossier.contact_email))
    for channel, to in addresses:
        if not to:
            continue
        said = ctx.wording.say(f"message.told.{channel}", dossier.language, facts)
        subject = ctx.wording.say("message.told.subject", dossier.language, facts) if channel == "email" else ""
        letter = OutboundMessage(
            new_id(), dossier.id, "sms" if channel == "sms" else "email", to, subject,
            to_gsm(said) if channel == "sms" else said, message.at, f"{dossier.id}:message:{message.id}:{channel}", message.at,
        )  # fmt: skip
        unit.add_letter(letter)
