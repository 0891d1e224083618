"""B9c. Hostile expressions: each is read or refused with a position, and evaluated on any answers.

None raises, and each stays within limits of memory and processor time. Then the mutants.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.language.expressions import compiler as expression_answers
from engine.language.expressions import compiler as expression_compiler
from engine.language.expressions import functions as expression_functions
from engine.language.expressions import parser as expression_reader
from engine.language.expressions.nodes import Name
from tests.effort import EFFORT
from tests.faults.hostile_expressions import PROCESSOR, QUICK, corpus, faults_of

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.fuzz]
ROOT = Path(__file__).resolve().parents[2]


def checked_apart(*how: str) -> tuple[int, list[dict[str, Any]]]:
    """The corpus read and evaluated in a program of its own, with its limits; how it ended and what it said."""
    command = [sys.executable, "-m", "tests.faults.hostile_expressions", *how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_each_is_refused_at_its_place_or_worth_something_within_bounds() -> None:
    ended, said = checked_apart()
    assert ended == 0, said[-1:]
    assert said[-1]["faults"] == []
    assert said[-1]["tried"] > 3_000
    limit = PROCESSOR if EFFORT == 1 else 4 * QUICK  # read once, evaluated three times
    assert said[-1]["worst"] <= limit


# -- mutants -------------------------------------------------------------------------------------------------------------


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "at"),
    [
        ("a_template_instead", "bomb 9 ** (9 ** 9)"),
        ("no_budget", "rows upon rows"),
        ("any_size", "definitions doubled"),
    ],
)
def test_an_expression_that_never_ends_is_seen(mutant: str, at: str) -> None:
    ended, said = checked_apart(at, mutant)
    assert ended == -signal.SIGPROF
    assert said[-1] == {"at": at}


def any_number(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(expression_compiler, "LARGEST", 10**1_000)
    patch.setattr(expression_functions, "LARGEST", 10**1_000)


def any_depth(patch: pytest.MonkeyPatch) -> None:
    for name in ("DEEPEST", "MOST_NODES"):
        patch.setattr(expression_reader, name, 10**9)
    patch.setattr("engine.language.expressions.syntax.MOST_SIGNS", 10**9)
    patch.setattr("engine.language.expressions.syntax.MOST_WRITTEN_NODES", 10**9)


def answers_as_they_came(patch: pytest.MonkeyPatch) -> None:
    def read(node: Name) -> Any:
        return lambda scope: expression_answers.find(scope, node.id)

    patch.setattr(expression_compiler, "read_name", read)


def quiet_refusals(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(expression_reader._Reading, "refuse", lambda *_: None)


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    ("mutant", "case", "seen"),
    [
        (any_number, "a long product", "larger than any number"),
        (any_depth, "times not", "reading raises RecursionError"),
        (answers_as_they_came, "sentence 1", "evaluating raises"),
        (quiet_refusals, "way", "refused without a word"),
    ],
    ids=lambda one: one.__name__ if callable(one) else None,
)
def test_a_defence_taken_away_is_seen(monkeypatch: pytest.MonkeyPatch, mutant: Any, case: str, seen: str) -> None:
    some = [one for one in corpus() if case in one.case]
    assert faults_of(some) == []
    mutant(monkeypatch)
    assert any(seen in fault for fault in faults_of(some))
