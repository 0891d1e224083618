"""Syntax of an expression: its text as a syntax tree of Python, within limits and with positions. Nothing is executed.

`ast` counts columns in UTF-8 bytes from the start of its input. `ExpressionSource` converts them to positions of
the definition file.
"""

from __future__ import annotations

import ast
import keyword
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.core.problems import Fact, Position, Problem, problem
from engine.language.source.notation import likely_date, likely_number, read_date

MOST_SIGNS: Final = 500
MOST_WRITTEN_NODES: Final = 100

_SPOKEN: Final = {"and", "or", "not", "in", "if", "else", "True", "False", "None"}

# Common mistakes, with the name of the repair. Used only when the parser of Python fails.
_HABITS: Final = (
    ("quotes", re.compile(r"[‘’“”«»]")),
    ("date", re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}/\d{1,2}/\d{4}\b")),
    ("span", re.compile(r"\b\d+ (working )?(day|week|month|year)s?\b")),
    ("unit", re.compile(r"\b\d+(?: \d{3})* ?(F|FCFA|CFA|XOF|francs?|€|%|m²)(?!\w)", re.IGNORECASE)),
    ("number", re.compile(r"\b0\d+|\b\d+( \d+)+")),
    ("and", re.compile(r"&&|\bet\b", re.IGNORECASE)),
    ("or", re.compile(r"\|\||\bou\b", re.IGNORECASE)),
    ("not", re.compile(r"!(?!=)|\bnon\b", re.IGNORECASE)),
    ("greater_or_equal", re.compile(r"=>|≥")),
    ("less_or_equal", re.compile(r"=<|≤")),
    ("different", re.compile(r"<>|≠")),
    ("equals_truth", re.compile(r"(?<![=!<>])=(?!=)(?=\s*(true|false)\b)", re.IGNORECASE)),
    ("equals", re.compile(r"(?<![=!<>])=(?!=)")),
    ("keyword", re.compile(rf"\b({'|'.join(sorted(set(keyword.kwlist) - _SPOKEN))})\b")),
)
_INSTEAD: Final[Mapping[str, str]] = {
    "and": "and", "or": "or", "not": "not ", "greater_or_equal": ">=", "less_or_equal": "<=", "different": "!=",
    "equals": "==",
}  # fmt: skip
_PARSER_SAYS: Final[Mapping[str, str]] = {
    "was never closed": "unclosed", "unterminated": "unclosed_text", "unmatched": "unopened", "does not match": "unopened",
}  # fmt: skip
_TEXTS: Final = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class ExpressionSource:
    """One expression as written: its text on one line, and the position of its first character in the file."""

    text: str
    where: Position
    lead: int  # blank characters before the expression

    @classmethod
    def of(cls, text: str, where: Position) -> ExpressionSource:
        """Return the source of a text. Line ends and tabs become spaces, so columns do not move."""
        one_line = re.sub(r"[\r\n\t]", " ", text)
        return cls(one_line, where, len(one_line) - len(one_line.lstrip(" ")))

    @property
    def body(self) -> str:
        """The text without blanks around it."""
        return self.text[self.lead :].rstrip(" ")

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Return where a node begins and ends, in characters of `text`."""
        raw = self.body.encode()
        start, end = node.col_offset, node.end_col_offset or node.col_offset
        begin = self.lead + len(raw[:start].decode(errors="replace"))
        return begin, begin + len(raw[start:end].decode(errors="replace"))

    def at(self, node: ast.expr) -> Position:
        """Return the position of a node in the file."""
        start, end = self.span(node)
        return self.place(start, end - start)

    def place(self, start: int, width: int = 1) -> Position:
        """Return the position of a range of `text`. Its width is at least 1."""
        return Position(self.where.file, self.where.line, self.where.column + start, max(1, width))

    def whole(self) -> Position:
        """Return the position of the whole expression, without blanks around it."""
        return self.place(self.lead, len(self.body))

    def written(self, node: ast.expr) -> str:
        """Return the text of a node as written."""
        start, end = self.span(node)
        return self.text[start:end]


def read_syntax(source: ExpressionSource) -> tuple[ast.expr | None, list[Problem]]:
    """Return the syntax tree, or None with the problem.

    Too long is E403, a syntax error of Python is E401, a comment is E402.
    """
    if len(source.body) > MOST_SIGNS:
        start = source.place(source.lead)
        return None, [problem("E403", start, limit="signs", found=len(source.body), most=MOST_SIGNS)]
    if not source.body:
        return None, [problem("E401", source.place(0), hint="nothing", token="")]
    try:
        parsed = _parse(source.body)
    except SyntaxError as fault:
        return None, [_syntax_problem(source, fault)]
    except (ValueError, RecursionError, MemoryError):
        return None, [problem("E401", source.whole(), hint="unreadable", token=source.body[:20])]
    count = sum(isinstance(node, ast.expr) for node in ast.walk(parsed))
    if count > MOST_WRITTEN_NODES:
        return None, [problem("E403", source.whole(), limit="nodes", found=count, most=MOST_WRITTEN_NODES)]
    end = source.span(parsed)[1]
    if "#" in source.text[end:]:
        place = source.place(source.text.index("#", end))
        return None, [problem("E402", place, construct="comment")]
    return parsed, []


def _parse(text: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about Python code do not apply here
        return ast.parse(text, mode="eval").body


def _syntax_problem(source: ExpressionSource, fault: SyntaxError) -> Problem:
    outside_texts = _TEXTS.sub(lambda found: " " * len(found.group()), source.body)
    for hint, habit in _HABITS:
        found = habit.search(outside_texts)
        if found:
            repair: dict[str, Fact] = {"put": _INSTEAD[hint]} if hint in _INSTEAD else _as_written(hint, found.group())
            place = source.place(source.lead + found.start(), len(found.group()))
            return problem("E401", place, hint=hint, token=found.group(), **repair)
    last = len(source.body) - 1
    start = min(fault.offset - 1, last) if fault.offset and fault.offset > 0 else last
    hint = next((hint for sign, hint in _PARSER_SAYS.items() if sign in fault.msg), "")
    token = source.body[start : start + 20].split(" ")[0]
    return problem("E401", source.place(source.lead + start), hint=hint if fault.offset else "unfinished", token=token)


def _as_written(hint: str, token: str) -> dict[str, Fact]:
    """A date, a length of time or a number with thousands as an expression writes it."""
    if hint == "unit":
        return {"instead": re.sub(r"\D", "", token)}
    if hint == "span":
        count, *unit = token.split(" ")
        return {"instead": f"{'_'.join(unit).removesuffix('s')}s({count})"}
    day, number = likely_date(token) or (token if hint == "date" else None), likely_number(token)
    if day is not None and read_date(day) is not None:
        return {"instead": "date({}, {}, {})".format(*map(int, day.split("-")))}
    return {"instead": number} if number is not None else {}


def rename_names(text: str, mapping: Mapping[str, str]) -> str:
    """Return the text with its names replaced, as `prefix: tuteur_` does to a block.

    Functions and texts in quotes do not change. A text that is no expression comes back unchanged: the parser
    reports it later.
    """
    source = ExpressionSource.of(text, Position("", 1, 1))
    parsed, problems = read_syntax(source)
    if parsed is None or problems:
        return text
    called = {id(node.func) for node in ast.walk(parsed) if isinstance(node, ast.Call)}
    names = [node for node in ast.walk(parsed) if isinstance(node, ast.Name) and id(node) not in called]
    for start, end in sorted((source.span(name) for name in names), reverse=True):
        text = text[:start] + mapping.get(text[start:end], text[start:end]) + text[end:]
    return text
