"""Queries on accounts, sessions, one-time codes, tries, saved rows and idempotent replies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from engine.core.values import Plain, canonical_json
from engine.records.codec import instant_text, read_instant
from engine.records.dossier import CLAIMED, Account
from engine.records.people import COMPANY, Session, SignInCode
from engine.storage.results import Reply
from engine.storage.schema.ddl_people import BARE_NUMBER, COMPANIES
from engine.storage.sql.connection import TableMapping, read_json
from engine.storage.sql.row_journal import ACCOUNTS, RowQueries

SESSIONS: Final = TableMapping(Session, "session", ("token_sha256",))
CODES: Final = TableMapping(SignInCode, "sign_in_code", ("phone",))
REPLIES: Final = TableMapping(Reply, "reply", ("principal", "route", "key"))

_BOTH: Final = ", ".join(
    f'{table}."{name}"' for table, shape in (("s", SESSIONS), ("a", ACCOUNTS)) for name in shape.names
)
_SIGNED_IN: Final = f"SELECT {_BOTH} FROM session s JOIN account a ON a.id = s.account WHERE s.token_sha256 = ?"
_COUNT: Final = (
    'INSERT INTO rate (key, "window", n) VALUES (?, ?, ?)'
    ' ON CONFLICT (key, "window") DO UPDATE SET n = rate.n + excluded.n RETURNING n'
)
_ASIDE: Final = (
    "INSERT INTO aside (key, body, at) VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET body = excluded.body, at = excluded.at"
)
_SWEPT: Final = (
    ("rate", "at"),
    ("reply", "at"),
    ("aside", "at"),
    ("session", "expires_at"),
    ("sign_in_code", "expires_at"),
)
BY_NUMBER: Final = (
    f"{ACCOUNTS.select} WHERE {COMPANIES} AND {BARE_NUMBER.format('login')} = {BARE_NUMBER.format('?')}"
    " ORDER BY login <> ?, name = '', id LIMIT 1"
)
_OLD_POSTS: Final = "DELETE FROM aside WHERE at < ? AND key LIKE 'aside/%'"
# messages without a dossier (mostly codes and sign-in links), and those of closed drafts
_OLD_LETTERS: Final = (
    "DELETE FROM letter WHERE created_at < ? AND (sent_at IS NOT NULL OR failed IS NOT NULL) AND (dossier IS NULL"
    " OR dossier IN (SELECT id FROM dossier WHERE submitted_at IS NULL AND closed = 1))"
)


class SecurityLogQueries(RowQueries):
    """Queries of `Unit` on accounts, sign-in and replies."""

    _account: tuple[str, Account | None] | None = None  # the last that was read

    def account(self, account_id: str) -> Account | None:
        """Return the account, or None, without a lock. The last one is not read again in this unit."""
        if self._account is None or self._account[0] != account_id:
            row = self._row(f"{ACCOUNTS.select} WHERE id = ?", (account_id,))
            self._account = account_id, ACCOUNTS.read(row) if row else None
        return self._account[1]

    def account_held(self, account_id: str) -> Account | None:
        """Return the account, or None, and lock it: other units that would change it wait."""
        row = self._row(f"{ACCOUNTS.select} WHERE id = ?{self.lock}", (account_id,))
        self._account = account_id, ACCOUNTS.read(row) if row else None
        return self._account[1]

    def account_of(self, kind: str, login: str) -> Account | None:
        """Return the account of this kind and login, or None."""
        row = self._row(f"{ACCOUNTS.select} WHERE kind = ? AND login = ?", (kind, login))
        return ACCOUNTS.read(row) if row else None

    def company_account(self, number: str) -> Account | None:
        """Return the account of a company by its number, however its signs are written: `TG-LOM 1`, `TGLOM1`.

        The same spelling comes first, then the one whose name an agent accepted.
        """
        login = f"{COMPANY}{number}"
        row = self._row(BY_NUMBER, (login, login))
        return ACCOUNTS.read(row) if row else None

    def accounts(self, kind: str) -> tuple[Account, ...]:
        """Return all accounts of a kind, by name and login."""
        return ACCOUNTS.read_all(self._rows(f"{ACCOUNTS.select} WHERE kind = ? ORDER BY name, login", (kind,)))

    def accounts_left(self, prefix: str, now: datetime, limit: int) -> tuple[Account, ...]:
        """Return applicants whose login has this prefix and who have no open session, by login."""
        over = "NOT EXISTS (SELECT 1 FROM session WHERE session.account = account.id AND session.expires_at > ?)"
        rows = self._rows(
            f"{ACCOUNTS.select} WHERE kind = 'applicant' AND login >= ? AND login < ? AND {over} ORDER BY login LIMIT ?",
            (prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1), instant_text(now), limit),
        )
        return ACCOUNTS.read_all(rows)

    def put_account(self, account: Account) -> None:
        """Insert or update an account. The chain of the account records it."""
        self._account = None
        self._change(ACCOUNTS.upsert, ACCOUNTS.cells(account))
        self._seal_row(f"account/{account.id}", ACCOUNTS, account, "account")

    def session(self, token_sha256: str) -> Session | None:
        """Return the session with this token digest, expired or not, or None. A writing unit locks it."""
        row = self._row(f"{SESSIONS.select} WHERE token_sha256 = ?{self.lock}", (token_sha256,))
        return SESSIONS.read(row) if row else None

    def signed_in(self, token_sha256: str) -> tuple[Session, Account] | None:
        """Return the session with this token digest, expired or not, and its account, or None, without a lock."""
        row = self._row(_SIGNED_IN, (token_sha256,))
        if row is None:
            return None
        session, account = SESSIONS.read(row), ACCOUNTS.read(row[len(SESSIONS.names) :])
        self._account = account.id, account
        return session, account

    def put_session(self, session: Session) -> None:
        """Insert or update a session."""
        self._change(SESSIONS.upsert, SESSIONS.cells(session))

    def drop_all_sessions(self) -> None:
        """Delete the sessions of all accounts, but of visitors without a verified number: they are the way to a draft."""
        visitors = "SELECT id FROM account WHERE login LIKE ?"
        self._change(f"DELETE FROM session WHERE account NOT IN ({visitors})", (f"{CLAIMED}%",))

    def drop_sessions(self, account_id: str, token_sha256: str | None = None) -> None:
        """Delete one session of the account, or all without `token_sha256`."""
        if token_sha256 is None:
            self._change("DELETE FROM session WHERE account = ?", (account_id,))
        else:
            self._change("DELETE FROM session WHERE account = ? AND token_sha256 = ?", (account_id, token_sha256))

    def code(self, phone: str) -> SignInCode | None:
        """Return the one-time code sent to this phone, expired or not, or None. A writing unit locks it."""
        row = self._row(f"{CODES.select} WHERE phone = ?{self.lock}", (phone,))
        return CODES.read(row) if row else None

    def put_code(self, code: SignInCode) -> None:
        """Insert or replace the one-time code of its phone."""
        self._change(CODES.upsert, CODES.cells(code))

    def drop_code(self, phone: str) -> None:
        """Delete the one-time code of this phone."""
        self._change("DELETE FROM sign_in_code WHERE phone = ?", (phone,))

    def count_try(self, key: str, window: str, weight: int = 1) -> int:
        """Add `weight` tries to this window. Returns the new total."""
        tries: int = self._changed(_COUNT, (key, window, weight))[0][0]
        return tries

    def count_below(self, key: str, windows: Sequence[str], most: int, weight: int = 1) -> bool:
        """Add `weight` tries to the last window if these windows have fewer than `most` together. Returns whether it did.

        No other unit counts under this key meanwhile.
        """
        self._turn("tries", key)
        among = ", ".join("?" * len(windows))
        fewer = f'(SELECT coalesce(sum(n), 0) FROM rate WHERE key = ? AND "window" IN ({among})) < ?'
        sql = _COUNT.replace("VALUES (?, ?, ?)", f"SELECT ?, ?, ? WHERE {fewer}")
        return bool(self._changed(sql, (key, windows[-1], weight, key, *windows, most)))

    def tries(self, key: str, windows: Sequence[str]) -> dict[str, int]:
        """Return the number of tries in each of these windows that has any. A writing unit locks the key, so no other
        unit counts meanwhile."""
        self._turn("tries", key)
        among = ", ".join("?" * len(windows)) or "NULL"
        return dict(
            self._rows(f'SELECT "window", n FROM rate WHERE key = ? AND "window" IN ({among})', (key, *windows))
        )

    def keep_aside(self, key: str, body: Plain, at: datetime) -> None:
        """Save a row under a key: posted answers of a lost session, a reading to log, a pending call, a heartbeat.
        Replaces the former row."""
        self._change(_ASIDE, (key, canonical_json(body).decode(), instant_text(at)))

    def taken_aside(self, key: str) -> Plain:
        """Return the saved row of a key, or None. A writing unit deletes it."""
        taking = self._writes
        sql = "DELETE FROM aside WHERE key = ? RETURNING body" if taking else "SELECT body FROM aside WHERE key = ?"
        rows = self._changed(sql, (key,)) if taking else self._rows(sql, (key,))
        body: Plain = read_json(rows[0][0]) if rows else None
        return body

    def peeked_aside(self, key: str) -> Plain:
        """Return the saved row of a key, or None, without deleting it. A writing unit locks it."""
        rows = self._rows("SELECT body FROM aside WHERE key = ?" + self.lock, (key,))
        body: Plain = read_json(rows[0][0]) if rows else None
        return body

    def asides(self, prefix: str, limit: int = 100) -> tuple[tuple[str, Plain, datetime], ...]:
        """Return key, body and time of saved rows whose key has this prefix, by key, without deleting them."""
        sql = "SELECT key, body, at FROM aside WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
        rows = self._rows(sql, (prefix, f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}", limit))
        return tuple((key, read_json(body), read_instant(at)) for key, body, at in rows)

    def reply(self, principal: str, route: str, key: str) -> Reply | None:
        """Return the stored reply of an idempotent command, or None."""
        row = self._row(f"{REPLIES.select} WHERE principal = ? AND route = ? AND key = ?", (principal, route, key))
        return REPLIES.read(row) if row else None

    def add_reply(self, reply: Reply) -> None:
        """Store the reply of a command. Raises `AlreadyExists` if a duplicate command committed first."""
        self._change(REPLIES.insert(), REPLIES.cells(reply))

    def sweep(self, before: datetime, posts_before: datetime | None = None) -> int:
        """Delete short-lived rows from before `before`: tries, replies, saved rows, ended sessions and codes. Also
        finished messages of no dossier or of a closed draft. Posts saved for a sign-in go by `posts_before`. Returns
        their number."""
        text = instant_text(before)
        gone = sum(self._change(f"DELETE FROM {table} WHERE {column} < ?", (text,)) for table, column in _SWEPT)
        gone += self._change(_OLD_POSTS, (instant_text(posts_before or before),))
        return gone + self._change(_OLD_LETTERS, (text,))
