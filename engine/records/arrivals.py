"""Files on their way over a network that cuts: pieces kept on the disk until the whole is handed in, or a day has passed.

A piece sent twice is one piece, and one that leaves a gap is not kept: whoever sends asks how far it came, and goes on
from there.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from engine.records.file_keys import FileKeys, Unsealable

LARGEST: Final = 12_000_000  # of one file; what a question takes is judged when the whole is there
LARGEST_PIECE: Final = 512_000
AT_ONCE: Final = 8  # files under way for one dossier; the oldest makes room

_KEY: Final = re.compile(r"[0-9a-f]{32,64}\Z")
_PIECE: Final = re.compile(r"(\d{9})-(\d{7})\Z", re.ASCII)
_SHA256: Final = 64


class Arrivals:
    """Files under way, by dossier and by the key their sender chose: the SHA-256 of the whole, when it could."""

    def __init__(self, folder: Path, keys: FileKeys | None) -> None:
        self.folder, self._keys = folder, keys

    def received(self, dossier: str, key: str) -> int:
        """How many bytes from the start are there."""
        return sum(length for _, length, _ in self._pieces(self._place(dossier, key)))

    def add(self, dossier: str, key: str, at: int, data: bytes) -> int:
        """Keeps what is new of a piece; how many bytes are there by now. A piece beyond what may come is not kept."""
        place = self._place(dossier, key)
        before = self.received(dossier, key)
        fresh = data[max(0, before - at) :]
        if at > before or not fresh or len(data) > LARGEST_PIECE or before + len(fresh) > LARGEST:
            return before
        if not before:
            self._make_room(place)
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{before:09d}-{len(fresh):07d}"
        half = place / f".{secrets.token_hex(6)}"
        with os.fdopen(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(self._keys.seal(_bound(place, name), fresh) if self._keys is not None else fresh)
        half.rename(place / name)
        return self.received(dossier, key)

    def whole(self, dossier: str, key: str) -> bytes | None:
        """What came, whole; none when nothing did, or when it is not what its sender said."""
        place = self._place(dossier, key)
        try:
            data = b"".join(self._opened(place, path) for _, _, path in self._pieces(place))
        except (OSError, Unsealable):
            return None
        if not data or (len(key) == _SHA256 and hashlib.sha256(data).hexdigest() != key):
            shutil.rmtree(place, ignore_errors=True)  # begun again from the start
            return None
        return data

    def sweep(self, older_than: datetime) -> None:
        """Forgets what nobody went on with."""
        for place in self.folder.glob("*/*"):
            with suppress(FileNotFoundError):
                if place.stat().st_mtime < older_than.timestamp():
                    shutil.rmtree(place, ignore_errors=True)
        for dossier in self.folder.glob("*"):
            with suppress(OSError):  # not empty: still needed
                dossier.rmdir()

    def _place(self, dossier: str, key: str) -> Path:
        if not _KEY.match(key):
            raise ValueError("no key of an arrival")
        return self.folder / hashlib.sha256(dossier.encode()).hexdigest()[:32] / key

    def _pieces(self, place: Path) -> Iterator[tuple[int, int, Path]]:
        """Those that follow each other from the start."""
        named = [(found, path) for path in place.glob("*") if (found := _PIECE.match(path.name))]
        reached = 0
        for found, path in sorted(named, key=lambda one: one[1].name):
            if int(found[1]) == reached:
                yield reached, int(found[2]), path
                reached += int(found[2])

    def _opened(self, place: Path, path: Path) -> bytes:
        data = path.read_bytes()
        return self._keys.unseal(_bound(place, path.name), data) if self._keys is not None else data

    def _make_room(self, place: Path) -> None:
        others = sorted(place.parent.glob("*"), key=lambda one: one.stat().st_mtime)
        for oldest in others[: max(0, len(others) - AT_ONCE + 1)]:
            shutil.rmtree(oldest, ignore_errors=True)


def _bound(place: Path, name: str) -> bytes:
    return "\x1f".join(("piece 1", place.parent.name, place.name, name)).encode()
