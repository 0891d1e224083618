"""The narrow interface to keeping: one unit of work, and these verbs. `SqliteStore` is the first to speak it.

One command of the office = one `unit(write=True)`: dossier, journal, letters, timers, bookings, documents and the
stored reply are kept together or not at all. The constraints of the store are the promise; the checks before them only
make the answer kinder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from engine.records.dossier import (
    Account,
    Booking,
    Dossier,
    Edition,
    IssuedDocument,
    Letter,
    Payment,
    PaymentEvent,
    Session,
    SignInCode,
    Timer,
)  # fmt: skip
from engine.records.events import EventsAsked, Facets, Happening
from engine.records.exchanges import Message, SeatHold, Share, Side, Waiting
from engine.records.gauges import Queues, Standing
from engine.records.journal import Entry
from engine.records.leaves import Leaf, Tree
from engine.records.orders import Order, OrderLine, OrderPart
from engine.records.people import Identifier, Mandate, Reading, SecondFactor
from engine.records.publications import Placed, Publication, Watch
from engine.records.removal import Rows, Use
from engine.records.snippets import Snippet
from engine.records.tallies import Asked, Count, Mark
from engine.values import Plain

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC)


class Conflict(Exception):
    """Somebody else changed the dossier meanwhile: the expected revision is not the kept one."""


class Taken(Exception):
    """A unique thing is taken already: a seat, a draft, a login."""


class Busy(Exception):
    """The store cannot answer now (locked, full, cut). Nothing was written; try again later."""


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
class Tray:
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
class Slice:
    """One page of a list and where the next begins (keyset, never an offset)."""

    lines: tuple[DossierLine, ...]
    after: str | None = None


class Unit(Protocol):
    """One transaction. Reading verbs answer what is kept, this unit's own writes included."""

    # dossiers
    def dossier(self, dossier_id: str) -> Dossier | None: ...
    def dossier_numbered(self, number: str) -> Dossier | None: ...
    def add_dossier(self, dossier: Dossier) -> None:
        """Raises `Taken` when the number, or this owner's draft of the procedure, exists."""
        ...

    def put_dossier(self, dossier: Dossier, expected_revision: int) -> None:
        """Keeps `dossier` (revision = expected + 1). Raises `Conflict`."""
        ...

    def draft_of(self, owner: str, procedure: str) -> Dossier | None: ...
    def dossiers_of(self, owner: str, limit: int = 50) -> tuple[DossierLine, ...]: ...
    def find_dossiers(self, tray: Tray, after: str | None = None, limit: int = 50) -> Slice: ...
    def count_dossiers(self, tray: Tray, most: int = 1000) -> int: ...

    # journal
    def head(self, dossier_id: str) -> tuple[int, str]:
        """Number and hash of the dossier's last entry; (0, "") before the first."""
        ...

    def add_entry(self, entry: Entry, salts: Mapping[str, str]) -> None:
        """Raises `Conflict` when the entry is not sealed to the head."""
        ...

    def entries(self, dossier_id: str) -> tuple[Entry, ...]: ...
    def salts(self, dossier_id: str) -> Mapping[int, Mapping[str, str]]: ...
    def erase_salts(self, dossier_id: str, names: Collection[str] | None = None) -> None:
        """Makes every value committed to in this dossier's journal (those of these names) unknowable; the chain still
        verifies."""
        ...

    # letters and timers
    def add_letter(self, letter: Letter) -> bool:
        """False when the same dedupe key is owed already."""
        ...

    def claim_letters(self, now: datetime, lease_until: datetime, limit: int = 50) -> tuple[Letter, ...]:
        """Letters due, lent to this worker until the lease ends, oldest first; each comes with its attempt counted."""
        ...

    def settle_letter(self, letter: Letter) -> None:
        """Ends the lease: sent (`sent_at`), given up for good (`failed`), or to try again at its `due_at`."""
        ...

    def letters_to(self, address: str, limit: int = 20) -> tuple[Letter, ...]: ...
    def letters_of(self, dossier_id: str) -> tuple[Letter, ...]: ...
    def erase_letters(self, dossier_id: str) -> None:
        """Forgets every message about this dossier, sent or not."""
        ...

    def set_timers(self, dossier_id: str, timers: Sequence[Timer]) -> None:
        """Replaces all the timers of the dossier that have not fired."""
        ...

    def due_timers(self, now: datetime, limit: int = 50) -> tuple[Timer, ...]: ...
    def fire_timer(self, timer: Timer, at: datetime) -> bool:
        """Marks it fired inside this unit; False when it was fired or replaced meanwhile."""
        ...

    # payments
    def add_payment(self, payment: Payment) -> None: ...
    def put_payment(self, payment: Payment) -> None: ...
    def payment(self, payment_id: str) -> Payment | None: ...
    def payment_referenced(self, reference: str) -> Payment | None: ...
    def payments_of(self, dossier_id: str) -> tuple[Payment, ...]: ...
    def pending_payments(
        self, checked_before: datetime, limit: int = 50, *, started_after: datetime = EARLIEST,
        started_by: datetime = LATEST,
    ) -> tuple[Payment, ...]:  # fmt: skip
        """Payments pending or unknown, last asked about (else started) by then, started after the one instant and not
        after the other; the longest unasked first."""
        ...

    def ended_payments(self, ended_after: datetime, checked_before: datetime, limit: int = 50) -> tuple[Payment, ...]:
        """Payments that failed or expired lately, last asked about by then; the longest unasked first."""
        ...

    def add_event(self, event: PaymentEvent) -> bool:
        """False when (provider, event_id) was recorded already."""
        ...

    def events_of(self, payment_id: str) -> tuple[PaymentEvent, ...]: ...
    def add_credit(self, payment_id: str, dossier_id: str, amount: int, at: datetime) -> bool:
        """Credits once for ever; False when it was credited already."""
        ...

    # seats
    def seats_taken(
        self, resource: str, office: str, from_: datetime, to: datetime
    ) -> Mapping[datetime, frozenset[int]]: ...
    def take_seat(self, resource: str, dossier_id: str, booking: Booking) -> None:
        """Raises `Taken` when that seat of that slot is somebody's, or the dossier holds another booking of this
        appointment that is still to come: to move, release first."""
        ...

    def release_seat(self, booking_id: str) -> None: ...
    def bookings_on(
        self, offices: Sequence[str], from_: datetime, to: datetime
    ) -> tuple[tuple[str, str, Booking], ...]:
        """(dossier id, resource, booking), by hour: the day of an office."""
        ...

    def put_booking(self, booking: Booking) -> None: ...

    # messages, seats held, waiting lists, lent documents
    def add_message(self, message: Message) -> None: ...
    def messages_of(self, dossier_id: str) -> tuple[Message, ...]: ...
    def read_messages(self, dossier_id: str, side: Side, at: datetime) -> int:
        """Marks as read those that this side wrote; how many were not."""
        ...

    def unread_messages(self, dossiers: Sequence[str], side: Side) -> Mapping[str, int]:
        """How many that this side wrote are unread, by dossier; those without any are left out."""
        ...

    def erase_exchanges(self, dossier_id: str) -> None:
        """Forgets the messages of this dossier, its holds, its places in waiting lists, its lent documents."""
        ...

    def hold_seat(self, hold: SeatHold, now: datetime) -> None:
        """In place of what this dossier held of the appointment. Raises `Taken` when another holds that seat."""
        ...

    def hold_of(self, dossier_id: str, appointment: str) -> SeatHold | None: ...
    def drop_hold(self, dossier_id: str, appointment: str) -> None: ...
    def seats_held(
        self, resource: str, office: str, from_: datetime, to: datetime, now: datetime, but: str
    ) -> Mapping[datetime, frozenset[int]]:
        """Those that others than the dossier `but` hold at this moment."""
        ...

    def put_waiting(self, waiting: Waiting) -> None: ...
    def drop_waiting(self, dossier_id: str, appointment: str) -> None: ...
    def waiting_of(self, dossier_id: str) -> tuple[Waiting, ...]: ...
    def waiting_for(self, resource: str, office: str, limit: int = 50) -> tuple[Waiting, ...]:
        """Who waits for a seat there, the longest first."""
        ...

    def put_share(self, share: Share) -> None: ...
    def share(self, token_sha256: str) -> Share | None: ...
    def shares_of(self, dossier_id: str) -> tuple[Share, ...]: ...

    # issued documents
    def next_serial(self, series: str) -> int: ...
    def add_document(self, dossier_id: str, document: IssuedDocument) -> None: ...
    def put_document(self, document: IssuedDocument) -> None: ...
    def document_by_token(self, token: str) -> tuple[str, IssuedDocument] | None: ...
    def document_by_code(self, code: str) -> tuple[str, IssuedDocument] | None: ...

    # editions
    def add_edition(self, edition: Edition) -> bool:
        """False when this fingerprint is kept already."""
        ...

    def edition(self, procedure: str, fingerprint: str) -> Edition | None: ...
    def editions(self, procedure: str) -> tuple[Edition, ...]: ...
    def edition_heads(self, procedure: str | None = None) -> tuple[Placed, ...]:
        """Every edition kept, or those of one procedure, without their texts: by procedure, then as `editions` has them."""
        ...

    # publications
    def last_publication(self) -> int:
        """The number of the last one, 0 before the first: what every process asks to learn that something was decided."""
        ...

    def add_publication(self, publication: Publication) -> None:
        """Raises `Conflict` when its number does not follow the last."""
        ...

    def publications(self, after: int = 0) -> tuple[Publication, ...]:
        """All, in their order."""
        ...

    def recent_publications(self, limit: int = 50, before: int | None = None) -> tuple[Publication, ...]:
        """The newest first; `before` a number, where a page ended."""
        ...

    def deed_head(self) -> tuple[int, str]:
        """Number and hash of the last entry of the publications' own chain; (0, "") before the first."""
        ...

    def add_deed(self, entry: Entry) -> None:
        """One entry of that chain. Raises `Conflict` when it is not sealed to the head."""
        ...

    def deeds(self) -> tuple[Entry, ...]: ...
    def watch(self, source: str) -> Watch | None: ...
    def put_watch(self, watch: Watch) -> None: ...

    # people at the door
    def account(self, account_id: str) -> Account | None: ...
    def account_of(self, kind: str, login: str) -> Account | None: ...
    def accounts(self, kind: str) -> tuple[Account, ...]: ...
    def put_account(self, account: Account) -> None: ...
    def second_factor(self, account_id: str) -> SecondFactor | None: ...
    def put_second_factor(self, factor: SecondFactor) -> None: ...
    def drop_second_factor(self, account_id: str) -> None: ...
    def identifier(self, kind: str, value: str) -> Identifier | None: ...
    def identifiers_of(self, account_id: str) -> tuple[Identifier, ...]: ...
    def add_identifier(self, identifier: Identifier) -> None:
        """Raises `Taken` when somebody is known by it already."""
        ...

    def drop_identifier(self, kind: str, value: str) -> None: ...
    def mandate(self, mandate_id: str) -> Mandate | None: ...
    def put_mandate(self, mandate: Mandate) -> None: ...
    def mandates_given(self, principal: str) -> tuple[Mandate, ...]: ...
    def mandates_held(self, holder: str) -> tuple[Mandate, ...]: ...
    def mandates_awaiting(self, phone: str) -> tuple[Mandate, ...]:
        """Those of somebody who never signed in with this phone since."""
        ...

    def mandates_to_check(self, limit: int = 200) -> tuple[Mandate, ...]:
        """Those whose document an agent must look at, the oldest first."""
        ...

    def mandate_proofs(self) -> tuple[tuple[str, str], ...]:
        """Every mandate with a document, and its digest."""
        ...

    def note_reading(self, reading: Reading) -> None:
        """Once a person, a dossier and a day: the last one counts."""
        ...

    def reading(self, dossier_id: str, account_id: str, day: str) -> Reading | None: ...
    def readings_of(self, dossier_id: str) -> tuple[Reading, ...]: ...
    def readings_by(self, account_id: str, limit: int = 200) -> tuple[Reading, ...]: ...
    def right_head(self) -> tuple[int, str]:
        """Number and hash of the last entry of the journal of rights; (0, "") before the first."""
        ...

    def add_right(self, entry: Entry) -> None:
        """One entry of that journal. Raises `Conflict` when it is not sealed to the head."""
        ...

    def rights(self, limit: int = 200) -> tuple[Entry, ...]:
        """The last entries of that journal, the newest first."""
        ...

    def sessions_of(self, account_id: str) -> tuple[Session, ...]: ...
    def session(self, token_sha256: str) -> Session | None: ...
    def put_session(self, session: Session) -> None: ...
    def drop_sessions(self, account_id: str, token_sha256: str | None = None) -> None: ...
    def code(self, phone: str) -> SignInCode | None: ...
    def put_code(self, code: SignInCode) -> None: ...
    def drop_code(self, phone: str) -> None: ...
    def count_try(self, key: str, window: str) -> int:
        """Counts one more try in this window and answers how many there were, this one included."""
        ...

    def keep_aside(self, key: str, body: Plain, at: datetime) -> None:
        """Something a lost session must find again (posted answers), or a reading to note."""
        ...

    def taken_aside(self, key: str) -> Plain:
        """What was kept aside, or None. A writing unit takes it away; a reading one only looks."""
        ...

    def peeked_aside(self, key: str) -> Plain:
        """The same, left where it is."""
        ...

    # counts
    def tally_mark(self) -> Mark | None:
        """Up to where the journal was counted; None before the first time."""
        ...

    def counted_after(self, mark: Mark | None, until: datetime, limit: int) -> tuple[Mark, ...]:
        """The entries that counts are made of (`tallies.COUNTED`), sealed after a mark and not after `until`, in the order of
        time: of which dossier, and their number in its journal."""
        ...

    def add_tallies(self, counts: Mapping[Count, int], before: Mark | None, after: Mark) -> None:
        """Adds to what was counted, and moves the mark. Raises `Conflict` when it is not `before` any more."""
        ...

    def tallies(self, asked: Asked) -> Mapping[Count, int]: ...
    def tallies_together(self, asked: Asked) -> Mapping[Count, int]:
        """The same, all offices in one."""
        ...

    def tallied(self, asked: Asked) -> frozenset[str]:
        """The procedures of which anything is counted."""
        ...

    def forget_tallies(self) -> None:
        """What was counted, and up to where: it is counted again from the first entry."""
        ...

    def acts_of(self, actor: str, first: datetime, end: datetime) -> Mapping[str, tuple[int, int]]:
        """What an agent did between two instants: by kind of entry how many, in how many dossiers."""
        ...

    # orders
    def add_order(self, order: Order, lines: Sequence[OrderLine] = ()) -> None: ...
    def put_order(self, order: Order) -> None: ...
    def order(self, order_id: str) -> Order | None: ...
    def order_numbered(self, n: int) -> Order | None: ...
    def orders_of(self, account: str, limit: int = 50) -> tuple[Order, ...]:
        """The newest first."""
        ...

    def orders_left(self) -> bool:
        """Whether any order is not ended."""
        ...

    def claim_order(self, now: datetime, lease_until: datetime) -> Order | None:
        """The oldest that is not ended and that nobody carries out at this moment, lent until the lease ends."""
        ...

    def order_line(self, order_id: str, rank: int) -> OrderLine | None: ...
    def put_order_line(self, line: OrderLine) -> None: ...
    def order_lines(self, order_id: str) -> tuple[OrderLine, ...]: ...
    def order_lines_left(self, order_id: str, limit: int) -> tuple[OrderLine, ...]:
        """Those of which nothing came yet, in their order."""
        ...

    def order_outcomes(self, order_id: str) -> Mapping[str, int]:
        """How many lines came to what."""
        ...

    def add_order_part(self, part: OrderPart) -> None:
        """Raises `Taken` when somebody else wrote this part."""
        ...

    def order_part(self, order_id: str, n: int) -> OrderPart | None: ...
    def order_parts(self, order_id: str) -> tuple[int, int, str]:
        """How many parts a file has by now, how many rows, and where the next begins."""
        ...

    def throw_files(self, now: datetime) -> int:
        """Forgets the parts of files kept until now; of how many orders."""
        ...

    # the tree of the journal
    def tree(self) -> Tree | None:
        """None before the first worker began it."""
        ...

    def put_tree(self, tree: Tree, first: bool) -> None:
        """Raises `Conflict` when another process began it."""
        ...

    def owed_leaves(self, limit: int) -> tuple[Leaf, ...]:
        """Entries that are in no tree yet."""
        ...

    def add_leaves(self, size: int, leaves: Sequence[Leaf]) -> None:
        """At the end of a tree of `size`."""
        ...

    def tree_nodes(self, level: int, first: int, end: int) -> tuple[bytes, ...]:
        """As `merkle.Nodes` reads it."""
        ...

    def leaf_hashes(self, first: int, end: int) -> tuple[str, ...]:
        """Of the entries, in the order of the tree."""
        ...

    def last_leaf(self, chain: str, size: int, most: int = 2**31) -> tuple[int, Leaf] | None:
        """The last entry of a chain, the `most`th at most, that a tree of `size` holds, and its place there."""
        ...

    # what waits
    def queues(self, now: datetime) -> Queues: ...

    # the journals together
    def find_events(
        self, asked: EventsAsked, before: tuple[str, str, int] | None = None, limit: int = 50
    ) -> tuple[Happening, ...]:
        """Entries of dossiers that were sent, the newest first, before a mark (`events.mark_of`)."""
        ...

    def count_events(self, asked: EventsAsked, most: int = 10_000) -> Facets:
        """How many of the last ones there are by kind, agent, office, procedure and channel."""
        ...

    def rights_by(self, actor: str, kinds: tuple[str, ...], limit: int = 100) -> tuple[Entry, ...]:
        """What somebody did that the journal of people says, of these kinds, the newest first."""
        ...

    # sentences kept ready
    def add_snippet(self, snippet: Snippet) -> None:
        """Raises `Taken` when somebody kept that version."""
        ...

    def snippets(self, agencies: Sequence[str]) -> tuple[Snippet, ...]:
        """The last version of each that is offered, by agency and title."""
        ...

    def snippet_versions(self, snippet_id: str) -> tuple[Snippet, ...]:
        """The newest first."""
        ...

    # idempotent replies
    def reply(self, principal: str, route: str, key: str) -> Reply | None: ...
    def add_reply(self, reply: Reply) -> None:
        """Raises `Taken` when a twin command committed first."""
        ...

    def sweep(self, before: datetime) -> int:
        """Forgets what served a moment: tries, replies and things aside from before, sessions and codes over before."""
        ...


class Store(Protocol):
    def unit(self, write: bool = False) -> AbstractContextManager[Unit]:
        """Opens a unit of work. Writing units are serialised or retried; an exception undoes everything."""
        ...

    def migrate(self) -> None: ...
    def settings(self) -> Mapping[str, str]:
        """What the store really runs with (journal mode, synchronous…), for `doctor` and the start's assertion."""
        ...

    def standing(self) -> Standing:
        """How it stands beside this release. Changes nothing."""
        ...

    def all_dossiers(self, procedure: str | None = None) -> Iterator[str]:
        """Every dossier by id, read in slices; of one procedure when it is named."""
        ...

    def tables(self, use: Use) -> AbstractContextManager[Rows]:
        """All of it as tables, in one transaction: to move it whole."""
        ...

    def findings(self) -> Iterator[Finding]:
        """What the store itself finds broken in its own tables (integrity, orphans): the store's part of `fsck`."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise found by `fsck`."""

    code: str
    dossier: str | None
    facts: Mapping[str, Plain] = field(default_factory=dict)
