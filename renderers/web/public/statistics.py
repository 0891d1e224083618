"""Statistics for the public, agents and auditors, as page, CSV and JSON.

The public reads one whole month at a time, without small figures. Months do not overlap, so no hidden figure follows
from two others. Agents and auditors read exact figures within their rights, by month or year.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date
from typing import Final, Literal, TypeAlias
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from engine.core.clock import local_day
from engine.domain.common.working_time import add_months, at_minute
from engine.domain.reporting.figures import FEW
from engine.model import Procedure
from engine.model.summary import EditionSummary
from engine.services.appointments.office_day import occupancy
from engine.services.audit.statistics import (
    EVERYTHING,
    Counted,
    counted_until,
    counts_of_one,
    leads,
    own_acts,
    public_counts,
    reach,
    scope,
)
from renderers.html.pagination import Paged
from renderers.html.plots import Heat, heat
from renderers.i18n.formats import weekday
from renderers.procedure.statistics import Row
from renderers.web.platform.access import agent, auditor, public
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import actor, app_ctx, day_of, language, page, say, site
from renderers.web.platform.tables import csv_response
from renderers.web.public.statistics_views import (
    Period,
    Shown,
    many_of,
    month_of,
    month_period,
    months_until,
    shown_of_many,
    shown_of_one,
    writer_of,
)
from renderers.web.shared.editions import json_response
from renderers.web.shared.staff import known, procedure_of, staff_page

blueprint = Blueprint("statistics", __name__)

Kind: TypeAlias = Literal["html", "csv", "json"]

_OFFERED: Final = 24  # months to choose from
_PUBLIC_PAGE: Final = 20
_STAFF_PAGE: Final = 50


# -- for the public ----------------------------------------------------------------------------------------------------


@blueprint.get("/statistiques")
@blueprint.get("/statistiques.csv", defaults={"kind": "csv"})
@blueprint.get("/statistiques.json", defaults={"kind": "json"})
@public
def of_all(kind: Kind = "html") -> Response:
    """Show all procedures in one whole month, by default the last. `mois` in the query selects another."""
    until = counted_until(app_ctx())
    period = _public_period(_last_whole(local_day(until)))
    many = many_of(EVERYTHING, app_ctx().catalogue.summaries(), period)
    here = many.paged("/statistiques", 0 if kind != "html" else _PUBLIC_PAGE, mois=period.key)
    shown, counted = shown_of_many(many, here.items, period, FEW, _public_address)
    if kind != "html":
        return _taken(shown, kind, counted, shared=True)
    return _public_page(shown, counted, "/statistiques", "", here)


@blueprint.get("/demarches/<slug>/statistiques")
@blueprint.get("/demarches/<slug>/statistiques.csv", defaults={"kind": "csv"})
@blueprint.get("/demarches/<slug>/statistiques.json", defaults={"kind": "json"})
@public
def of_procedure(slug: str, kind: Kind = "html") -> Response:
    """Show one procedure in one whole month. Raises `NotFound`."""
    procedure = known(procedure_of(slug))
    period = _public_period(_last_whole(local_day(counted_until(app_ctx()))))
    counted = public_counts(app_ctx(), period.months[0], slug)
    shown = shown_of_one(procedure, counted.counts, period, FEW, "")
    if kind != "html":
        return _taken(shown, kind, counted, shared=True)
    return _public_page(shown, counted, f"/demarches/{slug}/statistiques", label(procedure.identity.title))


def _last_whole(day: date) -> str:
    """Return the last whole month that is counted completely."""
    return month_of(day, -1)


def _public_period(last: str) -> Period:
    asked = request.args.get("mois", "")
    return month_period(asked if asked in months_until(last, _OFFERED) else last)


def _public_address(summary: EditionSummary, period: Period) -> str:
    return f"/demarches/{summary.id}/statistiques?{urlencode({'mois': period.key})}"


def _public_page(
    shown: Shown, counted: Counted, path: str, procedure: str, more: Paged[EditionSummary] | None = None
) -> Response:
    last = _last_whole(local_day(counted.until))
    writer = writer_of()
    return page(
        "statistics.html", area="", shown=shown, more=more,
        title=say("stat.of", procedure=procedure) if procedure else say("stat.title"),
        procedure=procedure, path=path, until=counted.until, nothing=_nothing_yet(shown, last), rule=True,
        heat=None, fields=[("mois", say("stat.month"), "", [(one, writer.period(one)) for one in reversed(months_until(last, _OFFERED))])],
        chosen={"mois": shown.period.key}, own="",
        links=_twins(path, mois=shown.period.key),
    )  # fmt: skip


def _nothing_yet(shown: Shown, last: str) -> str:
    if shown.rows:
        return ""
    if shown.period.key != last:
        return say("stat.none")
    return say("stat.none_yet", day=day_of(add_months(date.fromisoformat(f"{last}-01"), 2)))


# -- for agents and auditors -------------------------------------------------------------------------------------------


@blueprint.get("/agent/statistiques")
@blueprint.get("/agent/statistiques.csv", defaults={"kind": "csv"})
@blueprint.get("/agent/statistiques.json", defaults={"kind": "json"})
@agent()
def of_agent(kind: Kind = "html") -> Response:
    """Show the figures that the agent may read, and the agent's own acts, which only that agent sees."""
    return _area("/agent/statistiques", kind)


