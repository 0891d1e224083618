"""The index: the results of the check of a folder, stored between two starts, so that only changed files are read.

It has one row for each file (stamp, digest of the text, problems, summary) and one for each past edition. Summaries
stay in the file, which is only ever replaced whole, and are read on demand. The index is used only when it is
complete and comes from the same checker and the same shared files. A file is not read again only when its stamp is
the same and older than the index. All else is read again, so an index is never required.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path, PurePath
from typing import Any, Final, TypeAlias

from engine.core.problems import Position, Problem, Report, problem
from engine.language.catalogue.cache import key_of, shared_digests
from engine.language.catalogue.check import Checked
from engine.language.catalogue.loader import (
    FINGERPRINT,
    EditionMissing,
    Entry,
    IndexRows,
    UnloadedProcedure,
    closed,
    place_of,
)

Stamp: TypeAlias = int  # two times of change in nanoseconds and a size in bytes, joined

NO_STAMP: Final[Stamp] = 0
_FORMAT: Final = "guichet-index-6"
_TOUCHED: Final = 64  # bits of a stamp
_SIZE: Final = 48
_GRAIN: Final = 2_000_000_000  # nanoseconds in which two changes of a file may look like one
_CLEAN: Final = Report()


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file as it was when last read, with its entry when no problem forbids publication.

    `refused`: the fingerprint of a text that can be compiled although a problem forbids its publication.
    """

    stamp: Stamp
    digest: bytes
    entry: Entry | None
    report: Report
    refused: str = ""

    @classmethod
    def of(cls, stamp: Stamp, digest: bytes, checked: Checked, entry: Entry | None) -> IndexedFile:
        """Return the result of a check that was just made."""
        refused = checked.built.fingerprint if checked.built is not None and checked.procedure is None else ""
        return cls(stamp, digest, entry, checked.report, refused)


