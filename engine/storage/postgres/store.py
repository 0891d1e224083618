"""The store on PostgreSQL: several machines and several writers at once, with the same queries and guarantees.

Units that change the same dossier wait for its row, read `FOR UPDATE`. Unique constraints protect the rest. A reading
unit sees one snapshot. PostgreSQL rolls back one of two units in a deadlock, which raises `Busy`. Nothing was written,
and commands with a token are tried again.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import datetime
from functools import lru_cache
from itertools import count
from typing import Any, Final

import psycopg
from psycopg import errors

from engine.records.codec import read_instant
from engine.records.statistics import MigrationState
from engine.storage.gate import STALLED, ThreadLimit
from engine.storage.postgres.connection_errors import await_server, check_address, has_several, why_unreachable
from engine.storage.postgres.migrations import CLOCK, SAFE, UNHURRIED, check_settings, finish, migrate, schema_of
from engine.storage.postgres.pool import MOST, OPTIONS, WAIT_LIMIT, StoreConnections
from engine.storage.results import AlreadyExists, Away, Busy, Damaged, IntegrityFinding
from engine.storage.schema.migration_list import FINISHING, NotOwner
from engine.storage.sql.connection import TIMERS_OF, Queries, TimerCells
from engine.storage.sql.dossiers import BODY, HEAD
from engine.storage.sql.integrity import broken_promises
from engine.storage.sql.row_journal import FOUND_ROWS
from engine.storage.sql.statistics import migration_state
from engine.storage.table_copy import TABLES, Use
from engine.storage.unit_of_work import Unit

_TRIES: Final = 10
_SPARE: Final = 4  # one in so many request threads of a process never waits for the database


class PostgresRows:
    """All tables in one transaction. Table names come from our own schema."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._cursors = count()

    def hold(self) -> None:
        """Lock out other writers until the transaction ends, while readers go on. After a deadlock the locks are
        released and tried again, so that running units go first."""
        for left in range(_TRIES - 1, -1, -1):
            try:
                with self._connection.transaction():
                    self._connection.execute(f"LOCK TABLE {', '.join(TABLES)} IN EXCLUSIVE MODE")
                return
            except errors.DeadlockDetected:
                if not left:
                    raise

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the column names, sorted, without computed ones. `rowid` is an ordinary column here."""
        sql = (
            "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND table_name = %s AND is_generated = 'NEVER'"
        )
        return tuple(sorted(name for (name,) in self._connection.execute(sql, (table,)).fetchall()))

    def key(self, table: str) -> tuple[str, ...]:
        """Return the columns of the primary key, in their order."""
        sql = (
            "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number"
            " WHERE i.indrelid = %s::regclass AND i.indisprimary ORDER BY k.place"
        )
        return tuple(name for (name,) in self._connection.execute(sql, (table,)).fetchall())

    def count(self, table: str) -> int:
        """Return the number of rows of the table."""
        row = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0

    def read(self, table: str, columns: Sequence[str], order: Sequence[str]) -> Iterator[Sequence[Any]]:
        """Yield the rows of the table in this order, through a server-side cursor."""
        with self._connection.cursor(name=f"move{next(self._cursors)}") as cursor:
            cursor.itersize = 1000
            yield from cursor.execute(f"SELECT {_named(columns)} FROM {table} ORDER BY {_named(order)}")

    def write(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows by COPY."""
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {table} ({_named(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def change(self, work: Callable[[Unit], None]) -> None:
        """Do work in a writing unit of the same transaction."""
        unit = PostgresUnit(self._connection, writes=True, begun=True)
        work(unit)
        unit.send()


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


BATCH: Final = 1000
_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_HURRIED: Final = "SELECT set_config('lock_timeout', ?, true)"  # milliseconds, in this transaction
_SUPERUSER: Final = "SELECT rolname FROM pg_roles WHERE rolname = current_user AND rolsuper"

# The copies of this server, those that confirm a commit, and which must. A role without pg_monitor sees no state of a copy.
_STANDBY: Final = """SELECT CASE WHEN pg_is_in_recovery() THEN 'on' ELSE '' END, count(*),
    count(*) FILTER (WHERE coalesce(sync_state, 'sync') IN ('sync', 'quorum')),
    current_setting('synchronous_standby_names') FROM pg_stat_replication"""

# Errors that may pass: a busy row or server, a lost connection, a start or stop. Any other error is a bug.
_PASSING: Final = (
    errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable, errors.QueryCanceled,
    errors.ReadOnlySqlTransaction, errors.DiskFull, errors.OutOfMemory, errors.TooManyConnections,
    errors.CannotConnectNow, errors.AdminShutdown, errors.CrashShutdown, errors.ConnectionException,
    errors.IdleInTransactionSessionTimeout,
)  # fmt: skip
_AWAY: Final = (errors.CannotConnectNow, errors.AdminShutdown, errors.CrashShutdown, errors.ConnectionException)
_BROKEN: Final = (errors.DataCorrupted, errors.IndexCorrupted)
_MAY_COLLIDE: Final = (
    "UPDATE payment",
    "UPDATE booking",
    "INSERT INTO account",
)  # have a unique constraint beside their key


@lru_cache(4096)
def in_postgres(sql: str) -> str:
    """Translate a shared SQL text to PostgreSQL and psycopg."""
    return sql.replace("%", "%%").replace("?", "%s").replace("instr(", "strpos(")


class PostgresQueries(Queries):
    """Queries on a PostgreSQL connection, in a transaction that begins in the round trip of the first one.

    An existing row is detected without aborting the transaction.
    """

    ends_streams = True

    def __init__(self, connection: psycopg.Connection[Any], writes: bool, begun: bool = False) -> None:
        self._postgres = connection
        self._writes = writes
        self._heads, self._timers, self._seen = {}, {}, {}
        self._uncommitted = {}
        self._held: set[str] = set()
        self._unsent: list[tuple[str, Sequence[Any]]] = [] if begun else [(_WRITE if writes else _READ, ())]
        self._begun = begun
        if writes:
            self.lock, self.claim, self.steady = " FOR UPDATE", " FOR UPDATE SKIP LOCKED", " FOR SHARE"

    def _hold(self, dossier_id: str) -> None:
        if self._writes and dossier_id not in self._held:
            self._row("SELECT dossier FROM dossier_body WHERE dossier = ?" + self.lock, (dossier_id,))
            self._held.add(dossier_id)

    def _has(self, dossier_id: str) -> None:
        if self._writes:
            self._held.add(dossier_id)

    def _body_to_change(self, which: str, name: str, lock: str) -> tuple[str | None, tuple[int, str], list[TimerCells]]:
        """Ask in one round trip. Each statement sees what the unit committed that the first waited for."""
        asked = (BODY + which + lock, HEAD.format(which), TIMERS_OF.format(which))
        body, head, timers = self._together([(in_postgres(sql), (name,)) for sql in asked])[-3:]
        row = body.fetchone()
        return row[0] if row else None, head.fetchone() or (0, ""), timers.fetchall()

    def _turn(self, *of: str, shared: bool = False) -> None:
        if self._writes:
            lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
            self._later(f"SELECT {lock}(hashtextextended(?, 0))", ["\x1f".join(of)])

    def _row(self, sql: str, cells: Sequence[Any] = ()) -> Any:
        return self._ask(in_postgres(sql), cells).fetchone()

    def _rows(self, sql: str, cells: Sequence[Any] = ()) -> list[Any]:
        return self._ask(in_postgres(sql), cells).fetchall()

    def _change(self, sql: str, cells: Sequence[Any] = ()) -> int:
        return self._reported(sql, cells).rowcount

    def _changed(self, sql: str, cells: Sequence[Any] = ()) -> list[Any]:
        return self._reported(sql, cells).fetchall()

    def _later(self, sql: str, cells: Sequence[Any] = ()) -> None:
        self._may_write()
        self._unsent.append((in_postgres(sql), cells))

    def send(self) -> None:
        """Send the delayed statements, in one round trip."""
        if self._unsent:
            self._together()

    def commit(self) -> None:
        """Send the delayed statements and end the transaction, in one round trip. An empty unit asks too: a standby
        refuses it."""
        self._ask("COMMIT", ())

    def clock(self, now: datetime) -> datetime:
        """Return the time of the server. `now` is ignored."""
        return read_instant(self._row(CLOCK)[0])

    def _ask(self, sql: str, cells: Sequence[Any]) -> psycopg.Cursor[Any]:
        """Execute a statement, and before it, in the same round trip, the delayed ones."""
        return self._together([(sql, cells)])[-1] if self._unsent else self._postgres.execute(sql, cells)

    def _together(self, asked: Sequence[tuple[str, Sequence[Any]]] = ()) -> list[psycopg.Cursor[Any]]:
        """Execute the delayed statements and these, in one round trip. Raises `Away` to write on a standby."""
        unsent, self._unsent = self._unsent, []
        begins, self._begun = not self._begun, True
        with _beginning(self._postgres) if begins else nullcontext(), self._postgres.pipeline():
            return [self._postgres.execute(*one) for one in (*unsent, *asked)]

    def _may_write(self) -> None:
        if not self._writes:
            raise RuntimeError("a reading unit was asked to write")

    def _reported(self, sql: str, cells: Sequence[Any]) -> psycopg.Cursor[Any]:
        self._may_write()
        plain = sql.startswith("INSERT") and "ON CONFLICT" not in sql
        whole = in_postgres(f"{sql} ON CONFLICT DO NOTHING" if plain else sql)
        may_collide = sql.startswith(_MAY_COLLIDE)
        if may_collide:
            self.send()  # must survive a rollback of the statement that may conflict
        try:
            with self._postgres.transaction() if may_collide else nullcontext():
                done = self._ask(whole, cells)
        except errors.UniqueViolation as error:
            raise AlreadyExists(str(error.diag.constraint_name)) from error
        if plain and done.rowcount == 0:
            raise AlreadyExists(sql.split(None, 3)[2])
        return done


class PostgresUnit(PostgresQueries, Unit):
    """One transaction with every query of `Unit`."""


class PostgresStore:
    """A store on a server. `address` is a `postgresql://…` URL, its password best in a file of libpq. `follows`
    accepts a standby, to read only. `threads` serve requests in this process: a quarter of them never wait for
    the database, and one more never for a commit, which nothing may cancel. Raises `Unreachable`, `Busy`,
    `UnsafeSettings`."""

    def __init__(
        self, address: str, most: int = MOST, wait_limit: float = WAIT_LIMIT, follows: bool = False, threads: int = 0
    ) -> None:  # fmt: skip
        self.address = address
        self._inside = threading.local()
        places = max(2, threads - max(1, threads // _SPARE)) if threads else sys.maxsize
        self._users, self._writers = ThreadLimit(places), ThreadLimit(places - 1)
        check_address(address)
        await_server(address, OPTIONS, wait_limit, follows)
        self._lines = StoreConnections(address, most, wait_limit, follows)
        try:
            with self._connection() as connection:
                check_settings(_settings(connection))
        except Busy as busy:
            self._lines.close()
            raise why_unreachable(address, OPTIONS, follows) or busy from None

    # -- the transaction ---------------------------------------------------------------------------------------------

    @contextmanager
    def unit(self, write: bool = False, wait_limit: float | None = None) -> Iterator[Unit]:
        """Open a unit: READ COMMITTED to write, one snapshot to read. Raises `RuntimeError` inside another unit."""
        if getattr(self._inside, "unit", False):
            raise RuntimeError("this thread is inside a unit already")
        granted = WAIT_LIMIT if wait_limit is None else wait_limit
        with (
            self._writers.place(min(granted, STALLED)) if write else nullcontext(),
            self._connection(granted) as connection,
        ):
            self._inside.unit = True
            try:
                unit = PostgresUnit(connection, write)
                if write and granted < WAIT_LIMIT:
                    unit._later(_HURRIED, (str(int(granted * 1000)),))
                yield unit
                if write:
                    unit.commit()
            finally:
                self._inside.unit = False

    def snapshots(self) -> AbstractContextManager[None]:
        """Do nothing: a unit that ends gives its connection to the next request."""
        return nullcontext()

    @contextmanager
    def _connection(self, wait_limit: float = WAIT_LIMIT) -> Iterator[psycopg.Connection[Any]]:
        with self._users.place(min(wait_limit, STALLED)), _passing(), self._lines.line(wait_limit) as connection:
            yield connection

    # -- maintenance -------------------------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Apply pending migrations. Raises `ForeignSchema`, `NotOwner`."""
        with _owning(), self._connection() as connection:
            connection.isolation_level, connection.read_only = psycopg.IsolationLevel.READ_COMMITTED, False
            migrate(connection)

    def finish(self) -> tuple[str, ...]:
        """Apply the migrations that end the use of an earlier release. Return those applied now. Raises `NotOwner`."""
        with _owning(), self._connection() as connection:
            connection.isolation_level, connection.read_only = psycopg.IsolationLevel.READ_COMMITTED, False
            return finish(connection)

    def settings(self) -> Mapping[str, str]:
        """Return the server settings, its copies, and the name of the database role if it is a superuser.

        `follows` is "on" for a standby. `copies` counts the standbys of a server, `confirming` those of them that
        confirm a commit, both empty without any. `confirmed_by` names those that must. `several` is "on" if the address
        has several servers.
        """
        with self._connection() as connection:
            superuser = connection.execute(_SUPERUSER).fetchone()
            follows, copies, confirming, names = connection.execute(_STANDBY).fetchone() or ("", 0, 0, "")
            return {
                "store": "postgresql", **_settings(connection), "superuser": superuser[0] if superuser else "",
                "follows": follows, "copies": str(copies or ""), "confirming": str(confirming or ""),
                "confirmed_by": names, "several": "on" if has_several(self.address) else "",
            }  # fmt: skip

    def migration_state(self) -> MigrationState:
        """Return the schema state compared with this release, without changing it."""
        with self._connection() as connection:
            had, least = schema_of(connection)
            reported = connection.execute(CLOCK).fetchone()
            return migration_state(had, least, FINISHING, reported[0] if reported else "")

    def all_dossiers(self, procedure: str | None = None) -> Iterator[str]:
        """Yield every dossier id, read in pages, of one procedure or all."""
        last, of = "", () if procedure is None else (procedure,)
        sql = f"SELECT id FROM dossier WHERE id > ?{' AND procedure = ?' if of else ''} ORDER BY id LIMIT ?"
        while True:
            with self._connection() as connection:
                batch = [row[0] for row in connection.execute(in_postgres(sql), (last, *of, BATCH)).fetchall()]
            yield from batch
            if len(batch) < BATCH:
                return
            last = batch[-1]

    @contextmanager
    def tables(self, use: Use) -> Iterator[PostgresRows]:
        """Open all tables in one transaction. For `hold` and `fill` other writers are locked out."""
        with self._connection() as connection, _transaction(connection, use != "read"):
            connection.execute(UNHURRIED)
            rows = PostgresRows(connection)
            if use != "read":
                rows.hold()
            yield rows

    def not_journalled(self) -> Mapping[str, int]:
        """Return the number of chains that began with rows found by a migration, by chain prefix."""
        with self._connection() as connection:
            return dict(connection.execute(FOUND_ROWS).fetchall())

    def findings(self) -> Iterator[IntegrityFinding]:
        """Yield inconsistencies of the tables, all read in one snapshot."""
        with self._connection() as connection, _transaction(connection, write=False):
            found = list(_found(connection))
        yield from found

    def close(self) -> None:
        """Close the connections of this process. A later use opens new ones."""
        self._lines.close()


@contextmanager
def _transaction(connection: psycopg.Connection[Any], write: bool) -> Iterator[None]:
    """Open a transaction over whole tables: READ COMMITTED to write, one snapshot to read. Raises `Away` to write on a
    standby."""
    level = psycopg.IsolationLevel.READ_COMMITTED if write else psycopg.IsolationLevel.REPEATABLE_READ
    connection.isolation_level, connection.read_only = level, not write
    with ExitStack() as stack:
        with _beginning(connection):
            stack.enter_context(connection.transaction())
        yield


@contextmanager
def _beginning(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Raise `Away` if the server refuses to begin, as a standby does.

    A pooler hides that the server is a standby until then. The same code later is an error of ours.
    """
    try:
        yield
    except errors.FeatureNotSupported as refused:
        connection.close()  # the pool drops it
        raise Away("follows") from refused


# Foreign keys, which do not bind the owner of the database: table, column, and what they refer to.
_KEYS: Final = """
    SELECT conrelid::regclass::text, quote_ident(own.attname), confrelid::regclass::text, quote_ident(other.attname)
    FROM pg_constraint
    JOIN pg_attribute own ON own.attrelid = conrelid AND own.attnum = conkey[1]
    JOIN pg_attribute other ON other.attrelid = confrelid AND other.attnum = confkey[1]
    WHERE contype = 'f' AND cardinality(conkey) = 1 AND connamespace = current_schema()::regnamespace ORDER BY 1, 2"""


def _found(connection: psycopg.Connection[Any]) -> Iterator[IntegrityFinding]:
    numbers = count()

    def ask(sql: str, cells: Sequence[Any]) -> Iterable[Sequence[Any]]:
        with connection.cursor(name=f"ask{next(numbers)}") as cursor:  # read in pages, not all at once
            cursor.itersize = BATCH
            yield from cursor.execute(in_postgres(sql), cells)

    try:
        for table, column, parent, key in list(ask(_KEYS, ())):
            there = f"SELECT 1 FROM {parent} WHERE {parent}.{key} = {table}.{column}"
            for (row,) in ask(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL AND NOT EXISTS ({there})", ()):
                yield IntegrityFinding("orphan", None, {"table": table, "row": row, "parent": parent})
        yield from broken_promises(ask)
    except _BROKEN as error:
        yield IntegrityFinding("damaged", None, {"said": str(error.sqlstate)})


def _settings(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Return the settings in use on this connection. A database without encoding returns bytes."""
    names = ("server_version", *SAFE)
    found = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in names}  # type: ignore[index]
    return {name: one.decode() if isinstance(one, bytes) else str(one) for name, one in found.items()}


@contextmanager
def _owning() -> Iterator[None]:
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise NotOwner(error.diag.message_primary or "") from error


@contextmanager
def _passing() -> Iterator[None]:
    """Map errors that may pass to `Busy`, an absent server to `Away`, and unreadable data to `Damaged`."""
    try:
        yield
    except _BROKEN as error:
        raise Damaged(str(error.sqlstate)) from error
    except _PASSING as error:
        raise (Away if isinstance(error, _AWAY) else Busy)(type(error).__name__) from error
    except psycopg.OperationalError as error:
        if error.sqlstate is not None and not error.sqlstate.startswith(("08", "57", "53", "58")):
            raise
        gone = error.sqlstate is None or error.sqlstate.startswith(("08", "57"))
        raise (Away if gone else Busy)("connection") from error
