"""What a worker does, done at once and in this thread, where a test wants to see what became of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.records.dossier import Actor, Payment
from engine.services.context.app_context import AppContext
from engine.services.core.register_lookups import ask_registers
from engine.services.payments import payments as cashier
from engine.services.payments import settlement
from engine.services.payments.order_placement import place_orders
from engine.services.payments.settlement import CallbackOutcome
from engine.services.worker.worker import make_calls


def work_off(office: AppContext) -> None:
    """Makes every call to a partner that waits: orders handed over, payments asked about, registers asked."""
    make_calls(office)


def start_payment(office: AppContext, actor: Actor, dossier_id: str, **given: Any) -> Payment:
    """A payment whose order was handed over, as it stands then; where it was paid at once, what comes after it was asked too."""
    payment = cashier.start_payment(office, actor, dossier_id, **given)
    place_orders(office)
    ask_registers(office)
    return _kept(office, payment)


def record_callback(office: AppContext, provider: str, headers: dict[str, str], body: bytes) -> CallbackOutcome:
    """A callback that was asked about; the payment as it stands then."""
    outcome = settlement.record_callback(office, provider, headers, body)
    settlement.ask_all_reported(office)
    ask_registers(office)
    return replace(outcome, payment=_kept(office, outcome.payment)) if outcome.payment else outcome


def _kept(office: AppContext, payment: Payment) -> Payment:
    with office.store.unit() as unit:
        return settlement.kept_payment(unit, payment.id)
