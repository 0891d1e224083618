"""The only door to git: what a file and the shared files beside it were at a reference. Reads, never checks out.

Everything is asked of the `git` command by the hash of a commit, with no hook, filter nor pager that a repository could
configure; what comes back is bytes. A folder of procedures of the past is laid out in a temporary folder for as long as
it is read.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from engine.problems import Refused, refusal

_SECONDS: Final = 20
_MOST_FILES: Final = 2_000
_SHARED: Final = ("blocks", "lists", "presets", "shared")
_ALONE: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=", "-c", "core.quotePath=false", "--no-pager")
_HASH: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Revision:
    """A definition as it was. `folder` holds its shared files, only while the revision is open."""

    commit: str  # full hash
    reference: str  # as it was asked for
    name: str  # path of the file within the repository
    text: bytes
    folder: Path

    @property
    def title(self) -> str:
        """What places in it are called: `main:procedures/x.yaml`."""
        return f"{self.reference}:{self.name}"

    def place(self, file: str) -> str:
        """The name of a file of the temporary folder, as the repository knows it."""
        path = Path(file)
        if not path.is_relative_to(self.folder):
            return file
        beside = PurePosixPath(self.name).parent / path.relative_to(self.folder).as_posix()
        return f"{self.reference}:{beside}"


@contextmanager
def at_reference(file: Path, reference: str) -> Iterator[Revision]:
    """A definition and its shared files at a branch, a tag or a commit. Raises Refused: `git_missing`,
    `git_no_repository`, `git_unknown_reference`, `git_no_such_file`, `git_failed`."""
    root = _root(file)
    commit = _commit(root, reference)
    name = file.resolve().relative_to(root).as_posix()
    text = _blob(root, commit, name)
    if text is None:
        raise Refused(refusal("git_no_such_file", name=name, reference=reference))
    beside = PurePosixPath(name).parent
    with tempfile.TemporaryDirectory(prefix="guichet-") as place:
        folder = Path(place).resolve()
        for path in _listed(root, commit, beside):
            content = _blob(root, commit, path)
            if content is not None:
                there = folder / PurePosixPath(path).relative_to(beside)
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_bytes(content)
        yield Revision(commit, reference, name, text, folder)


def _root(file: Path) -> Path:
    found = _git(file.resolve().parent, "rev-parse", "--show-toplevel")
    if found is None:
        raise Refused(refusal("git_no_repository", name=str(file)))
    return Path(found.decode().rstrip("\n")).resolve()


def _commit(root: Path, reference: str) -> str:
    """The hash of what is asked for. A reference that could be an option of git is none."""
    asked = f"{reference}^{{commit}}"
    found = (
        None if reference.startswith("-") else _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", asked)
    )
    commit = (found or b"").decode("ascii", "replace").strip()
    if not commit or not set(commit) <= _HASH:
        raise Refused(refusal("git_unknown_reference", reference=reference))
    return commit


def _listed(root: Path, commit: str, folder: PurePosixPath) -> list[str]:
    """The YAML files that procedures of a folder may share: plain files only, no link, no module."""
    inside = [str(folder / name) for name in _SHARED]
    found = _git(root, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *inside) or b""
    paths = []
    for line in found.decode("utf-8", "replace").split("\0"):
        kind, _, path = line.partition("\t")
        if kind.startswith("100") and path.endswith(".yaml") and ".." not in PurePosixPath(path).parts:
            paths.append(path)
    if len(paths) > _MOST_FILES:
        raise Refused(refusal("git_failed", reason=f"{len(paths)} files"))
    return paths


def _blob(root: Path, commit: str, path: str) -> bytes | None:
    return _git(root, "show", "--no-textconv", "--no-ext-diff", f"{commit}:{path}")


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What git answers; None when it says no. Raises Refused when it cannot be asked at all."""
    command: Sequence[str] = ("git", "-C", str(folder), *_ALONE, *arguments)
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL, env=_surroundings()
        )
    except FileNotFoundError as error:
        raise Refused(refusal("git_missing")) from error
    except (OSError, ValueError, subprocess.SubprocessError) as error:  # ValueError: a sign no command may hold
        raise Refused(refusal("git_failed", reason=type(error).__name__)) from error
    return done.stdout if done.returncode == 0 else None


def _surroundings() -> dict[str, str]:
    """The environment less what would point git elsewhere (a hook sets GIT_DIR), and nothing fetched nor asked."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**own, "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
