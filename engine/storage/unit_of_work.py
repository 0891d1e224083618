"""The narrow interface to keeping: one unit of work, and these verbs. `SqliteStore` is the first to speak it.

One command of the office = one `unit(write=True)`: dossier, journal, letters, timers, bookings, documents and the
stored reply are kept together or not at all. The constraints of the store are the promise; the checks before them only
make the answer kinder.
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

GLANCE: Final = 0.1  # seconds of patience for what is written beside a page that is only read
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC)


class Conflict(Exception):
    """Somebody else changed the dossier meanwhile: the expected revision is not the kept one."""


class AlreadyExists(Exception):
    """A unique thing is taken already: a seat, a draft, a login."""


class Busy(Exception):
    """The store cannot answer now (locked, full, cut). Nothing was written; try again later."""


class Away(Busy):
    """The server of the store answers nobody: stopped, cut off, starting."""


class Unreachable(Away):
    """The server of the store lets nobody in. `cause`: address, unknown_host, refused, timeout, password, role, database,
    not_admitted, full, starting, encryption, or other, with what it `said`; `place`: who asked where, no password in it."""

    def __init__(self, cause: str, place: str = "", said: str = "") -> None:
        super().__init__(said or cause)
        self.cause, self.place, self.said = cause, place, said


class Damaged(Exception):
    """What is kept cannot be read: no store of ours, or a broken one. Waiting does not help; `findings` may say more."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The stored answer to one idempotent command: same key and same digest, same answer."""

    principal: str
    route: str
    key: str
    digest: str
    body: Plain
    at: datetime


