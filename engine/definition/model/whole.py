"""The whole: one edition of one procedure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine.definition.expressions import Expression
from engine.definition.model.asked import Criterion, Field, Option
from engine.definition.model.circuit import Clock, State, Table, Transition
from engine.definition.model.given import Notice, Output
from engine.definition.model.stories import Scenario
from engine.definition.model.tasks import Appointment, Fee, Form, Link, Task
from engine.definition.model.things import APPLICATION, Lasting, Thing
from engine.definition.model.who import Accept, Identity, Law, PersonalData
from engine.values import Text


@dataclass(frozen=True, slots=True)
class Scheme:
    """A kind of identifier shared by procedures."""

    id: str
    label: Text
    pattern: str
    checksum: str | None
    example: str


@dataclass(frozen=True, slots=True)
class CodeList:
    id: str
    title: Text
    source: str | None
    items: tuple[Option, ...]

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(item.code for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure(Lasting):
    """One edition of one procedure. Known by (id, edition, fingerprint)."""

    identity: Identity
    laws: Mapping[str, Law]
    eligibility: tuple[Criterion, ...]
    form: Form  # the task APPLICATION
    things: Mapping[str, Thing]  # the one namespace: fields, evidence, tasks, states, acts (first of each), outputs
    fields: Mapping[str, Field]  # every field outside rows: eligibility, application, later forms, computed ones too
    order: tuple[str, ...]  # ids of `fields` such that each comes after what its when/value/default name
    tasks: Mapping[str, Task]  # APPLICATION, fees, appointments, later forms, look-ups
    states: Mapping[str, State]
    start: str
    office: Expression | None  # None = the agency's first office
    transitions: tuple[Transition, ...]
    leaving: Mapping[str, tuple[Transition, ...]]  # by source, in order of the file then rank
    clocks: Mapping[str, Clock]
    tables: Mapping[str, Table] = field(default_factory=lambda: MappingProxyType({}))
    definitions: Mapping[str, Expression] = field(default_factory=lambda: MappingProxyType({}))  # for messages
    outputs: Mapping[str, Output]
    notices: tuple[Notice, ...]
    personal_data: PersonalData
    scenarios: tuple[Scenario, ...]
    migrate: Mapping[int, Mapping[str, str | None]]
    accept: tuple[Accept, ...]
    lists: Mapping[str, CodeList]
    schemes: Mapping[str, Scheme]
    fingerprint: str
    source: str = field(compare=False, repr=False)  # the text of the file, kept with the edition
    expanded: str = field(
        compare=False, repr=False
    )  # JSON of the whole in the order of the file, presets and blocks in

    @property
    def id(self) -> str:
        return self.identity.id

    @property
    def edition(self) -> int:
        return self.identity.edition

    @property
    def key(self) -> tuple[str, int, str]:
        return (self.identity.id, self.identity.edition, self.fingerprint)

    def state(self, state_id: str) -> State:
        return self.states[state_id]

    def fees(self) -> tuple[Fee, ...]:
        return tuple(task for task in self.tasks.values() if isinstance(task, Fee))

    def forms(self) -> tuple[Form, ...]:
        """Later forms, look-ups and rounds; the application apart."""
        return self.once(_later_forms)

    def links(self) -> tuple[Link, ...]:
        return tuple(task for task in self.tasks.values() if isinstance(task, Link))

    def round_of(self, service: str) -> Form | None:
        """The round of opinions that a service is consulted in."""
        return next((form for form in self.forms() if form.service(service) is not None), None)

    def appointments(self) -> tuple[Appointment, ...]:
        return tuple(task for task in self.tasks.values() if isinstance(task, Appointment))


def _later_forms(book: Procedure) -> tuple[Form, ...]:
    return tuple(task for task in book.tasks.values() if isinstance(task, Form) and task.id != APPLICATION)
