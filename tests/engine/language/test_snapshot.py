"""Counts of what runs: what is small is hidden and stays so, what is hidden still counts, a wrong file is told."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from jsonschema import Draft202012Validator

from engine.language.diff.population import (
    FORMAT,
    SCHEMA_PATH,
    Snapshot,
    Tally,
    added,
    counts_of,
    hidden,
    read_snapshot,
    snapshot_plain,
)

DAY = date(2026, 11, 24)
SCHEMA = Draft202012Validator(json.loads(SCHEMA_PATH.read_text("utf-8")))


def tally(drafts: int = 0, **kinds: dict[str, int]) -> Tally:
    made = Tally(drafts)
    for kind, counts in kinds.items():
        made.kinds[kind] = counts
    return made


def test_what_is_written_is_read_back() -> None:
    plain: Any = snapshot_plain(
        {"essai": {6: tally(10, states={"a": 7, "b": 3}, answers={"nom": 10, "nom.x": 4})}}, DAY
    )
    SCHEMA.validate(plain)
    assert plain["taken_on"] == "2026-11-24"
    found = read_snapshot(plain, "essai")
    assert found == Snapshot(7, 10, {"a": 7, "b": "<5"}, {"nom": 10, "nom.x": "<5"})
    assert counts_of(plain) == 7
    assert read_snapshot(plain, "ailleurs") == Snapshot()


def test_editions_are_counted_together_up_to_the_one_compared() -> None:
    editions = {5: tally(states={"a": 3}), 6: tally(states={"a": 2, "b": 8}), 7: tally(states={"a": 90})}
    plain = snapshot_plain({"essai": editions}, DAY)
    assert read_snapshot(plain, "essai", 6).states == {"a": "<9", "b": 8}
    assert read_snapshot(plain, "essai", 6).dossiers == 8
    assert read_snapshot(plain, "essai", 7).states["a"] == 90


@given(some.integers(0, 10_000), some.booleans())
def test_a_count_never_tells_of_fewer_than_five(count: int, rounded: bool) -> None:
    told = hidden(count, rounded=rounded)
    assert told == "<5" if 0 < count < 5 else isinstance(told, int) and (told == 0 or told >= 5)
    assert isinstance(told, str) or 0 <= count - told < 5


def test_a_hidden_option_cannot_be_worked_out_from_its_question() -> None:
    """10 chose it and 2 did not, or 10 and 4: the file says the same."""
    files = [
        snapshot_plain({"e": {1: tally(answers={"q": 10 + few, "q.a": 10, "q.b": few})}}, DAY) for few in (1, 2, 3, 4)
    ]
    assert all(one == files[0] for one in files)


@pytest.mark.parametrize(
    ("counts", "sum_"),
    [((), 0), ((3, 4), 7), (("<5", 12), 12), (("<5",), "<5"), (("<5", "<5"), "<9"), ((0, "<5"), "<5")],
)
def test_counts_are_added(counts: tuple[Any, ...], sum_: Any) -> None:
    assert added(counts) == sum_


def wrong(**changes: Any) -> Any:
    edition = {"drafts": 0, "states": {}, "answers": {}, "fees": {}, "bookings": {}, **changes}
    return {"format": FORMAT, "procedures": {"essai": {"editions": {"6": edition}}}}


@pytest.mark.parametrize(
    ("plain", "at"),
    [
        ([], "format"), ({}, "format"), ({"dossiers": 3}, "format"), ({"format": "guichet-snapshot/2"}, "format"),
        ({"format": FORMAT, "procedures": 4}, "procedures"),
        ({"format": FORMAT, "procedures": {"essai": 4}}, "procedures.essai.editions"),
        ({"format": FORMAT, "procedures": {"essai": {"editions": {"six": {}}}}}, "procedures.essai.editions.six"),
        ({"format": FORMAT, "procedures": {"essai": {"editions": {"6": 1}}}}, "procedures.essai.editions.6"),
        (wrong(states={"a": -1}), "procedures.essai.editions.6.states.a"),
        (wrong(states={"a": True}), "procedures.essai.editions.6.states.a"),
        (wrong(states={"a": "40"}), "procedures.essai.editions.6.states.a"),
        (wrong(answers=4), "procedures.essai.editions.6.answers"),
        (wrong(drafts="<"), "procedures.essai.editions.6.drafts"),
        (wrong(states={"a\u202eb": 3}), r"procedures.essai.editions.6.states.aU\+202Eb \(U\+202E\)"),
        ({"format": FORMAT, "procedures": {"a\x1b[2J": {}}}, r"procedures.aU\+001B\[2J \(U\+001B\)"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_by_the_place(plain: Any, at: str) -> None:
    with pytest.raises(ValueError, match=f"^{at}$"):
        read_snapshot(plain, "essai", 9)
