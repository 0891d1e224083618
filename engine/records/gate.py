"""What is slow is done by a few threads at once, a few more wait a moment, and everybody else is told that the service is busy: the
threads that are left serve the other pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from engine.records.store import Busy

PATIENCE: Final = 1.0  # seconds that one waits for its turn


class Gate:
    """At most `at_once` threads of the process are in, and at most `waiting` wait, each `patience` seconds."""

    def __init__(self, at_once: int, waiting: int, patience: float = PATIENCE) -> None:
        self._inside = threading.BoundedSemaphore(at_once)
        self._waiting = threading.BoundedSemaphore(waiting)
        self._patience = patience

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises `Busy` when too many wait already, or when none of those inside ended in time."""
        if not self._inside.acquire(blocking=False):
            self._wait()
        try:
            yield
        finally:
            self._inside.release()

    def _wait(self) -> None:
        if not self._waiting.acquire(blocking=False):
            raise Busy("queue")
        try:
            if not self._inside.acquire(timeout=self._patience):
                raise Busy("turn")
        finally:
            self._waiting.release()
