"""The only door to git: a definition as it was at a reference, and the definitions of a commit laid out to be read.

Everything is asked of the `git` command by the hash of a commit, with no hook, filter, pager nor signing program that a
repository could configure; what comes back is bytes, of plain files only. Nothing is ever checked out.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from engine.core.problems import Refusal, Refused, refusal
from engine.records.publications import Origin

SECONDS: Final = 20
MOST_FILES: Final = 2_000
MOST_BYTES: Final = 16 * 1024 * 1024  # of all the definitions of a commit
SHARED_FOLDERS: Final = ("blocks", "lists", "presets", "shared")
_ALONE: Final = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=", "-c", "core.quotePath=false", "-c", "log.showSignature=false",
    "-c", "log.mailmap=false", "-c", "i18n.logOutputEncoding=UTF-8", "-c", "gpg.program=gpg", "-c", "gpg.openpgp.program=gpg",
    "-c", "gpg.x509.program=gpgsm", "-c", "gpg.ssh.program=ssh-keygen", "--no-pager",
)  # fmt: skip
_DISTRUST: Final = re.compile(r"dubious ownership in repository at '([^'\n]*)'")
_HASH: Final = frozenset("0123456789abcdef")
_PLAIN: Final = ("100644", "100755", "100664")
_REPORTED: Final = (
    "%H",
    "%P",
    "%an",
    "%aI",
    "%cn",
    "%G?",
    "%GS",
    "%s",
    "%(trailers:key=Reviewed-by,valueonly,separator=%x1f)",
)
_ON_BEHALF: Final = frozenset({"GitHub", "GitLab"})  # a forge commits what somebody merged on its pages
_LONGEST: Final = 200  # signs of a name or a subject


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
    `git_no_repository`, `git_unknown_reference`, `git_no_such_file`, `git_link`, `git_too_big`, `git_failed`."""
    root = root_of(file)
    commit = commit_at(root, reference)
    name = file.resolve().relative_to(root).as_posix()
    text = text_at(root, commit, name)
    if text is None:
        raise Refused(refusal("git_no_such_file", name=name, reference=reference))
    beside = PurePosixPath(name).parent
    with tempfile.TemporaryDirectory(prefix="guichet-") as place:
        folder = Path(place).resolve()
        _write(
            root, _blobs_of(root, commit, [str(beside / one) for one in SHARED_FOLDERS], recursive=True), beside, folder
        )
        yield Revision(commit, reference, name, text, folder)


# -- references --------------------------------------------------------------------------------------------------------


def root_of(file: Path) -> Path:
    """The top of the repository that a file or a folder stands in. Raises Refused: `git_no_repository`, `git_distrusted`."""
    near = file.resolve()
    done = run_git(["-C", str(near if near.is_dir() else near.parent), "rev-parse", "--show-toplevel"])
    if done.returncode:
        raise Refused(distrust_in(os.fsdecode(done.stderr)) or refusal("git_no_repository", name=str(file)))
    return Path(os.fsdecode(done.stdout).rstrip("\n")).resolve()


def distrust_in(said: str) -> Refusal | None:
    """Why git opens no repository of another account, when that is what it said: `git_distrusted`, with the folder."""
    found = _DISTRUST.search(said)
    return refusal("git_distrusted", name=shown(found[1])) if found else None


def commit_at(root: Path, reference: str) -> str:
    """The hash of what is asked for. A reference that could be an option of git is none."""
    asked = f"{reference}^{{commit}}"
    found = (
        None
        if reference.startswith("-")
        else ask_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", asked)
    )
    commit = (found or b"").decode("ascii", "replace").strip()
    if not commit or not set(commit) <= _HASH:
        raise Refused(refusal("git_unknown_reference", reference=reference))
    return commit


def text_at(root: Path, commit: str, name: str) -> bytes | None:
    """A file as it was at a commit; None when it was not there."""
    return ask_git(root, "show", "--no-textconv", "--no-ext-diff", f"{commit}:{name}")


def follows(root: Path, earlier: str, later: str) -> bool:
    """Whether a commit is still in the past of another: nobody rewrote what was published."""
    return ask_git(root, "merge-base", "--is-ancestor", earlier, later) is not None


def tree_of(root: Path, commit: str, folder: str) -> str:
    """What a folder holds at a commit, as one hash; empty when it is not there."""
    found = ask_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{within(folder)}")
    return (found or b"").decode("ascii", "replace").strip()


def origin_of(root: Path, commit: str, source: str, branch: str = "", *, file: str = "", since: str = "") -> Origin:
    """The people behind a commit; with `file`, behind the last commit that touched it `since` another, if any did."""
    if file:
        span = [f"{since}..{commit}"] if since else [commit]
        found = ask_git(root, "log", "-1", "--format=%H", *span, "--", f":(literal){file}")
        commit = (found or b"").decode("ascii", "replace").strip() or commit
    said = ask_git(root, "log", "-1", f"--format={'%x00'.join(_REPORTED)}", commit, "--") or b""
    parts = [shown(one) for one in said.decode("utf-8", "replace").rstrip("\n").split("\0")]
    if len(parts) != len(_REPORTED):
        raise Refused(refusal("git_unknown_reference", reference=commit[:12]))
    full, parents, author, at, committer, signature, signer, subject, trailers = parts
    reviewers = [_name(one) for one in trailers.split("\x1f") if _name(one)]
    if " " in parents:  # a merge: who merged has read over what another wrote
        reviewers.append(author if committer in _ON_BEHALF else committer)
        author = _author(root, parents.split(" ")[1]) or author
    return Origin(
        source, branch, full, subject, author, _instant(at), tuple(dict.fromkeys(one for one in reviewers if one != author)),
        signature, signer,
    )  # fmt: skip


