"""The only module that runs git: read a definition at a reference, write the definitions of a commit to a folder.

Every call of the `git` command names a commit by its hash. No hook, filter, pager or signing program of a
repository's configuration runs. The results are bytes of plain files. Nothing is ever checked out.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from engine.core.child_process import run_child
from engine.core.clock import SystemClock
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
_ON_BEHALF: Final = frozenset({"GitHub", "GitLab"})  # a forge is the committer of a merge made on its pages
_BEFORE: Final = re.compile(r'valid-before="?(\d{8}(?:\d{4}(?:\d\d)?)?)(Z?)', re.ASCII | re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"[\s,]cert-authority[\s,]", re.IGNORECASE)
_LONGEST: Final = 200  # characters of a name or a subject


@dataclass(frozen=True, slots=True)
class Revision:
    """A definition at a commit. `folder` holds its shared files while the context of `at_reference` is open."""

    commit: str  # full hash
    reference: str  # as the caller wrote it
    name: str  # path of the file within the repository
    text: bytes
    folder: Path

    @property
    def title(self) -> str:
        """The name of the file in positions: `main:procedures/x.yaml`."""
        return f"{self.reference}:{self.name}"

    def place(self, file: str) -> str:
        """Return `reference:path` of a file in the temporary folder, with its path in the repository.

        Another file keeps its name.
        """
        path = Path(file)
        if not path.is_relative_to(self.folder):
            return file
        beside = PurePosixPath(self.name).parent / path.relative_to(self.folder).as_posix()
        return f"{self.reference}:{beside}"


@contextmanager
def at_reference(file: Path, reference: str) -> Iterator[Revision]:
    """Yield a definition and its shared files at a branch, a tag or a commit.

    Raises `Refused`: `git_missing`, `git_no_repository`, `git_unknown_reference`, `git_no_such_file`,
    `git_link`, `git_too_big`, `git_failed`.
    """
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
    """Return the top folder of the repository that contains a file or a folder.

    Raises `Refused`: `git_no_repository`, `git_distrusted`.
    """
    near = file.resolve()
    done = run_git(["-C", str(near if near.is_dir() else near.parent), "rev-parse", "--show-toplevel"])
    if done.returncode:
        raise Refused(distrust_in(os.fsdecode(done.stderr)) or refusal("git_no_repository", name=str(file)))
    return Path(os.fsdecode(done.stdout).rstrip("\n")).resolve()


def distrust_in(said: str) -> Refusal | None:
    """Return `git_distrusted` with the folder when git refuses a repository of another account, else None."""
    found = _DISTRUST.search(said)
    return refusal("git_distrusted", name=shown(found[1])) if found else None


def commit_at(root: Path, reference: str) -> str:
    """Return the full hash of a reference. Raises `Refused`: `git_unknown_reference`, also for one that begins with `-`."""
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
    """Return a file at a commit, None when it did not exist."""
    return ask_git(root, "show", "--no-textconv", "--no-ext-diff", f"{commit}:{name}")


def follows(root: Path, earlier: str, later: str) -> bool:
    """Return True when `earlier` is an ancestor of `later`: the published history was not rewritten."""
    return ask_git(root, "merge-base", "--is-ancestor", earlier, later) is not None


def tree_of(root: Path, commit: str, folder: str) -> str:
    """Return the hash of a folder's content at a commit, empty when the folder does not exist."""
    found = ask_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}:{within(folder)}")
    return (found or b"").decode("ascii", "replace").strip()


def origin_of(root: Path, commit: str, source: str, branch: str = "", *, file: str = "", since: str = "") -> Origin:
    """Return the people behind a commit.

    With `file`, use the last commit that changed it after `since`, if there is one.
    """
    if file:
        span = [f"{since}..{commit}"] if since else [commit]
        found = ask_git(root, "log", "-1", "--format=%H", *span, "--", f":(literal){file}")
        commit = (found or b"").decode("ascii", "replace").strip() or commit
    said = ask_signatures(root, "log", "-1", f"--format={'%x00'.join(_REPORTED)}", commit, "--") or b""
    parts = [shown(one) for one in said.decode("utf-8", "replace").rstrip("\n").split("\0")]
    if len(parts) != len(_REPORTED):
        raise Refused(refusal("git_unknown_reference", reference=commit[:12]))
    full, parents, author, at, committer, signature, signer, subject, trailers = parts
    reviewers = [_name(one) for one in trailers.split("\x1f") if _name(one)]
    if " " in parents:  # a merge: the person who merged reviewed another author's work
        reviewers.append(author if committer in _ON_BEHALF else committer)
        author = _author(root, parents.split(" ")[1]) or author
    return Origin(
        source, branch, full, subject, author, _instant(at), tuple(dict.fromkeys(one for one in reviewers if one != author)),
        signature, signer,
    )  # fmt: skip


