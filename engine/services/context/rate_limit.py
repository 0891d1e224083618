"""Sliding counters of tries, kept in the store so that all processes share them.

A counter accepts at most `most` tries in any stretch of time as long as `within`. Time is cut in steps of a fifteenth of
`within`; each step is a row. The steps that a stretch touches are added up whole, so a bound is never exceeded, and a try is
forgotten after `within` and one step at the latest. A refused try is not counted: a caller that goes on trying takes the
places that become free, and does not move the end of the wait.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from engine.core.problems import Refusal, refusal
from engine.storage.unit_of_work import Unit

WINDOW: Final = timedelta(minutes=15)
STEPS: Final = 15
_NOW: Final = timedelta()


class Limit(NamedTuple):
    """At most `most` tries under `key` in any stretch of `within`. A key names what is counted, then whose it is:
    `code:+22890112233`, `code@192.0.2.7`."""

    key: str
    most: int
    within: timedelta = WINDOW


def network_of(address: str) -> str:
    """The key an address is counted under: IPv4 whole, IPv6 by its /64, since one line has a /64 or more; an IPv4-mapped one
    as IPv4. Anything else, the empty text above all, has no key."""
    try:
        read = ip_address(address)
    except ValueError:
        return ""
    if read.version == 4:
        return str(read)
    return str(read.ipv4_mapped or ip_network((read.packed, 64), strict=False))


def too_many(unit: Unit, now: datetime, *limits: Limit | tuple[str, int], weight: int = 1) -> Refusal | None:
    """Counts one try, or as many as it weighs (bytes, pixels), under each limit, in order, and stops at the first that is full: later limits are not counted then. Put
    the limit of the caller before the limit of the number or account that the caller names, so that a caller who is
    refused uses up nothing of it. Refusal("too_many_tries", minutes): after so many minutes a try is accepted again.

    A key that ends with `@` has no caller to count and is skipped. The unit must write.
    """
    for limit in limits:
        left = count(unit, now, Limit(*limit), weight)
        if left > _NOW:
            return refusal("too_many_tries", minutes=minutes_of(left))
    return None


def count(unit: Unit, now: datetime, limit: Limit, weight: int = 1) -> timedelta:
    """Counts one try, and answers zero; of a full limit counts nothing, and answers how long it stays full."""
    if limit.key.endswith("@"):
        return _NOW
    steps = _steps(unit, now, limit)
    left = _left(steps, now, limit)
    if left == _NOW:
        unit.count_try(limit.key, str(_step(now, limit)), weight)
    return left


def give_back(unit: Unit, now: datetime, limit: Limit) -> None:
    """Takes one try back that was counted just before and came to nothing."""
    unit.count_try(limit.key, str(_step(now, limit)), -1)


def tried(unit: Unit, now: datetime, limit: Limit) -> int:
    """How many tries are counted under the limit now. Counts nothing, and needs no writing unit."""
    return sum(_steps(unit, now, limit).values())


def left_of(unit: Unit, now: datetime, limit: Limit) -> timedelta:
    """How long the limit stays full; zero when it accepts a try now. Counts nothing, and needs no writing unit."""
    return _left(_steps(unit, now, limit), now, limit)


def minutes_of(left: timedelta) -> int:
    """Whole minutes, as a person is told them: one at least."""
    return max(1, -(-int(left.total_seconds()) // 60))


def _step(now: datetime, limit: Limit) -> int:
    return int(now.timestamp()) // _seconds(limit)


def _seconds(limit: Limit) -> int:
    return int(limit.within.total_seconds()) // STEPS


def _steps(unit: Unit, now: datetime, limit: Limit) -> dict[int, int]:
    """The steps that the stretch up to now touches, and their tries."""
    last = _step(now, limit)
    rows = unit.tries(limit.key, [str(step) for step in range(last - STEPS, last + 1)])
    return {int(window): n for window, n in rows.items()}


def _left(steps: dict[int, int], now: datetime, limit: Limit) -> timedelta:
    total, left = sum(steps.values()), _NOW
    for step in sorted(steps):
        if total < limit.most:
            break
        total -= steps[step]
        left = timedelta(seconds=(step + STEPS + 1) * _seconds(limit) - now.timestamp())
    return left
