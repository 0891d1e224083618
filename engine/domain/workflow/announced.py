"""Announced price of a public page, before any answer: the least that a granted request pays, never too low."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import product
from math import floor
from typing import Final, Literal

from engine.core.values import Plain, Text
from engine.domain.fields.numbers import decimal_of
from engine.domain.fields.raw_answers import OTHER
from engine.domain.fields.scope import Values
from engine.domain.workflow.fee_quotes import in_force
from engine.language.compiler.tables import table_function
from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import Ambient, Arithmetic, Happened, If, Lookup, Name, Node, walk
from engine.model import Fee, FeeLine, Field, Procedure
from engine.model.graph import awaited, surely_done
from engine.model.types import TRUE, Constant, Expression, Scope

MOST_CASES: Final = 200  # combinations of answers tried for one price


@dataclass(frozen=True, slots=True)
class AnnouncedLine:
    """One line of the announced price.

    `amount` is set when it is the same for all. With `counted` it is a unit price. `when` is the text of its
    condition. `in_least` marks a line of the least price.
    """

    fee: str
    label: Text
    amount: int | None
    counted: bool = False
    per: Text | None = None
    when: str | None = None
    basis: str | None = None
    in_least: bool = False

    @property
    def is_sure(self) -> bool:
        """True when every applicant owes this amount."""
        return self.amount is not None and self.when is None and not self.counted


@dataclass(frozen=True, slots=True)
class AnnouncedPrice:
    """`free`: no fee · `fixed`: `amount` for all · `from`: at least `amount` · `varies`: unknown."""

    kind: Literal["free", "fixed", "from", "varies"]
    amount: int | None
    lines: tuple[AnnouncedLine, ...]


def announced_price(procedure: Procedure, day: date) -> AnnouncedPrice:
    """Return the price of the procedure on a day, as far as it is known without answers."""
    fees, always = procedure.fees(), _always_paid(procedure)
    written = [(fee, line) for fee in fees for line in fee.lines if in_force(line, day)]
    lines = tuple(_announced(fee, line) for fee, line in written)
    if all(line.amount == 0 for line in lines):
        return AnnouncedPrice("free", 0, lines)
    bounded = any(fee.exempt or fee.reductions or fee.at_most or fee.at_least for fee in fees)
    if not bounded and all(line.is_sure and line.fee in always for line in lines):
        return AnnouncedPrice("fixed", sum(line.amount or 0 for line in lines), lines)
    lowered = any(fee.exempt or fee.reductions or fee.at_most for fee in fees)
    least = None if lowered else _least(procedure, day, always)
    if least is None:
        return AnnouncedPrice("varies", None, lines)
    marked = (replace(one, in_least=line in least.lines) for one, (_, line) in zip(lines, written, strict=True))
    return AnnouncedPrice("from", least.amount, tuple(marked))


def _announced(fee: Fee, line: FeeLine) -> AnnouncedLine:
    conditions = [one.text for one in (fee.when, line.when) if one != TRUE]
    counted = line.times is not None or line.for_each is not None
    basis = line.law_of("amount") or fee.law_of("amount")
    when = " and ".join(conditions) or None
    return AnnouncedLine(fee.id, line.label, _constant(line.amount), counted, line.per, when, basis)


def _constant(expression: Expression | None) -> int | None:
    """Return the whole amount of a constant expression, None for any other."""
    node = expression.node if expression is not None else None
    value = node.value if isinstance(node, Constant) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _always_paid(procedure: Procedure) -> frozenset[str]:
    """Return the fees that no path to a granted end avoids."""
    sure, waited = surely_done(procedure), awaited(procedure)
    ends = [sure[state.id] for state in procedure.states.values() if state.outcome == "granted"]
    return frozenset(fee.id for fee in procedure.fees() if fee.id not in waited or all(fee.id in end for end in ends))


# -- the least of all combinations -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Least:
    """The least that a combination of answers pays, and the lines of that amount."""

    amount: int
    lines: tuple[FeeLine, ...]


class _Unbounded(Exception):
    """The amount of a combination has no known minimum."""


class _Impossible(Exception):
    """A table gives no price for a combination, so no request has it."""


def _least(procedure: Procedure, day: date, always: frozenset[str]) -> _Least | None:
    """Return the least of the combinations that pay something, None where one of them has no known minimum."""
    questions = _deciding(procedure, day)
    found: list[_Least] = []
    for answers in product(*questions.values()):
        try:
            case = _Case(procedure, day, dict(zip(questions, answers, strict=True))).least(always)
        except _Impossible:
            continue
        except (_Unbounded, LookupError):
            return None
        if case.amount:
            found.append(case)
    return min(found, key=lambda one: one.amount, default=None)


def _deciding(procedure: Procedure, day: date) -> dict[str, list[Plain]]:
    """Return the questions with few possible answers that decide amounts, up to `MOST_CASES` combinations."""
    questions: dict[str, list[Plain]] = {}
    cases = 1
    for name in _named(procedure, {name for fee in procedure.fees() for name in _names(fee)}):
        answers = _answers(procedure.fields[name], day)
        if answers and cases * len(answers) <= MOST_CASES:
            cases *= len(answers)
            questions[name] = answers
    return questions


def _names(fee: Fee) -> Iterator[str]:
    for line in fee.lines:
        for one in (fee.when, fee.at_least, line.when, line.amount, line.times):
            yield from one.names if one is not None else ()


def _named(procedure: Procedure, names: Iterable[str]) -> list[str]:
    """Return these questions and those that computed ones depend on, in the order of the definition."""
    found, left = set[str](), [*names]
    while left:
        field = procedure.fields.get(left.pop())
        if field is not None and field.id not in found:
            found.add(field.id)
            left += [*(field.value.names if field.value else ()), *field.when.names]
    return [name for name in procedure.fields if name in found]


def _answers(field: Field, day: date) -> list[Plain]:
    """Return all possible answers of a choice or a yes or no, empty for any other question."""
    if field.value is not None or field.type not in ("choice", "yes_no"):
        return []
    offered = [
        one.code
        for one in field.options
        if (one.from_ is None or one.from_ <= day) and (one.until is None or day <= one.until)
    ]
    answers: list[Plain] = [True, False] if field.type == "yes_no" else [*offered, *([OTHER] if field.other else [])]
    return answers if field.required == TRUE else [*answers, None]


class _Case:
    """One combination of answers. Every other question may have any valid answer."""

    def __init__(self, procedure: Procedure, day: date, answers: Mapping[str, Plain]) -> None:
        self._procedure, self._settled = procedure, set(answers)
        self._settle_computed()
        fields = {
            name: field if field.when.names <= self._settled else replace(field, when=TRUE)
            for name, field in procedure.fields.items()
        }
        values = Values(fields, answers, {})
        tables = {name: table_function(table) for name, table in procedure.tables.items()}
        lists = {name: one.codes for name, one in procedure.lists.items()}
        self._scope = values.scope = Scope(values, day, lists=lists, submitted_on=day, tables=tables)

    def _settle_computed(self) -> None:
        left = {name: field.value for name, field in self._procedure.fields.items() if field.value is not None}
        while settled := {name for name, value in left.items() if self._is_settled(value)}:
            self._settled |= settled
            left = {name: value for name, value in left.items() if name not in settled}

    def _is_settled(self, expression: Expression) -> bool:
        """Return True when the combination alone decides a value. History and channel are unknown."""
        asked = (
            isinstance(one, Happened) or (isinstance(one, Ambient) and one.id == "channel")
            for one in walk(tree(expression))
        )
        return expression.names <= self._settled and not any(asked)

    def least(self, always: frozenset[str]) -> _Least:
        """Return what is certainly paid, or the least of what may be. Raises `_Impossible`, `_Unbounded`."""
        sure, perhaps = _Least(0, ()), list[_Least]()
        for fee in self._procedure.fees():
            paid = 0
            for line in (one for one in fee.lines if in_force(one, self._scope.today)):
                conditions = (self._holds(fee.when), self._holds(line.when))
                if False in conditions:
                    continue
                certain = None not in conditions and fee.id in always and self._rows(line) > 0
                amount = self._amount(line, certain)
                if certain and (amount or self._is_settled(line.amount)):
                    paid += amount
                    sure = _Least(sure.amount, (*sure.lines, line))
                else:
                    perhaps.append(_Least(amount, (line,)))
            if fee.at_least and self._holds(fee.when) and fee.id in always:
                paid = max(paid, floor(self._worth(fee.at_least) or 0))
            sure = replace(sure, amount=sure.amount + paid)
        if sure.amount or not perhaps:
            return sure
        least = min(perhaps, key=lambda one: one.amount)
        if not least.amount:
            raise _Unbounded
        return least

    def _amount(self, line: FeeLine, certain: bool) -> int:
        """Return the least of a line, 0 where it is unknown. An uncertain line counts one row."""
        unit = self._worth(line.amount)
        if unit is None and self._is_settled(line.amount):
            raise _Impossible
        times = Decimal(1) if line.times is None else self._worth(line.times)
        rows = self._rows(line) if certain else 1
        return floor((unit or 0) * (times or 0) * rows)

    def _worth(self, expression: Expression) -> Decimal | None:
        return (
            decimal_of(expression.value(self._scope)) if self._is_settled(expression) else self._low(tree(expression))
        )

    def _rows(self, line: FeeLine) -> int:
        """Return how many times a line certainly applies: once, or once per row."""
        rows = self._procedure.fields.get(line.for_each or "")
        if line.for_each is None or rows is None:
            return 1
        return rows.bounds.min_items if rows.when == TRUE and rows.required == TRUE else 0

    def _holds(self, condition: Expression) -> bool | None:
        return condition.holds(self._scope) if self._is_settled(condition) else None

    def _low(self, node: Node) -> Decimal | None:
        """Return the least value of a number, None where it is unknown."""
        if isinstance(node, Constant):
            return decimal_of(node.value)
        match node:
            case Name():
                return self._least_answer(node.id)
            case Lookup():
                return self._least_row(node)
            case If():
                return _least_of(self._low(node.then), self._low(node.otherwise))
            case Arithmetic(operator="+" | "*"):
                left, right = self._low(node.left), self._low(node.right)
                if left is None or right is None or min(left, right) < 0:
                    return None
                return left + right if node.operator == "+" else left * right
        return None

    def _least_answer(self, name: str) -> Decimal | None:
        field = self._procedure.fields.get(name)
        if field is None:
            return None
        if field.value is not None:
            return self._low(tree(field.value))
        minimum = field.bounds.minimum
        return self._low(tree(minimum)) if minimum is not None and field.required == TRUE else None

    def _least_row(self, node: Lookup) -> Decimal | None:
        """Return the least value of a table for its known keys."""
        table = self._procedure.tables[node.table]
        rows = [*table.rows.items()]
        for at, (key, argument) in enumerate(zip(table.keys, node.arguments, strict=True)):
            if not key.from_ and isinstance(argument, Name) and argument.id in self._settled:
                rows = [row for row in rows if row[0][at] == self._scope.get(argument.id)]
        given = [
            number for number in map(decimal_of, (*(found for _, found in rows), table.otherwise)) if number is not None
        ]
        return min(given, default=None)


def _least_of(*numbers: Decimal | None) -> Decimal | None:
    return None if None in numbers else min(number for number in numbers if number is not None)
