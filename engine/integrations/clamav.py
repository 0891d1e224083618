"""ClamAV over its socket (`INSTREAM`): scan a file before any other code reads it. An unscanned file is refused."""

from __future__ import annotations

import logging
import socket
import struct
import time
from typing import Final

log = logging.getLogger("guichet.antivirus")

_PIECE: Final = 64 * 1024
_LONGEST_ANSWER: Final = 4096


class ClamAV:
    """A `clamd` at a socket of this machine (`path`), or at a host and port. A scan takes `seconds` at most in all."""

    def __init__(self, path: str = "", host: str = "", port: int = 3310, seconds: float = 20.0) -> None:
        self._path, self._host, self._port, self._seconds = path, host, port, seconds

    def inspect(self, data: bytes) -> str | None:
        """Return None for a clean file, else `file_virus`, or `file_unchecked` without a clear answer."""
        try:
            answer = self._ask(data)
        except OSError as error:
            log.error("the scanner does not answer: %s", type(error).__name__)
            return "file_unchecked"
        if answer.endswith(" OK"):
            return None
        if answer.endswith(" FOUND"):
            log.warning("a file was refused: %s", answer[:200])
            return "file_virus"
        log.error("the scanner could not tell: %s", answer[:200])
        return "file_unchecked"

    def reach(self) -> None:
        """Send a ping. Raises OSError without an answer or for any answer but `PONG`."""
        with self._opened() as line:
            line.sendall(b"zPING\0")
            if line.recv(_LONGEST_ANSWER).partition(b"\0")[0] != b"PONG":
                raise OSError("not a scanner")

    def _ask(self, data: bytes) -> str:
        end = time.monotonic() + self._seconds
        with self._opened() as line:
            line.sendall(b"zINSTREAM\0")
            for at in range(0, len(data), _PIECE):
                piece = data[at : at + _PIECE]
                _grant(line, end)
                line.sendall(struct.pack(">I", len(piece)) + piece)
            line.sendall(struct.pack(">I", 0))
            answer = b""
            while b"\0" not in answer and len(answer) < _LONGEST_ANSWER:
                _grant(line, end)
                more = line.recv(_LONGEST_ANSWER)
                if not more:
                    break
                answer += more
        return answer.partition(b"\0")[0].decode("utf-8", "replace").strip()

    def _opened(self) -> socket.socket:
        if not self._path:
            return socket.create_connection((self._host, self._port), self._seconds)
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(self._seconds)
        try:
            line.connect(self._path)
        except BaseException:
            line.close()
            raise
        return line


def _grant(line: socket.socket, end: float) -> None:
    """Let the next operation last until `end`: a time limit alone starts anew with each byte. Raises OSError."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    line.settimeout(left)
