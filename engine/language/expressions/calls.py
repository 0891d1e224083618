"""Parsing and typing of calls: functions, row functions, history of the dossier, declared tables."""

from __future__ import annotations

import ast
from calendar import monthrange
from datetime import MAXYEAR, MINYEAR
from typing import cast

from engine.language.expressions.functions import FUNCTIONS
from engine.language.expressions.nodes import FunctionCall, Happened, HistoryFunction, Lookup, Node, Over, RowFunction
from engine.language.expressions.parse_context import HISTORY_FUNCTIONS, ROW_FUNCTIONS, ParseContext
from engine.language.expressions.typing import (
    NUMBERS,
    ORDERED,
    common_type,
    foreign_codes,
    is_written_text,
    misfit,
    retyped,
)
from engine.model.types import DECIMAL, INTEGER, YES_NO, Constant, Type


class CallParser(ParseContext):
    """The part of the parser that handles calls. Each method returns None after it has reported a problem."""

    def call(self, written: ast.Call) -> Node | None:
        """Return the node of a call. Report E404 for an unknown function, E402 for keyword arguments."""
        if not isinstance(written.func, ast.Name):
            return self.refuse(written, written.func)
        for keyword in written.keywords:
            self.say("E402", keyword.value, construct="keyword")
            return None
        name = self.source.written(written.func)
        if name in ROW_FUNCTIONS:
            return self.over_rows(written, cast(RowFunction, name))
        if name in HISTORY_FUNCTIONS:
            return self.happened(written, cast(HistoryFunction, name))
        if name in self.vocabulary.tables:
            return self.look_up(written, name)
        if name in FUNCTIONS:
            return self.function(written, name)
        known = {*FUNCTIONS, *ROW_FUNCTIONS, *HISTORY_FUNCTIONS, *self.vocabulary.tables}
        self.say_near("E404", written.func, name, known)
        return None

    def counted(self, written: ast.Call, name: str, least: int, most: int) -> bool:
        """Return whether the number of arguments is within bounds. Report E405 when it is not."""
        found = len(written.args)
        if least <= found <= most:
            return True
        self.say("E405", written, function=name, found=found, least=least, most=most)
        return False

    def wrong_argument(self, place: ast.expr, name: str, number: int, given: Type, wanted: str) -> None:
        """Report E410: an argument of the wrong type. `number` counts from 1."""
        self.say("E410", place, function=name, argument=number, left=given.kind, right=wanted)

    def function(self, written: ast.Call, name: str) -> Node | None:
        """Return the node of a call of `FUNCTIONS`, after a check of the argument types."""
        function = FUNCTIONS[name]
        if not self.counted(written, name, function.least, function.most):
            return None
        arguments = [self.node(one) for one in written.args]
        whole = tuple(one for one in arguments if one is not None)
        if len(whole) < len(arguments):
            return None
        for at, node in enumerate(whole):
            wanted = function.wants[min(at, len(function.wants) - 1)]
            if wanted == "list":
                if not self.known_list(node, written.args[at]):
                    return None
            elif not _is(node, wanted) or (name == "office_serving" and node.type.kind != "choice"):
                self.wrong_argument(written.args[at], name, at + 1, node.type, wanted if wanted != "text" else "choice")
                return None
        if name == "date":
            self.impossible_day(written, whole)
        if function.gives is not None:
            return FunctionCall(name, whole, function.gives)
        return self.of_one_type(written, name, whole)

    def impossible_day(self, written: ast.Call, parts: tuple[Node, ...]) -> None:
        """Report E406 for a written date that no calendar has. Without a written year, a leap year is assumed."""
        year, month, day = (one.value if isinstance(one, Constant) else None for one in parts)
        for number, (value, least, most) in enumerate(((year, MINYEAR, MAXYEAR), (month, 1, 12), (day, 1, 31))):
            if isinstance(value, int) and not least <= value <= most:
                part = ("year", "month", "day")[number]
                self.say("E406", written.args[number], part=part, value=value, least=least, most=most)
                return
        if isinstance(month, int) and isinstance(day, int):
            last = monthrange(year if isinstance(year, int) else 2024, month)[1]
            if day > last:
                self.say("E406", written.args[2], part="end", value=day, most=last, put=last)

    def of_one_type(self, written: ast.Call, name: str, arguments: tuple[Node, ...]) -> Node | None:
        """Return the node of a function whose arguments and result share one type.

        The codes of a choice must be options of the first argument.
        """
        type_ = common_type(arguments)
        fits = type_ is not None and (name == "otherwise" or type_.kind in ORDERED)
        if type_ is None or not fits:
            self.wrong_argument(written.args[-1], name, len(arguments), arguments[-1].type, arguments[0].type.kind)
            return None
        for place, argument in zip(written.args, arguments, strict=True):
            first = arguments[0].type
            if first.kind == "choice" and is_written_text(argument) and foreign_codes(argument, first):
                self.no_such_option(place, argument, first)
                return None
        return FunctionCall(name, tuple(retyped(one, type_) for one in arguments), type_)

    def known_list(self, node: Node, place: ast.expr) -> bool:
        """Return whether the argument is the name of a known list in quotes. Report N304 or E410 when it is not."""
        if not isinstance(node, Constant) or not isinstance(node.value, str):
            self.wrong_argument(place, "in_list", 2, node.type, "list")
            return False
        if node.value in self.vocabulary.lists:
            return True
        self.say_near("N304", place, node.value, self.vocabulary.lists, kind="list")
        return False

    def look_up(self, written: ast.Call, name: str) -> Node | None:
        """Return the node of a call of a declared table, its arguments converted to the key types."""
        table = self.vocabulary.tables[name]
        if not self.counted(written, name, len(table.keys), len(table.keys)):
            return None
        arguments: list[Node] = []
        for at, (place, wanted) in enumerate(zip(written.args, table.keys, strict=True)):
            node = self.node(place)
            code = None if node is None else misfit(node, wanted)
            if node is not None and code == "E411":
                self.no_such_option(place, node, wanted)
            elif node is not None and code is not None:
                self.wrong_argument(place, name, at + 1, node.type, wanted.kind)
            elif node is not None:
                arguments.append(retyped(node, wanted))
        return Lookup(name, tuple(arguments), table.gives) if len(arguments) == len(table.keys) else None

    def over_rows(self, written: ast.Call, name: RowFunction) -> Node | None:
        """Return the node of a row function. Its second argument may name the columns of the rows in its first."""
        if not self.counted(written, name, *ROW_FUNCTIONS[name]):
            return None
        rows = self.node(written.args[0])
        if rows is None:
            return None
        if rows.type.kind != "rows":
            self.wrong_argument(written.args[0], name, 1, rows.type, "rows")
            return None
        if len(written.args) == 1:
            return Over(name, rows, None, INTEGER)
        outside, self.row = self.row, {**self.row, **(rows.type.row or {})}
        body = self.node(written.args[1])
        self.row = outside
        return None if body is None else self.over(written, name, rows, body)

    def over(self, written: ast.Call, name: RowFunction, rows: Node, body: Node) -> Node | None:
        """Return the node of a row function with a body. Report E410 when the body has the wrong type."""
        wanted, gives = _row_types(name, body)
        if body.type.kind not in wanted:
            self.wrong_argument(written.args[1], name, 2, body.type, "yes_no" if "yes_no" in wanted else "number")
            return None
        return Over(name, rows, body, gives)

    def happened(self, written: ast.Call, name: HistoryFunction) -> Node | None:
        """Return the node of `done`, `missed` or `taken`. The argument must name a task, appointment or act."""
        if not self.counted(written, name, 1, 1):
            return None
        place, words = written.args[0], self.vocabulary
        kind, known = {
            "done": ("task", words.tasks | words.appointments),
            "missed": ("appointment", words.appointments),
            "taken": ("transition", words.acts),
        }[name]
        if not isinstance(place, ast.Name):
            self.say("E410", place, function=name, argument=1, left="text", right=kind)
            return None
        one = self.source.written(place)
        if one in known:
            return Happened(name, one)
        if one in words.known() | words.tasks | words.appointments | words.acts:
            self.say("N305", place, name=one, found="other", wanted=kind)
        else:
            self.say_near("N301", place, one, known)
        return None


def _row_types(name: RowFunction, body: Node) -> tuple[frozenset[str], Type]:
    if name in ("any", "all", "count"):
        return frozenset({"yes_no"}), INTEGER if name == "count" else YES_NO
    numbers = NUMBERS | {"money"} | (frozenset() if name == "sum" else {"date"})
    return numbers, DECIMAL if body.type.kind == "percent" else body.type


def _is(node: Node, wanted: str) -> bool:
    kind = node.type.kind
    match wanted:
        case "date" | "integer":
            return kind == wanted
        case "date_or_partial":
            return kind in ("date", "partial_date")
        case "number":
            return kind in NUMBERS | {"money"}
        case "text":
            return kind in ("text", "choice")
        case "same":
            return kind not in ("rows", "file", "choices")
        case _:
            return True
