"""The tree of the journal, held against the definition of RFC 6962 written out, and its proofs against every way to cheat."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest

from engine.journal.merkle import EMPTY, STEP, Growing, inclusion, leaf_hash, node_hash, root_from, root_of

LEAVES = [leaf_hash(str(one).encode()) for one in range(1000)]


def plainly(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + plainly(leaves[:half]) + plainly(leaves[half:])).digest()


class Kept:
    """What a store keeps of a tree: leaves, and every eighth level. `most`: how many hashes one question asked for."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.levels: dict[int, list[bytes]] = {0: list(leaves)}
        self.most = 0
        width, level = 1 << STEP, 0
        while len(self.levels[level]) >= width:
            row = self.levels[level]
            whole = [plainly(row[at : at + width]) for at in range(0, len(row) - width + 1, width)]
            level += STEP
            self.levels[level] = whole

    def __call__(self, level: int, first: int, end: int) -> Sequence[bytes]:
        self.most = max(self.most, end - first)
        found = self.levels[level][first:end]
        assert len(found) == end - first, "asked for what no store keeps"
        return found


KEPT = Kept(LEAVES)
SIZES = [*range(1, 34), 255, 256, 257, 511, 512, 513, 768, 999, 1000]


def test_known_roots() -> None:
    """The vectors of RFC 9162's reference implementations."""
    data = [bytes.fromhex(one) for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                           "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    growing = Growing()
    assert growing.root() == EMPTY
    for one in data:
        growing.add(leaf_hash(one))
        if growing.size in roots:
            assert growing.root().hex() == roots[growing.size]


@pytest.mark.parametrize("size", SIZES)
def test_a_root_is_the_same_however_it_is_made(size: int) -> None:
    growing = Growing()
    for one in LEAVES[:size]:
        growing.add(one)
    assert root_of(size, KEPT) == growing.root() == plainly(LEAVES[:size])


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_is_proven_in_and_nowhere_else(size: int) -> None:
    root = root_of(size, KEPT)
    for at in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
        proof = inclusion(at, size, KEPT)
        assert root_from(at, size, LEAVES[at], proof) == root
        assert root_from(at, size, leaf_hash(b"another"), proof) != root
        for other in {at - 1, at + 1} & set(range(size)):
            assert root_from(other, size, LEAVES[at], proof) != root
        assert root_from(at, size, LEAVES[at], [*proof, root]) is None
        if proof:
            assert root_from(at, size, LEAVES[at], proof[:-1]) != root
            assert root_from(at, size, LEAVES[at], [node_hash(proof[0], b""), *proof[1:]]) != root
    assert root_from(size, size, LEAVES[0], []) is None
    assert root_from(-1, size, LEAVES[0], []) is None


def test_no_question_asks_for_many_hashes() -> None:
    root_of(1000, KEPT), inclusion(700, 1000, KEPT)
    assert KEPT.most <= 1 << (STEP - 1)
