"""What was proved clean is not proved again; all that a proof depends on changes its key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.language.catalogue.cache import CheckCache, checker_files, proof_key
from engine.language.catalogue.catalogue import check_definition
from engine.model import Procedure
from renderers.cli import main as console
from tests.makers import the_shared

ROOT = Path(__file__).parents[3]
MINIMAL = ROOT / "tests" / "good" / "minimal.yaml"
DAY = date(2026, 11, 25)
SHARED = the_shared()


def minimal() -> Procedure:
    found = check_definition(MINIMAL.read_bytes(), "minimal.yaml", SHARED).procedure
    assert found is not None
    return found


def test_all_that_a_proof_depends_on_changes_its_key() -> None:
    book, directory = minimal(), SHARED.directory
    fewer = replace(directory, agencies={})
    keys = {
        proof_key(book, directory, DAY),
        proof_key(replace(book, fingerprint="0" * 64), directory, DAY),
        proof_key(book, fewer, DAY),
        proof_key(book, directory, date(2026, 11, 26)),
    }
    assert len(keys) == 4
    assert proof_key(minimal(), directory, DAY) in keys


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', "\x00", "[" * 5000])
def test_a_file_that_is_not_one_of_ours_remembers_nothing(tmp_path: Path, content: str) -> None:
    file = tmp_path / "proved.json"
    file.write_text(content)
    assert not CheckCache.load(file).days


def test_what_is_learnt_is_known_by_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "proved.json"
    CheckCache.load(file).learn({"k": DAY}).save()
    assert CheckCache.load(file).knows("k")
    CheckCache(Path("/proc/nowhere/proved.json")).learn({"k": DAY}).save()  # nothing may be written: nothing happens


def test_a_definition_is_proved_once_and_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def counted(book: Procedure, *_: object) -> list[object]:
        calls.append(book.id)
        return []

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(console, "run_proofs", counted)
    file = tmp_path / "minimal.yaml"
    file.write_bytes(MINIMAL.read_bytes())
    monkeypatch.chdir(ROOT)
    for _ in range(2):
        assert CliRunner().invoke(console.console, ["lint", str(file)]).exit_code == 0
    assert len(calls) == 1
    file.write_text(MINIMAL.read_text("utf-8").replace("title: ", "title: Autre ", 1), "utf-8")
    for command in ("lint", "prove"):
        assert CliRunner().invoke(console.console, [command, str(file)]).exit_code == 0
    assert len(calls) == 2
    assert CliRunner().invoke(console.console, ["prove", "--again", str(file)]).exit_code == 0
    assert len(calls) == 3
    file.write_text(MINIMAL.read_text("utf-8").replace("title: ", "title: Encore ", 1), "utf-8")
    for _ in range(2):
        assert CliRunner().invoke(console.console, ["prove", str(file)]).exit_code == 0
    assert len(calls) == 4


def test_lint_looks_again_only_at_what_was_not_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clean file is known by its text, its name, its shared files and the day; a faulty one is always told again."""
    folder = tmp_path / "procedures"
    for name in ("shared", "blocks", "lists", "presets"):
        shutil.copytree(ROOT / "procedures" / name, folder / name)
    files = {name: folder / f"{name}.yaml" for name in ("essai", "autre")}
    clean = MINIMAL.read_text("utf-8").replace("Votre ", "")  # addressing the applicant is advised against
    good = {name: clean.replace("procedure: minimal", f"procedure: {name}") for name in files}
    for name, file in files.items():
        file.write_text(good[name], "utf-8")
    looked: list[str] = []
    check = console.check_files

    def noted(paths: Iterable[Path]) -> object:
        looked.extend(sorted(path.stem for path in paths))
        return check(paths)

    def lint(*options: str) -> tuple[int, list[str]]:
        looked.clear()
        code = CliRunner().invoke(console.console, ["lint", str(folder), *options]).exit_code
        return code, list(looked)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(console, "check_files", noted)
    monkeypatch.setattr(console, "run_proofs", lambda *_: [])
    both = ["autre", "essai"]
    assert lint() == (0, both)
    assert lint() == (0, [])
    assert lint("--no-proofs") == (0, both)  # less was looked for: another question
    files["essai"].write_text(good["essai"].replace("agency: ", "agency: in"), "utf-8")
    assert lint() == (1, ["essai"])
    assert lint() == (1, ["essai"])
    files["essai"].write_text(good["essai"], "utf-8")
    assert lint() == (0, [])  # as it was when it was found clean
    shared = folder / "shared" / "offices.yaml"
    shared.write_text(shared.read_text("utf-8") + "# une note\n", "utf-8")
    assert lint() == (0, both)
    shared.write_text(shared.read_text("utf-8") + "x: [", "utf-8")
    assert lint() == (1, both)
    assert lint() == (1, both)


def test_lint_of_known_files_loads_no_definition(tmp_path: Path) -> None:
    lint = """
import sys
from renderers.cli.main import console
try:
    console(["lint", "tests/good/for-agents.yaml"])
finally:
    print(sorted({"engine.model", "engine.domain.fields.views", "z3", "flask"} & sys.modules.keys()))
"""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", lint], capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment
        )
        for _ in range(2)
    )
    assert first.returncode == second.returncode == 0
    assert "engine.model" in first.stdout.splitlines()[-1]
    assert second.stdout.splitlines()[-1] == "[]"


def test_each_module_that_a_check_may_load_counts_as_the_checker() -> None:
    loads = """
import importlib, pkgutil, sys
import engine.language, engine.prover
for package in (engine.language, engine.prover):
    for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(one.name)
print("\\n".join(one.__file__ for name, one in sys.modules.items() if name.split(".")[0] == "engine" and one.__file__))
"""
    told = subprocess.run(
        [sys.executable, "-c", loads], check=True, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert set(map(Path, told.stdout.split())) <= set(checker_files())
