"""Statistics, for everybody and at the desks: the figures of one procedure, or of several; each page as CSV and JSON too.

The public reads whole months only, one at a time, without what few people stand behind: months do not overlap, so that none is
the rest of two others. Agents and controllers read what is theirs to know, as it is, month or year.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Final, Literal, TypeAlias
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from engine.clock import local_day
from engine.definition.model import Procedure
from engine.definition.outline import Outline
from engine.office.statistics import (
    Counted,
    counted_until,
    counts_for,
    leads,
    own_acts,
    public_counts,
    public_months,
    public_table,
    scope,
)
from engine.records.tallies import Count
from engine.rules.calendars import add_months, at_minute
from engine.rules.figures import FEW, Cell, all_cells, figures_of, flow_cells, office_cells, parted, total_cells
from renderers.paging import Paged, paged
from renderers.statistics_text import Chart, Row, Section, StatisticsWriter, Table, TableLine
from renderers.web.base import actor, agent, auditor, language, office, page, public, say, site
from renderers.web.cases import label, place_label
from renderers.web.desk import book_of, desk_page, known
from renderers.web.editions import json_response
from renderers.web.tables import csv_response

blueprint = Blueprint("statistics", __name__)

Kind: TypeAlias = Literal["html", "csv", "json"]

_FLOWING: Final = ("received", "answered", "standing")  # what several procedures come to, month after month
_TREND: Final = 12  # months drawn
_OFFERED: Final = 24  # months to choose from
_PUBLIC_PAGE: Final = 20
_DESK_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Period:
    """A month (`2026-10`) or a year (`2026`), from its first month to its last."""

    key: str
    first: str
    last: str

    @property
    def begins(self) -> date:
        return date.fromisoformat(f"{self.first}-01")

    @property
    def ends(self) -> date:
        """The day after its last one."""
        return add_months(date.fromisoformat(f"{self.last}-01"), 1)

    @property
    def months(self) -> tuple[str, ...]:
        """Those that its chart draws: its own, or those that lead to it."""
        if self.first != self.last:
            return tuple(_month(self.begins, number) for number in range(12))
        return _until(self.last, _TREND)


Address: TypeAlias = Callable[[Outline, Period], str]  # of the page of one procedure


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows, and the rows that machines read instead."""

    period: Period
    summary: tuple[str, ...]
    cells: tuple[Cell, ...]
    chart: Chart | None
    tables: tuple[Table, ...]
    sections: tuple[Section, ...]
    definitions: tuple[tuple[str, str, str], ...]
    rows: tuple[Row, ...]


# -- for everybody -----------------------------------------------------------------------------------------------------


@blueprint.get("/statistiques")
@blueprint.get("/statistiques.csv", defaults={"kind": "csv"})
@blueprint.get("/statistiques.json", defaults={"kind": "json"})
@public
def of_all(kind: Kind = "html") -> Response:
    """All procedures in one whole month, the last one unless `mois` says another."""
    until = counted_until(office())
    period = _public_period(_last_whole(local_day(until)))
    counted = public_table(office(), period.first)
    months = public_months(office(), period.months[0], period.first, period.last)
    shown = _of_many(office().catalogue.outlines(), counted.counts, months.counts, period, FEW, _public_address)
    if kind != "html":
        return _taken(shown, kind, counted, shared=True)
    return _public_page(shown, counted, "/statistiques", "")


@blueprint.get("/demarches/<slug>/statistiques")
@blueprint.get("/demarches/<slug>/statistiques.csv", defaults={"kind": "csv"})
@blueprint.get("/demarches/<slug>/statistiques.json", defaults={"kind": "json"})
@public
def of_procedure(slug: str, kind: Kind = "html") -> Response:
    """One procedure in one whole month."""
    book = known(book_of(slug))
    period = _public_period(_last_whole(local_day(counted_until(office()))))
    counted = public_counts(office(), period.months[0], slug)
    shown = _of_one(book, counted.counts, period, FEW, "")
    if kind != "html":
        return _taken(shown, kind, counted, shared=True)
    return _public_page(shown, counted, f"/demarches/{slug}/statistiques", label(book.identity.title))


