"""The tables of the PostgreSQL store: the same numbered migrations as for SQLite, translated.

Tables and indexes are translated from the text that SQLite runs, so that both stay equal. Texts are compared byte by
byte (`COLLATE "C"`), as SQLite does. Triggers that protect the journal fire only on updates and deletes. A command
uses no plpgsql and no sequence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.errors import DeadlockDetected, DuplicateTable, LockNotAvailable, UniqueViolation

from engine.journal.leaves import LEAVES, OWE, OWED_SO_FAR
from engine.journal.row_journal import ADD_SALT, ROW_JOURNAL, found_so_far
from engine.journal.search import EVENTS
from engine.records.administration import LOST, OPENINGS, SNIPPETS
from engine.records.exchanges import ANNOTATIONS, EXCHANGES, FOLLOWS, NOTES
from engine.records.jobs import ORDERS
from engine.records.publications import PUBLICATIONS
from engine.records.refunds import REFUNDS, owed_so_far
from engine.records.statistics import SMS_COUNTS, TALLIES
from engine.records.unverified_files import UNPROVEN_FILES, unproven_so_far
from engine.storage.postgres.translation import INSTANT, TYPES, document_guards, guards, translated
from engine.storage.schema.ddl_dossiers import (
    DOCUMENTS,
    DOSSIERS,
    EDITION_HEADS,
    EDITIONS,
    ENTERED_ORDER,
    FORMER_ORDER,
    JOURNAL,
    MONEY,
    OUTBOX,
    PAPERS,
    RECEIPT_NUMBERS,
    RECEIVED_ORDER,
    SEATS,
    WORK_ORDER,
)
from engine.storage.schema.ddl_people import (
    ADDED,
    COMPANY_NUMBERS,
    DECLARED,
    MANDATES,
    NAMES_DECLARED,
    PEOPLE,
    PHONE_MOVES,
    REFUSED_BECAUSE,
    SIGN_IN,
)
from engine.storage.schema.migration_list import (
    COMPATIBILITY,
    FINISHING,
    LEAST,
    NAMES,
    SINCE,
    UnsafeSettings,
    WrongEncoding,
    check_compatible,
)
from engine.storage.sql.row_journal import ROW_ENTRIES

Filling: TypeAlias = Callable[[psycopg.Connection[Any]], None]  # a step of a migration that is not SQL


@dataclass(frozen=True, slots=True)
class ConcurrentIndex:
    """A migration that adds one index to a table in use, without a lock against writers. `on`: `account (login)`."""

    name: str
    on: str


Migration: TypeAlias = Callable[[], Iterator[str | Filling]] | ConcurrentIndex

# Settings with which an acknowledged commit survives a power cut.
SAFE: Final[Mapping[str, str]] = {
    "synchronous_commit": "on",
    "fsync": "on",
    "full_page_writes": "on",
    "server_encoding": "UTF8",
    "statement_timeout": "30s",  # set on connecting; a proxy that drops it would let one command block all
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "1min",
}

CLOCK: Final = f"SELECT {INSTANT}"
RECORDED: Final = "SELECT to_regclass('migration') IS NOT NULL"
_HAD: Final = "SELECT name FROM migration"
# For transactions that read whole tables. The wait for locks stays short, so that commands come first.
UNHURRIED: Final = """SELECT set_config('statement_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '0', true)"""
# A migration waits shortly for a lock, since all others wait behind it, and tries again. It gives up before a page is
# refused because the store does not answer (`gate.STALLED`).
_SHORT_LOCK: Final = "SELECT set_config('lock_timeout', '250ms', true)"
_TRIES: Final = 180
_BETWEEN: Final = 0.75  # seconds between two tries
_UNLIMITED: Final = ("statement_timeout", "lock_timeout")  # a concurrent build waits long, and none waits behind it
_DEFERRED: Final = """SELECT conrelid::regclass::text, conname FROM pg_constraint
    WHERE contype = 'f' AND condeferrable AND connamespace = current_schema()::regnamespace ORDER BY 1, 2"""
_VALID: Final = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{}')"

_DOCUMENT: Final = ("id", "dossier", "output", "number", "issued_at", "code", "token", "jws")
_GUARD: Final = """
CREATE OR REPLACE FUNCTION guichet_stays() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation'; END $$
"""


def _facts() -> Iterator[str]:
    yield _GUARD
    for part in (DOSSIERS, JOURNAL, OUTBOX, MONEY, SEATS, DOCUMENTS, EDITIONS, SIGN_IN):
        yield from translated(part)
    yield from guards("entry", "the journal is never rewritten", "the journal is never cut")
    yield from guards("credit", "a credit is for ever", "a credit is for ever")
    yield from guards("edition", "an edition is for ever", "an edition is for ever")
    yield from document_guards(*_DOCUMENT, "content")
    yield (
        "CREATE TRIGGER document_delete BEFORE DELETE ON document"
        " FOR EACH ROW EXECUTE FUNCTION guichet_stays('an issued document is never deleted')"
    )


def _ended_payments() -> Iterator[str]:
    yield "CREATE INDEX payment_ended ON payment (ended_at) WHERE status IN ('expired', 'failed')"


def _parts_awaited() -> Iterator[str]:
    yield """ALTER TABLE dossier ADD COLUMN awaits TEXT COLLATE "C" NOT NULL DEFAULT 'null'"""
    yield "DROP INDEX dossier_tray"
    yield "CREATE INDEX dossier_tray ON dossier (procedure, state, due_order, id, office, assigned, closed, awaits)"


def _publications() -> Iterator[str]:
    yield from translated(PUBLICATIONS)
    yield from guards("publication", "a publication is for ever", "a publication is for ever")
    yield from guards("publication_entry", "the journal is never rewritten", "the journal is never cut")


def _forgotten() -> Iterator[str]:
    yield "DROP TRIGGER document_update ON document"
    erased = "new.content = '[]' AND new.holder = ''"
    also = f" OR (old.content IS DISTINCT FROM new.content AND NOT ({erased}))"
    yield from document_guards(*_DOCUMENT, also=also)


def _payment_page() -> Iterator[str]:
    yield 'ALTER TABLE payment ADD COLUMN page TEXT COLLATE "C"'


def _people() -> Iterator[str]:
    yield from translated(PEOPLE)
    yield from guards("people_entry", "the journal is never rewritten", "the journal is never cut")
    for table, column, kind, more in ADDED:
        yield f"ALTER TABLE {table} ADD COLUMN {column} {TYPES[kind]} {more}"


def _exchanges() -> Iterator[str]:
    yield from translated(EXCHANGES)


def _mandates() -> Iterator[str]:
    yield from translated(MANDATES)


def _edition_heads() -> Iterator[str]:
    yield EDITION_HEADS


def _tallies() -> Iterator[str]:
    yield from translated(TALLIES)


def _orders() -> Iterator[str]:
    yield from translated(ORDERS)


def _events() -> Iterator[str]:
    yield """ALTER TABLE dossier ADD COLUMN channel TEXT COLLATE "C" NOT NULL DEFAULT 'web'"""
    yield (
        "UPDATE dossier SET channel = coalesce("
        "(SELECT body::json ->> 'channel' FROM dossier_body WHERE dossier_body.dossier = dossier.id), 'web')"
    )
    yield EVENTS


def _leaves() -> Iterator[str]:
    yield from translated(LEAVES)
    yield from guards("leaf", "the journal is never rewritten", "the journal is never cut")
    yield from OWED_SO_FAR


def _snippets() -> Iterator[str]:
    yield from translated(SNIPPETS)


def _openings() -> Iterator[str]:
    yield from translated(OPENINGS)
    table, column, kind = LOST
    yield f"ALTER TABLE {table} ADD COLUMN {column} {TYPES[kind]}"


def _notes() -> Iterator[str]:
    yield from translated(NOTES)


def _refunds() -> Iterator[str]:
    yield from translated(REFUNDS)
    yield from owed_so_far(text_cell, whole_cell)


def _refused_mandates() -> Iterator[str]:
    table, column, kind, more = REFUSED_BECAUSE
    yield f"ALTER TABLE {table} ADD COLUMN {column} {TYPES[kind]} {more}"


def _phone_moves() -> Iterator[str]:
    yield from translated(PHONE_MOVES)


def _declared_names() -> Iterator[str]:
    table, column, kind, more = DECLARED
    yield f"ALTER TABLE {table} ADD COLUMN {column} {TYPES[kind]} {more}"
    yield from NAMES_DECLARED


def _sms_counts() -> Iterator[str]:
    yield from translated(SMS_COUNTS)


def _unproven_files() -> Iterator[str]:
    yield from translated(UNPROVEN_FILES)
    each = "CROSS JOIN LATERAL json_array_elements(b.body::json -> 'attachments') AS f"
    yield unproven_so_far(each, "f ->> 'sha256'", "(f ->> 'size')::bigint", "f ->> 'received_at'")


def _row_journal() -> Iterator[str | Filling]:
    yield from translated(ROW_JOURNAL)
    yield from guards("row_entry", "the journal is never rewritten", "the journal is never cut")
    yield _seal_found


def _seal_found(connection: psycopg.Connection[Any]) -> None:
    """Append the first entries of rows, as no SQL statement computes their hash."""

    def ask(sql: str, cells: Sequence[Any]) -> list[Any]:
        return connection.execute(sql.replace("?", "%s"), cells).fetchall()

    def columns(table: str) -> list[str]:
        sql = (
            "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND table_name = %s ORDER BY ordinal_position"
        )
        return [name for (name,) in connection.execute(sql, (table,)).fetchall()]

    with connection.cursor() as cursor:
        for entry, salts in found_so_far(ask, columns):
            cursor.execute(ROW_ENTRIES.insert().replace("?", "%s"), ROW_ENTRIES.cells(entry))
            cursor.execute(OWE.replace("?", "%s"), (entry.dossier, entry.n, entry.hash))
            cursor.executemany(ADD_SALT.replace("?", "%s"), [(entry.dossier, *one) for one in salts.items()])


def _papers() -> Iterator[str]:
    table, column, kind, more = PAPERS
    yield f"ALTER TABLE {table} ADD COLUMN {column} {TYPES[kind]} {more}"
    yield "DROP TRIGGER document_update ON document"
    erased = "new.content = '[]' AND new.holder = '' AND new.paper = 'null'"
    changed = "(old.content IS DISTINCT FROM new.content OR old.paper IS DISTINCT FROM new.paper)"
    yield from document_guards(*_DOCUMENT, also=f" OR ({changed} AND NOT ({erased}))")


def _compatibility() -> Iterator[str]:
    yield from translated(COMPATIBILITY)


def _former_order() -> Iterator[str]:
    yield FORMER_ORDER


def _follows() -> Iterator[str]:
    yield from translated(FOLLOWS)


def _annotations() -> Iterator[str]:
    yield from translated(ANNOTATIONS)


def _immediate_keys() -> Iterator[Filling]:
    """Yield the step that makes foreign keys immediate, as distributed engines require."""

    def each_key(connection: psycopg.Connection[Any]) -> None:
        for table, name in run(connection, _DEFERRED).fetchall():
            run(connection, f'ALTER TABLE {table} ALTER CONSTRAINT "{name}" NOT DEFERRABLE')

    yield each_key


def text_cell(column: str, name: str) -> str:
    """Return the SQL of a text in a JSON column."""
    return f"({column}::json ->> '{name}')"


def whole_cell(column: str, name: str) -> str:
    """Return the SQL of a whole number in a JSON column."""
    return f"{text_cell(column, name)}::bigint"


_EACH: Final = (
    _facts, _ended_payments, _parts_awaited, _publications, _forgotten, _payment_page, _people, _exchanges,
    _mandates, _edition_heads, _tallies, _orders, _events,
    _leaves,
    _snippets,
    _openings,
    _notes,
    _refunds,
    _refused_mandates,
    _phone_moves,
    _declared_names,
    _sms_counts,
    _unproven_files,
    _row_journal,
    _papers,
    _compatibility,
    ConcurrentIndex(*COMPANY_NUMBERS),
    ConcurrentIndex(*RECEIVED_ORDER),
    ConcurrentIndex(*ENTERED_ORDER),
    ConcurrentIndex(*WORK_ORDER),
    _former_order,
    _follows,
    _annotations,
    ConcurrentIndex(*RECEIPT_NUMBERS),
)  # fmt: skip
MIGRATIONS: Final[Mapping[str, Migration]] = dict(zip(NAMES, _EACH, strict=True))
_FINISHING: Final[Mapping[str, Migration]] = dict(zip(FINISHING, (_immediate_keys,), strict=True))


def migrate(connection: psycopg.Connection[Any]) -> None:
    """Apply pending migrations, each with its record in one transaction, without time limit. Safe to run several times
    at once. A new store is finished too. Raises `ForeignSchema`; LockNotAvailable after three minutes."""
    with (
        suppress(UniqueViolation, DuplicateTable),
        connection.transaction(),
    ):  # another process has just created it: IF NOT EXISTS does not exclude this
        run(connection, 'CREATE TABLE IF NOT EXISTS migration (name TEXT COLLATE "C" PRIMARY KEY, at TEXT NOT NULL)')
    new = not run(connection, _HAD).fetchone()
    for name, migration in MIGRATIONS.items():
        _apply(connection, name, migration)
    if new:
        finish(connection)


def finish(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Apply the finishing migrations, after which an earlier release can no longer use the store.

    Return the names of those applied now. All others must be applied before. Raises as `migrate`.
    """
    return tuple(name for name, migration in _FINISHING.items() if _apply(connection, name, migration))


def schema_of(connection: psycopg.Connection[Any]) -> tuple[frozenset[str], str]:
    """Return the applied migrations, and the newest that a release must know to use the store."""
    recorded = run(connection, RECORDED).fetchone()
    if not recorded or not recorded[0]:
        return frozenset(), ""
    had = frozenset(name for (name,) in run(connection, _HAD).fetchall())
    least = run(connection, LEAST).fetchone() if SINCE in had else None
    return had, least[0] if least else ""


def _apply(connection: psycopg.Connection[Any], name: str, migration: Migration) -> bool:
    """Apply one migration, if it is pending. Return whether it was."""
    for tried in range(1, _TRIES + 1):
        try:
            if isinstance(migration, ConcurrentIndex):
                if name in schema_of(connection)[0]:
                    return False
                _index(connection, migration)
            with connection.transaction():
                return _apply_once(connection, name, migration)
        except (LockNotAvailable, DeadlockDetected):  # two processes that build one index wait for each other
            if tried == _TRIES:
                raise
            time.sleep(_BETWEEN)
    raise AssertionError("unreachable")


def _apply_once(connection: psycopg.Connection[Any], name: str, migration: Migration) -> bool:
    run(connection, UNHURRIED)
    run(connection, _SHORT_LOCK)
    run(connection, "LOCK TABLE migration IN EXCLUSIVE MODE")
    had, least = schema_of(connection)
    check_compatible(had, least)
    if name in had:
        return False
    for statement in () if isinstance(migration, ConcurrentIndex) else migration():
        if isinstance(statement, str):
            run(connection, statement)
        else:
            statement(connection)
    if raised := FINISHING.get(name):
        run(connection, f"UPDATE compatibility SET least = '{raised}' WHERE least < '{raised}'")
    run(connection, f"INSERT INTO migration (name, at) VALUES ('{name}', {INSTANT})")
    return True


def _index(connection: psycopg.Connection[Any], index: ConcurrentIndex) -> None:
    """Build an index while others write. One that an interrupted build left invalid is built again."""
    for setting in _UNLIMITED:
        run(connection, f"SET {setting} = 0")
    try:
        run(connection, f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index.name} ON {index.on}")
        valid = run(connection, _VALID.format(index.name)).fetchone()
        if not valid or not valid[0]:
            run(connection, f"REINDEX INDEX CONCURRENTLY {index.name}")
    finally:
        for setting in _UNLIMITED:
            run(connection, f"RESET {setting}")


def check_settings(found: Mapping[str, str]) -> None:
    """Check the server settings. Raises `WrongEncoding`, or `UnsafeSettings` if acknowledged data could be lost."""
    if (encoding := found.get("server_encoding", "")) != SAFE["server_encoding"]:
        raise WrongEncoding(encoding)
    if wrong := [f"{name}={found.get(name)}" for name, value in SAFE.items() if found.get(name) != value]:
        raise UnsafeSettings(", ".join(wrong))


def run(connection: psycopg.Connection[Any], statement: str) -> psycopg.Cursor[Any]:
    """Execute a statement of our own schema. It holds no value from outside."""
    return connection.execute(statement)
