"""Procedures in force for auditors, as a table, CSV and JSON, and the page of one with its dossiers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from engine.core.clock import local_day
from engine.domain.common.access import in_mandate
from engine.language.catalogue.catalogue import Catalogue
from engine.model.summary import EditionSummary
from engine.services.applications.casework import list_inbox
from engine.services.audit.statistics import current_counts
from engine.storage.results import DossierQuery
from renderers.html.pagination import Paged, paged
from renderers.web.platform.access import auditor
from renderers.web.platform.dossier_context import label
from renderers.web.platform.languages import language
from renderers.web.platform.request_context import actor, app_ctx, day_of
from renderers.web.platform.tables import csv_response
from renderers.web.public.definitions import edition_lines
from renderers.web.shared.editions import json_response
from renderers.web.shared.staff import known, mandated, procedure_of, staff_page

blueprint = Blueprint("auditor_procedures", __name__)

_A_PAGE = 50
_LAST = 50
_ordered: dict[str, tuple[Catalogue, tuple[EditionSummary, ...]]] = {}  # by language
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class ProcedureLine:
    """One procedure in force. Days are ISO dates. `next` is the edition that takes effect later."""

    procedure: str
    title: str
    agency: str
    edition: int
    since: str
    author: str
    next: str
    open: int
    fingerprint: str

    @property
    def since_said(self) -> str:
        """The day since which the edition is in force, in words."""
        return day_of(date.fromisoformat(self.since)) if self.since else "–"


@blueprint.get("/audit/demarches")
@auditor
def procedures() -> Response:
    """Show the procedures of the auditor's mandate, 50 per page. `agence` selects one agency."""
    asked = request.args.get("agence", "")[:60]
    here = page_of_procedures("/audit/demarches")
    query = urlencode({name: value for name, value in (("agence", asked), ("page", str(here.number))) if value})
    return staff_page(
        "auditor/procedures.html", lines=[procedure_line(one) for one in here.items], here=here, agencies=_agencies(), asked=asked,
        csv=f"/audit/demarches.csv?{query}", json=f"/audit/demarches.json?{query}",
    )  # fmt: skip


@blueprint.get("/audit/demarches.json")
@auditor
def procedures_json() -> Response:
    """Return one page of the table as JSON."""
    here = page_of_procedures("/audit/demarches.json")
    return json_response({
        "page": here.number, "pages": here.count, "next": here.next or None,
        "procedures": [asdict(procedure_line(one)) for one in here.items],
    }, f"demarches-{here.number}.json", shared=False)  # fmt: skip


@blueprint.get("/audit/demarches.csv")
@auditor
def procedures_csv() -> Response:
    """Serve one page of the table as CSV, with the columns of the JSON."""
    here = page_of_procedures("/audit/demarches.csv")
    names = list(ProcedureLine.__dataclass_fields__)
    lines = [list(asdict(procedure_line(one)).values()) for one in here.items]
    return csv_response([names, *lines], f"demarches-{here.number}.csv")


def page_of_procedures(path: str) -> Paged[EditionSummary]:
    """Return a page of procedures of the auditor's mandate, by title.

    Only summaries are read. No procedure is loaded.
    """
    agency, who = request.args.get("agence", "")[:60], actor()
    every = [one for one in _in_order(app_ctx().catalogue) if agency in ("", one.agency) and in_mandate(who, one.id)]
    return paged(every, request.args.get("page", ""), path, size=_A_PAGE, agence=agency)


def _in_order(catalogue: Catalogue) -> tuple[EditionSummary, ...]:
    """Return the sorted summaries, sorted once for each catalogue and language."""
    kept = _ordered.get(language())
    if kept is None or kept[0] is not catalogue:
        every = sorted(catalogue.summaries(), key=lambda one: (label(one.title).casefold(), one.id))
        kept = _ordered[language()] = catalogue, tuple(every)
    return kept[1]


def _agencies() -> list[tuple[str, str]]:
    used = {one.agency for one in app_ctx().catalogue.summaries()}
    return sorted(
        ((one.id, label(one.label)) for one in app_ctx().directory.agencies.values() if one.id in used),
        key=lambda one: one[1],
    )


def procedure_line(one: EditionSummary) -> ProcedureLine:
    """Return a line of the table from the summary, without loading the procedure."""
    agency = app_ctx().directory.agencies.get(one.agency)
    with app_ctx().store.unit() as unit:
        count = unit.count_dossiers(DossierQuery(tuple((one.id, state.id) for state in one.states)), _MOST)
        kept = unit.edition(one.id, one.fingerprint)
    begun = max(filter(None, (local_day(kept.published_at) if kept else None, one.from_)), default=None)
    return ProcedureLine(
        one.id, label(one.title), label(agency.label) if agency else one.agency, one.edition, begun.isoformat() if begun else "",
        kept.published_by if kept else "", _next(one.id), count, one.fingerprint,
    )  # fmt: skip


def _next(procedure_id: str) -> str:
    """Return the next published edition that is not in force yet: `8, 2027-01-01`. Empty without one."""
    catalogue, day = app_ctx().catalogue, app_ctx().day()
    stands = frozenset(catalogue.standing.get(procedure_id, ()))
    every = (one for one in catalogue.older_summaries(procedure_id) if one.fingerprint in stands)
    coming = sorted((one.from_, one.edition) for one in every if one.from_ is not None and one.from_ > day)
    return f"{coming[0][1]}, {coming[0][0]}" if coming else ""


# -- one procedure -----------------------------------------------------------------------------------------------------


@blueprint.get("/audit/demarches/<slug>")
@auditor
def procedure(slug: str) -> Response:
    """Show one procedure: its editions, dossiers by state and the last dossiers. Raises `NotFound`."""
    procedure = known(procedure_of(mandated(slug)))
    found = list_inbox(
        app_ctx(), actor(), "all", procedure=slug, after=request.args.get("apres", "")[:200] or None, limit=_LAST
    )
    counts = current_counts(app_ctx(), procedure)
    return staff_page(
        "auditor/procedure.html", slug=slug, procedure=label(procedure.identity.title), editions=edition_lines(slug),
        counts=[(label(one.label), counts[one.id]) for one in procedure.states.values()],
        dossiers=[(one.number, one.edition, _state(one.procedure, one.edition, one.state), one.submitted_at)
                  for one in found.lines],
        next=f"/audit/demarches/{slug}?{urlencode({'apres': found.after})}" if found.after else "",
    )  # fmt: skip


def _state(slug: str, edition: int, state: str) -> str:
    procedure = procedure_of(slug, edition)
    found = procedure.states.get(state) if procedure else None
    return label(found.label) if found else state
