"""Keeps the office of one process up to date: what a folder or a branch says now, what another process decided,
openings that an administrator changed, the day.

An office is a value: the new one takes the place of the old by one assignment, so that no request sees half a change.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from engine.operations.follower import renew
from engine.publication.gates import Judge
from engine.services.context.app_context import AppContext
from engine.storage.unit_of_work import Busy

log = logging.getLogger("guichet")

EVERY: Final = 1.0  # seconds between two turns, and between two questions to the store


class RefreshSource(Protocol):
    """How an installation learns what to serve."""

    def renew(self, ctx: AppContext) -> AppContext:
        """Looks, decides if there is something to decide, and answers the office to serve: itself when nothing changed."""
        ...

    def serve(self, ctx: AppContext) -> AppContext:
        """The same without looking: what was decided already."""
        ...


class FolderSource:
    """The files of the installation itself, through every gate when there is a `judge`."""

    def __init__(self, judge: Judge | None = None) -> None:
        self._judge = judge

    def renew(self, ctx: AppContext) -> AppContext:
        return renew(ctx, self._judge)

    def serve(self, ctx: AppContext) -> AppContext:
        return renew(ctx, self._judge)


class Refresher:
    """One process and the office it works with. `current` answers it, `changed` takes its successor."""

    def __init__(
        self, source: RefreshSource, current: Callable[[], AppContext], changed: Callable[[AppContext], None]
    ) -> None:
        self._source, self._current, self._changed = source, current, changed
        self._turning = threading.Lock()
        self._asking = threading.Lock()
        self._next = 0.0

    def turn(self, looks: bool = True) -> None:
        """One turn, unless another thread is in one. A turn that fails is logged; what was served goes on."""
        if not self._turning.acquire(blocking=False):
            return
        try:
            before = self._current()
            with before.store.unit() as unit:
                before.directories.look(unit)
            after = self._source.renew(before) if looks else self._source.serve(before)
            if after is not before:
                self._changed(after)
        except Busy:
            pass  # the next turn looks again
        except Exception:
            log.exception("what is served could not be renewed")
        finally:
            self._turning.release()

    def run(self, stop: threading.Event) -> None:
        """Turns until told to stop."""
        while not stop.is_set():
            self.turn()
            stop.wait(EVERY)

    def notice(self) -> None:
        """Before a request, in a process that does not turn: one small question a second at most. When something was
        decided elsewhere, it is read in a thread of its own; this request is answered by what is at hand."""
        if time.monotonic() < self._next or not self._asking.acquire(blocking=False):
            return
        try:
            self._next = time.monotonic() + EVERY
            office = self._current()
            with office.store.unit() as unit:
                office.directories.look(unit)
                behind = unit.last_publication() != office.published
            if behind or office.catalogue.on(office.day()) is not office.catalogue:
                threading.Thread(target=self.turn, args=(False,), name="publications", daemon=True).start()
        except Busy:
            pass
        finally:
            self._asking.release()
