"""The parser of YAML tokens into a tree of plain values with the position of each.

The tokens come from `engine/language/source/loader.py`. This module does not know the language of procedures,
only what a text may contain (`docs/language.md` §1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, NamedTuple, TypeAlias

from engine.core.problems import Fact, Position, Problem, problem
from engine.core.values import FORBIDDEN
from engine.language.source.quoting import no_break_after_key, quote, repair

Tree: TypeAlias = "bool | int | Decimal | str | list[Tree] | dict[str, Tree] | None"
Path: TypeAlias = tuple[str | int, ...]

RESERVED: Final = frozenset({"on", "off", "yes", "no", "y", "n", "true", "false", "null"})
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([\s\S]))")
_NAMED_ESCAPES: Final = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b", "N": "\x85",
    "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_NO_COMMENT: Final = re.compile(r" #|\s+#(?=\S)")
_AMBIGUOUS: Final = re.compile(
    r"y|yes|n|no|on|off|true|false|null|~"  # YAML 1.1's yes and no, in any case
    r"|[-+]?(0[0-9]+(\.[0-9]*)?|0[xob][0-9a-f_]+|[0-9][0-9_]*_[0-9_]*|[0-9]{19,}|\.[0-9]+|[0-9]+\.)"
    r"|[-+]?[0-9]+(\.[0-9]*)?e[-+]?[0-9]+|[-+]?\.(inf|nan)|\+[0-9]+(\.[0-9]+)?",
    re.IGNORECASE,
)
_YES_OR_NO: Final = frozenset({"y", "yes", "n", "no", "on", "off"})  # not “NO”, a country
_GLUED_KEY: Final = re.compile(r"([a-z][a-z_]*):(?=[^\s/])")  # `{label:Jour}`


def is_plain_text(text: str) -> bool:
    """Return whether an unquoted text is read as text, and resembles no other type."""
    typed = text in ("", "null", "true", "false") or _INTEGER.fullmatch(text) or _DECIMAL.fullmatch(text)
    return not typed and not _AMBIGUOUS.fullmatch(text)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one file: bytes, levels, nodes, characters of one scalar, and problems reported at once."""

    size: int = 512 * 1024
    depth: int = 20
    nodes: int = 20_000
    scalar: int = 20_000
    problems: int = 50


class TextPosition(NamedTuple):
    """A position in the text, all from 0: line, column, and the number of characters before it."""

    line: int
    column: int
    offset: int


class YamlToken(NamedTuple):
    """One event of the text. `plain`: written without quotes. `flow`: opened by a brace or a bracket."""

    kind: Literal["document", "map", "list", "text", "alias", "end"]
    start: TextPosition
    end: TextPosition
    value: str = ""
    style: str = ""
    plain: bool = False
    flow: bool = False
    anchor: str = ""
    tag: str = ""


class SourceSpan(NamedTuple):
    """Where a node is written: line and column from 1, caret width, and the range of its text when it is a scalar."""

    line: int
    column: int
    width: int
    start: int = -1
    end: int = -1


class _Open:
    """A map or a list being read. `last` and `earlier` are its last two keys. `cut`: its cut text was reported."""

    __slots__ = ("cut", "earlier", "flow", "key", "last", "path", "start", "tree")

    def __init__(self, path: Path, tree: list[Tree] | dict[str, Tree], token: YamlToken) -> None:
        self.path, self.tree, self.flow, self.start = path, tree, token.flow, token.start
        self.key: str | None = None
        self.last: YamlToken | None = None
        self.earlier: YamlToken | None = None
        self.cut = False

    @property
    def wants_key(self) -> bool:
        return isinstance(self.tree, dict) and self.key is None


