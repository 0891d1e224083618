"""`make bench`: pages of the portal beside a bare Flask page on the same server, same machine, same run, in turns; then
what many procedures cost (`scale.py`), alone with `python -m benchmarks scale`."""

from __future__ import annotations

import json
import os
import platform
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import scale
from benchmarks.portal import Browser, Server, answers, bare_page, hidden, portal

ROUNDS, SECONDS, CLIENTS = 7, 2.0, 2
OUT = Path(__file__).parent / "out.json"


@dataclass(frozen=True)
class Line:
    """One measure: the portal's figure, the bare page's, and the share, against what is aimed at."""

    id: str
    what: str
    ours: float
    bare: float
    value: float  # share of the bare page's requests a second, in percent of processor time
    floor: float
    stretch: float
    met: bool


@dataclass(frozen=True)
class Run:
    requests: float  # a second, on the wall
    cpu: float  # milliseconds of the server's processor a request
    errors: int


def load(server: Server, one: Callable[[HTTPConnection], int], good: frozenset[int]) -> Run:
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


def getting(path: str, cookie: str = "") -> Callable[[HTTPConnection], int]:
    headers = {"Cookie": cookie, "Accept-Encoding": "gzip"} if cookie else {"Accept-Encoding": "gzip"}

    def one(link: HTTPConnection) -> int:
        link.request("GET", path, headers=headers)
        response = link.getresponse()
        response.read()
        return response.status

    return one


def posting(path: str, cookie: str, fields: dict[str, str], fresh: bool) -> Callable[[HTTPConnection], int]:
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}

    def one(link: HTTPConnection) -> int:
        body = {**fields, "token": secrets.token_urlsafe(16), "q0": secrets.token_hex(4)} if fresh else fields
        link.request("POST", path, urlencode(body), headers)
        response = link.getresponse()
        response.read()
        return response.status

    return one


def compare(
    line: tuple[str, str, float, float],
    ours: tuple[Server, Callable[[HTTPConnection], int]],
    bare: tuple[Server, Callable[[HTTPConnection], int]],
    good: frozenset[int],
) -> Line:
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
    print(
        f"{ident}  {what:44} {mine:7.0f} /s  {theirs:7.0f} /s bare   "
        f"{cost[0]:5.2f} ms  {cost[1]:5.2f} ms bare   {share:5.1f} %  (floor {floor:.0f}, stretch {stretch:.0f})"
    )
    return Line(ident, what, mine, theirs, round(share, 1), floor, stretch, share >= floor)


def main() -> None:
    known = {one["id"]: one for one in json.loads(OUT.read_text("utf-8"))} if OUT.is_file() else {}
    if sys.argv[1:] != ["scale"]:
        known |= {one.id: asdict(one) for one in _pages()}
    print()
    for measure in scale.measures():
        print(measure, flush=True)
        known[measure.id] = {**asdict(measure), "met": measure.met}
    OUT.write_text(json.dumps(list(known.values()), indent=2) + "\n", "utf-8")


def _pages() -> list[Line]:
    names = ", ".join(f"{name} {version(name)}" for name in ("flask", "waitress", "jinja2", "jsonschema"))
    print(f"Python {platform.python_version()} ({sys.platform}), {names}; load {os.getloadavg()[0]:.1f}")
    print(
        f"{CLIENTS} clients, {ROUNDS} rounds of {SECONDS:.0f} s in turns; share = processor time a request, bare / ours\n"
    )
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as folder, portal(Path(folder)) as server, bare_page() as bare:
        person = Browser(server.port)
        person.sign_in()
        path = person.open_draft("trente-questions")
        _, page = person.get(path)
        fields = {**hidden(page), **answers(), "go": "later"}
        fields.pop("revision", None)
        ok, seen = frozenset({200}), frozenset({200, 302, 303})
        lines.append(compare(("H0", "GET the home page", 65, 80), (server, getting("/")), (bare, getting("/")), ok))
        lines.append(
            compare(
                ("H1", "GET a page of 30 questions", 65, 80),
                (server, getting(path, person.cookie())),
                (bare, getting("/")),
                ok,
            )
        )
        lines.append(
            compare(
                ("H2", "POST that page, kept durably", 25, 35),
                (server, posting(path, person.cookie(), fields, True)),
                (bare, posting("/", "", answers(), False)),
                seen,
            )
        )
        print(
            f"\nM1  memory of the portal's process {server.memory():.0f} MiB, of the bare page's {bare.memory():.0f} MiB"
        )
    return lines


if __name__ == "__main__":
    main()
