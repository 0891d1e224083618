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
    """Of eight threads that serve, three may be speaking with an operator for what people begin and one more may wait for its
    turn; two for what is only looked at, or what operators tell, which the worker asks about anyway. The last two always serve the
    others. Of four, one, none and one; of fewer there are none to keep."""

    def __init__(self, threads: int = THREADS) -> None:
        self._begun, self._next = BoundedSemaphore(max(1, threads * 3 // 8)), BoundedSemaphore(threads // 8)
        self._looked = BoundedSemaphore(max(1, threads // 4))

    @contextmanager
    def begun(self) -> Iterator[None]:
        """A place for what somebody begins. Raises `NoPlace`, before anything was begun, where none came free."""
        if not (self._begun.acquire(blocking=False) or self._waited()):
            raise NoPlace("calls")
        try:
            yield
        finally:
            self._begun.release()

    def _waited(self) -> bool:
        if not self._next.acquire(blocking=False):
            return False
        try:
            return self._begun.acquire(timeout=WAIT)
        finally:
            self._next.release()

    @contextmanager
    def looked(self) -> Iterator[bool]:
        """Whether there is a place at once for what is only looked at."""
        found = self._looked.acquire(blocking=False)
        try:
            yield found
        finally:
            if found:
                self._looked.release()
