"""A simulated operator with a ledger of its own, and the providers that speak to it as to a real one: wallets and cards.

The ledger is a small file apart from our store: the web and the worker are two processes, and an operator forgets
nothing when we restart. Payer numbers ending in 90 00 00 01 to 08 play the endings of `MAGIC`; with any other number
the person confirms or refuses on the operator's own page. Whoever pays by card goes to a page of the operator's and chooses
one of `CARD_ENDINGS` there: it asks no card number, since a made-up page that did would be one more to mistrust.
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

# last six digits of the payer, of any wallet → (ending, reason, how long it stays unknown before)
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
# what is chosen on the card page → (ending, reason, how long it stays unknown before); to leave the page ends nothing
CARD_ENDINGS: Final[Mapping[str, tuple[PaymentStatus, str | None, timedelta]]] = {
    "paid": ("paid", None, timedelta()),
    "three_d_secure": ("failed", "three_d_secure", timedelta()),
    "declined": ("failed", "declined", timedelta()),
    "cancelled": ("failed", "cancelled", timedelta()),
    "expired": ("expired", None, timedelta()),
    "silent": ("paid", None, LATE),
}
_LEDGERS: Final = count()  # in memory, each under a name of its own: one that somebody still holds is nobody else's


@dataclass(frozen=True, slots=True)
class SandboxOrder:
    """One line of the operator's ledger. `ended` is what the person or the magic number decided, if anything."""

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
        if self.ended is None:
            return "expired" if now >= self.expires_at else "pending"
        if self.known_at is not None and now < self.known_at:
            return "unknown"
        return self.ended

    def received_at(self, now: datetime) -> int:
        """All that was debited from the payer so far."""
        times = {"paid": 1, "overpaid": 2}.get(self.status_at(now), 0)
        return self.amount * times


class SandboxOperator:
    """The operator itself: what its page shows and what its ledger holds."""

    def __init__(self, ledger: Path | None, clock: Clock, secret: bytes) -> None:
        """`ledger` is its file, made when missing; none keeps it in memory. `secret` signs its callbacks."""
        self._clock = clock
        self._secret = secret
        self._place = str(ledger) if ledger else f"file:sandbox-{next(_LEDGERS)}?mode=memory&cache=shared"
        self._source = None if ledger else self._connect()  # a memory ledger lives as long as one connection
        if ledger:
            ledger.parent.mkdir(parents=True, exist_ok=True)
        with self._ledger() as rows:
            rows.execute("CREATE TABLE IF NOT EXISTS orders (reference TEXT PRIMARY KEY, body TEXT NOT NULL)")

    # -- what the payer does on the operator's page

    def order(self, reference: str) -> SandboxOrder | None:
        with self._ledger() as rows:
            row = rows.execute("SELECT body FROM orders WHERE reference = ?", (reference,)).fetchone()
        return _read_order(row[0]) if row else None

    def pending_orders(self) -> tuple[SandboxOrder, ...]:
        """Those waiting for a person, on a phone or on the card page, latest first."""
        with self._ledger() as rows:
            kept = [_read_order(body) for (body,) in rows.execute("SELECT body FROM orders ORDER BY rowid DESC")]
        now = self._clock.now()
        return tuple(order for order in kept if order.status_at(now) == "pending")

    def confirm(self, reference: str, pin: str) -> bool:
        """The payer typed their secret code: any four digits will do. False if it is too late or the code is not one."""
        four_digits = len(pin) == 4 and pin.isascii() and pin.isdigit()
        return four_digits and self._end(reference, "paid", None)

    def refuse(self, reference: str) -> bool:
        return self._end(reference, "failed", "cancelled")

    def end_card(self, reference: str, ending: str) -> bool:
        """What the person chose on the card page. False if it is too late, or no such ending."""
        order, found = self.order(reference), CARD_ENDINGS.get(ending)
        if found is None or order is None or order.method != "card":
            return False
        ended, reason, unknown_for = found
        return self._end(reference, ended, reason, self._clock.now() + unknown_for if unknown_for else None)

    def callback(self, reference: str) -> tuple[dict[str, str], bytes] | None:
        """The headers and body it would post to us about this order now; none if it knows nothing to tell."""
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

    # -- what its interface for merchants does

    def place(self, order: PaymentOrder, method: Method = "mobile_money") -> SandboxOrder:
        """Takes an order once: the same reference again answers the order it has. Raises `ProviderDown`."""
        if order.payer.endswith(DOWN):
            raise ProviderDown("operator_down")
        kept = replace(_planned(order), method=method)
        with self._ledger() as rows:
            rows.execute("INSERT OR IGNORE INTO orders VALUES (?, ?)", (kept.reference, _write_order(kept)))
        return self.order(order.reference) or kept

    def now(self) -> datetime:
        return self._clock.now()

    def signature(self, stamp: str, body: bytes) -> str:
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
        """Raises `ProviderDown` when its own disk is full or locked."""
        try:
            with closing(self._connect()) as rows:
                rows.execute("BEGIN IMMEDIATE")
                yield rows
                rows.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise ProviderDown("ledger") from error


class SandboxProvider(Wallet):
    """Our side of the wire: the same protocol as a real operator's."""

    rings = False

    def __init__(
        self, operator: SandboxOperator, id: str = "sandbox", label: str = "Opérateur simulé",
        method: Method = "mobile_money", prefixes: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self._operator = operator
        self._id = id
        self._label = label
        self.method, self.prefixes = method, prefixes

    @property
    def id(self) -> str:
        return self._id

    @property
    def label(self) -> str:
        return self._label

    def start(self, order: PaymentOrder) -> Started:
        placed = self._operator.place(order)
        pending = placed.status_at(self._operator.now()) in ("pending", "unknown")
        return Started(_operator_reference(placed.reference), pending)

    def read_callback(self, headers: Mapping[str, str], body: bytes) -> PaymentNotice:
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
    """Cards of the same operator: the payer is sent to its page, which is on this site."""

    asks: tuple[Asked, ...] = CARD_ASKS

    def __init__(self, operator: SandboxOperator, id: str, label: str) -> None:
        super().__init__(operator, id, label, "card")

    def choose(self, reference: str, ending: str) -> bool:
        """What a story has the payer choose on the page."""
        return self._operator.end_card(reference, ending)

    def start(self, order: PaymentOrder) -> Started:
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
