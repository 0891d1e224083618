"""The key ring that encrypts uploaded files: keys in a file, the newest first, each with an id.

Each encrypted file has its own key, wrapped by a key of the ring. A new ring key needs new wraps, not a new encryption
of the content. The ciphertext is bound to its place (`bound`) and does not decrypt for another.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.storage.results import Busy

MAGIC: Final = b"GCF1"
FIRST: Final = "00000000"  # derived from the installation's secret, so that an older ring encrypts too
FIRST_KEPT: Final = "first_key_of_files"  # its name in the ring file
_ID, _NONCE, _WRAPPED = 8, 12, 48
_HEAD: Final = len(MAGIC) + _ID + _NONCE + _WRAPPED


class NoFileKey(Busy):
    """A file is encrypted with a key that is not in the ring. `str()` is its id. The right ring decrypts it again."""


class Undecryptable(ValueError):
    """The data is not what was encrypted here: truncated, changed, or moved to another place."""


class NoKeyRing(Exception):
    """The file of the key ring cannot be read or written."""


@dataclass(frozen=True, slots=True)
class FileKeys:
    """The key ring. A changed `file` is read again before encryption, and when a file names an unknown key. Another
    process may have added one."""

    _ring: dict[str, bytes] = field(repr=False)
    file: Path | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _stamp: list[tuple[int, int]] = field(default_factory=list, repr=False, compare=False)  # of the file as last read

    @classmethod
    def generate(cls) -> FileKeys:
        """Return a ring that is stored nowhere, for tests."""
        return cls({FIRST: secrets.token_bytes(32)})

    @classmethod
    def open(cls, file: Path) -> FileKeys:
        """Return the ring of a key file. Raises `NoKeyRing`."""
        return cls(_read(file), file)

    @property
    def newest(self) -> str:
        """The id of the key that encrypts now."""
        return self._newest()[0]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all known keys, the newest first."""
        with self._lock:
            return tuple(self._ring)

    def seal(self, bound: bytes, data: bytes) -> bytes:
        """Encrypt the data under the newest key. It decrypts only with the same `bound`, the name of its place."""
        own, nonce = AESGCM.generate_key(256), secrets.token_bytes(_NONCE)
        return self._head(bound, own) + nonce + AESGCM(own).encrypt(nonce, data, bound)

    def unseal(self, bound: bytes, sealed: bytes) -> bytes:
        """Decrypt data that was encrypted with this `bound`. Raises `NoFileKey`, `Undecryptable`."""
        own = self._own_key(bound, sealed)
        try:
            return AESGCM(own).decrypt(sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE :], bound)
        except (InvalidTag, ValueError):
            raise Undecryptable from None

    def rewrapped(self, bound: bytes, sealed: bytes) -> bytes | None:
        """Return the same ciphertext with its key wrapped by the newest ring key. None if it is already."""
        if key_of(sealed) == self.newest:
            return None
        return self._head(bound, self._own_key(bound, sealed)) + sealed[_HEAD:]

    def _head(self, bound: bytes, own: bytes) -> bytes:
        newest, key = self._newest()
        name, nonce = newest.encode(), secrets.token_bytes(_NONCE)
        return MAGIC + name + nonce + AESGCM(key).encrypt(nonce, own, name + bound)

    def _newest(self) -> tuple[str, bytes]:
        """Return the newest key of the file, whichever process added it. If the file is unreadable, the newest known."""
        with self._lock:
            if self.file is not None:
                with suppress(OSError, NoKeyRing):
                    seen = self.file.stat()
                    stamp = [(seen.st_mtime_ns, seen.st_ino)]
                    if stamp != self._stamp:
                        self._again(self.file)
                        self._stamp[:] = stamp
            return next(iter(self._ring.items()))

    def _again(self, file: Path) -> None:
        fresh = _read(file)
        self._ring.clear()
        self._ring.update(fresh)

    def _own_key(self, bound: bytes, sealed: bytes) -> bytes:
        name = key_of(sealed)
        at = len(MAGIC) + _ID
        try:
            return AESGCM(self._key(name)).decrypt(
                sealed[at : at + _NONCE], sealed[at + _NONCE : _HEAD], name.encode() + bound
            )
        except (InvalidTag, ValueError):
            raise Undecryptable from None

    def _key(self, name: str) -> bytes:
        with self._lock:
            if name not in self._ring and self.file is not None:
                self._again(self.file)
            if name not in self._ring:
                raise NoFileKey(name)
            return self._ring[name]


def is_sealed(data: bytes) -> bool:
    """Return whether the data is encrypted here. No image and no PDF begins with these bytes."""
    return data.startswith(MAGIC)


def key_of(sealed: bytes) -> str:
    """Return the id of the ring key of an encrypted file. Raises `Undecryptable`."""
    if not is_sealed(sealed) or len(sealed) < _HEAD + _NONCE + 16:
        raise Undecryptable
    return sealed[len(MAGIC) : len(MAGIC) + _ID].decode("ascii", "replace")


def add_key(file: Path) -> str:
    """Add a key, which encrypts all new files, and return its id. Files under older keys still decrypt. Raises
    `NoKeyRing`."""
    key = new_file_key()

    def added(kept: dict[str, Any]) -> None:
        kept["files"] = [key, *kept.get("files", [])]

    change_ring(file, added)
    return key["id"]


def new_file_key() -> dict[str, str]:
    """Return a new key in the form of the ring file: id and key in hexadecimal."""
    return {"id": secrets.token_hex(_ID // 2), "key": secrets.token_hex(32)}


def change_ring(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the ring file atomically, one process at a time, so that no key is lost. Raises `NoKeyRing`."""
    try:
        file.stat()  # without a ring file no lock file is created
        with file.with_name(f"{file.name}.lock").open("a") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            kept = json.loads(file.read_text("utf-8"))
            change(kept)
            _written(file, kept)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as broken:
        raise NoKeyRing(str(file)) from broken


def _written(file: Path, kept: Mapping[str, Any]) -> None:
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump(kept, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # durable before anything is encrypted or signed with it
    finally:
        os.close(folder)


def first_key(kept: Mapping[str, object]) -> bytes:
    """Return the key of files stored before the ring had keys: derived from its secret, or stored if the secret
    changed."""
    if FIRST_KEPT in kept:
        return bytes.fromhex(str(kept[FIRST_KEPT]))
    return hmac.new(str(kept["secret"]).encode(), b"files handed in", hashlib.sha256).digest()


def _read(file: Path) -> dict[str, bytes]:
    try:
        kept: Mapping[str, object] = json.loads(file.read_text("utf-8"))
        written = kept.get("files", [])
        ring = {str(one["id"]): bytes.fromhex(one["key"]) for one in written} if isinstance(written, list) else {}
        first = first_key(kept)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as broken:
        raise NoKeyRing(str(file)) from broken
    whole = {**ring, FIRST: first}
    if any(len(key) != 32 or len(name) != _ID for name, key in whole.items()):
        raise NoKeyRing(str(file))
    return whole
