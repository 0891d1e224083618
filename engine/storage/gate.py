"""Admission limits: a few threads run slow work, a few wait briefly, and all others are refused as busy. The remaining
threads serve the other pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from engine.storage.unit_of_work import Busy

WAIT_LIMIT: Final = 1.0  # seconds to wait in the queue


class Crowded(Busy):
    """The gate refused the caller: nothing was begun."""


class AdmissionGate:
    """Limits on threads: `at_once` inside and `waiting` in the queue, for at most `wait_limit` seconds.

    `kept` places of both are for known callers. A caller has one place: none of its names may be present twice.
    """

    def __init__(self, at_once: int, waiting: int, wait_limit: float = WAIT_LIMIT, kept: int = 0) -> None:
        self._at_once, self._waiting, self._wait_limit, self._kept = at_once, waiting, wait_limit, kept
        self._change = threading.Condition()
        self._names = set[str]()  # of callers inside or in the queue
        self._inside: list[bool] = []  # for each caller inside, whether it is known
        self._in_line: list[bool] = []

    @contextmanager
    def turn(self, *names: str, known: bool = True) -> Iterator[None]:
        """Enter the gate while the context is open. Raises `Crowded`.

        It raises at once if one of these names is present or the queue is full. It raises after `wait_limit` if no
        place became free. A caller without names may be present any number of times.
        """
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
