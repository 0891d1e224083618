"""The only source of “now”. Rules never ask it: they are given the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Africa/Lome")


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, in UTC, with its zone."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class FixedClock:
    """A clock that moves only when told: for tests and scenarios."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant

    def advance(self, by: timedelta) -> None:
        self.instant += by


class MovedClock:
    """The real time, moved by as much as told: for whoever looks at what a procedure will be like later."""

    def __init__(self) -> None:
        self._by = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._by

    @property
    def instant(self) -> datetime:
        return self.now()

    @instant.setter
    def instant(self, instant: datetime) -> None:
        self._by = instant - datetime.now(UTC)

    def advance(self, by: timedelta) -> None:
        self._by += by


def local(instant: datetime) -> datetime:
    """The instant on the wall clocks of the country."""
    return instant.astimezone(ZONE)


def local_day(instant: datetime) -> date:
    return local(instant).date()
