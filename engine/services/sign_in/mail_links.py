"""Sign-in by e-mail: a link that works once, for ten minutes, in the browser that asked for it.

Opening the link shows a button: mail scanners follow links and press nothing. Only a digest of the link
is stored. Answers never reveal whether an address is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import new_id
from engine.records.codec import instant_text
from engine.records.dossier import OutboundMessage
from engine.services.context.app_context import AppContext
from engine.services.context.contact_parsing import read_email
from engine.services.keys.secrets import new_token, token_digest
from engine.services.limits.code_limits import UNKNOWN_ASKER, Asker, refuse_link
from engine.services.sign_in.applicant_sign_in import applicant_known_by, once_more
from engine.services.sign_in.security_log import logged
from engine.services.sign_in.sessions import SignedIn, open_session
from engine.storage.unit_of_work import Unit

LASTS: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class LinkSent:
    """A link that was sent. `mark` is for the browser that asked and is stored nowhere else."""

    email: str
    mark: str
    valid_minutes: int


def send_link(ctx: AppContext, email_raw: str, *, asker: Asker = UNKNOWN_ASKER, language: str = "fr") -> LinkSent:
    """Send a link to an address. Raises Refused: email_format, too_many_tries (minutes)."""
    email, now = read_email(email_raw), ctx.now()
    token, mark = new_token(), new_token()
    minutes = int(LASTS.total_seconds()) // 60
    with ctx.store.unit(write=True) as unit:
        closed = refuse_link(ctx, unit, now, email, asker)
        if closed is None:
            until = instant_text(now + LASTS)
            unit.keep_aside(_place(token), {"email": email, "until": until, "browser": token_digest(mark)}, now)
            facts = {"link": f"{ctx.settings.base_url}/connexion/lien/{token}", "minutes": str(minutes)}
            subject = ctx.wording.say("letter.link.subject", language, facts)
            letter_id, body = new_id(), ctx.wording.say("letter.link.email", language, facts)
            unit.add_letter(
                OutboundMessage(letter_id, None, "email", email, subject, body, now, f"link/{letter_id}", now)
            )
    if closed:
        raise Refused(closed)
    return LinkSent(email, mark, minutes)


def refusal_for_link(ctx: AppContext, token: str, mark: str) -> str | None:
    """Return why this link does not sign in from this browser: link_over, link_elsewhere.

    None when it does.
    """
    with ctx.store.unit() as unit:
        return _read(ctx, unit, token, mark)[0]


@logged("link by e-mail")
@once_more
def follow_link(ctx: AppContext, token: str, mark: str, *, keep: bool = False, device: str = "") -> SignedIn:
    """Sign in the reader of this mail, known or new. Raises Refused: link_over, link_elsewhere."""
    now, signed_in = ctx.now(), None
    with ctx.store.unit(write=True) as unit:
        why, email = _read(ctx, unit, token, mark)
        if why is None and unit.taken_aside(_place(token)) is not None:
            account = applicant_known_by(unit, "email", email, now)
            signed_in = open_session(ctx, unit, account, now, keep=keep, device=device)
    if signed_in is None:
        raise Refused(refusal(why or "link_over"))
    return signed_in


def _read(ctx: AppContext, unit: Unit, token: str, mark: str) -> tuple[str | None, str]:
    kept = unit.peeked_aside(_place(token))
    if not isinstance(kept, Mapping) or str(kept.get("until")) <= instant_text(ctx.now()):
        return "link_over", ""
    if not mark or kept.get("browser") != token_digest(mark):
        return "link_elsewhere", ""
    return None, str(kept.get("email"))


def _place(token: str) -> str:
    return f"link/{token_digest(token)}"
