"""The snapshot of an office: everything in use is counted, nobody is in it, the diff reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from engine.language.diff.compare import compare, read_snapshot
from engine.language.diff.population import SCHEMA_PATH
from engine.operations.population import take_snapshot
from renderers.cli.admin.dossiers import snapshot_command
from tests.engine.services.editions import edition, first, publish, renamed
from tests.engine.services.world import World, a_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    publish(made, first())
    for number in range(6):
        goods = "journaux" if number == 0 else "repas"
        made.sent("kiosque", made.applicant(f"+2289011220{number}"), vente=goods)
    return made


def test_what_is_in_use_is_counted(world: World) -> None:
    world.draft("kiosque")
    plain = take_snapshot(world.office)
    Draft202012Validator(json.loads(SCHEMA_PATH.read_text("utf-8"))).validate(plain)
    found = read_snapshot(plain, "kiosque")
    assert (found.dossiers, found.drafts, found.states) == (6, "<5", {"examen": 6})
    assert found.answers["vente.repas"] == 5
    assert found.answers["vente.journaux"] == "<5"
    assert found.answers["vendeurs.nom"] == 5
    text = json.dumps(plain)
    assert not [word for word in ("AMEGAN", "Afi", "+228", "examen 6") if word in text]


def test_those_that_are_over_are_not_counted(world: World) -> None:
    agent = world.agent("urbaniste", "mairie/urbaniste")
    [one] = world.read(lambda unit: unit.dossiers_of(world.applicant("+22890112200").id))
    world.take(world.read(lambda unit: unit.dossier(one.id)), agent, "refuser", reason="Trop près")
    assert read_snapshot(take_snapshot(world.office), "kiosque").dossiers == 5


def test_editions_are_counted_apart(world: World) -> None:
    publish(world, renamed())
    world.sent("kiosque", world.applicant("+22890112209"))
    plain = take_snapshot(world.office)
    assert read_snapshot(plain, "kiosque", 1).states == {"examen": 6}
    assert read_snapshot(plain, "kiosque", 2).states == {"examen": 6, "instruction": "<5"}


def test_the_comparison_says_whom_a_change_touches(world: World) -> None:
    counts = read_snapshot(take_snapshot(world.office), "kiosque", 1)
    after = edition(
        ("      enseigne: {label: Enseigne, example: Chez Afi}\n", ""), ("shows: [enseigne]", "shows: [vente]")
    )
    [gone] = [one for one in compare(first(), after, counts) if one.kind == "removed"]
    assert (gone.code, gone.facts["answered"]) == ("R801", 5)


def test_the_command_writes_a_file(world: World, tmp_path: Path) -> None:
    run, command = CliRunner(), snapshot_command(lambda: world.office)
    printed = run.invoke(command, [])
    assert json.loads(printed.output) == take_snapshot(world.office)
    path = tmp_path / "counts.json"
    said = run.invoke(command, ["--out", str(path)])
    assert (said.exit_code, "6 dossiers en cours" in said.stderr) == (0, True)
    assert json.loads(path.read_text("utf-8")) == take_snapshot(world.office)
    assert run.invoke(command, ["--out", str(tmp_path / "nowhere" / "x.json")]).exit_code == 1
