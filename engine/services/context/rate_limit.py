"""Sliding counters of tries, stored so that all processes share them.

A counter accepts at most `most` tries in any period of length `within`. Time is cut in steps of a
fifteenth of `within`, and each step is a row. The steps that a period touches are added whole, so a
limit is never passed. A try expires after `within` and one step at the latest. A refused try is not
counted. A caller that goes on trying takes the places that become free and does not extend the wait.
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
    """At most `most` tries under `key` in any period of `within`.

    A key names what is counted, then whose it is: `code:+22890112233`, `code@192.0.2.7`.
    """

    key: str
    most: int
    within: timedelta = WINDOW


def network_of(address: str) -> str:
    """Return the key of an address: IPv4 whole, IPv6 by its /64, since one line has a /64 or more.

    An IPv4-mapped address counts as IPv4. Any other text has no key: the result is empty.
    """
    try:
        read = ip_address(address)
    except ValueError:
        return ""
    if read.version == 4:
        return str(read)
    return str(read.ipv4_mapped or ip_network((read.packed, 64), strict=False))


def block_of(client: str) -> str:
    """Return the key of the block of a client: IPv4 whole, IPv6 by its /48, because one customer of a network
    may have a whole /48."""
    return str(ip_network(client).supernet(new_prefix=48)) if client.endswith("/64") else client


def too_many(unit: Unit, now: datetime, *limits: Limit | tuple[str, int], weight: int = 1) -> Refusal | None:
    """Count one try, or `weight` units (bytes, pixels), under each limit in order.

    It stops at the first full limit and does not count under later ones. Put the limit of the caller
    before that of the number or account named: a refused caller then uses up nothing of it. Return
    Refusal("too_many_tries", minutes): the time until a try is accepted again. A key that ends with `@`
    has no caller to count and is skipped. The unit must write.
    """
    for limit in limits:
        left = count(unit, now, Limit(*limit), weight)
        if left > _NOW:
            return refusal("too_many_tries", minutes=minutes_of(left))
    return None


def count(unit: Unit, now: datetime, limit: Limit, weight: int = 1) -> timedelta:
    """Count one try and return zero. Under a full limit, count nothing and return how long it stays full."""
    if limit.key.endswith("@"):
        return _NOW
    if unit.count_below(limit.key, _windows(now, limit), limit.most, weight):
        return _NOW
    return left_of(unit, now, limit)


def give_back(unit: Unit, now: datetime, limit: Limit) -> None:
    """Take back one try that was counted just before and had no effect."""
    unit.count_try(limit.key, str(_step(now, limit)), -1)


def tried(unit: Unit, now: datetime, limit: Limit) -> int:
    """Return the tries counted under the limit now. Counts nothing and needs no writing unit."""
    return sum(_steps(unit, now, limit).values())


def left_of(unit: Unit, now: datetime, limit: Limit) -> timedelta:
    """Return how long the limit stays full, zero when it accepts a try now.

    Counts nothing and needs no writing unit.
    """
    return _left(_steps(unit, now, limit), now, limit)


def minutes_of(left: timedelta) -> int:
    """Return a duration in whole minutes for people, one at least."""
    return max(1, -(-int(left.total_seconds()) // 60))


def _step(now: datetime, limit: Limit) -> int:
    return int(now.timestamp()) // _seconds(limit)


def _seconds(limit: Limit) -> int:
    return int(limit.within.total_seconds()) // STEPS


def _steps(unit: Unit, now: datetime, limit: Limit) -> dict[int, int]:
    """Return the tries in each step that the period up to now touches."""
    return {int(window): n for window, n in unit.tries(limit.key, _windows(now, limit)).items()}


def _windows(now: datetime, limit: Limit) -> list[str]:
    last = _step(now, limit)
    return [str(step) for step in range(last - STEPS, last + 1)]


def _left(steps: dict[int, int], now: datetime, limit: Limit) -> timedelta:
    total, left = sum(steps.values()), _NOW
    for step in sorted(steps):
        if total < limit.most:
            break
        total -= steps[step]
        left = timedelta(seconds=(step + STEPS + 1) * _seconds(limit) - now.timestamp())
    return left
