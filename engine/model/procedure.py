"""One compiled edition of one procedure, as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal, TypeAlias

from engine.core.problems import NOWHERE, Position
from engine.core.values import Plain, Span, Text
from engine.model.base import APPLICANT, APPLICATION, Lasting, NamedElement, Template
from engine.model.form import USUAL, Annotation, Criterion, Field, Option
from engine.model.legal import Accept, Identity, Law, PersonalData
from engine.model.paper import OutputPaper
from engine.model.tasks import Appointment, Fee, Form, Link, Task
from engine.model.types import TRUE, Expression
from engine.model.workflow import State, Table, TimeLimit, Transition

OutputKind: TypeAlias = Literal[
    "permit", "decision", "certificate", "extract", "card", "contract", "receipt", "quote", "form", "letter"
]  # fmt: skip
VerifyBy: TypeAlias = Literal["public", "code", "token", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(NamedElement):
    """A document the procedure issues. `number` is a pattern over agency, office, procedure, year and serial.

    `paper` is None for an output of the first form of the language, which prints `shows` and `body` only.
    """

    title: Text
    kind: OutputKind = "certificate"
    grants: bool
    per: str | None = None
    when: Expression = TRUE
    number: str = "{agency}-{year}-{serial}"
    serial_per: tuple[str, ...] = ("agency", "year")
    gapless: bool = False
    valid: Expression | None = None  # Span from the day of issue, or a date
    signed_by: str | None = None
    shows: tuple[str, ...] = ()
    body: Template | None = None
    verify: VerifyBy = "code"
    register: tuple[str, ...] = ()
    paper: OutputPaper | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(NamedElement):
    """A message to send when `event` happens: a state entered, a transition taken, a task done, a time limit over."""

    event: str
    to: str = APPLICANT
    before: Span | None = None
    when: Expression = TRUE
    sms: Template | None = None
    email_subject: Template | None = None
    email_body: Template | None = None
    inbox: Template | None = None


@dataclass(frozen=True, slots=True)
class Scheme:
    """A format of official numbers, such as a tax number, that several procedures share."""

    id: str
    label: Text
    pattern: str
    checksum: str | None
    example: str


@dataclass(frozen=True, slots=True)
class CodeList:
    """A list of codes that several procedures share."""

    id: str
    title: Text
    source: str | None
    items: tuple[Option, ...]

    @property
    def codes(self) -> frozenset[str]:
        """The codes of all items, expired ones included."""
        return frozenset(item.code for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure(Lasting):
    """One edition of one procedure, identified by (id, edition, fingerprint)."""

    identity: Identity
    laws: Mapping[str, Law]
    eligibility: tuple[Criterion, ...]
    form: Form  # the task APPLICATION
    things: Mapping[
        str, NamedElement
    ]  # the one namespace: fields, evidence, tasks, states, acts (first of each), outputs
    fields: Mapping[str, Field]  # every field outside rows: eligibility, application, later forms, computed ones too
    order: tuple[str, ...]  # ids of `fields`, each after those that its when/value/default name
    tasks: Mapping[str, Task]  # APPLICATION, fees, appointments, later forms, look-ups
    states: Mapping[str, State]
    start: str
    office: Expression | None  # None = the agency's first office
    transitions: tuple[Transition, ...]
    leaving: Mapping[str, tuple[Transition, ...]]  # by source, in order of the file then rank
    clocks: Mapping[str, TimeLimit]
    tables: Mapping[str, Table] = field(default_factory=lambda: MappingProxyType({}))
    definitions: Mapping[str, Expression] = field(default_factory=lambda: MappingProxyType({}))  # for messages
    outputs: Mapping[str, Output]
    notices: tuple[Notice, ...]
    annotations: Mapping[str, Annotation] = field(default_factory=lambda: MappingProxyType({}))
    personal_data: PersonalData
    scenarios: tuple[Scenario, ...]
    migrate: Mapping[int, Mapping[str, str | None]]
    accept: tuple[Accept, ...]
    lists: Mapping[str, CodeList]
    schemes: Mapping[str, Scheme]
    fingerprint: str
    source: str = field(compare=False, repr=False)  # the text of the file, stored with the edition
    expanded: str = field(
        compare=False, repr=False
    )  # JSON of the whole in the order of the file, with presets and blocks

    @property
    def id(self) -> str:
        """The id of the procedure, the same for all its editions."""
        return self.identity.id

    @property
    def edition(self) -> int:
        """The edition number, from 1."""
        return self.identity.edition

    @property
    def key(self) -> tuple[str, int, str]:
        """The triple (id, edition number, fingerprint)."""
        return (self.identity.id, self.identity.edition, self.fingerprint)

    def state(self, state_id: str) -> State:
        """Return the state of that id. Raises `KeyError` when it does not exist."""
        return self.states[state_id]

    def noted(self) -> Mapping[str, Annotation]:
        """Return the annotations that the file declares, else the usual ones."""
        return self.annotations or USUAL

    def labels(self) -> Mapping[str, Annotation]:
        """Return the annotations whose options are labels in the list of dossiers."""
        return {name: one for name, one in self.noted().items() if one.show == "list"}

    def fees(self) -> tuple[Fee, ...]:
        """Return the fees, in the order of the tasks."""
        return tuple(task for task in self.tasks.values() if isinstance(task, Fee))

    def forms(self) -> tuple[Form, ...]:
        """Return all forms but the application: later forms, look-ups, rounds and links."""
        return self.once(_later_forms)

    def links(self) -> tuple[Link, ...]:
        """Return the links to earlier dossiers."""
        return tuple(task for task in self.tasks.values() if isinstance(task, Link))

    def round_of(self, service: str) -> Form | None:
        """Return the round of opinions in which a service is consulted, None when there is none."""
        return next((form for form in self.forms() if form.service(service) is not None), None)

    def appointments(self) -> tuple[Appointment, ...]:
        """Return the appointments, in the order of the tasks."""
        return tuple(task for task in self.tasks.values() if isinstance(task, Appointment))


def _later_forms(procedure: Procedure) -> tuple[Form, ...]:
    return tuple(task for task in procedure.tasks.values() if isinstance(task, Form) and task.id != APPLICATION)


@dataclass(frozen=True, slots=True)
class Step:
    """One act of a scenario: `verb`, its `value`, and the other keys in `options` (as, who, with, reason, fields…).

    `then` is the state expected after it, and `expect` what else must hold.
    """

    verb: str  # take pay book visit opinion do correct look_up linked wait, or "" when it only expects
    value: Plain
    options: Mapping[str, Plain]
    then: str | None
    expect: Mapping[str, Plain]
    where: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(NamedElement):
    """One scenario. `like` is already resolved: `given` and `at` are complete."""

    story: Text
    at: date
    channel: str = "web"
    given: Mapping[str, Plain]
    without: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    stops: str | None = None
    refuses: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
