"""Sessions of accounts, and saved posts.

A session is opened after a proof of identity, read at each request, and ended by its owner. A saved
post was sent when its session had ended. Only the digest of a token is stored.
"""

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
from engine.services.limits.code_limits import UNKNOWN_ASKER, Asker, limits_of
from engine.services.payments.customers import HOLDER
from engine.storage.results import GLANCE, Busy
from engine.storage.unit_of_work import Unit

TOUCH_EVERY: Final = timedelta(seconds=60)  # a session records its last use at most this often
LONGEST_DEVICE: Final = 60
FRESH: Final = timedelta(minutes=15)  # since sign-in; later, a new proof is asked for before an identifier changes
LONGEST_ASIDE: Final = 64 * 1024  # bytes of a saved post, as the store writes it
ASIDE_LASTS: Final = timedelta(days=1)
REFUSED_LASTS: Final = timedelta(minutes=30)  # a refused post, for its page to be shown again
ASIDES_PER_ACCOUNT: Final = 40  # in a quarter of an hour, from all browsers
STRANGERS_PER_ADDRESS: Final = (200, timedelta(hours=1))  # posts of unknown sessions
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab and line ends
# names in forms outside dossiers; a question of a dossier may have the same name
_SECRETS: Final = frozenset({"password", "again", "before", "code", "confirm_code", "act-code", "pin"})


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session just opened. `token` is for the cookie and is stored nowhere else."""

    token: str
    actor: Actor


def open_session(
    ctx: AppContext, unit: Unit, account: Account, now: datetime, *, keep: bool = False, device: str = "",
    proven_at: datetime | None = None,
) -> SignedIn:  # fmt: skip
    """Open a session for a person whose identity is proven, since `proven_at` where it is not now.

    `keep`: the device belongs to them, so it lasts longer.
    """
    token = new_token()
    lasts = ctx.settings.kept_lasts if keep else ctx.settings.session_lasts
    unit.put_session(
        Session(token_digest(token), account.id, min(proven_at or now, now), now, now + lasts, keep, device[:LONGEST_DEVICE])
    )  # fmt: skip
    return SignedIn(token, ctx.person(account))


def actor_of(ctx: AppContext, token: str, touches: bool = True) -> Actor | None:
    """Return the actor of a session now; None for a closed account and an expired or idle session.

    `touches`: record its use.
    """
    now = ctx.now()
    with ctx.store.unit() as unit:
        found = unit.signed_in(token_digest(token))
    if found is None or not is_alive(ctx, *found, now):
        return None
    session, account = found
    if touches and now - session.seen_at >= TOUCH_EVERY:
        with suppress(Busy):  # a locked store still allows reading; the next page records it
            _touch(ctx, session, now)
    return ctx.person(account)


def _touch(ctx: AppContext, session: Session, now: datetime) -> None:
    with ctx.store.unit(write=True, wait_limit=GLANCE) as unit:
        if unit.session(session.token_sha256) is not None:  # signed out meanwhile: stays signed out
            unit.put_session(replace(session, seen_at=now))


def is_alive(ctx: AppContext, session: Session, account: Account, now: datetime) -> bool:
    """Return whether a session is neither expired nor idle and its account is open."""
    if not account.is_open(ctx.day()):
        return False
    idle = ctx.settings.idle if account.kind == "applicant" else ctx.settings.agent_idle
    return now < session.expires_at and (session.kept or now - session.seen_at < idle)


def is_fresh(ctx: AppContext, token: str) -> bool:
    """Return whether the holder of this session proved who they are within `FRESH`, by any method."""
    with ctx.store.unit() as unit:
        session = unit.session(token_digest(token))
    return session is not None and ctx.now() - session.created_at < FRESH


def sign_out(ctx: AppContext, token: str) -> None:
    """End the session of this token, without effect if it is unknown."""
    with ctx.store.unit(write=True) as unit:
        session = unit.session(token_digest(token))
        if session:
            unit.drop_sessions(session.account, session.token_sha256)


# -- own sessions ------------------------------------------------------------------------------------------------------


def sessions_of(ctx: AppContext, actor: Actor) -> tuple[Session, ...]:
    """Return the sessions in which this person is signed in, the latest used first."""
    now = ctx.now()
    with ctx.store.unit() as unit:
        account = unit.account(actor.id)
        found = unit.sessions_of(actor.id)
    return tuple(one for one in found if account is not None and is_alive(ctx, one, account, now))


def sign_out_of(ctx: AppContext, actor: Actor, session: str) -> None:
    """End one session of this person by its digest. Sessions of others are unaffected."""
    with ctx.store.unit(write=True) as unit:
        unit.drop_sessions(actor.id, session)


def sign_out_elsewhere(ctx: AppContext, actor: Actor, token: str) -> int:
    """End every other session of this person. Return how many."""
    own = token_digest(token)
    with ctx.store.unit(write=True) as unit:
        others = [one for one in unit.sessions_of(actor.id) if one.token_sha256 != own]
        for one in others:
            unit.drop_sessions(actor.id, one.token_sha256)
    return len(others)


# -- saved posts -------------------------------------------------------------------------------------------------------


def put_aside(
    ctx: AppContext, token: str, address: str, fields: Sequence[tuple[str, str]], *, before: str = "", asker: Asker = UNKNOWN_ASKER
) -> str:  # fmt: skip
    """Save a post to `address` for the account of the session, even an ended one.

    Passwords and codes are left out. Return its key. Without a known session, only a post to a dossier
    has an owner; for other addresses the key is empty. There is one saved post for a browser or
    session; it replaces the one under `before`. Raises Refused: aside_long, too_many_tries (minutes).
    Raises `NoRoom`.
    """
    kept: Plain = [[name, _CONTROLS.sub("", value)] for name, value in without_secrets(address, fields)]
    if len(canonical_json(kept)) > LONGEST_ASIDE:
        raise Refused(refusal("aside_long"))
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        session = unit.session(token_digest(token)) if token else None
        account = unit.account(session.account) if session else None
        if account is None or account.is_claimed:  # an unverified number identifies no owner here
            session, closed = None, too_many(unit, now, _strangers(asker), *limits_of(asker, "aside"))
        else:  # by the account alone: other persons behind its address do not count against it
            closed = too_many(unit, now, Limit(f"aside:{account.id}", ASIDES_PER_ACCOUNT))
        # the answer is the same for a dossier that does not exist
        if closed is None and (session or _is_dossier(address)):
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
    """Return the fields of a post without passwords, codes and card holder data.

    These are never saved or shown.
    """
    asks = "/dossiers/" in address and "/lien/" not in address  # the link to an earlier request asks for a code
    kept = ((name, value) for name, value in fields if not name.startswith(HOLDER))
    return [(name, value) for name, value in kept if asks or name not in _SECRETS]


def take_saved_post(ctx: AppContext, actor: Actor, key: str, at: str = "") -> tuple[str, list[tuple[str, str]]] | None:
    """Return a saved post once: its address and its fields.

    None unless the actor is its account, after a day, or if its address is not `at`. A post of an
    unknown account goes to the owner of the dossier it was sent to.
    """
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


def keep_refused_post(ctx: AppContext, actor: Actor, token: str, address: str, post: Plain) -> None:
    """Save a refused post to `address`, in the place of the last one of the session.

    It counts as a saved post of the account. Raises Refused: aside_long, too_many_tries (minutes). Raises `NoSpace`.
    """
    if len(canonical_json(post)) > LONGEST_ASIDE:
        raise Refused(refusal("aside_long"))
    now = ctx.now()
    until = int((now + REFUSED_LASTS).timestamp())
    with ctx.store.unit(write=True) as unit:
        closed = too_many(unit, now, Limit(f"aside:{actor.id}", ASIDES_PER_ACCOUNT))
        if closed is None:
            ctx.attachments.reserve.check(LONGEST_ASIDE)
            unit.keep_aside(_refused_at(token), {"address": address, "post": post, "until": until}, now)
    if closed:
        raise Refused(closed)


def find_refused_post(ctx: AppContext, token: str, address: str) -> Plain:
    """Return the last refused post of the session, as often as it is asked for.

    None after `REFUSED_LASTS`, or if it was sent to another address.
    """
    with ctx.store.unit() as unit:
        kept = unit.peeked_aside(_refused_at(token))
    if not isinstance(kept, Mapping) or kept.get("address") != address:
        return None
    until = kept.get("until")
    return kept.get("post") if isinstance(until, int) and ctx.now().timestamp() < until else None


def _refused_at(token: str) -> str:
    return f"aside/refused/{token_digest(token)}"


def _owner_at(unit: Unit, address: str) -> str:
    """Return the owner of the dossier in an address; empty for other addresses."""
    dossier = unit.dossier_numbered(address.split("/")[2]) if _is_dossier(address) else None
    return dossier.owner if dossier else ""


def _is_dossier(address: str) -> bool:
    parts = address.split("/")
    return len(parts) > 2 and parts[1] == "dossiers"
