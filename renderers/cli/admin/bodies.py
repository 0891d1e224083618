"""Limit on the bytes of request bodies that a process receives at once.

waitress writes each large body to a temporary file, and the form reader writes its files a second time. The folder of
temporary files may share a disk with the store, or be memory (`tmpfs`). 800 connections of 45 MB would fill either.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

from waitress.parser import HTTPRequestParser
from waitress.utilities import BadRequest

SMALL: Final = 64 * 1024  # bytes of a body that is never refused, such as a form without files; chunks of 128 KB count
MOST: Final = (
    300_000_000  # bytes of the other bodies together: six of the largest, or hundreds of photos; of one address half
)
LEFT: Final = 64 * 1024 * 1024  # bytes that stay free in the folder of temporary files
STEP: Final = 1_000_000  # bytes reserved at a time while a body arrives
FIRST: Final = 256_000  # bytes that any address sends from a reserve: a photo, or a piece of a large file
_COPIES: Final = 2
_RESERVED: Final = 10  # one of so many parts of all is that reserve
_SHARES: Final = 2  # one address has one of so many shares of what the others leave
# bytes of the line before a chunk, or after the last: waitress searches it again as each part comes
LONGEST_LINE: Final = 16_384

_PAGE: Final = b"""<!doctype html><meta charset="utf-8"><title>507</title>
<p lang="fr">Trop de fichiers arrivent en ce moment. Rien n\xe2\x80\x99est perdu : revenez en arri\xc3\xa8re et renvoyez dans une minute.
<p lang="en">Too many files are arriving. Nothing is lost: go back and send again in a minute.
"""


class TooManyBodies:
    """The answer 507, which waitress sends without calling the application."""

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return status, headers and page, in the form that waitress expects of an error."""
        headers = [
            ("Content-Type", "text/html; charset=utf-8"), ("Retry-After", "60"), ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "default-src 'none'"),
        ]  # fmt: skip
        return "507 Insufficient Storage", headers, _PAGE


class Nowhere:
    """Buffer of a refused body. The body is read to its end so that the answer arrives, and discarded."""

    def append(self, data: bytes) -> None:
        """Discard the data."""
        pass

    def getfile(self) -> BytesIO:
        """Return an empty file."""
        return BytesIO()

    def close(self) -> None:
        """Do nothing, because nothing is open."""
        pass

    def __len__(self) -> int:
        return 0


class Bodies:
    """The bytes of request bodies that this process receives at once, reserved step by step as they arrive.

    The length that a client announces reserves nothing. One address has at most half of what the others leave, so a few
    addresses that send slowly leave space for one more. A tenth is reserved for small bodies of addresses with no other.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most, self._taken = most, 0
        self._of = Counter[str]()  # by address
        self._guard = threading.Lock()

    def take(self, size: int, address: str = "") -> bool:
        """Reserve so many bytes and return True, or return False if they do not fit."""
        with self._guard:
            if not self._has_space(size, address):
                return False
            self._taken += size
            self._of[address] += size
            return True

    def has_space(self, size: int, address: str = "") -> bool:
        """Return whether a body of this size fits now. A larger announced body is refused before it arrives."""
        with self._guard:
            return self._has_space(size, address)

    def _has_space(self, size: int, address: str) -> bool:
        own = self._of[address]
        left = self._most - self._most // _RESERVED - (self._taken - own)
        is_first = own + size <= FIRST and self._taken + size <= self._most
        return (is_first or (own + size) * _SHARES <= left) and self._fits(self._taken + size)

    def give_back(self, size: int, address: str = "") -> None:
        """Release reserved bytes."""
        with self._guard:
            self._taken -= size
            self._of[address] -= size
            if not self._of[address]:
                del self._of[address]

    @staticmethod
    def _fits(promised: int) -> bool:
        """Return whether the disk of temporary files holds all reserved bytes, written or not."""
        try:
            return shutil.disk_usage(tempfile.gettempdir()).free - promised * _COPIES >= LEFT
        except OSError:
            return False


class Request(HTTPRequestParser):  # type: ignore[misc]
    """Parser of one request. A body without space is read to its end and answered with `TooManyBodies`."""

    bodies = Bodies()
    _counted = 0
    _address = ""

    def __init__(self, adj: Any, address_of: Callable[[Request], str] | None = None) -> None:
        super().__init__(adj)
        self._address_of = address_of

    def received(self, data: bytes) -> int:
        """Parse data and return the number of bytes used. Space is reserved as the body arrives."""
        is_new = not self.headers_finished
        try:
            taken: int = super().received(data)
        except ValueError:  # of an address that urllib cannot split
            self.error, self.completed = BadRequest("Bad Request"), True
            return len(data)
        if self.error is not None or not self.headers_finished:
            return taken
        if any(len(getattr(self.body_rcv, name, b"")) > LONGEST_LINE for name in ("control_line", "trailer")):
            self.error, self.completed = BadRequest("a line of chunks is too long"), True
            return taken
        announced, came = self.content_length, self.body_bytes_received
        if is_new and self._address_of is not None:
            self._address = self._address_of(self)
        if is_new and announced > SMALL and not self.bodies.has_space(announced, self._address):
            self._refuse()
        elif came > max(SMALL, self._counted):
            self._take(max(came, min(self._counted + STEP, announced)))
        return taken

    def _take(self, wanted: int) -> None:
        if self.bodies.take(wanted - self._counted, self._address):
            self._counted = wanted
        else:
            self._refuse()

    def _refuse(self) -> None:
        self.error = TooManyBodies()
        body: Any = self.body_rcv
        body.buf.close()
        body.buf = Nowhere()

    def close(self) -> None:
        """Close the request and release the bytes that it reserved."""
        super().close()
        counted, self._counted = self._counted, 0
        self.bodies.give_back(counted, self._address)
