"""The simulation behind `docs/scale.md`: it agrees with what queueing theory knows, and says the same each time."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest

from benchmarks.country import Waits, a_second, busiest_hour, fewest, one_row, poisson, queue, rush


def exponential(rate: float, dice: random.Random) -> Iterator[float]:
    while True:
        yield dice.expovariate(rate)


@pytest.mark.parametrize("busy", [0.3, 0.5, 0.8])
def test_one_server_waits_as_known(busy: float) -> None:
    """M/M/1: the time spent is exponential of rate mu - lambda (Kleinrock, Queueing Systems, volume 1, 3.2)."""
    dice = random.Random(7)
    waits = queue(poisson(busy * 100, 3000, dice), exponential(100, dice), 1)
    rate = 100 * (1 - busy)
    assert waits.busy == pytest.approx(busy, rel=0.05)
    assert waits.half == pytest.approx(1000 * math.log(2) / rate, rel=0.1)
    assert waits.worst_of_100 == pytest.approx(1000 * math.log(100) / rate, rel=0.15)


def test_many_servers_wait_less_than_one_as_fast_as_all() -> None:
    dice = random.Random(3)
    arrivals = list(poisson(160, 300, dice))
    two = queue(arrivals, exponential(100, random.Random(4)), 2)
    alone = queue(arrivals[::2], exponential(100, random.Random(4)), 1)
    assert two.worst_of_100 < alone.worst_of_100


def test_nobody_comes_nobody_waits() -> None:
    assert queue([], iter(()), 3) == Waits(0.0, 0.0, 0.0)


def test_a_rush_beyond_the_pace_waits_for_its_end() -> None:
    calm, rushed = rush(100, 60.0, 8.0), rush(50_000, 60.0, 8.0)
    assert calm.worst_of_100 < 200
    assert rushed.worst_of_100 == pytest.approx(1000 * (50_000 * 0.008 - 60), rel=0.1)


def test_ten_times_the_dossiers_ten_times_the_work() -> None:
    small, large = busiest_hour(1_000_000), busiest_hour(10_000_000)
    assert large.requests == pytest.approx(10 * small.requests)
    assert small.cores <= large.cores <= 10 * small.cores
    assert busiest_hour(1_000_000) == small
    assert max(large.web.busy, large.store.busy) <= 0.9
    assert fewest(a_second(10**8, 40), 4.0, 100.0, 1)[0] >= a_second(10**8, 40) * 0.004


def test_a_shared_row_is_free_until_it_is_not() -> None:
    assert one_row(20, 5).busy < 0.15
    assert one_row(190, 5).worst_of_100 > 3 * one_row(20, 5).worst_of_100
