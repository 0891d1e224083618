"""Links to an issued document.

The holder of a link sees the whole document for a week, unless it is revoked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Refused, refusal
from engine.domain.common.access import is_owner
from engine.domain.common.decision import EntryDraft
from engine.domain.documents.documents import is_erased, status_of
from engine.model import Procedure
from engine.records.dossier import Actor, Dossier, IssuedDocument
from engine.records.exchanges import Share
from engine.services.applications.draft_answers import count_change
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.core.checkpoints import ASTRAY
from engine.services.core.journalling import journalise
from engine.services.keys.secrets import new_token, token_digest
from engine.storage.unit_of_work import Unit

LASTS: Final = timedelta(days=7)
MOST: Final = 10  # active links of one dossier
_SHOWN: Final = frozenset({"valid", "expired", "replaced"})


@dataclass(frozen=True, slots=True)
class Lent:
    """The document that a link shows, with its dossier and edition. `until` is the end of the link."""

    dossier: Dossier
    procedure: Procedure
    document: IssuedDocument
    until: datetime


def lend(ctx: AppContext, actor: Actor, dossier_id: str, document_id: str, *, token: str | None = None) -> str:
    """Create a link and return its token, shown once.

    The same form sent twice gives one link. Raises `NotFound`. Raises Refused: shares_many, too_many_tries.
    """
    secret = new_token() if token is None else _worked_out(ctx, document_id, token)
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        dossier, document = _own(ctx, unit, actor, dossier_id, document_id)
        if unit.share(token_digest(secret)) is not None:
            return secret
        if len(list(_open(unit.shares_of(dossier.id), now))) >= MOST:
            raise Refused(refusal("shares_many", maximum=MOST))
        count_change(ctx, unit, actor)
        unit.put_share(Share(token_digest(secret), dossier.id, document.id, now, now + LASTS))
        journalise(unit, dossier, [EntryDraft("shared", {"number": document.number})], actor, now)
    return secret


def shares_of(ctx: AppContext, actor: Actor, dossier_id: str, document_id: str) -> tuple[Share, ...]:
    """Return the active links of a document, the oldest first. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier, document = _own(ctx, unit, actor, dossier_id, document_id)
        found = unit.shares_of(dossier.id)
    return tuple(one for one in _open(found, ctx.now()) if one.document == document.id)


def take_back(ctx: AppContext, actor: Actor, dossier_id: str, document_id: str, share: str) -> None:
    """Revoke a link at once. Raises `NotFound` for a link of another document."""
    now = ctx.now()
    with ctx.store.unit(write=True) as unit:
        dossier, document = _own(ctx, unit, actor, dossier_id, document_id)
        kept = unit.share(share)
        if kept is None or (kept.dossier, kept.document) != (dossier.id, document.id):
            raise NotFound
        if kept.revoked_at is None:
            unit.put_share(replace(kept, revoked_at=now))
            journalise(unit, dossier, [EntryDraft("share_ended", {"number": document.number})], actor, now)


def lent(ctx: AppContext, secret: str) -> Lent:
    """Return what a link shows today.

    The opening is counted, without the person. Raises `NotFound` when the link expired, was revoked, the document is
    not valid any more, or its request or the account of its owner was erased.
    """
    now, digest = ctx.now(), token_digest(secret)
    with ctx.store.unit() as unit:
        known = unit.share(digest)
    if known is None:
        raise NotFound
    with ctx.store.unit(write=True) as unit:
        dossier = unit.dossier(known.dossier)  # before its share, as who takes it back: else each waits for the other
        share = unit.share(digest)
        if share is None or dossier is None or not list(_open((share,), now)):
            raise NotFound
        owner = unit.account(dossier.owner)
        if owner is None or owner.disabled or dossier.erased_at is not None:
            raise NotFound
        document = dossier.document(share.document)
        if document is None or not _is_shown(document, now):
            raise NotFound
        unit.put_share(replace(share, opens=share.opens + 1, opened_at=now))
        return Lent(dossier, pinned(ctx, unit, dossier), document, share.expires_at)


def _own(
    ctx: AppContext, unit: Unit, actor: Actor, dossier_id: str, document_id: str
) -> tuple[Dossier, IssuedDocument]:
    dossier = seen(unit, ctx, actor, dossier_id)
    document = dossier.document(document_id)
    if not is_owner(dossier, actor) or document is None or not _is_shown(document, ctx.now()):
        raise NotFound
    return dossier, document


def _is_shown(document: IssuedDocument, now: datetime) -> bool:
    return not is_erased(document) and status_of(document, local_day(now)) in _SHOWN


def _open(shares: Iterable[Share], now: datetime) -> Iterable[Share]:
    """Return the active links.

    One that ends later than possible today may come from a clock that was ahead.
    """
    latest = now + LASTS + ASTRAY
    return (one for one in shares if one.revoked_at is None and now < one.expires_at <= latest)


def _worked_out(ctx: AppContext, document_id: str, token: str) -> str:
    said = f"{document_id}\x1f{token}".encode()
    digest = hmac.new(ctx.keys.secret_for("shared documents"), said, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
