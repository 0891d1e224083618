"""The workflow as an SVG diagram and as a table with the same content.

The SVG has no style attribute and real text.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from engine.language.diff.population import Count
from engine.model import APPLICANT, Procedure, State, Transition
from renderers.html.graph_layout import GraphDrawing, draw
from renderers.i18n.translations import Translations

WIDTH: Final = 196
HEIGHT: Final = 58
GAP_X: Final = 24
GAP_Y: Final = 56
MARGIN: Final = 20
LETTERS: Final = 24
_BADGE: Final = 18  # the height of numbers on a line
_PARTS: Final = (0.36, 0.5, 0.24, 0.64, 0.76, 0.14)  # positions of the numbers along a line, the best first

_COLUMN: Final = 470  # of the key
_COLUMN_LETTERS: Final = 68
_LINE: Final = 17
_DASH: Final = {
    "": "", "auto": ' stroke-dasharray="6 4"', "tacit": ' stroke-dasharray="1 5" stroke-linecap="round"',
}  # fmt: skip

_FILL: Final = {  # background, border
    "applicant": ("#fff4d6", "#7a4d00"),
    "agent": ("#e8f1fb", "#1d5a96"),
    "system": ("#ffffff", "#5c6b75"),
    "good": ("#e3f4ea", "#00613f"),
    "bad": ("#fdeaea", "#a1192f"),
    "over": ("#eef1f4", "#5c6b75"),
}


@dataclass(frozen=True, slots=True)
class DiagramRow:
    """One line of the table: number in the diagram, source, event, roles, target."""

    number: int
    source: str
    source_label: str
    label: str
    event: str | None
    by: tuple[str, ...]
    target: str
    target_label: str
    transition: Transition


def diagram_rows(procedure: Procedure, language: str) -> tuple[DiagramRow, ...]:
    """Return all transitions, numbered as in the diagram. `event` is set for automatic transitions."""
    lines = []
    for number, transition in enumerate(procedure.transitions, start=1):
        source, target = procedure.states[transition.source], procedure.states[transition.target]
        lines.append(
            DiagramRow(
                number,
                source.id,
                source.label.in_(language),
                transition.label.in_(language) if transition.event is None else "",
                transition.event,
                transition.by,
                target.id,
                target.label.in_(language),
                transition,
            )
        )
    return tuple(lines)


def kind_of(state: State) -> str:
    """Return the colour class of a state: the party it waits for, or how it ended."""
    if state.outcome is not None:
        return {"granted": "good", "refused": "bad", "revoked": "bad"}.get(state.outcome, "over")
    if state.mode in {"pay", "book", "attend", "correct"} or state.by == (APPLICANT,):
        return "applicant"
    return "agent" if state.by or state.mode == "gather" else "system"


def workflow_svg(
    procedure: Procedure, language: str, key: Sequence[str], legend: Mapping[str, str], current: str | None = None,
    counts: Mapping[str, Count] | None = None,
) -> str:  # fmt: skip
    """Return the diagram, from the start downwards, with its key below: each number in words, colours and lines.

    `key` has one text for each transition, in their order. `current` is highlighted, `counts` are the dossiers in
    each state.
    """
    numbered = diagram_rows(procedure, language)
    pairs: dict[tuple[str, str], list[int]] = {}
    for transition in numbered:
        pairs.setdefault((transition.source, transition.target), []).append(transition.number)
    order = [procedure.start, *(state for state in procedure.states if state != procedure.start)]
    drawing = draw(order, list(pairs), procedure.start)
    width = round(drawing.columns * (WIDTH + GAP_X) + 2 * MARGIN)
    width = max(width, _COLUMN + 2 * MARGIN)
    below = round(drawing.layers * (HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN)
    said, height = _key(key, legend, width, below)
    title = escape(procedure.identity.title.in_(language))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="circuit-titre" font-family="sans-serif" font-size="13">',
        f'<title id="circuit-titre">{title}</title>',
        '<defs><marker id="fleche" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="#3c4a53"/></marker></defs>',
    ]
    taken: list[tuple[float, float, float]] = []
    drawn = [
        _edge(procedure, drawing, pair, numbers, numbered, taken, key)
        for pair, numbers in pairs.items()
        if pair[0] != pair[1]
    ]
    parts += [line for line, _ in drawn] + [badge for _, badge in drawn]
    parts += [_box(drawing, state, language, current, counts or {}) for state in procedure.states.values()]
    parts += [_loop(drawing, pair[0], numbers, key) for pair, numbers in pairs.items() if pair[0] == pair[1]]
    return "".join([*parts, said, "</svg>"])


def workflow_mermaid(procedure: Procedure, language: str, words: Translations) -> str:
    """Return the workflow in Mermaid's notation, for use in other tools."""

    def said(transition: DiagramRow) -> str:
        if transition.event is None:
            return transition.label
        key = f"event.short_{transition.event}"
        named = procedure.clocks.get(transition.event) or procedure.things.get(transition.event)
        label = getattr(named, "label", None)
        return words.say(key, language, {}) if words.has(key) else label.in_(language) if label else transition.event

    lines = ["stateDiagram-v2", f"    [*] --> {procedure.start}"]
    for state in procedure.states.values():
        lines.append(f"    {state.id} : {_mermaid(state.label.in_(language))}")
    for transition in diagram_rows(procedure, language):
        lines.append(f"    {transition.source} --> {transition.target} : {_mermaid(said(transition))}")
    lines += [f"    {state.id} --> [*]" for state in procedure.states.values() if state.is_end]
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    return text.replace(":", " ").replace(";", ",").replace("\n", " ")


