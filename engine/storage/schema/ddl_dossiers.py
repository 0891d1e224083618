"""Tables of dossiers, journals, outbox, payments, seats, documents and editions.

The text serves both databases: SQLite runs it, PostgreSQL its translation.
"""

from __future__ import annotations

from typing import Final

# The row for lists is apart from the body, which only the pages of one dossier read.
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

PAPERS: Final = ("document", "paper", "TEXT", "NOT NULL DEFAULT 'null'")

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

# Lists by due date, by day of sending and by day of the present state. The first also serves the counts of open work.
_LISTED: Final = "office, assigned, closed, awaits"
WORK_ORDER: Final = ("dossier_work", f"dossier (procedure, state, due_order, id, {_LISTED}, due_paused)")
FORMER_ORDER: Final = "DROP INDEX dossier_tray"
RECEIVED_ORDER: Final = ("dossier_received", f"dossier (procedure, state, submitted_at, id, {_LISTED})")
RECEIPT_NUMBERS: Final = ("payment_receipt", "payment (receipt) WHERE receipt IS NOT NULL")
ENTERED_ORDER: Final = ("dossier_entered", f"dossier (procedure, state, entered_at, id, {_LISTED})")

EDITION_HEADS: Final = "CREATE INDEX edition_head ON edition (procedure, edition, published_at, fingerprint)"
