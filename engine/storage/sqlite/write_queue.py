"""Group commit: units that wait for one another share one transaction and one flush of the disk.

A failed unit is rolled back alone. Each unit gets its result only once all of it is on the disk: even a refusal may
depend on a unit before it.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from engine.storage.results import Busy

MOST: Final = 16  # units of one flush
LONGEST: Final = 0.02  # seconds after which no unit joins, so that the first does not wait long
PAUSE: Final = 0.001  # seconds between two tries of what another process holds
TURN: Final = 0.2  # seconds to wait for the turn: a process that was stopped with it delays others no longer


class Flush:
    """An open transaction and its units. Only the thread that holds the write lock uses it."""

    def __init__(self, connection: sqlite3.Connection, folder: str, wait_limit: float) -> None:
        """Begin the transaction. `connection`: one that does not wait for locks by itself. `folder`: of the database.
        `wait_limit`: seconds to wait for another process."""
        with _turn_of_this_process(folder, min(TURN, wait_limit)):
            _begin(connection, time.monotonic() + wait_limit)
        self.connection = connection
        self._began, self._units = time.monotonic(), 0
        self.lost = False  # a disk error rolled back all of it
        self._over, self._error = threading.Event(), None

    _error: BaseException | None

    @property
    def takes_more(self) -> bool:
        """Whether another unit may join: one was not rolled back with all, there are fewer than `MOST`, and it began less
        than `LONGEST` ago."""
        return 0 < self._units < MOST and not self.lost and time.monotonic() < self._began + LONGEST

    @contextmanager
    def part(self) -> Iterator[None]:
        """Run one unit: committed with the others, or rolled back alone. Only the first needs no savepoint."""
        first = not self._units
        if not first:
            self.connection.execute("SAVEPOINT unit")
        try:
            yield
            if not first:
                self.connection.execute("RELEASE unit")
        except BaseException:
            self._undo(first)
            raise
        self._units += 1

    def _undo(self, first: bool) -> None:
        """Roll back one unit. If that fails, or the disk failed, the whole transaction is rolled back."""
        try:
            if not self.connection.in_transaction:
                raise sqlite3.OperationalError("undone")
            if first:
                self.connection.execute("ROLLBACK")
            else:
                self.connection.execute("ROLLBACK TO unit")
                self.connection.execute("RELEASE unit")
        except sqlite3.Error:
            self.lost = True
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def commit(self) -> None:
        """Commit all units. Raises the error that prevents it, and then nothing is stored. Raises `Busy` if it was
        lost."""
        if self.lost:
            raise Busy("lost")
        try:
            if self._units:
                self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def report(self, error: BaseException | None) -> None:
        """Report the result to the units that wait: None, or the error."""
        self._error = error
        self._over.set()

    def wait(self, kept: bool) -> None:
        """Wait until the result is known. `kept`: this unit was part of it.

        Raises the error of a unit that was alone. The fault of several cannot be attributed, so each gets `Busy` and
        may try again.
        """
        self._over.wait()
        if self._error is not None:
            raise self._error if kept and self._units == 1 else Busy("shared") from self._error


@contextmanager
def _turn_of_this_process(folder: str, wait_limit: float) -> Iterator[None]:
    """Hold the turn of processes while the context is open, or go on without it after `wait_limit` seconds.

    SQLite gives its write lock to the process that asks at the right moment, and pauses longer after each failure. A
    process that commits and begins again at once would keep the others out. The turn goes to one that waits.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # too many open files: the turn gives fairness, SQLite's own lock protects
        handle = None
    until = time.monotonic() + wait_limit
    try:
        while handle is not None and not _is_locked(handle) and time.monotonic() < until:
            time.sleep(PAUSE)
        yield
    finally:
        if handle is not None:
            os.close(handle)  # releases the lock


def _is_locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process has it, or the file system has no such locks
        return False
    return True


def _begin(connection: sqlite3.Connection, until: float) -> None:
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(PAUSE)
        else:
            return
