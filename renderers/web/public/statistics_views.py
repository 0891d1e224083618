"""What the pages of statistics show: figures of one procedure or several, in a month or a year."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

from flask import request

from engine.domain.common.working_time import add_months
from engine.domain.reporting.figures import (
    FLOWING,
    Cell,
    all_cells,
    figures_of,
    flow_cells,
    office_cells,
    parted,
    total_cells,
)
from engine.model import Procedure
from engine.model.summary import EditionSummary
from engine.records.statistics import Count
from engine.services.audit.statistics import Counted, Reach, counted_procedures, table_of, trend_of
from renderers.html.pagination import Paged, paged
from renderers.html.plots import Plot
from renderers.procedure.statistics import FigureSection, FigureTable, Row, StatisticsWriter
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.request_context import app_ctx, language, say, site

_TREND: Final = 12  # months drawn


@dataclass(frozen=True, slots=True)
class Period:
    """A month (`2026-10`) or a year (`2026`), from its first month to its last."""

    key: str
    first: str
    last: str

    @property
    def begins(self) -> date:
        """The first day of the period."""
        return date.fromisoformat(f"{self.first}-01")

    @property
    def ends(self) -> date:
        """The day after the last day of the period."""
        return add_months(date.fromisoformat(f"{self.last}-01"), 1)

    @property
    def months(self) -> tuple[str, ...]:
        """The months of the plot: those of the year, or the twelve that end with the month."""
        if self.first != self.last:
            return tuple(month_of(self.begins, number) for number in range(12))
        return months_until(self.last, _TREND)


Address: TypeAlias = Callable[[EditionSummary, Period], str]  # of the page of one procedure


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows, and the rows that CSV and JSON contain instead."""

    period: Period
    summary: tuple[str, ...]
    cells: tuple[Cell, ...]
    plot: Plot | None
    tables: tuple[FigureTable, ...]
    sections: tuple[FigureSection, ...]
    definitions: tuple[tuple[str, str, str], ...]
    rows: tuple[Row, ...]


# -- figures -----------------------------------------------------------------------------------------------------------


def writer_of(procedure: Procedure | None = None) -> StatisticsWriter:
    """Return the writer of figures in the page's language. `procedure` supplies labels of its parts."""
    operators = {name: one.label for name, one in app_ctx().providers.items()}
    return StatisticsWriter(site().words, language(), operators, procedure)


