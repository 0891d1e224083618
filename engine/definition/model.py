"""The compiled book, frozen: what a procedure IS. Data only.

Everything the surface of a file says compiles to three tasks (`Form`, `Fee`, `Appointment`), states, transitions and
clocks (`docs/language.md` §14). Every thing knows the place it was written (`where`, left out of comparison) and the
law each of its keys rests on (`basis`: key of the thing → id of a law; the key `*` covers all the others).

The application form is the task `APPLICATION`; the draft before it is sent is the state `DRAFT`. Evidence is a field
of type `evidence` on the form's last page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from engine.definition.expressions import TRUE, Expression, Type, Value
from engine.problems import NOWHERE, Position
from engine.values import Plain, Span, Text

APPLICATION: Final = "demande"
DRAFT: Final = "draft"
APPLICANT: Final = "applicant"
SYSTEM: Final = "system"

Outcome: TypeAlias = Literal["granted", "refused", "withdrawn", "abandoned", "expired", "revoked"]
Public: TypeAlias = Literal[
    "draft", "to_pay", "sent", "in_review", "to_correct", "to_book", "appointment", "accepted", "ready", "refused",
    "closed",
]  # fmt: skip
Mode: TypeAlias = Literal["by", "pay", "book", "attend", "correct", "gather", "look_up", "await", "wait", "end"]
Relation: TypeAlias = Literal["renews", "amends", "duplicates", "revokes", "needs"]
Silence: TypeAlias = Literal["favourable", "unfavourable", "none"]
How: TypeAlias = Literal["upload", "show_original", "legalised_copy", "hand_over", "sign_at_counter"]

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Whatever has a name in a file."""

    id: str
    where: Position = field(default=NOWHERE, compare=False)
    basis: Mapping[str, str] = field(default_factory=lambda: _NONE)

    def law_of(self, key: str) -> str | None:
        """The id of the law that one key of this thing rests on."""
        return self.basis.get(key, self.basis.get("*"))


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{name}` placeholders, checked when the file was read. Never a template language."""

    text: Text
    names: frozenset[str]


# -- what is asked -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """One choice. Out of its dates, or when `when` is false, it is shown shut with `because`."""

    code: str
    label: Text
    help: Text | None = None
    when: Expression = TRUE
    from_: date | None = None
    until: date | None = None
    because: Text | None = None
    parent: str | None = None
    basis: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one answer. Lengths in signs, sizes in bytes, items in files or rows."""

    minimum: Expression | None = None
    maximum: Expression | None = None
    min_length: int = 0
    max_length: int = 100
    pattern: str | None = None  # RE2 syntax, the whole text
    message: Text | None = None
    min_items: int = 1
    max_items: int = 1
    max_size: int = 5_000_000
    accept: tuple[str, ...] = ("pdf", "jpg", "png")


@dataclass(frozen=True, slots=True)
class EvidenceTerms:
    """What makes a field a piece of evidence. `any_of` are the alternatives; empty = one kind only.

    Stored answer: `{"is": code | None, "files": [attachment id], "issued": "2026-01-31" | None, "held": bool}`.
    In an expression its id is the chosen alternative's code, or a yes/no *provided*.
    """

    any_of: tuple[Option, ...] = ()
    how: tuple[How, ...] = ("upload",)
    copies: int = 1
    max_age: Span | None = None
    held_by: str | None = None
    held_of: str | None = None

    @property
    def uploaded(self) -> bool:
        return "upload" in self.how


@dataclass(frozen=True, slots=True)
class Total:
    """`total: {of: part, equals: 100}`: a column of rows must add up."""

    of: str
    equals: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Thing):
    """A rule across answers: `must` refuses, `should` warns. Read only if every answer it names is there."""

    holds: Expression
    when: Expression = TRUE
    warns: bool = False
    message: Text
    at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Thing):
    """One question. `type` is the word of the file (`text`, `rows`, `evidence`…); `value_type` what it is worth."""

    type: str
    value_type: Type
    label: Text
    help: Text | None = None
    short_label: Text | None = None
    unit: str | None = None
    when: Expression = TRUE
    required: Expression = TRUE
    value: Expression | None = None  # computed or constant: never asked
    default: Expression | None = None
    prefill: str | None = None
    example: Expression | None = None
    bounds: Bounds = Bounds()
    options: tuple[Option, ...] = ()
    under: str | None = None
    other: bool = False  # adds the option `other`, its detail answered in `<id>_other`
    list_id: str | None = None
    scheme: str | None = None
    level: str = "commune"
    upper: bool = False
    lines: int = 1
    evidence: EvidenceTerms | None = None
    # rows only
    rows: tuple[Field, ...] = ()
    checks: tuple[Check, ...] = ()
    row_label: Template | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    total: Total | None = None

    def option(self, code: str) -> Option | None:
        return next((option for option in self.options if option.code == code), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Thing):
    """One screen of questions."""

    title: Text
    help: Text | None = None
    when: Expression = TRUE
    fields: tuple[Field, ...] = ()
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion(Thing):
    """A question asked before the form; `stop_when` true stops with `because`. Its field carries the same id."""

    field: Field
    stop_when: Expression
    because: Text
    instead: str | None = None


# -- what a state waits for --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Thing):
    """Something a state can wait for. `by` names who does it; `when` false = nobody waits for it."""

    label: Text
    by: tuple[str, ...] = ()
    when: Expression = TRUE
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consulted(Thing):
    """One service of a round. Its id is an answer: the opinion given, or what its silence came to."""

    label: Text
    by: tuple[str, ...]
    when: Expression = TRUE
    weight: int = 1
    silence: Silence = "none"
    due: Span | None = None  # none = the round's


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(Task):
    """Questions answered at once: the application, a later form, a register's answer; or in parts: one filling per row
    (`each`), one opinion per service of a round (`services`).

    The pages of a round hold its rows and one choice per service, asked of nobody; `asked` is what each service answers.
    """

    pages: tuple[Page, ...] = ()
    each: str | None = None  # rows: one filling per row
    services: tuple[Consulted, ...] = ()
    asked: Page | None = None
    quorum: Expression | None = None  # how many opinions finish the round; none = all
    due: Span | None = None
    seen_by: tuple[str, ...] = ()  # a confidential round: these roles and the author
    register: str | None = None  # a look-up: filled by the system from this register
    sends: tuple[str, ...] = ()  # the answers a look-up hands to the register

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(one for page in self.pages for one in page.fields)

    def service(self, service_id: str) -> Consulted | None:
        return next((one for one in self.services if one.id == service_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Form):
    """An earlier dossier that this one hangs on. Its only question, asked of nobody, is how that dossier ended."""

    relation: Relation
    procedure: str
    required: Expression = TRUE
    copies: Mapping[str, str] = field(default_factory=lambda: _NONE)  # mine → theirs
    row: str | None = None  # a question of rows of the earlier dossier, one of which is picked


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Thing):
    """One line of a fee: `amount` × `times`, whole francs, perhaps once per row of `for_each`."""

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
    """A reduction, in percent or francs, rounded down, taken in order."""

    when: Expression
    percent: Expression | None
    amount: Expression | None
    because: Text
    basis: str | None = None


@dataclass(frozen=True, slots=True)
class Instalments:
    most: int
    every: Span
    when: Expression = TRUE
    opens: Literal["first", "last"] = "last"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee(Task):
    """What is owed, line by line. A total of 0 counts as paid at once."""

    lines: tuple[Line, ...] = ()
    exempt: Expression | None = None
    reductions: tuple[Cut, ...] = ()
    at_least: Expression | None = None
    at_most: Expression | None = None
    valid_for: Span | None = None
    instalments: Instalments | None = None
    methods: tuple[str, ...] = ("mobile_money",)
    deposit: bool = False


@dataclass(frozen=True, slots=True)
class Hours:
    """`08:00-12:00`, minutes since midnight on the local wall clock."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment(Task):
    """A visit. Slots = office hours ∩ `weekdays` ∩ `hours`, less holidays and closures, `desks` places in parallel."""

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


# -- the circuit -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Effects:
    """What entering a state, or taking a transition, does besides."""

    issues: tuple[str, ...] = ()
    revokes: tuple[str, ...] = ()
    suspends: tuple[str, ...] = ()
    restores: tuple[str, ...] = ()
    returns: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # fee → percent given back


NO_EFFECTS: Final = Effects()


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Thing):
    """Where a dossier stands; it waits for one thing, said by `mode`. `due` is a Span or a date from entry."""

    label: Text
    mode: Mode
    by: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()  # ids of tasks, all awaited in parallel
    booked: bool = False  # `book:`: left as soon as the slot is taken
    correct: Literal["requested", "everything"] | None = None
    wait: Expression | None = None
    outcome: Outcome | None = None
    public: Public
    help: Text | None = None
    due: Expression | None = None
    escalate: str | None = None
    remind: tuple[Span, ...] = ()
    effects: Effects = NO_EFFECTS

    @property
    def is_end(self) -> bool:
        return self.outcome is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition(Thing):
    """One way from `source` to `target`. A human act has `by`; an automatic way has `event`.

    Events: `done` (all the state waits for), `booked`, `missed` (too many no-shows), `due` (the state's time is over),
    a task's id, a clock's id. An act leading to several states, or open in several, is one Transition per source and
    per target, same `id`, tried in order of `rank`; `when` already holds "and none before".
    """

    source: str
    target: str
    label: Text
    by: tuple[str, ...] = ()
    event: str | None = None
    when: Expression = TRUE
    rank: int = 0
    asks: frozenset[str] = frozenset()  # reason, attachment, correction
    correctable: tuple[str, ...] = ()  # empty = every answer of the application
    fills: str | None = None
    reopens: tuple[str, ...] = ()
    other_than: tuple[str, ...] = ()  # four eyes: transitions or tasks done by somebody else
    same_as: str | None = None
    without: tuple[str, ...] = ()
    within: Span | None = None
    confirm: Text | None = None
    effects: Effects = NO_EFFECTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock(Thing):
    """A clock of the law: runs in some states, keeps its count in others, is over for good anywhere else."""

    label: Text
    lasts: Expression
    runs_in: frozenset[str]
    paused_in: frozenset[str] = frozenset()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a table: by an exact code, or (`from_`) by the last row that begins at the value or before."""

    type: Type
    from_: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Thing):
    """A function written as data: the keys in order → a value. Outside every row it gives `otherwise`, else empty."""

    keys: tuple[Key, ...]
    gives: Type
    rows: Mapping[tuple[Value, ...], Value]
    otherwise: Value = None


# -- what is given and said --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Thing):
    """A document the procedure issues. `number` is a pattern over agency, office, procedure, year and serial."""

    title: Text
    kind: Literal["permit", "certificate", "card", "contract", "receipt", "quote", "form", "letter"] = "certificate"
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
    verify: Literal["public", "code", "none"] = "code"
    register: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Thing):
    """A message owed when `event` happens: a state entered, a transition taken, a task done, a clock over."""

    event: str
    to: str = APPLICANT
    before: Span | None = None
    when: Expression = TRUE
    sms: Template | None = None
    email_subject: Template | None = None
    email_body: Template | None = None
    inbox: Template | None = None


# -- who, by which law, what is kept -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Law(Thing):
    title: Text
    status: Literal["sourced", "to_confirm", "plausible"]
    source: str | None = None
    article: str | None = None
    url: str | None = None
    checked: date | None = None
    note: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appeal(Thing):
    label: Text
    within: Span | None = None
    act: str | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """The announced delay: first entry whose `when` holds; `law` = the legal clock says it."""

    entries: tuple[tuple[Expression, Span], ...] = ()
    law: bool = False
    where: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Contact:
    phone: str | None = None
    email: str | None = None
    address: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Thing):
    """Who answers for the procedure and what the catalogue says of it. `id` is the procedure's."""

    edition: int
    title: Text
    summary: Text
    agency: str
    category: str | None = None
    life_events: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("fr",)
    channels: tuple[str, ...] = ("web", "counter", "paper", "api")
    from_: date | None = None
    until: date | None = None
    delay: Delay
    contact: Contact | None = None
    appeals: Mapping[str, Appeal] = field(default_factory=lambda: MappingProxyType({}))
    audience: tuple[str, ...] = ("natural_person",)
    dossier_label: Template = Template(Text(()), frozenset())  # names a dossier in lists; empty names vanish
    representative: Literal["allowed", "required", "forbidden"] = "allowed"


@dataclass(frozen=True, slots=True)
class Sensitive:
    """Who may read one answer, in which states (empty = all), and how long it is kept."""

    seen_by: tuple[str, ...]
    states: tuple[str, ...] = ()
    keep: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalData(Thing):
    purpose: Text
    ground: Literal["legal_obligation", "public_task", "consent", "contract"] = "public_task"
    declaration: str | None = None
    keep: Mapping[str, Span]
    afterwards: Literal["anonymise", "delete"] = "anonymise"
    sensitive: Mapping[str, Sensitive] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept(Thing):
    """An advice set aside with a reason. `id` is the code."""

    at: str
    because: str
    until: date | None = None
    edition: int | None = None
    used: bool = False


# -- the stories that prove it -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One act of a story. `verb` and its `value`, the other keys in `options` (as, who, with, reason, fields…)."""

    verb: str  # take pay book visit opinion do correct look_up linked wait, or "" when it only expects
    value: Plain
    options: Mapping[str, Plain]
    then: str | None
    expect: Mapping[str, Plain]
    where: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(Thing):
    """`like` is already folded in: `given` and `at` are complete."""

    story: Text
    at: date
    channel: str = "web"
    given: Mapping[str, Plain]
    without: tuple[str, ...] = ()
    stops: str | None = None
    refuses: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


# -- the whole ---------------------------------------------------------------------------------------------------------


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
class Procedure:
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
        return tuple(task for task in self.tasks.values() if isinstance(task, Form) and task.id != APPLICATION)

    def links(self) -> tuple[Link, ...]:
        return tuple(task for task in self.tasks.values() if isinstance(task, Link))

    def round_of(self, service: str) -> Form | None:
        """The round of opinions that a service is consulted in."""
        return next((form for form in self.forms() if form.service(service) is not None), None)

    def appointments(self) -> tuple[Appointment, ...]:
        return tuple(task for task in self.tasks.values() if isinstance(task, Appointment))
