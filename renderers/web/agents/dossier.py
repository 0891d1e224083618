"""The page of one dossier for agents: its answers beside a document, the possible acts in a bar below.

An act or a later form in progress is a panel of the same page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from flask import Blueprint, Response, request, session

from engine.core.clock import local_day
from engine.core.problems import Refused
from engine.domain.common.decision import AvailableAction
from engine.domain.common.four_eyes import barred_from_state
from engine.domain.workflow.progress import applicants_act, public_key
from engine.model import State
from engine.records.dossier import Payment
from engine.services.applications.casework import assign, inbox_counts, offers
from engine.services.applications.notes import is_followed
from renderers.i18n.translations import whole_number
from renderers.web.agents.answers import answer_sections, application, changed_only, later_sections
from renderers.web.agents.attachments import document_pane
from renderers.web.agents.awaited import WaitLine, deadlines, payment_of_step, wait_lines
from renderers.web.agents.history import events
from renderers.web.agents.inbox import acts_in, next_of_list, place_in_list
from renderers.web.agents.ledger import booking_lines, document_lines, earlier_dossiers, payment_lines
from renderers.web.agents.notes import note_lines, noted_values
from renderers.web.agents.refunds import refund_lines
from renderers.web.platform.access import agent
from renderers.web.platform.dossier_context import DossierContext, label
from renderers.web.platform.request_context import actor, app_ctx, day_of, form_token, go, new_token, say
from renderers.web.shared.agent_dossier import (
    AgentCase,
    act_label,
    agent_case,
    correctable_of,
    correction_offer,
    refusal_text,
    why,
)
from renderers.web.shared.messages import thread_of, unread_of
from renderers.web.shared.originals import originals_shown
from renderers.web.shared.staff import (
    DueDateTag,
    assisted_by,
    due_tag,
    editions_of,
    note_with_undo,
    people,
    procedure_of,
    staff_page,
    who_did,
)
from renderers.web.shared.statuses import TAGS, departs_from_journal

blueprint = Blueprint("agent_dossier", __name__)


@dataclass(frozen=True, slots=True)
class BarAct:
    """One act or task of the bar. `why` is the reason if it is refused. `corrects`: it asks for corrections."""

    href: str
    label: str
    why: str = ""
    corrects: bool = False


# -- the page ----------------------------------------------------------------------------------------------------------


@blueprint.get("/agent/dossiers/<number>")
@agent()
def show(number: str) -> Response:
    """Show one dossier. Raises `NotFound` for a dossier that this agent may not see."""
    return dossier_page(agent_case(number))


def dossier_page(
    one: AgentCase, template: str = "agent/dossier.html", http: int = 200, /, *, inside: str = "", first_piece: str = "",
    ticks: Collection[str] = frozenset(), **panel: object,
) -> Response:  # fmt: skip
    """Show one dossier with all its data and acts.

    `template` adds a panel whose form posts to `inside`. `ticks` are then the answers that its act may send back.
    """
    found = offers(app_ctx(), actor(), one.id)
    correcting = correction_offer(found)
    if not inside and correcting:
        ticks = correctable_of(one, correcting.transition)
    dossier, form = one.dossier, application(one)
    sections, only_changed = answer_sections(one, form, frozenset(ticks)), request.args.get("voir") == "corrige"
    changed = sum(answer.is_changed for section in sections for answer in section.answers)
    lines = wait_lines(one, form)
    state, checked = one.procedure.states.get(dossier.state), payment_of_step(one)
    acts = [
        _bar_act(one, each, each is correcting)
        for each in found
        if each.transition.by != ("applicant",)  # never an agent's: their labels address the applicant
    ]
    tasks = [
        BarAct(line.href, say("frame.pair", label=line.action_label, value=line.title)) for line in _first_of(lines)
    ]
    shown = changed_only(sections) if only_changed and changed else sections
    context: dict[str, object] = {
        "dossier": dossier, "place": place_in_list(dossier), "procedure": one.title, "base": one.at(),
        "assisted": assisted_by(dossier), "name": dossier.label or whole_number(dossier.number),
        "state_tag": _state_label(one, state, checked), "tag": None if checked else due_tag(state, dossier.due_at, dossier.due_paused_at is not None),
        "wrote": _applicant_wrote(one), "departs": departs_from_journal(one.dossier), "flag": _correction_flag(one, changed), "edition": _edition(one), "newer": _newer(one),
        "sections": shown, "only_changed": only_changed, "changed_count": changed, "reused": _reused(one), "later": later_sections(one, form),
        "first_tick": next((answer.tick for section in shown for answer in section.answers if answer.tick), ""), "whys": {}, "unsaid": (),
        "pending_tasks": lines, "deadlines": deadlines(one, checked), "linked": earlier_dossiers(one), "events": events(one),
        "payments": payment_lines(one), "refunds": refund_lines(one), "bookings": booking_lines(one), "documents": document_lines(one, form),
        "acts": [*(act for act in acts if not act.why), *tasks], "closed": [act for act in acts if act.why], "comparison": (), "inside": inside,
        "correct_at": one.at(f"/acte/{correcting.transition.id}") if correcting else "", "over": state is not None and state.is_end,
        "pane": document_pane(one, first_piece), "originals": originals_shown(one),
        "pieces_at": inside or f"?{'voir=corrige&' if only_changed else ''}piece=",
        "holder": _holder(one, people([dossier.assigned])), "mine": dossier.assigned == actor().id,
        "takeable": dossier.closed_at is None and acts_in(one.procedure, dossier.state, actor()) and not _is_barred(one),
        "unread": unread_of(one), "thread": thread_of(one), "note_lines": note_lines(one), "noted": noted_values(one), "follows": is_followed(app_ctx(), actor(), one.id), "note": session.pop("desk_note", ""), "went_on": (went_on := session.pop("desk_next", "")), "token": new_token(),
        "next": next_of_list(inbox_counts(app_ctx(), actor())) if went_on else None,
    }  # fmt: skip
    return staff_page(template, http, **{**context, **panel})


def _bar_act(one: AgentCase, offer: AvailableAction, corrects: bool) -> BarAct:
    transition = offer.transition
    return BarAct(one.at(f"/acte/{transition.id}"), label(transition.agents_label), why(one, offer), corrects)


def _state_label(one: AgentCase, state: State | None, checked: Payment | None) -> tuple[str, str]:
    """Return the colour and words of the state. A payment that is being checked replaces « to pay »."""
    if checked is not None:
        return TAGS["checking"], say("status.checking")
    return TAGS[public_key(one.procedure, one.dossier)], label(state.label) if state else one.dossier.state


def _applicant_wrote(one: DossierContext) -> tuple[str, str] | None:
    """Return the reason of the applicant's last act, its author and day. None without one."""
    act = applicants_act(one.procedure, one.dossier)
    if act is None:
        return None
    reported = say("case.applicant_wrote", act=act_label(one.procedure, act.transition, act.source), reason=act.reason)
    day = day_of(act.at)
    return reported, say("case.by", moment=day, name=who_did(act.by, act.by_kind, {}))


