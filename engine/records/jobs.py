"""Orders: work that one person asked for and that may take long, kept until it is done. Many dossiers decided or handed over
at once, a list or a journal to take away.

Each line is one dossier, done in a unit of its own together with the dossier's change, so that an order cut in the middle
goes on where it stopped and nothing is done twice. A file grows part by part in the same way. One text for both stores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from engine.core.values import Plain

Work: TypeAlias = Literal["act", "handover", "tray", "events"]
Outcome: TypeAlias = Literal["", "done", "closed", "changed", "failed"]

ORDERS: Final = """
CREATE TABLE work_order (
  id TEXT PRIMARY KEY,
  n INTEGER NOT NULL UNIQUE CHECK (n > 0),
  work TEXT NOT NULL CHECK (work IN ('act', 'handover', 'tray', 'events')),
  account TEXT NOT NULL,
  at TEXT NOT NULL,
  asked TEXT NOT NULL,
  total INTEGER NOT NULL CHECK (total >= 0),
  ended_at TEXT,
  until TEXT,
  claimed_until TEXT
) STRICT;
CREATE INDEX order_left ON work_order (at) WHERE ended_at IS NULL;
CREATE INDEX order_account ON work_order (account, n);
CREATE INDEX order_until ON work_order (until) WHERE until IS NOT NULL;
CREATE TABLE order_line (
  work_order TEXT NOT NULL REFERENCES work_order (id) DEFERRABLE INITIALLY DEFERRED,
  rank INTEGER NOT NULL CHECK (rank >= 0),
  dossier TEXT NOT NULL,
  number TEXT NOT NULL,
  revision INTEGER NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('', 'done', 'closed', 'changed', 'failed')),
  why TEXT NOT NULL,
  facts TEXT NOT NULL,
  at TEXT,
  PRIMARY KEY (work_order, rank)
) STRICT, WITHOUT ROWID;
CREATE INDEX line_left ON order_line (work_order, rank) WHERE outcome = '';
CREATE TABLE order_part (
  work_order TEXT NOT NULL REFERENCES work_order (id) DEFERRABLE INITIALLY DEFERRED,
  n INTEGER NOT NULL CHECK (n > 0),
  rows INTEGER NOT NULL CHECK (rows >= 0),
  mark TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (work_order, n)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Job:
    """What somebody asked for. `n` is what people call it by; `total` the lines it has, or the rows its file should have;
    `until` when its file is thrown away; `claimed_until` while somebody carries it out."""

    id: str
    n: int
    work: Work
    account: str
    at: datetime
    asked: Plain
    total: int
    ended_at: datetime | None = None
    until: datetime | None = None
    claimed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobItem:
    """One dossier of an order, as it was when the order was given, and what came of it. `why` and `facts`: a refusal's."""

    work_order: str
    rank: int
    dossier: str
    number: str
    revision: int
    outcome: Outcome = ""
    why: str = ""
    facts: Mapping[str, Plain] = field(default_factory=lambda: MappingProxyType({}))
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class JobChunk:
    """A part of a file: so many rows, and where the next part begins (empty: nowhere)."""

    work_order: str
    n: int
    rows: int
    mark: str
    body: str
