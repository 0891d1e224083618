"""Appending entries to the journal of a dossier, with the money they owe back."""

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
from engine.storage.unit_of_work import Unit

OWING: Final = frozenset({"credited", "overpaid", "refund_owed"})


@dataclass(frozen=True, slots=True)
class Debt:
    """Money that one journal entry owes back, in francs.

    With `fee` it was paid for that fee; without, it exceeded the price of `payment`.
    """

    entry: int
    at: datetime
    amount: int
    payment: str | None = None
    fee: str | None = None


def surplus(entries: Iterable[JournalEntry]) -> dict[str, int]:
    """Return the excess by payment, as the journal records it.

    It includes what the operator reported as taken after crediting.
    """
    over: dict[str, int] = {}
    for debt in debts(entries):
        if debt.payment is not None and debt.fee is None:
            over[debt.payment] = over.get(debt.payment, 0) + debt.amount
    return over


def debts(entries: Iterable[JournalEntry]) -> Iterator[Debt]:
    """Yield each amount that a whole journal records as owed back, entry by entry."""
    known: dict[str, int] = {}  # francs received, by payment
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
    """Save a refund for each entry from `since` on that owes money back, in the unit that sealed it."""
    for debt in debts(unit.entries(dossier.id)):
        if debt.entry >= since:
            payment, payer = _paid_by(unit, dossier, debt)
            unit.add_refund(Refund(
                dossier.id, debt.entry, dossier.procedure, debt.fee, payment, payer, debt.amount, debt.at
            ))  # fmt: skip


def _paid_by(unit: Unit, dossier: Dossier, debt: Debt) -> tuple[str | None, str]:
    """Return the payment that the money came with, and its phone number.

    For an entry without payment, the last one that paid for its fee.
    """
    found = [
        one
        for one in unit.payments_of(dossier.id)
        if one.id == debt.payment or (debt.payment is None and one.status in RECEIVED and debt.fee in one.fees)
    ]
    return (found[-1].id, found[-1].payer) if found else (debt.payment, dossier.contact_phone or "")


def journalise(unit: Unit, dossier: Dossier, drafts: Iterable[EntryDraft], actor: Actor, now: datetime) -> None:
    """Append entries to the chain of a dossier and store the salts of their commitments apart.

    The last entry commits to the rows of the dossier that this unit wrote since the entry before. Money
    that the entries owe back is saved with them.
    """
    head, all_drafts = unit.head(dossier.id), tuple(drafts)
    before, sealed = head[0], list[tuple[JournalEntry, Mapping[str, str]]]()
    for left, draft in enumerate(all_drafts, 1 - len(all_drafts)):
        commits: dict[str, Plain] = {**draft.commits, **({} if left else unit.uncommitted(dossier.id))}
        body, salts = with_commitments(draft.body, commits)
        entry = seal(head, dossier.id, now, actor, draft.kind, dossier.fingerprint, body)
        sealed.append((entry, salts))
        head = (entry.n, entry.hash)
    unit.add_entries(sealed)
    if any(entry.kind in OWING for entry, _ in sealed):
        owe_back(unit, dossier, before + 1)


def journalise_message(unit: Unit, dossier: Dossier, event: str, now: datetime) -> None:
    """Append an entry for a message that no other entry mentions. Call it after the message is added."""
    journalise(unit, dossier, [EntryDraft("told", {"event": event})], SYSTEM_ACTOR, now)
