"""Limits on requests that need no sign-in, by the kind of caller.

An address alone is a wrong measure. A mobile operator puts thousands of people behind one address, and
an attacker has many. Signed-in persons are counted by account, and browsers served before are counted
each. All of these at one address share a limit. New browsers of an address share another limit. A
client that drops its cookies uses up the second, never the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from engine.services.context.rate_limit import Limit

PER_BROWSER: Final = 10  # in a quarter of an hour; also for a signed-in applicant
CHECKS_PER_BROWSER: Final = 60  # verifications of documents and receipts, which may follow one another
PER_AGENT: Final = 40  # an agent at a counter serves many people
FIRST_PER_ADDRESS: Final = ((600, timedelta(minutes=10)), (1800, timedelta(hours=1)))
AGAIN_PER_ADDRESS: Final = (1000, timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Asker:
    """A caller of a limited service.

    `client` is the key of the address (`rate_limit.network_of`). `browser` is the mark that a browser
    got when it was first served. `known` is the value it stores of the accounts that signed in from it
    (`known_browsers`). `account` is the signed-in account, empty if none.
    """

    client: str = ""
    browser: str = ""
    known: str = ""
    account: str = ""
    staff: bool = False


UNKNOWN_ASKER: Final = Asker()  # a caller without any mark is not counted


def limits_of(asker: Asker, what: str, most: int = PER_BROWSER) -> tuple[Limit, ...]:
    """Return the limits on one service (`code`, `link`, `verify`) for a caller.

    `most` is the number for one browser or applicant in a quarter of an hour.
    """
    if asker.staff:
        return (Limit(f"{what}@{asker.account}", max(most, PER_AGENT)),)
    if own := asker.account or asker.browser:
        return Limit(f"{what}@{own}", most), Limit(f"{what}-again@{asker.client}", *AGAIN_PER_ADDRESS)
    return tuple(Limit(f"{what}-first@{asker.client}", most, within) for most, within in FIRST_PER_ADDRESS)
