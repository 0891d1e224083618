"""How many wrong passwords and codes are heard.

Tries from a browser that the account signed in from before are counted apart: tries from elsewhere never use them up. Tries from any
other browser are counted by address, and by what is guessed. The wait grows with the wrong tries of a day. The verdict on a try and
its count belong to one unit: tries sent at the same moment are no way around a limit.
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
    """The limits on wrong tries of `guessed` (`login:agent:mensah`). `browser`: of one that its account signed in from, empty for
    any other; those are heard `most` times a day, all together."""
    own = f"{guessed}~{browser_key(browser)}" if browser else f"{guessed}@{client}"
    growing = tuple(Limit(own, few, within) for few, within in GROWING)
    return growing if browser else (*growing, Limit(f"{guessed}:all", most, DAY))


def shut(unit: Unit, now: datetime, limits: tuple[Limit, ...]) -> Refusal | None:
    """Refusal("too_many_tries", minutes) while one of the limits is full. Counts nothing."""
    left = max((left_of(unit, now, one) for one in limits), default=timedelta())
    return refusal("too_many_tries", minutes=minutes_of(left)) if left > timedelta() else None


def count_wrong(unit: Unit, now: datetime, limits: tuple[Limit, ...]) -> None:
    """Counts a wrong try under limits that are not shut."""
    too_many(unit, now, *limits)
