"""Where SMS may go, and how many a day new numbers may cause: what one installation chooses against SMS toll fraud."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

HOME: Final = "TG"
NEIGHBOURS: Final = ("BJ", "GH", "BF", "NE", "NG", "CI")
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
HOURS_A_DAY: Final = 8  # a day has at most this many full hours
ABROAD: Final = 10  # a country abroad has this part of the installation's bound


@dataclass(frozen=True, slots=True)
class SmsPolicy:
    """`countries`: ISO codes of the countries that SMS go to. `new_an_hour`: codes an hour to numbers that never signed in."""

    countries: tuple[str, ...] = (HOME, *NEIGHBOURS)
    new_an_hour: int = 3000

    def most(self, country: str = "") -> int:
        """Codes an hour to new numbers of a country; of the whole installation without one."""
        return self.new_an_hour if country in ("", HOME) else max(1, self.new_an_hour // ABROAD)

    def bounds(self, country: str = "") -> tuple[tuple[int, timedelta], ...]:
        """The same, of an hour and of a day."""
        most = self.most(country)
        return (most, HOUR), (most * HOURS_A_DAY, DAY)
