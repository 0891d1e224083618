"""Lists that an agent exports from the inbox, with the answers chosen. A job prepares them, and they stay some days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from flask import Blueprint, Response, request, stream_with_context

from engine.core.problems import Refused
from engine.core.values import Plain
from engine.services.audit.exports import (
    InboxExport,
    answers_of,
    export_asked,
    export_row,
    exportable,
    order_export,
    take_file,
)
from engine.services.context.app_context import NotFound
from engine.services.core.jobs import progress
from engine.services.worker.job_runner import carry_at_once
from engine.storage.results import DossierLine
from renderers.web.agents.inbox import QUEUES, asked_of_form
from renderers.web.platform.access import agent, draws
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.errors import refused
from renderers.web.platform.request_context import actor, app_ctx, form_token, go, language, new_token, say
from renderers.web.platform.tables import CSV, MOST_IN_WORKBOOK, XLSX, csv_text, named_file, workbook
from renderers.web.shared.staff import people, procedure_of, staff_page

blueprint = Blueprint("exports", __name__)

COLUMNS = ("number", "name", "procedure", "state", "office", "agent", "sent", "due", "late", "closed")


@blueprint.get("/agent/export")
@agent()
def choose() -> Response:
    """Show the questions whose answers may be added to the list. Redirects to the list without a procedure."""
    asked = asked_of_form()
    known = {one.id for one in exportable(app_ctx(), asked.procedure)}
    procedure = app_ctx().catalogue.procedures.get(asked.procedure)
    if procedure is None or not known:
        return go(asked.address())
    groups = [
        (label(page.agents_title), [(one.id, label(one.agents_label)) for one in page.fields if one.id in known])
        for page in procedure.form.pages
    ]
    return staff_page(
        "agent/export.html", filters=asked, token=new_token(), procedure=label(procedure.identity.title),
        back=asked.address(), groups=[(title, fields) for title, fields in groups if fields],
    )  # fmt: skip


@blueprint.post("/agent/export")
@agent()
def order() -> Response:
    """Order the export of the current list and redirect to its job. A short list is prepared at once."""
    asked = asked_of_form()
    answers = tuple(request.form.getlist("reponse"))
    wanted = InboxExport(
        QUEUES[asked.queue], asked.procedure, asked.state, asked.office, asked.text, answers, language(), asked.label
    )
    kept = order_export(app_ctx(), actor(), wanted, token=form_token())
    carry_at_once(app_ctx(), kept)
    return go(f"/agent/ordres/{kept.n}")


@blueprint.get("/agent/ordres/<int:n>/liste.csv")
@agent()
def take(n: int) -> Response:
    """Serve the prepared list as CSV, streamed row by row to save memory."""
    return _taken(n, lambda table: named_file(stream_with_context(_csv(table)), CSV, f"liste-{n}.csv"))


@blueprint.get("/agent/ordres/<int:n>/liste.xlsx")
@agent()
@draws
def take_workbook(n: int) -> Response:
    """Serve the prepared list as a workbook. Raises `NotFound` for a list that is too long for one."""
    if progress(app_ctx(), actor(), n).order.total > MOST_IN_WORKBOOK:
        raise NotFound
    return _taken(n, lambda table: named_file(workbook(table), XLSX, f"liste-{n}.xlsx"))


def _taken(n: int, as_file: Callable[[Iterator[list[object]]], Response]) -> Response:
    try:
        rows = take_file(app_ctx(), actor(), n)
        asked = export_asked(app_ctx(), actor(), n)
    except Refused as closed:
        return refused(closed.reason, f"/agent/ordres/{n}")
    return as_file(_table(rows, asked))


def _csv(table: Iterator[list[object]]) -> Iterator[bytes]:
    yield csv_text([next(table)]).encode("utf-8-sig")
    for row in table:
        yield csv_text([row]).encode()


def _table(rows: Iterator[Plain], asked: InboxExport) -> Iterator[list[object]]:
    """Yield the heading, then each row."""
    labels = _headings(asked.procedure)
    yield [*(say(f"export.{name}") for name in COLUMNS), *(labels.get(name, name) for name in asked.answers)]
    names: dict[str, str] = {}
    for row in rows:
        line, answers = export_row(row), answers_of(row)
        if line.assigned and line.assigned not in names:
            names.update({line.assigned: "", **people([line.assigned])})
        yield [*_row(line, names), *(answers.get(name, "") for name in asked.answers)]


def _headings(procedure_id: str) -> dict[str, str]:
    """Return the headings of answers by question. The page is named where two questions have one label."""
    fields, procedure = exportable(app_ctx(), procedure_id), app_ctx().catalogue.procedures.get(procedure_id)
    labels = {one.id: label(one.agents_label) for one in fields}
    times, pages = Counter(labels.values()), procedure.form.pages if procedure is not None else ()
    of_page = {one.id: label(page.agents_title) for page in pages for one in page.fields}
    return {
        name: say("text.named", name=of_page[name], text=text) if times[text] > 1 else text
        for name, text in labels.items()
    }


def _row(line: DossierLine, names: dict[str, str]) -> list[object]:
    procedure = procedure_of(line.procedure, line.edition)
    state = procedure.states.get(line.state) if procedure else None
    late = line.due_at is not None and not line.closed and not line.due_paused and line.due_at < app_ctx().now()
    return [
        line.number, line.label, label(procedure.identity.title) if procedure else line.procedure,
        label(state.label) if state else line.state, place_label(line.office), names.get(line.assigned or "", ""),
        line.submitted_at or "", line.due_at or "",
        say("export.it_is") if late else say("export.it_is_not"), say("export.it_is") if line.closed else say("export.it_is_not"),
    ]  # fmt: skip
