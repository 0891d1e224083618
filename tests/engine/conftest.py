"""One empty installation a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.services.world import World, a_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path)
