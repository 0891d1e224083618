"""What a payment provider must answer. A callback is only a wake-up: what counts is what our own question brings back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from engine.core.problems import Refusal
from engine.records.dossier import Payment, PaymentStatus

CURRENCY: Final = "XOF"
Method: TypeAlias = Literal["mobile_money", "card"]
# what a provider asks of whoever pays: a wallet its number, a card page what its bank compares
Asked: TypeAlias = Literal["payer", "name", "email", "phone", "address", "city", "country", "postcode"]
CARD_PAGE: Final = "/_operateur/carte/"  # of the simulated operator, in a demonstration
WALLET_ASKS: Final[tuple[Asked, ...]] = ("payer",)


class BadCallback(Exception):
    """A callback that proves nothing: wrong signature, too old, unreadable. `str()` is a short code."""


class ProviderDown(Exception):
    """The provider does not answer now. Nothing is known about the order; ask again later."""


class ProviderSilent(ProviderDown):
    """Nobody answered at all, for as long as we wait: the next question would fare no better."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Who holds the card, as a provider asks it (`Asked`); empty where it does not. `country` is ISO 3166-1 alpha-2."""

    name: str = ""
    email: str = ""
    phone: str = ""  # E.164
    address: str = ""
    city: str = ""
    country: str = ""
    postcode: str = ""


NO_CUSTOMER: Final = Customer()


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What we ask a provider to collect. `reference` is ours and its idempotency key; `amount` in whole francs."""

    reference: str
    amount: int
    payer: str  # E.164, of a wallet; empty for a card
    label: str
    placed_at: datetime
    expires_at: datetime
    currency: str = CURRENCY
    customer: Customer = NO_CUSTOMER


def order_of(payment: Payment, customer: Customer = NO_CUSTOMER) -> PaymentOrder:
    """The order of a payment as its provider gets it."""
    return PaymentOrder(
        payment.reference, payment.amount, payment.payer, payment.reference[:8], payment.started_at, payment.expires_at,
        customer=customer,
    )  # fmt: skip


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
    """One way of paying. `start` and `status` speak to the network: never inside a unit of work. `prefixes`: how the national
    numbers of a wallet begin, as far as that is known; a number may have been carried elsewhere. `rings`: an order rings the
    telephone of its payer."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def method(self) -> Method: ...

    @property
    def asks(self) -> tuple[Asked, ...]: ...

    @property
    def prefixes(self) -> tuple[str, ...]: ...

    @property
    def rings(self) -> bool: ...

    def accepts(self, order: PaymentOrder) -> Refusal | None:
        """Why it would refuse this order, as far as that is known without asking it."""
        ...

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


class Wallet:
    """What providers are unless they say otherwise: a wallet, known by its number, that takes any amount."""

    method: Method = "mobile_money"
    asks: tuple[Asked, ...] = WALLET_ASKS
    prefixes: tuple[str, ...] = ()
    rings: bool = True

    def accepts(self, order: PaymentOrder) -> Refusal | None:
        return None
