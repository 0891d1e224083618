"""The seats of an office that are booked or held by others, read a week at a time.

A search for the first free hours does not read a whole year.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.domain.appointments.appointments import resource_key
from engine.model import Appointment, Procedure
from engine.storage.unit_of_work import Unit

END: Final = datetime.max.replace(tzinfo=UTC)  # a procedure sets how far ahead appointments are, even in years
_WEEK: Final = timedelta(days=7)


class SeatsAhead(Mapping[datetime, frozenset[int]]):
    """The taken seats by start time, valid as long as the unit. `alone`: lock them to book a free one."""

    def __init__(
        self, unit: Unit, procedure: Procedure, appointment: Appointment, office_id: str, now: datetime, dossier_id: str,
        alone: bool = False,
    ) -> None:  # fmt: skip
        self._unit, self._now, self._dossier, self._alone = unit, now, dossier_id, alone
        self._resource, self._office = resource_key(procedure, appointment.id), office_id
        self._first = (now - timedelta(days=1)).astimezone(UTC)
        self._known: dict[datetime, frozenset[int]] = {}
        self._weeks: set[int] = set()  # weeks already read, counted from the first
        self._whole = False

    def __getitem__(self, start: datetime) -> frozenset[int]:
        if start not in self._known and not self._whole:
            self._look((start - self._first) // _WEEK)
        return self._known[start]

    def __iter__(self) -> Iterator[datetime]:
        """Iterate over all seats, read at once: a daily quota counts them."""
        if not self._whole:
            self._known, self._whole = self._read(self._first, END), True
        return iter(self._known)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _look(self, week: int) -> None:
        if week not in self._weeks and week >= 0:
            self._weeks.add(week)
            from_ = self._first + week * _WEEK
            self._known.update(self._read(from_, from_ + _WEEK))

    def _read(self, from_: datetime, to: datetime) -> dict[datetime, frozenset[int]]:
        unit, alone, self._alone = self._unit, self._alone, False  # the lock is taken once
        taken = dict(unit.seats_taken(self._resource, self._office, from_, to, alone))
        for start, seats in unit.seats_held(self._resource, self._office, from_, to, self._now, self._dossier).items():
            taken[start] = taken.get(start, frozenset()) | seats
        return taken
