"""Editions and publications: commits published or refused, and returns to an earlier edition.

A publication is stored for ever, with its author, reviewers, signature state and gate results. Applied in
order (`lines_of`), publications give the editions of a procedure that may be in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

from engine.core.values import Plain

Outcome: TypeAlias = Literal["published", "refused", "rolled_back"]
CHAIN = "publications"  # the name of their chain in the journal

# One text for both databases.
PUBLICATIONS: Final = """
CREATE TABLE publication (
  n INTEGER PRIMARY KEY CHECK (n > 0),
  at TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('published', 'refused', 'rolled_back')),
  origin TEXT NOT NULL,
  placed TEXT NOT NULL,
  removed TEXT NOT NULL,
  gates TEXT NOT NULL,
  "by" TEXT NOT NULL,
  because TEXT NOT NULL
) STRICT;
CREATE TRIGGER publication_stays BEFORE UPDATE ON publication
  BEGIN SELECT RAISE(ABORT, 'a publication is for ever'); END;
CREATE TRIGGER publication_kept BEFORE DELETE ON publication
  BEGIN SELECT RAISE(ABORT, 'a publication is for ever'); END;
CREATE TABLE publication_entry (
  dossier TEXT NOT NULL CHECK (dossier = 'publications'),
  n INTEGER PRIMARY KEY CHECK (n > 0),
  at TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  kind TEXT NOT NULL,
  edition TEXT NOT NULL,
  body TEXT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE TRIGGER publication_entry_stays BEFORE UPDATE ON publication_entry
  BEGIN SELECT RAISE(ABORT, 'the journal is never rewritten'); END;
CREATE TRIGGER publication_entry_kept BEFORE DELETE ON publication_entry
  BEGIN SELECT RAISE(ABORT, 'the journal is never cut'); END;
CREATE TABLE watch (
  source TEXT PRIMARY KEY,
  at TEXT NOT NULL,
  "commit" TEXT NOT NULL,
  trouble TEXT NOT NULL,
  facts TEXT NOT NULL,
  since TEXT,
  tries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Edition:
    """One published state of a definition, stored for ever. `expanded` is its canonical JSON, `source` the
    file text."""

    procedure: str
    edition: int
    fingerprint: str
    source: str
    expanded: str
    published_at: datetime
    published_by: str = ""
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedEdition:
    """One edition put or restored in force. Its commit may be older than that of its publication."""

    procedure: str
    edition: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class GateFinding:
    """Why a gate failed: a problem code with its position, or a refusal code without one. `excerpt`: the
    source line."""

    code: str
    file: str = ""
    line: int = 0
    column: int = 0
    width: int = 1
    facts: Mapping[str, Plain] = field(default_factory=dict)
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """One check of a publication and its result. `left`: the number of findings not listed."""

    name: str
    passed: bool
    found: tuple[GateFinding, ...] = ()
    left: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a text comes from: a commit and its people, or a folder (then only `source` is known).

    `signature` is the state that git reports: G good, U good of unknown trust, B bad, X Y R expired or
    revoked. E means not checkable, N none. It is empty without a commit.
    """

    source: str
    branch: str = ""
    commit: str = ""
    subject: str = ""
    author: str = ""
    authored_at: datetime | None = None
    reviewers: tuple[str, ...] = ()
    signature: str = ""
    signer: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """One decision, numbered from 1 without gaps. `by` and `because`: the requester of a return, and the reason."""

    n: int
    at: datetime
    outcome: Outcome
    origin: Origin
    placed: tuple[PublishedEdition, ...] = ()
    removed: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    by: str = ""
    because: str = ""

    @property
    def stands(self) -> bool:
        """Whether it changed the editions in force."""
        return self.outcome != "refused"


@dataclass(frozen=True, slots=True)
class FollowingState:
    """State of the process that follows a git repository: the last commit seen, and the error that prevents reading."""

    source: str
    at: datetime
    commit: str = ""
    trouble: str = ""  # refusal code; empty when reading works
    facts: Mapping[str, Plain] = field(default_factory=dict)
    since: datetime | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class PublishedLine:
    """The editions of one procedure that may be in force, the current one last, and the withdrawn ones."""

    standing: tuple[str, ...] = ()
    withdrawn: frozenset[str] = frozenset()

    def with_placed(self, fingerprint: str) -> PublishedLine:
        """Return the line with this edition last, no longer withdrawn."""
        others = tuple(one for one in self.standing if one != fingerprint)
        return PublishedLine((*others, fingerprint), self.withdrawn - {fingerprint})

    def back_to(self, fingerprint: str) -> PublishedLine:
        """Return the line with all later editions withdrawn. An edition that is not in the line is placed last."""
        if fingerprint not in self.standing:
            return self.with_placed(fingerprint)
        at = self.standing.index(fingerprint) + 1
        return PublishedLine(self.standing[:at], self.withdrawn | set(self.standing[at:]))


def lines_of(
    publications: Iterable[Publication], before: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, PublishedLine]:
    """Return the line of each procedure after these publications, in their order. `before`: editions in force
    before the first stored one."""
    lines = {name: PublishedLine(evaluated) for name, evaluated in (before or {}).items()}
    for one in publications:
        for placed in one.placed if one.stands else ():
            line = lines.get(placed.procedure, PublishedLine())
            back = one.outcome == "rolled_back"
            lines[placed.procedure] = (line.back_to if back else line.with_placed)(placed.fingerprint)
        for name in one.removed if one.stands else ():
            lines[name] = PublishedLine((), lines.get(name, PublishedLine()).withdrawn)
    return lines
