"""Commitments of a dossier's journal to rows beside it: one name for each row, with its columns that never
change.

The timers of a dossier are one value together, including the fired ones. An entry follows each change to
them.

Columns that change alone are left out: send attempts, read times, openings of a shared document. So are the
times of a payment, which are corrected after a fast clock. The entries of a payment have their own times.
"""

from __future__ import annotations

from typing import Final

from engine.core.values import Plain
from engine.records.codec import to_plain
from engine.records.dossier import Booking, OutboundMessage, Payment, PaymentEvent
from engine.records.exchanges import Message, Note, Share

ROWS: Final = "rows"  # first part of each of these names
BODY: Final = "rows.dossier"  # SHA-256 of the body's text
TIMERS: Final = "rows.timers"
WHOLE: Final = (BODY, TIMERS)  # each new commitment supersedes the one before; only the last salt is stored
_PAYMENT: Final = ("reference", "fees", "amount", "provider", "method", "payer")
_ENDED: Final = (*_PAYMENT, "status", "receipt", "reason")


def letter_row(letter: OutboundMessage) -> tuple[str, Plain]:
    """Return the name and the committed value of an outbound message. Send attempts are left out."""
    return f"{ROWS}.letter.{letter.id}", _cells(letter, "channel", "to", "subject", "body", "dedupe", "created_at")


def message_row(message: Message) -> tuple[str, Plain]:
    """Return the name and the committed value of a message. Its text has its own commitment."""
    return f"{ROWS}.message.{message.id}", _cells(message, "at", "by", "side", "files")


def note_row(note: Note) -> tuple[str, Plain]:
    """Return the name and the committed value of an internal note. Its text is left out."""
    return f"{ROWS}.note.{note.id}", _cells(note, "at", "by")


def payment_row(payment: Payment) -> tuple[str, Plain]:
    """Return the name and the committed value of a payment. Once ended, it includes the result."""
    return f"{ROWS}.payment.{payment.id}", _cells(payment, *(_PAYMENT if payment.ended_at is None else _ENDED))


def event_row(payment_id: str, event: PaymentEvent) -> tuple[str, Plain]:
    """Return the name and the committed value of a received-money event. A payment has at most one of each kind."""
    value = _cells(event, "provider", "event_id", "kind", "amount", "currency", "at", "note")
    return f"{event_rows(payment_id)}{event.kind}", value


def event_rows(payment_id: str) -> str:
    """Return the prefix of the names of the events of a payment."""
    return f"{ROWS}.event.{payment_id}."


def booking_row(resource: str, booking: Booking) -> tuple[str, Plain]:
    """Return the name and the committed value of a booking as it is now, even past or cancelled."""
    return f"{ROWS}.booking.{booking.id}", {"resource": resource, "booking": to_plain(booking)}


def share_row(share: Share) -> tuple[str, Plain]:
    """Return the name and the committed value of a share. The count of openings is left out."""
    name = f"{ROWS}.share.{share.token_sha256[:16]}"
    return name, _cells(share, "token_sha256", "document", "created_at", "expires_at", "revoked_at")


def _cells(record: OutboundMessage | Message | Note | Payment | PaymentEvent | Share, *names: str) -> Plain:
    plain = to_plain(record)
    return {name: plain[name] for name in names if plain.get(name) not in (None, "", [])}
