"""Acts of the applicant on a submitted request (withdraw, declare, contest), each on its own page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from flask import Blueprint, Response, request

from engine.core.problems import Refused
from engine.core.values import Span, Text
from engine.domain.common.decision import Act, AvailableAction
from engine.domain.common.names import free_text
from engine.domain.common.working_time import add_span
from engine.domain.documents.content import appeals_of, is_still_open
from engine.domain.fields.views import FieldView, FileView, PageView
from engine.domain.forms.agent_files import pending_files, place_of
from engine.domain.workflow.progress import ends_for_good, has_way_out, lapse_of, may_ask_to_give_up
from engine.model import APPLICANT, Appeal
from engine.services.applications.agent_files import OF_AN_ACT
from engine.services.applications.casework import offers, take_transition
from engine.services.context.app_context import NotFound, WrongAnswers
from renderers.html.controls import Control, field_control
from renderers.html.templates import span_text
from renderers.procedure.page import SheetLine
from renderers.procedure.steps import constant_span
from renderers.web.citizen.later_forms import Filled, Sheet, filled_by_act
from renderers.web.platform.access import dossier_page
from renderers.web.platform.dossier_context import DossierContext, case, drawing, label, writer
from renderers.web.platform.errors import sentence
from renderers.web.platform.refused_posts import Fault
from renderers.web.platform.request_context import (
    actor,
    app_ctx,
    at_counter,
    day_of,
    form_token,
    go,
    language,
    say,
    site,
)
from renderers.web.shared.agreements import ASKS_CODE, asked_agreement, code_sent, given_agreement
from renderers.web.shared.money import francs
from renderers.web.shared.outcomes import go_noting

blueprint = Blueprint("acts", __name__)
_NOTHING: Final = PageView("act", Text(()), None, (), 1, 1, True, True)  # an act that fills no form


def theirs(one: DossierContext) -> list[AvailableAction]:
    """Return the applicant's acts in the present state, possible or refused."""
    found = offers(app_ctx(), actor(), one.id)
    return [offer for offer in found if any(APPLICANT in transition.by for transition in offer.transitions)]


@dataclass(frozen=True, slots=True)
class ActLine:
    """One act: the address of its page, or the reason why it is refused. `ends` means that it only withdraws."""

    label: str
    href: str
    because: str
    ends: bool = False


def own_acts(one: DossierContext) -> list[ActLine]:
    """Return the lines of the applicant's acts. A refused act has a reason and no address."""
    return [
        ActLine(label=label(offer.transition.agents_label if at_counter() else offer.transition.label), href=one.at(f"/actes/{offer.transition.id}") if offer.open else "",
                because=sentence(offer.closed).rstrip(".") if offer.closed else "", ends=ends_for_good(one.procedure, offer.transitions))
        for offer in theirs(one)
        if not (offer.closed and offer.closed.code == "guard" and offer.transition.within)  # no refusal to contest
    ]  # fmt: skip


def new_request(one: DossierContext) -> list[ActLine]:
    """Return the link to the page of the procedure, empty for a reader and once no edition takes requests."""
    if actor().only_reads or app_ctx().catalogue.current_entry(one.procedure.id, app_ctx().day()) is None:
        return []
    return [ActLine(say("track.do.again"), f"/demarches/{one.procedure.id}", "")]


def no_way_out(one: DossierContext, paying: bool) -> tuple[str, bool] | None:
    """Return what to do where no act withdraws the request, and whether only the office can help: it does not lapse.

    None if the applicant can withdraw or has nothing to withdraw. `paying` means that a payment is open, so nothing
    lapses.
    """
    procedure, dossier = one.procedure, one.dossier
    if actor().only_reads or not may_ask_to_give_up(procedure, dossier) or has_way_out(procedure, dossier.state):
        return None
    lapse = None if paying else lapse_of(procedure, dossier)
    if lapse is None:
        return f"{say('track.no_way_out')} {say('track.ask_out')}", True
    return f"{say('track.no_way_out')} {say('track.lapses', day=day_of(lapse[0]))}", False


