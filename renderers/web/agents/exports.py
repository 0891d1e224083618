"""Lists that an agent exports from the inbox. A job prepares them, and they stay available for some days."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, stream_with_context

from engine.core.problems import Refused
from engine.services.audit.exports import InboxExport, export_row, order_export, take_file
from engine.services.worker.job_runner import carry_at_once
from engine.storage.results import DossierLine
from renderers.web.agents.inbox import QUEUES, asked_of_form
from renderers.web.platform.access import agent
from renderers.web.platform.csv import CSV, csv_text, named_file
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.errors import refused
from renderers.web.platform.request_context import actor, app_ctx, form_token, go, say
from renderers.web.shared.staff import people, procedure_of

blueprint = Blueprint("exports", __name__)

COLUMNS = ("number", "name", "procedure", "state", "office", "agent", "sent", "due", "late", "closed")


@blueprint.post("/agent/export")
@agent()
def order() -> Response:
    """Order the export of the current list and redirect to its job. A short list is prepared at once."""
    asked = asked_of_form()
    wanted = InboxExport(QUEUES[asked.queue], asked.procedure, asked.state, asked.office, asked.text)
    kept = order_export(app_ctx(), actor(), wanted, token=form_token())
    carry_at_once(app_ctx(), kept)
    return go(f"/agent/ordres/{kept.n}")


@blueprint.get("/agent/ordres/<int:n>/liste.csv")
@agent()
def take(n: int) -> Response:
    """Serve the prepared list as CSV, streamed row by row to save memory."""
    try:
        rows = take_file(app_ctx(), actor(), n)
    except Refused as closed:
        return refused(closed.reason, f"/agent/ordres/{n}")
    return named_file(stream_with_context(_csv(map(export_row, rows))), CSV, f"liste-{n}.csv")


def _csv(lines: Iterator[DossierLine]) -> Iterator[bytes]:
    head = csv_text([[say(f"export.{name}") for name in COLUMNS]])
    yield head.encode("utf-8-sig")
    names: dict[str, str] = {}
    for line in lines:
        if line.assigned and line.assigned not in names:
            names.update({line.assigned: "", **people([line.assigned])})
        yield csv_text([_row(line, names)]).encode()


def _row(line: DossierLine, names: dict[str, str]) -> list[object]:
    procedure = procedure_of(line.procedure, line.edition)
    state = procedure.states.get(line.state) if procedure else None
    late = line.due_at is not None and not line.closed and not line.due_paused and line.due_at < app_ctx().now()
    return [
        line.number, line.label, label(procedure.identity.title) if procedure else line.procedure,
        label(state.label) if state else line.state, place_label(line.office), names.get(line.assigned or "", ""),
        line.submitted_at.isoformat() if line.submitted_at else "", line.due_at.isoformat() if line.due_at else "",
        say("export.it_is") if late else say("export.it_is_not"), say("export.it_is") if line.closed else say("export.it_is_not"),
    ]  # fmt: skip
