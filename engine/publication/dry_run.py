"""Dry run of a publication: compare a commit of this repository with another reference.

It needs git and the files and no store. An author runs it before a merge, and continuous integration runs it
for each merge request.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from engine.core.clock import local_day
from engine.core.problems import Refused, Report
from engine.language.catalogue.catalogue import Catalogue, load_catalogue
from engine.language.catalogue.check import check_definition
from engine.language.catalogue.kept_texts import fingerprints_in, with_kept
from engine.language.compiler.shared_files import Shared, load_shared
from engine.model import Procedure
from engine.model.directory import Directory
from engine.publication.gates import CandidateEdition, FileNames, Judge, examine, passes, same_meaning
from engine.publication.git import ask_git, commit_at, follows, lay_out, origin_of, root_of
from engine.records.publications import Gate, Origin

HERE: Final = "HEAD"
_MOST_REFUSED: Final = 12  # commits in a row, after which no earlier one is read

# Why there is nothing to compare with: the branch is missing, this is its first commit, or no commit that was read passes.
Alone: TypeAlias = Literal["", "no_branch", "first_commit", "none_let_in"]


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a dry run.

    `against` is empty when there is nothing to compare with, and `alone` says why. `dirty` means that some
    files of the folder are not committed.
    """

    reference: str
    origin: Origin
    against: str
    against_commit: str
    candidates: tuple[CandidateEdition, ...]
    removed: tuple[str, ...]
    gates: tuple[Gate, ...]
    directory: Directory
    places: FileNames
    day: date
    dirty: bool
    refused: int = 0  # refused commits before this one; the edition in force before them is compared
    alone: Alone = ""
    advice: Report = field(
        default_factory=Report
    )  # errors of texts that the other reference contains, and that the commit does not change

    @property
    def passed(self) -> bool:
        """True when the commit passes every gate."""
        return all(one.passed for one in self.gates)


@contextmanager
def tried(folder: Path, reference: str, against: str, branch: str, judge: Judge, now: datetime) -> Iterator[Trial]:
    """Yield the dry run of `reference`. Raises `Refused` as `engine.publication.git` does.

    `against` names the reference to compare with. Without it, the followed branch is read: `origin/<branch>`,
    then `<branch>`. Its last commit that passes the gates is then the base. Without any base, everything is
    checked as a first publication. The temporary folder behind `places` exists only inside the context.
    """
    root = root_of(folder)
    within = PurePosixPath(folder.resolve().relative_to(root).as_posix())
    commit = commit_at(root, reference)
    with tempfile.TemporaryDirectory(prefix="guichet-") as place:
        top = Path(place).resolve()
        past = _Past(root, within, top, judge, local_day(now))
        after = past.at(commit, must=True)
        named, other, refused = against, commit_at(root, against) if against else "", 0
        alone: Alone = ""
        if not against:
            named, other, alone = _branch(root, reference, commit, branch)
            evaluated, refused = past.let_in(other) if other else (other, 0)
            if refused:
                named, alone = _named_from(root, named, other, evaluated), "" if evaluated else "none_let_in"
                other = evaluated
        before = past.at(other)
        taken = fingerprints_in(before)
        before, after = with_kept(before, taken), with_kept(after, taken)
        found = tuple(_candidates(before, after))
        yield Trial(
            reference, origin_of(root, commit, "", branch), named, other, found,
            tuple(sorted(before.procedures.keys() - after.procedures.keys() - after.warnings.keys())),
            past.gates(before, after), after.directory, past.places, local_day(now),
            reference == HERE and bool(ask_git(root, "status", "--porcelain", "--", f":(literal){within}")), refused, alone,
            Report.of(one for report in after.reports.values() for one in report if one.kept),
        )  # fmt: skip


def _branch(root: Path, reference: str, commit: str, branch: str) -> tuple[str, str, Alone]:
    """Return the name, the commit and the reason for the lack of a base.

    A commit that is already in the branch is compared with its own parent.
    """
    for name in (f"origin/{branch}", branch):
        try:
            found = commit_at(root, name)
        except Refused:
            continue
        if not follows(root, commit, found):
            return name, found, ""
        try:
            return f"{reference}~1", commit_at(root, f"{commit}~1"), ""
        except Refused:
            return "", "", "first_commit"
    return "", "", "no_branch"


def _named_from(root: Path, named: str, commit: str, earlier: str) -> str:
    """Return the name of an ancestor `earlier` as `name~steps`, counted from a commit that has a name."""
    if not earlier:
        return ""
    steps = ask_git(root, "rev-list", "--first-parent", "--count", f"{earlier}..{commit}") or b""
    base, _, before = named.partition("~")
    return f"{base}~{int(before or 0) + int(steps)}"


