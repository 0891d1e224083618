"""The layout of a definition: its values in the form they are written, its comments, its empty lines.

`read_layout` makes it from a `Source` and the text between its values, `plain_layout` from a tree that no file
holds. `engine/language/source/formatter.py` writes it. This module does not know the meaning of any key.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from engine.language.source.loader import Path, Source, Tree

_OWN_LINE: Final = re.compile(r" *(?:- +)*(?=#)")
_HEADER: Final = re.compile(r"[|>][+\-0-9]*( +#.*)?")


@dataclass(slots=True)
class Node:
    """A value of the layout. `raw` is a scalar as written, with quotes.

    `flow`: its author wrote it in braces or brackets. `tail`: the lines after its last entry (comments, `''` for an
    empty line).
    """

    kind: Literal["scalar", "map", "list"]
    value: Tree = None
    raw: str = ""
    flow: bool = False
    entries: list[LayoutEntry] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)


@dataclass(slots=True)
class LayoutEntry:
    """An entry of a map, or an item of a list, with its comments above and beside.

    The `key` of an item is empty.
    """

    key: str
    node: Node
    above: list[str] = field(default_factory=list)
    beside: str = ""


def plain_layout(tree: Tree, in_list: bool = False) -> Node:
    """Return the layout of a tree without a text: blocks, braces for small maps, no comment."""
    if isinstance(tree, dict):
        entries = [LayoutEntry(key, plain_layout(value, in_list)) for key, value in tree.items()]
        of_things = bool(tree) and all(isinstance(value, dict) for value in tree.values())
        return Node("map", tree, flow=in_list or not of_things, entries=entries)
    if isinstance(tree, list):
        steps = any(isinstance(value, dict) for value in tree) and not in_list
        return Node(
            "list", tree, flow=not steps, entries=[LayoutEntry("", plain_layout(value, True)) for value in tree]
        )
    return Node("scalar", tree, raw=_written(tree))


def _written(value: Tree) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, Decimal)) else "null" if value is None else ""


def read_layout(source: Source) -> Node:
    """Return the layout of a file that was read, each comment attached to its entry."""
    return _Reading(source).whole


@dataclass(slots=True)
class _Placed:
    """An entry and its place: offset and column of its first character, the path of its container."""

    offset: int
    column: int
    path: Path
    entry: LayoutEntry


class _Reading:
    """One pass: the nodes, then the text between them."""

    def __init__(self, source: Source) -> None:
        self.source, self.text = source, source.text
        self.placed: list[_Placed] = []
        self.spans: list[tuple[int, int]] = []  # of the scalars, keys included, in the order of the text
        self.nodes: dict[Path, Node] = {}
        self.by_path: dict[Path, _Placed] = {}
        self.whole = self._node((), source.tree)
        self.spans.sort()
        self.starts = [one.offset for one in self.placed]
        self.comments = tuple(self._comments())
        self._between()

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _node(self, path: Path, tree: Tree) -> Node:
        spot = self.source.spots[path]
        if not isinstance(tree, (dict, list)):
            node = Node("scalar", tree, self.text[spot.start : spot.end].rstrip("\n "))
            self.spans.append((spot.start, spot.start + len(node.raw)))
        else:
            kind: Literal["map", "list"] = "map" if isinstance(tree, dict) else "list"
            node = Node(kind, tree, flow=self.text[spot.start : spot.start + 1] in ("{", "["))
            for step, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
                node.entries.append(self._entry((*path, step), value))
        self.nodes[path] = node
        return node

    def _entry(self, path: Path, tree: Tree) -> LayoutEntry:
        is_key = isinstance(path[-1], str)
        spot = self.source.key_spots[path] if is_key else self.source.spots[path]
        entry = LayoutEntry(str(path[-1]) if is_key else "", Node("scalar"))
        column = spot.column
        if is_key:
            self.spans.append((spot.start, spot.end))
        else:  # the dash before the item
            line = self.text[self.text.rfind("\n", 0, spot.start) + 1 : spot.start]
            column = line.rfind("-") + 1 or column
        placed = _Placed(spot.start, column, path[:-1], entry)
        self.placed.append(placed)
        self.by_path[path] = placed
        entry.node = self._node(path, tree)
        if header := _HEADER.match(entry.node.raw):
            entry.beside = (header[1] or "").strip()
        return entry

    # -- text between nodes --------------------------------------------------------------------------------------------

    def _comments(self) -> Iterator[tuple[int, str]]:
        """Each comment outside scalars, with its offset."""
        at = 0
        ends = [*self.spans, (len(self.text), len(self.text))]
        for start, end in ends:
            while (sign := self.text.find("#", at, start)) >= 0:
                stop = self.text.find("\n", sign)
                stop = len(self.text) if stop < 0 else stop
                yield sign, self.text[sign:stop].rstrip()
                at = stop
            at = max(at, end)

    def _between(self) -> None:
        reported = dict(self.comments)
        pending = False  # an empty line that no entry has yet
        offset = 0
        for line in self.text.split("\n"):
            inside = self._inside(offset)
            own = _OWN_LINE.match(line)
            at = offset + own.end() if own else offset + len(line)
            if not inside and own and at in reported:
                self._above(at, own.end() + 1, reported.pop(at), pending)
                pending = False
            elif not inside and not line.strip():
                pending = True
            else:
                first = bisect_left(self.starts, offset)
                if pending and first < len(self.placed) and self.starts[first] <= offset + len(line):
                    self.placed[first].entry.above.append("")
                pending = False
            offset += len(line) + 1
        for at, comment in reported.items():
            self._beside(at, comment)

    def _inside(self, offset: int) -> bool:
        """Return whether a scalar that began on an earlier line continues at the start of this line."""
        at = bisect_left(self.spans, (offset, 0)) - 1
        return at >= 0 and self.spans[at][1] > offset

    def _above(self, offset: int, column: int, comment: str, after_blank: bool) -> None:
        """Attach a comment on its own line to the next entry.

        At the end of a block with the same indent, it goes to that block.
        """
        at = bisect_right(self.starts, offset)
        following = self.placed[at] if at < len(self.placed) else None
        lines = following.entry.above if following else self.whole.tail
        if at and (following is None or column > following.column):
            path: Path = self._innermost(at - 1)
            while path and not (self._column(path) <= column):
                path = path[:-1]
            if following is None or following.path[: len(path)] != path:
                lines = self.nodes[path].tail
        if after_blank:
            lines.append("")
        lines.append(comment)

    def _innermost(self, index: int) -> Path:
        return self.placed[index].path

    def _column(self, path: Path) -> int:
        node = self.nodes[path]
        step = next(iter(node.value)) if isinstance(node.value, dict) else 0
        return self.by_path[(*path, step)].column if not node.flow else 10_000

    def _beside(self, offset: int, comment: str) -> None:
        """Attach a comment after a value to the last entry begun, or to the collection closed since."""
        at = bisect_right(self.starts, offset) - 1
        if at < 0:
            self.whole.tail.append(comment)
            return
        placed = self.placed[at]
        last = bisect_left(self.spans, (offset, 0)) - 1
        gap = re.sub(r"#.*", "", self.text[max(self.spans[last][1], placed.offset) : offset])
        closed = sum(sign in "}]" for sign in gap) - sum(sign in "{[" for sign in gap)
        while closed > 0 and placed.path:
            placed, closed = self.by_path[placed.path], closed - 1
        if placed.entry.beside:
            placed.entry.above.append(comment)
        else:
            placed.entry.beside = comment


def comments_of(source: Source) -> tuple[str, ...]:
    """Return each comment of a file, in order."""
    reading = _Reading(source)
    headers = (_HEADER.match(node.raw) for node in reading.nodes.values())
    return (*(text for _, text in reading.comments), *(one[1].strip() for one in headers if one and one[1]))
