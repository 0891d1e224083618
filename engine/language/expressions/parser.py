"""The parser from the text of an expression to a typed tree, or to all its problems with their positions.

The whitelist: literals, names, `and or not`, comparisons, `in` a list of literals, `+ - * /`, `a if c else b`,
calls of the closed table, of row and history functions, and of declared tables (`docs/language.md` §13).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from engine.core.problems import Fact, Position, Problem, problem
from engine.language.expressions.calls import CallParser
from engine.language.expressions.compiler import expression_of
from engine.language.expressions.functions import FUNCTIONS, LARGEST
from engine.language.expressions.negation import careless_negations
from engine.language.expressions.nodes import DEEPEST, MOST_NODES, Ambient, Name, Node, Not, measure
from engine.language.expressions.operators import Operators
from engine.language.expressions.parse_context import (
    AMBIENT,
    HISTORY_FUNCTIONS,
    ROW_FUNCTIONS,
    Definition,
    Vocabulary,
    Written,
)
from engine.language.expressions.syntax import ExpressionSource, read_syntax, rename_names
from engine.language.expressions.typing import literal_kind, misfit, natural_literal, read_literal, retyped
from engine.language.source.notation import likely_date, likely_number, likely_span, likely_time
from engine.model.types import DECIMAL, INTEGER, TEXT, YES_NO, Constant, Expression, TableType, Type, Value, constant

__all__ = ["Definition", "TableType", "Vocabulary", "check_definitions", "parse_expression", "rename_names"]

_TRUTH: Final = {"oui": "true", "vrai": "true", "yes": "true", "non": "false", "faux": "false", "no": "false"}
_DATE: Final = re.compile(r"\s*\d{4}-\d{1,2}-\d{1,2}\s*")
_SPAN: Final = re.compile(r"\s*\d+\s*[^\W\d_]+\.?([\s_-]+[^\W\d_]+)?\s*")
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
_TEXT: Final = re.compile(r"'[^'\\]*'|\"[^\"\\]*\"")


def parse_expression(
    text: Written, vocabulary: Vocabulary, where: Position, expects: Type | tuple[Type, ...] | None = None
) -> tuple[Expression | None, list[Problem]]:
    """Return the typed expression written at `where`, and its problems. None if it cannot be used.

    `where` is the position of its first character, after a quote. A literal that fits `expects` (a number, a
    yes/no, a date, a span) is a constant. With several expected types, the first that fits.
    """
    wanted = expects if isinstance(expects, tuple) else (expects,) if expects else ()
    literal = _literal(text, wanted)
    if literal is not None:
        return constant(literal.value, literal.type, where), _too_large(literal.value, where)
    if isinstance(text, str) and (meant := _as_a_literal(text, {type_.kind for type_ in wanted})):
        place = replace(where, width=len(text))
        hint = "number" if meant.isdigit() else "time" if ":" in meant else "date"
        code = "E413" if hint == "number" else "E401"
        return None, [
            problem(code, place, hint=hint, token=text, given="text", wanted=(wanted[0].kind,), instead=meant)
        ]
    if not isinstance(text, str) or _misread(text, wanted):
        return None, [_wrong_literal(text, where, wanted)]
    reading = _Reading(vocabulary)
    source = ExpressionSource.of(text, where)
    node = reading.text(source)
    if node is not None:
        reading.problems.extend(_advice(node, vocabulary))
        node = _fitted(node, wanted, source, reading)
    if node is None:
        return None, reading.problems
    return expression_of(node, text.strip(), _result_type(node, wanted), source.whole()), reading.problems


def _literal(text: Written, wanted: tuple[Type, ...]) -> Constant | None:
    for type_ in wanted:
        if not isinstance(text, str) or type_.kind in ("date", "span"):
            found = read_literal(text, type_)
            if found is not None:
                return found
    return None if wanted else natural_literal(text)


def _as_a_literal(text: str, kinds: set[str]) -> str | None:
    """A value written as on a paper form: `02/04/1985`, `18 h 30`, `15 000`."""
    day = likely_date(text) if kinds & {"date", "partial_date"} else None
    hour = likely_time(text) if "time" in kinds else None
    return day or hour or (likely_number(text) if kinds & {"money", "integer", "decimal"} else None)


def _misread(text: str, wanted: tuple[Type, ...]) -> str | None:
    """The type of a text that is no expression: a date (never a subtraction) or a time span, even a wrong one."""
    if _DATE.fullmatch(text):
        return "date"
    if _SPAN.fullmatch(text) and (likely_span(text) or any(type_.kind == "span" for type_ in wanted)):
        return "span"
    return None


def _wrong_literal(text: Written, where: Position, wanted: tuple[Type, ...]) -> Problem:
    kinds = tuple(type_.kind for type_ in wanted)
    value = str(text) if isinstance(text, (str, int, Decimal)) else ""
    place = replace(where, width=max(1, len(value)))
    if isinstance(text, Decimal) and "money" in kinds:
        return problem("E414", place, given="decimal", wanted=kinds, value=value)
    given = (_misread(text, wanted) or "text") if isinstance(text, str) else literal_kind(text)
    if given == "span" and "span" in kinds:
        near = likely_span(text)
        facts: dict[str, Fact] = {"near": (near,), "put": near} if near else {}
        return problem("S209", place, value=value, **facts)
    if given == "date" and "date" in kinds:
        return problem("S203", place, expected="date", value=value)
    return problem("E413", place, given=given, wanted=kinds, value=value)


def _too_large(value: Value, where: Position) -> list[Problem]:
    if isinstance(value, (int, Decimal)) and not -LARGEST <= value <= LARGEST:
        return [problem("E403", where, limit="number", found=str(value), most=LARGEST)]
    return []


def _advice(node: Node, vocabulary: Vocabulary) -> list[Problem]:
    if vocabulary.maybe_empty is None:
        return []
    found = careless_negations(node, vocabulary.maybe_empty)
    return [problem("V720", one.where, names=tuple(sorted(names)), **_of_yes_no(one)) for one, names in found]


def _of_yes_no(one: Not) -> dict[str, Fact]:
    """The facts of a negated answer, where `x == false` is what the author means."""
    if not isinstance(one.item, Name):
        return {}
    return {"what": "yes_no", "name": one.item.id, "put": f"{one.item.id} == false"}


def _fitted(node: Node, wanted: tuple[Type, ...], source: ExpressionSource, reading: _Reading) -> Node | None:
    if not wanted:
        return node
    codes = [misfit(node, type_) for type_ in wanted]
    if None in codes:
        return retyped(node, wanted[codes.index(None)])
    worst = next((code for code in ("E411", "E414") if code in codes), "E413")
    if worst == "E411":
        reading.no_such_option(source.whole(), node, wanted[codes.index("E411")])
    else:
        kinds = tuple(type_.kind for type_ in wanted)
        reading.problems.append(problem(worst, source.whole(), given=node.type.kind, wanted=kinds))
    return None


def _result_type(node: Node, wanted: tuple[Type, ...]) -> Type:
    """The expected type that the tree fits. A choice retains its own codes."""
    fitting = next((type_ for type_ in wanted if misfit(node, type_) is None), None)
    return node.type if fitting is None or fitting.kind == node.type.kind else fitting


def check_definitions(vocabulary: Vocabulary, rows: tuple[Mapping[str, Type], ...] = ()) -> list[Problem]:
    """Return the problems of the definitions themselves, used or not.

    One that names the columns of a row is parsed in that row.
    """
    problems: list[Problem] = []
    for name, definition in vocabulary.definitions.items():
        found = _definition_problems(name, definition, vocabulary)
        for row in rows:
            if not any(one.code in ("E412", "N301") for one in found):
                break
            inside = _definition_problems(name, definition, vocabulary.inside(row))
            if len(inside) < len(found):
                found = inside
        problems.extend(found)
    return problems


def _definition_problems(name: str, definition: Definition, vocabulary: Vocabulary) -> list[Problem]:
    reading = _Reading(vocabulary)
    reading.definition(name, definition.where)
    return reading.problems


class _Reading(Operators, CallParser):
    """One expression being parsed, with the definitions it uses."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self.renamed = vocabulary.renamed
        self.trail: list[str] = []  # definitions being read
        self.level = 0
        self.read_once: dict[tuple[str, int], tuple[Node | None, Mapping[str, Type]]] = {}

    # -- texts and definitions -----------------------------------------------------------------------------------------

    def text(self, source: ExpressionSource) -> Node | None:
        before, self.source = self.source, source
        parsed, problems = read_syntax(source)
        self.problems.extend(problems)
        node = None if parsed is None else self.node(parsed)
        self.source = before
        return node if node is None or self.small_enough(node, source.whole()) else None

    def small_enough(self, node: Node, place: Position) -> bool:
        size, depth = measure(node, {})
        if size <= MOST_NODES and depth <= DEEPEST:
            return True
        found, most, limit = (size, MOST_NODES, "nodes") if size > MOST_NODES else (depth, DEEPEST, "depth")
        self.problems.append(problem("E403", place, limit=limit, found=found, most=most))
        return False

    def definition(self, name: str, used_at: Position) -> Node | None:
        if name in self.trail:
            circle = (*self.trail[self.trail.index(name) :], name)
            self.problems.append(problem("E420", used_at, name=name, circle=circle))
            return None
        key = (name, id(self.row))
        if key not in self.read_once:
            self.read_once[key] = (self._definition(name, used_at), self.row)
        return self.read_once[key][0]

    def _definition(self, name: str, used_at: Position) -> Node | None:
        definition = self.vocabulary.definitions[name]
        literal = natural_literal(definition.text)
        if literal is not None:
            self.problems.extend(_too_large(literal.value, definition.where))
            return literal
        if not isinstance(definition.text, str):
            self.say("E413", definition.where, given=literal_kind(definition.text), wanted=())
            return None
        outside, self.problems = self.problems, []
        renamed, self.renamed = self.renamed, {}
        self.trail.append(name)
        node = self.text(ExpressionSource.of(definition.text, definition.where))
        self.trail.pop()
        self.renamed = renamed
        inside, self.problems = self.problems, outside
        columns = tuple(str(one.facts["name"]) for one in inside if one.code == "E412")
        if columns and (self.trail or used_at != definition.where):
            self.say("E412", used_at, name=columns[0], definition=name)
            inside = [one for one in inside if one.code != "E412"]
        self.problems.extend(inside)
        return node

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def node(self, written: ast.expr) -> Node | None:
        if self.level >= DEEPEST:
            self.say("E403", written, limit="depth", found=self.level + 1, most=DEEPEST)
            return None
        self.level += 1
        try:
            return self._node(written)
        finally:
            self.level -= 1

    def _node(self, written: ast.expr) -> Node | None:
        match written:
            case ast.Constant():
                return self.constant(written)
            case ast.Name():
                return self.name(written)
            case ast.BoolOp():
                return self.logic(written)
            case ast.UnaryOp(op=ast.Not()):
                item = self.condition(written.operand, "not")
                return None if item is None else Not(item, self.source.at(written))
            case ast.UnaryOp(op=ast.USub()):
                return self.negative(written)
            case ast.BinOp():
                return self.arithmetic(written)
            case ast.Compare():
                return self.comparisons(written)
            case ast.IfExp():
                return self.choice_of_two(written)
            case ast.Call():
                return self.call(written)
            case ast.UnaryOp():
                return self.refuse(written, written.op)
            case _:
                return self.refuse(written, written)

    def constant(self, written: ast.Constant) -> Constant | None:
        value, text = written.value, self.source.written(written)
        if isinstance(value, bool):
            return Constant(value, YES_NO)
        if isinstance(value, (int, float)):
            if not _NUMBER.fullmatch(text):
                self.say("E402", written, construct="number")
                return None
            number: int | Decimal = Decimal(text) if "." in text else int(text)
            if number > LARGEST:
                self.say("E403", written, limit="number", found=text[:24], most=LARGEST)
                return None
            return Constant(number, DECIMAL if "." in text else INTEGER)
        if isinstance(value, str) and value and _TEXT.fullmatch(text):
            return Constant(value, TEXT)
        construct = "empty_text" if value == "" else "text" if isinstance(value, str) else "constant"
        self.say("E402", written, construct=construct)
        return None

    def name(self, written: ast.Name) -> Node | None:
        text = self.source.written(written)
        if text in ("true", "false"):
            return Constant(text == "true", YES_NO)
        name, words = self.renamed.get(text, text), self.vocabulary
        if name in self.row:
            return Name(name, self.row[name], in_row=True)
        if name in words.names:
            return Name(name, words.names[name])
        if name in AMBIENT:
            return Ambient(name, AMBIENT[name])
        if name in words.definitions:
            return self.definition(name, self.source.at(written))
        self.unknown(written, name)
        return None

    def unknown(self, written: ast.expr, name: str) -> None:
        words = self.vocabulary
        if name in words.elsewhere:
            self.say("E412", written, name=name)
        elif name in words.later:
            self.say("N301", written, name=name, wanted="later")
        elif name in words.tables or name in FUNCTIONS or name in ROW_FUNCTIONS or name in HISTORY_FUNCTIONS:
            self.say("N305", written, name=name, found="function", wanted="answer")
        elif name in words.tasks | words.appointments | words.acts:
            found = "transition" if name in words.acts else "task"
            self.say("N305", written, name=name, found=found, wanted="answer")
        else:
            meant = self.value_meant(name)
            known = words.known() | frozenset(self.row)
            self.say_near("N301", written, name, known) if meant is None else self.say(
                "N301", written, name=name, near=(meant,), put=meant
            )

    def value_meant(self, name: str) -> str | None:
        """Return the value that a name probably stands for: `false` for `non`, `'centre'` for the option `centre`.

        None when there is none.
        """
        types = (*self.vocabulary.names.values(), *self.row.values())
        option = any(one.codes is not None and name in one.codes for one in types)
        return f"'{name}'" if option else _TRUTH.get(name.lower())
