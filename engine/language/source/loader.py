"""The strict reader of the text of a definition, and the only module that imports PyYAML.

libyaml gives events. `engine/language/source/parser.py` makes the tree, the scalars and the positions. What
YAML would guess is refused or reported (`docs/language.md` §1): anchors, tags, repeated keys, tabs, texts cut
by punctuation. Each input gives a `Source`, or an `InvalidDefinition` with all problems found, each with its
line and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Final, Protocol

import yaml

from engine.core.problems import Fact, InvalidDefinition, Position, Problem, Report, problem
from engine.core.values import FORBIDDEN
from engine.language.source.parser import RESERVED, Limits, Path, SourceSpan, TextPosition, Tree, TreeParser, YamlToken
from engine.language.source.quoting import QuotingFix, no_break_after_key, repair

__all__ = ["RESERVED", "Limits", "Path", "PositionedTree", "Source", "Tree", "read_source", "walk"]

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_FRAME: Final = (yaml.StreamStartEvent, yaml.DocumentStartEvent)
_DEFAULT: Final = Limits()
_ATTEMPTS: Final = 12  # how many faulty lines are corrected in memory to look for the next ones


class PositionedTree(Protocol):
    """A tree with the position of each of its values: a `Source`, or several combined."""

    @property
    def tree(self) -> Tree:
        """The whole tree of plain values."""
        ...

    def position(self, path: Path, key: bool = False) -> Position:
        """Return the position of the value at a path, or of its key."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """One file as written: its tree of plain values, and the position of each. Keys are always text."""

    file: str
    text: str
    tree: Tree
    advice: tuple[Problem, ...] = ()
    spots: Mapping[Path, SourceSpan] = field(default_factory=dict, repr=False, compare=False)
    key_spots: Mapping[Path, SourceSpan] = field(default_factory=dict, repr=False, compare=False)

    @property
    def lines(self) -> list[str]:
        """The lines of the text, without line ends."""
        return self.text.split("\n")

    def position(self, path: Path, key: bool = False) -> Position:
        """Return the position of a value or of its key.

        When the path does not exist, the position of the nearest value around it.
        """
        spot = (self.key_spots if key else self.spots).get(path) or self.key_spots.get(path) or self.spots.get(path)
        if spot is None:
            return self.position(path[:-1], key=True) if path else Position(self.file, 1, 1)
        return Position(self.file, spot.line, spot.column, spot.width)

    def inside(self, path: Path, offset: int, width: int = 1) -> Position:
        """Return the position of the character `offset` of a text, through quotes, escapes and folded lines.

        Problems of expressions need it.
        """
        spot, value = self.spots.get(path), self.at(path)
        if spot is None or spot.start < 0 or not isinstance(value, str):
            return self.position(path)
        raw = _raw_index(self.text[spot.start : spot.end], value, offset) + spot.start
        line_start = self.text.rfind("\n", 0, raw) + 1
        return Position(self.file, self.text.count("\n", 0, raw) + 1, raw - line_start + 1, max(1, width))

    def at(self, path: Path) -> Tree:
        """Return the value at a path, None where there is none."""
        return node_at(self.tree, path)


def node_at(tree: Tree, path: Path) -> Tree:
    """Return the value at a path of a tree, None where there is none."""
    for step in path:
        if isinstance(tree, dict) and isinstance(step, str):
            tree = tree.get(step)
        elif isinstance(tree, list) and isinstance(step, int) and 0 <= step < len(tree):
            tree = tree[step]
        else:
            return None
    return tree


def walk(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Tree]]:
    """Yield each value of a tree with its path, the whole first, in the order of the text."""
    yield path, tree
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from walk(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from walk(value, (*path, index))


def _raw_index(raw: str, value: str, offset: int) -> int:
    """The index of the character `offset` of a value in its raw text. The two are read in parallel."""
    style, at = raw[:1], 0
    if style in ("|", ">"):
        at = raw.find("\n") + 1
    elif style in ("'", '"'):
        at = 1
    for index in range(min(offset + 1, len(value))):
        if value[index] not in " \n":
            while raw[at : at + 1] in (" ", "\n"):
                at += 1
        if index == offset:
            break
        if style == "'" and raw.startswith("''", at):
            at += 2
        elif style == '"' and raw.startswith("\\", at):
            at += {"x": 4, "u": 6, "U": 10}.get(raw[at + 1 : at + 2], 2)
        else:
            at += 1
    return min(at, max(0, len(raw) - 1))


# -- reading -----------------------------------------------------------------------------------------------------------


def read_source(text: bytes | str, file: str, limits: Limits = _DEFAULT) -> Source:
    """Return the file as a tree with the position of each value.

    Raises `InvalidDefinition` with all problems found in its text.
    """
    clean, found = _clean(text, file, limits)
    if any(one.code in ("Y103", "Y107") for one in found):
        raise InvalidDefinition(Report.of(found))
    reader = _read_around_faults(clean, file, limits, found)
    reported = Report.of(found)
    if reported.errors:
        raise InvalidDefinition(Report(reported.problems[: limits.problems]))
    return Source(file, clean, reader.tree, reported.problems, reader.values, reader.keys)


def read_texts(text: str) -> Any:
    """Return the tree of a YAML file of this project, all scalars as text, without positions.

    It reports no faults, because tests check these files. They have no anchors.
    """
    events = (one for one in yaml.parse(text, Loader=_PLAIN) if not isinstance(one, _FRAME))
    return _texts(events, next(events))


def _texts(events: Iterator[Any], first: Any) -> Any:
    """Return the value that begins with an event. Nodes between events and tree would take twice the time."""
    if isinstance(first, yaml.MappingStartEvent):
        return {key.value: _texts(events, next(events)) for key in takewhile(_goes_on, events)}
    if isinstance(first, yaml.SequenceStartEvent):
        return [_texts(events, one) for one in takewhile(_goes_on, events)]
    return first.value


def _goes_on(event: yaml.Event) -> bool:
    return not isinstance(event, yaml.CollectionEndEvent)


def _clean(text: bytes | str, file: str, limits: Limits) -> tuple[str, list[Problem]]:
    """The text as Unicode with plain line ends, and the problems of forbidden characters."""
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > limits.size:
        return "", [problem("Y103", Position(file, 1, 1), what="size", found=size, most=limits.size)]
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode("utf-8")
            where = Position(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
            return "", [problem("Y107", where, what="encoding", sign=f"0x{error.object[error.start]:02X}")]
    clean = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if "\t" not in clean and not FORBIDDEN.search(clean):
        return clean, []
    found = []
    for number, line in enumerate(clean.split("\n"), 1):
        if "\t" in line:
            found.append(problem("Y104", Position(file, number, line.index("\t") + 1)))
        if match := FORBIDDEN.search(line):
            where = Position(file, number, match.start() + 1)
            found.append(problem("Y107", where, what="sign", sign=f"U+{ord(match.group()):04X}"))
    return clean, found[: limits.problems]


def _read_around_faults(text: str, file: str, limits: Limits, found: list[Problem]) -> TreeParser:
    """Parse the text.

    At a syntax fault with a likely correction, record it and parse again with that line corrected.
    """
    tabs = bool(found)
    lines = text.replace("\t", " ").split("\n")
    corrected: set[int] = set()  # columns of these lines have moved: their other faults are for the next check
    while True:
        whole = "\n".join(lines)
        reader = TreeParser(whole, lines, file, limits)
        try:
            reader.read(_tokens(whole))
            break
        except yaml.YAMLError as error:
            where, facts, correction = _fault(error, lines, file)
        if where.line in corrected:
            break
        if not tabs or correction:  # once tabs are reported, a syntax fault that they cause is not reported
            reported = facts.pop("code", None)
            found.append(problem(str(reported or (correction and correction.code)), where, **facts))
        if correction is None or len(corrected) >= _ATTEMPTS:
            break
        corrected.add(where.line)
        lines[where.line - 1] = correction.line
    found.extend(one for one in reader.problems if one.where.line not in corrected)
    return reader


def _tokens(text: str) -> Iterator[YamlToken]:
    """The events of libyaml as our tokens."""
    event: Any  # its types change with the loader
    for event in yaml.parse(text, Loader=_LOADER):
        start, end = _mark(event.start_mark), _mark(event.end_mark)
        if isinstance(event, yaml.ScalarEvent):
            anchor, tag = event.anchor or "", event.tag or ""
            yield YamlToken("text", start, end, event.value, event.style or "", event.implicit[0], False, anchor, tag)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            kind: Any = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
            yield YamlToken(
                kind, start, end, flow=bool(event.flow_style), anchor=event.anchor or "", tag=event.tag or ""
            )
        elif isinstance(event, yaml.AliasEvent):
            yield YamlToken("alias", start, end, anchor=event.anchor or "")
        elif isinstance(event, yaml.CollectionEndEvent):
            yield YamlToken("end", start, end)
        elif isinstance(event, yaml.DocumentStartEvent):
            yield YamlToken("document", start, end, tag="%" if event.version or event.tags else "")


def _mark(mark: Any) -> TextPosition:
    return TextPosition(mark.line, mark.column, mark.index)


# -- what is not YAML --------------------------------------------------------------------------------------------------

_REASONS: Final = (
    # message of libyaml, its context → our reason, whether the context is the better place, code
    ("maximum nesting depth", "", "depth", False, "Y103"),
    ("unexpected end of stream", "quoted scalar", "open_quote", True, "Y100"),
    ("document indicator", "quoted scalar", "open_quote", True, "Y100"),
    ("document indicator", "", "documents", False, "Y105"),
    ("mapping values are not allowed", "", "indent", False, "Y100"),
    ("could not find expected ':'", "", "colon", True, "Y100"),
    ("expected ',' or", "flow", "open_braces", True, "Y100"),
    ("escape", "", "escape", False, "Y100"),
    ("", "tag", "tag", False, "Y101"),
    ("", "anchor", "sign", True, "Y100"),
    ("", "alias", "sign", True, "Y100"),
    ("cannot start any token", "", "sign", False, "Y100"),
    ("did not find expected", "block", "indent", False, "Y100"),
    ("block sequence entries", "", "dash", False, "Y100"),
)

_DASHED_KEY: Final = re.compile(r" *- [a-z][a-z0-9_]*:\s*$")  # `- zone:`, where the next key has no dash
_SWALLOWED: Final = re.compile(r"\S ([a-z][a-z_]*): ")  # `Accorder to: fin`: a comma may be missing


def _fault(error: yaml.YAMLError, lines: list[str], file: str) -> tuple[Position, dict[str, Fact], QuotingFix | None]:
    """Where the syntax breaks, why, and the corrected line when the intent is clear."""
    said, context = str(getattr(error, "problem", "") or ""), str(getattr(error, "context", "") or "")
    marks = [mark for mark in (getattr(error, "problem_mark", None), getattr(error, "context_mark", None)) if mark]
    for mark in marks:
        if mark.line < len(lines) and (spaced := no_break_after_key(lines[mark.line])):
            reported: dict[str, Fact] = {"what": "no_break", "name": spaced.text, "fix": spaced.line}
            return Position(file, mark.line + 1, spaced.column), reported, spaced
    for mark in marks:
        fixed = repair(lines[mark.line]) if mark.line < len(lines) else None
        if fixed and not fixed.sure:
            return Position(file, mark.line + 1, fixed.column), {"reason": "unlike_quotes", "code": "Y100"}, fixed
        if fixed:
            facts: dict[str, Fact] = {"text": fixed.text, "fix": fixed.line}
            if fixed.code == "Y100":
                facts["reason"] = "quote"
            if fixed.code == "Y113" and (swallowed := _SWALLOWED.search(fixed.text)):
                facts["key"] = swallowed[1]
                del facts["fix"]  # a comma is as likely as quotes
            return Position(file, mark.line + 1, fixed.column), facts, fixed
    reason, at_context, code = _reason(said, context)
    place = marks[-1] if marks and at_context else marks[0] if marks else None
    where = _within(place, lines, file)
    if reason == "indent" and "block mapping" in context and lines[where.line - 1].lstrip().startswith("- "):
        reason = "dash"
    first = _within(marks[-1], lines, file) if marks else where
    if reason == "indent" and "block collection" in context and _DASHED_KEY.match(lines[first.line - 1]):
        reason, where = "dash", first
    if code == "Y103":
        return where, {"what": reason, "most": _DEFAULT.depth, "code": code}, None
    return where, {"what" if code == "Y101" else "reason": reason, "code": code}, None


def _reason(said: str, context: str) -> tuple[str, bool, str]:
    for said_part, context_part, reason, at_context, code in _REASONS:
        if said_part in said and context_part in context:
            return reason, at_context, code
    return "other", False, "Y100"


def _within(mark: Any, lines: list[str], file: str) -> Position:
    """A mark as a position that exists in the text. libyaml points after its end for a construct that never closes."""
    if mark is None:
        return Position(file, 1, 1)
    line = min(mark.line, len(lines) - 1)
    while line and not lines[line].strip():
        line -= 1
    column = mark.column + 1 if line == mark.line else len(lines[line].rstrip())
    return Position(file, line + 1, max(1, min(column, len(lines[line]) + 1)))
