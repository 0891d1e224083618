"""All persons pay, and one operator accepts calls and does not answer for a minute.

Every page is served, payers read what happens, another operator works, and nothing is lost. Then the mutant: a request makes the call.
"""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections import Counter
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.engine.services.world import pdf
from tests.faults.installation import PROCEDURE, Installation, begun, patient
from tests.faults.people import Acknowledged, Browser, Journeys, Stopped, agent, applicant, strangers
from tests.race_runners import together

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PAYERS, READERS, THREADS = 20, 3, 4
LASTS = 6.0  # seconds, of a call that takes sixty
MEDIAN, LONGEST = 0.3, 3.0  # seconds of a page
PAGES = ("/", f"/demarches/{PROCEDURE}", "/connexion", "/dossiers")
HUNG = {"provider": "mixx", "payer": "90 11 22 33"}
OTHER = {"provider": "flooz", "payer": "96 00 00 01"}
ASKING = re.compile(r"<h1>(Nous demandons le paiement|Tapez votre code)")


def owing(installation: Installation, count: int) -> list[tuple[Browser, str]]:
    """People who have their fee to pay, and the address where they do."""
    done, mayor = Acknowledged(installation.folder / "acknowledged"), agent(installation.ports, installation.mayor())
    found = []
    for person in strangers(installation.ports, installation.sessions(count)):
        number = Journeys(person, mayor, done, pdf(), ()).fill(0)
        person.post(f"/dossiers/{number}/verification", {"declared": "1"})
        assert mayor.post(f"/agent/dossiers/{number}/acte/accorder", {"go": "confirm"}).status == 303
        found.append((person, f"/dossiers/{number}/paiement"))
    return found


def storm(installation: Installation, count: int = PAYERS) -> tuple[list[float], Counter[int], list[str]]:
    """What every page took while all pay and look whether they have; how they were answered; what those who pay read."""
    payers, [reader] = owing(installation, count), installation.sessions(1)
    for person, _ in payers:
        person.answered.clear()
    over, waits, read = threading.Event(), list[float](), list[str]()
    readers = [applicant(installation.ports, reader) for _ in range(READERS)]
    ends = threading.Timer(LASTS, lambda: [one.set() for one in (over, *(person.stop for person, _ in payers))])

    def lives(place: int) -> None:
        with suppress(Stopped, TimeoutError, HTTPException):
            if place >= count:
                reads(readers[place - count])
            else:
                pays(*payers[place])

    def timed(one: Browser, address: str) -> str:
        began = time.monotonic()
        answer = one.open(address)
        waits.append(time.monotonic() - began)
        assert answer.status == 200
        return answer.text

    def reads(one: Browser) -> None:
        turn = 0
        while not over.is_set():
            timed(one, PAGES[turn % len(PAGES)])
            turn += 1
            time.sleep(0.05)

    def pays(person: Browser, address: str) -> None:
        began = time.monotonic()
        told = person.post(address, HUNG)
        waits.append(time.monotonic() - began)
        read.append(timed(person, told.address))
        while not over.is_set():
            timed(person, f"{told.address}.json")
            time.sleep(0.2)

    ends.start()
    assert [one for one in together(count + READERS, lives) if one is not None] == []
    return waits, Counter(status for person, _ in payers for status in person.statuses), read


def test_an_operator_that_answers_nothing_keeps_no_page_waiting(tmp_path: Path) -> None:
    with begun(tmp_path, servers=1, threads=THREADS, mutant="an_operator_answers_nothing") as installation:
        [(lucky, address)] = owing(installation, 1)
        waits, told, read = storm(installation)
        assert statistics.median(waits) < patient(MEDIAN)
        assert max(waits) < patient(LONGEST)
        assert set(told) <= {200, 303}, "nobody is told to come back"
        assert len([one for one in read if ASKING.search(one)]) == PAYERS
        following = lucky.post(address, OTHER).address
        end = time.monotonic() + patient(10.0)
        while b'"paid"' not in lucky.open(f"{following}.json").body:
            assert time.monotonic() < end, "the other operator is paid meanwhile"
            time.sleep(0.1)
        assert installation.accidents() == []
        assert installation.findings() == []


@pytest.mark.nightly("mutant")
def test_a_call_made_in_a_request_is_seen(tmp_path: Path) -> None:
    mutant = "an_operator_answers_nothing a_request_makes_the_call"
    with begun(tmp_path, servers=1, threads=THREADS, mutant=mutant) as installation:
        _, _, read = storm(installation, THREADS)
        assert len([one for one in read if ASKING.search(one)]) < THREADS


def test_killed_at_any_moment_an_order_is_never_sent_twice(tmp_path: Path) -> None:
    """The process dies while it hands orders over; the next one takes those that no worker began, and no other."""
    with begun(tmp_path, servers=1, threads=THREADS, mutant="an_operator_answers_nothing") as installation:
        for person, address in owing(installation, 12):  # more than one operator is given threads for
            assert person.post(address, HUNG).status == 303
        time.sleep(1.0)
        [server] = installation.processes
        installation.kill(server)
        with installation.office.store.unit() as unit:
            begun_then = {one.id: one.reason for one in unit.pending_payments(installation.office.now(), 100)}
        assert set(begun_then.values()) == {"placing"}
        assert 0 < len(begun_then) < 12
        server.order["mutant"] = ""
        installation.begin(server)
        end = time.monotonic() + patient(10.0)
        while True:
            with installation.office.store.unit() as unit:
                orders = [one for one in unit.pending_payments(installation.office.now(), 100) if one.provider_ref]
            if len(orders) == 12 - len(begun_then):
                break
            assert time.monotonic() < end, len(orders)
            time.sleep(0.1)
        assert not {one.id for one in orders} & set(begun_then)
        assert installation.findings() == []
