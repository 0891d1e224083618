"""Editions, and what was decided about those in service: each commit published or refused, each return to an earlier one.

A publication is kept for ever, with who wrote it, who read it over, whether the signature holds and what every gate said.
Folded in their order (`lines_of`), publications say which editions of a procedure may be in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

from engine.core.values import Plain

Outcome: TypeAlias = Literal["published", "refused", "rolled_back"]
CHAIN = "publications"  # the name of their chain in the journal

# One text for both stores.
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
    """One published state of a definition, kept for ever. `expanded` is its canonical JSON, `source` the file's text."""

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
    """One edition put in service (or put back), whose commit may be older than that of its publication."""

    procedure: str
    edition: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class GateFinding:
    """Why a gate stays shut: the code of a problem with its place, or of a refusal without one. `excerpt`: the line."""

    code: str
    file: str = ""
    line: int = 0
    column: int = 0
    width: int = 1
    facts: Mapping[str, Plain] = field(default_factory=dict)
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """One check that a publication passes, or does not. `left`: how many findings are not told here."""

    name: str
    passed: bool
    found: tuple[GateFinding, ...] = ()
    left: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a text comes from: a commit and the people behind it, or a folder (then nothing but `source` is known).

    `signature` is the state git gives it: G good, U good but of unknown trust, B bad, X Y R expired or revoked, E not
    checkable, N none, empty without a commit.
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
    """One decision, numbered from 1 without a hole. `by` and `because`: who asked for a return, and why."""

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
        """Whether it changed what is in service."""
        return self.outcome != "refused"


@dataclass(frozen=True, slots=True)
class FollowingState:
    """How following a repository goes: the last commit seen, and what prevents looking, if anything does."""

    source: str
    at: datetime
    commit: str = ""
    trouble: str = ""  # the code of a refusal; empty when all is well
    facts: Mapping[str, Plain] = field(default_factory=dict)
    since: datetime | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class PublishedLine:
    """The editions of one procedure that may be in force, the one that comes first last; and those taken back."""

    standing: tuple[str, ...] = ()
    withdrawn: frozenset[str] = frozenset()

    def with_placed(self, fingerprint: str) -> PublishedLine:
        others = tuple(one for one in self.standing if one != fingerprint)
        return PublishedLine((*others, fingerprint), self.withdrawn - {fingerprint})

    def back_to(self, fingerprint: str) -> PublishedLine:
        """Everything placed after it is taken back; itself is put back when it was taken back before."""
        if fingerprint not in self.standing:
            return self.with_placed(fingerprint)
        at = self.standing.index(fingerprint) + 1
        return PublishedLine(self.standing[:at], self.withdrawn | set(self.standing[at:]))


def lines_of(
    publications: Iterable[Publication], before: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, PublishedLine]:
    """By procedure, what publications in their order leave standing. `before`: what stood when none was kept yet."""
    lines = {name: PublishedLine(evaluated) for name, evaluated in (before or {}).items()}
    for one in publications:
        for placed in one.placed if one.stands else ():
            line = lines.get(placed.procedure, PublishedLine())
            back = one.outcome == "rolled_back"
            lines[placed.procedure] = (line.back_to if back else line.with_placed)(placed.fingerprint)
        for name in one.removed if one.stands else ():
            lines[name] = PublishedLine((), lines.get(name, PublishedLine()).withdrawn)
    return lines
