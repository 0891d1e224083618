"""The journals of all dossiers in SQLite, read together."""

from __future__ import annotations

from typing import Any, Final

from engine.records.bodies import Unreadable, read_instant
from engine.records.events import COLUMNS, FROM, EventsAsked, Facets, Happening, counted, events_where
from engine.records.journal import Entry
from engine.records.sqlite_rows import Shape, read_json
from engine.records.sqlite_verbs import Verbs

RIGHTS: Final = Shape(Entry, "people_entry", ("n",))
_BY: Final = "actor_kind, actor, office, procedure, channel"


class EventVerbs(Verbs):
    def find_events(
        self, asked: EventsAsked, before: tuple[str, str, int] | None = None, limit: int = 50
    ) -> tuple[Happening, ...]:
        where, cells = events_where(asked)
        if before is not None:
            where, cells = f"{where} AND (e.at, e.dossier, e.n) < (?, ?, ?)", [*cells, *before]
        sql = f"SELECT {COLUMNS} {FROM} WHERE {where} ORDER BY e.at DESC, e.dossier DESC, e.n DESC LIMIT ?"
        return tuple(_read(row) for row in self._rows(sql, [*cells, limit]))

    def count_events(self, asked: EventsAsked, most: int = 10_000) -> Facets:
        where, cells = events_where(asked)
        inner = f"SELECT e.kind, e.actor_kind, e.actor, d.office, d.procedure, d.channel {FROM} WHERE {where}"
        sql = (
            f"SELECT kind, {_BY}, count(*) FROM ({inner} ORDER BY e.at DESC, e.dossier DESC, e.n DESC LIMIT ?) AS found"
            f" GROUP BY kind, {_BY}"
        )
        return counted([tuple(row) for row in self._rows(sql, [*cells, most + 1])], most)

    def rights_by(self, actor: str, kinds: tuple[str, ...], limit: int = 100) -> tuple[Entry, ...]:
        among = ", ".join("?" * len(kinds)) or "NULL"
        sql = f"{RIGHTS.select} WHERE actor = ? AND kind IN ({among}) ORDER BY n DESC LIMIT ?"
        return RIGHTS.read_all(self._rows(sql, [actor, *kinds, limit]))


def _read(row: Any) -> Happening:
    at, dossier, n, kind, actor_kind, actor, edition, body, number, procedure, office, channel = row
    try:
        sealed_at, said = read_instant(at), read_json(body)
    except Unreadable as error:
        error.row = f"entry {number} {n}"
        raise
    return Happening(sealed_at, dossier, n, kind, actor_kind, actor, edition, said, number, procedure, office, channel)