@dataclass(slots=True)
class Index:
    """The index of one folder, in its file. `older`: the entries of past editions, by fingerprint.

    `clean`: whether the shared files have no problem. `sound`: the digests of shared files that need no new check
    of shape.
    """

    path: Path
    older: dict[str, UnloadedProcedure] = field(default_factory=dict)
    key: str = ""  # digest of what the rows depend on besides the files
    clean: bool = False
    sound: Collection[str] = ()

    def read(self, folder: Path) -> dict[str, IndexedFile]:
        """Return what is known of the files of a folder, by name. Empty when the index is not valid."""
        shared = shared_digests(folder)
        self.key, self.older, self.sound = key_of(folder, shared), {}, ()
        try:
            rows = IndexRows(self.path.open("rb"))
            limit = os.fstat(rows.file.fileno()).st_mtime_ns - _GRAIN
            whole = rows.file.read()
        except OSError:
            return {}
        begins = whole.find(b"\n") + 1
        digest = hashlib.sha256(memoryview(whole)[begins:]).hexdigest()
        self.clean = whole[:begins] == _head(self.key, digest, True)
        if not self.clean and whole[:begins] != _head(self.key, digest, False):
            return {}
        seen: dict[str, IndexedFile] = {}
        try:
            for place, row in _rows(whole, begins):
                cells = row.decode().split("\t")
                if cells[0]:
                    seen[cells[0]] = _seen(cells, str(folder), limit, rows, place)
                elif len(cells) > 1:
                    self.older[cells[FINGERPRINT]] = _closed(cells, rows, place)
        except (ValueError, IndexError, TypeError):  # not written by this version
            self.older = {}
            return {}
        self.sound = frozenset(shared.values()) if self.clean else ()
        return seen

    def write(self, folder: Path, seen: Mapping[str, IndexedFile]) -> None:
        """Write the file beside and replace the old one. After a write error, all files are read next time."""
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with suppress(OSError, UnicodeEncodeError, EditionMissing):
            lines = [write_line(name, one, folder) for name, one in seen.items() if name.isprintable()]
            lines += [write_line("", IndexedFile(NO_STAMP, b"", one, _CLEAN), folder) for one in self.older.values()]
            body = "\n".join(lines).encode()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(_head(self.key, hashlib.sha256(body).hexdigest(), self.clean) + body)
            beside.replace(self.path)

    def learn(self, editions: Iterable[UnloadedProcedure]) -> None:
        """Add past editions to `older`. The caller writes the index."""
        self.older.update((one.fingerprint, one) for one in editions)


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the modification time, the metadata time (nanoseconds) and the size (bytes) of a file, in one integer."""
    return (status.st_mtime_ns << _TOUCHED | status.st_ctime_ns) << _SIZE | status.st_size


def _touched(stamp: Stamp) -> int:
    return stamp >> _SIZE & (1 << _TOUCHED) - 1


def _head(key: str, digest: str, clean: bool) -> bytes:
    return f"{_FORMAT}\t{key}\t{'clean' if clean else 'faulty'}\t{digest}\n".encode()


def _rows(whole: bytes, begins: int) -> Iterator[tuple[int, bytes]]:
    """Each row with its place."""
    while begins < len(whole):
        ends = whole.find(b"\n", begins)
        row = whole[begins : ends if ends >= 0 else len(whole)]
        yield place_of(begins, len(row)), row
        begins += len(row) + 1


# -- one row -----------------------------------------------------------------------------------------------------------


def write_line(name: str, one: IndexedFile, folder: Path) -> str:
    """Return the row of one file. Raises `EditionMissing` when the summary of its entry cannot be read."""
    found = [_plain(problem_, folder) for problem_ in one.report]
    report = json.dumps(found, separators=(",", ":")) if found else ""
    cells = [name, str(one.stamp), one.digest.hex(), report, one.refused]
    if one.entry is not None and not one.refused:  # a refused text is in service only where it is known as published
        procedure = one.entry if isinstance(one.entry, UnloadedProcedure) else closed(one.entry)
        days = (day.isoformat() if day else "" for day in (procedure.from_, procedure.until))
        cells += [procedure.id, str(procedure.edition), procedure.fingerprint, *days, procedure.line]
    return "\t".join(cells)


def read_line(line: str, folder: Path) -> tuple[str, IndexedFile]:
    """Return the name of a file and its result, from a row that was just written."""
    cells = line.split("\t")
    return cells[0], _seen(cells, str(folder), sys.maxsize)


def _seen(cells: list[str], folder: str, limit: int, rows: IndexRows | None = None, place: int = 0) -> IndexedFile:
    stamp, digest = int(cells[1]), bytes.fromhex(cells[2])
    report = Report(tuple(_problem(one, folder) for one in json.loads(cells[3]))) if cells[3] else _CLEAN
    entry = _closed(cells, rows, place, digest) if len(cells) > FINGERPRINT else None
    return IndexedFile(stamp if _touched(stamp) < limit else NO_STAMP, digest, entry, report, cells[4])


def _closed(cells: list[str], rows: IndexRows | None = None, place: int = 0, digest: bytes = b"") -> UnloadedProcedure:
    """The entry of a row. When the row is in a file, the summary stays there."""
    file, _, _, _, _, name, edition, fingerprint, first, last, line = cells
    kept = line if rows is None else place
    return UnloadedProcedure(name, int(edition), fingerprint, _day(first), _day(last), kept, file, digest, rows)


@cache
def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _plain(one: Problem, folder: Path) -> list[Any]:
    """A problem as JSON. A position in the folder is stored relative to it, because the folder may be renamed."""
    where, file = one.where, PurePath(one.where.file)
    within = file.is_relative_to(folder)
    name = str(file.relative_to(folder)) if within else where.file
    return [one.code, within, name, where.line, where.column, where.width, dict(one.facts)]


def _problem(one: list[Any], folder: str) -> Problem:
    code, within, name, line, column, width, facts = one
    reported = {key: tuple(fact) if isinstance(fact, list) else fact for key, fact in facts.items()}
    return problem(code, Position(str(PurePath(folder, name)) if within else name, line, column, width), **reported)
