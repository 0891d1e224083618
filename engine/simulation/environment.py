"""The test environment of scenarios.

A context in memory with a settable clock, a simulated operator and silent registers.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, cast

from engine.core.clock import ZONE, FixedClock, MovedClock
from engine.core.values import Plain, new_id
from engine.domain.common.decision import PieceComparison
from engine.domain.common.text_provider import Wording
from engine.domain.fields.files import FILE_TYPES, files_of
from engine.domain.fields.scope import evaluate_answers
from engine.domain.forms.comparisons import adopt_comparison
from engine.domain.workflow.confirmations import Confirms, to_compare
from engine.domain.workflow.transition_context import Moment
from engine.integrations.gateways import InboxSender
from engine.integrations.payment_provider import Method, PaymentProvider
from engine.integrations.registers import RegisterAnswer
from engine.integrations.simulated_operator import SandboxCard, SandboxOperator, SandboxProvider
from engine.language.catalogue.catalogue import Catalogue
from engine.model import APPLICANT, Field, Output, Procedure, Step
from engine.records.dossier import Account, Actor, Attachment, Dossier, IssuedDocument
from engine.services.context.app_context import AppContext, AppSettings
from engine.services.keys.signing_keys import SigningKeys
from engine.services.worker.worker import run_pass
from engine.storage.files.attachments import AttachmentStore, StoredFile
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store

OPENING: Final = 9  # the hour at which a scenario begins
PAYERS: Final = {"paid": "+22890000001", "failed": "+22890000002", "expired": "+22890000004", "unknown": "+22890000005"}
CARD_CHOICES: Final = {"paid": "paid", "failed": "declined", "expired": "expired", "unknown": "silent"}
PHONE: Final = "+22890123456"
_KEYS: Final = SigningKeys.generate()


def story_providers(operator: SandboxOperator) -> dict[str, PaymentProvider]:
    """Return a simulated provider for every method of payment. In a scenario, cash is paid like a wallet."""
    card = SandboxCard(operator, "card", "Carte simulée")
    cash = SandboxProvider(operator, "cash", "Espèces, comme au guichet", cast(Method, "cash"))
    return {"sandbox": SandboxProvider(operator), "card": card, "cash": cash}


class ScenarioRegister:
    """Registers that give only the answers that a step of the scenario sets, and are unavailable before."""

    def __init__(self) -> None:
        self.answers: dict[str, RegisterAnswer] = {}

    def ask(self, register_id: str, sent: Mapping[str, Plain]) -> RegisterAnswer:
        """Return the answer set for a register, else `unavailable`."""
        return self.answers.get(register_id, RegisterAnswer("unavailable"))


@dataclass
class ScenarioEnvironment:
    """The environment of one scenario. `people` are created when first named, by a role or a name."""

    office: AppContext
    clock: FixedClock | MovedClock
    registers: ScenarioRegister
    applicant: Actor
    people: dict[str, Actor] = field(default_factory=dict)
    provider: str = "sandbox"  # the operator that payments use

    @classmethod
    def set_for(
        cls, catalogue: Catalogue, wording: Wording, at: date, store: Store | None = None
    ) -> ScenarioEnvironment:
        """Return an empty context on the morning of that day; in memory, unless an empty store is given."""
        clock = FixedClock(datetime(at.year, at.month, at.day, OPENING, tzinfo=ZONE))
        registers = ScenarioRegister()
        store = SqliteStore(":memory:") if store is None else store
        store.migrate()
        operator = SandboxOperator(None, clock, b"story")
        letters = InboxSender()
        office = AppContext(
            catalogue, store, AttachmentStore(Path("nowhere")), story_providers(operator),
            {"sms": letters, "email": letters, "inbox": letters}, {"*": registers}, clock, wording, _KEYS,
            AppSettings(specimen=True),
        )  # fmt: skip
        account = Account("applicant", "applicant", "", PHONE)
        with store.unit(write=True) as unit:
            unit.put_account(account)
        return cls(office, clock, registers, account.actor())

    def paid_through(self, methods: frozenset[str]) -> str:
        """Return the provider for a fee of these methods: that of the environment if it fits."""
        providers = self.office.providers
        if providers[self.provider].method in methods:
            return self.provider
        return next((name for name, one in providers.items() if one.method in methods), self.provider)

    def person(self, role: str, who: str = "") -> Actor:
        """Return an agent with the role.

        A name always means the same person, who holds every role they were named with.
        """
        if role == APPLICANT:
            return self.applicant
        name = who or role
        known = self.people.get(name)
        if known is None or role not in known.roles:
            roles = (*sorted(known.roles), role) if known else (role,)
            account = Account(name, "agent", name, name, roles=roles)
            with self.office.store.unit(write=True) as unit:
                unit.put_account(account)
            self.people[name] = account.actor()
        return self.people[name]

    def compared(
        self, procedure: Procedure, dossier: Dossier, person: Actor, confirms: Confirms, step: Step,
        rows: str | None = None, row: int | None = None,
    ) -> PieceComparison:  # fmt: skip
        """Return the comparison of a step: every answer is equal to its piece, except those of `differs`.

        With `rows` they are columns, and the row of that number differs from its piece.
        """
        office, said = self.office, step.options.get("differs")
        moment = Moment(procedure, person, office.now(), office.directory, office.wording)
        evaluated = evaluate_answers(procedure, dossier, office.day(), office.directory)
        asked = to_compare(moment, dossier, confirms, rows, row)
        place = f"{rows}.{row}." if rows is not None else ""
        differs = {f"{place}{name}": value for name, value in said.items()} if isinstance(said, dict) else {}
        return adopt_comparison(evaluated, asked, differs)

    def dossier(self, dossier_id: str) -> Dossier:
        """Return a dossier by id. Raises `LookupError`."""
        with self.office.store.unit() as unit:
            dossier = unit.dossier(dossier_id)
        if dossier is None:
            raise LookupError(dossier_id)
        return dossier

    def issue_before(self, procedure: Procedure, field: Field, answers: Mapping[str, Plain]) -> None:
        """Store an earlier request of the applicant that issued the document which this evidence asks for.

        It has the same answers. Its procedure is like this one, with that document only. Without `held_by`,
        nothing is stored.
        """
        slug = field.evidence.held_by if field.evidence is not None else None
        if not slug:
            return
        codes = field.evidence.any_of if field.evidence is not None else ()
        name = codes[0].code if codes else field.id
        output = Output(id=name, where=field.where, title=field.label, grants=True)
        earlier = replace(
            procedure, identity=replace(procedure.identity, id=slug), outputs=MappingProxyType({name: output}),
            fingerprint=f"before {slug}",
        )  # fmt: skip
        older = {**self.office.catalogue.older, (slug, earlier.fingerprint): earlier}
        self.office = replace(self.office, catalogue=replace(self.office.catalogue, older=MappingProxyType(older)))
        now, end = self.clock.now(), next(one.id for one in procedure.states.values() if one.outcome)
        document = IssuedDocument(
            new_id(), name, str(field.label), f"{slug}-1", now, None, "", "", (("", ""),), "", None, ""
        )
        dossier = Dossier(
            id=new_id(), number=f"before {field.id}", procedure=slug, edition=1, fingerprint=earlier.fingerprint,
            owner=self.applicant.id, state=end, entered_at=now, created_at=now, submitted_at=now, closed_at=now,
            answers=dict(answers), documents=(document,),
        )  # fmt: skip
        with self.office.store.unit(write=True) as unit:
            unit.add_dossier(dossier)

    def pass_time(self, until: datetime) -> None:
        """Let time pass; everything due until then happens at its own hour."""
        while True:
            with self.office.store.unit() as unit:
                ahead = [timer.due_at for timer in unit.due_timers(until, 1)]
            if not ahead:
                break
            self.clock.instant = max(self.clock.instant, ahead[0])
            run_pass(self.office)
        self.clock.instant = max(self.clock.instant, until)
        run_pass(self.office)

    def later(self, seconds: int) -> None:
        """Advance the clock by some seconds without running a worker pass."""
        self.clock.advance(timedelta(seconds=seconds))

    def papers(self, procedure: Procedure, answers: Mapping[str, Plain], dossier: str) -> tuple[Attachment, ...]:
        """Return the files that example answers name, as if uploaded for a dossier (its id)."""
        return tuple(
            self.paper(name, field.id, dossier=dossier)
            for field in procedure.form.fields
            if field.type in FILE_TYPES
            for name in files_of(answers.get(field.id))
        )

    def paper(self, name: str, place: str, by: str | None = None, dossier: str = "") -> Attachment:
        """Return an attachment without stored content."""
        return Attachment(name, place, f"{place}.pdf", "pdf", 1000, "0" * 64, self.clock.now(), by=by)


def fresh_token() -> str:
    """Return a new token: each act of a scenario is one command."""
    return new_id()


_SIDE: Final = 480  # pixels
_LARGEST: Final = 5_000_000


def keep_specimen(attachments: AttachmentStore, place: str, dossier: str = "") -> StoredFile:
    """Store the example file for a question and return it."""
    return attachments.keep(_picture(), f"{place}.png", ("png",), _LARGEST, dossier)


@cache
def _picture() -> bytes:
    """Return a pale square with a line across (PNG, 8-bit grey)."""
    rows = b"".join(b"\x00" + bytes(200 if abs(x - y) < 3 else 240 for x in range(_SIDE)) for y in range(_SIDE))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
