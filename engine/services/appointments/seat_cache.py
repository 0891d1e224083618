"""The seats of an office that are booked or held by others, read a week at a time.

A search for the first free hours does not read a whole year. Visits may last longer or begin at other minutes than
the slots of an edition, because another edition or other opening hours applied when they were booked. A seat is
taken in each slot that such a visit overlaps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.domain.appointments.appointments import resource_key
from engine.domain.common.working_time import at_minute, minutes_of
from engine.model import Appointment, Procedure
from engine.storage.unit_of_work import Unit

END: Final = datetime.max.replace(tzinfo=UTC)  # a procedure sets how far ahead appointments are, even in years
_WEEK: Final = timedelta(days=7)


class SeatsAhead(Mapping[datetime, frozenset[int]]):
    """The taken seats by start time, valid as long as the unit. `alone`: lock them to book a free one.

    Its keys are the starts of visits. A look-up of a slot finds every visit that overlaps it.
    """

    def __init__(
        self, unit: Unit, procedure: Procedure, appointment: Appointment, office_id: str, now: datetime, dossier_id: str,
        alone: bool = False,
    ) -> None:  # fmt: skip
        self._unit, self._now, self._dossier, self._alone = unit, now, dossier_id, alone
        self._resource, self._office = resource_key(procedure, appointment.id), office_id
        self._lasts = timedelta(minutes=minutes_of(appointment.lasts))
        self._first = at_minute(local_day(now) - timedelta(days=1), 0)  # a visit does not cross midnight
        self._known: dict[datetime, set[int]] = {}
        self._spans: dict[date, dict[tuple[datetime, datetime], set[int]]] = {}  # visits of others, by day
        self._weeks: set[int] = set()  # weeks already read, counted from the first
        self._whole = False

    def __getitem__(self, start: datetime) -> frozenset[int]:
        if not self._whole:
            self._look((start - self._first) // _WEEK)
        end, seats = start + self._lasts, set(self._known.get(start, ()))
        for (begins, ends), others in self._spans.get(local_day(start), {}).items():
            if begins < end and start < ends:
                seats |= others
        if not seats:
            raise KeyError(start)
        return frozenset(seats)

    def __iter__(self) -> Iterator[datetime]:
        """Iterate over all seats, read at once: a daily quota counts them."""
        if not self._whole:
            self._known, self._spans, self._whole = {}, {}, True
            self._read(self._first, END)
        return iter(self._known)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _look(self, week: int) -> None:
        if week not in self._weeks and week >= 0:
            self._weeks.add(week)
            from_ = self._first + week * _WEEK
            self._read(from_, from_ + _WEEK)

    def _read(self, from_: datetime, to: datetime) -> None:
        unit, alone, self._alone = self._unit, self._alone, False  # the lock is taken once
        held = (self._now, self._dossier)
        for one in unit.visits_taken(self._resource, self._office, from_, to, alone, held):
            lasts = timedelta(minutes=one.minutes) or self._lasts
            self._add(one.start, lasts, one.seat, own=one.dossier == self._dossier)

    def _add(self, start: datetime, lasts: timedelta, seat: int, own: bool) -> None:
        """Note a taken seat. The visit of the dossier itself, which may be moved, blocks its own start alone."""
        self._known.setdefault(start, set()).add(seat)
        if not own:
            span = (start, start + lasts)
            self._spans.setdefault(local_day(start), {}).setdefault(span, set()).add(seat)
