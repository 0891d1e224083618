"""The pages say what the code does: generated references, links, commands, make targets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.core.clock import SystemClock
from engine.integrations.config import read_gateways
from engine.language.compiler.shared_files import load_shared
from renderers.cli import reference_docs as reference
from renderers.cli.main import console

ROOT = Path(__file__).resolve().parent.parent
MADE = "benchmarks/out.json"  # by `make bench`
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_the_generated_references_are_up_to_date() -> None:
    """`make reference` writes them again."""
    for name, text in reference.pages().items():
        assert (reference.FOLDER / name).read_text("utf-8") == text, name


def test_every_key_has_an_example_that_is_checked() -> None:
    """A key that no file of `tests/good`, `tests/good_shared` or `procedures` uses promises what nothing proves.

    The keys that a preset shares with a procedure have their example there.
    """
    keys: dict[str, dict[str, str]] = {}
    for part in reference.keys_page().split("\n## ")[1:]:
        keys[part.partition("\n")[0]] = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", part, re.M))
    missing = [(title, key) for title, rows in keys.items() for key, example in rows.items() if not example.strip()]
    assert len(keys) > 40
    assert [one for one in missing if one[0] != "Preset" or one[1] not in keys["Top of a file"]] == []


def test_the_shared_examples_are_sound() -> None:
    assert not load_shared(ROOT / "tests" / "good_shared")[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), f"{page.name} leads to {target}"


def test_every_command_of_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"^guichet (\w+)", text, re.M))
    assert named
    assert named <= set(console.list_commands(None))  # type: ignore[arg-type]


def test_every_target_of_the_readme_is_made() -> None:
    text, makefile = (ROOT / "README.md").read_text("utf-8"), (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"^make (\w+)", text, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("page", ["security.md", "faults.md"])
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs" / page).read_text("utf-8"))
    assert named
    for file, test in named:
        assert re.search(rf"^ *def {test}\(", (ROOT / file).read_text("utf-8"), re.M), f"{file}::{test}"


def test_every_decision_is_in_the_list() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")
    for page in (ROOT / "docs" / "decisions").glob("0*.md"):
        assert page.name in index, page.name


def test_every_dependency_has_its_reason() -> None:
    declared = (ROOT / "pyproject.toml").read_text("utf-8").split("dependencies = [", 1)[1].split("]", 1)[0]
    reasons = (ROOT / "docs" / "decisions" / "0006-dependencies.md").read_text("utf-8")
    for name in re.findall(r'"([a-z0-9-]+)', declared):
        assert name in reasons, name


def test_the_pages_speak_of_the_project_alone() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        assert not re.search(r"/(work|tmp|root|home)/", text), page.name


def test_every_setting_is_in_the_page_of_who_runs_it() -> None:
    told = (ROOT / "docs" / "operation.md").read_text("utf-8")
    rooms = ("server.py", "engine/operations/settings.py", "renderers/cli/admin/installation.py")
    code = "".join((ROOT / name).read_text("utf-8") for name in rooms)
    names = {f"GUICHET_{name}" for name in re.findall(r'\bread\("([A-Z_]+)"', code)}
    names |= set(re.findall(r'environ(?:\.get\(|\[)"(\w+)"', code))
    assert len(names) > 15
    assert {name for name in names if f"`{name}" not in told} == set()


def test_the_gateways_of_that_page_are_read(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operation.md").read_text("utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", page, re.S)
    file = tmp_path / "gateways.toml"
    file.write_text(re.sub(r"(\w+)_file = ", r"\1 = ", example), "utf-8")
    said = read_gateways(file, SystemClock(), "https://exemple.tg")
    assert (set(said.operators), set(said.senders)) == ({"mixx", "visa"}, {"sms", "email"})
    assert said.scanner is not None


def test_every_path_of_the_contributing_page_exists() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = page.partition("\n## Where to change what\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 20
    for row in rows:
        first, *others = re.findall(r"`([\w.-]+/[\w./-]+|\w+\.py|\w+\.toml)`", " ".join(row[1:]))
        assert (ROOT / first).is_file(), first
        assert [path for path in others if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    named = re.findall(r"`((?:engine|renderers|tests|docs|benchmarks)/[\w./-]+|server\.py)(?:::\w+)?`", text)
    assert [path for path in named if not (ROOT / path).exists() and path != MADE] == []


def test_the_pages_name_persons_by_their_part() -> None:
    """“The applicant”, “the operator”: never “somebody”. The generated pages take their words from the schema."""
    vague = re.compile(r"\b(somebody|nobody|anybody|whoever)\b", re.I)
    found = [
        f"{page.name}: {match.group()}"
        for page in PAGES
        if page.parent.name != "reference" and page.name != "CHANGELOG.md"
        for match in vague.finditer(re.sub(r"`[^`]*`", "", page.read_text("utf-8")))
    ]
    assert found == []
