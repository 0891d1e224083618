"""A definition while it is being written: what it says now, what is wrong with it, the last version that held.

Looking is cheap (a few stamps), so that it may be done many times a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from engine.core.problems import Position, Problem, Report, problem
from engine.language.catalogue.check import check_definition
from engine.language.catalogue.index import NO_STAMP, Stamp, stamp_of
from engine.language.compiler.shared_files import Shared, load_shared, shared_files
from engine.model import Procedure


@dataclass(frozen=True, slots=True)
class Draft:
    """One reading. `n` counts the readings that differed; `good` is the last procedure without errors, and `sources`
    the text of each file a problem may point at."""

    n: int
    shared: Shared
    good: Procedure | None
    report: Report
    sources: dict[str, str]

    @property
    def is_broken(self) -> bool:
        return bool(self.report.errors)


class WatchedFile:
    """One file and the shared files of `folder`, looked at again and again by several threads."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file, self.folder = file, folder
        self._lock = Lock()
        self._stamp: Stamp = NO_STAMP
        self._stamps: tuple[tuple[str, Stamp], ...] | None = None
        self._faults: list[Problem] = []
        self.draft = Draft(0, Shared(), None, Report(), {})
        self.look()

    def look(self) -> bool:
        """Reads again what changed on disk; whether anything did."""
        with self._lock:
            stamp = _stamp(self.file)
            stamps = tuple((str(path), _stamp(path)) for path in shared_files(self.folder))
            if (stamp, stamps) == (self._stamp, self._stamps):
                return False
            shared = self.draft.shared
            if stamps != self._stamps:
                shared, self._faults = load_shared(self.folder)
            self._stamp, self._stamps = stamp, stamps
            self.draft = self._read(shared)
            return True

    def _read(self, shared: Shared) -> Draft:
        before, name = self.draft, str(self.file)
        try:
            data = self.file.read_bytes()
        except OSError as error:
            lost = problem("Y100", Position(name, 1, 1), reason=type(error).__name__)
            return Draft(before.n + 1, shared, before.good, Report.of([lost]), {})
        checked = check_definition(data, name, shared)
        report = Report.of([*self._faults, *checked.report])
        pointed = {one.where.file for one in report} - {name, ""}
        sources = {name: data.decode("utf-8", "replace"), **{file: _text(Path(file)) for file in pointed}}
        return Draft(before.n + 1, shared, checked.procedure or before.good, report, sources)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _stamp(path: Path) -> Stamp:
    try:
        return stamp_of(path.stat())
    except OSError:
        return NO_STAMP
