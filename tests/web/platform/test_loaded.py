"""What a server that starts over what it knows does not load: each is there for the first that needs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flask import url_for

from renderers.web.platform.access import WebApplication
from tests.engine.language.building import PROCEDURES, a_file

SELDOM = (
    "sqlite_utils", "psycopg", "obstore", "jsonschema", "jsonschema_rs", "PIL", "pypdf", "typst", "segno", "num2words",
    "icalendar", "urllib3", "authlib", "z3", "email_validator",
)  # fmt: skip
START = f"""
import os, sys
from pathlib import Path
from renderers.cli.admin.installation import open_office, open_source
from server import Settings, create_app
settings = Settings(procedures=Path("procedures"), data=Path("data"), secret="essais" * 6)
office, operator = open_office(settings)
page = create_app(settings, office, operator, open_source(settings)).test_client().get("/demarches/essai")
print(page.status_code, *(name for name in {SELDOM} if name in sys.modules))
"""


@pytest.mark.slow
def test_a_server_that_starts_again_loads_nothing_that_is_seldom_needed(tmp_path: Path) -> None:
    for name in ("shared", "blocks", "lists", "presets"):
        shutil.copytree(PROCEDURES / name, tmp_path / "procedures" / name)
    file = tmp_path / "procedures" / "essai.yaml"
    file.write_text(a_file(""), "utf-8")
    first = started(tmp_path)
    assert first[0] == "200"
    assert {"sqlite_utils", "jsonschema_rs"} <= set(first)  # its tables are made, its files are checked
    index = tmp_path / "data" / "shelf.index"
    later = file.stat().st_ctime + 10  # a file as young as the index is read again
    os.utime(index, (later, later))
    assert started(tmp_path) == ["200"]


def started(folder: Path) -> list[str]:
    """The status of a page, and what is loaded once it is served."""
    told = subprocess.run(
        [sys.executable, "-c", START], cwd=folder, check=True, capture_output=True, text=True, timeout=120
    )
    return told.stdout.split()


def test_an_address_can_still_be_built() -> None:
    app = WebApplication("routes", static_folder=None)
    app.add_url_rule("/lots/<int:number>/<name>", "lot", lambda number, name: f"{number} {name}")
    with app.test_request_context():
        assert url_for("lot", number=3, name="é d", page="2") == "/lots/3/%C3%A9%20d?page=2"
    assert app.test_client().get("/lots/3/x").text == "3 x"
