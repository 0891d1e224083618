"""An office in memory over the shipped procedures, a clock that obeys, and the people around it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pypdf import PdfWriter

from engine.core.clock import FixedClock
from engine.core.values import Plain, new_id
from engine.domain.common.decision import Act, PieceComparison
from engine.domain.fields.files import evidence_parts
from engine.domain.forms.sample_answers import example_answers
from engine.domain.workflow.confirmations import all_same, confirms_of, to_compare
from engine.domain.workflow.transition_context import Moment
from engine.integrations.gateways import InboxSender
from engine.integrations.registers import FileRegister
from engine.integrations.simulated_operator import SandboxOperator, SandboxProvider
from engine.language.catalogue.catalogue import Catalogue, load_catalogue
from engine.model import Form
from engine.records.dossier import Account, Actor, Dossier
from engine.services.applications import casework
from engine.services.applications import drafts as intake
from engine.services.applications.draft_answers import keep_answers
from engine.services.appointments import bookings
from engine.services.context.app_context import AppContext, AppSettings, pinned, publish_editions
from engine.services.keys.signing_keys import SigningKeys
from engine.storage.files.attachments import AttachmentStore
from engine.storage.files.encryption import FileKeys
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store, Unit
from tests import worker
from tests.engine.domain.small_procedure import PlainWords
from tests.worker import work_off

ROOT = Path(__file__).resolve().parents[3]
MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)  # the country's clocks show UTC
PHONE = "+22890112233"
B3 = "casier-judiciaire-b3"
PASSPORT = "passeport-ordinaire"


def every_piece_agrees(
    office: AppContext, dossier: Dossier, agent: Actor, name: str, row: int | None = None
) -> PieceComparison:
    """The comparison with every answer equal to its piece, for an act, a later form or its row."""
    with office.store.unit() as unit:
        procedure = pinned(office, unit, dossier)
    form = procedure.tasks.get(name)
    confirms, rows = (form.confirms, form.each) if isinstance(form, Form) else ({}, None)
    for transition in procedure.leaving.get(dossier.state, ()):
        confirms = confirms_of(procedure, transition) if transition.id == name else confirms
    moment = Moment(procedure, agent, office.now(), office.directory, office.wording)
    return all_same(to_compare(moment, dossier, confirms, rows, row), {})


class BareWords(PlainWords):
    """Says keys and facts, so that tests read what is told and not how."""

    def numeral(self, amount: int, language: str) -> str:
        return f"<{amount}>"

    def plain_day(self, day: date, language: str) -> str:
        return day.isoformat()


@cache
def shipped() -> Catalogue:
    return load_catalogue(ROOT / "procedures")


@cache
def keys() -> SigningKeys:
    return SigningKeys.generate()


@cache
def file_keys(folder: Path) -> FileKeys:
    """The ring of a folder: every process over it opens the same files."""
    folder.mkdir(parents=True, exist_ok=True)
    ring = folder / "file_keys.json"
    with suppress(FileExistsError):
        keys().save(ring)
    return FileKeys.open(ring)


@dataclass
class World:
    """`office` and who knocks at it. Agents hold every role of their agency unless told otherwise."""

    office: AppContext
    clock: FixedClock
    operator: SandboxOperator
    people: dict[str, Actor] = field(default_factory=dict)

    def applicant(self, phone: str = PHONE) -> Actor:
        return self._person(Account(f"applicant {phone}", "applicant", "AMEGAN Afi", phone))

    def agent(self, login: str, *roles: str, offices: tuple[str, ...] = ()) -> Actor:
        return self._person(Account(f"agent {login}", "agent", login, login, roles=roles, offices=offices))

    def auditor(self) -> Actor:
        return self._person(Account("auditor", "auditor", "Cour des comptes", "cour"))

    def _person(self, account: Account) -> Actor:
        if account.id not in self.people:
            with self.office.store.unit(write=True) as unit:
                unit.put_account(account)
            self.people[account.id] = account.actor()
        return self.people[account.id]

    # -- short cuts through what other tests play step by step

    def draft(self, procedure: str = B3, owner: Actor | None = None, **given: Plain) -> Dossier:
        """A draft with every question answered by its example, evidence left out."""
        owner = owner or self.applicant()
        book, day = self.office.catalogue.procedures[procedure], self.office.day()
        answers = example_answers(book, given, day, self.office.directory)
        opened = intake.open_dossier(self.office, owner, procedure, criteria=answers, token=new_id())
        kept = {name: _without_files(answer) for name, answer in {**opened.answers, **answers}.items()}
        return self.force(opened, answers=kept)

    def filled(self, procedure: str = B3, owner: Actor | None = None, **given: Plain) -> Dossier:
        """The same with every piece of evidence handed in."""
        owner = owner or self.applicant()
        dossier = self.draft(procedure, owner, **given)
        for problem in intake.check(self.office, owner, dossier.id).errors:
            attached = intake.attach(self.office, owner, dossier.id, problem.at, intake.Upload("acte.pdf", pdf()))
            assert attached.problem is None, attached.problem
        return self.kept(dossier)

    def sent(self, procedure: str = B3, owner: Actor | None = None, **given: Plain) -> Dossier:
        owner = owner or self.applicant()
        dossier = self.filled(procedure, owner, **given)
        sent = intake.submit(self.office, owner, dossier.id, declared=True, token=new_id())
        return self.worked_off(sent)

    def paid(self, dossier: Dossier, payer: str = "+22890000001") -> Dossier:
        owner = self.owner(dossier)
        worker.start_payment(self.office, owner, dossier.id, provider="sandbox", payer=payer, token=new_id())
        return self.worked_off(dossier)

    def all_equal(self, dossier: Dossier, agent: Actor, name: str, row: int | None = None) -> PieceComparison:
        """What an agent finds who sees every answer as its piece says it: for an act, a later form or its row."""
        return every_piece_agrees(self.office, dossier, agent, name, row)

    def take(self, dossier: Dossier, agent: Actor, act: str, **more: Any) -> Dossier:
        """The dossier after an act. The piece of a criminal record is compared first, when the act is the signature."""
        if (dossier.procedure, self.kept(dossier).state, act) == (B3, "piece", "signer"):
            self.take(dossier, self.agent("compare", "sncja/agent_traitement"), "comparer")
        more.setdefault("compared", self.all_equal(self.kept(dossier), agent, act))
        return self.worked_off(
            casework.take_transition(self.office, agent, dossier.id, Act(act, **more), token=new_id())
        )

    def booked(self, dossier: Dossier, appointment: str, number: int = 0) -> Dossier:
        owner = self.owner(dossier)
        sheet = bookings.slots(self.office, owner, dossier.id, appointment, limit=100)
        slot = [one for day in sheet.days for one in day.slots][number]
        booked = bookings.book_slot(
            self.office, owner, dossier.id, appointment, slot.office, slot.start, token=new_id()
        )
        return self.worked_off(booked)

    def owner(self, dossier: Dossier) -> Actor:
        return next(actor for actor in self.people.values() if actor.owns == dossier.owner)

    def worked_off(self, dossier: Dossier) -> Dossier:
        """The dossier once a worker made the calls that wait."""
        work_off(self.office)
        return self.kept(dossier)

    # -- looking

    def kept(self, dossier: Dossier) -> Dossier:
        return self.read(lambda unit: unit.dossier(dossier.id)) or dossier

    def read(self, look: Callable[[Unit], Any]) -> Any:
        with self.office.store.unit() as unit:
            return look(unit)

    def force(self, dossier: Dossier, **changes: Any) -> Dossier:
        """Puts answers in as if pages had been saved, journal included."""
        with self.office.store.unit(write=True) as unit:
            actor = self.owner(dossier)
            kind = "saved" if dossier.is_draft else "corrected"
            return keep_answers(self.office, unit, dossier, replace(dossier, **changes), kind, actor)

    def kinds(self, dossier: Dossier) -> list[str]:
        return [entry.kind for entry in self.read(lambda unit: unit.entries(dossier.id))]

    def letters(self, to: str = PHONE) -> list[str]:
        """Bodies of the letters to an address, oldest first."""
        return [letter.body for letter in reversed(self.read(lambda unit: unit.letters_to(to, 100)))]

    def wait(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))


def a_world(
    folder: Path, store: Store | None = None, ledger: Path | None = None, catalogue: Catalogue | None = None,
    **gateways: Any,
) -> World:  # fmt: skip
    """A world over a catalogue, by default that of the shipped procedures."""
    clock = FixedClock(MONDAY)
    operator = SandboxOperator(ledger, clock, b"shared")
    kept = store or SqliteStore(":memory:")
    kept.migrate()
    inbox = InboxSender()
    parts: Mapping[str, Any] = {
        "providers": {"sandbox": SandboxProvider(operator)},
        "senders": {"sms": inbox, "email": inbox, "inbox": inbox},
        "registers": {"*": FileRegister(ROOT / "procedures/registers")},
        **gateways,
    }
    office = AppContext(
        catalogue=catalogue or shipped(), store=kept, attachments=AttachmentStore(folder / "files", file_keys(folder)), clock=clock,
        wording=BareWords(), keys=keys(), settings=AppSettings(), **parts,
    )  # fmt: skip
    return World(publish_editions(office), clock, operator)


def left_salts(world: World, dossier: Dossier) -> set[str]:
    """What the journal of a dossier commits to that could still be proven."""
    return {name for names in world.read(lambda unit: unit.salts(dossier.id)).values() for name in names}


def _without_files(answer: Plain) -> Plain:
    return {**evidence_parts(answer), "files": []} if isinstance(answer, dict) and "files" in answer else answer


@cache
def pdf() -> bytes:
    """A blank page."""
    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
