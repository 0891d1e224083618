"""The shape of definitions: the schema is closed and described, each fault is named, placed, and told once."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from engine.core.problems import Problem
from engine.core.spelling import close_names
from engine.core.values import Span
from engine.language.compiler.shared_files import load_shared
from engine.language.source.loader import Source, read_source
from engine.language.source.notation import (
    likely_span,
    read_date,
    read_hours,
    read_size,
    read_span,
    read_weekday_hours,
    read_weekdays,
)
from engine.language.source.schema import (
    META_SCHEMA_PATH,
    SCHEMA,
    check_shape,
    check_shared_shape,
    errors_of,
    gate,
    reference,
)
from engine.language.source.schema_rules import TYPES_OF_KEY
from tests.effort import tries
from tests.engine.language.bad_files import BadFile, bad_files

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "procedures").glob("*.yaml"))
GOOD = sorted((ROOT / "tests" / "good").glob("*.yaml"))
MINIMAL = ROOT / "tests" / "good" / "minimal.yaml"


def shape_of(text: str) -> list[Problem]:
    return check_shape(read_source(text, "f.yaml"))


def minimal_with(old: str, new: str) -> str:
    text = MINIMAL.read_text("utf-8")
    assert text.count(old) == 1
    return text.replace(old, new)


# -- the schema --------------------------------------------------------------------------------------------------------


def objects(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        if "properties" in node or "patternProperties" in node:
            yield path, node
        for key, value in node.items():
            yield from objects(value, f"{path}/{key}")


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("path", "node"), list(objects(SCHEMA)), ids=[path for path, _ in objects(SCHEMA)])
def test_every_object_is_closed_and_every_key_described(path: str, node: dict[str, Any]) -> None:
    assert node["additionalProperties"] is False, path
    for key, value in node.get("properties", {}).items():
        assert value.get("title"), f"{path}/{key}"
        assert value.get("description"), f"{path}/{key}"


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(SCHEMA)
    named = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
    assert named <= set(SCHEMA["$defs"])


def test_the_keys_of_types_are_keys_of_fields() -> None:
    field = SCHEMA["$defs"]["field"]["properties"]
    assert set(TYPES_OF_KEY) <= set(field)
    assert {name for types in TYPES_OF_KEY.values() for name in types} <= set(field["type"]["enum"])


# -- good files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*SHIPPED, *GOOD], ids=lambda path: path.stem)
def test_good_files_have_no_fault(path: Path) -> None:
    source = read_source(path.read_bytes(), path.name)
    assert source.advice == ()
    assert check_shape(source) == []


def test_the_shared_files_have_no_fault() -> None:
    shared, problems = load_shared(ROOT / "procedures")
    assert problems == []
    assert "identite" in shared.blocks
    assert shared.lists["communes"].codes >= {"golfe_1"}
    assert shared.schemes["niu"].pattern == r"\d{10}"
    assert shared.directory.agencies["dgdn"].roles["guichet"].key == "dgdn/guichet"
    assert [hours.start for hours in shared.directory.offices["dgdn_lome"].hours[0]] == [450, 870]
    assert not shared.directory.calendar.works(read_date("2026-04-27") or pytest.fail("no day"))


# -- bad files ---------------------------------------------------------------------------------------------------------


# S230, S231 and S299 need names, S214 the words of a text: the compiler reports them.
OF_SHAPE = [bad for bad in bad_files("S") if bad.code not in ("S214", "S230", "S231", "S299")]


@pytest.mark.parametrize("bad", OF_SHAPE, ids=str)
def test_each_bad_file_has_its_problem_and_no_other(bad: BadFile) -> None:
    problems = check_shape(read_source(bad.path.read_bytes(), bad.path.name))
    assert [(one.code, one.where.line, one.where.column) for one in problems] == [(bad.code, bad.line, bad.column)]


@pytest.mark.parametrize(
    ("old", "new", "code", "fact", "value"),
    [
        ("label: Votre nom", "label: Votre nom, max_length: 3", "S201", "near", ("maxLength",)),
        ("label: Votre nom", "libellé: Votre nom", "S201", "near", ("label",)),
        ("by: instructeur", "par: instructeur", "S201", "near", ("by",)),
        ("delay: 5 working days", "delay: 10 jours ouvrés", "S209", "put", "10 working days"),
        ("delay: 5 working days", "delay: 1 months", "S209", "put", "1 month"),
        ("delay: 5 working days", "delay: 5 working weeks", "S209", "value", "5 working weeks"),
        ("title: Attestation simple", "title: 2026", "S203", "put", "'2026'"),
        ("title: Attestation simple", "title: [a]", "S203", "found", "list"),
        ("end: granted", "end: accordé", "S203", "put", "granted"),
        ("end: granted", "end: granted, public: Prêt", "S203", "expected", "one_of"),
        ("edition: 1", "edition: 0", "S203", "least", 1),
        ("      nom:", "      Nom:", "S203", "put", "nom"),
        ("label: Votre nom", "label: Votre nom, type: choix", "S203", "put", "choice"),
        ("label: Votre nom", "label: Votre nom, options: {a: A}", "S205", "types", ("choice", "choices")),
        ("by: instructeur", "by: instructeur\n      pay: taxe", "S204", "found", ("by", "pay")),
        ("due: 5 working days", "due: 5 jours", "S209", "put", "5 days"),
        ("delay: 5 working days", "delay: 5 working days\nlanguages: fr", "S203", "put", "[fr]"),
        ("to: accorde", "to: accorde, confirms: [nom, age]", "S203", "written", "{piece: [nom, age]}"),
        ("\npersonal_data:", "\noutputs: {a: {title: A, operative: {fr: A, eng: B}}}\npersonal_data:", "S201", "put", "en"),
        ("\npersonal_data:", "\noutputs: {a: {title: A, operative: {when: x, text: B}}}\npersonal_data:", "S203", "written", "[{when: …, text: …}]"),
        ("{take: accorder, then: accorde}", "{wait: 2 days, with: {nom: A}}", "S205", "type", "wait"),
    ],
)  # fmt: skip
def test_the_facts_of_a_fault(old: str, new: str, code: str, fact: str, value: object) -> None:
    found = {one.code: one.facts.get(fact) for one in shape_of(minimal_with(old, new))}
    assert found[code] == value


@pytest.mark.parametrize("zone", ["operative", "preamble", "articles"])
def test_a_text_of_a_document_has_its_languages_without_a_list(zone: str) -> None:
    assert (
        shape_of(
            minimal_with(
                "\npersonal_data:", f"\noutputs: {{a: {{title: A, {zone}: {{fr: A, en: B}}}}}}\npersonal_data:"
            )
        )
        == []
    )


def test_all_faults_are_told_at_once_and_missing_keys_together() -> None:
    text = minimal_with("agency: obac\n", "").replace("edition: 1\n", "").replace("end: granted", "end: oui")
    found = shape_of(text)
    assert sorted(one.code for one in found) == ["S202", "S203"]
    [missing] = [one for one in found if one.code == "S202"]
    assert missing.facts["names"] == ("edition", "agency")


def test_what_a_preset_may_bring_is_not_missing_yet() -> None:
    text = minimal_with("edition: 1\n", "edition: 1\nextends: autre\n").split("workflow:")[0]
    assert shape_of(text) == []
    assert [one.code for one in shape_of(text.replace("extends: autre\n", ""))] == ["S202"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_an_editor_finds_nothing_wrong_with_a_shipped_file(path: Path) -> None:
    """The schema alone, as an editor applies it: `extends` and `use` included."""
    tree = read_source(path.read_bytes(), path.name).tree
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(tree)] == []
    schema = path.read_text("utf-8").partition("\n")[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema).resolve() == META_SCHEMA_PATH


def test_what_a_block_brings_may_be_completed_or_removed() -> None:
    laid = "    use: identite\n    fields:\n      niu: null\n      prenoms: {required: false}\n"
    assert shape_of(minimal_with("    fields:\n", laid)) == []
    alone = "    fields:\n      niu: null\n      prenoms: {required: false}\n"
    assert [one.code for one in shape_of(minimal_with("    fields:\n", alone))] == ["S203", "S202"]


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("block", "block: a\ntitle: A\nfields: {b: {label: B}}", None),
        ("block", "block: a\ntitle: A\nfields: {b: {label: B, type: choice}}", "S232"),
        ("list", "list: a\ntitle: A\nitems: {b: {parent: c}}", "S202"),
        ("list", "list: a\ntitle: A\nitems: {b: {fr: B, en: B}}", None),
        ("preset", "preset: a\ntitle: A\nworkflow: {states: {b: {label: B}}}", None),
        ("preset", "preset: a\ntitle: A\nworkflow: {states: {b: {label: B, by: c, end: granted}}}", "S204"),
        ("preset", "title: A", "S202"),
        ("agencies", "a: {label: A, roles: {b: {label: B, seats: 0}}}", "S203"),
        ("agencies", "a: {label: A, roles: {b: {label: B, leads: {b: 1}}}}", "S203"),
        ("offices", "a: {label: A, agency: b, hours: {monday-friday: [07:30-12:00]}}", None),
        ("offices", "a: {label: A, agency: b, hours: {lundi: [07:30-12:00]}}", "S210"),
        ("offices", "a: {label: A, agency: b, hours: {monday: [12:00-07:30]}}", "S210"),
        ("calendar", "weekend: [sunday]\nholidays: {2026-13-01: A}", None),
        ("schemes", "a: {label: A, pattern: x}", "S202"),
        ("registers", "a: {label: A, agency: b, answers: {c: integer}}", None),
    ],
)
def test_shared_files(kind: Any, text: str, code: str | None) -> None:
    found = [one.code for one in check_shared_shape(read_source(text, "f.yaml"), kind)]
    assert found == ([code] if code else [])


def test_a_shared_file_bears_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "identite.yaml").write_text("block: identitee\ntitle: A\nfields: {a: {label: A}}\n")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "x.yaml").write_text("list: [")
    shared, problems = load_shared(tmp_path)
    assert [(one.code, one.where.line) for one in problems] == [("S203", 1), ("Y100", 1)]
    assert shared.blocks == {}


def test_a_role_leads_roles_of_its_agency_only(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    roles = (
        "a: {label: A}\n    b: {label: B, leads: a}\n    c: {label: C, leads: all}\n    d: {label: D, leads: [b, f]}"
    )
    (tmp_path / "shared" / "agencies.yaml").write_text(
        f"e:\n  label: E\n  roles:\n    {roles}\nf: {{label: F, roles: {{f: {{label: F}}}}}}\n"
    )
    shared, problems = load_shared(tmp_path)
    assert [(one.code, one.where.line, one.facts["name"]) for one in problems] == [("N304", 7, "f")]
    assert shared.directory.led_by(["e/b"]) == {"e/a"}
    assert shared.directory.led_by(["e/c"]) == {"e/a", "e/b", "e/c", "e/d"}
    assert shared.directory.led_by(["e/a", "x/y"]) == frozenset()


def test_a_register_names_only_what_it_answers_and_agencies_that_exist(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "agencies.yaml").write_text("a: {label: A, roles: {r: {label: R}}}\n")
    register = (
        "f:\n  label: F\n  agency: a\n  readers: [a, b]\n  answers: {vu: date}\n  labels: {vu: Vu le, vue: Vue le}\n"
    )
    (tmp_path / "shared" / "registers.yaml").write_text(register)
    shared, problems = load_shared(tmp_path)
    found = [(one.code, one.where.line, one.facts["name"]) for one in problems]
    assert found == [("N304", 4, "b"), ("N301", 6, "vue")]
    assert str(shared.directory.registers["f"].labels["vu"]) == "Vu le"


# -- notations ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1 day", Span(1, "day")), ("3 working days", Span(3, "day", True)), ("72 hours", Span(72, "hour")),
        ("4 working hours", Span(4, "hour", True)), ("0 days", Span(0, "day")), ("1 days", None), ("2 month", None),
        ("2 working months", None), ("-1 days", None), ("02 days", None), ("2  days", None), ("", None), (3, None),
        ("999 years", Span(999, "year")), ("1000 years", None), ("10000 months", None), ("99999 days", Span(99999, "day")),
    ],
)  # fmt: skip
def test_spans(text: object, span: Span | None) -> None:
    assert read_span(text) == span
    if span:
        assert str(span) == text


def test_other_notations() -> None:
    hours = read_hours("08:00-12:30")
    assert hours
    assert (hours.start, hours.end) == (480, 750)
    assert [read_hours(text) for text in ("8:00-12:00", "12:00-08:00", "08:00-08:00", "23:00-24:30", None)] == [
        None
    ] * 5
    assert read_hours("20:00-24:00")
    assert (read_size("5 MB"), read_size("200 KB"), read_size("5MB"), read_size("0 MB")) == (
        5_000_000,
        200_000,
        None,
        None,
    )
    assert str(read_date("2026-02-28")) == "2026-02-28"
    assert [read_date(text) for text in ("2026-02-30", "2026-2-3", "20260203", 2026, "２026-01-01")] == [None] * 5
    assert read_weekdays("monday-wednesday") == (0, 1, 2)
    assert [read_weekdays(text) for text in ("friday-monday", "lundi", "monday-", "")] == [None] * 4
    assert read_weekday_hours({"monday-tuesday": ["14:00-17:00", "07:30-12:00"]}) == {
        day: (read_hours("07:30-12:00"), read_hours("14:00-17:00")) for day in (0, 1)
    }
    assert read_weekday_hours({"monday": ["x"]}) is None
    assert likely_span("5 business days") == "5 working days"
    assert likely_span("x + days(3)") is None


@pytest.mark.parametrize(
    ("name", "near"), [("labels", "label"), ("libelle", "label"), ("Délai", "due"), ("maxlength", "maxLength")]
)
def test_near_names(name: str, near: str) -> None:
    assert near in close_names(name, ["label", "due", "maxLength", "title"])
    assert close_names("zzzz", ["label"]) == ()


# -- nothing makes it fall ---------------------------------------------------------------------------------------------


def paths_of(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from paths_of(value, (*path, key))


def mutant(tree: Any, chance: random.Random) -> Any:
    """The tree with one value replaced, a key renamed, removed, or a whole branch put elsewhere."""
    tree = copy.deepcopy(tree)
    paths = [path for path in paths_of(tree) if path]
    path = chance.choice(paths)
    holder = tree
    for step in path[:-1]:
        holder = holder[step]
    match chance.randrange(4):
        case 0:
            holder[path[-1]] = chance.choice([None, True, 0, -1, "", "x y", [], {}, [None], {"a": 1}, [[]], "3 jours"])
        case 1:
            del holder[path[-1]]
        case 2 if isinstance(holder, dict):
            holder[chance.choice(["étrange", "when", "by", "pay", "x1", "use", "type"])] = holder.pop(path[-1])
        case _:
            branch = tree
            for step in chance.choice(paths):
                branch = branch[step] if isinstance(branch, (dict, list)) else branch
            holder[path[-1]] = copy.deepcopy(branch)
    return tree


@pytest.mark.parametrize(
    ("share", "count"),
    [("first", 6), pytest.param("rest", 7, marks=pytest.mark.nightly("fuzz"))],
    ids=["first", "rest"],
)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.fuzz
@pytest.mark.slow
def test_misshapen_trees_never_crash_the_check(path: Path, share: str, count: int) -> None:
    source = read_source(path.read_bytes(), path.name)
    chance = random.Random(f"{share} {path.stem}")
    for _ in range(tries(count)):
        tree = source.tree
        for _ in range(chance.choice((1, 1, 3))):
            tree = mutant(tree, chance)
        assert gate(None).is_valid(tree) == reference(None).is_valid(tree)
        for one in check_shape(Source(source.file, source.text, tree, (), source.spots, source.key_spots)):
            assert one.code[0] == "S"
            assert one.where.line >= 1


@pytest.mark.parametrize("value", [Decimal("0.1"), 10**30, "\ud800", float("inf"), "2026-02-30", "25:00", {"é": None}])
def test_what_lets_through_and_what_judges_agree_on_odd_values(value: Any) -> None:
    tree = read_source(MINIMAL.read_bytes(), "minimal.yaml").tree
    for key in ("edition", "title", "from"):
        changed = {**cast(dict[str, Any], tree), key: value}
        assert bool(list(errors_of(None, changed))) is not reference(None).is_valid(changed)
