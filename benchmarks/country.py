"""A year of a country on paper: the busiest hour of it lived second by second, for a given number of dossiers a year.

What one request, one act and one row cost was measured (`docs/scale.md` says where); how they wait for each other is a
discrete simulation of queues: processors of the web, connections of the store, and the three rows that several dossiers
share. `python -m benchmarks.country` prints the tables of the page. A seed makes every run the same.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

DAYS, PEAK_DAY, PEAK_HOUR = (
    250,
    3.0,
    0.20,
)  # working days a year; the busiest beside a usual one; its busiest hour's share
REQUESTS, ACTS = 40, 16  # of one dossier in its life: pages of everybody, entries of its journal
REQUEST_MS, ACT_MS, COMMIT_MS = 4.0, 6.0, 2.0  # processor of a page; a connection held by an act; its last flush
TURN_MS = 8.0  # an office's seats are taken one after another: a booking's time on a connection, its flush included
STORE_KB, FILES_KB = 45.0, 600.0  # kept for each dossier: rows and indexes; three papers handed in
SPREAD = 0.8  # sigma of the logarithm of every duration: one in a hundred takes six times the median


@dataclass(frozen=True, slots=True)
class Waits:
    """What people waited, in milliseconds, and how busy the servers were, from 0 to 1."""

    half: float
    worst_of_100: float
    busy: float


@dataclass(frozen=True, slots=True)
class Hour:
    """The busiest hour of a year: how many a second, what it takes so that nobody waits long."""

    dossiers: int
    requests: float
    acts: float
    cores: int
    web: Waits
    connections: int
    store: Waits


def queue(arrivals: Iterable[float], durations: Iterator[float], servers: int) -> Waits:
    """First come, first served, by so many servers. Arrivals in seconds, in order; durations in seconds."""
    free = [0.0] * servers
    spent, worked, last = [], 0.0, 0.0
    for at in arrivals:
        begins = max(at, heapq.heappop(free))
        takes = next(durations)
        worked += takes
        last = begins + takes
        heapq.heappush(free, last)
        spent.append((last - at) * 1000)
    spent.sort()
    if not spent:
        return Waits(0.0, 0.0, 0.0)
    return Waits(spent[len(spent) // 2], spent[len(spent) * 99 // 100], worked / (servers * max(last, *free)))


def poisson(rate: float, seconds: float, dice: random.Random) -> Iterator[float]:
    """Moments at which people come who do not know of each other, so many a second on the average."""
    at = dice.expovariate(rate)
    while at < seconds:
        yield at
        at += dice.expovariate(rate)


def lasting(mean_ms: float, dice: random.Random) -> Iterator[float]:
    """Durations in seconds around a mean: most are shorter, a few much longer."""
    centre = math.log(mean_ms / 1000) - SPREAD**2 / 2
    while True:
        yield dice.lognormvariate(centre, SPREAD)


def a_second(dossiers_a_year: int, each: float) -> float:
    """How many a second in the busiest hour of the year, when a dossier makes so many of them."""
    return dossiers_a_year * each / DAYS * PEAK_DAY * PEAK_HOUR / 3600


def fewest(rate: float, mean_ms: float, limit_ms: float, seed: int) -> tuple[int, Waits]:
    """The fewest servers with which 99 people of 100 are through within the limit, a tenth of them more for safety."""
    servers = max(1, math.ceil(rate * mean_ms / 1000))
    seconds = min(3600.0, max(60.0, 60_000 / rate))
    while True:
        dice = random.Random(seed)
        waits = queue(poisson(rate, seconds, dice), lasting(mean_ms, dice), servers)
        if waits.worst_of_100 <= limit_ms and waits.busy <= 0.9:
            return servers, waits
        servers += 1


def busiest_hour(dossiers_a_year: int, seed: int = 1) -> Hour:
    """What the busiest hour takes: processors until a page is 100 ms, connections until an act is 60 ms, for 99 of 100."""
    requests, acts = a_second(dossiers_a_year, REQUESTS), a_second(dossiers_a_year, ACTS)
    cores, web = fewest(requests, REQUEST_MS, 100.0, seed)
    connections, store = fewest(acts, ACT_MS, 60.0, seed)
    return Hour(dossiers_a_year, requests, acts, cores, web, connections, store)


def one_row(rate: float, held_ms: float, seed: int = 1) -> Waits:
    """A row that only one transaction at a time may change, so many times a second, held until it is kept."""
    dice = random.Random(seed)
    return queue(poisson(rate, max(60.0, 20_000 / rate), dice), lasting(held_ms, dice), 1)


def rush(people: int, within: float, held_ms: float, seed: int = 1) -> Waits:
    """So many people who want a seat of one office within so many seconds of its opening."""
    dice = random.Random(seed)
    return queue(sorted(dice.uniform(0, within) for _ in range(people)), lasting(held_ms, dice), 1)


YEARS: Final = (100_000, 1_000_000, 10_000_000, 100_000_000)


def main() -> None:
    """The tables of `docs/scale.md`."""
    print(
        "| dossiers a year | requests a second | acts a second | cores | 99 of 100 | connections | 99 of 100 | rows | files |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for year in YEARS:
        one = busiest_hour(year)
        rows, files = year * STORE_KB / 1e6, year * FILES_KB / 1e6
        print(
            f"| {year:,} | {one.requests:,.1f} | {one.acts:,.1f} | {one.cores} | {one.web.worst_of_100:.0f} ms"
            f" | {one.connections} | {one.store.worst_of_100:.0f} ms | {rows:,.0f} GB | {files:,.0f} GB |"
        )
    print("\n| a row that many share | a second | busy | half | 99 of 100 |\n|---|---|---|---|---|")
    for what, rate in (
        ("a number of the largest series, a fifth of all", a_second(YEARS[-1], 0.2)),
        ("half of all", a_second(YEARS[-1], 0.5)),
        ("all in one series", a_second(YEARS[-1], 1.0)),
    ):
        row = one_row(rate, ACT_MS / 2 + COMMIT_MS)
        print(f"| {what} | {rate:,.0f} | {row.busy:.0%} | {row.half:.0f} ms | {row.worst_of_100:.0f} ms |")
    for people in (500, 5_000, 50_000):
        row = rush(people, 60.0, TURN_MS)
        print(
            f"| seats of one office, {people:,} people within a minute | {people / 60:,.0f} | {row.busy:.0%} | {row.half / 1000:.1f} s | {row.worst_of_100 / 1000:.1f} s |"
        )


if __name__ == "__main__":
    main()
