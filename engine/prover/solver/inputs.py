"""The input of the proofs from a procedure, computed once: questions by name, their forms, the rules between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from engine.core.countries import COUNTRIES
from engine.language.expressions.compiler import expression_of, tree
from engine.language.expressions.nodes import Ambient, FunctionCall, Happened, Lookup, Name, Node, walk
from engine.model import APPLICATION, Consulted, Criterion, Fee, Field, Form, FormCheck, Option, Page, Procedure
from engine.model.directory import Directory
from engine.model.types import DATE, TEXT, YES_NO, Constant, Expression, Scope, Type

LOOK_UP: Final = ("found", "not_found", "unavailable")
FORMER: Final = "~"  # in the name of a value as it was at an earlier transition: `conforme~2`, `~2.0` for a condition
_MOST_DAYS: Final = 12
_FIRST_YEAR, _LAST_YEAR = 1900, 2200


@dataclass(frozen=True, slots=True)
class Must:
    """A check that refuses answers, with its page.

    `owner` is the later form it belongs to, None for the application.
    """

    check: FormCheck
    page: Page
    owner: str | None

    @property
    def id(self) -> str:
        """The id of the check, unique in its page only."""
        return self.check.id

    @property
    def key(self) -> str:
        """The unique key of the rule: page and check."""
        return f"{self.page.id}.{self.check.id}"

    @property
    def names(self) -> frozenset[str]:
        """The answers that the check reads, in its condition or its rule."""
        return self.check.holds.names | self.check.when.names


@dataclass(frozen=True, slots=True)
class Stop:
    """An eligibility question: a wrong answer stops the applicant."""

    criterion: Criterion

    @property
    def id(self) -> str:
        """The id of the criterion and of its question, which are the same."""
        return self.criterion.id

    @property
    def key(self) -> str:
        """The unique key of the rule."""
        return f"stop.{self.criterion.id}"

    @property
    def names(self) -> frozenset[str]:
        """The answers that the criterion reads, its own included."""
        return self.criterion.stop_when.names | {self.criterion.id}


def is_in_force(option: Option, day: date) -> bool:
    """Return whether a day is within the dates of an option."""
    return (option.from_ is None or option.from_ <= day) and (option.until is None or day <= option.until)


class ProverInput:
    """A procedure and its directory, as the proofs need them."""

    def __init__(self, procedure: Procedure, directory: Directory) -> None:
        self.procedure, self.directory = procedure, directory
        self.fields: dict[str, Field] = dict(procedure.fields)
        self.guards: dict[str, Expression] = {}
        self.owners: dict[str, str] = {}
        self.added: dict[str, tuple[tuple[Field, str], ...]] = {}  # by rows: columns of forms filled once per row
        self.rounds: dict[str, Form] = {form.id: form for form in self.later_forms() if form.services}
        self.services: dict[str, Consulted] = {one.id: one for form in self.rounds.values() for one in form.services}
        self._read_forms()
        for criterion in procedure.eligibility:
            self.fields.setdefault(criterion.id, criterion.field)
        self.rules: tuple[Must | Stop, ...] = (*map(Stop, procedure.eligibility), *self._musts())
        self.rules_on: dict[str, list[Must | Stop]] = {}
        for rule in self.rules:
            for name in rule.names:
                self.rules_on.setdefault(name, []).append(rule)
        self.lists: Mapping[str, frozenset[str]] = {name: one.codes for name, one in procedure.lists.items()}
        self.places = frozenset(
            code for one in self.fields.values() if one.type == "place" for code in one.value_type.codes or ()
        )

    def _read_forms(self) -> None:
        for page in self.procedure.form.pages:
            for field in page.fields:
                self.fields.setdefault(field.id, field)
                self.guards[field.id] = page.when
        for task in self.later_forms():
            for field in task.fields:
                if task.each is not None:
                    self.added[task.each] = (*self.added.get(task.each, ()), (field, task.id))
                else:
                    self.fields.setdefault(field.id, field)
                    self.owners[field.id] = task.id

    def later_forms(self) -> Iterator[Form]:
        """Yield all forms but the application: later forms, look-ups, rounds and links."""
        for task in self.procedure.tasks.values():
            if isinstance(task, Form) and task.id != APPLICATION:
                yield task

    def _musts(self) -> Iterator[Must]:
        forms = (self.procedure.form, *self.later_forms())
        for form in forms:
            if form.each is None:
                owner = None if form.id == APPLICATION else form.id
                for page in form.pages:
                    yield from (Must(check, page, owner) for check in page.checks if not check.warns)

    # -- questions -----------------------------------------------------------------------------------------------------

    def is_look_up(self, task: str) -> bool:
        """Return whether a task is a form that a register answers."""
        form = self.procedure.tasks.get(task)
        return isinstance(form, Form) and form.register is not None

    def type_of(self, name: str) -> Type:
        """Return the type of a name: that of its question, the outcome of a look-up, else text. Former names have it too."""
        name, former, _ = name.partition(FORMER)
        if former and name in ("", "today"):
            return DATE if name else YES_NO
        known = self.fields.get(name)
        if known is not None:
            return known.value_type
        return Type("choice", frozenset(LOOK_UP)) if name in self.procedure.tasks else TEXT

    def options_of(self, field: Field) -> tuple[Option, ...]:
        """Return the options of a choice, or the alternatives of a piece of evidence."""
        return field.evidence.any_of if field.evidence is not None else field.options

    def codes_of(self, field: Field) -> frozenset[str] | None:
        """Return the codes of a choice, None when they cannot be listed."""
        if field.type == "office":
            return frozenset(one.id for one in self.directory.offices_of(self.procedure.identity.agency)) or None
        if field.type == "country":
            return frozenset(COUNTRIES)
        options = frozenset(option.code for option in self.options_of(field))
        return options or field.value_type.codes

    # -- days ----------------------------------------------------------------------------------------------------------

    def days(self, day: date) -> tuple[date, ...]:
        """Return the day of the proof, then the days around the dates that the file compares with the present."""
        written = sorted({found for expression in self.expressions() for found in _dates_beside_today(expression)})
        written += sorted({found for fee in self.procedure.fees() for found in _dates_of(fee)})
        around = (
            one.toordinal() + shift for one in written for shift in (-1, 0, 1)
        )  # date(9999, 12, 31) has no day after
        known = (date.fromordinal(one) for one in around if 1 <= one <= date.max.toordinal())
        return tuple(dict.fromkeys((day, *known)))[: 1 + 3 * _MOST_DAYS]

    def expressions(self) -> Iterator[Expression]:
        """Yield the expressions that may compare the present with a date."""
        procedure = self.procedure
        for field in self.fields.values():
            yield from (field.when, field.required)
            yield from (one for one in (field.value, field.bounds.minimum, field.bounds.maximum) if one is not None)
            yield from (option.when for option in field.options)
        for rule in self.rules:
            if isinstance(rule, Must):
                yield from (rule.check.holds, rule.check.when)
            else:
                yield rule.criterion.stop_when
        yield from (transition.when for transition in procedure.transitions)
        yield from (task.when for task in procedure.tasks.values())
        for fee in procedure.fees():
            for line in fee.lines:
                yield from (one for one in (line.when, line.amount, line.times) if one is not None)


def _dates_beside_today(expression: Expression) -> Iterator[date]:
    """The dates of an expression that reads the present, and the years and months that it names."""
    nodes = list(walk(tree(expression)))
    if not any(_reads_the_present(node) for node in nodes):
        return
    called = {node.function for node in nodes if isinstance(node, FunctionCall)}
    for node in nodes:
        value = node.value if isinstance(node, Constant) else None
        if node.type.kind == "date" and not any(_is_open(below) for below in walk(node)):
            value = expression_of(node, "").value(Scope({}, date.min))
        if isinstance(value, date):
            yield value
        elif isinstance(value, int) and "year" in called and _FIRST_YEAR <= value <= _LAST_YEAR:
            yield date(value, 1, 1)
        elif isinstance(value, int) and "month" in called and 1 <= value <= 12:
            yield date(_FIRST_YEAR, value, 1)


def _is_open(node: Node) -> bool:
    return isinstance(node, (Name, Ambient, Happened, Lookup))


def _reads_the_present(node: Node) -> bool:
    return isinstance(node, Ambient) or (isinstance(node, FunctionCall) and node.function == "age")


def _dates_of(fee: Fee) -> Iterator[date]:
    for line in fee.lines:
        yield from (one for one in (line.from_, line.until) if one is not None)
