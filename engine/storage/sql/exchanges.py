"""Queries on messages, notes, followed dossiers, held seats, waiting lists and shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from engine.journal.row_journal import annotation_row, message_row, note_row, share_row
from engine.records.codec import instant_text
from engine.records.exchanges import Message, Note, NotedValue, SeatHold, Share, Side, WaitingListEntry
from engine.storage.sql.connection import Queries, TableMapping

MESSAGES: Final = TableMapping(Message, "message")
NOTES: Final = TableMapping(Note, "note")
ANNOTATIONS: Final = TableMapping(NotedValue, "annotation", ("dossier", "name"))
HOLDS: Final = TableMapping(SeatHold, "seat_hold", ("resource", "office", "start", "seat"))
WAITING: Final = TableMapping(WaitingListEntry, "waiting", ("dossier", "appointment"))
SHARES: Final = TableMapping(Share, "share", ("token_sha256",))
_OPEN: Final = "NOT EXISTS (SELECT 1 FROM dossier WHERE dossier.id = waiting.dossier AND closed = 1)"
_REPORTED: Final = "coalesce(told_at, '')"
_TURN: Final = f"{_REPORTED}, since, dossier, appointment"


class ExchangeQueries(Queries):
    # messages

    """Queries of `Unit` on exchanges."""

    def add_message(self, message: Message) -> None:
        """Insert a message. The next entry of the dossier commits to it."""
        self._change(MESSAGES.insert(), MESSAGES.cells(message))
        self._commit_to(message.dossier, *message_row(message))

    def messages_of(self, dossier_id: str) -> tuple[Message, ...]:
        """Return the messages of the dossier, the oldest first."""
        return MESSAGES.read_all(self._rows(f"{MESSAGES.select} WHERE dossier = ? ORDER BY at, rowid", (dossier_id,)))

    def read_messages(self, dossier_id: str, side: Side, at: datetime) -> int:
        """Mark the unread messages that this side wrote as read. Returns their number."""
        sql = "UPDATE message SET read_at = ? WHERE dossier = ? AND side = ? AND read_at IS NULL"
        return self._change(sql, (instant_text(at), dossier_id, side))

    def unread_messages(self, dossiers: Sequence[str], side: Side) -> Mapping[str, int]:
        """Return the number of unread messages that this side wrote, by dossier. Zero counts are left out."""
        if not dossiers:
            return {}
        among = ", ".join("?" * len(dossiers))
        sql = (
            f"SELECT dossier, count(*) FROM message WHERE dossier IN ({among}) AND side = ? AND read_at IS NULL"
            " GROUP BY dossier"
        )
        return dict(self._rows(sql, (*dossiers, side)))

    def erase_exchanges(self, dossier_id: str) -> None:
        """Delete messages, notes, annotations, who follows it, held seats, waiting-list entries and shares of the dossier."""
        for table in ("message", "note", "annotation", "follow", "seat_hold", "waiting", "share"):
            self._change(f"DELETE FROM {table} WHERE dossier = ?", (dossier_id,))

    # internal notes

    def add_note(self, note: Note) -> None:
        """Insert an internal note. The next entry of the dossier commits to it."""
        self._change(NOTES.insert(), NOTES.cells(note))
        self._commit_to(note.dossier, *note_row(note))

    def notes_of(self, dossier_id: str) -> tuple[Note, ...]:
        """Return the notes of the dossier, the oldest first."""
        return NOTES.read_all(self._rows(f"{NOTES.select} WHERE dossier = ? ORDER BY at, rowid", (dossier_id,)))

    # annotations

    def put_annotation(self, noted: NotedValue) -> None:
        """Insert or replace the value of an annotation. The next entry of the dossier commits to it."""
        self._change(ANNOTATIONS.upsert, ANNOTATIONS.cells(noted))
        self._commit_to(noted.dossier, *annotation_row(noted))

    def annotations_of(self, dossiers: Sequence[str]) -> tuple[NotedValue, ...]:
        """Return the annotations of these dossiers, by dossier and name."""
        among = ", ".join("?" * len(dossiers)) or "NULL"
        sql = f"{ANNOTATIONS.select} WHERE dossier IN ({among}) ORDER BY dossier, name"
        return ANNOTATIONS.read_all(self._rows(sql, tuple(dossiers)))

    # followed dossiers

    def follow(self, account_id: str, dossier_id: str) -> None:
        """Note that the agent follows the dossier. Nothing changes if they do already."""
        self._change(
            "INSERT INTO follow (account, dossier) VALUES (?, ?) ON CONFLICT DO NOTHING", (account_id, dossier_id)
        )

    def follows(self, account_id: str, dossier_id: str) -> bool:
        """Return whether the agent follows the dossier."""
        return self._row("SELECT 1 FROM follow WHERE account = ? AND dossier = ?", (account_id, dossier_id)) is not None

    def unfollow(self, account_id: str, dossier_id: str = "") -> None:
        """Delete that the agent follows the dossier, or every dossier."""
        one = " AND dossier = ?" if dossier_id else ""
        self._change(f"DELETE FROM follow WHERE account = ?{one}", (account_id, *filter(None, [dossier_id])))

    # held seats

    def hold_seat(self, hold: SeatHold, now: datetime) -> None:
        """Hold a seat, replacing the hold of this dossier and appointment. Raises `AlreadyExists` if another dossier
        holds it."""
        self.drop_hold(hold.dossier, hold.appointment)
        over = "DELETE FROM seat_hold WHERE resource = ? AND office = ? AND start = ? AND seat = ? AND until <= ?"
        place = (hold.resource, hold.office, instant_text(hold.start), hold.seat)
        self._change(over, (*place, instant_text(now)))
        self._change(HOLDS.insert(), HOLDS.cells(hold))

    def hold_of(self, dossier_id: str, appointment: str) -> SeatHold | None:
        """Return the seat hold of this dossier and appointment, expired or not, or None."""
        row = self._row(f"{HOLDS.select} WHERE dossier = ? AND appointment = ?", (dossier_id, appointment))
        return HOLDS.read(row) if row else None

    def drop_hold(self, dossier_id: str, appointment: str) -> None:
        """Delete the seat hold of this dossier and appointment, if any."""
        self._change("DELETE FROM seat_hold WHERE dossier = ? AND appointment = ?", (dossier_id, appointment))

    # waiting lists

    def put_waiting(self, waiting: WaitingListEntry) -> None:
        """Insert or update the waiting-list entry of its dossier and appointment."""
        self._change(WAITING.upsert, WAITING.cells(waiting))

    def drop_waiting(self, dossier_id: str, appointment: str) -> None:
        """Delete the waiting-list entry of this dossier and appointment, if any."""
        self._change("DELETE FROM waiting WHERE dossier = ? AND appointment = ?", (dossier_id, appointment))

    def waiting_of(self, dossier_id: str) -> tuple[WaitingListEntry, ...]:
        """Return the waiting-list entries of the dossier, by appointment."""
        return WAITING.read_all(self._rows(f"{WAITING.select} WHERE dossier = ? ORDER BY appointment", (dossier_id,)))

    def waiting_for(
        self, resource: str, office: str, limit: int = 50, *,
        reported_before: datetime | None = None, after: WaitingListEntry | None = None,
    ) -> tuple[WaitingListEntry, ...]:  # fmt: skip
        """Return entries of open dossiers that wait for a seat there.

        Never notified ones come first, then the longest ago, then the longest waiting. Entries notified after
        `reported_before` are left out. The page begins behind `after`.
        """
        sql, cells = f"{WAITING.select} WHERE resource = ? AND office = ? AND {_OPEN}", [resource, office]
        if reported_before is not None:
            sql, cells = f"{sql} AND {_REPORTED} <= ?", [*cells, instant_text(reported_before)]
        if after is not None:
            reported = instant_text(after.told_at) if after.told_at else ""
            place = (reported, instant_text(after.since), after.dossier, after.appointment)
            sql, cells = f"{sql} AND ({_TURN}) > (?, ?, ?, ?)", [*cells, *place]
        return WAITING.read_all(self._rows(f"{sql} ORDER BY {_TURN} LIMIT ?", (*cells, limit)))

    # shares

    def put_share(self, share: Share) -> None:
        """Insert or update a share. The next entry of the dossier commits to it."""
        self._change(SHARES.upsert, SHARES.cells(share))
        self._commit_to(share.dossier, *share_row(share))

    def share(self, token_sha256: str) -> Share | None:
        """Return the share with this token digest, or None. A writing unit locks it."""
        row = self._row(f"{SHARES.select} WHERE token_sha256 = ?{self.lock}", (token_sha256,))
        return SHARES.read(row) if row else None

    def shares_of(self, dossier_id: str) -> tuple[Share, ...]:
        """Return the shares of the dossier, the oldest first."""
        sql = f"{SHARES.select} WHERE dossier = ? ORDER BY created_at, token_sha256"
        return SHARES.read_all(self._rows(sql, (dossier_id,)))
