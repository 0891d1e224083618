"""B13. Fifty persons fill in their requests at two servers, with one or two seconds between answers.

99 of 100 answers come within half a second, and two cores take 150 submissions a second. Then the mutant: a writer blocks the others.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.effort import pace, tries
from tests.engine.services.world import pdf
from tests.faults.installation import Installation, begun, patient
from tests.faults.people import Acknowledged, Browser, Journeys, Stopped, agent, strangers
from tests.race_runners import together

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PEOPLE = 50
ANSWER = 0.5  # seconds, of ninety-nine answers in a hundred
SENT = 150  # requests a second, on two cores that make ten million additions in half a second


def journeys(installation: Installation, count: int, think: float = 0.0) -> list[Journeys]:
    done, helper, chance = (
        Acknowledged(installation.folder / "acknowledged"),
        agent(installation.ports, ""),
        random.Random(13),
    )

    def thinks() -> None:
        if think:
            time.sleep(chance.uniform(think, 2 * think))

    return [
        Journeys(person, helper, done, pdf(), (), thinks)
        for person in strangers(installation.ports, installation.sessions(count))
    ]


def filling(
    installation: Installation, people: list[Journeys], seconds: float, cut: bool = False
) -> tuple[list[float], set[int]]:
    """How long each answer took, and the statuses, while they all fill. `cut`: who is not done by then goes home."""
    end = time.monotonic() + seconds

    def fills(place: int) -> None:
        one, turn = people[place], 0
        time.sleep(place / len(people))  # they do not come all at once
        with suppress(Stopped):
            while time.monotonic() < end:
                number = one.fill(turn)
                one.person.post(f"/dossiers/{number}/verification", {"declared": "1"})
                turn += 1

    over = threading.Timer(seconds, lambda: [one.person.stop.set() for one in people])
    if cut:
        over.start()
    raised = [one for one in together(len(people), fills) if one is not None]
    assert raised == []
    asked: list[Browser] = [one.person for one in people]
    return sorted(took for one in asked for took in one.took), {status for one in asked for status in one.statuses}


def slowest(took: list[float]) -> float:
    """Of ninety-nine in a hundred."""
    return took[len(took) * 99 // 100]


@pytest.mark.parametrize(
    "address", ["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))], indirect=True
)
def test_fifty_people_are_answered_at_once(tmp_path: Path, address: str) -> None:
    with begun(tmp_path, address) as installation:
        warm = journeys(installation, 4)
        filling(installation, warm, 1)
        took, statuses = filling(installation, journeys(installation, PEOPLE, think=1.0), tries(6))
        assert statuses <= {200, 303}
        assert len(took) > PEOPLE * 3
        assert slowest(took) < patient(ANSWER), took[-20:]
        assert installation.accidents() == []
        assert installation.findings() == []


@pytest.mark.parametrize(
    "address", ["sqlite", pytest.param("postgresql", marks=pytest.mark.nightly("store"))], indirect=True
)
def test_sending_costs_little(tmp_path: Path, address: str) -> None:
    with begun(tmp_path, address) as installation:
        filling(installation, journeys(installation, 4), 1)  # what a server does once is done
        people, threads = journeys(installation, tries(64)), 8
        numbers = [one.fill(0) for one in people]

        def sends(thread: int) -> set[int]:
            mine = range(thread, len(people), threads)
            return {
                people[at].person.post(f"/dossiers/{numbers[at]}/verification", {"declared": "1"}).status for at in mine
            }

        before, paces = installation.busy(), [pace()]
        assert together(threads, sends) == [{303}] * threads
        paces.append(pace())
        cost = (installation.busy() - before) / len(people) / max(paces)
        assert 2 / cost > SENT, f"{cost * 1000:.1f} ms of processor at a pace of {max(paces):.2f}"


@pytest.mark.nightly("mutant")
def test_whoever_keeps_the_others_waiting_is_seen(tmp_path: Path) -> None:
    with begun(tmp_path, mutant="whoever_writes_takes_their_time") as installation:
        took, _ = filling(installation, journeys(installation, 20), 3, cut=True)
        assert slowest(took) > patient(ANSWER)
