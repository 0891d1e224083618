"""`python -m benchmarks.servers`: our own pages behind several WSGI servers, in turns; then with slow people at the door.

Each server runs the same application over a store of its own, with as many threads. What is printed: requests a second, processor
time a request (all its processes together), memory, and how long others wait while a hundred people send a byte now and then.
"""

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.environment import PLACE, peers
from benchmarks.forms import fills, getting, posting
from benchmarks.journey import people
from benchmarks.measure import percentile
from benchmarks.peers.in_process import PEOPLE
from benchmarks.portal import ROOT, free_port, write_procedures

SECONDS, ROUNDS, CLIENTS, SLOW = 3.0, 5, 4, 100
APP = "benchmarks.served:app"
COMMANDS = {
    "waitress 1x8": "-m waitress --listen=127.0.0.1:{port} --threads=8 {app}",
    "waitress 1x8 of 1000": "-m waitress --listen=127.0.0.1:{port} --threads=8 --connection-limit=1000 {app}",
    "gunicorn 1x8": "-m gunicorn -k gthread -w 1 --threads 8 -b 127.0.0.1:{port} {app}",
    "granian 1x8": "-m granian --interface wsgi --workers 1 --blocking-threads 8 --host 127.0.0.1 --port {port} --no-ws {app}",
    "gunicorn 2x4": "-m gunicorn -k gthread -w 2 --threads 4 -b 127.0.0.1:{port} {app}",
    "granian 2x4": "-m granian --interface wsgi --workers 2 --blocking-threads 4 --host 127.0.0.1 --port {port} --no-ws {app}",
}

SLOW_COMMANDS = ("waitress 1x8", "waitress 1x8 of 1000", "gunicorn 1x8", "granian 1x8")


