"""People at the counter: their request is found by a number, and their arrival without an appointment is recorded."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.core.values import digits_only
from engine.services.applications.document_verification import number_on_paper
from engine.services.applications.drafts import see
from engine.services.appointments.walk_ins import WalkIn, receive, walk_in
from engine.services.context.app_context import NUMBER_DIGITS, NotFound
from engine.storage.results import Conflict
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.errors import refused
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    form_revision,
    form_token,
    go,
    moment_of,
    new_token,
    say,
)
from renderers.web.shared.agent_dossier import AgentCase, agent_case, refusal_text
from renderers.web.shared.staff import note_with_undo, staff_page

blueprint = Blueprint("walk_ins", __name__)


def arrival_href(one: AgentCase, appointment: str) -> str:
    """Return where the arrival can be recorded, empty if this agent cannot record it now."""
    found = walk_in(app_ctx(), actor(), one.id, appointment)
    return one.at(f"/arrivee/{appointment}") if found.closed is None and found.offices else ""


@blueprint.get("/agent/chercher")
@agent()
def search() -> Response:
    """Open the dossier of a number: its own, or that of a document, a receipt or a payment. Another text goes to the list."""
    text = request.args.get("q", "").strip()[:100]
    try:
        number = _own_number(text) or number_on_paper(app_ctx(), actor(), text)
    except Refused as closed:
        return refused(closed.reason, "/agent")
    return go(f"/agent/dossiers/{number}" if number else f"/agent?{urlencode({'file': 'tous', 'q': text})}")


def _own_number(text: str) -> str:
    digits = digits_only(text)
    if len(digits) == NUMBER_DIGITS and not any(sign.isalpha() for sign in text):
        with suppress(NotFound):
            return see(app_ctx(), actor(), digits).number
    return ""


@blueprint.get("/agent/dossiers/<number>/arrivee/<appointment>")
@agent()
def show(number: str, appointment: str) -> Response:
    """Show what a walk-in changes and ask for the office. Redirects to the dossier if it is refused."""
    one = agent_case(number)
    return _page(one, walk_in(app_ctx(), actor(), one.id, appointment))


def _page(one: AgentCase, found: WalkIn, status: int = 200, note: str = "") -> Response:
    task = found.appointment
    if found.closed is not None:
        session["desk_note"] = note or refusal_text(one.procedure, found.closed)
        return go(one.at())
    back = say("walk_in.gives_back", moment=moment_of(found.held.start)) if found.held else ""
    places = [(there.id, place_label(there.id)) for there in found.offices] if not found.late else []
    return staff_page(
        "agent/confirm.html", status, dossier=one.dossier, crumbs=[(one.at(), one.dossier.label or one.dossier.number)],
        title=say("walk_in.title"), note=note or back, action=one.at(f"/arrivee/{task.id}"), token=new_token(),
        revision=one.dossier.revision,
        details=[(one.title, label(task.agents_label)), *((say("slot.place"), name) for _, name in places if len(places) == 1)],
        text=say("walk_in.late_text" if found.late else "walk_in.text"), hidden=(), places=places if len(places) > 1 else (),
        button=say("walk_in.note"), back=one.at(), back_label=say("frame.back"),
    )  # fmt: skip


@blueprint.post("/agent/dossiers/<number>/arrivee/<appointment>")
@agent()
def note(number: str, appointment: str) -> Response:
    """Record the walk-in and redirect to the day's page. Shows the form again (409) if it is refused."""
    one = agent_case(number)
    found = walk_in(app_ctx(), actor(), one.id, appointment)
    there = request.form.get("bureau", "")[:100] or (found.offices[0].id if found.offices else "")
    try:
        receive(app_ctx(), actor(), one.id, appointment, there, revision=form_revision(), token=form_token())
    except Conflict:
        one = agent_case(number)
        return _page(one, walk_in(app_ctx(), actor(), one.id, appointment), 409, say("visit.changed"))
    except Refused as closed:
        return _page(
            one, walk_in(app_ctx(), actor(), one.id, appointment), 409, refusal_text(one.procedure, closed.reason)
        )
    note_with_undo(
        say("day.marked", name=one.dossier.label or one.dossier.number, what=say("day.arrived")),
        f"/agent/rendez-vous/{app_ctx().day().isoformat()}", [("mark", f"{number}/{appointment}/undone")],
    )  # fmt: skip
    return go("/agent/rendez-vous")
