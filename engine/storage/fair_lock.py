"""The lock of writers: first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

LOOK: Final = 0.1  # seconds between two checks of `hopeless`


class FairLock:
    """A lock that passes to the thread that waited longest.

    Python's own lock favours the thread that has just released it. Under load a person could wait a second while
    others pass.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def take(self, timeout: float, hopeless: Callable[[], bool] = lambda: False) -> bool:
        """Wait for the lock, at most `timeout` seconds, and no longer once `hopeless()`. Returns False without the
        lock."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        end = monotonic() + timeout
        while (left := end - monotonic()) > 0 and not hopeless():
            if called.acquire(timeout=min(left, LOOK)):
                return True
        with self._guard:
            if called in self._waiting:
                self._waiting.remove(called)
                return False
            return True  # the lock arrived just as the time ended

    def pass_on(self) -> bool:
        """Pass the lock to the longest waiting thread. Returns False if none waits, and the caller still has it."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
                return True
            return False

    def give(self) -> None:
        """Release the lock: pass it to the longest waiting thread, if any."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
