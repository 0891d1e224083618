"""The solver's terms say what our evaluator says: on any well-typed expression, with any answers, there or not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

z3 = pytest.importorskip("z3")

from engine.language.compiler.tables import table_function  # noqa: E402
from engine.language.expressions.compiler import tree  # noqa: E402
from engine.language.expressions.nodes import Node  # noqa: E402
from engine.language.expressions.parser import parse_expression  # noqa: E402
from engine.model import Key, Table  # noqa: E402
from engine.model.types import INTEGER, MONEY, Expression, History, Scope, Type, Value  # noqa: E402
from engine.prover.solver.encoding import Codes, SymbolicRow, Term  # noqa: E402
from engine.prover.solver.terms import Terms  # noqa: E402
from tests.effort import tries  # noqa: E402
from tests.engine.language.test_expression_properties import COLUMNS, HERE, NAMES, WORDS, grow  # noqa: E402

TODAY = date(2027, 2, 28)
TABLE = Table(id="t", keys=(Key(INTEGER, from_=True),), gives=MONEY, rows={(0,): 5, (10,): 10, (1100,): None})
LEAVES = {
    "yes_no": st.sampled_from(["b", "old", "true", "false", "done(w)", "in_list(c, 'l')", "t(i) > 5", "s == 'abc'"]),
    "integer": st.sampled_from(["i", "j", "length(s)", "year(d)", "month(e)"]) | st.integers(0, 3000).map(str),
    "decimal": st.sampled_from(["x", "0.5", "3.25"]),
    "date": st.sampled_from(["d", "e", "today", "date(2024, 2, 29)"]),
}
TYPED = grow(LEAVES, 2)
days = st.dates(date(1890, 1, 1), date(2110, 12, 31)) | st.sampled_from([date(2008, 2, 29), date(2027, 2, 28)])
ANSWERS = {
    "i": st.integers(-50, 50),
    "j": st.integers(0, 3000),
    "x": st.decimals(-1000, 1000, places=2),
    "m": st.integers(0, 10**6),
    "d": days,
    "e": days,
    "s": st.sampled_from(["abc", "ab", "x"]),
    "b": st.booleans(),
    "c": st.sampled_from(["a", "b"]),
    "p": st.sampled_from([("a",), ("b",), ("a", "b")]),
    "g": st.lists(
        st.fixed_dictionaries({
            "h": st.none() | st.integers(-3, 5), "q": st.none() | st.booleans(), "k": st.none() | st.sampled_from("ab"),
        }), min_size=1, max_size=3,
    ).map(tuple),
}  # fmt: skip


class Given:
    """A world whose answers are known."""

    def __init__(self, answers: Mapping[str, Value], done: bool) -> None:
        self.codes, self.today, self.answers, self.done = Codes(), TODAY, answers, done
        self.formulas: list[Any] = []
        self.terms = Terms(self)

    def name(self, name: str, type_: Type) -> Term:
        value = self.answers.get(name)
        if type_.kind == "rows":
            return self.rows(value if isinstance(value, tuple) else ())
        if type_.kind == "choices":
            ticked = value if isinstance(value, tuple) else ()
            return Term(
                {code: z3.BoolVal(code in ticked) for code in sorted(type_.codes or ())}, z3.BoolVal(bool(value))
            )
        return self.terms.constant(value, type_.kind)

    def rows(self, rows: tuple[Any, ...]) -> Term:
        def slot(row: Mapping[str, Value]) -> SymbolicRow:
            return SymbolicRow(
                z3.BoolVal(True),
                lambda name: self.terms.constant(row.get(name), COLUMNS[name].kind) if name in COLUMNS else None,
            )

        return Term(tuple(slot(row) for row in rows), z3.BoolVal(bool(rows)))

    def submitted_on(self) -> Term:
        return self.terms.constant(TODAY, "date")

    def channel(self) -> Term:
        return self.terms.constant("web", "choice")

    def happened(self, function: str, name: str) -> Term:
        return Term(z3.BoolVal(self.done) if function == "done" else z3.IntVal(0))

    def table(self, name: str) -> Table:
        return TABLE

    def listed(self, name: str) -> frozenset[str]:
        return frozenset({"a"})

    def office_serving(self, place: str) -> str | None:
        return None

    def places(self) -> frozenset[str]:
        return frozenset()

    def working_days(self, day: date, count: int) -> date | None:
        return None

    def given(self, formula: Any) -> None:
        self.formulas.append(formula)

    def mark(self, kind: str) -> None:
        pass

    def length_of(self, node: Node, value: Any) -> Any:
        return z3.IntVal(len(self.codes.text(value.as_long()) or "") if z3.is_int_value(value) else 0)


def solved(expression: Expression, answers: Mapping[str, Value], done: bool) -> tuple[bool, Any]:
    """What the solver makes of it: whether it is there, and its value."""
    world = Given(answers, done)
    term = world.terms.term(tree(expression))
    solver = z3.Solver()
    solver.add(*world.formulas)
    assert solver.check() == z3.sat
    model = solver.model()
    return z3.is_true(model.eval(term.answered, True)), model.eval(term.value, True)


def read(value: Any, like: Value) -> Value:
    if isinstance(like, bool):
        return bool(z3.is_true(value))
    if isinstance(like, date):
        return date.fromordinal(value.as_long())
    if isinstance(like, int):
        return int(value.as_long())
    found = z3.simplify(z3.ToReal(value) if z3.is_int(value) else value)
    return Decimal(found.numerator_as_long()) / Decimal(found.denominator_as_long())


def agree(text: str, answers: Mapping[str, Value], done: bool) -> None:
    expression, problems = parse_expression(text, WORDS, HERE)
    assume(expression is not None and not [one for one in problems if one.is_error])
    assert expression is not None
    scope = Scope(
        answers, TODAY, history=History(frozenset({"w"} if done else ())), lists={"l": frozenset({"a"})},
        submitted_on=TODAY, tables={"t": table_function(TABLE)},
    )  # fmt: skip
    ours = expression.value(scope)
    answered, value = solved(expression, answers, done)
    assert answered == (ours is not None), f"{text}: {ours!r}"
    if ours is not None:
        assert read(value, ours) == ours


GIVEN = st.fixed_dictionaries({name: st.none() | one for name, one in ANSWERS.items()})
WELL_TYPED = TYPED["yes_no"] | TYPED["integer"] | TYPED["decimal"] | TYPED["date"]
EXACT = WELL_TYPED.filter(lambda text: "/" not in text and "working_days" not in text)
usual = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@usual
@given(EXACT, GIVEN, st.booleans())
def test_the_solver_reads_an_expression_as_we_do(text: str, answers: dict[str, Value], done: bool) -> None:
    agree(text, answers, done)


@pytest.mark.fuzz
@pytest.mark.slow
@settings(usual, max_examples=tries(200))
@given(EXACT, GIVEN, st.booleans())
def test_the_solver_reads_many_expressions_as_we_do(text: str, answers: dict[str, Value], done: bool) -> None:
    agree(text, answers, done)


@pytest.mark.parametrize("text", [
    "age(d) < 18", "age(d) >= 18", "age(d) == 18", "age(d) != 18", "age(d) <= 0", "age(d) > 200", "age(d, e) >= 18",
    "d + months(1)", "d - months(13)", "d + years(4)", "months_between(d, e)", "months_between(e, d)",
    "date(year(d), month(d), 31)", "days_between(d, e)", "d + weeks(2) < e", "year(d) * 12 + month(d)",
])  # fmt: skip
@settings(usual, max_examples=60)
@given(days, days)
def test_the_calendar_is_exact(text: str, first: date, second: date) -> None:
    agree(text, {"d": first, "e": second}, False)


def test_every_name_has_answers() -> None:
    assert ANSWERS.keys() == NAMES.keys()
