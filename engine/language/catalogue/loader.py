"""The procedure loader: it loads unloaded procedures on demand, and caches the last ones.

An unloaded procedure is known by its summary. It is loaded from its file while that is unchanged, else from the
stored text of the edition. A result with another fingerprint is refused, and the edition counts as missing.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import BinaryIO, Final, Protocol, TypeAlias, TypeVar

from engine.core.problems import InvalidDefinition
from engine.language.catalogue.check import check_definition
from engine.language.compiler.compile import build_from_expanded
from engine.language.compiler.shared_files import Shared
from engine.language.source.loader import Source, read_source
from engine.model import Procedure
from engine.model.directory import Directory
from engine.model.summary import EditionSummary, read_summary, summarize, write_summary

MOST_OPEN: Final = 128  # procedures of some 300 KB
FINGERPRINT: Final = 7  # its cell in a row of an index; the last cell is the summary
_LENGTH: Final = 24  # bits of a place

K = TypeVar("K")


class StoredEdition(Protocol):
    """The stored form of an edition: the text of its file, its canonical form."""

    @property
    def procedure(self) -> str:
        """The id of the procedure."""
        ...

    @property
    def edition(self) -> int:
        """The edition number."""
        ...

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the edition."""
        ...

    @property
    def source(self) -> str:
        """The text of the file, for the positions of problems."""
        ...

    @property
    def expanded(self) -> str:
        """The canonical form, from which the procedure is compiled."""
        ...


KeptOf: TypeAlias = Callable[[str, str], StoredEdition | None]  # by procedure and fingerprint


class EditionMissing(LookupError):
    """An edition does not exist, or cannot be read any more."""


def place_of(begins: int, length: int) -> int:
    """Return the offset and length of a row in its file, as one number."""
    return begins << _LENGTH | length


@dataclass(frozen=True, slots=True, eq=False)
class IndexRows:
    """The rows of an index, in its open file. A file that replaces it later changes nothing here."""

    file: BinaryIO

    def summary(self, place: int, fingerprint: str) -> str:
        """Return the summary line in the row of that edition. Raises `EditionMissing`."""
        try:
            row = os.pread(self.file.fileno(), place & (1 << _LENGTH) - 1, place >> _LENGTH).decode().split("\t")
        except (OSError, ValueError):
            row = []
        if row[FINGERPRINT : FINGERPRINT + 1] != [fingerprint]:
            raise EditionMissing(fingerprint[:12])
        return row[-1]


@dataclass(frozen=True, slots=True, eq=False)
class UnloadedProcedure:
    """One edition that was read once. `kept`: its summary line, or the place of its row in `rows`.

    `file` and `digest`: the file it was read from and its digest, empty for a past edition.
    """

    id: str
    edition: int
    fingerprint: str
    from_: date | None
    until: date | None
    kept: str | int
    file: str = ""
    digest: bytes = b""
    rows: IndexRows | None = None

    @property
    def line(self) -> str:
        """The summary line. Raises EditionMissing."""
        if isinstance(self.kept, str) or self.rows is None:
            return str(self.kept)
        return self.rows.summary(self.kept, self.fingerprint)

    @property
    def summary(self) -> EditionSummary:
        """The edition summary. Raises EditionMissing."""
        return read_summary(self.line, self.id, self.edition, self.fingerprint, self.from_, self.until)


Entry: TypeAlias = Procedure | UnloadedProcedure


def closed(procedure: Procedure, file: str = "", digest: bytes = b"") -> UnloadedProcedure:
    """Return the unloaded form of a procedure, with its summary line in memory."""
    first, last = procedure.identity.from_, procedure.identity.until
    return UnloadedProcedure(
        procedure.id,
        procedure.edition,
        procedure.fingerprint,
        first,
        last,
        write_summary(summarize(procedure)),
        file,
        digest,
    )


def in_force(entry: Entry, day: date) -> bool:
    """Return whether a day is between the first and last day of an edition, both included."""
    days = entry.identity if isinstance(entry, Procedure) else entry
    return (days.from_ is None or days.from_ <= day) and (days.until is None or day <= days.until)


def summary_in(entry: Entry) -> EditionSummary:
    """Return the summary of an entry. Raises `EditionMissing` when it is unloaded and cannot be read."""
    return summarize(entry) if isinstance(entry, Procedure) else entry.summary


