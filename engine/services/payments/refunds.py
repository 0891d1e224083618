"""Refunds: what an agency still owes and to whom, and the record that an agent paid it back, once.

The known operators only collect. The agency pays back from its own account and records the reference
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain, Span
from engine.domain.common.access import holds, in_their_offices, phones_of
from engine.domain.common.decision import EntryDraft
from engine.domain.common.working_time import add_span
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.model.roles import roles_of
from engine.records.dossier import Actor, Dossier, Payment
from engine.records.refunds import Refund, mark_text, read_mark
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.idempotency import Memory, once
from engine.services.core.journalling import journalise
from engine.services.core.outbound_messages import repaid_letter
from engine.storage.unit_of_work import Unit

PROMISED: Final = Span(5, "day", working=True)  # as the pages for citizens state
LONGEST: Final = 60  # characters of a reference
SHORTEST: Final = 4


@dataclass(frozen=True, slots=True)
class OwedBack:
    """One refund of a dossier and the day it is due.

    `closed`: why this person may not record it as paid. `payment`: the payment by card or in cash that it
    goes back to, if no phone number is known.
    """

    refund: Refund
    number: str
    due: datetime
    closed: Refusal | None = None
    payment: Payment | None = None


@dataclass(frozen=True, slots=True)
class OwedPage:
    """One page of the refunds that the agencies of an agent owe.

    `after` is the position where the next page begins, None on the last.
    """

    lines: tuple[OwedBack, ...]
    after: str | None = None


def owed_back(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[OwedBack, ...]:
    """Return the refunds of a dossier, due and paid, the oldest first. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        return tuple(_line(ctx, unit, procedure, dossier, one, actor) for one in unit.refunds_of(dossier.id))


def _line(
    ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier, refund: Refund, actor: Actor
) -> OwedBack:
    closed = _refusal(unit, procedure, dossier, refund, actor)
    payment = unit.payment(refund.payment) if refund.payment and not refund.payer else None
    named = payment if payment is not None and payment.method in ("card", "cash") else None
    return OwedBack(refund, dossier.number, due_of(ctx, refund), closed, named)


def due_of(ctx: AppContext, refund: Refund) -> datetime:
    """Return the moment by which a refund is due: `PROMISED` after it arose, in working days."""
    return add_span(refund.owed_at, PROMISED, ctx.directory.calendar)


def paying_agencies(ctx: AppContext, actor: Actor) -> tuple[str, ...]:
    """Return the agencies whose refunds this agent may record, sorted."""
    return tuple(sorted(set(_paid_by(ctx, actor).values())))


def _paid_by(ctx: AppContext, actor: Actor) -> Mapping[str, str]:
    """Return the procedures whose refunds this agent may record, each with its agency.

    Past editions count too. No procedure is loaded.
    """

    def work(_: Catalogue) -> Mapping[str, str]:
        mine = ctx.editions.having(ctx.catalogue, actor.roles)
        return MappingProxyType({one.id: one.agency for one in mine if _may_pay(one.agency, one.roles, actor)})

    name = ("paid back", actor.kind, actor.principal, actor.roles)
    return ctx.editions.worked_out(ctx.catalogue, name, work)


def _may_pay(agency: str, roles: Iterable[str], actor: Actor) -> bool:
    """Return whether an agent acts for themself in a role of the agency of the procedure.

    Roles of consulted agencies pay nothing back.
    """
    own = {role for role in roles if role.partition("/")[0] == agency}
    return actor.kind == "agent" and not actor.principal and holds(actor, own)


def _refusal(unit: Unit, procedure: Procedure, dossier: Dossier, refund: Refund, actor: Actor) -> Refusal | None:
    if not _may_pay(procedure.identity.agency, roles_of(procedure), actor) or not in_their_offices(dossier, actor):
        return refusal("refund_not_yours")
    if refund.paid_at is not None:
        return refusal("refund_paid")
    if _benefits(unit, dossier, refund, actor):
        return refusal("refund_own")
    return None


