"""A publication tried: what would come of a commit of this repository, against what another reference says.

Needs git and the files, no store: an author asks it before a merge, a forge in every merge request.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final

from engine.clock import local_day
from engine.definition.catalogue import Catalogue, load_catalogue
from engine.definition.directory import Directory
from engine.office.gates import Candidate, Judge, Places, examine
from engine.office.publication import ask_git, commit_at, follows, lay_out, origin_of, root_of
from engine.problems import Refused
from engine.records.publications import Gate, Origin

HERE: Final = "HEAD"


@dataclass(frozen=True, slots=True)
class Trial:
    """What would happen. `against` is empty when there is nothing to compare with; `dirty`: files here are not committed."""

    reference: str
    origin: Origin
    against: str
    against_commit: str
    candidates: tuple[Candidate, ...]
    removed: tuple[str, ...]
    gates: tuple[Gate, ...]
    directory: Directory
    places: Places
    day: date
    dirty: bool

    @property
    def passed(self) -> bool:
        return all(one.passed for one in self.gates)


@contextmanager
def tried(folder: Path, reference: str, against: str, branch: str, judge: Judge, now: datetime) -> Iterator[Trial]:
    """`against`: a reference, else the branch that is followed (`origin/<branch>`, then `<branch>`), else nothing. The
    places of the trial mean something only while it is open. Raises Refused, as git's door does."""
    root = root_of(folder)
    within = PurePosixPath(folder.resolve().relative_to(root).as_posix())
    commit = commit_at(root, reference)
    named, other = _other(root, reference, commit, against, branch)
    with tempfile.TemporaryDirectory(prefix="guichet-") as place:
        top = Path(place).resolve()
        after = _laid(root, commit, within, top / "after")
        before = _before(root, other, within, top / "before")
        found = tuple(_candidates(before, after))
        places = Places(lambda file: _named(file, top, within), _text)
        yield Trial(
            reference, origin_of(root, commit, "", branch), named, other, found,
            tuple(sorted(before.procedures.keys() - after.procedures.keys() - after.warnings.keys())),
            examine(_with_former(after, found), found, judge, local_day(now), places), after.directory, places, local_day(now),
            reference == HERE and bool(ask_git(root, "status", "--porcelain", "--", f":(literal){within}")),
        )  # fmt: skip


def _other(root: Path, reference: str, commit: str, against: str, branch: str) -> tuple[str, str]:
    """What is taken for what is in force. What is in that branch already is
    compared with what was before it."""
    if against:
        return against, commit_at(root, against)
    for name in (f"origin/{branch}", branch):
        try:
            found = commit_at(root, name)
        except Refused:
            continue
        if not follows(root, commit, found):
            return name, found
        try:
            return f"{reference}~1", commit_at(root, f"{commit}~1")
        except Refused:
            return "", ""  # the first commit of all
    return "", ""


def _laid(root: Path, commit: str, within: PurePosixPath, into: Path) -> Catalogue:
    into.mkdir()
    lay_out(root, commit, str(within), into)
    return load_catalogue(into)


def _before(root: Path, commit: str, within: PurePosixPath, into: Path) -> Catalogue:
    """What was there; nothing when there was nothing, or nothing that could be read."""
    into.mkdir()
    if commit:
        try:
            lay_out(root, commit, str(within), into)
        except Refused as refused:
            if refused.reason.code != "git_no_definitions":
                raise
    return load_catalogue(into)


def _candidates(before: Catalogue, after: Catalogue) -> Iterator[Candidate]:
    for procedure in map(after.open, after.written):
        former = before.procedures.get(procedure.id)
        if former is None:
            yield Candidate(procedure, None)
        elif former.fingerprint != procedure.fingerprint:
            yield Candidate(procedure, former, (former,))


def _with_former(after: Catalogue, found: Iterable[Candidate]) -> Catalogue:
    former = (one.before for one in found if one.before is not None)
    return replace(after, older=MappingProxyType({(one.id, one.fingerprint): one for one in former}))


def _named(file: str, top: Path, within: PurePosixPath) -> str:
    path = Path(file)
    if not path.is_relative_to(top):
        return file
    return str(within / Path(*path.relative_to(top).parts[1:]).as_posix())


def _text(file: str) -> str:
    try:
        return Path(file).read_text("utf-8", "replace")
    except OSError:
        return ""
