"""The store of uploaded files, by SHA-256 and dossier. A file is durable before any row names it.

With keys, each file is encrypted for its dossier and digest. So none is readable, and none can replace another. Files
stored without keys are still read, until `rewrap` encrypts them.
"""

from __future__ import annotations

import hashlib
import re
import time
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

from engine.storage.files.blob_store import BlobStore, FolderBlobStore
from engine.storage.files.encryption import FileKeys, NoFileKey, Undecryptable, is_sealed, key_of
from engine.storage.files.inspection import Content, Rejected, is_picture, judged
from engine.storage.files.reserve import Reserve
from engine.storage.files.resumable_uploads import Arrivals
from engine.storage.gate import AdmissionGate
from engine.storage.results import IntegrityFinding

LONGEST_NAME: Final = 100
AT_ONCE: Final = 2  # files inspected at once: an image may take 150 MB of memory, and a scanner may hang
WAITING: Final = 4  # more wait, a second at most: two of eight threads stay free for other pages
LARGEST_PICTURE: Final = 12_000_000  # bytes received; what is stored keeps the limit of its question
FOR_KNOWN: Final = 1  # of both, reserved for verified applicants

_ERASED: Final = b"erased"  # stored in place of an erased file; it is neither an image nor a PDF
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_NAME: Final = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{60}(\.[\w-]{1,64})?\Z", re.ASCII)

Place: TypeAlias = tuple[str, str]  # dossier, digest
Inspect: TypeAlias = Callable[[bytes], str | None]  # returns a rejection code before the file is read
Before: TypeAlias = Callable[[str, int], None]  # receives digest and size before the file is written
Weigh: TypeAlias = Callable[[int], None]  # receives the pixels of an image before decoding


class Lost(LookupError):
    """The file of this digest is missing or changed."""


class FileErased(Lost):
    """The file was erased for good, and a backup restored the dossier that names it."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file. `name` is for display only, `kind` is pdf, jpg or png, `size` is in bytes as stored."""

    sha256: str
    kind: str
    size: int
    pages: int
    name: str


@dataclass(frozen=True, slots=True)
class Uploader:
    """The person who uploads. Of callers that share a name (account, browser), one file is inspected at a time.

    A caller that is not `known` leaves one place to those that are; `place` is the block of its address. `spent`
    receives the processor seconds of the inspection, whatever its result.
    """

    names: tuple[str, ...] = ()
    known: bool = True
    place: str = ""
    spent: Callable[[float], None] | None = None


OURSELVES: Final = Uploader()


