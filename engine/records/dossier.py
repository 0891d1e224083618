"""The stored data of one request, frozen: the answers and what was done. A change makes a newer revision.

Answers and bodies are plain values (`engine.core.values.Plain`). Instants are UTC. A dossier holds no URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from engine.core.values import Plain, texts_in
from engine.records.codec import LATE

ActorKind: TypeAlias = Literal["anonymous", "applicant", "agent", "auditor", "system", "provider"]
PaymentStatus: TypeAlias = Literal["pending", "paid", "failed", "expired", "unknown", "overpaid"]
BookingStatus: TypeAlias = Literal["booked", "attended", "missed", "cancelled"]
OriginalResult: TypeAlias = Literal["seen", "differs", "missing"]
DocumentStatus: TypeAlias = Literal["valid", "suspended", "revoked", "replaced"]
OFF_THE_LIST: Final = 1_000_000  # seats from this number on belong to walk-ins, not to the calendar
CLAIMED: Final = "claimed:"  # prefix of the login while the phone number is unverified

_EMPTY: Final[Mapping[str, Plain]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Actor:
    """The person, system or provider that acts. `roles` are `agency/role` keys. Empty `offices` means all offices of
    these agencies. `procedures` limits what an auditor reads, or what a delegate does, and empty means all. `administers`
    lists the agencies whose agents the actor manages, and `*` means all. `language` is the reading language, empty for
    that of the dossier. An `unproven` actor has an unverified phone number and owns only the drafts begun in this browser.
    `contacts`: the number with which an applicant signs in, or the own number of an agent, if declared."""

    kind: ActorKind
    id: str
    name: str = ""
    roles: frozenset[str] = frozenset()
    offices: frozenset[str] = frozenset()
    procedures: frozenset[str] = frozenset()
    administers: frozenset[str] = frozenset()
    principal: str = ""  # account an applicant acts for, or an agent assists; empty = the actor
    dossiers: frozenset[str] = frozenset()  # limits acting for the principal; empty = all
    only_reads: bool = False
    language: str = ""
    unproven: bool = False
    contacts: frozenset[str] = frozenset()

    @property
    def owns(self) -> str:
        """The account whose dossiers the actor owns now: the principal, or the actor."""
        return self.principal or self.id


SYSTEM_ACTOR: Final = Actor("system", "system")
ANONYMOUS: Final = Actor("anonymous", "")


@dataclass(frozen=True, slots=True)
class Attachment:
    """One uploaded file, stored by content. `kind` is detected from the bytes: pdf, jpg or png. `field`: the question
    (`acte`, `enfants.0.acte`), for a file of an agent (`by`, an account id) an act or `form[.part].question`."""

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
    """A completed task: when, and the id of the actor who completed it."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class TakenTransition:
    """A transition that was taken. `reason` is text of the actor and never enters the journal."""

    transition: str
    source: str
    target: str
    at: datetime
    by: str
    by_kind: ActorKind
    reason: str | None = None
    attachments: tuple[str, ...] = ()  # files joined to the act
    grounds: tuple[str, ...] = ()  # laws that the actor chose as grounds


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """What an agent asks to correct: field → reason. `made` lists the fields already corrected.

    `offsets`: what the answers cost then above the fixed price, for each fee that was passed before.
    `unsent`: all answers as the applicant saved them since; those of the dossier are the sent ones.
    `before`: once it is sent, the former answers that it changed, None for one that was not asked."""

    fields: Mapping[str, str]
    reason: str
    at: datetime
    by: str
    made: frozenset[str] = frozenset()
    offsets: Mapping[str, int] = field(default_factory=dict)
    unsent: Mapping[str, Plain] | None = field(default=None, metadata=LATE)
    before: Mapping[str, Plain] = field(default_factory=dict, metadata=LATE)
    sent_at: datetime | None = field(default=None, metadata=LATE)

    @property
    def left(self) -> tuple[str, ...]:
        """The fields still to correct, in the order of the request."""
        return tuple(field_id for field_id in self.fields if field_id not in self.made)

    @property
    def awaited(self) -> tuple[str, ...]:
        """The fields of which the dossier still has the former answer: all of them until the correction is sent."""
        return self.left if self.unsent is None else tuple(self.fields)


