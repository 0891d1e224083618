"""Keeps the application context of a process up to date: definitions, decisions of other processes,
opening changes, the day. A context is immutable: one assignment replaces it, so that no request sees
half a change.
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
from engine.storage.results import GLANCE, Busy

log = logging.getLogger("guichet")

EVERY: Final = 1.0  # seconds between two passes, and between two queries to the store


class RefreshSource(Protocol):
    """The source of the definitions that an installation serves: a folder, or a followed repository."""

    def renew(self, ctx: AppContext) -> AppContext:
        """Look, decide if needed, and return the context to serve; the same one when nothing changed."""
        ...

    def serve(self, ctx: AppContext) -> AppContext:
        """Return the context with existing decisions, without looking."""
        ...


class FolderSource:
    """The folder of the installation as source. With a `judge`, files pass every gate."""

    def __init__(self, judge: Judge | None = None) -> None:
        self._judge = judge

    def renew(self, ctx: AppContext) -> AppContext:
        """Return the context with the present files of the folder."""
        return renew(ctx, self._judge)

    def serve(self, ctx: AppContext) -> AppContext:
        """Return the context as `renew` does: the files of the folder are read each time."""
        return renew(ctx, self._judge)


class Refresher:
    """One process and its application context. `current` returns it, `changed` replaces it."""

    def __init__(
        self, source: RefreshSource, current: Callable[[], AppContext], changed: Callable[[AppContext], None]
    ) -> None:
        self._source, self._current, self._changed = source, current, changed
        self._turning = threading.Lock()
        self._asking = threading.Lock()
        self._next = 0.0

    def turn(self, looks: bool = True) -> None:
        """Run one pass unless another thread runs one.

        Without `looks`, only decisions already in the store are read. A failure is logged, and the present
        context stays.
        """
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
            pass  # the next pass looks again
        except Exception:
            log.exception("what is served could not be renewed")
        finally:
            self._turning.release()

    def run(self, stop: threading.Event) -> None:
        """Run passes until `stop` is set."""
        while not stop.is_set():
            self.turn()
            stop.wait(EVERY)

    def notice(self) -> None:
        """Check before a request for new decisions, at most once a second, in a process without passes.

        New ones are read in another thread. This request uses the present context.
        """
        if time.monotonic() < self._next or not self._asking.acquire(blocking=False):
            return
        try:
            self._next = time.monotonic() + EVERY
            office = self._current()
            with office.store.unit(wait_limit=GLANCE) as unit:
                office.directories.look(unit)
                behind = unit.last_publication() != office.published
            if behind or office.catalogue.on(office.day()) is not office.catalogue:
                threading.Thread(target=self.turn, args=(False,), name="publications", daemon=True).start()
        except Busy:
            pass
        finally:
            self._asking.release()
