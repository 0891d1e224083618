"""Dossiers of the shipped procedures on one file, and random events on them.

Meanwhile the service stops, dies in a command, is restored from a backup, publishes editions, and retention erases data. `wrong_in`
reports broken invariants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from engine.core.clock import FixedClock, local_day
from engine.core.problems import Refused
from engine.integrations.gateways import InboxSender
from engine.integrations.simulated_operator import SandboxOperator, SandboxProvider
from engine.model import Procedure, Scenario
from engine.operations import migration
from engine.operations.backup import back_up, bring_back
from engine.records.dossier import Account, Attachment, Dossier, Timer
from engine.services.applications import drafts as intake
from engine.services.audit.integrity import fsck
from engine.services.context.app_context import AppContext, AppSettings, NotFound, publish_editions
from engine.services.context.edition_cache import EditionCache
from engine.services.payments import settlement
from engine.services.worker.worker import run_pass
from engine.simulation.environment import ScenarioEnvironment, ScenarioRegister, keep_specimen
from engine.simulation.next_steps import NextSteps
from engine.simulation.player import ScenarioFailed, ScenarioRun
from engine.storage.files.attachments import AttachmentStore
from engine.storage.files.encryption import FileKeys
from engine.storage.results import Conflict
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Unit
from renderers.i18n.translations import load_words
from tests.engine.services.editions import publish
from tests.engine.services.world import keys, shipped
from tests.makers import compiled

PROCEDURES: Final = (
    "casier-judiciaire-b3", "passeport-ordinaire", "certificat-nationalite", "copie-acte-etat-civil",
    "permis-de-construire", "carte-de-sejour", "e-visa",
)  # fmt: skip
BEGIN: Final = datetime(2026, 11, 23, 9, tzinfo=UTC)
Choose = Callable[[Sequence[Any]], Any]


class Died(BaseException):
    """The process is gone, in the middle of what it did."""


class _Counted:
    """A connection on which the process dies at one statement."""

    def __init__(self, real: Any, store: MortalStore) -> None:
        self._real, self._store = real, store

    def execute(self, *args: Any) -> Any:
        self._store.one_more()
        return self._real.execute(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class MortalStore(SqliteStore):
    """`dies_at`: so many statements of writing units before the process dies; `dies_told`: after a commit, before anybody heard."""

    dies_at: int | None = None
    dies_told = False

    def one_more(self) -> None:
        if self.dies_at is not None:
            self.dies_at -= 1
            if self.dies_at < 0:
                raise Died

    @contextmanager
    def unit(self, write: bool = False, wait_limit: float | None = None) -> Iterator[Unit]:
        with super().unit(write) as unit:
            if write and self.dies_at is not None:
                unit._connection = _Counted(unit._connection, self)  # type: ignore[assignment]
            yield unit
            if write:
                self.one_more()  # all was said, and not kept
        if write and self.dies_told:
            raise Died


@dataclass
class _Stage(ScenarioEnvironment):
    """Its papers are real files."""

    def paper(self, name: str, place: str, by: str | None = None, dossier: str = "") -> Attachment:
        kept = keep_specimen(self.office.attachments, place, dossier)
        return Attachment(
            name, place, f"{place}.png", kept.kind, kept.size, kept.sha256, self.clock.now(), kept.pages, by=by
        )

    def pass_time(self, until: datetime) -> None:
        """A timer that cannot fire now holds nobody up."""
        tried = set[Timer]()
        while True:
            with self.office.store.unit() as unit:
                ahead = [one for one in unit.due_timers(until, 1 + len(tried)) if one not in tried]
            if not ahead:
                break
            tried.add(ahead[0])
            self.clock.instant = max(self.clock.instant, ahead[0].due_at)
            run_pass(self.office)
        self.clock.instant = max(self.clock.instant, until)
        run_pass(self.office)


@dataclass
class Lives:
    """`told`: the stories under way, by dossier. `known`: what was last acknowledged of each dossier. `books`: every edition that was
    ever in force, by its fingerprint."""

    folder: Path
    office: AppContext
    clock: FixedClock
    told: dict[str, ScenarioRun] = field(default_factory=dict)
    known: dict[str, Dossier] = field(default_factory=dict)
    definitions: dict[str, Procedure] = field(default_factory=dict)
    stages: list[_Stage] = field(default_factory=list)
    backup: tuple[Path, dict[str, Dossier], datetime] | None = None
    history: list[str] = field(default_factory=list)
    count: int = 0

    # -- what may happen

    def begins(self, choose: Choose) -> None:
        """Somebody asks for something, and may send it."""
        book = self.office.catalogue.procedures[choose(PROCEDURES)]
        stories = [one for one in shipped().procedures[book.id].scenarios if one.stops is None and not one.refuses]
        story: Scenario = choose(stories)
        self.count += 1
        account = Account(f"person {self.count}", "applicant", "AMEGAN Afi", f"+228901{self.count:05d}")
        with self.office.store.unit(write=True) as unit:
            unit.put_account(account)
        stage = _Stage(self.office, self.clock, self.registers, account.actor())
        self.stages.append(stage)
        told = ScenarioRun(book, replace(story, at=local_day(self.clock.now())), stage)
        with suppress(ScenarioFailed):
            told.prepare()
        if told.dossier is None:
            return
        self.told[told.dossier.id] = told
        self.heard(told.dossier.id)
        if choose((True, True, True, False)):
            self._done(told, told.submit)

    def goes_on(self, choose: Choose) -> None:
        """One of the steps that are open on one of the dossiers, whoever may take it."""
        told = self._one(choose)
        if told is None:
            return
        told.dossier = told.stage.dossier(told.dossier.id)  # type: ignore[union-attr]
        told.procedure = self.definitions[told.dossier.fingerprint]
        steps = NextSteps(told, {}, "Motif").steps()
        if steps:
            told.step = step = choose(steps)
            self.history.append(f"  {step.verb} {step.value}")
            self._done(told, lambda: told.do(step))

    def is_called(self, choose: Choose) -> None:
        """An operator calls again, about any payment, however often."""
        told = self._one(choose)
        if told is not None and told.dossier is not None:
            with self.office.store.unit() as unit:
                payments = unit.payments_of(told.dossier.id)
            for payment in payments:
                for _ in range(2):
                    settlement.check_payment(self.office, payment.id)
            self.heard(told.dossier.id)

    def waits(self, choose: Choose) -> None:
        stage = self.stages[0]
        stage.pass_time(self.clock.now() + timedelta(days=choose((1, 1, 5, 30, 120, 800))))
        self.heard()

    def stops(self, choose: Choose) -> None:
        """A night: the service stops and starts again."""
        self._opened(self.store.path)

    def dies(self, choose: Choose) -> None:
        """In the middle of one more step, at some statement, or after its commit and before it could say so."""
        store, before = self.store, dict(self.known)
        store.dies_told = choose((True, False))
        store.dies_at = None if store.dies_told else choose(range(25))
        with suppress(Died):
            choose((self.begins, self.goes_on, self.goes_on, self.is_called))(choose)
        self.known = before
        self._opened(store.path)
        self._look_again()
        self.heard()

    def is_kept_aside(self, choose: Choose) -> None:
        """A backup."""
        self.count += 1
        where = self.folder / f"backup{self.count}"
        back_up(self.store, self.office.attachments, self.ring, where, self.clock.now())
        self.backup = (where, dict(self.known), self.clock.now())

    def comes_back(self, choose: Choose) -> None:
        """From the last backup: what was done since is undone, nothing of before is."""
        if self.backup is None:
            return
        where, known, _ = self.backup
        self.count += 1
        there = SqliteStore(self.folder / f"back{self.count}.db")
        there.migrate()
        bring_back(where, there, self.office.attachments.blobs, self.ring)
        there.close()
        self.store.close()
        self.known = dict(known)
        self._opened(there.path)
        self._look_again()

    def is_published(self, choose: Choose) -> None:
        """A later edition of one procedure: another title, another summary."""
        book = self.office.catalogue.procedures[choose(PROCEDURES)]
        text = book.source.replace(f"\nedition: {book.edition}\n", f"\nedition: {book.edition + 1}\n", 1)
        text = re.sub(r"\ntitle: (\{fr: )?", r"\g<0>Encore ", text, count=1).split("\nmigrate:")[0]
        maps = "".join(f"  {number}: {{}}\n" for number in range(1, book.edition + 1))
        later = compiled(f"{text.rstrip()}\nmigrate:\n{maps}", f"{book.id}.yaml")
        self.definitions[later.fingerprint] = later
        publish(self, later)  # type: ignore[arg-type]
        self._opened(self.store.path)

    def comes_over(self, choose: Choose) -> None:
        """The dossiers of a procedure, to its edition in force."""
        name = choose(PROCEDURES)
        with suppress(Refused):
            migration.migrate(self.office, name)
        self.heard()

    # -- the office

    @property
    def store(self) -> MortalStore:
        store = self.office.store
        assert isinstance(store, MortalStore)
        return store

    @property
    def ring(self) -> Path:
        return self.folder / "keys.json"

    @property
    def registers(self) -> ScenarioRegister:
        found = self.office.registers["*"]
        assert isinstance(found, ScenarioRegister)
        return found

    def _opened(self, path: str) -> None:
        """As another process opens it: nothing is remembered."""
        self.store.close()
        self.office = replace(self.office, store=MortalStore(path), editions=EditionCache())
        for stage in self.stages:
            stage.office = self.office

    def _one(self, choose: Choose) -> ScenarioRun | None:
        return choose(list(self.told.values())) if self.told else None

    def _done(self, told: ScenarioRun, act: Callable[[], None]) -> None:
        with suppress(ScenarioFailed, Refused, NotFound, Conflict):
            act()
        assert told.dossier is not None
        self.heard()

    def heard(self, *dossiers: str) -> None:
        """What stands now is acknowledged to somebody."""
        with self.office.store.unit() as unit:
            for one in dossiers or tuple(self.told):
                dossier = unit.dossier(one)
                if dossier is not None:
                    self.known[one] = dossier

    def _look_again(self) -> None:
        """What is there decides whose story goes on."""
        with self.office.store.unit() as unit:
            for one in list(self.told):
                dossier = unit.dossier(one)
                if dossier is None:
                    del self.told[one]
                else:
                    self.told[one].dossier = dossier


def begun(folder: Path) -> Lives:
    """An office that has not lived yet."""
    clock = FixedClock(BEGIN)
    keys().save(folder / "keys.json")
    store = MortalStore(folder / "guichet.db")
    store.migrate()
    inbox = InboxSender()
    office = AppContext(
        shipped(), store, AttachmentStore(folder / "files", FileKeys.open(folder / "keys.json")),
        {"sandbox": SandboxProvider(SandboxOperator(None, clock, b"lives"))},
        {"sms": inbox, "email": inbox, "inbox": inbox}, {"*": ScenarioRegister()}, clock, load_words(), keys(),
        AppSettings(),
    )  # fmt: skip
    lives = Lives(folder, publish_editions(office), clock)
    lives.definitions = {one.fingerprint: one for one in lives.office.catalogue.all()}
    lives.begins(lambda things: things[0])
    return lives


# -- what must never be so ---------------------------------------------------------------------------------------------


def wrong_in(lives: Lives) -> Iterator[str]:
    """Against what was acknowledged, the law of each dossier's own edition, and every promise that `fsck` knows."""
    office = lives.office
    for one in fsck(office):
        yield f"fsck: {one.code} {one.dossier} {dict(one.facts)}"
    there = set(office.store.all_dossiers())
    for dossier_id, heard in lives.known.items():
        with office.store.unit() as unit:
            now = unit.dossier(dossier_id)
            salts, letters = unit.salts(dossier_id), unit.letters_of(dossier_id)
        if now is None or dossier_id not in there:
            yield f"{dossier_id} is lost"
            continue
        if now.revision < heard.revision:
            yield f"{dossier_id} went back to {now.revision} from {heard.revision}"
        if now.revision == heard.revision and now != heard:
            yield f"{dossier_id} changed under the same revision"
        yield from _of_its_edition(lives, now)
        if now.erased_at is not None:
            left = {
                "answers": _telling(lives.definitions[now.fingerprint], now),
                "files": now.attachments,
                "label": now.label,
                "salts": [
                    name for names in salts.values() for name in names if not name.startswith(("rows.", "refunds."))
                ],
                "letters": letters,
            }
            yield from (f"{dossier_id} is erased but for its {name}" for name, value in left.items() if value)


