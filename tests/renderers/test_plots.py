"""Plots keep their figures: bars are as long as their values, the table says the same, what is hidden draws nothing."""

from __future__ import annotations

import itertools

import pytest

from renderers.html.plots import columns, stacked_bars, ticks


def said(*values: int | None) -> list[tuple[int | None, str]]:
    return [(value, "moins de 10" if value is None else f"{value}.") for value in values]


@pytest.mark.parametrize("most", [0, 1, 2, 3, 7, 9, 10, 11, 49, 50, 51, 99, 101, 999, 1234, 10**9])
@pytest.mark.parametrize("at_most", [4, 5])
def test_a_scale_has_round_steps_and_holds_the_most(most: int, at_most: int) -> None:
    scale = ticks(most, at_most)
    step = scale[1]
    assert scale == tuple(range(0, step * len(scale), step))
    assert scale[-1] >= most > scale[-2] or most == 0
    assert int(str(step).rstrip("0")) in (1, 2, 5)
    assert len(scale) <= at_most + 1


def test_parts_of_a_bar_follow_each_other_in_proportion() -> None:
    plot = stacked_bars(
        "T", "S", "Étape", ("a", "b"), [("x", said(30, 20)), ("y", said(0, 100)), ("z", said(0, 0))], str
    )
    assert [(one.x, one.width, one.series) for one in plot.bars] == [(0, 26.4, 0), (26.4, 17.6, 1), (0, 88, 1)]
    assert [one.title for one in plot.bars] == ["x, a, 30.", "x, b, 20.", "y, b, 100."]
    assert plot.heads == ("Étape", "a", "b")
    assert plot.rows == (("x", "30.", "20."), ("y", "0.", "100."), ("z", "0.", "0."))
    assert [one.text for one in plot.texts] == ["x", "50", "y", "100", "z", "0", "0", "20", "40", "60", "80", "100"]
    assert max(one.y + one.height for one in plot.bars) < plot.height


def test_a_hidden_value_draws_nothing_and_is_said() -> None:
    bars = stacked_bars("T", "S", "Issue", ("dossiers",), [("x", said(None)), ("y", said(12))], str)
    assert (len(bars.bars), bars.series, bars.bars[0].title) == (1, (), "y, 12.")
    assert bars.rows[0] == ("x", "moins de 10")
    assert [one.text for one in bars.texts][:2] == ["x", "moins de 10"]
    drawn = columns(
        "T", "S", "Mois", ("a", "b"), [("octobre", "10", said(None, 40)), ("novembre", "11", said(20, 0))], str
    )
    assert [(one.height, one.y) for one in drawn.bars] == [(120, 10), (60, 70)]
    assert drawn.rows == (("octobre", "moins de 10", "40."), ("novembre", "20.", "0."))


@pytest.mark.parametrize("count", [1, 2, 12, 31])
def test_columns_stay_within_the_figure_and_apart(count: int) -> None:
    plot = columns("T", "S", "Mois", ("a", "b"), [(f"m{n}", str(n), said(n + 1, 3)) for n in range(count)], str)
    edges = sorted((one.x, one.x + one.width) for one in plot.bars)
    assert edges[0][0] >= 10
    assert edges[-1][1] <= 100
    assert all(right <= left + 0.02 for (_, right), (left, _) in itertools.pairwise(edges))


def test_nothing_at_all_is_a_plot_without_bars() -> None:
    assert stacked_bars("T", "S", "X", ("a",), [], str).bars == ()
    assert columns("T", "S", "X", ("a",), [], str).bars == ()
