"""Browsers that an account signed in from before (device cookies).

A browser stores a random mark and a tag for each account that signed in there. The tag is the keyed
digest of account and mark. The server stores nothing. A tag signs no account in. Tries from a browser
that has the tag of the account are counted apart. Tries from other browsers therefore never use them
up.
"""

from __future__ import annotations

import hmac
import re
from typing import Final

from engine.services.context.app_context import AppContext
from engine.services.keys.secrets import new_token, token_digest

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
