"""Counts in SQLite, and the journal read in the order of time, which they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from engine.records.codec import instant_text, read_instant
from engine.records.statistics import (
    AMONG,
    DUE_LETTERS,
    DUE_TIMERS,
    EDITIONS,
    OPEN_DOSSIERS,
    OPEN_PAYMENTS,
    Count,
    CounterQuery,
    JournalCursor,
    MigrationState,
    OverdueCount,
    Queues,
    where,
)
from engine.storage.schema.migration_list import NAMES
from engine.storage.sql.connection import Queries
from engine.storage.unit_of_work import AlreadyExists, Conflict

_ADD: Final = (
    "INSERT INTO tally (procedure, month, figure, office, detail, n) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (procedure, month, figure, office, detail) DO UPDATE SET n = tally.n + excluded.n"
)
_BEGIN: Final = "INSERT INTO tally_mark (at, dossier, n, name) VALUES (?, ?, ?, 'journal')"
_GO_ON: Final = "UPDATE tally_mark SET at = ?, dossier = ?, n = ? WHERE name = 'journal'"
_AFTER: Final = (
    f"SELECT at, dossier, n FROM entry WHERE {AMONG} AND (at, dossier, n) > (?, ?, ?) AND at <= ?"
    " ORDER BY at, dossier, n LIMIT ?"
)
_UNTIL: Final = f"SELECT count(*) FROM entry WHERE {AMONG} AND (at, dossier, n) <= (?, ?, ?)"
_BY: Final = (
    "SELECT kind, count(*), count(DISTINCT dossier) FROM entry"
    " WHERE actor_kind = 'agent' AND actor = ? AND at >= ? AND at < ? GROUP BY kind ORDER BY kind"
)


class CounterQueries(Queries):
    def tally_mark(self) -> JournalCursor | None:
        row = self._row("SELECT at, dossier, n FROM tally_mark WHERE name = 'journal'" + self.lock)
        return JournalCursor(read_instant(row[0]), row[1], row[2]) if row else None

    def counted_after(self, mark: JournalCursor | None, until: datetime, limit: int) -> tuple[JournalCursor, ...]:
        begin = (instant_text(mark.at), mark.dossier, mark.n) if mark else ("", "", 0)
        rows = self._rows(_AFTER, (*begin, instant_text(until), limit))
        return tuple(JournalCursor(read_instant(at), dossier, n) for at, dossier, n in rows)

    def entries_until(self, mark: JournalCursor) -> int:
        found: int = self._row(_UNTIL, (instant_text(mark.at), mark.dossier, mark.n))[0]
        return found

    def add_tallies(self, counts: Mapping[Count, int], before: JournalCursor | None, after: JournalCursor) -> None:
        if self.tally_mark() != before:
            raise Conflict("tally_mark")
        cells = (instant_text(after.at), after.dossier, after.n)
        try:
            self._change(_GO_ON if before else _BEGIN, cells)
        except AlreadyExists:  # another process began
            raise Conflict("tally_mark") from None
        for one, n in sorted(counts.items(), key=lambda item: _key(item[0])):
            if n:
                self._later(_ADD, (*_key(one), n))

    def tallies(self, asked: CounterQuery) -> Mapping[Count, int]:
        condition, cells = where(asked)
        rows = self._rows(f"SELECT procedure, month, figure, office, detail, n FROM tally WHERE {condition}", cells)
        return {Count(*row[:5]): row[5] for row in rows if row[5]}

    def tallies_together(self, asked: CounterQuery) -> Mapping[Count, int]:
        condition, cells = where(asked)
        kept = "month, figure, procedure, detail"  # as the index has them
        rows = self._rows(f"SELECT {kept}, sum(n) FROM tally WHERE {condition} GROUP BY {kept}", cells)
        return {Count(one[2], one[0], one[1], "", one[3]): int(one[4]) for one in rows if one[4]}

    def tallied(self, asked: CounterQuery) -> frozenset[str]:
        condition, cells = where(asked)
        rows = self._rows(f"SELECT DISTINCT procedure FROM tally WHERE {condition} AND n <> 0", cells)
        return frozenset(row[0] for row in rows)

    def forget_tallies(self) -> None:
        self._change("DELETE FROM tally")
        self._change("DELETE FROM tally_mark")

    def acts_of(self, actor: str, first: datetime, end: datetime) -> Mapping[str, tuple[int, int]]:
        rows = self._rows(_BY, (actor, instant_text(first), instant_text(end)))
        return {kind: (acts, dossiers) for kind, acts, dossiers in rows}


def _key(one: Count) -> tuple[str, str, str, str, str]:
    return one.procedure, one.month, one.figure, one.office, one.detail


CLOCK: Final = "SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"


class MigrationStateQueries(Queries):
    def queues(self, now: datetime) -> Queues:
        return Queues(
            {(procedure, state): n for procedure, state, n in self._rows(OPEN_DOSSIERS)},
            self._overdue(DUE_LETTERS, now), self._overdue(DUE_TIMERS, now),
            dict(self._rows(OPEN_PAYMENTS)),
            {(procedure, fingerprint): read_instant(at) for procedure, fingerprint, at in self._rows(EDITIONS)},
        )  # fmt: skip

    def clock(self, now: datetime) -> datetime:
        return now

    def _overdue(self, sql: str, now: datetime) -> OverdueCount:
        count, since = self._row(sql, (instant_text(now),))
        return OverdueCount(count, read_instant(since) if since else None)


def migration_state(had: Iterable[str], now: str) -> MigrationState:
    """From the names of the migrations that a store had, and its clock."""
    known = set(had)
    return MigrationState(
        tuple(one for one in NAMES if one not in known), tuple(sorted(known - set(NAMES))), read_instant(now), not known
    )