@dataclass(frozen=True, slots=True)
class OwedLine:
    """One printed line of a frozen quote. `basis` is a law id. An `exempt` line is printed as 0."""

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
    """A fee as computed when it fell due, and the amount paid. It is frozen, so later tariffs change nothing."""

    fee: str
    label: str
    amount: int
    lines: tuple[OwedLine, ...]
    at: datetime
    paid: int = 0
    surplus: int = field(default=0, metadata=LATE)  # paid above an earlier price: owed back, it pays nothing later

    @property
    def kept(self) -> int:
        """The francs that were paid for the price, without an earlier surplus."""
        return self.paid - self.surplus

    @property
    def left(self) -> int:
        """The amount still due, in francs, never negative."""
        return max(0, self.amount - self.kept)


@dataclass(frozen=True, slots=True)
class Booking:
    """A slot taken. `start` is UTC. `sequence` counts changes (RFC 5545). `lost`: the opening change that cancelled it, or
    `service` for an agent."""

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
        """Whether the person came without a slot. A walk-in takes no seat of the calendar."""
        return self.seat >= OFF_THE_LIST


@dataclass(frozen=True, slots=True)
class IssuedDocument:
    """A document issued to the applicant. `code` has 12 digits. `token` is the 128 bits of the QR code. `jws` is
    the Ed25519 signature of number, output, day and digest.

    `paper` is all that it states, frozen (`engine/domain/documents/papers.py`). An output of the first form of the
    language has none, and `content` is what it shows (label, text)."""

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
    paper: Mapping[str, Plain] | None = None


@dataclass(frozen=True, slots=True)
class ConfirmedAnswer:
    """An answer that an agent compared with a piece, or that a register returned equal.

    `value` is the plain answer as the piece or the register has it. `differs` means that it is not what the
    applicant typed. `piece` is an id of evidence or of a look-up, `by` an account id or `system`."""

    value: Plain
    piece: str
    by: str
    at: datetime
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Original:
    """What an agent noted of a paper that was shown or handed in: `by` is an account id."""

    at: datetime
    by: str
    result: OriginalResult


@dataclass(frozen=True, slots=True)
class ClockState:
    """A legal time limit: seconds consumed until `since`. It runs if `since` is set. It first started at `began`."""

    consumed: int
    since: datetime | None
    over: bool = False
    began: datetime | None = None