def shown_of_one(procedure: Procedure, counts: Mapping[Count, int], period: Period, few: int, place: str) -> Shown:
    """Return the figures of one procedure: the period, the earlier months of the plot, and the offices.

    Figures below `few` are hidden. 0 hides none.
    """
    writer = writer_of(procedure)
    figures = figures_of(counts, period.first, period.last)
    cells = () if figures.is_empty else all_cells(figures, few)
    months = _months(counts, period, few)
    offices = {name: figures_of(found, period.first, period.last) for name, found in parted(counts, "office").items()}
    by_office = office_cells({name: one for name, one in offices.items() if not one.is_empty}, few)
    rows = [*writer.rows(procedure.id, place, period.key, cells)]
    rows += [
        row for month, one in months if month != period.key for row in writer.rows(procedure.id, place, month, one)
    ]
    if len(by_office) > 1:
        rows += [row for name, one in by_office.items() for row in writer.rows(procedure.id, name, period.key, one)]
    lines = [(str(place_label(name) or name), "", one) for name, one in by_office.items()] if len(by_office) > 1 else []
    rounded = frozenset({"standing"}) if few else frozenset()
    tables = (
        _month_table(writer, months, rounded),
        writer.table(say("stat.by_office"), say("stat.office"), sorted(lines, key=lambda one: one[0]), rounded),
    )
    return Shown(
        period, tuple(writer.summary(period.key, cells, rounded)) if cells else (), cells, writer.months(months),
        tuple(one for one in tables if one is not None), tuple(writer.sections(cells)),
        tuple(writer.definitions(cells)), tuple(rows),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Many:
    """Several procedures with figures, in the order of titles, and the reach of the actor."""

    within: tuple[Reach, ...]
    listed: tuple[EditionSummary, ...]

    def paged(self, path: str, size: int, **asked: str) -> Paged[EditionSummary]:
        """Return one page of the procedures, or all of them with `size` 0."""
        page = request.args.get("page", "") if size else ""
        return paged(self.listed, page, path, size=size or len(self.listed) or 1, **asked)


def many_of(within: tuple[Reach, ...], summaries: Iterable[EditionSummary], period: Period) -> Many:
    """Return those of `summaries` that have figures in the period, in the order of titles."""
    known = counted_procedures(app_ctx(), within, period.first, period.last)
    return Many(within, tuple(sorted((one for one in summaries if one.id in known), key=lambda one: label(one.title))))


def shown_of_many(
    many: Many, summaries: Sequence[EditionSummary], period: Period, few: int, address: Address
) -> tuple[Shown, Counted]:
    """Return the total of several procedures by month, and the figures of each of `summaries`.

    Figures below `few` are hidden. 0 hides none.
    """
    table = table_of(app_ctx(), many.within, period.first, period.last, [one.id for one in summaries])
    trend = trend_of(app_ctx(), many.within, period.months[0]).counts
    writer, by_procedure = writer_of(), parted(table.counts, "procedure")
    each = [
        (one, flow_cells(figures_of(by_procedure.get(one.id, {}), period.first, period.last), few)) for one in summaries
    ]
    figures = figures_of(trend, period.first, period.last)
    cells = () if figures.is_empty else total_cells(figures, few)
    months = _months(trend, period, few, total=True)
    rows = [*writer.rows("", "", period.key, cells)]
    rows += [row for month, one in months if month != period.key for row in writer.rows("", "", month, one)]
    rows += [row for one, reported in each for row in writer.rows(one.id, "", period.key, reported)]
    totals = frozenset(FLOWING) if few else frozenset()
    lines = [(label(one.title), address(one, period), reported) for one, reported in each]
    tables = (
        _month_table(writer, [(month, reported[: len(FLOWING)]) for month, reported in months], totals),
        writer.table(say("stat.by_procedure"), say("stat.procedure"), lines, totals & {"standing"}),
    )
    reported = [one for _, each_reported in each for one in each_reported]
    shown = Shown(
        period, tuple(writer.summary(period.key, cells, totals)) if cells else (), cells, writer.months(months),
        tuple(one for one in tables if one is not None), (), tuple(writer.definitions([*cells, *reported])), tuple(rows),
    )  # fmt: skip
    return shown, table


def _months(
    counts: Mapping[Count, int], period: Period, few: int, total: bool = False
) -> list[tuple[str, tuple[Cell, ...]]]:
    """Return the months of the plot, from the first with a figure."""
    reported = total_cells if total else flow_cells
    found = [(one, figures_of(counts, one, one)) for one in period.months]
    begun = next((at for at, (_, figures) in enumerate(found) if not figures.is_empty), len(found))
    return [(month, reported(figures, few)) for month, figures in found[begun:]]


def _month_table(
    writer: StatisticsWriter, months: Sequence[tuple[str, Sequence[Cell]]], rounded: frozenset[str]
) -> FigureTable | None:
    lines = [(writer.period(month), "", cells) for month, cells in reversed(months)]
    return writer.table(say("stat.by_month"), say("stat.month"), lines, rounded)


# -- months ------------------------------------------------------------------------------------------------------------


def month_of(day: date, ahead: int) -> str:
    """Return the month (`2026-10`) that is `ahead` months after that of `day`. Negative values go back."""
    return add_months(day.replace(day=1), ahead).isoformat()[:7]


def months_until(last: str, count: int) -> tuple[str, ...]:
    """Return `count` months that end with `last`, the oldest first."""
    return tuple(month_of(date.fromisoformat(f"{last}-01"), -back) for back in range(count - 1, -1, -1))


def month_period(month: str) -> Period:
    """Return the period of one month."""
    return Period(month, month, month)
