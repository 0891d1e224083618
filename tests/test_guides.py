"""The guides say what works: every block of the cookbook and each step of the tutorial is linted, proven and played."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from engine.language.catalogue.catalogue import Catalogue, check_definition
from engine.language.compiler.shared_files import Shared, load_shared
from engine.language.source.formatter import lay_out, write_tree
from engine.language.source.loader import Tree, read_source
from engine.prover.checks.runner import prove
from engine.simulation.player import play
from renderers.i18n.translations import load_words
from tests.makers import the_shared

ROOT = Path(__file__).resolve().parent.parent
SHARED = the_shared()
TUTORIALS = ("tutorial.fr.md", "tutorial.md")


def blocks(page: str) -> list[tuple[str, str]]:
    """The YAML blocks of a page, each under its title."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    found = []
    for part in re.split(r"^## ", text, flags=re.M):
        title = part.splitlines()[0] if part.splitlines() else ""
        found += [(title, block) for block in re.findall(r"^```yaml\n(.*?)^```", part, re.M | re.S)]
    return found


def merged(mine: Tree, theirs: Tree) -> Tree:
    """The one merge rule of the language."""
    if not isinstance(mine, dict) or not isinstance(theirs, dict):
        return mine
    grown = {key: merged(mine[key], value) if key in mine else value for key, value in theirs.items()}
    grown |= {key: value for key, value in mine.items() if key not in theirs}
    return {key: value for key, value in grown.items() if value is not None}


def works(text: str, file: str, shared: Shared = SHARED) -> None:
    """Lints without a word, proves, and every story plays."""
    checked = check_definition(text, file, shared)
    assert [f"{one.where} {one.code} {dict(one.facts)}" for one in checked.report if one.is_error] == []
    procedure = checked.procedure
    assert procedure is not None
    found = prove(procedure, shared.directory, date(2026, 11, 24))
    assert [f"{one.where} {one.code} {dict(one.facts)}" for one in found] == []
    catalogue = Catalogue.of([procedure], shared)
    for story in procedure.scenarios:
        failure = play(procedure, catalogue, load_words(), story).failure
        assert failure is None, f"{story.id}: {failure.where} {failure.code} {dict(failure.facts)}"


RECIPES = blocks("cookbook.md")


@pytest.mark.parametrize(("title", "block"), RECIPES[1:], ids=[title for title, _ in RECIPES[1:]])
def test_a_recipe_works(title: str, block: str) -> None:
    base = read_source(RECIPES[0][1], "recette.yaml").tree
    works(write_tree(merged(read_source(block, "recette.yaml").tree, base)), "recette.yaml")


@pytest.mark.parametrize("page", ["cookbook.md", *TUTORIALS])
def test_a_block_is_laid_out_as_fmt_would(page: str) -> None:
    for title, block in blocks(page):
        assert lay_out(read_source(block, f"{title}.yaml")) == block


@pytest.mark.parametrize("page", TUTORIALS)
def test_every_step_of_the_tutorial_works(page: str) -> None:
    """Each block is added to those before it; from the first whole file on, every step works."""
    tree: Tree = {}
    steps = blocks(page)
    assert len(steps) >= 6
    for at, (_, block) in enumerate(steps):
        tree = merged(read_source(block, "certificat-residence.yaml").tree, tree)
        assert isinstance(tree, Mapping)
        if "scenarios" in tree:
            works(write_tree(tree), "certificat-residence.yaml")
        else:
            assert at < len(steps) - 1


@pytest.mark.parametrize("page", TUTORIALS)
def test_the_tutorial_works_in_an_empty_repository(page: str, tmp_path: Path) -> None:
    """Its last part, followed to the letter: what it copies, the two files it shows, then the file of the steps."""
    last = (ROOT / "docs" / page).read_text("utf-8").rpartition("\n## ")[2]
    shown = re.findall(r"^```(\w*)\n(.*?)^```$", last, re.M | re.S)
    [copies] = [text for kind, text in shown if kind == "sh"]
    subprocess.run(["sh", "-ec", copies], cwd=tmp_path, env={"GUICHET": str(ROOT), "PATH": "/usr/bin:/bin"}, check=True)
    tree, agencies, offices = [text for kind, text in shown if not kind]
    (tmp_path / "procedures/shared/agencies.yaml").write_text(agencies, "utf-8")
    (tmp_path / "procedures/shared/offices.yaml").write_text(offices, "utf-8")
    file: Tree = {}
    for _, block in blocks(page):
        file = merged(read_source(block, "certificat-residence.yaml").tree, file)
    shared, faults = load_shared(tmp_path / "procedures")
    assert faults == []
    works(write_tree(file), "certificat-residence.yaml", shared)
    assert set(re.findall(r"[a-z]+/[a-z]+\.yaml", tree)) == {
        str(one.relative_to(tmp_path / "procedures")) for one in tmp_path.rglob("*.yaml")
    }


def test_both_tutorials_tell_the_same_file() -> None:
    def keys(page: str) -> list[list[str]]:
        found = []
        for _, block in blocks(page):
            tree = read_source(block, "x.yaml").tree
            found.append(sorted(tree) if isinstance(tree, dict) else [])
        return found

    assert keys(TUTORIALS[0]) == keys(TUTORIALS[1])