def _author(root: Path, commit: str) -> str:
    return shown((ask_git(root, "log", "-1", "--format=%an", commit, "--") or b"").decode("utf-8", "replace").strip())


def shown(text: str) -> str:
    """Return a text of a commit on one line, without control characters, cut at `_LONGEST` characters."""
    kept = "".join(sign if sign.isprintable() or sign == "\x1f" else " " for sign in text)
    return kept.strip(" ")[:_LONGEST]


def _name(text: str) -> str:
    """Return the name of `Kodjo Agbeko <k.agbeko@example.org>` without the address."""
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
    """Write the definitions of a commit and their shared files into an empty folder.

    Raises `Refused` before any file is written: `git_no_definitions`, `git_link`, `git_too_big`,
    `git_failed`.
    """
    inside = PurePosixPath(within(folder) or ".")
    blobs = _blobs_of(root, commit, [f"{inside}/"] if str(inside) != "." else [], recursive=False)
    if not blobs:
        raise Refused(refusal("git_no_definitions", name=folder, reference=commit[:12]))
    shared = _blobs_of(root, commit, [str(inside / one) for one in SHARED_FOLDERS], recursive=True)
    _write(root, [*blobs, *shared], inside, into)


def within(folder: str) -> str:
    """Return a folder path as git names it, empty for the root. Raises `Refused` when the path contains `..`."""
    path = PurePosixPath(folder.strip("/"))
    if ".." in path.parts:
        raise Refused(refusal("git_no_definitions", name=folder, reference=""))
    return "" if str(path) == "." else str(path)


def _blobs_of(root: Path, commit: str, paths: Sequence[str], *, recursive: bool) -> list[_Blob]:
    """Return the YAML files of some folders at a commit.

    A link or a submodule in place of a file is refused, because it would point elsewhere.
    """
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
    """Return the content of blobs by their hash, read with one command."""
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
    """Return the output of git, None when it exits with an error. Raises `Refused` when git cannot run."""
    done = run_git(["-C", str(folder), *arguments], given=given)
    return done.stdout if done.returncode == 0 else None


def ask_signatures(folder: Path, *arguments: str) -> bytes | None:
    """Return the output of git as `ask_git`, with the signatures of signers who are still allowed today.

    Git judges an SSH signature by the date that the commit states. A former signer could date one back, with a
    certificate too: so no line of a certificate authority counts.
    """
    said = ask_git(folder, "config", "--path", "--get", "gpg.ssh.allowedSignersFile")
    try:
        lines = (folder / os.fsdecode(said.strip())).read_text("latin-1").split("\n") if said else []  # any byte
    except OSError:
        lines = []
    allowed = [line for line in lines if not _is_over(line)]
    if len(allowed) == len(lines):
        return ask_git(folder, *arguments)
    with tempfile.NamedTemporaryFile("w", prefix="guichet-signers-", encoding="latin-1") as file:
        file.write("\n".join(allowed))
        file.flush()
        options = ("-c", f"gpg.ssh.allowedSignersFile={file.name}")
        done = run_git(["-C", str(folder), *arguments], options=options)
    return done.stdout if done.returncode == 0 else None


def _is_over(line: str) -> bool:
    """Return whether the time of an allowed signer has ended: `valid-before` of its line, local without a Z.

    True of a certificate authority, whose certificates end at times of their own.
    """
    if _AUTHORITY.search(line):
        return True
    found = _BEFORE.search(line)
    if found is None:
        return False
    try:
        end = datetime.strptime(f"{found[1]:0<14}", "%Y%m%d%H%M%S")
    except ValueError:
        return True
    return (end.replace(tzinfo=UTC) if found[2] else end.astimezone()) <= SystemClock().now()


def run_git(
    arguments: Sequence[str], *, given: bytes | None = None, seconds: float = SECONDS,
    more: Mapping[str, str] | None = None, options: Sequence[str] = (), most_bytes: int = 0,
) -> subprocess.CompletedProcess[bytes]:  # fmt: skip
    """Run git in its own session within a time limit in seconds.

    With `most_bytes`, git cannot write a larger file. Raises `Refused`: `git_missing`, `git_failed`.
    """
    command: Sequence[str] = ("git", *_ALONE, *options, *arguments)
    surroundings = {**_surroundings(), **(more or {})}
    try:
        return run_child(command, given=given or b"", seconds=seconds, env=surroundings, most_bytes=most_bytes)
    except FileNotFoundError as error:
        raise Refused(refusal("git_missing")) from error
    except (
        OSError,
        ValueError,
        subprocess.SubprocessError,
    ) as error:  # ValueError: a character that no command line may contain
        raise Refused(refusal("git_failed", reason=type(error).__name__)) from error


def _surroundings() -> dict[str, str]:
    """Return the environment without variables that point git elsewhere, such as the GIT_DIR of a hook.

    Git fetches no missing object, prompts for nothing and ignores replaced objects.
    """
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
