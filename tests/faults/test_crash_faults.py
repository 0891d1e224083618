"""B3. Servers and workers killed where they stand, again and again, under people who begin, fill, hand in, send, decide, pay
and take visits: what was acknowledged is there, nothing is half there, nothing is there twice. Then the twin: a journal kept
in a second transaction."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.effort import tries
from tests.faults.installation import Installation, Process, begun, patient
from tests.faults.load import Load, under_load
from tests.faults.outcomes import faults_of

pytestmark = [pytest.mark.slow, pytest.mark.faults]

RESTART = 3.0  # seconds until the first answer, at the ninety-ninth of a hundred


def kill_again_and_again(house: Installation, load: Load, times: int, chance: random.Random) -> list[float]:
    """The whole group, one server of it, or its worker, in turn; seconds until each group answered again."""
    servers = [one for one in house.processes if one.port]
    workers = [one for one in house.processes if not one.port]
    victims: list[list[Process]] = [house.processes, [servers[0]], [servers[-1]], workers]
    took = []
    for turn in range(times):
        before = load.done.count()
        end = time.monotonic() + patient(30)
        while load.done.count() == before and not load.broken:  # each time under load
            assert time.monotonic() < end, "nobody is served"
            time.sleep(0.005)
        time.sleep(chance.uniform(0.05, 0.5))
        struck = victims[turn % len(victims)]
        house.kill(*struck)
        took.append(house.begin(*struck))
    return took


def test_killed_again_and_again_nothing_acknowledged_is_lost(tmp_path: Path, address: str) -> None:
    with begun(tmp_path, address, workers=1) as house:
        with under_load(house) as load:
            took = kill_again_and_again(house, load, tries(12), random.Random(3))
        assert load.broken == []
        assert faults_of(house, load.done.all()) == []
        assert house.accidents() == []
        known = {200, 303, 409, 429, 503}  # 429: as many files as one person may hand in
        assert set(load.statuses) <= known, load.statuses
        told = Counter(kind for _, kind in load.done.all())
        assert min(told[kind] for kind in ("saved", "attached", "submitted", "transition", "credited", "booked")) > 10
        assert sorted(took)[-1 - max(1, len(took) // 100)] < patient(RESTART), took  # one may be unlucky


@pytest.mark.nightly("mutant")
def test_a_journal_kept_in_a_second_transaction_is_seen(tmp_path: Path) -> None:
    with begun(tmp_path, twin="journal_in_another_unit") as house:
        with under_load(house) as load:
            for turn in range(60):
                kill_again_and_again(house, load, 1, random.Random(turn))
                if seen := house.findings():
                    break
        assert [one for one in seen if "dossier" in one], "servers were killed sixty times and nothing was half-written"
