"""The application context that services receive, and the only access to a dossier by its id.

A service finds, checks, decides and commits. It answers `NotFound` for data that does not exist or is
out of reach.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from engine.core.clock import Clock, local_day
from engine.core.values import Span, has_check_digit
from engine.domain.appointments.opening_changes import over
from engine.domain.common.access import PAPERS_KEPT, is_own, may_see
from engine.domain.common.sms_policy import SmsPolicy
from engine.domain.common.text_provider import Wording
from engine.domain.fields.views import AnswerProblem
from engine.domain.workflow.due_dates import DRAFT_KEPT
from engine.integrations.gateways import IdentityProvider, MessageSender
from engine.integrations.payment_provider import PaymentProvider
from engine.integrations.registers import RegisterConnector
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.model.directory import Directory
from engine.publication.gates import Judge
from engine.publication.publications import OriginOf, publish
from engine.records.administration import Hold, OpeningChange
from engine.records.dossier import Account, Actor, Dossier
from engine.records.people import Reading
from engine.services.context.edition_cache import EditionCache
from engine.services.keys.signing_keys import SigningKeys
from engine.storage.files.attachments import AttachmentStore
from engine.storage.results import Conflict
from engine.storage.unit_of_work import Store, Unit


class DirectoryCache:
    """The directory of one process with the opening changes of administrators, shared between threads.

    It is computed once for each change, and checked again when the store counts another. It only goes
    forward: an older snapshot of the store changes nothing.
    """

    def __init__(self, changes: Iterable[OpeningChange] = (), n: int = 0) -> None:
        self.n = n
        self._changes = tuple(changes)
        self._lock = threading.Lock()
        self._made: tuple[Directory, tuple[OpeningChange, ...], Directory] | None = None

    def directory(self, base: Directory) -> Directory:
        """Return the directory of the files with every change in force."""
        made, changes = self._made, self._changes
        if made is not None and made[0] is base and made[1] is changes:
            return made[2]
        merged = over(base, changes) if changes else base
        self._made = (base, changes, merged)
        return merged

    def received(self, base: Directory) -> Directory:
        """Return the directory of the files with added openings but without closures.

        A replay of the past uses it.
        """
        return over(base, (one for one in self._changes if one.kind in ("open", "desks")))

    def look(self, unit: Unit, hold: Hold | None = None) -> int:
        """Read the changes if the store counts more than are known, and return its count.

        `hold` blocks new changes until this unit ends.
        """
        n = unit.openings_head(hold)
        if n > self.n:
            self.take(n, unit.opening_changes())
        return n

    def take(self, n: int, changes: tuple[OpeningChange, ...]) -> None:
        """Replace the changes by those of a later count `n`; an older count is ignored."""
        with self._lock:
            if n > self.n:
                self._changes, self.n = changes, n

    def with_(self, change: OpeningChange) -> DirectoryCache:
        """Return a copy with one more change, to see its effect."""
        return DirectoryCache((*self._changes, change), self.n)

    def without(self, change_id: str) -> DirectoryCache:
        """Return a copy without one change."""
        return DirectoryCache((one for one in self._changes if one.id != change_id), self.n)


NUMBER_DIGITS: Final = 11
MOST_UNNOTED: Final = 10_000


class NotFound(Exception):
    """The data does not exist or the person may not see it. Both give the same answer."""


class WrongAnswers(Exception):
    """The form cannot be sent. `problems` holds what is wrong, question by question."""

    def __init__(self, problems: tuple[AnswerProblem, ...]) -> None:
        super().__init__(f"{len(problems)} wrong answers")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class AppSettings:
    """The choices of an installation.

    Addresses end without a slash. `short_url` is used in SMS and QR codes.
    """

    base_url: str = "http://localhost:8000"
    short_url: str = "http://localhost:8000"
    demo: bool = False
    specimen: bool = False  # documents are marked SPÉCIMEN; a demonstration always marks them
    code_lasts: timedelta = timedelta(minutes=10)
    code_tries: int = 5
    idle: timedelta = timedelta(minutes=30)
    agent_idle: timedelta = timedelta(minutes=30)
    session_lasts: timedelta = timedelta(hours=12)
    kept_lasts: timedelta = timedelta(days=30)
    payment_lasts: timedelta = timedelta(minutes=10)
    second_factor: bool = True  # for agents; auditors always have one
    mandate_papers: Span = PAPERS_KEPT  # how long the paper of a mandate is stored after its end
    expects_worker: bool = False  # whether new payments are refused while no worker is alive
    checkpoints: Path | None = None  # the folder of signed checkpoints; None = the journal is not signed
    sms: SmsPolicy = field(default_factory=SmsPolicy)

    @property
    def marks_specimen(self) -> bool:
        """Whether papers are marked SPÉCIMEN."""
        return self.demo or self.specimen

    @property
    def draft_lasts(self) -> timedelta:
        """How long a draft is stored, the same for all procedures."""
        return timedelta(days=DRAFT_KEPT.count)


@dataclass(frozen=True, slots=True)
class AppContext:
    """All that services work with. `unnoted` holds access log entries that a locked store could not take yet.

    While it runs, only the store, the directory cache, the edition cache, `unnoted` and `wakeup` change.
    """

    catalogue: Catalogue
    store: Store
    attachments: AttachmentStore
    providers: Mapping[str, PaymentProvider]
    senders: Mapping[str, MessageSender]  # by channel: sms, email, inbox
    registers: Mapping[str, RegisterConnector]  # by register id; "*" serves all others
    clock: Clock
    wording: Wording
    keys: SigningKeys
    settings: AppSettings = AppSettings()
    editions: EditionCache = field(default_factory=EditionCache)
    identity: IdentityProvider | None = None  # an external provider of identities, None without one
    published: int = 0  # number of the last publication that `catalogue` follows
    directories: DirectoryCache = field(
        default_factory=DirectoryCache
    )  # what administrators changed in openings and holidays
    sms_prices: Mapping[str, int] = field(default_factory=dict)  # of one segment, in hundredths of a franc, by country
    unnoted: deque[Reading] = field(
        default_factory=lambda: deque(maxlen=MOST_UNNOTED)
    )  # access log entries made while the store was locked
    wakeup: threading.Event = field(default_factory=threading.Event)  # set after a commit: the worker looks at once

    def now(self) -> datetime:
        """Return the present time of the clock, with its time zone."""
        return self.clock.now()

    @property
    def directory(self) -> Directory:
        """The directory of the catalogue with the changes of openings applied."""
        return self.directories.directory(self.catalogue.directory)

    def person(self, account: Account) -> Actor:
        """Return an account as an actor of today.

        An agent bound to offices also gets the offices that `Directory.within_reach` adds.
        """
        actor = account.on(self.day())
        return replace(actor, offices=self.directory.within_reach(actor.offices)) if actor.offices else actor

    def day(self) -> date:
        """Return today's date in the local time of the country."""
        return local_day(self.clock.now())


