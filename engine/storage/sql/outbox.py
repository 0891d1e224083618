"""Queries on outbound messages and timers. One worker at a time claims an item, and it is done once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from engine.core.values import Plain
from engine.journal.row_journal import TIMERS as TIMERS_NAME
from engine.journal.row_journal import letter_row
from engine.records.codec import instant_text
from engine.records.dossier import SECRET_LETTERS, OutboundMessage, Timer
from engine.records.statistics import SmsCount
from engine.storage.sql.connection import TIMERS_OF, Queries, TableMapping, TimerCells

LETTERS: Final = TableMapping(OutboundMessage, "letter")
TIMERS: Final = TableMapping(Timer, "timer", ("dossier", "name", "entry"))
SMS: Final = TableMapping(SmsCount, "sms_count", ("month", "procedure", "country"))

_ADD_LETTER: Final = LETTERS.insert() + " ON CONFLICT (dedupe) DO NOTHING"
_SETTLE: Final = LETTERS.update.replace("SET ", "SET claimed_until = NULL, ", 1)
_SILENCE: Final = (
    "UPDATE letter SET failed = ?, claimed_until = NULL WHERE id = ? AND sent_at IS NULL AND failed IS NULL"
)
_UNSENT: Final = (
    "SELECT coalesce((SELECT procedure FROM dossier WHERE dossier.id = letter.dossier), '') FROM letter"
    " WHERE id = ? AND sent_at IS NULL"
)
_ADD_SMS: Final = SMS.insert() + (
    " ON CONFLICT (month, procedure, country) DO UPDATE SET "
    + ", ".join(f"{one} = sms_count.{one} + excluded.{one}" for one in ("messages", "segments", "unpriced", "cost"))
)
_OF_SECRETS: Final = " OR ".join(
    f"(dedupe >= '{one}' AND dedupe < '{one[:-1]}0')" for one in SECRET_LETTERS
)  # 0 follows /
_ERASE: Final = (
    f"UPDATE letter SET body = '' WHERE ({_OF_SECRETS}) AND body <> '' AND (sent_at IS NOT NULL OR failed IS NOT NULL)"
)
_GIVE_UP: Final = (
    f"UPDATE letter SET body = '', failed = 'over', claimed_until = NULL WHERE ({_OF_SECRETS}) AND sent_at IS NULL"
    " AND failed IS NULL AND created_at < ?"
)
_ADD_TIMER: Final = TIMERS.insert()


class OutboxQueries(Queries):
    """Queries of `Unit` on outbound messages, timers and SMS counts."""

    def add_letter(self, letter: OutboundMessage) -> bool:
        """Add an outbound message. Returns False if its `dedupe` key exists."""
        added = self._change(_ADD_LETTER, LETTERS.cells(letter)) == 1
        if added and letter.dossier is not None:
            self._commit_to(letter.dossier, *letter_row(letter))
        return added

    def claim_letters(
        self, now: datetime, lease_until: datetime, limit: int = 50, without: Sequence[str] = ()
    ) -> tuple[OutboundMessage, ...]:
        """Claim due messages for one worker until the lease ends. Each attempt is counted. Messages of channels in
        `without` are left out.

        Codes and links come first, the newest first: they are valid for minutes, and a flood of them or of reminders
        delays no new one. A fifth is left to the others, the oldest first.
        """
        codes = self._claimed(_OF_SECRETS, "created_at DESC, rowid DESC", now, lease_until, -(-limit * 4 // 5), without)
        others = self._claimed(f"NOT ({_OF_SECRETS})", "due_at, rowid", now, lease_until, limit - len(codes), without)
        return (*sorted(codes, key=lambda one: one.created_at, reverse=True), *others)

    def _claimed(
        self, which: str, order: str, now: datetime, lease_until: datetime, limit: int, without: Sequence[str]
    ) -> tuple[OutboundMessage, ...]:  # fmt: skip
        """Claim the first messages of a kind, and return them the oldest first."""
        others = f" AND channel NOT IN ({', '.join('?' * len(without))})" if without else ""
        due_first = (
            "SELECT id FROM letter WHERE sent_at IS NULL AND failed IS NULL AND due_at <= ?"
            f" AND (claimed_until IS NULL OR claimed_until <= ?) AND ({which}){others} ORDER BY {order} LIMIT ?"
        )
        sql = (
            f"UPDATE letter SET claimed_until = ?, attempts = attempts + 1 WHERE id IN ({due_first}{self.claim})"
            f" RETURNING {LETTERS.columns}, rowid"
        )
        rows = self._changed(
            sql, (instant_text(lease_until), instant_text(now), instant_text(now), *without, limit)
        )  # in no order
        due, rowid = LETTERS.names.index("due_at"), len(LETTERS.names)
        return LETTERS.read_all(sorted(rows, key=lambda row: (row[due], row[rowid])))

    def update_outbound_message(self, letter: OutboundMessage, lent_until: datetime | None = None) -> None:
        """End the lease: sent (`sent_at`), failed for good (`failed`), or retried at `due_at`. Raises `LookupError` if
        the message is gone, or its lease does not end at `lent_until`."""
        lent = "" if lent_until is None else " AND claimed_until = ?"
        cells = [*LETTERS.cells(letter), letter.id, *(() if lent_until is None else (instant_text(lent_until),))]
        if self._change(_SETTLE + lent, cells) != 1:
            raise LookupError(letter.id)

    def channels_due(self, now: datetime) -> frozenset[str]:
        """Return the channels with a due message that no worker has claimed."""
        sql = (
            "SELECT DISTINCT channel FROM letter WHERE sent_at IS NULL AND failed IS NULL AND due_at <= ?"
            " AND (claimed_until IS NULL OR claimed_until <= ?)"
        )
        return frozenset(row[0] for row in self._rows(sql, (instant_text(now), instant_text(now))))

    def silence_letter(self, letter_id: str, why: str) -> bool:
        """Mark an unsent message as failed for good. Returns False if it was sent or had failed meanwhile."""
        return self._change(_SILENCE, (why, letter_id)) == 1

    def unsent_for(self, letter_id: str) -> str | None:
        """Return the procedure of an unsent message, empty without a dossier. None if it is sent or unknown. Locks it."""
        row = self._row(_UNSENT + self.lock, (letter_id,))
        return str(row[0]) if row else None

    def add_sms(self, count: SmsCount) -> None:
        """Add to the SMS counts of that month, procedure and country."""
        self._change(_ADD_SMS, SMS.cells(count))

    def sms_counts(self, month: str = "") -> tuple[SmsCount, ...]:
        """Return the SMS counts of one month, or of all, the newest month first."""
        condition, cells = ("WHERE month = ? ", (month,)) if month else ("", ())
        return SMS.read_all(self._rows(f"{SMS.select} {condition}ORDER BY month DESC, procedure, country", cells))

    def erase_secrets(self, before: datetime) -> int:
        """Empty finished messages that hold a code or sign-in link. Unsent ones created before this instant fail,
        because their code has expired. Returns the number of changed messages."""
        return self._change(_GIVE_UP, (instant_text(before),)) + self._change(_ERASE)

    def letters_to(self, address: str, limit: int = 20) -> tuple[OutboundMessage, ...]:
        """Return messages to this address, the newest first."""
        sql = f'{LETTERS.select} WHERE "to" = ? ORDER BY created_at DESC, rowid DESC LIMIT ?'
        return LETTERS.read_all(self._rows(sql, (address, limit)))

    def letter(self, letter_id: str) -> OutboundMessage | None:
        """Return the message, or None."""
        row = self._row(f"{LETTERS.select} WHERE id = ?", (letter_id,))
        return LETTERS.read(row) if row else None

    def letters_of(self, dossier_id: str) -> tuple[OutboundMessage, ...]:
        """Return the messages of this dossier, the oldest first."""
        sql = f"{LETTERS.select} WHERE dossier = ? ORDER BY created_at, rowid"
        return LETTERS.read_all(self._rows(sql, (dossier_id,)))

    def erase_letters(self, dossier_id: str) -> None:
        """Delete all messages of this dossier, sent or not."""
        self._change("DELETE FROM letter WHERE dossier = ?", (dossier_id,))

    def set_timers(self, dossier_id: str, timers: Sequence[Timer]) -> None:
        """Replace the unfired timers of the dossier. An entry must follow in the same unit and commits to them.

        A timer that fired under its entry never fires again.
        """
        if any(timer.dossier != dossier_id for timer in timers):
            raise ValueError("a timer of another dossier")
        known = self._timers_of(dossier_id)
        fired = {(name, entry): (name, entry, due, at) for name, entry, due, at in known if at}
        wanted = {
            (one.name, one.entry): (one.name, one.entry, instant_text(one.due_at), "") for one in reversed(timers)
        }
        self._timers[dossier_id] = after = [*{**wanted, **fired}.values()]
        if sorted(after) != sorted(known):
            if len(fired) < len(known):
                self._later("DELETE FROM timer WHERE dossier = ? AND fired_at IS NULL", (dossier_id,))
            self._add_rows(_ADD_TIMER, [(dossier_id, *one[:3]) for one in after if not one[3]])
        self._commit_to(dossier_id, TIMERS_NAME, None)

    def _timers_of(self, dossier_id: str) -> list[TimerCells]:
        """Return all timers of the dossier, as a writing unit knows them."""
        known = self._timers.get(dossier_id)
        if known is None:
            known = [tuple(row) for row in self._rows(TIMERS_OF.format("?"), (dossier_id,))]
        return known

    def timer_rows(self, dossier_id: str) -> Plain:
        """Return all timers of the dossier as its journal commits to them: name, entry, due time, fire time."""
        return [[*row] for row in sorted(self._timers_of(dossier_id))]

    def uncommitted(self, dossier_id: str) -> Mapping[str, Plain]:
        """Return rows of the dossier written since its last entry, by name, for the next entry. A second call returns
        none. All timers are among them, as `set_timers` omits fired ones."""
        rows = super().uncommitted(dossier_id)
        return {**rows, TIMERS_NAME: self.timer_rows(dossier_id)} if TIMERS_NAME in rows else rows

    def due_timers(self, now: datetime, limit: int = 50, without: Sequence[str] = ()) -> tuple[Timer, ...]:
        """Return due timers, the longest due first. `without`: kinds to leave out, the name up to the first colon."""
        others = " AND name <> ? AND name NOT LIKE ?" * len(without)
        sql = f"{TIMERS.select} WHERE fired_at IS NULL AND due_at <= ?{others} ORDER BY due_at, dossier, name LIMIT ?"
        kinds = (reported for kind in without for reported in (kind, f"{kind}:%"))
        return TIMERS.read_all(self._rows(sql, (instant_text(now), *kinds, limit)))

    def fire_timer(self, timer: Timer, at: datetime) -> bool:
        """Mark the timer as fired. Returns False if it was fired or replaced. An entry must follow and commits to it."""
        sql = (
            "UPDATE timer SET fired_at = ?"
            " WHERE dossier = ? AND name = ? AND entry = ? AND due_at = ? AND fired_at IS NULL"
        )
        cells = (instant_text(at), timer.dossier, timer.name, timer.entry, instant_text(timer.due_at))
        fired = self._change(sql, cells) == 1
        if fired:
            self._timers.pop(timer.dossier, None)
            self._commit_to(timer.dossier, TIMERS_NAME, None)
        return fired
