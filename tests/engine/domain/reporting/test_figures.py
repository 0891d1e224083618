"""From counts to figures, and what the public is not told of them."""

from __future__ import annotations

from itertools import product

import pytest

from engine.domain.reporting.figures import (
    FEW,
    Cell,
    Figures,
    all_cells,
    figures_of,
    flow_cells,
    hidden,
    nearly,
    office_cells,
    parted,
    percentile,
    share,
    stock_then,
)
from engine.records.statistics import CURRENT, Count


def some(*counts: tuple[str, str, int], office: str = "lome", month: str = "2026-10") -> dict[Count, int]:
    return {Count("permis", month, figure, office, detail): n for figure, detail, n in counts}


def shown(cells: tuple[Cell, ...]) -> dict[str, int | None]:
    return {f"{one.figure}:{one.detail}".rstrip(":"): one.value for one in cells}


@pytest.mark.parametrize(
    ("lengths", "median", "most"),
    [
        ({3: 1}, 3, 3),
        ({1: 5, 2: 5}, 1, 2),
        ({1: 9, 30: 1}, 1, 1),
        ({1: 8, 30: 2}, 1, 30),
        ({0: 50, 4: 41, 9: 9}, 0, 4),
        ({}, 0, 0),
    ],
)
def test_percentiles_are_exact(lengths: dict[int, int], median: int, most: int) -> None:
    assert (percentile(lengths, 50), percentile(lengths, 90)) == (median, most)
    every = [length for length, n in sorted(lengths.items()) for _ in range(n)]
    if every:
        assert most == every[-(-len(every) * 90 // 100) - 1]


@pytest.mark.parametrize(
    ("part", "whole", "percent"), [(0, 0, 0), (0, 9, 0), (9, 9, 100), (1, 1000, 1), (999, 1000, 99), (2, 3, 67)]
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, percent: int) -> None:
    assert share(part, whole) == percent


def test_time_is_told_in_the_unit_that_most_have() -> None:
    spread = Figures(some(("delay", "hour:70", 2), ("delay", "working_day:4", 3))).spread("delay")
    assert spread is not None
    assert (spread.unit, spread.n, spread.median) == ("working_day", 3, 4)
    assert Figures({}).spread("delay") is None


def test_the_stock_of_a_month_is_what_waits_now_without_what_moved_since() -> None:
    counts = {
        **some(("received", "web", 30), ("answered", "granted", 10)),
        **some(("received", "web", 5), ("answered", "refused", 9), month="2026-11"),
        Count("permis", CURRENT, "standing", "lome"): 16,
    }
    assert stock_then(counts, "2026-11") == 16
    assert stock_then(counts, "2026-10") == 20
    assert stock_then(counts, "2026-09") == 0
    found = figures_of(counts, "2026-10", "2026-10")
    assert (found.total("received"), found.total("answered"), found.standing) == (30, 10, 20)


def test_whoever_may_know_is_told_everything() -> None:
    figures = Figures(
        some(
            ("received", "web", 3), ("received", "counter", 1), ("answered", "granted", 2), ("answered", "refused", 1),
            ("delay", "day:4", 2), ("delay", "day:9", 1), ("pause", "day:0", 3), ("judged", "", 3), ("late", "", 1),
            ("corrected", "", 1), ("corrected_field", "acte", 1), ("refusal", "refuser>refuse", 1), ("opened", "web", 6),
            ("dropped", "identite", 2), ("visit", "depot:missed", 1), ("visit", "depot:attended", 3),
            ("payment", "mixx:started", 4), ("payment", "mixx:paid", 3), ("payment", "mixx:failed", 1),
            ("payment_why", "mixx:balance", 1), ("step", "examen:day:2", 2), ("step", "examen:day:9", 1),
        ), 7,
    )  # fmt: skip
    assert not [one for one in all_cells(figures, FEW) if one.figure.startswith("step")]
    assert shown(all_cells(figures)) == {
        "received": 4, "answered": 3, "standing": 7, "delay_median": 4, "delay_most": 9, "in_time": 67, "late": 1,
        "pause_median": 0, "pause_most": 0, "channel:web": 3, "channel:counter": 1, "outcome:granted": 2,
        "outcome:refused": 1, "refusal:refuser>refuse": 1, "corrected": 1, "corrected_share": 33,
        "corrected_field:acte": 1, "opened": 6, "dropped": 2, "dropped_page:identite": 2, "missed_share": 25,
        "visit:depot:attended": 3, "visit:depot:missed": 1, "payment:mixx:started": 4, "payment:mixx:paid": 3,
        "payment:mixx:failed": 1, "payment_why:mixx:balance": 1, "step_median:examen": 2, "step_most:examen": 9,
    }  # fmt: skip


# -- what few people stand behind --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"a": 50, "b": 20}, {"a": 50, "b": 20}),
        ({"a": 50, "b": 0}, {"a": 50, "b": 0}),
        ({"a": 50, "b": 20, "c": 3}, {"a": 50, "b": None, "c": None}),
        ({"a": 50, "b": 3}, {"a": None, "b": None}),
        ({"a": 50, "b": 20, "c": 3, "d": 4}, {"a": 50, "b": None, "c": None, "d": None}),
        ({"a": 50, "b": 20, "c": 6, "d": 4}, {"a": 50, "b": 20, "c": None, "d": None}),
        ({"a": 3}, {"a": None}),
        ({}, {}),
    ],
)
def test_small_parts_go_and_never_alone(parts: dict[str, int], told: dict[str, int | None]) -> None:
    assert hidden(parts, FEW) == told
    assert hidden(parts, 0) == parts


