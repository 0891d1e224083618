"""Letters: the short address they carry, the house's own about payments, and who may read those of a dossier."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from engine.office.office import Office, seen
from engine.records.dossier import Actor, Dossier, Letter, Payment
from engine.records.store import Unit
from engine.sms import to_gsm
from engine.values import group_number, new_id

_PAYMENT_KEYS: Final = {
    "paid": "notice.paid.sms", "overpaid": "notice.paid.sms", "failed": "notice.failed.sms",
    "expired": "notice.failed.sms", "unknown": "notice.unknown.sms",
}  # fmt: skip


def dossier_link(office: Office, dossier: Dossier) -> str:
    """The address a message carries: by number, which opens nothing without signing in."""
    return f"{office.settings.short_url}/d/{dossier.number}"


def payment_letter(office: Office, unit: Unit, dossier: Dossier, payment: Payment, now: datetime) -> None:
    """Owes the news of a payment to the applicant: their screen may be closed by now."""
    key = _PAYMENT_KEYS.get(payment.status)
    if key is None or not dossier.contact_phone:
        return
    facts = {
        "amount": office.wording.amount(payment.amount, dossier.language), "dossier": group_number(dossier.number),
        "receipt": payment.receipt or "", "link": dossier_link(office, dossier),
    }  # fmt: skip
    body = to_gsm(office.wording.say(key, dossier.language, facts))
    dedupe = f"{dossier.id}:payment:{payment.id}:{payment.status}"
    unit.add_letter(Letter(new_id(), dossier.id, "sms", dossier.contact_phone, "", body, now, dedupe, now))


def letters_of(office: Office, actor: Actor, dossier_id: str) -> tuple[Letter, ...]:
    """Every message owed or sent about a dossier. An auditor sees that they were sent, not what they say."""
    with office.store.unit() as unit:
        letters = unit.letters_of(seen(unit, office, actor, dossier_id).id)
    return () if actor.kind == "auditor" else letters
