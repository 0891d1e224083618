"""Queries on second factors, identifiers, phone changes, mandates, the access log and the journal of rights."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from engine.journal.chain import JournalEntry
from engine.journal.leaves import OWE
from engine.records.codec import instant_text
from engine.records.people import Identifier, Mandate, PhoneMove, Reading, SecondFactor, Session
from engine.storage.results import AlreadyExists, Conflict
from engine.storage.sql.connection import TableMapping
from engine.storage.sql.row_journal import FACTORS, IDENTIFIERS, MANDATES, MOVES, RowQueries

READINGS: Final = TableMapping(Reading, "reading", ("dossier", "account", "day"))
RIGHTS: Final = TableMapping(JournalEntry, "people_entry", ("n",))
SESSIONS: Final = TableMapping(Session, "session", ("token_sha256",))
_HANDLED: Final = (  # an erased dossier has no owner, and a closed draft holds nothing
    "WITH RECURSIVE hand (holder) AS (SELECT holder FROM mandate WHERE id = ? UNION"
    " SELECT m.holder FROM mandate m JOIN hand h ON m.made_by = h.holder WHERE m.principal = ? AND m.holder <> '')"
    " SELECT 1 FROM dossier d WHERE d.owner = ? AND (d.submitted_at IS NOT NULL OR d.closed = 0) AND EXISTS"
    " (SELECT 1 FROM entry e WHERE e.dossier = d.id AND e.at >= ? AND e.at <= ? AND e.actor IN (SELECT holder FROM hand))"
    " LIMIT 1"
)


class PeopleQueries(RowQueries):
    """Queries of `Unit` beside accounts and sign-in."""

    def second_factor(self, account_id: str) -> SecondFactor | None:
        """Return the second factor of the account, or None. A writing unit locks it."""
        row = self._row(f"{FACTORS.select} WHERE account = ?{self.lock}", (account_id,))
        return FACTORS.read(row) if row else None

    def put_second_factor(self, factor: SecondFactor) -> None:
        """Insert or update a second factor. The chain of the account records it."""
        self._change(FACTORS.upsert, FACTORS.cells(factor))
        self._seal_row(f"account/{factor.account}", FACTORS, factor, "second_factor")

    def drop_second_factor(self, account_id: str) -> None:
        """Delete the second factor. The chain of the account records it."""
        if self._change("DELETE FROM second_factor WHERE account = ?", (account_id,)):
            self._seal_gone(account_id, "second_factor")

    def identifier(self, kind: str, value: str) -> Identifier | None:
        """Return the identifier of this kind and value, or None."""
        row = self._row(f"{IDENTIFIERS.select} WHERE kind = ? AND value = ?", (kind, value))
        return IDENTIFIERS.read(row) if row else None

    def identifiers_of(self, account_id: str) -> tuple[Identifier, ...]:
        """Return the identifiers of the account, by kind and value."""
        rows = self._rows(f"{IDENTIFIERS.select} WHERE account = ? ORDER BY kind, value", (account_id,))
        return IDENTIFIERS.read_all(rows)

    def add_identifier(self, identifier: Identifier) -> None:
        """Insert an identifier. Raises `AlreadyExists` if an account has it already."""
        self._change(IDENTIFIERS.insert(), IDENTIFIERS.cells(identifier))
        self._seal_identifiers(identifier.account)

    def drop_identifier(self, kind: str, value: str) -> None:
        """Delete an identifier, if any. The chain of its account records it."""
        gone = self._changed("DELETE FROM identifier WHERE kind = ? AND value = ? RETURNING account", (kind, value))
        for (account_id,) in gone:
            self._seal_identifiers(account_id)

    def phone_move(self, account_id: str) -> PhoneMove | None:
        """Return the pending phone change of the account, or None. A writing unit locks it."""
        row = self._row(f"{MOVES.select} WHERE account = ?{self.lock}", (account_id,))
        return MOVES.read(row) if row else None

    def add_phone_move(self, move: PhoneMove) -> None:
        """Insert a phone change. Raises `AlreadyExists` if one is pending."""
        self._change(MOVES.insert(), MOVES.cells(move))
        self._seal_row(f"account/{move.account}", MOVES, move, "phone_move")

    def drop_phone_move(self, account_id: str) -> None:
        """Delete the pending phone change. The chain of the account records it."""
        if self._change("DELETE FROM phone_move WHERE account = ?", (account_id,)):
            self._seal_gone(account_id, "phone_move")

    def due_phone_moves(self, now: datetime, limit: int) -> tuple[PhoneMove, ...]:
        """Return the due phone changes, the longest due first."""
        sql = f"{MOVES.select} WHERE due_at <= ? ORDER BY due_at, account LIMIT ?"
        return MOVES.read_all(self._rows(sql, (instant_text(now), limit)))

    def mandate(self, mandate_id: str) -> Mandate | None:
        """Return the mandate, or None. A writing unit locks it."""
        row = self._row(f"{MANDATES.select} WHERE id = ?{self.lock}", (mandate_id,))
        return MANDATES.read(row) if row else None

    def put_mandate(self, mandate: Mandate) -> None:
        """Insert or update a mandate. The chain of the mandate records it."""
        self._change(MANDATES.upsert, MANDATES.cells(mandate))
        self._seal_row(f"mandate/{mandate.id}", MANDATES, mandate, "mandate")

    def mandates_given(self, principal: str) -> tuple[Mandate, ...]:
        """Return the mandates of this principal, whatever their status, the oldest first."""
        rows = self._rows(f"{MANDATES.select} WHERE principal = ? ORDER BY created_at, id", (principal,))
        return MANDATES.read_all(rows)

    def mandates_held(self, holder: str) -> tuple[Mandate, ...]:
        """Return the mandates of this holder, whatever their status, the oldest first."""
        rows = self._rows(f"{MANDATES.select} WHERE holder = ? ORDER BY created_at, id", (holder,))
        return MANDATES.read_all(rows)

    def mandates_awaiting(self, phone: str) -> tuple[Mandate, ...]:
        """Return the mandates for this phone number whose holder never signed in since."""
        rows = self._rows(f"{MANDATES.select} WHERE invited = ? AND holder = ''", (phone,))
        return MANDATES.read_all(rows)

    def mandates_to_check(self, limit: int = 200) -> tuple[Mandate, ...]:
        """Return the mandates whose document an agent must check, the oldest first."""
        sql = f"{MANDATES.select} WHERE status = 'to_check' ORDER BY created_at, id LIMIT ?"
        return MANDATES.read_all(self._rows(sql, (limit,)))

    def mandates_with_papers(self) -> tuple[Mandate, ...]:
        """Return mandates with a stored document that are ended, refused, or limited by a last day."""
        where = "proof <> '' AND (status IN ('ended', 'refused') OR until IS NOT NULL)"
        return MANDATES.read_all(self._rows(f"{MANDATES.select} WHERE {where} ORDER BY created_at, id", ()))

    def mandates_expired(self, first: date, end: date) -> tuple[Mandate, ...]:
        """Return the active mandates whose last day is from `first` to before `end`."""
        where, cells = "status = 'active' AND until >= ? AND until < ?", (first.isoformat(), end.isoformat())
        return MANDATES.read_all(self._rows(f"{MANDATES.select} WHERE {where} ORDER BY until, id", cells))

    def handled_under(self, mandate: Mandate, until: datetime) -> bool:
        """Return whether a stored dossier of the principal was handled under the mandate by `until`. Actors are its
        holder and all holders of mandates made by them in turn."""
        span = (instant_text(mandate.created_at), instant_text(until))
        return self._row(_HANDLED, (mandate.id, mandate.principal, mandate.principal, *span)) is not None

    def mandate_proofs(self) -> tuple[tuple[str, str], ...]:
        """Return id and document digest of every mandate with a document."""
        rows = self._rows("SELECT id, proof FROM mandate WHERE proof <> ''")
        return tuple((mandate, proof) for mandate, proof in rows)

    def sessions_of(self, account_id: str) -> tuple[Session, ...]:
        """Return the sessions of the account, the last seen first."""
        rows = self._rows(f"{SESSIONS.select} WHERE account = ? ORDER BY seen_at DESC, token_sha256", (account_id,))
        return SESSIONS.read_all(rows)

    def note_reading(self, reading: Reading) -> None:
        """Store one line of the access log for each dossier, account and day. The last reading replaces it."""
        self._change(READINGS.upsert, READINGS.cells(reading))

    def reading(self, dossier_id: str, account_id: str, day: str) -> Reading | None:
        """Return the access log line of this dossier, account and ISO day, or None."""
        sql = f"{READINGS.select} WHERE dossier = ? AND account = ? AND day = ?"
        row = self._row(sql, (dossier_id, account_id, day))
        return READINGS.read(row) if row else None

    def readings_of(self, dossier_id: str) -> tuple[Reading, ...]:
        """Return the access log of a dossier, the newest first."""
        return READINGS.read_all(self._rows(f"{READINGS.select} WHERE dossier = ? ORDER BY at DESC", (dossier_id,)))

    def readings_by(self, account_id: str, limit: int = 200) -> tuple[Reading, ...]:
        """Return the access log of an account, the newest first."""
        sql = f"{READINGS.select} WHERE account = ? ORDER BY at DESC LIMIT ?"
        return READINGS.read_all(self._rows(sql, (account_id, limit)))

    def right_head(self) -> tuple[int, str]:
        """Return the number and hash of the last entry of the journal of rights, (0, "") before the first."""
        row = self._row("SELECT n, hash FROM people_entry ORDER BY n DESC LIMIT 1")
        return (row[0], row[1]) if row else (0, "")

    def add_right(self, entry: JournalEntry) -> None:
        """Append an entry to the journal of rights. Raises `Conflict` if it does not follow the head."""
        if (entry.n - 1, entry.previous) != self.right_head():
            raise Conflict(entry.dossier)
        try:
            self._change(RIGHTS.insert(), RIGHTS.cells(entry))
        except AlreadyExists:
            raise Conflict(entry.dossier) from None
        self._change(OWE, (entry.dossier, entry.n, entry.hash))

    def rights(self, limit: int = 200, before: int | None = None) -> tuple[JournalEntry, ...]:
        """Return the last entries of the journal of rights, the newest first; with `before`, those below that number."""
        where, cells = (" WHERE n < ?", (before,)) if before is not None else ("", ())
        return RIGHTS.read_all(self._rows(f"{RIGHTS.select}{where} ORDER BY n DESC LIMIT ?", (*cells, limit)))
