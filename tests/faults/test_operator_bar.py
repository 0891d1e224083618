"""Everybody pays, and the operator takes every call and answers nothing. Whoever reads is served as ever, whoever pays is told to
come back or that nobody knows yet, and nothing is lost of it. Then the twin: as many wait for the operator as there are threads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.engine.office.world import pdf
from tests.faults.installation import PROCEDURE, Installation, begun, patient
from tests.faults.people import Acknowledged, Browser, Journeys, Stopped, agent, applicant, strangers
from tests.race_runners import together

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PAYERS, READERS = 10, 3
LASTS = 9.0  # seconds: longer than one call
LONGEST = 3.0  # seconds, for those who only read: half of what a call takes
PAGES = ("/", f"/demarches/{PROCEDURE}", "/connexion", "/dossiers")
PAYER = {"provider": "mixx", "payer": "90 11 22 33"}


def owing(house: Installation) -> list[tuple[Browser, str]]:
    """People who have their fee to pay, and the address where they do."""
    done, mayor = Acknowledged(house.folder / "acknowledged"), agent(house.ports, house.mayor())
    found = []
    for person in strangers(house.ports, house.sessions(PAYERS)):
        number = Journeys(person, mayor, done, pdf(), ()).fill(0)
        person.post(f"/dossiers/{number}/verification", {"declared": "1"})
        assert mayor.post(f"/agent/dossiers/{number}/acte/accorder", {"go": "confirm"}).status == 303
        found.append((person, f"/dossiers/{number}/paiement"))
    return found


def storm(house: Installation) -> tuple[list[float], Counter[int]]:
    """What those who read waited while all the others paid and looked whether they had; how these were answered."""
    payers, [reader] = owing(house), house.sessions(1)
    for person, _ in payers:
        person.statuses.clear()
    over, waits, readers = threading.Event(), list[float](), [applicant(house.ports, reader) for _ in range(READERS)]
    ends = threading.Timer(LASTS, lambda: [one.set() for one in (over, *(person.stop for person, _ in payers))])

    def lives(place: int) -> None:
        if place >= PAYERS:
            reads(readers[place - PAYERS])
        else:
            pays(*payers[place])

    def reads(one: Browser) -> None:
        turn = 0
        while not over.is_set():
            began = time.monotonic()
            assert one.open(PAGES[turn % len(PAGES)]).status == 200
            waits.append(time.monotonic() - began)
            turn += 1
            time.sleep(0.05)

    def pays(person: Browser, address: str) -> None:
        with suppress(Stopped):
            told = person.post(address, PAYER)
            while True:
                assert person.open(f"{told.address}.json").status == 200
                time.sleep(0.2)

    ends.start()
    assert [one for one in together(PAYERS + READERS, lives) if one is not None] == []
    return waits, Counter(status for person, _ in payers for status in person.statuses)


def test_an_operator_that_answers_nothing_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    with begun(tmp_path, servers=1, twin="an_operator_answers_nothing") as house:
        waits, told = storm(house)
        assert max(waits) < patient(LONGEST)
        assert len(waits) > READERS * LASTS
        assert set(told) <= {200, 303, 503}
        assert told[503] > 0, "some are told to come back"
        assert house.accidents() == []
        assert house.findings() == []


def test_a_thread_for_everybody_who_waits_is_seen(tmp_path: Path) -> None:
    with begun(tmp_path, servers=1, twin="an_operator_answers_nothing everybody_waits_for_an_operator") as house:
        waits, _ = storm(house)
        assert max(waits) > 1.5 * LONGEST
