"""Counts of what happened, by procedure, month, office: kept apart from the dossiers, so that no page ever walks over these.

They are made of the journal, which is never rewritten: each entry is counted once, in the order of time, and a `JournalCursor` says
up to where. They hold codes of books and numbers, nothing of a person. One text for both stores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

# The kinds of entries that counts are made of; the others are read with their dossier, when one of these calls for it.
COUNTED: Final = (
    "opened", "submitted", "transition", "dropped", "task_done", "missed", "payment_started", "payment_ended", "credited",
)  # fmt: skip
AMONG: Final = f"kind IN ({', '.join(repr(one) for one in COUNTED)})"

TALLIES: Final = f"""
CREATE TABLE tally (
  procedure TEXT NOT NULL,
  month TEXT NOT NULL,
  figure TEXT NOT NULL,
  office TEXT NOT NULL,
  detail TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (procedure, month, figure, office, detail)
) STRICT, WITHOUT ROWID;
CREATE INDEX tally_month ON tally (month, figure, procedure, detail, n);
CREATE TABLE tally_mark (
  name TEXT PRIMARY KEY CHECK (name = 'journal'),
  at TEXT NOT NULL,
  dossier TEXT NOT NULL,
  n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_counted ON entry (at, dossier, n) WHERE {AMONG};
CREATE INDEX entry_of_agent ON entry (actor, at) WHERE actor_kind = 'agent';
"""

CURRENT: Final = ""  # the month of what stands now, whenever it began: the dossiers that wait for an answer
JOURNAL: Final = "journal"  # the month of how many entries were counted, whatever they mean: no page asks for it

# What `fsck` asks: how many entries up to the mark were not counted. They were sealed while a clock was back.
COUNTS_DIFFER: Final = f"""
  SELECT NULL, missed FROM (
    SELECT (SELECT count(*) FROM entry WHERE {AMONG} AND (at, dossier, n) <= (mark.at, mark.dossier, mark.n)) - tally.n AS missed
    FROM tally_mark mark JOIN tally ON tally.month = '{JOURNAL}') AS counted
  WHERE missed <> 0"""


@dataclass(frozen=True, slots=True)
class Count:
    """What is counted: `month` is `2026-10`, or `STANDING`; `office` is empty where none is known yet; `detail` a code. Without
    a `procedure`, what all of them come to."""

    procedure: str
    month: str
    figure: str
    office: str = ""
    detail: str = ""


ENTRIES: Final = Count("", JOURNAL, "entries")


@dataclass(frozen=True, slots=True)
class JournalCursor:
    """Up to where the journal was counted: everything until the entry `n` of `dossier`, sealed `at`."""

    at: datetime
    dossier: str = ""
    n: int = 0


@dataclass(frozen=True, slots=True)
class CounterQuery:
    """Which counts are wanted: of these months (`STANDING` for what stands now), of procedures and offices by id (none = all;
    the procedure "" is all of them together), these figures (empty = all)."""

    months: tuple[str, ...]
    procedures: tuple[str, ...] | None = None
    offices: frozenset[str] | None = None
    figures: tuple[str, ...] = ()


def where(asked: CounterQuery) -> tuple[str, list[str]]:
    """The condition of a query and its cells."""
    parts: list[str] = []
    cells: list[str] = []
    for column, wanted in (
        ("month", asked.months), ("figure", asked.figures or None), ("procedure", asked.procedures),
        ("office", asked.offices),
    ):  # fmt: skip
        if wanted is not None:
            parts.append(f"{column} IN ({', '.join('?' * len(wanted))})" if wanted else "0 = 1")
            cells.extend(sorted(wanted))
    return " AND ".join(parts), cells


OPEN_DOSSIERS: Final = "SELECT procedure, state, count(*) FROM dossier WHERE closed = 0 GROUP BY procedure, state"
DUE_LETTERS: Final = "SELECT count(*), min(due_at) FROM letter WHERE sent_at IS NULL AND failed IS NULL AND due_at <= ?"
DUE_TIMERS: Final = "SELECT count(*), min(due_at) FROM timer WHERE fired_at IS NULL AND due_at <= ?"
OPEN_PAYMENTS: Final = "SELECT status, count(*) FROM payment WHERE status IN ('pending', 'unknown') GROUP BY status"
EDITIONS: Final = "SELECT procedure, fingerprint, published_at FROM edition"


@dataclass(frozen=True, slots=True)
class OverdueCount:
    """How many are overdue, and since when the oldest is."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Queues:
    """What waits in a store: dossiers by (procedure, state), letters, timers, payments by status; since when editions
    are kept, by (procedure, fingerprint)."""

    dossiers: Mapping[tuple[str, str], int]
    letters: OverdueCount
    timers: OverdueCount
    payments: Mapping[str, int]
    editions: Mapping[tuple[str, str], datetime]


@dataclass(frozen=True, slots=True)
class MigrationState:
    """How a store stands beside this release: migrations it has not had, those it had that this release does not know;
    what time it is there; whether nothing was ever kept in it."""

    pending: tuple[str, ...]
    strange: tuple[str, ...]
    at: datetime
    untouched: bool