@dataclass(frozen=True, slots=True)
class LinkedDossier:
    """The earlier dossier of a link: its id and number, and the chosen row, if any."""

    dossier: str
    number: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Reused:
    """The source of prefilled answers: an earlier request and its day. `fields` are the answers left unchanged."""

    number: str
    procedure: str
    sent_at: datetime
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Dossier:
    """One request and all its data. `revision` counts its changes. `fingerprint` identifies its edition."""

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
    label: str = ""  # name of the dossier in lists
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
    links: Mapping[str, LinkedDossier] = field(default_factory=lambda: MappingProxyType({}))  # by link of the procedure
    erased_at: datetime | None = None  # personal data erased at the end of the retention period
    awaits: tuple[str, ...] | None = None  # when several opinions or parts are pending: the roles still to answer
    reused: Reused | None = None
    assisted: tuple[str, ...] = ()  # account ids of agents who filled it in at a counter
    former_phones: tuple[str, ...] = ()  # numbers where messages went before
    removed_files: tuple[str, ...] = ()  # questions whose file was removed before the phone number was verified
    confirmed: Mapping[str, ConfirmedAnswer] = field(default_factory=lambda: MappingProxyType({}))  # by answer
    corrected: tuple[CorrectionRequest, ...] = field(default=(), metadata=LATE)  # the sent corrections, oldest first
    sought: tuple[str, ...] = field(default=(), metadata=LATE)  # identifiers by which agents find it
    originals: Mapping[str, Original] = field(
        default_factory=lambda: MappingProxyType({}), metadata=LATE
    )  # by evidence
    other_phones: tuple[str, ...] = field(default=(), metadata=LATE)  # of its owner and proxies, where no message went

    @property
    def is_draft(self) -> bool:
        """Whether the dossier was never submitted. A withdrawn draft counts too."""
        return self.submitted_at is None

    @property
    def is_open_draft(self) -> bool:
        """Whether the dossier is neither submitted, nor withdrawn, nor expired."""
        return self.submitted_at is None and self.closed_at is None

    @property
    def files_used(self) -> frozenset[str]:
        """The ids of files that an answer or an act names. Other texts of answers are included."""
        return texts_in(self.answers) | {name for taken in self.taken for name in taken.attachments}

    @property
    def typed(self) -> Dossier:
        """The dossier as its applicant fills it in: with the corrected answers that are not sent yet."""
        kept = self.correction
        if kept is None or kept.unsent is None:
            return self
        return replace(self, answers=kept.unsent, correction=replace(kept, unsent=None))

    @property
    def files_unsent(self) -> frozenset[str]:
        """The ids of files uploaded for a correction that is not sent yet."""
        asked = self.correction
        mine = [one.id for one in self.attachments if asked and one.by is None and one.received_at >= asked.at]
        return frozenset(mine) - texts_in(self.answers)

    def attachment(self, attachment_id: str) -> Attachment | None:
        """Return the attachment with this id, or None."""
        return next((one for one in self.attachments if one.id == attachment_id), None)

    def document(self, document_id: str) -> IssuedDocument | None:
        """Return the issued document with this id, or None."""
        return next((one for one in self.documents if one.id == document_id), None)


# -- stored beside the dossier ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay. Our `reference` is sent to the provider. (provider, provider_ref) is unique."""

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
    reason: str | None = None  # failure: balance, cancelled, limit…
    ended_at: datetime | None = None
    receipt: str | None = None
    checked_at: datetime | None = None
    page: str | None = None  # the operator's own page, https, where the payer confirms


RECEIVED: Final = frozenset({"paid", "overpaid"})  # event kinds and payment statuses of received money
SECRET_LETTERS: Final = ("code/", "link/")  # prefixes of `dedupe` when the body holds a one-time code or a sign-in link


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A message in the outbox. `dedupe` prevents a second one. It may be sent from `due_at` on."""

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
        """Return the message, without its text if it holds a code or a link and was sent or has failed."""
        over = self.sent_at is not None or self.failed is not None
        return replace(self, body="") if over and self.dedupe.startswith(SECRET_LETTERS) else self


@dataclass(frozen=True, slots=True)
class Timer:
    """What falls due on a dossier. `name`: `due`, a time limit, a reminder… `entry`: the journal's n at creation."""

    dossier: str
    name: str
    entry: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """A person who signs in. Applicants are identified by phone, agents and auditors by login and argon2id hash."""

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
    procedures: tuple[str, ...] = ()  # procedures an auditor may read; empty = all
    administers: tuple[str, ...] = ()  # agencies; `*` = all
    fresh: bool = False  # another person chose the password

    def actor(self) -> Actor:
        """Return the actor with every right, whatever the day. `on` leaves out ended roles."""
        own = self.login if self.kind == "applicant" else str(self.profile.get("phone", ""))
        return Actor(
            self.kind, self.id, self.name, frozenset(self.roles), frozenset(self.offices), frozenset(self.procedures),
            frozenset(self.administers), unproven=self.is_claimed, contacts=frozenset({own} if own.startswith("+") else ()),
        )  # fmt: skip

    @property
    def is_claimed(self) -> bool:
        """Whether the phone number of the account is not verified yet."""
        return self.login.startswith(CLAIMED)

    def is_open(self, day: date) -> bool:
        """Return whether the account is enabled and has not ended on this day."""
        return not self.disabled and (self.until is None or day <= self.until)

    def on(self, day: date) -> Actor:
        """Return the actor with the roles valid on a day. The end of the account is not checked."""
        held = frozenset(role for role in self.roles if role not in self.ends or day <= self.ends[role])
        return replace(self.actor(), roles=held)
