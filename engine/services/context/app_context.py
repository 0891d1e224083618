"""The office: everything its verbs need in one frozen holder, and the one door to a dossier.

A verb finds, checks, decides and keeps. What it may not find answers `NotFound`, whether it exists or not.
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
from engine.domain.common.access import PAPERS_KEPT, may_see
from engine.domain.common.sms_policy import SmsPolicy
from engine.domain.common.text_provider import Wording
from engine.domain.fields.views import AnswerProblem
from engine.domain.workflow.due_dates import DRAFT_KEPT
from engine.integrations.identity_provider import IdentityProvider
from engine.integrations.message_sender import MessageSender
from engine.integrations.payment_provider import PaymentProvider
from engine.integrations.registers import RegisterConnector
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.model.directory import Directory
from engine.publication.gates import Judge
from engine.publication.publications import OriginOf, publish
from engine.records.dossier import Account, Actor, Dossier
from engine.records.people import Reading
from engine.services.context.directory_cache import DirectoryCache
from engine.services.context.edition_cache import EditionCache
from engine.services.keys.signing_keys import SigningKeys
from engine.storage.files.attachments import AttachmentStore
from engine.storage.unit_of_work import Conflict, Store, Unit

NUMBER_DIGITS: Final = 11
MOST_UNNOTED: Final = 10_000


class NotFound(Exception):
    """Unknown, or not for this person to know: the same answer."""


class WrongAnswers(Exception):
    """The form cannot be sent as it is; carries what is wrong, question by question."""

    def __init__(self, problems: tuple[AnswerProblem, ...]) -> None:
        super().__init__(f"{len(problems)} wrong answers")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class AppSettings:
    """What an installation chooses. Addresses end without a slash; `short_url` is what an SMS or a QR carries."""

    base_url: str = "http://localhost:8000"
    short_url: str = "http://localhost:8000"
    demo: bool = False
    code_lasts: timedelta = timedelta(minutes=10)
    code_tries: int = 5
    idle: timedelta = timedelta(minutes=30)
    agent_idle: timedelta = timedelta(minutes=30)
    session_lasts: timedelta = timedelta(hours=12)
    kept_lasts: timedelta = timedelta(days=30)
    payment_lasts: timedelta = timedelta(minutes=10)
    second_factor: bool = True  # for agents; controllers always have one
    mandate_papers: Span = PAPERS_KEPT  # how long the paper of a mandate is kept once it is over
    expects_worker: bool = False  # whether nobody may begin to pay while no worker is alive
    checkpoints: Path | None = None  # the folder where the signed journal is told; none = it is not signed
    sms: SmsPolicy = field(default_factory=SmsPolicy)

    @property
    def draft_lasts(self) -> timedelta:
        """How long a draft waits for its owner: the language's own, the same for every procedure."""
        return timedelta(days=DRAFT_KEPT.count)


@dataclass(frozen=True, slots=True)
class AppContext:
    """All that the verbs of this package work with. Nothing here changes while it runs but what the store keeps, what `doors`
    reads of it, and `wakeup`."""

    catalogue: Catalogue
    store: Store
    attachments: AttachmentStore
    providers: Mapping[str, PaymentProvider]
    senders: Mapping[str, MessageSender]  # by channel: sms, email, inbox
    registers: Mapping[str, RegisterConnector]  # by register id; "*" answers for all others
    clock: Clock
    wording: Wording
    keys: SigningKeys
    settings: AppSettings = AppSettings()
    editions: EditionCache = field(default_factory=EditionCache)
    identity: IdentityProvider | None = None  # who else knows citizens, where somebody does
    published: int = 0  # number of the last publication that `catalogue` follows
    directories: DirectoryCache = field(
        default_factory=DirectoryCache
    )  # what administrators changed of openings and holidays
    sms_prices: Mapping[str, int] = field(default_factory=dict)  # of a segment, in hundredths of a franc, by country
    unnoted: deque[Reading] = field(
        default_factory=lambda: deque(maxlen=MOST_UNNOTED)
    )  # made while the store was locked
    wakeup: threading.Event = field(default_factory=threading.Event)  # set after a commit: the worker looks at once

    def now(self) -> datetime:
        return self.clock.now()

    @property
    def directory(self) -> Directory:
        return self.directories.directory(self.catalogue.directory)

    def person(self, account: Account) -> Actor:
        """Whoever holds an account, as they act here: bound to offices, they handle what is within reach of these."""
        actor = account.on(self.day())
        return replace(actor, offices=self.directory.within_reach(actor.offices)) if actor.offices else actor

    def day(self) -> date:
        """Today, on the wall clocks of the country."""
        return local_day(self.clock.now())


def publish_editions(ctx: AppContext, judge: Judge | None = None, origin_of: OriginOf | None = None) -> AppContext:
    """At start, and after a refresh: puts the files of the folder in service, and keeps every edition for ever. With a
    `judge` each goes through every gate first. The same office with a catalogue that serves what was decided."""
    catalogue, published = publish(ctx.catalogue, ctx.store, ctx.now(), judge, origin_of)
    return replace(ctx, catalogue=catalogue, published=published)


def pinned(ctx: AppContext, unit: Unit, dossier: Dossier) -> Procedure:
    """The edition a dossier is judged by."""
    return ctx.editions.pinned(ctx.catalogue, unit, dossier)


def seen(unit: Unit, ctx: AppContext, actor: Actor, dossier_id: str, revision: int | None = None) -> Dossier:
    """The one door to a dossier, by id or number. Raises `NotFound` for what is unknown or not for this person to see, and
    `Conflict` when it is no longer at the revision the person saw."""
    dossier = _found(unit, dossier_id)
    if dossier is None or not may_see(pinned(ctx, unit, dossier), dossier, actor):
        raise NotFound
    if revision is not None and dossier.revision != revision:
        raise Conflict(f"{dossier.number}: revision {dossier.revision}, seen {revision}")
    return dossier


def hold_all(unit: Unit, dossier_ids: Iterable[str]) -> None:
    """Holds the dossiers that a writing unit is about to read, in the same order for everybody: of two units that want the
    same ones, the second waits for the first. Those that are not there are passed over."""
    for one in sorted(set(dossier_ids)):
        _found(unit, one)


def _found(unit: Unit, dossier_id: str) -> Dossier | None:
    """A number has eleven digits and its check digit; an id never looks like one."""
    if len(dossier_id) == NUMBER_DIGITS and has_check_digit(dossier_id):
        return unit.dossier_numbered(dossier_id)
    return unit.dossier(dossier_id)
