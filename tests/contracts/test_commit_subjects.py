"""Subjects of commits: `component: change`, at most 72 characters; the component is a package or one of a few folders."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
AFTER = "f8a4c4970ca10b91f47fa63b39950676c4900370"  # the last commit before the rule; earlier subjects are free
MOST_CHARACTERS = 72
OTHERS = frozenset({"docs", "tests", "ci", "benchmarks", "build", "deploy", "layout", "procedures", "server"})
SUBJECT = re.compile(r"(?P<component>[a-z][a-z0-9_/.-]*): (?P<change>\S.*)")


def git(*arguments: str) -> str | None:
    """The output of a git command in this repository, None where it fails or git is missing."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False, timeout=60
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def packages_of(commit: str) -> frozenset[str]:
    """The names of the packages at a commit, alone and with their parents: `workflow`, `domain/workflow`."""
    listed = git("ls-tree", "-r", "-d", "--name-only", commit, "engine", "renderers") or ""
    parts = [PurePosixPath(line).parts for line in listed.splitlines()]
    return frozenset("/".join(one[start:]) for one in parts for start in range(len(one)))


def faults_of(subject: str, components: frozenset[str]) -> list[str]:
    """What is wrong with a subject."""
    match = SUBJECT.fullmatch(subject)
    if match is None:
        return ["is not `component: change`"]
    found = []
    if match["component"] not in components:
        found.append(f"names no package: {match['component']}")
    if len(subject) > MOST_CHARACTERS:
        found.append(f"has {len(subject)} characters, {MOST_CHARACTERS} at most")
    if match["change"].endswith("."):
        found.append("ends with a full stop")
    return found


def commits_to_check() -> list[tuple[str, str]]:
    """The commits after `AFTER` with their subjects; the last one where the history is shallow; none where there is none."""
    top = git("rev-parse", "--show-toplevel")
    if top is None or Path(top.strip()) != ROOT:
        return []
    which = [f"{AFTER}..HEAD"] if git("cat-file", "-e", f"{AFTER}^{{commit}}") is not None else ["-1"]
    listed = git("log", "--no-merges", "--format=%H %s", *which) or ""
    return [(commit, subject) for commit, _, subject in (line.partition(" ") for line in listed.splitlines())]


def test_new_commits_name_their_component() -> None:
    """Each commit is checked against the packages it holds, so that a package may be renamed later."""
    commits = commits_to_check()
    if not commits:
        print("no commit to check: this folder has no git history of its own")
    wrong = [(commit[:8], subject, faults_of(subject, packages_of(commit) | OTHERS)) for commit, subject in commits]
    assert [one for one in wrong if one[2]] == [], "see .gitmessage"


@pytest.mark.parametrize(
    ("subject", "fault"),
    [
        ("workflow: end a clock when its state is left", None),
        ("domain/workflow: end a clock when its state is left", None),
        ("docs: say where to change a setting", None),
        ("Ends a clock", "component: change"),
        ("workflow:end a clock", "component: change"),
        ("shelves: end a clock", "no package"),
        ("workflow: end a clock.", "full stop"),
        ("workflow: " + "e" * 62, None),
        ("workflow: " + "e" * 63, "73 characters"),
    ],
)
def test_each_fault_of_a_subject_is_named(subject: str, fault: str | None) -> None:
    found = faults_of(subject, frozenset({"workflow", "domain/workflow"}) | OTHERS)
    assert (found == []) if fault is None else (fault in " ".join(found))
