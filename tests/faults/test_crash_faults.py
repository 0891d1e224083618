"""B3. Servers and workers are killed again and again, while persons fill in, submit, decide, pay and attend appointments.

What was acknowledged is stored, complete, and once. Then the mutant: a journal in a second transaction.
"""

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


def kill_again_and_again(installation: Installation, load: Load, times: int, chance: random.Random) -> list[float]:
    """The whole group, one server of it, or its worker, in turn; seconds until each group answered again."""
    servers = [one for one in installation.processes if one.port]
    workers = [one for one in installation.processes if not one.port]
    victims: list[list[Process]] = [installation.processes, [servers[0]], [servers[-1]], workers]
    took = []
    for turn in range(times):
        before = load.done.count()
        end = time.monotonic() + patient(30)
        while load.done.count() == before and not load.broken:  # each time under load
            assert time.monotonic() < end, "nobody is served"
            time.sleep(0.005)
        time.sleep(chance.uniform(0.05, 0.5))
        struck = victims[turn % len(victims)]
        installation.kill(*struck)
        took.append(installation.begin(*struck))
    return took


def test_killed_again_and_again_nothing_acknowledged_is_lost(tmp_path: Path, address: str) -> None:
    with begun(tmp_path, address, workers=1) as installation:
        with under_load(installation) as load:
            took = kill_again_and_again(installation, load, tries(12), random.Random(3))
        assert load.broken == []
        assert faults_of(installation, load.done.all()) == []
        assert installation.accidents() == []
        known = {200, 303, 409, 429, 503}  # 429: as many files as one person may hand in
        assert set(load.statuses) <= known, load.statuses
        told = Counter(kind for _, kind in load.done.all())
        assert min(told[kind] for kind in ("saved", "attached", "submitted", "transition", "credited", "booked")) > 10
        assert sorted(took)[-1 - max(1, len(took) // 100)] < patient(RESTART), took  # one may be unlucky


@pytest.mark.nightly("mutant")
def test_a_journal_kept_in_a_second_transaction_is_seen(tmp_path: Path) -> None:
    with begun(tmp_path, mutant="journal_in_another_unit") as installation:
        with under_load(installation) as load:
            for turn in range(60):
                kill_again_and_again(installation, load, 1, random.Random(turn))
                if seen := installation.findings():
                    break
        assert [one for one in seen if "dossier" in one], "servers were killed sixty times and nothing was half-written"
