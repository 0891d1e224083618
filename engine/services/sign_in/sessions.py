"""Sessions: opened once somebody is known, looked up at each request, ended by their owner, and what one that ended must
find again. Only the digest of a token is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain, canonical_json, new_id
from engine.records.dossier import Account, Actor
from engine.records.people import Session
from engine.services.context.app_context import AppContext
from engine.services.context.rate_limit import Limit, too_many
from engine.services.keys.secrets import new_token, token_digest
from engine.services.limits.askers import UNKNOWN_ASKER, Asker, limits_of
from engine.services.payments.customers import HOLDER
from engine.storage.unit_of_work import GLANCE, Busy, Unit

TOUCH_EVERY: Final = timedelta(seconds=60)  # a session notes that it was seen no more often than this
LONGEST_DEVICE: Final = 60
FRESH: Final = timedelta(minutes=15)  # from signing in: then one proves anew before changing how one is known
LONGEST_ASIDE: Final = 64 * 1024  # bytes of a post kept for after signing in, as the store writes it
ASIDE_LASTS: Final = timedelta(days=1)
ASIDES_PER_ACCOUNT: Final = 40  # in a quarter of an hour, from all browsers
STRANGERS_PER_ADDRESS: Final = (200, timedelta(hours=1))  # posts of sessions that are not known
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab and the ends of lines
# of forms that are of no dossier: a question of one may be called so
_SECRETS: Final = frozenset({"password", "again", "before", "code", "confirm_code", "pin"})


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`token` is for the cookie and is kept nowhere else."""

    token: str
    actor: Actor


def open_session(
    ctx: AppContext, unit: Unit, account: Account, now: datetime, *, keep: bool = False, device: str = ""
) -> SignedIn:
    """Lets somebody in who has proven who they are. `keep`: this phone is theirs."""
    token = new_token()
    lasts = ctx.settings.kept_lasts if keep else ctx.settings.session_lasts
    unit.put_session(
        Session(token_digest(token), account.id, now, now, now + lasts, keep, device[:LONGEST_DEVICE])
    )  # fmt: skip
    return SignedIn(token, ctx.person(account))


def actor_of(ctx: AppContext, token: str, touches: bool = True) -> Actor | None:
    """Who this session is, at this very moment: a closed account or a session left idle is nobody. `touches`: it was seen."""
    now = ctx.now()
    digest = token_digest(token)
    with ctx.store.unit() as unit:
        session = unit.session(digest)
        account = unit.account(session.account) if session else None
    if session is None or account is None or not is_alive(ctx, session, account, now):
        return None
    if touches and now - session.seen_at >= TOUCH_EVERY:
        with suppress(Busy):  # a store that cannot write now still lets people read; the next page notes it
            _touch(ctx, session, now)
    return ctx.person(account)


def _touch(ctx: AppContext, session: Session, now: datetime) -> None:
    with ctx.store.unit(write=True, wait_limit=GLANCE) as unit:
        if unit.session(session.token_sha256) is not None:  # signed out meanwhile: stays out
            unit.put_session(replace(session, seen_at=now))


def is_alive(ctx: AppContext, session: Session, account: Account, now: datetime) -> bool:
    """Whether a session of an account is neither over nor left idle."""
    if not account.is_open(ctx.day()):
        return False
    idle = ctx.settings.idle if account.kind == "applicant" else ctx.settings.agent_idle
    return now < session.expires_at and (session.kept or now - session.seen_at < idle)


def is_fresh(ctx: AppContext, token: str) -> bool:
    """Whether whoever holds this session proved who they are a moment ago (`FRESH`), by whichever way they come in."""
    with ctx.store.unit() as unit:
        session = unit.session(token_digest(token))
    return session is not None and ctx.now() - session.created_at < FRESH


def sign_out(ctx: AppContext, token: str) -> None:
    with ctx.store.unit(write=True) as unit:
        session = unit.session(token_digest(token))
        if session:
            unit.drop_sessions(session.account, session.token_sha256)


# -- one's own sessions ------------------------------------------------------------------------------------------------


def sessions_of(ctx: AppContext, actor: Actor) -> tuple[Session, ...]:
    """Where this person is signed in now, the last seen first."""
    now = ctx.now()
    with ctx.store.unit() as unit:
        account = unit.account(actor.id)
        found = unit.sessions_of(actor.id)
    return tuple(one for one in found if account is not None and is_alive(ctx, one, account, now))


def sign_out_of(ctx: AppContext, actor: Actor, session: str) -> None:
    """Ends one session of this person, by its digest; another's stays."""
    with ctx.store.unit(write=True) as unit:
        unit.drop_sessions(actor.id, session)


