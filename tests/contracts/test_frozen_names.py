"""Stored data, scripts and dashboards outlive a release: the names that they use stay."""

from __future__ import annotations

import json

import pytest

from tests.contracts.frozen_names import FROZEN, frozen_names

pytestmark = pytest.mark.xdist_group("all the code")  # parsed once

KNOWN: dict[str, list[str]] = json.loads(FROZEN.read_text("utf-8"))
HOW = "python -m tests.contracts.frozen_names"


@pytest.mark.parametrize("kind", sorted(KNOWN))
def test_a_name_that_outlives_a_release_stays(kind: str) -> None:
    now = set(frozen_names()[kind])
    gone, new = set(KNOWN[kind]) - now, now - set(KNOWN[kind])
    assert not gone, f"write a migration, with a test that reads the old {kind}; then {HOW}"
    assert not new, f"new {kind}: {HOW}"
