"""Opening changes of administrators (office hours, stations, holidays), and snippets.

Each change and each version of a snippet is stored for good. The table text serves both databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

OpeningKind: TypeAlias = Literal["closed", "open", "desks", "holiday"]
Hold: TypeAlias = Literal["share", "change"]  # lock on the head row: to take a seat; to change openings

OPENINGS: Final = """
CREATE TABLE opening_change (
  id TEXT PRIMARY KEY,
  n INTEGER NOT NULL UNIQUE CHECK (n > 0),
  kind TEXT NOT NULL CHECK (kind IN ('closed', 'open', 'desks', 'holiday')),
  office TEXT NOT NULL,
  first_day TEXT NOT NULL,
  last_day TEXT NOT NULL CHECK (last_day >= first_day),
  from_minute INTEGER,
  to_minute INTEGER,
  desks INTEGER,
  because TEXT NOT NULL,
  because_en TEXT NOT NULL,
  account TEXT NOT NULL,
  at TEXT NOT NULL,
  lifted_at TEXT,
  lifted_by TEXT NOT NULL
) STRICT;
CREATE INDEX opening_standing ON opening_change (n) WHERE lifted_at IS NULL;
CREATE TABLE opening_head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  n INTEGER NOT NULL
) STRICT;
"""
LOST: Final = ("booking", "lost", "TEXT")  # a column: id of the opening change that cancelled the booking


@dataclass(frozen=True, slots=True)
class OpeningChange:
    """One opening change. `n` is its rank among all changes.

    `closed`: the office is closed on these days. `open`: it receives outside its usual hours. `desks`: it has
    this number of stations. `holiday`: every office is closed, and `office` is empty. Times are minutes since
    midnight on each day, and None means the whole day. `because` is the public reason, `because_en` its
    English text, empty if none was given.
    """

    id: str
    n: int
    kind: OpeningKind
    office: str
    first_day: date
    last_day: date
    from_minute: int | None
    to_minute: int | None
    desks: int | None
    because: str
    because_en: str
    account: str
    at: datetime
    lifted_at: datetime | None = None
    lifted_by: str = ""


SNIPPETS: Final = """
CREATE TABLE snippet (
  id TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  agency TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  account TEXT NOT NULL,
  at TEXT NOT NULL,
  retired INTEGER NOT NULL CHECK (retired IN (0, 1)),
  PRIMARY KEY (id, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX snippet_agency ON snippet (agency, id, version);
"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """One version of a snippet: its author and date. The last version counts. `retired` withdraws the snippet."""

    id: str
    version: int
    agency: str
    title: str
    body: str
    account: str
    at: datetime
    retired: bool = False
