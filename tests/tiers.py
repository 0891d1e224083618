"""The tests that run at night, and the reasons. `make test` runs all others.

A test is marked `@pytest.mark.nightly("mutant")`; a row of its parameters, `pytest.param(…, marks=pytest.mark.nightly("journey"))`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import pytest

REASONS: Final[Mapping[str, str]] = {
    "mutant": "a fault test with a defence removed: the test itself is in make test",
    "journey": "a scenario in a browser: make test plays it without one, and other scenarios in each mode of the browser",
    "screen": "another page of a template that make test shows in the browser",
    "store": "the second store, of a test that runs on the first in make test",
    "upgrade": "restarts of all processes under load: make test migrates a store that another release uses",
    "fuzz": "random inputs beyond the first share",
}
# a night test whose counterpart in make test is in another file
TESTED_BY: Final[Mapping[str, str]] = {
    "tests/engine/prover/test_proofs_played.py": "tests/engine/prover/test_prove_loops.py",
    "tests/faults/test_access_faults.py": "tests/web/platform/test_access_matrix.py",
    "tests/faults/test_rolling_upgrade_faults.py": "tests/faults/test_migrations_faults.py",
    "tests/web/citizen/test_english.py": "tests/web/citizen/test_foreigner.py",
    "tests/web/citizen/test_group_journeys.py": "tests/web/citizen/test_foreigner.py",
}


@dataclass(frozen=True)
class Collected:
    """One collected test, before any is deselected. `reasons`: those for which it runs at night."""

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
    """Return the faults of the nightly tests: an unknown reason, or no part of it in `make test`."""
    tests = list(tests)
    by_day = [one for one in tests if not one.reasons]
    every, files = {one.file for one in tests}, {one.file for one in by_day}
    functions = {one.function for one in by_day}
    found = []
    for one in tests:
        fault_test = TESTED_BY.get(one.file, one.file)
        for reason in one.reasons:
            of_a_mutant = "mutant" in one.reasons  # its fault test stays, whatever the store
            alone = fault_test in every - files or (
                reason == "store" and not of_a_mutant and one.function not in functions
            )
            found += [f"{one.id}: {reason!r} is no reason"] if reason not in REASONS else []
            found += [f"{one.id}: nothing of it is left in make test"] if alone else []
        found += [f"{one.id}: is skipped"] if one.reasons and one.skipped else []
    return found
