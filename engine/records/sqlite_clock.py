"""Moments that a wrong clock left ahead of now, in SQLite: what hangs on them would wait, or hold, as long as that clock was wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from engine.records.bodies import instant_text
from engine.records.sqlite_verbs import Verbs

TOTP_STEP: Final = 30  # seconds
# The statement, how many times it takes `now` before the limit, whether its moment may lie ahead under a right clock.
_BROUGHT_BACK: Final = (
    ("UPDATE letter SET claimed_until = NULL WHERE claimed_until > ?", 0, True),
    ("UPDATE letter SET sent_at = ? WHERE sent_at > ?", 1, False),
    ("UPDATE phone_move SET asked_at = ?, due_at = ? WHERE asked_at > ?", 2, False),
    ("UPDATE letter SET due_at = ? WHERE due_at > ? AND sent_at IS NULL AND failed IS NULL", 1, True),
    ("UPDATE work_order SET claimed_until = NULL WHERE claimed_until > ?", 0, True),
    ("UPDATE payment SET started_at = ?, expires_at = ?, checked_at = NULL WHERE started_at > ?", 2, False),
    ("UPDATE payment SET checked_at = NULL WHERE checked_at > ?", 0, False),
    ("UPDATE payment SET ended_at = ? WHERE ended_at > ?", 1, False),
    ("DELETE FROM sign_in_code WHERE sent_at > ?", 0, False),
    ("DELETE FROM session WHERE created_at > ?", 0, False),
    ("UPDATE session SET seen_at = ? WHERE seen_at > ?", 1, False),
    ("DELETE FROM aside WHERE at > ?", 0, False),
    ("DELETE FROM seat_hold WHERE until > ?", 0, True),
    ("UPDATE waiting SET told_at = ? WHERE told_at > ?", 1, False),
    ("UPDATE share SET revoked_at = ? WHERE revoked_at IS NULL AND created_at > ?", 1, False),
)


class ClockVerbs(Verbs):
    def bring_back(self, now: datetime, astray: timedelta, longest: timedelta) -> int:
        changed = 0
        for sql, times, lies_ahead in _BROUGHT_BACK:
            limit = now + astray + (longest if lies_ahead else timedelta())
            changed += self._change(sql, [*[instant_text(now)] * times, instant_text(limit)])
        step = int(now.timestamp()) // TOTP_STEP
        ahead = int((now + astray).timestamp()) // TOTP_STEP
        return changed + self._change("UPDATE second_factor SET last_step = ? WHERE last_step > ?", (step, ahead))
