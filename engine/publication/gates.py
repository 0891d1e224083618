"""Gates that a definition passes before publication.

The file is read and linted, its number is new, it is proven and its scenarios pass. Its changes break nothing
for running dossiers. `examine` only reads. Each gate reports everything it found. A publication needs every
gate to pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol, TypeAlias

from engine.core.problems import Fact, InvalidDefinition, Position, Problem, Refusal, Report, problem
from engine.core.values import Plain, Span
from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.shared_files import Shared
from engine.language.diff.compare import Change, compare
from engine.language.lint.folder_rules import Neighbours, folder_problems
from engine.language.source.loader import read_source
from engine.model import Delay, Procedure
from engine.model.directory import Directory
from engine.model.types import Constant, Expression
from engine.records.publications import Gate, GateFinding

HISTORY: Final = "history"  # the branch still contains the published commit
SIGNATURE: Final = "signature"
FILES: Final = "files"  # the commit can be written to a folder
LINT: Final = "lint"
EDITION: Final = "edition"
PROOFS: Final = "proofs"
STORIES: Final = "stories"
CHANGES: Final = "changes"
MOST_REPORTED: Final = 20  # findings of one gate
_WIDEST: Final = 400  # characters of a line that is stored with a finding


class ProofRunner(Protocol):
    """Return the problems that the proofs find on a day.

    `engine.prover.checks.runner` implements it and is loaded only where the solver is installed.
    """

    def __call__(self, procedure: Procedure, directory: Directory, day: date) -> Iterable[Problem]: ...


# The steps that fail in the scenarios of a procedure, played with its shared files (`engine.simulation.player`).
Player: TypeAlias = Callable[[Procedure, Shared], Iterable[Problem]]


class Numbered(Protocol):
    """An edition by its number and its fingerprint."""

    @property
    def edition(self) -> int:
        """The number of the edition, unique within its procedure."""

    @property
    def fingerprint(self) -> str:
        """The hash of the canonical form."""


@dataclass(frozen=True, slots=True)
class Judge:
    """The prover and the scenario player that gates need besides the definitions, injected by the caller."""

    prove: ProofRunner
    play: Player


@dataclass(frozen=True, slots=True)
class CandidateEdition:
    """An edition proposed for publication.

    `before` is the edition in force, None for a first publication. `kept` lists every stored edition of the
    procedure.
    """

    procedure: Procedure
    before: Procedure | None
    kept: Sequence[Numbered] = ()


@dataclass(frozen=True, slots=True)
class FileNames:
    """How a file is named to its authors, and its text."""

    name: Callable[[str], str] = str
    text: Callable[[str], str] = lambda file: ""


# -- one number, one meaning -------------------------------------------------------------------------------------------


def same_meaning(before: Procedure, after: Procedure) -> bool:
    """Return True when both editions have the same meaning: only acceptances of problems may differ.

    The fingerprint covers no scenario, comment or layout.
    """
    if before.fingerprint == after.fingerprint:
        return True
    return all(one.path[0] == "accept" for one in compare(before, after))


def renumbered(catalogue: Catalogue, procedure: Procedure, kept: Sequence[Numbered]) -> Problem | None:
    """Return R805 when the number already has another meaning or is not higher than all earlier numbers, else None.

    The catalogue must contain the stored editions.
    """
    if any(one.fingerprint == procedure.fingerprint for one in kept):
        return None
    for one in kept:
        if one.edition == procedure.edition:
            definition = catalogue.edition(procedure.id, one.fingerprint)
            if definition is not None and same_meaning(definition, procedure):
                return None
    highest = max((one.edition for one in kept), default=0)
    if procedure.edition > highest:
        return None
    where = _written(procedure)
    return problem("R805", where, edition=procedure.edition, put=highest + 1)


def _written(procedure: Procedure) -> Position:
    """Return the position of the edition number in the file."""
    file = procedure.identity.where.file
    try:
        return read_source(procedure.source, file).position(("edition",))
    except InvalidDefinition:
        return procedure.identity.where


# -- the gates ---------------------------------------------------------------------------------------------------------


def examine(
    catalogue: Catalogue, candidates: Sequence[CandidateEdition], judge: Judge, day: date, places: FileNames
) -> tuple[Gate, ...]:
    """Return every gate for the definitions of a folder and for the candidates among them.

    When a file is unreadable, gates without a finding are left out, because they checked nothing.
    """
    found: dict[str, list[Problem]] = {LINT: _unread(catalogue)}
    for name in (EDITION, PROOFS, STORIES, CHANGES):
        found[name] = []
    for one in candidates:
        for gate, problem_ in faults_of(catalogue, one, judge, day):
            found[gate].append(problem_)
    unread = bool(found[LINT])  # an unreadable file was not proven: its other gates are not reported as passed
    return tuple(_gate(name, reported, places) for name, reported in found.items() if reported or not unread)


def passes(catalogue: Catalogue, candidates: Sequence[CandidateEdition], judge: Judge, day: date) -> bool:
    """Return True when every gate passes. The fastest checks run first and the first fault ends the search."""
    if _unread(catalogue) or any(renumbered(catalogue, one.procedure, one.kept) for one in candidates):
        return False
    return not any(True for one in candidates for _ in faults_of(catalogue, one, judge, day))


def _unread(catalogue: Catalogue) -> list[Problem]:
    problems = [*catalogue.shared_problems, *(one for report in catalogue.reports.values() for one in report)]
    return [one for one in problems if one.is_error]


def faults_of(catalogue: Catalogue, one: CandidateEdition, judge: Judge, day: date) -> Iterator[tuple[str, Problem]]:
    """Yield the problems that forbid publishing one edition, each with the name of its gate.

    A text that was already published is not proven again.
    """
    number = renumbered(catalogue, one.procedure, one.kept)
    if number is not None:
        yield EDITION, number
    published = any(kept.fingerprint == one.procedure.fingerprint for kept in one.kept)
    if not published:
        folder = Neighbours(frozenset({*catalogue.procedures, *catalogue.warnings}), catalogue.procedures.get)
        for fault in folder_problems(one.procedure, folder):
            yield LINT, fault
    for fault in () if published else judge.prove(one.procedure, catalogue.directory, day):
        if fault.is_error:
            yield PROOFS, fault
    for failure in judge.play(one.procedure, catalogue.shared):
        yield STORIES, failure
    if one.before is not None:
        for change in compare(one.before, one.procedure, day=day):
            if change.weighs == "breaking":
                yield CHANGES, _break(change, one.procedure)


def _break(change: Change, procedure: Procedure) -> Problem:
    where = change.where_after if change.where_after.file else _written(procedure)
    reported: dict[str, Fact] = {**change.facts, "name": change.at, "edition": procedure.edition}
    before, after = _written_value(change.before), _written_value(change.after)
    if before and after:
        reported |= {"before": before, "after": after}
    return problem(change.code, where, **reported)


def _written_value(value: object) -> str:
    """Return a number or a length of time as a file writes it, empty for any other value."""
    if isinstance(value, Expression) and isinstance(value.node, Constant):
        value = value.node.value
    if isinstance(value, Delay) and len(value.entries) == 1:
        value = value.entries[0][1]
    return str(value) if isinstance(value, (int, Span)) and not isinstance(value, bool) else ""


def _gate(name: str, problems: Iterable[Problem], places: FileNames) -> Gate:
    reported = Report.of(problems).problems
    shown = tuple(found_of(one, places) for one in reported[:MOST_REPORTED])
    return Gate(name, not reported, shown, max(0, len(reported) - MOST_REPORTED))


def shut(name: str, reason: Refusal) -> Gate:
    """Return a gate that fails for a reason outside the files."""
    return Gate(name, False, (GateFinding(reason.code, facts=plain_facts(reason.facts)),))


def found_of(one: Problem, places: FileNames) -> GateFinding:
    """Return a problem as a stored finding, with the file name its authors know and the line of text."""
    lines = places.text(one.where.file).split("\n") if one.where.file else []
    line = lines[one.where.line - 1] if 1 <= one.where.line <= len(lines) else ""
    where = one.where
    return GateFinding(
        one.code, places.name(where.file) if where.file else "", where.line, where.column, where.width, plain_facts(one.facts),
        line.rstrip("\r")[:_WIDEST],
    )  # fmt: skip


def plain_facts(facts: Mapping[str, Fact]) -> dict[str, Plain]:
    """Return facts in the form they are stored in: tuples become lists."""
    return {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in facts.items()}


def problem_of(found: GateFinding) -> Problem:
    """Return a stored finding as a problem, to be put into words."""
    return Problem(found.code, Position(found.file, found.line, found.column, found.width), facts_of(found.facts))


def facts_of(kept: Mapping[str, Plain]) -> dict[str, Fact]:
    """Return stored facts in their original form: lists become tuples, unknown types are dropped."""
    facts = {name: tuple(map(str, fact)) if isinstance(fact, list) else fact for name, fact in kept.items()}
    return {name: fact for name, fact in facts.items() if isinstance(fact, (str, int, tuple))}