def _last_whole(day: date) -> str:
    """The last month that is over, everything of it being counted."""
    return _month(day, -1)


def _public_period(last: str) -> Period:
    asked = request.args.get("mois", "")
    return _month_period(asked if asked in _until(last, _OFFERED) else last)


def _public_address(outline: Outline, period: Period) -> str:
    return f"/demarches/{outline.id}/statistiques?{urlencode({'mois': period.key})}"


def _public_page(shown: Shown, counted: Counted, path: str, procedure: str) -> Response:
    last = _last_whole(local_day(counted.until))
    writer = _writer()
    tables, more = _paged(shown, path, _PUBLIC_PAGE, mois=shown.period.key)
    return page(
        "statistics.html", desk="", shown=shown, tables=tables, more=more, title=say("stat.of", procedure=procedure) if procedure else say("stat.title"),
        procedure=procedure, path=path, until=counted.until, nothing=_nothing_yet(shown, last), rule=True,
        fields=[("mois", say("stat.month"), "", [(one, writer.period(one)) for one in reversed(_until(last, _OFFERED))])],
        chosen={"mois": shown.period.key}, own="",
        links=_twins(path, mois=shown.period.key),
    )  # fmt: skip


def _nothing_yet(shown: Shown, last: str) -> str:
    if shown.rows:
        return ""
    if shown.period.key != last:
        return say("stat.none")
    return say("stat.none_yet", day=site().words.plain_day(add_months(date.fromisoformat(f"{last}-01"), 2), language()))


# -- at the desks ------------------------------------------------------------------------------------------------------


@blueprint.get("/agent/statistiques")
@blueprint.get("/agent/statistiques.csv", defaults={"kind": "csv"})
@blueprint.get("/agent/statistiques.json", defaults={"kind": "json"})
@agent()
def of_agent(kind: Kind = "html") -> Response:
    """What this agent may know; and what they did themself, told to nobody else."""
    return _desk("/agent/statistiques", kind)


@blueprint.get("/audit/statistiques")
@blueprint.get("/audit/statistiques.csv", defaults={"kind": "csv"})
@blueprint.get("/audit/statistiques.json", defaults={"kind": "json"})
@auditor
def of_auditor(kind: Kind = "html") -> Response:
    return _desk("/audit/statistiques", kind)


def _desk(path: str, kind: Kind) -> Response:
    mine = {one.id: one for one in sorted(scope(office(), actor()), key=lambda one: label(one.title))}
    period, places = _desk_period(), _places(mine.values())
    procedure = _among(request.args.get("demarche", ""), mine) or (next(iter(mine)) if len(mine) == 1 else "")
    place = _among(request.args.get("bureau", ""), dict(places))
    counted = counts_for(office(), actor(), period.months[0], period.first, period.last, procedure, place)
    asked = {"periode": period.key, "demarche": procedure, "bureau": place}
    if procedure:
        shown = _of_one(known(book_of(procedure)), counted.counts, period, 0, place)
    else:

        def address(one: Outline, period: Period) -> str:
            return f"{path}?{urlencode({**asked, 'demarche': one.id})}"

        shown = _of_many(mine.values(), counted.counts, counted.counts, period, 0, address)
    if kind != "html":
        return _taken(shown, kind, counted, shared=False)
    title = label(mine[procedure].title) if procedure else ""
    tables, more = _paged(shown, path, _DESK_PAGE, **asked)
    return desk_page(
        "statistics.html", desk=path, shown=shown, tables=tables, more=more, title=say("stat.of", procedure=title) if title else say("stat.title"),
        procedure=title, path=path, until=counted.until, nothing="" if shown.rows else say("stat.none"), rule=False,
        fields=_desk_fields(mine.values(), places), chosen=asked, own=_own(period),
        links=_twins(path, **asked),
    )  # fmt: skip


def _desk_period() -> Period:
    asked, now = request.args.get("periode", ""), office().day()
    if asked in _until(_month(now, 0), _OFFERED):
        return _month_period(asked)
    if asked in _years(now):
        return Period(asked, f"{asked}-01", f"{asked}-12")
    return _month_period(_month(now, 0))


