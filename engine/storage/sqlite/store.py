"""The store on SQLite: one file, several threads and processes, nothing acknowledged that a power cut could take back.

Writing units queue at a lock in the process, then `BEGIN IMMEDIATE` queues them with other processes; those that wait behind
one another are kept by one flush (`flushes.py`). Reading units see one snapshot and wait for nobody. The schema and its migrations are sqlite-utils' (`sqlite_schema.py`).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from engine.records.statistics import MigrationState
from engine.storage.fair_lock import LOCKED_AFTER, FairLock
from engine.storage.schema.migration_list import NAMES, WAIT_LIMIT, ForeignSchema, applied, prepare, read_settings
from engine.storage.sql.accounts import SecurityLogQueries
from engine.storage.sql.administration import OpeningQueries
from engine.storage.sql.clock import ClockQueries
from engine.storage.sql.dossiers import DossierQueries
from engine.storage.sql.exchanges import ExchangeQueries
from engine.storage.sql.integrity import broken_promises
from engine.storage.sql.jobs import JobQueries
from engine.storage.sql.journal import EventQueries, LeafQueries
from engine.storage.sql.ledger import LedgerQueries, RefundQueries
from engine.storage.sql.outbox import OutboxQueries
from engine.storage.sql.people import PeopleQueries
from engine.storage.sql.publications import PublicationQueries
from engine.storage.sql.row_journal import FOUND_ROWS
from engine.storage.sql.snippets import SnippetQueries
from engine.storage.sql.statistics import CLOCK, CounterQueries, MigrationStateQueries, migration_state
from engine.storage.sql.unverified_files import UnprovenFileQueries
from engine.storage.sqlite.write_queue import Flush
from engine.storage.table_copy import ORDERED, Use, in_batches
from engine.storage.unit_of_work import Busy, Damaged, IntegrityFinding, Unit


class SqliteRows:
    """One transaction over all tables. Names come from our own schema."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def columns(self, table: str) -> tuple[str, ...]:
        rows = self._connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,)).fetchall()
        own = ("rowid",) if rows and table in ORDERED else ()
        return tuple(sorted((*(name for (name,) in rows), *own)))

    def key(self, table: str) -> tuple[str, ...]:
        rows = self._connection.execute("SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk", (table,))
        return tuple(name for (name,) in rows)

    def count(self, table: str) -> int:
        found: int = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return found

    def read(self, table: str, columns: Sequence[str], order: Sequence[str]) -> Iterator[Sequence[Any]]:
        yield from self._connection.execute(f"SELECT {_named(columns)} FROM {table} ORDER BY {_named(order)}")

    def write(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        sql = f"INSERT INTO {table} ({_named(columns)}) VALUES ({', '.join('?' * len(columns))})"
        for batch in in_batches(rows):
            self._connection.executemany(sql, batch)


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


MEMORY: Final = ":memory:"
BATCH: Final = 1000

_OF_A_PARENT: Final[list[sqlite3.Connection]] = []  # held so that a child never closes what its parent uses

# What may pass: somebody holds the lock, the disk is full, read-only, cut. Any other error is a fault of ours.
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
    }
)  # fmt: skip


class SqliteUnit(
    DossierQueries, OutboxQueries, LedgerQueries, PublicationQueries, SecurityLogQueries, PeopleQueries, ExchangeQueries, CounterQueries,
    JobQueries, EventQueries, SnippetQueries, OpeningQueries, MigrationStateQueries, LeafQueries, RefundQueries, ClockQueries,
    UnprovenFileQueries,
):  # fmt: skip
    """One transaction, speaking every verb of `Unit`."""


