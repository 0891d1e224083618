"""What came in beyond the price, by payment: twice debited, paid again, or come after the dossier was closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.office.office import Office, seen
from engine.records.dossier import Actor
from engine.records.journal import Entry


def to_give_back(office: Office, actor: Actor, dossier_id: str) -> Mapping[str, int]:
    """Francs to give back, by the payment they came with; a payment with nothing over is not named."""
    with office.store.unit() as unit:
        return surplus(unit.entries(seen(unit, office, actor, dossier_id).id))


def surplus(entries: Iterable[Entry]) -> dict[str, int]:
    """As the journal has it: what was over when credited, and what was learnt to have been taken since."""
    credited: dict[str, int] = {}
    over: dict[str, int] = {}
    for entry in entries:
        if entry.kind not in ("credited", "overpaid") or not isinstance(entry.body, Mapping):
            continue
        payment, amount, extra = entry.body.get("payment"), entry.body.get("amount"), entry.body.get("extra", 0)
        if not isinstance(payment, str) or not isinstance(amount, int) or not isinstance(extra, int):
            continue
        if entry.kind == "credited":
            credited[payment], over[payment] = amount, extra
        else:
            over[payment] = over.get(payment, 0) + max(0, amount - credited.get(payment, 0))
            credited[payment] = max(amount, credited.get(payment, 0))
    return {payment: francs for payment, francs in over.items() if francs}
