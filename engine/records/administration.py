"""What administrators changed of the hours when offices receive, of their places, and of the holidays: every act, for good.
One text for both stores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

OpeningKind: TypeAlias = Literal["closed", "open", "desks", "holiday"]
Hold: TypeAlias = Literal["share", "change"]  # the head of openings, while a seat is taken; alone, while one is changed

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
LOST: Final = ("booking", "lost", "TEXT")  # a column: the change that took a slot away


@dataclass(frozen=True, slots=True)
class OpeningChange:
    """One act: `closed` an office does not receive, `open` it receives beside its usual hours, `desks` with so many places,
    `holiday` nobody works (no office). Minutes since midnight on each of its days; none = all day. `because` is what
    people read, `because_en` the same in English where it was said. `n` is its place among all."""

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
