"""What a proof depends on: the definition, the live directory, the day, and the checker itself."""

from __future__ import annotations

import hashlib
from datetime import date

from engine.definition.directory import Directory
from engine.definition.model import Procedure
from engine.definition.remembered import checker


def proof_key(procedure: Procedure, directory: Directory, day: date) -> str:
    """What a proof of this definition on this day depends on, as a SHA-256."""
    accepted = repr(procedure.accept)
    parts = (procedure.id, procedure.fingerprint, accepted, _of_directory(directory), day.isoformat(), checker())
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


_directories: dict[int, tuple[Directory, str]] = {}


def _of_directory(directory: Directory) -> str:
    known = _directories.get(id(directory))
    if known is None or known[0] is not directory:
        known = (directory, hashlib.sha256(repr(directory).encode()).hexdigest())
        _directories.clear()
        _directories[id(directory)] = known
    return known[1]
