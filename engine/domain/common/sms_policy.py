"""Policy of an installation against SMS toll fraud: allowed countries, and a limit of codes for new numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

HOME: Final = "TG"
NEIGHBOURS: Final = ("BJ", "GH", "BF", "NE", "NG", "CI")
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
HOURS_A_DAY: Final = 8  # a day has at most this many full hours
ABROAD: Final = 10  # a foreign country gets the installation's limit divided by this


@dataclass(frozen=True, slots=True)
class SmsPolicy:
    """The limits of one installation.

    `countries` are the ISO codes that SMS may be sent to. `new_an_hour` limits the codes per hour to numbers
    that never signed in.
    """

    countries: tuple[str, ...] = (HOME, *NEIGHBOURS)
    new_an_hour: int = 3000

    def most(self, country: str = "") -> int:
        """Return how many codes may go to new numbers in an hour: of one country, or in all for an empty country."""
        return self.new_an_hour if country in ("", HOME) else max(1, self.new_an_hour // ABROAD)

    def bounds(self, country: str = "") -> tuple[tuple[int, timedelta], ...]:
        """Return the limits of an hour and of a day, each with its length."""
        most = self.most(country)
        return (most, HOUR), (most * HOURS_A_DAY, DAY)
