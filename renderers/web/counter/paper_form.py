"""The typing page of a signed paper form: all questions on one page, in the order and with the codes of the sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.core.values import Text
from engine.domain.fields.views import AnswerProblem, FieldView, PageView, RowView
from engine.model import PAPER
from engine.services.applications.drafts import save_sheet, see_sheet
from engine.storage.results import Conflict
from renderers.html.controls import error_summary
from renderers.procedure.blank_form import BlankFormWriter
from renderers.web.citizen.form import is_clash, page_with, posted_answers
from renderers.web.citizen.start import first_to_do, renewed, step_address
from renderers.web.platform.access import helper
from renderers.web.platform.dossier_context import DossierContext, case, drawing, label
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    form_revision,
    form_token,
    go,
    language,
    new_token,
    page,
    say,
    site,
)
from renderers.web.shared.outcomes import go_noting

blueprint = Blueprint("counter_paper_form", __name__)


@blueprint.get("/agent/guichet/<number>/saisie")
@helper
def show(number: str) -> Response:
    """Show the whole form. Redirects to the dossier if it is no draft of a paper form."""
    one = renewed(case(number))
    return _page(one) if _is_typed(one) else go(one.at())


@blueprint.post("/agent/guichet/<number>/saisie")
@helper
def save(number: str) -> Response:
    """Save the whole form and go on with what it lacks, the papers to join first or the summary.

    Shows the page again with the faults, listed by code, and after a row was added or removed.
    """
    one = renewed(case(number))
    if not _is_typed(one):
        return go(one.at())
    try:
        saved = save_sheet(
            app_ctx(), actor(), one.id, posted_answers(), revision=form_revision(), token=form_token()
        )  # fmt: skip
    except (Conflict, Refused) as clash:
        if not is_clash(clash):
            raise
        return go_noting(one.at("/saisie"), say("counter.typed_elsewhere"))
    one = case(number)
    if "add_row" in request.form or "remove_row" in request.form:
        return _page(one)
    codes = _codes(one)
    faults = [fault for fault in saved.errors if fault.at.partition(".")[0] in codes]
    if faults:
        return _page(one, faults, 422)
    return go(step_address(one, first_to_do(one.form())))


def _is_typed(one: DossierContext) -> bool:
    return one.dossier.is_draft and one.dossier.channel == PAPER


def _codes(one: DossierContext) -> Mapping[str, str]:
    """Return the code of each question on the printed form."""
    return BlankFormWriter(one.procedure, app_ctx().directory, site().words, language(), app_ctx().day()).codes


def _page(one: DossierContext, faults: list[AnswerProblem] | None = None, status: int = 200) -> Response:
    draw, codes = drawing(one), _codes(one)
    views = [page_with(view, _of(view, faults or [])) for view in _printed(one, codes)]
    return page(
        "agent/counter_paper_form.html", status, procedure=one.title, number_said=one.dossier.number, back="/agent/guichet",
        pages=[(f"{codes[view.fields[0].id].partition('.')[0]}. {label(view.title)}", site().pages.questions(view, draw)) for view in views],
        errors=[fault for view in views for fault in error_summary(view, draw)],
        token=new_token(), revision=one.dossier.revision, note=session.pop("note", ""),
    )  # fmt: skip


def _printed(one: DossierContext, codes: Mapping[str, str]) -> Iterator[PageView]:
    """Yield the pages with the questions that the sheet asks, whose conditions the person has read on it."""
    for view in see_sheet(app_ctx(), actor(), one.id).pages:
        fields = tuple(_coded(field, codes) for field in view.fields if codes.get(field.id, "P")[0] != "P")
        if fields:
            yield replace(view, fields=fields, problems=())


def _coded(view: FieldView, codes: Mapping[str, str]) -> FieldView:
    def row(one: RowView) -> RowView:
        return replace(one, fields=tuple(_coded(inner, codes) for inner in one.fields))

    code = codes.get(view.id, "")
    return replace(
        view, label=Text.of(f"{code} {label(view.label)}".strip()), shown=True, condition=None, definition=None,
        rows=tuple(map(row, view.rows)), blank_row=row(view.blank_row) if view.blank_row else None, problems=(),
    )  # fmt: skip


def _of(view: PageView, faults: list[AnswerProblem]) -> list[AnswerProblem]:
    """Return the faults of the questions of a page, named with their codes."""
    labels = {field.id: field.label for field in view.fields}
    found = ((fault.at.partition(".")[0], fault) for fault in faults)
    return [replace(fault, label=labels[at] if at == fault.at else fault.label) for at, fault in found if at in labels]
