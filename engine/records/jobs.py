"""Jobs: long work requested by one person, stored until it is done. A job acts on many dossiers or exports a
list.

Each item is one dossier, processed in one transaction with the dossier's change. An interrupted job resumes
without doing anything twice. An exported file grows by chunks in the same way. The table text serves both
databases.
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
    """One job. `n` is its public number. `total` counts its items, or the expected rows of its file. The file
    is deleted at `until`. A worker owns the job until `claimed_until`."""

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
    """One dossier of a job, at its revision of the request, and the outcome. `why` and `facts` are those of a
    refusal."""

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
    """A chunk of an exported file: its number of rows, and where the next begins. An empty `mark` means the last."""

    work_order: str
    n: int
    rows: int
    mark: str
    body: str
