"""Raw answers: tidied text, wrong answers stored as typed, faults of one answer.

A wrong answer is stored in a reserved form, `{"?": "31/02/1990"}`, so that no typed text is lost. Conditions
read it as empty, and a page shows it again with its fault. Faults carry codes and facts; renderers hold the
words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as column
from types import MappingProxyType
from typing import Final, TypeAlias

from engine.core.problems import Fact
from engine.core.values import INVISIBLE, Plain, Text
from engine.domain.fields.views import AnswerProblem
from engine.model import Field

Raw: TypeAlias = Mapping[str, Sequence[str]]  # the values of an HTML form, by control name

WRONG: Final = "?"
LONGEST_KEPT: Final = 10_000  # characters of one answer; a longer one is cut, as no honest answer is so long
OTHER: Final = "other"

CODES: Final = (
    "empty", "format", "control", "length", "email", "phone", "whole", "number", "minimum", "maximum",
    "date", "date_incomplete", "date_year", "date_unreal", "date_past", "date_future", "time",
    "choice", "shut", "other_detail", "declaration", "identifier", "checksum",
    "file", "files_many", "issue_date", "issue_future", "too_old",
    "rows_few", "rows_many", "row_issued", "unique", "total", "check", "unconfirmed", "unconfirmed_ticked", "same_and_typed",
    "unchanged", "files_kept",
)  # fmt: skip
"""Every code an `AnswerProblem` may carry, each with the facts its sentence may use (beside `type` and `id` of the question, always there):

empty · format (example) · control · length (over, maximum | under, minimum) · email · phone · whole · number ·
minimum, maximum (minimum | maximum: the bound as text) · date (not understood) · date_incomplete (missing: day month
year) · date_year · date_unreal (day, month, year) · date_past, date_future (the bound is today) · time · choice (not in
the list) · shut (an option that is closed; the message says why) · other_detail (of « Autre », missing) · declaration
(not ticked) · identifier, checksum (name, example) · file (missing) · files_many (maximum) · issue_date (missing) ·
issue_future (maximum) · too_old (span) · rows_few (minimum) · rows_many (maximum) · row_issued (an issued
document names a row that was changed, moved or removed) · unique (label, row) · total (wanted, found,
label) · check (id; the message says it) · unconfirmed, unconfirmed_ticked (an answer that an agent did not compare
with its piece) · same_and_typed (ticked as equal, and another value typed) · unchanged, files_kept (a requested
correction leaves the answer, or the files, as they were sent).
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one answer, before its path is known."""

    code: str
    facts: Mapping[str, Fact] = column(default_factory=lambda: MappingProxyType({}))
    message: Text | None = None

    def at(self, path: str, field: Field) -> AnswerProblem:
        """Return the problem of a question at `path`, with the question's type, id and label."""
        facts = MappingProxyType({"type": field.type, "id": field.id, **self.facts})
        return AnswerProblem(path, self.code, facts, self.message, label=field.label)


def fault(code: str, message: Text | None = None, **facts: Fact) -> Fault:
    """Return a fault with a code of `CODES`, the definition's message if any, and its facts."""
    return Fault(code, MappingProxyType(dict(facts)), message)


def wrong(typed: str) -> Plain:
    """Return the stored form of a text that is no answer."""
    return {WRONG: typed}


def is_wrong(plain: Plain) -> bool:
    """Return True for the stored form of a wrong answer."""
    return isinstance(plain, dict) and WRONG in plain


def typed_text(plain: Plain) -> str:
    """Return what was typed: the text of a wrong answer or of a text answer, else empty."""
    if isinstance(plain, dict):
        plain = plain.get(WRONG)
    return plain if isinstance(plain, str) else ""


def is_blank(plain: Plain) -> bool:
    """Return True without an answer. `False` and 0 are answers, and a wrong answer is not blank."""
    return plain is None or plain == "" or plain == [] or plain == {}


_REPLACED: Final = "\ufffd"
_SPACES: Final = re.compile(r"[^\S\n]+")
_LINES: Final = re.compile(r"\r\n?|[\u0085\u2028\u2029\v\f]")


def tidy(text: str, lines: bool = False) -> str:
    """Return text in stored form: NFC, without invisible characters, single spaces, no space around.

    A control character becomes U+FFFD, which `has_control` finds. With `lines`, new lines remain.
    """
    text = text[:LONGEST_KEPT]
    if text.isprintable() and INVISIBLE.isdisjoint(
        map(ord, text)
    ):  # most answers: no character to replace, only spaces to tidy
        return " ".join(unicodedata.normalize("NFC", text).split())
    text = _LINES.sub("\n", text)
    text = "".join(_sign(sign) for sign in text)
    text = unicodedata.normalize("NFC", text)
    text = _SPACES.sub(" ", text)
    if not lines:
        return " ".join(text.split())
    return "\n".join(line.strip() for line in text.split("\n")).strip()


def _sign(sign: str) -> str:
    if sign == "\n" or " " <= sign <= "~":
        return sign
    category = unicodedata.category(sign)
    if (
        category == "Cf" or ord(sign) in INVISIBLE
    ):  # zero-width characters, soft hyphens, direction overrides: copied by accident or to deceive
        return ""
    if category == "Zs" or sign == "\t":
        return " "
    return _REPLACED if category in ("Cc", "Cs", "Co", "Cn") else sign


def has_control(text: str) -> bool:
    """Return True when the posted text held a control character, which U+FFFD now replaces."""
    return _REPLACED in text


def one(raw: Raw, path: str) -> str | None:
    """Return the posted text of one control, the last of several. None when the control was not posted."""
    values = raw.get(path)
    return str(values[-1]) if values else None


_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def fill_template(text: str, values: Mapping[str, str]) -> str:
    """Return the text with each `{name}` replaced, by nothing if unknown. `str.format` would give access to objects."""
    return _PLACEHOLDER.sub(lambda match: values.get(match.group(1), ""), text)
