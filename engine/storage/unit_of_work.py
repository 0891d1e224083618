"""The interface of storage: one unit of work and its queries. `SqliteStore` and the PostgreSQL store implement it.

One command is one `unit(write=True)`. Dossier, journal, messages, timers, bookings, documents and reply are stored
together or not at all. Database constraints enforce the rules. Checks before them only give better messages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from engine.core.values import Plain
from engine.journal.chain import JournalEntry
from engine.records.dossier import (
    Booking,
    Dossier,
    IssuedDocument,
    OutboundMessage,
    Payment,
    PaymentEvent,
    Timer,
)  # fmt: skip
from engine.records.exchanges import Message, Note, SeatHold, Share, Side, WaitingListEntry
from engine.records.refunds import Refund, RefundMark
from engine.records.statistics import MigrationState
from engine.records.unverified_files import UnprovenUnit
from engine.storage.table_copy import TableRows, Use
from engine.storage.unit_of_work_people import PeopleUnit, PublicationUnit
from engine.storage.unit_of_work_service import ServiceUnit

GLANCE: Final = 0.1  # seconds to wait for writes that accompany a page that is only read
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC)


class Conflict(Exception):
    """Another unit changed the dossier meanwhile: the expected revision is not the stored one."""


class AlreadyExists(Exception):
    """A unique value exists already: a seat, a draft, a login."""


class Busy(Exception):
    """The store cannot answer now (locked, full, connection lost). Nothing was written, and a retry may succeed."""


class Away(Busy):
    """The database server does not answer: stopped, unreachable or starting."""


class Unreachable(Away):
    """The database server refuses or fails a connection.

    `cause`: address, unknown_host, refused, timeout, password, role, database, not_admitted, full, starting,
    encryption, or other. `said` is the server's text. `place` says which user at which server, without password.
    """

    def __init__(self, cause: str, place: str = "", said: str = "") -> None:
        super().__init__(said or cause)
        self.cause, self.place, self.said = cause, place, said


class Damaged(Exception):
    """The stored data cannot be read: a foreign or broken database. A retry does not help. `findings` may say more."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The stored reply to one idempotent command. The same key with the same digest gets the same reply."""

    principal: str
    route: str
    key: str
    digest: str
    body: Plain
    at: datetime


@dataclass(frozen=True, slots=True)
class DossierLine:
    """One line of a list of dossiers, without answers."""

    id: str
    number: str
    procedure: str
    edition: int
    label: str
    state: str
    office: str | None
    owner: str
    assigned: str | None
    submitted_at: datetime | None
    entered_at: datetime
    due_at: datetime | None
    due_paused: bool
    closed: bool
    created_at: datetime
    awaits: tuple[str, ...] | None = None
    channel: str = "web"


