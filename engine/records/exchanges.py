"""Exchanges beside the workflow: messages, internal notes, who follows, held seats, the waiting list, shared documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from engine.core.values import Plain
from engine.records.dossier import Attachment

Side: TypeAlias = Literal["applicant", "agent"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message about a dossier. `read_at`: when a person of the other side first read it."""

    id: str
    dossier: str
    at: datetime
    by: str
    side: Side
    body: str
    files: tuple[Attachment, ...] = ()
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """An internal note of an agent about a dossier. The applicant never sees it."""

    id: str
    dossier: str
    at: datetime
    by: str
    body: str


@dataclass(frozen=True, slots=True)
class NotedValue:
    """What agents noted under one annotation of the procedure, and who wrote it last. None once it was removed."""

    dossier: str
    name: str
    value: Plain
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class SeatHold:
    """A seat reserved until `until` while the applicant confirms. No other dossier can take it meanwhile."""

    resource: str
    office: str
    start: datetime
    seat: int
    dossier: str
    appointment: str
    until: datetime


@dataclass(frozen=True, slots=True)
class WaitingListEntry:
    """An applicant to notify when a seat is freed. `told_at`: the last notification."""

    dossier: str
    appointment: str
    resource: str
    office: str
    since: datetime
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """A public link to one whole issued document, for a limited time. Only the SHA-256 of its token is stored."""

    token_sha256: str
    dossier: str
    document: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    opens: int = 0
    opened_at: datetime | None = None  # the last time


EXCHANGES = """
CREATE TABLE message (
  id TEXT PRIMARY KEY,
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  at TEXT NOT NULL,
  by TEXT NOT NULL,
  side TEXT NOT NULL CHECK (side IN ('applicant', 'agent')),
  body TEXT NOT NULL,
  files TEXT NOT NULL,
  read_at TEXT
) STRICT;
CREATE INDEX message_dossier ON message (dossier, at);
CREATE INDEX message_unread ON message (dossier, side) WHERE read_at IS NULL;
CREATE TABLE seat_hold (
  resource TEXT NOT NULL,
  office TEXT NOT NULL,
  start TEXT NOT NULL,
  seat INTEGER NOT NULL CHECK (seat >= 0),
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  appointment TEXT NOT NULL,
  until TEXT NOT NULL,
  PRIMARY KEY (resource, office, start, seat),
  UNIQUE (dossier, appointment)
) STRICT, WITHOUT ROWID;
CREATE TABLE waiting (
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  appointment TEXT NOT NULL,
  resource TEXT NOT NULL,
  office TEXT NOT NULL,
  since TEXT NOT NULL,
  told_at TEXT,
  PRIMARY KEY (dossier, appointment)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_list ON waiting (resource, office, since);
CREATE TABLE share (
  token_sha256 TEXT PRIMARY KEY,
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  document TEXT NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  revoked_at TEXT,
  opens INTEGER NOT NULL CHECK (opens >= 0),
  opened_at TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX share_dossier ON share (dossier);
"""
NOTES = """
CREATE TABLE note (
  id TEXT PRIMARY KEY,
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  at TEXT NOT NULL,
  by TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX note_dossier ON note (dossier, at);
"""
FOLLOWS = """
CREATE TABLE follow (
  account TEXT NOT NULL,
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  PRIMARY KEY (account, dossier)
) STRICT, WITHOUT ROWID;
CREATE INDEX follow_dossier ON follow (dossier);
"""
ANNOTATIONS = """
CREATE TABLE annotation (
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  at TEXT NOT NULL,
  by TEXT NOT NULL,
  PRIMARY KEY (dossier, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX annotation_label ON annotation (name, value, dossier) WHERE substr(value, 1, 1) = '[';
"""