@dataclass(frozen=True, slots=True)
class DossierLine:
    """What a list shows of a dossier, without its answers."""

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
    """Which dossiers a list asks for. `places` are (procedure, state) pairs; None = any. Sorted by due date, then id.
    Where several hands are waited for, `roles` tell a person's part: left to do (`unassigned`), or done (`parts_done`)."""

    places: tuple[tuple[str, str], ...] | None = None
    offices: frozenset[str] | None = None
    assigned: str | None = None
    unassigned: bool = False  # nobody's; with `roles`, those that wait for their part too, whoever holds them
    roles: tuple[str, ...] = ()
    parts_done: bool = False  # only those that wait for no part of `roles`
    late_at: datetime | None = None  # only those due before, their time not standing still
    text: str = ""  # number, or words of the label
    open_only: bool = True


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page of a list and where the next begins (keyset, never an offset)."""

    lines: tuple[DossierLine, ...]
    after: str | None = None


class Unit(PeopleUnit, PublicationUnit, ServiceUnit, UnprovenUnit, Protocol):
    """One transaction. Reading verbs answer what is kept, this unit's own writes included."""

    # dossiers
    def dossier(self, dossier_id: str) -> Dossier | None: ...
    def dossier_at_rest(self, dossier_id: str) -> Dossier | None:
        """The same, unless another unit is changing it at this moment: for what concerns others than whose act this is, so that
        two units never wait for each other's dossiers."""
        ...

    def dossier_numbered(self, number: str) -> Dossier | None: ...
    def add_dossier(self, dossier: Dossier) -> None:
        """Raises `AlreadyExists` when the number, or this owner's draft of the procedure, exists."""
        ...

    def put_dossier(self, dossier: Dossier, expected_revision: int) -> None:
        """Keeps `dossier` (revision = expected + 1). Raises `Conflict`."""
        ...

    def draft_of(self, owner: str, procedure: str) -> Dossier | None:
        """The draft of this owner and procedure. A writing unit holds it, as it stands once held."""
        ...

    def dossiers_of(self, owner: str, limit: int = 50) -> tuple[DossierLine, ...]: ...
    def find_dossiers(self, query: DossierQuery, after: str | None = None, limit: int = 50) -> ResultPage: ...
    def count_dossiers(self, query: DossierQuery, most: int = 1000) -> int: ...

    def body_digest(self, dossier_id: str) -> str:
        """SHA-256 of the dossier's body as it is kept; empty where there is none."""
        ...

    def number_of(self, dossier_id: str) -> str | None: ...

    # journal
    def uncommitted(self, dossier_id: str) -> Mapping[str, Plain]:
        """Rows of the dossier that this unit wrote since its last entry, by name, for the next one to commit to. Answers them
        once."""
        ...

    def head(self, dossier_id: str) -> tuple[int, str]:
        """Number and hash of the dossier's last entry; (0, "") before the first."""
        ...

    def add_entry(self, entry: JournalEntry, salts: Mapping[str, str]) -> None:
        """Raises `Conflict` when the entry is not sealed to the head."""
        ...

    def entries(self, dossier_id: str) -> tuple[JournalEntry, ...]: ...
    def salts(self, dossier_id: str) -> Mapping[int, Mapping[str, str]]: ...
    def erase_salts(self, dossier_id: str, names: Collection[str] | None = None) -> None:
        """Makes every value committed to in this dossier's journal (those of these names) unknowable; the chain still
        verifies."""
        ...

    # letters and timers
    def add_letter(self, letter: OutboundMessage) -> bool:
        """False when the same dedupe key is owed already."""
        ...

    def claim_letters(
        self, now: datetime, lease_until: datetime, limit: int = 50, without: Sequence[str] = ()
    ) -> tuple[OutboundMessage, ...]:
        """Letters due, lent to this worker until the lease ends, oldest first; each comes with its attempt counted. None of the
        channels `without`."""
        ...

    def settle_letter(self, letter: OutboundMessage, lent_until: datetime | None = None) -> None:
        """Ends the lease: sent (`sent_at`), given up for good (`failed`), or to try again at its `due_at`. With the end of the lease
        only if it is still that one. Raises `LookupError`."""
        ...

    def channels_due(self, now: datetime) -> frozenset[str]:
        """The channels with a letter that is due and lent to no worker."""
        ...

    def silence_letter(self, letter_id: str, why: str) -> bool:
        """Gives up for good a letter that has not left; False when it left, or was given up, meanwhile."""
        ...

    def erase_secrets(self, before: datetime) -> int:
        """Empties letters that hold a code or a sign-in link once they left or were given up; gives up those owed before this
        instant, whose code is over. How many."""
        ...

    def letters_to(self, address: str, limit: int = 20) -> tuple[OutboundMessage, ...]: ...
    def letters_of(self, dossier_id: str) -> tuple[OutboundMessage, ...]: ...
    def erase_letters(self, dossier_id: str) -> None:
        """Forgets every message about this dossier, sent or not."""
        ...

    def set_timers(self, dossier_id: str, timers: Sequence[Timer]) -> None:
        """Replaces all the timers of the dossier that have not fired. An entry must follow in the same unit: it commits to them."""
        ...

    def due_timers(self, now: datetime, limit: int = 50, without: Sequence[str] = ()) -> tuple[Timer, ...]:
        """The longest due first. `without`: kinds of timers to leave out, a name up to its first colon."""
        ...

    def fire_timer(self, timer: Timer, at: datetime) -> bool:
        """Marks it fired inside this unit; False when it was fired or replaced meanwhile. An entry must follow: it commits to it."""
        ...

    def timer_rows(self, dossier_id: str) -> Plain:
        """All the timers of the dossier as its journal commits to them: name, entry, when due, when fired."""
        ...

    # payments
    def add_payment(self, payment: Payment) -> None: ...
    def put_payment(self, payment: Payment) -> None: ...
    def payment(self, payment_id: str) -> Payment | None: ...
    def payment_referenced(self, reference: str) -> Payment | None: ...
    def payments_of(self, dossier_id: str) -> tuple[Payment, ...]: ...
    def pending_payments(
        self, checked_before: datetime, limit: int = 50, *, started_after: datetime = EARLIEST,
        started_by: datetime = LATEST, without: Sequence[str] = (),
    ) -> tuple[Payment, ...]:  # fmt: skip
        """Payments pending or unknown, last asked about (else started) by then, started after the one instant and not
        after the other; the longest unasked first. None of the providers `without`, and none whose order still waits to be
        handed over, until its time is over."""
        ...

    def ended_payments(
        self, ended_after: datetime, checked_before: datetime, limit: int = 50, without: Sequence[str] = ()
    ) -> tuple[Payment, ...]:
        """Payments that failed or expired lately, last asked about by then; the longest unasked first. None of the providers
        `without`."""
        ...

    def add_event(self, event: PaymentEvent) -> bool:
        """False when (provider, event_id) was recorded already."""
        ...

    def events_of(self, payment_id: str) -> tuple[PaymentEvent, ...]: ...
    def add_credit(self, payment_id: str, dossier_id: str, amount: int, at: datetime) -> bool:
        """Credits once for ever; False when it was credited already."""
        ...

    def credits_of(self, dossier_id: str) -> Mapping[str, tuple[int, str]]:
        """Amount and instant, by payment."""
        ...

    # money owed back
    def add_refund(self, refund: Refund) -> None: ...
    def refunds_of(self, dossier_id: str) -> tuple[Refund, ...]:
        """All of them, paid back or not, the oldest first."""
        ...

    def pay_back(self, refund: Refund) -> bool:
        """Keeps its day, hand, reference and payer; False when it was paid back already."""
        ...

    def refunds_open(
        self, procedures: Sequence[str], offices: frozenset[str] | None, after: RefundMark | None, limit: int
    ) -> tuple[Refund, ...]:
        """What is still owed back in these procedures, of dossiers of these offices or of none, the longest owed first."""
        ...

    def forget_payers(self, dossier_id: str) -> None:
        """The numbers that were paid back; one that waits for its money stays."""
        ...

    # seats
    def seats_taken(
        self, resource: str, office: str, from_: datetime, to: datetime, alone: bool = False
    ) -> Mapping[datetime, frozenset[int]]:
        """`alone`: for who is about to take one that is free; others who are wait until this unit ends."""
        ...

    def take_seat(self, resource: str, dossier_id: str, booking: Booking) -> None:
        """Raises `AlreadyExists` when that seat of that slot is somebody's, or the dossier holds another booking of this
        appointment that is still to come: to move, release first."""
        ...

    def release_seat(self, booking_id: str) -> None: ...
    def bookings_on(
        self, offices: Sequence[str], from_: datetime, to: datetime
    ) -> tuple[tuple[str, str, Booking], ...]:
        """(dossier id, resource, booking), by hour: the day of an office."""
        ...

    def put_booking(self, booking: Booking) -> None: ...
    def bookings_of(self, dossier_id: str) -> tuple[tuple[str, Booking], ...]:
        """All of them with their resource, those that were given back too."""
        ...

    # messages, notes, seats held, waiting lists, lent documents
    def add_message(self, message: Message) -> None: ...
    def messages_of(self, dossier_id: str) -> tuple[Message, ...]: ...
    def read_messages(self, dossier_id: str, side: Side, at: datetime) -> int:
        """Marks as read those that this side wrote; how many were not."""
        ...

    def unread_messages(self, dossiers: Sequence[str], side: Side) -> Mapping[str, int]:
        """How many that this side wrote are unread, by dossier; those without any are left out."""
        ...

    def add_note(self, note: Note) -> None: ...
    def notes_of(self, dossier_id: str) -> tuple[Note, ...]: ...
    def erase_exchanges(self, dossier_id: str) -> None:
        """Forgets the messages and notes of this dossier, its holds, its places in waiting lists, its lent documents."""
        ...

    def hold_seat(self, hold: SeatHold, now: datetime) -> None:
        """In place of what this dossier held of the appointment. Raises `AlreadyExists` when another holds that seat."""
        ...

    def hold_of(self, dossier_id: str, appointment: str) -> SeatHold | None: ...
    def drop_hold(self, dossier_id: str, appointment: str) -> None: ...
    def seats_held(
        self, resource: str, office: str, from_: datetime, to: datetime, now: datetime, but: str
    ) -> Mapping[datetime, frozenset[int]]:
        """Those that others than the dossier `but` hold at this moment."""
        ...

    def put_waiting(self, waiting: WaitingListEntry) -> None: ...
    def drop_waiting(self, dossier_id: str, appointment: str) -> None: ...
    def waiting_of(self, dossier_id: str) -> tuple[WaitingListEntry, ...]: ...
    def waiting_for(
        self, resource: str, office: str, limit: int = 50, *,
        reported_before: datetime | None = None, after: WaitingListEntry | None = None,
    ) -> tuple[WaitingListEntry, ...]:  # fmt: skip
        """Who waits for a seat there with a dossier that is open: those never told first, then those told the longest ago; of
        these the longest waiting. Without those told later than `told_before`; from the one `after` on."""
        ...

    def put_share(self, share: Share) -> None: ...
    def share(self, token_sha256: str) -> Share | None: ...
    def shares_of(self, dossier_id: str) -> tuple[Share, ...]: ...

    # issued documents
    def next_serial(self, series: str) -> int: ...
    def serials(self) -> Mapping[str, int]:
        """The last number given, by series."""
        ...

    def add_document(self, dossier_id: str, document: IssuedDocument) -> None: ...
    def put_document(self, document: IssuedDocument) -> None: ...
    def document_by_token(self, token: str) -> tuple[str, IssuedDocument] | None: ...
    def document_by_code(self, code: str) -> tuple[str, IssuedDocument] | None: ...

    # idempotent replies
    def reply(self, principal: str, route: str, key: str) -> Reply | None: ...
    def add_reply(self, reply: Reply) -> None:
        """Raises `AlreadyExists` when a twin command committed first."""
        ...

    def bring_back(self, now: datetime, astray: timedelta) -> int:
        """Corrects what a clock that was ahead wrote: sessions and codes of moments to come end, leases are over, payments begun then
        began now. `astray`: what clocks may differ by. How many rows changed."""
        ...

    def sweep(self, before: datetime, posts_before: datetime | None = None) -> int:
        """Forgets what served a moment: tries, replies and things aside from before, sessions and codes over before, letters
        of before that are of no dossier (codes, links), or of a draft that was forgotten; posts that wait for a sign-in from
        before `posts_before`."""
        ...


