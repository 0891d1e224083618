"""SMS about mandates, and the limits on how many a sender may cause and a number may receive.

Their text is fixed: the number of another person never receives text that the sender typed, not even a
name. The receiver reads who asks, and by which number, on the site after sign-in.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from engine.core.gsm7 import to_gsm
from engine.core.problems import Refusal, refusal
from engine.core.values import new_id
from engine.domain.messages.preferences import wishes_of
from engine.records.dossier import Account, Actor, OutboundMessage
from engine.services.context.app_context import AppContext
from engine.services.context.rate_limit import Limit, too_many
from engine.services.limits.code_limits import UNKNOWN_ASKER, Asker, limits_of, refuse_sms
from engine.services.limits.file_counts import counted_as
from engine.storage.unit_of_work import Unit

DAY: Final = timedelta(days=1)
SENT_BY_ONE: Final = 20  # invitations that one person causes in a day
TO_THE_SAME: Final = 2  # of these, to the same number
RECEIVED_BY_ONE: Final = 5  # that a number receives in a day, from all senders together

News: TypeAlias = Literal["asked", "given", "dossier", "accepted", "refused"]


def notifies_by_sms(unit: Unit, actor: Actor) -> bool:
    """Return whether invitations of this person are sent by SMS: only with a verified phone number.

    An e-mail address costs nothing, so invitations by its owner wait on the site.
    """
    account = unit.account(actor.id)
    return account is not None and account.login.startswith("+")


def too_many_invitations(
    ctx: AppContext, unit: Unit, now: datetime, actor: Actor, phone: str, asker: Asker = UNKNOWN_ASKER
) -> Refusal | None:  # fmt: skip
    """Count one more invitation to a number; return the refusal, None if it may go.

    Known and unknown numbers get the same answer until the limits on SMS to new numbers are full.
    Invitations without SMS do not use up the limit of a number for SMS.
    """
    by_sms, who = notifies_by_sms(unit, actor), counted_as(unit, actor.id)
    received = "invited" if by_sms else "invited-silently"
    full = too_many(
        unit, now, Limit(f"invites:{who}:{phone}", TO_THE_SAME, DAY), Limit(f"invites:{who}", SENT_BY_ONE, DAY),
        *limits_of(asker, "invite"), Limit(f"{received}:{phone}", RECEIVED_BY_ONE, DAY),
    )  # fmt: skip
    if full:
        return refusal("invitations_many")
    paused = refuse_sms(ctx, unit, now, phone) if by_sms else None
    return refusal("invitations_paused", minutes=paused.facts["minutes"]) if paused else None


def notify_of_mandate(
    ctx: AppContext, unit: Unit, phone: str, news: News, account: Account | None, dossier: str = ""
) -> None:  # fmt: skip
    """Add an SMS about a mandate to a number, in the language of its account if it has one."""
    facts = {"dossier": dossier, "link": f"{ctx.settings.short_url}/compte/entreprises"}
    language = (wishes_of(account).language if account else "") or "fr"
    said = ctx.wording.say(f"letter.mandate_{news}.sms", language, facts)
    letter_id, now = new_id(), ctx.now()
    unit.add_letter(OutboundMessage(letter_id, None, "sms", phone, "", to_gsm(said), now, f"mandate/{letter_id}", now))
