"""What an operator watches in a store: how much waits, since when. Numbers and codes of books only. One text for both stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

OPEN_DOSSIERS: Final = "SELECT procedure, state, count(*) FROM dossier WHERE closed = 0 GROUP BY procedure, state"
DUE_LETTERS: Final = "SELECT count(*), min(due_at) FROM letter WHERE sent_at IS NULL AND failed IS NULL AND due_at <= ?"
DUE_TIMERS: Final = "SELECT count(*), min(due_at) FROM timer WHERE fired_at IS NULL AND due_at <= ?"
OPEN_PAYMENTS: Final = "SELECT status, count(*) FROM payment WHERE status IN ('pending', 'unknown') GROUP BY status"
EDITIONS: Final = "SELECT procedure, fingerprint, published_at FROM edition"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many are overdue, and since when the oldest is."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Queues:
    """What waits in a store: dossiers by (procedure, state), letters, timers, payments by status; since when editions
    are kept, by (procedure, fingerprint)."""

    dossiers: Mapping[tuple[str, str], int]
    letters: Waiting
    timers: Waiting
    payments: Mapping[str, int]
    editions: Mapping[tuple[str, str], datetime]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a store stands beside this release: migrations it has not had, those it had that this release does not know;
    what time it is there; whether nothing was ever kept in it."""

    pending: tuple[str, ...]
    strange: tuple[str, ...]
    at: datetime
    untouched: bool
