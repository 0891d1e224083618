"""Files of drafts whose owner has an unverified phone number: bytes, client address and time.

A row is written before its bytes are stored and deleted after they are removed. So the sum is never too
small.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

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


class UnprovenUnit(Protocol):
    """The queries of one transaction on these rows."""

    def unproven_file(self, dossier_id: str, name: str) -> UnprovenFile | None:
        """Return the row, or None. A writing unit locks it."""

    def put_unproven_file(self, file: UnprovenFile) -> None:
        """Insert the row, or replace the one with the same dossier and name."""

    def spare_unproven_file(self, file: UnprovenFile) -> None:
        """Mark a file that nothing names. Does nothing if it is being removed, or was rewritten since it was read."""

    def claim_unproven_file(self, file: UnprovenFile, now: datetime) -> UnprovenFile | None:
        """Claim the removal of a file and return its row. None if the row is gone, or was rewritten or
        claimed since it was read."""

    def drop_unproven_file(self, claimed: UnprovenFile) -> None:
        """Delete the row after its file was removed. Does nothing if another process claimed it meanwhile."""

    def prove_files(self, dossier_id: str) -> None:
        """Stop counting the files of a dossier whose owner verified the phone number. Removals that began go on."""

    def unproven_files_beyond(self, most: int, *, dossier: str = "", address: str = "") -> tuple[UnprovenFile, ...]:
        """Return the files to remove so that the others sum to `most` bytes: unused ones first, then the oldest."""

    def unproven_files_idle(self, before: datetime, limit: int) -> tuple[UnprovenFile, ...]:
        """Return files stored before this instant, in drafts whose owner was not seen since."""

    def unproven_files_going(self, before: datetime, limit: int) -> tuple[UnprovenFile, ...]:
        """Return files whose removal began before this instant and is not finished."""
