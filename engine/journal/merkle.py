"""The Merkle tree of a log, hashed as in RFC 6962 and RFC 9162: roots and inclusion proofs.

A tree is read through `Nodes`: the hashes of whole subtrees at the stored levels, 0 (the leaves), 8, 16… A
proof reads at most a few hundred of them, whatever the length of the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, TypeAlias

STEP: Final = 8  # levels between two stored ones
EMPTY: Final = sha256(b"").digest()

# Level, first, end → the hashes of the subtrees of that level, from the first to before the end.
Nodes: TypeAlias = Callable[[int, int, int], Sequence[bytes]]


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 with the prefix 0x00."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 with the prefix 0x01."""
    return sha256(b"\x01" + left + right).digest()


def root_of(size: int, nodes: Nodes) -> bytes:
    """Return the root of the first `size` leaves."""
    return _range(0, size, nodes) if size else EMPTY


def inclusion(at: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the sibling hashes from leaf `at` up to the root of a tree of `size` leaves."""
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _half(high - low)
        if at < middle:
            path.append(_range(middle, high, nodes))
            high = middle
        else:
            path.append(_range(low, middle, nodes))
            low = middle
    return path[::-1]


def root_from(at: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes | None:
    """Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2). None if no proof of that size has
    this form."""
    if not 0 <= at < size:
        return None
    first, last, reached = at, size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if first % 2 or first == last:
            reached = node_hash(step, reached)
            while first and not first % 2:
                first, last = first >> 1, last >> 1
        else:
            reached = node_hash(reached, step)
        first, last = first >> 1, last >> 1
    return reached if last == 0 else None


class Growing:
    """A tree that grows leaf by leaf. It stores at most one hash for each level."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # roots of whole subtrees, the widest first

    def add(self, leaf: bytes) -> None:
        """Append a leaf, and merge the subtrees that it completes."""
        self._peaks.append(leaf)
        self.size += 1
        whole = self.size
        while not whole % 2:
            right, left = self._peaks.pop(), self._peaks.pop()
            self._peaks.append(node_hash(left, right))
            whole >>= 1

    def root(self) -> bytes:
        """Return the root of all leaves added so far."""
        if not self._peaks:
            return EMPTY
        reached = self._peaks[-1]
        for left in reversed(self._peaks[:-1]):
            reached = node_hash(left, reached)
        return reached


def _range(low: int, high: int, nodes: Nodes) -> bytes:
    width = high - low
    if not width & (width - 1):
        return _whole(width.bit_length() - 1, low // width, nodes)
    middle = low + _half(width)
    return node_hash(_range(low, middle, nodes), _range(middle, high, nodes))


def _whole(level: int, at: int, nodes: Nodes) -> bytes:
    """Return the root of one whole subtree, from the nearest stored level below."""
    kept = level - level % STEP
    width = 1 << (level - kept)
    row = list(nodes(kept, at * width, (at + 1) * width))
    while len(row) > 1:
        row = [node_hash(row[one], row[one + 1]) for one in range(0, len(row), 2)]
    return row[0]


def _half(width: int) -> int:
    """Return the greatest power of two below `width`."""
    return 1 << (width - 1).bit_length() - 1
