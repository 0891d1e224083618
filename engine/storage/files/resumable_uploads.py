"""Resumable uploads: pieces are stored in the blob store until the whole file is submitted, or a day has passed.

A piece sent twice counts once, and a piece that leaves a gap is not stored. The sender asks for the received length
and continues from there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from engine.storage.files.blob_store import BlobStore
from engine.storage.files.encryption import FileKeys, Undecryptable

ARRIVING: Final = "arriving"
LARGEST: Final = 12_000_000  # bytes of one file; the limit of the question applies to the whole file
LARGEST_PIECE: Final = 512_000
MOST_PIECES: Final = 200  # of one file; each is a file on the disk, and a script sends about a hundred
AT_ONCE: Final = 8  # uploads in progress for one dossier; a new one replaces the oldest

_KEY: Final = re.compile(r"[0-9a-f]{32,64}\Z")
_PIECE: Final = re.compile(r"(\d{9})-(\d{7})\Z", re.ASCII)
_SHA256: Final = 64


class Arrivals:
    """Uploads in progress, by dossier and by key: the SHA-256 of the whole file, or random."""

    def __init__(self, store: BlobStore, keys: FileKeys | None) -> None:
        self.blobs, self._keys = store, keys

    def received(self, dossier: str, key: str) -> int:
        """Return the number of bytes received without a gap."""
        return sum(length for _, length in self._pieces(_place(dossier, key)))

    def add(self, dossier: str, key: str, at: int, data: bytes) -> int:
        """Store the new part of a piece, and return the number of bytes received. A piece beyond a limit, or after a
        gap, is not stored."""
        place = _place(dossier, key)
        there = [length for _, length in self._pieces(place)]
        before = sum(there)
        fresh = data[max(0, before - at) :]
        if at > before or not fresh or len(data) > LARGEST_PIECE or before + len(fresh) > LARGEST:
            return before
        if len(there) >= MOST_PIECES:
            return before
        if not before:
            self._free_space(place)
        name = f"{place}/{before:09d}-{len(fresh):07d}"
        sealed = self._keys.seal(_bound(name), fresh) if self._keys is not None else fresh
        self.blobs.write(name, sealed, lasting=False)
        return self.received(dossier, key)

    def whole(self, dossier: str, key: str) -> bytes | None:
        """Return the received file. None if nothing came, or if it differs from its digest or is damaged."""
        place = _place(dossier, key)
        try:
            data = b"".join(self._opened(name) for name, _ in self._pieces(place))
        except Undecryptable:
            return None
        if not data or (len(key) == _SHA256 and hashlib.sha256(data).hexdigest() != key):
            self._forget(place)  # the sender must begin again
            return None
        return data

    def forget(self, dossier: str, key: str) -> None:
        """Remove the pieces of one upload."""
        self._forget(_place(dossier, key))

    def sweep(self, older_than: datetime) -> None:
        """Remove uploads without a new piece since `older_than`."""
        for place, at in self._ages(ARRIVING).items():
            if at < older_than.timestamp():
                self._forget(place)

    def _pieces(self, place: str) -> Iterator[tuple[str, int]]:
        """Yield name and length of the pieces that follow each other from the start."""
        reached = 0
        for name in sorted(one.name for one in self.blobs.lies(place)):
            found = _PIECE.match(name.rpartition("/")[2])
            if found and int(found[1]) == reached:
                yield name, int(found[2])
                reached += int(found[2])

    def _opened(self, name: str) -> bytes:
        data = self.blobs.read(name)
        if data is None:  # swept in between
            raise Undecryptable
        return self._keys.unseal(_bound(name), data) if self._keys is not None else data

    def _ages(self, under: str) -> dict[str, float]:
        """Return when the last piece of each upload came."""
        ages: dict[str, float] = {}
        for one in self.blobs.lies(under):
            place = one.name.rpartition("/")[0]
            ages[place] = max(one.at, ages.get(place, 0.0))
        return ages

    def _free_space(self, place: str) -> None:
        others = sorted(self._ages(place.rpartition("/")[0]).items(), key=lambda one: one[1])
        for oldest, _ in others[: max(0, len(others) - AT_ONCE + 1)]:
            self._forget(oldest)

    def _forget(self, place: str) -> None:
        for one in list(self.blobs.lies(place)):
            self.blobs.remove(one.name)


def _place(dossier: str, key: str) -> str:
    if not _KEY.match(key):
        raise ValueError("no key of an arrival")
    return f"{ARRIVING}/{hashlib.sha256(dossier.encode()).hexdigest()[:32]}/{key}"


def _bound(name: str) -> bytes:
    return "\x1f".join(("piece 1", *name.split("/")[-3:])).encode()
