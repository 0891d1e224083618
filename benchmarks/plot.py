"""Curves of growth as SVG: sizes across, times up, both by powers of ten. No library: a few lines and texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 70, 46, 44, 220
INKS = ("#1b4f8f", "#a33c1d", "#2c6e49", "#6a3d8f", "#8a6d00", "#444444")


@dataclass(frozen=True)
class Series:
    """One curve: what is measured, at which sizes how many milliseconds."""

    id: str
    what: str
    points: tuple[tuple[int, float], ...]


def growth_svg(title: str, across: str, series: Sequence[Series]) -> str:
    """A picture of the curves, each named at its end."""
    xs = [size for one in series for size, _ in one.points]
    ys = [time for one in series for _, time in one.points]
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
    first, last = math.log10(min(xs)), math.log10(max(xs))

    def x(size: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(size) - first) / max(last - first, 0.01)

    def y(time: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (math.log10(time) - low) / max(high - low, 1)

    parts = [f'<text x="{LEFT}" y="24" font-size="16" font-weight="bold">{escape(title)}</text>']
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<line x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}" stroke="#ccc"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:g} ms</text>')
    for size in sorted(set(xs)):
        parts.append(f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{size:,}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">{escape(across)}</text>')
    names = _apart([y(one.points[-1][1]) for one in series])
    for one, ink, at in zip(series, INKS * len(series), names, strict=False):
        line = " ".join(f"{x(size):.1f},{y(time):.1f}" for size, time in one.points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{ink}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(size):.1f}" cy="{y(time):.1f}" r="3" fill="{ink}"/>' for size, time in one.points]
        parts.append(f'<text x="{WIDTH - RIGHT + 12}" y="{at + 4:.1f}" fill="{ink}">{escape(one.what)}</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" '
        f'role="img" aria-label="{escape(title)}">\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _apart(heights: Sequence[float], least: float = 15) -> list[float]:
    """The same heights, none nearer to another than a line of text."""
    placed: dict[int, float] = {}
    last = -math.inf
    for index in sorted(range(len(heights)), key=heights.__getitem__):
        last = placed[index] = max(heights[index], last + least)
    return [placed[index] for index in range(len(heights))]


def write_growth(path: Path, title: str, across: str, series: Sequence[Series]) -> None:
    """The picture in a file."""
    path.write_text(growth_svg(title, across, series), "utf-8")