class Store(Protocol):
    def unit(self, write: bool = False, wait_limit: float | None = None) -> AbstractContextManager[Unit]:
        """Opens a unit of work. Writing units are serialised or retried; an exception undoes everything. `patience`: seconds to
        wait for a lock that another process holds, before `Busy`."""
        ...

    def migrate(self) -> None: ...
    def settings(self) -> Mapping[str, str]:
        """What the store really runs with (journal mode, synchronous…), for `doctor` and the start's assertion."""
        ...

    def migration_state(self) -> MigrationState:
        """How it stands beside this release. Changes nothing."""
        ...

    def all_dossiers(self, procedure: str | None = None) -> Iterator[str]:
        """Every dossier by id, read in slices; of one procedure when it is named."""
        ...

    def tables(self, use: Use) -> AbstractContextManager[TableRows]:
        """All of it as tables, in one transaction: to move it whole."""
        ...

    def not_journalled(self) -> Mapping[str, int]:
        """How many rows of each kind were there before they were journalled."""
        ...

    def findings(self) -> Iterator[IntegrityFinding]:
        """What the store itself finds broken in its own tables (integrity, orphans): the store's part of `fsck`."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """One broken promise found by `fsck`."""

    code: str
    dossier: str | None
    facts: Mapping[str, Plain] = field(default_factory=dict)
