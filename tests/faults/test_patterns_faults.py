"""B9d. Patterns with exponential time elsewhere, matched against the longest answers.

Each is refused with a position or matches within limits of memory and processor time, with the meaning that its author expects. No
page gives a pattern to the browser, which would read it otherwise. Then the mutants. For nested counts, `((a*){0,30}){0,30}`, ten
thousand characters take half a second at most. A question takes a hundred characters unless its file gives another number.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import re2

from engine.domain.fields import text as words
from engine.language.source import schema_rules as shape_rules
from tests.effort import tries
from tests.faults.hostile_patterns import REFUSED, faults_of, shipped_patterns, told, told_apart
from tests.web.client import STALL, a_portal_client

pytestmark = [pytest.mark.slow, pytest.mark.faults]
ROOT = Path(__file__).resolve().parents[2]


def checked_apart(*how: str) -> tuple[int, list[dict[str, Any]]]:
    """The corpus in a program of its own, with its limits; how it ended and what it said."""
    command = [sys.executable, "-m", "tests.faults.hostile_patterns", *how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_each_is_refused_at_its_place_or_holds_within_bounds() -> None:
    ended, said = checked_apart()
    assert ended == 0, said[-1:]
    assert said[-1]["faults"] == []
    assert said[-1]["tried"] > 250


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_our_reader_has_not_is_told_where_it_stands(pattern: str) -> None:
    assert told(pattern)
    assert list(faults_of([pattern])) == []


def test_a_pattern_means_what_its_author_reads() -> None:
    """The whole text, digits of ASCII, no end before a last new line: as Python reads it when told so."""
    patterns = shipped_patterns()
    assert len(patterns) > 10
    assert list(told_apart(patterns, tries(2_000) // len(patterns))) == []


def test_no_page_hands_a_pattern_to_a_browser(tmp_path: Path) -> None:
    stall = STALL.replace("{label: Nom,", "{label: Nom, pattern: '[A-Z]{2,9}', message: Deux lettres.,")
    visitor = a_portal_client(tmp_path, stall).sign_in()
    page = visitor.open(f"/dossiers/{visitor.begin()}/demande/vous").html
    assert 'name="nom"' in page
    assert not re.search(r"\spattern=", page)


# -- mutants -------------------------------------------------------------------------------------------------------------


@pytest.mark.nightly("mutant")
def test_patterns_read_by_python_are_seen() -> None:
    ended, said = checked_apart("(a+)+!", "python_reads_them")
    assert ended == -signal.SIGPROF
    assert said[-1] == {"at": "(a+)+!"}


@pytest.mark.nightly("mutant")
def test_a_pattern_that_nobody_refuses_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape_rules, "_is_readable", lambda _: True)
    with pytest.raises(re2.error):
        list(faults_of(REFUSED[:1]))


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(
    "means",
    [
        lambda pattern, text: words._compiled(pattern).search(text),
        lambda pattern, text: words._compiled(f"(?i){pattern}").fullmatch(text),
        lambda pattern, text: re.fullmatch(pattern, text),
        lambda pattern, text: re.match(f"{pattern}$", text, re.ASCII),
    ],
    ids=["a part of the text", "any case", "digits of every script", "a new line at the end"],
)
def test_a_pattern_that_means_more_is_seen(monkeypatch: pytest.MonkeyPatch, means: Any) -> None:
    monkeypatch.setattr(words, "matches", lambda pattern, text: means(pattern, text) is not None)
    assert list(told_apart(shipped_patterns(), 500))