def test_nothing_hidden_comes_back_by_subtraction() -> None:
    for numbers in product((0, 1, 4, 9, 10, 11, 40), repeat=4):
        parts = dict(zip("abcd", numbers, strict=True))
        found = hidden(parts, FEW)
        gone = [parts[name] for name, n in found.items() if n is None]
        assert all(n is None or n == 0 or n >= FEW for n in found.values())
        if gone and sum(numbers) >= FEW:  # else their total itself is not told
            assert sum(gone) >= FEW
            assert len(gone) >= 2


def test_requests_and_answers_hide_together_and_the_stock_is_rounded() -> None:
    cells = shown(flow_cells(Figures(some(("received", "web", 100), ("answered", "granted", 4)), 96), FEW))
    assert (cells["received"], cells["answered"], cells["standing"]) == (None, None, 100)
    assert [nearly(n, FEW) for n in (0, 3, 14, 15, 1204)] == [0, None, 10, 20, 1200]
    assert nearly(1204, 0) == 1204


def public(*counts: tuple[str, str, int]) -> dict[str, int | None]:
    return shown(all_cells(Figures(some(*counts), 0), FEW))


def test_a_share_of_few_is_not_told_and_late_ones_never_counted_in_public() -> None:
    base = (("received", "web", 60), ("answered", "granted", 60), ("judged", "", 60))
    assert public(*base, ("late", "", 4))["in_time"] is None
    assert public(*base)["in_time"] == 100
    assert public(*base, ("late", "", 30))["in_time"] == 50
    assert "late" not in public(*base, ("late", "", 30))
    assert public(*base, ("corrected", "", 3))["corrected_share"] is None
    found = public(*base, ("corrected", "", 30), ("corrected_field", "acte", 28), ("corrected_field", "nom", 2))
    assert (found["corrected_share"], found["corrected_field:acte"], found["corrected_field:nom"]) == (50, 28, None)


def test_times_of_few_answers_are_not_told() -> None:
    found = public(("received", "web", 60), ("answered", "granted", 9), ("delay", "day:4", 9))
    assert (found["delay_median"], found["delay_most"]) == (None, None)


def test_refusals_are_told_by_reason_only_where_their_number_is() -> None:
    outcomes = (("received", "web", 90), ("answered", "granted", 60), ("answered", "refused", 30))
    few = public(("received", "web", 90), ("answered", "granted", 60), ("answered", "refused", 5), ("refusal", "a", 5))
    assert (few["outcome:refused"], few["refusal:a"]) == (None, None)
    many = public(*outcomes, ("refusal", "a", 25), ("refusal", "b", 5))
    assert (many["outcome:refused"], many["refusal:a"], many["refusal:b"]) == (30, None, None)


def test_offices_are_hidden_as_parts_of_all_of_them() -> None:
    counts = {
        **some(("received", "web", 80), ("answered", "granted", 40), office="lome"),
        **some(("received", "web", 30), ("answered", "granted", 20), office="kara"),
        **some(("received", "web", 2), ("answered", "granted", 20), office="dapaong"),
        **some(("opened", "web", 70), office=""),
    }
    offices = {name: Figures(found) for name, found in parted(counts, "office").items()}
    assert set(offices) == {"lome", "kara", "dapaong"}
    told = {name: shown(cells) for name, cells in office_cells(offices, FEW).items()}
    assert {name: cells["received"] for name, cells in told.items()} == {"lome": 80, "kara": None, "dapaong": None}
    assert {name: cells["answered"] for name, cells in told.items()} == {"lome": 40, "kara": 20, "dapaong": 20}
    assert all("standing" not in cells for cells in told.values())
    assert office_cells(offices)["dapaong"][0] == Cell("received", 2)
