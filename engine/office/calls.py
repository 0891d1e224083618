"""How many threads of a process may be waiting at once for somebody outside the house while people wait for their page. When
everybody pays and the operator is slow, the other threads go on serving those who only read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

from engine.records.store import Busy

THREADS: Final = 8  # that serve, where nothing else is said
WAIT: Final = 1.0  # seconds that who begins something waits for a place


class NoPlace(Busy):
    """Too many wait for somebody outside already."""


class Calls:
    """Of the threads that serve, half may be waiting for what people or operators began, a quarter for what is only looked at,
    which the worker asks about again anyway; the others never wait."""

    def __init__(self, threads: int = THREADS) -> None:
        self._begun, self._looked = BoundedSemaphore(max(1, threads // 2)), BoundedSemaphore(max(1, threads // 4))

    @contextmanager
    def begun(self) -> Iterator[None]:
        """A place for what somebody begins. Raises `NoPlace`, before anything was begun, where none came free."""
        if not self._begun.acquire(timeout=WAIT):
            raise NoPlace("calls")
        try:
            yield
        finally:
            self._begun.release()

    @contextmanager
    def looked(self) -> Iterator[bool]:
        """Whether there is a place at once for what is only looked at."""
        found = self._looked.acquire(blocking=False)
        try:
            yield found
        finally:
            if found:
                self._looked.release()
