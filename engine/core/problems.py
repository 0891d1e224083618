"""Problems of definitions and refusals of acts: stable codes, positions and facts.

A *problem* is a fault of a definition file, shown to all readers of the file. A *refusal* is a rule that
prevents an act on one dossier, shown to the person who tried. Codes never change meaning and are never reused
(`docs/language.md` §17). The sentences are in `renderers/i18n/catalogues/problems.*.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

Fact = str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a definition: file as given, line and column from 1, and the number of characters to underline."""

    file: str
    line: int
    column: int
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE: Final = Position("", 0, 0)
ADVICE: Final = frozenset({"Y115", "C511", "C590"})  # advice whose codes belong to a family of errors
RETIRED: Final = frozenset({"V750"})  # no longer given, never used again: `accept` of a kept text may hold them
_UNREADABLE: Final = frozenset("YSNE")  # families of what the compiler cannot read
_COMPILED: Final = frozenset(
    {"E406", "N315"}
)  # errors of these families that leave a meaning: a kept text may have them
_OF_FILE: Final = "N309"  # the name of the file, which is no part of its text


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a definition.

    `facts` are the values of its message (names, amounts, close names), never wording. `kept`: the problem is in a
    text that was already published.
    """

    code: str
    where: Position
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    kept: bool = field(default=False, compare=False)

    @property
    def is_error(self) -> bool:
        """Whether the problem forbids publication. Advice (family V, `ADVICE`, a published text) does not."""
        return not self.kept and not self.code.startswith("V") and self.code not in ADVICE

    @property
    def prevents_building(self) -> bool:
        """Whether the compiler cannot give the text its meaning. A rule or a proof that fails does not."""
        return self.is_error and self.code[0] in _UNREADABLE and self.code not in _COMPILED

    def in_kept_text(self) -> Problem:
        """Return the problem as it counts in a published text: as advice. The name of a file remains an error."""
        return self if self.code == _OF_FILE else replace(self, kept=True)

    def sort_key(self) -> tuple[Position, str]:
        """Return the key that sorts problems by position, then code."""
        return (self.where, self.code)


def problem(code: str, where: Position, **facts: Fact) -> Problem:
    """Return a problem from its code, place and facts: `problem("N301", where, name="motiff", near=("motif",))`."""
    return Problem(code, where, MappingProxyType(dict(facts)))


@dataclass(frozen=True, slots=True)
class Report:
    """All problems of one or several definitions, in the order of the text."""

    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Report:
        """Return the report of these problems, sorted by position and without repeats."""
        return cls(tuple(sorted(set_once(problems), key=Problem.sort_key)))

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that forbid publication."""
        return tuple(p for p in self.problems if p.is_error)

    @property
    def advice(self) -> tuple[Problem, ...]:
        """The problems that do not forbid publication."""
        return tuple(p for p in self.problems if not p.is_error)

    def in_kept_text(self) -> Report:
        """Return the report of a published text, whose errors count as advice."""
        return Report(tuple(one.in_kept_text() for one in self.problems))

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.problems)

    def __bool__(self) -> bool:
        return bool(self.problems)


def set_once(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems without those of the same code at the same place."""
    seen: dict[tuple[str, Position], Problem] = {}
    for one in problems:
        seen.setdefault((one.code, one.where), one)
    return list(seen.values())


class InvalidDefinition(Exception):
    """A definition cannot be compiled. `report` holds all its problems."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"{len(report.errors)} errors")
        self.report = report


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why an act is impossible on a dossier now.

    `code` is a key of the messages. `where` is the line of the definition, `NOWHERE` if none.
    """

    code: str
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    where: Position = NOWHERE


def refusal(code: str, where: Position = NOWHERE, **facts: Fact) -> Refusal:
    """Return a refusal from its code, its place in the definition and its facts."""
    return Refusal(code, MappingProxyType(dict(facts)), where)


class Refused(Exception):
    """An act was tried and is impossible. Nothing was changed. `reasons` are all refusals, `reason` the first."""

    def __init__(self, reason: Refusal, *others: Refusal) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.reasons = (reason, *others)
