"""The terms of the solver, and the world in which they are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Protocol, TypeAlias

import z3

from engine.language.expressions.nodes import Node
from engine.model import Table
from engine.model.types import Type

Z: TypeAlias = Any  # a formula or a value of the solver, which has no static types

YES: Final = z3.BoolVal(True)
NO: Final = z3.BoolVal(False)
ZERO: Final = z3.IntVal(0)


class NotExpressible(Exception):
    """A node that the terms of the solver cannot express. What needs it is not proved."""


@dataclass(frozen=True, slots=True)
class Term:
    """A value and whether it is given.

    `value` is a solver value, a mapping code → formula (several choices), a tuple of symbolic rows, or of
    cases of a span.
    """

    value: Any
    answered: Z = YES


@dataclass(frozen=True, slots=True)
class SymbolicRow:
    """One row that may exist. `column` returns its answers, `outer` is the row around it."""

    present: Z
    column: Callable[[str], Term | None]
    outer: SymbolicRow | None = None
    key: str = ""  # `rows.0`


@dataclass(frozen=True, slots=True)
class SpanCase:
    """A time span under a condition. The last case that holds counts."""

    when: Z
    count: Z
    unit: str
    working: bool


@dataclass(slots=True)
class Codes:
    """Texts and codes as small integers, the same for a whole proof."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        """Return the number of a text, a new one when it has none."""
        return self.numbers.setdefault(text, len(self.numbers))

    def text(self, number: int) -> str | None:
        """Return the text of a number, None when no text has it."""
        return next((text for text, known in self.numbers.items() if known == number), None)


class World(Protocol):
    """The values that an expression may read: answers, lists, tables and the calendar, as terms of the solver."""

    codes: Codes
    today: date

    def name(self, name: str, type_: Type) -> Term:
        """Return the term of an answer."""
        ...

    def submitted_on(self) -> Term:
        """Return the term of the day of submission, as a day number."""
        ...

    def channel(self) -> Term:
        """Return the term of the channel, as a code number."""
        ...

    def happened(self, function: str, name: str) -> Term:
        """Return the term of `done`, `missed` or `taken` for a task, an appointment or an act."""
        ...

    def table(self, name: str) -> Table:
        """Return the declared table of that name."""
        ...

    def listed(self, name: str) -> frozenset[str]:
        """Return the codes of a list, empty when it is unknown."""
        ...

    def office_serving(self, place: str) -> str | None:
        """Return the id of the office that serves a place, among those of the procedure's agency.

        None when none does.
        """
        ...

    def places(self) -> frozenset[str]:
        """Return the codes of all known places."""
        ...

    def working_days(self, day: date, count: int) -> date | None:
        """Return the day that many working days after a known one."""
        ...

    def given(self, formula: Z) -> None:
        """Add a formula that defines a new symbol."""

    def mark(self, kind: str) -> None:
        """Record what makes a formula hard: `product` (unknown by unknown), `calendar` (parts of an unknown day)."""

    def length_of(self, node: Node, value: Z) -> Z:
        """Return the length of the text of a node in characters."""
        ...


def all_of(*items: Z) -> Z:
    """Return the conjunction of formulas, without those known to be true. True when none is left."""
    kept = [one for one in items if not z3.is_true(one)]
    return YES if not kept else kept[0] if len(kept) == 1 else z3.And(*kept)


def any_of(*items: Z) -> Z:
    """Return the disjunction of formulas, without those known to be false. False when none is left."""
    kept = [one for one in items if not z3.is_false(one)]
    return NO if not kept else kept[0] if len(kept) == 1 else z3.Or(*kept)


def minutes(written: str) -> int:
    """Return a time of day such as `08:30` in minutes since midnight."""
    return int(written[:2]) * 60 + int(written[3:5])


def implies(condition: Z, consequence: Z) -> Z:
    """Return the implication of two formulas, the consequence alone when the condition is known to be true."""
    return consequence if z3.is_true(condition) else z3.Implies(condition, consequence)


def real(value: Z) -> Z:
    """Return a number as a real number."""
    return z3.ToReal(value) if z3.is_int(value) else value


def floor(value: Z) -> Z:
    """Return the largest whole number not above the value."""
    return value if z3.is_int(value) else z3.ToInt(value)


def counted(conditions: Iterator[Z]) -> Z:
    """Return how many of the formulas hold."""
    parts = [z3.If(one, z3.IntVal(1), ZERO) for one in conditions]
    return z3.Sum(*parts) if len(parts) > 1 else parts[0] if parts else ZERO


def extreme(values: list[Z], least: bool) -> Z:
    """Return the least (with `least`) or the greatest of these values, each of which must be present.

    `outermost` accepts absent ones.
    """
    found = values[0]
    for one in values[1:]:
        found = z3.If(one < found if least else one > found, one, found)
    return found


def outermost(found: list[tuple[Z, Term]], least: bool) -> Term:
    """Return the least or the greatest of the given values, empty when none is given."""
    value, there = ZERO, NO
    for present, term in found:
        here = all_of(present, term.answered)
        further = term.value < value if least else term.value > value
        value = z3.If(all_of(here, any_of(z3.Not(there), further)), term.value, value)
        there = any_of(there, here)
    return Term(value, there)


def either(condition: Z, then: Term, otherwise: Term) -> Term:
    """Return `then` where the condition holds, else `otherwise`.

    Raises `NotExpressible` for terms of different shapes.
    """
    there = z3.If(condition, then.answered, otherwise.answered)
    if isinstance(then.value, tuple) and isinstance(otherwise.value, tuple):
        if not all(isinstance(case, SpanCase) for case in (*then.value, *otherwise.value)):
            raise NotExpressible("rows")
        first = tuple(SpanCase(case.when, case.count, case.unit, case.working) for case in otherwise.value)
        last = tuple(SpanCase(all_of(condition, case.when), case.count, case.unit, case.working) for case in then.value)
        return Term((*first, *last), z3.simplify(there))
    must_be_plain(then, otherwise)
    return Term(z3.If(condition, then.value, otherwise.value), z3.simplify(there))


def must_be_plain(*terms: Term) -> None:
    """Check that terms are single values. Raises `NotExpressible` for several choices, rows or spans."""
    if any(isinstance(one.value, (tuple, Mapping)) for one in terms):
        raise NotExpressible("compound")
