"""A layered drawing of a directed graph: which layer each node stands on, in which order, and by where edges pass.

The classical four steps (turn cycles, layer by longest path, order by barycentres, place), small and deterministic.
Knows nothing of procedures.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

SWEEPS: Final = 8


@dataclass(frozen=True, slots=True)
class GraphDrawing:
    """`at`: node → (column, layer), columns may be halves. `path`: edge → the (column, layer) points it passes by."""

    at: Mapping[str, tuple[float, int]]
    path: Mapping[tuple[str, str], tuple[tuple[float, int], ...]]
    columns: float
    layers: int


def draw(nodes: Sequence[str], edges: Sequence[tuple[str, str]], start: str) -> GraphDrawing:
    """Lays the nodes out from `start` downwards. Edges to oneself are left to the caller."""
    real = [edge for edge in dict.fromkeys(edges) if edge[0] != edge[1]]
    back = _back_edges(nodes, real, start)
    forward = [(b, a) if (a, b) in back else (a, b) for a, b in real]
    layer = _layers(nodes, forward)
    rows, chains = _with_bends(nodes, forward, layer)
    _order(rows, chains)
    at, columns = _place(rows)
    path = {}
    for original, turned in zip(real, forward, strict=True):
        points = tuple(at[one] for one in chains[turned])
        path[original] = points if original == turned else points[::-1]
    return GraphDrawing({node: at[node] for node in nodes}, path, columns, len(rows))


def _back_edges(nodes: Sequence[str], edges: Sequence[tuple[str, str]], start: str) -> set[tuple[str, str]]:
    follows: dict[str, list[str]] = {node: [] for node in nodes}
    for a, b in edges:
        follows[a].append(b)
    back: set[tuple[str, str]] = set()
    done: set[str] = set()
    for root in [start, *nodes]:
        if root in done:
            continue
        path = [(root, iter(follows[root]))]
        open_nodes = {root}
        while path:
            node, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                open_nodes.discard(node)
                done.add(node)
            elif following in open_nodes:
                back.add((node, following))
            elif following not in done:
                path.append((following, iter(follows[following])))
                open_nodes.add(following)
    return back


def _layers(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    layer = dict.fromkeys(nodes, 0)
    for _ in nodes:
        moved = False
        for a, b in edges:
            if layer[b] < layer[a] + 1:
                layer[b] = layer[a] + 1
                moved = True
        if not moved:
            break
    return layer


def _with_bends(
    nodes: Sequence[str], edges: Sequence[tuple[str, str]], layer: Mapping[str, int]
) -> tuple[list[list[str]], dict[tuple[str, str], list[str]]]:
    """Each layer's nodes, long edges given a bend on every layer they cross."""
    rows: list[list[str]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for node in nodes:
        rows[layer[node]].append(node)
    chains: dict[tuple[str, str], list[str]] = {}
    for a, b in edges:
        chain = [a]
        for level in range(layer[a] + 1, layer[b]):
            bend = f"{a}>{b}@{level}"
            rows[level].append(bend)
            chain.append(bend)
        chains[a, b] = [*chain, b]
    return rows, chains


def _order(rows: list[list[str]], chains: Mapping[tuple[str, str], Sequence[str]]) -> None:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for chain in chains.values():
        for a, b in itertools.pairwise(chain):
            below.setdefault(a, []).append(b)
            above.setdefault(b, []).append(a)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for row in rows if down else reversed(rows):
            place = {node: index for other in rows for index, node in enumerate(other)}
            centre = {node: _mean([place[one] for one in neighbours.get(node, ())], place[node]) for node in row}
            row.sort(key=lambda node: (centre[node], node))


def _mean(values: Sequence[int], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _place(rows: Sequence[Sequence[str]]) -> tuple[dict[str, tuple[float, int]], float]:
    """Bends take half a column; every row is centred."""
    widths = [sum(0.5 if "@" in node else 1.0 for node in row) for row in rows]
    widest = max(widths, default=1.0)
    at: dict[str, tuple[float, int]] = {}
    for level, row in enumerate(rows):
        column = (widest - widths[level]) / 2
        for node in row:
            width = 0.5 if "@" in node else 1.0
            at[node] = (column + width / 2, level)
            column += width
    return at, widest
