"""B14. Office days repeated, for half an hour in the long run and eight hours before a release.

Memory, handles and threads of a process stabilise, the write-ahead log is written back, no page crashes, and the store is
consistent. A normal run takes some seconds and counts the objects left by each request. Then the mutants.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final

import pytest

from benchmarks.measure import percentile
from tests.effort import EFFORT
from tests.faults.installation import begun
from tests.faults.memory_use import Look, Weight, slope
from tests.faults.soak import Soak

pytestmark = [pytest.mark.slow, pytest.mark.faults]

# seconds with each store: half an hour at an effort of 8, eight hours at 128; or half of what `make soak` is given
LONG: Final = 30.0 * int(os.environ.get("GUICHET_SOAK", "0")) or (225.0 * EFFORT if EFFORT > 1 else 0.0)
SHORT_ROUNDS: Final = 10
EVERY: Final = 10.0  # seconds of a round in the long run
MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """`warm`: the share of the looks that are not judged. How much more of what may be held for one more `request`, one more `hour`.
    `wal`: bytes."""

    warm: float
    request: Mapping[str, float]
    hour: Mapping[str, float]
    wal: int


SHORT: Final = Bounds(0.4, {"blocks": 0.7, "lent": 2_500, "resident": 4_000}, {}, 8 * MB)
# In its first half hour a process still finds out how much room it needs for what comes and goes, and a busy moment opens one more
# connection for good. What Python does not count as a block is larger than 512 bytes: kept for each request, 30 MB an hour.
HALF_AN_HOUR: Final = Bounds(0.5, {"blocks": 0.1}, {"lent": 4 * MB, "resident": 12 * MB}, 64 * MB)
HOURS: Final = Bounds(0.25, {"blocks": 0.1}, {"lent": 1 * MB, "resident": 1 * MB}, 64 * MB)
BOUNDS: Final = HOURS if LONG > 3 * 3600 else HALF_AN_HOUR if LONG else SHORT
CACHES: Final = 8 * MB  # of SQLite, in one process
STRAY: Final = 3.0  # handles or threads that may come and go
SLOWER: Final = 1.2  # 95 of 100 pages of the last tenth of the rounds, beside the first


def wrong_in(soak: Soak, bounds: Bounds) -> list[str]:
    """What did not come to rest, by process, and what else went wrong."""
    found = [f"{name}: {one}" for name, looks in soak.looks.items() for one in _growing(looks, bounds)]
    if soak.wal > bounds.wal:
        found.append(f"written ahead: {soak.wal} bytes")
    if soak.left_open:
        found.append(f"left open: {soak.left_open}")
    found += [f"answered {status}: {times} times" for status, times in soak.statuses.items() if status >= 500]
    return [*found, *soak.installation.accidents(), *soak.installation.findings()]


def _growing(looks: list[Look], bounds: Bounds) -> Iterator[str]:
    judged = looks[round(len(looks) * bounds.warm) :]
    asked = judged[-1].requests - judged[0].requests
    for of, most in bounds.request.items():
        if (more := slope(judged, "requests", of)) > most:
            yield f"{of}: {more:.2f} more for each request"
    for of, most in bounds.hour.items():
        if (more := 3600 * slope(judged, "seconds", of)) > most:
            yield f"{of}: {more:.0f} more in an hour"
    if (most := max(one.weight.sqlite for one in looks)) > CACHES:
        yield f"sqlite: {most} bytes"
    for of in ("handles", "threads"):
        if (more := asked * slope(judged, "requests", of)) > STRAY:
            yield f"{of}: {more:.0f} more"


def _slower(rounds: list[list[float]]) -> Iterator[str]:
    tenth = max(1, len(rounds) // 10)
    first, last = (percentile(sorted(chain(*part)), 0.95) for part in (rounds[:tenth], rounds[-tenth:]))
    if last > SLOWER * first:
        yield f"slower: 95 of 100 pages within {1000 * last:.0f} ms at the end, {1000 * first:.0f} at the beginning"


@pytest.mark.parametrize(("last", "slower"), [([0.01] * 100, 0), ([0.01] * 90 + [0.03] * 10, 1)])
def test_later_pages_are_not_slower(last: list[float], slower: int) -> None:
    assert len(list(_slower([[0.01] * 100] * 19 + [last]))) == slower


def test_an_odd_look_decides_nothing_and_a_steady_one_does() -> None:
    rest = Weight(600_000, 30 * MB, 2 * MB, 150 * MB, 20, 13)
    looks = [Look(200 * at, 10.0 * at, replace(rest, blocks=rest.blocks + 90 * (at % 2))) for at in range(10)]
    odd = [*looks[:6], replace(looks[6], weight=replace(rest, blocks=900_000, handles=90)), *looks[7:]]
    assert list(_growing(looks, SHORT)) == list(_growing(odd, SHORT)) == []
    more = [replace(one, weight=replace(rest, resident=rest.resident + 300 * one.requests)) for one in looks]
    assert list(_growing(more, SHORT)) == []
    assert list(_growing(more, HALF_AN_HOUR)) == ["resident: 21600000 more in an hour"]


def test_it_holds_no_more_than_it_held(tmp_path: Path, address: str) -> None:
    with begun(tmp_path, address, servers=1, workers=1, weighed=True) as installation:
        soak = Soak(installation, EVERY if LONG else 0.0)
        soak.run(rounds=SHORT_ROUNDS, seconds=LONG)
        print(soak.told())
        assert soak.statuses[200] > 60 * soak.rounds, "too little was read"
        assert [*wrong_in(soak, BOUNDS), *(_slower(soak.waits) if LONG else ())] == []


# -- mutants -------------------------------------------------------------------------------------------------------------


def kinds(wrong: list[str]) -> set[str]:
    """Of what is wrong, without how much."""
    return {one.rpartition(": ")[0] for one in wrong}


def test_what_is_kept_for_each_request_is_seen(tmp_path: Path) -> None:
    with begun(
        tmp_path, servers=1, weighed=True, mutant="the_name_of_each_request_is_kept each_page_is_kept"
    ) as installation:
        soak = Soak(installation)
        soak.run(rounds=SHORT_ROUNDS)
        assert kinds(wrong_in(soak, SHORT)) == {"serve: blocks", "serve: lent", "serve: resident"}


def test_what_is_begun_and_never_ends_is_seen(tmp_path: Path, address: str) -> None:
    with begun(
        tmp_path, address, servers=1, weighed=True, mutant="each_file_has_its_guard a_reader_that_never_ends"
    ) as installation:
        soak = Soak(installation)
        soak.run(rounds=6)
        seen = {"serve: handles", "serve: threads", "left open" if address else "written ahead"}
        assert kinds(wrong_in(soak, replace(SHORT, request={}))) == seen
