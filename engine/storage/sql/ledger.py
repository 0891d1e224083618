"""Queries on payments, seats, issued documents, editions and refunds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from engine.journal.row_journal import booking_row, event_row, payment_row
from engine.records.codec import instant_text, read_instant
from engine.records.dossier import OFF_THE_LIST, RECEIVED, Booking, IssuedDocument, Payment
from engine.records.publications import Edition, PublishedEdition
from engine.records.refunds import PaymentEvent, Refund, RefundMark
from engine.storage.results import EARLIEST, LATEST, TakenSeat
from engine.storage.sql.connection import Cell, Queries, TableMapping

PAYMENTS: Final = TableMapping(Payment, "payment")
BY_PAPER: Final = (
    "SELECT dossier FROM document WHERE number IN (?, ?) UNION ALL SELECT dossier FROM payment WHERE receipt IN (?, ?)"
    " UNION ALL SELECT dossier FROM payment WHERE reference IN (?, ?) LIMIT 1"
)
EVENTS: Final = TableMapping(PaymentEvent, "pay_event", ("provider", "event_id"))
BOOKINGS: Final = TableMapping(Booking, "booking")
ISSUED: Final = TableMapping(IssuedDocument, "document")
EDITIONS: Final = TableMapping(Edition, "edition", ("procedure", "fingerprint"))

# an order not yet sent: the operator knows nothing of it
_UNPLACED: Final = (
    "status = 'pending' AND checked_at IS NULL AND coalesce(reason, provider_ref, page) IS NULL AND expires_at > ?"
)
_PENDING: Final = (
    f"{PAYMENTS.select} WHERE status IN ('pending', 'unknown') AND coalesce(checked_at, started_at) <= ?"
    f" AND started_at > ? AND started_at <= ? AND NOT ({_UNPLACED})"
)
_ENDED: Final = (
    f"{PAYMENTS.select} WHERE status IN ('expired', 'failed') AND ended_at > ?"
    " AND coalesce(checked_at, started_at) <= ?"
)
_LONGEST_UNASKED: Final = " ORDER BY coalesce(checked_at, started_at), id LIMIT ?"
_ADD_EVENT: Final = EVENTS.insert() + " ON CONFLICT DO NOTHING"
_ADD_CREDIT: Final = "INSERT INTO credit (payment, dossier, amount, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_NEXT_SERIAL: Final = (
    "INSERT INTO serial (series, last) VALUES (?, ?)"
    " ON CONFLICT (series) DO UPDATE SET last = serial.last + excluded.last RETURNING last"
)


_SEATS_AHEAD: Final = """
  WITH parent AS (
    SELECT coalesce((SELECT holder FROM mandate WHERE principal = ? AND kind = 'child' ORDER BY created_at, id LIMIT 1), ?) AS id
  ), kin AS (
    SELECT id FROM parent UNION SELECT principal FROM mandate WHERE kind = 'child' AND holder = (SELECT id FROM parent)
  ), theirs AS (
    SELECT id, owner FROM dossier WHERE owner IN (SELECT id FROM kin UNION SELECT ?)
  ), seats AS (
    SELECT owner FROM theirs JOIN booking s ON s.dossier = theirs.id
    WHERE s.dossier <> ? AND s.resource = ? AND s.status = 'booked' AND s.start > ?
    UNION ALL
    SELECT owner FROM theirs JOIN seat_hold s ON s.dossier = theirs.id
    WHERE s.dossier <> ? AND s.resource = ? AND s.until > ?
  )
  SELECT count(*) FILTER (WHERE owner = ?), count(*) FILTER (WHERE owner IN (SELECT id FROM kin)) FROM seats"""


def _but(providers: Sequence[str]) -> str:
    return f" AND provider NOT IN ({', '.join('?' * len(providers))})" if providers else ""


class LedgerQueries(Queries):
    # payments

    """Queries of `Unit` on payments, seats, documents and editions."""

    def add_payment(self, payment: Payment) -> None:
        """Insert a payment. The next entry of the dossier commits to it."""
        self._change(PAYMENTS.insert(), PAYMENTS.cells(payment))
        self._commit_to(payment.dossier, *payment_row(payment))

    def put_payment(self, payment: Payment) -> None:
        """Update a payment. Raises `LookupError` if it does not exist."""
        if self._change(PAYMENTS.update, [*PAYMENTS.cells(payment), payment.id]) != 1:
            raise LookupError(payment.id)
        self._commit_to(payment.dossier, *payment_row(payment))

    def payment(self, payment_id: str) -> Payment | None:
        """Return the payment, or None. A writing unit locks it."""
        row = self._row(f"{PAYMENTS.select} WHERE id = ?{self.lock}", (payment_id,))
        return PAYMENTS.read(row) if row else None

    def payment_referenced(self, reference: str) -> Payment | None:
        """Return the payment with our reference, or None. A writing unit locks it."""
        row = self._row(f"{PAYMENTS.select} WHERE reference = ?{self.lock}", (reference,))
        return PAYMENTS.read(row) if row else None

    def own_name(self, payment: Payment, name: str | None) -> str | None:
        """Return the name that an operator gives to a payment, None if another payment of the operator has it.

        Some operators number again from one, or name no order.
        """
        sql = "SELECT 1 FROM payment WHERE provider = ? AND provider_ref = ? AND id <> ?"
        return name if name and self._row(sql, (payment.provider, name, payment.id)) is None else None

    def payments_of(self, dossier_id: str) -> tuple[Payment, ...]:
        """Return all payments of the dossier, the oldest first."""
        sql = f"{PAYMENTS.select} WHERE dossier = ? ORDER BY started_at, rowid"
        return PAYMENTS.read_all(self._rows(sql, (dossier_id,)))

    def pending_payments(
        self, checked_before: datetime, limit: int = 50, *, started_after: datetime = EARLIEST,
        started_by: datetime = LATEST, without: Sequence[str] = (),
    ) -> tuple[Payment, ...]:  # fmt: skip
        """Return pending or unknown payments to check, the longest unchecked first.

        Last checked (else started) by `checked_before`. Left out: providers `without`, and unexpired orders that were
        not yet sent to the operator.
        """
        checked = instant_text(checked_before)
        cells = (checked, instant_text(started_after), instant_text(started_by), checked, *without, limit)
        return PAYMENTS.read_all(self._rows(_PENDING + _but(without) + _LONGEST_UNASKED, cells))

    def ended_payments(
        self, ended_after: datetime, checked_before: datetime, limit: int = 50, without: Sequence[str] = ()
    ) -> tuple[Payment, ...]:
        """Return payments that failed or expired after `ended_after`, last checked by `checked_before`. The longest
        unchecked come first, without the providers `without`."""
        cells = (instant_text(ended_after), instant_text(checked_before), *without, limit)
        return PAYMENTS.read_all(self._rows(_ENDED + _but(without) + _LONGEST_UNASKED, cells))

    def add_event(self, event: PaymentEvent) -> bool:
        """Add a provider event. Returns False if (provider, event_id) was recorded before."""
        if self._change(_ADD_EVENT, EVENTS.cells(event)) != 1:
            return False
        if event.payment is not None and event.verified and event.kind in RECEIVED:
            for (dossier,) in self._rows("SELECT dossier FROM payment WHERE id = ?", (event.payment,)):
                self._commit_to(dossier, *event_row(event.payment, event))
        return True

    def events_of(self, payment_id: str) -> tuple[PaymentEvent, ...]:
        """Return the events of a payment, in the order of their arrival."""
        return EVENTS.read_all(self._rows(f"{EVENTS.select} WHERE payment = ? ORDER BY rowid", (payment_id,)))

    def add_credit(self, payment_id: str, dossier_id: str, amount: int, at: datetime) -> bool:
        """Credit a payment to its dossier, once. Returns False if it was credited before."""
        return self._change(_ADD_CREDIT, (payment_id, dossier_id, amount, instant_text(at))) == 1

    def credits_of(self, dossier_id: str) -> Mapping[str, tuple[int, str]]:
        """Return amount and instant text of each credit, by payment id."""
        rows = self._rows("SELECT payment, amount, at FROM credit WHERE dossier = ?", (dossier_id,))
        return {payment: (amount, at) for payment, amount, at in rows}

    # seats

    def seats_taken(
        self, resource: str, office: str, from_: datetime, to: datetime, alone: bool = False
    ) -> Mapping[datetime, frozenset[int]]:
        """Return the booked seats, by start time. `alone`: see `visits_taken`."""
        taken: dict[datetime, set[int]] = {}
        for one in self.visits_taken(resource, office, from_, to, alone):
            taken.setdefault(one.start, set()).add(one.seat)
        return {start: frozenset(seats) for start, seats in taken.items()}

    def visits_taken(
        self, resource: str, office: str, from_: datetime, to: datetime, alone: bool = False,
        held: tuple[datetime, str] | None = None,
    ) -> tuple[TakenSeat, ...]:  # fmt: skip
        """Return the booked seats that start in a period.

        With `held`, the seats that dossiers other than its dossier hold at its time come too, of no minutes. With
        `alone`, other units with `alone` wait until this unit ends, as one of the free seats will be taken.
        """
        if alone:  # two units at once would choose the same free seat, and one would fail
            self._turn("seats", resource, office)
        there = "WHERE resource = ? AND office = ? AND start >= ? AND start < ?"
        cells = [resource, office, instant_text(from_), instant_text(to)]
        sql = (
            f"SELECT start, minutes, seat, dossier FROM booking {there} AND status <> 'cancelled'"
            f" AND seat < {OFF_THE_LIST}"
        )
        if held is not None:
            sql += f" UNION ALL SELECT start, 0, seat, dossier FROM seat_hold {there} AND until > ? AND dossier <> ?"
            cells += [*cells, instant_text(held[0]), held[1]]
        return tuple(TakenSeat(read_instant(start), *rest) for start, *rest in self._rows(sql, cells))

    def take_seat(self, resource: str, dossier_id: str, booking: Booking) -> None:
        """Insert a booking. Raises `AlreadyExists` if the seat is taken, or the dossier has another future booking of
        this appointment. To move one, release it first."""
        self._change(BOOKINGS.insert("resource", "dossier"), [*BOOKINGS.cells(booking), resource, dossier_id])
        self._commit_to(dossier_id, *booking_row(resource, booking))

    def release_seat(self, booking_id: str) -> None:
        """Mark the booking as cancelled, so that its seat is free."""
        self._seat_changed("UPDATE booking SET status = 'cancelled' WHERE id = ?", (booking_id,))

    def bookings_on(
        self, offices: Sequence[str], from_: datetime, to: datetime
    ) -> tuple[tuple[str, str, Booking], ...]:
        """Return (dossier id, resource, booking) of these offices, by start time. Cancelled ones are left out."""
        among = ", ".join("?" * len(offices)) or "NULL"
        sql = (
            f"SELECT {BOOKINGS.columns}, dossier, resource FROM booking"
            f" WHERE office IN ({among}) AND start >= ? AND start < ? AND status <> 'cancelled' ORDER BY start, seat, id"
        )
        rows = self._rows(sql, [*offices, instant_text(from_), instant_text(to)])
        return tuple((row[-2], row[-1], BOOKINGS.read(row)) for row in rows)

    def put_booking(self, booking: Booking) -> None:
        """Update a booking. Raises `LookupError` if it does not exist."""
        if not self._seat_changed(BOOKINGS.update, [*BOOKINGS.cells(booking), booking.id]):
            raise LookupError(booking.id)

    def _seat_changed(self, sql: str, cells: Sequence[Any]) -> bool:
        rows = self._changed(f"{sql} RETURNING {BOOKINGS.columns}, dossier, resource", cells)
        for row in rows:
            self._commit_to(row[-2], *booking_row(row[-1], BOOKINGS.read(row)))
        return len(rows) == 1

    def bookings_of(self, dossier_id: str) -> tuple[tuple[str, Booking], ...]:
        """Return all bookings of the dossier with their resource, cancelled ones included."""
        rows = self._rows(f"SELECT {BOOKINGS.columns}, resource FROM booking WHERE dossier = ?", (dossier_id,))
        return tuple((row[-1], BOOKINGS.read(row)) for row in rows)

    def commit_again(self, dossier_id: str) -> None:
        """Let the next entry commit to the answers of operators and the bookings, whose former salts were erased."""
        for payment in self.payments_of(dossier_id):
            for event in self.events_of(payment.id):
                if event.verified and event.kind in RECEIVED:
                    self._commit_to(dossier_id, *event_row(payment.id, event))
        for resource, booking in self.bookings_of(dossier_id):
            self._commit_to(dossier_id, *booking_row(resource, booking))

    def seats_ahead(self, owner: str, resource: str, now: datetime, but: str, by: str = "") -> tuple[int, int]:
        """Return how many seats the dossiers of an owner have from now on, booked or held, and those of the family.

        The family of a child is the person who first acted for them, else the owner, with every child that this person
        ever acted for. The dossier `but` does not count. No other unit counts those of this owner meanwhile, nor those
        of other owners for whom `by` acts: several offices may be asked at once.
        """
        for one in sorted({owner, by or owner}):
            self._turn("seats ahead", one)
        at = instant_text(now)
        cells = (owner, owner, owner, but, resource, at, but, resource, at, owner)
        own, family = self._row(_SEATS_AHEAD, cells)
        return int(own), int(family)

    def seats_without_telephone(
        self, resource: str, office: str, from_: datetime, to: datetime, now: datetime, but: str
    ) -> int:
        """Return how many seats accounts without a telephone have in a period, booked or held. Without those of `but`.

        People known by a document that an agent saw, accepted companies, and those whom a person with a telephone declared
        are not among them. A mandate that was given proves nothing: its holder may know nothing of it.
        """
        by_telephone = (
            "SELECT 1 FROM mandate m JOIN account h ON h.id = m.holder"
            " WHERE m.principal = a.id AND m.made_by = m.holder AND substr(h.login, 1, 1) = '+'"
        )
        theirs = (
            "JOIN dossier d ON d.id = s.dossier JOIN account a ON a.id = d.owner WHERE s.resource = ? AND s.office = ?"
            " AND s.start >= ? AND s.start < ? AND d.id <> ? AND substr(a.login, 1, 1) <> '+'"
            " AND substr(a.login, 1, 7) <> 'person:' AND (substr(a.login, 1, 8) <> 'company:' OR a.name = '')"
            f" AND NOT EXISTS ({by_telephone})"
        )
        sql = (
            f"SELECT (SELECT count(*) FROM booking s {theirs} AND s.status <> 'cancelled')"
            f" + (SELECT count(*) FROM seat_hold s {theirs} AND s.until > ?)"
        )
        cells = (resource, office, instant_text(from_), instant_text(to), but)
        return int(self._rows(sql, (*cells, *cells, instant_text(now)))[0][0])

    # issued documents

    def serials(self) -> Mapping[str, int]:
        """Return the last number taken, by series."""
        return dict(self._rows("SELECT series, last FROM serial"))

    def busiest_day(self) -> int:
        """Return how many receipts and documents were numbered on the busiest day, of all series together."""
        days = "SELECT count(*) AS given FROM entry WHERE kind IN ('credited', 'issued') GROUP BY substr(at, 1, 10)"
        return int(self._rows(f"SELECT coalesce(max(given), 0) FROM ({days}) AS days")[0][0])

    def next_serial(self, series: str, passing: int = 0) -> int:
        """Take the next number of a series, after `passing` others that are left out.

        The first is 1, and a rollback gives it back.
        """
        last: int = self._changed(_NEXT_SERIAL, (series, passing + 1))[0][0]
        return last

    def add_document(self, dossier_id: str, document: IssuedDocument) -> None:
        """Insert an issued document. Raises `AlreadyExists` if one of its unique values exists."""
        self._change(ISSUED.insert("dossier"), [*ISSUED.cells(document), dossier_id])

    def put_document(self, document: IssuedDocument) -> None:
        """Update an issued document. Raises `LookupError` if it does not exist."""
        if self._change(ISSUED.update, [*ISSUED.cells(document), document.id]) != 1:
            raise LookupError(document.id)

    def document_by_token(self, token: str) -> tuple[str, IssuedDocument] | None:
        """Return dossier id and document of a QR token, or None."""
        return self._document("token", token)

    def document_by_code(self, code: str) -> tuple[str, IssuedDocument] | None:
        """Return dossier id and document of a verification code, or None."""
        return self._document("code", code)

    def dossier_of_paper(self, number: str) -> str | None:
        """Return the id of the dossier of an issued document, a receipt or a payment by its number, in
        any case, or None."""
        row = self._row(BY_PAPER, (number, number.upper()) * 3)
        return row[0] if row else None

    def _document(self, column: str, value: str) -> tuple[str, IssuedDocument] | None:
        row = self._row(f"SELECT {ISSUED.columns}, dossier FROM document WHERE {column} = ?", (value,))
        return (row[-1], ISSUED.read(row)) if row else None

    # editions

    def add_edition(self, edition: Edition) -> bool:
        """Insert an edition. Returns False if the procedure has this fingerprint already."""
        return self._change(EDITIONS.insert() + " ON CONFLICT DO NOTHING", EDITIONS.cells(edition)) == 1

    def edition(self, procedure: str, fingerprint: str) -> Edition | None:
        """Return the edition with this fingerprint, or None."""
        row = self._row(f"{EDITIONS.select} WHERE procedure = ? AND fingerprint = ?", (procedure, fingerprint))
        return EDITIONS.read(row) if row else None

    def edition_heads(self, procedure: str | None = None) -> tuple[PublishedEdition, ...]:
        """Return all editions, or those of one procedure, without their texts. The order is by procedure, then as in
        `editions`."""
        of, cells = ("", ()) if procedure is None else (" WHERE procedure = ?", (procedure,))
        sql = (
            f"SELECT procedure, edition, fingerprint FROM edition{of} ORDER BY procedure, edition, published_at, rowid"
        )
        return tuple(PublishedEdition(*row) for row in self._rows(sql, cells))

    def editions(self, procedure: str) -> tuple[Edition, ...]:
        """Return all editions of a procedure with their texts, by number and publication time."""
        sql = f"{EDITIONS.select} WHERE procedure = ? ORDER BY edition, published_at, rowid"
        return EDITIONS.read_all(self._rows(sql, (procedure,)))


REFUNDS: Final = TableMapping(Refund, "refund", ("dossier", "entry"))
_PAID: Final = (
    "UPDATE refund SET paid_at = ?, paid_by = ?, reference = ?, payer = ?"
    " WHERE dossier = ? AND entry = ? AND paid_at IS NULL"
)


class RefundQueries(Queries):
    """Queries of `Unit` on refunds."""

    def add_refund(self, refund: Refund) -> None:
        """Insert a refund that is due. Raises `AlreadyExists` for the same dossier and entry."""
        self._change(REFUNDS.insert(), REFUNDS.cells(refund))

    def refunds_of(self, dossier_id: str) -> tuple[Refund, ...]:
        """Return all refunds of the dossier, paid or not, the oldest first."""
        return REFUNDS.read_all(self._rows(f"{REFUNDS.select} WHERE dossier = ? ORDER BY entry", (dossier_id,)))

    def pay_back(self, refund: Refund) -> bool:
        """Record date, agent, reference and payer of a paid refund. Returns False if it was paid before."""
        paid_at = instant_text(refund.paid_at) if refund.paid_at is not None else None
        cells = (paid_at, refund.paid_by, refund.reference, refund.payer, refund.dossier, refund.entry)
        return self._change(_PAID, cells) == 1

    def refunds_open(
        self, procedures: Sequence[str], offices: frozenset[str] | None, after: RefundMark | None, limit: int
    ) -> tuple[Refund, ...]:
        """Return unpaid refunds of these procedures, of dossiers of these offices or of none. The oldest come first."""
        cells: list[Cell] = [*procedures]
        where = f"procedure IN ({', '.join('?' * len(procedures)) or 'NULL'}) AND paid_at IS NULL"
        if after is not None:
            where += " AND (owed_at, dossier, entry) > (?, ?, ?)"
            cells += [instant_text(after.owed_at), after.dossier, after.entry]
        if offices is not None:
            among = ", ".join("?" * len(offices)) or "NULL"
            where += f" AND EXISTS (SELECT 1 FROM dossier d WHERE d.id = refund.dossier AND (d.office IS NULL OR d.office IN ({among})))"
            cells += sorted(offices)
        sql = f"{REFUNDS.select} WHERE {where} ORDER BY owed_at, dossier, entry LIMIT ?"
        return REFUNDS.read_all(self._rows(sql, (*cells, limit)))

    def forget_payers(self, dossier_id: str) -> None:
        """Erase the payers' numbers of paid refunds. Those of unpaid refunds stay."""
        self._change("UPDATE refund SET payer = '' WHERE dossier = ? AND paid_at IS NOT NULL", (dossier_id,))