class AttachmentStore:
    """Files in a blob store or a folder, two levels deep. Without keys they are not encrypted."""

    def __init__(
        self, place: BlobStore | str | Path, keys: FileKeys | None = None, inspect: Inspect | None = None, reserve: Reserve | None = None
    ) -> None:  # fmt: skip
        self.blobs: BlobStore = FolderBlobStore(place) if isinstance(place, (str, Path)) else place
        self.keys = keys
        self._inspect = inspect
        self.reserve = reserve or Reserve(())
        self.arriving = Arrivals(self.blobs, keys)
        self._judging = AdmissionGate(AT_ONCE, WAITING, kept=FOR_KNOWN)

    def keep(
        self, data: bytes, name: str, accept: tuple[str, ...], max_size: int, dossier: str = "", before: Before | None = None,
        weigh: Weigh | None = None, *, unproven: bool = False, sender: Uploader = OURSELVES,
    ) -> StoredFile:  # fmt: skip
        """Inspect a file and store its content for a dossier. An `unproven` applicant may use less disk space.

        Raises `Rejected` (nothing is stored), `NoRoom` (disk full) or `Busy` (disk absent). `Crowded` means too many
        uploads at once.
        """
        if not data:
            raise Rejected("file_empty")
        most = max(max_size, LARGEST_PICTURE) if is_picture(data) else max_size  # a picture is stored smaller
        if len(data) > most:
            raise Rejected("picture_size" if is_picture(data) else "file_size", size=len(data), maximum=most)
        self.reserve.check(len(data), unproven=unproven)
        content = self._judged(data, name, accept, weigh, sender)
        if len(content.data) > max_size:
            raise Rejected("picture_size", size=len(content.data), maximum=max_size)
        digest = hashlib.sha256(content.data).hexdigest()
        if before is not None:
            before(digest, len(content.data))
        self._store((dossier, digest), content.data)
        return StoredFile(digest, content.kind, len(content.data), content.pages, display_name(name, content.kind))

    def _judged(
        self, data: bytes, name: str, accept: tuple[str, ...], weigh: Weigh | None, sender: Uploader
    ) -> Content:
        with self._judging.turn(*sender.names, known=sender.known, place=sender.place) as make_way:
            began = time.thread_time()
            try:
                if self._inspect is not None and (code := self._inspect(data)) is not None:
                    raise Rejected(code)
                return judged(data, name, accept, weigh, make_way)
            finally:
                if sender.spent is not None:
                    sender.spent(time.thread_time() - began)

    def read(self, sha256: str, dossier: str = "") -> bytes:
        """Return the file of this digest in a dossier, whole. Raises `Lost`, `FileErased`, and `NoFileKey` if the ring
        lacks its key."""
        if not _DIGEST.match(sha256):
            raise Lost(sha256)
        raw = self._raw((dossier, sha256))
        data = self._unsealed((dossier, sha256), raw)
        if data == _ERASED and (self.keys is None or is_sealed(raw)):  # only an encrypted mark counts if there are keys
            raise FileErased(sha256)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Lost(sha256)
        return data

    def adopt(self, sha256: str, data: bytes, dossier: str = "") -> None:
        """Store a file that another store of this project had, without inspection. Raises `Lost` if the digest
        differs."""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Lost(sha256)
        self._store((dossier, sha256), data)

    def note_erased(self, place: Place) -> None:
        """Mark a file as erased, so that it is not reported lost. A new upload replaces the mark."""
        with suppress(NoFileKey):
            if self.keeps(place):
                return
        self._store(place, _ERASED)

    def take_back(self, place: Place) -> None:
        """Remove a file that was adopted for rows that were not committed."""
        self.blobs.remove(self._name(place))

    def keeps(self, place: Place) -> bool:
        """Return whether the whole file is stored. Raises `NoFileKey`."""
        try:
            self.read(place[1], place[0])
        except Lost:
            return False
        return True

    def rewrap(self, known: Iterable[Place]) -> tuple[int, tuple[Place, ...]]:
        """Wrap every named file with the newest key. Returns the number changed, and the lost files.

        The content is not encrypted again. The work may be interrupted and resumed. Raises `NoFileKey`.
        """
        if self.keys is None:
            return 0, ()
        changed, bare, lost = 0, set[str](), list[Place]()
        for place in known:
            try:
                changed += self._rewrapped(self.keys, place, bare)
            except (Lost, Undecryptable):
                lost.append(place)
        for digest in bare.difference(digest for _, digest in lost):
            self.blobs.remove(_bare(digest))
        return changed, tuple(lost)

    def _rewrapped(self, keys: FileKeys, place: Place, bare: set[str]) -> bool:
        raw = self._raw(place)
        if not is_sealed(raw):
            self.adopt(place[1], raw, place[0])
            bare.add(place[1])
            return True
        fresh = keys.rewrapped(_bound(place), raw)
        if fresh is not None:
            self.blobs.write(self._name(place), fresh)
        return fresh is not None

    def sealed_under(self, place: Place) -> str:
        """Return the key id of a file, empty if it is not encrypted. Raises `Lost`."""
        raw = self._raw(place)
        try:
            return key_of(raw) if is_sealed(raw) else ""
        except Undecryptable:
            raise Lost(place[1]) from None

    def sweep(self, known: Collection[Place], older_than: datetime) -> tuple[str, ...]:
        """Remove files that no dossier names and that are older, and half-written ones. Returns the names of the
        former."""
        named = {_bare(digest) for _, digest in known} | {self._name(place) for place in known}
        limit = older_than.timestamp()
        self.arriving.sweep(older_than)
        self.blobs.tidy(named, limit)
        orphans = [name for name in self._names() if name not in named]
        return tuple(name.rpartition("/")[2] for name in orphans if self.blobs.take_away(name, limit))

    def findings(self, known: Iterable[Place]) -> Iterator[IntegrityFinding]:
        """Yield a finding for each named file that is lost, damaged, or without its key. Erased files are left out."""
        for dossier, digest in known:
            try:
                self.read(digest, dossier)
            except FileErased:
                continue
            except Lost:
                yield IntegrityFinding("file_lost", dossier, {"sha256": digest})
            except NoFileKey as missing:
                yield IntegrityFinding("file_key_missing", dossier, {"sha256": digest, "key": str(missing)})

    # -- blobs ------------------------------------------------------------------------------------------------------

    def _name(self, place: Place) -> str:
        dossier, digest = place
        return f"{_bare(digest)}.{dossier or '-'}" if self.keys is not None else _bare(digest)

    def _raw(self, place: Place) -> bytes:
        for name in dict.fromkeys((self._name(place), _bare(place[1]))):
            if (found := self.blobs.read(name)) is not None:
                return found
        raise Lost(place[1])

    def _unsealed(self, place: Place, raw: bytes) -> bytes:
        if not is_sealed(raw):
            return raw
        if self.keys is None:
            raise NoFileKey("-")
        try:
            return self.keys.unseal(_bound(place), raw)
        except Undecryptable:
            raise Lost(place[1]) from None

    def _store(self, place: Place, data: bytes) -> None:
        """Write the file if it is not there. An existing file gets a new time, so that no sweep removes it before its
        row is written."""
        name = self._name(place)
        if self.blobs.renew(name) and self._is_whole(place, name, data):
            return
        self.blobs.write(name, data if self.keys is None else self.keys.seal(_bound(place), data))

    def _is_whole(self, place: Place, name: str, data: bytes) -> bool:
        kept = self.blobs.read(name)
        if kept is None or self.keys is None:
            return kept == data
        try:
            return self.keys.unseal(_bound(place), kept) == data
        except (Undecryptable, NoFileKey):
            return False

    def _names(self) -> list[str]:
        return [one.name for one in self.blobs.lies() if _NAME.match(one.name)]


def _bare(digest: str) -> str:
    """Return the name of an unencrypted file, which is the prefix of the others."""
    return f"{digest[:2]}/{digest[2:4]}/{digest}"


def _bound(place: Place) -> bytes:
    """Return what an encrypted file is bound to: dossier and digest. The journal records the question."""
    return "\x1f".join(("file 1", *place)).encode()


def display_name(name: str, kind: str) -> str:
    """Return a file name fit for display: no folder, no control or direction characters, at most 100, the true
    extension."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    shown = "".join(sign if unicodedata.category(sign)[0] not in "CZ" else " " for sign in last if not _hidden(sign))
    stem = re.sub(r"\.(pdf|jpe?g|png|webp)\Z", "", " ".join(shown.split()), flags=re.IGNORECASE).strip(" .")
    return f"{stem[: LONGEST_NAME - len(kind) - 1].rstrip(' .') or 'document'}.{kind}"


def _hidden(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cf", "Cs", "Cn", "Co")
