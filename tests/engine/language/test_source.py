"""The strict reader: what it refuses and where, what it reads, and that no bytes make it fall."""

from __future__ import annotations

import random
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.problems import InvalidDefinition, Problem
from engine.language.source.loader import Limits, Source, read_source
from engine.language.source.quoting import quote, repair
from tests.engine.language.bad_files import BadFile, bad_files

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "procedures").glob("*.yaml"))


def refused(text: str | bytes, limits: Limits = Limits()) -> list[Problem]:  # noqa: B008
    with pytest.raises(InvalidDefinition) as caught:
        read_source(text, "f.yaml", limits)
    return list(caught.value.report.errors)


def problems_of(text: str | bytes) -> list[Problem]:
    """All that the reader says, whether it refuses or not. A refusal holds an error."""
    try:
        return list(read_source(text, "f.yaml").advice)
    except InvalidDefinition as invalid:
        return list(invalid.report.problems if invalid.report.errors else ())


def codes(text: str | bytes) -> list[str]:
    return [f"{one.code} {one.where.line}:{one.where.column}" for one in refused(text)]


def read(text: str | bytes) -> Source:
    return read_source(text, "f.yaml")


# -- scalars -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("null", None), ("", None), ("true", True), ("false", False), ("0", 0), ("-12", -12), ("30000", 30000),
        ("1.50", Decimal("1.50")), ("-0.5", Decimal("-0.5")), ("999999999999999999", 999999999999999999),
        ("NO", "NO"), ("True", "True"), ("12:30", "12:30"), ("012", "012"), ("2026-01-01", "2026-01-01"),
        ("1e3", "1e3"), ("0x1F", "0x1F"), ("1_000", "1_000"), ("+228", "+228"), (".5", ".5"), ("~", "~"),
        ("1000000000000000000", "1000000000000000000"), ("'true'", "true"), ("'12'", "12"), ('"a\\u00e9"', "aé"),
        ("C'est bon ?", "C'est bon ?"), ("'l''usager'", "l'usager"), ("|\n  un\n  deux\n", "un\ndeux"),
        (">\n  un\n  deux\n", "un deux"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2_and_nothing_else(written: str, value: object) -> None:
    tree = read(f"a: {written}").tree
    assert tree == {"a": value}
    assert type(tree["a"]) is type(value)


@pytest.mark.parametrize("written", ["yes", "No", "ON", "off", "True", "NULL", "~", "012", "1e3", "1_000", "0o17"])
def test_what_other_tools_read_otherwise_is_pointed_out(written: str) -> None:
    [advice] = read(f"a: {written}").advice
    assert (advice.code, advice.where.line, advice.where.column) == ("Y115", 1, 4)
    assert advice.facts.get("fix") == (None if written in ("yes", "off") else f"a: '{written}'")
    assert not advice.is_error


def test_a_section_written_twice_is_one_problem() -> None:
    [twice] = refused("a: {b: 1, c: {d: 2}}\na: {b: 1, c: {d: 2}}\n")
    assert (twice.code, twice.where.line, twice.facts["name"]) == ("Y102", 2, "a")


def test_a_key_glued_to_its_value_gets_its_space() -> None:
    [glued] = refused("a: {label:Jour, type: date}\n")
    assert (glued.code, glued.where.column, glued.facts["reason"]) == ("Y100", 5, "colon")
    assert glued.facts["fix"] == "a: {label: Jour, type: date}"


def test_a_missing_comma_has_no_sure_repair() -> None:
    [cut] = refused("a: {type: date minimum: today}\n")
    assert (cut.code, cut.facts["key"]) == ("Y113", "minimum")
    assert "fix" not in cut.facts


def test_a_dash_among_keys_is_no_bad_indent() -> None:
    assert [one.facts["reason"] for one in refused("a:\n  b: 1\n  - c: 2\n")] == ["dash"]
    assert [one.facts["reason"] for one in refused("a:\n  - {b: 1}\n   - {b: 2}\n")] == ["indent"]


@pytest.mark.parametrize("written", ["12:30", "2026-01-01", "08:00-12:00", "'no'", "nor", "1.5", "KP021"])
def test_what_nobody_misreads_is_not(written: str) -> None:
    assert read(f"a: {written}").advice == ()


def test_keys_are_text_and_keep_their_order() -> None:
    assert list(read("2026-01-01: a\n0: b\nz: c\nb: d").tree) == ["2026-01-01", "0", "z", "b"]


@pytest.mark.parametrize("text", ["\ufeffa: b", "---\na: b\n...\n", "a: b\r\n", "# x\na: b  # y\n"])
def test_harmless_forms_are_read(text: str) -> None:
    assert read(text).tree == {"a": "b"}


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", bad_files("Y"), ids=str)
def test_each_bad_file_has_its_problem_and_no_other(bad: BadFile) -> None:
    problems = problems_of(bad.path.read_bytes())
    assert [(one.code, one.where.line, one.where.column) for one in problems] == [(bad.code, bad.line, bad.column)]


def test_all_faults_are_told_at_once() -> None:
    text = "a: Art. 3: le maire\nb: {l: Bon, mauvais}\nc: {w: x in [a], t: d}\nd: 1\nd: 2\ne: &f g\nf: N° #3\n"
    assert codes(text) == ["Y113 1:10", "Y111 2:13", "Y112 3:13", "Y102 5:1", "Y101 6:4", "Y114 7:7"]


@pytest.mark.parametrize(
    ("line", "corrected"),
    [
        ("a: {label: Égouts ?, type: yes_no}", "a: {label: 'Égouts ?', type: yes_no}"),
        ("a: {label: Bon, mauvais}", "a: {label: 'Bon, mauvais'}"),
        ("a: {label: un, deux, trois, type: text}", "a: {label: 'un, deux, trois', type: text}"),
        ("a: {when: any(g, c), to: b}", "a: {when: 'any(g, c)', to: b}"),
        ("a: {when: any(g, c) and x in ['u'], to: b}", "a: {when: \"any(g, c) and x in ['u']\", to: b}"),
        ("a: {when: x in ['u', 'v']}", "a: {when: \"x in ['u', 'v']\"}"),
        ("a: {when: 'u' in x, to: b}", "a: {when: \"'u' in x\", to: b}"),
        ("- {when: any(g, c), to: b}", "- {when: 'any(g, c)', to: b}"),
        ("a: [{when: any(g, c), to: b}, {to: c}]", "a: [{when: 'any(g, c)', to: b}, {to: c}]"),
        ("a: {x: {label: b, c}, d: e}", "a: {x: {label: 'b, c'}, d: e}"),
        ("a: {sms: {dossier} prêt, to: b}", "a: {sms: '{dossier} prêt', to: b}"),
        ("a: {dossier} est prêt", "a: '{dossier} est prêt'"),
        ("a: Art. 3: le maire", "a: 'Art. 3: le maire'"),
        ("a: L'article 3: le maire", "a: \"L'article 3: le maire\""),
        ("a: N° #3", "a: 'N° #3'"),
        ("a: {label: N° #3, type: text}", "a: {label: 'N° #3', type: text}"),
        ("a: 'l'usager'", 'a: "l\'usager"'),
        ("a: @moi", "a: '@moi'"),
    ],
)  # fmt: skip
def test_the_corrected_line_is_proposed_and_reads(line: str, corrected: str) -> None:
    [problem] = refused(line)
    assert problem.facts["fix"] == corrected
    assert read(corrected).tree


def test_a_sound_line_needs_no_repair() -> None:
    whole = (
        re.sub(r"(?m)^( *)([^\n]*: |- )[|>]-?\n(?:\1 +[^\n]*\n)+", "", path.read_text("utf-8")) for path in SHIPPED
    )
    lines = [line for text in whole for line in text.split("\n")]  # the lines of a folded text are no YAML
    assert [line for line in lines if repair(line)] == []


@pytest.mark.parametrize("text", ["Bon, mauvais", "l'usager", 'dit « "oui" »', "l'un \"et\" l'autre", "a\\b'c"])
def test_a_quoted_text_reads_as_itself(text: str) -> None:
    assert read(f"a: {quote(text)}").tree == {"a": text}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"a: \xff", "Y107 1:4"), ("a: b\nc: \x00", "Y107 2:4"), ("a: \u202e", "Y107 1:4"), ("a: \u200e", "Y107 1:4"),
        ("a: \u200f", "Y107 1:4"), ("a: \u061c", "Y107 1:4"),
        ("a: \ufffe", "Y107 1:4"), ("a: \u2028b", "Y107 1:4"), ("a: \ud800", "Y107 1:4"), ("", "Y100 1:1"),
        ("# rien\n", "Y100 1:1"), ("a: [1, 2\nb: 3", "Y100 1:4"), ("a: {{b: c}: d}", "Y108 1:5"),
        ("? [a]\n: b", "Y108 1:3"), ("a:\n\tb: 1", "Y104 2:1"), ("a: *b", "Y101 1:4"), ("%YAML 1.1\n---\na: b", "Y101 1:1"),
        ("a: {fr: {nom}, en: b}", "Y112 1:9"), ("a: b # c", "Y114 1:6"), ("a: b  #c", "Y114 1:7"), ("u: [any(g, c), b]", "Y111 1:5"), ("Null: 1", "Y106 1:1"),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(text: str | bytes, code: str) -> None:
    assert codes(text) == [code]


