"""The translation of expressions to terms of the solver. It is exact: formula and evaluator agree.

A term is a pair (value, answered). Logic has two values, so each condition becomes one formula without
quantifiers. Dates are day numbers. Choices and texts are small integers, and several choices are one yes/no
each. Rows are a few symbolic rows that may exist or not. Inexact parts (working days from an unknown day, the
length of a text) only allow more than is real. So an impossibility is still proved, and each possibility is
confirmed by the real evaluator.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

import z3

from engine.core.values import Span
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
)
from engine.model import Table
from engine.model.types import Constant, Value
from engine.prover.solver.calendar import SolverCalendar, age_limit
from engine.prover.solver.encoding import (
    NO,
    YES,
    ZERO,
    NotExpressible,
    SpanCase,
    SymbolicRow,
    Term,
    World,
    Z,
    all_of,
    any_of,
    counted,
    either,
    extreme,
    floor,
    minutes,
    must_be_plain,
    outermost,
    real,
)

_SIGNS: Final[Mapping[str, Callable[[Any, Any], Z]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_SPANS: Final[Mapping[str, tuple[str, bool]]] = {
    "days": ("day", False), "weeks": ("week", False), "working_days": ("day", True), "months": ("month", False),
    "years": ("year", False),
}  # fmt: skip


class Terms:
    """Translates nodes of expressions to terms, with the values of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calendar = SolverCalendar(world.given, world.working_days, world.mark)

    def holds(self, node: Node, row: SymbolicRow | None = None) -> Z:
        """Return the formula that a condition is given and true."""
        term = self.term(node, row)
        return all_of(term.answered, term.value)

    def term(self, node: Node, row: SymbolicRow | None = None) -> Term:
        """Return the term of a node, read in `row`. Raises `NotExpressible` for a node without translation."""
        match node:
            case Constant(value=value):
                return self.constant(value, node.type.kind)
            case Name():
                return self._name(node, row)
            case Ambient(id=name):
                return self._ambient(name)
            case Not(item=item):
                return Term(z3.Not(self.holds(item, row)))
            case And(items=items):
                return Term(all_of(*(self.holds(one, row) for one in items)))
            case Or(items=items):
                return Term(any_of(*(self.holds(one, row) for one in items)))
            case Compare():
                return self._compare(node, row)
            case OneOf():
                return self._one_of(node, row)
            case Ticked():
                return self._ticked(node, row)
            case Arithmetic():
                return self._arithmetic(node, row)
            case Negative(item=item):
                found = self.term(item, row)
                return Term(-found.value, found.answered)
            case If():
                return self._if(node, row)
            case FunctionCall():
                return self._call(node, row)
            case Lookup(table=table, arguments=arguments):
                return self._lookup(self.world.table(table), [self.term(one, row) for one in arguments])
            case Over():
                return self._over(node, row)
            case Happened(function=function, id=name):
                return self.world.happened(function, name)
        raise NotExpressible(type(node).__name__)

    # -- values and names ----------------------------------------------------------------------------------------------

    def constant(self, value: Value, kind: str) -> Term:
        """Return the term of a literal of a type. Raises `NotExpressible` for a literal that has none."""
        match value:
            case None:
                return Term(YES if kind == "yes_no" else ZERO, NO)
            case bool():
                return Term(z3.BoolVal(value))
            case int():
                return Term(z3.IntVal(value))
            case Decimal():
                self.world.mark("real")
                return Term(z3.RealVal(f"{value:f}"))
            case date():
                return Term(z3.IntVal(value.toordinal()))
            case Span():
                return Term((SpanCase(YES, z3.IntVal(value.count), value.unit, value.working),))
            case str():
                return Term(z3.IntVal(self.number(value, kind)))
            case tuple() if all(isinstance(one, str) for one in value):
                return Term({str(one): YES for one in value}, z3.BoolVal(bool(value)))
        raise NotExpressible("constant")

    def number(self, text: str, kind: str) -> int:
        """Return the number that represents a text of that kind."""
        if kind == "time":
            return minutes(text)
        return int(text[:4]) if kind == "partial_date" else self.world.codes.number(text)

    def _name(self, node: Name, row: SymbolicRow | None) -> Term:
        slot = row if node.in_row else None
        while slot is not None:
            found = slot.column(node.id)
            if found is not None:
                return found
            slot = slot.outer
        return self.world.name(node.id, node.type)

    def _ambient(self, name: str) -> Term:
        if name == "today":
            return Term(z3.IntVal(self.world.today.toordinal()))
        return self.world.submitted_on() if name == "submitted_on" else self.world.channel()

    # -- logic ---------------------------------------------------------------------------------------------------------

    def _compare(self, node: Compare, row: SymbolicRow | None) -> Term:
        aged = self._age_compared(node, row)
        if aged is not None:
            return aged
        left, right = self._sides(node.left, node.right, row)
        return Term(all_of(left.answered, right.answered, _SIGNS[node.sign](left.value, right.value)))

    def _sides(self, left: Node, right: Node, row: SymbolicRow | None) -> tuple[Term, Term]:
        """Two terms to compare. A text beside a time is read as a time."""
        timed = "time" in (left.type.kind, right.type.kind)
        found = []
        for one in (left, right):
            if timed and isinstance(one, Constant):
                found.append(self.constant(one.value, "time"))
            else:
                found.append(self.term(one, row))
        must_be_plain(*found)
        return found[0], found[1]

    def _age_compared(self, node: Compare, row: SymbolicRow | None) -> Term | None:
        """`age(birth) < 18` as bounds of the birth date, for `age` of today and a whole number."""
        match node.left, node.right:
            case FunctionCall(function="age", arguments=(birth,)), Constant(value=int(years)) if not isinstance(
                years, bool
            ):
                born = self.term(birth, row)
            case _:
                return None
        reached, passed = (age_limit(self.world.today, count) for count in (years, years + 1))
        formula = {
            ">=": born.value <= reached, "<": born.value > reached, ">": born.value <= passed,
            "<=": born.value > passed, "==": z3.And(born.value <= reached, born.value > passed),
            "!=": z3.Or(born.value > reached, born.value <= passed),
        }[node.sign]  # fmt: skip
        return Term(all_of(born.answered, formula))

    def _one_of(self, node: OneOf, row: SymbolicRow | None) -> Term:
        item = self.term(node.item, row)
        must_be_plain(item)
        found = any_of(*(item.value == self.constant(one, node.item.type.kind).value for one in node.among))
        return Term(all_of(item.answered, z3.Not(found) if node.negated else found))

    def _ticked(self, node: Ticked, row: SymbolicRow | None) -> Term:
        code, choices = self.term(node.code, row), self.term(node.choices, row)
        if not isinstance(choices.value, Mapping):
            raise NotExpressible("choices")
        found = any_of(
            *(all_of(code.value == self.world.codes.number(one), ticked) for one, ticked in choices.value.items())
        )
        return Term(all_of(code.answered, choices.answered, z3.Not(found) if node.negated else found))

    def _if(self, node: If, row: SymbolicRow | None) -> Term:
        condition = self.holds(node.condition, row)
        then, otherwise = self.term(node.then, row), self.term(node.otherwise, row)
        return either(condition, then, otherwise)

    # -- numbers, dates ------------------------------------------------------------------------------------------------

    def _arithmetic(self, node: Arithmetic, row: SymbolicRow | None) -> Term:
        left, right = self.term(node.left, row), self.term(node.right, row)
        both = all_of(left.answered, right.answered)
        if node.type.kind == "date":
            return self._shifted(node, left, right, both)
        must_be_plain(left, right)
        match node.operator:
            case "+":
                return Term(left.value + right.value, both)
            case "-":
                return Term(left.value - right.value, both)
            case "*":
                known = [z3.is_rational_value(z3.simplify(real(one.value))) for one in (left, right)]
                if not any(known):
                    self.world.mark("product")
                return Term(left.value * right.value, both)
        self.world.mark("product")
        below = real(right.value)
        return Term(real(left.value) / z3.If(below == 0, z3.RealVal(1), below), all_of(both, below != 0))

    def _shifted(self, node: Arithmetic, left: Term, right: Term, both: Z) -> Term:
        """A day moved by a span, or by the one of several that counts."""
        day, span = (right, left) if isinstance(left.value, tuple) else (left, right)
        if not isinstance(span.value, tuple):
            raise NotExpressible("span")
        value, there = day.value, NO
        for case in span.value:
            count = -case.count if node.operator == "-" else case.count
            moved, exists = self.calendar.moved(day.value, count, case.unit, case.working)
            value, there = z3.If(case.when, moved, value), z3.If(case.when, exists, there)
        return Term(z3.simplify(value), all_of(both, z3.simplify(there)))

    # -- functions -----------------------------------------------------------------------------------------------------

    def _call(self, node: FunctionCall, row: SymbolicRow | None) -> Term:
        name = node.function
        terms = [self.term(one, row) for one in node.arguments if name != "in_list" or one is not node.arguments[1]]
        there = all_of(*(one.answered for one in terms))
        if name == "answered":
            return Term(terms[0].answered)
        if name == "otherwise":
            both = either(terms[0].answered, terms[0], terms[1])
            return Term(both.value, any_of(terms[0].answered, terms[1].answered))
        if name in _SPANS:
            unit, working = _SPANS[name]
            return Term((SpanCase(YES, terms[0].value, unit, working),), there)
        must_be_plain(*terms)
        values = [one.value for one in terms]
        match name:
            case "min" | "max":
                return Term(extreme(values, name == "min"), there)
            case "round_down":
                return Term(floor(values[0]), there)
            case "round_up":
                return Term(-floor(-values[0]), there)
            case "length":
                return Term(self.world.length_of(node.arguments[0], values[0]), there)
            case "in_list":
                return self._in_list(node, terms[0])
            case "office_serving":
                return self._office_serving(terms[0])
            case "year" if node.arguments[0].type.kind != "date":
                return terms[0]
        return Term(*self._dated(name, values, there))

    def _dated(self, name: str, values: list[Z], there: Z) -> tuple[Z, Z]:
        calendar = self.calendar
        match name:
            case "age":
                at = values[1] if len(values) > 1 else z3.IntVal(self.world.today.toordinal())
                return calendar.age(values[0], at), there
            case "year":
                return calendar.parts(values[0]).year, there
            case "month":
                return calendar.parts(values[0]).month, there
            case "date":
                value, exists = calendar.date(*values)
                return value, all_of(there, exists)
            case "days_between":
                return values[1] - values[0], there
            case "months_between":
                return calendar.months_between(values[0], values[1]), there
        raise NotExpressible(name)

    def _in_list(self, node: FunctionCall, item: Term) -> Term:
        listed = node.arguments[1]
        codes = self.world.listed(str(listed.value)) if isinstance(listed, Constant) else frozenset()
        found = any_of(*(item.value == self.world.codes.number(code) for code in sorted(codes)))
        return Term(found, item.answered)

    def _office_serving(self, place: Term) -> Term:
        """The office of each known place. Other places have none."""
        serving: dict[str, list[Z]] = {}
        for code in sorted(self.world.places()):
            office = self.world.office_serving(code)
            if office is not None:
                serving.setdefault(office, []).append(place.value == self.world.codes.number(code))
        value = z3.IntVal(-1)
        for office, places in serving.items():
            value = z3.If(any_of(*places), z3.IntVal(self.world.codes.number(office)), value)
        return Term(value, all_of(place.answered, value != -1))

    # -- tables --------------------------------------------------------------------------------------------------------

    def _lookup(self, table: Table, keys: list[Term]) -> Term:
        """A table as one case for each row."""
        must_be_plain(*keys)
        found = self._cell(table, list(table.rows), keys, 0)
        return Term(found.value, all_of(found.answered, *(key.answered for key in keys)))

    def _cell(self, table: Table, rows: list[tuple[Value, ...]], keys: list[Term], at: int) -> Term:
        if at == len(keys):
            return self.constant(table.rows[rows[0]], table.gives.kind)
        key = table.keys[at]
        found = self.constant(table.otherwise, table.gives.kind)
        groups: dict[Any, list[tuple[Value, ...]]] = {}
        for row in rows:
            groups.setdefault(row[at], []).append(row)
        starts = sorted(groups) if key.from_ else list(groups)
        for start in starts:
            written = self.constant(start, key.type.kind).value
            inside = keys[at].value >= written if key.from_ else keys[at].value == written
            found = either(inside, self._cell(table, groups[start], keys, at + 1), found)
        return found

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _over(self, node: Over, row: SymbolicRow | None) -> Term:
        rows = self.term(node.rows, row)
        if not isinstance(rows.value, tuple):
            raise NotExpressible("rows")
        slots = [SymbolicRow(one.present, one.column, one.outer or row, one.key) for one in rows.value]
        if node.body is None:
            return Term(counted(slot.present for slot in slots))
        match node.function:
            case "any":
                return Term(any_of(*(all_of(one.present, self.holds(node.body, one)) for one in slots)))
            case "all":
                return Term(all_of(*(z3.Implies(one.present, self.holds(node.body, one)) for one in slots)))
            case "count":
                return Term(counted(all_of(one.present, self.holds(node.body, one)) for one in slots))
        found = [(slot.present, self.term(node.body, slot)) for slot in slots]
        must_be_plain(*(term for _, term in found))
        if node.function == "sum":
            parts = [z3.If(all_of(there, term.answered), term.value, ZERO) for there, term in found]
            return Term(z3.Sum(*parts) if len(parts) > 1 else parts[0] if parts else ZERO)
        return outermost(found, node.function == "least")