def _years(day: date) -> tuple[str, ...]:
    return tuple(str(day.year - back) for back in range(3))


def _desk_fields(
    mine: Iterable[Outline], places: Sequence[tuple[str, str]]
) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    """Name, label, what stands for all, and the choices of each filter."""
    now, writer = office().day(), _writer()
    periods = [*reversed(_until(_month(now, 0), _OFFERED)), *_years(now)]
    procedures = [(one.id, str(label(one.title))) for one in mine]
    found = [("periode", say("stat.period"), "", [(one, writer.period(one)) for one in periods])]
    if len(procedures) > 1:
        found.append(("demarche", say("stat.procedure"), say("stat.any_procedure"), procedures))
    if len(places) > 1:
        found.append(("bureau", say("stat.office"), say("stat.any_office"), list(places)))
    return found


def _places(mine: Iterable[Outline]) -> list[tuple[str, str]]:
    """The offices that may be chosen: those of the agencies whose figures these are, as far as this person knows them."""
    who, agencies = actor(), {one.agency: leads(actor(), one) for one in mine}
    return [
        (one.id, str(label(one.label)))
        for one in office().directory.offices.values()
        if one.agency in agencies and (agencies[one.agency] or not who.offices or one.id in who.offices)
    ]


def _among(asked: str, offered: Mapping[str, object]) -> str:
    return asked if asked in offered else ""


def _own(period: Period) -> str:
    """What this agent did in the period; nothing for a controller, who does nothing here."""
    if actor().kind != "agent":
        return ""
    acts = own_acts(office(), actor(), at_minute(period.begins, 0), at_minute(period.ends, 0))
    return say("stat.own_text", steps=acts.steps, dossiers=acts.dossiers, messages=acts.messages)


# -- figures -----------------------------------------------------------------------------------------------------------


def _writer(book: Procedure | None = None) -> StatisticsWriter:
    operators = {name: one.label for name, one in office().providers.items()}
    return StatisticsWriter(site().words, language(), operators, book)


def _of_one(book: Procedure, counts: Mapping[Count, int], period: Period, few: int, place: str) -> Shown:
    """One procedure: everything of the period, the months that lead to it, its offices."""
    writer = _writer(book)
    figures = figures_of(counts, period.first, period.last)
    cells = () if figures.is_empty else all_cells(figures, few)
    months = _months(counts, period, few)
    offices = {name: figures_of(found, period.first, period.last) for name, found in parted(counts, "office").items()}
    by_office = office_cells({name: one for name, one in offices.items() if not one.is_empty}, few)
    rows = [*writer.rows(book.id, place, period.key, cells)]
    rows += [row for month, one in months if month != period.key for row in writer.rows(book.id, place, month, one)]
    if len(by_office) > 1:
        rows += [row for name, one in by_office.items() for row in writer.rows(book.id, name, period.key, one)]
    lines = [(str(place_label(name) or name), "", one) for name, one in by_office.items()] if len(by_office) > 1 else []
    rounded = frozenset({"standing"}) if few else frozenset()
    tables = (
        _month_table(writer, months, rounded),
        writer.table(say("stat.by_office"), say("stat.office"), sorted(lines, key=lambda one: one[0]), rounded),
    )
    return Shown(
        period, tuple(writer.summary(period.key, cells, rounded)) if cells else (), cells, writer.chart(months),
        tuple(one for one in tables if one is not None), tuple(writer.sections(cells)),
        tuple(writer.definitions(cells)), tuple(rows),
    )  # fmt: skip


