"""The picture of a circuit: the numbers of its ways can be told apart, in every circuit of the house."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from renderers.html.diagram import workflow_svg
from tests.makers import PROCEDURES, compiled

_BADGE = re.compile(r'<rect x="(-?\d+)" y="(-?\d+)" width="(\d+)" height="18"')


@pytest.mark.parametrize("file", sorted(PROCEDURES.glob("*.yaml")), ids=lambda file: file.stem)
def test_no_number_lies_on_another(file: Path) -> None:
    picture = workflow_svg(compiled(file.read_text("utf-8"), file.name), "fr")
    badges = [tuple(map(int, found)) for found in _BADGE.findall(picture)]
    assert badges
    for rank, (x, y, width) in enumerate(badges):
        for x1, y1, width1 in badges[:rank]:
            assert x >= x1 + width1 or x1 >= x + width or abs(y - y1) >= 18, (x, y, x1, y1)
