"""B12. Four hundred who send a sign a second, half of them their headers and half a form: the others are served as before, and
the slow ones are shown out. Then the twins: a thread for each connection, and a hundred connections at most."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.installation import PROCEDURE, Installation, begun, patient
from tests.faults.people import applicant
from tests.race_runners import together

pytestmark = [pytest.mark.slow, pytest.mark.faults]

SLOW = 400
OTHERS = 8
PAGES = ("/", f"/demarches/{PROCEDURE}", "/dossiers", "/connexion")
ANSWER = 0.5  # seconds, of ninety-five answers in a hundred
SHOWN_OUT = 30.0  # seconds after its first sign
HEAD = b"POST /connexion HTTP/1.1\r\nHost: localhost\r\n"
FORM = HEAD + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\n"


@dataclass
class Crawlers:
    """Those who send a sign a second, until each is shown out; `lasted` says how long that took."""

    began: float
    lines: list[socket.socket]
    lasted: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def crawl(self) -> None:
        while self.lines and not self.stop.wait(1):
            for line in list(self.lines):
                with suppress(BlockingIOError):
                    try:
                        line.send(b"a")
                        if line.recv(100) == b"":
                            raise ConnectionResetError
                    except (ConnectionError, OSError) as end:
                        if isinstance(end, BlockingIOError):
                            raise
                        self.lines.remove(line)
                        self.lasted.append(time.monotonic() - self.began)
                        line.close()


@contextmanager
def crawling(port: int, count: int) -> Iterator[Crawlers]:
    lines = []
    for number in range(count):
        line = socket.create_connection(("127.0.0.1", port), 30)
        line.sendall(FORM if number % 2 else HEAD + b"X-Slow: ")
        line.setblocking(False)
        lines.append(line)
    crawlers = Crawlers(time.monotonic(), lines)
    thread = threading.Thread(target=crawlers.crawl)
    thread.start()
    try:
        yield crawlers
    finally:
        crawlers.stop.set()
        thread.join()
        for line in crawlers.lines:
            line.close()


def served(house: Installation, seconds: float, patience: float = 30.0) -> tuple[list[float], list[int]]:
    """Others read pages meanwhile: how long each took, and what came."""
    tokens, end = house.sessions(OTHERS), time.monotonic() + seconds
    took: list[float] = []
    statuses: list[int] = []

    def reads(place: int) -> None:
        person = applicant(house.ports, tokens[place], patience=patience)
        while time.monotonic() < end:
            for address in PAGES:
                began = time.monotonic()
                try:
                    statuses.append(person.once("GET", address).status)
                except OSError:
                    statuses.append(0)
                    return
                took.append(time.monotonic() - began)
                time.sleep(0.2)

    together(OTHERS, reads)
    return sorted(took), statuses


def test_who_crawls_takes_nobody_s_place_and_is_shown_out(tmp_path: Path) -> None:
    with begun(tmp_path, servers=1) as house:
        served(house, 1)
        with crawling(house.ports[0], SLOW) as crawlers:
            took, statuses = served(house, 15)
            assert len(crawlers.lines) == SLOW, "a poor line is waited for"
            while crawlers.lines and time.monotonic() - crawlers.began < patient(SHOWN_OUT):
                time.sleep(0.1)
            lasted = list(crawlers.lasted)
        assert set(statuses) == {200}
        assert took[len(took) * 95 // 100] < patient(ANSWER), took[-20:]
        assert len(lasted) == SLOW
        assert max(lasted) < patient(SHOWN_OUT)
        assert house.accidents() == []


@pytest.mark.parametrize(("twin", "count"), [("a_thread_a_connection", 20), ("a_hundred_connections", 120)])
def test_a_place_that_is_taken_is_seen(tmp_path: Path, twin: str, count: int) -> None:
    with begun(tmp_path, servers=1, twin=twin) as house:
        with crawling(house.ports[0], count):
            _, statuses = served(house, 1, patience=patient(2))
        assert 0 in statuses
