"""B1. Two hundred persons book fifty seats at once, through two servers. On both stores.

Fifty get a seat, and the others read that the slot is full. Then bookings and cancellations while a server dies, and one person in
ten tabs. Then the mutants: a seat read and then taken without a lock.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from engine.core.values import new_id
from engine.records.dossier import Dossier
from engine.services.applications import drafts as intake
from tests.effort import tries
from tests.faults.installation import SEATS, VISIT, Installation, installed, patient
from tests.faults.people import Answer, Browser, strangers
from tests.postgres import database
from tests.race_runners import together

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PEOPLE = 200
PLACE = "mairie_golfe_1"
LONGEST = 5.0  # seconds that somebody waits for an answer


@dataclass
class Crowd:
    """People who may each take one visit, and the servers they ask."""

    installation: Installation
    people: list[Browser]
    dossiers: list[Dossier]
    waited: float = 0.0

    def definitions(self, one: int, start: str, **more: str) -> int:
        """Asks for a seat: the status of the answer."""
        began = time.monotonic()
        answer = self._posts(one, "/rendez-vous", {"bureau": PLACE, "start": start, **more})
        self.waited = max(self.waited, time.monotonic() - began)
        return answer.status

    def gives_back(self, one: int) -> int:
        return self._posts(one, "/rendez-vous/annuler", {}).status

    def _posts(self, one: int, where: str, fields: dict[str, str]) -> Answer:
        return self.people[one].post(f"/dossiers/{self.dossiers[one].number}{where}", fields)

    def sold(self, start: str) -> list[int]:
        """The seats that are somebody's at that hour, in order."""
        at = datetime.fromisoformat(start)
        with self.installation.office.store.unit() as unit:
            return sorted(one.seat for _, _, one in unit.bookings_on([PLACE], at, at + timedelta(minutes=1)))


@contextmanager
def a_crowd(folder: Path, store: str, people: int = PEOPLE, mutant: str = "") -> Iterator[Crowd]:
    with installed(folder, store, mutant=mutant) as installation:
        tokens = installation.sessions(people)
        dossiers = [_waiting(installation, token) for token in tokens]
        installation.begin()
        yield Crowd(installation, strangers(installation.ports, tokens), dossiers)


def _waiting(installation: Installation, token: str) -> Dossier:
    """A request that is sent, and waits for its visit."""
    person = installation.person(token)
    opened = intake.open_dossier(installation.office, person, VISIT, criteria={}, token=new_id())
    intake.save_page(installation.office, person, opened.id, "vous", {"nom": ["Amegan"]})
    return intake.submit(installation.office, person, opened.id, declared=True, token=new_id())


def hours(installation: Installation) -> list[str]:
    """Half hours of working days, each of fifty seats."""
    day = installation.office.now().date() + timedelta(days=2)
    days = [day + timedelta(days=more) for more in range(30)]
    return [
        f"{one.isoformat()}T{hour:02}:{minute:02}+00:00"
        for one in days if one.weekday() < 5 and one not in installation.office.directory.calendar.holidays
        for hour in range(8, 12) for minute in (0, 30)
    ]  # fmt: skip


def test_two_hundred_at_once_on_fifty_seats(tmp_path: Path, address: str) -> None:
    with a_crowd(tmp_path, address) as crowd:
        for start in hours(crowd.installation)[: tries(2)]:
            told = together(PEOPLE, lambda one, start=start: crowd.definitions(one, start))  # type: ignore[misc]
            assert Counter(told) == {303: SEATS, 409: PEOPLE - SEATS}
            assert crowd.sold(start) == list(range(1, SEATS + 1))
            assert crowd.installation.findings() == []
            given = [one for one, status in enumerate(told) if status == 303]
            assert {*together(len(given), lambda at, given=given: crowd.gives_back(given[at]))} == {303}  # type: ignore[misc]
        assert crowd.waited < patient(LONGEST)
        assert crowd.installation.accidents() == []


def test_seats_taken_and_given_back_while_a_server_dies(tmp_path: Path, address: str) -> None:
    people, seconds = 80, tries(4)
    with a_crowd(tmp_path, address, people) as crowd:
        start, over, most = hours(crowd.installation)[0], threading.Event(), [0]

        def looks() -> None:
            while not over.is_set():
                seats = crowd.sold(start)
                most[0] = max(most[0], len(seats), max(Counter(seats).values(), default=0) * SEATS)

        def storms(thread: int) -> set[int]:
            chance, told, mine, holding = random.Random(thread), set[int](), range(thread, people, 16), set[int]()
            while time.monotonic() < end:
                one = chance.choice(mine)
                status = crowd.gives_back(one) if one in holding else crowd.definitions(one, start)
                told.add(status)
                if status == 303:
                    holding ^= {one}
            return told

        watching, end = threading.Thread(target=looks), time.monotonic() + seconds
        watching.start()
        killing = threading.Thread(target=_kill_the_first, args=(crowd.installation, end))
        killing.start()
        told = together(16, storms)
        over.set()
        watching.join()
        killing.join()
        assert set().union(*told) <= {303, 409}, told
        assert most[0] <= SEATS
        _all_are_sold(crowd, start)
        assert crowd.installation.accidents() == []


def _kill_the_first(installation: Installation, end: float) -> None:
    while time.monotonic() < end:
        time.sleep(1)
        installation.kill(installation.processes[0])
        installation.begin(installation.processes[0])


def _all_are_sold(crowd: Crowd, start: str) -> None:
    """Freed seats can be sold again, to the last."""
    together(len(crowd.people), lambda one: crowd.definitions(one, start))
    assert crowd.sold(start) == list(range(1, SEATS + 1))
    assert crowd.installation.findings() == []


def test_one_person_in_ten_tabs_holds_one_visit(tmp_path: Path, address: str) -> None:
    with a_crowd(tmp_path, address, 1) as crowd:
        (person,), (dossier,), free = crowd.people, crowd.dossiers, hours(crowd.installation)
        crowd.people = [Browser(person.ports, dict(person.cookies), at=tab, _csrf=person.csrf()) for tab in range(10)]
        crowd.dossiers = [dossier] * 10
        told = together(10, lambda tab: crowd.definitions(tab, free[tab], revision=str(dossier.revision)))
        assert set(told) <= {303, 409}, "a second page leads to the visit taken, or says what changed"
        assert 303 in told
        assert sum(len(crowd.sold(start)) for start in free[:10]) == 1
        assert crowd.installation.findings() == []


# -- mutants -------------------------------------------------------------------------------------------------------------


@pytest.mark.nightly("mutant")
def test_a_seat_that_nothing_holds_is_sold_twice(tmp_path: Path) -> None:
    """Counted, then inserted: neither the constraint nor the turn at the office."""
    with database() as address, a_crowd(tmp_path, address, 80, mutant="no_turn_at_an_office") as crowd:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("DROP INDEX one_person_a_seat")
        start = hours(crowd.installation)[0]
        together(80, lambda one: crowd.definitions(one, start))
        seats = crowd.sold(start)
        assert len(seats) > SEATS or max(Counter(seats).values()) > 1
        assert crowd.installation.findings() != []


@pytest.mark.nightly("mutant")
def test_seats_left_empty_are_seen(tmp_path: Path) -> None:
    """The constraint alone: nothing is sold twice, and people are told that an hour is full which is not."""
    with database() as address, a_crowd(tmp_path, address, 80, mutant="no_turn_at_an_office") as crowd:
        start = hours(crowd.installation)[0]
        told = together(80, lambda one: crowd.definitions(one, start))
        assert Counter(told)[303] < SEATS
