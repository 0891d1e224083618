"""Absences in a team, and the handover of an absent agent's dossiers: previewed, then confirmed as a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, abort, request, session

from engine.core.problems import Refused
from engine.domain.common.agent_rights import absence_of, is_administrator
from engine.records.dossier import Account
from engine.services.accounts import agents as people
from engine.services.accounts.handover import (
    Handed,
    held_by,
    order_handover,
    preview_handover,
    receivers_for,
    set_absence,
)
from engine.services.core.jobs import MOST_LINES
from engine.services.worker.job_runner import carry_at_once
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import label
from renderers.web.platform.errors import sentence
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    form_picks,
    form_token,
    go,
    language,
    new_token,
    say,
    site,
)
from renderers.web.shared.agent_dossier import refusal_text
from renderers.web.shared.staff import procedure_of, staff_page

blueprint = Blueprint("handover", __name__)

_TEAM = "/agent/equipe"
QUEUE = "file"  # returned to the queue, without an agent


@dataclass(frozen=True, slots=True)
class HeldLine:
    """A dossier by number and state. Administrators do not see whose it is."""

    number: str
    procedure: str
    text: str


def _member(account_id: str) -> Account:
    if not is_administrator(actor()):
        abort(403)
    return people.member(app_ctx(), actor(), account_id[:60])


@blueprint.get("/agent/equipe/<account_id>/dossiers")
@agent()
def assigned(account_id: str) -> Response:
    """Show the absence and the assigned dossiers of a team member."""
    return _page(_member(account_id))


def _page(one: Account, error: str = "", at: str = "#au") -> Response:
    lines = []
    for line in held_by(app_ctx(), actor(), one.id):
        procedure = procedure_of(line.procedure, line.edition)
        state = procedure.states.get(line.state) if procedure else None
        lines.append(HeldLine(
            line.number, label(procedure.identity.title) if procedure else line.procedure, label(state.label) if state else line.state
        ))  # fmt: skip
    away = absence_of(one)
    return staff_page(
        "agent/assigned_dossiers.html", 422 if error else 200, name=one.name, lines=lines, back=_TEAM, here=f"{_TEAM}/{one.id}/dossiers",
        absence=f"{_TEAM}/{one.id}/absence", first=request.form.get("du", away.first.isoformat() if away else ""),
        last=request.form.get("au", away.last.isoformat() if away else ""), away=_said(one),
        receivers=[(QUEUE, say("handover.queue")), *((person.id, person.name) for person in receivers_for(app_ctx(), actor(), one.id))],
        errors=[(at, error)] if error else [], note=session.pop("desk_note", ""), most=MOST_LINES,
        capped=len(lines) >= MOST_LINES,
    )  # fmt: skip


def _said(one: Account) -> str:
    """Return the absence in words, empty once it is over."""
    found = absence_of(one)
    if found is None or found.last < app_ctx().day():
        return ""
    day = site().words.plain_day
    return say("handover.away", first=day(found.first, language()), last=day(found.last, language()))


@blueprint.post("/agent/equipe/<account_id>/absence")
@agent()
def absence(account_id: str) -> Response:
    """Save the days of an absence, or end it with `retour`, then redirect to the member's dossiers."""
    one = _member(account_id)
    back = "retour" in request.form
    first, last = (None, None) if back else (_day("du"), _day("au"))
    if not back and (first is None or last is None):
        return _page(one, say("handover.days_missing"), "#du" if first is None else "#au")
    try:
        set_absence(app_ctx(), actor(), one.id, first, last)
    except Refused as closed:
        return _page(one, sentence(closed.reason))
    session["desk_note"] = say("handover.back" if back else "handover.kept", name=one.name)
    return go(f"{_TEAM}/{one.id}/dossiers")


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.form.get(name, "").strip()[:20])
    except ValueError:
        return None


@blueprint.post("/agent/equipe/<account_id>/dossiers")
@agent()
def give_dossiers(account_id: str) -> Response:
    """Preview the handover of the chosen dossiers, or confirm it, as `go` says.

    A confirmed one redirects to its job.
    """
    one, chosen = _member(account_id), request.form.get("vers", "")[:60]
    to = "" if chosen == QUEUE else chosen
    if chosen != QUEUE and chosen not in {person.id for person in receivers_for(app_ctx(), actor(), one.id)}:
        return _page(one, say("handover.choose"), "#vers")
    given = request.form.getlist("dossier")[: MOST_LINES + 1]
    if not given:
        return _page(one, say("refusal.nothing_picked"), "#vers")
    if request.form.get("go") == "confirm":
        picked = form_picks("dossier", MOST_LINES + 1)
        order = order_handover(app_ctx(), actor(), one.id, to, picked, token=form_token())
        carry_at_once(app_ctx(), order)
        return go(f"/agent/ordres/{order.n}")
    found = preview_handover(app_ctx(), actor(), given, to)
    can = [each for each in found if each.closed is None]
    person = people.member(app_ctx(), actor(), to).name if to else say("handover.queue")
    return staff_page(
        "agent/handover.html", name=one.name, to=person, vers=chosen, here=f"{_TEAM}/{one.id}/dossiers", back=_TEAM,
        can=[_line(each) for each in can], cannot=[_line(each) for each in found if each.closed is not None],
        picked=[f"{each.dossier.number}:{each.dossier.revision}" for each in can], token=new_token(),
    )  # fmt: skip


def _line(one: Handed) -> HeldLine:
    procedure = procedure_of(one.dossier.procedure, fingerprint=one.dossier.fingerprint)
    state = procedure.states.get(one.dossier.state) if procedure else None
    text = label(state.label) if state else one.dossier.state
    if one.closed is not None:
        text = refusal_text(procedure, one.closed) if procedure else sentence(one.closed)
    return HeldLine(one.dossier.number, label(procedure.identity.title) if procedure else one.dossier.procedure, text)
