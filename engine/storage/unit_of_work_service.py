"""What a service keeps beside its dossiers: counts, orders, the signed journal, what waits, sentences ready, openings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from engine.journal.chain import JournalEntry
from engine.journal.leaves import Leaf, Tree
from engine.journal.search import EventsAsked, Facets, JournalEvent
from engine.records.administration import Hold, OpeningChange
from engine.records.jobs import Job, JobChunk, JobItem
from engine.records.sms_counts import SmsCount
from engine.records.snippets import Snippet
from engine.records.statistics import Count, CounterQuery, JournalCursor, Queues


class ServiceUnit(Protocol):
    """The verbs of one transaction about a service as a whole."""

    # counts
    def tally_mark(self) -> JournalCursor | None:
        """Up to where the journal was counted; None before the first time."""
        ...

    def counted_after(self, mark: JournalCursor | None, until: datetime, limit: int) -> tuple[JournalCursor, ...]:
        """The entries that counts are made of (`tallies.COUNTED`), sealed after a mark and not after `until`, in the order of
        time: of which dossier, and their number in its journal."""
        ...

    def entries_until(self, mark: JournalCursor) -> int:
        """How many of them were sealed until a mark."""
        ...

    def add_tallies(self, counts: Mapping[Count, int], before: JournalCursor | None, after: JournalCursor) -> None:
        """Adds to what was counted, and moves the mark. Raises `Conflict` when it is not `before` any more."""
        ...

    def unsent_for(self, letter_id: str) -> str | None:
        """The procedure whose dossier a letter is about, empty for none, while the letter is not marked as sent. Holds it."""
        ...

    def add_sms(self, count: SmsCount) -> None:
        """Adds to what left in that month, for that procedure, to that country."""
        ...

    def sms_counts(self, month: str = "") -> tuple[SmsCount, ...]:
        """Of one month, or of all, the newest first."""
        ...

    def tallies(self, asked: CounterQuery) -> Mapping[Count, int]: ...
    def tallies_together(self, asked: CounterQuery) -> Mapping[Count, int]:
        """The same, all offices in one."""
        ...

    def tallied(self, asked: CounterQuery) -> frozenset[str]:
        """The procedures of which anything is counted."""
        ...

    def forget_tallies(self) -> None:
        """What was counted, and up to where: it is counted again from the first entry."""
        ...

    def acts_of(self, actor: str, first: datetime, end: datetime) -> Mapping[str, tuple[int, int]]:
        """What an agent did between two instants: by kind of entry how many, in how many dossiers."""
        ...

    # orders
    def add_order(self, order: Job, lines: Sequence[JobItem] = ()) -> None: ...
    def put_order(self, order: Job) -> None: ...
    def order(self, order_id: str) -> Job | None: ...
    def order_numbered(self, n: int) -> Job | None: ...
    def orders_of(self, account: str, limit: int = 50) -> tuple[Job, ...]:
        """The newest first."""
        ...

    def all_orders(self) -> tuple[Job, ...]: ...
    def orders_left(self) -> bool:
        """Whether any order is not ended."""
        ...

    def claim_order(self, now: datetime, lease_until: datetime) -> Job | None:
        """The oldest that is not ended and that nobody carries out at this moment, lent until the lease ends."""
        ...

    def order_line(self, order_id: str, rank: int) -> JobItem | None: ...
    def put_order_line(self, line: JobItem) -> None: ...
    def order_lines(self, order_id: str) -> tuple[JobItem, ...]: ...
    def order_lines_left(self, order_id: str, limit: int) -> tuple[JobItem, ...]:
        """Those of which nothing came yet, in their order."""
        ...

    def order_outcomes(self, order_id: str) -> Mapping[str, int]:
        """How many lines came to what."""
        ...

    def add_order_part(self, part: JobChunk) -> None:
        """Raises `Taken` when somebody else wrote this part."""
        ...

    def order_part(self, order_id: str, n: int) -> JobChunk | None: ...
    def order_parts(self, order_id: str) -> tuple[int, int, str]:
        """How many parts a file has by now, how many rows, and where the next begins."""
        ...

    def throw_files(self, now: datetime) -> int:
        """Forgets the parts of files kept until now; of how many orders."""
        ...

    # the tree of the journal
    def tree(self) -> Tree | None:
        """None before the first worker began it."""
        ...

    def put_tree(self, tree: Tree, first: bool) -> None:
        """Raises `Conflict` when another process began it."""
        ...

    def owed_leaves(self, limit: int) -> tuple[Leaf, ...]:
        """Entries that are in no tree yet."""
        ...

    def add_leaves(self, size: int, leaves: Sequence[Leaf]) -> None:
        """At the end of a tree of `size`."""
        ...

    def tree_nodes(self, level: int, first: int, end: int) -> tuple[bytes, ...]:
        """As `merkle.Nodes` reads it."""
        ...

    def leaf_hashes(self, first: int, end: int) -> tuple[str, ...]:
        """Of the entries, in the order of the tree."""
        ...

    def leaves_sealed(self, first: int, end: int) -> tuple[tuple[Leaf, str], ...]:
        """Entries that are in the tree, in its order, and the instant each says that it was sealed. Without those that are gone."""
        ...

    def last_leaf(self, chain: str, size: int, most: int = 2**31) -> tuple[int, Leaf] | None:
        """The last entry of a chain, the `most`th at most, that a tree of `size` holds, and its place there."""
        ...

    # what waits
    def queues(self, now: datetime) -> Queues: ...
    def clock(self, now: datetime) -> datetime:
        """The time at the store: that of its server, or the caller's `now` where one machine has the store."""
        ...

    # the journals together
    def find_events(
        self, asked: EventsAsked, before: tuple[str, str, int] | None = None, limit: int = 50
    ) -> tuple[JournalEvent, ...]:
        """Entries of dossiers that were sent, the newest first, before a mark (`events.mark_of`)."""
        ...

    def count_events(self, asked: EventsAsked, most: int = 10_000) -> Facets:
        """How many of the last ones there are by kind, agent, office, procedure and channel."""
        ...

    def rights_by(self, actor: str, kinds: tuple[str, ...], limit: int = 100) -> tuple[JournalEntry, ...]:
        """What somebody did that the journal of people says, of these kinds, the newest first."""
        ...

    # sentences kept ready
    def add_snippet(self, snippet: Snippet) -> None:
        """Raises `Taken` when somebody kept that version."""
        ...

    def snippets(self, agencies: Sequence[str]) -> tuple[Snippet, ...]:
        """The last version of each that is offered, by agency and title."""
        ...

    def snippet_versions(self, snippet_id: str) -> tuple[Snippet, ...]:
        """The newest first."""
        ...

    # when offices receive
    def openings_head(self, hold: Hold | None = None) -> int:
        """How many times openings were changed. A writing unit may hold it until its end: `share`, and no change is made
        meanwhile; `change`, and no seat is taken either. To be held before any dossier is."""
        ...

    def add_opening_change(self, change: OpeningChange) -> None:
        """Raises `Taken` when its place is taken."""
        ...

    def put_opening_change(self, change: OpeningChange) -> None: ...
    def opening_change(self, change_id: str) -> OpeningChange | None: ...
    def opening_changes(self) -> tuple[OpeningChange, ...]:
        """Those that stand, in the order in which they were made."""
        ...

    def all_opening_changes(self) -> tuple[OpeningChange, ...]:
        """Those taken back too, the oldest first."""
        ...

    def opening_changes_of(self, offices: Sequence[str], limit: int = 50) -> tuple[OpeningChange, ...]:
        """Every one of these offices (the empty name: holidays), lifted or not, the newest first."""
        ...
