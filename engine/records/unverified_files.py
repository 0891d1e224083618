"""Files of drafts whose owner has an unverified phone number: bytes, client address and time.

A row is written before its bytes are stored and deleted after they are removed. So the sum is never too
small.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["kept", "spare", "going"]  # in use; unused; being removed from the blob store

UNPROVEN_FILES: Final = """
CREATE TABLE unproven_file (
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  name TEXT NOT NULL,
  address TEXT NOT NULL,
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('kept', 'spare', 'going')),
  PRIMARY KEY (dossier, name)
) STRICT;
CREATE INDEX unproven_file_of ON unproven_file (address, at);
CREATE INDEX unproven_file_age ON unproven_file (at);
CREATE INDEX unproven_file_going ON unproven_file (state) WHERE state = 'going';
"""


def unproven_so_far(each_file: str, digest: str, size: str, at: str) -> str:
    """Return the statement that adds rows for files stored before the table existed. `each_file` joins the
    attachments of `b.body` as `f`. The others are SQL of one attachment."""
    return (
        f"INSERT INTO unproven_file (dossier, name, address, bytes, at, state) SELECT d.id, {digest}, '', max({size}), max({at}),"
        f" 'kept' FROM dossier d JOIN account a ON a.id = d.owner JOIN dossier_body b ON b.dossier = d.id {each_file}"
        f" WHERE d.submitted_at IS NULL AND d.closed = 0 AND a.login LIKE 'claimed:%' GROUP BY d.id, {digest}"
    )


@dataclass(frozen=True, slots=True)
class UnprovenFile:
    """A stored file with its size. `name` is its digest, or `arriving/` and the key of a resumable upload.

    `address` is the client's key. `at`: when it was counted, or claimed for removal if `going`. Files of
    verified applicants have a row only during upload or removal, with an empty address.
    """

    dossier: str
    name: str
    address: str
    bytes: int
    at: datetime
    state: State = "kept"
