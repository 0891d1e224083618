"""Blobs under a name, each written whole or not at all: in a folder here, in a bucket in `s3.py`. Content, access and
encryption are the concern of the caller."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from engine.storage.files.reserve import NoSpace
from engine.storage.results import Busy

SCHEME: Final = "s3://"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_TRIES: Final = 2  # a sweep may remove an empty folder before the first file is put in it


class WrongBlobStore(RuntimeError):
    """The configured place cannot store files: missing, foreign, or not writable."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One stored blob: its time in seconds, by the store's clock, and its size in bytes."""

    name: str
    at: float
    size: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """A place in an S3-compatible service: `address` is `s3://bucket/prefix`, `endpoint` the URL of the service."""

    address: str
    endpoint: str
    key: str
    secret: str = field(repr=False)
    region: str = "us-east-1"
    authority: Path | None = None  # certificate of the private authority that signed the service's


class BlobStore(Protocol):
    """The interface of a blob store.

    Every method raises `Busy` if the store does not answer, and `NoRoom` if it is full. Then nothing is half written.
    """

    def read(self, name: str) -> bytes | None:
        """Return the blob, or None if there is none."""

    def write(self, name: str, data: bytes, lasting: bool = True) -> None:
        """Store the blob, replacing the former one. With `lasting` it survives a power cut once this returns."""

    def renew(self, name: str) -> bool:
        """Give the blob the present time, so that no sweep removes it. Returns False if it must be written again
        instead."""

    def lies(self, under: str = "") -> Iterator[StoredObject]:
        """Yield all blobs, or those of one folder of names, by name."""

    def remove(self, name: str) -> None:
        """Delete the blob, if any."""

    def take_away(self, name: str, limit: float) -> bool:
        """Delete the blob if it is older than `limit`, in seconds. Returns whether it did. A concurrent write is never
        lost."""

    def tidy(self, named: Collection[str], limit: float) -> None:
        """Delete older leftovers of writes and sweeps. Blobs in `named` that were moved aside are restored."""

    def check(self) -> None:
        """Write, read and delete a probe. Raises `WrongBlobStore`, `Busy`."""


class FolderBlobStore:
    """Blobs in a folder, created on the first write. Only its owner can read it."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def __str__(self) -> str:
        return str(self.folder)

    def read(self, name: str) -> bytes | None:
        """Return the blob, even if a sweep moved it aside, or None if there is none."""
        for path in (self.folder / name, self._aside(name)):
            with disk(), suppress(FileNotFoundError):
                return path.read_bytes()
        return None

    def write(self, name: str, data: bytes, lasting: bool = True) -> None:
        """Store the blob, replacing the former one. With `lasting` it survives a power cut once this returns."""
        with disk():
            for left in range(_TRIES - 1, -1, -1):
                try:
                    self._write(self.folder / name, data, lasting)
                    return
                except FileNotFoundError:
                    if not left:
                        raise

    def renew(self, name: str) -> bool:
        """Give the blob the present time, so that no sweep removes it. Returns False if there is none."""
        with disk(), suppress(FileNotFoundError):
            os.utime(self.folder / name)
            return True
        return False

    def lies(self, under: str = "") -> Iterator[StoredObject]:
        """Yield all blobs, or those of one folder of names, by name."""
        names = (Path(folder) / name for folder, _, names in os.walk(self.folder / under) for name in names)
        with disk():
            for path in sorted(path for path in names if not path.name.startswith(".")):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    kept = path.stat()
                    yield StoredObject(path.relative_to(self.folder).as_posix(), kept.st_mtime, kept.st_size)

    def remove(self, name: str) -> None:
        """Delete the blob, if any."""
        with disk():
            (self.folder / name).unlink(missing_ok=True)
            self._aside(name).unlink(missing_ok=True)

    def take_away(self, name: str, limit: float) -> bool:
        """Move the blob aside, and delete it unless it was rewritten meanwhile. If the process dies in between, it is
        still readable until `tidy`."""
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
        """Restore blobs in `named`, and delete older half-written files and empty folders."""
        with disk():
            if left := {aside.name for aside in self.folder.glob(".*.swept")}:
                for name in named:
                    if self._aside(name).name in left:
                        self._bring_back(name)
            for half in self.folder.glob(".*"):
                with suppress(FileNotFoundError):  # renamed meanwhile
                    if half.is_file() and half.stat().st_mtime < limit:
                        half.unlink()
            for folder in [Path(one) for one, _, _ in os.walk(self.folder, topdown=False)][:-1]:
                with suppress(OSError):  # not empty
                    if folder.stat().st_mtime < limit:
                        folder.rmdir()

    def check(self) -> None:
        """Write and delete a probe. Raises `Busy`."""
        probe = f".probe.{secrets.token_hex(4)}"
        self.write(probe, b"probe")
        self.remove(probe)

    def _aside(self, name: str) -> Path:
        return self.folder / f".{Path(name).name}.swept"

    def _bring_back(self, name: str) -> None:
        """Restore a blob that an interrupted sweep left aside, unless it was rewritten since."""
        path, aside = self.folder / name, self._aside(name)
        if not path.exists():
            self._make(path.parent)
            with suppress(FileNotFoundError):  # the sweep still runs and restored it itself
                aside.rename(path)
                _sync_folder(path.parent)

    def _write(self, path: Path, data: bytes, lasting: bool) -> None:
        """Write a file beside, then rename it."""
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
        """Create the missing folders, each durable in its parent."""
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
    """Map errors of the disk to `Busy`, or `NoRoom` if it is full."""
    try:
        yield
    except OSError as error:
        raise (NoSpace if error.errno in _FULL else Busy)(type(error).__name__) from error
