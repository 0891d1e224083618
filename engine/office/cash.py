"""Banknotes at a counter: what is owed is paid into the hand of the agent who helps, where the book takes cash; the receipt has
its number at once."""

from __future__ import annotations

from typing import Final

from engine.definition.model import Fee
from engine.gateways.payments import CURRENCY
from engine.office.cashier import PAYMENT, awaited_in, due_now
from engine.office.command import once
from engine.office.journalling import journalise
from engine.office.office import Office, pinned, seen
from engine.office.settlement import SECOND_THOUGHTS, credit
from engine.problems import Refused, refusal
from engine.records.dossier import Actor, Dossier, Payment, PaymentEvent
from engine.records.store import Unit
from engine.rules.access import is_helped
from engine.rules.decision import EntryDraft
from engine.values import Plain, new_id

CASH: Final = "cash"


def cash_due(office: Office, actor: Actor, dossier_id: str) -> int:
    """What may be paid in banknotes now: all that is owed, where every price of it takes them; else nothing."""
    with office.store.unit() as unit:
        dossier = seen(unit, office, actor, dossier_id)
        takes = is_helped(dossier, actor) and awaited_in(unit, dossier, office.now()) is None
        return _owed_in_cash(office, unit, dossier) if takes else 0


def takes_cash(office: Office, actor: Actor, dossier_id: str) -> bool:
    """Whether all that is owed may be paid in banknotes, at a counter."""
    with office.store.unit() as unit:
        return _owed_in_cash(office, unit, seen(unit, office, actor, dossier_id)) > 0


def _owed_in_cash(office: Office, unit: Unit, dossier: Dossier) -> int:
    procedure = pinned(office, unit, dossier)
    due = due_now(office, procedure, dossier)
    fees = [procedure.tasks[one.fee] for one in due]
    return sum(one.left for one in due) if all(isinstance(fee, Fee) and CASH in fee.methods for fee in fees) else 0


def take_cash(office: Office, actor: Actor, dossier_id: str, amount: int, *, token: str | None = None) -> Payment:
    """Notes that the agent who helps has this sum in hand, and credits it. Raises NotFound; Refused: role, cash_refused (other
    sum than what is owed, or the book takes none), payment_pending or payment_unknown: money may still come otherwise."""

    def work(unit: Unit) -> Payment:
        dossier, now = seen(unit, office, actor, dossier_id), office.now()
        if not is_helped(dossier, actor):
            raise Refused(refusal("role", roles=("agent",)))
        if (other := awaited_in(unit, dossier, now)) is not None:
            until = (other.started_at + SECOND_THOUGHTS).isoformat(timespec="seconds")
            raise Refused(refusal(f"payment_{other.status}", payment=other.id, until=until))
        owed = _owed_in_cash(office, unit, dossier)
        if not owed or amount != owed:
            raise Refused(refusal("cash_refused"))
        due = due_now(office, pinned(office, unit, dossier), dossier)
        payment = Payment(
            new_id(), new_id(), dossier.id, tuple(one.fee for one in due), amount, CASH, CASH,
            dossier.contact_phone or "", "pending", now, now,
        )  # fmt: skip
        unit.add_payment(payment)
        fees: list[Plain] = [*payment.fees]
        body: dict[str, Plain] = {"payment": payment.id, "provider": CASH, "amount": amount, "fees": fees}
        journalise(unit, dossier, [EntryDraft("payment_started", body)], actor, now)
        unit.add_event(PaymentEvent(
            CASH, f"hand:{payment.reference}", payment.id, "paid", amount, CURRENCY, now, verified=True, note=actor.id
        ))  # fmt: skip
        return credit(office, unit, payment, dossier, amount, now)

    return once(office, actor, "take_cash", token, (dossier_id, amount), work, PAYMENT)
