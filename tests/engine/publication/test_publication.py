"""A definition read as it was at a reference: from a real repository, without checking anything out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engine.core.problems import Refused
from engine.language.compiler.shared_files import load_shared
from engine.publication.git import at_reference

BLOCK = "block: qui\ntitle: Qui\nfields: {nom: {label: Nom}}\n"


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Ama", "-c", "user.email=ama@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "agence"
    (folder / "procedures" / "blocks").mkdir(parents=True)
    git(folder.parent, "init", "-q", "-b", "main", str(folder))
    (folder / "procedures" / "essai.yaml").write_text("procedure: essai\n", "utf-8")
    (folder / "procedures" / "blocks" / "qui.yaml").write_text(BLOCK, "utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "premier")
    git(folder, "tag", "v1")
    (folder / "procedures" / "essai.yaml").write_text("procedure: essai # après\n", "utf-8")
    (folder / "procedures" / "blocks" / "qui.yaml").write_text(BLOCK.replace("Nom", "Prénom"), "utf-8")
    git(folder, "commit", "-q", "-a", "-m", "second")
    return folder


def test_a_file_and_its_shared_files_as_they_were(repository: Path) -> None:
    file = repository / "procedures" / "essai.yaml"
    with at_reference(file, "v1") as then:
        assert then.text == b"procedure: essai\n"
        assert then.title == "v1:procedures/essai.yaml"
        shared, problems = load_shared(then.folder)
        assert not problems
        block = shared.blocks["qui"]
        assert block.at(("fields", "nom", "label")) == "Nom"
        assert then.place(block.file) == "v1:procedures/blocks/qui.yaml"
        assert then.place("ailleurs.yaml") == "ailleurs.yaml"
        kept = then.folder
    assert not kept.exists()
    assert file.read_text("utf-8") == "procedure: essai # après\n", "the working tree was touched"
    with at_reference(file, "main") as now:
        assert now.text == b"procedure: essai # apr\xc3\xa8s\n"
        assert len(now.commit) >= 40


def refused(file: Path, reference: str) -> str:
    with pytest.raises(Refused) as caught, at_reference(file, reference):
        pass
    return caught.value.reason.code


@pytest.mark.parametrize("reference", ["nowhere", "", "--output=x", "-h", "v1:procedures", "HEAD; id", "\x00"])
def test_what_is_no_reference_is_refused(repository: Path, reference: str) -> None:
    assert refused(repository / "procedures" / "essai.yaml", reference) in ("git_unknown_reference", "git_failed")
    assert not list(repository.rglob("x"))


def test_a_file_that_was_not_there_yet(repository: Path) -> None:
    new = repository / "procedures" / "nouveau.yaml"
    new.write_text("procedure: nouveau\n", "utf-8")
    assert refused(new, "v1") == "git_no_such_file"


def test_a_folder_under_no_git(tmp_path: Path) -> None:
    file = tmp_path / "essai.yaml"
    file.write_text("procedure: essai\n", "utf-8")
    assert refused(file, "main") == "git_no_repository"


def test_no_git_on_the_machine(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert refused(repository / "procedures" / "essai.yaml", "main") == "git_missing"


def test_a_repository_may_not_run_anything(repository: Path) -> None:
    """A filter configured in the repository is not called to read a blob."""
    trap = repository / "called"
    (repository / ".gitattributes").write_text("*.yaml diff=piege filter=piege\n", "utf-8")
    git(repository, "config", "diff.piege.textconv", f"touch {trap};cat")
    git(repository, "config", "filter.piege.smudge", f"touch {trap};cat")
    git(repository, "config", "core.fsmonitor", f"touch {trap}")
    with at_reference(repository / "procedures" / "essai.yaml", "v1") as then:
        assert then.text == b"procedure: essai\n"
    assert not trap.exists()


def test_inside_a_hook_another_repository_is_not_read(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    with at_reference(repository / "procedures" / "essai.yaml", "v1") as then:
        assert then.text == b"procedure: essai\n"