@dossier_page(blueprint, "/actes/<act_id>")
def ask(one: DossierContext, act_id: str) -> Response:
    """Show the page of one act. Redirects to the dossier once it is taken. Raises `NotFound` or `Refused`."""
    offer = _open(one, act_id)
    return _sheet(one, offer).shown() if offer else go(one.at())


@dossier_page(blueprint, "/actes/<act_id>", "POST")
def take(one: DossierContext, act_id: str) -> Response:
    """Take one act and redirect to the dossier.

    Shows the page again if a reason, a file or an answer is missing. Files of the post are stored in any case.
    """
    offer = _open(one, act_id)
    if offer is None:
        return go(one.at())
    transition, sheet = offer.transition, _sheet(one, offer)
    reason = free_text(request.form.get(sheet.reason_name, "")[:2000])
    if (answer := sheet.files()) is not None:
        return answer
    files = _joined(case(one.dossier.number), act_id)
    faults: dict[str, Fault] = {}
    if "reason" in transition.asks and not reason:
        faults[sheet.reason_name] = "refusal.reason_missing"
    if "attachment" in transition.asks and not files:
        faults[f"f-{act_id}"] = "refusal.attachment_missing"
    filled = sheet.read(True)
    if sheet.agreement and request.form.get("go") == ASKS_CODE:
        note, error = code_sent(one, transition)
        return replace(sheet, agreement=replace(sheet.agreement, error=error)).again({"": ""} if error else {}, note)
    if faults or any(not problem.warns for problem in filled.problems):
        return sheet.refused(faults)
    agreed, error = given_agreement(one, act_id) if sheet.agreement else ("", "")
    if sheet.agreement and error:
        return replace(sheet, agreement=replace(sheet.agreement, error=error)).refused({"": ""})
    act = Act(act_id, reason or None, {}, filled.answers, tuple(file.id for file in files))
    try:
        take_transition(app_ctx(), actor(), one.id, act, revision=sheet.revision(), token=form_token(), agreed=agreed)
    except WrongAnswers:
        return sheet.refused()
    return go_noting(one.at(), say("track.act_done", act=label(transition.label)))


def _open(one: DossierContext, act_id: str) -> AvailableAction | None:
    """Return a possible act, None if it is taken: the page is opened or sent again.

    Raises `NotFound` for another's act and `Refused` for an impossible one.
    """
    offer = next((offer for offer in theirs(one) if offer.transition.id == act_id), None)
    if offer is None:
        made = (taken for taken in one.dossier.taken if taken.transition == act_id)
        if any(taken.by_kind == APPLICANT or taken.by in one.dossier.assisted for taken in made):
            return None
        raise NotFound
    if offer.closed:
        raise Refused(offer.closed)
    return offer


def _sheet(one: DossierContext, offer: AvailableAction) -> Sheet:
    transition = offer.transition
    form = one.procedure.tasks[transition.fills] if transition.fills else None

    def place(field: str) -> str:
        return place_of(form, None, field) if form is not None and field != transition.id else transition.id

    return Sheet(
        one, label(transition.label), one.at(f"/actes/{transition.id}"), one.at(), place,
        lambda raw: filled_by_act(one, transition.id, raw) if transition.fills else Filled(_NOTHING), label(transition.label),
        lines=(*((label(transition.confirm),) if transition.confirm else ()), *_what_it_ends(one, offer), *_how_answered(one, offer)),
        ask_reason=say("track.act_reason") if "reason" in transition.asks else "",
        reason_name="act-reason" if transition.fills else "reason",  # ids of questions have no hyphen
        extra=_attachment(one, transition.id) if "attachment" in transition.asks else None,
        agreement=asked_agreement(one, transition.id), warn=ends_for_good(one.procedure, offer.transitions),
    )  # fmt: skip


