"""Small builders of records for the tests of the store: name what matters, the rest is filled in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from engine.core.values import Plain
from engine.journal.chain import seal, with_commitments
from engine.records.dossier import Account, Actor, Booking, Dossier, IssuedDocument, OutboundMessage, Payment, Timer
from engine.records.people import Session, SignInCode
from engine.records.publications import Edition
from engine.records.refunds import PaymentEvent
from engine.storage.unit_of_work import Store, Unit

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
AGENT = Actor("agent", "agent-1")


def later(**span: float) -> datetime:
    return NOON + timedelta(**span)


def a_dossier(dossier_id: str = "d1", **changes: Any) -> Dossier:
    given = {
        "id": dossier_id, "number": f"25{crc32(dossier_id.encode()) % 10**9:09d}", "procedure": "permit", "edition": 1,
        "fingerprint": "f" * 64, "owner": f"owner of {dossier_id}", "state": "draft", "entered_at": NOON, "created_at": NOON,
    }  # fmt: skip
    return Dossier(**{**given, **changes})


def a_message(letter_id: str = "l1", **changes: Any) -> OutboundMessage:
    given = {
        "id": letter_id, "dossier": None, "channel": "sms", "to": "+22890000000", "subject": "", "body": "Bonjour",
        "due_at": NOON, "dedupe": f"dedupe of {letter_id}", "created_at": NOON,
    }  # fmt: skip
    return OutboundMessage(**{**given, **changes})


def a_payment(payment_id: str = "p1", **changes: Any) -> Payment:
    given = {
        "id": payment_id, "reference": f"ref of {payment_id}", "dossier": "d1", "fees": ("fee",), "amount": 500,
        "provider": "sandbox", "method": "mobile_money", "payer": "+22890000000", "status": "pending",
        "started_at": NOON, "expires_at": later(minutes=15),
    }  # fmt: skip
    return Payment(**{**given, **changes})


def an_event(event_id: str = "e1", **changes: Any) -> PaymentEvent:
    given = {
        "provider": "sandbox", "event_id": event_id, "payment": "p1", "kind": "paid", "amount": 500, "currency": "XOF",
        "at": NOON, "verified": True,
    }  # fmt: skip
    return PaymentEvent(**{**given, **changes})


def a_booking(booking_id: str = "b1", **changes: Any) -> Booking:
    given = {
        "id": booking_id, "appointment": "visit", "office": "lome", "start": later(days=1), "minutes": 15, "seat": 0,
    }  # fmt: skip
    return Booking(**{**given, **changes})


def a_document(document_id: str = "a1", **changes: Any) -> IssuedDocument:
    given = {
        "id": document_id, "output": "card", "title": "Carte", "number": f"N-{document_id}", "issued_at": NOON,
        "valid_until": NOON.date(), "code": f"code {document_id}", "token": f"token {document_id}",
        "content": (("Nom", "ADJO"), ("Né le", "2 mars 1990")), "holder": "ADJO", "signed_by": None, "jws": "a.b.c",
    }  # fmt: skip
    return IssuedDocument(**{**given, **changes})


def an_edition(fingerprint: str = "f1", **changes: Any) -> Edition:
    given = {
        "procedure": "permit", "edition": 1, "fingerprint": fingerprint, "source": "# permit", "expanded": "{}",
        "published_at": NOON,
    }  # fmt: skip
    return Edition(**{**given, **changes})


def an_account(account_id: str = "u1", **changes: Any) -> Account:
    given = {"id": account_id, "kind": "agent", "name": "Afi", "login": f"login of {account_id}"}
    return Account(**{**given, **changes})


def a_session(token: str = "t1", **changes: Any) -> Session:
    given = {
        "token_sha256": token, "account": "u1", "created_at": NOON, "seen_at": NOON, "expires_at": later(hours=1),
    }  # fmt: skip
    return Session(**{**given, **changes})


def a_code(phone: str = "+22890000000", **changes: Any) -> SignInCode:
    given = {"phone": phone, "code_sha256": "c", "sent_at": NOON, "expires_at": later(minutes=10), "tries_left": 5}
    return SignInCode(**{**given, **changes})


def a_timer(name: str = "due", **changes: Any) -> Timer:
    return Timer(**{"dossier": "d1", "name": name, "entry": 1, "due_at": NOON, **changes})


def journal(unit: Unit, dossier_id: str, kind: str, commits: dict[str, Plain] | None = None, **body: Plain) -> None:
    """Seals one more entry to a dossier's chain."""
    sealed_body, salts = with_commitments(body, commits or {})
    unit.add_entry(seal(unit.head(dossier_id), dossier_id, NOON, AGENT, kind, "f" * 64, sealed_body), salts)


def opened(store: Store, *dossiers: Dossier) -> None:
    """Keeps dossiers with their first entry."""
    with store.unit(write=True) as unit:
        for dossier in dossiers or (a_dossier(),):
            unit.add_dossier(dossier)
            journal(unit, dossier.id, "opened")
