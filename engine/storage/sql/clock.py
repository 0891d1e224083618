"""Correction of future times that a wrong clock wrote. Without it, leases and time limits would last until then."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from engine.records.codec import instant_text
from engine.storage.sql.row_journal import MOVES, RowQueries

_TOTP_STEP: Final = 30  # seconds
_NOW, _LEASE, _DAY = timedelta(), timedelta(minutes=15), timedelta(days=1)
# Statement; how often it takes `now` before the limit; how far ahead a correct clock writes at most.
_BROUGHT_BACK: Final = (
    ("UPDATE letter SET claimed_until = NULL WHERE claimed_until > ?", 0, _LEASE),
    ("UPDATE letter SET sent_at = ? WHERE sent_at > ?", 1, _NOW),
    ("UPDATE letter SET due_at = ? WHERE created_at > ? AND sent_at IS NULL AND failed IS NULL", 1, _NOW),
    ("UPDATE letter SET due_at = ? WHERE due_at > ? AND sent_at IS NULL AND failed IS NULL", 1, _DAY),
    ("UPDATE work_order SET claimed_until = NULL WHERE claimed_until > ?", 0, _LEASE),
    ("UPDATE payment SET started_at = ?, expires_at = ?, checked_at = NULL WHERE started_at > ?", 2, _NOW),
    ("UPDATE payment SET checked_at = NULL WHERE checked_at > ?", 0, _NOW),
    ("UPDATE payment SET ended_at = ? WHERE ended_at > ?", 1, _NOW),
    ("DELETE FROM sign_in_code WHERE sent_at > ?", 0, _NOW),
    ("DELETE FROM session WHERE created_at > ?", 0, _NOW),
    ("UPDATE session SET seen_at = ? WHERE seen_at > ?", 1, _NOW),
    ("DELETE FROM aside WHERE at > ? AND key NOT LIKE 'call/%'", 0, _NOW),
    ("DELETE FROM seat_hold WHERE until > ?", 0, _LEASE),
    ("UPDATE waiting SET told_at = ? WHERE told_at > ?", 1, _NOW),
)


class ClockQueries(RowQueries):
    """The query of `Unit` that corrects future times."""

    def bring_back(self, now: datetime, astray: timedelta) -> int:
        """Correct times written by a clock that was ahead. Future sessions and codes end, leases end, and payments
        begin now. `astray`: the tolerated difference of clocks. Returns the number of changed rows."""
        changed = 0
        for sql, times, ahead in _BROUGHT_BACK:
            changed += self._change(sql, [*[instant_text(now)] * times, instant_text(now + astray + ahead)])
        changed += self._bring_moves_back(now, now + astray)
        steps = [int(one.timestamp()) // _TOTP_STEP for one in (now, now + astray)]
        return changed + self._change("UPDATE second_factor SET last_step = ? WHERE last_step > ?", steps)

    def _bring_moves_back(self, now: datetime, latest: datetime) -> int:
        """Correct pending phone changes. Their rows are journalled, so the correction is journalled too."""
        moves = MOVES.read_all(
            self._rows(f"{MOVES.select} WHERE asked_at > ? ORDER BY account", (instant_text(latest),))
        )
        for move in moves:
            self._row(f"SELECT id FROM account WHERE id = ?{self.lock}", (move.account,))
            corrected = replace(move, asked_at=now, due_at=now)
            self._change(MOVES.update, [*MOVES.cells(corrected), move.account])
            self._seal_row(f"account/{move.account}", MOVES, corrected, "phone_move")
        return len(moves)
