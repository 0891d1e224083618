"""Queries on counters, and the journal in order of time, which they are computed from."""

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
from engine.storage.results import AlreadyExists, Conflict
from engine.storage.schema.migration_list import NAMES, strange
from engine.storage.sql.connection import Queries

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
    """Queries of `Unit` on counters."""

    def tally_mark(self) -> JournalCursor | None:
        """Return the cursor of the counters in the journal, None before the first count."""
        row = self._row("SELECT at, dossier, n FROM tally_mark WHERE name = 'journal'" + self.lock)
        return JournalCursor(read_instant(row[0]), row[1], row[2]) if row else None

    def counted_after(self, mark: JournalCursor | None, until: datetime, limit: int) -> tuple[JournalCursor, ...]:
        """Return entries to count (kinds `COUNTED`) after the cursor and not after `until`, in order of time. Each
        names the dossier and the number in its journal."""
        begin = (instant_text(mark.at), mark.dossier, mark.n) if mark else ("", "", 0)
        rows = self._rows(_AFTER, (*begin, instant_text(until), limit))
        return tuple(JournalCursor(read_instant(at), dossier, n) for at, dossier, n in rows)

    def entries_until(self, mark: JournalCursor) -> int:
        """Return how many entries to count exist up to the cursor."""
        found: int = self._row(_UNTIL, (instant_text(mark.at), mark.dossier, mark.n))[0]
        return found

    def add_tallies(self, counts: Mapping[Count, int], before: JournalCursor | None, after: JournalCursor) -> None:
        """Add to the counters and move the cursor. Raises `Conflict` if the stored one is not `before`."""
        if self.tally_mark() != before:
            raise Conflict("tally_mark")
        cells = (instant_text(after.at), after.dossier, after.n)
        try:
            self._change(_GO_ON if before else _BEGIN, cells)
        except AlreadyExists:  # another process inserted it first
            raise Conflict("tally_mark") from None
        for one, n in sorted(counts.items(), key=lambda item: _key(item[0])):
            if n:
                self._later(_ADD, (*_key(one), n))

    def tallies(self, asked: CounterQuery) -> Mapping[Count, int]:
        """Return the counters that match, without zeros."""
        condition, cells = where(asked)
        rows = self._rows(f"SELECT procedure, month, figure, office, detail, n FROM tally WHERE {condition}", cells)
        return {Count(*row[:5]): row[5] for row in rows if row[5]}

    def tallies_together(self, asked: CounterQuery) -> Mapping[Count, int]:
        """Return the counters that match, summed over offices, without zeros."""
        condition, cells = where(asked)
        kept = "month, figure, procedure, detail"  # in the order of the index
        rows = self._rows(f"SELECT {kept}, sum(n) FROM tally WHERE {condition} GROUP BY {kept}", cells)
        return {Count(one[2], one[0], one[1], "", one[3]): int(one[4]) for one in rows if one[4]}

    def tallied(self, asked: CounterQuery) -> frozenset[str]:
        """Return the procedures with a counter that matches."""
        condition, cells = where(asked)
        rows = self._rows(f"SELECT DISTINCT procedure FROM tally WHERE {condition} AND n <> 0", cells)
        return frozenset(row[0] for row in rows)

    def forget_tallies(self) -> None:
        """Delete all counters and the cursor. Counting starts again from the first entry."""
        self._change("DELETE FROM tally")
        self._change("DELETE FROM tally_mark")

    def acts_of(self, actor: str, first: datetime, end: datetime) -> Mapping[str, tuple[int, int]]:
        """Return the acts of an agent from `first` to before `end`: entries and dossiers, by kind of entry."""
        rows = self._rows(_BY, (actor, instant_text(first), instant_text(end)))
        return {kind: (acts, dossiers) for kind, acts, dossiers in rows}


def _key(one: Count) -> tuple[str, str, str, str, str]:
    return one.procedure, one.month, one.figure, one.office, one.detail


CLOCK: Final = "SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"


class MigrationStateQueries(Queries):
    """Queries of `Unit` on queues and the clock."""

    def queues(self, now: datetime) -> Queues:
        """Return what waits in the store, overdue at `now`."""
        return Queues(
            {(procedure, state): n for procedure, state, n in self._rows(OPEN_DOSSIERS)},
            self._overdue(DUE_LETTERS, now), self._overdue(DUE_TIMERS, now),
            dict(self._rows(OPEN_PAYMENTS)),
            {(procedure, fingerprint): read_instant(at) for procedure, fingerprint, at in self._rows(EDITIONS)},
        )  # fmt: skip

    def clock(self, now: datetime) -> datetime:
        """Return the time of the database server, or `now` where the database has no server."""
        return now

    def _overdue(self, sql: str, now: datetime) -> OverdueCount:
        count, since = self._row(sql, (instant_text(now),))
        return OverdueCount(count, read_instant(since) if since else None)


def migration_state(had: Iterable[str], least: str, finishing: Iterable[str], now: str) -> MigrationState:
    """Return the schema state.

    `had`: the applied migrations. `least`: the newest that a release must know. `finishing`: the finishing migrations
    of this kind of store. `now`: the instant text of the database clock.
    """
    known = set(had)
    unknown = strange(known)
    return MigrationState(
        tuple(one for one in NAMES if one not in known), unknown, not unknown or least in NAMES,
        tuple(one for one in finishing if one not in known), read_instant(now), not known,
    )  # fmt: skip
