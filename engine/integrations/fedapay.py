"""FedaPay: a transaction, its token, then a push to the payer's phone, or its page for a card. Callbacks are signed over
`t.body`.

The transaction is made under our reference (`merchant_reference`); when its making got no answer, the payer was asked
for nothing yet, so that starting again does no harm.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from urllib.parse import quote

from engine.core.clock import Clock
from engine.core.values import Plain
from engine.integrations.http_client import HttpClient, HttpResponse, whole_francs
from engine.integrations.payment_provider import (
    Asked,
    BadCallback,
    PaymentNotice,
    PaymentOrder,
    ProviderDown,
    ProviderStatus,
    Started,
    Wallet,
)  # fmt: skip
from engine.records.dossier import PaymentStatus

ADDRESS: Final = "https://api.fedapay.com"
SIGNATURE: Final = "x-fedapay-signature"
SKEW: Final = timedelta(seconds=300)
Mode = Literal["moov_tg", "togocel"]
_KINDS: Final[Mapping[str, tuple[PaymentStatus, str | None]]] = {
    "pending": ("pending", None), "approved": ("paid", None), "transferred": ("paid", None),
    "declined": ("failed", "balance"), "canceled": ("failed", "cancelled"), "expired": ("expired", None),
}  # fmt: skip


class FedaPay(Wallet):
    """One wallet of FedaPay. `secret` asks for payments, `signing` is what its callbacks are signed with."""

    def __init__(
        self, id: str, label: str, wire: HttpClient, secret: str, signing: str, mode: Mode, clock: Clock
    ) -> None:  # fmt: skip
        self.id, self.label = id, label
        self._wire, self._signing, self._mode, self._clock = wire, signing, mode, clock
        self._headers = {"Authorization": f"Bearer {secret}"}

    def start(self, order: PaymentOrder) -> Started:
        number = self._made(order, {"customer": {"phone_number": {"number": order.payer, "country": "tg"}}})
        try:
            token = self._token(number)
            self._wire.post(f"/v1/{self._mode}", {"token": token.text("token")}, self._headers)
        except ProviderDown:  # the transaction is theirs: what becomes of it is asked
            pass
        return Started(number)

    def _made(self, order: PaymentOrder, more: Mapping[str, Plain]) -> str:
        """The number of the transaction made of an order."""
        made = self._wire.post("/v1/transactions", {
            "description": order.label, "amount": order.amount, "currency": {"iso": order.currency},
            "merchant_reference": order.reference, "custom_metadata": {"reference": order.reference}, **more,
        }, self._headers)  # fmt: skip
        number = _transaction(made).get("id")
        if made.status >= 400 or not isinstance(number, (int, str)):
            raise ProviderDown(f"refused_{made.status}")
        return str(number)

    def _token(self, number: str) -> HttpResponse:
        return self._wire.post(f"/v1/transactions/{quote(number, safe='')}/token", {}, self._headers)

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNotice:
        at = self._check_signature(headers, body)
        try:
            reported = json.loads(body)
            event, entity = f"{reported['name']}:{reported['entity']['id']}", reported["entity"]
            reference = str(entity.get("merchant_reference") or entity["custom_metadata"]["reference"])
            kind, _ = _KINDS[entity["status"]]
        except (ValueError, TypeError, KeyError, RecursionError) as wrong:
            raise BadCallback("unreadable") from wrong
        amount = whole_francs(entity.get("amount"))
        if amount is None:
            raise BadCallback("unreadable")
        return PaymentNotice(event, reference, str(entity["id"]), kind, amount, _currency(entity), at)

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        by = quote(provider_ref, safe="") if provider_ref else f"merchant/{quote(reference, safe='')}"
        answer = self._wire.get(f"/v1/transactions/{by}", self._headers)
        if answer.status == 404:
            return ProviderStatus("unknown", 0, "XOF", reference, "no_such_order")
        if answer.status >= 400:
            raise ProviderDown(f"refused_{answer.status}")
        found = _transaction(answer)
        kind, reason = _KINDS.get(str(found.get("status")), ("unknown", None))
        metadata = found.get("custom_metadata")
        reported = metadata.get("reference") if isinstance(metadata, dict) else None
        named = str(found.get("merchant_reference") or reported or "")
        amount = whole_francs(found.get("amount"))
        return ProviderStatus(
            kind, amount or 0, _currency(found), named, reason, str(found.get("id") or "") or None
        )  # fmt: skip

    def _check_signature(self, headers: Mapping[str, str], body: bytes) -> datetime:
        """`t=<unix>,s=<hex>`, several `s` possible while a secret is being changed."""
        given = {name.lower(): value for name, value in headers.items()}.get(SIGNATURE, "")
        parts = [part.strip().split("=", 1) for part in given.split(",") if "=" in part]
        stamp = next((value for name, value in parts if name == "t"), "")
        message = stamp.encode("utf-8", "replace") + b"." + body
        expected = hmac.new(self._signing.encode(), message, hashlib.sha256).hexdigest().encode()
        tried = [
            hmac.compare_digest(expected, value.encode("utf-8", "replace")) for name, value in parts if name == "s"
        ]
        if not any(tried) or not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
            raise BadCallback("signature")
        at = datetime.fromtimestamp(int(stamp), UTC)
        if abs(self._clock.now() - at) > SKEW:
            raise BadCallback("too_old")
        return at


class FedaPayCard(FedaPay):
    """Cards by FedaPay: typed on the page behind the token; nothing is pushed. `back` is where it sends the payer back."""

    method = "card"
    asks: tuple[Asked, ...] = ("name", "email")

    def __init__(
        self, id: str, label: str, wire: HttpClient, secret: str, signing: str, back: str, clock: Clock
    ) -> None:
        super().__init__(id, label, wire, secret, signing, "moov_tg", clock)
        self._back = back

    def start(self, order: PaymentOrder) -> Started:
        given, _, name = order.customer.name.rpartition(" ")
        number = self._made(order, {
            "customer": {"firstname": given or name, "lastname": name, "email": order.customer.email},
            "callback_url": f"{self._back}?paiement={order.reference}",
        })  # fmt: skip
        with suppress(ProviderDown):  # asked for again: without its page nobody can pay
            return self._there(number)
        return self._there(number)

    def _there(self, number: str) -> Started:
        page = self._token(number).text("url")
        if not page.startswith("https://"):
            raise ProviderDown("no_page")
        return Started(number, page=page)


def _transaction(answer: HttpResponse) -> Mapping[str, Plain]:
    """FedaPay wraps a transaction under its version: `{"v1/transaction": {…}}`."""
    wrapped = answer.at("v1/transaction")
    return wrapped if isinstance(wrapped, dict) else answer.body


def _currency(found: Mapping[str, Plain]) -> str:
    currency = found.get("currency")
    iso = currency.get("iso") if isinstance(currency, dict) else currency
    return str(iso) if iso else "XOF"
