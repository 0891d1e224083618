"""The facts of one request, frozen: what one person said and what was done. Only ever replaced by a newer revision.

Answers and bodies are plain values (`engine.core.values.Plain`). Instants are UTC with their zone. A dossier knows no URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from engine.core.values import Plain

ActorKind: TypeAlias = Literal["anonymous", "applicant", "agent", "auditor", "system", "provider"]
PaymentStatus: TypeAlias = Literal["pending", "paid", "failed", "expired", "unknown", "overpaid"]
BookingStatus: TypeAlias = Literal["booked", "attended", "missed", "cancelled"]
DocumentStatus: TypeAlias = Literal["valid", "suspended", "revoked", "replaced"]
OFF_THE_LIST: Final = 1_000_000  # from this number on, a seat is none of the calendar: who came without a time
CLAIMED: Final = "claimed:"  # how the login begins of who gave a number and has not proven it

_EMPTY: Final[Mapping[str, Plain]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `roles` are `agency/role` keys; `offices` empty = all offices of these agencies. `procedures` bounds what a
    controller reads, or what somebody does for another, empty = all; `administers` are the agencies whose people are theirs to change, `*` = all. `language`
    is the one they read in, empty = that of the dossier. Who is `unproven` gave a number that may be somebody else's: nothing is
    theirs but drafts begun in this browser."""

    kind: ActorKind
    id: str
    name: str = ""
    roles: frozenset[str] = frozenset()
    offices: frozenset[str] = frozenset()
    procedures: frozenset[str] = frozenset()
    administers: frozenset[str] = frozenset()
    principal: str = ""  # whom an applicant acts for, or an agent helps at a counter; nobody but themself
    dossiers: frozenset[str] = frozenset()  # what bounds acting for them; empty = all
    only_reads: bool = False

    @property
    def owns(self) -> str:
        """The account whose dossiers are this person's at this moment."""
        return self.principal or self.id

    language: str = ""
    unproven: bool = False


SYSTEM_ACTOR: Final = Actor("system", "system")
ANONYMOUS: Final = Actor("anonymous", "")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file handed in, kept by content. `kind` is what the bytes are: pdf, jpg or png. `field` is its place: a question
    (`acte`, `enfants.0.acte`), or where an agent joined it (`by`, their account id): an act, `form[.part].question`."""

    id: str
    field: str
    name: str
    kind: str
    size: int
    sha256: str
    received_at: datetime
    pages: int = 1
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A task that is done now: when and by whom (actor id)."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class TakenTransition:
    """A transition that was taken. `reason` is what the person wrote; it never enters the journal."""

    transition: str
    source: str
    target: str
    at: datetime
    by: str
    by_kind: ActorKind
    reason: str | None = None
    attachments: tuple[str, ...] = ()  # files joined to the act


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """What an agent asked to correct: field → the reason for it. `made` are those already corrected."""

    fields: Mapping[str, str]
    reason: str
    at: datetime
    by: str
    made: frozenset[str] = frozenset()

    @property
    def left(self) -> tuple[str, ...]:
        return tuple(field_id for field_id in self.fields if field_id not in self.made)


@dataclass(frozen=True, slots=True)
class OwedLine:
    """One printed line of a frozen quote. `basis` is a law id; `exempt` lines are printed at 0."""

    id: str
    label: str
    amount: int
    unit_amount: int | None = None
    times: str | None = None
    per: str | None = None
    basis: str | None = None
    exempt: bool = False


@dataclass(frozen=True, slots=True)
class Owed:
    """A fee as it was computed when it fell due, and what was paid of it. Frozen so that nobody pays more later."""

    fee: str
    label: str
    amount: int
    lines: tuple[OwedLine, ...]
    at: datetime
    paid: int = 0

    @property
    def left(self) -> int:
        return max(0, self.amount - self.paid)


@dataclass(frozen=True, slots=True)
class Booking:
    """A slot taken. `start` is UTC; `sequence` counts changes (RFC 5545). `lost`: the act of an administrator that closed
    the office at that time, where one did."""

    id: str
    appointment: str
    office: str
    start: datetime
    minutes: int
    seat: int
    status: BookingStatus = "booked"
    moves: int = 0
    sequence: int = 0
    arrived_at: datetime | None = None
    lost: str | None = None

    @property
    def is_walk_in(self) -> bool:
        """The person came without a time: no seat of the calendar is theirs."""
        return self.seat >= OFF_THE_LIST


@dataclass(frozen=True, slots=True)
class IssuedDocument:
    """An act delivered. `content` is what it shows (label, text) and never changes; `code` has 12 digits; `token` is
    the QR's 128 bits; `jws` the Ed25519 signature of number, output, day and digest of the content."""

    id: str
    output: str
    title: str
    number: str
    issued_at: datetime
    valid_until: date | None
    code: str
    token: str
    content: tuple[tuple[str, str], ...]
    holder: str
    signed_by: str | None
    jws: str
    status: DocumentStatus = "valid"
    changed_at: datetime | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class ClockState:
    """A clock of the law: seconds consumed until `since`; running if `since` is set. It began first at `began`."""

    consumed: int
    since: datetime | None
    over: bool = False
    began: datetime | None = None


