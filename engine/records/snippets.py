"""Sentences that an agency keeps ready for its agents, every version of them. One text for both stores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

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
    """One version: who wrote it and when. The last one counts; `retired`, none of it is offered any more."""

    id: str
    version: int
    agency: str
    title: str
    body: str
    account: str
    at: datetime
    retired: bool = False
