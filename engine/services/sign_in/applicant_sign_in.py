"""Sign-in of applicants: a phone number and a one-time code, then a session.

Answers never reveal whether a number is known. A code belongs to the browser that asked for it: other
browsers neither use up its tries nor replace it. Only a keyed digest of a code is stored.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import wraps
from types import MappingProxyType
from typing import Final, Literal, ParamSpec, TypeVar
from urllib.parse import urlsplit

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import new_id
from engine.records.dossier import Account, OutboundMessage
from engine.records.people import Identifier, IdentifierKind, SignInCode
from engine.services.context.app_context import AppContext
from engine.services.context.contact_parsing import read_email, read_phone
from engine.services.context.rate_limit import Limit, block_of, count, left_of
from engine.services.keys.secrets import new_code, token_digest
from engine.services.limits.code_limits import UNKNOWN_ASKER, Asker, refuse_code
from engine.services.limits.guesses import is_known
from engine.services.sign_in.security_log import logged
from engine.services.sign_in.sessions import SignedIn, open_session
from engine.storage.results import AlreadyExists
from engine.storage.unit_of_work import Unit

SPACING: Final = (
    timedelta(seconds=30),
    timedelta(seconds=60),
    timedelta(seconds=300),
)  # after the first, the second and later codes
GUESSES_OF_NETWORK: Final = (200, timedelta(hours=1))  # of all numbers together: thousands may share an address
GUESSES_A_DAY: Final = 100  # wrong codes of one number; beyond, a code has one try in an unknown browser
# prefixes of the number, for codes that do not sign in
HELP: Final = "help:"  # read to an agent at a counter, to be helped
SEND: Final = "send:"  # read to the agent as well, to send what they filled in
ACT: Final = "act:"  # read to the agent as well, for one act that its message names
MOVE: Final = "move:"  # read to the agent by a person who lost their phone and has another number
LINK: Final = "link:"  # allows to name an earlier dossier
_SAID: Final = {
    MOVE: "letter.move_code.sms",
    HELP: "letter.help_code.sms",
    SEND: "letter.send_code.sms",
    ACT: "letter.act_code.sms",
    LINK: "letter.link_code.sms",
}


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A code that was sent. `wait_seconds`: the wait before another may be asked for."""

    phone: str  # E.164, or the e-mail address
    wait_seconds: int
    valid_minutes: int


def send_code(
    ctx: AppContext, phone_raw: str, *, asker: Asker = UNKNOWN_ASKER, language: str = "fr", mark: str = ""
) -> CodeSent:  # fmt: skip
    """Send a new code to a number; former codes become void.

    `mark` is what the asking browser must send back with it. Raises Refused: phone_format,
    code_too_soon (wait, in seconds), too_many_tries, codes_paused (minutes), sms_country, sms_kind.
    """
    return _owe_code(ctx, "sms", read_phone(phone_raw), asker, language, mark=mark)


def send_email_code(
    ctx: AppContext, email_raw: str, *, asker: Asker = UNKNOWN_ASKER, language: str = "fr", mark: str = ""
) -> CodeSent:  # fmt: skip
    """Send a new code to an e-mail address. Raises Refused: email_format, code_too_soon, too_many_tries."""
    return _owe_code(ctx, "email", read_email(email_raw), asker, language, mark=mark)


def send_help_code(
    ctx: AppContext, phone_raw: str, *, asker: Asker = UNKNOWN_ASKER, language: str = "fr", mark: str = ""
) -> CodeSent:  # fmt: skip
    """Send a code that the receiver reads to an agent at a counter.

    It has no other use and does not sign in. Raises as `send_code`.
    """
    return _owe_code(ctx, "sms", read_phone(phone_raw), asker, language, HELP, mark)


def send_sending_code(
    ctx: AppContext, phone_raw: str, *, asker: Asker = UNKNOWN_ASKER, language: str = "fr", mark: str = ""
) -> CodeSent:  # fmt: skip
    """Send a code that the helped person reads to the agent when the request is submitted.

    Its message states this. It begins no assistance and does not sign in. Raises as `send_code`.
    """
    return _owe_code(ctx, "sms", read_phone(phone_raw), asker, language, SEND, mark)


def send_act_code(
    ctx: AppContext, phone: str, act: Mapping[str, str], *, asker: Asker = UNKNOWN_ASKER, language: str = "fr", mark: str
) -> CodeSent:  # fmt: skip
    """Send a code that the helped person reads to the agent for one act.

    Its message names the act and the dossier, the facts `act`. It has no other use. Raises as `send_code`.
    """
    return _owe_code(ctx, "sms", read_phone(phone), asker, language, ACT, mark, act)


