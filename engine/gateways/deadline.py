"""How long a whole call to somebody outside may take. What a socket waits for is its next byte, and each byte gives it all its
patience anew: one that answers a sign a second would be waited for all day."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Deadline:
    """From `with` on, so many seconds; then the sockets it was told of are shut, and whoever reads from them reads their end.
    `is_over` tells that from an answer that was short."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def watch(self, opened: socket.socket) -> None:
        self._sockets.append(opened)
        if self.is_over:
            _shut(opened)

    def _end(self) -> None:
        self.is_over = True
        for opened in self._sockets:
            _shut(opened)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self._timer.cancel()


def _shut(opened: socket.socket) -> None:
    """Below TLS: its own way would take the keys from the thread that is reading."""
    with suppress(OSError):
        socket.socket.shutdown(opened, socket.SHUT_RDWR)
