"""PayDunya: an invoice, then a push to a Togolese wallet (SoftPay).

The "hash" of its callbacks is the digest of the master key alone, the same for ever: it proves that the sender once saw a
callback, nothing about this one. Callbacks are hints; only the confirmation we ask for counts.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import parse_qs, quote

from engine.core.clock import Clock
from engine.core.values import Plain
from engine.integrations import payment_provider as payments
from engine.integrations.http_client import HttpClient, HttpResponse, whole_francs
from engine.integrations.payment_provider import (
    CURRENCY,
    BadCallback,
    PaymentNotice,
    PaymentOrder,
    ProviderDown,
    ProviderStatus,
    Started,
)  # fmt: skip
from engine.records.dossier import PaymentStatus

ADDRESS: Final = "https://app.paydunya.com/api/v1"
Wallet = Literal["t-money-togo", "moov-togo"]
_KINDS: Final[Mapping[str, tuple[PaymentStatus, str | None]]] = {
    "pending": ("pending", None), "completed": ("paid", None), "cancelled": ("failed", "cancelled"),
    "failed": ("failed", None),
}  # fmt: skip
_DONE: Final = "00"


class PayDunya(payments.Wallet):
    """One wallet of PayDunya. `name` is what the invoice says of who collects."""

    def __init__(
        self, id: str, label: str, wire: HttpClient, master: str, private: str, token: str, wallet: Wallet, name: str,
        clock: Clock,
    ) -> None:  # fmt: skip
        self.id, self.label = id, label
        self._wire, self._wallet, self._name, self._clock = wire, wallet, name, clock
        self._hash = hashlib.sha512(master.encode()).hexdigest()
        self._headers = {
            "PAYDUNYA-MASTER-KEY": master, "PAYDUNYA-PRIVATE-KEY": private, "PAYDUNYA-TOKEN": token,
        }  # fmt: skip

    def start(self, order: PaymentOrder) -> Started:
        made = self._wire.post("/checkout-invoice/create", {
            "invoice": {"total_amount": order.amount, "description": order.label},
            "store": {"name": self._name}, "custom_data": {"reference": order.reference},
        }, self._headers)  # fmt: skip
        token = made.text("token")
        if made.text("response_code") != _DONE or not token:
            raise ProviderDown(f"refused_{made.text('response_code')[:10]}")
        try:
            pushed = self._wire.post(f"/softpay/{self._wallet}", self._asked(order, token), self._headers)
        except ProviderDown:  # the invoice is theirs: what becomes of it is asked
            return Started(token, page=self._page(made))
        return Started(token, page=None if pushed.at("success") is True else self._page(made))

    def _page(self, made: HttpResponse) -> str | None:
        """The invoice's own page, for when nothing was put on the payer's phone."""
        page = made.text("response_text")
        return page if page.startswith("https://") else None

    def _asked(self, order: PaymentOrder, token: str) -> dict[str, Plain]:
        phone = order.payer.removeprefix("+228")
        if self._wallet == "t-money-togo":
            return {
                "name_t_money": order.label, "email_t_money": "", "phone_t_money": phone, "payment_token": token
            }  # fmt: skip
        return {
            "moov_togo_customer_fullname": order.label, "moov_togo_email": "", "moov_togo_customer_address": "",
            "moov_togo_phone_number": phone, "payment_token": token,
        }  # fmt: skip

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNotice:
        try:
            fields = parse_qs(body.decode("utf-8"), max_num_fields=200, keep_blank_values=True)
        except ValueError as wrong:
            raise BadCallback("unreadable") from wrong
        reported = {name: values[-1] for name, values in fields.items()}
        if not hmac.compare_digest(self._hash.encode(), reported.get("data[hash]", "").encode("utf-8", "replace")):
            raise BadCallback("signature")
        token, reference = reported.get("data[invoice][token]", ""), reported.get("data[custom_data][reference]", "")
        amount, kind = (
            whole_francs(reported.get("data[invoice][total_amount]")),
            _KINDS.get(reported.get("data[status]", "")),
        )
        if not token or not reference or amount is None or kind is None:
            raise BadCallback("unreadable")
        event = f"{token}:{kind[0]}"
        return PaymentNotice(event, reference, token, kind[0], amount, CURRENCY, self._clock.now())

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        """It is asked by its token only, which a callback names too."""
        if not provider_ref:
            return ProviderStatus("unknown", 0, CURRENCY, reference, "not_named")
        answer = self._wire.get(f"/checkout-invoice/confirm/{quote(provider_ref, safe='')}", self._headers)
        if answer.text("response_code") != _DONE:
            raise ProviderDown(f"refused_{answer.text('response_code')[:10]}")
        kind, reason = _KINDS.get(answer.text("status"), ("unknown", None))
        amount = whole_francs(answer.at("invoice", "total_amount"))
        named = answer.text("custom_data", "reference")
        return ProviderStatus(kind, amount or 0, CURRENCY, named, reason, provider_ref)
