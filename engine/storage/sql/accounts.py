"""People at the door in SQLite: accounts, sessions, one-time codes, tries, things kept aside, replies given once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from engine.core.values import Plain, canonical_json
from engine.records.codec import instant_text, read_instant
from engine.records.dossier import Account
from engine.records.people import Session, SignInCode
from engine.storage.sql.connection import TableMapping, read_json
from engine.storage.sql.row_journal import ACCOUNTS, RowQueries
from engine.storage.unit_of_work import Reply

SESSIONS: Final = TableMapping(Session, "session", ("token_sha256",))
CODES: Final = TableMapping(SignInCode, "sign_in_code", ("phone",))
REPLIES: Final = TableMapping(Reply, "reply", ("principal", "route", "key"))

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
_OLD_POSTS: Final = "DELETE FROM aside WHERE at < ? AND key LIKE 'aside/%'"
# letters of nobody's dossier, codes and links of the door above all, and those of drafts that were forgotten
_OLD_LETTERS: Final = (
    "DELETE FROM letter WHERE created_at < ? AND (sent_at IS NOT NULL OR failed IS NOT NULL) AND (dossier IS NULL"
    " OR dossier IN (SELECT id FROM dossier WHERE submitted_at IS NULL AND closed = 1))"
)


class SecurityLogQueries(RowQueries):
    def account(self, account_id: str) -> Account | None:
        row = self._row(f"{ACCOUNTS.select} WHERE id = ?", (account_id,))
        return ACCOUNTS.read(row) if row else None

    def account_held(self, account_id: str) -> Account | None:
        row = self._row(f"{ACCOUNTS.select} WHERE id = ?{self.lock}", (account_id,))
        return ACCOUNTS.read(row) if row else None

    def account_of(self, kind: str, login: str) -> Account | None:
        row = self._row(f"{ACCOUNTS.select} WHERE kind = ? AND login = ?", (kind, login))
        return ACCOUNTS.read(row) if row else None

    def accounts(self, kind: str) -> tuple[Account, ...]:
        return ACCOUNTS.read_all(self._rows(f"{ACCOUNTS.select} WHERE kind = ? ORDER BY name, login", (kind,)))

    def accounts_left(self, prefix: str, now: datetime, limit: int) -> tuple[Account, ...]:
        over = "NOT EXISTS (SELECT 1 FROM session WHERE session.account = account.id AND session.expires_at > ?)"
        rows = self._rows(
            f"{ACCOUNTS.select} WHERE kind = 'applicant' AND login >= ? AND login < ? AND {over} ORDER BY login LIMIT ?",
            (prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1), instant_text(now), limit),
        )
        return ACCOUNTS.read_all(rows)

    def put_account(self, account: Account) -> None:
        self._change(ACCOUNTS.upsert, ACCOUNTS.cells(account))
        self._seal_row(f"account/{account.id}", ACCOUNTS, account, "account")

    def session(self, token_sha256: str) -> Session | None:
        row = self._row(f"{SESSIONS.select} WHERE token_sha256 = ?{self.lock}", (token_sha256,))
        return SESSIONS.read(row) if row else None

    def put_session(self, session: Session) -> None:
        self._change(SESSIONS.upsert, SESSIONS.cells(session))

    def drop_sessions(self, account_id: str, token_sha256: str | None = None) -> None:
        if token_sha256 is None:
            self._change("DELETE FROM session WHERE account = ?", (account_id,))
        else:
            self._change("DELETE FROM session WHERE account = ? AND token_sha256 = ?", (account_id, token_sha256))

    def code(self, phone: str) -> SignInCode | None:
        row = self._row(f"{CODES.select} WHERE phone = ?{self.lock}", (phone,))
        return CODES.read(row) if row else None

    def put_code(self, code: SignInCode) -> None:
        self._change(CODES.upsert, CODES.cells(code))

    def drop_code(self, phone: str) -> None:
        self._change("DELETE FROM sign_in_code WHERE phone = ?", (phone,))

    def count_try(self, key: str, window: str, weight: int = 1) -> int:
        tries: int = self._changed(_COUNT, (key, window, weight))[0][0]
        return tries

    def tries(self, key: str, windows: Sequence[str]) -> dict[str, int]:
        self._turn("tries", key)
        among = ", ".join("?" * len(windows)) or "NULL"
        return dict(
            self._rows(f'SELECT "window", n FROM rate WHERE key = ? AND "window" IN ({among})', (key, *windows))
        )

    def keep_aside(self, key: str, body: Plain, at: datetime) -> None:
        self._change(_ASIDE, (key, canonical_json(body).decode(), instant_text(at)))

    def taken_aside(self, key: str) -> Plain:
        taking = self._writes
        sql = "DELETE FROM aside WHERE key = ? RETURNING body" if taking else "SELECT body FROM aside WHERE key = ?"
        rows = self._changed(sql, (key,)) if taking else self._rows(sql, (key,))
        body: Plain = read_json(rows[0][0]) if rows else None
        return body

    def peeked_aside(self, key: str) -> Plain:
        rows = self._rows("SELECT body FROM aside WHERE key = ?" + self.lock, (key,))
        body: Plain = read_json(rows[0][0]) if rows else None
        return body

    def asides(self, prefix: str, limit: int = 100) -> tuple[tuple[str, Plain, datetime], ...]:
        sql = "SELECT key, body, at FROM aside WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
        rows = self._rows(sql, (prefix, f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}", limit))
        return tuple((key, read_json(body), read_instant(at)) for key, body, at in rows)

    def reply(self, principal: str, route: str, key: str) -> Reply | None:
        row = self._row(f"{REPLIES.select} WHERE principal = ? AND route = ? AND key = ?", (principal, route, key))
        return REPLIES.read(row) if row else None

    def add_reply(self, reply: Reply) -> None:
        self._change(REPLIES.insert(), REPLIES.cells(reply))

    def sweep(self, before: datetime, posts_before: datetime | None = None) -> int:
        text = instant_text(before)
        gone = sum(self._change(f"DELETE FROM {table} WHERE {column} < ?", (text,)) for table, column in _SWEPT)
        gone += self._change(_OLD_POSTS, (instant_text(posts_before or before),))
        return gone + self._change(_OLD_LETTERS, (text,))
