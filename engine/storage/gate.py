"""Admission limits: a few threads run slow work, a few wait briefly, and all others are refused as busy. The remaining
threads serve the other pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from engine.storage.results import Busy

WAIT_LIMIT: Final = 1.0  # seconds to wait in the queue


class Crowded(Busy):
    """The gate refused the caller: nothing was begun."""


class _Caller(NamedTuple):
    known: bool
    place: str


class AdmissionGate:
    """Limits on threads: `at_once` inside and `waiting` in the queue, for at most `wait_limit` seconds.

    `kept` places of both are for known callers. A caller has one place: none of its names may be present twice.
    The unknown callers of one address leave a place of the queue to those of another. After their turn they let
    the others enter first.
    """

    def __init__(self, at_once: int, waiting: int, wait_limit: float = WAIT_LIMIT, kept: int = 0) -> None:
        self._at_once, self._waiting, self._wait_limit, self._kept = at_once, waiting, wait_limit, kept
        self._change = threading.Condition()
        self._names = set[str]()  # of callers inside or in the queue
        self._inside: list[_Caller] = []
        self._in_line: list[_Caller] = []
        self._last = ""  # the address of the last unknown caller that entered

    @contextmanager
    def turn(self, *names: str, known: bool = True, place: str = "") -> Iterator[None]:
        """Enter the gate while the context is open. Raises `Crowded`.

        It raises at once if one of these names is present or the queue is full. It raises after `wait_limit` if no
        place became free. A caller without names may be present any number of times. `place` is the address of an
        unknown caller.
        """
        caller = _Caller(known, place)
        with self._change:
            if not self._names.isdisjoint(names):
                raise Crowded("twice")
            self._names.update(names)
            try:
                self._enter(caller)
            except Crowded:
                self._names.difference_update(names)
                raise
        try:
            yield
        finally:
            with self._change:
                self._names.difference_update(names)
                self._inside.remove(caller)
                self._change.notify_all()

    def _enter(self, caller: _Caller) -> None:
        if not self._may_enter(caller):
            if not self._has_space(self._in_line, self._waiting, caller.known) or self._fills_the_queue(caller):
                raise Crowded("queue")
            self._in_line.append(caller)
            try:
                if not self._change.wait_for(lambda: self._may_enter(caller), self._wait_limit):
                    raise Crowded("turn")
            finally:
                self._in_line.remove(caller)
                self._change.notify_all()  # another caller may have let this one enter first
        self._inside.append(caller)
        if not caller.known:
            self._last = caller.place

    def _may_enter(self, caller: _Caller) -> bool:
        if not self._has_space(self._inside, self._at_once, caller.known):
            return False
        had_a_turn = not caller.known and caller.place != "" and caller.place == self._last
        return not had_a_turn or all(one.known or one.place == caller.place for one in self._in_line)

    def _fills_the_queue(self, caller: _Caller) -> bool:
        """Whether one address would leave no place of the queue to another."""
        most = max(1, self._waiting - self._kept - 1)
        return not caller.known and caller.place != "" and self._in_line.count(caller) >= most

    def _has_space(self, there: list[_Caller], most: int, known: bool) -> bool:
        return len(there) < most and (known or sum(not one.known for one in there) < most - self._kept)
