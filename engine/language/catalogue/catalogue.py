"""All procedures of a folder, each in its edition in service, and all problems of their files.

A catalogue is immutable: `refresh` reads what changed on disk and returns a new one. When a file becomes invalid,
the last valid edition stays in service, with a warning shown to people. Past editions are rebuilt from their
canonical form. With an index, procedures are loaded one by one on demand (`engine/language/catalogue/loader.py`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from engine.core.problems import InvalidDefinition, Position, Report, problem
from engine.language.catalogue.cache import key_of
from engine.language.catalogue.check import Checked, check_definition, is_address
from engine.language.catalogue.index import NO_STAMP, Index, IndexedFile, Stamp, stamp_of
from engine.language.catalogue.loader import (
    EditionMissing,
    Entry,
    KeptOf,
    ProcedureLoader,
    StoredEdition,
    UnloadedProcedure,
    editions_in,
    entries_of,
    in_force,
    lazy_procedures,
    rebuilt,
    summary_in,
)
from engine.language.catalogue.parallel import check_many
from engine.language.compiler.shared_files import Shared, load_shared, shared_files
from engine.model import Procedure
from engine.model.directory import Directory
from engine.model.summary import EditionSummary

__all__ = [
    "Catalogue",
    "Checked",
    "EditionMissing",
    "EditionSummary",
    "KeptOf",
    "StoredEdition",
    "check_definition",
    "is_address",
    "load_catalogue",
]


class Head(Protocol):
    """The identity of a stored edition, without its text."""

    @property
    def procedure(self) -> str:
        """The id of the procedure."""
        ...

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the edition."""
        ...


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The procedures of an administration. `procedures` are those in service, by id.

    `warnings` give by id why the file on disk is not in service. `standing` lists, by id, the fingerprints of the
    published editions, the preferred one last. It is empty where publications are not recorded. `calm` are days
    between which no edition enters or leaves service.
    """

    shared: Shared
    procedures: Mapping[str, Procedure]
    folder: Path | None = None
    shared_problems: Report = field(default_factory=Report)
    warnings: Mapping[str, Report] = field(default_factory=lambda: MappingProxyType({}))
    older: Mapping[tuple[str, str], Procedure] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    standing: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    seen: Mapping[str, IndexedFile] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    shared_stamps: Mapping[str, Stamp] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    loader: ProcedureLoader | None = field(default=None, repr=False)
    index: Index | None = field(default=None, repr=False)
    calm: tuple[date, date] | None = None

    @classmethod
    def of(cls, procedures: Iterable[Procedure], shared: Shared) -> Catalogue:
        """Return a catalogue without a folder, for scenarios and tests."""
        return cls(shared, MappingProxyType({one.id: one for one in procedures}))

    @property
    def directory(self) -> Directory:
        """The live directory of the administrations."""
        return self.shared.directory

    @property
    def reports(self) -> Mapping[str, Report]:
        """The problems of each file of the folder, by file name."""
        return MappingProxyType({name: seen.report for name, seen in self.seen.items()})

    # -- without a load of the procedure

    @property
    def written(self) -> tuple[Entry, ...]:
        """The editions that the valid files of the folder hold now. Without a folder, those in service."""
        if self.folder is None:
            in_service = entries_of(self.procedures)
            return tuple(in_service[name] for name in sorted(in_service))
        files = (self.seen[name].entry for name in sorted(self.seen))
        return tuple(one for one in files if one is not None)

    def summary(self, procedure_id: str, fingerprint: str = "") -> EditionSummary | None:
        """Return the summary of a procedure in service, or of one edition. None when it is unknown."""
        newest = entries_of(self.procedures).get(procedure_id)
        entry = self._entry(procedure_id, fingerprint) if fingerprint else newest
        return self._summary(entry) if entry is not None else None

    def summaries(self) -> Iterator[EditionSummary]:
        """Yield the summaries of all procedures in service, in the order of their ids."""
        in_service = entries_of(self.procedures)
        return self._reported(in_service[name] for name in sorted(in_service))

    def older_summaries(self, procedure_id: str | None = None) -> Iterator[EditionSummary]:
        """Yield the summaries of all known past editions, or of those of one procedure."""
        older = entries_of(self.older).values() if procedure_id is None else editions_in(self.older, procedure_id)
        return self._reported(older)

    def fingerprint(self, procedure_id: str) -> str | None:
        """Return the fingerprint of the edition in service, None for an unknown procedure."""
        entry = entries_of(self.procedures).get(procedure_id)
        return entry.fingerprint if entry is not None else None

    # -- loaded procedures

    def all(self) -> tuple[Procedure, ...]:
        """Return the procedures in service, in the order of their ids. It loads them all."""
        return tuple(self.procedures[name] for name in sorted(self.procedures))

    def open(self, entry: Entry, kept: KeptOf | None = None) -> Procedure:
        """Return the procedure of an entry, loaded if needed.

        Raises `EditionMissing`. `kept` replaces the catalogue's own source of past editions.
        """
        if isinstance(entry, Procedure):
            return entry
        if self.loader is None:
            raise EditionMissing(entry.id)
        return self.loader.open(entry, kept)

    def current(self, procedure_id: str, day: date) -> Procedure | None:
        """Return the edition in force on a day, None when there is none.

        Of the published editions, it is the last that has begun and is not over. Without recorded publications, it
        is the one in service, or else the one with the highest number.
        """
        entry = self.current_entry(procedure_id, day)
        return self.open(entry) if entry is not None else None

    def current_summary(self, procedure_id: str, day: date) -> EditionSummary | None:
        """Return the summary of the edition in force on a day, None when there is none."""
        entry = self.current_entry(procedure_id, day)
        return self._summary(entry) if entry is not None else None

    def current_entry(self, procedure_id: str, day: date) -> Entry | None:
        """Return the entry of the edition in force on a day, None when there is none. It reads no summary."""
        if procedure_id in self.standing:
            line = (self._entry(procedure_id, one) for one in reversed(self.standing[procedure_id]))
            return next((one for one in line if one is not None and in_force(one, day)), None)
        newest = entries_of(self.procedures).get(procedure_id)
        if newest is not None and in_force(newest, day):
            return newest
        older = (one for one in editions_in(self.older, procedure_id) if in_force(one, day))
        return max(older, key=lambda one: one.edition, default=None)

    def edition(self, procedure_id: str, fingerprint: str, kept: KeptOf | None = None) -> Procedure | None:
        """Return one edition, None when the catalogue does not hold it.

        `kept` replaces the catalogue's own source of past editions where that is not allowed (inside a unit of
        work).
        """
        entry = self._entry(procedure_id, fingerprint)
        try:
            return self.open(entry, kept) if entry is not None else None
        except EditionMissing:
            return None

    def numbered(self, procedure_id: str, edition: int) -> Procedure | None:
        """Return the edition of that number, None when it is unknown.

        Of several texts, the one in service comes first.
        """
        newest = entries_of(self.procedures).get(procedure_id)
        if newest is not None and newest.edition == edition:
            return self.open(newest)
        found = (one for one in editions_in(self.older, procedure_id) if one.edition == edition)
        entry = next(found, None)
        return self.edition(entry.id, entry.fingerprint) if entry is not None else None

    def _reported(self, entries: Iterable[Entry]) -> Iterator[EditionSummary]:
        """The summaries of entries. An entry that cannot be read is left out until the next refresh."""
        for entry in entries:
            with suppress(EditionMissing):
                yield self._summary(entry)

    def _summary(self, entry: Entry) -> EditionSummary:
        """The stored summary, or one computed from the procedure when it cannot be read."""
        try:
            return summary_in(entry)
        except EditionMissing:
            return summary_in(self.open(entry))

    def _entry(self, procedure_id: str, fingerprint: str) -> Entry | None:
        newest = entries_of(self.procedures).get(procedure_id)
        if newest is not None and newest.fingerprint == fingerprint:
            return newest
        return entries_of(self.older).get((procedure_id, fingerprint))

    def rebuild(self, kept: StoredEdition) -> Procedure:
        """Return an edition from its stored form. Raises `InvalidDefinition`."""
        return rebuilt(kept, self.directory)

    # -- publications

    def with_editions(self, heads: Iterable[Head], kept: KeptOf) -> Catalogue:
        """Return the catalogue with the past editions, whose texts `kept` returns.

        The newest one serves a procedure whose file is invalid. One that cannot be rebuilt is left out.
        """
        older, learned = dict(entries_of(self.older)), []
        for one in heads:
            if (one.procedure, one.fingerprint) in older or self._entry(one.procedure, one.fingerprint) is not None:
                continue
            known = self.index.older.get(one.fingerprint) if self.index is not None else None
            entry = known or self._past(kept(one.procedure, one.fingerprint))
            if entry is not None:
                older[(entry.id, entry.fingerprint)] = entry
            if known is None and isinstance(entry, UnloadedProcedure):
                learned.append(entry)
        if learned and self.index is not None and self.folder is not None:
            self.index.learn(learned)
            self.index.write(self.folder, self.seen)
        newest: dict[str, Entry] = {}
        for entry in older.values() if self.warnings else ():
            if entry.id not in newest or newest[entry.id].edition < entry.edition:
                newest[entry.id] = entry
        broken = self.warnings.keys() - self.procedures.keys()
        rescued = {name: newest[name] for name in broken if name in newest}
        store = self.loader.asking(kept) if self.loader is not None else None
        serving = {**entries_of(self.procedures), **rescued}
        return replace(
            self, older=lazy_procedures(older, store), procedures=lazy_procedures(serving, store), loader=store
        )

    def _past(self, kept: StoredEdition | None) -> Entry | None:
        try:
            procedure = self.rebuild(kept) if kept is not None else None
        except InvalidDefinition:
            return None
        return self.loader.add(procedure) if procedure is not None and self.loader is not None else procedure

    def standing_as(
        self, in_force: Mapping[str, tuple[str, ...]], refused: Mapping[str, Report], day: date
    ) -> Catalogue:
        """Return the catalogue as the publications decided. `refused` files are not in service.

        The edition before each stays in service, with a warning. The past editions must be known (`with_editions`).
        """
        kept = {name: one for name, one in entries_of(self.procedures).items() if name not in refused}
        last = {name: one for name in refused for one in [self._last(name, in_force)] if one is not None}
        return replace(
            self,
            procedures=lazy_procedures({**kept, **last}, self.loader),
            warnings=MappingProxyType({**self.warnings, **refused}),
            standing=MappingProxyType(dict(self._in_own_words(in_force))),
            calm=None,
        ).on(day)

    def _in_own_words(self, in_force: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The same names and fingerprints, as the strings of our entries, so that memory holds each once."""
        for name, line in in_force.items():
            entries = [self._entry(name, one) for one in line]
            own = tuple(entry.fingerprint if entry else one for one, entry in zip(line, entries, strict=True))
            yield next((entry.id for entry in entries if entry and entry.id == name), name), own

    def _last(self, procedure_id: str, in_force: Mapping[str, tuple[str, ...]]) -> Entry | None:
        line = (self._entry(procedure_id, one) for one in reversed(in_force.get(procedure_id, ())))
        return next((one for one in line if one is not None), None)

    def on(self, day: date) -> Catalogue:
        """Return the catalogue of a day, where each edition enters service on its date.

        Itself when nothing changes.
        """
        if not self.standing or (self.calm is not None and self.calm[0] <= day < self.calm[1]):
            return self
        serving = entries_of(self.procedures)
        moved: dict[str, Entry] = {}
        for name, entry in serving.items():
            if name in self.standing:
                now = self.current_entry(name, day) or self._last(name, self.standing)
                if now is not None and now is not entry:
                    moved[name] = now
        left = {(name, serving[name].fingerprint): serving[name] for name in moved}
        return replace(
            self,
            procedures=lazy_procedures({**serving, **moved}, self.loader) if moved else self.procedures,
            older=lazy_procedures({**entries_of(self.older), **left}, self.loader) if moved else self.older,
            calm=(day, min(self._turns(day), default=date.max)),
        )

    def _turns(self, day: date) -> Iterator[date]:
        """The days after this one on which an edition enters or leaves service."""
        for entry in (*entries_of(self.procedures).values(), *entries_of(self.older).values()):
            days = entry.identity if isinstance(entry, Procedure) else entry
            if days.from_ is not None and days.from_ > day:
                yield days.from_
            if days.until is not None and day <= days.until < date.max:
                yield days.until + timedelta(days=1)

    # -- files on disk

    def refresh(self) -> Catalogue:
        """Return the catalogue after a read of what changed on disk. Itself when nothing changed."""
        if self.folder is None:
            return self
        stamps = _stamps(self.folder, shared_files(self.folder))
        anew = stamps != self.shared_stamps
        if not anew and _files(self.folder) == {name: seen.stamp for name, seen in self.seen.items()}:
            return self
        return _read(self.folder, self, anew, self.index)


