"""A page of 30 questions, asked and posted: beside the same page with hand-written Flask, Flask-WTF and Django (`benchmarks/peers`).

In process each application is asked by its WSGI door, in a process of its own; served, each is behind waitress with as many
threads. All keep what is posted in SQLite, FULL. A value is their processor time of a request through ours.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.environment import peers
from benchmarks.journey import people as sessions
from benchmarks.measure import Measure, in_turns, median_of, median_ratio
from benchmarks.peers.in_process import FIRST, PEOPLE, filled
from benchmarks.portal import (
    LONG_PAGE,
    THREADS,
    Browser,
    Server,
    free_port,
    portal,
    process_in,
    running,
    serving_portal,
)

ROUNDS, REQUESTS, SERVED_ROUNDS, SECONDS, CLIENTS = 9, 40, 5, 2.0, 2
OURS, SITE = "benchmarks.inside", "{}:application"
THEIRS = {
    "hand": ("hand-written Flask on sqlite3", "benchmarks.peers.hand_written"),
    "wtf": ("Flask-WTF, SQLAlchemy", "benchmarks.peers.flask_wtf_sqlalchemy"),
    "django": ("Django", "benchmarks.peers.django_site.site"),
}
WORDS = {"get": ("P1", "GET 30 questions"), "post": ("P2", "POST them, FULL")}
AIMS = {
    "P1-hand": (0.8, 1.0), "P1-wtf": (6.0, 6.0), "P1-django": (20.0, 20.0),
    "P2-hand": (0.45, 0.45), "P2-wtf": (1.5, 1.5), "P2-django": (1.9, 1.9),
}  # fmt: skip
Ask = Callable[[HTTPConnection], int]
Filling = tuple[str, str, dict[str, str]]  # an address, a cookie, what is posted


def measures() -> Iterator[Measure]:
    """Every line, as it is measured."""
    yield from _in_process()
    yield from _served()


def _lines(kind: str, how: str, rounds: list[tuple[float, ...]], beside: str) -> Iterator[Measure]:
    """A line a peer; the first side of each round is ours."""
    line, what = WORDS[kind]
    for side, (peer, (name, _)) in enumerate(THEIRS.items(), 1):
        floor, stretch = AIMS[f"{line}-{peer}"]
        us, them = median_of(rounds, 0), median_of(rounds, side)
        yield Measure(
            f"{line}-{peer}{'-served' if how == 'served' else ''}", f"{what}, {how}, processor: {name} / ours",
            median_ratio(rounds, side, 0), floor, stretch, False, f"{us:.2f} ms ours, {them:.2f} ms theirs{beside}",
        )  # fmt: skip


# -- in process --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """An application in a process of its own, asked through a pipe."""

    process: subprocess.Popen[str]
    size: int  # bytes of the filled page, compressed

    def ask(self, kind: str, count: int) -> float:
        """Milliseconds of processor a request."""
        return float(said_by(self.process, f"{kind} {count}")) / 1000


def said_by(process: subprocess.Popen[str], asked: str) -> str:
    """What a process answers to a line, "" for none; without an answer the run ends."""
    if asked:
        print(asked, file=process.stdin, flush=True)
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise SystemExit(f"{process.args!r} ended")
    return line


@contextmanager
def asked(python: str, module: str, database: Path) -> Iterator[Asked]:
    """That application on a new database."""
    command = [python, "-m", "benchmarks.peers.in_process", module]
    with process_in(command, PEER_DATABASE=str(database)) as process:
        yield Asked(process, int(json.loads(said_by(process, ""))["bytes"]))


def _in_process() -> Iterator[Measure]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as kept:
        place, theirs = Path(folder), [module for _, module in THEIRS.values()]
        sides = [kept.enter_context(asked(sys.executable, OURS, place / "ours"))]
        sides += [kept.enter_context(asked(str(peers()), one, place / f"{one}.db")) for one in theirs]
        for kind in WORDS:
            turns = [partial(one.ask, kind, REQUESTS) for one in sides]
            rounds = in_turns(*turns, rounds=ROUNDS)
            beside = f"; {' · '.join(str(one.size) for one in sides)} bytes" if kind == "get" else ""
            yield from _lines(kind, "in process", rounds, beside)


# -- served ------------------------------------------------------------------------------------------------------------


def _served() -> Iterator[Measure]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as kept:
        place, theirs = Path(folder), [module for _, module in THEIRS.values()]
        sides = [kept.enter_context(_ours_served(place / "ours"))]
        sides += [kept.enter_context(_served_by_waitress(module, place / f"{module}.db")) for module in theirs]
        for kind in WORDS:
            asks = [(one, getting(*people[0][:2]) if kind == "get" else posting(people)) for one, people in sides]
            rounds = in_turns(*(partial(load, *one) for one in asks), rounds=SERVED_ROUNDS)
            yield from _lines(kind, "served", rounds, "")


@contextmanager
def _ours_served(folder: Path) -> Iterator[tuple[Server, list[Filling]]]:
    """The portal as it starts every time but the first, when it proves every procedure."""
    with portal(folder):
        pass
    with serving_portal(folder) as server:
        yield server, [fills(server.port, token) for token in sessions(folder, "")[:PEOPLE]]


@contextmanager
def _served_by_waitress(module: str, database: Path) -> Iterator[tuple[Server, list[Filling]]]:
    python, port, environment = str(peers()), free_port(), {"PEER_DATABASE": str(database)}
    with process_in([python, "-m", "benchmarks.peers.in_process", module, "begin", str(PEOPLE)], **environment) as made:
        begun = json.loads(said_by(made, ""))
    listens = f"--listen=127.0.0.1:{port}"
    with running(
        [python, "-m", "waitress", listens, f"--threads={THREADS}", SITE.format(module)], port, environment
    ) as server:
        yield server, [_filling(port, path, cookie) for path, cookie in begun]


def fills(port: int, token: str) -> Filling:
    """A signed-in person who opens a draft of the long page of the portal."""
    person = Browser(port)
    person.cookies["guichet"] = token
    return _filling(port, person.open_draft(LONG_PAGE), person.cookie())


def _filling(port: int, path: str, cookie: str) -> Filling:
    person = Browser(port)
    person.cookies |= dict(one.split("=", 1) for one in cookie.split("; "))
    fields = filled(person.get(path)[1])
    if person.post(path, fields)[0] not in (302, 303):
        raise SystemExit(f"{path} was not kept")
    return path, person.cookie(), fields


def getting(path: str, cookie: str = "") -> Ask:
    """What asks for a page again and again."""
    headers = {"Cookie": cookie, "Accept-Encoding": "gzip"} if cookie else {"Accept-Encoding": "gzip"}

    def one(link: HTTPConnection) -> int:
        link.request("GET", path, headers=headers)
        response = link.getresponse()
        response.read()
        return response.status

    return one


def posting(people: list[Filling]) -> Ask:
    """Posts of people in turn: one alone would reach the limit of changes."""
    turns = cycle(people)

    def one(link: HTTPConnection) -> int:
        path, cookie, fields = next(turns)
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        link.request(
            "POST",
            path,
            urlencode({**fields, "token": secrets.token_urlsafe(16), FIRST: secrets.token_hex(4)}),
            headers,
        )
        response = link.getresponse()
        response.read()
        return response.status

    return one


def load(server: Server, one: Ask) -> float:
    """Milliseconds of the server's processor a request, with clients that ask one after another for some seconds."""
    end, counts, wrong = time.monotonic() + SECONDS, [0] * CLIENTS, list[int]()

    def client(index: int) -> None:
        link = HTTPConnection("127.0.0.1", server.port, timeout=30)
        while time.monotonic() < end:
            counts[index] += 1
            if (status := one(link)) not in (200, 302, 303):
                wrong.append(status)

    cpu = server.cpu()
    people = [threading.Thread(target=client, args=(index,)) for index in range(CLIENTS)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    if wrong:
        raise SystemExit(f"wrong answers: {wrong[:3]}")
    return 1000 * (server.cpu() - cpu) / sum(counts)


if __name__ == "__main__":
    for measure in measures():
        print(measure, flush=True)
