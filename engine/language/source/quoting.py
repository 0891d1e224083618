"""Places where YAML cuts a French text, and the corrected line (`docs/language.md` §1, Y110 to Y114).

YAML ends an unquoted text at `, ? [ ] { }` inside braces, and at `: ` and ` #` anywhere. Nothing is guessed when a
file is read. These functions only find, in one line, the character at fault and the line that its author probably
meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_ENTRY: Final = re.compile(r"(?P<lead>[ ]*(?:- +)*)(?:(?P<key>[^\s'\"\[\]{}#&*!|>%@`,?:-][^'\"\[\]{}]*?):(?: +|$))?")
_FLOW_KEY: Final = re.compile(r"\s*('[^']*'|\"[^\"]*\"|[^\s'\"\[\]{},:?#(][^'\"\[\]{},:(]*):(?:\s+|$|(?=[\[{]))")
_PLAIN_MAP: Final = re.compile(r"\{\s*([^\s'\"\[\]{},:?#]+|'[^']*'|\"[^\"]*\"):(\s|$)")
_EMPTY_MAP: Final = re.compile(r"\{\s*\}\s*([,}\]]|$)")
# `N° #3` is no comment for its author. A comment after an unquoted text needs two spaces before it and one after `#`.
_BLOCK_FAULTS: Final = (("Y113", re.compile(r":(?= |$)")), ("Y114", re.compile(r"(?<=\S )#|(?<=\s)#(?=\S)")))
_FLOW_FAULTS: Final = (
    ("Y110", re.compile(r"\?")),
    ("Y111", re.compile(r",")),
    ("Y112", re.compile(r"[\[\]{}]")),
    ("Y113", re.compile(r":(?=\s|$)")),
    ("Y114", re.compile(r"(?<=\s)#")),
)
_NO_BREAK: Final = re.compile(
    r"(?:^ *(?:- +)*|[{,] *)(?P<key>[A-Za-z_]\w*)(?:[\u00a0\u202f]+:(?= |$)|:[\u00a0\u202f]+)"
)
_OPENERS: Final = {"(": ")", "[": "]", "{": "}"}
_LONE_QUOTE: Final = re.compile(r"(?<!\w)'|'(?!\w)")  # no apostrophe within a word
_FIRST_SIGNS: Final = "&*!|>%@`"
_LONGEST_LINE: Final = 2_000
_DEEPEST: Final = 20


@dataclass(frozen=True, slots=True)
class QuotingFix:
    """A text that YAML cuts: the character at fault (column from 1), the whole text, and the line with it quoted."""

    code: str
    column: int
    text: str
    line: str
    sure: bool = True  # false when a quote would stay in a text: two different quotes, or one that never closes


def quote(text: str) -> str:
    """Return a text in quotes, as the formatter writes it: `'` first, `"` when the text holds apostrophes."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def repair(line: str) -> QuotingFix | None:
    """Return the fix of the first text of the line that YAML cuts, None when there is none.

    The line of the fix has all such texts quoted.
    """
    if len(line) > _LONGEST_LINE:
        return None
    entry = _ENTRY.match(line)
    start = entry.end() if entry else 0
    value = line[start:].rstrip()
    if not value:
        return None
    if value[0] in "{[" and _is_collection(value):
        return _Flow(line, start).repair()
    if value[0] in "'\"":
        return _quoted(line, start)
    if value[0] in "[{" or (value[0] in _FIRST_SIGNS and not re.fullmatch(r"[|>][+-]?\d?(\s+#.*)?", value)):
        code = "Y112" if value[0] in "[{" else "Y100"
        return QuotingFix(code, start + 1, value, line[:start] + quote(value), _is_paired(value))
    if entry is None or entry["key"] is None:
        return None
    fault = _first_fault(value, _BLOCK_FAULTS)
    if fault is None:
        return None
    sure = _is_paired(value)
    return QuotingFix(fault[0], start + 1 + (fault[1] if sure else 0), value, line[:start] + quote(value), sure)


def _is_paired(text: str) -> bool:
    """Return whether each quote of a text is closed, and no pair encloses the whole."""
    marks = len(_LONE_QUOTE.findall(text))
    even = marks % 2 == 0 and text.count('"') % 2 == 0 and text.count("“") == text.count("”")
    return even and text[:1] not in ("“", "”", "‘")


def no_break_after_key(line: str) -> QuotingFix | None:
    """Return the fix of a key with a no-break space beside its colon, None when the line has none.

    Word processors write it, and YAML does not read it as a key.
    """
    found = _NO_BREAK.search(line)
    if found is None:
        return None
    fixed = f"{line[: found.end('key')]}: {line[found.end() :].lstrip()}".rstrip()
    return QuotingFix("Y107", found.end("key") + 1 + (line[found.end("key")] == ":"), found["key"], fixed)


def _first_fault(text: str, faults: tuple[tuple[str, re.Pattern[str]], ...]) -> tuple[str, int] | None:
    found = [(match.start(), code) for code, pattern in faults if (match := pattern.search(text))]
    return (min(found)[1], min(found)[0]) if found else None


def _is_collection(value: str) -> bool:
    """Return whether a value in brackets is a list or a map, not a text that begins with a placeholder."""
    return value[0] == "[" or bool(_PLAIN_MAP.match(value) or _EMPTY_MAP.match(value))


