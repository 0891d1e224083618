"""Pages of the portal beside a bare Flask page on the same server, same machine, same run, in turns."""

from __future__ import annotations

import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.journey import people as sessions
from benchmarks.measure import Measure
from benchmarks.portal import Browser, Server, answers, bare_page, hidden, portal, serving_portal

ROUNDS, SECONDS, CLIENTS, PEOPLE = 5, 2.0, 2, 20
Ask = Callable[[HTTPConnection], int]


@dataclass(frozen=True)
class Run:
    requests: float  # a second, on the wall
    cpu: float  # milliseconds of the server's processor a request
    errors: int


def load(server: Server, one: Ask, good: frozenset[int]) -> Run:
    """Clients asking one after another for some seconds; what it cost the server."""
    end, counts, errors = time.monotonic() + SECONDS, [0] * CLIENTS, [0] * CLIENTS

    def client(index: int) -> None:
        link = HTTPConnection("127.0.0.1", server.port, timeout=30)
        while time.monotonic() < end:
            counts[index] += 1
            errors[index] += one(link) not in good

    began, cpu = time.monotonic(), server.cpu()
    people = [threading.Thread(target=client, args=(index,)) for index in range(CLIENTS)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    spent, used = time.monotonic() - began, server.cpu() - cpu
    return Run(sum(counts) / spent, 1000 * used / max(1, sum(counts)), sum(errors))


def getting(path: str, cookie: str = "") -> Ask:
    headers = {"Cookie": cookie, "Accept-Encoding": "gzip"} if cookie else {"Accept-Encoding": "gzip"}

    def one(link: HTTPConnection) -> int:
        link.request("GET", path, headers=headers)
        response = link.getresponse()
        response.read()
        return response.status

    return one


def posting(people: list[tuple[str, str, dict[str, str]]], fresh: bool) -> Ask:
    """Posts of people in turn, each with an address, a cookie and fields: one alone would reach the limit of changes."""
    turns = cycle(people)

    def one(link: HTTPConnection) -> int:
        path, cookie, fields = next(turns)
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        body = {**fields, "token": secrets.token_urlsafe(16), "q0": secrets.token_hex(4)} if fresh else fields
        link.request("POST", path, urlencode(body), headers)
        response = link.getresponse()
        response.read()
        return response.status

    return one


def compare(
    line: tuple[str, str, float, float], ours: tuple[Server, Ask], bare: tuple[Server, Ask], good: frozenset[int]
) -> Measure:
    """The share of the bare page's requests a second, in percent of processor time."""
    ident, what, floor, stretch = line
    load(ours[0], ours[1], good)  # warm-up
    load(bare[0], bare[1], good)
    pairs = [(load(ours[0], ours[1], good), load(bare[0], bare[1], good)) for _ in range(ROUNDS)]
    wrong = sum(one.errors + other.errors for one, other in pairs)
    if wrong:
        raise SystemExit(f"{ident}: {wrong} wrong answers")
    share = statistics.median(100 * other.cpu / one.cpu for one, other in pairs)
    mine, theirs = (statistics.median(side.requests for side in sides) for sides in zip(*pairs, strict=True))
    cost = statistics.median(one.cpu for one, _ in pairs), statistics.median(other.cpu for _, other in pairs)
    beside = f"{mine:.0f} /s at {cost[0]:.2f} ms of processor; bare {theirs:.0f} /s at {cost[1]:.2f} ms"
    return Measure(ident, f"{what}: share of a bare Flask page's pace (%)", share, floor, stretch, False, beside)


@contextmanager
def _begun(folder: Path) -> Iterator[Server]:
    """The portal as it starts every time but the first, when it proves every procedure."""
    with portal(folder):
        pass
    with serving_portal(folder) as server:
        yield server


def fills(port: int, token: str) -> tuple[str, str, dict[str, str]]:
    """A signed-in person who opens the form: its address, their cookie and what they post."""
    person = Browser(port)
    person.cookies["guichet"] = token
    path = person.open_draft("trente-questions")
    _, page = person.get(path)
    fields = {**hidden(page), **answers(), "go": "later"}
    fields.pop("revision", None)
    return path, person.cookie(), fields


def measures() -> Iterator[Measure]:
    """Every line, as it is measured."""
    with tempfile.TemporaryDirectory() as folder, _begun(Path(folder)) as server, bare_page() as bare:
        people = [fills(server.port, token) for token in sessions(Path(folder), "")[:PEOPLE]]
        path, cookie, _ = people[0]
        ok, seen = frozenset({200}), frozenset({200, 302, 303})
        empty = bare, getting("/")
        yield compare(("H0", "GET the home page", 65, 80), (server, getting("/")), empty, ok)
        yield compare(("H1", "GET a page of 30 questions", 65, 80), (server, getting(path, cookie)), empty, ok)
        post = server, posting(people, True)
        bare_post = bare, posting([("/", "", answers())], False)
        yield compare(("H2", "POST that page, kept durably", 25, 35), post, bare_post, seen)
        beside = f"the bare page's {bare.memory():.0f} MiB"
        yield Measure(
            "M1-few", "MiB of memory of the process after these pages", server.memory(), 80, 60, beside=beside
        )


if __name__ == "__main__":
    for measure in measures():
        print(measure, flush=True)
