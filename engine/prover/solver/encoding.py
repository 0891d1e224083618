"""What the solver's terms are made of, and the world they are read in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Protocol, TypeAlias

import z3

from engine.language.expressions.nodes import Node
from engine.model import Table
from engine.model.types import Type

Z: TypeAlias = Any  # a formula or a value of the solver: it has no types of its own

YES: Final = z3.BoolVal(True)
NO: Final = z3.BoolVal(False)
ZERO: Final = z3.IntVal(0)


class NotExpressible(Exception):
    """A node that the solver's terms cannot say. What needs it is not proved."""


@dataclass(frozen=True, slots=True)
class Term:
    """A value and whether it is there. `value` is the solver's, or a mapping code → formula (several choices), a tuple
    of slots (rows), a tuple of spans."""

    value: Any
    answered: Z = YES


@dataclass(frozen=True, slots=True)
class SymbolicRow:
    """One row that may be there. `column` gives its answers; `outer` the row around it."""

    present: Z
    column: Callable[[str], Term | None]
    outer: SymbolicRow | None = None
    key: str = ""  # `rows.0`


@dataclass(frozen=True, slots=True)
class SpanCase:
    """A length of time under a condition; the last one that holds counts."""

    when: Z
    count: Z
    unit: str
    working: bool


@dataclass(slots=True)
class Codes:
    """Texts and codes as small integers, the same for a whole proof."""

    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))

    def text(self, number: int) -> str | None:
        return next((text for text, known in self.numbers.items() if known == number), None)


class World(Protocol):
    """Where names come from, and what stands around an expression."""

    codes: Codes
    today: date

    def name(self, name: str, type_: Type) -> Term: ...

    def submitted_on(self) -> Term: ...

    def channel(self) -> Term: ...

    def happened(self, function: str, name: str) -> Term: ...

    def table(self, name: str) -> Table: ...

    def listed(self, name: str) -> frozenset[str]: ...

    def office_serving(self, place: str) -> str | None: ...

    def places(self) -> frozenset[str]: ...

    def working_days(self, day: date, count: int) -> date | None: ...

    def given(self, formula: Z) -> None:
        """A formula that defines a symbol made on the way."""

    def mark(self, kind: str) -> None:
        """What makes a formula hard: `product` (unknown by unknown), `calendar` (an unknown day taken apart)."""

    def length_of(self, node: Node, value: Z) -> Z: ...


def all_of(*items: Z) -> Z:
    kept = [one for one in items if not z3.is_true(one)]
    return YES if not kept else kept[0] if len(kept) == 1 else z3.And(*kept)


def any_of(*items: Z) -> Z:
    kept = [one for one in items if not z3.is_false(one)]
    return NO if not kept else kept[0] if len(kept) == 1 else z3.Or(*kept)


def minutes(written: str) -> int:
    """`08:30` as minutes since midnight."""
    return int(written[:2]) * 60 + int(written[3:5])


def implies(condition: Z, consequence: Z) -> Z:
    return consequence if z3.is_true(condition) else z3.Implies(condition, consequence)


def real(value: Z) -> Z:
    """A number as one that may have a fraction."""
    return z3.ToReal(value) if z3.is_int(value) else value


def floor(value: Z) -> Z:
    """The whole number at or just below."""
    return value if z3.is_int(value) else z3.ToInt(value)


def counted(conditions: Iterator[Z]) -> Z:
    """How many hold."""
    parts = [z3.If(one, z3.IntVal(1), ZERO) for one in conditions]
    return z3.Sum(*parts) if len(parts) > 1 else parts[0] if parts else ZERO


def extreme(values: list[Z], least: bool) -> Z:
    """The least or the most of values that are all there."""
    found = values[0]
    for one in values[1:]:
        found = z3.If(one < found if least else one > found, one, found)
    return found


def outermost(found: list[tuple[Z, Term]], least: bool) -> Term:
    """The least or the most of what is there; empty when nothing is."""
    value, there = ZERO, NO
    for present, term in found:
        here = all_of(present, term.answered)
        further = term.value < value if least else term.value > value
        value = z3.If(all_of(here, any_of(z3.Not(there), further)), term.value, value)
        there = any_of(there, here)
    return Term(value, there)


def either(condition: Z, then: Term, otherwise: Term) -> Term:
    """`then` where the condition holds, else `otherwise`."""
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
    """Only plain values go where several choices, rows and spans cannot."""
    if any(isinstance(one.value, (tuple, Mapping)) for one in terms):
        raise NotExpressible("compound")