def _quoted(line: str, start: int) -> QuotingFix | None:
    """`'l'usager'` or `'a' in x`: the quotes close before the text ends."""
    value = line[start:].rstrip()
    end = _end_of_quotes(value, 0)
    if end is not None and (end == len(value) or re.match(r"\s*(#|$)", value[end:])):
        return None
    if end is None:
        return None
    text = _without_its_quotes(value)
    return QuotingFix("Y100", start + 1, text, line[:start] + quote(text), _is_paired(text))


def _without_its_quotes(value: str) -> str:
    """The text whose closing quote came too soon (`'l'usager'`), or the whole of `'a' == b`."""
    end = _end_of_quotes(value, 0)
    apostrophe = end is not None and end < len(value) and value[end].isalnum()
    return value[1:-1] if apostrophe and len(value) > 2 and value[-1] == value[0] else value


def _end_of_quotes(text: str, start: int) -> int | None:
    """The index after the quoted text that begins at `start`. None when it never closes on this line."""
    mark, index = text[start], start + 1
    while index < len(text):
        if mark == '"' and text[index] == "\\":
            index += 2
            continue
        if text[index] == mark:
            if mark == "'" and text[index : index + 2] == "''":
                index += 2
                continue
            return index + 1
        index += 1
    return None


class _Flow:
    """One pass along a line with open braces. It copies the line and quotes each text that YAML would cut."""

    def __init__(self, line: str, start: int) -> None:
        self.line = line
        self.at = start
        self.out = line[:start]
        self.first: tuple[str, int, str] | None = None
        self.depth = 0
        self.sure = True

    def repair(self) -> QuotingFix | None:
        try:
            self._collection()
        except _Lost:
            return None
        if self.first is None:
            return None
        code, column, text = self.first
        return QuotingFix(code, column, text, self.out + self.line[self.at :], self.sure)

    def _collection(self) -> None:
        close = _OPENERS[self._here()]
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Lost
        self._copy(1)
        while True:
            self._copy_while(str.isspace)
            if self._here() == close:
                self.depth -= 1
                self._copy(1)
                return
            if close == "}":
                key = _FLOW_KEY.match(self.line, self.at)
                if key is None:
                    raise _Lost
                self._copy(key.end() - self.at)
            self._value(close)
            self._copy_while(str.isspace)
            if self._here() == ",":
                self._copy(1)
            elif self._here() != close:
                raise _Lost

    def _value(self, close: str) -> None:
        rest = self.line[self.at :]
        if rest[:1] in ("{", "[") and _is_collection(rest) and self._closes_cleanly():
            self._collection()
            return
        if rest[:1] in ("'", '"'):
            end = _end_of_quotes(self.line, self.at)
            if end is not None and re.match(r"\s*([,}\]]|$)", self.line[end:]):
                self._copy(end - self.at)
                return
        self._text(self._end_of_text(close))

    def _closes_cleanly(self) -> bool:
        """Return whether the collection opened here is followed by the end of the value, not by more text."""
        depth, index = 0, self.at
        while index < len(self.line):
            sign = self.line[index]
            if sign in "'\"" and self.line[index - 1] in " [{(,":
                end = _end_of_quotes(self.line, index)
                if end is None:
                    return False
                index = end
                continue
            depth += (sign in "[{") - (sign in "]}")
            index += 1
            if depth == 0:
                return bool(re.match(r"\s*([,}\]]|$)", self.line[index:]))
        return True

    def _text(self, end: int) -> None:
        begin, text = self.at, self.line[self.at : end].rstrip()
        whole = text
        fault = _first_fault(text, _FLOW_FAULTS)
        if fault is None and text[:1] in tuple("'\"" + _FIRST_SIGNS) and text:
            fault = ("Y100", 0)
        if fault is not None and text[0] in "'\"":
            text = _without_its_quotes(text)
        if fault is None:
            self._copy(end - self.at)
            return
        paired = _is_paired(text)
        if self.first is None or (self.sure and not paired):
            self.first = (fault[0], begin + 1 + (fault[1] if paired else 0), text)
        self.sure = self.sure and paired
        self.out += quote(text)
        self.at += len(whole)

    def _end_of_text(self, close: str) -> int:
        """Where the author's text ends: before `, key: ` or the closing bracket, with inner brackets paired."""
        open_signs: list[str] = []
        for index in range(self.at, len(self.line)):
            sign = self.line[index]
            if sign in _OPENERS:
                open_signs.append(_OPENERS[sign])
            elif open_signs and sign == open_signs[-1]:
                open_signs.pop()
            elif not open_signs and self._ends_text(index, close):
                return index
        raise _Lost

    def _ends_text(self, index: int, close: str) -> bool:
        next_entry = self.line[index] == "," and (close == "]" or bool(_FLOW_KEY.match(self.line, index + 1)))
        return next_entry or self.line[index] == close

    def _here(self) -> str:
        if self.at >= len(self.line):
            raise _Lost
        return self.line[self.at]

    def _copy(self, count: int) -> None:
        self.out += self.line[self.at : self.at + count]
        self.at += count

    def _copy_while(self, test: Callable[[str], bool]) -> None:
        while self.at < len(self.line) and test(self.line[self.at]):
            self._copy(1)


class _Lost(Exception):
    """The line cannot be followed to its end, so no correction is proposed."""
