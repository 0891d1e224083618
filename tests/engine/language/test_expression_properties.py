"""What holds of any text and of any answers: nothing raises, nothing grows, the rules of emptiness are exact."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.problems import Position
from engine.core.values import Span
from engine.language.expressions.compiler import tree
from engine.language.expressions.functions import LARGEST, add_months, months_between
from engine.language.expressions.nodes import walk
from engine.language.expressions.parser import Definition, Vocabulary, parse_expression, rename_names
from engine.model.types import (
    DATE,
    DECIMAL,
    INTEGER,
    MONEY,
    TEXT,
    YES_NO,
    Expression,
    History,
    Scope,
    TableType,
    Type,
    Value,
)
from tests.effort import tries
from tests.engine.language.expression_json import to_plain

HERE = Position("f.yaml", 1, 1)
COLUMNS = {"h": INTEGER, "q": YES_NO, "k": Type("choice", frozenset({"a", "b"}))}
NAMES = {
    "i": INTEGER,
    "j": INTEGER,
    "x": DECIMAL,
    "m": MONEY,
    "d": DATE,
    "e": DATE,
    "s": TEXT,
    "b": YES_NO,
    "c": Type("choice", frozenset({"a", "b"})),
    "p": Type("choices", frozenset({"a", "b"})),
    "g": Type("rows", row=COLUMNS),
}
WORDS = Vocabulary(
    names=NAMES,
    definitions={"old": Definition("age(d) > 18")},
    lists={"l": frozenset({"a"})},
    tables={"t": TableType((INTEGER,), MONEY)},
    tasks=frozenset({"w"}),
    appointments=frozenset({"v"}),
    acts=frozenset({"r"}),
    maybe_empty=frozenset(NAMES),
)
quick = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
deep = settings(max_examples=tries(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])


# -- expressions that are well typed, by construction --------------------------------------------------------------------


def grow(leaves: dict[str, st.SearchStrategy[str]], depth: int) -> dict[str, st.SearchStrategy[str]]:
    """Texts of each kind, one level deeper."""
    if depth == 0:
        return leaves
    one = grow(leaves, depth - 1)
    number = one["integer"] | one["decimal"]

    def form(pattern: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.tuples(*parts).map(lambda found: pattern.format(*found))

    signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    yes_no = (
        form("({} {} {})", one["yes_no"], st.sampled_from(["and", "or"]), one["yes_no"])
        | form("(not {})", one["yes_no"])
        | form("({} {} {})", number, signs, number)
        | form("({} {} {})", one["date"], signs, one["date"])
        | form("(c {} {})", st.sampled_from(["==", "!="]), st.sampled_from(["'a'", "'b'"]))
        | form("({} {} ['a', 'b'])", st.just("c"), st.sampled_from(["in", "not in"]))
        | form("('a' {} p)", st.sampled_from(["in", "not in"]))
        | form("{}(g, {})", st.sampled_from(["any", "all"]), st.sampled_from(["q", "h > 2", "k != 'a' and b", "h < i"]))
        | form("answered({})", one["integer"] | one["date"])
    )
    integer = (
        form("({} {} {})", one["integer"], st.sampled_from(["+", "-", "*"]), one["integer"])
        | form("({} if {} else {})", one["integer"], one["yes_no"], one["integer"])
        | form("round_{}({})", st.sampled_from(["up", "down"]), number)
        | form("age({})", one["date"])
        | form("{}_between({}, {})", st.sampled_from(["days", "months"]), one["date"], one["date"])
        | form("{}({}, {})", st.sampled_from(["min", "max", "otherwise"]), one["integer"], one["integer"])
        | form("{}(g, h)", st.sampled_from(["sum", "least", "most"]))
        | form("count(g, {})", st.sampled_from(["q", "h == i"]))
    )
    decimal = form("({} {} {})", number, st.sampled_from(["/", "*"]), one["decimal"]) | form("(-{})", one["decimal"])
    moment = form(
        "({} {} {}({}))",
        one["date"],
        st.sampled_from("+-"),
        st.sampled_from(["days", "weeks", "months", "years", "working_days"]),
        one["integer"],
    ) | form("date({}, {}, {})", one["integer"], one["integer"], one["integer"])
    return {
        "yes_no": leaves["yes_no"] | yes_no,
        "integer": leaves["integer"] | integer,
        "decimal": leaves["decimal"] | decimal,
        "date": leaves["date"] | moment,
    }


LEAVES = {
    "yes_no": st.sampled_from(["b", "old", "true", "false", "done(w)", "in_list(c, 'l')"]),
    "integer": st.sampled_from(["i", "j", "length(s)", "year(d)"]) | st.integers(0, 10**15).map(str),
    "decimal": st.sampled_from(["x", "0.5", "3.333"]),
    "date": st.sampled_from(["d", "e", "today"]),
}
TYPED = grow(LEAVES, 3)
well_typed = TYPED["yes_no"] | TYPED["integer"] | TYPED["decimal"] | TYPED["date"]

odd: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-5, 40),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.text(max_size=3),
    st.dates(),
    st.builds(Span, st.integers(-(10**9), 10**9), st.sampled_from(["day", "month", "hour", "aeon"]), st.booleans()),
    st.just(()),
    st.just(("a",)),
    st.just(({"h": 1, "q": True, "k": "a"}, {"h": None}, {"h": "x", "q": 3})),
    st.just((1, None)),
)  # type: ignore[arg-type]
honest = {
    "i": st.integers(-50, 50),
    "j": st.integers(0, 3000),
    "x": st.decimals(-1000, 1000, places=2),
    "m": st.integers(0, 10**9),
    "d": st.dates(),
    "e": st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    "s": st.text(min_size=1, max_size=5),
    "b": st.booleans(),
    "c": st.sampled_from(["a", "b"]),
    "p": st.sampled_from([("a",), ("b",), ("a", "b")]),
    "g": st.lists(st.fixed_dictionaries({"h": st.none() | st.integers(0, 9), "q": st.booleans()}), max_size=4).map(tuple),
}  # fmt: skip
answers = st.fixed_dictionaries({}, optional={name: odd | honest[name] for name in NAMES})


def scope(values: dict[str, Value]) -> Scope:
    return Scope(
        values,
        date(2026, 11, 24),
        history=History(frozenset({"w"})),
        lists=WORDS.lists,
        add_working_days=lambda day, count: date.fromordinal(day.toordinal() + count),
        tables={"t": lambda key: key},
    )


def read(text: str, words: Vocabulary = WORDS) -> Expression:
    expression, problems = parse_expression(text, words, HERE)
    assert expression is not None, (text, problems)
    return expression


# -- any text --------------------------------------------------------------------------------------------------------------

SCRAPS = """( ) [ ] { } , . : ; == != < = + - * / ** % // @ ~ not and or in is if else lambda for await yield := i j x d s b
c p g old 'a' "b" f'{i}' b'x' 1 0.5 1e9 0x1 1_0 1j None True true today any( all( sum( age( min( t( done( *g **g k=1 # \\
é “ ﬁ ８ 9999999999999999""".split()  # noqa: SIM905  readable
scraps = st.lists(st.sampled_from([*SCRAPS, "\n", "\0"]), max_size=40).map(" ".join)
any_text = st.text(max_size=60) | scraps | well_typed


def never_raises(text: str) -> None:
    for expects in (None, MONEY, YES_NO):
        expression, problems = parse_expression(text, WORDS, HERE, expects)
        assert (expression is None) <= bool(problems)
        for one in problems:
            assert one.where.line == 1
            assert 1 <= one.where.column <= len(text) + 1
    assert isinstance(rename_names(text, {"i": "renamed"}), str)


@quick
@given(any_text)
def test_no_text_raises(text: str) -> None:
    never_raises(text)


@pytest.mark.fuzz
@pytest.mark.slow
@deep
@given(any_text)
def test_no_text_raises_deeply(text: str) -> None:
    never_raises(text)


# -- any answers -----------------------------------------------------------------------------------------------------------

KINDS: dict[str, Callable[[Value], bool]] = {
    "yes_no": lambda value: value is None or isinstance(value, bool),
    "integer": lambda value: value is None or (type(value) is int and abs(value) <= LARGEST),
    "decimal": lambda value: value is None or (isinstance(value, (int, Decimal)) and abs(value) <= LARGEST),
    "date": lambda value: value is None or isinstance(value, date),
}


def is_total(text: str, values: dict[str, Value]) -> None:
    expression, problems = parse_expression(text, WORDS, HERE)
    if expression is None:  # too long, at most: it was well typed
        assert {one.code for one in problems} <= {"E403", "V720"}
        return
    assert KINDS[expression.type.kind](expression.value(scope(values))), expression.value(scope(values))


@quick
@given(well_typed, answers)
def test_evaluation_is_total_and_typed(text: str, values: dict[str, Value]) -> None:
    is_total(text, values)


@pytest.mark.fuzz
@pytest.mark.slow
@deep
@given(well_typed, answers)
def test_evaluation_is_total_and_typed_deeply(text: str, values: dict[str, Value]) -> None:
    is_total(text, values)


@quick
@given(answers)
def test_not_equal_is_answered_and_not(values: dict[str, Value]) -> None:
    here = scope(values)
    assert read("c != 'a'").holds(here) is read("answered(c) and not c == 'a'").holds(here)
    assert read("i >= 3").holds(here) is read("answered(i) and not i < 3").holds(here)
    assert read("c not in ['a']").holds(here) is read("answered(c) and not c in ['a']").holds(here)
    if not read("answered(c)").holds(here):
        assert read("not c == 'a'").holds(here)
        assert not read("c != 'a'").holds(here)


@quick
@given(TYPED["yes_no"], answers)
def test_negation_has_two_values(text: str, values: dict[str, Value]) -> None:
    if len(text) > 400 or parse_expression(text, WORDS, HERE)[0] is None:
        return
    assert read(f"not ({text})").holds(scope(values)) is not read(text).holds(scope(values))


@quick
@given(TYPED["integer"], answers)
def test_a_definition_is_worth_its_text(text: str, values: dict[str, Value]) -> None:
    words = Vocabulary(
        names=NAMES,
        lists=WORDS.lists,
        tasks=WORDS.tasks,
        definitions={**WORDS.definitions, "it": Definition(text, HERE)},
    )
    direct = parse_expression(f"({text}) + 1", words, HERE)[0]
    named = parse_expression("it + 1", words, HERE)[0]
    if direct is not None and named is not None:
        assert tree(direct) == tree(named)
        assert direct.value(scope(values)) == named.value(scope(values))


@quick
@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), st.integers(0, 2))
def test_decimals_are_exact(left: int, right: int, places: int) -> None:
    one, other = Decimal(left).scaleb(-places), Decimal(right).scaleb(-places)
    here = scope({"x": one, "y": other})
    words = Vocabulary(names={"x": DECIMAL, "y": DECIMAL})
    for operator, worth in (("+", one + other), ("-", one - other)):
        assert read(f"x {operator} y", words).value(here) == worth
    product = Decimal(left * right).scaleb(-2 * places)
    assert read("x * y", words).value(here) == (product if abs(product) <= LARGEST else None)


@quick
@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_started_months_reach_the_day_and_no_further(start: date, end: date) -> None:
    start, end = min(start, end), max(start, end)
    count = months_between(start, end)
    reached, before = add_months(start, count), add_months(start, count - 1)
    assert reached is not None
    assert before is not None
    assert reached >= end
    assert before < end or count == 0


@quick
@given(TYPED["yes_no"])
def test_renaming_keeps_the_meaning(text: str) -> None:
    mapping = {name: f"pre_{name}" for name in NAMES if name not in ("g",)}
    words = Vocabulary(
        names={mapping.get(name, name): type_ for name, type_ in NAMES.items()},
        definitions={"old": Definition("age(pre_d) > 18")},
        lists=WORDS.lists,
        tasks=WORDS.tasks,
    )
    first = parse_expression(text, WORDS, HERE)[0]
    second = parse_expression(rename_names(text, mapping), words, HERE)[0]
    if first is not None and second is not None:
        assert second.names == {mapping.get(name, name) for name in first.names}
        assert len(list(walk(tree(second)))) == len(list(walk(tree(first))))


# -- what the browser is told ------------------------------------------------------------------------------------------


def in_the_browser(plain: object, values: dict[str, Value]) -> bool:
    """The documented meaning of the JSON form."""
    if isinstance(plain, bool):
        return plain
    assert isinstance(plain, list)
    word, *rest = plain
    if word in ("and", "or", "not"):
        found = [in_the_browser(one, values) for one in rest]
        return not found[0] if word == "not" else all(found) if word == "and" else any(found)
    value = values.get(rest[0])
    if value is None:
        return False
    if word in ("yes", "answered"):
        return value is True or word == "answered"
    if word in ("in", "out"):
        return (value in rest[1]) is (word == "in")
    if word == "has":
        return isinstance(value, tuple) and rest[1] in value
    tests = {"==": value == rest[1], "!=": value != rest[1]}
    if word not in tests:
        assert isinstance(value, int)
        tests |= {"<": value < rest[1], "<=": value <= rest[1], ">": value > rest[1], ">=": value >= rest[1]}
    return tests[word]


simple = st.recursive(
    st.sampled_from(
        [
            "b",
            "c == 'a'",
            "c != 'b'",
            "c in ['a']",
            "c not in ['a']",
            "'a' in p",
            "i > 3",
            "7 >= j",
            "answered(c)",
            "true",
        ]
    ),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map("({0[0]} {0[1]} {0[2]})".format)
        | inner.map("(not {})".format)
    ),
    max_leaves=6,
)


@quick
@given(simple, st.fixed_dictionaries({}, optional=honest))
def test_the_browser_agrees_with_the_server(text: str, values: dict[str, Value]) -> None:
    expression = read(text)
    plain = to_plain(expression)
    assert plain is not None
    assert in_the_browser(plain, values) is expression.holds(scope(values))


# -- bounds ----------------------------------------------------------------------------------------------------------------


def test_rows_upon_rows_give_up_and_are_empty() -> None:
    rows = tuple({"h": n} for n in range(300))
    nested = "any(g, " * 6 + "h > 1000" + ")" * 6
    begun = time.perf_counter()
    assert read(f"not {nested}").value(scope({"g": rows})) is None
    assert time.perf_counter() - begun < 0.5
    assert read("sum(g, h)").value(scope({"g": rows})) == sum(range(300))


def test_long_shifts_of_days_are_empty() -> None:
    assert read("d + working_days(j)").value(scope({"d": date(2026, 1, 1), "j": 10**9})) is None
    assert read("d + years(j)").value(scope({"d": date(2026, 1, 1), "j": 10**12})) is None
