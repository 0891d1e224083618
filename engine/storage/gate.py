"""Admission limits: a few threads run slow work, a few wait briefly, and all others are refused as busy. The remaining
threads serve the other pages."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import exp2
from typing import Final

from engine.storage.results import Busy

WAIT_LIMIT: Final = 1.0  # seconds to wait in the queue
UNKNOWN_WAIT_LIMIT: Final = 4.0  # for unknown callers: several times `GRANTED`, for a busy processor
GRANTED: Final = 0.5  # processor seconds inside after which an unknown caller makes way: a scan of 12 MB takes 0.4
HALF: Final = 300.0  # seconds after which half of the time that an address spent inside is forgotten
FORGOTTEN: Final = 4 * HALF  # seconds after which an address is forgotten wholly: a sixteenth of its time is left
REFUSED: Final = 0.1  # seconds that a refusal counts: the next try of the same address comes after first tries
MOST_PLACES: Final = 10_000
STALLED: Final = 1.0  # seconds without progress after which the threads inside are taken to wait: a slow disk takes 0.5


class Crowded(Busy):
    """The gate refused the caller: nothing was begun."""


class ThreadLimit:
    """Limits the threads that may wait for one thing, so that the others serve pages without it.

    A thread waits for a place while others come and go, the first come first. It raises `Crowded` once they stopped to:
    `STALLED` is long for a normal unit of work, and short for a person who waits for another page. A thread that leaves
    because what it needs is `Busy` is no progress: until one succeeds, no other waits as long again.
    """

    def __init__(self, most: int) -> None:
        self._free, self._changed_at, self._works = most, 0.0, True
        self._change = threading.Condition()
        self._queue = deque[object]()

    @contextmanager
    def place(self, wait_limit: float = STALLED) -> Iterator[None]:
        """Occupy a place while the context is open. Raises `Crowded`."""
        self._enter(wait_limit)
        works = True
        try:
            yield
        except Busy:
            works = False
            raise
        finally:
            with self._change:
                self._free, self._works = self._free + 1, works
                self._note()
                self._change.notify_all()

    def _enter(self, wait_limit: float) -> None:
        turn = object()
        with self._change:
            self._queue.append(turn)
            try:
                while not self._free or self._queue[0] is not turn:
                    left = self._changed_at + wait_limit - time.monotonic()
                    if left <= 0:
                        raise Crowded("threads")
                    self._change.wait(left)
                self._free -= 1
                self._note()
            finally:
                self._queue.remove(turn)
                self._change.notify_all()  # the next one is first now

    def _note(self) -> None:
        if self._works:
            self._changed_at = time.monotonic()


class TimeSpent:
    """Seconds that each address spent inside a gate, with a half-life.

    It forgets an address `FORGOTTEN` seconds after its last turn, and the smallest beyond `MOST_PLACES`.
    """

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}  # seconds, and when they were counted: the longest ago first

    def of(self, place: str, now: float) -> float:
        """Return the seconds of an address that still count."""
        seconds, at = self._spent.get(place, (0.0, 0.0))
        return seconds * exp2((at - now) / HALF)

    def add(self, place: str, seconds: float, now: float) -> None:
        """Count seconds of an address."""
        total = self.of(place, now) + seconds
        self._spent.pop(place, None)
        self._spent[place] = total, now  # at the end
        while now - self._spent[oldest := next(iter(self._spent))][1] >= FORGOTTEN:
            del self._spent[oldest]
        if len(self._spent) > MOST_PLACES:
            del self._spent[min(self._spent, key=lambda one: self.of(one, now))]


@dataclass(eq=False, slots=True)
class _Caller:
    known: bool
    place: str
    nth: int  # callers of the same address that were there before
    is_displaced: bool = False


class AdmissionGate:
    """Limits on threads: `at_once` inside and `waiting` in the queue, for at most `wait_limit` seconds.

    `kept` places of both are for known callers. A caller has one place: none of its names may be present twice.
    Of unknown callers, the one whose address spent the least time inside enters first. It takes the place in the
    queue of the one whose address spent the most. So several addresses together cannot keep another one out.
    Work inside may ask now and then whether it has to make way.
    """

    def __init__(
        self, at_once: int, waiting: int, wait_limit: float = WAIT_LIMIT, kept: int = 0,
        unknown_wait_limit: float = UNKNOWN_WAIT_LIMIT, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._at_once, self._waiting, self._kept = at_once, waiting, kept
        self._wait_limit, self._unknown_wait_limit = wait_limit, unknown_wait_limit
        self._change = threading.Condition()
        self._names = set[str]()  # of callers inside or in the queue
        self._inside: list[_Caller] = []
        self._in_line: list[_Caller] = []
        self._clock, self._spent = clock, TimeSpent()

    @contextmanager
    def turn(
        self, *names: str, known: bool = True, place: str = "", most: int | None = None
    ) -> Iterator[Callable[[], None]]:
        """Enter the gate while the context is open. Raises `Crowded`.

        It raises at once if one of these names is present, `most` callers of the place are, or the queue is full.
        It raises after the time limit if no place became free. It raises earlier if another caller takes the place
        in the queue. A caller without names may be present any number of times. `place` is the address of an unknown
        caller, or a person.
        The context is a function to call from the same thread: it raises once the work took `GRANTED` and a
        caller waits whose address spent less.
        """
        with self._change:
            if not self._names.isdisjoint(names):
                raise Crowded("twice")
            same = sum((one.known, one.place) == (known, place) for one in (*self._inside, *self._in_line))
            if most is not None and same >= most:
                raise Crowded("many")
            caller = _Caller(known, place, 0 if known or not place else same)
            self._names.update(names)
            try:
                self._enter(caller)
            except Crowded:
                self._count(caller, REFUSED)
                self._names.difference_update(names)
                raise
        began, until = self._clock(), time.thread_time() + GRANTED
        try:
            yield lambda: self._make_way(caller, until)
        finally:
            with self._change:
                self._count(caller, self._clock() - began)
                self._names.difference_update(names)
                self._inside.remove(caller)
                self._change.notify_all()

    def _count(self, caller: _Caller, seconds: float) -> None:
        if not caller.known and caller.place:
            self._spent.add(caller.place, seconds, self._clock())

    def _enter(self, caller: _Caller) -> None:
        if not self._may_enter(caller):
            self._queue(caller)
            limit = self._wait_limit if caller.known else self._unknown_wait_limit
            try:
                called = self._change.wait_for(lambda: caller.is_displaced or self._may_enter(caller), limit)
                if caller.is_displaced or not called:
                    raise Crowded("turn")
            finally:
                self._in_line.remove(caller)
                self._change.notify_all()  # another caller may have let this one enter first
        self._inside.append(caller)

    def _queue(self, caller: _Caller) -> None:
        """Append the caller to the queue, if need be in the place of the last caller in order. Raises `Crowded`."""
        if not self._has_space(self._in_line, self._waiting, caller.known):
            others, order = [one for one in self._in_line if not one.known and not one.is_displaced], self._order()
            last = max(reversed(others), key=order, default=caller)  # of equals the one that came last
            if order(last) <= order(caller):
                raise Crowded("queue")
            last.is_displaced = True
            self._change.notify_all()
        self._in_line.append(caller)

    def _may_enter(self, caller: _Caller) -> bool:
        if not self._has_space(self._inside, self._at_once, caller.known):
            return False
        rivals = [one for one in self._in_line if one.known == caller.known and not one.is_displaced]
        order = self._order()
        first = min(rivals, key=order, default=caller)  # of equals the one that waits longest
        return first is caller or order(caller) < order(first)

    def _make_way(self, caller: _Caller, until: float) -> None:
        if caller.known or time.thread_time() < until:
            return
        with self._change:
            order = self._order()
            if any(not one.known and order(one)[0] < order(caller)[0] for one in self._in_line):
                raise Crowded("turn")

    def _order(self) -> Callable[[_Caller], tuple[float, int]]:
        """Return the present order of callers: time spent inside by their address, then its callers that came before."""
        now = self._clock()
        return lambda caller: (0.0 if caller.known else self._spent.of(caller.place, now), caller.nth)

    def _has_space(self, there: list[_Caller], most: int, known: bool) -> bool:
        there = [one for one in there if not one.is_displaced]
        return len(there) < most and (known or sum(not one.known for one in there) < most - self._kept)
