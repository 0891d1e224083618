"""The tables of the SQLite store, made by numbered migrations.

The statements are in the modules imported here. Their constraints enforce the rules (`docs/decisions/0005-stores.md`):
one draft for an owner and procedure, one person for a seat, one credit for a payment. Journals and editions are never
rewritten. Instants are texts of 27 characters, in order of time. A released migration is never edited, and the next
one corrects it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Final

from sqlite_utils import Database, Migrations

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
from engine.storage.schema.migration_list import COMPATIBILITY, NAMES
from engine.storage.sql.row_journal import ROW_ENTRIES

MIGRATIONS: Final = Migrations("guichet")


def apply_pending(connection: sqlite3.Connection, without: Collection[str] = ()) -> None:
    """Apply pending migrations `without` some, each with its record in one transaction. Safe to run twice at once."""
    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    for migration in MIGRATIONS.pending(db):
        if migration.name not in without:
            _apply_one(db, migration.name)


def _apply_one(db: Database, name: str) -> None:
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        pending = [migration.name for migration in MIGRATIONS.pending(db)]
        if pending[:1] == [name]:  # otherwise another process was faster
            MIGRATIONS.apply(db, stop_before=pending[1:2])
        db.conn.execute("COMMIT")
    except BaseException:
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
        raise


@MIGRATIONS(name=NAMES[0])
def facts(db: Database) -> None:
    """Create the tables of dossiers, journals, messages, payments, seats, documents, editions and sign-in."""
    for part in (DOSSIERS, JOURNAL, OUTBOX, MONEY, SEATS, DOCUMENTS, EDITIONS, SIGN_IN):
        db.executescript(part)


@MIGRATIONS(name=NAMES[1])
def ended_payments(db: Database) -> None:
    """Add the index of payments that ended without money, which are checked for one more day."""
    db.execute("CREATE INDEX payment_ended ON payment (ended_at) WHERE status IN ('expired', 'failed')")


@MIGRATIONS(name=NAMES[2])
def parts_awaited(db: Database) -> None:
    """Add the roles that a dossier still waits for to its row.

    The column is JSON. It is `null` when the dossier waits for none, or has not changed state since the
    migration.
    """
    db.execute("ALTER TABLE dossier ADD COLUMN awaits TEXT NOT NULL DEFAULT 'null'")
    db.execute("DROP INDEX dossier_tray")
    db.execute(
        "CREATE INDEX dossier_tray ON dossier (procedure, state, due_order, id, office, assigned, closed, awaits)"
    )


@MIGRATIONS(name=NAMES[3])
def publications(db: Database) -> None:
    """Create the tables of publications and of the follower's state."""
    db.executescript(PUBLICATIONS)


@MIGRATIONS(name=NAMES[4])
def forgotten(db: Database) -> None:
    """Allow the content of an issued document to be erased as a whole after retention.

    Nothing else of it may change.
    """
    db.execute("DROP TRIGGER document_stays")
    db.execute("""
        CREATE TRIGGER document_stays BEFORE UPDATE ON document
          WHEN (old.id, old.dossier, old.output, old.number, old.issued_at, old.code, old.token, old.jws) IS NOT
               (new.id, new.dossier, new.output, new.number, new.issued_at, new.code, new.token, new.jws)
            OR (old.content IS NOT new.content AND NOT (new.content = '[]' AND new.holder = ''))
          BEGIN SELECT RAISE(ABORT, 'an issued document changes its status only'); END""")


@MIGRATIONS(name=NAMES[5])
def payment_page(db: Database) -> None:
    """Add the address of the operator's page where the payer confirms."""
    db.execute("ALTER TABLE payment ADD COLUMN page TEXT")


@MIGRATIONS(name=NAMES[6])
def people(db: Database) -> None:
    """Create the tables of second factors, identifiers, the access log and the journal of rights.

    Add the ends of rights.
    """
    db.executescript(PEOPLE)
    for table, column, kind, more in ADDED:
        db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} {more}")


@MIGRATIONS(name=NAMES[7])
def exchanges(db: Database) -> None:
    """Create the tables of messages, held seats, waiting lists and shares."""
    db.executescript(EXCHANGES)


@MIGRATIONS(name=NAMES[8])
def mandates(db: Database) -> None:
    """Create the table of mandates: who acts for whom, their limits and their last day."""
    db.executescript(MANDATES)


@MIGRATIONS(name=NAMES[9])
def edition_heads(db: Database) -> None:
    """Add the index that lists editions without reading their texts."""
    db.execute(EDITION_HEADS)


@MIGRATIONS(name=NAMES[10])
def tallies(db: Database) -> None:
    """Create the counters by procedure, month and office, and an index of the journal by time."""
    db.executescript(TALLIES)


@MIGRATIONS(name=NAMES[11])
def orders(db: Database) -> None:
    """Create the tables of jobs, of their items and of exported files."""
    db.executescript(ORDERS)


@MIGRATIONS(name=NAMES[12])
def events(db: Database) -> None:
    """Add the index of all journals by time, and the channel of each dossier to its row."""
    db.execute("ALTER TABLE dossier ADD COLUMN channel TEXT NOT NULL DEFAULT 'web'")
    db.execute(
        "UPDATE dossier SET channel = coalesce("
        "(SELECT json_extract(body, '$.channel') FROM dossier_body WHERE dossier_body.dossier = dossier.id), 'web')"
    )
    db.execute(EVENTS)


@MIGRATIONS(name=NAMES[13])
def leaves(db: Database) -> None:
    """Create the signed tree of the journal. All earlier entries become pending leaves."""
    db.executescript(LEAVES)
    for statement in OWED_SO_FAR:
        db.execute(statement)


