"""Queries on snippets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.records.administration import Snippet
from engine.storage.sql.connection import Queries, TableMapping

SHAPE: Final = TableMapping(Snippet, "snippet", ("id", "version"))
_LAST: Final = "version = (SELECT max(s.version) FROM snippet s WHERE s.id = snippet.id)"


class SnippetQueries(Queries):
    """Queries of `ServiceUnit` on snippets."""

    def add_snippet(self, snippet: Snippet) -> None:
        """Insert a snippet version. Raises `AlreadyExists` if this version exists."""
        self._change(SHAPE.insert(), SHAPE.cells(snippet))

    def snippets(self, agencies: Sequence[str]) -> tuple[Snippet, ...]:
        """Return the last version of each snippet of these agencies, by agency and title."""
        among = ", ".join("?" * len(agencies)) or "NULL"
        sql = f"{SHAPE.select} WHERE agency IN ({among}) AND {_LAST} AND retired = 0 ORDER BY agency, title, id"
        return SHAPE.read_all(self._rows(sql, list(agencies)))

    def snippet_versions(self, snippet_id: str) -> tuple[Snippet, ...]:
        """Return all versions of a snippet, the newest first."""
        return SHAPE.read_all(self._rows(f"{SHAPE.select} WHERE id = ? ORDER BY version DESC", (snippet_id,)))
