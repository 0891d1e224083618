"""The tables of the SQLite store, made by numbered migrations.

The statements stand with their subjects (`facts_schema.py`, `people_schema.py` and the others imported here). The
constraints in them are the promise (`docs/decisions/0005-stores.md`): one draft an owner and procedure, one person a
seat, one credit a payment, a journal and editions nobody rewrites. Instants are texts of 27 signs, in order of time.
A migration that was released is never edited: the next one corrects it.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlite_utils import Database, Migrations

from engine.journal.leaves import LEAVES, OWE, OWED_SO_FAR
from engine.journal.row_journal import ADD_SALT, ROW_JOURNAL, found_so_far
from engine.journal.search import EVENTS
from engine.records.administration import LOST, OPENINGS
from engine.records.exchanges import EXCHANGES, NOTES
from engine.records.jobs import ORDERS
from engine.records.publications import PUBLICATIONS
from engine.records.refunds import REFUNDS, owed_so_far
from engine.records.sms_counts import SMS_COUNTS
from engine.records.snippets import SNIPPETS
from engine.records.statistics import TALLIES
from engine.records.unverified_files import UNPROVEN_FILES, unproven_so_far
from engine.storage.schema.ddl_dossiers import (
    DOCUMENTS,
    DOSSIERS,
    EDITION_HEADS,
    EDITIONS,
    JOURNAL,
    MONEY,
    OUTBOX,
    SEATS,
)
from engine.storage.schema.ddl_people import (
    ADDED,
    DECLARED,
    MANDATES,
    NAMES_DECLARED,
    PEOPLE,
    PHONE_MOVES,
    REFUSED_BECAUSE,
    SIGN_IN,
)
from engine.storage.schema.migration_list import NAMES
from engine.storage.sql.row_journal import ROW_ENTRIES

MIGRATIONS: Final = Migrations("guichet")


def apply_pending(connection: sqlite3.Connection) -> None:
    """Each migration with its record in one transaction. Safe to start twice at once."""
    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    for migration in MIGRATIONS.pending(db):
        _apply_one(db, migration.name)


def _apply_one(db: Database, name: str) -> None:
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        pending = [migration.name for migration in MIGRATIONS.pending(db)]
        if pending[:1] == [name]:  # else another process was faster
            MIGRATIONS.apply(db, stop_before=pending[1:2])
        db.conn.execute("COMMIT")
    except BaseException:
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
        raise


@MIGRATIONS(name=NAMES[0])
def facts(db: Database) -> None:
    """Dossiers, their journal, and what is kept beside them."""
    for part in (DOSSIERS, JOURNAL, OUTBOX, MONEY, SEATS, DOCUMENTS, EDITIONS, SIGN_IN):
        db.executescript(part)


@MIGRATIONS(name=NAMES[1])
def ended_payments(db: Database) -> None:
    """Those that ended without money are asked about for a day more: found by when they ended."""
    db.execute("CREATE INDEX payment_ended ON payment (ended_at) WHERE status IN ('expired', 'failed')")


@MIGRATIONS(name=NAMES[2])
def parts_awaited(db: Database) -> None:
    """Which roles a dossier still waits for, where it waits for several; `null` elsewhere, and until it moves again."""
    db.execute("ALTER TABLE dossier ADD COLUMN awaits TEXT NOT NULL DEFAULT 'null'")
    db.execute("DROP INDEX dossier_tray")
    db.execute(
        "CREATE INDEX dossier_tray ON dossier (procedure, state, due_order, id, office, assigned, closed, awaits)"
    )


@MIGRATIONS(name=NAMES[3])
def publications(db: Database) -> None:
    """What was decided about the editions in service, and how following a repository goes."""
    db.executescript(PUBLICATIONS)


@MIGRATIONS(name=NAMES[4])
def forgotten(db: Database) -> None:
    """What an issued document shows may be erased, whole, once its dossier is kept no more; nothing else of it changes."""
    db.execute("DROP TRIGGER document_stays")
    db.execute("""
        CREATE TRIGGER document_stays BEFORE UPDATE ON document
          WHEN (old.id, old.dossier, old.output, old.number, old.issued_at, old.code, old.token, old.jws) IS NOT
               (new.id, new.dossier, new.output, new.number, new.issued_at, new.code, new.token, new.jws)
            OR (old.content IS NOT new.content AND NOT (new.content = '[]' AND new.holder = ''))
          BEGIN SELECT RAISE(ABORT, 'an issued document changes its status only'); END""")


@MIGRATIONS(name=NAMES[5])
def payment_page(db: Database) -> None:
    """Where the payer confirms, when the operator has a page of its own."""
    db.execute("ALTER TABLE payment ADD COLUMN page TEXT")


@MIGRATIONS(name=NAMES[6])
def people(db: Database) -> None:
    """Second factors, ways of being known, rights that end, who read what, and the journal of rights."""
    db.executescript(PEOPLE)
    for table, column, kind, more in ADDED:
        db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} {more}")


@MIGRATIONS(name=NAMES[7])
def exchanges(db: Database) -> None:
    """Messages, seats held while they are confirmed, waiting lists, documents lent by a link."""
    db.executescript(EXCHANGES)


@MIGRATIONS(name=NAMES[8])
def mandates(db: Database) -> None:
    """Who acts for whom, within which bounds, until when."""
    db.executescript(MANDATES)


@MIGRATIONS(name=NAMES[9])
def edition_heads(db: Database) -> None:
    """Editions are listed without walking over their texts."""
    db.execute(EDITION_HEADS)


@MIGRATIONS(name=NAMES[10])
def tallies(db: Database) -> None:
    """What happened, counted by procedure, month and office; the journal in the order of time, which it is counted from."""
    db.executescript(TALLIES)


@MIGRATIONS(name=NAMES[11])
def orders(db: Database) -> None:
    """Work ordered for many dossiers at once, files that take long to prepare."""
    db.executescript(ORDERS)


@MIGRATIONS(name=NAMES[12])
def events(db: Database) -> None:
    """The journals are read together by time; through what each dossier came stands on its line."""
    db.execute("ALTER TABLE dossier ADD COLUMN channel TEXT NOT NULL DEFAULT 'web'")
    db.execute(
        "UPDATE dossier SET channel = coalesce("
        "(SELECT json_extract(body, '$.channel') FROM dossier_body WHERE dossier_body.dossier = dossier.id), 'web')"
    )
    db.execute(EVENTS)


@MIGRATIONS(name=NAMES[13])
def leaves(db: Database) -> None:
    """The journal as one tree, which is signed; all that was sealed so far is owed to it."""
    db.executescript(LEAVES)
    for statement in OWED_SO_FAR:
        db.execute(statement)


@MIGRATIONS(name=NAMES[14])
def snippets(db: Database) -> None:
    """Sentences that agencies keep ready for their agents."""
    db.executescript(SNIPPETS)


@MIGRATIONS(name=NAMES[15])
def openings(db: Database) -> None:
    """When offices receive beside what their file says; which change took a slot away."""
    db.executescript(OPENINGS)
    db.execute(f"ALTER TABLE {LOST[0]} ADD COLUMN {LOST[1]} {LOST[2]}")


@MIGRATIONS(name=NAMES[16])
def notes(db: Database) -> None:
    """What agents write about a dossier for one another."""
    db.executescript(NOTES)


@MIGRATIONS(name=NAMES[17])
def refunds(db: Database) -> None:
    """What is owed back to whoever paid, until it is paid back; all that journals owed so far."""
    db.executescript(REFUNDS)
    for statement in owed_so_far(json_cell, json_cell):
        db.execute(statement)


@MIGRATIONS(name=NAMES[18])
def refused_mandates(db: Database) -> None:
    """Why a mandate was refused, for who asked for it."""
    table, column, kind, more = REFUSED_BECAUSE
    db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} {more}")


@MIGRATIONS(name=NAMES[19])
def phone_moves(db: Database) -> None:
    """Numbers asked for at a counter, that wait for their day."""
    db.executescript(PHONE_MOVES)


@MIGRATIONS(name=NAMES[20])
def declared_names(db: Database) -> None:
    """The name of a company that no agent has accepted is read by who gave it alone."""
    table, column, kind, more = DECLARED
    db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} {more}")
    for statement in NAMES_DECLARED:
        db.execute(statement)


@MIGRATIONS(name=NAMES[21])
def sms_counts(db: Database) -> None:
    """Text messages that left and their cost; those of before are not counted."""
    db.executescript(SMS_COUNTS)


@MIGRATIONS(name=NAMES[22])
def unproven_files(db: Database) -> None:
    """Bytes of files that unproven drafts hold; those they hold already are counted too."""
    db.executescript(UNPROVEN_FILES)
    digest, size, at = (f"json_extract(f.value, '$.{name}')" for name in ("sha256", "size", "received_at"))
    db.execute(unproven_so_far("JOIN json_each(b.body, '$.attachments') f", digest, size, at))


@MIGRATIONS(name=NAMES[23])
def row_journal(db: Database) -> None:
    """Accounts and mandates are journalled from now on, as they are found."""
    db.executescript(ROW_JOURNAL)

    def columns(table: str) -> list[str]:
        rows = db.conn.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,))
        return [name for (name,) in rows]

    for entry, salts in found_so_far(db.conn.execute, columns):
        db.conn.execute(ROW_ENTRIES.insert(), ROW_ENTRIES.cells(entry))
        db.conn.execute(OWE, (entry.dossier, entry.n, entry.hash))
        db.conn.executemany(ADD_SALT, [(entry.dossier, name, salt) for name, salt in salts.items()])


def json_cell(column: str, name: str) -> str:
    return f"json_extract({column}, '$.{name}')"
