"""What the solver's terms are made of, and the world they are read in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Protocol, TypeAlias

import z3

from engine.definition.expression_nodes import Node
from engine.definition.expressions import Type
from engine.definition.model import Table

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
class Slot:
    """One row that may be there. `column` gives its answers; `outer` the row around it."""

    present: Z
    column: Callable[[str], Term | None]
    outer: Slot | None = None
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
