"""The bare copy of the followed repository: fetched, never checked out.

The remote repository is not trusted. Only `file`, `https` and `ssh` are allowed, and no submodule is read.
Objects are checked on arrival, and no file may exceed `MOST_BYTES`. A published commit is stored under a
local reference, so a rewritten branch does not lose it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from engine.core.problems import Refusal, Refused, refusal
from engine.publication.git import ask_git, commit_at, distrust_in, follows, lay_out, origin_of, run_git, tree_of
from engine.publication.signed_history import Unsigned, unsigned_since
from engine.records.publications import Origin

FETCH_SECONDS: Final = 120
MOST_BYTES: Final = 256 * 1024 * 1024
SPOKEN: Final = frozenset({"file", "https", "ssh"})
_HEAD: Final = "refs/followed/head"
_BRANCH: Final = re.compile(r"[A-Za-z0-9][\w./-]{0,199}")
_SCP: Final = re.compile(r"[\w.-]+@[\w.-]+:[^-].*")
_LONGEST: Final = 160  # characters of a reason
_PUBLISHED_KEPT: Final = 3  # folders of published commits
_FETCH: Final = (
    "-c", "fetch.fsckObjects=true", "-c", "fetch.recurseSubmodules=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
    "-c", "submodule.recurse=false", "-c", "credential.interactive=false", "-c", "http.lowSpeedLimit=100",
    "-c", "http.lowSpeedTime=20",
)  # fmt: skip
_SSH: Final = "ssh -o BatchMode=yes -o ConnectTimeout=10"


@dataclass(frozen=True, slots=True)
class Followed:
    """What an installation follows: the address of a repository, a branch and its folder of definitions.

    With `signed`, every commit that changes published files needs a good signature.
    """

    address: str
    branch: str = "main"
    folder: str = "procedures"
    signed: bool = False

    @property
    def source(self) -> str:
        """The address without user name and password, safe to show and to store."""
        parts = urlsplit(self.address) if "://" in self.address else None
        if parts is None or parts.username is None:
            return self.address
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def is_local(self) -> bool:
        """True for a repository on this machine, where a fetch costs nothing."""
        return self.address.startswith("file://") or ("://" not in self.address and not _SCP.fullmatch(self.address))


class Mirror:
    """The copy of a repository in the folder `data` of an installation.

    `repository.git` holds the copy, and `definitions` the published commits.
    """

    def __init__(self, data: Path, followed: Followed) -> None:
        self.followed = followed
        self._git = data / "repository.git"
        self._published = data / "definitions"

    def fetch(self) -> str:
        """Fetch the branch and return the commit at its head.

        Raises `Refused`: `git_transport`, `git_no_branch`, `git_unreachable`, `git_distrusted`,
        `git_too_big`, `git_missing`, `git_failed`.
        """
        address = self._address()
        self._open()
        wanted = f"+refs/heads/{self.followed.branch}:{_HEAD}"
        arguments = (
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--",
            address,
            wanted,
        )
        done = run_git(
            ["-C", str(self._git), *arguments],
            seconds=FETCH_SECONDS,
            options=_FETCH,
            most_bytes=MOST_BYTES,
            more=_git_environment(),
        )
        if done.returncode:
            self._sweep()
            raise Refused(_why(done.stderr.decode("utf-8", "replace"), self.followed))
        return commit_at(self._git, _HEAD)

    def reach(self) -> None:
        """Check that the local copy, if any, and the remote branch can be read.

        Nothing is fetched or written. Raises `Refused` as `fetch` does.
        """
        address, branch = self._address(), f"refs/heads/{self.followed.branch}"
        if (self._git / "HEAD").is_file():
            self._asked("-C", str(self._git), "rev-parse", "--git-dir")
        if not self._asked("-C", "/", "ls-remote", "--", address, branch):
            raise Refused(refusal("git_no_branch", name=self.followed.branch, source=self.followed.source))

    def _asked(self, *arguments: str) -> bytes:
        done = run_git(arguments, options=_FETCH, more=_git_environment())
        if done.returncode:
            raise Refused(_why(done.stderr.decode("utf-8", "replace"), self.followed))
        return done.stdout

    def _address(self) -> str:
        address, branch = self.followed.address, self.followed.branch
        scheme = urlsplit(address).scheme if "://" in address else ("ssh" if _SCP.fullmatch(address) else "file")
        if scheme not in SPOKEN or address.startswith("-") or "::" in address.partition("/")[0]:
            raise Refused(refusal("git_transport", name=self.followed.source, allowed=tuple(sorted(SPOKEN))))
        if not _BRANCH.fullmatch(branch) or ".." in branch:
            raise Refused(refusal("git_no_branch", name=branch, source=self.followed.source))
        return address if scheme != "file" or "://" in address else str(Path(address).resolve())

    def _open(self) -> None:
        if (self._git / "HEAD").is_file():
            return
        self._git.mkdir(parents=True, exist_ok=True, mode=0o700)
        if run_git(["init", "--quiet", "--bare", "--template=", str(self._git)]).returncode:
            raise Refused(refusal("git_failed", reason="init"))

    def _sweep(self) -> None:
        """Delete the temporary objects of an interrupted fetch."""
        for left in [*(self._git / "objects" / "pack").glob("tmp_*"), *(self._git / "objects").glob("incoming-*")]:
            with suppress(OSError):
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    # -- commits -------------------------------------------------------------------------------------------------------

    def follows(self, earlier: str, later: str) -> bool:
        """Return True when `earlier` is an ancestor of `later` in the copy."""
        return follows(self._git, earlier, later)

    def same(self, earlier: str, later: str) -> bool:
        """Return True when two commits hold the same definitions."""
        folder = self.followed.folder
        tree = tree_of(self._git, later, folder)
        return bool(tree) and tree == tree_of(self._git, earlier, folder)

    def unsigned(self, earlier: str, later: str) -> Iterator[Unsigned]:
        """Yield the commits after `earlier` that change published files without a good signature."""
        return unsigned_since(self._git, self.followed.folder, earlier, later)

    def has(self, commit: str) -> bool:
        """Return True when the copy contains the commit."""
        return ask_git(self._git, "cat-file", "-e", f"{commit}^{{commit}}") is not None

    def origin(self, commit: str, procedure: str = "", since: str = "") -> Origin:
        """Return the people behind a commit.

        With `procedure`, use the last change of its file after the commit `since`.
        """
        file = f"{self.followed.folder.strip('/')}/{procedure}.yaml".removeprefix("./") if procedure else ""
        since = since if since and self.follows(since, commit) else ""
        return origin_of(self._git, commit, self.followed.source, self.followed.branch, file=file, since=since)

    def keep(self, commit: str) -> None:
        """Store a published commit under a local reference, so that a rewritten branch does not lose it."""
        ask_git(self._git, "update-ref", f"refs/published/{commit}", commit)

    # -- laid out ------------------------------------------------------------------------------------------------------

    def laid_out(self, commit: str) -> Path:
        """Return the folder of a commit's definitions, written on first use. Raises `Refused`.

        The folder is renamed into place, so it is complete or absent.
        """
        folder = self._published / commit
        if folder.is_dir():
            return folder
        self._published.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix=".laying-", dir=self._published) as place:
            made = Path(place) / "made"
            made.mkdir()
            lay_out(self._git, commit, self.followed.folder, made)
            with suppress(OSError):  # another process was faster
                made.rename(folder)
        return folder

    def place(self, file: str) -> str:
        """Return the path in the repository of a file in a folder of `laid_out`. Another file keeps its name."""
        path = Path(file)
        if not path.is_relative_to(self._published):
            return file
        inside = Path(*path.relative_to(self._published).parts[1:]).as_posix()
        return f"{self.followed.folder.strip('/')}/{inside}".removeprefix("./")

    def forget(self, kept: set[str]) -> None:
        """Delete the folders of commits that are not in `kept`. The newest `_PUBLISHED_KEPT` of the others stay."""
        folders = [one for one in self._published.glob("[0-9a-f]*") if one.is_dir() and one.name not in kept]
        for folder in sorted(folders, key=lambda one: one.stat().st_mtime, reverse=True)[_PUBLISHED_KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)


def _git_environment() -> dict[str, str]:
    """Return the environment variables that limit how git contacts the remote."""
    return {"GIT_ALLOW_PROTOCOL": ":".join(sorted(SPOKEN)), "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", _SSH)}


def _why(said: str, followed: Followed) -> Refusal:
    """Return the reason of a failed git command: its first fatal line, without credentials."""
    if (distrusted := distrust_in(said)) is not None:
        return distrusted
    words = [line.removeprefix("fatal: ") for line in said.splitlines() if line.startswith("fatal: ")]
    reason = "".join(sign if sign.isprintable() else " " for sign in (words or ["?"])[0])
    reason = re.sub(r"//[^/@\s]*@", "//", reason)[:_LONGEST]
    if "find remote ref" in reason:
        return refusal("git_no_branch", name=followed.branch, source=followed.source)
    if "File size limit" in said or "signal 25" in said or "index-pack died" in said:
        return refusal("git_too_big", size=MOST_BYTES // 1024)
    return refusal("git_unreachable", name=followed.source, reason=reason)