def _author(root: Path, commit: str) -> str:
    return shown((ask_git(root, "log", "-1", "--format=%an", commit, "--") or b"").decode("utf-8", "replace").strip())


def shown(text: str) -> str:
    """A text of a commit as it may be shown: one line, no sign that moves a cursor, cut when it is long."""
    kept = "".join(sign if sign.isprintable() or sign == "\x1f" else " " for sign in text)
    return kept.strip(" ")[:_LONGEST]


def _name(text: str) -> str:
    """`Kodjo Agbeko <k.agbeko@example.org>` is shown without the address."""
    return text.partition("<")[0].strip()


def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


# -- the definitions of a commit ---------------------------------------------------------------------------------------


class _Blob(NamedTuple):
    path: str
    name: str  # its hash
    size: int


def lay_out(root: Path, commit: str, folder: str, into: Path) -> None:
    """Writes the definitions of a commit and their shared files into an empty folder. Raises Refused, having written
    nothing: `git_no_definitions`, `git_link`, `git_too_big`, `git_failed`."""
    inside = PurePosixPath(within(folder) or ".")
    blobs = _blobs_of(root, commit, [f"{inside}/"] if str(inside) != "." else [], recursive=False)
    if not blobs:
        raise Refused(refusal("git_no_definitions", name=folder, reference=commit[:12]))
    shared = _blobs_of(root, commit, [str(inside / one) for one in SHARED_FOLDERS], recursive=True)
    _write(root, [*blobs, *shared], inside, into)


def within(folder: str) -> str:
    """A folder of a repository as git names it: no way up, no way out."""
    path = PurePosixPath(folder.strip("/"))
    if ".." in path.parts:
        raise Refused(refusal("git_no_definitions", name=folder, reference=""))
    return "" if str(path) == "." else str(path)


def _blobs_of(root: Path, commit: str, paths: Sequence[str], *, recursive: bool) -> list[_Blob]:
    """The YAML files of some folders at a commit. A link or a module in their place is refused: it would lead elsewhere."""
    asked = ("ls-tree", "-l", "-z", "--full-tree", *(["-r"] if recursive else []), commit, "--", *paths)
    blobs = []
    for line in (ask_git(root, *asked) or b"").decode("utf-8", "replace").split("\0"):
        about, _, path = line.partition("\t")
        mode, kind, name, size = (*about.split(), "", "", "", "")[:4]
        if kind == "tree" or not (path.endswith(".yaml") or (recursive and mode not in ("", *_PLAIN))):
            continue
        if mode not in _PLAIN or ".." in PurePosixPath(path).parts or not path.isprintable():
            raise Refused(refusal("git_link", name=shown(path)))
        blobs.append(_Blob(path, name, int(size) if size.isdecimal() else 0))
    if len(blobs) > MOST_FILES or sum(one.size for one in blobs) > MOST_BYTES:
        raise Refused(refusal("git_too_big", count=len(blobs), size=sum(one.size for one in blobs) // 1024))
    return blobs


def _write(root: Path, blobs: Sequence[_Blob], within: PurePosixPath, into: Path) -> None:
    texts = _texts(root, [one.name for one in blobs])
    for one in blobs:
        there = into / PurePosixPath(one.path).relative_to(within)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(texts[one.name])


def _texts(root: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The content of blobs by their hash, all asked at once."""
    said = ask_git(root, "cat-file", "--batch", given="".join(f"{one}\n" for one in names).encode()) or b""
    found: dict[str, bytes] = {}
    at = 0
    for _ in names:
        head, _, _ = said[at : at + 200].partition(b"\n")
        name, kind, size = (*head.decode("ascii", "replace").split(" "), "", "")[:3]
        if kind != "blob" or not size.isdecimal():
            raise Refused(refusal("git_failed", reason="cat-file"))
        start = at + len(head) + 1
        found[name] = said[start : start + int(size)]
        at = start + int(size) + 1
    return found


# -- the command -------------------------------------------------------------------------------------------------------


def ask_git(folder: Path, *arguments: str, given: bytes | None = None) -> bytes | None:
    """What git answers; None when it says no. Raises Refused when it cannot be asked at all."""
    done = run_git(["-C", str(folder), *arguments], given=given)
    return done.stdout if done.returncode == 0 else None


def run_git(
    arguments: Sequence[str], *, given: bytes | None = None, seconds: float = SECONDS,
    more: Mapping[str, str] | None = None, options: Sequence[str] = (), most_bytes: int = 0,
) -> subprocess.CompletedProcess[bytes]:  # fmt: skip
    """Runs git alone, within a time; with `most_bytes`, writing no file that is larger. Raises Refused: `git_missing`,
    `git_failed`."""
    command: Sequence[str] = ("git", *_ALONE, *options, *arguments)
    surroundings = {**_surroundings(), **(more or {})}
    try:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings,
            start_new_session=True,
        ) as running:  # fmt: skip
            try:
                if most_bytes and hasattr(resource, "prlimit"):
                    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
                out, reported = running.communicate(given or b"", timeout=seconds)
            except BaseException:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(running.pid, signal.SIGKILL)  # ssh, index-pack and all
                raise
        return subprocess.CompletedProcess(command, running.returncode, out, reported)
    except FileNotFoundError as error:
        raise Refused(refusal("git_missing")) from error
    except (OSError, ValueError, subprocess.SubprocessError) as error:  # ValueError: a sign no command may hold
        raise Refused(refusal("git_failed", reason=type(error).__name__)) from error


def _surroundings() -> dict[str, str]:
    """The environment less what would point git elsewhere (a hook sets GIT_DIR); nothing is fetched nor asked, and a commit is what
    its hash says: no object is read in place of another."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **own,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": os.devnull,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
