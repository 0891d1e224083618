"""Publications in SQLite: what was decided about the editions in service, and how following a repository goes."""

from __future__ import annotations

from typing import Final

from engine.journal.chain import JournalEntry
from engine.journal.leaves import OWE
from engine.records.publications import FollowingState, Publication
from engine.storage.sql.connection import Queries, TableMapping
from engine.storage.unit_of_work import AlreadyExists, Conflict

PUBLICATIONS: Final = TableMapping(Publication, "publication", ("n",))
DEEDS: Final = TableMapping(JournalEntry, "publication_entry", ("n",))
WATCHES: Final = TableMapping(FollowingState, "watch", ("source",))


class PublicationQueries(Queries):
    def last_publication(self) -> int:
        last: int = self._row("SELECT coalesce(max(n), 0) FROM publication")[0]
        return last

    def add_publication(self, publication: Publication) -> None:
        if publication.n != self.last_publication() + 1:
            raise Conflict(f"publication {publication.n}")
        try:
            self._change(PUBLICATIONS.insert(), PUBLICATIONS.cells(publication))
        except AlreadyExists:  # another process was faster
            raise Conflict(f"publication {publication.n}") from None

    def publications(self, after: int = 0) -> tuple[Publication, ...]:
        return PUBLICATIONS.read_all(self._rows(f"{PUBLICATIONS.select} WHERE n > ? ORDER BY n", (after,)))

    def recent_publications(self, limit: int = 50, before: int | None = None) -> tuple[Publication, ...]:
        top = before if before is not None else self.last_publication() + 1
        sql = f"{PUBLICATIONS.select} WHERE n < ? ORDER BY n DESC LIMIT ?"
        return PUBLICATIONS.read_all(self._rows(sql, (top, limit)))

    def deed_head(self) -> tuple[int, str]:
        row = self._row("SELECT n, hash FROM publication_entry ORDER BY n DESC LIMIT 1")
        return (row[0], row[1]) if row else (0, "")

    def add_deed(self, entry: JournalEntry) -> None:
        if (entry.n - 1, entry.previous) != self.deed_head():
            raise Conflict(entry.dossier)
        try:
            self._change(DEEDS.insert(), DEEDS.cells(entry))
        except AlreadyExists:
            raise Conflict(entry.dossier) from None
        self._change(OWE, (entry.dossier, entry.n, entry.hash))

    def deeds(self) -> tuple[JournalEntry, ...]:
        return DEEDS.read_all(self._rows(f"{DEEDS.select} ORDER BY n"))

    def watch(self, source: str) -> FollowingState | None:
        row = self._row(f"{WATCHES.select} WHERE source = ?", (source,))
        return WATCHES.read(row) if row else None

    def put_watch(self, watch: FollowingState) -> None:
        self._change(WATCHES.upsert, WATCHES.cells(watch))
