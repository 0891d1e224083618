"""The repairs that `guichet lint --fix` makes: those whose corrected line is the only one that can be meant.

Each round corrects one fault a line and checks the file again, until nothing exact is left. What has several near
names, renames a thing, or chooses between two sides is told, never done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from engine.core.problems import Problem, Report
from renderers.reports.problems import correction

_ROUNDS: Final = 20
_PUNCTUATION: Final = frozenset({"Y100", "Y107", "Y110", "Y111", "Y112", "Y113", "Y114", "Y115"})
_NEAR: Final = frozenset({"S201", "S203", "S209", "N301", "N304", "N306", "N307", "E401", "E404", "E411"})
_UNREAD: Final = frozenset({"S201", "S203", "S204"})  # what such a fault leaves unread has names others speak of
_NEEDLESS: Final = frozenset({"V722"})
EXACT: Final = _PUNCTUATION | _NEAR | _NEEDLESS


@dataclass(frozen=True, slots=True)
class LineRepair:
    """One line as it was and as it is; `code` is the problem it answers, `line` where it stands, from 1."""

    code: str
    line: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """A text after its repairs, and what is still wrong with it."""

    text: str
    repairs: tuple[LineRepair, ...]
    report: Report


def repaired(text: str, file: str, check: Callable[[str], Report]) -> Repaired:
    """The text with every exact repair made. `check` gives all that is wrong with a text."""
    made: list[LineRepair] = []
    refused: set[_Fault] = set()  # a correction that corrects nothing is not made
    report = check(text)
    for _ in range(_ROUNDS):
        found = dict(_repairs(report, file, text, refused))
        if not found:
            break
        lines = text.split("\n")
        for repair in found.values():
            lines[repair.line - 1] = repair.new
        tried = "\n".join(lines)
        checked = check(tried)
        left = {_fault(one) for one in checked} & found.keys()
        if left:
            refused |= left
            continue
        text, report = tried, checked
        made += found.values()
    return Repaired(text, tuple(made), report)


_Fault: TypeAlias = tuple[str, int, int, str]


def _fault(problem: Problem) -> _Fault:
    return problem.code, problem.where.line, problem.where.column, repr(sorted(problem.facts.items()))


def is_exact(problem: Problem) -> bool:
    """Whether the repair of a problem can be made without asking."""
    if problem.code not in EXACT:
        return False
    if problem.code == "Y113" and "key" in problem.facts:  # a comma is missing, or quotes are
        return False
    near = problem.facts.get("near")
    if isinstance(near, tuple) and len(near) > 1:
        return False
    is_name = problem.code == "S203" and problem.facts.get("expected") in ("id", "kebab")
    return not is_name or "sought" in problem.facts  # a name is its author's, unless the file says it right elsewhere


def _stage(problem: Problem) -> int:
    """Causes come before what follows from them: the text, then its shape, then its names."""
    return {"Y": 0, "S": 1}.get(problem.code[0], 2)


def _repairs(report: Report, file: str, text: str, refused: Collection[_Fault]) -> Iterator[tuple[_Fault, LineRepair]]:
    """The exact repairs of a report, one a line: columns move once a line is corrected."""
    sources: Mapping[str, str] = {file: text}
    taken: set[int] = set()
    here = [one for one in report if one.where.file == file]
    exact = [one for one in here if is_exact(one) and _fault(one) not in refused]
    first = min(map(_stage, exact), default=0)
    if first == 2 and any(one.code in _UNREAD for one in here):
        return  # a name unknown only for what could not be read is right as it is
    for one in exact:
        line, fault = one.where.line, _fault(one)
        if line in taken or _stage(one) != first:
            continue
        fixed = correction(one, sources)
        if fixed is not None and "\n" not in fixed.new:
            taken.add(line)
            yield fault, LineRepair(one.code, line, fixed.old, fixed.new)
