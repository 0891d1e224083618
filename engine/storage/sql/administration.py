"""Queries on opening changes and on snippets. One small row, the head, counts the changes.

A unit that takes a seat locks the head as shared, a unit that changes openings locks it alone. So no seat is taken
beside a closure that the unit does not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.records.administration import Hold, OpeningChange, Snippet
from engine.storage.sql.connection import Queries, TableMapping

SHAPE: Final = TableMapping(OpeningChange, "opening_change")
_BEGIN: Final = "INSERT INTO opening_head (one, n) VALUES (1, 0) ON CONFLICT DO NOTHING"


class OpeningQueries(Queries):
    """Queries of `Unit` on opening changes."""

    def openings_head(self, hold: Hold | None = None) -> int:
        """Return how often openings were changed. A writing unit may lock it, before it locks any dossier.

        `share`: no opening changes until the unit ends. `change`: no seat is taken either. A change waits for the units
        before it only: a lock of the row alone lets each later booking pass.
        """
        if hold:
            self._turn("openings", shared=hold == "share")
        lock = {"share": self.steady, "change": self.lock}[hold] if hold else ""
        sql = f"SELECT n FROM opening_head WHERE one = 1{lock}"
        found = self._row(sql)
        if found is None and hold:
            self._change(_BEGIN)
            found = self._row(sql)
        return int(found[0]) if found else 0

    def add_opening_change(self, change: OpeningChange) -> None:
        """Insert an opening change. Raises `AlreadyExists` if its number is taken."""
        self._change(SHAPE.insert(), SHAPE.cells(change))
        self._counted()

    def put_opening_change(self, change: OpeningChange) -> None:
        """Update an opening change. Raises `LookupError` if it does not exist."""
        if self._change(SHAPE.update, [*SHAPE.cells(change), change.id]) != 1:
            raise LookupError(change.id)
        self._counted()

    def _counted(self) -> None:
        self._change(_BEGIN)
        self._change("UPDATE opening_head SET n = n + 1 WHERE one = 1")

    def opening_change(self, change_id: str) -> OpeningChange | None:
        """Return the opening change, or None."""
        row = self._row(f"{SHAPE.select} WHERE id = ?", (change_id,))
        return SHAPE.read(row) if row else None

    def opening_changes(self) -> tuple[OpeningChange, ...]:
        """Return the opening changes in force, in order."""
        return SHAPE.read_all(self._rows(f"{SHAPE.select} WHERE lifted_at IS NULL ORDER BY n"))

    def all_opening_changes(self) -> tuple[OpeningChange, ...]:
        """Return all opening changes, lifted ones included, in order."""
        return SHAPE.read_all(self._rows(f"{SHAPE.select} ORDER BY n"))

    def opening_changes_of(self, offices: Sequence[str], limit: int = 50) -> tuple[OpeningChange, ...]:
        """Return the opening changes of these offices, lifted or not, the newest first. The empty office name selects
        holidays."""
        among = ", ".join("?" * len(offices)) or "NULL"
        sql = f"{SHAPE.select} WHERE office IN ({among}) ORDER BY n DESC LIMIT ?"
        return SHAPE.read_all(self._rows(sql, [*offices, limit]))


SNIPPET: Final = TableMapping(Snippet, "snippet", ("id", "version"))
_LAST_VERSION: Final = "version = (SELECT max(s.version) FROM snippet s WHERE s.id = snippet.id)"


class SnippetQueries(Queries):
    """Queries of `Unit` on snippets."""

    def add_snippet(self, snippet: Snippet) -> None:
        """Insert a snippet version. Raises `AlreadyExists` if this version exists."""
        self._change(SNIPPET.insert(), SNIPPET.cells(snippet))

    def snippets(self, agencies: Sequence[str]) -> tuple[Snippet, ...]:
        """Return the last version of each snippet of these agencies, by agency and title. Retired ones are left out."""
        among = ", ".join("?" * len(agencies)) or "NULL"
        sql = (
            f"{SNIPPET.select} WHERE agency IN ({among}) AND {_LAST_VERSION} AND retired = 0 ORDER BY agency, title, id"
        )
        return SNIPPET.read_all(self._rows(sql, list(agencies)))

    def snippet_versions(self, snippet_id: str) -> tuple[Snippet, ...]:
        """Return all versions of a snippet, the newest first."""
        return SNIPPET.read_all(self._rows(f"{SNIPPET.select} WHERE id = ? ORDER BY version DESC", (snippet_id,)))