def load_catalogue(folder: Path, index: Path | None = None) -> Catalogue:
    """Return all procedures of a folder. It raises no error: see `warnings`, `reports` and `shared_problems`.

    With the file of an index, unchanged files are not read again, and procedures are loaded on demand.
    """
    return _read(folder, None, True, Index(index) if index is not None else None)


def _read(folder: Path, before: Catalogue | None, anew: bool, index: Index | None) -> Catalogue:
    """The folder read again. Files unchanged since `before` are reused, unless shared files changed (`anew`)."""
    stamps = _stamps(folder, shared_files(folder))
    if before is None or anew:
        known: Mapping[str, IndexedFile] = index.read(folder) if index is not None else {}
        shared, problems = load_shared(folder, index.sound if index is not None else ())
        if index is not None:
            index.clean = not problems
        faults = Report.of(problems)
        store = ProcedureLoader(folder, shared) if index is not None else None
        if before is not None and before.loader is not None and store is not None:
            store = before.loader.over(shared)
    else:
        known, shared, faults, store = before.seen, before.shared, before.shared_problems, before.loader
    files = _files(folder)
    found = dict(check_many(folder, _new(folder, files, known))) if index is not None else {}
    names = {name: name for name in known}  # one string for each name, not two
    seen = {
        names.get(name, name): _see(folder, name, files[name], shared, found.get(name) or known.get(name), store)
        for name in sorted(files)
    }
    if index is not None and seen != known and index.key == key_of(folder):
        index.write(folder, seen)
    return put_in_service(Catalogue(
        shared,
        MappingProxyType({}),
        folder,
        faults,
        standing=before.standing if before else MappingProxyType({}),
        seen=MappingProxyType(seen),
        shared_stamps=MappingProxyType(stamps),
        loader=store,
        index=index,
    ), before)  # fmt: skip


