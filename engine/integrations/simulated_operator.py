"""A simulated operator with its own ledger, and the providers that call it as a real one: wallets and cards.

The ledger is a small file outside our store. The web and the worker are two processes, and an operator
forgets nothing when we restart. Payer numbers ending in 90 00 00 01 to 08 give the results of `MAGIC`. With
any other number the payer confirms or refuses on the operator's page. A card payer chooses one of
`CARD_ENDINGS` on a page of the operator. That page asks for no card number, so that no applicant types one
into a simulation.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

from engine.core.clock import Clock
from engine.integrations.payment_provider import (
    CARD_PAGE,
    CURRENCY,
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

SIGNATURE: Final = "X-Sandbox-Signature"
SKEW: Final = timedelta(seconds=300)
LATE: Final = timedelta(minutes=2)
KINDS: Final[Mapping[str, PaymentStatus]] = {
    "pending": "pending", "paid": "paid", "failed": "failed", "expired": "expired", "unknown": "unknown",
    "overpaid": "overpaid",
}  # fmt: skip

# last six digits of the payer, of any wallet → (result, reason, how long it stays unknown before)
MAGIC: Final[Mapping[str, tuple[PaymentStatus, str | None, timedelta]]] = {
    "000001": ("paid", None, timedelta()),
    "000002": ("failed", "balance", timedelta()),
    "000003": ("failed", "cancelled", timedelta()),
    "000004": ("expired", None, timedelta()),
    "000005": ("paid", None, LATE),
    "000006": ("overpaid", None, timedelta()),
    "000007": ("failed", "limit", timedelta()),
}
DOWN: Final = "000008"
CARD_ASKS: Final[tuple[Asked, ...]] = ("name", "email", "address", "city", "country")
# choice on the card page → (result, reason, how long it stays unknown before); leaving the page decides nothing
CARD_ENDINGS: Final[Mapping[str, tuple[PaymentStatus, str | None, timedelta]]] = {
    "paid": ("paid", None, timedelta()),
    "three_d_secure": ("failed", "three_d_secure", timedelta()),
    "declined": ("failed", "declined", timedelta()),
    "cancelled": ("failed", "cancelled", timedelta()),
    "expired": ("expired", None, timedelta()),
    "silent": ("paid", None, LATE),
}
_LEDGERS: Final = count()  # numbers of ledgers in memory: each has its own name, so that two of them share nothing


@dataclass(frozen=True, slots=True)
class SandboxOrder:
    """One line of the operator's ledger. `ended` is the result chosen by the payer or the magic number, None before."""

    reference: str
    amount: int
    currency: str
    payer: str
    label: str
    placed_at: datetime
    expires_at: datetime
    ended: PaymentStatus | None = None
    reason: str | None = None
    known_at: datetime | None = None
    method: Method = "mobile_money"

    def status_at(self, now: datetime) -> PaymentStatus:
        """Return the state of the order at an instant: `unknown` until `known_at`, `expired` after `expires_at`."""
        if self.ended is None:
            return "expired" if now >= self.expires_at else "pending"
        if self.known_at is not None and now < self.known_at:
            return "unknown"
        return self.ended

    def received_at(self, now: datetime) -> int:
        """Return the whole francs debited from the payer so far, doubled when `overpaid`."""
        times = {"paid": 1, "overpaid": 2}.get(self.status_at(now), 0)
        return self.amount * times


