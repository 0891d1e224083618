"""The link that a message about a visit carries: who holds it may see, move or cancel this visit, and nothing else.

It is worked out, not kept: from the dossier, the visit, and the phone it was sent to. Another phone makes another link.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from engine.core.problems import Refused
from engine.core.values import has_check_digit
from engine.records.dossier import Actor, Dossier
from engine.services.context.app_context import NUMBER_DIGITS, AppContext, NotFound
from engine.services.context.rate_limit import Limit, too_many

SIGNS: Final = 11  # 55 bits
HEAD: Final = 8  # the dossier's number, shorter than in digits: it stands in an SMS
MOST_WRONG: Final = 20  # an hour, from one address; the right link is always heard
_PURPOSE: Final = "visit link"


@dataclass(frozen=True, slots=True)
class HeldVisit:
    """Whom a link lets in, and to which visit."""

    owner: Actor
    dossier: Dossier
    appointment: str


def visit_link(ctx: AppContext, dossier: Dossier, appointment: str) -> str:
    return f"{ctx.settings.short_url}/r/{visit_token(ctx, dossier, appointment)}"


def visit_token(ctx: AppContext, dossier: Dossier, appointment: str) -> str:
    head = base64.b32encode(int(dossier.number).to_bytes(5, "big")).decode().lower()
    return head + _proofs(ctx, dossier, appointment)[0]


def _proofs(ctx: AppContext, dossier: Dossier, appointment: str) -> list[str]:
    """The one that is sent now, then those that were sent under earlier secrets."""
    said = "\x1f".join((dossier.id, appointment, dossier.contact_phone or dossier.contact_email or "")).encode()
    digests = [hmac.new(one, said, hashlib.sha256).digest() for one in ctx.keys.secrets_for(_PURPOSE)]
    return [base64.b32encode(one).decode().lower()[:SIGNS] for one in digests]


def held_visit(ctx: AppContext, token: str, client: str = "") -> HeldVisit:
    """The visit of a link, as long as the dossier knows one. Raises NotFound; Refused("too_many_tries")."""
    number, proof = _number(token[:HEAD]), token[HEAD:].lower()
    if number is None or len(proof) != SIGNS or not proof.isascii():
        raise NotFound
    with ctx.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    known = sorted(dossier.bookings) if dossier is not None and dossier.erased_at is None else []
    for name in known:
        if dossier is not None and any(hmac.compare_digest(one, proof) for one in _proofs(ctx, dossier, name)):
            return HeldVisit(Actor("applicant", dossier.owner), dossier, name)
    _count_wrong(ctx, client)
    raise NotFound


def _number(head: str) -> str | None:
    try:
        number = f"{int.from_bytes(base64.b32decode(head.upper()), 'big'):0{NUMBER_DIGITS}d}"
    except ValueError:
        return None
    return number if len(number) == NUMBER_DIGITS and has_check_digit(number) else None


def _count_wrong(ctx: AppContext, client: str) -> None:
    """Raises Refused("too_many_tries") once somebody guesses."""
    with ctx.store.unit(write=True) as unit:
        closed = too_many(unit, ctx.now(), Limit(f"visit@{client}", MOST_WRONG, timedelta(hours=1)))
    if closed is not None:
        raise Refused(closed)
