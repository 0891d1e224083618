"""The tree of the journal as each store keeps it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from engine.journal.leaves import OWED_SO_FAR, Leaf, Tree
from engine.journal.merkle import Growing, leaf_hash, root_of
from engine.records.codec import instant_text
from engine.storage.results import Conflict
from engine.storage.unit_of_work import Store
from tests.engine.records.makers import NOON, a_dossier, journal, later
from tests.test_store_contract import store

__all__ = ["store"]


def some(count: int, chain: str = "d1") -> list[Leaf]:
    return [Leaf(chain, n, sha256(f"{chain} {n}".encode()).hexdigest()) for n in range(1, count + 1)]


def test_a_sealed_entry_is_owed_with_it(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.add_dossier(a_dossier())
        journal(unit, "d1", "opened")
        journal(unit, "d1", "saved")
    with store.unit() as unit:
        assert unit.owed_leaves(10) == tuple(Leaf("d1", one.n, one.hash) for one in unit.entries("d1"))
        assert unit.owed_leaves(1) == unit.owed_leaves(10)[:1]
    with store.unit(write=True) as unit:
        unit.add_leaves(0, unit.owed_leaves(10))
        assert unit.owed_leaves(10) == ()
        assert unit.last_leaf("d1", 2) == (1, Leaf("d1", 2, unit.entries("d1")[1].hash))
        assert unit.last_leaf("d1", 1) == (0, Leaf("d1", 1, unit.entries("d1")[0].hash))
        assert unit.last_leaf("d1", 0) is None
        assert unit.last_leaf("d2", 2) is None
        told = [(Leaf("d1", one.n, one.hash), instant_text(one.at)) for one in unit.entries("d1")]
        assert unit.leaves_sealed(0, 2) == tuple(told)
        assert unit.leaves_sealed(1, 9) == tuple(told[1:])


@pytest.mark.parametrize("batch", [100, 257])
def test_the_levels_that_are_kept_make_the_same_root(store: Store, batch: int) -> None:
    leaves, growing = some(600), Growing()
    with store.unit(write=True) as unit:
        for at in range(0, len(leaves), batch):
            unit.add_leaves(at, leaves[at : at + batch])
    with store.unit() as unit:
        assert unit.leaf_hashes(598, 700) == tuple(one.hash for one in leaves[598:])
        assert len(unit.tree_nodes(8, 0, 10)) == 2
        for one in leaves:
            growing.add(leaf_hash(bytes.fromhex(one.hash)))
            if growing.size in (1, 255, 256, 257, 512, 600):
                assert root_of(growing.size, unit.tree_nodes) == growing.root()


def test_the_tree_is_begun_once(store: Store) -> None:
    with store.unit(write=True) as unit:
        assert unit.tree() is None
        unit.put_tree(Tree(3, NOON, "note"), first=True)
        with pytest.raises(Conflict):
            unit.put_tree(Tree(3, NOON, "note"), first=True)
        unit.put_tree(Tree(4, later(minutes=1), "other"), first=False)
    with store.unit() as unit:
        assert unit.tree() == Tree(4, later(minutes=1), "other")


def test_a_leaf_stays(store: Store) -> None:
    with store.unit(write=True) as unit:
        unit.add_leaves(0, some(1))
    for statement in ("UPDATE leaf SET n = 2", "DELETE FROM leaf"):
        with pytest.raises(Exception, match="the journal is never"), store.unit(write=True) as unit:
            unit._change(statement)


def test_what_was_sealed_before_the_tree_is_owed_to_it(store: Store) -> None:
    """As the migration does it, for each of the three journals."""
    assert [one.rpartition(" ")[2] for one in OWED_SO_FAR] == ["entry", "publication_entry", "people_entry"]
    with store.unit(write=True) as unit:
        writing: Any = unit
        unit.add_dossier(a_dossier())
        journal(unit, "d1", "opened")
        journal(unit, "d1", "saved")
        owed = unit.owed_leaves(10)
        writing._change("DELETE FROM leaf_owed")
        writing._change(OWED_SO_FAR[0])
        assert unit.owed_leaves(10) == owed
