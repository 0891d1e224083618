"""Queries on the files of unverified applicants."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from engine.records.codec import instant_text
from engine.records.unverified_files import UnprovenFile
from engine.storage.sql.connection import Queries, TableMapping

FILES: Final = TableMapping(UnprovenFile, "unproven_file", ("dossier", "name"))
_ONE: Final = " WHERE dossier = ? AND name = ?"


class UnprovenFileQueries(Queries):
    """Queries of `Unit` on files of unverified applicants."""

    def unproven_file(self, dossier_id: str, name: str) -> UnprovenFile | None:
        """Return the row of a file, or None. A writing unit locks it."""
        row = self._row(f"{FILES.select}{_ONE}{self.lock}", (dossier_id, name))
        return FILES.read(row) if row else None

    def put_unproven_file(self, file: UnprovenFile) -> None:
        """Insert the row, or replace the one with the same dossier and name."""
        self._change(FILES.upsert, FILES.cells(file))

    def spare_unproven_file(self, file: UnprovenFile) -> None:
        """Mark a file that nothing names. Does nothing if it is being removed, or was rewritten since it was read."""
        sql = f"UPDATE unproven_file SET state = 'spare'{_ONE} AND at = ? AND state <> 'going'"
        self._change(sql, (file.dossier, file.name, instant_text(file.at)))

    def claim_unproven_file(self, file: UnprovenFile, now: datetime) -> UnprovenFile | None:
        """Claim the removal of a file and return its row. None if the row is gone, or was rewritten or
        claimed since it was read."""
        same = "at = ? AND state = 'going'" if file.state == "going" else "at = ? AND state <> 'going'"
        sql = f"UPDATE unproven_file SET state = 'going', at = ?{_ONE} AND {same}"
        claimed = self._change(sql, (instant_text(now), file.dossier, file.name, instant_text(file.at))) == 1
        return replace(file, state="going", at=now) if claimed else None

    def drop_unproven_file(self, claimed: UnprovenFile) -> None:
        """Delete the row after its file was removed. Does nothing if another process claimed it meanwhile."""
        sql = f"DELETE FROM unproven_file{_ONE} AND at = ? AND state = 'going'"
        self._change(sql, (claimed.dossier, claimed.name, instant_text(claimed.at)))

    def prove_files(self, dossier_id: str) -> None:
        """Stop counting the files of a dossier whose owner verified the phone number. Removals that began go on."""
        self._change("DELETE FROM unproven_file WHERE dossier = ? AND state <> 'going'", (dossier_id,))

    def unproven_files_beyond(self, most: int, *, dossier: str = "", address: str = "") -> tuple[UnprovenFile, ...]:
        """Return the files of a dossier or an address to remove. The others then sum to at most `most` bytes.

        Unused files are removed first, then the oldest.
        """
        column, value = ("dossier", dossier) if dossier else ("address", address)
        newest = "ORDER BY CASE state WHEN 'kept' THEN 0 ELSE 1 END, at DESC, dossier, name"
        counted = f"SELECT {FILES.columns}, sum(bytes) OVER ({newest}) AS upto FROM unproven_file WHERE {column} = ?"
        sql = f"SELECT {FILES.columns} FROM ({counted}) AS counted WHERE upto > ? AND state <> 'going'"
        return FILES.read_all(self._rows(sql, (value, most)))

    def unproven_files_idle(self, before: datetime, limit: int) -> tuple[UnprovenFile, ...]:
        """Return files stored before this instant, in drafts whose owner was not seen since."""
        text = instant_text(before)
        seen = (
            "SELECT 1 FROM dossier JOIN session ON session.account = dossier.owner"
            " WHERE dossier.id = unproven_file.dossier AND session.seen_at >= ?"
        )
        sql = f"{FILES.select} WHERE at < ? AND state <> 'going' AND NOT EXISTS ({seen}) ORDER BY at LIMIT ?"
        return FILES.read_all(self._rows(sql, (text, text, limit)))

    def unproven_files_going(self, before: datetime, limit: int) -> tuple[UnprovenFile, ...]:
        """Return files whose removal began before this instant and is not finished."""
        sql = f"{FILES.select} WHERE state = 'going' AND at < ? LIMIT ?"
        going: list[Any] = self._rows(sql, (instant_text(before), limit))
        return FILES.read_all(going)
