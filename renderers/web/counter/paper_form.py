"""The typing page of a signed paper form: all questions on one page, in the order and with the codes of the sheet.

A sheet of a past edition keeps its order and codes. The edition in force judges the answers: its new questions come last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.core.values import Text
from engine.domain.fields.views import AnswerProblem, FieldView, PageView, RowView
from engine.model import PAPER, Procedure
from engine.services.applications.drafts import save_sheet, see_sheet
from engine.services.context.app_context import pinned
from engine.services.context.edition_cache import EditionMissing
from engine.storage.results import Conflict
from renderers.html.controls import error_summary
from renderers.procedure.blank_form import SIGNS, BlankFormWriter
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
from renderers.web.public.blank_forms import printed_fingerprint
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
        return go_noting(_at(one), say("counter.typed_elsewhere"))
    one = case(number)
    if "add_row" in request.form or "remove_row" in request.form:
        return _page(one)
    codes = _codes(one.procedure)
    faults = [fault for fault in saved.errors if fault.at.partition(".")[0] in codes]
    if faults:
        return _page(one, faults, 422)
    return go(step_address(one, first_to_do(one.form())))


def _is_typed(one: DossierContext) -> bool:
    return one.dossier.is_draft and one.dossier.channel == PAPER


def _writer(procedure: Procedure) -> BlankFormWriter:
    return BlankFormWriter(procedure, app_ctx().directory, site().words, language(), app_ctx().day())


def _sheet(one: DossierContext) -> Procedure:
    """Return the edition that the sheet was printed from: that of the signs in the address, else that of the draft."""
    printed = printed_fingerprint(one.procedure, request.args.get("feuille", ""))
    if printed in ("", one.procedure.fingerprint):
        return one.procedure
    with suppress(EditionMissing), app_ctx().store.unit() as unit:
        return pinned(app_ctx(), unit, replace(one.dossier, fingerprint=printed))
    return one.procedure


def _at(one: DossierContext) -> str:
    signs = request.args.get("feuille", "")[:SIGNS]
    return one.at("/saisie") + (f"?{urlencode({'feuille': signs})}" if signs else "")


def _page(one: DossierContext, faults: list[AnswerProblem] | None = None, status: int = 200) -> Response:
    draw, sheet = drawing(one), _sheet(one)
    pages = [(title, page_with(view, _of(view, faults or []))) for title, view in _printed(one, sheet)]
    return page(
        "agent/counter_paper_form.html", status, procedure=one.title, number_said=one.dossier.number, back="/agent/guichet",
        pages=[(title, site().pages.questions(view, draw)) for title, view in pages], past=sheet is not one.procedure,
        dropped=list(_dropped(one, sheet)), errors=[fault for _, view in pages for fault in error_summary(view, draw)],
        token=new_token(), revision=one.dossier.revision, note=session.pop("note", ""),
    )  # fmt: skip


def _printed(one: DossierContext, sheet: Procedure) -> Iterator[tuple[str, PageView]]:
    """Yield the titles and pages of the sheet, whose conditions the person has read on it, then what it does not ask yet."""
    views, now, old = see_sheet(app_ctx(), actor(), one.id).pages, _codes(one.procedure), _writer(sheet)
    fields = {field.id: (field, view) for view in views for field in view.fields if field.id in now}
    for number, title, _, _, asked in old.asked:
        found = [fields.pop(field.id) for field in asked if field.id in fields]
        if found:
            shown = tuple(_coded(field, old.codes) for field, _ in found)
            yield f"{number}. {title}", replace(found[0][1], fields=shown, problems=())
    if fields:
        rest = list(fields.values())
        yield (
            say("counter.ask_person"),
            replace(rest[0][1], fields=tuple(_coded(one, {}) for one, _ in rest), problems=()),
        )


def _codes(procedure: Procedure) -> Mapping[str, str]:
    """Return the code of each question on the printed form, but for the papers."""
    return {name: code for name, code in _writer(procedure).codes.items() if code[0] != "P"}


def _dropped(one: DossierContext, sheet: Procedure) -> Iterator[str]:
    """Yield the questions of a past sheet that are not asked any more, with their codes."""
    now, old = _codes(one.procedure), _writer(sheet)
    for field in (field for _, _, _, _, asked in old.asked for field in asked if field.id in old.codes):
        if field.id not in now:
            yield f"{old.codes[field.id]} {label(field.label)}"


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
