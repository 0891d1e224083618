"""B3. Servers and workers killed where they stand, again and again, under people who begin, fill, hand in, send, decide, pay
and take visits: what was acknowledged is there, nothing is half there, nothing is there twice. Then the twin: a journal kept
in a second transaction."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from engine.office.office import Office
from tests.effort import tries
from tests.engine.office.world import pdf
from tests.faults.installation import Installation, Process, installed, patient
from tests.faults.people import Acknowledged, Journeys, agent, applicant
from tests.postgres import database

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PEOPLE = 16
ONCE = ("opened", "submitted", "credited", "booked", "payment_started", "paid")  # of one dossier, ever
RESTART = 3.0  # seconds until the first answer, at the ninety-ninth of a hundred


@dataclass
class Load:
    """People at work while servers die: what they were told, and what broke them."""

    done: Acknowledged
    stop: threading.Event = field(default_factory=threading.Event)
    broken: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


@contextmanager
def under_load(house: Installation, people: int = PEOPLE) -> Iterator[Load]:
    """So many people at once until the block ends."""
    load = Load(Acknowledged(house.folder / "acknowledged"))
    mayor, free = house.mayor(), visits(house.office)

    def live(place: int, token: str) -> None:
        person = applicant(house.ports, token, stop=load.stop, at=place)
        one = Journeys(
            person, agent(house.ports, mayor, stop=load.stop, at=place), load.done, pdf(), free[place:] + free[:place]
        )
        try:
            one.run()
        except Exception as error:  # judged with the rest
            load.broken.append(repr(error))
            load.stop.set()
        load.statuses.update(one.person.statuses + one.mayor.statuses)

    threads = [threading.Thread(target=live, args=(place, token)) for place, token in enumerate(house.sessions(people))]
    for one in threads:
        one.start()
    try:
        yield load
    finally:
        load.stop.set()
        for one in threads:
            one.join(patient(60))


def visits(office: Office) -> list[tuple[str, str]]:
    """Offices and hours that may be taken."""
    there = [one for one in office.directory.offices.values() if one.agency == "mairie"]
    day = office.now().date() + timedelta(days=2)
    days = [day + timedelta(days=more) for more in range(28)]
    return [
        (one.id, f"{day.isoformat()}T{hour}:00+00:00")
        for day in days if day.weekday() < 5 for hour in ("08:00", "09:30", "11:00") for one in there[:4]
    ]  # fmt: skip


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


def faults_of(house: Installation, done: list[tuple[str, str]]) -> list[str]:
    """What is lost, half there, or there twice."""
    found = house.findings()
    with house.office.store.unit() as unit:
        for number in sorted({number for number, _ in done}):
            dossier = unit.dossier_numbered(number)
            if dossier is None:
                found.append(f"{number} lost")
                continue
            kinds = Counter(entry.kind for entry in unit.entries(dossier.id))
            found += [f"{number}: {kind} lost" for told, kind in done if told == number and not kinds[kind]]
            found += [f"{number}: {kind} {kinds[kind]} times" for kind in ONCE if kinds[kind] > 1]
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    with database() as address:
        yield address


def test_killed_again_and_again_nothing_acknowledged_is_lost(tmp_path: Path, store: str) -> None:
    with installed(tmp_path, store, workers=1) as house:
        house.begin()
        with under_load(house) as load:
            took = kill_again_and_again(house, load, tries(12 if store else 24), random.Random(3))
        assert load.broken == []
        assert faults_of(house, load.done.all()) == []
        assert house.accidents() == []
        assert set(load.statuses) <= {200, 303, 409, 503}, load.statuses
        told = Counter(kind for _, kind in load.done.all())
        assert min(told[kind] for kind in ("saved", "attached", "submitted", "transition", "credited", "booked")) > 10
        assert sorted(took)[-1 - len(took) // 100] < patient(RESTART), took


def test_a_journal_kept_in_a_second_transaction_is_seen(tmp_path: Path) -> None:
    with installed(tmp_path, twin="journal_in_another_unit") as house:
        house.begin()
        with under_load(house) as load:
            for turn in range(60):
                kill_again_and_again(house, load, 1, random.Random(turn))
                if seen := house.findings():
                    break
        assert [one for one in seen if "dossier" in one], "servers were killed sixty times and nothing was half-written"
