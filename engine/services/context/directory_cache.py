"""The directory of one process with what administrators changed of openings: worked out once for each change, and looked at
again whenever the store counts another."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from engine.domain.appointments.opening_changes import over
from engine.model.directory import Directory
from engine.records.administration import Hold, OpeningChange
from engine.storage.unit_of_work import Unit


class DirectoryCache:
    """Safe to share between threads. It only goes forward: an older snapshot of the store changes nothing here."""

    def __init__(self, changes: Iterable[OpeningChange] = (), n: int = 0) -> None:
        self.n = n
        self._changes = tuple(changes)
        self._lock = threading.Lock()
        self._made: tuple[Directory, tuple[OpeningChange, ...], Directory] | None = None

    def directory(self, base: Directory) -> Directory:
        """What the files say, with every change that stands."""
        made, changes = self._made, self._changes
        if made is not None and made[0] is base and made[1] is changes:
            return made[2]
        merged = over(base, changes) if changes else base
        self._made = (base, changes, merged)
        return merged

    def received(self, base: Directory) -> Directory:
        """What the files say, with what was opened and nothing of what was closed: how a past is lived again."""
        return over(base, (one for one in self._changes if one.kind in ("open", "desks")))

    def look(self, unit: Unit, hold: Hold | None = None) -> int:
        """Reads the changes when the store counts more of them than are known here; how many it counts. `hold`: none more
        until this unit ends."""
        n = unit.openings_head(hold)
        if n > self.n:
            self.take(n, unit.opening_changes())
        return n

    def take(self, n: int, changes: tuple[OpeningChange, ...]) -> None:
        with self._lock:
            if n > self.n:
                self._changes, self.n = changes, n

    def with_(self, change: OpeningChange) -> DirectoryCache:
        """The same with one change more: how it would be."""
        return DirectoryCache((*self._changes, change), self.n)

    def without(self, change_id: str) -> DirectoryCache:
        """The same with one change less."""
        return DirectoryCache((one for one in self._changes if one.id != change_id), self.n)