class TreeParser:
    """One pass over the tokens of one text. It builds the tree, the positions and the problems."""

    def __init__(self, text: str, lines: list[str], file: str, limits: Limits) -> None:
        self.text, self.lines, self.file, self.limits = text, lines, file, limits
        self.tree: Tree = None
        self.values: dict[Path, SourceSpan] = {}
        self.keys: dict[Path, SourceSpan] = {}
        self.twice: set[Path] = set()  # sections written twice; only the first key of each is reported
        self.problems: list[Problem] = []
        self.nodes = 0
        self._open: list[_Open] = []
        self._documents = 0

    def read(self, tokens: Iterable[YamlToken]) -> None:
        """Parse to the end, or to the first limit exceeded."""
        for token in tokens:
            if token.kind == "document":
                self._documents += 1
                if self._documents > 1:
                    self._say("Y105", token.start)
                    return
                if token.tag:
                    self._say("Y101", token.start, what="directive")
            elif token.kind == "end":
                self._close(token)
            else:
                self._node(token)
            if len(self.problems) >= self.limits.problems or self._too_much(token):
                return
        if not self.nodes:
            self.problems.append(problem("Y100", Position(self.file, 1, 1), reason="empty"))

    def _too_much(self, token: YamlToken) -> bool:
        if (
            len(self._open) <= self.limits.depth
            and self.nodes <= self.limits.nodes
            and len(token.value) <= self.limits.scalar
        ):
            return False
        if len(self._open) > self.limits.depth:
            self._say("Y103", token.start, what="depth", found=len(self._open), most=self.limits.depth)
        elif self.nodes > self.limits.nodes:
            self._say("Y103", token.start, what="nodes", found=self.nodes, most=self.limits.nodes)
        else:
            self._say("Y103", token.start, what="scalar", found=len(token.value), most=self.limits.scalar)
        return True

    def _say(self, code: str, mark: TextPosition, width: int = 1, **facts: Fact) -> None:
        where = Position(self.file, mark.line + 1, max(1, mark.column + 1), max(1, width))
        self.problems.append(problem(code, where, **facts))

    def _line(self, number: int) -> str:
        return self.lines[number] if 0 <= number < len(self.lines) else ""

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _node(self, token: YamlToken) -> None:
        self.nodes += 1
        self._refuse_references(token)
        if token.style == '"':
            self._refuse_escapes(token)
        place = self._open[-1] if self._open else None
        if place is not None and place.wants_key:
            self._key(place, token)
            return
        path = _path(place)
        self.values[path] = self._spot(token)
        if token.kind == "text":
            self._attach(place, self._scalar(token, place))
        elif token.kind == "alias":
            self._attach(place, None)
        else:
            tree: list[Tree] | dict[str, Tree] = {} if token.kind == "map" else []
            self._attach(place, tree)
            self._open.append(_Open(path, tree, token))

    def _attach(self, place: _Open | None, value: Tree) -> None:
        if place is None:
            self.tree = value
        elif isinstance(place.tree, list):
            place.tree.append(value)
        else:
            place.tree.setdefault(place.key or "", value)
            place.key = None

    def _key(self, place: _Open, token: YamlToken) -> None:
        if token.kind != "text":
            self._say("Y108", token.start)
            place.key = f"\0{self.nodes}"
            if token.kind != "alias":
                inside = _Open((*place.path, place.key), {} if token.kind == "map" else [], token)
                inside.cut = True
                self._open.append(inside)
            return
        name, path, spot = token.value, (*place.path, token.value), self._spot(token)
        earlier = self.keys.get(path)
        if name == "<<" and token.plain:
            self._say("Y101", token.start, 2, what="merge")
        elif not token.style.strip() and ("\u00a0" in name or "\u202f" in name) and self._no_break(token):
            place.cut = True  # its value is in the key
        elif "\n" in name:
            self._say("Y108", token.start)
        elif name.lower() in RESERVED or name == "~":
            self._say("Y106", token.start, spot.width, name=name)
        elif earlier is not None:
            if not any(path[:depth] in self.twice for depth in range(1, len(path))):
                self._say("Y102", token.start, spot.width, name=name, line=earlier.line)
            self.twice.add(path)
        place.key = name
        place.earlier, place.last = place.last, token
        self.keys.setdefault(path, spot)

    def _no_break(self, token: YamlToken) -> bool:
        found = no_break_after_key(self._line(token.start.line))
        if found is not None:
            mark = token.start._replace(column=found.column - 1)
            self._say("Y107", mark, what="no_break", name=found.text, fix=found.line)
        return found is not None

    def _close(self, token: YamlToken) -> None:
        closed = self._open.pop()
        spot = self.values.get(closed.path)
        if closed.flow and spot is not None and token.end.line == closed.start.line:
            self.values[closed.path] = spot._replace(width=max(1, token.end.column - closed.start.column))
        if self._open:
            self._open[-1].cut = False

    def _spot(self, token: YamlToken) -> SourceSpan:
        start, end = token.start, token.end
        if token.kind != "text" or token.style in ("|", ">"):
            return SourceSpan(start.line + 1, start.column + 1, 1, start.offset, end.offset)
        stop = end.column if end.line == start.line else len(self._line(start.line).rstrip())
        return SourceSpan(start.line + 1, start.column + 1, max(1, stop - start.column), start.offset, end.offset)

    def _refuse_references(self, token: YamlToken) -> None:
        if token.kind == "alias":
            self._say("Y101", token.start, len(token.anchor) + 1, what="alias", name=token.anchor)
        elif token.anchor:
            self._say("Y101", token.start, len(token.anchor) + 1, what="anchor", name=token.anchor)
        elif token.tag:
            self._say("Y101", token.start, what="tag", name=token.tag)

    def _refuse_escapes(self, token: YamlToken) -> None:
        """Refuse an escape of a forbidden character like the character itself."""
        if "\t" not in token.value and not FORBIDDEN.search(token.value):
            return
        for found in _ESCAPE.finditer(self.text, token.start.offset + 1, token.end.offset - 1):
            if len(self.problems) >= self.limits.problems:
                return
            digits = found[1] or found[2] or found[3]
            sign = chr(int(digits, 16)) if digits else _NAMED_ESCAPES.get(found[4], "")
            if sign == "\t" or FORBIDDEN.match(sign):
                at = found.start()
                mark = TextPosition(self.text.count("\n", 0, at), at - self.text.rfind("\n", 0, at) - 1, at)
                self._say("Y107", mark, len(found[0]), what="escape", sign=f"U+{ord(sign):04X}")

    # -- scalars -------------------------------------------------------------------------------------------------------

    def _scalar(self, token: YamlToken, place: _Open | None) -> Tree:
        if not token.plain:
            return token.value.rstrip("\n") if token.style in ("|", ">") else token.value
        if place is not None and place.flow:
            if isinstance(place.tree, dict) and not token.value:
                self._cut(place)
                return None
            self._cut_inside(token, isinstance(place.tree, list))
        if place is not None:
            place.cut = False
        self._cut_by_comment(token)
        return self._resolve(token)

    def _resolve(self, token: YamlToken) -> Tree:
        """The value of a core scalar of YAML 1.2. Any other scalar is text."""
        text = token.value
        if text in ("", "null"):
            return None
        if text in ("true", "false"):
            return text == "true"
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return Decimal(text)
        if _AMBIGUOUS.fullmatch(text):
            line = self._line(token.start.line)
            fixed = line[: token.start.column] + quote(text) + line[token.end.column :]
            facts = {} if text in _YES_OR_NO else {"fix": fixed}  # they may also mean true and false
            self._say("Y115", token.start, len(text), text=text, **facts)
        return text

    # -- texts cut by punctuation --------------------------------------------------------------------------------------

    def _cut(self, place: _Open) -> None:
        """Report a key without value inside braces.

        A comma cut the text before it, or the braces belong to the text.
        """
        key, before = place.last, place.earlier
        if key is None or place.cut:
            return
        place.cut = True
        if key.plain and (glued := _GLUED_KEY.match(key.value)):
            line, at = self._line(key.start.line), key.start.column + glued.end()
            self._say("Y100", key.start, glued.end(), reason="colon", fix=f"{line[:at]} {line[at:]}")
            return
        if self.text[key.end.offset :].lstrip(" ").startswith(":"):  # `a: ,` says less than a text that was cut
            self._say("Y111", key.start, len(key.value), what="empty", text=key.value)
            return
        if before is None and place.path[-1:] == ("options",):
            self._say("Y112", key.start, len(key.value), what="options", text=key.value)
            return
        if before is None:
            self._punctuation("Y112", place.start, "{" + key.value + "}")
            return
        raw = self.text[before.end.offset : key.end.offset].lstrip(" :\"'")
        self._punctuation("Y111", key.start, " ".join(raw.split()), len(key.value))

    def _cut_inside(self, token: YamlToken, in_list: bool) -> None:
        text = token.value
        if "?" in text:
            raw = self.text[token.start.offset : token.end.offset].split("\n")[0]
            at = max(0, raw.find("?"))
            self._punctuation("Y110", token.start._replace(column=token.start.column + at), text)
        elif in_list and text.count("(") > text.count(")"):
            self._punctuation("Y111", token.start, text)

    def _cut_by_comment(self, token: YamlToken) -> None:
        """Report a text that `#` cuts, as in `N° #3`.

        A comment after an unquoted text needs two spaces before it, and begins with one.
        """
        line = self._line(token.end.line)
        comment = _NO_COMMENT.match(line, token.end.column)
        if comment and token.value:
            at = token.end._replace(column=comment.end() - 1)
            begin = token.start.column if token.start.line == token.end.line else 0
            self._punctuation("Y114", at, line[begin:].strip())

    def _punctuation(self, code: str, mark: TextPosition, text: str, width: int = 1) -> None:
        fixed = repair(self._line(mark.line))
        same = fixed is not None and fixed.code == code and text.split("?")[0] in fixed.text  # a line may be cut twice
        facts: dict[str, Fact] = {"text": fixed.text if fixed and same else text}
        if fixed and fixed.sure:
            facts["fix"] = fixed.line
        self._say(code, mark, width, **facts)


def _path(place: _Open | None) -> Path:
    if place is None:
        return ()
    if isinstance(place.tree, list):
        return (*place.path, len(place.tree))
    return (*place.path, place.key or "")
