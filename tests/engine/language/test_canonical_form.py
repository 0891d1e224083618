"""`guichet expand`: presets, blocks and automatic ways written out mean what they meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.language.catalogue.catalogue import check_definition
from engine.language.compiler.includes import combine, long_form
from engine.language.diff.compare import compare
from engine.language.source.formatter import write_tree
from engine.language.source.loader import read_source
from tests.makers import the_shared

ROOT = Path(__file__).resolve().parents[3]
FILES = [*sorted((ROOT / "procedures").glob("*.yaml")), *sorted((ROOT / "tests/good").glob("*.yaml"))]
SHARED = the_shared()


def expanded(file: Path) -> str:
    placed, problems = combine(read_source(file.read_bytes(), str(file)), SHARED.blocks, SHARED.presets)
    assert not problems
    return write_tree(long_form(placed))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_long_form_is_legal_and_means_the_same(file: Path) -> None:
    text = expanded(file)
    was = check_definition(file.read_bytes(), str(file), SHARED)
    now = check_definition(text, str(file), SHARED)
    assert sorted(one.code for one in now.report) == sorted(one.code for one in was.report)
    if was.procedure and now.procedure:
        assert [*compare(was.procedure, now.procedure)] == []
        assert not [key for key in ("extends:", " use:", "then:", "late:", "missed:") if f"\n    {key}" in text]


def test_what_the_short_form_leaves_unsaid_is_written() -> None:
    text = expanded(ROOT / "tests/good/extends-preset.yaml")
    assert "\nextends:" not in text
    assert "event: due" in text
    assert "event: done" in text
