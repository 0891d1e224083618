"""Queries on the tree of the journal and on entries of all journals. The tree is read through its stored levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.journal.chain import JournalEntry
from engine.journal.leaves import SEALED, Leaf, Tree
from engine.journal.merkle import STEP, leaf_hash, node_hash
from engine.journal.search import COLUMNS, FROM, EventsAsked, Facets, JournalEvent, counted, events_where
from engine.records.codec import Unreadable, instant_text, read_instant
from engine.storage.results import AlreadyExists, Conflict
from engine.storage.sql.connection import Queries, TableMapping, read_json

_OWED: Final = "SELECT chain, n, hash FROM leaf_owed ORDER BY chain, n LIMIT ?"
_SETTLE: Final = "DELETE FROM leaf_owed WHERE chain = ? AND n = ?"
_ADD: Final = "INSERT INTO leaf (seq, chain, n, hash) VALUES (?, ?, ?, ?)"
_NODE: Final = "INSERT INTO tree_node (level, at, hash) VALUES (?, ?, ?)"
_BEGIN: Final = "INSERT INTO tree (size, at, note, name) VALUES (?, ?, ?, 'journal')"
_GO_ON: Final = "UPDATE tree SET size = ?, at = ?, note = ? WHERE name = 'journal'"
_LAST: Final = "SELECT seq, n, hash FROM leaf WHERE chain = ? AND seq < ? AND n <= ? ORDER BY n DESC LIMIT 1"


class LeafQueries(Queries):
    """Queries of `Unit` on the tree of the journal."""

    def tree(self) -> Tree | None:
        """Return the tree, None before the first worker began it. A writing unit locks it."""
        row = self._row("SELECT size, at, note FROM tree WHERE name = 'journal'" + self.lock)
        return Tree(row[0], read_instant(row[1]), row[2]) if row else None

    def put_tree(self, tree: Tree, first: bool) -> None:
        """Store the tree, `first` to insert it. Raises `Conflict` if another process inserted it."""
        cells = (tree.size, instant_text(tree.at), tree.note)
        try:
            self._change(_BEGIN if first else _GO_ON, cells)
        except AlreadyExists:  # another process began
            raise Conflict("tree") from None

    def owed_leaves(self, limit: int) -> tuple[Leaf, ...]:
        """Return entries that are not in the tree yet."""
        return tuple(Leaf(*row) for row in self._rows(_OWED, (limit,)))

    def add_leaves(self, size: int, leaves: Sequence[Leaf]) -> None:
        """Append leaves to a tree of `size`. Raises `Conflict` if another process appended there."""
        for at, one in enumerate(leaves, size):
            try:
                self._change(_ADD, (at, one.chain, one.n, one.hash))
            except AlreadyExists:  # another process began the tree; before, there was no row to lock
                raise Conflict("leaf") from None
            self._later(_SETTLE, (one.chain, one.n))
            self._fill(0, at)

    def _fill(self, level: int, at: int) -> None:
        """Store the root of each subtree that this leaf completes."""
        width = 1 << STEP
        while at % width == width - 1:
            row = list(self.tree_nodes(level, at - width + 1, at + 1))
            while len(row) > 1:
                row = [node_hash(row[one], row[one + 1]) for one in range(0, len(row), 2)]
            level, at = level + STEP, at // width
            self._later(_NODE, (level, at, row[0].hex()))

    def tree_nodes(self, level: int, first: int, end: int) -> tuple[bytes, ...]:
        """Return the nodes of a stored level from `first` to before `end`, as `merkle.Nodes` reads them."""
        if level:
            sql = "SELECT hash FROM tree_node WHERE level = ? AND at >= ? AND at < ? ORDER BY at"
            return tuple(bytes.fromhex(row[0]) for row in self._rows(sql, (level, first, end)))
        return tuple(leaf_hash(bytes.fromhex(one)) for one in self.leaf_hashes(first, end))

    def leaf_hashes(self, first: int, end: int) -> tuple[str, ...]:
        """Return the entry hashes of the leaves from `first` to before `end`."""
        sql = "SELECT hash FROM leaf WHERE seq >= ? AND seq < ? ORDER BY seq"
        return tuple(row[0] for row in self._rows(sql, (first, end)))

    def leaves_sealed(self, first: int, end: int) -> tuple[tuple[Leaf, str], ...]:
        """Return leaves in tree order with the instant text of their entry. Leaves without an entry are left out."""
        return tuple((Leaf(*row[1:4]), row[4]) for row in self._rows(SEALED, (first, end) * 4))

    def last_leaf(self, chain: str, size: int, most: int = 2**31) -> tuple[int, Leaf] | None:
        """Return index and leaf of a chain's last entry in a tree of `size`, up to entry `most`. None without one."""
        row = self._row(_LAST, (chain, size, most))
        return (row[0], Leaf(chain, row[1], row[2])) if row else None


RIGHTS: Final = TableMapping(JournalEntry, "people_entry", ("n",))
_BY: Final = "actor_kind, actor, office, procedure, channel, day"


class EventQueries(Queries):
    """Queries of `Unit` on entries of all journals."""

    def find_events(
        self, asked: EventsAsked, before: tuple[str, str, int] | None = None, limit: int = 50
    ) -> tuple[JournalEvent, ...]:
        """Return entries of submitted dossiers, the newest first, before a position (`search.mark_of`)."""
        where, cells = events_where(asked)
        if before is not None:
            where, cells = f"{where} AND (e.at, e.dossier, e.n) < (?, ?, ?)", [*cells, *before]
        sql = f"SELECT {COLUMNS} {FROM} WHERE {where} ORDER BY e.at DESC, e.dossier DESC, e.n DESC LIMIT ?"
        return tuple(_read(row) for row in self._rows(sql, [*cells, limit]))

    def count_events(self, asked: EventsAsked, most: int = 10_000) -> Facets:
        """Return the facets of the newest `most` entries that match."""
        where, cells = events_where(asked)
        inner = (
            "SELECT e.kind, e.actor_kind, e.actor, d.office, d.procedure, d.channel, substr(e.at, 1, 10) AS day"
            f" {FROM} WHERE {where}"
        )
        sql = (
            f"SELECT kind, {_BY}, count(*) FROM ({inner} ORDER BY e.at DESC, e.dossier DESC, e.n DESC LIMIT ?) AS found"
            f" GROUP BY kind, {_BY}"
        )
        return counted([tuple(row) for row in self._rows(sql, [*cells, most + 1])], most)

    def rights_by(self, actor: str, kinds: tuple[str, ...], limit: int = 100) -> tuple[JournalEntry, ...]:
        """Return entries of these kinds by this actor from the journal of rights, the newest first."""
        among = ", ".join("?" * len(kinds)) or "NULL"
        sql = f"{RIGHTS.select} WHERE actor = ? AND kind IN ({among}) ORDER BY n DESC LIMIT ?"
        return RIGHTS.read_all(self._rows(sql, [actor, *kinds, limit]))


def _read(row: Any) -> JournalEvent:
    at, dossier, n, kind, actor_kind, actor, edition, body, number, procedure, office, channel = row
    try:
        sealed_at, said = read_instant(at), read_json(body)
    except Unreadable as error:
        error.row = f"entry {number} {n}"
        raise
    return JournalEvent(
        sealed_at, dossier, n, kind, actor_kind, actor, edition, said, number, procedure, office, channel
    )
