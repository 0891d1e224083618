"""Queries on publications: decisions about editions in force, and the follower's state."""

from __future__ import annotations

from typing import Final

from engine.journal.chain import JournalEntry
from engine.journal.leaves import OWE
from engine.records.publications import FollowingState, Publication
from engine.storage.results import AlreadyExists, Conflict
from engine.storage.sql.connection import Queries, TableMapping

PUBLICATIONS: Final = TableMapping(Publication, "publication", ("n",))
DEEDS: Final = TableMapping(JournalEntry, "publication_entry", ("n",))
WATCHES: Final = TableMapping(FollowingState, "watch", ("source",))


class PublicationQueries(Queries):
    """Queries of `Unit` on publications and the follower."""

    def last_publication(self) -> int:
        """Return the number of the last publication, 0 before the first.

        Processes poll it to notice new publications.
        """
        last: int = self._row("SELECT coalesce(max(n), 0) FROM publication")[0]
        return last

    def add_publication(self, publication: Publication) -> None:
        """Insert a publication. Raises `Conflict` if its number does not follow the last."""
        if publication.n != self.last_publication() + 1:
            raise Conflict(f"publication {publication.n}")
        try:
            self._change(PUBLICATIONS.insert(), PUBLICATIONS.cells(publication))
        except AlreadyExists:  # another process was faster
            raise Conflict(f"publication {publication.n}") from None

    def publications(self, after: int = 0) -> tuple[Publication, ...]:
        """Return the publications numbered above `after`, in order."""
        return PUBLICATIONS.read_all(self._rows(f"{PUBLICATIONS.select} WHERE n > ? ORDER BY n", (after,)))

    def recent_publications(self, limit: int = 50, before: int | None = None) -> tuple[Publication, ...]:
        """Return publications, the newest first. `before` is the number where the last page ended."""
        top = before if before is not None else self.last_publication() + 1
        sql = f"{PUBLICATIONS.select} WHERE n < ? ORDER BY n DESC LIMIT ?"
        return PUBLICATIONS.read_all(self._rows(sql, (top, limit)))

    def deed_head(self) -> tuple[int, str]:
        """Return the number and hash of the last entry of the publications' chain, (0, "") before the first."""
        row = self._row("SELECT n, hash FROM publication_entry ORDER BY n DESC LIMIT 1")
        return (row[0], row[1]) if row else (0, "")

    def add_deed(self, entry: JournalEntry) -> None:
        """Append an entry to the publications' chain. Raises `Conflict` if it does not follow the head."""
        if (entry.n - 1, entry.previous) != self.deed_head():
            raise Conflict(entry.dossier)
        try:
            self._change(DEEDS.insert(), DEEDS.cells(entry))
        except AlreadyExists:
            raise Conflict(entry.dossier) from None
        self._change(OWE, (entry.dossier, entry.n, entry.hash))

    def deeds(self) -> tuple[JournalEntry, ...]:
        """Return the publications' chain, in order."""
        return DEEDS.read_all(self._rows(f"{DEEDS.select} ORDER BY n"))

    def watch(self, source: str) -> FollowingState | None:
        """Return the follower's state for this source, or None before its first look."""
        row = self._row(f"{WATCHES.select} WHERE source = ?", (source,))
        return WATCHES.read(row) if row else None

    def put_watch(self, watch: FollowingState) -> None:
        """Insert or update the follower's state for its source."""
        self._change(WATCHES.upsert, WATCHES.cells(watch))
