"""Comparison of two editions of a procedure in sentences, for the public and for auditors."""

from __future__ import annotations

import json
from collections.abc import Iterator

from flask import Blueprint, Response, abort, request

from engine.model import Procedure
from engine.publication.publications import edition_records
from engine.services.audit.statistics import FEW, running
from renderers.reports.changes import ChangeWriter, Comparison
from renderers.reports.changes_page import page_of
from renderers.reports.changes_report import changes_json
from renderers.reports.changes_summary import Sides
from renderers.web.platform.access import auditor, costly, public
from renderers.web.platform.dossier_context import label
from renderers.web.platform.languages import language
from renderers.web.platform.request_context import app_ctx, go, page, site
from renderers.web.shared.editions import UnknownEdition, edition_named, json_response, no_such_edition
from renderers.web.shared.staff import known, mandated, procedure_of, staff_page

blueprint = Blueprint("comparisons", __name__)
blueprint.app_errorhandler(UnknownEdition)(no_such_edition)

_BETWEEN = "..."
_LONGEST = 140


@blueprint.get("/demarches/<slug>/compare")
@public
def chosen(slug: str) -> Response:
    """Redirect to the comparison of the two editions that the form of the history names."""
    return _chosen(slug, f"/demarches/{slug}", f"/demarches/{slug}/historique")


@blueprint.get("/audit/demarches/<slug>/compare")
@auditor
def chosen_by_auditors(slug: str) -> Response:
    """Redirect to the auditor's comparison of the two editions in the form."""
    return _chosen(mandated(slug), f"/audit/demarches/{slug}", f"/audit/demarches/{slug}")


def _chosen(slug: str, base: str, otherwise: str) -> Response:
    """Redirect to the comparison, or to `otherwise` if an edition is missing in the query."""
    known(procedure_of(slug))
    first, last = (request.args.get(name, "")[:64] for name in ("avant", "apres"))
    if not (first and last):
        return go(otherwise)
    return go(f"{base}/compare/{_called(edition_named(slug, first), edition_named(slug, last))}")


@blueprint.get("/demarches/<slug>/compare/<pair>")
@public
@costly
def compare(slug: str, pair: str) -> Response:
    """Show the differences of two editions. Counts of dossiers below `FEW` are hidden."""
    before, after = _pair(slug, pair)
    compared = _compared(before, after, FEW)
    return page("auditor/compare.html", **_context(compared, f"/demarches/{slug}/compare/{pair}", area=False))


@blueprint.get("/demarches/<slug>/compare/<pair>.json")
@public
@costly
def compare_json(slug: str, pair: str) -> Response:
    """Return the public comparison as JSON, readable from other sites."""
    before, after = _pair(slug, pair)
    return _plain(_compared(before, after, FEW))


@blueprint.get("/audit/demarches/<slug>/compare/<pair>")
@auditor
def compare_for_auditors(slug: str, pair: str) -> Response:
    """Show the comparison for auditors, with exact counts of dossiers."""
    before, after = _pair(mandated(slug), pair)
    compared = _compared(before, after, 0)
    return staff_page(
        "auditor/compare.html", **_context(compared, f"/audit/demarches/{slug}/compare/{pair}", area=True)
    )


@blueprint.get("/audit/demarches/<slug>/compare/<pair>.json")
@auditor
def compare_json_for_auditors(slug: str, pair: str) -> Response:
    """Return the auditor's comparison as JSON, with exact counts."""
    before, after = _pair(mandated(slug), pair)
    return _plain(_compared(before, after, 0), shared=False)


def _pair(slug: str, pair: str) -> tuple[Procedure, Procedure]:
    """Return the two editions of `6...7`. Raises `UnknownEdition`."""
    first, between, last = pair.partition(_BETWEEN)
    if not (first and between and last) or len(pair) > _LONGEST:
        abort(404)
    return edition_named(slug, first), edition_named(slug, last)


def _compared(before: Procedure, after: Procedure, few: int) -> Comparison:
    return Comparison.of(
        before, after, app_ctx().directory, running(app_ctx(), before, few=few), app_ctx().day()
    ).placed(_file)


def _file(name: str) -> str:
    """Return the name of a file without its folder, which is not public."""
    return name.rpartition("/")[2]


def _called(before: Procedure, after: Procedure) -> str:
    """Return the pair of an address: edition numbers, or fingerprints where the numbers are equal."""
    if before.edition != after.edition:
        return f"{before.edition}{_BETWEEN}{after.edition}"
    return f"{before.fingerprint}{_BETWEEN}{after.fingerprint}"


def _sides(compared: Comparison) -> Sides:
    """Return the names of both editions: the commit, or the start of the fingerprint."""
    commits = {
        one.edition.fingerprint: one.edition.commit for one in edition_records(app_ctx().store, compared.after.id)
    }
    names = (
        (commits.get(procedure.fingerprint) or procedure.fingerprint)[:10]
        for procedure in (compared.before, compared.after)
    )
    return Sides(*names)


def _context(compared: Comparison, address: str, *, area: bool) -> dict[str, object]:
    before, after = compared.before, compared.after
    base = f"{'/audit' if area else ''}/demarches/{after.id}"
    return {
        "sheet": page_of(ChangeWriter(compared, site().words, language()), _sides(compared), published=True),
        "slug": after.id, "procedure": label(after.identity.title), "before": before.edition, "after": after.edition,
        "json": f"{address}.json", "other": f"{base}/compare/{_called(after, before)}", "controller": area,
        "earlier": before.edition < after.edition,
        "definitions": list(_definitions(before, after)),
    }  # fmt: skip


def _definitions(*procedures: Procedure) -> Iterator[tuple[int, str]]:
    for procedure in procedures:
        yield procedure.edition, f"/demarches/{procedure.id}/definition?fingerprint={procedure.fingerprint}"


def _plain(compared: Comparison, *, shared: bool = True) -> Response:
    text = changes_json(ChangeWriter(compared, site().words, language()), _sides(compared))
    plain = json.loads(text)
    plain["running"] = {
        "dossiers": compared.counts.dossiers if compared.counts else 0,
        "states": dict(compared.counts.states) if compared.counts else {},
    }
    return json_response(
        plain, f"{compared.after.id}-{compared.before.edition}-{compared.after.edition}.json", shared=shared
    )
