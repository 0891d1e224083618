"""Who asks for what anyone may ask for without signing in, and how often each is served.

An address alone is a wrong measure: a mobile operator puts thousands of people behind one, and an attacker has many. A person who
is signed in is counted by account, a browser that was served before by itself; all these of an address share a budget. A browser that comes for the first time shares another budget with all first comers of its address: a client
that drops its cookies uses up the second, never the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from engine.services.context.rate_limit import Limit

PER_BROWSER: Final = 10  # in a quarter of an hour, as of an applicant who is signed in
CHECKS_PER_BROWSER: Final = 60  # documents and receipts verified, some one after another
PER_AGENT: Final = 40  # at a counter one agent serves many people
FIRST_PER_ADDRESS: Final = ((600, timedelta(minutes=10)), (1800, timedelta(hours=1)))
AGAIN_PER_ADDRESS: Final = (1000, timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Asker:
    """`client`: the key of the address (`tries.network_of`). `browser`: what a browser was given when it was first served.
    `known`: the value it keeps of the accounts that signed in from it (`known_browsers`). `account`: who is signed in."""

    client: str = ""
    browser: str = ""
    known: str = ""
    account: str = ""
    staff: bool = False


UNKNOWN_ASKER: Final = Asker()  # whoever cannot be told apart is not counted


def limits_of(asker: Asker, what: str, most: int = PER_BROWSER) -> tuple[Limit, ...]:
    """The limits on what one asks for (`code`, `link`, `verify`). `most`: by one browser or applicant in a quarter of an hour."""
    if asker.staff:
        return (Limit(f"{what}@{asker.account}", max(most, PER_AGENT)),)
    if own := asker.account or asker.browser:
        return Limit(f"{what}@{own}", most), Limit(f"{what}-again@{asker.client}", *AGAIN_PER_ADDRESS)
    return tuple(Limit(f"{what}-first@{asker.client}", most, within) for most, within in FIRST_PER_ADDRESS)