@blueprint.get("/audit/statistiques")
@blueprint.get("/audit/statistiques.csv", defaults={"kind": "csv"})
@blueprint.get("/audit/statistiques.json", defaults={"kind": "json"})
@auditor
def of_auditor(kind: Kind = "html") -> Response:
    """Show the figures of the procedures within the auditor's mandate."""
    return _area("/audit/statistiques", kind)


def _area(path: str, kind: Kind) -> Response:
    mine = {one.id: one for one in sorted(scope(app_ctx(), actor()), key=lambda one: label(one.title))}
    period, places = _staff_period(), _places(mine.values())
    procedure = _among(request.args.get("demarche", ""), mine) or (next(iter(mine)) if len(mine) == 1 else "")
    place = _among(request.args.get("bureau", ""), dict(places))
    asked = {"periode": period.key, "demarche": procedure, "bureau": place}
    more = None
    if procedure:
        counted = counts_of_one(app_ctx(), actor(), period.months[0], procedure, place)
        shown = shown_of_one(known(procedure_of(procedure)), counted.counts, period, 0, place)
    else:

        def address(one: EditionSummary, period: Period) -> str:
            return f"{path}?{urlencode({**asked, 'demarche': one.id})}"

        many = many_of(reach(app_ctx(), actor(), place), mine.values(), period)
        more = many.paged(path, 0 if kind != "html" else _STAFF_PAGE, **asked)
        shown, counted = shown_of_many(many, more.items, period, 0, address)
    if kind != "html":
        return _taken(shown, kind, counted, shared=False)
    title = label(mine[procedure].title) if procedure else ""
    return staff_page(
        "statistics.html", area=path, shown=shown, more=more,
        title=say("stat.of", procedure=title) if title else say("stat.title"), procedure=title, path=path,
        until=counted.until, nothing="" if shown.rows else say("stat.none"), rule=False,
        fields=_staff_fields(mine.values(), places), chosen=asked, own=_own(period), links=_twins(path, **asked),
        heat=_occupancy(known(procedure_of(procedure)), [place] if place else [one for one, _ in places], period) if procedure else None,
    )  # fmt: skip


def _occupancy(procedure: Procedure, offices: Sequence[str], period: Period) -> Heat | None:
    """Return the seats taken and open of a month, by weekday and hour, up to yesterday. None for a year, or without any."""
    if period.first != period.last or not procedure.appointments():
        return None
    found = occupancy(app_ctx(), procedure, offices, period.begins, min(period.ends, app_ctx().day()))
    days, hours = sorted({day for day, _ in found}), sorted({hour for _, hour in found})
    words = site().words
    rows = [(words.hour(60 * hour, language()), [found.get((day, hour), (0, 0)) for day in days]) for hour in hours]
    heads = [say("stat.hour"), *(weekday(day, language()) for day in days)]
    return heat(say("stat.occupancy"), heads, rows) if found else None


def _staff_period() -> Period:
    asked, now = request.args.get("periode", ""), app_ctx().day()
    if asked in months_until(month_of(now, 0), _OFFERED):
        return month_period(asked)
    if asked in _years(now):
        return Period(asked, f"{asked}-01", f"{asked}-12")
    return month_period(month_of(now, 0))


def _years(day: date) -> tuple[str, ...]:
    return tuple(str(day.year - back) for back in range(3))


def _staff_fields(
    mine: Iterable[EditionSummary], places: Sequence[tuple[str, str]]
) -> list[tuple[str, str, str, list[tuple[str, str]]]]:
    """Return each filter: its name, its label, the label of all, and the choices."""
    now, writer = app_ctx().day(), writer_of()
    periods = [*reversed(months_until(month_of(now, 0), _OFFERED)), *_years(now)]
    procedures = [(one.id, str(label(one.title))) for one in mine]
    found = [("periode", say("stat.period"), "", [(one, writer.period(one)) for one in periods])]
    if len(procedures) > 1:
        found.append(("demarche", say("stat.procedure"), say("stat.any_procedure"), procedures))
    if len(places) > 1:
        found.append(("bureau", say("stat.office"), say("stat.any_office"), list(places)))
    return found


def _places(mine: Iterable[EditionSummary]) -> list[tuple[str, str]]:
    """Return the offices that may be chosen, within the agencies and offices the actor may see."""
    who, agencies = actor(), {one.agency: leads(actor(), one) for one in mine}
    return [
        (one.id, str(label(one.label)))
        for one in app_ctx().directory.offices.values()
        if one.agency in agencies and (agencies[one.agency] or not who.offices or one.id in who.offices)
    ]


def _among(asked: str, offered: Mapping[str, object]) -> str:
    return asked if asked in offered else ""


def _own(period: Period) -> str:
    """Return the sentence about the agent's own acts in the period. Empty for an auditor, who has none."""
    if actor().kind != "agent":
        return ""
    acts = own_acts(app_ctx(), actor(), at_minute(period.begins, 0), at_minute(period.ends, 0))
    return say("stat.own_text", steps=acts.steps, dossiers=acts.dossiers, messages=acts.messages)


# -- exports -----------------------------------------------------------------------------------------------------------


def _twins(path: str, **asked: str) -> tuple[str, str]:
    """Return the addresses of the same figures as CSV and as JSON."""
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
