"""Files handed in, kept on a shelf by their SHA-256 and their dossier. A file is there for good before any row names it.

With keys, each is sealed for its dossier and digest: nothing there is readable, and no file takes another's place.
What was kept before there were keys is still read, until `rewrap` seals it.
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
from engine.storage.files.inspection import Content, Rejected, judged
from engine.storage.files.reserve import Reserve
from engine.storage.files.resumable_uploads import Arrivals
from engine.storage.gate import AdmissionGate
from engine.storage.unit_of_work import IntegrityFinding

LONGEST_NAME: Final = 100
AT_ONCE: Final = 2  # files judged at the same time: a picture may hold some 150 MB
WAITING: Final = 4  # more wait for it, a second at most: two of eight threads are left for the other pages
FOR_KNOWN: Final = 1  # of both, for who has proven a telephone

_ERASED: Final = b"erased"  # what lies in the place of a file that is not to come back: no picture and no PDF
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_NAME: Final = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{60}(\.[\w-]{1,64})?\Z", re.ASCII)

Place: TypeAlias = tuple[str, str]  # dossier, digest
Inspect: TypeAlias = Callable[[bytes], str | None]  # why a file is not taken, before anything reads it
Before: TypeAlias = Callable[[str, int], None]  # told the digest and the size of what is about to be written
Weigh: TypeAlias = Callable[[int], None]  # told the pixels of a picture before they are decoded


class Lost(LookupError):
    """The file of this digest is not there, or is not what it was."""


class FileErased(Lost):
    """It was erased for good, and a backup brought back the dossier that named it before."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What was kept of one file: `name` is for eyes only, `kind` is pdf, jpg or png, `size` in bytes as kept."""

    sha256: str
    kind: str
    size: int
    pages: int
    name: str


@dataclass(frozen=True, slots=True)
class Uploader:
    """Who hands a file in: `names` (account, browser) have one file judged at a time; one who is not `known` leaves a place to who
    is. `spent` is told the processor seconds that judging took, whatever came of it."""

    names: tuple[str, ...] = ()
    known: bool = True
    spent: Callable[[float], None] | None = None


OURSELVES: Final = Uploader()


class AttachmentStore:
    """Files of one shelf, or of a folder, two levels deep. Without keys nothing is sealed."""

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
        """Judges a file and keeps what is fit of it for a dossier. Raises `Rejected` (nothing kept), `NoRoom` (disk full) or
        `Busy` (disk cut; `Crowded`: too many at once). Less room is left for who is `unproven`."""
        if not data:
            raise Rejected("file_empty")
        if len(data) > max_size:
            raise Rejected("file_size", size=len(data), maximum=max_size)
        self.reserve.check(len(data), unproven=unproven)
        if self._inspect is not None and (code := self._inspect(data)) is not None:
            raise Rejected(code)
        content = self._judged(data, name, accept, weigh, sender)
        digest = hashlib.sha256(content.data).hexdigest()
        if before is not None:
            before(digest, len(content.data))
        self._store((dossier, digest), content.data)
        return StoredFile(digest, content.kind, len(content.data), content.pages, display_name(name, content.kind))

    def _judged(
        self, data: bytes, name: str, accept: tuple[str, ...], weigh: Weigh | None, sender: Uploader
    ) -> Content:
        with self._judging.turn(*sender.names, known=sender.known):
            began = time.thread_time()
            try:
                return judged(data, name, accept, weigh)
            finally:
                if sender.spent is not None:
                    sender.spent(time.thread_time() - began)

    def read(self, sha256: str, dossier: str = "") -> bytes:
        """The file of this digest that a dossier keeps, whole. Raises `Lost` (`FileErased`), and `NoFileKey` when the ring lacks its
        key."""
        if not _DIGEST.match(sha256):
            raise Lost(sha256)
        raw = self._raw((dossier, sha256))
        data = self._unsealed((dossier, sha256), raw)
        if data == _ERASED and (self.keys is None or is_sealed(raw)):  # nobody without our keys says so
            raise FileErased(sha256)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Lost(sha256)
        return data

    def adopt(self, sha256: str, data: bytes, dossier: str = "") -> None:
        """Keeps a file that a store of ours kept before: it was judged then. Raises `Lost` when it is another one."""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise Lost(sha256)
        self._store((dossier, sha256), data)

    def note_erased(self, place: Place) -> None:
        """Says in its place that a file was erased, so that nobody looks for it; handed in again, it is there as any other."""
        with suppress(NoFileKey):
            if self.keeps(place):
                return
        self._store(place, _ERASED)

    def take_back(self, place: Place) -> None:
        """Removes what was adopted for rows that did not come after all."""
        self.blobs.remove(self._name(place))

    def keeps(self, place: Place) -> bool:
        """Whether a file is there, whole."""
        try:
            self.read(place[1], place[0])
        except Lost:
            return False
        return True

    def rewrap(self, known: Iterable[Place]) -> tuple[int, tuple[Place, ...]]:
        """Brings every file that dossiers name under the newest key; how many were not, and those that are lost. Content that
        is sealed stays sealed; may be stopped and begun again. Raises `NoFileKey`."""
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
        """The id of the key of a file; empty when it is not sealed. Raises `Lost`."""
        raw = self._raw(place)
        try:
            return key_of(raw) if is_sealed(raw) else ""
        except Undecryptable:
            raise Lost(place[1]) from None

    def sweep(self, known: Collection[Place], older_than: datetime) -> tuple[str, ...]:
        """Removes the files that no dossier names and that were kept before; those removed. Half-written ones too."""
        named = {_bare(digest) for _, digest in known} | {self._name(place) for place in known}
        limit = older_than.timestamp()
        self.arriving.sweep(older_than)
        self.blobs.tidy(named, limit)
        orphans = [name for name in self._names() if name not in named]
        return tuple(name.rpartition("/")[2] for name in orphans if self.blobs.take_away(name, limit))

    def findings(self, known: Iterable[Place]) -> Iterator[IntegrityFinding]:
        """Which files that dossiers name are lost, damaged, or sealed under a key that is not there; not those that were erased."""
        for dossier, digest in known:
            try:
                self.read(digest, dossier)
            except FileErased:
                continue
            except Lost:
                yield IntegrityFinding("file_lost", dossier, {"sha256": digest})
            except NoFileKey as missing:
                yield IntegrityFinding("file_key_missing", dossier, {"sha256": digest, "key": str(missing)})

    # -- on the shelf ------------------------------------------------------------------------------------------------

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
        """Writes what is not there yet. What is there is made young, so that no sweep takes it before its row is written."""
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
    """The name of what is not sealed, and the beginning of the others."""
    return f"{digest[:2]}/{digest[2:4]}/{digest}"


def _bound(place: Place) -> bytes:
    """What a sealed file is bound to: whose it is and what it holds. The journal says at which question it was given."""
    return "\x1f".join(("file 1", *place)).encode()


def display_name(name: str, kind: str) -> str:
    """A file's name fit to be shown: no folder, no control or direction sign, 100 signs at most, its true extension."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    shown = "".join(sign if unicodedata.category(sign)[0] not in "CZ" else " " for sign in last if not _hidden(sign))
    stem = re.sub(r"\.(pdf|jpe?g|png)\Z", "", " ".join(shown.split()), flags=re.IGNORECASE).strip(" .")
    return f"{stem[: LONGEST_NAME - len(kind) - 1].rstrip(' .') or 'document'}.{kind}"


def _hidden(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cf", "Cs", "Cn", "Co")