class LoadedProcedures:
    """A thread-safe cache of the procedures used last, at most `most`."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._definitions: OrderedDict[tuple[str, bytes], Procedure] = OrderedDict()
        self._most, self._lock = most, Lock()

    def get(self, key: tuple[str, bytes]) -> Procedure | None:
        """Return the procedure of a key and mark it as used last. None when it is not cached."""
        with self._lock:
            if key in self._definitions:
                self._definitions.move_to_end(key)
            return self._definitions.get(key)

    def put(self, key: tuple[str, bytes], procedure: Procedure) -> Procedure:
        """Cache a procedure and return it. Those used longest ago are dropped."""
        with self._lock:
            self._definitions[key] = procedure
            while len(self._definitions) > self._most:
                self._definitions.popitem(last=False)
        return procedure


class ProcedureLoader:
    """Loads unloaded procedures. `kept` returns the stored form of a past edition."""

    def __init__(
        self,
        folder: Path,
        shared: Shared,
        kept: KeptOf | None = None,
        opened: LoadedProcedures | None = None,
        sound: bool = True,
    ) -> None:
        """`sound`: all its entries are known to be valid with these shared files."""
        self._folder, self._shared, self._kept, self._sound = folder, shared, kept, sound
        self._opened = opened or LoadedProcedures()

    def asking(self, kept: KeptOf) -> ProcedureLoader:
        """Return a loader with the same cache, which asks `kept` for past editions."""
        return ProcedureLoader(self._folder, self._shared, kept, self._opened, self._sound)

    def over(self, shared: Shared) -> ProcedureLoader:
        """Return a loader with other shared files. It loads and checks all procedures again."""
        return ProcedureLoader(self._folder, shared, self._kept, sound=False)

    def add(self, procedure: Procedure, file: str = "", digest: bytes = b"") -> UnloadedProcedure:
        """Return the unloaded form of a procedure that was just read, and cache the procedure."""
        entry = closed(procedure, file, digest)
        self._opened.put((entry.fingerprint, entry.digest), procedure)
        return entry

    def open(self, entry: Entry, kept: KeptOf | None = None) -> Procedure:
        """Return the procedure of an entry. Raises `EditionMissing`. `kept` replaces the loader's own source."""
        if isinstance(entry, Procedure):
            return entry
        key = (entry.fingerprint, entry.digest)
        return self._opened.get(key) or self._opened.put(key, self._read(entry, kept or self._kept))

    def glimpse(self, entry: Entry) -> Procedure:
        """Return the procedure for one use. It is not cached, so that it replaces none in use."""
        if isinstance(entry, Procedure):
            return entry
        return self._opened.get((entry.fingerprint, entry.digest)) or self._read(entry, self._kept)

    def _read(self, entry: UnloadedProcedure, kept: KeptOf | None) -> Procedure:
        procedure = self._from_file(entry) or self._from_kept(entry, kept)
        if procedure is None:
            raise EditionMissing(f"{entry.id} {entry.fingerprint[:12]}")
        return procedure

    def _from_file(self, entry: UnloadedProcedure) -> Procedure | None:
        if not entry.file:
            return None
        path = self._folder / entry.file
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data).digest() != entry.digest:
            return None
        found = check_definition(data, str(path), self._shared, lint=False, served=True, sound=self._sound)
        procedure = found.built  # already published, so no rule matters
        return procedure if procedure is not None and procedure.fingerprint == entry.fingerprint else None

    def _from_kept(self, entry: UnloadedProcedure, kept: KeptOf | None) -> Procedure | None:
        text = kept(entry.id, entry.fingerprint) if kept is not None else None
        try:
            procedure = rebuilt(text, self._shared.directory) if text is not None else None
        except InvalidDefinition:
            return None
        return procedure if procedure is not None and procedure.fingerprint == entry.fingerprint else None


class LoadableProcedures(Mapping[K, Procedure]):
    """Entries read as procedures. Each is loaded when it is read, none when they are counted or listed."""

    def __init__(self, entries: Mapping[K, Entry], store: ProcedureLoader) -> None:
        self.entries, self._loader = entries, store
        self._named: dict[str, list[Entry]] | None = None

    def named(self, procedure_id: str) -> Sequence[Entry]:
        """Return the entries of one procedure."""
        if self._named is None:
            named: dict[str, list[Entry]] = {}
            for entry in self.entries.values():
                named.setdefault(entry.id, []).append(entry)
            self._named = named
        return self._named.get(procedure_id, ())

    def __getitem__(self, key: K) -> Procedure:
        return self._loader.open(self.entries[key])

    def glimpse(self, key: K) -> Procedure:
        """Return the procedure of a key for one use, without caching it. Raises `KeyError` or `EditionMissing`."""
        return self._loader.glimpse(self.entries[key])

    def __contains__(self, key: object) -> bool:
        return key in self.entries

    def __iter__(self) -> Iterator[K]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def lazy_procedures(entries: Mapping[K, Entry], store: ProcedureLoader | None) -> Mapping[K, Procedure]:
    """Return entries as procedures. Without a loader, unloaded ones are left out."""
    if store is not None:
        return LoadableProcedures(entries, store)
    return MappingProxyType({key: one for key, one in entries.items() if isinstance(one, Procedure)})


def editions_in(procedures: Mapping[tuple[str, str], Procedure], procedure_id: str) -> Iterable[Entry]:
    """Return the editions of one procedure, without loading them."""
    if isinstance(procedures, LoadableProcedures):
        return procedures.named(procedure_id)
    return (one for (name, _), one in procedures.items() if name == procedure_id)


def glimpse(procedures: Mapping[K, Procedure], key: K) -> Procedure:
    """Return a procedure for one use, without caching it, because a list may read thousands."""
    return procedures.glimpse(key) if isinstance(procedures, LoadableProcedures) else procedures[key]


def entries_of(procedures: Mapping[K, Procedure]) -> Mapping[K, Entry]:
    """Return procedures as entries, without loading them."""
    return procedures.entries if isinstance(procedures, LoadableProcedures) else procedures


def rebuilt(kept: StoredEdition, directory: Directory) -> Procedure:
    """Return an edition from its stored form. Raises `InvalidDefinition`."""
    return build_from_expanded(kept.expanded, _readable(kept.source, f"{kept.procedure}.yaml"), directory)


def _readable(text: str, file: str) -> Source:
    """The text of an edition, for its positions. Its tree is not used."""
    try:
        return read_source(text, file)
    except InvalidDefinition:
        return Source(file, text, {})
