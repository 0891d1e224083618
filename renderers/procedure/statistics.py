"""Statistics in words: summary sentences, tables, plots, and rows for machines.

Pages, CSV and JSON use the same rows, so their figures always agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from engine.core.values import Text
from engine.domain.reporting.figures import Cell
from engine.model import Procedure
from renderers.html.plots import Plot, columns, stacked_bars
from renderers.html.templates import span_text
from renderers.i18n import formats
from renderers.i18n.translations import Translations, in_language

FEW_SIGN, KEPT_SIGN = "<10", "hidden"  # values for machines in place of a hidden figure
LINE: Final = ("received", "answered", "standing", "delay_median", "delay_most", "in_time")
_SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "delay": ("delay_median", "delay_most", "in_time", "late", "pause_median", "pause_most"),
    "step": ("step_median", "step_most"),
    "outcome": ("outcome",),
    "refusal": ("refusal",),
    "corrected": ("corrected", "corrected_share", "corrected_field"),
    "dropped": ("opened", "dropped", "dropped_page"),
    "visit": ("missed_share", "visit"),
    "payment": ("payment",),
    "payment_why": ("payment_why",),
    "channel": ("channel",),
}
_DRAWN: Final = frozenset(
    {
        "step_median",
        "step_most",
        "outcome",
        "refusal",
        "corrected_field",
        "dropped_page",
        "visit",
        "payment",
        "payment_why",
        "channel",
    }
)
_MOST_FIELDS: Final = 10
_MOST_SAID: Final = 3  # parts in the sentence of a plot


@dataclass(frozen=True, slots=True)
class Row:
    """One figure for machines. `value` is a number, `<10` or `hidden`, and `unit` is empty for a count."""

    procedure: str
    office: str
    period: str
    figure: str
    detail: str
    label: str
    value: int | str
    unit: str


@dataclass(frozen=True, slots=True)
class FigureLine:
    """One line of a section: name and amount. `figure` is set if the line is a figure with its own definition."""

    label: str
    value: str
    figure: str = ""


@dataclass(frozen=True, slots=True)
class FigureSection:
    """One subject with its figures, and the plot of a figure in parts. `figure` is the one in the plot."""

    figure: str
    title: str
    lines: tuple[FigureLine, ...]
    plot: Plot | None


@dataclass(frozen=True, slots=True)
class TableLine:
    """One line of a table (month, office or procedure), with its figures in the order of the heads."""

    title: str
    href: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FigureTable:
    """A table. `heads` are codes and names of figures, `first` names the subject of the lines."""

    title: str
    first: str
    heads: tuple[tuple[str, str], ...]
    lines: tuple[TableLine, ...]


class StatisticsWriter:
    """Writes figures in one language.

    `operators` are the names of payment operators. `procedure` gives labels. If None, codes are shown.
    """

    def __init__(
        self, words: Translations, language: str, operators: Mapping[str, str], procedure: Procedure | None = None
    ) -> None:
        self.words, self.language, self.operators, self.definition = words, language, operators, procedure

    def say(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a key, with its facts filled in."""
        return self.words.say(key, self.language, {name: str(value) for name, value in facts.items()})

    # -- one figure ----------------------------------------------------------------------------------------------------

    def value(self, cell: Cell, rounded: bool = False) -> str:
        """Return a figure in words: `1 204`, `91 %`, `6 jours ouvrés`, `moins de 10`, `non dit`."""
        if cell.value is None:
            return self.say("stat.few" if cell.few else "stat.kept")
        amount = self.words.amount(cell.value, self.language)
        if cell.unit:
            return self.say(f"stat.unit.{cell.unit}", count=amount)
        return self.say("stat.nearly", count=amount) if rounded and cell.value else amount

    def label(self, cell: Cell) -> str:
        """Return the name of a figure's detail, or of the figure if it has none."""
        named = self._DETAILS.get(cell.figure)
        return named(self, cell.detail) if named and (cell.detail or cell.figure == "dropped_page") else self.name(cell)

    def name(self, cell: Cell) -> str:
        """Return the name of a figure without its detail."""
        return self.say(f"stat.figure.{cell.figure}")

    def _coded(self, key: str, code: str) -> str:
        return self.say(f"{key}.{code}") if self.words.has(f"{key}.{code}") else code

    def _label_of(self, text: Text | None, otherwise: str) -> str:
        return in_language(text, self.language) if text else otherwise

    def _page(self, detail: str) -> str:
        if not detail:
            return self.say("stat.no_page")
        pages = self.definition.form.pages if self.definition else ()
        return next((self._label_of(page.title, detail) for page in pages if page.id == detail), detail)

    def _field(self, detail: str) -> str:
        field = self.definition.fields.get(detail) if self.definition else None
        return self._label_of(field.label if field else None, detail)

    def _state(self, detail: str) -> str:
        state = self.definition.states.get(detail) if self.definition else None
        return self._label_of(state.label if state else None, detail)

    def _refusal(self, detail: str) -> str:
        act, _, state = detail.partition(">")
        if self.definition is None:
            return detail
        transition = next(
            (
                transition
                for transition in self.definition.transitions
                if transition.id == act and transition.event is None
            ),
            None,
        )
        end = self.definition.states.get(state)
        names = (
            self._label_of(transition.label, act) if transition else "",
            self._label_of(end.label if end else None, state),
        )
        return " → ".join(name for name in names if name)

    def _visit(self, detail: str) -> str:
        name, _, what = detail.partition(":")
        task = self.definition.tasks.get(name) if self.definition else None
        return self.say(f"stat.visit_{what}", label=self._label_of(task.label if task else None, name))

    def _payment(self, detail: str) -> str:
        provider, _, what = detail.partition(":")
        said = self._coded("stat.ending", what)
        return self.say("stat.payment_line", provider=self.operators.get(provider, provider), what=said)

    def _why(self, detail: str) -> str:
        provider, _, why = detail.partition(":")
        said = self._coded("journal.value", why)
        return self.say("stat.payment_line", provider=self.operators.get(provider, provider), what=said)

    _DETAILS: Final[Mapping[str, Callable[[StatisticsWriter, str], str]]] = {
        "channel": lambda self, detail: self._coded("stat.channel", detail),
        "outcome": lambda self, detail: self._coded("stat.outcome", detail),
        "refusal": _refusal, "corrected_field": _field, "dropped_page": _page, "visit": _visit, "payment": _payment,
        "payment_why": _why, "step_median": _state, "step_most": _state,
    }  # fmt: skip

    # -- periods -------------------------------------------------------------------------------------------------------

    def period(self, key: str) -> str:
        """Return a period in words: `octobre 2026` for `2026-10`, `Année 2026` for `2026`."""
        if "-" in key:
            return formats.month(date.fromisoformat(f"{key}-01"), self.language)
        return self.say("stat.year", year=key)

    # -- in a sentence -------------------------------------------------------------------------------------------------

    def summary(self, period: str, cells: Sequence[Cell], rounded: frozenset[str]) -> list[str]:
        """Return the first sentences: requests, share in time, delays, dropped drafts.

        Figures in `rounded` are given as approximate.
        """
        known = {one.figure: one for one in cells if not one.detail}
        found = [self._summed(period, known, rounded)]
        if reported := self._reported(known, "in_time"):
            announced = self.announced()
            key = "stat.sum_in_time_of" if announced else "stat.sum_in_time"
            found.append(self.say(key, percent=self.value(reported), announced=announced))
        median, most = self._reported(known, "delay_median"), self._reported(known, "delay_most")
        if median and most:
            found.append(self.say("stat.sum_time", median=self.value(median), most=self.value(most)))
        dropped = self._reported(known, "dropped")
        if dropped and dropped.value:
            found.append(self.say("stat.sum_dropped", count=self.value(dropped)))
        return found

    def _summed(self, period: str, known: Mapping[str, Cell], rounded: frozenset[str]) -> str:
        parts = []
        for figure, key in (("received", "sum_in"), ("answered", "sum_out"), ("standing", "sum_wait")):
            cell = self._reported(known, figure)
            if cell is not None:
                parts.append(self.say(f"stat.{key}", count=self.value(cell, figure in rounded)))
        if not parts or self._reported(known, "received") is None:
            parts.insert(0, self.say("stat.sum_in_few"))
        text = self.say("stat.sum_first", period=self.period(period), parts=", ".join(parts))
        return text[:1].upper() + text[1:]

    def _reported(self, known: Mapping[str, Cell], figure: str) -> Cell | None:
        cell = known.get(figure)
        return cell if cell is not None and cell.value is not None else None

    def announced(self) -> str:
        """Return the delays that the public page announces, each once."""
        entries = self.definition.identity.delay.entries if self.definition else ()
        return " / ".join(dict.fromkeys(span_text(self.words, span, self.language) for _, span in entries))

    # -- tables --------------------------------------------------------------------------------------------------------

    def table(
        self, title: str, first: str, lines: Iterable[tuple[str, str, Sequence[Cell]]], rounded: frozenset[str]
    ) -> FigureTable | None:
        """Return a table from (name, address, figures), None without lines.

        A figure absent from all lines has no column.
        """
        rows = [(name, href, {one.figure: one for one in cells}) for name, href, cells in lines]
        figures = [figure for figure in LINE if any(figure in cells for _, _, cells in rows)]
        heads = tuple((figure, self.say(f"stat.figure.{figure}")) for figure in figures)
        reported = tuple(
            TableLine(name, href, tuple(
                self.value(cells[figure], figure in rounded) if figure in cells else "–"
                for figure in figures
            ))
            for name, href, cells in rows
        )  # fmt: skip
        return FigureTable(title, first, heads, reported) if reported else None

    def sections(self, cells: Sequence[Cell]) -> Iterator[FigureSection]:
        """Yield the remaining figures by subject. A subject without data is left out."""
        for name, figures in _SECTIONS.items():
            here = [one for figure in figures for one in self._of(cells, figure)]
            if any(one.value != 0 for one in here):
                title, drawn = self.say(f"stat.section.{name}"), [one for one in here if one.figure in _DRAWN]
                plot = self._steps(title, here) if name == "step" else self._parts(title, drawn)
                lines = tuple(self._lines([one for one in here if plot is None or one not in drawn]))
                yield FigureSection(drawn[0].figure if drawn else "", title, lines, plot)

    def _of(self, cells: Sequence[Cell], figure: str) -> list[Cell]:
        found = [one for one in cells if one.figure == figure]
        return found[:_MOST_FIELDS] if figure == "corrected_field" else found

    def _lines(self, cells: Sequence[Cell]) -> Iterator[FigureLine]:
        if self.announced() and cells and cells[0].figure == "delay_median":
            yield FigureLine(self.say("stat.announced"), self.announced())
        for one in cells:
            yield FigureLine(self.label(one), self.value(one), "" if one.figure in _DRAWN else one.figure)

    def _parts(self, title: str, cells: Sequence[Cell]) -> Plot | None:
        """Return the plot of a figure in parts, None if every part is hidden or nothing is counted."""
        if not any(one.value for one in cells):
            return None
        name, rows = self.name(cells[0]), [(self.label(one), [(one.value, self.value(one))]) for one in cells]
        said = ", ".join(f"{label} {values[0][1]}" for label, values in rows[:_MOST_SAID])
        return stacked_bars(name, self.say("frame.pair", label=title, value=said), title, (name,), rows, self._amount)

    def _steps(self, title: str, cells: Sequence[Cell]) -> Plot:
        """Return the plot of the times of each state, in the order of the workflow."""
        median, most = ({one.detail: one for one in cells if one.figure == f"step_{of}"} for of in ("median", "most"))
        order = [one for one in self.definition.states if one in median] if self.definition else []
        order += [one for one in median if one not in order]
        rows = [
            (self.label(median[one]), [
                (median[one].value, self.value(median[one])),
                ((most[one].value or 0) - (median[one].value or 0), self.value(most[one])),
            ])
            for one in order
        ]  # fmt: skip
        units = " / ".join(self.say(f"stat.units.{one}") for one in dict.fromkeys(one.unit for one in median.values()))
        series = [self.say(f"stat.series_{of}", units=units) for of in ("median", "most")]
        said = ", ".join(f"{label} {values[0][1]}" for label, values in rows[:_MOST_SAID])
        sentence = self.say("frame.pair", label=title, value=said)
        return stacked_bars(title, sentence, self.say("stat.step"), series, rows, self._amount)

    def _amount(self, value: int) -> str:
        return self.words.amount(value, self.language)

    def definitions(self, cells: Iterable[Cell]) -> list[tuple[str, str, str]]:
        """Return code, name and meaning of each figure, each once."""
        figures = dict.fromkeys(one.figure for one in cells)
        return [(one, self.say(f"stat.figure.{one}"), self.say(f"stat.says.{one}")) for one in figures]

    # -- the plot of months --------------------------------------------------------------------------------------------

    def months(self, months: Sequence[tuple[str, Sequence[Cell]]]) -> Plot | None:
        """Return the plot of requests and answers of each month, None for fewer than two months or no data."""
        found = [(month, [self._cell(cells, one) for one in ("received", "answered")]) for month, cells in months]
        if len(found) < 2 or not any(one.value for _, both in found for one in both):
            return None
        series = [self.say(f"stat.series_{one}") for one in ("received", "answered")]
        last = ", ".join(f"{self.value(one)} {name}" for one, name in zip(found[-1][1], series, strict=True))
        said = self.say("stat.sum_first", period=self.period(found[-1][0]), parts=last)
        rows = [
            (self.period(month), month[5:], [(one.value, self.value(one)) for one in both]) for month, both in found
        ]
        title = self.say("stat.chart")
        return columns(
            title, self.say("frame.pair", label=title, value=said), self.say("stat.month"), series, rows, self._amount
        )

    def _cell(self, cells: Sequence[Cell], figure: str) -> Cell:
        return next((one for one in cells if one.figure == figure), Cell(figure, 0))

    # -- for machines --------------------------------------------------------------------------------------------------

    def rows(self, procedure: str, office: str, period: str, cells: Iterable[Cell]) -> Iterator[Row]:
        """Yield the figures as rows for machines, with a sign in place of a hidden value."""
        for one in cells:
            value = one.value if one.value is not None else FEW_SIGN if one.few else KEPT_SIGN
            yield Row(procedure, office, period, one.figure, one.detail, str(self.label(one)), value, one.unit)
