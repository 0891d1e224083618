"""Limits on wrong passwords and codes, and the browsers that an account signed in from before.

Tries from a browser that the account signed in from before are counted apart, so others never use them
up. Tries from any other browser are counted by address and by what is guessed. The wait grows with the
wrong tries of a day. The result of a try and its count belong to one unit: simultaneous tries cannot
pass a limit.

Browsers are known by device cookies. A browser stores a random mark and a tag for each account that signed in there. The tag is the keyed
digest of account and mark. The server stores nothing. A tag signs no account in. Tries from a browser
that has the tag of the account are counted apart. Tries from other browsers therefore never use them
up.
"""

from __future__ import annotations

import hmac
import re
from datetime import datetime, timedelta
from typing import Final

from engine.core.problems import Refusal, refusal
from engine.services.context.app_context import AppContext
from engine.services.context.rate_limit import Limit, block_of, left_of, minutes_of, too_many
from engine.services.keys.secrets import new_token, token_digest
from engine.storage.unit_of_work import Unit

MOST_TAGS: Final = 8  # accounts that one browser stores
_PURPOSE: Final = "known browser"
_TAG: Final = 32  # hexadecimal digits: 128 bits
_MARK: Final = 22  # characters: 132 bits
_VALUE: Final = re.compile(rf"[\w-]{{{_MARK}}}(\.[0-9a-f]{{{_TAG}}}){{1,{MOST_TAGS}}}", re.ASCII)


def is_known(ctx: AppContext, account_id: str, browser: str) -> bool:
    """Return whether the account signed in from the browser with this value.

    An unknown account takes the same time.
    """
    mark, tags = _read(browser)
    known = [seal[:_TAG] for seal in ctx.keys.seals_of(_PURPOSE, account_id, mark)]
    found = [hmac.compare_digest(one, tag) for one in known for tag in tags]
    return any(found) and bool(account_id)


def with_account(ctx: AppContext, account_id: str, browser: str) -> str:
    """Return the value to store in the browser after a sign-in of this account."""
    mark, tags = _read(browser)
    mark = mark or new_token()[:_MARK]
    own = ctx.keys.seal_code(_PURPOSE, account_id, mark)[:_TAG]
    return ".".join((mark, *dict.fromkeys((own, *tags)))[: MOST_TAGS + 1])


def browser_key(browser: str) -> str:
    """Return the key under which tries from this browser are counted."""
    return token_digest(_read(browser)[0])[:32]


def _read(browser: str) -> tuple[str, tuple[str, ...]]:
    if not _VALUE.fullmatch(browser):
        return "", ()
    mark, *tags = browser.split(".")
    return mark, tuple(tags)


DAY: Final = timedelta(days=1)
GROWING: Final = ((5, timedelta(minutes=5)), (10, timedelta(hours=1)), (30, DAY))  # of one browser, or of one address


def limits_of(guessed: str, most: int, *, client: str, browser: str) -> tuple[Limit, ...]:
    """Return the limits on wrong tries of `guessed` (`login:agent:mensah`).

    `browser` is the value of a browser known to the account, empty for any other. Tries from unknown
    browsers have `most` a day, all together.
    """
    own = f"{guessed}~{browser_key(browser)}" if browser else f"{guessed}@{block_of(client)}"
    growing = tuple(Limit(own, few, within) for few, within in GROWING)
    return growing if browser else (*growing, Limit(f"{guessed}:all", most, DAY))


def shut(unit: Unit, now: datetime, limits: tuple[Limit, ...]) -> Refusal | None:
    """Return Refusal("too_many_tries", minutes) while one of the limits is full. Counts nothing."""
    left = max((left_of(unit, now, one) for one in limits), default=timedelta())
    return refusal("too_many_tries", minutes=minutes_of(left)) if left > timedelta() else None


def count_wrong(unit: Unit, now: datetime, limits: tuple[Limit, ...]) -> None:
    """Count a wrong try. The caller has checked that no limit is full."""
    too_many(unit, now, *limits)
