"""Which commits between two publications are not signed by an allowed signer, of those that change what is published.

A commit without a merge counts when it changes a published path. A merge counts unless it only joins what its parents did: for
each parent that it differs from, that parent changed nothing since it parted from another one that the merge is the same as.
Replaced objects and grafts are ignored (`publication.run_git`); git's own verification decides, with the account's signers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from engine.core.problems import Refused, refusal
from engine.publication.git import SHARED_FOLDERS, ask_git, shown, within

GOOD: Final = "G"
_AT_ONCE: Final = 50  # signatures verified by one command
_MOST: Final = 5_000  # commits between two publications
_PATTERN_SIGNS: Final = frozenset("*?[]\\")


@dataclass(frozen=True, slots=True)
class Unsigned:
    """`state` is what git says of its signature; `file` the first published path that it changes."""

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
        """What a commit would publish: path → mode and hash."""
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
        here = self.published(commit)
        same = [one for one in parents if self.published(one) == here]
        return all(
            any(self._changed_nothing(one, other) for other in same) for one in parents if self.published(one) != here
        ) and bool(same)

    def _changed_nothing(self, parent: str, other: str) -> bool:
        """Whether a side of a merge is as it was where it parted from the other."""
        bases = self._lines("merge-base", "--all", parent, other)
        return len(bases) == 1 and self.published(bases[0]) == self.published(parent)

    def counting(self, before: str, head: str) -> list[str]:
        """The commits whose signature matters, the newest first."""
        span = [head, *([f"^{before}"] if before else []), "--"]
        plain = self._lines("rev-list", "--full-history", "--no-merges", *span, *self._paths())
        merges = [line.split(" ") for line in self._lines("rev-list", "--merges", "--parents", *span)]
        if len(plain) + len(merges) > _MOST:
            raise Refused(refusal("git_too_many", count=len(plain) + len(merges), maximum=_MOST))
        return [*(one for one, *parents in merges if not self.only_joins(one, parents)), *plain]

    def first_file(self, commit: str) -> str:
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
        """All that is published, for git to compare: a folder named with signs of a pattern is compared whole."""
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
    """Every commit from `before` (none: from the beginning) to `head` that changes what is published without a good signature.
    Raises Refused: `git_too_many`, `git_failed`."""
    history = _History(root, within(folder))
    counting = history.counting(before, head)
    for first in range(0, len(counting), _AT_ONCE):
        some = counting[first : first + _AT_ONCE]
        said = ask_git(root, "log", "--no-walk=unsorted", "--format=%H%x00%G?%x00%an", *some, "--")
        lines = (said or b"").decode("utf-8", "replace").split("\n")[:-1]
        if len(lines) != len(some):
            raise Refused(refusal("git_failed", reason="log"))
        for line in lines:
            commit, state, author = (*line.split("\0"), "", "")[:3]
            if state != GOOD:
                yield Unsigned(commit, shown(author), state, history.first_file(commit))
