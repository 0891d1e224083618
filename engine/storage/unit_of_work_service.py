"""Queries about the service as a whole: counters, jobs, the signed journal, queues, snippets, opening changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from engine.journal.chain import JournalEntry
from engine.journal.leaves import Leaf, Tree
from engine.journal.search import EventsAsked, Facets, JournalEvent
from engine.records.administration import Hold, OpeningChange, Snippet
from engine.records.jobs import Job, JobChunk, JobItem
from engine.records.statistics import Count, CounterQuery, JournalCursor, Queues, SmsCount


class ServiceUnit(Protocol):
    """The queries of one transaction about the service as a whole."""

    # counters
    def tally_mark(self) -> JournalCursor | None:
        """Return the cursor of the counters in the journal, None before the first count."""

    def counted_after(self, mark: JournalCursor | None, until: datetime, limit: int) -> tuple[JournalCursor, ...]:
        """Return entries to count (kinds `COUNTED`) after the cursor and not after `until`, in order of time. Each
        names the dossier and the number in its journal."""

    def entries_until(self, mark: JournalCursor) -> int:
        """Return how many entries to count exist up to the cursor."""

    def add_tallies(self, counts: Mapping[Count, int], before: JournalCursor | None, after: JournalCursor) -> None:
        """Add to the counters and move the cursor. Raises `Conflict` if the stored one is not `before`."""

    def unsent_for(self, letter_id: str) -> str | None:
        """Return the procedure of an unsent message, empty without a dossier. None if it is sent or unknown. Locks it."""

    def add_sms(self, count: SmsCount) -> None:
        """Add to the SMS counts of that month, procedure and country."""

    def sms_counts(self, month: str = "") -> tuple[SmsCount, ...]:
        """Return the SMS counts of one month, or of all, the newest month first."""

    def tallies(self, asked: CounterQuery) -> Mapping[Count, int]:
        """Return the counters that match, without zeros."""

    def tallies_together(self, asked: CounterQuery) -> Mapping[Count, int]:
        """Return the counters that match, summed over offices, without zeros."""

    def tallied(self, asked: CounterQuery) -> frozenset[str]:
        """Return the procedures with a counter that matches."""

    def forget_tallies(self) -> None:
        """Delete all counters and the cursor. Counting starts again from the first entry."""

    def acts_of(self, actor: str, first: datetime, end: datetime) -> Mapping[str, tuple[int, int]]:
        """Return the acts of an agent from `first` to before `end`: entries and dossiers, by kind of entry."""

    # jobs
    def add_order(self, order: Job, lines: Sequence[JobItem] = ()) -> None:
        """Insert a job and its items."""

    def put_order(self, order: Job) -> None:
        """Update a job. An unknown id changes nothing."""

    def order(self, order_id: str) -> Job | None:
        """Return the job, or None. A writing unit locks it."""

    def order_numbered(self, n: int) -> Job | None:
        """Return the job with this public number, or None."""

    def orders_of(self, account: str, limit: int = 50) -> tuple[Job, ...]:
        """Return the jobs of an account, the newest first."""

    def all_orders(self) -> tuple[Job, ...]:
        """Return all jobs by number."""

    def orders_left(self) -> bool:
        """Return whether any job has not ended."""

    def claim_order(self, now: datetime, lease_until: datetime) -> Job | None:
        """Claim the oldest open job without a lease, until `lease_until`. None if there is none."""

    def order_line(self, order_id: str, rank: int) -> JobItem | None:
        """Return the item of this rank, or None. A writing unit locks it."""

    def put_order_line(self, line: JobItem) -> None:
        """Update a job item. An unknown one changes nothing."""

    def order_lines(self, order_id: str) -> tuple[JobItem, ...]:
        """Return all items of a job, by rank."""

    def order_lines_left(self, order_id: str, limit: int) -> tuple[JobItem, ...]:
        """Return items of a job without an outcome, by rank."""

    def order_outcomes(self, order_id: str) -> Mapping[str, int]:
        """Return the number of items by outcome."""

    def add_order_part(self, part: JobChunk) -> None:
        """Insert a chunk. Raises `AlreadyExists` if another worker wrote it."""

    def order_part(self, order_id: str, n: int) -> JobChunk | None:
        """Return the chunk numbered `n`, from 1, or None."""

    def order_parts(self, order_id: str) -> tuple[int, int, str]:
        """Return the number of chunks and of rows of a file, and where the next chunk begins."""

    def throw_files(self, now: datetime) -> int:
        """Delete the chunks of files that have expired. Returns the number of jobs."""

    # the tree of the journal
    def tree(self) -> Tree | None:
        """Return the tree, None before the first worker began it. A writing unit locks it."""

    def put_tree(self, tree: Tree, first: bool) -> None:
        """Store the tree, `first` to insert it. Raises `Conflict` if another process inserted it."""

    def owed_leaves(self, limit: int) -> tuple[Leaf, ...]:
        """Return entries that are not in the tree yet."""

    def add_leaves(self, size: int, leaves: Sequence[Leaf]) -> None:
        """Append leaves to a tree of `size`. Raises `Conflict` if another process appended there."""

    def tree_nodes(self, level: int, first: int, end: int) -> tuple[bytes, ...]:
        """Return the nodes of a stored level from `first` to before `end`, as `merkle.Nodes` reads them."""

    def leaf_hashes(self, first: int, end: int) -> tuple[str, ...]:
        """Return the entry hashes of the leaves from `first` to before `end`."""

    def leaves_sealed(self, first: int, end: int) -> tuple[tuple[Leaf, str], ...]:
        """Return leaves in tree order with the instant text of their entry. Leaves without an entry are left out."""

    def last_leaf(self, chain: str, size: int, most: int = 2**31) -> tuple[int, Leaf] | None:
        """Return index and leaf of a chain's last entry in a tree of `size`, up to entry `most`. None without one."""

    # queues
    def queues(self, now: datetime) -> Queues:
        """Return what waits in the store, overdue at `now`."""

    def clock(self, now: datetime) -> datetime:
        """Return the time of the database server, or `now` where the database has no server."""

    # search in all journals
    def find_events(
        self, asked: EventsAsked, before: tuple[str, str, int] | None = None, limit: int = 50
    ) -> tuple[JournalEvent, ...]:
        """Return entries of submitted dossiers, the newest first, before a position (`search.mark_of`)."""

    def count_events(self, asked: EventsAsked, most: int = 10_000) -> Facets:
        """Return the facets of the newest `most` entries that match."""

    def rights_by(self, actor: str, kinds: tuple[str, ...], limit: int = 100) -> tuple[JournalEntry, ...]:
        """Return entries of these kinds by this actor from the journal of rights, the newest first."""

    # snippets
    def add_snippet(self, snippet: Snippet) -> None:
        """Insert a snippet version. Raises `AlreadyExists` if this version exists."""

    def snippets(self, agencies: Sequence[str]) -> tuple[Snippet, ...]:
        """Return the last version of each snippet of these agencies, by agency and title. Retired ones are left out."""

    def snippet_versions(self, snippet_id: str) -> tuple[Snippet, ...]:
        """Return all versions of a snippet, the newest first."""

    # opening changes
    def openings_head(self, hold: Hold | None = None) -> int:
        """Return how often openings were changed. A writing unit may lock it, before it locks any dossier.

        `share`: no opening changes until the unit ends. `change`: no seat is taken either.
        """

    def add_opening_change(self, change: OpeningChange) -> None:
        """Insert an opening change. Raises `AlreadyExists` if its number is taken."""

    def put_opening_change(self, change: OpeningChange) -> None:
        """Update an opening change. Raises `LookupError` if it does not exist."""

    def opening_change(self, change_id: str) -> OpeningChange | None:
        """Return the opening change, or None."""

    def opening_changes(self) -> tuple[OpeningChange, ...]:
        """Return the opening changes in force, in order."""

    def all_opening_changes(self) -> tuple[OpeningChange, ...]:
        """Return all opening changes, lifted ones included, in order."""

    def opening_changes_of(self, offices: Sequence[str], limit: int = 50) -> tuple[OpeningChange, ...]:
        """Return the opening changes of these offices, lifted or not, the newest first. The empty office name selects
        holidays."""
