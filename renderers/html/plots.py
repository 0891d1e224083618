"""Plots as SVG without a scale of its own: `x` and widths in percent, heights in pixels, text always of one size.

A plot is a figure with a caption, a sentence for readers of speech, a key, and its figures as a table. A value comes with
its text. One that is None is hidden: it draws nothing, and its text says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Values: TypeAlias = Sequence[tuple[int | None, str]]
Number: TypeAlias = Callable[[int], str]

_ROW: Final = 34  # pixels of a horizontal bar with its label above
_THICK: Final = 14
_COLUMNS: Final = 120  # pixels of the highest column
_WIDE: Final = 88  # percent of the longest bar: the rest holds its total
_LEFT: Final = 10  # percent before the first column: the numbers of the scale


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle in the colour of a series, with what is shown when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


@dataclass(frozen=True, slots=True)
class PlotText:
    """A text at a point: `anchor` is `start`, `middle` or `end`. A `soft` one is a number of the scale."""

    x: float
    y: int
    text: str
    anchor: str = "start"
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the scale, from one point to another, `y` in pixels."""

    x: float
    y: int
    to_x: float
    to_y: int


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot that is laid out. `series` are the names of the colours. `rows` are the same figures as a table."""

    title: str
    sentence: str
    height: int
    series: tuple[str, ...]
    bars: tuple[Bar, ...]
    texts: tuple[PlotText, ...]
    lines: tuple[Line, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def ticks(most: int, at_most: int = 5) -> tuple[int, ...]:
    """Return the numbers of a scale from 0 to `most` or just above, in steps of 1, 2 or 5 times a power of ten."""
    steps = (base * 10**power for power in range(12) for base in (1, 2, 5))
    step = next(one for one in steps if one * at_most >= most)
    return tuple(range(0, max(most, 1) + step, step))[: -(-max(most, 1) // step) + 1]


def stacked_bars(
    title: str, sentence: str, first: str, series: Sequence[str], rows: Sequence[tuple[str, Values]], number: Number
) -> Plot:  # fmt: skip
    """Return one horizontal bar for each row, made of one part for each series, with its total at its end."""
    totals = [sum(value or 0 for value, _ in values) for _, values in rows]
    scale = ticks(max(totals, default=0))
    bars, texts = list[Bar](), list[PlotText]()
    for at, ((label, values), total) in enumerate(zip(rows, totals, strict=True)):
        x, top = 0.0, at * _ROW
        texts.append(PlotText(0, top + 12, label))
        for which, (value, text) in enumerate(values):
            width = _WIDE * (value or 0) / scale[-1]
            if value:
                said = f"{label}, {series[which]}, {text}" if len(series) > 1 else f"{label}, {text}"
                bars.append(Bar(round(x, 2), top + 17, round(width, 2), _THICK, which, said))
            x += width
        end = values[0][1] if len(values) == 1 else number(total)
        texts.append(PlotText(round(x + 0.7, 2), top + 28, end, soft=True))
    bottom = len(rows) * _ROW + 2
    lines = [Line(x, 0, x, bottom) for one in scale for x in (round(_WIDE * one / scale[-1], 2),)]
    texts += [
        PlotText(line.x, bottom + 14, number(one), "middle" if one else "start", soft=True)
        for one, line in zip(scale, lines, strict=True)
    ]
    return Plot(
        title, sentence, bottom + 18, tuple(series) if len(series) > 1 else (), tuple(bars), tuple(texts), tuple(lines),
        (first, *series), tuple((label, *(text for _, text in values)) for label, values in rows),
    )  # fmt: skip


def columns(
    title: str, sentence: str, first: str, series: Sequence[str], rows: Sequence[tuple[str, str, Values]], number: Number
) -> Plot:  # fmt: skip
    """Return vertical bars side by side for each row: its name, a short one below the bars, and its values."""
    scale = ticks(max((value or 0 for _, _, values in rows for value, _ in values), default=0), 4)
    step = (100 - _LEFT) / max(len(rows), 1)
    wide = min(step * 0.8 / len(series), 4.0)
    bars, texts = list[Bar](), list[PlotText]()
    for at, (label, short, values) in enumerate(rows):
        middle = _LEFT + step * (at + 0.5)
        texts.append(PlotText(round(middle, 2), _COLUMNS + 26, short, "middle"))
        for which, (value, text) in enumerate(values):
            height = round(_COLUMNS * (value or 0) / scale[-1], 1)
            if value:
                x = round(middle + wide * (which - len(series) / 2), 2)
                said = f"{label}, {series[which]}, {text}"
                bars.append(Bar(x, _COLUMNS + 10 - height, round(wide, 2), height, which, said))
    lines = [Line(_LEFT, y, 100, y) for one in scale for y in (round(_COLUMNS + 10 - _COLUMNS * one / scale[-1]),)]
    texts += [
        PlotText(_LEFT - 1, line.y + 4, number(one), "end", soft=True) for one, line in zip(scale, lines, strict=True)
    ]
    return Plot(
        title, sentence, _COLUMNS + 32, tuple(series) if len(series) > 1 else (), tuple(bars), tuple(texts), tuple(lines),
        (first, *series), tuple((label, *(text for _, text in values)) for label, _, values in rows),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Heat:
    """A table by weekday and hour. A cell is its text and its shade, from 0 (nothing) to 4 (full)."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]


def heat(title: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[tuple[int, int]]]]) -> Heat:
    """Return the table of what is taken and open. A cell without either is empty."""
    return Heat(title, tuple(heads), tuple((label, tuple(_cell(*one) for one in cells)) for label, cells in rows))


def _cell(taken: int, places: int) -> tuple[str, int]:
    shade = min(4, -(-4 * taken // places)) if places else 4 * bool(taken)
    return (f"{taken}/{places}", shade) if taken or places else ("", 0)
