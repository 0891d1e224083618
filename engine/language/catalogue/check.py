"""The check of one file: text, shape (keys and types), names, then the rules of the linter.

All problems are reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath
from typing import Final

from engine.core.problems import Fact, InvalidDefinition, Problem, Report, problem
from engine.language.compiler.compile import build_spliced, lacks_preset
from engine.language.compiler.includes import combine
from engine.language.compiler.shared_files import Shared
from engine.language.lint.linter import lint as run_rules
from engine.language.lint.linter import set_aside
from engine.language.source.loader import Source, read_source
from engine.language.source.schema import check_shape
from engine.model import Procedure

_OF_NAMES: Final = frozenset(
    {"N301", "N304", "N305", "N306", "N307", "N308"}
)  # problems of references to unknown names
_KEBAB: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of one check: the procedure unless a problem forbids publication, and all problems.

    `built`: the procedure if the text can be compiled, even when a rule forbids its publication.
    """

    procedure: Procedure | None
    report: Report
    built: Procedure | None = None

    def with_kept(self, fingerprints: Container[str]) -> Checked:
        """Return the result for a folder where the texts of these fingerprints are already published."""
        if self.built is None or self.built.fingerprint not in fingerprints:
            return self
        report = self.report.in_kept_text()
        return Checked(None if report.errors else self.built, report, self.built)


def check_definition(
    text: bytes | str,
    file: str,
    shared: Shared,
    *,
    lint: bool = True,
    day: date | None = None,
    served: bool = False,
    sound: bool = False,
) -> Checked:
    """Return all problems of a definition: its text, its shape, its names, then the rules of the linter.

    `day` decides whether an `accept` is still valid. Without a day it is. `served`: the file belongs to a folder of
    procedures, so it must be named after its procedure. `sound`: its shape is known to be valid with these shared
    files.
    """
    try:
        source = read_source(text, file)
    except InvalidDefinition as invalid:
        return Checked(None, invalid.report)
    placed, splicing = combine(source, shared.blocks, shared.presets)
    shape = [] if sound else check_shape(source)
    if not sound and not any(one.facts.get("expected") == "indent" for one in shape):  # else merged as if left out
        shape += check_shape(placed, partial=lacks_preset(splicing))
    shape = [*source.advice, *shape]
    procedure, built = build_spliced(placed, splicing, shared)
    built = _less_what_is_unread(source, shape, built)
    shape, built = _names_refused(shape, built)
    found = [*shape, *_not_said_yet(built, shape), *_misnamed(source, served)]
    if procedure is None or any(one.is_error for one in found):
        return Checked(None, Report.of(found), procedure)
    if lint:
        found = set_aside(procedure, [*found, *run_rules(procedure, shared.directory)], day)
    report = Report.of(found)
    return Checked(None if report.errors else procedure, report, procedure)


def _not_said_yet(built: Iterable[Problem], shape: Iterable[Problem]) -> Iterator[Problem]:
    """The problems that do not result from a wrong shape at the same place."""
    reported = {(one.where.file, one.where.line, one.where.column) for one in shape if one.is_error}
    return (one for one in built if (one.where.file, one.where.line, one.where.column) not in reported)


def _less_what_is_unread(source: Source, shape: Iterable[Problem], built: Iterable[Problem]) -> list[Problem]:
    """The problems without missing names that a misspelt section (`apointments`) declares."""
    moved = {name for one in shape for name in _tuple(one.facts.get("inside")) if one.facts.get("expected") == "indent"}
    built = [one for one in built if one.code not in {*_OF_NAMES, "S202"} or one.facts.get("name") not in moved]
    unread = [one for one in shape if one.code == "S201" and one.facts["near"]]
    meant = {near for one in unread for near in (one.facts["near"] if isinstance(one.facts["near"], tuple) else ())}
    if any(isinstance(source.at((str(one.facts["name"]),)), dict) for one in unread):
        return [one for one in built if one.code not in _OF_NAMES and one.facts.get("name") not in meant]
    return [one for one in built if one.code != "S202" or one.facts.get("name") not in meant]


def _tuple(fact: Fact | None) -> tuple[str, ...]:
    return fact if isinstance(fact, tuple) else ()


def _names_refused(shape: list[Problem], built: Iterable[Problem]) -> tuple[list[Problem], list[Problem]]:
    """`Bureau:` is refused as a name, and `office: bureau` elsewhere shows what was meant.

    Only the first is reported, with the fact `sought`.
    """
    refused = {one.facts.get("put"): str(one.facts.get("value")) for one in shape if one.facts.get("expected") == "id"}
    found = list(built)
    lost = [one for one in found if one.code.startswith("N30") and one.facts.get("name") in refused]
    sought = {one.facts["name"] for one in lost}
    reported = [
        problem(one.code, one.where, **one.facts, sought=True) if one.facts.get("put") in sought else one
        for one in shape
    ]
    return reported, [one for one in found if one not in lost]


def is_address(name: str) -> bool:
    """Return whether a procedure may have this id: its file, its key in the catalogue, its address."""
    return bool(_KEBAB.fullmatch(name)) and len(name) <= 64


def _misnamed(source: Source, served: bool) -> Iterator[Problem]:
    """A file must be named after its procedure.

    A name that no procedure can have is accepted, unless the file is served: a copy (`permis (copie).yaml`) may not
    replace the original.
    """
    written, promised = source.at(("procedure",)), PurePath(source.file).stem
    if not isinstance(written, str) or written == promised:
        return
    where = source.position(("procedure",))
    if _KEBAB.fullmatch(promised):
        yield problem("N309", where, name=written, file=promised, near=(promised,), put=promised)
    elif served:
        yield problem("N309", where, name=written, file=promised)
