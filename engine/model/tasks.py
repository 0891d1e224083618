"""What a state waits for: forms, links, fees, appointments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import ceil
from types import MappingProxyType
from typing import Final, Literal

from engine.core.values import Span, Text
from engine.model.base import _NONE, MOBILE_MONEY, NamedElement, Relation, Silence
from engine.model.form import Field, Page
from engine.model.types import TRUE, Expression

LOOK_UP_DUE: Final = Span(1, "day")  # of a register whose look-up gives no time
_NO_NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(NamedElement):
    """What a state may wait for. `by` names the roles that do it. When `when` is false, no state waits for it."""

    label: Text
    for_agents: Text | None = None
    by: tuple[str, ...] = ()
    when: Expression = TRUE
    after: tuple[str, ...] = ()

    @property
    def agents_label(self) -> Text:
        """The label that agents read: `for_agents`, else the applicant's label."""
        return self.for_agents or self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Consulted(NamedElement):
    """One service of a round.

    Its id is an answer: the opinion given, or the tacit one (`silence`) at the end of its time.
    """

    label: Text
    by: tuple[str, ...]
    when: Expression = TRUE
    weight: int = 1
    silence: Silence = "none"
    due: Span | None = None  # None = that of the round


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(Task):
    """Questions answered together: the application, a later form or the answer of a register.

    It may be filled in parts: once per row (`each`), or one opinion per service of a round (`services`). The
    pages of a round hold its rows and one choice per service, which are never shown as questions. `asked` is
    the page of each service.
    """

    pages: tuple[Page, ...] = ()
    each: str | None = None  # rows: one filling per row
    services: tuple[Consulted, ...] = ()
    asked: Page | None = None
    quorum: Expression | None = None  # how many opinions finish the round; None = all
    due: Span | None = None
    seen_by: tuple[str, ...] = ()  # a confidential round: these roles and the author
    register: str | None = None  # a look-up: filled by the system from this register
    sends: tuple[str, ...] = ()  # the answers that a look-up sends to the register
    confirms: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_NAMES)  # piece → answers it proves
    matches: Mapping[str, str] = field(
        default_factory=lambda: _NONE
    )  # a look-up: answer → equal answer of the register

    @property
    def fields(self) -> tuple[Field, ...]:
        """The questions of all pages, in order."""
        return tuple(one for page in self.pages for one in page.fields)

    def service(self, service_id: str) -> Consulted | None:
        """Return the consulted service of that id, None when it does not exist."""
        return next((one for one in self.services if one.id == service_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Form):
    """An earlier dossier that this one depends on. Its only question, never shown, is the outcome of that dossier."""

    relation: Relation
    procedure: str
    required: Expression = TRUE
    copies: Mapping[str, str] = field(default_factory=lambda: _NONE)  # id in this dossier → id in the earlier one
    row: str | None = None  # a question of rows of the earlier dossier, one of which is picked

    @property
    def ends_documents(self) -> bool:
        """Whether the documents of the earlier dossier end with those of this one."""
        return self.relation in ("renews", "amends", "revokes")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeLine(NamedElement):
    """One line of a fee: `amount` × `times` in whole francs, once per row of `for_each` if given."""

    label: Text
    amount: Expression
    times: Expression | None = None
    per: Text | None = None
    when: Expression = TRUE
    for_each: str | None = None
    from_: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """A reduction in percent or francs, rounded down and applied in order."""

    when: Expression
    percent: Expression | None
    amount: Expression | None
    because: Text
    basis: str | None = None


@dataclass(frozen=True, slots=True)
class Instalments:
    """Payment in at most `most` parts, one `every` span.

    `opens` says which part lets the dossier advance: the first or the last.
    """

    most: int
    every: Span
    when: Expression = TRUE
    opens: Literal["first", "last"] = "last"

    def share(self, amount: int) -> int:
        """Return the francs of one part of a price, the last part less; at least 1."""
        return max(1, ceil(amount / self.most))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee(Task):
    """The amount due, line by line. A total of 0 counts as paid."""

    lines: tuple[FeeLine, ...] = ()
    exempt: Expression | None = None
    reductions: tuple[Cut, ...] = ()
    at_least: Expression | None = None
    at_most: Expression | None = None
    valid_for: Span | None = None
    instalments: Instalments | None = None
    methods: tuple[str, ...] = (MOBILE_MONEY,)
    deposit: bool = False

    def prices(self) -> Iterator[Expression]:
        """Yield the expressions that give the total, less `when`."""
        for line in self.lines:
            yield from (one for one in (line.when, line.amount, line.times) if one is not None)
        yield from (one for one in (self.exempt, self.at_least, self.at_most) if one is not None)
        for cut in self.reductions:
            yield from (one for one in (cut.when, cut.percent, cut.amount) if one is not None)


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours such as `08:00-12:00`, as minutes since midnight in local time."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment(Task):
    """A visit to an office. Slots = office hours ∩ `weekdays` ∩ `hours`, less holidays and closures.

    `desks` is the number of places in parallel.
    """

    office: Expression | None = None  # None = the dossier's office
    place: Literal["office", "applicant"] = "office"
    lasts: Span
    weekdays: tuple[int, ...] = ()  # 0 = Monday; empty = every open day
    hours: tuple[Hours, ...] = ()
    desks: int | None = None
    quota: int | None = None
    proposed_by: str | None = None
    lead: Span = Span(1, "day")
    horizon: Span = Span(30, "day")
    hold: Span = Span(10, "minute")
    moves: int = 2
    moves_until: Span = Span(1, "day")
    no_show: int = 0
    reminders: tuple[Span, ...] = (Span(1, "day"),)
