"""What the storage is asked for and answers: filters, lines of lists, replies, findings, and its errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from engine.core.values import Plain

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
    encryption, pooler, follows (a standby), or other. `said` is the server's text. `place` says which user at which
    server, without password.
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


ORDERS: Final = MappingProxyType({"due": "due_order", "received": "submitted_at", "entered": "entered_at"})
"""The orders of a list of dossiers, with their columns: by due date, by day of sending, by day of the present state."""


@dataclass(frozen=True, slots=True)
class DossierQuery:
    """Filters of a list of dossiers. `places` are (procedure, state) pairs, None for any. `barred` are (procedure,
    edition) pairs that are left out: editions in which a person has no part. Sorted by `order` (`ORDERS`), then id.
    Where several parts are awaited, `roles` selects those of a person: to do (`unassigned`) or done (`parts_done`)."""

    places: tuple[tuple[str, str], ...] | None = None
    offices: frozenset[str] | None = None
    assigned: str | None = None
    unassigned: bool = False  # assigned to no agent; with `roles`, also those that wait for their part
    roles: tuple[str, ...] = ()
    parts_done: bool = False  # only those without a pending part of `roles`
    late_at: datetime | None = None  # only those due before and not paused
    text: str = ""  # number, words of the label, reference of a payment, number of an issued document
    phone: str = ""  # `text` as E.164, where it is one: those of this applicant are found first
    open_only: bool = True
    barred: tuple[tuple[str, int], ...] = ()
    order: str = "due"  # a key of `ORDERS`
    reverse: bool = False  # the last of the order first
    follower: str | None = None  # only those that this agent follows
    label: str = ""  # only those with this label: `annotation.option`


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page of a list, and the position of the next one (keyset, never an offset). `after` is None on the last
    page."""

    lines: tuple[DossierLine, ...]
    after: str | None = None


@dataclass(frozen=True, slots=True)
class OpenCount:
    """Open dossiers of one state in the hands of one agent, or of none, by what remains until their due date.

    `bands` counts those due before each of the instants asked, then those due later. The others have no due date, or
    a paused one.
    """

    procedure: str
    state: str
    assigned: str | None
    count: int
    bands: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ListNeighbours:
    """The numbers of the dossiers before and after one in a list, None at an end, and its position there."""

    position: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """One inconsistency found by `fsck`."""

    code: str
    dossier: str | None
    facts: Mapping[str, Plain] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TakenSeat:
    """A booked seat: who has it, from when, and for how many minutes. A held seat has none."""

    start: datetime
    minutes: int
    seat: int
    dossier: str
