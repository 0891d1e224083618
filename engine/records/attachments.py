"""Files handed in, kept on disk by their SHA-256. A file is on the disk for good before any row names it."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from engine.records.attachment_content import Rejected, judged
from engine.records.store import Busy, Finding

LONGEST_NAME: Final = 100
AT_ONCE: Final = 2  # pictures decoded at the same time: each may hold some 150 MB

_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")


class Lost(LookupError):
    """The file of this digest is not there, or is not what it was."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of one file: `name` is for eyes only, `kind` is pdf, jpg or png, `size` in bytes as kept."""

    sha256: str
    kind: str
    size: int
    pages: int
    name: str


class AttachmentStore:
    """Files of one folder, two levels deep. The folder need not exist; only its owner reads it."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._decoding = threading.BoundedSemaphore(AT_ONCE)

    def keep(self, data: bytes, name: str, accept: tuple[str, ...], max_size: int) -> Kept:
        """Judges a file and keeps what is fit of it. Raises `Rejected` (nothing kept) or `Busy` (disk full, cut)."""
        if not data:
            raise Rejected("file_empty")
        if len(data) > max_size:
            raise Rejected("file_size", size=len(data), maximum=max_size)
        with self._decoding:
            content = judged(data, name, accept)
        digest = hashlib.sha256(content.data).hexdigest()
        with _disk():
            self._put(digest, content.data)
        return Kept(digest, content.kind, len(content.data), content.pages, display_name(name, content.kind))

    def read(self, sha256: str) -> bytes:
        """The file of this digest, whole. Raises `Lost`."""
        if not _DIGEST.match(sha256):
            raise Lost(sha256)
        with _disk():
            try:
                data = self._path(sha256).read_bytes()
            except FileNotFoundError:
                raise Lost(sha256) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Lost(sha256)
        return data

    def adopt(self, sha256: str, data: bytes) -> None:
        """Keeps a file that a store of ours kept before: it was judged then. Raises `Lost` when it is another one."""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Lost(sha256)
        with _disk():
            self._put(sha256, data)

    def sweep(self, known: Collection[str], older_than: datetime) -> tuple[str, ...]:
        """Removes the files that no dossier names and that were kept before; those removed. Half-written ones too."""
        limit = older_than.timestamp()
        with _disk():
            for half in self._halves():
                if half.stat().st_mtime < limit:
                    half.unlink(missing_ok=True)
            orphans = [digest for digest in self._digests() if digest not in known]
            return tuple(digest for digest in orphans if self._remove(digest, limit))

    def findings(self, known: Mapping[str, str]) -> Iterator[Finding]:
        """Which files that dossiers name (digest → dossier id) are lost or damaged."""
        for digest, dossier in known.items():
            try:
                self.read(digest)
            except Lost:
                yield Finding("file_lost", dossier, {"sha256": digest})

    # -- on the disk -------------------------------------------------------------------------------------------------

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest[2:4] / digest

    def _put(self, digest: str, data: bytes) -> None:
        path = self._path(digest)
        try:
            os.utime(path)  # kept already; young again, so that no sweep takes it before its row is written
            if path.stat().st_size == len(data):
                return
        except FileNotFoundError:
            pass
        self._make(path.parent)
        half = self.folder / f".{digest}.{secrets.token_hex(4)}"
        try:
            with os.fdopen(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            half.rename(path)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)

    def _make(self, folder: Path) -> None:
        """Makes the folders that are missing and writes each into the one above for good."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)

    def _remove(self, digest: str, limit: float) -> bool:
        """Takes the file aside first: one that was handed in again meanwhile is young, and goes back."""
        path, aside = self._path(digest), self.folder / f".{digest}.swept"
        try:
            path.rename(aside)
            if aside.stat().st_mtime >= limit:
                aside.rename(path)
                return False
            aside.unlink()
        except FileNotFoundError:
            return False
        return True

    def _halves(self) -> list[Path]:
        return [path for path in self.folder.glob(".*") if path.is_file()]

    def _digests(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("??/??/*") if _DIGEST.match(path.name))


def display_name(name: str, kind: str) -> str:
    """A file's name fit to be shown: no folder, no control or direction sign, 100 signs at most, its true extension."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    shown = "".join(sign if unicodedata.category(sign)[0] not in "CZ" else " " for sign in last if not _hidden(sign))
    stem = re.sub(r"\.(pdf|jpe?g|png)\Z", "", " ".join(shown.split()), flags=re.IGNORECASE).strip(" .")
    return f"{stem[: LONGEST_NAME - len(kind) - 1].rstrip(' .') or 'document'}.{kind}"


def _hidden(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cf", "Cs", "Cn", "Co")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _disk() -> Iterator[None]:
    """A disk that is full, read-only or cut may be better later."""
    try:
        yield
    except OSError as error:
        raise Busy(type(error).__name__) from error