ESCAPES = (
    r"\u200E", r"\u200f", r"\u061C", r"\u202E", r"\u202a", r"\u2066", r"\u2069", r"\x1b", r"\e", r"\0", r"\x00", r"\u0000", r"\a", r"\b", r"\t", r"\x09", r"\v", r"\f", r"\r",
    r"\x0D", r"\x7f", r"\x9F", r"\N", r"\L", r"\P", r"\U00002029", r"\uFEFF", r"\uFFFE", r"\U0010FFFF",
)  # fmt: skip


@pytest.mark.parametrize("escape", ESCAPES)
def test_an_escape_is_refused_like_the_sign_it_writes(escape: str) -> None:
    for text, where in (
        (f'a: "x{escape}y"', (1, 6)), (f'"k{escape}": 1', (1, 3)), (f'a: {{b: "x", c: ["y{escape}"]}}', (1, 19)),
        (f'a: b\nc: "long\n  {escape} text"', (3, 3)), (f'a: "\\\\{escape}"', (1, 7)),
    ):  # fmt: skip
        found = next(iter(refused(text)))
        assert (found.code, found.facts["what"], found.where.line, found.where.column) == ("Y107", "escape", *where)
        assert found.where.width == len(escape)


def test_an_escape_that_writes_a_plain_sign_is_kept() -> None:
    assert read(r'a: "\u00e9\n\"\\u202E\/\_"').tree == {"a": 'é\n"\\u202E/\xa0'}
    assert read(r"a: '\u202E'").tree == read(r"a: \u202E").tree == {"a": r"\u202E"}


