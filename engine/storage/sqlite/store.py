"""The store on SQLite: one file, several threads and processes. No power cut loses an acknowledged commit.

Writing units wait for a lock in the process, then `BEGIN IMMEDIATE` orders them with other processes. Units that wait
for one another share one flush (`write_queue.py`). Reading units see one snapshot and never wait. sqlite-utils runs
the migrations (`migrations.py`).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from engine.records.statistics import MigrationState
from engine.storage.fair_lock import FairLock
from engine.storage.results import Busy, Damaged, IntegrityFinding
from engine.storage.schema.migration_list import NAMES, WAIT_LIMIT, applied, check_compatible, prepare, read_settings
from engine.storage.sql.integrity import broken_promises
from engine.storage.sql.row_journal import FOUND_ROWS
from engine.storage.sql.statistics import CLOCK, migration_state
from engine.storage.sqlite.write_queue import Flush
from engine.storage.table_copy import ORDERED, Use, in_batches
from engine.storage.unit_of_work import Unit


class SqliteRows:
    """All tables in one transaction. Table names come from our own schema."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the column names, sorted, without computed ones. Includes `rowid` where insertion order matters."""
        rows = self._connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,)).fetchall()
        own = ("rowid",) if rows and table in ORDERED else ()
        return tuple(sorted((*(name for (name,) in rows), *own)))

    def key(self, table: str) -> tuple[str, ...]:
        """Return the columns of the primary key, in order."""
        rows = self._connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk", (table,))
        return tuple(name for (name,) in rows)

    def count(self, table: str) -> int:
        """Return the number of rows of the table."""
        found: int = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return found

    def read(self, table: str, columns: Sequence[str], order: Sequence[str]) -> Iterator[Sequence[Any]]:
        """Yield the rows of the table with these columns, in this order."""
        yield from self._connection.execute(f"SELECT {_named(columns)} FROM {table} ORDER BY {_named(order)}")

    def write(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows in batches."""
        sql = f"INSERT INTO {table} ({_named(columns)}) VALUES ({', '.join('?' * len(columns))})"
        for batch in in_batches(rows):
            self._connection.executemany(sql, batch)

    def change(self, work: Callable[[Unit], None]) -> None:
        """Do work in a writing unit of the same transaction."""
        work(Unit(self._connection, writes=True))


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


MEMORY: Final = ":memory:"
LOCKED_AFTER: Final = 1.0  # seconds of one wait after which other threads no longer wait
BATCH: Final = 1000

_OF_A_PARENT: Final[list[sqlite3.Connection]] = []  # referenced so that a child never closes connections of its parent

# Errors that may pass: a lock, or a disk that is full, read-only or absent. Any other error is a bug.
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
    }
)  # fmt: skip


class SqliteStore:
    """A store in a file, or in memory with `:memory:` for tests and scenarios. A missing file is created, readable by
    its owner only."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._in_memory = self.path == MEMORY
        self._forget()
        with _passing():
            self._idle.append(_fresh_memory() if self._in_memory else self._connect())

    def _forget(self) -> None:
        """Start without connections, as a child process must: none may cross a fork."""
        self._process = os.getpid()
        self._idle: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection | None = None  # of the flushes; only the thread with the lock uses it
        self._turns = FairLock()
        self._flush: Flush | None = None  # the flush to join; only the thread with the lock uses it
        self._inside = threading.local()
        self._asked_since: float | None = None  # when the thread with the lock began to wait for another process

    def _connect(self) -> sqlite3.Connection:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = _open(self.path)
        prepare(connection, "wal")
        return connection

    # -- the transaction ---------------------------------------------------------------------------------------------

    @contextmanager
    def unit(self, write: bool = False, wait_limit: float | None = None) -> Iterator[Unit]:
        """Open a unit: writers share a flush, readers see one snapshot. Raises `RuntimeError` inside another unit."""
        if getattr(self._inside, "snapshots", False):
            if not write:
                with self._in_snapshot() as unit:
                    yield unit
                return
            if not self._inside.unit:
                self._end_snapshot()
        if write and not self._in_memory:
            with self._shared(WAIT_LIMIT if wait_limit is None else wait_limit) as connection:
                yield Unit(connection, write)
        else:
            with self._connection(alone=write) as connection, _transaction(connection, write):
                yield Unit(connection, write)

    @contextmanager
    def snapshots(self) -> Iterator[None]:
        """Let the reading units of this thread share one snapshot, until a writing unit begins or the context ends."""
        self._inside.snapshots, self._inside.unit = not self._in_memory, False
        try:
            yield
        finally:
            self._inside.snapshots = False
            self._end_snapshot()

    @contextmanager
    def _in_snapshot(self) -> Iterator[Unit]:
        self._enter(alone=False)
        try:
            with _passing():
                unit: Unit | None = getattr(self._inside, "snapshot", None)
                if unit is None:
                    connection = self._idle.pop() if self._idle else self._connect()
                    connection.execute("BEGIN")
                    unit = self._inside.snapshot = Unit(connection, writes=False)
                yield unit
        except (Busy, Damaged):
            self._end_snapshot(works=False)
            raise
        finally:
            self._inside.unit = False

    def _end_snapshot(self, works: bool = True) -> None:
        unit: Unit | None = getattr(self._inside, "snapshot", None)
        if unit is None:
            return
        self._inside.snapshot, connection = None, unit._connection
        if works:
            connection.execute("ROLLBACK")
            self._idle.append(connection)
        else:
            connection.close()  # after a fault of the disk, begin with a new one

    @contextmanager
    def _shared(self, wait_limit: float) -> Iterator[sqlite3.Connection]:
        """Yield the connection of a flush that waiting units may join."""
        self._enter(alone=True, wait_limit=wait_limit)
        flush: Flush | None = None
        try:
            with _passing():
                flush, self._flush = self._flush or self._begun(wait_limit), None
                with flush.part():
                    yield flush.connection
        except BaseException:
            self._pass_on(flush)
            if flush is not None and not flush.lost:
                flush.wait(kept=False)
            raise
        else:
            self._pass_on(flush)
            flush.wait(kept=True)
        finally:
            self._inside.unit = False

    def _begun(self, wait_limit: float) -> Flush:
        connection, self._writer = self._writer, None
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA busy_timeout=0")  # a flush waits for other processes itself
        self._asked_since = time.monotonic()
        try:
            return Flush(connection, os.path.dirname(self.path) or ".", wait_limit)
        except BaseException:
            connection.close()
            raise
        finally:
            self._asked_since = None

    def _is_locked(self) -> bool:
        """Return whether the unit with the lock has waited long for another process. Then all others fail at once, so
        that one thread waits and the others serve readers."""
        since = self._asked_since
        return since is not None and time.monotonic() - since > LOCKED_AFTER

    def _pass_on(self, flush: Flush | None) -> None:
        """Pass the lock and the flush to the next waiting unit. Without one, commit the flush."""
        if flush is not None and flush.takes_more:
            self._flush = flush
            if self._turns.pass_on():
                return
            self._flush = None
        if flush is not None:
            self._keep(flush)
        self._turns.give()

    def _keep(self, flush: Flush) -> None:
        error: BaseException | None = None
        try:
            with _passing():
                flush.commit()
        except BaseException as found:  # reported to each unit that waits for it
            error = found
        if isinstance(error, Busy):
            flush.connection.close()  # after a fault of the disk, begin with a new one
        else:
            self._writer = flush.connection
        flush.report(error)

    def _enter(self, alone: bool, wait_limit: float | None = None) -> None:
        """Enter a unit, at most one for each thread. `alone`: wait for the lock of writers."""
        if os.getpid() != self._process:
            if self._in_memory:
                raise RuntimeError("a store in memory does not cross a fork")
            _OF_A_PARENT.extend(self._connections())
            self._forget()
        if getattr(self._inside, "unit", False):
            raise RuntimeError("this thread is inside a unit already")
        if alone and not self._turns.take(WAIT_LIMIT if wait_limit is None else wait_limit, self._is_locked):
            raise Busy("turn")
        self._inside.unit = True

    @contextmanager
    def _connection(self, alone: bool) -> Iterator[sqlite3.Connection]:
        """Yield an idle connection of this process. `alone`: with the lock of writers. In memory there is one
        connection for all."""
        alone = alone or self._in_memory
        self._enter(alone)
        try:
            if alone and self._flush is not None:  # the flush that others wait for comes first
                flush, self._flush = self._flush, None
                self._keep(flush)
            with _passing():
                connection = self._idle.pop() if self._idle else self._connect()
            with self._given_back(connection):
                yield connection
        finally:
            self._inside.unit = False
            if alone:
                self._turns.give()

    @contextmanager
    def _given_back(self, connection: sqlite3.Connection) -> Iterator[None]:
        try:
            with _passing():
                yield
        except Busy:
            if self._in_memory:
                self._idle.append(connection)
            else:
                connection.close()  # after a fault of the disk, begin with a new one
            raise
        except BaseException:
            self._idle.append(connection)
            raise
        self._idle.append(connection)

    # -- maintenance -------------------------------------------------------------------------------------------------

    def migrate(self, without: Collection[str] = ()) -> None:
        """Apply pending migrations, `without` those that an earlier release lacks. Raises `ForeignSchema`."""
        with self._connection(alone=True) as connection:
            migrate(connection, without)

    def finish(self) -> tuple[str, ...]:
        """Return nothing: no migration of this store ends the use of an earlier release so far."""
        return ()

    def settings(self) -> Mapping[str, str]:
        """Return the SQLite version and the values of the PRAGMAs in use."""
        with self._connection(alone=False) as connection:
            return {"store": "sqlite", "version": sqlite3.sqlite_version, **read_settings(connection)}

    def migration_state(self) -> MigrationState:
        """Return the schema state compared with this release, without changing it."""
        with self._connection(alone=False) as connection:
            had, least = applied(connection)
            return migration_state(had, least, (), connection.execute(CLOCK).fetchone()[0])

    def all_dossiers(self, procedure: str | None = None) -> Iterator[str]:
        """Yield every dossier id, read in pages, of one procedure or all."""
        last, of = "", () if procedure is None else (procedure,)
        sql = f"SELECT id FROM dossier WHERE id > ?{' AND procedure = ?' if of else ''} ORDER BY id LIMIT ?"
        while True:
            with self._connection(alone=False) as connection:
                batch = [row[0] for row in connection.execute(sql, (last, *of, BATCH))]
            yield from batch
            if len(batch) < BATCH:
                return
            last = batch[-1]

    @contextmanager
    def tables(self, use: Use) -> Iterator[SqliteRows]:
        """Open all tables in one transaction. For `hold` and `fill` it is a writing one, alone."""
        alone = use != "read"
        with self._connection(alone) as connection, _transaction(connection, write=alone):
            yield SqliteRows(connection)

    def not_journalled(self) -> Mapping[str, int]:
        """Return the number of chains that began with rows found by a migration, by chain prefix."""
        with self._connection(alone=False) as connection:
            return dict(connection.execute(FOUND_ROWS).fetchall())

    def findings(self) -> Iterator[IntegrityFinding]:
        """Yield inconsistencies of the file and the tables, all read in one snapshot."""
        with self._connection(alone=False) as connection, _transaction(connection, write=False):
            connection.text_factory = _whatever_it_is
            try:
                found = list(_found(connection))
            finally:
                connection.text_factory = str
        yield from found

    def close(self) -> None:
        """Close idle connections. A later use of a file opens new ones, and a store in memory is lost."""
        connections, self._idle, self._writer = self._connections(), [], None
        for connection in connections:
            connection.close()

    def _connections(self) -> list[sqlite3.Connection]:
        """Return the connections that are not in use."""
        return self._idle if self._writer is None else [*self._idle, self._writer]


def _found(connection: sqlite3.Connection) -> Iterator[IntegrityFinding]:
    """Yield findings of the file itself first. On a damaged file other checks may fail."""
    try:
        for (said,) in connection.execute("PRAGMA integrity_check"):
            if said != "ok":
                yield IntegrityFinding("damaged", None, {"said": said})
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            yield IntegrityFinding("orphan", None, {"table": table, "row": row, "parent": parent})
        yield from broken_promises(connection.execute)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        yield IntegrityFinding("damaged", None, {"said": error.sqlite_errorname})


def _whatever_it_is(cell: bytes) -> str:
    """Decode a text with invalid bytes, so that the difference from the journal can be reported."""
    return cell.decode("utf-8", "backslashreplace")


def _open(path: str) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=WAIT_LIMIT, isolation_level=None, check_same_thread=False, cached_statements=256
    )  # fmt: skip


