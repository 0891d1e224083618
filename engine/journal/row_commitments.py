"""Rows beside a dossier as its journal commits to them: one name a row, the columns that never change once they are written.

The timers of a dossier are one value together, fired ones included: each change to them is followed by an entry.

What is left out moves by itself: tries to send a letter, when a message was read, how often a lent document was opened, the
moments of a payment, which are corrected after a clock that was ahead; its entries have their own.
"""

from __future__ import annotations

from typing import Final

from engine.core.values import Plain
from engine.records.codec import to_plain
from engine.records.dossier import Booking, OutboundMessage, Payment, PaymentEvent
from engine.records.exchanges import Message, Note, Share

ROWS: Final = "rows"  # the first word of each of these names
BODY: Final = "rows.dossier"  # SHA-256 of the body's text
TIMERS: Final = "rows.timers"
WHOLE: Final = (BODY, TIMERS)  # each entry that commits to one supersedes the entry before: only the last salt is kept
_PAYMENT: Final = ("reference", "fees", "amount", "provider", "method", "payer")
_ENDED: Final = (*_PAYMENT, "status", "receipt", "reason")


def letter_row(letter: OutboundMessage) -> tuple[str, Plain]:
    return f"{ROWS}.letter.{letter.id}", _cells(letter, "channel", "to", "subject", "body", "dedupe", "created_at")


def message_row(message: Message) -> tuple[str, Plain]:
    """Its text has a commitment of its own."""
    return f"{ROWS}.message.{message.id}", _cells(message, "at", "by", "side", "files")


def note_row(note: Note) -> tuple[str, Plain]:
    return f"{ROWS}.note.{note.id}", _cells(note, "at", "by")


def payment_row(payment: Payment) -> tuple[str, Plain]:
    """Its end too, once it has one."""
    return f"{ROWS}.payment.{payment.id}", _cells(payment, *(_PAYMENT if payment.ended_at is None else _ENDED))


def event_row(payment_id: str, event: PaymentEvent) -> tuple[str, Plain]:
    """An answer that money came in: of a payment at most one of each kind."""
    value = _cells(event, "provider", "event_id", "kind", "amount", "currency", "at", "note")
    return f"{event_rows(payment_id)}{event.kind}", value


def event_rows(payment_id: str) -> str:
    """How the names of the events of a payment begin."""
    return f"{ROWS}.event.{payment_id}."


def booking_row(resource: str, booking: Booking) -> tuple[str, Plain]:
    """As it stands, also once it is over or given back."""
    return f"{ROWS}.booking.{booking.id}", {"resource": resource, "booking": to_plain(booking)}


def share_row(share: Share) -> tuple[str, Plain]:
    name = f"{ROWS}.share.{share.token_sha256[:16]}"
    return name, _cells(share, "token_sha256", "document", "created_at", "expires_at", "revoked_at")


def _cells(record: OutboundMessage | Message | Note | Payment | PaymentEvent | Share, *names: str) -> Plain:
    plain = to_plain(record)
    return {name: plain[name] for name in names if plain.get(name) not in (None, "", [])}
