"""Counters of the journal by procedure, month and office, and of SMS, stored apart from the dossiers.

The former come from the journal, which is never rewritten. Each entry is counted once, in the order of time, up to
a `JournalCursor`. They hold codes and numbers, no personal data.

An SMS is counted once, in the transaction that marks it as sent. The table text serves both databases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

# Kinds of entries that are counted. Others are read with their dossier, when one of these needs them.
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

CURRENT: Final = ""  # month of the current state: dossiers that wait for an answer, whenever they began
JOURNAL: Final = "journal"  # month of the number of counted entries; no page shows it

# Query of `fsck`: entries up to the cursor that were not counted, recorded while a clock was behind.
COUNTS_DIFFER: Final = f"""
  SELECT NULL, missed FROM (
    SELECT (SELECT count(*) FROM entry WHERE {AMONG} AND (at, dossier, n) <= (mark.at, mark.dossier, mark.n)) - tally.n AS missed
    FROM tally_mark mark JOIN tally ON tally.month = '{JOURNAL}') AS counted
  WHERE missed <> 0"""


@dataclass(frozen=True, slots=True)
class Count:
    """The key of a counter. `month` is `2026-10` or `CURRENT`. `office` is empty while unknown. `detail` is a
    code. An empty `procedure` means the sum of all."""

    procedure: str
    month: str
    figure: str
    office: str = ""
    detail: str = ""


ENTRIES: Final = Count("", JOURNAL, "entries")


@dataclass(frozen=True, slots=True)
class JournalCursor:
    """The last counted position of the journal: entry `n` of `dossier`, recorded `at`."""

    at: datetime
    dossier: str = ""
    n: int = 0


@dataclass(frozen=True, slots=True)
class CounterQuery:
    """Which counters are wanted. `months` may hold `CURRENT`. None for procedures or offices means all, and
    the procedure "" is the sum of all. Empty `figures` means all."""

    months: tuple[str, ...]
    procedures: tuple[str, ...] | None = None
    offices: frozenset[str] | None = None
    figures: tuple[str, ...] = ()


def where(asked: CounterQuery) -> tuple[str, list[str]]:
    """Return the SQL condition of a query and its parameters. An empty set of values matches no row."""
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
    """The number of overdue items, and the due date of the oldest."""

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Queues:
    """What waits in a store: dossiers by (procedure, state), outbound messages, timers, payments by status.
    `editions`: when each (procedure, fingerprint) was published."""

    dossiers: Mapping[tuple[str, str], int]
    letters: OverdueCount
    timers: OverdueCount
    payments: Mapping[str, int]
    editions: Mapping[tuple[str, str], datetime]


@dataclass(frozen=True, slots=True)
class MigrationState:
    """The schema of a store compared with this release. `pending`: migrations to apply. `strange`: applied
    but unknown here. `usable`: this release may work beside the one that knows them. `unfinished`: what
    `guichet upgrade --finish` applies. `at`: the time of the database. `untouched`: nothing was ever stored."""

    pending: tuple[str, ...]
    strange: tuple[str, ...]
    usable: bool
    unfinished: tuple[str, ...]
    at: datetime
    untouched: bool


SMS_COUNTS: Final = """
CREATE TABLE sms_count (
  month TEXT NOT NULL,
  procedure TEXT NOT NULL,
  country TEXT NOT NULL,
  messages INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  PRIMARY KEY (month, procedure, country)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class SmsCount:
    """The SMS sent in a month (`2026-11`) for a procedure to a country (ISO 3166, empty when unknown).

    `procedure` is empty for messages without a dossier: sign-in codes, mandates. `segments` are the billed
    units, and `unpriced` those sent while no price was set. `cost` is that of the others, in hundredths of a
    franc.
    """

    month: str
    procedure: str
    country: str
    messages: int
    segments: int
    unpriced: int
    cost: int
