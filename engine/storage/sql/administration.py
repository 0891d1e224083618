"""Openings and closures in SQLite. One small row, the head, counts the changes: seats are taken while it is held together,
a change is made while it is held alone, so that no seat is taken beside a closure that does not see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.records.administration import Hold, OpeningChange
from engine.storage.sql.connection import Queries, TableMapping

SHAPE: Final = TableMapping(OpeningChange, "opening_change")
_BEGIN: Final = "INSERT INTO opening_head (one, n) VALUES (1, 0) ON CONFLICT DO NOTHING"


class OpeningQueries(Queries):
    def openings_head(self, hold: Hold | None = None) -> int:
        lock = {"share": self.steady, "change": self.lock}[hold] if hold else ""
        sql = f"SELECT n FROM opening_head WHERE one = 1{lock}"
        found = self._row(sql)
        if found is None and hold:
            self._change(_BEGIN)
            found = self._row(sql)
        return int(found[0]) if found else 0

    def add_opening_change(self, change: OpeningChange) -> None:
        self._change(SHAPE.insert(), SHAPE.cells(change))
        self._counted()

    def put_opening_change(self, change: OpeningChange) -> None:
        if self._change(SHAPE.update, [*SHAPE.cells(change), change.id]) != 1:
            raise LookupError(change.id)
        self._counted()

    def _counted(self) -> None:
        self._change(_BEGIN)
        self._change("UPDATE opening_head SET n = n + 1 WHERE one = 1")

    def opening_change(self, change_id: str) -> OpeningChange | None:
        row = self._row(f"{SHAPE.select} WHERE id = ?", (change_id,))
        return SHAPE.read(row) if row else None

    def opening_changes(self) -> tuple[OpeningChange, ...]:
        return SHAPE.read_all(self._rows(f"{SHAPE.select} WHERE lifted_at IS NULL ORDER BY n"))

    def all_opening_changes(self) -> tuple[OpeningChange, ...]:
        return SHAPE.read_all(self._rows(f"{SHAPE.select} ORDER BY n"))

    def opening_changes_of(self, offices: Sequence[str], limit: int = 50) -> tuple[OpeningChange, ...]:
        among = ", ".join("?" * len(offices)) or "NULL"
        sql = f"{SHAPE.select} WHERE office IN ({among}) ORDER BY n DESC LIMIT ?"
        return SHAPE.read_all(self._rows(sql, [*offices, limit]))
