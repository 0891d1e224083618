"""What is slow is done by a few threads at once, a few more wait a moment, and everybody else is told that the service is busy: the
threads that are left serve the other pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from engine.storage.unit_of_work import Busy

WAIT_LIMIT: Final = 1.0  # seconds that one waits for its turn


class Crowded(Busy):
    """The gate let nobody more in: nothing was begun."""


class AdmissionGate:
    """At most `at_once` threads of the process are in, and at most `waiting` wait, each `patience` seconds. `kept` places of both
    are for callers that are known. A caller has one place: none of its names is there twice."""

    def __init__(self, at_once: int, waiting: int, wait_limit: float = WAIT_LIMIT, kept: int = 0) -> None:
        self._at_once, self._waiting, self._wait_limit, self._kept = at_once, waiting, wait_limit, kept
        self._change = threading.Condition()
        self._names = set[str]()  # of the callers that are inside or wait
        self._inside: list[bool] = []  # whether each that is inside is known
        self._in_line: list[bool] = []

    @contextmanager
    def turn(self, *names: str, known: bool = True) -> Iterator[None]:
        """Raises `Crowded` at once when one of these names is there already, or too many wait; after `patience` when none of those
        inside ended. A caller that gives no name may be there as often as it likes."""
        with self._change:
            if not self._names.isdisjoint(names):
                raise Crowded("twice")
            self._names.update(names)
            try:
                self._enter(known)
            except Crowded:
                self._names.difference_update(names)
                raise
        try:
            yield
        finally:
            with self._change:
                self._names.difference_update(names)
                self._inside.remove(known)
                self._change.notify_all()

    def _enter(self, known: bool) -> None:
        if not self._has_space(self._inside, self._at_once, known):
            if not self._has_space(self._in_line, self._waiting, known):
                raise Crowded("queue")
            self._in_line.append(known)
            try:
                if not self._change.wait_for(
                    lambda: self._has_space(self._inside, self._at_once, known), self._wait_limit
                ):
                    raise Crowded("turn")
            finally:
                self._in_line.remove(known)
        self._inside.append(known)

    def _has_space(self, there: list[bool], most: int, known: bool) -> bool:
        return len(there) < most and (known or there.count(False) < most - self._kept)
