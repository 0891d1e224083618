"""Queries on jobs, their items, and the chunks of exported files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from engine.records.codec import instant_text
from engine.records.jobs import Job, JobChunk, JobItem
from engine.storage.sql.connection import Queries, TableMapping

ORDERS: Final = TableMapping(Job, "work_order")
LINES: Final = TableMapping(JobItem, "order_line", ("work_order", "rank"))
PARTS: Final = TableMapping(JobChunk, "order_part", ("work_order", "n"))

TYPED: Final = frozenset({"text", "reason"})  # what people typed of a job
REASON_KEPT: Final = timedelta(days=7)  # as long as a file

_SERVED: Final = (  # when the person of a job had a turn last, with any of their jobs
    "(SELECT max(coalesce(claimed_until, ended_at, '')) FROM work_order o WHERE o.account = work_order.account)"
)
_TO_DO: Final = f"ended_at IS NULL AND (claimed_until IS NULL OR claimed_until <= ?) ORDER BY {_SERVED}, at, n LIMIT 1"


class JobQueries(Queries):
    """Queries of `Unit` on jobs."""

    def add_order(self, order: Job, lines: Iterable[JobItem] = ()) -> None:
        """Insert a job and its items."""
        self._change(ORDERS.insert(), ORDERS.cells(order))
        for line in lines:
            self._change(LINES.insert(), LINES.cells(line))

    def put_order(self, order: Job) -> None:
        """Update a job. An unknown id changes nothing."""
        self._change(ORDERS.update, [*ORDERS.cells(order), order.id])

    def order(self, order_id: str) -> Job | None:
        """Return the job, or None. A writing unit locks it."""
        row = self._row(f"{ORDERS.select} WHERE id = ?{self.lock}", (order_id,))
        return ORDERS.read(row) if row else None

    def order_numbered(self, n: int) -> Job | None:
        """Return the job with this public number, or None."""
        row = self._row(f"{ORDERS.select} WHERE n = ?", (n,))
        return ORDERS.read(row) if row else None

    def orders_of(self, account: str, limit: int = 50) -> tuple[Job, ...]:
        """Return the jobs of an account, the newest first."""
        rows = self._rows(f"{ORDERS.select} WHERE account = ? ORDER BY n DESC LIMIT ?", (account, limit))
        return ORDERS.read_all(rows)

    def all_orders(self) -> tuple[Job, ...]:
        """Return all jobs by number."""
        return ORDERS.read_all(self._rows(f"{ORDERS.select} ORDER BY n"))

    def orders_left(self) -> bool:
        """Return whether any job has not ended."""
        return self._row("SELECT 1 FROM work_order WHERE ended_at IS NULL LIMIT 1") is not None

    def count_orders_left(self, account: str, works: Collection[str]) -> int:
        """Return the number of jobs of these kinds of an account that have not ended."""
        among = ", ".join("?" * len(works))
        sql = f"SELECT count(*) FROM work_order WHERE account = ? AND ended_at IS NULL AND work IN ({among})"
        return int(self._row(sql, (account, *works))[0])

    def claim_order(self, now: datetime, lease_until: datetime) -> Job | None:
        """Claim an open job without a lease, until `lease_until`. None if there is none.

        It is the oldest of the person who waits longest for a turn.
        """
        found = self._row(f"SELECT id FROM work_order WHERE {_TO_DO}{self.claim}", (instant_text(now),))
        if found is None:
            return None
        sql = f"UPDATE work_order SET claimed_until = ? WHERE id = ? RETURNING {ORDERS.columns}"
        return ORDERS.read(self._changed(sql, (instant_text(lease_until), found[0]))[0])

    def order_line(self, order_id: str, rank: int) -> JobItem | None:
        """Return the item of this rank, or None. A writing unit locks it."""
        row = self._row(f"{LINES.select} WHERE work_order = ? AND rank = ?{self.lock}", (order_id, rank))
        return LINES.read(row) if row else None

    def put_order_line(self, line: JobItem) -> None:
        """Update a job item. An unknown one changes nothing."""
        self._change(LINES.update, [*LINES.cells(line), line.work_order, line.rank])

    def order_lines(self, order_id: str) -> tuple[JobItem, ...]:
        """Return all items of a job, by rank."""
        return LINES.read_all(self._rows(f"{LINES.select} WHERE work_order = ? ORDER BY rank", (order_id,)))

    def order_lines_left(self, order_id: str, limit: int) -> tuple[JobItem, ...]:
        """Return items of a job without an outcome, by rank."""
        sql = f"{LINES.select} WHERE work_order = ? AND outcome = '' ORDER BY rank LIMIT ?"
        return LINES.read_all(self._rows(sql, (order_id, limit)))

    def order_outcomes(self, order_id: str) -> Mapping[str, int]:
        """Return the number of items by outcome."""
        sql = "SELECT outcome, count(*) FROM order_line WHERE work_order = ? GROUP BY outcome"
        return dict(tuple(row) for row in self._rows(sql, (order_id,)))

    def add_order_part(self, part: JobChunk) -> None:
        """Insert a chunk. Raises `AlreadyExists` if another worker wrote it."""
        self._change(PARTS.insert(), PARTS.cells(part))

    def order_part(self, order_id: str, n: int) -> JobChunk | None:
        """Return the chunk numbered `n`, from 1, or None."""
        row = self._row(f"{PARTS.select} WHERE work_order = ? AND n = ?", (order_id, n))
        return PARTS.read(row) if row else None

    def order_parts(self, order_id: str) -> tuple[int, int, str]:
        """Return the number of chunks and of rows of a file, and where the next chunk begins."""
        sql = "SELECT n, mark FROM order_part WHERE work_order = ? ORDER BY n DESC LIMIT 1"
        last = self._row(sql, (order_id,))
        if last is None:
            return 0, 0, ""
        rows = self._row("SELECT sum(rows) FROM order_part WHERE work_order = ?", (order_id,))[0]
        return int(last[0]), int(rows), str(last[1])

    def throw_files(self, now: datetime) -> int:
        """Delete the chunks of files that have expired, and what people typed: the searched text may be a name, and the
        reason of an act is erased with its dossiers. Returns the number of jobs."""
        texts = "work = 'tray' AND ended_at IS NOT NULL AND until IS NULL AND instr(asked, '\"text\":') > 0"  # expired before
        reasons = "work = 'act' AND ended_at <= ? AND instr(asked, '\"reason\":') > 0"
        sql = f"{ORDERS.select} WHERE until <= ? OR ({texts}) OR ({reasons})"
        over = ORDERS.read_all(self._rows(sql, (instant_text(now), instant_text(now - REASON_KEPT))))
        for order in over:
            asked = order.asked if isinstance(order.asked, dict) else {}
            self._change("DELETE FROM order_part WHERE work_order = ?", (order.id,))
            self.put_order(
                replace(order, until=None, asked={name: kept for name, kept in asked.items() if name not in TYPED})
            )
        return len(over)
