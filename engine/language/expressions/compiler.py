"""The compiler from nodes to closures. Later evaluation walks no tree and looks up no table of functions.

Closures never raise an error on a value: an answer of the wrong type, not yet refused, counts as empty. Only a
scope without the calendar or table that an expression needs raises LookupError.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from engine.core.problems import NOWHERE, Position
from engine.core.values import Span
from engine.language.expressions.functions import FUNCTIONS, LARGEST, add, add_span, bounded, divide, multiply, subtract
from engine.language.expressions.nodes import (
    Ambient,
    And,
    Arithmetic,
    Compare,
    FunctionCall,
    Happened,
    If,
    Lookup,
    Name,
    Negative,
    Node,
    Not,
    OneOf,
    Or,
    Over,
    Ticked,
    measure,
    names_of,
    walk,
)
from engine.model.types import FALSE, TRUE, Constant, Evaluator, Expression, Row, Scope, TooManySteps, Type, Value

_WRITTEN: Final = frozenset({"choice", "text", "time", "partial_date"})


def _whole(value: Value) -> Value:
    return bounded(value) if type(value) is int else None


def _number(value: Value) -> Value:
    return bounded(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else None


def _day(value: Value) -> Value:
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _length_of_time(value: Value) -> Value:
    return value if isinstance(value, Span) else None


def _codes(value: Value) -> Value:
    return value if isinstance(value, tuple) and value and all(type(code) is str for code in value) else None


def _rows(value: Value) -> Value:
    return value if isinstance(value, tuple) and value and all(isinstance(row, Mapping) for row in value) else None


def _anything(value: Value) -> Value:
    return None if value is None or value == "" or value == () else value


_SIEVES: Final[Mapping[str, Callable[[Value], Value]]] = {
    "integer": _whole, "money": _whole, "decimal": _number, "percent": _number, "date": _day, "span": _length_of_time,
    "choices": _codes, "rows": _rows,
}  # fmt: skip


def read_name(node: Name) -> Evaluator:
    """Return the closure that reads an answer. Its value is empty when the answer is not of its type."""
    name = node.id
    if node.type.kind in _WRITTEN:
        return lambda scope: value if type(value := find(scope, name)) is str and value else None
    if node.type.kind == "yes_no":
        return lambda scope: value if type(value := find(scope, name)) is bool else None
    sieve = _SIEVES.get(node.type.kind, _anything)
    return lambda scope: sieve(find(scope, name))


def find(scope: Scope, name: str) -> Value:
    """Return the value of a name, like `scope.get`, but faster for names of the innermost scope."""
    value = scope.values.get(name)
    return value if value is not None or scope.outer is None else scope.get(name)


def expression_of(node: Node, text: str, type_: Type | None = None, where: Position = NOWHERE) -> Expression:
    """Return the typed and compiled expression of a tree, with the names and columns it reads."""
    run, names, every = _compiled(node), names_of(node), tuple(walk(node))
    if any(isinstance(one, Over) for one in every):
        run = _within_budget(run)
    columns = frozenset(one.id for one in every if isinstance(one, Name)) - names
    return Expression(text, node, type_ or node.type, names, run, where, columns=columns)


def negate(expression: Expression) -> Expression:
    """Return an expression that is true where `expression` does not hold, empty included."""
    if expression == TRUE:
        return FALSE
    if expression == FALSE:
        return TRUE
    return expression_of(Not(tree(expression), expression.where), f"not ({expression.text})", where=expression.where)


def both(left: Expression, right: Expression) -> Expression:
    """Return an expression that is true where both hold."""
    if left == TRUE or right == FALSE:
        return right
    if right == TRUE or left in (FALSE, right):
        return left
    items = (*_items(left, And), *_items(right, And))
    where = left.where if left.where != NOWHERE else right.where
    return expression_of(And(items), f"({left.text}) and ({right.text})", where=where)


def either(left: Expression, right: Expression) -> Expression:
    """Return an expression that is true where at least one of them holds."""
    if left == FALSE or right == TRUE:
        return right
    if right == FALSE or left in (TRUE, right):
        return left
    items = (*_items(left, Or), *_items(right, Or))
    where = left.where if left.where != NOWHERE else right.where
    return expression_of(Or(items), f"({left.text}) or ({right.text})", where=where)


def own_part(expression: Expression, none_before: Expression) -> Expression | None:
    """Return the written condition of an entry of a first-match list, without the added "and none before".

    None when `none_before` was not added.
    """
    *own, last = _items(expression, And)
    if last != tree(none_before):
        return None
    if not own:
        return TRUE
    node = own[0] if len(own) == 1 else And(tuple(own))
    return expression_of(node, expression.text, where=expression.where)


def tree(expression: Expression) -> Node:
    """Return the typed node of an expression. The field is typed `object` so that `engine/model` imports no node."""
    node = expression.node
    assert isinstance(node, Node)
    return node


def age_limit(expression: Expression) -> tuple[str, int] | None:
    """Return `("<", 18)` or `(">=", 18)` for a condition about one age only, None for any other."""
    match tree(expression):
        case Not(item=Compare(left=FunctionCall(function="age"), sign="<", right=Constant(value=int(years)))):
            return ">=", years
        case Compare(left=FunctionCall(function="age"), sign=("<" | ">=") as sign, right=Constant(value=int(years))):
            return sign, years
        case _:
            return None


def _items(expression: Expression, kind: type[And] | type[Or]) -> tuple[Node, ...]:
    node = tree(expression)
    return node.items if isinstance(node, kind) else (node,)


def _within_budget(run: Evaluator) -> Evaluator:
    def counted(scope: Scope) -> Value:
        try:
            return run(scope.counted())
        except TooManySteps:
            return None

    return counted


# -- names -------------------------------------------------------------------------------------------------------------


def _read_ambient(node: Ambient) -> Evaluator:
    if node.id == "today":
        return lambda scope: scope.today
    if node.id == "submitted_on":
        return lambda scope: scope.submitted_on
    return lambda scope: scope.channel


# -- logic -------------------------------------------------------------------------------------------------------------


def _and(node: And) -> Evaluator:
    items = tuple(_compiled(item) for item in node.items)
    if len(items) == 2:
        first, second = items
        return lambda scope: first(scope) is True and second(scope) is True

    def every(scope: Scope) -> Value:
        for item in items:  # noqa: SIM110  a generator is twice as slow
            if item(scope) is not True:
                return False
        return True

    return every


def _or(node: Or) -> Evaluator:
    items = tuple(_compiled(item) for item in node.items)
    if len(items) == 2:
        first, second = items
        return lambda scope: first(scope) is True or second(scope) is True

    def some(scope: Scope) -> Value:
        for item in items:  # noqa: SIM110  a generator is twice as slow
            if item(scope) is True:
                return True
        return False

    return some


def _not(node: Not) -> Evaluator:
    item = _compiled(node.item)
    return lambda scope: item(scope) is not True


def _if(node: If) -> Evaluator:
    condition, then, otherwise = _compiled(node.condition), _compiled(node.then), _compiled(node.otherwise)
    return lambda scope: then(scope) if condition(scope) is True else otherwise(scope)


_SIGNS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def _compare(node: Compare) -> Evaluator:
    left, sign = _compiled(node.left), _SIGNS[node.sign]
    if isinstance(node.right, Constant):
        value = node.right.value
        if node.sign == "==" and isinstance(node.left, Name) and isinstance(value, str):
            name = node.left.id
            return lambda scope: (
                find(scope, name) == value
            )  # the most frequent condition, and only a code equals a code
        return lambda scope: (found := left(scope)) is not None and sign(found, value)
    right = _compiled(node.right)

    def compare(scope: Scope) -> Value:
        one, other = left(scope), right(scope)
        return one is not None and other is not None and sign(one, other)

    return compare


def _one_of(node: OneOf) -> Evaluator:
    item, among, wanted = _compiled(node.item), frozenset(node.among), not node.negated
    return lambda scope: (found := item(scope)) is not None and (found in among) is wanted


def _ticked(node: Ticked) -> Evaluator:
    code, choices, wanted = _compiled(node.code), _compiled(node.choices), not node.negated

    def ticked(scope: Scope) -> Value:
        one, among = code(scope), choices(scope)
        return one is not None and isinstance(among, tuple) and (one in among) is wanted

    return ticked


# -- numbers, dates, functions -----------------------------------------------------------------------------------------

_NUMBERS: Final = {"+": add, "-": subtract, "*": multiply, "/": divide}
_WHOLE: Final[Mapping[str, Callable[[int, int], int]]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def _arithmetic(node: Arithmetic) -> Evaluator:
    left, right = _compiled(node.left), _compiled(node.right)
    if node.type.kind == "date":
        return _date_arithmetic(left, right, -1 if node.operator == "-" else 1)
    work, whole = _NUMBERS[node.operator], _WHOLE.get(node.operator)

    def calculate(scope: Scope) -> Value:
        one, other = left(scope), right(scope)
        if whole is not None and type(one) is int and type(other) is int:
            found = whole(one, other)
            return found if -LARGEST <= found <= LARGEST else None
        if isinstance(one, (int, Decimal)) and isinstance(other, (int, Decimal)):
            return work(one, other)
        return None

    return calculate


def _date_arithmetic(left: Evaluator, right: Evaluator, sign: int) -> Evaluator:
    def shift(scope: Scope) -> Value:
        one, other = left(scope), right(scope)
        if isinstance(one, date) and isinstance(other, Span):
            return add_span(scope, one, other, sign)
        if isinstance(one, Span) and isinstance(other, date):
            return add_span(scope, other, one, sign)
        return None

    return shift


def _negative(node: Negative) -> Evaluator:
    item = _compiled(node.item)

    def negative(scope: Scope) -> Value:
        found = item(scope)
        return subtract(0, found) if isinstance(found, (int, Decimal)) else None

    return negative


def _call(node: FunctionCall) -> Evaluator:
    function = FUNCTIONS[node.function]
    run, arguments = function.run, tuple(_compiled(one) for one in node.arguments)
    if function.takes_empty:
        return lambda scope: run(scope, *[argument(scope) for argument in arguments])
    if len(arguments) == 1:
        (only,) = arguments
        return lambda scope: None if (found := only(scope)) is None else run(scope, found)

    def call(scope: Scope) -> Value:
        values = [argument(scope) for argument in arguments]
        return None if None in values else run(scope, *values)

    return call


def _lookup(node: Lookup) -> Evaluator:
    table, arguments = node.table, tuple(_compiled(one) for one in node.arguments)

    def look_up(scope: Scope) -> Value:
        values = [argument(scope) for argument in arguments]
        return None if None in values else scope.tables[table](*values)

    return look_up


def _happened(node: Happened) -> Evaluator:
    one = node.id
    if node.function == "done":
        return lambda scope: one in scope.history.done
    if node.function == "missed":
        return lambda scope: scope.history.missed.get(one, 0)
    return lambda scope: scope.history.taken.get(one, 0)


# -- rows --------------------------------------------------------------------------------------------------------------


def _over(node: Over) -> Evaluator:
    rows = _compiled(node.rows)
    body = _compiled(node.body) if node.body else None
    cost = measure(node.body, {})[0] if node.body else 1

    def values(scope: Scope) -> Iterator[Value]:
        for row in _each(rows(scope)):
            if scope.steps is not None:
                scope.steps.spend(cost)
            yield body(scope.inside(row)) if body else True

    match node.function:
        case "any":
            return lambda scope: any(value is True for value in values(scope))
        case "all":
            return lambda scope: all(value is True for value in values(scope))
        case "count":
            return lambda scope: sum(1 for value in values(scope) if value is True)
        case "sum":
            return lambda scope: _sum(values(scope))
        case "least":
            return lambda scope: min(_filled(values(scope)), default=None)
        case "most":
            return lambda scope: max(_filled(values(scope)), default=None)


def _each(rows: Value) -> Iterator[Row]:
    if isinstance(rows, tuple):
        for row in rows:
            if isinstance(row, Mapping):
                yield row


def _filled(values: Iterator[Value]) -> list[int | Decimal]:
    """The values that are not empty: numbers, or dates (which compare in the same way)."""
    return [value for value in values if isinstance(value, (int, Decimal, date))]  # type: ignore[misc]


def _sum(values: Iterator[Value]) -> Value:
    total: int | Decimal = 0
    for value in _filled(values):
        added = add(total, value)
        if added is None:
            return None
        total = added
    return total


def _compiled(node: Node) -> Evaluator:
    match node:
        case Constant(value):
            return lambda scope: value
        case Name():
            return read_name(node)
        case Ambient():
            return _read_ambient(node)
        case Not():
            return _not(node)
        case And():
            return _and(node)
        case Or():
            return _or(node)
        case Compare():
            return _compare(node)
        case OneOf():
            return _one_of(node)
        case Ticked():
            return _ticked(node)
        case Arithmetic():
            return _arithmetic(node)
        case Negative():
            return _negative(node)
        case If():
            return _if(node)
        case FunctionCall():
            return _call(node)
        case Lookup():
            return _lookup(node)
        case Over():
            return _over(node)
        case Happened():
            return _happened(node)
