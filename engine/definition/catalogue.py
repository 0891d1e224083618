"""All procedures of a folder, each in its edition in service; and everything that is wrong with their files.

A catalogue is a value: `refresh` reads again what changed on disk and gives a new one. A file that broke leaves the last
good edition in service, with a warning that people can see. Older editions come back from their expanded form.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from engine.definition.build import build_from_expanded, build_spliced, lacks_preset
from engine.definition.directory import Directory
from engine.definition.lint import lint as run_rules
from engine.definition.lint import set_aside
from engine.definition.model import Procedure
from engine.definition.shape import check_shape
from engine.definition.shared_files import Shared, load_shared, shared_files
from engine.definition.source import Source, read_source
from engine.definition.splice import splice
from engine.problems import InvalidDefinition, Position, Problem, Report, problem

Stamp: TypeAlias = tuple[int, int]  # time of the last change in nanoseconds, size in bytes


_KEBAB: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Kept(Protocol):
    """What was kept of an edition: the text of its file, its expanded form."""

    @property
    def procedure(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def expanded(self) -> str: ...


# -- one file ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checked:
    """One file once checked: its procedure when nothing forbids publication, and all that was found."""

    procedure: Procedure | None
    report: Report


def check_definition(
    text: bytes | str, file: str, shared: Shared, *, lint: bool = True, day: date | None = None
) -> Checked:
    """Everything that is wrong with a definition: its text, its shape, its names, then the rules of the circuit.

    `day` decides whether what the file accepts still counts; without one it does.
    """
    try:
        source = read_source(text, file)
    except InvalidDefinition as invalid:
        return Checked(None, invalid.report)
    placed, splicing = splice(source, shared.blocks, shared.presets)
    shape = [*source.advice, *check_shape(source), *check_shape(placed, partial=lacks_preset(splicing))]
    procedure, built = build_spliced(placed, splicing, shared)
    found = [*shape, *_not_said_yet(built, shape), *_misnamed(source)]
    if procedure is None or any(one.is_error for one in found):
        return Checked(None, Report.of(found))
    if lint:
        found = set_aside(procedure, [*found, *run_rules(procedure, shared.directory)], day)
    report = Report.of(found)
    return Checked(None if report.errors else procedure, report)


def _not_said_yet(built: Iterable[Problem], shape: Iterable[Problem]) -> Iterator[Problem]:
    """Where the shape is wrong, what follows from it is not told."""
    told = {(one.where.file, one.where.line, one.where.column) for one in shape if one.is_error}
    return (one for one in built if (one.where.file, one.where.line, one.where.column) not in told)


def is_address(name: str) -> bool:
    """Whether a procedure may be named so: its file, its place among the others, its page."""
    return bool(_KEBAB.fullmatch(name)) and len(name) <= 64


def _misnamed(source: Source) -> Iterator[Problem]:
    """A file is named after its procedure, as its address is. A name that no procedure could have promises nothing."""
    written, promised = source.at(("procedure",)), PurePath(source.file).stem
    if isinstance(written, str) and written != promised and _KEBAB.fullmatch(promised):
        yield problem(
            "N309", source.position(("procedure",)), name=written, file=promised, near=(promised,), put=promised
        )


# -- the folder --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was when last read."""

    stamp: Stamp
    digest: str
    checked: Checked


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The book of an administration. `procedures` are those in service, by id; `warnings` say, by id, why the file now
    on disk is not the one in service. `standing`: where it was decided, the fingerprints of the editions that may be in
    force, the one that comes first last."""

    shared: Shared
    procedures: Mapping[str, Procedure]
    folder: Path | None = None
    shared_problems: Report = field(default_factory=Report)
    warnings: Mapping[str, Report] = field(default_factory=lambda: MappingProxyType({}))
    older: Mapping[tuple[str, str], Procedure] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    standing: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    seen: Mapping[str, _Seen] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    shared_stamps: Mapping[str, Stamp] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @classmethod
    def of(cls, procedures: Iterable[Procedure], shared: Shared) -> Catalogue:
        """A catalogue without a folder: for stories and tests."""
        return cls(shared, MappingProxyType({one.id: one for one in procedures}))

    @property
    def directory(self) -> Directory:
        return self.shared.directory

    @property
    def reports(self) -> Mapping[str, Report]:
        """What was found in each file of the folder, by the name of the file."""
        return MappingProxyType({name: seen.checked.report for name, seen in self.seen.items()})

    @property
    def written(self) -> tuple[Procedure, ...]:
        """What the files of the folder say now, broken ones left out; without a folder, what is in service."""
        if self.folder is None:
            return self.all()
        files = (self.seen[name].checked.procedure for name in sorted(self.seen))
        return tuple(one for one in files if one is not None)

    def all(self) -> tuple[Procedure, ...]:
        """The procedures in service, in the order of their ids."""
        return tuple(self.procedures[name] for name in sorted(self.procedures))

    def current(self, procedure_id: str, day: date) -> Procedure | None:
        """The edition in force on a day: of those that stand, the last that has begun and is not over; where nothing was
        decided, the newest such."""
        if procedure_id in self.standing:
            line = (self.edition(procedure_id, one) for one in reversed(self.standing[procedure_id]))
            return next((one for one in line if one is not None and _in_force(one, day)), None)
        newest = self.procedures.get(procedure_id)
        if newest is not None and _in_force(newest, day):
            return newest
        older = [one for (name, _), one in self.older.items() if name == procedure_id and _in_force(one, day)]
        return max(older, key=lambda one: one.edition, default=None)

    def edition(self, procedure_id: str, fingerprint: str) -> Procedure | None:
        """One edition exactly; None when the catalogue does not hold it."""
        newest = self.procedures.get(procedure_id)
        if newest is not None and newest.fingerprint == fingerprint:
            return newest
        return self.older.get((procedure_id, fingerprint))

    def rebuild(self, kept: Kept) -> Procedure:
        """An edition from what was kept of it. Raises InvalidDefinition."""
        source = _readable(kept.source, f"{kept.procedure}.yaml")
        return build_from_expanded(kept.expanded, source, self.directory)

    def with_editions(self, kept: Iterable[Kept]) -> Catalogue:
        """The catalogue with the editions of the past. A procedure whose file is broken is served by its newest one;
        what cannot be rebuilt is left out."""
        older = dict(self.older)
        for one in kept:
            if (one.procedure, one.fingerprint) in older or self.edition(one.procedure, one.fingerprint) is not None:
                continue
            try:
                procedure = self.rebuild(one)
            except InvalidDefinition:
                continue
            older[(procedure.id, procedure.fingerprint)] = procedure
        rescued = {}
        for name in self.warnings.keys() - self.procedures.keys():
            editions = [one for (procedure_id, _), one in older.items() if procedure_id == name]
            if editions:
                rescued[name] = max(editions, key=lambda one: one.edition)
        return replace(
            self,
            older=MappingProxyType(older),
            procedures=MappingProxyType({**self.procedures, **rescued}),
        )

    def standing_as(
        self, standing: Mapping[str, tuple[str, ...]], refused: Mapping[str, Report], day: date
    ) -> Catalogue:
        """The catalogue as it was decided: `refused` files serve nothing, what stood before them does, with a warning.
        Its older editions must be at hand (`with_editions`)."""
        kept = {name: one for name, one in self.procedures.items() if name not in refused}
        last = {name: one for name in refused for one in [self._last(name, standing)] if one is not None}
        return replace(
            self,
            procedures=MappingProxyType({**kept, **last}),
            warnings=MappingProxyType({**self.warnings, **refused}),
            standing=MappingProxyType(dict(standing)),
        ).on(day)

    def _last(self, procedure_id: str, standing: Mapping[str, tuple[str, ...]]) -> Procedure | None:
        line = (self.edition(procedure_id, one) for one in reversed(standing.get(procedure_id, ())))
        return next((one for one in line if one is not None), None)

    def on(self, day: date) -> Catalogue:
        """The catalogue of a day: an edition enters service on its date. Itself when that changes nothing."""
        moved: dict[str, Procedure] = {}
        for name, serving in self.procedures.items():
            if name in self.standing:
                now = self.current(name, day) or self._last(name, self.standing)
                if now is not None and now is not serving:
                    moved[name] = now
        if not moved:
            return self
        left = {(name, self.procedures[name].fingerprint): self.procedures[name] for name in moved}
        return replace(
            self,
            procedures=MappingProxyType({**self.procedures, **moved}),
            older=MappingProxyType({**self.older, **left}),
        )

    def refresh(self) -> Catalogue:
        """The catalogue once what changed on disk is read again; itself when nothing did."""
        if self.folder is None:
            return self
        stamps = _stamps(self.folder, shared_files(self.folder))
        anew = stamps != self.shared_stamps
        files = _stamps(self.folder, sorted(self.folder.glob("*.yaml")))
        if not anew and files == {name: seen.stamp for name, seen in self.seen.items()}:
            return self
        return _read(self.folder, self, anew)


def _in_force(procedure: Procedure, day: date) -> bool:
    first, last = procedure.identity.from_, procedure.identity.until
    return (first is None or first <= day) and (last is None or day <= last)


def load_catalogue(folder: Path) -> Catalogue:
    """Every procedure of a folder. Nothing is raised: see `warnings`, `reports` and `shared_problems`."""
    return _read(folder, None, True)


def _read(folder: Path, before: Catalogue | None, anew: bool) -> Catalogue:
    """The folder read again; what did not change since `before` is kept, unless shared files did (`anew`)."""
    stamps = _stamps(folder, shared_files(folder))
    if before is None or anew:
        shared, problems = load_shared(folder)
        faults = Report.of(problems)
    else:
        shared, faults = before.shared, before.shared_problems
    known = {} if before is None or anew else before.seen
    seen = {path.name: _see(path, shared, known.get(path.name)) for path in sorted(folder.glob("*.yaml"))}
    serving: dict[str, Procedure] = {}
    warnings: dict[str, Report] = {}
    older = dict(before.older) if before else {}
    for name, one in seen.items():
        promised = Path(name).stem
        former = before.procedures.get(promised) if before else None
        procedure = one.checked.procedure or former
        if one.checked.procedure is None:
            warnings[promised] = one.checked.report
        if procedure is not None:
            serving[promised] = procedure
        if former is not None and procedure is not None and former.fingerprint != procedure.fingerprint:
            older[(promised, former.fingerprint)] = former
    for gone, former in before.procedures.items() if before else ():
        if gone not in serving:
            older[(gone, former.fingerprint)] = former  # its dossiers go on
    return Catalogue(
        shared,
        MappingProxyType(serving),
        folder,
        faults,
        MappingProxyType(warnings),
        MappingProxyType(older),
        before.standing if before else MappingProxyType({}),
        seen=MappingProxyType(seen),
        shared_stamps=MappingProxyType(stamps),
    )


def _see(path: Path, shared: Shared, known: _Seen | None) -> _Seen:
    """A file read and checked, or as it is already known when its stamp or its content did not change."""
    stamp = _stamp(path)
    if known is not None and known.stamp == stamp:
        return known
    try:
        data = path.read_bytes()
    except OSError as error:  # it went away, or may not be read: the edition in service stays
        lost = problem("Y100", Position(str(path), 1, 1), reason=type(error).__name__)
        return _Seen(stamp, "", Checked(None, Report.of([lost])))
    digest = hashlib.sha256(data).hexdigest()
    if known is not None and known.digest == digest:
        return replace(known, stamp=stamp)
    return _Seen(stamp, digest, check_definition(data, str(path), shared))


def _readable(text: str, file: str) -> Source:
    """The text of an edition for the places in it; its tree is not used."""
    try:
        return read_source(text, file)
    except InvalidDefinition:
        return Source(file, text, {})


def _stamps(folder: Path, paths: Iterable[Path]) -> dict[str, Stamp]:
    """By path within the folder, so that a list and a procedure of one name differ."""
    return {str(path.relative_to(folder)): _stamp(path) for path in paths}


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)
