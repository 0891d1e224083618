"""The gates between a text and service: it is read and linted, its number is new, it is proven, its stories are played,
and what it changes breaks nothing for running dossiers.

`examine` only looks. Each gate says everything it found; a publication passes when all are open.
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
from engine.language.source.loader import read_source
from engine.model import Delay, Procedure
from engine.model.directory import Directory
from engine.model.types import Constant, Expression
from engine.records.publications import Gate, GateFinding

HISTORY: Final = "history"  # the branch still holds what was published
SIGNATURE: Final = "signature"
FILES: Final = "files"  # the commit can be laid out
LINT: Final = "lint"
EDITION: Final = "edition"
PROOFS: Final = "proofs"
STORIES: Final = "stories"
CHANGES: Final = "changes"
MOST_REPORTED: Final = 20  # findings of one gate
_WIDEST: Final = 400  # signs of a line that is kept beside a finding


class ProofRunner(Protocol):
    """What the proofs find on a day (`engine.prover.checks.runner`), which is loaded only where the solver is."""

    def __call__(self, procedure: Procedure, directory: Directory, day: date) -> Iterable[Problem]: ...


# The steps that fail in the stories of a procedure, played with its shared files (`engine.simulation.scenarios`).
Player: TypeAlias = Callable[[Procedure, Shared], Iterable[Problem]]


class Numbered(Protocol):
    """An edition by its number and its fingerprint."""

    @property
    def edition(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Judge:
    """What gates need besides the definitions: the two rooms that work hardest, handed in."""

    prove: ProofRunner
    play: Player


@dataclass(frozen=True, slots=True)
class CandidateEdition:
    """An edition that would enter service: what is in force before it, every edition kept of its procedure."""

    procedure: Procedure
    before: Procedure | None
    kept: Sequence[Numbered] = ()


@dataclass(frozen=True, slots=True)
class FileNames:
    """How a file is called to the people who wrote it, and its text."""

    name: Callable[[str], str] = str
    text: Callable[[str], str] = lambda file: ""


# -- one number, one meaning -------------------------------------------------------------------------------------------


def same_meaning(before: Procedure, after: Procedure) -> bool:
    """Whether an edition says what another says: stories, comments, layout and acceptances are no part of it."""
    if before.fingerprint == after.fingerprint:
        return True
    return all(one.path[0] == "accept" for one in compare(before, after))


def renumbered(catalogue: Catalogue, procedure: Procedure, kept: Sequence[Numbered]) -> Problem | None:
    """R805: a number that was given to another meaning, or that comes before one given already. The catalogue has what was
    kept at hand."""
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
    """Where a file says its number."""
    file = procedure.identity.where.file
    try:
        return read_source(procedure.source, file).position(("edition",))
    except InvalidDefinition:
        return procedure.identity.where


# -- the gates ---------------------------------------------------------------------------------------------------------


def examine(
    catalogue: Catalogue, candidates: Sequence[CandidateEdition], judge: Judge, day: date, places: FileNames
) -> tuple[Gate, ...]:
    """Every gate over the definitions of a folder and those of them that would enter service."""
    found: dict[str, list[Problem]] = {LINT: _unread(catalogue)}
    for name in (EDITION, PROOFS, STORIES, CHANGES):
        found[name] = []
    for one in candidates:
        for gate, problem_ in faults_of(catalogue, one, judge, day):
            found[gate].append(problem_)
    unread = bool(found[LINT])  # what cannot be read was not proven: its other gates are not told to be open
    return tuple(_gate(name, reported, places) for name, reported in found.items() if reported or not unread)


def passes(catalogue: Catalogue, candidates: Sequence[CandidateEdition], judge: Judge, day: date) -> bool:
    """Whether every gate is open: what is soonest known first, and no further than the first fault."""
    if _unread(catalogue) or any(renumbered(catalogue, one.procedure, one.kept) for one in candidates):
        return False
    return not any(True for one in candidates for _ in faults_of(catalogue, one, judge, day))


def _unread(catalogue: Catalogue) -> list[Problem]:
    problems = [*catalogue.shared_problems, *(one for report in catalogue.reports.values() for one in report)]
    return [one for one in problems if one.is_error]


def faults_of(catalogue: Catalogue, one: CandidateEdition, judge: Judge, day: date) -> Iterator[tuple[str, Problem]]:
    """What forbids one edition to enter service, each with its gate."""
    number = renumbered(catalogue, one.procedure, one.kept)
    if number is not None:
        yield EDITION, number
    for fault in judge.prove(one.procedure, catalogue.directory, day):
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
    """A value as a file writes it, where it is one number or one length of time; else nothing."""
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
    """A gate that something outside of any file keeps shut."""
    return Gate(name, False, (GateFinding(reason.code, facts=plain_facts(reason.facts)),))


def found_of(one: Problem, places: FileNames) -> GateFinding:
    lines = places.text(one.where.file).split("\n") if one.where.file else []
    line = lines[one.where.line - 1] if 1 <= one.where.line <= len(lines) else ""
    where = one.where
    return GateFinding(
        one.code, places.name(where.file) if where.file else "", where.line, where.column, where.width, plain_facts(one.facts),
        line.rstrip("\r")[:_WIDEST],
    )  # fmt: skip


def plain_facts(facts: Mapping[str, Fact]) -> dict[str, Plain]:
    """Facts as they are kept."""
    return {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in facts.items()}


def problem_of(found: GateFinding) -> Problem:
    """The finding as it was told, to be said in words."""
    return Problem(found.code, Position(found.file, found.line, found.column, found.width), facts_of(found.facts))


def facts_of(kept: Mapping[str, Plain]) -> dict[str, Fact]:
    """Facts as they were before they were kept."""
    facts = {name: tuple(map(str, fact)) if isinstance(fact, list) else fact for name, fact in kept.items()}
    return {name: fact for name, fact in facts.items() if isinstance(fact, (str, int, tuple))}
