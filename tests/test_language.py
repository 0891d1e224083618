"""The language shown and guarded by files: one feature a good file, one fault a bad one, mutants, stories played."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from engine.core.problems import Problem
from engine.language.catalogue.catalogue import Catalogue, Checked, check_definition
from engine.language.compiler.shared_files import Shared
from engine.language.lint.folder_rules import Neighbours, folder_problems
from engine.model import Procedure, Scenario
from engine.prover.checks.runner import prove
from engine.simulation.player import play
from engine.storage.unit_of_work import Store
from renderers.i18n.problem_messages import codes
from renderers.i18n.translations import load_words
from tests.effort import tries
from tests.engine.services.world import shipped
from tests.makers import the_shared
from tests.postgres import an_empty_store

ROOT = Path(__file__).resolve().parent.parent
PROCEDURES = ROOT / "procedures"
SHIPPED = sorted(PROCEDURES.glob("*.yaml"))
GOOD = sorted((ROOT / "tests" / "good").glob("*.yaml"))
HELD_OUT = sorted((ROOT / "tests" / "held_out").glob("*.yaml"))  # written from the guides alone
BAD = sorted((ROOT / "tests" / "bad").glob("*.yaml"))
PLAYED = ("T9",)  # found by playing the stories, not by reading the file
PROVEN = re.compile(r"P\d+")
TODAY = date(2026, 11, 24)
NEXT = frozenset({  # codes of parts of the language that are refused as not available yet, or belong to other commands
    "R801", "R804", "R805", "V740", "V790",
})  # fmt: skip


@pytest.fixture(scope="module")
def shared() -> Shared:
    return the_shared()


@cache
def _read(path: Path) -> Checked:
    """A file read once for all that is asked of it."""
    return check_definition(path.read_bytes(), str(path), the_shared())


def _named(name: str) -> Procedure | None:
    return next((_read(path).built for path in GOOD + SHIPPED if path.stem == name), None)


FOLDER = Neighbours(frozenset(path.stem for path in GOOD + SHIPPED), _named)


def _expected(path: Path) -> tuple[str, str]:
    """`# N301 12:7` on the first line: the code, and where it must be found."""
    match = re.match(r"#\s*([A-Z]\d+)\s+(\d+:\d+)", _first_line(path))
    assert match, f"{path.name}: the first line must say `# CODE line:column`"
    return match.group(1), match.group(2)


def _with_it(path: Path) -> set[str]:
    """`# P1 36:5 with P6`: what cannot but be found too, where one fault is the cause of another."""
    return set(re.findall(r" with ([A-Z]\d+)", _first_line(path)))


def _first_line(path: Path) -> str:
    return path.read_bytes().split(b"\n", 1)[0].decode("utf-8", "replace")


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_found_out(path: Path, shared: Shared) -> None:
    code, place = _expected(path)
    checked = check_definition(path.read_bytes(), str(path), shared)
    found = [(one.code, f"{one.where.line}:{one.where.column}") for one in checked.report]
    if code.startswith(PLAYED):
        assert checked.procedure is not None, found
        failures = [outcome.failure for outcome in _stories(checked.procedure, shared)]
        found += [(one.code, f"{one.where.line}:{one.where.column}") for one in failures if one]
    elsewhere = list(folder_problems(checked.built, FOLDER)) if checked.built is not None else []
    found += [(one.code, f"{one.where.line}:{one.where.column}") for one in elsewhere]
    proofs = _proofs(checked.procedure, shared) if PROVEN.fullmatch(code) and checked.procedure else []
    found += [(one.code, f"{one.where.line}:{one.where.column}") for one in proofs]
    assert (code, place) in found
    others = {one.code for one in (*checked.report.errors, *elsewhere, *proofs)} - {code}
    assert others == _with_it(path), f"{path.name} has other faults: {others}"


def test_every_code_has_a_bad_file() -> None:
    shown = {_expected(path)[0] for path in BAD}
    assert set(codes()) - NEXT - shown == set()
    assert shown - set(codes()) == set()


@pytest.mark.parametrize("path", GOOD + HELD_OUT + SHIPPED, ids=lambda path: path.stem)
def test_a_good_file_is_clean(path: Path) -> None:
    checked = _read(path)
    problems = list(checked.report) if path not in GOOD else list(checked.report.errors)
    assert checked.built is not None
    problems += folder_problems(checked.built, FOLDER)
    assert not [f"{one.where} {one.code} {dict(one.facts)}" for one in problems]


@pytest.mark.parametrize("path", GOOD + HELD_OUT + SHIPPED, ids=lambda path: path.stem)
def test_a_good_file_is_proven(path: Path, shared: Shared) -> None:
    """No false alarm, nothing left unproved, and in a blink."""
    procedure = _read(path).procedure
    assert procedure is not None
    found = _proofs(procedure, shared)
    assert not [f"{one.where} {one.code} {dict(one.facts)}" for one in found]


def test_each_proof_finds_at_least_five_seeded_faults() -> None:
    shown = [_expected(path)[0] for path in BAD]
    assert {code: shown.count(code) for code in codes() if PROVEN.fullmatch(code) and shown.count(code) < 5} == {}


def _proofs(procedure: Procedure | None, shared: Shared) -> list[Problem]:
    assert procedure is not None
    return prove(procedure, shared.directory, TODAY)


def _scenarios() -> list[tuple[Path, str]]:
    """By their names alone, reading every book is left to the tests; a preset brings its own."""
    found: list[tuple[Path, str]] = []
    for path in GOOD + HELD_OUT + SHIPPED:
        text = path.read_text("utf-8")
        if "\nextends:" in text:
            book = _read(path).procedure
            found += [(path, one.id) for one in (book.scenarios if book else ())]
            continue
        _, _, told = text.partition("\nscenarios:\n")
        section = re.split(r"^\S", told, maxsplit=1, flags=re.MULTILINE)[0]
        found += [(path, name) for name in re.findall(r"^  (\w+):", section, re.MULTILINE)]
    return found


def test_no_story_is_left_out() -> None:
    books = [(path, _read(path).procedure) for path in GOOD + HELD_OUT + SHIPPED]
    told = [(path, scenario.id) for path, book in books if book for scenario in book.scenarios]
    assert told == _scenarios()


def _on_each_store() -> Iterator[ParameterSet]:
    """By day on SQLite, and on PostgreSQL the first story of each shipped procedure."""
    told = set[Path]()
    for path, scenario in _scenarios():
        night = [] if path in SHIPPED and path not in told else [pytest.mark.nightly("store")]
        told.add(path)
        yield pytest.param(None, path, scenario, id=f"{path.stem}-{scenario}-sqlite")
        yield pytest.param(
            an_empty_store, path, scenario, id=f"{path.stem}-{scenario}-postgresql", marks=[pytest.mark.slow, *night]
        )


@pytest.mark.parametrize(("keeps", "path", "scenario"), [*_on_each_store()])
def test_a_story_is_true(
    keeps: Callable[[], Store] | None, path: Path, scenario: str, shared: Shared
) -> None:  # fmt: skip
    """On each store, as everything that is done with an office: the same story, the same end."""
    procedure = _read(path).procedure
    assert procedure is not None
    told = next(one for one in procedure.scenarios if one.id == scenario)
    store = keeps() if keeps is not None else None
    failure = play(procedure, Catalogue.of([procedure], shared), load_words(), told, store).failure
    assert failure is None, f"{failure.where} {failure.code} {dict(failure.facts)}"


def _stories(procedure: Procedure, shared: Shared):
    return [_play(procedure, scenario, shared) for scenario in procedure.scenarios]


def _play(procedure: Procedure, scenario: Scenario, shared: Shared):
    catalogue = Catalogue.of([procedure], shared)
    return play(procedure, catalogue, load_words(), scenario)


def test_each_shipped_procedure_tells_enough() -> None:
    """At least five stories each; among them a stop or refusal, a correction, an expiry and a failed payment."""
    for procedure in shipped().all():
        stories = procedure.scenarios
        verbs = {step.verb for story in stories for step in story.steps}
        ends = {step.options.get("ends") for story in stories for step in story.steps}
        reached = {procedure.states[step.then].outcome for story in stories for step in story.steps if step.then}
        assert len(stories) >= 5
        assert {"refused", "abandoned"} <= reached
        assert "correct" in verbs
        assert ends & {"failed", "expired", "unknown"}


@pytest.mark.fuzz
@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "count"),
    [("first", 12), pytest.param("rest", 38, marks=pytest.mark.nightly("fuzz"))],
    ids=["first", "rest"],
)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_no_mutant_passes_for_a_traceback(path: Path, share: str, count: int, shared: Shared) -> None:
    """Read or refused with file:line:column, never an exception, never without end."""
    original = path.read_text("utf-8")
    dice = random.Random(f"{share} {path.stem}")
    for _ in range(tries(count)):
        text = _mutated(original, dice)
        checked = check_definition(text.encode("utf-8", "surrogatepass"), str(path), shared)
        for one in checked.report:
            assert one.where.line >= 1, f"{one.code} has no place"
            assert one.where.column >= 1, f"{one.code} has no place"
        assert checked.procedure is not None or checked.report.errors


def _mutated(text: str, dice: random.Random) -> str:
    lines = text.split("\n")
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(lines))
        line = lines[at]
        match dice.randrange(9):
            case 0:
                lines.pop(at)
            case 1:
                lines.insert(at, dice.choice(lines))
            case 2:
                lines[at] = "  " * dice.randint(0, 3) + line.strip()
            case 3:
                cut = dice.randrange(len(line) + 1)
                lines[at] = line[:cut] + dice.choice("{}[]:,#&*!|>'\"%@`?- \t\x00\u202eé9") + line[cut:]
            case 4:
                lines[at] = line[: dice.randrange(len(line) + 1)]
            case 5:
                lines[at] = re.sub(r"\w+", lambda word: word.group()[::-1], line, count=1)
            case 6:
                lines[at] = re.sub(
                    r":\s.*$", dice.choice([": null", ": []", ": {}", ": 1", ": 'x'", ":", ": true"]), line
                )
            case 7:
                other = dice.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                lines[at] = line.replace("to: ", "to: x").replace("==", "=") or "zz: 1"
        if not lines:
            lines = [""]
    return "\n".join(lines)
