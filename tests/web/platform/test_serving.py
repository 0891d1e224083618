"""What is served while it runs: files on disk change, and a broken one never takes a procedure away."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from engine.core.problems import Refused
from engine.operations.follower import renew
from engine.services.sign_in.agent_sign_in import sign_in
from engine.services.sign_in.sessions import actor_of
from engine.storage.schema.migration_list import NAMES
from renderers.cli.admin.installation import open_office
from server import DEMO_PASSWORD, Settings, agent, check_store, create_app, serving

pytestmark = pytest.mark.slow  # a whole site and its people for each test

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    shutil.copytree(ROOT / "procedures", tmp_path / "procedures")
    settings = Settings(procedures=tmp_path / "procedures", data=tmp_path / "data", demo=True)
    office, operator = open_office(settings)
    return create_app(settings, office, operator)


def turn(app: Flask) -> None:
    """What the worker does at each turn."""
    app.extensions["guichet"] = replace(app.extensions["guichet"], office=renew(serving(app)))


def a_file(app: Flask) -> Path:
    folder = serving(app).catalogue.folder
    assert folder is not None
    return sorted(folder.glob("*.yaml"))[0]


def test_nothing_changed_nothing_read(app: Flask) -> None:
    before = serving(app)
    assert renew(before) is before


def test_a_broken_file_leaves_its_last_good_edition_in_service(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "guichet")
    client, file = app.test_client(), a_file(app)
    good = file.read_text("utf-8")
    file.write_text(good.replace("workflow:", "workflou:", 1), "utf-8")
    turn(app)
    page = client.get(f"/demarches/{file.stem}")
    assert page.status_code == 200
    assert "Avertissement" in page.text
    assert file.stem in page.text
    turn(app)
    assert caplog.text.count(f"{file.stem} refused, what was in force stays: S201 {file}:") == 1
    file.write_text(good, "utf-8")
    turn(app)
    assert f"{file.stem} accepted again" in caplog.text
    assert "Avertissement" not in client.get("/").text


def test_a_new_edition_is_in_service_at_the_next_turn(app: Flask) -> None:
    client, file = app.test_client(), a_file(app)
    text = re.sub(r"(?m)^edition: (\d+)", lambda one: f"edition: {int(one[1]) + 1}", file.read_text("utf-8"))
    lines = ["title: Un autre titre" if line.startswith("title:") else line for line in text.split("\n")]
    file.write_text("\n".join(lines), "utf-8")
    turn(app)
    assert "Un autre titre" in client.get(f"/demarches/{file.stem}").text


def test_a_broken_file_is_survived_by_a_new_start(app: Flask, tmp_path: Path) -> None:
    """The edition published before is in the store: a restart serves it."""
    file = a_file(app)
    file.write_text("procedure: [", "utf-8")
    settings = Settings(procedures=tmp_path / "procedures", data=tmp_path / "data", demo=True)
    client = create_app(settings).test_client()
    page = client.get(f"/demarches/{file.stem}")
    assert page.status_code == 200
    assert "Avertissement" in page.text


def test_people_of_a_demonstration_stay_out_of_a_real_portal(app: Flask, tmp_path: Path) -> None:
    """The same data served without the demonstration: their password is public, so neither it nor a session opens."""
    office = serving(app)
    before = sign_in(office, "auditor", "controle", DEMO_PASSWORD)
    settings = Settings(procedures=tmp_path / "procedures", data=tmp_path / "data")
    real, _ = open_office(settings)
    assert actor_of(real, before.token) is None
    with pytest.raises(Refused, match="sign_in_wrong"):
        sign_in(real, "auditor", "controle", DEMO_PASSWORD)
    with real.store.unit() as unit:
        assert all(one.disabled for kind in ("agent", "auditor") for one in unit.accounts(kind))
    again, _ = open_office(replace(settings, demo=True))
    assert actor_of(again, before.token) is None
    assert sign_in(again, "auditor", "controle", DEMO_PASSWORD)


def test_a_demonstration_keeps_its_data_apart() -> None:
    assert Settings.from_environment({}).data == Path("var")
    assert Settings.from_environment({}, demo=True).data == Path("var/demo")
    assert Settings.from_environment({"GUICHET_DEMO": "1"}).data == Path("var/demo")
    assert Settings.from_environment({"GUICHET_DATA": "there"}, demo=True).data == Path("there")


def test_checking_an_empty_place_makes_nothing_and_does_not_say_all_is_well(tmp_path: Path) -> None:
    data = tmp_path / "nothing"
    told = CliRunner().invoke(
        check_store, env={"GUICHET_DATA": str(data), "GUICHET_PROCEDURES": str(ROOT / "procedures")}
    )
    assert told.exit_code == 2
    assert "GUICHET_DATA dit où" in told.output
    assert not data.exists()


@pytest.mark.parametrize("asked", [("list",), ("close", "afi"), ("password", "afi")])
def test_asking_for_the_people_of_an_empty_place_makes_nothing(tmp_path: Path, asked: tuple[str, ...]) -> None:
    data = tmp_path / "nothing"
    given = {"GUICHET_DATA": str(data), "GUICHET_PROCEDURES": str(ROOT / "procedures")}
    told = CliRunner().invoke(agent, asked, env=given)
    assert told.exit_code == 1
    assert "GUICHET_DATA dit où" in told.output
    assert not data.exists()


def test_checking_what_is_kept(app: Flask, tmp_path: Path) -> None:
    given = {"GUICHET_DATA": str(tmp_path / "data"), "GUICHET_PROCEDURES": str(tmp_path / "procedures")}
    told = CliRunner().invoke(check_store, env=given)
    assert told.exit_code == 0, told.output
    assert sign_in(serving(app), "auditor", "controle", DEMO_PASSWORD), "looking closes no door"


def test_a_store_of_an_earlier_release_is_said_so(app: Flask, tmp_path: Path) -> None:
    given = {"GUICHET_DATA": str(tmp_path / "data"), "GUICHET_PROCEDURES": str(tmp_path / "procedures")}
    with closing(sqlite3.connect(tmp_path / "data" / "guichet.db")) as kept, kept:
        kept.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (NAMES[-1],))
    told = CliRunner().invoke(check_store, ["--lang", "en"], env=given)
    assert (told.exit_code, "earlier release" in told.output) == (2, True), told.output


def test_a_file_that_was_never_right_is_said_so(app: Flask) -> None:
    folder = serving(app).catalogue.folder
    assert folder is not None
    (folder / "a-naitre.yaml").write_text("procedure: a-naitre\n", "utf-8")
    turn(app)
    text = app.test_client().get("/").text
    assert "Pas encore en ligne" in text
    assert "version précédente" not in text
