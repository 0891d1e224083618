"""What is served while it runs: files on disk change, and a broken one never takes a procedure away."""

from __future__ import annotations

import gc
import re
import shutil
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

import server
from engine.core.problems import Refused
from engine.operations.follower import renew
from engine.services.sign_in.agent_sign_in import sign_in
from engine.services.sign_in.sessions import actor_of
from engine.storage.schema.migration_list import NAMES
from renderers.cli.admin.http_server import Front
from renderers.cli.admin.installation import open_office
from renderers.web.platform.assets import Assets
from server import DEMO_PASSWORD, Settings, agent, check_store, create_app, serving
from tests.ports import free_port

pytestmark = pytest.mark.slow  # a whole site and its people for each test

ROOT = Path(__file__).resolve().parents[3]
FEW = ("branchement-eau", "duplicata-bac")
MOST_OF_A_SHEET = 5_120  # octets of the style sheet of citizens, compressed


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    others = [path.name for path in (ROOT / "procedures").glob("*.yaml") if path.stem not in FEW]
    shutil.copytree(ROOT / "procedures", tmp_path / "procedures", ignore=shutil.ignore_patterns(*others))
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


def test_no_search_for_rubbish_goes_through_what_the_start_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One search through all of it stopped every thread for up to 89 ms."""
    left = []

    class Still(Front):
        def run(self, stopping: threading.Event, leave_after: float = 0.0) -> None:
            left.append(len(gc.get_objects()))
            stopping.set()

    monkeypatch.setattr(server, "Front", Still)
    monkeypatch.setattr(server, "on_signal", lambda stop: None)
    (tmp_path / "procedures").mkdir()
    environ = {"GUICHET_DATA": str(tmp_path), "GUICHET_PROCEDURES": str(tmp_path / "procedures")}
    try:
        ended = CliRunner().invoke(server.serve, ["--port", str(free_port())], env=environ)
    finally:
        gc.unfreeze()
    assert ended.exit_code == 0, ended.output
    assert left[0] < 0.1 * len(gc.get_objects())


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


EMBLEM = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'
FRAME = """
[portal]
country = "Pays d’essai"
motto = "Devise"
brand = {fr = "Démarches", en = "Procedures"}
emblem = "emblem.svg"
colours = ["#006a4e", "#ffce31"]
address = "services.exemple"
phone = "90 11 22 33"
report = "https://plaintes.exemple"
"""


def test_the_frame_is_that_of_the_portal_file(app: Flask, tmp_path: Path) -> None:
    """Its emblem is the picture of the header and the icon: one request. Its colours are in the style sheet."""
    plain = app.test_client().get("/").text
    assert 'class="place"' in plain, "the place of an emblem, in a demonstration"
    assert "République togolaise" in plain
    assert "Site officiel" not in plain
    assert re.search(r'rel="icon" href="/static/icon\.\w+\.svg"', plain), "else browsers ask for /favicon.ico"
    (tmp_path / "emblem.svg").write_text(EMBLEM, "utf-8")
    (tmp_path / "portal.toml").write_text(FRAME, "utf-8")
    settings = Settings(data=tmp_path / "data", demo=True, phone="90 00 00 00", portal=tmp_path / "portal.toml")
    client = create_app(settings, serving(app)).test_client()
    page = client.get("/").text
    pictures = re.findall(r"/static/emblem\.\w+\.svg", page)
    assert len(pictures) == 2
    assert len(set(pictures)) == 1
    served = client.get(pictures[0])
    assert (served.text, served.mimetype) == (EMBLEM, "image/svg+xml")
    assert "default-src 'none'" in served.headers["Content-Security-Policy"]
    for said in (
        "Pays d’essai",
        "Devise",
        "Démarches",
        "services.exemple",
        "90\u00a011\u00a022\u00a033",
        "Nous ne demandons jamais",
    ):
        assert said in page, said
    [sheet] = re.findall(r"/static/guichet\.\w+\.css", page)
    assert client.get(sheet).text.endswith("{--band:linear-gradient(90deg,#006a4e 0% 50%,#ffce31 50% 100%)}")
    assert sheet not in plain
    assert "https://plaintes.exemple" in client.get("/aide").text
    assert "Procedures" in client.get("/?lang=en").text


def test_the_phone_of_the_environment_is_kept_for_one_release(app: Flask, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", demo=True, phone="90 00 00 00")
    assert "90\u00a000\u00a000\u00a000" in create_app(settings, serving(app)).test_client().get("/").text


def test_a_hostile_emblem_ends_the_start(app: Flask, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "emblem.svg").write_text(EMBLEM.replace("<path", "<script/><path"), "utf-8")
    (tmp_path / "portal.toml").write_text(FRAME, "utf-8")
    with pytest.raises(SystemExit):
        create_app(Settings(data=tmp_path / "data", demo=True, portal=tmp_path / "portal.toml"), serving(app))
    assert "autre chose qu’un dessin\N{NO-BREAK SPACE}: <script>" in capsys.readouterr().err


def test_the_style_sheet_is_light_and_dark_and_names_colours_only_as_tokens() -> None:
    served = Assets().served(Assets().address("guichet.css").removeprefix("/static/"))
    assert served is not None
    assert len(served.squeezed) <= MOST_OF_A_SHEET
    for name in ("guichet.css", "desk.css", "preview.css"):
        text = (ROOT / "renderers" / "static" / name).read_text("utf-8")
        rules = re.sub(r":root \{.*?\n\}|@media print \{.*?\n\}|/\*.*?\*/", "", text, flags=re.S)
        coloured = [line for line in rules.splitlines() if re.search(r"#[0-9a-f]{3,6}\b", line)]
        assert [line for line in coloured if not line.startswith((".qr", "  --"))] == [], name
    assert b"prefers-color-scheme: dark" in served.body