@dataclass
class _Past:
    """The definitions of earlier commits, each written to disk once, and the gate results of pairs of commits."""

    root: Path
    within: PurePosixPath
    top: Path
    judge: Judge
    day: date
    laid: dict[str, Catalogue] = field(default_factory=dict)
    passed: dict[tuple[str, str], bool] = field(default_factory=dict)
    shared: dict[Path, Shared] = field(default_factory=dict)
    single: dict[Path, Procedure | None] = field(default_factory=dict)

    @property
    def places(self) -> FileNames:
        """The names and texts of files, with repository paths instead of paths of the temporary folder."""
        return FileNames(lambda file: _named(file, self.top, self.within), file_text)

    def at(self, commit: str, *, must: bool = False) -> Catalogue:
        """Return the catalogue of a commit, empty when the folder did not exist. With `must`, raises `Refused` instead."""
        if commit not in self.laid:
            self.laid[commit] = load_catalogue(self._folder(commit, must=must))
        return self.laid[commit]

    def _folder(self, commit: str, *, must: bool = False) -> Path:
        into = self.top / (commit or "nothing")
        if into.exists():
            return into
        into.mkdir()
        if commit:
            try:
                lay_out(self.root, commit, str(self.within), into)
            except Refused as refused:
                if refused.reason.code != "git_no_definitions" or must:
                    raise
        return into

    def gates(self, before: Catalogue, after: Catalogue) -> tuple[Gate, ...]:
        """Return every gate for the change from one catalogue to the other."""
        found = tuple(_candidates(before, after))
        return examine(_with_former(after, found), found, self.judge, self.day, self.places)

    def let_in(self, commit: str) -> tuple[str, int]:
        """Return the last commit up to `commit` that passes the gates, and the number of refused commits after it.

        The commit is empty when none of the `_MOST_REFUSED` commits read passes. Only commits that change the
        definitions count.
        """
        line = self._line(commit)
        at = next((at for at in range(len(line)) if self._stands(line, at)), None)
        if at is None:
            return "", len(line)
        base = at
        for later in range(at - 1, -1, -1):
            if self._passes(line[base], line[later]):
                base = later
        return line[base], base

    def _line(self, commit: str) -> list[str]:
        reported = ask_git(self.root, "rev-list", "--first-parent", f"-n{_MOST_REFUSED}", commit, "--",
                       f":(top,literal){self.within}")  # fmt: skip
        line = (reported or b"").decode("ascii", "replace").split()
        return line if len(line) == _MOST_REFUSED else [*line, ""]  # empty: before the first of all

    def _stands(self, line: list[str], at: int) -> bool:
        """Return True when a commit certainly passed: it follows a commit that passed its own gates.

        A commit that passes after a refused one proves nothing.
        """
        known = not line[-1]  # the line is complete: nothing was in force before its end
        return all(
            self._passes(line[one + 1], line[one]) if one + 1 < len(line) else known for one in (at, at + 1)
        )  # fmt: skip

    def _passes(self, before: str, after: str) -> bool:
        if (before, after) not in self.passed and before and self._renumbers(before, after):
            self.passed[before, after] = False
        if (before, after) not in self.passed:
            former, written = self.at(before), self.at(after)
            found = tuple(_candidates(former, written))
            self.passed[before, after] = passes(_with_former(written, found), found, self.judge, self.day)
        return self.passed[before, after]

    def _renumbers(self, before: str, after: str) -> bool:
        """Return True when a file changed its meaning under the same number.

        This is the cheapest refusal to find, because it reads only the changed files.
        """
        folders = self._folder(before), self._folder(after)
        for file in sorted(folders[1].glob("*.yaml")):
            former = folders[0] / file.name
            if not former.is_file() or former.read_bytes() == file.read_bytes():
                continue
            old, new = self._alone(former), self._alone(file)
            if old is not None and new is not None and old.edition == new.edition and not same_meaning(old, new):
                return True
        return False

    def _alone(self, file: Path) -> Procedure | None:
        """Return one definition without lint, None when it cannot be read."""
        if file.parent not in self.shared:
            self.shared[file.parent] = load_shared(file.parent)[0]
        if file not in self.single:
            self.single[file] = check_definition(
                file.read_bytes(), str(file), self.shared[file.parent], lint=False
            ).built  # fmt: skip
        return self.single[file]


def _candidates(before: Catalogue, after: Catalogue) -> Iterator[CandidateEdition]:
    for procedure in map(after.open, after.written):
        former = before.procedures.get(procedure.id)
        if former is None:
            yield CandidateEdition(procedure, None)
        elif former.fingerprint != procedure.fingerprint:
            yield CandidateEdition(procedure, former, (former,))


def _with_former(after: Catalogue, found: Iterable[CandidateEdition]) -> Catalogue:
    former = (one.before for one in found if one.before is not None)
    return replace(after, older=MappingProxyType({(one.id, one.fingerprint): one for one in former}))


def _named(file: str, top: Path, within: PurePosixPath) -> str:
    path = Path(file)
    if not path.is_relative_to(top):
        return file
    return str(within / Path(*path.relative_to(top).parts[1:]).as_posix())


def file_text(file: str) -> str:
    """Return the text of a file, empty if it cannot be read."""
    try:
        return Path(file).read_text("utf-8", "replace")
    except OSError:
        return ""
