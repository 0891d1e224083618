"""Append-only hash chain, one a dossier: seal an entry to the one before, verify a chain, name the first break.

Entries hold codes, field names and salted commitments, never the values (`docs/decisions/0004-journal.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.values import Plain


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded act. `hash = sha256(canonical JSON of all but hash)`, `previous` the hash before (“” for the first)."""

    dossier: str
    n: int
    at: datetime
    actor_kind: str
    actor: str
    kind: str  # opened saved attached submitted transition paid booked issued …
    edition: str  # fingerprint
    body: Plain
    previous: str
    hash: str
