"""Three tiers of tests: each nightly test has a reason, and a part of it stays in `make test`; no test is skipped."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.long import RUNS, parts_of
from tests.tiers import COLLECTED, REASONS, Collected, faults_of

TESTS = Path(__file__).resolve().parents[1]
ON_A_DISK_OF_ITS_OWN = ("faults/test_full_disk_faults.py",)  # where the machine allows to mount one


def test_what_waits_for_the_night_has_a_reason(request: pytest.FixtureRequest) -> None:
    """Checks all collected tests, with those that this run leaves out."""
    assert faults_of(request.config.stash[COLLECTED]) == []


@pytest.mark.parametrize(
    ("reason", "left", "seen"),
    [
        ("mutant", "tests/a.py::test_other", ""),
        ("store", "tests/a.py::test_one[sqlite]", ""),
        ("late", "tests/a.py::test_other", "is no reason"),
        ("", "tests/a.py::test_other", "is no reason"),
        ("mutant", "tests/b.py::test_other", "nothing of it is left"),
        ("store", "tests/a.py::test_other", "nothing of it is left"),
    ],
)
def test_a_reason_that_does_not_hold_is_told(reason: str, left: str, seen: str) -> None:
    def test(ident: str, *reasons: str) -> Collected:
        return Collected(ident, ident.partition("::")[0], ident.partition("[")[0], reasons, False)

    found = faults_of([test("tests/a.py::test_one[postgresql]", reason), test(left)])
    assert any(seen in one for one in found) if seen else not found


SKIPPING = ("skip", "skipif", "xfail", "skipTest")


def test_none_is_skipped() -> None:
    skipping = []
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if any(f".{one}" in text for one in SKIPPING) else ():
            if isinstance(node, ast.Attribute) and node.attr in SKIPPING:
                skipping.append(str(path.relative_to(TESTS)))
    assert skipping == [*ON_A_DISK_OF_ITS_OWN]


def test_each_file_with_something_for_the_night_is_a_part_of_it() -> None:
    """Marks are read in the text of a file, so that no test is collected twice."""
    parts = parts_of("nightly")
    marked = {str(path.relative_to(TESTS)) for path in TESTS.rglob("test_*.py") if "mark.nightly(" in path.read_text()}
    assert marked - {str(Path(__file__).relative_to(TESTS))} == {
        file.removeprefix("tests/") for part in parts for file in part.files if part.marked == "nightly"
    }
    assert {*REASONS} == {"mutant", "journey", "screen", "store", "upgrade", "fuzz"}
    assert {*RUNS} == {"nightly", "faults"}


@pytest.mark.xdist_group("one worker")
def test_a_group_is_run_by_one_worker(request: pytest.FixtureRequest) -> None:
    """pytest-xdist writes the group into the node id. With pytest 9.2 it does not, and each worker builds all anew."""
    grouped = request.config.getoption("dist", "no") == "loadgroup" or getattr(
        request.config.option, "loadgroup", False
    )
    assert request.node.nodeid.endswith("@one worker") == grouped
