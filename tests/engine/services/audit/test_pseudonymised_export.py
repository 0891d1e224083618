"""The file for controllers: all that was handled stands in it, readable with SQL, and nobody."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.services.audit.pseudonymised_export import write_for_controllers
from renderers.cli.admin.dossiers import masked_command
from tests.engine.services.editions import first, publish
from tests.engine.services.payments.test_refunds import HALL, TWICE_DEBITED, paid
from tests.engine.services.world import World, a_world


def read(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = a_world(tmp_path)
    publish(made, first())
    for number in range(3):
        made.sent("kiosque", made.applicant(f"+2289011220{number % 2}"))
    made.draft("kiosque")
    return made


def test_what_was_sent_is_in_it_and_no_draft(world: World, tmp_path: Path) -> None:
    counts = write_for_controllers(world.office, tmp_path / "out.db")
    assert counts["dossiers"] == 3
    file = tmp_path / "out.db"
    assert read(file, "SELECT procedure, state, count(*) FROM dossiers GROUP BY 1, 2") == [("kiosque", "examen", 3)]
    assert read(file, "SELECT count(DISTINCT applicant) FROM dossiers") == [(2,)], "who asks twice is seen, not who"
    journal = read(file, "SELECT kind, count(*) FROM journal WHERE kind = 'submitted' GROUP BY 1")
    assert journal == [("submitted", 3)]
    assert file.stat().st_mode & 0o777 == 0o600


def test_nobody_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked for in the bytes of the file: names, numbers, what was typed, ids and numbers of dossiers and people."""
    world, dossier = paid(tmp_path, monkeypatch, HALL, TWICE_DEBITED)
    file = tmp_path / "out.db"
    counts = write_for_controllers(world.office, file)
    assert counts["payments"] == 1
    assert read(file, "SELECT status, amount FROM payments") == [("overpaid", 30_000)]
    content = file.read_bytes()
    typed = [said for said in dossier.answers.values() if isinstance(said, str) and len(said) > 3]
    secret = [
        dossier.id, dossier.number, dossier.owner, dossier.label, TWICE_DEBITED.removeprefix("+228"),
        (dossier.contact_phone or "").removeprefix("+228"), *typed,
    ]  # fmt: skip
    assert [one for one in secret if one and one.encode() in content] == []
    assert {name for (name,) in read(file, "SELECT question FROM answers")} == set(dossier.answers)


def test_names_are_the_same_at_each_time_and_others_under_another_secret(world: World, tmp_path: Path) -> None:
    other = a_world(tmp_path / "elsewhere")
    publish(other, first())
    other.sent("kiosque", other.applicant("+22890112200"))
    for made, name in ((world, "a"), (world, "b"), (other, "c")):
        write_for_controllers(made.office, tmp_path / f"{name}.db")
    names = {name: read(tmp_path / f"{name}.db", "SELECT dossier FROM dossiers ORDER BY 1") for name in "abc"}
    assert names["a"] == names["b"]
    assert not set(names["a"]) & set(names["c"])


def test_the_command_writes_one_procedure_and_never_over_a_file(world: World, tmp_path: Path) -> None:
    command, run, file = masked_command(lambda: world.office), CliRunner().invoke, tmp_path / "out.db"
    said = run(command, [str(file), "--procedure", "kiosque"])
    assert (said.exit_code, "3 dossiers" in said.output) == (0, True), said.output
    before = file.read_bytes()
    again = run(command, [str(file)])
    assert (again.exit_code, "existe déjà" in again.output, file.read_bytes()) == (1, True, before)
    strange = run(command, [str(tmp_path / "two.db"), "--procedure", "nulle"])
    assert (strange.exit_code, "nulle" in strange.output, (tmp_path / "two.db").exists()) == (1, True, False)
    nowhere = run(command, [str(tmp_path / "none" / "three.db")])
    assert (nowhere.exit_code, "ne peut être écrit" in nowhere.output) == (1, True)
    assert sorted(one.name for one in tmp_path.glob(".out.db*")) == []