def put_in_service(read: Catalogue, before: Catalogue | None) -> Catalogue:
    """The catalogue just read, with the earlier edition in service where a file became invalid or disappeared."""
    former = entries_of(before.procedures) if before else {}
    serving: dict[str, Entry] = {}
    warnings: dict[str, Report] = {}
    older = dict(entries_of(before.older)) if before else {}
    for name, one in read.seen.items():
        promised = os.path.splitext(name)[0]
        entry = one.entry or former.get(promised)
        promised = entry.id if entry is not None and entry.id == promised else promised  # one string, not two
        if one.entry is None:
            warnings[promised] = one.report
        if entry is not None:
            serving[promised] = entry
    for name, entry in former.items():
        if name not in serving or serving[name].fingerprint != entry.fingerprint:
            older[(name, entry.fingerprint)] = entry  # its dossiers continue
    return replace(
        read,
        procedures=lazy_procedures(serving, read.loader),
        warnings=MappingProxyType(warnings),
        older=lazy_procedures(older, read.loader),
    )


def _new(folder: Path, files: Mapping[str, Stamp], known: Mapping[str, IndexedFile]) -> dict[str, Stamp]:
    """The files that the index does not know."""
    return {name: stamp for name, stamp in files.items() if name not in known and name.isprintable()}


