"""The tables of the SQLite store, as numbered migrations, and the settings a connection must really run with.

The constraints here are the promise (`docs/decisions/0005-stores.md`): one draft an owner and procedure, one person a
seat, one credit a payment, a journal and editions nobody rewrites. Instants are texts of 27 signs, in order of time.
A migration that was released is never edited: the next one corrects it.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Final

from sqlite_utils import Database, Migrations

from engine.records.events import EVENTS
from engine.records.exchanges import EXCHANGES, NOTES
from engine.records.leaves import LEAVES, OWED_SO_FAR
from engine.records.openings import LOST, OPENINGS
from engine.records.orders import ORDERS
from engine.records.people_schema import ADDED, MANDATES, PEOPLE, REFUSED_BECAUSE
from engine.records.refunds import REFUNDS, owed_so_far
from engine.records.snippets import SNIPPETS
from engine.records.tallies import TALLIES

PATIENCE: Final = 10.0  # seconds to wait for another process, as `busy_timeout` says in milliseconds

MIGRATIONS: Final = Migrations("guichet")
NAMES: Final = (
    "0001 facts",
    "0002 ended payments",
    "0003 parts awaited",
    "0004 publications",
    "0005 forgotten",
    "0006 payment page",
    "0007 people",
    "0008 exchanges",
    "0009 mandates",
    "0010 edition heads",
    "0011 tallies",
    "0012 orders",
    "0013 events",
    "0014 leaves",
    "0015 snippets",
    "0016 openings",
    "0017 notes",
    "0018 refunds",
    "0019 refused mandates",
)

SETTINGS: Final = {
    "synchronous": "2",  # FULL: a commit that was acknowledged survives a power cut
    "foreign_keys": "1",
    "recursive_triggers": "1",  # else INSERT OR REPLACE deletes past the triggers
    "secure_delete": "1",
    "trusted_schema": "0",
    "cell_size_check": "1",
    "busy_timeout": "10000",
}
SPEED: Final = ("PRAGMA cache_size=-16000", "PRAGMA temp_store=MEMORY", "PRAGMA journal_size_limit=67108864")


class UnsafeSettings(RuntimeError):
    """SQLite does not run as asked: nothing it acknowledges could be trusted, so the program does not start."""


class ForeignSchema(RuntimeError):
    """The file was written by a newer release than this one."""


def prepare(connection: sqlite3.Connection, journal_mode: str) -> None:
    """Sets the connection up and reads back what it really runs with. Raises `UnsafeSettings`."""
    connection.execute(f"PRAGMA busy_timeout={SETTINGS['busy_timeout']}")
    _switch_journal(connection, journal_mode)
    for name, value in SETTINGS.items():
        connection.execute(f"PRAGMA {name}={value}")
    for pragma in SPEED:
        connection.execute(pragma)
    found = read_settings(connection)
    asked = {"journal_mode": journal_mode, **SETTINGS}
    if wrong := [f"{name}={found[name]}" for name, value in asked.items() if found[name] != value]:
        raise UnsafeSettings(", ".join(wrong))


def _switch_journal(connection: sqlite3.Connection, journal_mode: str) -> None:
    """SQLite lets nobody wait for this switch, so of several processes that begin on one new file the others ask again."""
    deadline = time.monotonic() + PATIENCE
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != journal_mode:
        try:
            connection.execute(f"PRAGMA journal_mode={journal_mode}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return  # what it became is read back with all the rest


def read_settings(connection: sqlite3.Connection) -> dict[str, str]:
    """What the connection really runs with, by pragma."""
    return {name: str(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("journal_mode", *SETTINGS)}


def migrate(connection: sqlite3.Connection) -> None:
    """Applies what is pending, each migration with its record in one transaction. Safe to start twice at once."""
    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    if strangers := {one.name for one in MIGRATIONS.applied(db)} - set(NAMES):
        raise ForeignSchema(min(strangers))
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


# The row that lists read is kept apart from the body, which only the dossier's own pages read.
DOSSIERS: Final = """
CREATE TABLE dossier (
  id TEXT PRIMARY KEY,
  number TEXT NOT NULL UNIQUE,
  procedure TEXT NOT NULL,
  edition INTEGER NOT NULL,
  label TEXT NOT NULL,
  state TEXT NOT NULL,
  office TEXT,
  owner TEXT NOT NULL,
  assigned TEXT,
  submitted_at TEXT,
  entered_at TEXT NOT NULL,
  due_at TEXT,
  due_paused INTEGER NOT NULL CHECK (due_paused IN (0, 1)),
  closed INTEGER NOT NULL CHECK (closed IN (0, 1)),
  created_at TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 0),
  due_order TEXT NOT NULL GENERATED ALWAYS AS (coalesce(due_at, '~')) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX one_draft ON dossier (owner, procedure) WHERE submitted_at IS NULL AND closed = 0 AND owner <> '';
