"""Sliding counters."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine.services.context.rate_limit import STEPS, WINDOW, Limit, count, left_of, too_many, tried
from tests.engine.services.world import MONDAY, World, a_world
from tests.postgres import an_empty_store
from tests.race_runners import together

ZERO = timedelta()


def attempt(world: World, limit: Limit, at: datetime) -> timedelta:
    with world.office.store.unit(write=True) as unit:
        return count(unit, at, limit)


@pytest.mark.parametrize("within", [timedelta(minutes=10), WINDOW, timedelta(hours=1), timedelta(days=1)])
@pytest.mark.parametrize("seed", range(3))
def test_no_stretch_of_the_window_ever_holds_more(world: World, within: timedelta, seed: int) -> None:
    draw, limit, now, accepted = random.Random(seed), Limit("code:x", 5, within), MONDAY, []
    for _ in range(120):
        now += within * draw.choice([0.0, 0.01, 0.1, 0.3])
        if attempt(world, limit, now) == ZERO:
            accepted.append(now)
    assert len(accepted) > 10
    assert all(later - first >= within for first, later in zip(accepted, accepted[5:], strict=False))


@pytest.mark.parametrize("seconds", [0, 1, 29, 59])
def test_the_wait_told_is_the_wait_that_is_needed(world: World, seconds: int) -> None:
    limit, begun = Limit("code:x", 2), MONDAY + timedelta(seconds=seconds)
    assert attempt(world, limit, begun) == attempt(world, limit, begun + timedelta(minutes=7)) == ZERO
    now = begun + timedelta(minutes=8)
    left = attempt(world, limit, now)
    assert begun + WINDOW <= now + left <= begun + WINDOW + WINDOW / STEPS
    assert attempt(world, limit, now + left - timedelta(seconds=1)) == timedelta(seconds=1)
    assert attempt(world, limit, now + left) == ZERO
    assert attempt(world, limit, now + left) > ZERO  # the second one is seven minutes younger


def test_who_goes_on_trying_does_not_move_the_end_of_the_wait(world: World) -> None:
    limit = Limit("code:x", 3)
    assert [attempt(world, limit, MONDAY) for _ in range(3)] == [ZERO] * 3
    end = MONDAY + attempt(world, limit, MONDAY)
    for second in range(0, int((end - MONDAY).total_seconds()), 5):
        now = MONDAY + timedelta(seconds=second)
        assert attempt(world, limit, now) == end - now
    assert attempt(world, limit, end) == ZERO


def test_who_is_refused_uses_up_nothing_of_the_number_they_name(world: World) -> None:
    caller, number = Limit("code@192.0.2.7", 2), Limit("code:+22890112233", 5)
    with world.office.store.unit(write=True) as unit:
        refusals = [too_many(unit, MONDAY, caller, number) for _ in range(9)]
        assert [one is None for one in refusals] == [True] * 2 + [False] * 7
        assert refusals[-1] is not None
        assert (refusals[-1].code, refusals[-1].facts["minutes"]) == ("too_many_tries", 16)
        assert (tried(unit, MONDAY, caller), tried(unit, MONDAY, number)) == (2, 2)
        assert left_of(unit, MONDAY, number) == ZERO < left_of(unit, MONDAY, caller)


def test_tries_of_the_same_moment_never_pass_a_limit(tmp_path: Path) -> None:
    store = an_empty_store()
    try:
        world = a_world(tmp_path, store)
        for number in range(8):
            limit = Limit(f"code:{number}", 3)
            answers = together(8, lambda _, limit=limit: attempt(world, limit, MONDAY) == ZERO)  # type: ignore[misc]
            assert Counter(answers) == {True: 3, False: 5}
            with store.unit() as unit:
                assert tried(unit, MONDAY, limit) == 3
    finally:
        store.close()


def test_a_caller_without_address_is_not_counted(world: World) -> None:
    with world.office.store.unit(write=True) as unit:
        assert all(too_many(unit, MONDAY, ("code@", 1)) is None for _ in range(5))


def test_limits_of_two_lengths_under_one_key_are_apart(world: World) -> None:
    quarter, day = Limit("code:x", 2), Limit("code:x", 3, timedelta(days=1))
    with world.office.store.unit(write=True) as unit:
        answers = [too_many(unit, MONDAY + hour * timedelta(hours=1), quarter, day) is None for hour in range(5)]
        assert answers == [True, True, True, False, False]
        assert tried(unit, MONDAY, quarter) == 1