def test_as_many_escapes_as_a_file_holds_are_told_in_no_time() -> None:
    assert codes('a: "' + r"\e" * 200_000 + '"')[0] == "Y107 1:5"


@pytest.mark.parametrize(
    ("text", "limits", "what"),
    [
        ("a: " + "b" * 50, Limits(size=20), "size"),
        ("[" * 8 + "]" * 8, Limits(depth=5), "depth"),
        ("a: [" + "b, " * 50 + "b]", Limits(nodes=20), "nodes"),
        ("a: " + "b" * 50, Limits(scalar=20), "scalar"),
    ],
)
def test_limits(text: str, limits: Limits, what: str) -> None:
    [problem] = refused(text, limits)
    assert (problem.code, problem.facts["what"]) == ("Y103", what)


def test_a_bomb_is_refused_at_once() -> None:
    """Never expanded: the limits are read before the tree is built (a bomb let in would not come back at all)."""
    bomb = "a: &a [b, b]\n" + "".join(f"k{n}: &k{n} [*a, *a]\n" for n in range(9))
    assert {one.code for one in refused(bomb)} == {"Y101"}
    assert codes("[" * 100_000)[0].startswith("Y103 1:")
    assert codes("a: [" + "b, " * 100_000)[0].startswith("Y103 1:")
    assert codes("a: {" + "b c, " * 50_000)[0].startswith("Y112 1:")


