"""B12. Four hundred clients send one byte a second, half of them the headers and half the form.

The others are served as before, and slow clients are disconnected. Then the mutants: a thread for each connection, and a limit of a
hundred connections. The same with slow readers of a long answer; a slow but regular client gets its answer. Then their mutants: a
thread that waits for its reader, and no disconnection.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from renderers.cli.admin import http_server as console_serving
from renderers.cli.admin.http_server import Channel, Front
from renderers.cli.admin.web_processes import listening_socket
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


def served(installation: Installation, seconds: float, patience: float = 30.0) -> tuple[list[float], list[int]]:
    """Others read pages meanwhile: how long each took, and what came."""
    tokens, end = installation.sessions(OTHERS), time.monotonic() + seconds
    took: list[float] = []
    statuses: list[int] = []

    def reads(place: int) -> None:
        person = applicant(installation.ports, tokens[place], wait_limit=patience)
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
    with begun(tmp_path, servers=1) as installation:
        served(installation, 1)
        with crawling(installation.ports[0], SLOW) as crawlers:
            took, statuses = served(installation, 15)
            assert len(crawlers.lines) == SLOW, "a poor line is waited for"
            while crawlers.lines and time.monotonic() - crawlers.began < patient(SHOWN_OUT):
                time.sleep(0.1)
            lasted = list(crawlers.lasted)
        assert set(statuses) == {200}
        assert took[len(took) * 95 // 100] < patient(ANSWER), took[-20:]
        assert len(lasted) == SLOW
        assert max(lasted) < patient(SHOWN_OUT)
        assert installation.accidents() == []


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(("mutant", "count"), [("a_thread_a_connection", 20), ("a_hundred_connections", 120)])
def test_a_place_that_is_taken_is_seen(tmp_path: Path, mutant: str, count: int) -> None:
    with begun(tmp_path, servers=1, mutant=mutant) as installation:
        with crawling(installation.ports[0], count):
            _, statuses = served(installation, 1, patience=patient(2))
        assert 0 in statuses


# -- who takes a sign at a time ----------------------------------------------------------------------------------------

PIECE = 65_536  # bytes
LONG = 366 * PIECE  # a list that an agent takes away, more than waitress has lie ready where nothing else is said
PAPER = 16 * PIECE  # a document of a megabyte
THREADS = 2
A_POOR_LINE = 400_000  # bytes a second: within one machine more lies between both ends than between two


def long_or_short(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    said = {"/long": LONG, "/paper": PAPER}.get(environ["PATH_INFO"], 0)
    return (b"a" * PIECE for _ in range(said // PIECE)) if said else [b"short"]


@contextmanager
def a_door() -> Iterator[Front]:
    """A server's front with two threads."""
    front, stopping = Front(long_or_short, listening_socket("127.0.0.1", 0), THREADS, 1000), threading.Event()
    turn = threading.Thread(target=front.run, args=(stopping,))
    turn.start()
    try:
        yield front
    finally:
        stopping.set()
        front.wake()
        turn.join(5)
        front.drain(0)


def asks(front: Front, address: str, times: int = 1) -> socket.socket:
    [door] = front._servers()
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096 if address == "/paper" else 65_536)
    line.settimeout(patient(2))
    line.connect(("127.0.0.1", int(door.effective_port)))
    closes = "Connection: close\r\n" if times == 1 else ""
    line.sendall(f"GET {address} HTTP/1.1\r\nHost: localhost\r\n{closes}\r\n".encode() * times)
    return line


def is_served(front: Front) -> bool:
    with asks(front, "/short") as line, suppress(TimeoutError):
        return b"short" in b"".join(iter(lambda: line.recv(PIECE), b""))
    return False


def standing(front: Front) -> int:
    """How many connections the server holds."""
    return sum(isinstance(one, Channel) for one in list(front._map.values()))


def test_who_takes_a_sign_at_a_time_takes_nobody_s_place_and_is_shown_out() -> None:
    with a_door() as front, ExitStack() as kept:
        poor, *lines = [kept.enter_context(asks(front, "/long")) for _ in range(1 + THREADS * 3)]
        while standing(front) < 1 + len(lines):
            time.sleep(0.1)
        began, took = time.monotonic(), 0
        while standing(front) > 1 and time.monotonic() - began < patient(SHOWN_OUT + 15):
            assert is_served(front)
            for line in lines:
                line.recv(1)
            for _ in range(A_POOR_LINE // PIECE):
                took += len(poor.recv(PIECE))
            time.sleep(1)
        assert standing(front) == 1
        while piece := poor.recv(PIECE):
            took += len(piece)
        assert took > LONG, "a poor line is waited for"


def test_who_takes_a_paper_over_a_very_poor_line_has_it_whole() -> None:
    """A reader of twenty thousand bytes a second, whose paper lies in the system long before it is taken."""
    with a_door() as front, asks(front, "/paper") as line:
        line.settimeout(patient(30))
        began, took = time.monotonic(), 0
        while piece := line.recv(1000):
            took += len(piece)
            time.sleep(max(0.0, began + took / 20_000 - time.monotonic()))
        assert took > PAPER
        assert time.monotonic() - began > SHOWN_OUT + 15, "longer than who takes nothing is waited for"


def test_one_connection_has_one_answer_lie_ready() -> None:
    """Who asks for three hundred at once and takes none fills neither memory nor disk: one is answered, then they begin anew."""
    with a_door() as front, asks(front, "/paper", times=300) as line:
        time.sleep(1)
        held = [one.total_outbufs_len for one in list(front._map.values()) if isinstance(one, Channel)]
        assert sum(held) < 2 * PAPER
        line.settimeout(patient(10))
        came = bytearray()
        with suppress(ConnectionError):
            while piece := line.recv(PIECE):
                came += piece
        assert came.count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.nightly("mutant")
def test_a_thread_that_waits_for_its_reader_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_serving, "_READY", 16 << 20)
    with a_door() as front, ExitStack() as kept:
        for _ in range(THREADS):
            kept.enter_context(asks(front, "/long"))
        time.sleep(1)
        assert not is_served(front)


@pytest.mark.nightly("mutant")
def test_a_reader_whom_nobody_shows_out_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waitress by itself closes a connection only where it may write to it."""
    monkeypatch.setattr(Front, "_cut_the_slow", lambda front: None)
    with a_door() as front, ExitStack() as kept:
        kept.enter_context(asks(front, "/long"))
        time.sleep(SHOWN_OUT + 10)
        assert standing(front) == 1
