"""Limits on wrong passwords and codes.

Tries from a browser that the account signed in from before are counted apart, so others never use them
up. Tries from any other browser are counted by address and by what is guessed. The wait grows with the
wrong tries of a day. The result of a try and its count belong to one unit: simultaneous tries cannot
pass a limit.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from engine.core.problems import Refusal, refusal
from engine.services.context.rate_limit import Limit, left_of, minutes_of, too_many
from engine.services.limits.known_browsers import browser_key
from engine.storage.unit_of_work import Unit

DAY: Final = timedelta(days=1)
GROWING: Final = ((5, timedelta(minutes=5)), (10, timedelta(hours=1)), (30, DAY))  # of one browser, or of one address


def limits_of(guessed: str, most: int, *, client: str, browser: str) -> tuple[Limit, ...]:
    """Return the limits on wrong tries of `guessed` (`login:agent:mensah`).

    `browser` is the value of a browser known to the account, empty for any other. Tries from unknown
    browsers have `most` a day, all together.
    """
    own = f"{guessed}~{browser_key(browser)}" if browser else f"{guessed}@{client}"
    growing = tuple(Limit(own, few, within) for few, within in GROWING)
    return growing if browser else (*growing, Limit(f"{guessed}:all", most, DAY))


def shut(unit: Unit, now: datetime, limits: tuple[Limit, ...]) -> Refusal | None:
    """Return Refusal("too_many_tries", minutes) while one of the limits is full. Counts nothing."""
    left = max((left_of(unit, now, one) for one in limits), default=timedelta())
    return refusal("too_many_tries", minutes=minutes_of(left)) if left > timedelta() else None


def count_wrong(unit: Unit, now: datetime, limits: tuple[Limit, ...]) -> None:
    """Count a wrong try. The caller has checked that no limit is full."""
    too_many(unit, now, *limits)