# -- places ------------------------------------------------------------------------------------------------------------


def test_places_of_keys_values_and_what_is_not_there() -> None:
    source = read("a:\n  b: {c: Été, d: [e, 'f']}\n")
    assert str(source.position(("a", "b"), key=True)) == "f.yaml:2:3"
    assert source.position(("a", "b")).width == len("{c: Été, d: [e, 'f']}")
    assert (source.position(("a", "b", "c")).column, source.position(("a", "b", "c")).width) == (10, 3)
    assert (source.position(("a", "b", "d", 1)).column, source.position(("a", "b", "d", 1)).width) == (22, 3)
    assert str(source.position(("a", "b", "unknown", 3))) == "f.yaml:2:3"
    assert str(source.position(())) == "f.yaml:1:1"


@pytest.mark.parametrize(
    ("text", "sign", "place"),
    [
        ("a: x == 'b' and z", "z", (1, 17)),
        ("a: 'x == ''b'' and z'", "z", (1, 20)),
        ('a: "x \\u00e9 z"', "z", (1, 14)),
        ("a: |\n  x and\n  z", "z", (3, 3)),
        ("a: >\n  x and\n  z", "z", (3, 3)),
        ("a: x and\n  z", "z", (2, 3)),
        ("a: {b: x, c: z}", "z", (1, 14)),
    ],
)
def test_the_place_of_a_sign_inside_a_text(text: str, sign: str, place: tuple[int, int]) -> None:
    source = read(text)
    path = ("a", "c") if "{" in text else ("a",)
    value = source.at(path)
    assert isinstance(value, str)
    found = source.inside(path, value.index(sign))
    assert (found.line, found.column) == place


# -- nothing makes it fall ---------------------------------------------------------------------------------------------


def places_exist(problems: list[Problem], text: str) -> bool:
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    return all(
        1 <= one.where.line <= len(lines) and 1 <= one.where.column <= len(lines[one.where.line - 1]) + 1
        for one in problems
    )


@given(st.text(alphabet=st.sampled_from("ab: -\n{}[],#'\"?&*!|>%@`\\0é~="), max_size=60))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    assert places_exist(problems_of(text), text)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert all(one.where.line >= 1 and one.where.column >= 1 for one in problems_of(data))


def mutants(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    texts = [path.read_text("utf-8") for path in SHIPPED]
    signs = [*"{}[]:,#'\"?&*!|>%@`-\n é", ": ", " #", "- ", "\t"]
    made = []
    for _ in range(count):
        text = chance.choice(texts)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            at = chance.randrange(len(text))
            cut = chance.choice((0, 1, chance.randrange(1, 40)))
            text = text[:at] + chance.choice(["", *signs]) + text[at + cut :]
        made.append(text)
    return made


@pytest.mark.slow
@pytest.mark.parametrize(("count", "seed"), [(160, 7), pytest.param(240, 8, marks=pytest.mark.nightly("fuzz"))])
def test_mutants_of_the_shipped_files_never_crash_the_reader(count: int, seed: int) -> None:
    for text in mutants(count, seed):
        found = problems_of(text)
        assert places_exist(found, text)
