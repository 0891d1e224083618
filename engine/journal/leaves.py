"""The journal as one tree: each entry of each chain is one leaf, in an order that never changes.

The transaction that appends an entry also writes `leaf_owed`. So no entry is forgotten and no writer waits
for another. One worker at a time appends these leaves to the tree. A leaf is the hash of its entry. Every
eighth level above the leaves is stored. The table text serves both databases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

LEAVES: Final = """
CREATE TABLE leaf_owed (
  chain TEXT NOT NULL,
  n INTEGER NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (chain, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE leaf (
  seq INTEGER PRIMARY KEY CHECK (seq >= 0),
  chain TEXT NOT NULL,
  n INTEGER NOT NULL,
  hash TEXT NOT NULL,
  UNIQUE (chain, n)
) STRICT;
CREATE TRIGGER leaf_stays BEFORE UPDATE ON leaf BEGIN SELECT RAISE(ABORT, 'the journal is never rewritten'); END;
CREATE TRIGGER leaf_kept BEFORE DELETE ON leaf BEGIN SELECT RAISE(ABORT, 'the journal is never cut'); END;
CREATE TABLE tree_node (
  level INTEGER NOT NULL CHECK (level > 0),
  at INTEGER NOT NULL CHECK (at >= 0),
  hash TEXT NOT NULL,
  PRIMARY KEY (level, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE tree (
  name TEXT PRIMARY KEY CHECK (name = 'journal'),
  size INTEGER NOT NULL CHECK (size >= 0),
  at TEXT NOT NULL,
  note TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
OWE: Final = "INSERT INTO leaf_owed (chain, n, hash) VALUES (?, ?, ?)"
OWED_SO_FAR: Final = tuple(
    f"INSERT INTO leaf_owed (chain, n, hash) SELECT dossier, n, hash FROM {table}"
    for table in ("entry", "publication_entry", "people_entry")
)

# Queries of `fsck`: leaves that differ from their entry, and entries without a leaf or a pending one.
_CHAINS: Final = (("entry", "leaf.chain NOT IN ('publications', 'people') AND instr(leaf.chain, '/') = 0"),
                  ("publication_entry", "leaf.chain = 'publications'"), ("people_entry", "leaf.chain = 'people'"),
                  ("row_entry", "instr(leaf.chain, '/') > 0"))  # fmt: skip
LEAF_DIFFERS: Final = " UNION ALL ".join(
    f"SELECT leaf.chain, leaf.n FROM leaf LEFT JOIN {table} e ON e.dossier = leaf.chain AND e.n = leaf.n"
    f" WHERE {where} AND (e.hash IS NULL OR e.hash <> leaf.hash)"
    for table, where in _CHAINS
)
LEAF_MISSING: Final = " UNION ALL ".join(
    f"SELECT e.dossier, e.n FROM {table} e"
    " WHERE NOT EXISTS (SELECT 1 FROM leaf WHERE leaf.chain = e.dossier AND leaf.n = e.n)"
    " AND NOT EXISTS (SELECT 1 FROM leaf_owed WHERE leaf_owed.chain = e.dossier AND leaf_owed.n = e.n)"
    for table, _ in _CHAINS
)
TREE_DIFFERS: Final = """
  SELECT NULL, leaves FROM (SELECT count(*) AS leaves FROM leaf) AS counted
  WHERE leaves <> coalesce((SELECT size FROM tree WHERE name = 'journal'), 0)"""

SEALED: Final = (
    " UNION ALL ".join(
        f"SELECT leaf.seq, leaf.chain, leaf.n, leaf.hash, e.at FROM leaf JOIN {table} e ON e.dossier = leaf.chain AND e.n = leaf.n"
        f" WHERE {where} AND leaf.seq >= ? AND leaf.seq < ?"
        for table, where in _CHAINS
    )
    + " ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One entry to append to the tree: its chain, number and hash."""

    chain: str
    n: int
    hash: str


@dataclass(frozen=True, slots=True)
class Tree:
    """The size of the tree, its last signature time, and the signed note. The note may cover fewer leaves."""

    size: int
    at: datetime
    note: str
