"""One place of a file, being read: its words, its text, and the problems found there."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Final

from engine.definition.expression_nodes import Node
from engine.definition.expression_syntax import Source
from engine.definition.expression_typing import foreign_codes
from engine.definition.expression_vocabulary import Vocabulary
from engine.definition.expressions import Type
from engine.definition.near import close_names
from engine.problems import NOWHERE, Fact, Position, Problem, problem

_REFUSED: Final[Mapping[type[ast.AST], str]] = {
    ast.Pow: "power", ast.Mod: "remainder", ast.FloorDiv: "floor_division", ast.MatMult: "matrix", ast.LShift: "shift",
    ast.RShift: "shift", ast.BitOr: "bits", ast.BitXor: "bits", ast.BitAnd: "bits", ast.Invert: "bits",
    ast.UAdd: "plus_sign", ast.Is: "is", ast.IsNot: "is", ast.Attribute: "attribute", ast.Subscript: "index",
    ast.Lambda: "lambda", ast.ListComp: "comprehension", ast.SetComp: "comprehension", ast.DictComp: "comprehension",
    ast.GeneratorExp: "comprehension", ast.JoinedStr: "f_string", ast.NamedExpr: "assignment", ast.Starred: "star",
    ast.List: "list", ast.Tuple: "list", ast.Set: "braces", ast.Dict: "braces", ast.Await: "await", ast.Slice: "index",
}  # fmt: skip


class Place(ABC):
    """What every part of the reading shares: the words, the row one is in, the text, the problems."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.row = vocabulary.row
        self.problems: list[Problem] = []
        self.source = Source.of("", NOWHERE)

    @abstractmethod
    def node(self, written: ast.expr) -> Node | None:
        """The typed node of a piece of syntax; None when a problem was said."""

    def say(self, code: str, place: ast.expr | Position, **facts: Fact) -> None:
        where = place if isinstance(place, Position) else self.source.at(place)
        self.problems.append(problem(code, where, **facts))

    def say_near(self, code: str, place: ast.expr | Position, name: str, known: Iterable[str], **facts: Fact) -> None:
        """A word nobody knows here: with those it may have been, and what to put when only one."""
        near = close_names(name, known)
        self.say(code, place, name=name, near=near, **({"put": near[0]} if len(near) == 1 else {}), **facts)

    def no_such_option(self, place: ast.expr | Position, node: Node, choice: Type) -> None:
        for code in foreign_codes(node, choice)[:1]:
            known = sorted(choice.codes or ())
            near = close_names(code, known)
            repair: dict[str, Fact] = {"put": f"'{near[0]}'"} if len(near) == 1 else {}
            self.say("E411", place, value=code, near=near, options=tuple(known[:12]), **repair)

    def refuse(self, written: ast.expr, construct: ast.AST) -> Node | None:
        name = _REFUSED.get(type(construct), type(construct).__name__.lower())
        self.say("E402", written, construct=name)
        return None
