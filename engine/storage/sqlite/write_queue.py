"""One flush of the disk for several units: those that wait behind one another share a transaction. Each is undone alone when it
fails, and hears what came of it when all of it lies on the disk, never before: even a refusal may rest on what one before it did.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from engine.storage.schema.migration_list import SETTINGS
from engine.storage.unit_of_work import Busy

MOST: Final = 16  # units of one flush
LONGEST: Final = 0.02  # seconds after which nobody else joins: the first must not wait for long


class Flush:
    """A transaction begun, and the units that are part of it. Whoever has the turn to write works with it alone."""

    def __init__(self, connection: sqlite3.Connection, wait_limit: float) -> None:
        """`patience` is how long to wait for another process, in seconds."""
        connection.execute(f"PRAGMA busy_timeout={int(wait_limit * 1000)}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.execute(f"PRAGMA busy_timeout={SETTINGS['busy_timeout']}")
        self.connection = connection
        self._began, self._units = time.monotonic(), 0
        self.lost = False  # a fault of the disk undid all of it
        self._over, self._error = threading.Event(), None

    _error: BaseException | None

    @property
    def takes_more(self) -> bool:
        return not self.lost and self._units < MOST and time.monotonic() < self._began + LONGEST

    @contextmanager
    def part(self) -> Iterator[None]:
        """One unit: kept with the others, or undone alone."""
        self.connection.execute("SAVEPOINT unit")
        try:
            yield
            self.connection.execute("RELEASE unit")
        except BaseException:
            self._undo()
            raise
        self._units += 1

    def _undo(self) -> None:
        """A fault of the disk undoes the whole transaction, and what cannot be undone alone neither: nothing of it is kept."""
        try:
            if not self.connection.in_transaction:
                raise sqlite3.OperationalError("undone")
            self.connection.execute("ROLLBACK TO unit")
            self.connection.execute("RELEASE unit")
        except sqlite3.Error:
            self.lost = True
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def commit(self) -> None:
        """Raises what forbids it; then nothing of it is kept."""
        if self.lost:
            raise Busy("lost")
        try:
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def tell(self, error: BaseException | None) -> None:
        """Tells those who wait what came of it."""
        self._error = error
        self._over.set()

    def wait(self, kept: bool) -> None:
        """Until it lies on the disk. Raises the error of a unit that was alone (`kept`: this one was part of it); of several
        nobody knows whose fault it was: each may try again."""
        self._over.wait()
        if self._error is not None:
            raise self._error if kept and self._units == 1 else Busy("shared") from self._error