@dataclass(frozen=True, slots=True)
class DossierQuery:
    """Filters of a list of dossiers. `places` are (procedure, state) pairs, None for any. Sorted by due date, then id.
    Where several parts are awaited, `roles` selects those of a person: to do (`unassigned`) or done (`parts_done`)."""

    places: tuple[tuple[str, str], ...] | None = None
    offices: frozenset[str] | None = None
    assigned: str | None = None
    unassigned: bool = False  # assigned to no agent; with `roles`, also those that wait for their part
    roles: tuple[str, ...] = ()
    parts_done: bool = False  # only those without a pending part of `roles`
    late_at: datetime | None = None  # only those due before and not paused
    text: str = ""  # number, or words of the label
    open_only: bool = True


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page of a list, and the position of the next one (keyset, never an offset). `after` is None on the last
    page."""

    lines: tuple[DossierLine, ...]
    after: str | None = None


class Unit(PeopleUnit, PublicationUnit, ServiceUnit, UnprovenUnit, Protocol):
    """One transaction. Reading queries return stored data, including writes of this unit."""

    # dossiers
    def dossier(self, dossier_id: str) -> Dossier | None:
        """Return the dossier, or None. A writing unit locks it."""

    def dossier_at_rest(self, dossier_id: str) -> Dossier | None:
        """Return the dossier, or None while another unit locks it. Used for dossiers other than the one acted on, so
        that two units never wait for each other."""

    def dossier_numbered(self, number: str) -> Dossier | None:
        """Return the dossier with this number, or None. A writing unit locks it."""

    def add_dossier(self, dossier: Dossier) -> None:
        """Insert a dossier. Raises `AlreadyExists` if the number, or this owner's draft of the procedure, exists."""

    def put_dossier(self, dossier: Dossier, expected_revision: int) -> None:
        """Replace the dossier; its revision must be expected + 1. Raises `Conflict` if the stored one is not expected."""

    def draft_of(self, owner: str, procedure: str) -> Dossier | None:
        """Return the open draft of this owner and procedure, or None. A writing unit locks it."""

    def dossiers_of(self, owner: str, limit: int = 50) -> tuple[DossierLine, ...]:
        """Return dossiers of this owner, the newest first."""

    def find_dossiers(self, query: DossierQuery, after: str | None = None, limit: int = 50) -> ResultPage:
        """Return one page of a list, by due date, then id. A malformed `after` gives the first page."""

    def count_dossiers(self, query: DossierQuery, most: int = 1000) -> int:
        """Return how many dossiers match, counting at most `most`."""

    def body_digest(self, dossier_id: str) -> str:
        """Return the SHA-256 of the stored body text, empty if there is none."""

    def number_of(self, dossier_id: str) -> str | None:
        """Return the public number of a dossier id, or None."""

    # journal
    def uncommitted(self, dossier_id: str) -> Mapping[str, Plain]:
        """Return rows of the dossier written since its last entry, by name, for the next entry. A second call returns
        none."""

    def head(self, dossier_id: str) -> tuple[int, str]:
        """Return the number and hash of the dossier's last entry, (0, "") before the first."""

    def add_entry(self, entry: JournalEntry, salts: Mapping[str, str]) -> None:
        """Append the entry and store its salts. Raises `Conflict` if the entry does not follow the head."""

    def entries(self, dossier_id: str) -> tuple[JournalEntry, ...]:
        """Return the journal of the dossier, in order."""

    def salts(self, dossier_id: str) -> Mapping[int, Mapping[str, str]]:
        """Return the stored salts, by entry number and value name."""

    def erase_salts(self, dossier_id: str, names: Collection[str] | None = None) -> None:
        """Erase salts, of these names or all, so that the values are unknowable. The chain still verifies."""

    # outbound messages and timers
    def add_letter(self, letter: OutboundMessage) -> bool:
        """Add an outbound message. Returns False if its `dedupe` key exists."""

    def claim_letters(
        self, now: datetime, lease_until: datetime, limit: int = 50, without: Sequence[str] = ()
    ) -> tuple[OutboundMessage, ...]:
        """Claim due messages for one worker until the lease ends, the oldest first. Each attempt is counted. Messages
        of channels in `without` are left out."""

    def update_outbound_message(self, letter: OutboundMessage, lent_until: datetime | None = None) -> None:
        """End the lease: sent (`sent_at`), failed for good (`failed`), or retried at `due_at`. Raises `LookupError` if
        the message is gone, or its lease does not end at `lent_until`."""

    def channels_due(self, now: datetime) -> frozenset[str]:
        """Return the channels with a due message that no worker has claimed."""

    def silence_letter(self, letter_id: str, why: str) -> bool:
        """Mark an unsent message as failed for good. Returns False if it was sent or had failed meanwhile."""

    def erase_secrets(self, before: datetime) -> int:
        """Empty finished messages that hold a code or sign-in link. Unsent ones created before this instant fail,
        because their code has expired. Returns the number of changed messages."""

    def letters_to(self, address: str, limit: int = 20) -> tuple[OutboundMessage, ...]:
        """Return messages to this address, the newest first."""

    def letters_of(self, dossier_id: str) -> tuple[OutboundMessage, ...]:
        """Return the messages of this dossier, the oldest first."""

    def erase_letters(self, dossier_id: str) -> None:
        """Delete all messages of this dossier, sent or not."""

    def set_timers(self, dossier_id: str, timers: Sequence[Timer]) -> None:
        """Replace the unfired timers of the dossier. An entry must follow in the same unit and commits to them."""

    def due_timers(self, now: datetime, limit: int = 50, without: Sequence[str] = ()) -> tuple[Timer, ...]:
        """Return due timers, the longest due first. `without`: kinds to leave out, the name up to the first colon."""

    def fire_timer(self, timer: Timer, at: datetime) -> bool:
        """Mark the timer as fired. Returns False if it was fired or replaced. An entry must follow and commits to it."""

    def timer_rows(self, dossier_id: str) -> Plain:
        """Return all timers of the dossier as its journal commits to them: name, entry, due time, fire time."""

    # payments
    def add_payment(self, payment: Payment) -> None:
        """Insert a payment. The next entry of the dossier commits to it."""

    def put_payment(self, payment: Payment) -> None:
        """Update a payment. Raises `LookupError` if it does not exist."""

    def payment(self, payment_id: str) -> Payment | None:
        """Return the payment, or None. A writing unit locks it."""

    def payment_referenced(self, reference: str) -> Payment | None:
        """Return the payment with our reference, or None. A writing unit locks it."""

    def payments_of(self, dossier_id: str) -> tuple[Payment, ...]:
        """Return all payments of the dossier, the oldest first."""

    def pending_payments(
        self, checked_before: datetime, limit: int = 50, *, started_after: datetime = EARLIEST,
        started_by: datetime = LATEST, without: Sequence[str] = (),
    ) -> tuple[Payment, ...]:  # fmt: skip
        """Return pending or unknown payments to check, the longest unchecked first.

        Last checked (else started) by `checked_before`. Left out: providers `without`, and unexpired orders that were
        not yet sent to the operator.
        """

    def ended_payments(
        self, ended_after: datetime, checked_before: datetime, limit: int = 50, without: Sequence[str] = ()
    ) -> tuple[Payment, ...]:
        """Return payments that failed or expired after `ended_after`, last checked by `checked_before`. The longest
        unchecked come first, without the providers `without`."""

    def add_event(self, event: PaymentEvent) -> bool:
        """Add a provider event. Returns False if (provider, event_id) was recorded before."""

    def events_of(self, payment_id: str) -> tuple[PaymentEvent, ...]:
        """Return the events of a payment, in the order of their arrival."""

    def add_credit(self, payment_id: str, dossier_id: str, amount: int, at: datetime) -> bool:
        """Credit a payment to its dossier, once. Returns False if it was credited before."""

    def credits_of(self, dossier_id: str) -> Mapping[str, tuple[int, str]]:
        """Return amount and instant text of each credit, by payment id."""

    # refunds
    def add_refund(self, refund: Refund) -> None:
        """Insert a refund that is due. Raises `AlreadyExists` for the same dossier and entry."""

    def refunds_of(self, dossier_id: str) -> tuple[Refund, ...]:
        """Return all refunds of the dossier, paid or not, the oldest first."""

    def pay_back(self, refund: Refund) -> bool:
        """Record date, agent, reference and payer of a paid refund. Returns False if it was paid before."""

    def refunds_open(
        self, procedures: Sequence[str], offices: frozenset[str] | None, after: RefundMark | None, limit: int
    ) -> tuple[Refund, ...]:
        """Return unpaid refunds of these procedures, of dossiers of these offices or of none. The oldest come first."""

    def forget_payers(self, dossier_id: str) -> None:
        """Erase the payers' numbers of paid refunds. Those of unpaid refunds stay."""

    # seats
    def seats_taken(
        self, resource: str, office: str, from_: datetime, to: datetime, alone: bool = False
    ) -> Mapping[datetime, frozenset[int]]:
        """Return the booked seats, by start time. With `alone`, other units with `alone` wait until this unit ends, as
        one of the free seats will be taken."""

    def take_seat(self, resource: str, dossier_id: str, booking: Booking) -> None:
        """Insert a booking. Raises `AlreadyExists` if the seat is taken, or the dossier has another future booking of
        this appointment. To move one, release it first."""

    def release_seat(self, booking_id: str) -> None:
        """Mark the booking as cancelled, so that its seat is free."""

    def bookings_on(
        self, offices: Sequence[str], from_: datetime, to: datetime
    ) -> tuple[tuple[str, str, Booking], ...]:
        """Return (dossier id, resource, booking) of these offices, by start time. Cancelled ones are left out."""

    def put_booking(self, booking: Booking) -> None:
        """Update a booking. Raises `LookupError` if it does not exist."""

    def bookings_of(self, dossier_id: str) -> tuple[tuple[str, Booking], ...]:
        """Return all bookings of the dossier with their resource, cancelled ones included."""

    # messages, notes, held seats, waiting lists, shares
    def add_message(self, message: Message) -> None:
        """Insert a message. The next entry of the dossier commits to it."""

    def messages_of(self, dossier_id: str) -> tuple[Message, ...]:
        """Return the messages of the dossier, the oldest first."""

    def read_messages(self, dossier_id: str, side: Side, at: datetime) -> int:
        """Mark the unread messages that this side wrote as read. Returns their number."""

    def unread_messages(self, dossiers: Sequence[str], side: Side) -> Mapping[str, int]:
        """Return the number of unread messages that this side wrote, by dossier. Zero counts are left out."""

    def add_note(self, note: Note) -> None:
        """Insert an internal note. The next entry of the dossier commits to it."""

    def notes_of(self, dossier_id: str) -> tuple[Note, ...]:
        """Return the notes of the dossier, the oldest first."""

    def erase_exchanges(self, dossier_id: str) -> None:
        """Delete messages, notes, held seats, waiting-list entries and shares of the dossier."""

    def hold_seat(self, hold: SeatHold, now: datetime) -> None:
        """Hold a seat, replacing the hold of this dossier and appointment. Raises `AlreadyExists` if another dossier
        holds it."""

    def hold_of(self, dossier_id: str, appointment: str) -> SeatHold | None:
        """Return the seat hold of this dossier and appointment, expired or not, or None."""

    def drop_hold(self, dossier_id: str, appointment: str) -> None:
        """Delete the seat hold of this dossier and appointment, if any."""

    def seats_held(
        self, resource: str, office: str, from_: datetime, to: datetime, now: datetime, but: str
    ) -> Mapping[datetime, frozenset[int]]:
        """Return the seats that dossiers other than `but` hold now, by start time."""

    def put_waiting(self, waiting: WaitingListEntry) -> None:
        """Insert or update the waiting-list entry of its dossier and appointment."""

    def drop_waiting(self, dossier_id: str, appointment: str) -> None:
        """Delete the waiting-list entry of this dossier and appointment, if any."""

    def waiting_of(self, dossier_id: str) -> tuple[WaitingListEntry, ...]:
        """Return the waiting-list entries of the dossier, by appointment."""

    def waiting_for(
        self, resource: str, office: str, limit: int = 50, *,
        reported_before: datetime | None = None, after: WaitingListEntry | None = None,
    ) -> tuple[WaitingListEntry, ...]:  # fmt: skip
        """Return entries of open dossiers that wait for a seat there.

        Never notified ones come first, then the longest ago, then the longest waiting. Entries notified after
        `reported_before` are left out. The page begins behind `after`.
        """

    def put_share(self, share: Share) -> None:
        """Insert or update a share. The next entry of the dossier commits to it."""

    def share(self, token_sha256: str) -> Share | None:
        """Return the share with this token digest, or None. A writing unit locks it."""

    def shares_of(self, dossier_id: str) -> tuple[Share, ...]:
        """Return the shares of the dossier, the oldest first."""

    # issued documents
    def next_serial(self, series: str) -> int:
        """Take the next number of a series. The first is 1, and a rollback gives it back."""

    def serials(self) -> Mapping[str, int]:
        """Return the last number taken, by series."""

    def add_document(self, dossier_id: str, document: IssuedDocument) -> None:
        """Insert an issued document. Raises `AlreadyExists` if one of its unique values exists."""

    def put_document(self, document: IssuedDocument) -> None:
        """Update an issued document. Raises `LookupError` if it does not exist."""

    def document_by_token(self, token: str) -> tuple[str, IssuedDocument] | None:
        """Return dossier id and document of a QR token, or None."""

    def document_by_code(self, code: str) -> tuple[str, IssuedDocument] | None:
        """Return dossier id and document of a verification code, or None."""

    # idempotent replies
    def reply(self, principal: str, route: str, key: str) -> Reply | None:
        """Return the stored reply of an idempotent command, or None."""

    def add_reply(self, reply: Reply) -> None:
        """Store the reply of a command. Raises `AlreadyExists` if a duplicate command committed first."""

    def bring_back(self, now: datetime, astray: timedelta) -> int:
        """Correct times written by a clock that was ahead. Future sessions and codes end, leases end, and payments
        begin now. `astray`: the tolerated difference of clocks. Returns the number of changed rows."""

    def sweep(self, before: datetime, posts_before: datetime | None = None) -> int:
        """Delete short-lived rows from before `before`: tries, replies, saved rows, ended sessions and codes. Also
        finished messages of no dossier or of a closed draft. Posts saved for a sign-in go by `posts_before`. Returns
        their number."""