def publish_editions(ctx: AppContext, judge: Judge | None = None, origin_of: OriginOf | None = None) -> AppContext:
    """Publish the files of the folder, at start and after a refresh, and store each edition for ever.

    With a `judge`, each edition passes all gates first. Return the same context with the catalogue that
    results.
    """
    catalogue, published = publish(ctx.catalogue, ctx.store, ctx.now(), judge, origin_of)
    return replace(ctx, catalogue=catalogue, published=published)


def pinned(ctx: AppContext, unit: Unit, dossier: Dossier) -> Procedure:
    """Return the edition that applies to a dossier. Raises `EditionMissing`."""
    return ctx.editions.pinned(ctx.catalogue, unit, dossier)


def seen(unit: Unit, ctx: AppContext, actor: Actor, dossier_id: str, revision: int | None = None) -> Dossier:
    """Return a dossier by id or number: the only access for services.

    Raises `NotFound` if it is unknown or out of the person's reach. Raises `Conflict` if it has another
    revision than the person saw.
    """
    dossier = _found(unit, dossier_id)
    if dossier is None or not may_see(pinned(ctx, unit, dossier), dossier, actor):
        raise NotFound
    if revision is not None and dossier.revision != revision:
        raise Conflict(f"{dossier.number}: revision {dossier.revision}, seen {revision}")
    return dossier


def own_among(unit: Unit, actor: Actor, ids: Iterable[str]) -> frozenset[str]:
    """Return those of these dossiers that are made with a number of the agent (`is_own`). Empty without a declared one."""
    opened = map(unit.dossier, unit.dossiers_naming(actor.contacts, tuple(ids))) if actor.contacts else ()
    return frozenset(one.id for one in opened if one is not None and is_own(one, actor))


def hold_all(unit: Unit, dossier_ids: Iterable[str]) -> None:
    """Lock the dossiers that a writing unit is about to read, always in the same order.

    Of two units that need the same dossiers, the second waits for the first. Unknown ids are skipped.
    """
    for one in sorted(set(dossier_ids)):
        _found(unit, one)


def _found(unit: Unit, dossier_id: str) -> Dossier | None:
    """Return a dossier by number or id.

    A number has eleven digits and its check digit; an id never looks like one.
    """
    if len(dossier_id) == NUMBER_DIGITS and has_check_digit(dossier_id):
        return unit.dossier_numbered(dossier_id)
    return unit.dossier(dossier_id)
