"""Sealing what was done on a dossier into its journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.core.values import Plain
from engine.domain.common.decision import EntryDraft
from engine.journal.chain import JournalEntry, seal, with_commitments
from engine.records.dossier import RECEIVED, SYSTEM_ACTOR, Actor, Dossier
from engine.records.refunds import Refund
from engine.services.context.app_context import AppContext, seen
from engine.storage.unit_of_work import Unit

OWING: Final = frozenset({"credited", "overpaid", "refund_owed"})


@dataclass(frozen=True, slots=True)
class Debt:
    """What one entry of a journal owes back: of a fee, to who paid it by a payment, else over the price of a payment."""

    entry: int
    at: datetime
    amount: int
    payment: str | None = None
    fee: str | None = None


def to_give_back(ctx: AppContext, actor: Actor, dossier_id: str) -> Mapping[str, int]:
    """Francs that came in over the price, by the payment they came with; a payment with nothing over is not named."""
    with ctx.store.unit() as unit:
        return surplus(unit.entries(seen(unit, ctx, actor, dossier_id).id))


def surplus(entries: Iterable[JournalEntry]) -> dict[str, int]:
    """As the journal has it: what was over when credited, and what was learnt to have been taken since."""
    over: dict[str, int] = {}
    for debt in debts(entries):
        if debt.payment is not None and debt.fee is None:
            over[debt.payment] = over.get(debt.payment, 0) + debt.amount
    return over


def debts(entries: Iterable[JournalEntry]) -> Iterator[Debt]:
    """What a whole journal owes back, entry by entry."""
    known: dict[str, int] = {}  # francs taken, by payment
    for entry in entries:
        if entry.kind not in OWING or not isinstance(entry.body, Mapping):
            continue
        payment, fee, amount = entry.body.get("payment"), entry.body.get("fee"), entry.body.get("amount")
        extra = entry.body.get("extra", 0)
        if not isinstance(amount, int) or not isinstance(extra, int):
            continue
        if entry.kind == "refund_owed":
            if isinstance(fee, str) and amount > 0:
                yield Debt(entry.n, entry.at, amount, payment if isinstance(payment, str) else None, fee)
        elif isinstance(payment, str):
            owed = extra if entry.kind == "credited" else max(0, amount - known.get(payment, 0))
            known[payment] = max(amount, known.get(payment, 0))
            if owed > 0:
                yield Debt(entry.n, entry.at, owed, payment=payment)


def owe_back(unit: Unit, dossier: Dossier, since: int) -> None:
    """Keeps a line for each entry from `since` on that owes money back, in the unit that sealed it."""
    for debt in debts(unit.entries(dossier.id)):
        if debt.entry >= since:
            payment, payer = _paid_by(unit, dossier, debt)
            unit.add_refund(Refund(
                dossier.id, debt.entry, dossier.procedure, debt.fee, payment, payer, debt.amount, debt.at
            ))  # fmt: skip


def _paid_by(unit: Unit, dossier: Dossier, debt: Debt) -> tuple[str | None, str]:
    """The payment it came with and its number: of a fee whose entry names none, the last that paid for it."""
    found = [
        one
        for one in unit.payments_of(dossier.id)
        if one.id == debt.payment or (debt.payment is None and one.status in RECEIVED and debt.fee in one.fees)
    ]
    return (found[-1].id, found[-1].payer) if found else (debt.payment, dossier.contact_phone or "")


def journalise(unit: Unit, dossier: Dossier, drafts: Iterable[EntryDraft], actor: Actor, now: datetime) -> None:
    """Seals entries to the dossier's chain; the salts of what they commit to are kept apart from them. The last one commits to
    the rows that this unit wrote of the dossier since its entry before. What they owe back to who paid is kept beside them."""
    head, all_drafts = unit.head(dossier.id), tuple(drafts)
    before, owing = head[0], False
    for left, draft in enumerate(all_drafts, 1 - len(all_drafts)):
        commits: dict[str, Plain] = {**draft.commits, **({} if left else unit.uncommitted(dossier.id))}
        body, salts = with_commitments(draft.body, commits)
        entry = seal(head, dossier.id, now, actor, draft.kind, dossier.fingerprint, body)
        unit.add_entry(entry, salts)
        head = (entry.n, entry.hash)
        owing = owing or draft.kind in OWING
    if owing:
        owe_back(unit, dossier, before + 1)


def journalise_message(unit: Unit, dossier: Dossier, event: str, now: datetime) -> None:
    """For a letter that no other entry tells of: after it is added."""
    journalise(unit, dossier, [EntryDraft("told", {"event": event})], SYSTEM_ACTOR, now)
