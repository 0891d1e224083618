"""The clock of the application, the only source of the present instant.

Domain rules receive the time as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Africa/Lome")


class Clock(Protocol):
    """A source of the present instant, replaced in tests and scenarios."""

    def now(self) -> datetime:
        """Return the present instant, in UTC, with its zone."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the present instant of the machine, in UTC."""
        return datetime.now(UTC)


@dataclass
class FixedClock:
    """A clock that moves only when a test or a scenario moves it."""

    instant: datetime

    def now(self) -> datetime:
        """Return the set instant, with the zone it was given."""
        return self.instant

    def advance(self, by: timedelta) -> None:
        """Move the clock by a duration. A negative one moves it back."""
        self.instant += by


class MovedClock:
    """The real time plus a fixed offset, to preview a procedure at a later date."""

    def __init__(self) -> None:
        self._by = timedelta()

    def now(self) -> datetime:
        """Return the present instant plus the offset, in UTC."""
        return datetime.now(UTC) + self._by

    @property
    def instant(self) -> datetime:
        """The present instant plus the offset. Assigning an instant computes the offset."""
        return self.now()

    @instant.setter
    def instant(self, instant: datetime) -> None:
        self._by = instant - datetime.now(UTC)

    def advance(self, by: timedelta) -> None:
        """Add a duration to the offset."""
        self._by += by


def local(instant: datetime) -> datetime:
    """Return the instant in the time zone of the country."""
    return instant.astimezone(ZONE)


def local_day(instant: datetime) -> date:
    """Return the date of an instant in the time zone of the country."""
    return local(instant).date()