class Store(Protocol):
    """One database: units of work, migrations, integrity checks."""

    def unit(self, write: bool = False, wait_limit: float | None = None) -> AbstractContextManager[Unit]:
        """Open a unit of work. Writing units are serialised or retried, and an exception rolls back. `wait_limit`:
        seconds to wait for the lock of another process, then `Busy`."""

    def migrate(self) -> None:
        """Apply the missing migrations."""

    def settings(self) -> Mapping[str, str]:
        """Return the database settings in use (journal mode, synchronous…), for `doctor` and the check at start."""

    def migration_state(self) -> MigrationState:
        """Return the schema state compared with this release, without changing it."""

    def all_dossiers(self, procedure: str | None = None) -> Iterator[str]:
        """Yield every dossier id, read in pages, of one procedure or all."""

    def tables(self, use: Use) -> AbstractContextManager[TableRows]:
        """Open all tables in one transaction, to copy the whole database."""

    def not_journalled(self) -> Mapping[str, int]:
        """Return the number of rows of each kind that are older than their journal."""

    def findings(self) -> Iterator[IntegrityFinding]:
        """Yield inconsistencies of the tables (integrity, orphans): the part of `fsck` that needs no definition."""

    def close(self) -> None:
        """Close the connections of this process. A later use opens new ones."""


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """One inconsistency found by `fsck`."""

    code: str
    dossier: str | None
    facts: Mapping[str, Plain] = field(default_factory=dict)
