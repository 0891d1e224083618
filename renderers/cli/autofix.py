"""Repairs of `guichet lint --fix`: those with a single possible correction.

Each round corrects one fault in a line and checks the file again, until no exact repair is left. Problems with
several close names, renames or alternatives are reported only.
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
_UNREAD: Final = frozenset({"S201", "S203", "S204"})  # such a fault hides names that others use
_NEEDLESS: Final = frozenset({"V722"})
EXACT: Final = _PUNCTUATION | _NEAR | _NEEDLESS


@dataclass(frozen=True, slots=True)
class LineRepair:
    """One line before and after. `code` is the problem repaired, `line` counts from 1."""

    code: str
    line: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """A text after its repairs, with the remaining problems."""

    text: str
    repairs: tuple[LineRepair, ...]
    report: Report


def repaired(text: str, file: str, check: Callable[[str], Report]) -> Repaired:
    """Return the text with all exact repairs. `check` returns the problems of a text."""
    made: list[LineRepair] = []
    refused: set[_Fault] = set()  # corrections without effect are not repeated
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
    """Return whether a problem has a single repair, which needs no question."""
    if problem.code not in EXACT:
        return False
    if problem.code == "Y113" and "key" in problem.facts:  # either a comma or quotes are missing
        return False
    near = problem.facts.get("near")
    if isinstance(near, tuple) and len(near) > 1:
        return False
    is_name = problem.code == "S203" and problem.facts.get("expected") in ("id", "kebab")
    return (
        not is_name or "sought" in problem.facts
    )  # a name belongs to its author, unless the file has the right one elsewhere


def _stage(problem: Problem) -> int:
    """Return the order of repair: the text first, then its structure, then its names."""
    return {"Y": 0, "S": 1}.get(problem.code[0], 2)


def _repairs(report: Report, file: str, text: str, refused: Collection[_Fault]) -> Iterator[tuple[_Fault, LineRepair]]:
    """Yield the exact repairs, one for each line, because columns move once a line is corrected."""
    sources: Mapping[str, str] = {file: text}
    taken: set[int] = set()
    here = [one for one in report if one.where.file == file]
    exact = [one for one in here if is_exact(one) and _fault(one) not in refused]
    first = min(map(_stage, exact), default=0)
    if first == 2 and any(one.code in _UNREAD for one in here):
        return  # a name may be unknown only because a part was not read
    for one in exact:
        line, fault = one.where.line, _fault(one)
        if line in taken or _stage(one) != first:
            continue
        fixed = correction(one, sources)
        if fixed is not None and "\n" not in fixed.new:
            taken.add(line)
            yield fault, LineRepair(one.code, line, fixed.old, fixed.new)
