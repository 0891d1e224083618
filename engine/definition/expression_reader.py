"""From the text of an expression to a typed tree, or to every problem it has, each at its place in the file.

The whitelist: literals, names, `and or not`, comparisons, `in` a list of literals, `+ - * /`, `a if c else b`, calls
of the closed table, of row and history functions, and of declared tables (`docs/language.md` §13).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from engine.definition.expression_advice import careless_negations
from engine.definition.expression_compiler import expression_of
from engine.definition.expression_functions import FUNCTIONS, LARGEST
from engine.definition.expression_nodes import (
    DEEPEST,
    MOST_NODES,
    Ambient,
    And,
    Arithmetic,
    Call,
    Compare,
    Comparison,
    Happened,
    HistoryFunction,
    If,
    Lookup,
    Name,
    Negative,
    Node,
    Not,
    OneOf,
    Operator,
    Or,
    Over,
    RowFunction,
    Ticked,
    measure,
)  # fmt: skip
from engine.definition.expression_syntax import Source, near, read_syntax, rename_names
from engine.definition.expression_typing import (
    COMPARED,
    NUMBERS,
    ORDERED,
    common_type,
    foreign_codes,
    is_written_text,
    literal_kind,
    misfit,
    natural_literal,
    product_type,
    read_literal,
    retyped,
    sum_type,
)  # fmt: skip
from engine.definition.expressions import (
    DATE,
    DECIMAL,
    INTEGER,
    TEXT,
    YES_NO,
    Constant,
    Expression,
    TableType,
    Type,
    Value,
    constant,
)  # fmt: skip
from engine.problems import NOWHERE, Fact, Position, Problem, problem
from engine.values import Plain

__all__ = ["Definition", "TableType", "Vocabulary", "check_definitions", "near", "parse_expression", "rename_names"]

Written: TypeAlias = "Plain | Decimal"

_NOTHING: Final[Mapping[str, Type]] = MappingProxyType({})
_CHANNEL: Final = Type("choice", frozenset({"web", "counter", "paper", "ussd", "api"}))
AMBIENT: Final[Mapping[str, Type]] = MappingProxyType({"today": DATE, "submitted_on": DATE, "channel": _CHANNEL})

ROW_FUNCTIONS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"any": (2, 2), "all": (2, 2), "count": (1, 2), "sum": (2, 2), "least": (2, 2), "most": (2, 2)}
)
HISTORY_FUNCTIONS: Final = ("done", "missed", "taken")

_COMPARISONS: Final[Mapping[type[ast.cmpop], Comparison]] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_OPERATORS: Final[Mapping[type[ast.operator], Operator]] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_REFUSED: Final[Mapping[type[ast.AST], str]] = {
    ast.Pow: "power", ast.Mod: "remainder", ast.FloorDiv: "floor_division", ast.MatMult: "matrix", ast.LShift: "shift",
    ast.RShift: "shift", ast.BitOr: "bits", ast.BitXor: "bits", ast.BitAnd: "bits", ast.Invert: "bits",
    ast.UAdd: "plus_sign", ast.Is: "is", ast.IsNot: "is", ast.Attribute: "attribute", ast.Subscript: "index",
    ast.Lambda: "lambda", ast.ListComp: "comprehension", ast.SetComp: "comprehension", ast.DictComp: "comprehension",
    ast.GeneratorExp: "comprehension", ast.JoinedStr: "f_string", ast.NamedExpr: "assignment", ast.Starred: "star",
    ast.List: "list", ast.Tuple: "list", ast.Set: "braces", ast.Dict: "braces", ast.Await: "await", ast.Slice: "index",
}  # fmt: skip
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?")
_TEXT: Final = re.compile(r"'[^'\\]*'|\"[^\"\\]*\"")


@dataclass(frozen=True, slots=True)
class Definition:
    """A named value of the file (`definitions`), as written."""

    text: Written
    where: Position = NOWHERE


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words one place of the file may use.

    `names`: answers with their types. `row`: the columns of the row one is in, outer rows' merged in. `elsewhere`: the
    columns of other rows (E412 instead of N301). `maybe_empty`: the names that may be empty here, for V720; None when
    nobody knows. `renamed`: a block's own name → its name here (`prefix:`), so that places stay exact.
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
    maybe_empty: frozenset[str] | None = None
    renamed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def inside(self, row: Mapping[str, Type]) -> Vocabulary:
        """These words plus the columns of a row."""
        return replace(self, row={**self.row, **row})

    def known(self) -> frozenset[str]:
        """Every word that could stand as a value here."""
        return frozenset(self.names) | frozenset(self.row) | frozenset(self.definitions) | frozenset(AMBIENT)


def parse_expression(
    text: Written, vocabulary: Vocabulary, where: Position, expects: Type | tuple[Type, ...] | None = None
) -> tuple[Expression | None, list[Problem]]:
    """The typed expression written at `where` (its first sign, after a quote), and its problems; None if unusable.

    A literal of the file where `expects` wants it (a number, a yes/no, a date, a span) is a constant. With several
    expected types, the first that fits.
    """
    wanted = expects if isinstance(expects, tuple) else (expects,) if expects else ()
    literal = _literal(text, wanted)
    if literal is not None:
        return constant(literal.value, literal.type, where), _too_large(literal.value, where)
    if not isinstance(text, str) or _looks_like(text, "date") or _looks_like(text, "span"):
        return None, [_wrong_literal(text, where, wanted)]
    reading = _Reading(vocabulary)
    source = Source.of(text, where)
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


def _looks_like(text: str, kind: str) -> bool:
    """A date or a length of time, even a wrong one: never to be read as a subtraction."""
    if kind == "date":
        return re.fullmatch(r"\s*\d{4}-\d{1,2}-\d{1,2}\s*", text) is not None
    return re.fullmatch(r"\s*\d+\s+[^\W\d_]+(\s+[^\W\d_]+)?\s*", text) is not None and not re.search(
        r"\b(and|or|if|in|not|else)\b", text
    )


def _wrong_literal(text: Written, where: Position, wanted: tuple[Type, ...]) -> Problem:
    kinds = tuple(type_.kind for type_ in wanted)
    width = len(str(text)) if isinstance(text, (str, int, Decimal)) else 1
    place = replace(where, width=max(1, width))
    if isinstance(text, str) and _looks_like(text, "span") and "span" in kinds:
        return problem("S209", place, value=text)
    if isinstance(text, Decimal) and "money" in kinds:
        return problem("E414", place, value=str(text))
    given = literal_kind(text)
    if isinstance(text, str):
        given = "date" if _looks_like(text, "date") else "span"
    return problem("E413", place, given=given, wanted=kinds, value=str(text) if isinstance(text, str) else "")


def _too_large(value: Value, where: Position) -> list[Problem]:
    if isinstance(value, (int, Decimal)) and not -LARGEST <= value <= LARGEST:
        return [problem("E403", where, limit="number", found=str(value), most=LARGEST)]
    return []


def _advice(node: Node, vocabulary: Vocabulary) -> list[Problem]:
    if vocabulary.maybe_empty is None:
        return []
    found = careless_negations(node, vocabulary.maybe_empty)
    return [problem("V720", one.where, names=tuple(sorted(names))) for one, names in found]


def _fitted(node: Node, wanted: tuple[Type, ...], source: Source, reading: _Reading) -> Node | None:
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
    """What the place wanted, when the tree fits it; a choice keeps its own codes."""
    fitting = next((type_ for type_ in wanted if misfit(node, type_) is None), None)
    return node.type if fitting is None or fitting.kind == node.type.kind else fitting


def check_definitions(vocabulary: Vocabulary, rows: tuple[Mapping[str, Type], ...] = ()) -> list[Problem]:
    """The problems of the definitions themselves, used or not. One that names the columns of a row is read there."""
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


class _Reading:
    """One expression being read, the definitions it uses included."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.row = vocabulary.row
        self.problems: list[Problem] = []
        self.source = Source.of("", NOWHERE)
        self.trail: list[str] = []  # definitions being read
        self.level = 0
        self.read_once: dict[tuple[str, int], tuple[Node | None, Mapping[str, Type]]] = {}
        self.renamed = vocabulary.renamed

    # -- texts and definitions -----------------------------------------------------------------------------------------

    def text(self, source: Source) -> Node | None:
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
        node = self.text(Source.of(definition.text, definition.where))
        self.trail.pop()
        self.renamed = renamed
        inside, self.problems = self.problems, outside
        columns = tuple(str(one.facts["name"]) for one in inside if one.code == "E412")
        if columns and (self.trail or used_at != definition.where):
            self.say("E412", used_at, name=columns[0], definition=name)
            inside = [one for one in inside if one.code != "E412"]
        self.problems.extend(inside)
        return node

    # -- saying --------------------------------------------------------------------------------------------------------

    def say(self, code: str, place: ast.expr | Position, **facts: Fact) -> None:
        where = place if isinstance(place, Position) else self.source.at(place)
        self.problems.append(problem(code, where, **facts))

    def no_such_option(self, place: ast.expr | Position, node: Node, choice: Type) -> None:
        for code in foreign_codes(node, choice)[:1]:
            known = sorted(choice.codes or ())
            self.say("E411", place, value=code, near=near(code, known), options=tuple(known[:12]))

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

    def refuse(self, written: ast.expr, construct: ast.AST) -> Node | None:
        name = _REFUSED.get(type(construct), type(construct).__name__.lower())
        self.say("E402", written, construct=name)
        return None

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
        elif name in words.tables or name in FUNCTIONS or name in ROW_FUNCTIONS or name in HISTORY_FUNCTIONS:
            self.say("N305", written, name=name, found="function", wanted="answer")
        elif name in words.tasks | words.appointments | words.acts:
            found = "transition" if name in words.acts else "task"
            self.say("N305", written, name=name, found=found, wanted="answer")
        else:
            self.say("N301", written, name=name, near=near(name, words.known() | frozenset(self.row)))

    def condition(self, written: ast.expr, operator: str) -> Node | None:
        node = self.node(written)
        if node is None or node.type.kind == "yes_no":
            return node
        self.say("E410", written, operator=operator, left=node.type.kind, right="yes_no")
        return None

    def logic(self, written: ast.BoolOp) -> Node | None:
        operator = "and" if isinstance(written.op, ast.And) else "or"
        items = [self.condition(value, operator) for value in written.values]
        whole = tuple(item for item in items if item is not None)
        if len(whole) < len(items):
            return None
        return And(whole) if operator == "and" else Or(whole)

    def negative(self, written: ast.UnaryOp) -> Node | None:
        item = self.node(written.operand)
        if item is None:
            return None
        if item.type.kind not in NUMBERS | {"money"}:
            self.say("E410", written, operator="-", left=item.type.kind, right="")
            return None
        if isinstance(item, Constant) and isinstance(item.value, (int, Decimal)):
            return Constant(-item.value, item.type)
        return Negative(item, item.type)

    def arithmetic(self, written: ast.BinOp) -> Node | None:
        left, right = self.node(written.left), self.node(written.right)
        operator = _OPERATORS.get(type(written.op))
        if operator is None:
            return self.refuse(written, written.op)
        if left is None or right is None:
            return None
        type_ = _arithmetic_type(left, operator, right)
        if type_ is None:
            self.say("E410", written, operator=operator, left=left.type.kind, right=right.type.kind)
            return None
        return Arithmetic(left, operator, right, type_)

    def choice_of_two(self, written: ast.IfExp) -> Node | None:
        condition = self.condition(written.test, "if")
        then, otherwise = self.node(written.body), self.node(written.orelse)
        if condition is None or then is None or otherwise is None:
            return None
        type_ = common_type((then, otherwise))
        if type_ is None:
            self.say("E410", written, operator="else", left=then.type.kind, right=otherwise.type.kind)
            return None
        return If(condition, retyped(then, type_), retyped(otherwise, type_), type_)

    # -- comparisons ---------------------------------------------------------------------------------------------------

    def comparisons(self, written: ast.Compare) -> Node | None:
        sides = [written.left, *written.comparators]
        links = [self.link(written, sides[at], sign, sides[at + 1]) for at, sign in enumerate(written.ops)]
        whole = tuple(link for link in links if link is not None)
        if len(whole) < len(links):
            return None
        return whole[0] if len(whole) == 1 else And(whole)

    def link(self, written: ast.Compare, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Node | None:
        if isinstance(sign, (ast.In, ast.NotIn)):
            return self.membership(left, right, isinstance(sign, ast.NotIn))
        comparison = _COMPARISONS.get(type(sign))
        if comparison is None:
            return self.refuse(written, sign)
        one, other = self.node(left), self.node(right)
        if one is None or other is None:
            return None
        place = written if len(written.ops) == 1 else right
        type_ = _compared_type(one, other)
        if type_ is None or type_.kind not in (COMPARED if comparison in ("==", "!=") else ORDERED):
            self.say("E410", place, operator=comparison, left=one.type.kind, right=other.type.kind)
            return None
        if type_.kind == "choice" and not self.own_codes(one, other, left, right):
            return None
        if type_.kind == "yes_no" and (isinstance(one, Constant) or isinstance(other, Constant)):
            self.say("V722", place, name=self.source.written(right if isinstance(one, Constant) else left))
        return Compare(retyped(one, type_), comparison, retyped(other, type_))

    def own_codes(self, one: Node, other: Node, left: ast.expr, right: ast.expr) -> bool:
        """A choice is compared with its own codes only."""
        for node, choice, place in ((other, one.type, right), (one, other.type, left)):
            if choice.kind == "choice" and is_written_text(node) and foreign_codes(node, choice):
                self.no_such_option(place, node, choice)
                return False
        return True

    def membership(self, left: ast.expr, right: ast.expr, negated: bool) -> Node | None:
        item = self.node(left)
        if isinstance(right, (ast.List, ast.Tuple)):
            return self.one_of(item, right, negated)
        choices = self.node(right)
        if item is None or choices is None:
            return None
        if choices.type.kind != "choices" or not (item.type.kind == "choice" or is_written_text(item)):
            self.say("E410", right, operator="in", left=item.type.kind, right=choices.type.kind)
            return None
        codes = Type("choice", choices.type.codes)
        if is_written_text(item) and foreign_codes(item, codes):
            self.no_such_option(left, item, codes)
            return None
        return Ticked(retyped(item, codes), choices, negated)

    def one_of(self, item: Node | None, written: ast.List | ast.Tuple, negated: bool) -> Node | None:
        options = [(one, self.node(one)) for one in written.elts]
        if item is None or any(option is None for _, option in options):
            return None
        if not options:
            self.say("E410", written, operator="in", left=item.type.kind, right="empty")
            return None
        for place, option in options:
            if not isinstance(option, Constant):
                self.say("E402", place, construct="list_of_names")
                return None
            type_ = _compared_type(item, option)
            if type_ is None or type_.kind not in COMPARED:
                self.say("E410", place, operator="in", left=item.type.kind, right=option.type.kind)
                return None
            if item.type.kind == "choice" and foreign_codes(option, item.type):
                self.no_such_option(place, option, item.type)
                return None
            if item.type.kind == "yes_no":
                self.say("V722", written, name=self.source.written(written))
        return OneOf(item, tuple(option.value for _, option in options if isinstance(option, Constant)), negated)

    # -- calls ---------------------------------------------------------------------------------------------------------

    def call(self, written: ast.Call) -> Node | None:
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
        self.say("E404", written.func, name=name, near=near(name, known))
        return None

    def counted(self, written: ast.Call, name: str, least: int, most: int) -> bool:
        found = len(written.args)
        if least <= found <= most:
            return True
        self.say("E405", written, function=name, found=found, least=least, most=most)
        return False

    def wrong_argument(self, place: ast.expr, name: str, number: int, given: Type, wanted: str) -> None:
        self.say("E410", place, function=name, argument=number, left=given.kind, right=wanted)

    def function(self, written: ast.Call, name: str) -> Node | None:
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
            elif not _is(node, wanted):
                self.wrong_argument(written.args[at], name, at + 1, node.type, wanted)
                return None
        if function.gives is not None:
            return Call(name, whole, function.gives)
        return self.of_one_type(written, name, whole)

    def of_one_type(self, written: ast.Call, name: str, arguments: tuple[Node, ...]) -> Node | None:
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
        return Call(name, tuple(retyped(one, type_) for one in arguments), type_)

    def known_list(self, node: Node, place: ast.expr) -> bool:
        if not isinstance(node, Constant) or not isinstance(node.value, str):
            self.wrong_argument(place, "in_list", 2, node.type, "list")
            return False
        if node.value in self.vocabulary.lists:
            return True
        self.say("N304", place, name=node.value, kind="list", near=near(node.value, self.vocabulary.lists))
        return False

    def look_up(self, written: ast.Call, name: str) -> Node | None:
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
        wanted, gives = _row_types(name, body)
        if body.type.kind not in wanted:
            self.wrong_argument(written.args[1], name, 2, body.type, "yes_no" if "yes_no" in wanted else "number")
            return None
        return Over(name, rows, body, gives)

    def happened(self, written: ast.Call, name: HistoryFunction) -> Node | None:
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
            self.say("N301", place, name=one, near=near(one, known))
        return None


def _arithmetic_type(left: Node, operator: Operator, right: Node) -> Type | None:
    if operator in ("+", "-"):
        type_ = sum_type(left, right)
        return None if operator == "-" and left.type.kind == "span" else type_
    if operator == "*":
        return product_type(left, right)
    divisible = {left.type.kind, right.type.kind} <= NUMBERS | {"money"}
    return DECIMAL if divisible and (right.type.kind != "money" or left.type.kind == "money") else None


def _compared_type(one: Node, other: Node) -> Type | None:
    """Money may be held against a fraction (a share of an amount); the rest must be of one type."""
    kinds = {one.type.kind, other.type.kind}
    if "money" in kinds and kinds & {"decimal", "percent"}:
        return DECIMAL
    return common_type((one, other))


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
