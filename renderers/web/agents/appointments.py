"""Appointments proposed, booked, moved or cancelled by an agent for the applicant."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session

from engine.core.problems import Refused
from engine.model import Appointment
from engine.services.appointments.bookings import SlotSheet, book_slot, cancel_booking, refusal_to_cancel, slots
from engine.services.context.app_context import NotFound
from engine.services.core.outbound_messages import LONGEST
from engine.storage.results import Conflict
from renderers.i18n.translations import whole_number
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label, place_label
from renderers.web.platform.errors import sentence
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
from renderers.web.shared.slots import day_ahead, days_of, instant_of
from renderers.web.shared.staff import staff_page

blueprint = Blueprint("agent_appointments", __name__)


def _visit(one: AgentCase, name: str) -> Appointment:
    task = one.procedure.tasks.get(name)
    if not isinstance(task, Appointment):
        raise NotFound
    return task


@blueprint.get("/agent/dossiers/<number>/creneau/<appointment>")
@agent()
def show(number: str, appointment: str) -> Response:
    """Show free slots of an office (`bureau`) from a day (`jour`) on. `start` selects one to confirm."""
    one = agent_case(number)
    task, start = _visit(one, appointment), instant_of(request.args.get("start", ""))
    sheet = slots(
        app_ctx(), actor(), one.id, task.id, office_id=request.args.get("bureau"), from_day=day_ahead(request.args.get("jour", ""))
    )  # fmt: skip
    if sheet.because is not None and sheet.because.code == "role":
        session["desk_note"] = refusal_text(one.procedure, sheet.because)
        return go(one.at())
    if start is not None and sheet.office_id is not None and sheet.because is None:
        return _confirm(one, task, sheet.office_id, start)
    return _list(one, task, sheet)


def _list(one: AgentCase, task: Appointment, sheet: SlotSheet, note: str = "", status: int = 200) -> Response:
    booking = one.dossier.bookings.get(task.id)
    held = booking is not None and booking.status == "booked"
    here = one.at(f"/creneau/{task.id}")
    query = {"bureau": sheet.office_id or "", "jour": sheet.next_from.isoformat() if sheet.next_from else ""}
    return staff_page(
        "agent/slots.html", status, dossier=one.dossier, base=one.at(), note=note,
        title=say("visit.title", visit=label(task.agents_label)), action=here, office_id=sheet.office_id or "",
        current=moment_of(booking.start) if booking is not None and held else "",
        call_off=f"{here}/annuler" if held and refusal_to_cancel(app_ctx(), actor(), one.id, task.id) is None else "",
        places=[(choice.office.id, label(choice.office.label)) for choice in sheet.offices],
        days=days_of(sheet) if sheet.because is None else [],
        free=sheet.because is None and any(day.slots for day in sheet.days),
        because=sentence(sheet.because) if sheet.because else say("visit.none"),
        next=f"{here}?{urlencode(query)}" if sheet.next_from and sheet.because is None else "",
    )  # fmt: skip


def _confirm(one: AgentCase, task: Appointment, office_id: str, start: datetime) -> Response:
    action = one.at(f"/creneau/{task.id}")
    return staff_page(
        "agent/confirm.html", dossier=one.dossier, crumbs=[(one.at(), one.dossier.label or whole_number(one.dossier.number))],
        note="", places=(),
        title=say("visit.title", visit=label(task.agents_label)), text=say("visit.told"), action=action, token=new_token(),
        revision=one.dossier.revision, details=[(say("slot.date"), moment_of(start)), (say("slot.place"), place_label(office_id))],
        hidden=[("bureau", office_id), ("start", start.isoformat(timespec="minutes"))],
        button=say("slot.confirm"), back=f"{action}?{urlencode({'bureau': office_id})}", back_label=say("slot.other"),
    )  # fmt: skip


@blueprint.post("/agent/dossiers/<number>/creneau/<appointment>")
@agent()
def book(number: str, appointment: str) -> Response:
    """Book the slot and redirect to the dossier. Shows the slots again (409) if it is taken or the dossier changed."""
    one = agent_case(number)
    task, start = _visit(one, appointment), instant_of(request.form.get("start", ""))
    office_id = request.form.get("bureau", "")[:100]
    if start is None:
        return go(one.at(f"/creneau/{task.id}"))
    try:
        book_slot(app_ctx(), actor(), one.id, task.id, office_id, start, revision=form_revision(), token=form_token())
    except Conflict:
        one = agent_case(number)
        sheet = slots(app_ctx(), actor(), one.id, task.id, office_id=office_id)
        return _list(one, task, sheet, say("visit.changed"), 409)
    except Refused as closed:
        sheet = slots(app_ctx(), actor(), one.id, task.id, office_id=office_id)
        return _list(one, task, sheet, refusal_text(one.procedure, closed.reason), 409)
    moment = moment_of(start)
    session["desk_note"] = say("visit.done", visit=label(task.agents_label), moment=moment)
    return go(one.at())


@blueprint.get("/agent/dossiers/<number>/creneau/<appointment>/annuler")
@agent()
def ask_to_cancel(number: str, appointment: str) -> Response:
    """Ask the reason of a cancellation. Redirects to the dossier if it is refused."""
    one = agent_case(number)
    task = _visit(one, appointment)
    closed = refusal_to_cancel(app_ctx(), actor(), one.id, task.id)
    if closed is not None:
        session["desk_note"] = refusal_text(one.procedure, closed)
        return go(one.at())
    return _cancelling(one, task)


def _cancelling(one: AgentCase, task: Appointment, reason: str = "", error: str = "", status: int = 200) -> Response:
    booking = one.dossier.bookings[task.id]
    return staff_page(
        "agent/cancel_visit.html", status, dossier=one.dossier, base=one.at(), token=new_token(), revision=one.dossier.revision,
        details=[(say("day.visit"), label(task.agents_label)), (say("slot.date"), moment_of(booking.start)),
                 (say("slot.place"), place_label(booking.office))],
        action=one.at(f"/creneau/{task.id}/annuler"), reason=reason, error=error, longest=LONGEST,
    )  # fmt: skip


@blueprint.post("/agent/dossiers/<number>/creneau/<appointment>/annuler")
@agent()
def cancel(number: str, appointment: str) -> Response:
    """Cancel the booking and redirect to the dossier.

    Shows the form again without a valid reason (422), or with the booking as it is now if the dossier changed (409).
    """
    one = agent_case(number)
    task, reason = _visit(one, appointment), request.form.get("reason", "")[: LONGEST * 4]
    try:
        cancel_booking(app_ctx(), actor(), one.id, task.id, reason=reason, revision=form_revision(), token=form_token())
    except Conflict:
        one = agent_case(number)
        if refusal_to_cancel(app_ctx(), actor(), one.id, task.id) is None:
            return _cancelling(one, task, reason, say("visit.changed"), 409)
        session["desk_note"] = say("visit.changed")
        return go(one.at())
    except Refused as closed:
        if closed.reason.code in ("message_empty", "message_long"):
            return _cancelling(one, task, reason, say("visit.reason_error", maximum=LONGEST), 422)
        session["desk_note"] = refusal_text(one.procedure, closed.reason)
        return go(one.at())
    session["desk_note"] = say("visit.called_off", visit=label(task.agents_label))
    return go(one.at())
