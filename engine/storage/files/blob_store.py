"""Where bytes lie under a name, each whole or not at all: a folder of this machine here, a bucket elsewhere
(`bucket_shelf.py`). What the bytes are, who may read them and under which key is the business of whoever keeps them.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from engine.storage.files.reserve import NoRoom
from engine.storage.unit_of_work import Busy

SCHEME: Final = "s3://"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_TRIES: Final = 2  # a sweep may take an empty folder away between its making and what is put into it


class WrongBlobStore(RuntimeError):
    """The place that a setting names cannot keep files: no such place, another's, or not to be written to."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One thing that lies there: since when (in seconds, as the shelf's own clock says) and how many bytes."""

    name: str
    at: float
    size: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place of an S3-compatible service: `address` is `s3://bucket/prefix`, `endpoint` the service's own, `https://…`."""

    address: str
    endpoint: str
    key: str
    secret: str = field(repr=False)
    region: str = "us-east-1"
    authority: Path | None = None  # the certificate of whoever signed the service's, when no public authority did


class BlobStore(Protocol):
    """Every verb raises `Busy` when the place is cut or silent, `NoRoom` when it is full; then nothing is half there."""

    def read(self, name: str) -> bytes | None:
        """None when nothing of this name is there."""
        ...

    def write(self, name: str, data: bytes, lasting: bool = True) -> None:
        """In place of what is there. Once it is `lasting` and this returned, no power cut takes it back."""
        ...

    def renew(self, name: str) -> bool:
        """Makes what is there young, so that no sweep takes it; false where only writing it again does."""
        ...

    def lies(self, under: str = "") -> Iterator[StoredObject]:
        """Everything, or what is in one folder of names, by name."""
        ...

    def remove(self, name: str) -> None: ...

    def take_away(self, name: str, limit: float) -> bool:
        """Removes what is older. What is written again meanwhile is never lost by it."""
        ...

    def tidy(self, named: Collection[str], limit: float) -> None:
        """Removes what writing and taking away left behind and is older; what is `named` comes back."""
        ...

    def check(self) -> None:
        """Keeps something, reads it, removes it. Raises `WrongBlobStore`, `Busy`."""
        ...


class FolderBlobStore:
    """A folder, which need not exist; only its owner reads it."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def __str__(self) -> str:
        return str(self.folder)

    def read(self, name: str) -> bytes | None:
        for path in (self.folder / name, self._aside(name)):
            with disk(), suppress(FileNotFoundError):
                return path.read_bytes()
        return None

    def write(self, name: str, data: bytes, lasting: bool = True) -> None:
        with disk():
            for left in range(_TRIES - 1, -1, -1):
                try:
                    self._write(self.folder / name, data, lasting)
                    return
                except FileNotFoundError:
                    if not left:
                        raise

    def renew(self, name: str) -> bool:
        with disk(), suppress(FileNotFoundError):
            os.utime(self.folder / name)
            return True
        return False

    def lies(self, under: str = "") -> Iterator[StoredObject]:
        names = (Path(folder) / name for folder, _, names in os.walk(self.folder / under) for name in names)
        with disk():
            for path in sorted(path for path in names if not path.name.startswith(".")):
                with suppress(FileNotFoundError):  # gone meanwhile
                    kept = path.stat()
                    yield StoredObject(path.relative_to(self.folder).as_posix(), kept.st_mtime, kept.st_size)

    def remove(self, name: str) -> None:
        with disk():
            (self.folder / name).unlink(missing_ok=True)
            self._aside(name).unlink(missing_ok=True)

    def take_away(self, name: str, limit: float) -> bool:
        """Takes it aside first: what was written again meanwhile is young, and goes back. Killed before that, it is read where it
        lies until it is tidied up."""
        path, aside = self.folder / name, self._aside(name)
        with disk(), suppress(FileNotFoundError):
            path.rename(aside)
            if aside.stat().st_mtime >= limit:
                aside.rename(path)
                return False
            aside.unlink()
            return True
        return False

    def tidy(self, named: Collection[str], limit: float) -> None:
        """Half-written files, and folders that nothing is in."""
        with disk():
            if left := {aside.name for aside in self.folder.glob(".*.swept")}:
                for name in named:
                    if self._aside(name).name in left:
                        self._bring_back(name)
            for half in self.folder.glob(".*"):
                with suppress(FileNotFoundError):  # put in its place meanwhile
                    if half.is_file() and half.stat().st_mtime < limit:
                        half.unlink()
            for folder in [Path(one) for one, _, _ in os.walk(self.folder, topdown=False)][:-1]:
                with suppress(OSError):  # something is in it
                    if folder.stat().st_mtime < limit:
                        folder.rmdir()

    def check(self) -> None:
        probe = f".probe.{secrets.token_hex(4)}"
        self.write(probe, b"probe")
        self.remove(probe)

    def _aside(self, name: str) -> Path:
        return self.folder / f".{Path(name).name}.swept"

    def _bring_back(self, name: str) -> None:
        """What a sweep that was killed left aside, unless it was written again since."""
        path, aside = self.folder / name, self._aside(name)
        if not path.exists():
            self._make(path.parent)
            with suppress(FileNotFoundError):  # that sweep lives, and put it back itself
                aside.rename(path)
                _sync_folder(path.parent)

    def _write(self, path: Path, data: bytes, lasting: bool) -> None:
        """Beside, then in its place."""
        self._make(path.parent)
        half = self.folder / f".{path.name[:80]}.{secrets.token_hex(4)}"
        try:
            with os.fdopen(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                if lasting:
                    os.fsync(file.fileno())
            half.rename(path)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        if lasting:
            _sync_folder(path.parent)

    def _make(self, folder: Path) -> None:
        """Makes the folders that are missing and writes each into the one above for good."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def disk() -> Iterator[None]:
    """A disk that is full, read-only or cut may be better later."""
    try:
        yield
    except OSError as error:
        raise (NoRoom if error.errno in _FULL else Busy)(type(error).__name__) from error