def _first_of(lines: list[WaitLine]) -> list[WaitLine]:
    """Return the tasks that this agent has to do now, one of each form with rows."""
    left = [line for line in lines if line.href and not line.is_done]
    firsts = {line.href.rpartition("/")[0] if line.is_row else line.href: line for line in reversed(left)}
    return list(reversed(firsts.values()))


def _reused(one: DossierContext) -> str:
    """Return the sentence on the earlier request whose answers are still used, empty without one."""
    reused = one.dossier.reused
    if reused is None or not reused.fields:
        return ""
    day = day_of(reused.sent_at)
    return say("case.reused", day=day, number=whole_number(reused.number))


def _edition(one: DossierContext) -> str:
    since = next(
        (kept.published_at for kept in editions_of(one.procedure.id) if kept.fingerprint == one.procedure.fingerprint),
        None,
    )
    day = one.procedure.identity.from_ or (local_day(since) if since else None)
    if day is None:
        return say("case.edition", edition=one.procedure.edition)
    return say("case.edition_since", edition=one.procedure.edition, day=day_of(day))


def _newer(one: DossierContext) -> str:
    current = procedure_of(one.procedure.id)
    if current is None or current.fingerprint == one.procedure.fingerprint:
        return ""
    return say("case.newer", edition=current.edition)


def _is_barred(one: DossierContext) -> bool:
    """Return whether another person must act here, so that this agent does not take the dossier."""
    return barred_from_state(one.procedure, one.dossier, one.dossier.state, actor().id, actor().roles) is not None


def _holder(one: DossierContext, names: Mapping[str, str]) -> str:
    holder = one.dossier.assigned
    if holder is None:
        return say("case.assigned_none")
    if holder == actor().id:
        return say("case.assigned_me")
    return say("case.assigned", name=names.get(holder) or say("desk.unknown_person"))


def _correction_flag(one: DossierContext, changed: int) -> DueDateTag | None:
    """Return the tag of a correction: awaited, or received and to check. None without one."""
    if one.dossier.closed_at is not None:
        return None
    if one.dossier.correction is not None:
        return DueDateTag("", say("case.corrections_awaited"))
    return DueDateTag("act", say("case.corrections_received", count=changed)) if changed else None


# -- assignment --------------------------------------------------------------------------------------------------------


@blueprint.post("/agent/dossiers/<number>/attribution")
@agent()
def hold(number: str) -> Response:
    """Assign the dossier to this agent, or return it to the queue, then redirect.

    The dossier of another agent can be taken too.
    """
    one = agent_case(number)
    back = request.form.get("vers") == "file"
    try:
        assign(app_ctx(), actor(), one.id, None if back else actor().id, token=form_token())
    except Refused as closed:
        session["desk_note"] = refusal_text(one.procedure, closed.reason)
        return go(one.at())
    if one.dossier.assigned not in (None, actor().id):  # it was a colleague's: no act of this agent returns it to them
        session["desk_note"] = say("case.given_back" if back else "case.taken")
    else:
        note_with_undo(
            say("case.given_back" if back else "case.taken"),
            one.at("/attribution"),
            [("vers", "moi" if back else "file")],
        )
    return go("/agent" if back else one.at())
