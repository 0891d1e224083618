"""Parsing and typing of logic, arithmetic and comparisons."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from engine.language.expressions.nodes import (
    And,
    Arithmetic,
    Compare,
    Comparison,
    If,
    Negative,
    Node,
    OneOf,
    Operator,
    Or,
    Ticked,
)
from engine.language.expressions.parse_context import ParseContext
from engine.language.expressions.typing import (
    COMPARED,
    NUMBERS,
    ORDERED,
    common_type,
    foreign_codes,
    is_written_text,
    product_type,
    retyped,
    sum_type,
)
from engine.model.types import DECIMAL, Constant, Type

_COMPARISONS: Final[Mapping[type[ast.cmpop], Comparison]] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_OPERATORS: Final[Mapping[type[ast.operator], Operator]] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


class Operators(ParseContext):
    """The part of the parser that handles operators. Each method returns None after it has reported a problem."""

    def condition(self, written: ast.expr, operator: str) -> Node | None:
        """Return the node of an operand that must be a yes/no. Report E410 when it is not."""
        node = self.node(written)
        if node is None or node.type.kind == "yes_no":
            return node
        self.say("E410", written, operator=operator, left=node.type.kind, right="yes_no")
        return None

    def logic(self, written: ast.BoolOp) -> Node | None:
        """Return the node of `and` or `or`. All its operands must be conditions."""
        operator = "and" if isinstance(written.op, ast.And) else "or"
        items = [self.condition(value, operator) for value in written.values]
        whole = tuple(item for item in items if item is not None)
        if len(whole) < len(items):
            return None
        return And(whole) if operator == "and" else Or(whole)

    def negative(self, written: ast.UnaryOp) -> Node | None:
        """Return the node of `-x`, a constant when x is one. x must be a number or money."""
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
        """Return the node of `+ - * /`. Report E410 when the types of the sides do not fit."""
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
        """Return the node of `a if c else b`. Both branches get their common type."""
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
        """Return the node of one or several chained comparisons. `a < b < c` becomes an `And`."""
        sides = [written.left, *written.comparators]
        links = [self.link(written, sides[at], sign, sides[at + 1]) for at, sign in enumerate(written.ops)]
        whole = tuple(link for link in links if link is not None)
        if len(whole) < len(links):
            return None
        return whole[0] if len(whole) == 1 else And(whole)

    def link(self, written: ast.Compare, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Node | None:
        """Return the node of one comparison of a chain. `written` is the whole chain."""
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
            self.needless(place, comparison, (one, left), (other, right))
        return Compare(retyped(one, type_), comparison, retyped(other, type_))

    def needless(
        self, place: ast.expr, comparison: str, left: tuple[Node, ast.expr], right: tuple[Node, ast.expr]
    ) -> None:
        """Report V722: `x == true` means `x`, also when x is empty. `x == false` differs from `not x`."""
        (constant, _), (_, side) = (left, right) if isinstance(left[0], Constant) else (right, left)
        name = self.source.written(side)
        says_itself = isinstance(constant, Constant) and constant.value is (comparison == "==")
        exact = says_itself and isinstance(side, (ast.Name, ast.Call)) and isinstance(place, ast.Compare)
        self.say("V722", place, name=name, **({"put": name} if exact else {}))

    def own_codes(self, one: Node, other: Node, left: ast.expr, right: ast.expr) -> bool:
        """Return whether a choice is compared with its own codes only. Report E411 when it is not."""
        for node, choice, place in ((other, one.type, right), (one, other.type, left)):
            if choice.kind == "choice" and is_written_text(node) and foreign_codes(node, choice):
                self.no_such_option(place, node, choice)
                return False
        return True

    def membership(self, left: ast.expr, right: ast.expr, negated: bool) -> Node | None:
        """Return the node of `in`: a list of literals at the right, or several choices."""
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
        """Return the node of `x in [literals]`. Report E410 for an empty list or a wrong type."""
        options = [(one, self.node(one)) for one in written.elts]
        if item is None or any(option is None for _, option in options):
            return None
        if not options:
            self.say("E410", written, operator="in", left=item.type.kind, right="list", what="no_option")
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


def _arithmetic_type(left: Node, operator: Operator, right: Node) -> Type | None:
    if operator in ("+", "-"):
        type_ = sum_type(left, right)
        return None if operator == "-" and left.type.kind == "span" else type_
    if operator == "*":
        return product_type(left, right)
    divisible = {left.type.kind, right.type.kind} <= NUMBERS | {"money"}
    return DECIMAL if divisible and (right.type.kind != "money" or left.type.kind == "money") else None


def _compared_type(one: Node, other: Node) -> Type | None:
    """The common type of a comparison. Money may be compared with a fraction (a share of an amount)."""
    kinds = {one.type.kind, other.type.kind}
    if "money" in kinds and kinds & {"decimal", "percent"}:
        return DECIMAL
    return common_type((one, other))
