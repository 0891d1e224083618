"""The formatter (`guichet fmt`): it writes a layout in the one standard form (`docs/language.md` §1 and §2).

The meaning never changes: the result is read again and must hold the same values and comments. A second run changes
nothing.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.language.source.layout import LayoutEntry, Node, comments_of, plain_layout, read_layout
from engine.language.source.loader import Path, Source, Tree, read_source
from engine.language.source.parser import is_plain_text
from engine.language.source.quoting import quote
from engine.language.source.schema import SCHEMA, SECTIONS

WIDTH: Final = 120
_FIRST: Final = "'\"[]{}>|*&!%#@`,:"
_BROKEN: Final = re.compile(r":(?= |$)|\s#|^[-?:](?= |$)|^(---|\.\.\.)|^(<<|=)$")
_BROKEN_IN_BRACES: Final = re.compile(r"[,?\[\]{}]")
_KEY: Final = re.compile(r"[\w./<>=+()-]+( [\w./<>=+()-]+)*")
_NO_NOTES: Final[Mapping[Path, str]] = {}
_HEAD: Final = "# yaml-language-server:"


class Unsettled(Exception):
    """The text could not be formatted without a change of its meaning. It stays as it was."""


def lay_out(source: Source) -> str:
    """Return the formatted text of a file. Raises `Unsettled` rather than change a value or lose a comment."""
    node = read_layout(source)
    head = _order_sections(node)
    text = "\n".join([*head, *_block(node, 0)]).strip("\n") + "\n"
    again = read_source(text, source.file)
    same = _sorted(again.tree) == _sorted(source.tree) and sorted(comments_of(again)) == sorted(comments_of(source))
    if not same:
        raise Unsettled(source.file)
    return text


def write_tree(tree: Tree, notes: Mapping[Path, str] = _NO_NOTES) -> str:
    """Return the formatted text of a definition that no file holds.

    An empty line stands before each section of several lines. `notes` maps a path to a comment above that section.
    """
    node = plain_layout(tree)
    node.flow = False
    for before, entry in zip(node.entries, node.entries[1:], strict=False):
        entry.above = [""] if _is_tall(entry) or _is_tall(before) else []
    for entry in node.entries:
        note = notes.get((entry.key,))
        entry.above += [f"# {line}" for line in textwrap.wrap(note, WIDTH - 2)] if note else []
    _order_sections(node)
    return "\n".join(_block(node, 0)).strip("\n") + "\n"


def _sorted(tree: Tree) -> str:
    """A tree to compare: the order of the sections does not count, `5` and `'5'` differ."""
    return repr(sorted(tree.items()) if isinstance(tree, dict) else tree)


# -- the order of the top ----------------------------------------------------------------------------------------------


def section_order(tree: Mapping[str, Any]) -> Mapping[str, int]:
    """Return the rank of each section of a procedure or a preset.

    Empty for any other kind of file, whose sections stay in the order of the author.
    """
    if "procedure" in tree:
        return {key: rank for rank, key in enumerate(SECTIONS)}
    if "preset" in tree:
        return {key: rank for rank, key in enumerate(SCHEMA["$defs"]["preset"]["properties"])}
    return {}


def _order_sections(node: Node) -> list[str]:
    """Sort the sections. Return the lines that stay at the head of the file."""
    if node.kind != "map" or not node.entries or not isinstance(node.value, dict):
        return []
    head = _head(node.entries[0])
    order = section_order(node.value)
    ranks: dict[str, int] = {}
    last = -1
    for entry in node.entries:  # an unknown key stays after the one it follows
        last = ranks[entry.key] = order.get(entry.key, last)
    before = dict(zip((one.key for one in node.entries[1:]), (one.key for one in node.entries), strict=False))
    node.entries.sort(key=lambda entry: ranks[entry.key])
    for earlier, entry in zip(node.entries, node.entries[1:], strict=False):
        if before.get(entry.key) != earlier.key and "" not in entry.above[:1] and _is_tall(entry):
            entry.above.insert(0, "")
    return head


def _head(first: LayoutEntry) -> list[str]:
    """The comments of the file itself: those up to the line for editors or the last empty line."""
    lines = first.above
    cut = max((at + 1 for at, line in enumerate(lines) if not line or line.startswith(_HEAD)), default=0)
    first.above = lines[cut:]
    return lines[:cut]


def _is_tall(entry: LayoutEntry) -> bool:
    return len(list(_entry(entry, 0, is_item=False))) - len(entry.above) > 1


# -- blocks ------------------------------------------------------------------------------------------------------------


def _block(node: Node, indent: int) -> Iterator[str]:
    """The lines of a map, a list or a single scalar, indented by so many spaces."""
    if node.kind == "scalar":
        yield from _scalar_lines("", node, indent - 2)
        return
    if not node.entries:
        yield " " * indent + ("{}" if node.kind == "map" else "[]")
    for at, entry in enumerate(node.entries):
        if not at and entry.above[:1] == [""]:
            entry.above.pop(0)
        yield from _entry(entry, indent, is_item=node.kind == "list")
    yield from _margin(node.tail, indent)


def _margin(lines: list[str], indent: int) -> Iterator[str]:
    for line in lines:
        yield " " * indent + line if line else ""


def _entry(entry: LayoutEntry, indent: int, *, is_item: bool) -> Iterator[str]:
    """An entry of a block, with the lines above it."""
    yield from _margin(entry.above, indent)
    lead = " " * indent + ("-" if is_item else f"{_key(entry.key)}:")
    beside = f"  {entry.beside}" if entry.beside else ""
    node = entry.node
    if node.kind == "scalar":
        first, *rest = _scalar_lines(lead, node, indent)
        yield first + beside
        yield from rest
        return
    one = _one_line(node) if _may_close(node) else None
    if one is not None and (not node.entries or len(lead) + 1 + len(one) <= WIDTH):
        yield f"{lead} {one}{beside}"
    elif is_item:  # `- key: value`: no text after the dash alone
        comments = [*([entry.beside] if beside else []), *(line for line in node.entries[0].above if line)]
        node.entries[0].above = []
        first, *rest = _block(node, indent + 2)
        while first.lstrip().startswith("#"):  # the comments above the first item of an inner list
            comments.append(first.strip())
            first, *rest = rest
        yield from _margin(comments, indent)
        yield f"{lead} {first.strip()}"
        yield from rest
    else:
        yield lead + beside
        yield from _block(node, indent + 2)


def _may_close(node: Node) -> bool:
    """Return whether a collection is written in braces.

    Its author wrote it so, or it is a map of plain values. It holds nothing that needs lines of its own: a
    comment, a question, a condition with a comma, a long text.
    """
    scalars = all(entry.node.kind == "scalar" for entry in node.entries)
    return (node.flow or scalars) and _closes(node)


def _closes(node: Node) -> bool:
    if any(node.tail):
        return False
    for entry in node.entries:
        if entry.beside or any(entry.above):
            return False
        inner = entry.node
        if inner.kind != "scalar":
            if not inner.flow or not _closes(inner):
                return False
        elif isinstance(inner.value, str) and (
            inner.raw[:1] in ("|", ">") or "\n" in inner.value or _wants_a_line(entry)
        ):
            return False
    return True


def _wants_a_line(entry: LayoutEntry) -> bool:
    text = str(entry.node.value)
    return "?" in text or (entry.key in _CONDITIONS and ("," in text or "[" in text))


def _conditions(schema: object) -> Iterator[str]:
    """The keys that hold an expression."""
    if not isinstance(schema, Mapping):
        return
    for key, value in schema.get("properties", {}).items():
        kind = value.get("x-kind") or str(value.get("$ref", "")).rpartition("/")[2]
        if kind in ("expression", "condition", "span_or_date"):
            yield key
    for value in schema.values():
        for one in value if isinstance(value, list) else [value]:
            yield from _conditions(one)


_CONDITIONS: Final = frozenset(_conditions(SCHEMA))


# -- on one line -------------------------------------------------------------------------------------------------------


def _one_line(node: Node) -> str:
    if node.kind == "scalar":
        return _inline(node)
    inside = ", ".join(
        (f"{_key(entry.key)}: " if node.kind == "map" else "") + _one_line(entry.node) for entry in node.entries
    )
    return "{" + inside + "}" if node.kind == "map" else "[" + inside + "]"


def _inline(node: Node) -> str:
    """A scalar inside braces."""
    if not isinstance(node.value, str):
        return node.raw or "null"
    return _text(node, in_braces=True)


def _key(key: str) -> str:
    return key if _KEY.fullmatch(key) and _is_safe(key, in_braces=True) else quote(key)


def _text(node: Node, *, in_braces: bool = False) -> str:
    """A text of one line, with quotes only where needed. An escape that its author wrote stays."""
    text = str(node.value)
    if node.raw[:1] == '"' and "\\" in node.raw and "\n" not in node.raw:
        return node.raw
    if "\n" in text:
        return json.dumps(text, ensure_ascii=False)
    return text if is_plain_text(text) and _is_safe(text, in_braces=in_braces) else quote(text)


def _is_safe(text: str, *, in_braces: bool) -> bool:
    """Return whether YAML reads the whole text without quotes."""
    if not text or text != text.strip() or text[0] in _FIRST or _BROKEN.search(text):
        return False
    return not in_braces or (not _BROKEN_IN_BRACES.search(text) and text.count("(") == text.count(")"))


# -- scalars of a block ------------------------------------------------------------------------------------------------


def _scalar_lines(lead: str, node: Node, indent: int) -> list[str]:
    """A scalar after its key: on the same line, or as a text of several lines below it."""
    space = " " if lead else ""
    if not isinstance(node.value, str):
        return [(lead + space + node.raw).rstrip()]
    if node.raw[:1] in ("|", ">"):
        lines = _several_lines(node, node.raw[0])
    elif "\n" in node.value:
        lines = _several_lines(node, "|")
    elif "\n" in node.raw and len(lead) + 1 + len(_text(node)) > WIDTH:
        lines = _folded(str(node.value), indent)
    else:
        return [lead + space + _text(node)]
    if lines is None:
        return [lead + space + json.dumps(str(node.value), ensure_ascii=False)]
    return [lead + space + lines[0], *(" " * (indent + 2) + line if line else "" for line in lines[1:])]


def _several_lines(node: Node, style: str) -> list[str] | None:
    """The indicator of a block text and its lines. None when they would not be read back unchanged."""
    text = str(node.value)
    if node.raw[:1] == style and not re.match(r"[|>][+-]?[0-9]", node.raw):
        body = node.raw.split("\n")[1:]
        while body and not body[0].strip():
            body.pop(0)
        margin = len(body[0]) - len(body[0].lstrip(" ")) if body else 0
        leading = len(node.raw.split("\n")) - 1 - len(body)
        if body and not leading:
            return [style, *(line[margin:].rstrip(" ") if not line.strip() else line[margin:] for line in body)]
    lines = text.split("\n")
    if style == "|" and text and all(lines[:1]) and lines[0][0] != " " and all(not one or one.strip() for one in lines):
        return ["|", *lines]
    return None


def _folded(text: str, indent: int) -> list[str] | None:
    if "  " in text or text != text.strip():
        return None
    lines = textwrap.wrap(text, WIDTH - indent - 2, break_long_words=False, break_on_hyphens=False)
    return [">", *lines] if " ".join(lines) == text else None
