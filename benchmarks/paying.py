"""Paying while an operator is slow: in each store, with one and two processes of four and eight threads, an operator that answers
at once, within three seconds, or not for a minute. Whoever pays must read within two seconds what is being done, and reach the receipt
where the operator answers; those who read other pages are timed beside the same without anybody who pays.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from itertools import product

from benchmarks.journey import ASKED, RECEIPT, Journey, Stopped, a_folder, people
from benchmarks.measure import Measure
from benchmarks.portal import Server, serving_portal
from benchmarks.slow_operator import SLOW
from tests.postgres import database

PAYERS, READERS, SECONDS = 12, 2, 3.0
HANGS = 60.0  # seconds: the receipt is not waited for
SEEN, SLOWER = 2.0, 1.2
SLOWLY = {"provider": SLOW, "payer": "90 00 00 01"}
AT_ONCE = {"provider": "flooz", "payer": "96 00 00 01"}
PAGES = ("/demarches", "/dossiers", "/aide", "/demarches/trajet")
PAUSE = 0.05  # seconds between two pages of one reader: readers alone must not fill the processor


@dataclass(frozen=True)
class Cell:
    """One case. `takes`: seconds of each call to the slow operator."""

    store: str
    servers: int
    threads: int
    takes: float

    @property
    def id(self) -> str:
        return f"H3-pay-{self.store}-{self.servers}x{self.threads}-{self.takes:g}s"


CELLS = tuple(Cell(*one) for one in product(("sqlite", "pg"), (1, 2), (4, 8), (0.0, 3.0, HANGS)))


@dataclass(frozen=True)
class Found:
    """Result of one case: wrong answers, the longest wait until the stage is read, and the wait for another page in seconds.

    The wait for another page is the median of each page, averaged over the pages: one median of pages of unequal cost jumps
    between two of them.
    """

    wrong: int
    seen: float
    alone: float
    beside: float


def measures() -> Iterator[Measure]:
    """Three lines a case, as they are measured."""
    for cell in CELLS:
        found = measured(cell)
        yield Measure(f"{cell.id}-errors", "paying: wrong answers", found.wrong, 0, 0)
        yield Measure(f"{cell.id}-seen", "paying: what is done is read within (s)", found.seen, SEEN, SEEN)
        beside = f"medians: {1000 * found.alone:.1f} ms alone, {1000 * found.beside:.1f} ms beside {PAYERS} who pay"
        yield Measure(
            f"{cell.id}-others", "other pages, beside the same without payers", found.beside / found.alone, SLOWER, 1, beside=beside
        )  # fmt: skip


def measured(cell: Cell, payers: int = PAYERS, seconds: float = SECONDS) -> Found:
    with ExitStack() as kept:
        address = kept.enter_context(database() if cell.store == "pg" else nullcontext(""))
        folder = kept.enter_context(a_folder())
        starts = ("-m", "benchmarks.slow_operator", str(cell.takes))
        servers = [
            kept.enter_context(serving_portal(folder, address, str(cell.threads), starts, GUICHET_STOP_WITHIN="2"))
            for _ in range(cell.servers)
        ]
        tokens = iter(people(folder, address))
        return _beside(cell, servers, tokens, payers, seconds)


def _beside(cell: Cell, servers: list[Server], tokens: Iterator[str], payers: int, seconds: float) -> Found:
    never = time.monotonic() + 3600
    paying = [Journey(servers[n % len(servers)].port, next(tokens), never) for n in range(payers)]
    numbers = [one.comes_to_pay() for one in paying]
    readers = [Journey(servers[n % len(servers)].port, next(tokens), never) for n in range(READERS)]
    _read(readers, 0.5)  # what is kept in memory is there
    alone = _read(readers, seconds)
    seen: list[float] = []
    threads = [
        threading.Thread(target=_pay, args=(cell, one, number, n, seen))
        for n, (one, number) in enumerate(zip(paying, numbers, strict=True))
    ]
    for thread in threads:
        thread.start()
    beside = _read(readers, seconds)
    for thread in threads:
        thread.join()
    wrong = sum(one.wrong for one in (*paying, *readers))
    for one in (*paying, *readers):
        one.close()
    return Found(wrong, max(seen, default=SEEN * 10), alone, beside)


def _read(readers: list[Journey], seconds: float) -> float:
    """Return the wait for a page of those who only read, in seconds."""
    end = time.monotonic() + seconds
    waits: dict[str, list[float]] = {page: [] for page in PAGES}

    def reads(one: Journey) -> None:
        turn = 0
        while time.monotonic() < end or turn < len(PAGES):  # each page at least once, however slow the machine
            page = PAGES[turn % len(PAGES)]
            with suppress(Stopped):
                one.get("read", page, "<h1")
                waits[page].append(one.waits[-1])
            turn += 1
            time.sleep(PAUSE)

    threads = [threading.Thread(target=reads, args=(one,)) for one in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statistics.mean(statistics.median(one) for one in waits.values())


def _pay(cell: Cell, one: Journey, number: str, place: int, seen: list[float]) -> None:
    """Every other one pays with the operator that answers at once; with one that hangs, whoever pays reads that it is asked."""
    payer = SLOWLY if place % 2 else AT_ONCE
    with suppress(Stopped):
        if payer is SLOWLY and cell.takes >= HANGS:
            _follows(one, number, seen)
        else:
            one.pays(number, payer, RECEIPT + 8 * cell.takes, seen.append)


def _follows(one: Journey, number: str, seen: list[float]) -> None:
    began = time.monotonic()
    following = one.asks_to_pay(number, SLOWLY)
    for _ in range(3):
        said = one.reads(following)
        seen.append(time.monotonic() - began)
        if not ASKED.search(f"<h1>{said}"):
            one.fails(f"following: {said}")
        time.sleep(1.0)
        began = time.monotonic()


if __name__ == "__main__":
    for measure in measures():
        print(measure, flush=True)