class SandboxOperator:
    """The simulated operator: its pages and its ledger."""

    def __init__(self, ledger: Path | None, clock: Clock, secret: bytes) -> None:
        """`ledger` is a file, created when missing, or None for memory. `secret` signs the callbacks."""
        self._clock = clock
        self._secret = secret
        self._place = str(ledger) if ledger else f"file:sandbox-{next(_LEDGERS)}?mode=memory&cache=shared"
        self._source = None if ledger else self._connect()  # a memory ledger lives as long as one connection
        if ledger:
            ledger.parent.mkdir(parents=True, exist_ok=True)
        with self._ledger() as rows:
            rows.execute("CREATE TABLE IF NOT EXISTS orders (reference TEXT PRIMARY KEY, body TEXT NOT NULL)")

    # -- actions of the payer on the operator's page

    def order(self, reference: str) -> SandboxOrder | None:
        """Return the order with our reference, None when it was never placed."""
        with self._ledger() as rows:
            row = rows.execute("SELECT body FROM orders WHERE reference = ?", (reference,)).fetchone()
        return _read_order(row[0]) if row else None

    def pending_orders(self) -> tuple[SandboxOrder, ...]:
        """Return the orders that wait for the payer, on a phone or on the card page, latest first."""
        with self._ledger() as rows:
            kept = [_read_order(body) for (body,) in rows.execute("SELECT body FROM orders ORDER BY rowid DESC")]
        now = self._clock.now()
        return tuple(order for order in kept if order.status_at(now) == "pending")

    def confirm(self, reference: str, pin: str) -> bool:
        """Record that the payer typed their code, any four digits. False when it is too late or the code is invalid."""
        four_digits = len(pin) == 4 and pin.isascii() and pin.isdigit()
        return four_digits and self._end(reference, "paid", None)

    def refuse(self, reference: str) -> bool:
        """Record that the payer refused on their phone. False when it is too late."""
        return self._end(reference, "failed", "cancelled")

    def end_card(self, reference: str, ending: str) -> bool:
        """Record the choice on the card page. False when it is too late or the choice is unknown."""
        order, found = self.order(reference), CARD_ENDINGS.get(ending)
        if found is None or order is None or order.method != "card":
            return False
        ended, reason, unknown_for = found
        return self._end(reference, ended, reason, self._clock.now() + unknown_for if unknown_for else None)

    def callback(self, reference: str) -> tuple[dict[str, str], bytes] | None:
        """Return the headers and body of the callback to send now, None while the order is pending or unknown."""
        order = self.order(reference)
        now = self._clock.now()
        if order is None or order.status_at(now) in ("pending", "unknown"):
            return None
        body = json.dumps({
            "event": f"{reference}:{order.status_at(now)}", "reference": reference, "status": order.status_at(now),
            "amount": order.received_at(now) or order.amount, "currency": order.currency,
        }).encode()  # fmt: skip
        stamp = str(int(now.timestamp()))
        return {SIGNATURE: f"t={stamp},v1={self.signature(stamp, body)}"}, body

    # -- its interface for merchants

    def place(self, order: PaymentOrder, method: Method = "mobile_money") -> SandboxOrder:
        """Accept an order once: a known reference returns the existing order. Raises `ProviderDown`."""
        if order.payer.endswith(DOWN):
            raise ProviderDown("operator_down")
        kept = replace(_planned(order), method=method)
        with self._ledger() as rows:
            rows.execute("INSERT OR IGNORE INTO orders VALUES (?, ?)", (kept.reference, _write_order(kept)))
        return self.order(order.reference) or kept

    def now(self) -> datetime:
        """Return the instant of the injected clock."""
        return self._clock.now()

    def signature(self, stamp: str, body: bytes) -> str:
        """Return the hex HMAC-SHA256 of `stamp.body`."""
        return hmac.new(self._secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()

    def _end(
        self, reference: str, ended: PaymentStatus, reason: str | None, known_at: datetime | None = None
    ) -> bool:  # fmt: skip
        with self._ledger() as rows:
            row = rows.execute("SELECT body FROM orders WHERE reference = ?", (reference,)).fetchone()
            order = _read_order(row[0]) if row else None
            if order is None or order.status_at(self._clock.now()) != "pending":
                return False
            body = _write_order(replace(order, ended=ended, reason=reason, known_at=known_at))
            rows.execute("UPDATE orders SET body = ? WHERE reference = ?", (body, reference))
            return True

    def _connect(self) -> sqlite3.Connection:
        uri = self._place.startswith("file:")
        return sqlite3.connect(self._place, timeout=10, isolation_level=None, uri=uri, check_same_thread=False)

    @contextmanager
    def _ledger(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection inside a transaction. Raises `ProviderDown` when the disk is full or the file locked."""
        try:
            with closing(self._connect()) as rows:
                rows.execute("BEGIN IMMEDIATE")
                yield rows
                rows.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise ProviderDown("ledger") from error


class SandboxProvider(Wallet):
    """The client of the simulated operator, with the protocol of a real one."""

    rings = False

    def __init__(
        self, operator: SandboxOperator, id: str = "sandbox", label: str = "Opérateur simulé",
        method: Method = "mobile_money", prefixes: tuple[str, ...] = (), countries: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self._operator = operator
        self._id = id
        self._label = label
        self.method, self.prefixes, self.countries = method, prefixes, countries

    @property
    def id(self) -> str:
        """The stable identifier in addresses and in the journal."""
        return self._id

    @property
    def label(self) -> str:
        """The name that citizens read."""
        return self._label

    def start(self, order: PaymentOrder) -> Started:
        """Place the order. `pending` is False when a magic number decided it at once. Raises `ProviderDown`."""
        placed = self._operator.place(order)
        pending = placed.status_at(self._operator.now()) in ("pending", "unknown")
        return Started(_operator_reference(placed.reference), pending)

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNotice:
        """Return the content of a signed callback. Raises `BadCallback`: `signature`, `too_old`, `unreadable`."""
        at = self._check_signature(headers, body)
        try:
            reported = json.loads(body)
            reference, event = str(reported["reference"]), str(reported["event"])
            kind, amount, currency = KINDS[reported["status"]], reported["amount"], str(reported["currency"])
        except (ValueError, TypeError, KeyError) as wrong:
            raise BadCallback("unreadable") from wrong
        if not isinstance(amount, int) or isinstance(amount, bool):
            raise BadCallback("unreadable")
        return PaymentNotice(event, reference, _operator_reference(reference), kind, amount, currency, at)

    def status(self, reference: str, provider_ref: str | None) -> ProviderStatus:
        """Return the state of the order in the ledger. Raises `ProviderDown` when the ledger is unavailable."""
        order = self._operator.order(reference)
        if order is None:
            return ProviderStatus("unknown", 0, CURRENCY, reference, "no_such_order")
        now = self._operator.now()
        kind = order.status_at(now)
        amount = order.received_at(now) or order.amount
        ref = _operator_reference(reference)
        return ProviderStatus(kind, amount, order.currency, reference, order.reason, ref)

    def _check_signature(self, headers: Mapping[str, str], body: bytes) -> datetime:
        given = {name.lower(): value for name, value in headers.items()}.get(SIGNATURE.lower(), "")
        parts = dict(part.split("=", 1) for part in given.split(",") if "=" in part)
        stamp = parts.get("t", "")
        expected = self._operator.signature(stamp, body)
        if not hmac.compare_digest(expected.encode(), parts.get("v1", "").encode()):
            raise BadCallback("signature")
        now = self._operator.now()
        at = datetime.fromtimestamp(int(stamp), now.tzinfo)
        if abs(now - at) > SKEW:
            raise BadCallback("too_old")
        return at


class SandboxCard(SandboxProvider):
    """Cards of the simulated operator: the payer goes to its page, which is on this site."""

    asks: tuple[Asked, ...] = CARD_ASKS

    def __init__(self, operator: SandboxOperator, id: str, label: str) -> None:
        super().__init__(operator, id, label, "card")

    def choose(self, reference: str, ending: str) -> bool:
        """Choose a result on the card page, for a scenario. False when it is too late or unknown."""
        return self._operator.end_card(reference, ending)

    def start(self, order: PaymentOrder) -> Started:
        """Place the order and return the path of its card page. Raises `ProviderDown`."""
        placed = self._operator.place(order, "card")
        return Started(_operator_reference(placed.reference), page=f"{CARD_PAGE}{placed.reference}")


def _planned(order: PaymentOrder) -> SandboxOrder:
    ended, reason, unknown_for = MAGIC.get(order.payer[-6:], (None, None, timedelta()))
    return SandboxOrder(
        order.reference, order.amount, order.currency, order.payer, order.label, order.placed_at, order.expires_at,
        ended, reason, order.placed_at + unknown_for if unknown_for else None,
    )  # fmt: skip


def _operator_reference(reference: str) -> str:
    return "SBX" + hashlib.sha256(reference.encode()).hexdigest()[:12].upper()


def _write_order(order: SandboxOrder) -> str:
    return json.dumps({
        "reference": order.reference, "amount": order.amount, "currency": order.currency, "payer": order.payer,
        "label": order.label, "placed_at": order.placed_at.isoformat(), "expires_at": order.expires_at.isoformat(),
        "ended": order.ended, "reason": order.reason,
        "known_at": order.known_at.isoformat() if order.known_at else None, "method": order.method,
    })  # fmt: skip


def _read_order(body: str) -> SandboxOrder:
    kept = json.loads(body)
    for name in ("placed_at", "expires_at", "known_at"):
        kept[name] = datetime.fromisoformat(kept[name]) if kept[name] else None
    return SandboxOrder(**kept)