def _of_many(
    outlines: Iterable[Outline], counts: Mapping[Count, int], trend: Mapping[Count, int], period: Period, few: int,
    address: Address,
) -> Shown:  # fmt: skip
    """Several procedures: what they come to, month after month, and each of them, by title."""
    writer, by_procedure = _writer(), parted(counts, "procedure")
    each = [
        (one, flow_cells(figures_of(by_procedure[one.id], period.first, period.last), few))
        for one in sorted(outlines, key=lambda one: label(one.title))
        if one.id in by_procedure and not figures_of(by_procedure[one.id], period.first, period.last).is_empty
    ]
    figures = figures_of(trend, period.first, period.last)
    cells = () if figures.is_empty else total_cells(figures, few)
    months = _months(trend, period, few, total=True)
    rows = [*writer.rows("", "", period.key, cells)]
    rows += [row for month, one in months if month != period.key for row in writer.rows("", "", month, one)]
    rows += [row for one, told in each for row in writer.rows(one.id, "", period.key, told)]
    totals = frozenset({"received", "answered", "standing"}) if few else frozenset()
    lines = [(str(label(one.title)), address(one, period), told) for one, told in each]
    tables = (
        _month_table(writer, [(month, told[: len(_FLOWING)]) for month, told in months], totals),
        writer.table(say("stat.by_procedure"), say("stat.procedure"), lines, totals & {"standing"}),
    )
    told = [one for _, each_told in each for one in each_told]
    return Shown(
        period, tuple(writer.summary(period.key, cells, totals)) if cells else (), cells, writer.chart(months),
        tuple(one for one in tables if one is not None), (), tuple(writer.definitions([*cells, *told])), tuple(rows),
    )  # fmt: skip


def _months(
    counts: Mapping[Count, int], period: Period, few: int, total: bool = False
) -> list[tuple[str, tuple[Cell, ...]]]:
    """Each month drawn, from the first in which anything was counted."""
    told = total_cells if total else flow_cells
    found = [(one, figures_of(counts, one, one)) for one in period.months]
    begun = next((at for at, (_, figures) in enumerate(found) if not figures.is_empty), len(found))
    return [(month, told(figures, few)) for month, figures in found[begun:]]


def _month_table(
    writer: StatisticsWriter, months: Sequence[tuple[str, Sequence[Cell]]], rounded: frozenset[str]
) -> Table | None:
    lines = [(writer.period(month), "", cells) for month, cells in reversed(months)]
    return writer.table(say("stat.by_month"), say("stat.month"), lines, rounded)


# -- months ------------------------------------------------------------------------------------------------------------


def _month(day: date, ahead: int) -> str:
    return add_months(day.replace(day=1), ahead).isoformat()[:7]


def _until(last: str, count: int) -> tuple[str, ...]:
    """So many months, the last one said, oldest first."""
    return tuple(_month(date.fromisoformat(f"{last}-01"), -back) for back in range(count - 1, -1, -1))


def _month_period(month: str) -> Period:
    return Period(month, month, month)


def _paged(shown: Shown, path: str, size: int, **asked: str) -> tuple[list[Table], Paged[TableLine] | None]:
    """The tables of a page; the one that may be long, the last, in pages of its own."""
    if not shown.tables or len(shown.tables[-1].lines) <= size:
        return list(shown.tables), None
    long = shown.tables[-1]
    here = paged(long.lines, request.args.get("page", ""), path, size=size, **asked)
    return [*shown.tables[:-1], replace(long, lines=here.items)], here


# -- taken away --------------------------------------------------------------------------------------------------------


def _twins(path: str, **asked: str) -> tuple[str, str]:
    """The same figures as CSV and as JSON."""
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{path}.csv?{query}", f"{path}.json?{query}"


def _taken(shown: Shown, kind: Kind, counted: Counted, *, shared: bool) -> Response:
    name = f"statistiques-{shown.period.key}.{kind}"
    if kind == "csv":
        names = [one.name for one in fields(Row)]
        response = csv_response([names, *([getattr(one, name) for name in names] for one in shown.rows)], name)
        if shared:
            response.headers["Access-Control-Allow-Origin"] = "*"
        return response
    return json_response({
        "period": shown.period.key, "counted_until": counted.until.isoformat(timespec="seconds"), "language": language(),
        "fewer_than": FEW if shared else None,
        "figures": {code: {"name": name, "says": says} for code, name, says in shown.definitions},
        "rows": [asdict(one) for one in shown.rows],
    }, name, shared=shared)  # fmt: skip
