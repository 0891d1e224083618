"""The text messages of mandates, and how many of them a sender may cause and a number may receive.

Their words are fixed: a number that is not the sender's own receives nothing that the sender typed, not even a name. Who asks, by
which number, is read on the site after sign-in.
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
from engine.services.limits.askers import UNKNOWN_ASKER, Asker, limits_of
from engine.services.limits.code_limits import refuse_sms
from engine.storage.unit_of_work import Unit

DAY: Final = timedelta(days=1)
SENT_BY_ONE: Final = 20  # invitations that one person causes in a day
TO_THE_SAME: Final = 2  # of them to the same number
RECEIVED_BY_ONE: Final = 5  # that a number receives in a day, from all senders together

News: TypeAlias = Literal["asked", "given", "dossier", "accepted", "refused"]


def notifies_by_sms(unit: Unit, actor: Actor) -> bool:
    """Whether somebody's invitations are told by SMS: of who proved a telephone. An e-mail address costs its owner nothing, so
    what is asked with it waits on the site, for a number that is known here and one that is not."""
    account = unit.account(actor.id)
    return account is not None and account.login.startswith("+")


def too_many_invitations(
    ctx: AppContext, unit: Unit, now: datetime, actor: Actor, phone: str, asker: Asker = UNKNOWN_ASKER
) -> Refusal | None:  # fmt: skip
    """Counts one more invitation to a number. The answer is the same for a number that is known here and one that is not, until
    the bounds on SMS to new numbers are full. Those without SMS use up nothing of a number's share of the others."""
    by_sms = notifies_by_sms(unit, actor)
    received = "invited" if by_sms else "invited-silently"
    full = too_many(
        unit, now, Limit(f"invites:{actor.id}:{phone}", TO_THE_SAME, DAY), Limit(f"invites:{actor.id}", SENT_BY_ONE, DAY),
        *limits_of(asker, "invite"), Limit(f"{received}:{phone}", RECEIVED_BY_ONE, DAY),
    )  # fmt: skip
    if full:
        return refusal("invitations_many")
    paused = refuse_sms(ctx, unit, now, phone) if by_sms else None
    return refusal("invitations_paused", minutes=paused.facts["minutes"]) if paused else None


def notify_of_mandate(
    ctx: AppContext, unit: Unit, phone: str, news: News, account: Account | None, dossier: str = ""
) -> None:  # fmt: skip
    """Owes a number the news of a mandate, in the language of its account where it has one."""
    facts = {"dossier": dossier, "link": f"{ctx.settings.short_url}/compte/entreprises"}
    language = (wishes_of(account).language if account else "") or "fr"
    said = ctx.wording.say(f"letter.mandate_{news}.sms", language, facts)
    letter_id, now = new_id(), ctx.now()
    unit.add_letter(OutboundMessage(letter_id, None, "sms", phone, "", to_gsm(said), now, f"mandate/{letter_id}", now))
