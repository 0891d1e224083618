"""CinetPay's checkout: the payer goes to its page, then comes back. Notifications are signed over their values.

It takes amounts by steps of 5 francs. A card is typed on its page; it wants to know of whoever holds it what banks compare.

The signature is HMAC-SHA256 of sixteen values in their order, in the header `x-token`. Its ping (a GET without anything)
is answered by the desk; what a notification says is asked again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from engine.core.clock import Clock
from engine.core.problems import Refusal, refusal
from engine.core.values import Plain
from engine.integrations.http_client import HttpClient, whole_francs
from engine.integrations.payment_provider import (
    WALLET_ASKS,
    Asked,
    BadCallback,
    Method,
    PaymentNotice,
    PaymentOrder,
    ProviderDown,
    ProviderStatus,
    Started,
    Wallet,
)  # fmt: skip
from engine.records.dossier import PaymentStatus

ADDRESS: Final = "https://api-checkout.cinetpay.com/v2"
TOKEN: Final = "x-token"
SIGNED: Final = (
    "cpm_site_id", "cpm_trans_id", "cpm_trans_date", "cpm_amount", "cpm_currency", "signature", "payment_method",
    "cel_phone_num", "cpm_phone_prefixe", "cpm_language", "cpm_version", "cpm_payment_config", "cpm_page_action",
    "cpm_custom", "cpm_designation", "cpm_error_message",
)  # fmt: skip
AMOUNT_STEP, LEAST_AMOUNT = 5, 100
CARD_ASKS: Final[tuple[Asked, ...]] = ("name", "email", "phone", "address", "city", "country", "postcode")
_CHANNELS: Final[Mapping[Method, str]] = {"mobile_money": "MOBILE_MONEY", "card": "CREDIT_CARD"}
_NO_POSTCODE: Final = "00000"  # where a country has none
_MADE, _DONE = "201", "00"
_KINDS: Final[Mapping[str, tuple[PaymentStatus, str | None]]] = {
    "ACCEPTED": ("paid", None), "REFUSED": ("failed", None), "CANCELLED": ("failed", "cancelled"),
    "WAITING_FOR_CUSTOMER": ("pending", None), "PENDING": ("pending", None),
}  # fmt: skip
_NO_SUCH: Final = frozenset({"600", "601", "627"})


class CinetPay(Wallet):
    """CinetPay for one site. `notify` and `back` are our addresses: where it tells, where it sends the payer back."""

    def __init__(
        self, id: str, label: str, wire: HttpClient, key: str, site: str, secret: str, notify: str, back: str, clock: Clock,
        method: Method = "mobile_money",
    ) -> None:  # fmt: skip
        self.id, self.label, self.method = id, label, method
        self.asks = CARD_ASKS if method == "card" else WALLET_ASKS
        self._wire, self._key, self._site, self._secret = wire, key, site, secret
        self._notify, self._back, self._clock = notify, back, clock

    def accepts(self, order: PaymentOrder) -> Refusal | None:
        if order.amount % AMOUNT_STEP or order.amount < LEAST_AMOUNT:
            return refusal("amount_refused", provider=self.label, step=AMOUNT_STEP, least=LEAST_AMOUNT)
        return None

    def start(self, order: PaymentOrder) -> Started:
        answer = self._wire.post("/payment", {
            "apikey": self._key, "site_id": self._site, "transaction_id": order.reference, "amount": order.amount,
            "currency": order.currency, "description": order.label, "notify_url": self._notify,
            "return_url": f"{self._back}?paiement={order.reference}", "channels": _CHANNELS[self.method], "lang": "FR",
            **self._customer(order),
        })  # fmt: skip
        page = answer.text("data", "payment_url")
        if answer.text("code") != _MADE or not page.startswith("https://"):
            raise ProviderDown(f"refused_{answer.text('code')[:10]}")
        return Started(page=page)

    def _customer(self, order: PaymentOrder) -> dict[str, Plain]:
        if self.method != "card":
            return {"customer_phone_number": order.payer}
        who = order.customer
        given, _, name = who.name.rpartition(" ")
        return {
            "customer_name": name, "customer_surname": given or name, "customer_email": who.email,
            "customer_phone_number": who.phone, "customer_address": who.address, "customer_city": who.city,
            "customer_country": who.country, "customer_state": who.country, "customer_zip_code": who.postcode or _NO_POSTCODE,
        }  # fmt: skip

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNotice:
        try:
            fields = parse_qs(body.decode("utf-8"), max_num_fields=100, keep_blank_values=True)
        except ValueError as wrong:
            raise BadCallback("unreadable") from wrong
        reported = {name: values[-1] for name, values in fields.items()}
        message = "".join(reported.get(name, "") for name in SIGNED).encode()
        expected = hmac.new(self._secret.encode(), message, hashlib.sha256).hexdigest().encode()
        given = {name.lower(): value for name, value in headers.items()}.get(TOKEN, "")
        if (
            not hmac.compare_digest(expected, given.encode("utf-8", "replace"))
            or reported.get("cpm_site_id") != self._site
        ):
            raise BadCallback("signature")
        reference, amount = reported.get("cpm_trans_id", ""), whole_francs(reported.get("cpm_amount"))
        if not reference or amount is None:
            raise BadCallback("unreadable")
        failed = reported.get("cpm_error_message", "").upper() not in ("", "SUCCES", "SUCCESS")
        kind: PaymentStatus = "failed" if failed else "paid"
        event = f"{reference}:{reported.get('cpm_trans_date', '')}:{kind}"
        now = self._clock.now()
        return PaymentNotice(event, reference, None, kind, amount, reported.get("cpm_currency", ""), now)

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        answer = self._wire.post(
            "/payment/check", {"apikey": self._key, "site_id": self._site, "transaction_id": reference}
        )
        if answer.text("code") in _NO_SUCH:
            return ProviderStatus("unknown", 0, "XOF", reference, "no_such_order")
        kind, reason = _KINDS.get(answer.text("data", "status"), ("unknown", None))
        if kind == "paid" and answer.text("code") != _DONE:
            raise ProviderDown(f"contradiction_{answer.text('code')[:10]}")
        amount = whole_francs(answer.at("data", "amount"))
        named = answer.text("data", "transaction_id") or reference
        return ProviderStatus(
            kind, amount or 0, answer.text("data", "currency") or "XOF", named, reason,
            answer.text("data", "operator_id") or None,
        )  # fmt: skip
