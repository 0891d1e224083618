"""Who is at the door: a phone and a one-time code for applicants, a password for agents and auditors, then a session.

Answers never tell whether a number or a login is known. Tries are counted in the store, so that all servers share the
count. Of a session only the digest of its token is kept, of a code only a keyed digest.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from engine.office.office import Office
from engine.office.phones import read_phone
from engine.office.secrets import hash_secret, is_secret, new_code, new_token, token_digest
from engine.problems import Refusal, Refused, refusal
from engine.records.dossier import Account, Actor, Letter, Session, SignInCode
from engine.records.store import Busy, Taken, Unit
from engine.values import Plain, new_id

__all__ = [
    "CodeSent",
    "SignedIn",
    "actor_of",
    "add_account",
    "check_code",
    "hand_back",
    "hash_secret",
    "prove_phone",
    "put_aside",
    "send_code",
    "sign_in",
    "sign_out",
]

SPACING: Final = (
    timedelta(seconds=30),
    timedelta(seconds=60),
    timedelta(seconds=300),
)  # after the 1st, 2nd, later ones
WINDOW: Final = timedelta(minutes=15)
CODES_PER_PHONE: Final = 8  # in a window
CODES_PER_CLIENT: Final = 40
TRIES_PER_PHONE: Final = 15
TRIES_PER_LOGIN: Final = 10
TRIES_PER_CLIENT: Final = 60
ASIDE_PER_CLIENT: Final = 20  # answers of nobody known
TOUCH_EVERY: Final = timedelta(seconds=60)  # a session notes that it was seen no more often than this

Kind: TypeAlias = Literal["agent", "auditor"]


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A code is on its way. `wait_seconds` before another may be asked."""

    phone: str  # E.164
    wait_seconds: int
    valid_minutes: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`token` is for the cookie and is kept nowhere else."""

    token: str
    actor: Actor


# -- applicants --------------------------------------------------------------------------------------------------------


def send_code(office: Office, phone_raw: str, *, client: str = "", language: str = "fr") -> CodeSent:
    """Owes the number a new code; the ones before are void. Raises Refused: phone_format, code_too_soon (wait, in
    seconds), too_many_tries (minutes)."""
    phone = read_phone(phone_raw)
    now = office.now()
    code = new_code()
    with office.store.unit(write=True) as unit:
        closed = _too_many(unit, now, (f"code:{phone}", CODES_PER_PHONE), (f"code@{client}", CODES_PER_CLIENT))
        kept = unit.code(phone)
        closed = closed or _too_soon(kept, now)
        if closed is None:
            sends = kept.sends + 1 if kept and now - kept.sent_at < timedelta(hours=1) else 1
            unit.put_code(SignInCode(
                phone, office.keys.seal_code(phone, code), now, now + office.settings.code_lasts,
                office.settings.code_tries, sends,
            ))  # fmt: skip
            unit.add_letter(_code_letter(office, phone, code, now, language))
    if closed:
        raise Refused(closed)
    return CodeSent(phone, int(_spacing(sends).total_seconds()), int(office.settings.code_lasts.total_seconds()) // 60)


def check_code(office: Office, phone_raw: str, code: str, *, client: str = "", keep: bool = False) -> SignedIn:
    """Signs in whoever holds this phone, known or new. Raises Refused: code_format, code_wrong (left), code_expired,
    too_many_tries (minutes)."""
    phone, digits, now = read_phone(phone_raw), _digits(code), office.now()
    signed_in: SignedIn | None = None
    with office.store.unit(write=True) as unit:
        closed = _taken_code(office, unit, phone, digits, client, now)
        if closed is None:
            signed_in = _open_session(office, unit, _applicant(unit, phone), now, keep)
    if signed_in is None:  # the count of tries is kept: nothing was raised inside the unit
        raise Refused(closed or refusal("code_expired"))
    return signed_in


def prove_phone(office: Office, phone_raw: str, code: str, *, client: str = "") -> str:
    """Whoever typed this code holds the phone; nobody is signed in. The phone (E.164). Raises as `check_code` does."""
    phone, digits = read_phone(phone_raw), _digits(code)
    with office.store.unit(write=True) as unit:
        closed = _taken_code(office, unit, phone, digits, client, office.now())
    if closed is not None:
        raise Refused(closed)
    return phone


def _digits(code: str) -> str:
    digits = "".join(code.split())
    if not (len(digits) == 6 and digits.isascii() and digits.isdigit()):
        raise Refused(refusal("code_format"))
    return digits


def _taken_code(office: Office, unit: Unit, phone: str, digits: str, client: str, now: datetime) -> Refusal | None:
    """Uses a code up; why it is not the one otherwise."""
    closed = _too_many(unit, now, (f"try:{phone}", TRIES_PER_PHONE), (f"try@{client}", TRIES_PER_CLIENT))
    closed = closed or _wrong_code(office, unit, phone, digits, now)
    if closed is None:
        unit.drop_code(phone)
    return closed


def _too_soon(kept: SignInCode | None, now: datetime) -> Refusal | None:
    if kept is None:
        return None
    left = kept.sent_at + _spacing(kept.sends) - now
    return refusal("code_too_soon", wait=int(left.total_seconds()) + 1) if left > timedelta() else None


def _spacing(sends: int) -> timedelta:
    return SPACING[min(sends, len(SPACING)) - 1]


def _wrong_code(office: Office, unit: Unit, phone: str, digits: str, now: datetime) -> Refusal | None:
    """Why this code is not the one, counting the try; None when it is."""
    kept = unit.code(phone)
    expected = kept.code_sha256 if kept else ""
    right = hmac.compare_digest(expected, office.keys.seal_code(phone, digits))
    if kept is None or now >= kept.expires_at or kept.tries_left <= 0:
        return refusal("code_expired")
    if right:
        return None
    unit.put_code(replace(kept, tries_left=kept.tries_left - 1))
    return refusal("code_wrong", left=kept.tries_left - 1) if kept.tries_left > 1 else refusal("code_expired")


def _applicant(unit: Unit, phone: str) -> Account:
    account = unit.account_of("applicant", phone)
    if account is None:
        account = Account(new_id(), "applicant", "", phone)
        unit.put_account(account)
    return account


def _code_letter(office: Office, phone: str, code: str, now: datetime, language: str) -> Letter:
    host = urlsplit(office.settings.base_url).hostname or ""
    minutes = int(office.settings.code_lasts.total_seconds()) // 60
    body = office.wording.say("letter.code.sms", language, {"code": code, "minutes": str(minutes), "host": host})
    letter_id = new_id()
    return Letter(letter_id, None, "sms", phone, "", body, now, f"code/{letter_id}", now)


# -- agents and auditors -----------------------------------------------------------------------------------------------


def sign_in(office: Office, kind: Kind, login: str, password: str, client: str = "") -> SignedIn:
    """Signs an agent or an auditor in. Raises Refused: sign_in_wrong (the same for an unknown login, a wrong password
    and a closed account), too_many_tries (minutes)."""
    now = office.now()
    login = login.strip()[:100]
    with office.store.unit(write=True) as unit:
        counted = ((f"login:{kind}:{login}", TRIES_PER_LOGIN), (f"login@{client}", TRIES_PER_CLIENT))
        closed = _too_many(unit, now, *counted)
        account = unit.account_of(kind, login)
    if closed:
        raise Refused(closed)
    right = is_secret(account.secret if account else "", password[:1000])  # slow on purpose: outside any unit
    with office.store.unit(write=True) as unit:
        account = unit.account(account.id) if account else None
        if not right or account is None or account.disabled:
            raise Refused(refusal("sign_in_wrong"))
        return _open_session(office, unit, account, now, keep=False)


def add_account(office: Office, account: Account) -> None:
    """Keeps a new person at the door. Raises Refused("login_taken")."""
    try:
        with office.store.unit(write=True) as unit:
            known = unit.account_of(account.kind, account.login)
            if known is not None and known.id != account.id:
                raise Refused(refusal("login_taken", login=account.login))
            unit.put_account(account)
            if account.disabled:
                unit.drop_sessions(account.id)
    except Taken:
        raise Refused(refusal("login_taken", login=account.login)) from None


# -- sessions ----------------------------------------------------------------------------------------------------------


def actor_of(office: Office, token: str) -> Actor | None:
    """Who this session is, at this very moment: a closed account or a session left idle is nobody."""
    now = office.now()
    digest = token_digest(token)
    with office.store.unit() as unit:
        session = unit.session(digest)
        account = unit.account(session.account) if session else None
    if session is None or account is None or account.disabled or not _alive(office, session, account, now):
        return None
    if now - session.seen_at >= TOUCH_EVERY:
        with suppress(Busy):  # a store that cannot write now still lets people read; the next page notes it
            _touch(office, session, now)
    return office.person(account)


def _touch(office: Office, session: Session, now: datetime) -> None:
    with office.store.unit(write=True) as unit:
        if unit.session(session.token_sha256) is not None:  # signed out meanwhile: stays out
            unit.put_session(replace(session, seen_at=now))


# -- what a lost session must find again -------------------------------------------------------------------------------


def put_aside(office: Office, token: str, address: str, fields: Sequence[tuple[str, str]], *, client: str = "") -> str:
    """Keeps what was posted to `address` for whoever the session was of, although it ended; its key. Of a session that
    is not known, so much and no more from one client: Refused("too_many_tries", minutes)."""
    key, now = new_id(), office.now()
    with office.store.unit(write=True) as unit:
        session = unit.session(token_digest(token)) if token else None
        closed = None if session else _too_many(unit, now, (f"aside@{client}", ASIDE_PER_CLIENT))
        if closed is None:
            kept: Plain = [[name, value] for name, value in fields]
            account = session.account if session else ""
            unit.keep_aside(f"aside/{key}", {"account": account, "address": address, "fields": kept}, now)
    if closed:
        raise Refused(closed)
    return key


def hand_back(office: Office, actor: Actor, key: str, at: str = "") -> tuple[str, list[tuple[str, str]]] | None:
    """What was put aside under this key, once: the address it was posted to, and its fields. None for anybody but the
    account it is of, and when it is of another address than `at`. What is of nobody known goes to the owner of the
    dossier it was posted to."""
    with office.store.unit() as unit:
        kept = unit.taken_aside(f"aside/{key}")
        if not isinstance(kept, Mapping) or (at and kept.get("address") != at):
            return None
        if not actor.id or actor.id != (kept.get("account") or _owner_at(unit, str(kept.get("address", "")))):
            return None
    with office.store.unit(write=True) as unit:
        if unit.taken_aside(f"aside/{key}") is None:
            return None
    pairs = kept.get("fields")
    fields = [(str(one[0]), str(one[1])) for one in pairs if isinstance(one, list)] if isinstance(pairs, list) else []
    return str(kept.get("address", "/")), fields


def _owner_at(unit: Unit, address: str) -> str:
    """Whose the dossier of an applicant's address is; nobody's for any other address."""
    parts = address.split("/")
    dossier = unit.dossier_numbered(parts[2]) if len(parts) > 2 and parts[1] == "dossiers" else None
    return dossier.owner if dossier else ""


def sign_out(office: Office, token: str) -> None:
    with office.store.unit(write=True) as unit:
        session = unit.session(token_digest(token))
        if session:
            unit.drop_sessions(session.account, session.token_sha256)


def _open_session(office: Office, unit: Unit, account: Account, now: datetime, keep: bool) -> SignedIn:
    token = new_token()
    lasts = office.settings.kept_lasts if keep else office.settings.session_lasts
    unit.put_session(Session(token_digest(token), account.id, now, now, now + lasts, keep))
    return SignedIn(token, office.person(account))


def _alive(office: Office, session: Session, account: Account, now: datetime) -> bool:
    idle = office.settings.idle if account.kind == "applicant" else office.settings.agent_idle
    return now < session.expires_at and (session.kept or now - session.seen_at < idle)


def _too_many(unit: Unit, now: datetime, *counted: tuple[str, int]) -> Refusal | None:
    """Counts one more try under each key, in a window of a quarter of an hour. A client without address is not counted:
    everybody would share its count."""
    began = int(now.timestamp()) // int(WINDOW.total_seconds())
    over = [unit.count_try(key, str(began)) > most for key, most in counted if not key.endswith("@")]
    return refusal("too_many_tries", minutes=int(WINDOW.total_seconds()) // 60) if any(over) else None
