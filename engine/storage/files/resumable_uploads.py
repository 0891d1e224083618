"""Files on their way over a network that cuts: pieces kept on the shelf until the whole is handed in, or a day has passed.

A piece sent twice is one piece, and one that leaves a gap is not kept: whoever sends asks how far it came, and goes on
from there.
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
LARGEST: Final = 12_000_000  # of one file; what a question takes is judged when the whole is there
LARGEST_PIECE: Final = 512_000
AT_ONCE: Final = 8  # files under way for one dossier; the oldest makes room

_KEY: Final = re.compile(r"[0-9a-f]{32,64}\Z")
_PIECE: Final = re.compile(r"(\d{9})-(\d{7})\Z", re.ASCII)
_SHA256: Final = 64


class Arrivals:
    """Files under way, by dossier and by the key their sender chose: the SHA-256 of the whole, when it could."""

    def __init__(self, store: BlobStore, keys: FileKeys | None) -> None:
        self.blobs, self._keys = store, keys

    def received(self, dossier: str, key: str) -> int:
        """How many bytes from the start are there."""
        return sum(length for _, length in self._pieces(_place(dossier, key)))

    def add(self, dossier: str, key: str, at: int, data: bytes) -> int:
        """Keeps what is new of a piece; how many bytes are there by now. A piece beyond what may come is not kept."""
        place = _place(dossier, key)
        before = self.received(dossier, key)
        fresh = data[max(0, before - at) :]
        if at > before or not fresh or len(data) > LARGEST_PIECE or before + len(fresh) > LARGEST:
            return before
        if not before:
            self._free_space(place)
        name = f"{place}/{before:09d}-{len(fresh):07d}"
        sealed = self._keys.seal(_bound(name), fresh) if self._keys is not None else fresh
        self.blobs.write(name, sealed, lasting=False)
        return self.received(dossier, key)

    def whole(self, dossier: str, key: str) -> bytes | None:
        """What came, whole; none when nothing did, or when it is not what its sender said."""
        place = _place(dossier, key)
        try:
            data = b"".join(self._opened(name) for name, _ in self._pieces(place))
        except Undecryptable:
            return None
        if not data or (len(key) == _SHA256 and hashlib.sha256(data).hexdigest() != key):
            self._forget(place)  # begun again from the start
            return None
        return data

    def forget(self, dossier: str, key: str) -> None:
        """Removes what came of a file."""
        self._forget(_place(dossier, key))

    def sweep(self, older_than: datetime) -> None:
        """Forgets what nobody went on with."""
        for place, at in self._ages(ARRIVING).items():
            if at < older_than.timestamp():
                self._forget(place)

    def _pieces(self, place: str) -> Iterator[tuple[str, int]]:
        """Those that follow each other from the start, and their lengths."""
        reached = 0
        for name in sorted(one.name for one in self.blobs.lies(place)):
            found = _PIECE.match(name.rpartition("/")[2])
            if found and int(found[1]) == reached:
                yield name, int(found[2])
                reached += int(found[2])

    def _opened(self, name: str) -> bytes:
        data = self.blobs.read(name)
        if data is None:  # swept between two looks
            raise Undecryptable
        return self._keys.unseal(_bound(name), data) if self._keys is not None else data

    def _ages(self, under: str) -> dict[str, float]:
        """When the last piece of each came."""
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
