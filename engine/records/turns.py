"""Whose turn it is to write: first come, first served, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A lock that hands itself to who waited longest. Python's own favours whoever has just released it: under load a
    person could wait a second while others pass."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def take(self, timeout: float) -> bool:
        """Waits for its turn, in seconds at most. False: it did not come."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        if called.acquire(timeout=timeout):
            return True
        with self._guard:
            if called in self._waiting:
                self._waiting.remove(called)
                return False
            return True  # called in the very moment of giving up

    def pass_on(self) -> bool:
        """Hands the turn to who waited longest. False: nobody waits, and it stays where it is."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
                return True
            return False

    def give(self) -> None:
        """Hands the turn to who waited longest, if anybody waits; whoever comes next has it else."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