@dataclass
class Behind:
    """One server under measure, and a person's pages on it."""

    name: str
    port: int
    pid: int
    one: dict[str, Callable[[HTTPConnection], int]]

    def family(self) -> list[int]:
        """The process and its children."""
        found, waiting = [], [self.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        return found

    def cpu(self) -> float:
        ticks = 0
        for pid in self.family():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Proportional set size of all its processes, MiB."""
        texts = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.family())
        return sum(int(m[1]) for text in texts if (m := re.search(r"^Pss:\s+(\d+)", text, re.M))) / 1024


@contextmanager
def behind(name: str) -> Iterator[Behind]:
    with tempfile.TemporaryDirectory() as place:
        folder, port = Path(place), free_port()
        write_procedures(folder / "procedures")
        environment = {
            **os.environ, "GUICHET_PROCEDURES": str(folder / "procedures"), "GUICHET_DATA": str(folder / "data"),
            "PYTHONPATH": f"{ROOT}:{PLACE}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages",
            "GUICHET_SECRET": "mesures" * 6,
        }  # fmt: skip
        command = [sys.executable, *COMMANDS[name].format(port=port, app=APP).split()]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _answers(port, process)
            yield Behind(name, port, process.pid, _pages(port, folder))
        finally:
            process.terminate()
            process.wait(20)


def _answers(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            link = HTTPConnection("127.0.0.1", port, timeout=30)
            link.request("GET", "/")
            if link.getresponse().status == 200:
                return
        except OSError:
            if process.poll() is not None:
                raise SystemExit(f"{process.args!r} ended at once") from None
        time.sleep(0.1)
    raise SystemExit(f"{process.args!r} does not answer")


def _pages(port: int, folder: Path) -> dict[str, Callable[[HTTPConnection], int]]:
    """Twenty drafts of the long page, and what asks for them."""
    filling = [fills(port, token) for token in people(folder, "")[:PEOPLE]]
    path, cookie, _ = filling[0]
    return {"home": getting("/"), "form": getting(path, cookie), "post": posting(filling)}


def load(
    server: Behind, kind: str, clients: int = CLIENTS, seconds: float = SECONDS
) -> tuple[float, float, list[float]]:
    """Requests a second, milliseconds of processor each, waits."""
    end, waits, lock = time.monotonic() + seconds, list[float](), threading.Lock()
    wrong: list[int] = []

    def client() -> None:
        link, mine = HTTPConnection("127.0.0.1", server.port, timeout=60), []
        while time.monotonic() < end:
            began = time.perf_counter()
            status = server.one[kind](link)
            mine.append(time.perf_counter() - began)
            if status not in (200, 302, 303):
                wrong.append(status)
        with lock:
            waits.extend(mine)

    began, cpu = time.monotonic(), server.cpu()
    people = [threading.Thread(target=client) for _ in range(clients)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    if wrong:
        raise SystemExit(f"{server.name}: {kind} answered {wrong[:3]}")
    return len(waits) / (time.monotonic() - began), 1000 * (server.cpu() - cpu) / len(waits), waits


@contextmanager
def slow_people(port: int) -> Iterator[None]:
    """A hundred who send their request a byte every half second and never end."""
    over, links = threading.Event(), [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW)]

    def dribble() -> None:
        text = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nX-Slow: " + b"a" * 5_000
        for sign in text:
            for link in links:
                try:
                    link.send(bytes([sign]))
                except OSError:
                    continue
            if over.wait(0.5 if sign == ord("a") else 0.01):
                return

    thread = threading.Thread(target=dribble, daemon=True)
    thread.start()
    time.sleep(1.5)
    try:
        yield
    finally:
        over.set()
        thread.join()
        for link in links:
            link.close()


def usual_pages() -> None:
    """Our pages on each, in turns."""
    with ExitStack() as running:
        servers = [running.enter_context(behind(name)) for name in COMMANDS if "1000" not in name]
        reported: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
        for turn in range(ROUNDS + 1):
            for kind in ("home", "form", "post"):
                for server in servers:
                    pace, cpu, waits = load(server, kind)
                    if turn:
                        reported.setdefault((server.name, kind), []).append((pace, cpu, percentile(waits, 0.99)))
        print(f"{CLIENTS} people at once, medians of {ROUNDS} turns of {SECONDS:.0f} s; load {os.getloadavg()[0]:.1f}")
        for (name, kind), runs in reported.items():
            pace, cpu, p99 = (statistics.median(one[at] for one in runs) for at in range(3))
            print(f"{name:14} {kind:5} {pace:7.0f} /s {cpu:6.2f} ms {1000 * p99:7.0f} ms for 99 of 100")
        for server in servers:
            print(f"{server.name:14} memory {server.memory():6.0f} MiB")


def slow_door() -> None:
    """The home page for others, while a hundred people send a byte now and then."""
    for name in SLOW_COMMANDS:
        with behind(name) as server:
            before = percentile(_asked(server)[1], 0.5)
            with slow_people(server.port):
                failed, waits = _asked(server)
            said = (
                f"half {1000 * percentile(waits, 0.5):.0f} ms, 99 of 100 {1000 * percentile(waits, 0.99):.0f} ms"
                if waits
                else "nobody"
            )
            print(
                f"{name:22} before {1000 * before:.0f} ms; behind {SLOW} slow people: {len(waits)} served, {failed} not; {said}",
                flush=True,
            )


def _asked(server: Behind, seconds: float = 6.0) -> tuple[int, list[float]]:
    """How many were not served within five seconds, and how long the others waited."""
    failed, waits, end = 0, list[float](), time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        try:
            link = HTTPConnection("127.0.0.1", server.port, timeout=5)
            if server.one["home"](link) != 200:
                raise OSError
            waits.append(time.perf_counter() - began)
        except OSError:
            failed += 1
        finally:
            link.close()
    return failed, waits


def main() -> None:
    peers()
    if sys.argv[1:] != ["slow"]:
        usual_pages()
    slow_door()


if __name__ == "__main__":
    main()