@MIGRATIONS(name=NAMES[14])
def snippets(db: Database) -> None:
    """Create the table of snippets that agencies store for their agents."""
    db.executescript(SNIPPETS)


@MIGRATIONS(name=NAMES[15])
def openings(db: Database) -> None:
    """Create the table of opening changes. Add the change that cancelled a booking to its row."""
    db.executescript(OPENINGS)
    db.execute(f"ALTER TABLE {LOST[0]} ADD COLUMN {LOST[1]} {LOST[2]}")


@MIGRATIONS(name=NAMES[16])
def notes(db: Database) -> None:
    """Create the table of internal notes of agents."""
    db.executescript(NOTES)


@MIGRATIONS(name=NAMES[17])
def refunds(db: Database) -> None:
    """Create the table of refunds due, and fill it with what the journals owed so far."""
    db.executescript(REFUNDS)
    for statement in owed_so_far(json_cell, json_cell):
        db.execute(statement)


@MIGRATIONS(name=NAMES[18])
def refused_mandates(db: Database) -> None:
    """Add the reason why a mandate was refused."""
    table, column, kind, more = REFUSED_BECAUSE
    db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} {more}")


@MIGRATIONS(name=NAMES[19])
def phone_moves(db: Database) -> None:
    """Create the table of changes of a telephone number that an applicant asked for at a counter."""
    db.executescript(PHONE_MOVES)


@MIGRATIONS(name=NAMES[20])
def declared_names(db: Database) -> None:
    """Move names of companies that no agent accepted to the mandates, where only the person who typed them sees
    them."""
    table, column, kind, more = DECLARED
    db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} {more}")
    for statement in NAMES_DECLARED:
        db.execute(statement)


@MIGRATIONS(name=NAMES[21])
def sms_counts(db: Database) -> None:
    """Create the counts of SMS and their cost. Earlier messages are not counted."""
    db.executescript(SMS_COUNTS)


@MIGRATIONS(name=NAMES[22])
def unproven_files(db: Database) -> None:
    """Create the table of files in unverified drafts, and fill it with those stored earlier."""
    db.executescript(UNPROVEN_FILES)
    digest, size, at = (f"json_extract(f.value, '$.{name}')" for name in ("sha256", "size", "received_at"))
    db.execute(unproven_so_far("JOIN json_each(b.body, '$.attachments') f", digest, size, at))


@MIGRATIONS(name=NAMES[23])
def row_journal(db: Database) -> None:
    """Create the journal of accounts and mandates, beginning with their present rows."""
    db.executescript(ROW_JOURNAL)

    def columns(table: str) -> list[str]:
        rows = db.conn.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,))
        return [name for (name,) in rows]

    for entry, salts in found_so_far(db.conn.execute, columns):
        db.conn.execute(ROW_ENTRIES.insert(), ROW_ENTRIES.cells(entry))
        db.conn.execute(OWE, (entry.dossier, entry.n, entry.hash))
        db.conn.executemany(ADD_SALT, [(entry.dossier, name, salt) for name, salt in salts.items()])


@MIGRATIONS(name=NAMES[24])
def papers(db: Database) -> None:
    """Add what a document states to its row. It is erased with the content, and changes in no other way."""
    table, column, kind, more = PAPERS
    db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} {more}")
    db.execute("DROP TRIGGER document_stays")
    db.execute("""
        CREATE TRIGGER document_stays BEFORE UPDATE ON document
          WHEN (old.id, old.dossier, old.output, old.number, old.issued_at, old.code, old.token, old.jws) IS NOT
               (new.id, new.dossier, new.output, new.number, new.issued_at, new.code, new.token, new.jws)
            OR ((old.content, old.paper) IS NOT (new.content, new.paper)
                AND NOT (new.content = '[]' AND new.holder = '' AND new.paper = 'null'))
          BEGIN SELECT RAISE(ABORT, 'an issued document changes its status only'); END""")


@MIGRATIONS(name=NAMES[25])
def compatibility(db: Database) -> None:
    """Create the row that names the newest migration that a release must know to use the store."""
    db.executescript(COMPATIBILITY)


@MIGRATIONS(name=NAMES[26])
def company_numbers(db: Database) -> None:
    """Add the index of companies by their number."""
    _index(db, *COMPANY_NUMBERS)


@MIGRATIONS(name=NAMES[27])
def received_order(db: Database) -> None:
    """Add the index of lists by day of sending."""
    _index(db, *RECEIVED_ORDER)


@MIGRATIONS(name=NAMES[28])
def entered_order(db: Database) -> None:
    """Add the index of lists by day of the present state."""
    _index(db, *ENTERED_ORDER)


@MIGRATIONS(name=NAMES[29])
def work_order(db: Database) -> None:
    """Add the index of lists by due date that also says whether it is paused."""
    _index(db, *WORK_ORDER)


@MIGRATIONS(name=NAMES[30])
def former_order(db: Database) -> None:
    """Drop the index that it replaces."""
    db.execute(FORMER_ORDER)


@MIGRATIONS(name=NAMES[31])
def follows(db: Database) -> None:
    """Create the table of dossiers that agents follow."""
    db.executescript(FOLLOWS)


@MIGRATIONS(name=NAMES[32])
def noted_values(db: Database) -> None:
    """Create the table of what agents note under the annotations of a procedure."""
    db.executescript(ANNOTATIONS)


@MIGRATIONS(name=NAMES[33])
def receipt_numbers(db: Database) -> None:
    """Add the index of payments by the number of their receipt."""
    _index(db, *RECEIPT_NUMBERS)


def _index(db: Database, name: str, on: str) -> None:
    db.execute(f"CREATE INDEX {name} ON {on}")


def json_cell(column: str, name: str) -> str:
    """Return the SQL of a value in a JSON column."""
    return f"json_extract({column}, '$.{name}')"