def _benefits(unit: Unit, dossier: Dossier, refund: Refund, actor: Actor) -> bool:
    """Return whether the money would go to this agent: a number or address of theirs."""
    account = unit.account(actor.id)
    theirs = {one.value for one in unit.identifiers_of(actor.id)}
    theirs |= {said for said in account.profile.values() if isinstance(said, str)} if account is not None else set()
    owner = {one.value for one in unit.identifiers_of(dossier.owner)}
    reached = {refund.payer, dossier.contact_email, *phones_of(dossier)}
    return bool(theirs & (reached | owner))


def refunds_to_pay(
    ctx: AppContext, actor: Actor, *, agency: str | None = None, after: str | None = None, limit: int = 50
) -> OwedPage:
    """Return one page of the refunds due by the agencies of this agent, the oldest first.

    `agency` restricts it to one.
    """
    procedures = [one for one, its in _paid_by(ctx, actor).items() if agency in (None, its)]
    if not procedures:
        return OwedPage(())
    with ctx.store.unit() as unit:
        found = unit.refunds_open(procedures, actor.offices or None, read_mark(after), limit + 1)
        lines = tuple(_listed(ctx, unit, found[:limit], actor))
    return OwedPage(lines, mark_text(found[limit - 1]) if len(found) > limit else None)


def _listed(ctx: AppContext, unit: Unit, found: Iterable[Refund], actor: Actor) -> Iterable[OwedBack]:
    for refund in found:
        dossier = unit.dossier_at_rest(refund.dossier)
        if dossier is None:
            continue
        try:
            line = _line(ctx, unit, pinned(ctx, unit, dossier), dossier, refund, actor)
            if line.closed is None or line.closed.code != "refund_not_yours":  # another edition gave them a part
                yield line
        except EditionMissing:  # the others are still paid back
            yield OwedBack(refund, dossier.number, due_of(ctx, refund), refusal("refund_edition_lost"))


def read_reference(text: str) -> str:
    """Return the reference with its spaces reduced. Raises Refused: reference_missing, reference_long."""
    reference = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(reference) < SHORTEST:
        raise Refused(refusal("reference_missing", minimum=SHORTEST))
    if len(reference) > LONGEST:
        raise Refused(refusal("reference_long", maximum=LONGEST))
    return reference


def pay_back(
    ctx: AppContext, actor: Actor, dossier_id: str, entry: int, reference: str, *, token: str | None = None
) -> Refund:
    """Record that a refund was paid under the reference of the operator or bank, and notify the payer.

    Raises `NotFound`. Raises Refused: refund_not_yours, refund_paid, refund_own, reference_missing,
    reference_long.
    """
    said = read_reference(reference)

    def work(unit: Unit) -> Refund:
        dossier, now = seen(unit, ctx, actor, dossier_id), ctx.now()
        refund = _found(unit, dossier.id, entry)
        closed = _refusal(unit, pinned(ctx, unit, dossier), dossier, refund, actor)
        if closed is not None:
            raise Refused(closed)
        paid = replace(refund, paid_at=now, paid_by=actor.id, reference=said)
        kept = replace(paid, payer="") if dossier.erased_at is not None else paid
        if not unit.pay_back(kept):
            raise Refused(refusal("refund_paid"))
        body: dict[str, Plain] = {"owed": entry, "amount": refund.amount}
        body |= {"fee": refund.fee} if refund.fee is not None else {"payment": refund.payment}
        if dossier.erased_at is not None:
            unit.erase_salts(dossier.id, [f"refunds.{entry}"])  # of the payer's number
        repaid_letter(ctx, unit, dossier, paid, now)
        journalise(unit, dossier, [EntryDraft("refunded", body, {f"refunds.{entry}": said})], actor, now)
        return kept

    return once(ctx, actor, "pay_back", token, (dossier_id, entry, said), work, _REPAID)


def _found(unit: Unit, dossier_id: str, entry: int) -> Refund:
    found = next((one for one in unit.refunds_of(dossier_id) if one.entry == entry), None)
    if found is None:
        raise NotFound
    return found


def _recall(unit: Unit, kept: Plain) -> Refund:
    dossier_id, _, entry = str(kept).partition(" ")
    return _found(unit, dossier_id, int(entry))


_REPAID: Final[Memory[Refund]] = Memory(lambda refund: f"{refund.dossier} {refund.entry}", _recall)
