"""The cache of checks and proofs that found nothing, stored between two runs.

A key covers all that a result depends on. Only results without problems are cached. The others are computed again,
so that they are reported again. This module imports no heavy module, because a full cache needs none.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.model import Procedure
    from engine.model.directory import Directory

_NAMES_OTHERS: Final = re.compile(rb"\b(extends|held_by|instead|links)\b")
_MOST: Final = 20_000  # keys stored; the oldest days are dropped first


@dataclass(frozen=True, slots=True)
class CheckCache:
    """The keys of checks that found nothing, each with its day."""

    file: Path | None = None
    days: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> CheckCache:
        """Return the cache of a file, empty when the file is missing or invalid."""
        try:
            read = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return cls(file)
        if not isinstance(read, dict):
            return cls(file)
        return cls(file, {key: day for key, day in read.items() if isinstance(day, str)})

    def knows(self, key: str) -> bool:
        """Return whether a check with this key found nothing in an earlier run."""
        return key in self.days

    def learn(self, keys: Mapping[str, date]) -> CheckCache:
        """Return a new cache with these keys too. Above `_MOST` keys, the oldest days are dropped."""
        days = {**self.days, **{key: day.isoformat() for key, day in keys.items()}}
        newest = sorted(days.items(), key=lambda pair: pair[1], reverse=True)[:_MOST]
        return CheckCache(self.file, dict(newest))

    def save(self) -> None:
        """Write the file beside and replace the old one. A write error is ignored, and nothing is stored."""
        if self.file is None:
            return
        beside = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(dict(self.days)), "utf-8")
            beside.replace(self.file)


@cache
def checker() -> str:
    """Return the digest of the installed checker, in hexadecimal. Results of another version are not used."""
    whole = hashlib.sha256()
    for path in checker_files():
        whole.update(path.read_bytes())
    return whole.hexdigest()


def checker_files() -> tuple[Path, ...]:
    """Return the files whose change may change the result of a check."""
    engine = Path(__file__).parents[2]
    packages = ("core", "model", "language", "prover")
    found = (path for name in packages for kind in ("py", "json") for path in (engine / name).rglob(f"*.{kind}"))
    return tuple(sorted((engine / "__init__.py", *found)))


def key_of(folder: Path, shared: Mapping[str, str] | None = None) -> str:
    """Return the digest of what all checks of a folder depend on: shared files, checker, interpreter.

    `shared` are the digests of the shared files, where they are known.
    """
    whole = hashlib.sha256(f"{sys.version}\n{checker()}".encode())
    for name, digest in (shared_digests(folder) if shared is None else shared).items():
        whole.update(f"\n{name}\n{digest}".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def shared_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each shared file of a folder, by its path in the folder."""
    found = {}
    for path in sorted(folder.glob("*/*.yaml")):
        with suppress(OSError):
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def file_key(file: Path, shared: str, day: date, checks: str) -> str:
    """Return the key of some checks of one file. `shared` is the result of `key_of` for the folder."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    parts = ("file", file.stem, digest, shared, day.isoformat(), checks)
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def names_others(file: Path) -> bool:
    """Return whether a definition may name others of its folder (`engine/language/lint/folder_rules.py`)."""
    return bool(_NAMES_OTHERS.search(file.read_bytes()))


def folder_digest(folder: Path) -> str:
    """Return the digest of all definitions of a folder. A check that names others depends on it."""
    whole = hashlib.sha256()
    for path in sorted(folder.glob("*.yaml")):
        with suppress(OSError):
            whole.update(path.stem.encode("utf-8", "surrogateescape") + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def proof_key(procedure: Procedure, directory: Directory, day: date) -> str:
    """Return the key of the proofs of this definition on this day, as a SHA-256."""
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