def _see(
    folder: Path, name: str, stamp: Stamp, shared: Shared, known: IndexedFile | None, store: ProcedureLoader | None
) -> IndexedFile:
    """A file read and checked, or the known result when its stamp or its content did not change."""
    if known is not None and known.stamp == stamp != NO_STAMP:
        return known
    path = folder / name
    try:
        data = path.read_bytes()
    except OSError as error:  # missing or unreadable: the edition in service stays
        lost = problem("Y100", Position(str(path), 1, 1), reason=type(error).__name__)
        return IndexedFile(stamp, b"", None, Report.of([lost]))
    digest = hashlib.sha256(data).digest()
    if known is not None and known.digest == digest:
        return replace(known, stamp=stamp)
    checked = check_definition(data, str(path), shared, served=True)
    procedure = checked.procedure
    return IndexedFile.of(
        stamp, digest, checked, store.add(procedure, name, digest) if store and procedure else procedure
    )


def _files(folder: Path) -> dict[str, Stamp]:
    """The stamps of the definitions of the folder, by file name."""
    try:
        with os.scandir(folder) as found:
            return {one.name: _stamp(one) for one in found if one.name.endswith(".yaml")}
    except OSError:
        return {}


def _stamps(folder: Path, paths: Iterable[Path]) -> dict[str, Stamp]:
    """The stamps by path in the folder, so that a list and a procedure of one name differ."""
    return {str(path.relative_to(folder)): _stamp(path) for path in paths}


def _stamp(path: Path | os.DirEntry[str]) -> Stamp:
    try:
        return stamp_of(path.stat())
    except OSError:
        return NO_STAMP
