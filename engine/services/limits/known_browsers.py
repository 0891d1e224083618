"""Browsers that an account signed in from before (device cookies).

A browser keeps a random mark and, for each account that signed in there, a tag: the keyed digest of the account and the mark.
Nothing is stored here. A tag signs nobody in: tries from a browser that has the account's tag are counted apart, so tries from
other browsers never use them up.
"""

from __future__ import annotations

import hmac
import re
from typing import Final

from engine.services.context.app_context import AppContext
from engine.services.keys.secrets import new_token, token_digest

MOST_TAGS: Final = 8  # accounts that one browser remembers
_PURPOSE: Final = "known browser"
_TAG: Final = 32  # hexadecimal digits: 128 bits
_MARK: Final = 22  # characters: 132 bits
_VALUE: Final = re.compile(rf"[\w-]{{{_MARK}}}(\.[0-9a-f]{{{_TAG}}}){{1,{MOST_TAGS}}}", re.ASCII)


def is_known(ctx: AppContext, account_id: str, browser: str) -> bool:
    """Whether this account signed in from the browser that holds this value. Does the same work for an account that does not exist."""
    mark, tags = _read(browser)
    known = [seal[:_TAG] for seal in ctx.keys.seals_of(_PURPOSE, account_id, mark)]
    found = [hmac.compare_digest(one, tag) for one in known for tag in tags]
    return any(found) and bool(account_id)


def with_account(ctx: AppContext, account_id: str, browser: str) -> str:
    """The value for the browser to keep, once this account signed in there."""
    mark, tags = _read(browser)
    mark = mark or new_token()[:_MARK]
    own = ctx.keys.seal_code(_PURPOSE, account_id, mark)[:_TAG]
    return ".".join((mark, *dict.fromkeys((own, *tags)))[: MOST_TAGS + 1])


def browser_key(browser: str) -> str:
    """What tries from this browser are counted under."""
    return token_digest(_read(browser)[0])[:32]


def _read(browser: str) -> tuple[str, tuple[str, ...]]:
    if not _VALUE.fullmatch(browser):
        return "", ()
    mark, *tags = browser.split(".")
    return mark, tuple(tags)