class SqliteStore:
    """`path` is a file (made if missing, readable by its owner only), or `:memory:` for tests and scenarios."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._in_memory = self.path == MEMORY
        self._forget()
        with _passing():
            self._idle.append(_fresh_memory() if self._in_memory else self._connect())

    def _forget(self) -> None:
        """A connection never crosses a fork: the child begins with none."""
        self._process = os.getpid()
        self._idle: list[sqlite3.Connection] = []
        self._turns = FairLock()
        self._flush: Flush | None = None  # one that whoever has the turn next is to join; theirs alone to touch
        self._inside = threading.local()
        self._asked_since: float | None = None  # when who has the turn began to wait for another process

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
        if write and not self._in_memory:
            with self._shared(WAIT_LIMIT if wait_limit is None else wait_limit) as connection:
                yield SqliteUnit(connection, write)
        else:
            with self._connection(alone=write) as connection, _transaction(connection, write):
                yield SqliteUnit(connection, write)

    @contextmanager
    def _shared(self, wait_limit: float) -> Iterator[sqlite3.Connection]:
        """The connection of a flush that those who wait behind may join."""
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
        connection = self._idle.pop() if self._idle else self._connect()
        self._asked_since = time.monotonic()
        try:
            return Flush(connection, wait_limit)
        except BaseException:
            connection.close()
            raise
        finally:
            self._asked_since = None

    def _is_locked(self) -> bool:
        """Whether who has the turn waits for another process, and has for long: all others are told at once, so that one thread
        waits at a time and the others serve who only reads."""
        since = self._asked_since
        return since is not None and time.monotonic() - since > LOCKED_AFTER

    def _pass_on(self, flush: Flush | None) -> None:
        """Gives the turn to who waits, to go on with the flush; whom nobody follows keeps what all have done."""
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
        except BaseException as found:  # told to each who waits for it
            error = found
        if isinstance(error, Busy):
            flush.connection.close()  # after a fault of the disk, begin with a new one
        else:
            self._idle.append(flush.connection)
        flush.tell(error)

    def _enter(self, alone: bool, wait_limit: float | None = None) -> None:
        """Nobody is inside twice; `alone` waits for the turn among writers."""
        if os.getpid() != self._process:
            if self._in_memory:
                raise RuntimeError("a store in memory does not cross a fork")
            _OF_A_PARENT.extend(self._idle)
            self._forget()
        if getattr(self._inside, "unit", False):
            raise RuntimeError("this thread is inside a unit already")
        if alone and not self._turns.take(WAIT_LIMIT if wait_limit is None else wait_limit, self._is_locked):
            raise Busy("turn")
        self._inside.unit = True

    @contextmanager
    def _connection(self, alone: bool) -> Iterator[sqlite3.Connection]:
        """An idle connection of this process. `alone` = among writers; in memory there is one connection for all."""
        alone = alone or self._in_memory
        self._enter(alone)
        try:
            if alone and self._flush is not None:  # what others wait for comes first
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

    # -- the house of it ---------------------------------------------------------------------------------------------

    def migrate(self) -> None:
        with self._connection(alone=True) as connection:
            migrate(connection)

    def settings(self) -> Mapping[str, str]:
        with self._connection(alone=False) as connection:
            return {"store": "sqlite", "version": sqlite3.sqlite_version, **read_settings(connection)}

    def migration_state(self) -> MigrationState:
        with self._connection(alone=False) as connection:
            had = applied(connection)
            return migration_state(had, connection.execute(CLOCK).fetchone()[0])

    def all_dossiers(self, procedure: str | None = None) -> Iterator[str]:
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
        alone = use != "read"
        with self._connection(alone) as connection, _transaction(connection, write=alone):
            yield SqliteRows(connection)

    def not_journalled(self) -> Mapping[str, int]:
        with self._connection(alone=False) as connection:
            return dict(connection.execute(FOUND_ROWS).fetchall())

    def findings(self) -> Iterator[IntegrityFinding]:
        with self._connection(alone=False) as connection, _transaction(connection, write=False):
            connection.text_factory = _whatever_it_is
            try:
                found = list(_found(connection))
            finally:
                connection.text_factory = str
        yield from found

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


def _found(connection: sqlite3.Connection) -> Iterator[IntegrityFinding]:
    """The file itself first: on a damaged file the rest may not be answerable."""
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
    """A text with a byte that no text has is not what was sealed: it is read, so that this can be told."""
    return cell.decode("utf-8", "backslashreplace")


def _open(path: str) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=WAIT_LIMIT, isolation_level=None, check_same_thread=False, cached_statements=256
    )  # fmt: skip


@cache
def _empty_store() -> bytes:
    """A migrated database without a row: a new store in memory is a copy of it."""
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
        if connection.in_transaction:  # a full disk may have undone it already
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _passing() -> Iterator[None]:
    """What may pass with time is `Busy`; what cannot be read is `Damaged`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # not SQLite's own word: a cell that is no text
            raise Damaged("text") from error
        if code & 0xFF not in _PASSING:
            raise
        raise Busy(error.sqlite_errorname) from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        raise Damaged(error.sqlite_errorname) from error


def migrate(connection: sqlite3.Connection) -> None:
    """Applies what is pending, each migration with its record in one transaction. Safe to start twice at once."""
    had = applied(connection)
    if strangers := had - set(NAMES):
        raise ForeignSchema(min(strangers))
    if had != set(NAMES):
        from engine.storage.sqlite.migrations import apply_pending  # sqlite-utils is 2 MiB of memory, seldom needed

        apply_pending(connection)
