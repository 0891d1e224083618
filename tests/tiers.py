"""What waits for the night, and for which reasons: `make test` takes all else.

A test is marked `@pytest.mark.nightly("mutant")`; a row of its parameters, `pytest.param(…, marks=pytest.mark.nightly("walk"))`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import pytest

REASONS: Final[Mapping[str, str]] = {
    "mutant": "a fault test with a defence taken away: its bar is in make test",
    "walk": "a story in a browser: make test plays it without one, and walks others in each mode of the browser",
    "screen": "another page of a template that make test shows in the browser",
    "store": "the second store, of a test whose first is in make test and which judges nothing of a store",
    "fuzz": "random tries beyond the first share",
}
# twins whose bar stands in another file
BARS: Final[Mapping[str, str]] = {"tests/faults/test_access_bar.py": "tests/web/test_access_matrix.py"}


@dataclass(frozen=True)
class Collected:
    """One test of this run, before any is left out; `reasons` why it waits for the night."""

    id: str
    file: str
    function: str
    reasons: tuple[str, ...]
    skipped: bool


COLLECTED: Final = pytest.StashKey[tuple[Collected, ...]]()


def collected(items: Iterable[pytest.Item]) -> tuple[Collected, ...]:
    return tuple(
        Collected(
            one.nodeid, one.nodeid.partition("::")[0], one.nodeid.partition("[")[0],
            tuple(str(mark.args[0]) if mark.args else "" for mark in one.iter_markers("nightly")),
            any(one.iter_markers("skip")) or any(one.iter_markers("skipif")),
        )
        for one in items
    )  # fmt: skip


def faults_of(tests: Iterable[Collected]) -> list[str]:
    """What is wrong with what waits for the night: no reason, or nothing of it left in make test."""
    tests = list(tests)
    by_day = [one for one in tests if not one.reasons]
    every, files = {one.file for one in tests}, {one.file for one in by_day}
    functions = {one.function for one in by_day}
    found = []
    for one in tests:
        bar = BARS.get(one.file, one.file)
        for reason in one.reasons:
            of_a_mutant = "mutant" in one.reasons  # its fault test stays, whatever the store
            alone = bar in every - files or (reason == "store" and not of_a_mutant and one.function not in functions)
            found += [f"{one.id}: {reason!r} is no reason"] if reason not in REASONS else []
            found += [f"{one.id}: nothing of it is left in make test"] if alone else []
        found += [f"{one.id}: is skipped"] if one.reasons and one.skipped else []
    return found
