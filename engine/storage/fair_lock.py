"""Whose turn it is to write: first come, first served, and nobody waits for ever; how long each may wait for a lock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

LOCKED_AFTER: Final = 0.5  # seconds of waiting for a lock after which others are not kept waiting for it
PATIENT: Final = 2  # writers of a process that wait as long as it takes
HURRIED: Final = 1.0  # seconds for the others,
GLANCE: Final = 0.1  # and once one of the patient has waited for long
LOOK: Final = 0.1  # seconds between two looks at whether waiting is of use


class FairLock:
    """A lock that hands itself to who waited longest. Python's own favours whoever has just released it: under load a
    person could wait a second while others pass."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def take(self, timeout: float, hopeless: Callable[[], bool] = lambda: False) -> bool:
        """Waits for its turn, in seconds at most, and no longer once that is `hopeless`. False: it did not come."""
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


class Waits:
    """How long the writers of a process wait for locks that others hold, where each row has its own. Two wait as long as it takes;
    the others a second, and hardly once these have waited: so most threads serve who only reads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._since: dict[object, float] = {}

    @contextmanager
    def wait_limit(self, most: float) -> Iterator[float]:
        """Seconds for one writer, while it writes."""
        me, now = object(), monotonic()
        with self._guard:
            if len(self._since) < PATIENT:
                self._since[me], granted = now, most
            else:
                longest = now - min(self._since.values())
                granted = min(most, GLANCE if longest > LOCKED_AFTER else HURRIED)
        try:
            yield granted
        finally:
            with self._guard:
                self._since.pop(me, None)
