"""PayGate Global: Flooz and Mixx by Yas (T-Money) in Togo, in francs, by a push to the payer's phone.

Its callbacks have no signature: only the answer to our status request counts. That answer names our reference
but no amount. The collected amount is the ordered one, because PayGate accepts a reference only once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, Literal

from engine.core.clock import Clock
from engine.integrations.http_client import HttpClient, whole_francs
from engine.integrations.payment_provider import (
    CURRENCY,
    BadCallback,
    PaymentNotice,
    PaymentOrder,
    ProviderDown,
    ProviderStatus,
    Started,
    Wallet,
)  # fmt: skip
from engine.records.dossier import PaymentStatus

ADDRESS: Final = "https://paygateglobal.com"
Network = Literal["FLOOZ", "TMONEY"]
_REGISTERED, _DUPLICATE = "0", "6"
_KINDS: Final[Mapping[str, tuple[PaymentStatus, str | None]]] = {
    "0": ("paid", None), "2": ("pending", None), "4": ("expired", None), "6": ("failed", "cancelled"),
}  # fmt: skip


class PayGate(Wallet):
    """One network of PayGate Global. The applicant chooses the wallet, because a number does not identify its network."""

    def __init__(self, id: str, label: str, wire: HttpClient, token: str, network: Network, clock: Clock) -> None:
        self.id, self.label = id, label
        self._wire, self._token, self._network, self._clock = wire, token, network, clock

    def start(self, order: PaymentOrder) -> Started:
        """Place an order. An already known reference is a success. Raises `ProviderDown`, also for a refused order."""
        answer = self._wire.post("/api/v1/pay", {
            "auth_token": self._token, "phone_number": order.payer.removeprefix("+228"), "amount": order.amount,
            "description": order.label, "identifier": order.reference, "network": self._network,
        })  # fmt: skip
        if answer.text("status") == _REGISTERED:
            return Started(answer.text("tx_reference") or None)
        if answer.text("status") == _DUPLICATE:  # PayGate already has this order: its result is requested later
            return Started()
        raise ProviderDown(f"refused_{answer.text('status')[:10]}")

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNotice:
        """Return the content of an unsigned JSON callback. Raises `BadCallback` (`unreadable`)."""
        try:
            reported = json.loads(body)
            reference, theirs = str(reported["identifier"]), str(reported["tx_reference"])
        except (ValueError, TypeError, KeyError, RecursionError) as wrong:
            raise BadCallback("unreadable") from wrong
        amount = whole_francs(reported.get("amount"))
        if amount is None:
            raise BadCallback("unreadable")
        return PaymentNotice(theirs, reference, theirs, "paid", amount, CURRENCY, self._clock.now())

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        """Return the state of an order by our reference. The amount is None when PayGate names none, 0 when unreadable.

        Raises `ProviderDown`.
        """
        answer = self._wire.post("/api/v2/status", {"auth_token": self._token, "identifier": reference})
        if answer.status == 404:
            return ProviderStatus("unknown", 0, CURRENCY, reference, "no_such_order")
        kind, reason = _KINDS.get(answer.text("status"), ("unknown", None))
        named = answer.text("identifier") or reference
        amount = (whole_francs(answer.at("amount")) or 0) if answer.at("amount") is not None else None
        return ProviderStatus(kind, amount, CURRENCY, named, reason, answer.text("tx_reference") or None)
