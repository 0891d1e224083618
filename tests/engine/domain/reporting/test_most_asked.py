"""What comes first where only some procedures can be shown."""

from __future__ import annotations

import pytest

from engine.domain.reporting.figures import LEAST, most_asked_first

IDS = ("bac", "casier", "permis", "visa")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, IDS),
        ({"visa": 40, "permis": 90}, ("permis", "visa", "bac", "casier")),
        ({"visa": 40, "casier": 40}, ("casier", "visa", "bac", "permis")),  # as often: their order
        ({"visa": LEAST - 1}, IDS),  # so few tell nothing
        ({"visa": LEAST}, ("visa", "bac", "casier", "permis")),
        ({"closed": 900}, IDS),  # no longer served
    ],
)
def test_the_most_asked_for_come_first(asked: dict[str, int], expected: tuple[str, ...]) -> None:
    assert most_asked_first(IDS, asked) == expected
