"""How much of the bodies under way a process takes at once.

waitress writes each large body to a temporary file, and the form reader its files a second time. The folder of temporary files may
be the disk of the store, or memory (`tmpfs`): 800 connections of 45 MB would fill either.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from io import BytesIO
from typing import Any, Final

from waitress.parser import HTTPRequestParser

SMALL: Final = 64 * 1024  # bytes of a body that is never refused: forms without files, pieces of 128 KB count
MOST: Final = 300_000_000  # bytes of the others together: six of the largest, hundreds of photos
LEFT: Final = 64 * 1024 * 1024  # bytes of the folder of temporary files that stay free
STEP: Final = 1_000_000  # bytes that a body is given at a time, as it comes
_COPIES: Final = 2

_PAGE: Final = b"""<!doctype html><meta charset="utf-8"><title>507</title>
<p lang="fr">Trop de fichiers arrivent en ce moment. Rien n\xe2\x80\x99est perdu : revenez en arri\xc3\xa8re et renvoyez dans une minute.
<p lang="en">Too many files are arriving. Nothing is lost: go back and send again in a minute.
"""


class TooManyBodies:
    """What waitress answers instead of the application."""

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        headers = [
            ("Content-Type", "text/html; charset=utf-8"), ("Retry-After", "60"), ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "default-src 'none'"),
        ]  # fmt: skip
        return "507 Insufficient Storage", headers, _PAGE


class Nowhere:
    """The place of a body that is refused: it is read to its end, or the answer would be lost, and not kept."""

    def append(self, data: bytes) -> None:
        pass

    def getfile(self) -> BytesIO:
        return BytesIO()

    def close(self) -> None:
        pass

    def __len__(self) -> int:
        return 0


class Bodies:
    """The bytes of the bodies that come to this process, in steps. What is only announced keeps no room from others."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._taken = most, 0
        self._guard = threading.Lock()

    def take(self, size: int) -> bool:
        with self._guard:
            if not self._has_space(size):
                return False
            self._taken += size
            return True

    def has_space(self, size: int) -> bool:
        """Whether a body of this size fits now: who announces more is refused before it comes."""
        with self._guard:
            return self._has_space(size)

    def _has_space(self, size: int) -> bool:
        return self._taken + size <= self._most and self._fits(self._taken + size)

    def give_back(self, size: int) -> None:
        with self._guard:
            self._taken -= size

    @staticmethod
    def _fits(promised: int) -> bool:
        """Whether the disk of temporary files takes all that was promised, whatever of it is there already."""
        try:
            return shutil.disk_usage(tempfile.gettempdir()).free - promised * _COPIES >= LEFT
        except OSError:
            return False


class Request(HTTPRequestParser):  # type: ignore[misc]
    """A request on its way. One that finds no room is read to its end and answered `TooManyBodies`."""

    bodies = Bodies()
    _counted = 0

    def received(self, data: bytes) -> int:
        is_new = not self.headers_finished
        taken: int = super().received(data)
        if self.error is not None or not self.headers_finished:
            return taken
        announced, came = self.content_length, self.body_bytes_received
        if is_new and announced > SMALL and not self.bodies.has_space(announced):
            self._refuse()
        elif came > max(SMALL, self._counted):
            self._take(max(came, min(self._counted + STEP, announced)))
        return taken

    def _take(self, wanted: int) -> None:
        if self.bodies.take(wanted - self._counted):
            self._counted = wanted
        else:
            self._refuse()

    def _refuse(self) -> None:
        self.error = TooManyBodies()
        body: Any = self.body_rcv
        body.buf.close()
        body.buf = Nowhere()

    def close(self) -> None:
        super().close()
        counted, self._counted = self._counted, 0
        self.bodies.give_back(counted)
