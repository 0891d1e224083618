"""Sessions: opened once somebody is known, looked up at each request, ended by their owner, and what one that ended must
find again. Only the digest of a token is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from engine.office.askers import NOBODY, Asker, limits_of
from engine.office.customers import HOLDER
from engine.office.office import Office
from engine.office.secrets import new_token, token_digest
from engine.office.tries import too_many
from engine.problems import Refused
from engine.records.dossier import Account, Actor
from engine.records.people import Session
from engine.records.store import GLANCE, Busy, Unit
from engine.values import Plain, new_id

TOUCH_EVERY: Final = timedelta(seconds=60)  # a session notes that it was seen no more often than this
LONGEST_DEVICE: Final = 60
FRESH: Final = timedelta(minutes=15)  # from signing in: then one proves anew before changing how one is known
# of forms that are of no dossier: a question of one may be called so
_SECRETS: Final = frozenset({"password", "again", "before", "code", "confirm_code", "pin"})


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`token` is for the cookie and is kept nowhere else."""

    token: str
    actor: Actor


def open_session(
    office: Office, unit: Unit, account: Account, now: datetime, *, keep: bool = False, device: str = ""
) -> SignedIn:
    """Lets somebody in who has proven who they are. `keep`: this phone is theirs."""
    token = new_token()
    lasts = office.settings.kept_lasts if keep else office.settings.session_lasts
    unit.put_session(
        Session(token_digest(token), account.id, now, now, now + lasts, keep, device[:LONGEST_DEVICE])
    )  # fmt: skip
    return SignedIn(token, office.person(account))


def actor_of(office: Office, token: str, touches: bool = True) -> Actor | None:
    """Who this session is, at this very moment: a closed account or a session left idle is nobody. `touches`: it was seen."""
    now = office.now()
    digest = token_digest(token)
    with office.store.unit() as unit:
        session = unit.session(digest)
        account = unit.account(session.account) if session else None
    if session is None or account is None or not is_alive(office, session, account, now):
        return None
    if touches and now - session.seen_at >= TOUCH_EVERY:
        with suppress(Busy):  # a store that cannot write now still lets people read; the next page notes it
            _touch(office, session, now)
    return office.person(account)


def _touch(office: Office, session: Session, now: datetime) -> None:
    with office.store.unit(write=True, patience=GLANCE) as unit:
        if unit.session(session.token_sha256) is not None:  # signed out meanwhile: stays out
            unit.put_session(replace(session, seen_at=now))


def is_alive(office: Office, session: Session, account: Account, now: datetime) -> bool:
    """Whether a session of an account is neither over nor left idle."""
    if not account.is_open(office.day()):
        return False
    idle = office.settings.idle if account.kind == "applicant" else office.settings.agent_idle
    return now < session.expires_at and (session.kept or now - session.seen_at < idle)


def is_fresh(office: Office, token: str) -> bool:
    """Whether whoever holds this session proved who they are a moment ago (`FRESH`), by whichever way they come in."""
    with office.store.unit() as unit:
        session = unit.session(token_digest(token))
    return session is not None and office.now() - session.created_at < FRESH


def sign_out(office: Office, token: str) -> None:
    with office.store.unit(write=True) as unit:
        session = unit.session(token_digest(token))
        if session:
            unit.drop_sessions(session.account, session.token_sha256)


# -- one's own sessions ------------------------------------------------------------------------------------------------


def sessions_of(office: Office, actor: Actor) -> tuple[Session, ...]:
    """Where this person is signed in now, the last seen first."""
    now = office.now()
    with office.store.unit() as unit:
        account = unit.account(actor.id)
        found = unit.sessions_of(actor.id)
    return tuple(one for one in found if account is not None and is_alive(office, one, account, now))


def sign_out_of(office: Office, actor: Actor, session: str) -> None:
    """Ends one session of this person, by its digest; another's stays."""
    with office.store.unit(write=True) as unit:
        unit.drop_sessions(actor.id, session)


def sign_out_elsewhere(office: Office, actor: Actor, token: str) -> int:
    """Ends every other session of this person: how many."""
    own = token_digest(token)
    with office.store.unit(write=True) as unit:
        others = [one for one in unit.sessions_of(actor.id) if one.token_sha256 != own]
        for one in others:
            unit.drop_sessions(actor.id, one.token_sha256)
    return len(others)


# -- what a lost session must find again -------------------------------------------------------------------------------


def put_aside(
    office: Office, token: str, address: str, fields: Sequence[tuple[str, str]], *, asker: Asker = NOBODY
) -> str:  # fmt: skip
    """Keeps what was posted to `address` for whoever the session was of, although it ended, but passwords and codes; its
    key. Of a session that is not known, as often as `askers` says: Refused("too_many_tries", minutes)."""
    key, now = new_id(), office.now()
    with office.store.unit(write=True) as unit:
        session = unit.session(token_digest(token)) if token else None
        closed = None if session else too_many(unit, now, *limits_of(asker, "aside"))
        if closed is None:
            kept: Plain = [[name, value] for name, value in without_secrets(address, fields)]
            account = session.account if session else ""
            unit.keep_aside(f"aside/{key}", {"account": account, "address": address, "fields": kept}, now)
    if closed:
        raise Refused(closed)
    return key


def without_secrets(address: str, fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What was posted to an address, but passwords, codes and who holds a card: they are kept nowhere and written on no page."""
    asks = "/dossiers/" in address and "/lien/" not in address  # the link to an earlier request asks for a code
    kept = ((name, value) for name, value in fields if not name.startswith(HOLDER))
    return [(name, value) for name, value in kept if asks or name not in _SECRETS]


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
