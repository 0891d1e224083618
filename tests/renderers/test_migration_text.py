"""`guichet migrate` in sentences and in JSON: who comes over, who stays and why, what the command ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from renderers.cli.admin.dossiers import migrate_command
from tests.engine.services.editions import first, publish, renamed
from tests.engine.services.world import World, a_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    publish(made, first())
    for number in range(3):
        made.sent("kiosque", made.applicant(f"+2289011220{number}"))
    publish(made, renamed())
    return made


def run(world: World, *arguments: str) -> Result:
    return CliRunner().invoke(migrate_command(lambda: world.office), ["kiosque", *arguments])


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_what_would_happen_is_said_and_nothing_changes(world: World) -> None:
    said = run(world, "--dry-run")
    assert said.exit_code == 2, said.output
    assert "3 dossiers passeraient de « Examen » (édition 1) à « Examen »." in plain(said.output)
    assert "enseigne devient nom_du_kiosque dans 3 dossiers" in said.output
    assert run(world, "--dry-run").output == said.output


def test_it_is_done_once_confirmed(world: World) -> None:
    assert run(world).exit_code == 1, "nobody is there to answer"
    said = run(world, "--yes", "--limit", "2")
    assert (said.exit_code, "2 dossiers sont passés" in said.output) == (2, True)
    assert run(world, "--yes").exit_code == 0
    last = run(world, "--yes")
    assert "Aucun dossier n’est à faire passer." in last.output
    assert "3 dossiers suivent déjà cette édition." in last.output


def test_who_stays_is_told_with_the_reason(world: World) -> None:
    publish(
        world,
        renamed(
            ("edition: 2\n", "edition: 3\n"), ("      vente:", "      lieu: {label: Où, example: A}\n      vente:")
        ),
    )
    said = run(world, "--dry-run", "--format", "json")
    found = json.loads(said.stdout)
    assert (said.exit_code, found["exit_code"], len(found["staying"])) == (3, 3, 3)
    assert found["staying"][0]["code"] == "answer_missing"
    assert "3 dossiers stay: the answer to lieu is missing" in run(world, "--dry-run", "--lang", "en").output


@pytest.mark.parametrize("arguments", [("--to", "7"), ("--to", "0"), ("--nothing",)])
def test_what_cannot_be_done_ends_with_one(world: World, arguments: tuple[str, ...]) -> None:
    said = run(world, *arguments)
    assert said.exit_code == 1
    assert "Traceback" not in said.output


def test_an_unknown_procedure_is_told(world: World) -> None:
    said = CliRunner().invoke(migrate_command(lambda: world.office), ["ailleurs"])
    assert (said.exit_code, "ailleurs" in said.output) == (1, True)