def send_move_code(
    ctx: AppContext, phone_raw: str, *, asker: Asker = UNKNOWN_ASKER, language: str = "fr", mark: str = ""
) -> CodeSent:  # fmt: skip
    """Send a code to the new number after a lost phone.

    It is read to an agent, and the account will move there. It has no other use. Raises as `send_code`.
    """
    return _owe_code(ctx, "sms", read_phone(phone_raw), asker, language, MOVE, mark)


def send_link_code(
    ctx: AppContext, phone_raw: str, *, asker: Asker = UNKNOWN_ASKER, language: str = "fr", mark: str = ""
) -> CodeSent:  # fmt: skip
    """Send a code to the number of a dossier.

    It allows the receiver or another person to name that dossier. It has no other use and does not sign
    in. Raises as `send_code`.
    """
    return _owe_code(ctx, "sms", read_phone(phone_raw), asker, language, LINK, mark)


def prove_consent(
    ctx: AppContext, unit: Unit, phone: str, code: str, purpose: str = HELP, mark: str = ""
) -> Refusal | None:  # fmt: skip
    """Consume the code that a person read to an agent; return the refusal if it is wrong."""
    return taken_code(ctx, unit, f"{purpose}{phone}", read_code(code), mark)


def _owe_code(
    ctx: AppContext, channel: Literal["sms", "email"], number: str, asker: Asker, language: str, purpose: str = "", mark: str = "",
    named: Mapping[str, str] = MappingProxyType({}),
) -> CodeSent:  # fmt: skip
    to = f"{purpose}{number}"
    now, code, sends = ctx.now(), new_code(), 1
    with ctx.store.unit(write=True) as unit:
        kept = unit.code(_place(to, mark))
        closed = _too_soon(kept, now) or refuse_code(ctx, unit, now, to, number, asker)
        if closed is None:
            sends = kept.sends + 1 if kept and now - kept.sent_at < timedelta(hours=1) else 1
            unit.put_code(SignInCode(
                _place(to, mark), _seals(ctx, to, code, mark)[0], now, now + ctx.settings.code_lasts, ctx.settings.code_tries, sends,
            ))  # fmt: skip
            unit.add_letter(_code_letter(ctx, channel, number, code, now, language, purpose, named))
    if closed:
        raise Refused(closed)
    return CodeSent(number, int(_spacing(sends).total_seconds()), int(ctx.settings.code_lasts.total_seconds()) // 60)


P = ParamSpec("P")
R = TypeVar("R")


def once_more(act: Callable[P, R]) -> Callable[P, R]:
    """Call a function again if another browser created the same account at the same moment: it is known then."""

    @wraps(act)
    def tried(*args: P.args, **kwargs: P.kwargs) -> R:
        with suppress(AlreadyExists):
            return act(*args, **kwargs)
        return act(*args, **kwargs)

    return tried


@logged("code by SMS")
@once_more
def check_code(
    ctx: AppContext, phone_raw: str, code: str, *, keep: bool = False, device: str = "", mark: str = "", browser: str = "",
    client: str = "",
) -> SignedIn:  # fmt: skip
    """Sign in the holder of this phone, known or new, in the browser that asked. `client` is the key of its address.

    Raises Refused: code_format, code_wrong (left), code_expired.
    """
    phone, digits, now = read_phone(phone_raw), read_code(code), ctx.now()
    signed_in: SignedIn | None = None
    with ctx.store.unit(write=True) as unit:
        holder = unit.account_of("applicant", phone)
        known = is_known(ctx, holder.id if holder else "", browser)
        closed = taken_code(ctx, unit, phone, digits, mark, known=known, client=client)
        if closed is None:
            signed_in = open_session(
                ctx, unit, applicant_known_by(unit, "phone", phone, now), now, keep=keep, device=device
            )
    if signed_in is None:  # raised outside the unit, so that the count of tries is saved
        raise Refused(closed or refusal("code_expired"))
    return signed_in


@logged("proof of a phone")
def prove_link(ctx: AppContext, phone_raw: str, code: str, *, mark: str = "") -> str:
    """Return the phone (E.164) whose code was typed, which proves contact with its holder; no sign-in.

    Raises as `check_code`.
    """
    phone, digits = read_phone(phone_raw), read_code(code)
    with ctx.store.unit(write=True) as unit:
        closed = taken_code(ctx, unit, f"{LINK}{phone}", digits, mark)
    if closed is not None:
        raise Refused(closed)
    return phone


def applicant_known_by(unit: Unit, kind: IdentifierKind, value: str, now: datetime) -> Account:
    """Return the account with this phone, address or provider identity; create one if there is none.

    Only a phone is looked for among the logins. The login of an account may be an address that it left.
    """
    known = unit.identifier(kind, value)
    account = unit.account(known.account) if known else None
    if account is None and kind == "phone":
        account = unit.account_of("applicant", value)
    if account is None:
        account_id = new_id()
        login = value if kind == "phone" else free_login(unit, kind, value, account_id)
        account = Account(account_id, "applicant", "", login)
        unit.put_account(account)
        if kind != "phone":  # the login of an account is its phone, when it has one
            unit.add_identifier(Identifier(kind, value, account.id, now))
    return account


def free_login(unit: Unit, kind: IdentifierKind, value: str, account_id: str) -> str:
    """Return the login of an account with this identifier: the value, or its id where another account has it."""
    return value if unit.account_of("applicant", value) is None else f"{kind}:{account_id}"


def read_code(code: str) -> str:
    """Return the six digits of a typed code, without spaces. Raises Refused("code_format")."""
    digits = "".join(code.split())
    if not (len(digits) == 6 and digits.isascii() and digits.isdigit()):
        raise Refused(refusal("code_format"))
    return digits


def taken_code(
    ctx: AppContext, unit: Unit, to: str, digits: str, mark: str = "", *, known: bool = False, client: str = ""
) -> Refusal | None:  # fmt: skip
    """Consume the code that the browser with this `mark` asked for; return the refusal if it is wrong.

    A wrong code counts for the number and for the network too. After `GUESSES_A_DAY` of the one or
    `GUESSES_OF_NETWORK` of the other, a code has one try unless the browser is `known`.
    """
    now, kept = ctx.now(), unit.code(_place(to, mark))
    if kept is None or now >= kept.expires_at or kept.tries_left <= 0:
        return refusal("code_expired")
    if any(hmac.compare_digest(kept.code_sha256, one) for one in _seals(ctx, to, digits, mark)):
        unit.drop_code(kept.phone)
        return None
    guesses = [Limit(f"guess:{to}", GUESSES_A_DAY, timedelta(days=1))]
    if client and not known:
        guesses.append(Limit(f"guess@{block_of(client)}", *GUESSES_OF_NETWORK))
    once = not known and any(left_of(unit, now, one) > timedelta() for one in guesses)
    for one in guesses:
        count(unit, now, one)
    left = 0 if once else kept.tries_left - 1
    unit.put_code(replace(kept, tries_left=left))
    return refusal("code_wrong", left=left) if left else refusal("code_expired")


def _place(to: str, mark: str) -> str:
    """Return the key under which a code is stored: one for each asking browser."""
    return f"{to}#{token_digest(mark)[:32]}" if mark else to


def _too_soon(kept: SignInCode | None, now: datetime) -> Refusal | None:
    if kept is None:
        return None
    left = kept.sent_at + _spacing(kept.sends) - now
    return refusal("code_too_soon", wait=int(left.total_seconds()) + 1) if left > timedelta() else None


def _spacing(sends: int) -> timedelta:
    return SPACING[min(sends, len(SPACING)) - 1]


def _seals(ctx: AppContext, to: str, code: str, mark: str) -> tuple[str, ...]:
    """Return the possible digests of a code. With a mark, it is valid only for the browser that asked."""
    return ctx.keys.seals_of(to, code, *((mark,) if mark else ()))


def _code_letter(
    ctx: AppContext, channel: Literal["sms", "email"], to: str, code: str, now: datetime, language: str, purpose: str,
    named: Mapping[str, str],
) -> OutboundMessage:  # fmt: skip
    host = urlsplit(ctx.settings.base_url).hostname or ""
    minutes = int(ctx.settings.code_lasts.total_seconds()) // 60
    facts = {"code": code, "minutes": str(minutes), "host": host, **named}
    subject = ctx.wording.say("letter.code.subject", language, facts) if channel == "email" else ""
    body = ctx.wording.say(_SAID.get(purpose, f"letter.code.{channel}"), language, facts)
    letter_id = new_id()
    return OutboundMessage(letter_id, None, channel, to, subject, body, now, f"code/{letter_id}", now)
