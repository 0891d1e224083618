"""Files of drafts whose owner has not proven their number: how many bytes, from which address, since when.

A row is written before its bytes lie on the shelf and deleted after they are removed, so that the sum is never too small.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

State: TypeAlias = Literal["kept", "spare", "going"]  # in use; named by nothing; being removed from the shelf

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
    """The rows of files that unproven drafts held before rows were kept. `each_file` joins the attachments of `b.body` as `f`; the
    others read one of them."""
    return (
        f"INSERT INTO unproven_file (dossier, name, address, bytes, at, state) SELECT d.id, {digest}, '', max({size}), max({at}),"
        f" 'kept' FROM dossier d JOIN account a ON a.id = d.owner JOIN dossier_body b ON b.dossier = d.id {each_file}"
        f" WHERE d.submitted_at IS NULL AND d.closed = 0 AND a.login LIKE 'claimed:%' GROUP BY d.id, {digest}"
    )


@dataclass(frozen=True, slots=True)
class UnprovenFile:
    """`name` is the digest of a file, or `arriving/` and the key of one that comes in pieces. `address` is the client's key. `at`: when
    it was counted; while it is `going`, when its removal was claimed. Files of proven people have a row while they are handed in or
    removed, of no address."""

    dossier: str
    name: str
    address: str
    bytes: int
    at: datetime
    state: State = "kept"


class UnprovenUnit(Protocol):
    """The verbs of one transaction about these rows."""

    def unproven_file(self, dossier_id: str, name: str) -> UnprovenFile | None:
        """A writing unit holds it."""
        ...

    def put_unproven_file(self, file: UnprovenFile) -> None: ...
    def spare_unproven_file(self, file: UnprovenFile) -> None:
        """Nothing names it any more. Changes nothing when it is being removed, or was written anew since it was read."""
        ...

    def claim_unproven_file(self, file: UnprovenFile, now: datetime) -> UnprovenFile | None:
        """The row of a file that the caller removes from now on. None when the row is gone, was written anew, or was claimed since it
        was read."""
        ...

    def drop_unproven_file(self, claimed: UnprovenFile) -> None:
        """Once it was removed from the shelf. Changes nothing when somebody else claimed it meanwhile."""
        ...

    def prove_files(self, dossier_id: str) -> None:
        """The owner proved their number: nothing of this dossier is counted any more. What is being removed is removed."""
        ...

    def unproven_files_beyond(self, most: int, *, dossier: str = "", address: str = "") -> tuple[UnprovenFile, ...]:
        """Those to remove so that the others sum to `most` bytes: what nothing names first, then the oldest."""
        ...

    def unproven_files_idle(self, before: datetime, limit: int) -> tuple[UnprovenFile, ...]:
        """Kept before this instant, in drafts whose owner has not been seen since."""
        ...

    def unproven_files_going(self, before: datetime, limit: int) -> tuple[UnprovenFile, ...]:
        """Those whose removal began before this instant and was not finished."""
        ...
