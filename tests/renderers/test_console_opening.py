"""An installation that does not open says why, once, in one line, and nothing secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.office.installation import Settings
from renderers.console_installation import open_office


def refused(settings: Settings, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that is said."""
    with pytest.raises(SystemExit) as ended:
        open_office(settings)
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (1, 1), said
    return said


def test_a_file_of_gateways_that_is_not_there_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "gateways.toml"
    said = refused(Settings(procedures=tmp_path, data=tmp_path / "data", gateways=missing), capsys)
    assert f"GUICHET_GATEWAYS={missing}" in said
    assert said.count("gateways.toml") == 1