@cache
def _empty_store() -> bytes:
    """Return the image of a migrated empty database. A new store in memory is a copy of it."""
    connection = _open(MEMORY)
    prepare(connection, "memory")
    migrate(connection)
    image = connection.serialize()
    connection.close()
    return image


def _fresh_memory() -> sqlite3.Connection:
    connection = _open(MEMORY)
    connection.deserialize(_empty_store())
    prepare(connection, "memory")
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection, write: bool) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT" if write else "ROLLBACK")
    except BaseException:
        if connection.in_transaction:  # a full disk may have rolled it back already
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _passing() -> Iterator[None]:
    """Map errors that may pass to `Busy`, and unreadable data to `Damaged`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # not an error of SQLite: a cell that is not text
            raise Damaged("text") from error
        if code & 0xFF not in _PASSING:
            raise
        raise Busy(error.sqlite_errorname) from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        raise Damaged(error.sqlite_errorname) from error


def migrate(connection: sqlite3.Connection, without: Collection[str] = ()) -> None:
    """Apply pending migrations, each with its record in one transaction. Safe to run twice at once. Raises
    `ForeignSchema`."""
    had, least = applied(connection)
    check_compatible(had, least)
    if not had.issuperset(NAMES):
        from engine.storage.sqlite.migrations import apply_pending  # sqlite-utils takes 5 MiB and is seldom needed

        apply_pending(connection, without)