@dataclass(frozen=True, slots=True)
class LinkedDossier:
    """The earlier dossier of a link: its id and number, and the row picked of it, if one is."""

    dossier: str
    number: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Reused:
    """Where answers were taken over from: an earlier request, the day it was sent, and which of them stand as they came."""

    number: str
    procedure: str
    sent_at: datetime
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Dossier:
    """One request and all its facts. `revision` counts its changes; `fingerprint` pins the edition it is judged by."""

    id: str
    number: str
    procedure: str
    edition: int
    fingerprint: str
    owner: str  # account id of the applicant
    state: str
    entered_at: datetime
    created_at: datetime
    revision: int = 0
    channel: str = "web"
    language: str = "fr"
    contact_phone: str | None = None  # E.164, where messages go
    contact_email: str | None = None
    label: str = ""  # what the dossier is called in lists
    office: str | None = None
    submitted_at: datetime | None = None
    closed_at: datetime | None = None
    form_day: date | None = None  # `today` of the form, frozen at sending
    due_at: datetime | None = None
    due_paused_at: datetime | None = None
    assigned: str | None = None
    answers: Mapping[str, Plain] = field(default_factory=lambda: _EMPTY)
    done: Mapping[str, Done] = field(default_factory=lambda: MappingProxyType({}))
    missed: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    taken: tuple[TakenTransition, ...] = ()
    correction: CorrectionRequest | None = None
    owed: Mapping[str, Owed] = field(default_factory=lambda: MappingProxyType({}))
    bookings: Mapping[str, Booking] = field(default_factory=lambda: MappingProxyType({}))  # by appointment
    documents: tuple[IssuedDocument, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    clocks: Mapping[str, ClockState] = field(default_factory=lambda: MappingProxyType({}))
    links: Mapping[str, LinkedDossier] = field(default_factory=lambda: MappingProxyType({}))  # by link of the book
    erased_at: datetime | None = None  # its personal data were kept as long as the book says, and are gone
    awaits: tuple[str, ...] | None = None  # where several hands are waited for: the roles that still owe their part
    reused: Reused | None = None
    assisted: tuple[str, ...] = ()  # the agents (account ids) who filled it in at a counter, beside its owner
    removed_files: tuple[str, ...] = ()  # questions whose file went before the number was proven

    @property
    def is_draft(self) -> bool:
        return self.submitted_at is None

    @property
    def is_open_draft(self) -> bool:
        """Neither sent, nor given up, nor out of time."""
        return self.submitted_at is None and self.closed_at is None

    @property
    def files_used(self) -> frozenset[str]:
        """The files that an answer or an act names."""
        return files_named(self.answers) | {name for taken in self.taken for name in taken.attachments}

    def attachment(self, attachment_id: str) -> Attachment | None:
        return next((one for one in self.attachments if one.id == attachment_id), None)

    def document(self, document_id: str) -> IssuedDocument | None:
        return next((one for one in self.documents if one.id == document_id), None)


def files_named(answers: Plain | Mapping[str, Plain]) -> frozenset[str]:
    """Every text that stands in answers: attachment ids are among them."""
    if isinstance(answers, str):
        return frozenset({answers})
    inner = answers.values() if isinstance(answers, Mapping) else answers if isinstance(answers, list) else ()
    return frozenset().union(*(files_named(one) for one in inner))


def without_files(answers: Mapping[str, Plain], ids: frozenset[str]) -> dict[str, Plain]:
    """The answers without these attachments, wherever one is listed."""
    return {name: _without(answer, ids) for name, answer in answers.items()}


def _without(plain: Plain, ids: frozenset[str]) -> Plain:
    if isinstance(plain, dict):
        return {name: _without(one, ids) for name, one in plain.items()}
    return [_without(one, ids) for one in plain if one not in ids] if isinstance(plain, list) else plain


# -- kept beside the dossier -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Payment:
    """One try to pay. `reference` is ours and goes to the provider; (provider, provider_ref) is unique."""

    id: str
    reference: str
    dossier: str
    fees: tuple[str, ...]
    amount: int
    provider: str
    method: str
    payer: str
    status: PaymentStatus
    started_at: datetime
    expires_at: datetime
    provider_ref: str | None = None
    reason: str | None = None  # why it failed: balance, cancelled, limit…
    ended_at: datetime | None = None
    receipt: str | None = None
    checked_at: datetime | None = None
    page: str | None = None  # the operator's own page, https, where the payer confirms


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """What a provider told us once. `verified` = confirmed by our own status call."""

    provider: str
    event_id: str
    payment: str | None
    kind: PaymentStatus
    amount: int
    currency: str
    at: datetime
    verified: bool
    note: str = ""


RECEIVED: Final = frozenset({"paid", "overpaid"})  # kinds of events, and statuses of payments, that say money came in
SECRET_LETTERS: Final = ("code/", "link/")  # how `dedupe` begins where the body holds a one-time code or a sign-in link


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A message owed, in the outbox. `dedupe` makes it owed once; `due_at` when it may leave."""

    id: str
    dossier: str | None
    channel: Literal["sms", "email", "inbox"]
    to: str
    subject: str
    body: str
    due_at: datetime
    dedupe: str
    created_at: datetime
    attempts: int = 0
    sent_at: datetime | None = None
    failed: str | None = None

    def without_secret(self) -> OutboundMessage:
        """The same once it left or was given up: nobody reads its code or its link here any more."""
        over = self.sent_at is not None or self.failed is not None
        return replace(self, body="") if over and self.dedupe.startswith(SECRET_LETTERS) else self


@dataclass(frozen=True, slots=True)
class Timer:
    """What falls due with time on a dossier: `name` is `due`, a clock, a reminder…; `entry` the journal's n then."""

    dossier: str
    name: str
    entry: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """Someone at the door. Applicants are known by phone; agents and auditors by login and argon2id hash."""

    id: str
    kind: Literal["applicant", "agent", "auditor"]
    name: str
    login: str  # E.164 phone, or the agent's identifier
    secret: str = ""
    roles: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()
    disabled: bool = False
    profile: Mapping[str, Plain] = field(default_factory=lambda: _EMPTY)
    ends: Mapping[str, date] = field(default_factory=lambda: MappingProxyType({}))  # role → its last day
    until: date | None = None  # last day of the account
    procedures: tuple[str, ...] = ()  # what a controller's mandate names; empty = all
    administers: tuple[str, ...] = ()  # agencies; `*` = all
    fresh: bool = False  # somebody else chose the password

    def actor(self) -> Actor:
        """With every right, whatever the day: `on` leaves out those that ended."""
        return Actor(
            self.kind, self.id, self.name, frozenset(self.roles), frozenset(self.offices), frozenset(self.procedures),
            frozenset(self.administers), unproven=self.is_claimed,
        )  # fmt: skip

    @property
    def is_claimed(self) -> bool:
        return self.login.startswith(CLAIMED)

    def is_open(self, day: date) -> bool:
        return not self.disabled and (self.until is None or day <= self.until)

    def on(self, day: date) -> Actor:
        """As this person acts on a day."""
        held = frozenset(role for role in self.roles if role not in self.ends or day <= self.ends[role])
        return replace(self.actor(), roles=held)