CREATE INDEX dossier_tray ON dossier (procedure, state, due_order, id, office, assigned, closed);
CREATE INDEX dossier_due ON dossier (due_order, id);
CREATE INDEX dossier_open ON dossier (due_order, id, office, assigned) WHERE closed = 0;
CREATE INDEX dossier_assigned ON dossier (assigned, due_order, id) WHERE assigned IS NOT NULL;
CREATE INDEX dossier_owner ON dossier (owner, created_at);
CREATE TABLE dossier_body (
  dossier TEXT PRIMARY KEY REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  body TEXT NOT NULL CHECK (json_valid(body))
) STRICT;
CREATE TABLE dossier_word (
  word TEXT NOT NULL,
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  PRIMARY KEY (word, dossier)
) STRICT, WITHOUT ROWID;
CREATE INDEX word_of_dossier ON dossier_word (dossier, word);
"""

JOURNAL: Final = """
CREATE TABLE entry (
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  n INTEGER NOT NULL CHECK (n > 0),
  at TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  kind TEXT NOT NULL,
  edition TEXT NOT NULL,
  body TEXT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  PRIMARY KEY (dossier, n)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the journal is never rewritten'); END;
CREATE TRIGGER entry_kept BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the journal is never cut'); END;
CREATE TABLE salt (
  dossier TEXT NOT NULL,
  n INTEGER NOT NULL,
  name TEXT NOT NULL,
  salt TEXT NOT NULL,
  PRIMARY KEY (dossier, n, name),
  FOREIGN KEY (dossier, n) REFERENCES entry (dossier, n) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
"""

OUTBOX: Final = """
CREATE TABLE letter (
  id TEXT PRIMARY KEY,
  dossier TEXT REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  channel TEXT NOT NULL CHECK (channel IN ('sms', 'email', 'inbox')),
  "to" TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  due_at TEXT NOT NULL,
  dedupe TEXT NOT NULL UNIQUE,
  created_at TEXT NOT NULL,
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  sent_at TEXT,
  failed TEXT,
  claimed_until TEXT
) STRICT;
CREATE INDEX letter_owed ON letter (due_at) WHERE sent_at IS NULL AND failed IS NULL;
CREATE INDEX letter_to ON letter ("to", created_at);
CREATE INDEX letter_dossier ON letter (dossier) WHERE dossier IS NOT NULL;
CREATE TABLE timer (
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  name TEXT NOT NULL,
  entry INTEGER NOT NULL,
  due_at TEXT NOT NULL,
  fired_at TEXT,
  PRIMARY KEY (dossier, name, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX timer_due ON timer (due_at) WHERE fired_at IS NULL;
"""

MONEY: Final = """
CREATE TABLE payment (
  id TEXT PRIMARY KEY,
  reference TEXT NOT NULL UNIQUE,
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  fees TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  provider TEXT NOT NULL,
  method TEXT NOT NULL,
  payer TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'paid', 'failed', 'expired', 'unknown', 'overpaid')),
  started_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  provider_ref TEXT,
  reason TEXT,
  ended_at TEXT,
  receipt TEXT,
  checked_at TEXT,
  UNIQUE (provider, provider_ref)
) STRICT;
CREATE INDEX payment_dossier ON payment (dossier);
CREATE INDEX payment_pending ON payment (coalesce(checked_at, started_at)) WHERE status IN ('pending', 'unknown');
CREATE TABLE pay_event (
  provider TEXT NOT NULL,
  event_id TEXT NOT NULL,
  payment TEXT REFERENCES payment (id) DEFERRABLE INITIALLY DEFERRED,
  kind TEXT NOT NULL,
  amount INTEGER NOT NULL,
  currency TEXT NOT NULL,
  at TEXT NOT NULL,
  verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
  note TEXT NOT NULL,
  PRIMARY KEY (provider, event_id)
) STRICT;
CREATE INDEX event_payment ON pay_event (payment) WHERE payment IS NOT NULL;
CREATE TABLE credit (
  payment TEXT PRIMARY KEY REFERENCES payment (id) DEFERRABLE INITIALLY DEFERRED,
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER credit_stays BEFORE UPDATE ON credit BEGIN SELECT RAISE(ABORT, 'a credit is for ever'); END;
CREATE TRIGGER credit_kept BEFORE DELETE ON credit BEGIN SELECT RAISE(ABORT, 'a credit is for ever'); END;
"""

SEATS: Final = """
CREATE TABLE booking (
  id TEXT PRIMARY KEY,
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  resource TEXT NOT NULL,
  appointment TEXT NOT NULL,
  office TEXT NOT NULL,
  start TEXT NOT NULL,
  minutes INTEGER NOT NULL CHECK (minutes > 0),
  seat INTEGER NOT NULL CHECK (seat >= 0),
  status TEXT NOT NULL CHECK (status IN ('booked', 'attended', 'missed', 'cancelled')),
  moves INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  arrived_at TEXT
) STRICT;
CREATE UNIQUE INDEX one_person_a_seat ON booking (resource, office, start, seat) WHERE status <> 'cancelled';
CREATE UNIQUE INDEX one_booking_at_once ON booking (dossier, appointment) WHERE status = 'booked';
CREATE INDEX booking_day ON booking (office, start) WHERE status <> 'cancelled';
"""

DOCUMENTS: Final = """
CREATE TABLE serial (series TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE document (
  id TEXT PRIMARY KEY,
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  output TEXT NOT NULL,
  title TEXT NOT NULL,
  number TEXT NOT NULL UNIQUE,
  issued_at TEXT NOT NULL,
  valid_until TEXT,
  code TEXT NOT NULL UNIQUE,
  token TEXT NOT NULL UNIQUE,
  content TEXT NOT NULL,
  holder TEXT NOT NULL,
  signed_by TEXT,
  jws TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('valid', 'suspended', 'revoked', 'replaced')),
  changed_at TEXT,
  row INTEGER
) STRICT;
CREATE INDEX document_dossier ON document (dossier);
CREATE TRIGGER document_stays BEFORE UPDATE ON document
  WHEN (old.id, old.dossier, old.output, old.number, old.issued_at, old.code, old.token, old.content, old.jws) IS NOT
       (new.id, new.dossier, new.output, new.number, new.issued_at, new.code, new.token, new.content, new.jws)
  BEGIN SELECT RAISE(ABORT, 'an issued document changes its status only'); END;
CREATE TRIGGER document_kept BEFORE DELETE ON document
  BEGIN SELECT RAISE(ABORT, 'an issued document is never deleted'); END;
"""

EDITIONS: Final = """
CREATE TABLE edition (
  procedure TEXT NOT NULL,
  edition INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  source TEXT NOT NULL,
  expanded TEXT NOT NULL,
  published_at TEXT NOT NULL,
  published_by TEXT NOT NULL,
  "commit" TEXT,
  PRIMARY KEY (procedure, fingerprint)
) STRICT;
CREATE TRIGGER edition_stays BEFORE UPDATE ON edition BEGIN SELECT RAISE(ABORT, 'an edition is for ever'); END;
CREATE TRIGGER edition_kept BEFORE DELETE ON edition BEGIN SELECT RAISE(ABORT, 'an edition is for ever'); END;
"""

EDITION_HEADS: Final = "CREATE INDEX edition_head ON edition (procedure, edition, published_at, fingerprint)"

DOOR: Final = """
CREATE TABLE account (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('applicant', 'agent', 'auditor')),
  name TEXT NOT NULL,
  login TEXT NOT NULL,
  secret TEXT NOT NULL,
  roles TEXT NOT NULL,
  offices TEXT NOT NULL,
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  profile TEXT NOT NULL,
  UNIQUE (kind, login)
) STRICT;
CREATE TABLE session (
  token_sha256 TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  created_at TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  kept INTEGER NOT NULL CHECK (kept IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX session_account ON session (account);
CREATE INDEX session_expires ON session (expires_at);
CREATE TABLE sign_in_code (
  phone TEXT PRIMARY KEY,
  code_sha256 TEXT NOT NULL,
  sent_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  tries_left INTEGER NOT NULL,
  sends INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE rate (
  key TEXT NOT NULL,
  "window" TEXT NOT NULL,
  n INTEGER NOT NULL,
  at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
  PRIMARY KEY (key, "window")
) STRICT, WITHOUT ROWID;
CREATE TABLE aside (key TEXT PRIMARY KEY, body TEXT NOT NULL, at TEXT NOT NULL) STRICT;
CREATE TABLE reply (
  principal TEXT NOT NULL,
  route TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  body TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (principal, route, key)
) STRICT;
"""

PUBLICATIONS: Final = """
CREATE TABLE publication (
  n INTEGER PRIMARY KEY CHECK (n > 0),
  at TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('published', 'refused', 'rolled_back')),
  origin TEXT NOT NULL,
  placed TEXT NOT NULL,
  removed TEXT NOT NULL,
  gates TEXT NOT NULL,
  "by" TEXT NOT NULL,
  because TEXT NOT NULL
) STRICT;
CREATE TRIGGER publication_stays BEFORE UPDATE ON publication
  BEGIN SELECT RAISE(ABORT, 'a publication is for ever'); END;
CREATE TRIGGER publication_kept BEFORE DELETE ON publication
  BEGIN SELECT RAISE(ABORT, 'a publication is for ever'); END;
CREATE TABLE publication_entry (
  dossier TEXT NOT NULL CHECK (dossier = 'publications'),
  n INTEGER PRIMARY KEY CHECK (n > 0),
  at TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  actor TEXT NOT NULL,
  kind TEXT NOT NULL,
  edition TEXT NOT NULL,
  body TEXT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE
) STRICT;
CREATE TRIGGER publication_entry_stays BEFORE UPDATE ON publication_entry
  BEGIN SELECT RAISE(ABORT, 'the journal is never rewritten'); END;
CREATE TRIGGER publication_entry_kept BEFORE DELETE ON publication_entry
  BEGIN SELECT RAISE(ABORT, 'the journal is never cut'); END;
CREATE TABLE watch (
  source TEXT PRIMARY KEY,
  at TEXT NOT NULL,
  "commit" TEXT NOT NULL,
  trouble TEXT NOT NULL,
  facts TEXT NOT NULL,
  since TEXT,
  tries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


@MIGRATIONS(name=NAMES[0])
def facts(db: Database) -> None:
    """Dossiers, their journal, and what is kept beside them."""
    for part in (DOSSIERS, JOURNAL, OUTBOX, MONEY, SEATS, DOCUMENTS, EDITIONS, DOOR):
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


def json_cell(column: str, name: str) -> str:
    return f"json_extract({column}, '$.{name}')"
