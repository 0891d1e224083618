"""Find the commits between two publications that change published files without an allowed signature.

A commit without a merge counts when it changes a published path. A merge counts unless it only joins the
changes of its parents. It only joins when each parent that differs from it changed nothing since it parted
from an equal one. Replaced objects and grafts are ignored (`publication.git.run_git`). Git verifies the
signatures, with the signers that the account allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.core.problems import Refused, refusal
from engine.publication.git import SHARED_FOLDERS, ask_git, ask_signatures, shown, within

GOOD: Final = "G"
_AT_ONCE: Final = 50  # signatures verified by one command
_MOST: Final = 5_000  # commits between two publications
_PATTERN_SIGNS: Final = frozenset("*?[]\\")


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A commit without a good signature.

    `state` is git's signature letter. `file` is the first published path that the commit changes.
    """

    commit: str
    author: str
    state: str
    file: str


@dataclass(slots=True)
class _History:
    root: Path
    folder: str
    known: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def published(self, commit: str) -> Mapping[str, str]:
        """Return what a commit would publish: path → mode and hash."""
        if commit not in self.known:
            inside = f"{self.folder}/" if self.folder else ""
            said = ask_git(self.root, "ls-tree", "-z", "--full-tree", commit, "--", *([inside] if inside else []))
            lines = (line.partition("\t") for line in (said or b"").decode("utf-8", "replace").split("\0") if line)
            self.known[commit] = {
                path: about for about, _, path in lines
                if path.endswith(".yaml") or path.removeprefix(inside) in SHARED_FOLDERS
            }  # fmt: skip
        return self.known[commit]

    def only_joins(self, commit: str, parents: list[str]) -> bool:
        """Return True when a merge adds no change to those of its parents."""
        here = self.published(commit)
        same = [one for one in parents if self.published(one) == here]
        return all(
            any(self._changed_nothing(one, other) for other in same) for one in parents if self.published(one) != here
        ) and bool(same)

    def _changed_nothing(self, parent: str, other: str) -> bool:
        """Return True when a parent is unchanged since it parted from the other one."""
        bases = self._lines("merge-base", "--all", parent, other)
        return len(bases) == 1 and self.published(bases[0]) == self.published(parent)

    def counting(self, before: str, head: str) -> list[str]:
        """Return the commits whose signature matters, merges first, each group newest first.

        Raises `Refused`: `git_too_many`.
        """
        span = [head, *([f"^{before}"] if before else []), "--"]
        plain = self._lines("rev-list", "--full-history", "--no-merges", *span, *self._paths())
        merges = [line.split(" ") for line in self._lines("rev-list", "--merges", "--parents", *span)]
        if len(plain) + len(merges) > _MOST:
            raise Refused(refusal("git_too_many", count=len(plain) + len(merges), maximum=_MOST))
        return [*(one for one, *parents in merges if not self.only_joins(one, parents)), *plain]

    def first_file(self, commit: str) -> str:
        """Return the first published path that a commit changes, safe to show."""
        asked = (
            "diff-tree",
            "--no-commit-id",
            "--root",
            "-m",
            "-r",
            "--name-only",
            "-z",
            "--no-ext-diff",
            "--no-renames",
        )
        said = ask_git(self.root, *asked, commit, "--", *self._paths()) or b""
        return shown(said.partition(b"\0")[0].decode("utf-8", "replace"))

    def _paths(self) -> list[str]:
        """Return the path patterns of everything published, for git.

        A folder whose name contains pattern characters is compared as a whole.
        """
        if _PATTERN_SIGNS & set(self.folder):
            return [f":(top,literal){self.folder}"]
        inside = f"{self.folder}/" if self.folder else ""
        return [f":(top,glob){inside}*.yaml", *(f":(top,literal){inside}{one}" for one in SHARED_FOLDERS)]

    def _lines(self, *arguments: str) -> list[str]:
        said = ask_git(self.root, *arguments)
        if said is None:
            raise Refused(refusal("git_failed", reason=arguments[0]))
        return said.decode("ascii", "replace").split("\n")[:-1]


def unsigned_since(root: Path, folder: str, before: str, head: str) -> Iterator[Unsigned]:
    """Yield each commit from `before` to `head` that changes published files without a good signature.

    An empty `before` means the whole history. Raises `Refused`: `git_too_many`, `git_failed`.
    """
    history = _History(root, within(folder))
    counting = history.counting(before, head)
    for first in range(0, len(counting), _AT_ONCE):
        some = counting[first : first + _AT_ONCE]
        said = ask_signatures(root, "log", "--no-walk=unsorted", "--format=%H%x00%G?%x00%an", *some, "--")
        lines = (said or b"").decode("utf-8", "replace").split("\n")[:-1]
        if len(lines) != len(some):
            raise Refused(refusal("git_failed", reason="log"))
        for line in lines:
            commit, state, author = (*line.split("\0"), "", "")[:3]
            if state != GOOD:
                yield Unsigned(commit, shown(author), state, history.first_file(commit))
