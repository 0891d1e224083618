"""What waits in a store, asked through its indexes: no question here walks over what is done."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from engine.records.bodies import instant_text, read_instant
from engine.records.gauges import (
    DUE_LETTERS,
    DUE_TIMERS,
    EDITIONS,
    OPEN_DOSSIERS,
    OPEN_PAYMENTS,
    Queues,
    Standing,
    Waiting,
)
from engine.records.sqlite_schema import NAMES
from engine.records.sqlite_verbs import Verbs

CLOCK: Final = "SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"


class GaugeVerbs(Verbs):
    def queues(self, now: datetime) -> Queues:
        return Queues(
            {(procedure, state): n for procedure, state, n in self._rows(OPEN_DOSSIERS)},
            self._overdue(DUE_LETTERS, now), self._overdue(DUE_TIMERS, now),
            dict(self._rows(OPEN_PAYMENTS)),
            {(procedure, fingerprint): read_instant(at) for procedure, fingerprint, at in self._rows(EDITIONS)},
        )  # fmt: skip

    def clock(self, now: datetime) -> datetime:
        return now

    def _overdue(self, sql: str, now: datetime) -> Waiting:
        count, since = self._row(sql, (instant_text(now),))
        return Waiting(count, read_instant(since) if since else None)


def standing_of(had: Iterable[str], now: str) -> Standing:
    """From the names of the migrations that a store had, and its clock."""
    known = set(had)
    return Standing(
        tuple(one for one in NAMES if one not in known), tuple(sorted(known - set(NAMES))), read_instant(now), not known
    )
