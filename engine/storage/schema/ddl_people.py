"""Tables of people: accounts, sessions, second factors, identifiers, the access log and the journal of rights.

The text serves both databases: SQLite runs it, PostgreSQL its translation.
"""

from __future__ import annotations

from typing import Final

SIGN_IN: Final = """
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

PEOPLE: Final = """
CREATE TABLE second_factor (
  account TEXT PRIMARY KEY REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED,
  key TEXT NOT NULL,
  since TEXT,
  last_step INTEGER NOT NULL,
  recovery TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE identifier (
  kind TEXT NOT NULL CHECK (kind IN ('phone', 'email', 'provider')),
  value TEXT NOT NULL,
  account TEXT NOT NULL REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED,
  since TEXT NOT NULL,
  PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX identifier_account ON identifier (account);
CREATE TABLE reading (
  dossier TEXT NOT NULL REFERENCES dossier (id) DEFERRABLE INITIALLY DEFERRED,
  account TEXT NOT NULL,
  day TEXT NOT NULL,
  at TEXT NOT NULL,
  role TEXT NOT NULL,
  PRIMARY KEY (dossier, account, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX reading_account ON reading (account, at);
CREATE TABLE people_entry (
  dossier TEXT NOT NULL CHECK (dossier = 'people'),
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
CREATE TRIGGER people_entry_stays BEFORE UPDATE ON people_entry
  BEGIN SELECT RAISE(ABORT, 'the journal is never rewritten'); END;
CREATE TRIGGER people_entry_kept BEFORE DELETE ON people_entry
  BEGIN SELECT RAISE(ABORT, 'the journal is never cut'); END;
"""

# Columns added to existing tables: ends of roles and accounts, procedures of an auditor, agencies administered,
# a password chosen by another person, the device of a session.
ADDED: Final = (
    ("account", "ends", "TEXT", "NOT NULL DEFAULT '{}'"),
    ("account", "until", "TEXT", ""),
    ("account", "procedures", "TEXT", "NOT NULL DEFAULT '[]'"),
    ("account", "administers", "TEXT", "NOT NULL DEFAULT '[]'"),
    ("account", "fresh", "INTEGER", "NOT NULL DEFAULT 0"),
    ("session", "device", "TEXT", "NOT NULL DEFAULT ''"),
)

MANDATES: Final = """
CREATE TABLE mandate (
  id TEXT PRIMARY KEY,
  principal TEXT NOT NULL REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED,
  holder TEXT NOT NULL,
  invited TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('company', 'child', 'person', 'dossier')),
  role TEXT NOT NULL CHECK (role IN ('manager', 'agent', 'reader')),
  status TEXT NOT NULL CHECK (status IN ('asked', 'to_check', 'active', 'refused', 'ended')),
  made_by TEXT NOT NULL,
  created_at TEXT NOT NULL,
  until TEXT,
  procedures TEXT NOT NULL,
  dossiers TEXT NOT NULL,
  proof TEXT NOT NULL,
  proof_name TEXT NOT NULL,
  changed_at TEXT
) STRICT;
CREATE INDEX mandate_principal ON mandate (principal, created_at);
CREATE INDEX mandate_holder ON mandate (holder, created_at);
CREATE INDEX mandate_invited ON mandate (invited) WHERE holder = '';
CREATE INDEX mandate_to_check ON mandate (created_at) WHERE status = 'to_check';
"""

REFUSED_BECAUSE: Final = ("mandate", "reason", "TEXT", "NOT NULL DEFAULT ''")
DECLARED: Final = ("mandate", "declared", "TEXT", "NOT NULL DEFAULT ''")

# A company that an agent accepted keeps its name: it has a dossier, an active mandate, or a mandate made by another
# person than its holder. Any other name was typed by the first person who asked to act for it, and moves there.
_UNACCEPTED: Final = """kind = 'applicant' AND login LIKE 'company:%' AND name <> ''
  AND NOT EXISTS (SELECT 1 FROM dossier WHERE dossier.owner = account.id)
  AND NOT EXISTS (SELECT 1 FROM mandate WHERE mandate.principal = account.id
    AND (mandate.status = 'active' OR mandate.made_by <> mandate.holder))"""
NAMES_DECLARED: Final = (
    f"""UPDATE mandate SET declared = coalesce((SELECT name FROM account WHERE account.id = mandate.principal AND {_UNACCEPTED}), '')
  WHERE NOT EXISTS (SELECT 1 FROM mandate AS earlier WHERE earlier.principal = mandate.principal
    AND (earlier.created_at, earlier.id) < (mandate.created_at, mandate.id))""",
    f"UPDATE account SET name = '' WHERE {_UNACCEPTED}",
)

# A pending phone change. Until its day the holder of the former number may refuse it.
PHONE_MOVES: Final = """
CREATE TABLE phone_move (
  account TEXT PRIMARY KEY REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED,
  former TEXT NOT NULL,
  phone TEXT NOT NULL,
  dossier TEXT NOT NULL,
  agent TEXT NOT NULL,
  letter TEXT NOT NULL,
  asked_at TEXT NOT NULL,
  due_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX phone_move_due ON phone_move (due_at);
"""

# The index of companies by their number without spaces and punctuation, as `company_account` compares it. With a range
# of logins instead of `substr`, SQLite would read the unique index of logins.
BARE_NUMBER: Final = "replace(replace(replace(replace({}, ' ', ''), '-', ''), '.', ''), '/', '')"
COMPANIES: Final = "kind = 'applicant' AND substr(login, 1, 8) = 'company:'"
COMPANY_NUMBERS: Final = ("account_company", f"account ({BARE_NUMBER.format('login')}) WHERE {COMPANIES}")
