"""The types of the expression language of conditions, fees, bounds and dates. It is total, bounded and uses no eval.

Grammar, emptiness and scope: `docs/language.md` §13. The `ast` module of the standard library parses a text. The
parser checks it against a whitelist and the names of its place (`engine/language/expressions/parser.py`), and
builds our own frozen nodes (`nodes.py`). The compiler turns them into closures once (`compiler.py`). No attribute
of a Python object is reachable: names resolve in a `Scope` only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.core.problems import NOWHERE, Position
from engine.core.values import Span, Text

# A value in an expression. None is *empty*: hidden, blank or not answered yet. Choices are tuples of codes; rows are
# tuples of mappings; money is whole francs.
Row: TypeAlias = "Mapping[str, Value]"
Value: TypeAlias = "bool | int | Decimal | str | date | Span | tuple[str, ...] | tuple[Row, ...] | None"

MOST_STEPS: Final = 10_000  # nodes evaluated inside rows before an expression counts as empty


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value. `codes` are the options of a choice, `row` the columns of rows."""

    kind: str  # integer decimal money percent date partial_date time span text yes_no choice choices rows file empty
    codes: frozenset[str] | None = None
    row: Mapping[str, Type] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.kind


INTEGER: Final = Type("integer")
DECIMAL: Final = Type("decimal")
MONEY: Final = Type("money")
DATE: Final = Type("date")
SPAN: Final = Type("span")
TEXT: Final = Type("text")
YES_NO: Final = Type("yes_no")
EMPTY: Final = Type("empty")


@dataclass(frozen=True, slots=True)
class TableType:
    """A declared table as a function: the types of its keys, and of its result."""

    keys: tuple[Type, ...]
    gives: Type


@dataclass(frozen=True, slots=True)
class History:
    """What happened to the dossier, for `done`, `missed` and `taken`."""

    done: frozenset[str] = frozenset()
    missed: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    taken: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


class TooManySteps(Exception):
    """The evaluation of nested rows passed its budget. The caller that began it gives an empty value."""


class Steps:
    """The budget of one evaluation, in nodes."""

    __slots__ = ("left",)

    def __init__(self, most: int = MOST_STEPS) -> None:
        self.left = most

    def spend(self, count: int) -> None:
        """Take `count` nodes from the budget. Raises `TooManySteps` when it is exceeded."""
        self.left -= count
        if self.left < 0:
            raise TooManySteps


def _no_working_days(day: date, count: int) -> date:
    raise LookupError("no calendar in this scope")


def _no_office(place: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Scope:
    """Where names resolve. Inside a row, `values` are those of the row and `outer` is the scope of the form.

    `tables` holds each declared table by id, as a function of its keys that returns a value or None.
    """

    values: Mapping[str, Value]
    today: date
    outer: Scope | None = None
    history: History = History()
    lists: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    submitted_on: date | None = None
    channel: str = "web"
    add_working_days: Callable[[date, int], date] = _no_working_days
    office_serving: Callable[[str], str | None] = _no_office
    tables: Mapping[str, Callable[..., Value]] = field(default_factory=lambda: MappingProxyType({}))
    steps: Steps | None = field(default=None, compare=False, repr=False)

    def get(self, name: str) -> Value:
        """Return the value of a name in this scope or an outer one. None when it has no answer."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.outer
        return None

    def inside(self, row: Row) -> Scope:
        """Return the scope of one row inside this one."""
        return Scope(
            row, self.today, self, self.history, self.lists, self.submitted_on, self.channel,
            self.add_working_days, self.office_serving, self.tables, self.steps,
        )  # fmt: skip

    def counted(self) -> Scope:
        """Return this scope with a new budget of steps."""
        return replace(self, steps=Steps())


Evaluator: TypeAlias = Callable[[Scope], Value]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value written in the file. The other nodes are in `engine/language/expressions/nodes.py`."""

    value: Value
    type: Type


@dataclass(frozen=True, slots=True)
class Expression:
    """A typed, frozen expression. `names` are the answers it needs, `run` its compiled form.

    `columns` are the columns that its row functions read. `said` is a condition in the words that people read (`for`). It changes no result, so it is not compared.
    """

    text: str
    node: object
    type: Type
    names: frozenset[str]
    run: Evaluator = field(compare=False, repr=False)
    where: Position = field(default=NOWHERE, compare=False)
    said: Text | None = field(default=None, compare=False)
    columns: frozenset[str] = field(default=frozenset(), compare=False)

    def value(self, scope: Scope) -> Value:
        """Return the value in a scope, None when empty. No value of an answer makes it raise an error."""
        return self.run(scope)

    def holds(self, scope: Scope) -> bool:
        """Return whether the value is true. An empty value does not hold."""
        return self.run(scope) is True


def constant(value: Value, type_: Type, where: Position = NOWHERE) -> Expression:
    """Return an expression that is always `value`: a literal of the file, or a default."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Expression(text, Constant(value, type_), type_, frozenset(), lambda scope: value, where)


TRUE: Final = constant(True, YES_NO)
FALSE: Final = constant(False, YES_NO)
