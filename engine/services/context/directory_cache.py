"""The directory of one process with the opening changes of administrators.

It is computed once for each change, and checked again when the store counts another.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from engine.domain.appointments.opening_changes import over
from engine.model.directory import Directory
from engine.records.administration import Hold, OpeningChange
from engine.storage.unit_of_work import Unit


class DirectoryCache:
    """Shared between threads. It only goes forward: an older snapshot of the store changes nothing."""

    def __init__(self, changes: Iterable[OpeningChange] = (), n: int = 0) -> None:
        self.n = n
        self._changes = tuple(changes)
        self._lock = threading.Lock()
        self._made: tuple[Directory, tuple[OpeningChange, ...], Directory] | None = None

    def directory(self, base: Directory) -> Directory:
        """Return the directory of the files with every change in force."""
        made, changes = self._made, self._changes
        if made is not None and made[0] is base and made[1] is changes:
            return made[2]
        merged = over(base, changes) if changes else base
        self._made = (base, changes, merged)
        return merged

    def received(self, base: Directory) -> Directory:
        """Return the directory of the files with added openings but without closures.

        A replay of the past uses it.
        """
        return over(base, (one for one in self._changes if one.kind in ("open", "desks")))

    def look(self, unit: Unit, hold: Hold | None = None) -> int:
        """Read the changes if the store counts more than are known, and return its count.

        `hold` blocks new changes until this unit ends.
        """
        n = unit.openings_head(hold)
        if n > self.n:
            self.take(n, unit.opening_changes())
        return n

    def take(self, n: int, changes: tuple[OpeningChange, ...]) -> None:
        """Replace the changes by those of a later count `n`; an older count is ignored."""
        with self._lock:
            if n > self.n:
                self._changes, self.n = changes, n

    def with_(self, change: OpeningChange) -> DirectoryCache:
        """Return a copy with one more change, to see its effect."""
        return DirectoryCache((*self._changes, change), self.n)

    def without(self, change_id: str) -> DirectoryCache:
        """Return a copy without one change."""
        return DirectoryCache((one for one in self._changes if one.id != change_id), self.n)