def _what_it_ends(one: DossierContext, offer: AvailableAction) -> list[str]:
    """Return what a withdrawal ends, shown before it.

    Nothing is promised about received money: the workflow decides.
    """
    if not ends_for_good(one.procedure, offer.transitions):
        return []
    lines = [" ".join([say("withdrawal.stops"), *(say("withdrawal.again") for _ in new_request(one))])]
    payment = one.awaited
    owed_still = one.dossier.done  # a later part of a price is still collected
    if payment is not None and not any(fee in owed_still for fee in payment.fees):
        lines.append(say("withdrawal.paying", amount=francs(payment.amount)))
    return lines


def _how_answered(one: DossierContext, offer: AvailableAction) -> Iterator[str]:
    """Yield until when a decision can be contested here, when the answer is due, and what silence means."""
    transition, procedure = offer.transition, one.procedure
    if transition.within is None or not any(appeal.act == transition.id for appeal in appeals_of(one.evaluated())):
        return
    yield say("track.appeal_before", day=day_of(_last_day(one, transition.within)))
    span = constant_span(procedure.state(transition.target).due)
    if span is not None:
        yield say("track.appeal_answer", span=span_text(site().words, span, language()))
    late = [move for move in procedure.leaving.get(transition.target, ()) if move.event == "due"]
    if late and all(procedure.state(move.target).outcome == "refused" for move in late):
        yield say("track.appeal_silence")


def _joined(one: DossierContext, act_id: str) -> tuple[FileView, ...]:
    """Return the files already uploaded for an act."""
    return tuple(
        FileView(file.id, file.name, file.kind, file.size, file.received_at.isoformat(), file.pages)
        for file in pending_files(one.dossier, actor().id, act_id)
    )


def _attachment(one: DossierContext, act_id: str) -> Control:
    """Return the upload control of an act."""
    view = FieldView(
        act_id, act_id, "file", Text.of(say("todo.attachment")), max_items=OF_AN_ACT.max_items,
        max_size=OF_AN_ACT.max_size, accept=OF_AN_ACT.accept, files=_joined(one, act_id),
    )  # fmt: skip
    return field_control(view, drawing(one))


def appeal_lines(one: DossierContext) -> tuple[SheetLine, ...]:
    """Return the appeals against a refusal that are still open, each with its last day."""
    pairs = zip(writer(one.procedure).appeals(), appeals_of(one.evaluated()), strict=True)
    return tuple(
        replace(line, within=say("track.appeal_until", day=day_of(_last_day(one, appeal.within))))
        if appeal.within
        else line
        for line, appeal in pairs
        if _may_be_lodged(one, appeal)
    )


def _may_be_lodged(one: DossierContext, appeal: Appeal) -> bool:
    in_time = appeal.within is None or app_ctx().now() <= _last_day(one, appeal.within)
    return in_time and is_still_open(appeal, one.procedure, one.dossier)


def open_appeal(one: DossierContext) -> AvailableAction | None:
    """Return the act by which the applicant can appeal on this site now, None without one."""
    acts = {appeal.act for appeal in appeals_of(one.evaluated()) if appeal.act}
    return next((offer for offer in theirs(one) if offer.open and offer.transition.id in acts), None)


def how_to_contest(one: DossierContext) -> str:
    """Return the sentence on appeals in the status box, empty if there is no appeal."""
    if not any(_may_be_lodged(one, appeal) for appeal in appeals_of(one.evaluated())):
        return ""
    offer = open_appeal(one)
    within = offer.transition.within if offer else None
    return say("track.appeal_before", day=day_of(_last_day(one, within))) if within else say("track.how_appeal")


def _last_day(one: DossierContext, within: Span) -> datetime:
    """Return the end of the last day of an appeal, counted from the entry into the present state."""
    return add_span(one.dossier.entered_at, within, app_ctx().directory.calendar)