def sign_out_elsewhere(ctx: AppContext, actor: Actor, token: str) -> int:
    """Ends every other session of this person: how many."""
    own = token_digest(token)
    with ctx.store.unit(write=True) as unit:
        others = [one for one in unit.sessions_of(actor.id) if one.token_sha256 != own]
        for one in others:
            unit.drop_sessions(actor.id, one.token_sha256)
    return len(others)


# -- what a lost session must find again -------------------------------------------------------------------------------


def put_aside(
    ctx: AppContext, token: str, address: str, fields: Sequence[tuple[str, str]], *, before: str = "", asker: Asker = UNKNOWN_ASKER
) -> str:  # fmt: skip
    """Keeps what was posted to `address` for whoever the session was of, although it ended, but passwords and codes; its
    key. Without a session that is known, only a dossier has somebody to hand it back to: empty for any other address. One
    post a browser or session: it takes the place of the one that the browser had kept `before`. Raises Refused: aside_long,
    too_many_tries (minutes); `NoRoom`."""
    kept: Plain = [[name, _CONTROLS.sub("", value)] for name, value in without_secrets(address, fields)]
    if len(canonical_json(kept)) > LONGEST_ASIDE:
        raise Refused(refusal("aside_long"))
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        session = unit.session(token_digest(token)) if token else None
        account = unit.account(session.account) if session else None
        if account is None or account.is_claimed:  # a number that nobody has proven is nobody's here
            session, closed = None, too_many(unit, now, _strangers(asker), *limits_of(asker, "aside"))
        else:  # by the account alone: strangers behind its address do not count against it
            closed = too_many(unit, now, Limit(f"aside:{account.id}", ASIDES_PER_ACCOUNT))
        if closed is None and (session or _is_dossier(address)):  # one that does not exist is answered alike
            ctx.attachments.reserve.check(LONGEST_ASIDE, unproven=session is None)
        if closed is None and (session or _owner_at(unit, address)):
            post: dict[str, Plain] = {"account": session.account if session else "", "address": address, "fields": kept}
            key = before or (session.token_sha256 if session else new_id())
            unit.keep_aside(f"aside/{key}", {**post, "until": int((now + ASIDE_LASTS).timestamp())}, now)
        else:  # the same answer for a dossier that exists and one that does not
            key = new_id() if _is_dossier(address) else ""
            if before and closed is None:
                unit.taken_aside(f"aside/{before}")
    if closed:
        raise Refused(closed)
    return key


def _strangers(asker: Asker) -> Limit:
    return Limit(f"aside-strangers@{asker.client}", *STRANGERS_PER_ADDRESS)


def without_secrets(address: str, fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What was posted to an address, but passwords, codes and who holds a card: they are kept nowhere and written on no page."""
    asks = "/dossiers/" in address and "/lien/" not in address  # the link to an earlier request asks for a code
    kept = ((name, value) for name, value in fields if not name.startswith(HOLDER))
    return [(name, value) for name, value in kept if asks or name not in _SECRETS]


def take_saved_post(ctx: AppContext, actor: Actor, key: str, at: str = "") -> tuple[str, list[tuple[str, str]]] | None:
    """What was put aside under this key, once: the address it was posted to, and its fields. None for anybody but the
    account it is of, when it is of another address than `at`, and a day later. What is of nobody known goes to the owner of
    the dossier it was posted to."""
    with ctx.store.unit() as unit:
        kept = unit.taken_aside(f"aside/{key}")
        if not isinstance(kept, Mapping) or (at and kept.get("address") != at):
            return None
        until = kept.get("until")
        if isinstance(until, int) and ctx.now().timestamp() >= until:
            return None
        if not actor.id or actor.id != (kept.get("account") or _owner_at(unit, str(kept.get("address", "")))):
            return None
    with ctx.store.unit(write=True) as unit:
        if unit.taken_aside(f"aside/{key}") is None:
            return None
    pairs = kept.get("fields")
    fields = [(str(one[0]), str(one[1])) for one in pairs if isinstance(one, list)] if isinstance(pairs, list) else []
    return str(kept.get("address", "/")), fields


def _owner_at(unit: Unit, address: str) -> str:
    """Whose the dossier of an applicant's address is; nobody's for any other address."""
    dossier = unit.dossier_numbered(address.split("/")[2]) if _is_dossier(address) else None
    return dossier.owner if dossier else ""


def _is_dossier(address: str) -> bool:
    parts = address.split("/")
    return len(parts) > 2 and parts[1] == "dossiers"
