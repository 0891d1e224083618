"""What a payment provider must answer. A callback is only a wake-up: what counts is what our own question brings back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from engine.records.dossier import PaymentStatus

CURRENCY: Final = "XOF"


class BadCallback(Exception):
    """A callback that proves nothing: wrong signature, too old, unreadable. `str()` is a short code."""


class ProviderDown(Exception):
    """The provider does not answer now. Nothing is known about the order; ask again later."""


class ProviderSilent(ProviderDown):
    """Nobody answered at all, for as long as we wait: the next question would fare no better."""


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What we ask a provider to collect. `reference` is ours and its idempotency key; `amount` in whole francs."""

    reference: str
    amount: int
    payer: str  # E.164
    label: str
    placed_at: datetime
    expires_at: datetime
    currency: str = CURRENCY


@dataclass(frozen=True, slots=True)
class Started:
    """The provider took the order. `pending`: the payer must still confirm, on their own phone or on the provider's
    `page` (an https address) when it has one."""

    provider_ref: str | None = None
    pending: bool = True
    page: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """What a callback claims, once its form is right. Nothing is credited on its word."""

    event_id: str
    reference: str
    provider_ref: str | None
    kind: PaymentStatus
    amount: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """The provider's answer to our question. `amount` is all it received for this order: twice ours if it took twice
    (`overpaid`); None when it does not say, and takes an order for its exact amount only. `reference` is the order it speaks of; `reason` says why it failed: balance, cancelled, limit…"""

    kind: PaymentStatus
    amount: int | None
    currency: str
    reference: str
    reason: str | None = None
    provider_ref: str | None = None


class PaymentProvider(Protocol):
    """One way of paying. `start` and `status` speak to the network: never inside a unit of work."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> str: ...

    def start(self, order: PaymentOrder) -> Started:
        """Asks to collect; asked once for an order, since not every provider knows it again. Raises `ProviderDown`."""
        ...

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNotice:
        """Raises `BadCallback`."""
        ...

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        """What became of an order. Its reason is `no_such_order` where the provider never had it, `not_named` where it cannot be
        asked without its own reference. Raises `ProviderDown`."""
        ...
