"""What was proved is not proved again: the memory of the proofs that found nothing, between two runs of `lint`.

A key covers all that a proof depends on: the definition, the live directory, the day, and the checker itself. Only clean
results are kept; whatever found something is proved again, so that it is told again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

from engine.definition.directory import Directory
from engine.definition.model import Procedure

_MOST: Final = 20_000  # keys kept; the oldest days go first


@dataclass(frozen=True, slots=True)
class Proved:
    """The keys of what was proved clean, each with its day. `learn` gives a new one; `save` keeps it in its file."""

    file: Path | None = None
    days: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> Proved:
        """What the file remembers; nothing when it is not there, or is not one of ours."""
        try:
            read = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return cls(file)
        if not isinstance(read, dict):
            return cls(file)
        return cls(file, {key: day for key, day in read.items() if isinstance(day, str)})

    def knows(self, key: str) -> bool:
        return key in self.days

    def learn(self, keys: Mapping[str, date]) -> Proved:
        days = {**self.days, **{key: day.isoformat() for key, day in keys.items()}}
        newest = sorted(days.items(), key=lambda pair: pair[1], reverse=True)[:_MOST]
        return Proved(self.file, dict(newest))

    def save(self) -> None:
        """Written beside, then put in place; where nothing may be written, nothing is remembered."""
        if self.file is None:
            return
        beside = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(dict(self.days)), "utf-8")
            beside.replace(self.file)


def proof_key(procedure: Procedure, directory: Directory, day: date) -> str:
    """What a proof of this definition on this day depends on, as a SHA-256."""
    accepted = repr(procedure.accept)
    parts = (procedure.id, procedure.fingerprint, accepted, _of_directory(directory), day.isoformat(), checker())
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


@cache
def checker() -> str:
    """The checker as it is installed: what another one found is not believed."""
    whole = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.*")):
        if path.suffix in (".py", ".json"):
            whole.update(path.read_bytes())
    return whole.hexdigest()


_directories: dict[int, tuple[Directory, str]] = {}


def _of_directory(directory: Directory) -> str:
    known = _directories.get(id(directory))
    if known is None or known[0] is not directory:
        known = (directory, hashlib.sha256(repr(directory).encode()).hexdigest())
        _directories.clear()
        _directories[id(directory)] = known
    return known[1]