def _centre(point: tuple[float, int]) -> tuple[float, float]:
    column, layer = point
    return MARGIN + column * (WIDTH + GAP_X), MARGIN + layer * (HEIGHT + GAP_Y) + HEIGHT / 2


def _key(key: Sequence[str], legend: Mapping[str, str], width: int, top: int) -> tuple[str, int]:
    """Return the key in columns below the diagram, and the height of the whole."""
    lines: list[tuple[str, str]] = []  # number, text; a text goes on in lines without number
    for number, text in enumerate(key, start=1):
        first, *rest = textwrap.wrap(text, _COLUMN_LETTERS)
        lines += [(f"{number}", first), *(("", one) for one in rest)]
    columns = max(1, (width - 2 * MARGIN) // _COLUMN)
    rows = -(-len(lines) // columns)
    parts, y = [], top + 14
    for index, (kind, text) in enumerate(legend.items()):
        x = MARGIN + (index % columns) * _COLUMN
        parts.append(
            _sample(kind, x, y + _LINE * (index // columns)) + _text(x + 34, y + _LINE * (index // columns), text)
        )
    y += _LINE * (-(-len(legend) // columns)) + 10
    for index, (number, text) in enumerate(lines):
        x, down = MARGIN + (index // rows) * _COLUMN, y + _LINE * (index % rows)
        parts.append((_text(x + 24, down, number, "end") if number else "") + _text(x + 34, down, text))
    return "".join(parts), y + _LINE * rows + MARGIN


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="12" fill="#14212b">{escape(text)}</text>'


def _sample(kind: str, x: float, y: float) -> str:
    """Return a box of a colour, or a line of a kind."""
    if kind in _FILL:
        fill, border = _FILL[kind]
        return f'<rect x="{x:.0f}" y="{y - 11:.0f}" width="24" height="14" rx="3" fill="{fill}" stroke="{border}"/>'
    return f'<path d="M{x:.0f} {y - 4:.0f}H{x + 26:.0f}" stroke="#3c4a53" stroke-width="1.6"{_DASH[kind]}/>'


def _kind_of_line(procedure: Procedure, rows: Sequence[DiagramRow]) -> str:
    """Return `tacit` where the silence of the administration leads, `auto` without an act, else empty."""
    if not all(row.event for row in rows):
        return ""
    silent = all(row.event == "due" or row.event in procedure.clocks for row in rows)
    return "tacit" if silent and kind_of(procedure.states[rows[0].source]) == "agent" else "auto"


def _edge(
    procedure: Procedure, drawing: GraphDrawing, pair: tuple[str, str], numbers: Sequence[int],
    numbered: Sequence[DiagramRow], taken: list[tuple[float, float, float]], key: Sequence[str],
) -> tuple[str, str]:  # fmt: skip
    """Return the line and the label with its numbers, placed apart from the labels in `taken`.

    Labels are drawn last.
    """
    points = [_centre(point) for point in drawing.path[pair]]
    down = points[-1][1] > points[0][1]
    half = HEIGHT / 2 if down else -HEIGHT / 2
    points[0] = (points[0][0], points[0][1] + half)
    points[-1] = (points[-1][0], points[-1][1] - half)
    path = [f"M{points[0][0]:.0f} {points[0][1]:.0f}"]
    for (x1, y1), (x2, y2) in itertools.pairwise(points):
        bend = (y2 - y1) / 2
        path.append(f"C{x1:.0f} {y1 + bend:.0f} {x2:.0f} {y2 - bend:.0f} {x2:.0f} {y2:.0f}")
    dash = _DASH[_kind_of_line(procedure, [numbered[number - 1] for number in numbers])]
    x, y = _free(points[0], points[1], _badge_width(numbers), taken)
    line = (
        f'<path d="{"".join(path)}" fill="none" stroke="#3c4a53" stroke-width="1.4"{dash} marker-end="url(#fleche)"/>'
    )
    return line, _badge(x, y, numbers, key)


def _along(start: tuple[float, float], end: tuple[float, float], part: float = 0.36) -> tuple[float, float]:
    """Return a point of the first bend, near its start, so that two transitions between the same boxes differ."""
    (x1, y1), (x2, y2) = start, end
    back = 1 - part
    x = x1 * (back**3 + 3 * back**2 * part) + x2 * (3 * back * part**2 + part**3)
    middle = (y1 + y2) / 2
    y = y1 * back**3 + middle * (3 * back**2 * part + 3 * back * part**2) + y2 * part**3
    return x, y


def _free(
    start: tuple[float, float], end: tuple[float, float], width: float, taken: list[tuple[float, float, float]]
) -> tuple[float, float]:
    """Return a place on the line for a label of that width, apart from those `taken`, else the first place."""
    places = [_along(start, end, part) for part in _PARTS]
    free = (
        (x, y)
        for x, y in places
        if all(abs(x - x1) >= (width + width1) / 2 + 2 or abs(y - y1) >= _BADGE + 2 for x1, y1, width1 in taken)
    )
    x, y = next(free, places[0])
    taken.append((x, y, width))
    return x, y


def _badge_width(numbers: Sequence[int]) -> int:
    return 12 + 7 * len(", ".join(map(str, numbers)))


def _badge(x: float, y: float, numbers: Sequence[int], key: Sequence[str]) -> str:
    """Return the numbers of transitions, with their text for a pointer or a screen reader."""
    text_of_all = escape("; ".join(key[number - 1] for number in numbers if number <= len(key)))
    text = ", ".join(map(str, numbers))
    width = _badge_width(numbers)
    return (
        f"<g><title>{text_of_all}</title>"
        f'<rect x="{x - width / 2:.0f}" y="{y - 9:.0f}" width="{width}" height="{_BADGE}" rx="9" fill="#fff" '
        f'stroke="#3c4a53"/><text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle" font-size="11">{text}</text></g>'
    )


def _count(x: float, y: float, text: str) -> str:
    """Return the number of dossiers, on a dark ground so that it differs from the number of a transition."""
    width = 14 + 8 * len(text)
    return (
        f'<rect x="{x - width / 2:.0f}" y="{y - 10:.0f}" width="{width}" height="20" rx="4" fill="#14212b"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle" font-size="12" fill="#fff">{escape(text)}</text>'
    )


def _loop(drawing: GraphDrawing, state: str, numbers: Sequence[int], key: Sequence[str]) -> str:
    x, y = _centre(drawing.at[state])
    return _badge(x + WIDTH / 2 - 14, y - HEIGHT / 2, numbers, key)


def _box(drawing: GraphDrawing, state: State, language: str, current: str | None, counts: Mapping[str, Count]) -> str:
    x, y = _centre(drawing.at[state.id])
    fill, border = _FILL[kind_of(state)]
    lines = _wrap(state.label.in_(language))
    weight = 3 if state.id == current else 1.4
    bold = ' font-weight="bold"' if state.id == current else ""
    radius = 28 if state.is_end else 6
    text = "".join(
        f'<tspan x="{x:.0f}" y="{y + 5 + 16 * (index - (len(lines) - 1) / 2):.0f}">{escape(line)}</tspan>'
        for index, line in enumerate(lines)
    )
    count = counts.get(state.id)
    badge = _count(x + WIDTH / 2 - 14, y - HEIGHT / 2, str(count)) if count else ""
    return (
        f'<rect x="{x - WIDTH / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="{radius}" '
        f'fill="{fill}" stroke="{border}" stroke-width="{weight}"/>'
        f'<text text-anchor="middle" fill="#14212b"{bold}>{text}</text>{badge}'
    )


def _wrap(text: str) -> list[str]:
    """Return at most three lines of about LETTERS characters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > LETTERS and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines if len(lines) <= 3 else [*lines[:2], lines[2][: LETTERS - 1] + "…"]
