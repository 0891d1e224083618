"""The vocabulary of one place of a file: the names that its expressions may use."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.core.problems import NOWHERE, Fact, Position, Problem, problem
from engine.core.spelling import close_names
from engine.core.values import Plain, Text
from engine.language.expressions.nodes import Node
from engine.language.expressions.syntax import ExpressionSource
from engine.language.expressions.typing import foreign_codes
from engine.model.types import DATE, TableType, Type

Written: TypeAlias = "Plain | Decimal"

_NOTHING: Final[Mapping[str, Type]] = MappingProxyType({})
_CHANNEL: Final = Type("choice", frozenset({"web", "counter", "paper", "ussd", "api"}))
AMBIENT: Final[Mapping[str, Type]] = MappingProxyType({"today": DATE, "submitted_on": DATE, "channel": _CHANNEL})

ROW_FUNCTIONS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"any": (2, 2), "all": (2, 2), "count": (1, 2), "sum": (2, 2), "least": (2, 2), "most": (2, 2)}
)
HISTORY_FUNCTIONS: Final = ("done", "missed", "taken")


@dataclass(frozen=True, slots=True)
class Definition:
    """A named value of the file (`definitions`), as written. `said`: its words for people (`for`)."""

    text: Written
    where: Position = NOWHERE
    said: Text | None = None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that one place of the file may use.

    `names`: answers with their types. `row`: the columns of the present row and of outer rows. `elsewhere`: the
    columns of other rows (E412 instead of N301). `later`: the answers given after this place. `maybe_empty`: the names that may be empty here, for V720. None
    when that is unknown. `renamed`: the name in a block → the name here (`prefix:`), so that positions stay exact.
    """

    names: Mapping[str, Type] = field(default_factory=lambda: _NOTHING)
    row: Mapping[str, Type] = field(default_factory=lambda: _NOTHING)
    definitions: Mapping[str, Definition] = field(default_factory=lambda: MappingProxyType({}))
    lists: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    tables: Mapping[str, TableType] = field(default_factory=lambda: MappingProxyType({}))
    tasks: frozenset[str] = frozenset()
    appointments: frozenset[str] = frozenset()
    acts: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    maybe_empty: frozenset[str] | None = None
    renamed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def inside(self, row: Mapping[str, Type]) -> Vocabulary:
        """Return this vocabulary plus the columns of a row."""
        return replace(self, row={**self.row, **row})

    def known(self) -> frozenset[str]:
        """Return all names that may be used as a value here."""
        return frozenset(self.names) | frozenset(self.row) | frozenset(self.definitions) | frozenset(AMBIENT)


_REFUSED: Final[Mapping[type[ast.AST], str]] = {
    ast.Pow: "power", ast.Mod: "remainder", ast.FloorDiv: "floor_division", ast.MatMult: "matrix", ast.LShift: "shift",
    ast.RShift: "shift", ast.BitOr: "bits", ast.BitXor: "bits", ast.BitAnd: "bits", ast.Invert: "bits",
    ast.UAdd: "plus_sign", ast.Is: "is", ast.IsNot: "is", ast.Attribute: "attribute", ast.Subscript: "index",
    ast.Lambda: "lambda", ast.ListComp: "comprehension", ast.SetComp: "comprehension", ast.DictComp: "comprehension",
    ast.GeneratorExp: "comprehension", ast.JoinedStr: "f_string", ast.NamedExpr: "assignment", ast.Starred: "star",
    ast.List: "list", ast.Tuple: "list", ast.Set: "braces", ast.Dict: "braces", ast.Await: "await", ast.Slice: "index",
}  # fmt: skip


class ParseContext(ABC):
    """The data that all parts of the parser share: vocabulary, present row, text, problems."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.row = vocabulary.row
        self.problems: list[Problem] = []
        self.source = ExpressionSource.of("", NOWHERE)

    @abstractmethod
    def node(self, written: ast.expr) -> Node | None:
        """Return the typed node of a piece of syntax. None when a problem was reported."""

    def say(self, code: str, place: ast.expr | Position, **facts: Fact) -> None:
        """Add a problem at a piece of syntax or at a position."""
        where = place if isinstance(place, Position) else self.source.at(place)
        if code == "E410" and "empty" in (facts.get("left"), facts.get("right")):
            facts = {"what": "untyped", **facts}
        self.problems.append(problem(code, where, **facts))

    def say_near(self, code: str, place: ast.expr | Position, name: str, known: Iterable[str], **facts: Fact) -> None:
        """Add a problem about an unknown name, with close names.

        The fact `put` is the replacement, when only one is close.
        """
        near = close_names(name, known)
        self.say(code, place, name=name, near=near, **({"put": near[0]} if len(near) == 1 else {}), **facts)

    def no_such_option(self, place: ast.expr | Position, node: Node, choice: Type) -> None:
        """Report E411 for the first code of a node that is no option of the choice."""
        for code in foreign_codes(node, choice)[:1]:
            known = sorted(choice.codes or ())
            near = close_names(code, known)
            repair: dict[str, Fact] = {"put": f"'{near[0]}'"} if len(near) == 1 else {}
            self.say("E411", place, value=code, near=near, options=tuple(known[:12]), **repair)

    def refuse(self, written: ast.expr, construct: ast.AST) -> Node | None:
        """Report E402 for a construct outside the language. Always return None."""
        name = _REFUSED.get(type(construct), type(construct).__name__.lower())
        self.say("E402", written, construct=name)
        return None
