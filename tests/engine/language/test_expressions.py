"""Expressions, told as tables: what is read, what it is worth, what is refused and where (language §13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from engine.core.problems import Position, Problem
from engine.core.values import Span
from engine.language.expressions.compiler import both, either, negate, tree
from engine.language.expressions.functions import FUNCTIONS
from engine.language.expressions.nodes import Name, needed_names, reads_a_row, walk
from engine.language.expressions.parser import Definition, Vocabulary, check_definitions, parse_expression, rename_names
from engine.language.expressions.typing import read_literal
from engine.model.types import (
    DATE,
    DECIMAL,
    FALSE,
    INTEGER,
    MONEY,
    SPAN,
    TEXT,
    TRUE,
    YES_NO,
    Expression,
    History,
    Scope,
    TableType,
    Type,
    Value,
    constant,
)
from tests.engine.language.expression_json import to_plain

TODAY = date(2026, 11, 24)
HERE = Position("f.yaml", 7, 11)


def choice(*codes: str) -> Type:
    return Type("choice", frozenset(codes))


DEVICES: Mapping[str, Type] = {"power": INTEGER, "kind": choice("lamp", "oven"), "bought": DATE, "price": MONEY}
PEOPLE: Mapping[str, Type] = {"first_name": TEXT, "born": DATE, "devices": Type("rows", row=DEVICES)}
NAMES: Mapping[str, Type] = {
    "status": choice("tenant", "owner"),
    "other_status": choice("tenant", "owner"),
    "sewer": YES_NO,
    "rooms": INTEGER,
    "floors": INTEGER,
    "area": DECIMAL,
    "rate": Type("percent"),
    "price": MONEY,
    "birth": DATE,
    "arrival": DATE,
    "around": Type("partial_date"),
    "at_hour": Type("time"),
    "town": Type("choice"),
    "remark": TEXT,
    "papers": Type("choices", frozenset({"deed", "plan"})),
    "people": Type("rows", row=PEOPLE),
    "plan_file": Type("file"),
}
WORDS = Vocabulary(
    names=NAMES,
    definitions={"minor": Definition("age(birth) < 18"), "most_rooms": Definition(12)},
    lists={"ecowas": frozenset({"gha", "ben"})},
    tables={"tariff": TableType((choice("tenant", "owner"), INTEGER), MONEY)},
    tasks=frozenset({"survey"}),
    appointments=frozenset({"visit"}),
    acts=frozenset({"reject"}),
    elsewhere=frozenset(DEVICES) | frozenset(PEOPLE),
)
PERSON = {"first_name": "Afi", "born": date(2015, 5, 1), "devices": ({"power": 60, "kind": "lamp"}, {"power": 2000})}
ANSWERS: Mapping[str, Value] = {
    "status": "tenant",
    "sewer": True,
    "rooms": 3,
    "area": Decimal("12.5"),
    "rate": Decimal("0.1"),
    "price": 1000,
    "birth": date(2008, 11, 25),
    "arrival": date(2027, 1, 31),
    "around": "1960",
    "at_hour": "09:30",
    "town": "lome",
    "remark": "égout",
    "papers": ("deed",),
    "people": (PERSON, {"first_name": "Kofi", "devices": ()}, {"first_name": "Ama", "born": date(1990, 1, 1)}),
}


def working_days(day: date, count: int) -> date:
    step = timedelta(days=1 if count > 0 else -1)
    for _ in range(abs(count)):
        day += step
        while day.weekday() > 4:
            day += step
    return day


def scope(**answers: Value) -> Scope:
    return Scope(
        {**ANSWERS, **answers},
        TODAY,
        history=History(frozenset({"survey"}), {"visit": 2}, {"reject": 1}),
        lists=WORDS.lists,
        submitted_on=date(2026, 11, 20),
        add_working_days=working_days,
        office_serving={"lome": "office_lome"}.get,
        tables={"tariff": lambda status, rooms: 500 * rooms if status == "tenant" else None},
    )


def read(text: object, words: Vocabulary = WORDS, expects: Type | None = None) -> Expression:
    expression, problems = parse_expression(text, words, HERE, expects)  # type: ignore[arg-type]
    assert expression is not None, problems
    assert not [one for one in problems if one.is_error], problems
    return expression


def problems_of(text: object, words: Vocabulary = WORDS, expects: Type | None = None) -> list[Problem]:
    return parse_expression(text, words, HERE, expects)[1]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("status == 'tenant'", True),
        ("status != 'tenant'", False),
        ("status in ['owner', 'tenant']", True),
        ("status not in ['owner']", True),
        ("status == other_status", False),
        ("'deed' in papers", True),
        ("'plan' not in papers", True),
        ("remark == 'égout'", True),
        ("sewer and rooms > 2", True),
        ("sewer and not rooms > 2", False),
        ("1 < rooms <= 3", True),
        ("3 < rooms <= 5", False),
        ("at_hour < '10:00'", True),
        ("rooms + 2 * 3", 9),
        ("-rooms", -3),
        ("area * 0.1", Decimal("1.25")),
        ("0.1 + 0.2 == 0.3", True),
        ("rooms / 2", Decimal("1.5")),
        ("1 / 3 * 3", Decimal("0.9999999999999999999999999999")),
        ("price * rooms", 3000),
        ("price * 0.333", Decimal("333.000")),
        ("round_up(price * 0.3331)", 334),
        ("round_down(price * 0.3339)", 333),
        ("round_up(-0.5)", 0),
        ("price > 999.5", True),
        ("price / 3 > 333", True),
        ("'few' if rooms < 5 else 'many'", "few"),
        ("status if sewer else 'owner'", "tenant"),
        ("age(birth)", 17),
        ("age(birth, arrival)", 18),
        ("minor", True),
        ("rooms < most_rooms", True),
        ("year(birth)", 2008),
        ("year(around)", 1960),
        ("month(birth)", 11),
        ("date(2026, 2, 28) + days(1)", date(2026, 3, 1)),
        ("date(2026, rooms - 1, 29)", None),
        ("days_between(today, arrival)", 68),
        ("months_between(date(2026, 1, 1), date(2026, 2, 1))", 1),
        ("months_between(date(2026, 1, 1), date(2026, 2, 2))", 2),
        ("months_between(date(2026, 1, 31), date(2026, 2, 28))", 1),
        ("months_between(date(2026, 2, 2), date(2026, 1, 1))", -2),
        ("arrival + months(1)", date(2027, 2, 28)),
        ("months(1) + arrival", date(2027, 2, 28)),
        ("arrival - years(3)", date(2024, 1, 31)),
        ("date(2024, 2, 29) + years(1)", date(2025, 2, 28)),
        ("arrival - weeks(1)", date(2027, 1, 24)),
        ("today + working_days(4)", date(2026, 11, 30)),
        ("today <= arrival", True),
        ("submitted_on + days(4) == today", True),
        ("channel == 'web'", True),
        ("min(rooms, 2, 5)", 2),
        ("max(birth, arrival)", date(2027, 1, 31)),
        ("min(price, 500)", 500),
        ("length(remark)", 5),
        ("answered(remark)", True),
        ("answered(floors)", False),
        ("otherwise(floors, 1)", 1),
        ("otherwise(status, 'owner')", "tenant"),
        ("in_list('gha', 'ecowas')", True),
        ("in_list(town, 'ecowas')", False),
        ("office_serving(town)", "office_lome"),
        ("tariff(status, rooms)", 1500),
        ("tariff('owner', 1)", None),
        ("count(people)", 3),
        ("count(people, age(born) < 18)", 1),
        ("any(people, first_name == 'Afi')", True),
        ("all(people, answered(born))", False),
        ("any(people, any(devices, power > 1000))", True),
        ("any(people, any(devices, power > 20 * rooms and first_name == 'Afi'))", True),
        ("sum(people, count(devices))", 2),
        ("sum(people, sum(devices, power))", 2060),
        ("least(people, born)", date(1990, 1, 1)),
        ("most(people, length(first_name))", 4),
        ("done(survey) and missed(visit) >= 2 and taken(reject) == 1", True),
        ("(\n  sewer and\n  rooms == 3\n)", True),
        ("true", True),
        ("2026-01-31", date(2026, 1, 31)),
        ("3 working days", Span(3, "day", True)),
    ],
)
def test_worth(text: str, worth: Value) -> None:
    found = read(text).value(scope())
    assert found == worth
    assert type(found) is type(worth)


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        # any comparison with an empty side is false, != and not in included
        ("status == 'owner'", False),
        ("status != 'owner'", False),
        ("status not in ['owner']", False),
        ("'deed' not in papers", False),
        ("rooms < 5", False),
        ("rooms >= 5", False),
        ("status == other_status", False),
        # so `not x == 'a'` is not `x != 'a'`
        ("not status == 'owner'", True),
        ("not sewer", True),
        ("sewer or true", True),
        # arithmetic and functions on empty give empty
        ("rooms + 1", None),
        ("-rooms", None),
        ("age(birth)", None),
        ("min(rooms, 3)", None),
        ("length(remark)", None),
        ("arrival + days(1)", None),
        ("tariff(status, 3)", None),
        ("office_serving(town)", None),
        ("in_list(town, 'ecowas')", False),
        ("otherwise(rooms, 0) + 1", 1),
        ("1 if sewer else 2", 2),
        # rows: nothing there
        ("any(people, born < today)", False),
        ("all(people, born < today)", True),
        ("count(people)", 0),
        ("sum(people, age(born))", 0),
        ("least(people, born)", None),
        ("most(people, age(born))", None),
    ],
)
@pytest.mark.parametrize("blank", [None, "", (), "absent"])
def test_emptiness(text: str, worth: Value, blank: Value) -> None:
    nothing = {} if blank == "absent" else dict.fromkeys(NAMES, blank)
    empty = Scope(nothing, TODAY, tables=scope().tables)
    found = read(text).value(empty)
    if found is None:
        found = False if worth is False else None
    assert found == worth


def test_row_functions_skip_what_is_empty() -> None:
    answers = scope(people=({"born": None}, {"born": date(2000, 1, 1)}, {}))
    assert read("count(people, born < today)").value(answers) == 1
    assert read("sum(people, age(born))").value(answers) == 26
    assert read("least(people, age(born))").value(answers) == 26
    assert read("all(people, born < today)").value(answers) is False


def test_a_name_is_the_rows_then_the_outer_rows_then_the_forms() -> None:
    words = WORDS.inside(PEOPLE).inside(DEVICES)
    expression = read("power > 50 and first_name == 'Afi' and rooms == 3", words)
    person = scope().inside(PERSON)
    assert [expression.holds(person.inside(device)) for device in PERSON["devices"]] == [True, True]
    assert not expression.holds(scope().inside({"first_name": "Kofi"}).inside({"power": 60}))
    assert expression.names == {"power", "first_name", "rooms"}
    assert reads_a_row(tree(expression))


def test_names_are_those_of_the_place() -> None:
    expression = read("any(people, age(born) < rooms) and otherwise(area, 0) > 1 and sewer")
    assert expression.names == {"people", "rooms", "area", "sewer"}
    assert needed_names(tree(expression)) == {"sewer"}
    assert not reads_a_row(tree(expression))
    assert read("minor and done(survey) and today > arrival").names == {"birth", "arrival"}


@pytest.mark.parametrize(
    ("text", "code", "column", "width"),
    [
        ("", "E401", 11, 1),
        ("status ==", "E401", 19, 1),
        ("status = 'tenant'", "E401", 18, 1),
        ("sewer et sewer", "E401", 17, 2),
        ("status == ‘tenant’", "E401", 21, 1),
        ("rooms => 3", "E401", 17, 2),
        ("rooms == 1 000", "E401", 20, 5),
        ("arrival > today + 15 days", "E401", 29, 7),
        ("arrival > 2026-01-01", "E401", 21, 10),
        ("(rooms > 3", "E401", 11, 1),
        ("remark == 'abc", "E401", 21, 1),
        ("class == 3", "E401", 11, 5),
        ("\0", "E401", 11, 1),
        ("rooms == 0x1F", "E402", 20, 4),
        ("rooms ** 2", "E402", 11, 10),
        ("rooms % 2 == 1", "E402", 11, 9),
        ("status.upper", "E402", 11, 12),
        ("people[0]", "E402", 11, 9),
        ("[r for r in people]", "E402", 11, 19),
        ("lambda: 1", "E402", 11, 9),
        ("f'{rooms}'", "E402", 11, 10),
        ("sewer is true", "E402", 11, 13),
        ("round_up(number=1)", "E402", 27, 1),
        ("status == ''", "E402", 21, 2),
        ("remark == 'a\\n'", "E402", 21, 5),
        ("rooms == None", "E402", 20, 4),
        ("sewer # comment", "E402", 17, 1),
        ("'é' == remark.lower()", "E402", 18, 14),
        ("rooms == 1" + " or rooms == 1" * 60, "E403", 11, 1),
        ("(" + "not " * 101 + "sewer)", "E403", 11, 411),
        ("rooms < 1000000000000001", "E403", 19, 16),
        ("ages(birth) > 3", "E404", 11, 4),
        ("age()", "E405", 11, 5),
        ("min(rooms)", "E405", 11, 10),
        ("tariff(status)", "E405", 11, 14),
        ("rooms + 'a'", "E410", 11, 11),
        ("price + rooms", "E410", 11, 13),
        ("price * price", "E410", 11, 13),
        ("birth - arrival", "E410", 11, 15),
        ("birth + 3", "E410", 11, 9),
        ("days(3) - birth", "E410", 11, 15),
        ("sewer < true", "E410", 11, 12),
        ("people == people", "E410", 11, 16),
        ("rooms == 'three'", "E410", 11, 16),
        ("rooms and sewer", "E410", 11, 5),
        ("not rooms", "E410", 15, 5),
        ("age(rooms) < 3", "E410", 15, 5),
        ("max(sewer, sewer)", "E410", 22, 5),
        ("rooms if sewer else status", "E410", 11, 26),
        ("arrival > '2026-01-01'", "E410", 11, 22),
        ("rooms in rooms", "E410", 20, 5),
        ("any(rooms, sewer)", "E410", 15, 5),
        ("any(people, age(born))", "E410", 23, 9),
        ("tariff(rooms, 1)", "E410", 18, 5),
        ("status == 'tennant'", "E411", 21, 9),
        ("'tenant' == status or status in ['owner', 'x']", "E411", 53, 3),
        ("'deeds' in papers", "E411", 11, 7),
        ("otherwise(status, 'x')", "E411", 29, 3),
        ("tariff('x', 1)", "E411", 18, 3),
        ("channel == 'fax'", "E411", 22, 5),
        ("power > 3", "E412", 11, 5),
        ("any(people, power > 3)", "E412", 23, 5),
        ("statu == 'tenant'", "N301", 11, 5),
        ("remark == 'é' and rums > 3", "N301", 29, 4),
        ("in_list(town, 'cedeao')", "N304", 25, 8),
        ("tariff == 3", "N305", 11, 6),
        ("done(reject)", "N305", 16, 6),
        ("survey and sewer", "N305", 11, 6),
        ("done(surveys)", "N301", 16, 7),
    ],
)
def test_refused_at_its_place(text: str, code: str, column: int, width: int) -> None:
    expression, problems = parse_expression(text, WORDS, HERE)
    assert expression is None
    assert [(one.code, one.where) for one in problems] == [(code, Position("f.yaml", 7, column, width))]


def test_every_fault_of_a_text_is_said_at_once() -> None:
    found = problems_of("statu == 'tenant' and rooms + 'a' > 2 and foo(1)")
    assert [one.code for one in found] == ["N301", "E410", "E404"]


@pytest.mark.parametrize(
    ("day", "part", "column", "put"),
    [
        ("2026, 2, 30", "end", 35, 28),
        ("2028, 2, 30", "end", 35, 29),
        ("year(birth), 2, 30", "end", 42, 29),  # no year has it
        ("2026, 4, 31", "end", 35, 30),
        ("2026, 13, 1", "month", 32, None),
        ("rooms, 4, 0", "day", 36, None),
        ("0, 4, 1", "year", 26, None),
    ],
)
def test_a_written_date_exists(day: str, part: str, column: int, put: int | None) -> None:
    """It would be empty for ever. The value keeps that meaning, so that a kept text is still compiled."""
    expression, [one] = parse_expression(f"arrival < date({day})", WORDS, HERE)
    assert (one.code, one.facts["part"], one.where.column, one.facts.get("put")) == ("E406", part, column, put)
    assert expression is not None
    assert expression.value(scope(arrival=date(2026, 1, 1))) is not True
    assert (one.is_error, one.prevents_building) == (True, False)


@pytest.mark.parametrize("day", ["2028, 2, 29", "year(birth), 2, 29", "2026, 12, 31", "2026, rooms, 31"])
def test_a_date_that_may_exist_is_not_refused(day: str) -> None:
    assert problems_of(f"birth < date({day})") == []


@pytest.mark.parametrize(
    ("text", "put"),
    [
        ("statu == 'tenant'", "status"),
        ("status == 'tennant'", "'tenant'"),
        ("status = 'tenant'", "=="),
        ("rooms => 3", ">="),
    ],
)
def test_a_likely_repair_is_offered(text: str, put: str) -> None:
    assert [one.facts["put"] for one in problems_of(text)] == [put]


@pytest.mark.parametrize(
    ("written", "wanted", "worth"),
    [
        (500, MONEY, 500),
        ("500 * rooms", MONEY, 1500),
        ("20000 + 500 * rooms", MONEY, 21500),
        ("round_up(price * rate)", MONEY, 100),
        ("500 if sewer else price", MONEY, 500),
        ("sum(people, 100 * count(devices))", MONEY, 200),
        (3, DECIMAL, 3),
        (Decimal("0.5"), DECIMAL, Decimal("0.5")),
        (True, YES_NO, True),
        ("2026-01-31", DATE, date(2026, 1, 31)),
        ("today", DATE, TODAY),
        ("2 months", SPAN, Span(2, "month")),
        ("'owner' if sewer else status", choice("owner", "tenant", "guest"), "owner"),
    ],
)
def test_what_the_place_wants(written: object, wanted: Type, worth: Value) -> None:
    expression = read(written, expects=wanted)
    assert expression.value(scope()) == worth
    assert expression.type.kind == wanted.kind


@pytest.mark.parametrize(
    ("written", "wanted", "code"),
    [
        ("rooms", MONEY, "E413"),  # a number of rooms is no amount
        ("20000 + rooms", MONEY, "E413"),
        ("price * rate", MONEY, "E414"),
        ("price / 2", MONEY, "E414"),
        (Decimal("0.5"), MONEY, "E414"),
        (True, MONEY, "E413"),
        (500, YES_NO, "E413"),
        (None, YES_NO, "E413"),
        ([], YES_NO, "E413"),
        ("rooms", YES_NO, "E413"),
        ("2026-13-01", DATE, "S203"),
        ("2026-01-31", INTEGER, "E413"),
        ("2 months", DATE, "E413"),
        ("2 moons", SPAN, "S209"),
        ("'guest' if sewer else 'owner'", choice("owner", "tenant"), "E411"),
        ("remark", choice("owner"), "E413"),
        (10**16, INTEGER, "E403"),
    ],
)
def test_what_the_place_refuses(written: object, wanted: Type, code: str) -> None:
    assert [one.code for one in problems_of(written, expects=wanted)] == [code]


def test_a_span_or_a_date() -> None:
    for text, kind in (
        ("3 days", "span"),
        ("today + days(3)", "date"),
        ("2026-12-01", "date"),
        ("days(rooms)", "span"),
    ):
        expression, problems = parse_expression(text, WORDS, HERE, (SPAN, DATE))
        assert not problems
        assert expression is not None
        assert expression.type.kind == kind


def test_literals_where_a_type_is_known() -> None:
    assert read_literal("owner", choice("owner")) is not None
    assert read_literal("guest", choice("owner")) is None
    assert read_literal("1960-05", Type("partial_date")) is not None
    found = read_literal(["deed", "plan"], NAMES["papers"])
    assert found is not None
    assert found.value == ("deed", "plan")
    assert read_literal(["deed", 3], NAMES["papers"]) is None


# -- definitions -------------------------------------------------------------------------------------------------------


def test_a_definition_is_substituted() -> None:
    used, written = read("minor and sewer"), read("age(birth) < 18 and sewer")
    assert used.node == written.node
    assert used.names == {"birth", "sewer"}


def test_a_definition_over_a_row_is_usable_inside_that_row_only() -> None:
    at = Position("f.yaml", 3, 8)
    words = Vocabulary(
        names=NAMES, elsewhere=frozenset(PEOPLE), definitions={"child": Definition("age(born) < 18", at)}
    )
    assert read("count(people, child)", words).value(scope()) == 1
    assert read("child", words.inside(PEOPLE)).holds(scope().inside(PERSON))
    (found,) = problems_of("sewer and child", words)
    assert (found.code, found.where.column, found.facts["definition"]) == ("E412", 21, "child")
    assert check_definitions(words, (PEOPLE,)) == []
    assert [one.code for one in check_definitions(words)] == ["E412"]


def test_circles_are_refused() -> None:
    at = Position("f.yaml", 3, 8)
    words = Vocabulary(names=NAMES, definitions={"a": Definition("not b", at), "b": Definition("sewer and a", at)})
    (found,) = problems_of("a", words)
    assert (found.code, found.facts["circle"], found.where.column) == ("E420", ("a", "b", "a"), 18)
    assert {one.code for one in check_definitions(words)} == {"E420"}


def test_a_fault_of_a_definition_is_said_where_it_is_written() -> None:
    at = Position("f.yaml", 3, 8)
    words = Vocabulary(names=NAMES, definitions={"big": Definition("rums > 3", at)})
    (found,) = problems_of("big and big", words)
    assert (found.code, found.where) == ("N301", Position("f.yaml", 3, 8, 4))


def test_definitions_upon_definitions_stay_bounded() -> None:
    doubling = {"d0": Definition("rooms + 1")} | {f"d{n}": Definition(f"d{n - 1} + d{n - 1}") for n in range(1, 60)}
    found = problems_of("d59", Vocabulary(names=NAMES, definitions=doubling))
    assert {one.code for one in found} == {"E403"}
    chain = {"c0": Definition("rooms")} | {f"c{n}": Definition(f"-c{n - 1}") for n in range(1, 3000)}
    found = problems_of("c2999", Vocabulary(names=NAMES, definitions=chain))
    assert {one.code for one in found} == {"E403"}


# -- advice ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("not status == 'tenant'", ("status",)),
        ("not sewer", ("sewer",)),
        ("not minor", ("birth",)),
        ("rooms > 1 and not (sewer or status in ['owner'])", ("sewer", "status")),
        ("status != 'tenant'", None),
        ("not answered(status) or not status == 'tenant'", None),
        ("answered(status) and not status == 'tenant'", None),
        ("status != 'owner' and not status == 'tenant'", None),
        ("not answered(status)", None),
        ("not any(people, born > today)", None),
        ("not rooms == 3", None),  # never empty here
        ("1 if answered(status) and not status == 'tenant' else 2", None),
    ],
)
def test_not_over_what_may_be_empty(text: str, names: tuple[str, ...] | None) -> None:
    words = Vocabulary(
        names=NAMES, definitions=WORDS.definitions, maybe_empty=frozenset({"status", "sewer", "birth", "people"})
    )
    found = [(one.code, one.facts["names"]) for one in problems_of(text, words)]
    assert found == ([("V720", names)] if names else [])


def test_a_yes_no_stands_alone() -> None:
    for text in ("sewer == true", "rooms > 1 and sewer != false", "sewer in [true]"):
        expression, problems = parse_expression(text, WORDS, HERE)
        assert expression is not None
        assert [one.code for one in problems] == ["V722"]


# -- composing and rewriting -------------------------------------------------------------------------------------------


def test_composition() -> None:
    tenant, big = read("status == 'tenant'"), read("rooms > 3")
    assert both(TRUE, big) is big
    assert both(big, TRUE) is big
    assert both(big, FALSE) == FALSE
    assert either(FALSE, big) is big
    assert either(big, TRUE) == TRUE
    assert negate(TRUE) == FALSE
    second = both(big, negate(either(tenant, read("sewer"))))
    assert second.names == {"status", "rooms", "sewer"}
    assert not second.holds(scope(rooms=5))
    assert second.holds(scope(rooms=5, status="owner", sewer=None))
    assert second.text == "(rooms > 3) and (not ((status == 'tenant') or (sewer)))"


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("born < today", "tuteur_born < today"),
        ("  'born' == name and born > date(born, 1, 1)", "  'born' == tuteur_name and tuteur_born > date(tuteur_born, 1, 1)"),
        ("remark == 'é' and name == 'ü' and born == today", "remark == 'é' and tuteur_name == 'ü' and tuteur_born == today"),
        ("any(people,\n  born > today)", "any(people,\n  tuteur_born > today)"),
        ("born born", "born born"),
        ("", ""),
    ],
)  # fmt: skip
def test_renaming(text: str, renamed: str) -> None:
    assert rename_names(text, {"born": "tuteur_born", "name": "tuteur_name", "date": "tuteur_date"}) == renamed


def test_a_prefixed_block_keeps_its_places() -> None:
    words = Vocabulary(names={"tuteur_born": DATE}, renamed={"born": "tuteur_born"})
    assert read("born < today", words).names == {"tuteur_born"}
    (found,) = problems_of("born < todai", words)
    assert found.where.column == 18


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("status == 'tenant'", ["==", "status", "tenant"]),
        ("3 <= rooms", [">=", "rooms", 3]),
        ("sewer and not status in ['owner']", ["and", ["yes", "sewer"], ["not", ["in", "status", ["owner"]]]]),
        ("status not in ['owner'] or 'deed' in papers", ["or", ["out", "status", ["owner"]], ["has", "papers", "deed"]]),
        ("answered(remark)", ["answered", "remark"]),
        ("true", True),
        ("minor", None),
        ("rooms + 1 > 3", None),
        ("sewer and minor", None),
        ("any(people, born > today)", None),
        ("area > 3", None),
        ("status == other_status", None),
    ],
)  # fmt: skip
def test_simple_conditions_as_json(text: str, plain: object) -> None:
    assert to_plain(read(text)) == plain


def test_the_tree_is_made_of_frozen_nodes_that_can_be_walked() -> None:
    nodes = list(walk(tree(read("any(people, age(born) < 18) and (rooms if sewer else 2) > 1 and minor"))))
    assert all(is_dataclass(node) and node.type.kind for node in nodes)
    assert [node.id for node in nodes if isinstance(node, Name)] == ["people", "born", "sewer", "rooms", "birth"]
    assert hash(tree(read("status == 'tenant'"))) == hash(tree(read("status == 'tenant'")))


def test_constants_of_the_model_speak_the_language() -> None:
    assert (TRUE.text, FALSE.text, constant(5, MONEY).text) == ("true", "false", "5")
    assert TRUE.holds(scope())


def test_functions_are_those_of_the_reference() -> None:
    reference = (Path(__file__).resolve().parents[3] / "docs" / "language.md").read_text()
    section = reference.partition("**Functions**")[2].partition("31 January")[0]
    assert [name for name in FUNCTIONS if f"{name}(" not in section and name not in section] == []