def _telling(book: Procedure, dossier: Dossier) -> list[str]:
    """Answers that tell of somebody: none is left, or none but a code among those of its question, where the book counts them."""
    few = {name: [True, False, *(option.code for option in asked.options)] for name, asked in book.fields.items()}
    few |= {one.id: [True, False, *(option.code for option in one.field.options)] for one in book.eligibility}
    counted = book.personal_data.afterwards == "anonymise"
    return [
        name for name, said in dossier.answers.items()
        if not counted or any(one not in few.get(name, ()) for one in (said if isinstance(said, list) else [said]))
    ]  # fmt: skip


def _of_its_edition(lives: Lives, dossier: Dossier) -> Iterator[str]:
    book = lives.definitions[dossier.fingerprint]
    if intake.procedure_of(lives.office, dossier) != book:
        yield f"{dossier.id} is judged by another edition"
    ways, at = {(way.source, way.target) for way in book.transitions}, None
    for taken in dossier.taken:
        if (taken.source, taken.target) not in ways:
            yield f"{dossier.id} went from {taken.source} to {taken.target}, where no way leads"
        if at is not None and taken.source != at:
            yield f"{dossier.id} went from {taken.source} where it was in {at}"
        at = taken.target
    if at is not None and dossier.state != at:
        yield f"{dossier.id} stands in {dossier.state} and came to {at}"
