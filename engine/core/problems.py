"""What can be wrong, and where. Stable codes, positions and facts; the wording lives in `renderers/reports/problems.py`.

A *problem* is a fault of a definition file: everyone who reads the file sees it. A *refusal* is a rule closing an act
on one dossier: the person who tried sees why. Codes never change meaning and are never reused (`docs/language.md` §17).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

Fact = str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a definition: file as given, line and column from 1, and how many signs the caret underlines."""

    file: str
    line: int
    column: int
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE: Final = Position("", 0, 0)
ADVICE: Final = frozenset({"Y115", "C511"})  # advice that lives in a family of errors


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a definition. `facts` are what the sentence needs (names, values, near misses), never wording."""

    code: str
    where: Position
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_error(self) -> bool:
        """Errors forbid publication; advice (family V, and ADVICE) does not."""
        return not self.code.startswith("V") and self.code not in ADVICE

    def sort_key(self) -> tuple[Position, str]:
        return (self.where, self.code)


def problem(code: str, where: Position, **facts: Fact) -> Problem:
    """A problem from its code, place and facts: `problem("N301", where, name="motiff", near=("motif",))`."""
    return Problem(code, where, MappingProxyType(dict(facts)))


@dataclass(frozen=True, slots=True)
class Report:
    """All the problems of one or several definitions, in the order of the text."""

    problems: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Report:
        return cls(tuple(sorted(set_once(problems), key=Problem.sort_key)))

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(p for p in self.problems if p.is_error)

    @property
    def advice(self) -> tuple[Problem, ...]:
        return tuple(p for p in self.problems if not p.is_error)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.problems)

    def __bool__(self) -> bool:
        return bool(self.problems)


def set_once(problems: Iterable[Problem]) -> list[Problem]:
    """The same fault at the same place is said once."""
    seen: dict[tuple[str, Position], Problem] = {}
    for one in problems:
        seen.setdefault((one.code, one.where), one)
    return list(seen.values())


class InvalidDefinition(Exception):
    """A definition that cannot be compiled; carries the whole report."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"{len(report.errors)} errors")
        self.report = report


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an act is closed on a dossier now. `code` is a key of the words; `where` the line of the book, if any."""

    code: str
    facts: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    where: Position = NOWHERE


def refusal(code: str, where: Position = NOWHERE, **facts: Fact) -> Refusal:
    return Refusal(code, MappingProxyType(dict(facts)), where)


class Refused(Exception):
    """An act was tried and is closed. Nothing was changed."""

    def __init__(self, reason: Refusal, *others: Refusal) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.reasons = (reason, *others)
