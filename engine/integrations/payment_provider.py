"""Protocol of payment providers. A callback is only a signal: the answer to our own status request counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from engine.core.problems import Refusal
from engine.records.dossier import Payment, PaymentStatus

CURRENCY: Final = "XOF"
Method: TypeAlias = Literal["mobile_money", "card"]
# what a provider asks of the payer: the number of a wallet, or the data that the bank of a card compares
Asked: TypeAlias = Literal["payer", "name", "email", "phone", "address", "city", "country", "postcode"]
CARD_PAGE: Final = "/_operateur/carte/"  # of the simulated operator, in a demonstration
WALLET_ASKS: Final[tuple[Asked, ...]] = ("payer",)
LONGEST_CURRENCY: Final = 12  # characters of a currency in an answer
LONGEST_NAME: Final = 200  # characters of the name that an operator gives to an order


class BadCallback(Exception):
    """An invalid callback: wrong signature, too old or unreadable. `str()` is a short code."""


class ProviderDown(Exception):
    """The provider does not answer now. The state of the order is unknown: ask again later."""


class ProviderSilent(ProviderDown):
    """The provider gave no answer within the time limit, so the next request would fail too."""


@dataclass(frozen=True, slots=True)
class Customer:
    """The card holder, with the data that the provider asks for (`Asked`).

    Other fields are empty. `country` is ISO 3166-1 alpha-2.
    """

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
    """A request to collect a payment.

    `reference` is ours and serves as idempotency key. `amount` is in whole francs.
    """

    reference: str
    amount: int
    payer: str  # E.164, of a wallet; empty for a card
    label: str
    placed_at: datetime
    expires_at: datetime
    currency: str = CURRENCY
    customer: Customer = NO_CUSTOMER


def order_of(payment: Payment, customer: Customer = NO_CUSTOMER) -> PaymentOrder:
    """Return the order of a payment for its provider. The label is the first part of the reference."""
    return PaymentOrder(
        payment.reference, payment.amount, payment.payer, payment.reference[:8], payment.started_at, payment.expires_at,
        customer=customer,
    )  # fmt: skip


def operator_name(named: str | None) -> str | None:
    """Return the name that an operator gives to an order, None if it is too long to store."""
    return named if named is not None and len(named) <= LONGEST_NAME else None


@dataclass(frozen=True, slots=True)
class Started:
    """The provider accepted the order.

    With `pending`, the payer must still confirm on their phone, or on the provider's `page` (an https
    address).
    """

    provider_ref: str | None = None
    pending: bool = True
    page: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """The content of a well-formed callback. Nothing is credited because of it alone."""

    event_id: str
    reference: str
    provider_ref: str | None
    kind: PaymentStatus
    amount: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """The provider's answer to a status request.

    `amount` is everything received for this order: twice the ordered amount if it collected twice
    (`overpaid`). It is None when the provider names no amount and accepts exact amounts only. `reference` is
    the order of the answer. `reason` is the cause of a failure: balance, cancelled, limit…
    """

    kind: PaymentStatus
    amount: int | None
    currency: str
    reference: str
    reason: str | None = None
    provider_ref: str | None = None


class PaymentProvider(Protocol):
    """One means of payment.

    `start` and `status` use the network, so they must not run inside a unit of work.
    """

    @property
    def id(self) -> str:
        """The stable identifier in addresses and in the journal."""

    @property
    def label(self) -> str:
        """The name that citizens read."""

    @property
    def method(self) -> Method:
        """The kind of payment: mobile money or card."""

    @property
    def asks(self) -> tuple[Asked, ...]:
        """The data that the payer must give, in order."""

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The first digits of the wallet's national numbers, as far as known. A ported number may differ."""

    @property
    def countries(self) -> tuple[str, ...]:
        """The ISO codes of the countries whose numbers it charges; empty: any, or no number is asked."""

    @property
    def rings(self) -> bool:
        """True when an order appears on the payer's phone."""

    def accepts(self, order: PaymentOrder) -> Refusal | None:
        """Return why the provider would refuse this order, as far as known without a request. None when it would not."""
        ...

    def start(self, order: PaymentOrder) -> Started:
        """Request the collection. It is called once for an order, because some providers do not detect a repetition.

        Raises `ProviderDown`.
        """
        ...

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNotice:
        """Return the content of a callback. Raises `BadCallback`."""
        ...

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        """Return the state of an order.

        The reason is `no_such_order` when the provider never received it. It is `not_named` when a request
        needs the provider's own reference. Raises `ProviderDown`.
        """
        ...


class Wallet:
    """Base class of providers of mobile money: a phone number identifies the wallet, and any amount is accepted."""

    method: Method = "mobile_money"
    asks: tuple[Asked, ...] = WALLET_ASKS
    prefixes: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    rings: bool = True

    def accepts(self, order: PaymentOrder) -> Refusal | None:
        """Return None: a wallet accepts any amount."""
        return None
