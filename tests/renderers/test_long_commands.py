"""Long commands show how far they are: a bar with the time left on a terminal, one line elsewhere."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUICHET = [sys.executable, "-c", "import sys; from renderers.cli.main import console; sys.exit(console())"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two procedures, with their shared files."""
    there = tmp_path / "procedures"
    shutil.copytree(ROOT / "procedures", there)
    for file in there.glob("*.yaml"):
        if file.stem not in ("duplicata-bac", "branchement-eau"):
            file.unlink()
    return there


def run(*arguments: str, folder: Path, stderr: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "TERM": "xterm", "COLUMNS": "80"}
    return subprocess.run(
        [*GUICHET, *arguments, str(folder)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True,
        timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "label"), [(["lint"], "Preuves"), (["prove"], "Preuves"), (["test", "--format", "json"], "Scénarios")]
)
def test_many_files(folder: Path, command: list[str], label: str) -> None:
    piped = run(*command, folder=folder, stderr=subprocess.PIPE)
    assert (piped.returncode, piped.stderr.splitlines()) == (0, [label]), piped.stderr
    shutil.rmtree(folder / "cache", ignore_errors=True)
    screen, terminal = pty.openpty()
    try:
        shown = run(*command, folder=folder, stderr=terminal)
        os.close(terminal)
        said = os.read(screen, 65536).decode()
    finally:
        os.close(screen)
    assert (shown.returncode, shown.stdout) == (0, piped.stdout), "the result is the same"
    assert f"{label}  [" in said
    assert "1/2" in said
    assert "2/2" in said
    assert "0/2" in said


@pytest.mark.slow
def test_one_file_shows_nothing(folder: Path) -> None:
    (folder / "duplicata-bac.yaml").unlink()
    assert run("lint", folder=folder, stderr=subprocess.PIPE).stderr == ""
