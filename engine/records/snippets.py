"""Text snippets that an agency stores for its agents, with every version. The table text serves both databases."""

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
    """One version of a snippet: its author and date. The last version counts. `retired` withdraws the snippet."""

    id: str
    version: int
    agency: str
    title: str
    body: str
    account: str
    at: datetime
    retired: bool = False
