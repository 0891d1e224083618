"""The list of an applicant's dossiers and the page of one: status, history, next steps and acts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import pairwise, zip_longest
from typing import Final

from flask import Blueprint, Response, request, session

from engine.domain.reporting.counters import last_day_announced
from engine.domain.workflow.progress import (
    Milestone,
    PublicStatus,
    likely_path,
    may_still_happen,
    public_key,
    reviews,
    silence_of,
    timeline,
)
from engine.model import APPLICANT, State
from engine.records.dossier import OutboundMessage
from engine.services.accounts.delegation import held
from engine.services.applications.casework import letters_of
from engine.services.applications.drafts import mine
from engine.services.applications.messages import unread
from engine.services.sign_in.unverified_drafts import waiting as waiting_here
from engine.storage.results import DossierLine
from renderers.html.pagination import paged
from renderers.i18n.language_spans import joined
from renderers.i18n.translations import first_capital
from renderers.procedure.steps import StepWriter
from renderers.web.citizen.acts import appeal_lines, how_to_contest, new_request, no_way_out, open_appeal, own_acts
from renderers.web.citizen.linked_dossiers import linked_lines
from renderers.web.citizen.status import StatusBox, next_act, reason_to_read, status_box, status_of, to_do
from renderers.web.platform.access import dossier_page, signed_in, unproven_too
from renderers.web.platform.dossier_context import DossierContext, case, label, visit_place
from renderers.web.platform.request_context import (
    CLAIM,
    actor,
    app_ctx,
    day_of,
    go,
    language,
    moment_of,
    myself,
    page,
    say,
    session_token,
    site,
)
from renderers.web.shared.answers import answer_sections
from renderers.web.shared.appointment_notices import lost_boxes
from renderers.web.shared.messages import unread_of
from renderers.web.shared.money import money_lines, payment_lines, receipt_lines
from renderers.web.shared.row_results import RowResult, document_line, row_results
from renderers.web.shared.staff import assisted_by
from renderers.web.shared.statuses import TAGS, line_title, lines_public, move_notice

blueprint = Blueprint("tracking", __name__)

_ENDS = frozenset({"accepted", "refused", "closed"})
_ACTS = frozenset({"to_pay", "to_correct", "to_book"})
_OTHERS: Final = frozenset({"by", "gather", "look_up", "await"})  # modes of steps that others end
_FACTS: Final = {"pay": "payment.paid", "correct": "track.corrected"}  # what a step that came to its end is, by mode


# -- the list of dossiers ----------------------------------------------------------------------------------------------


_GROUPS: Final = ("to_do", "running", "over")


@dataclass(frozen=True, slots=True)
class ListedDossier:
    """One dossier in the list, in words.

    `tag` is the colour of its status, `group` its group, `unread` the count of new messages.
    """

    href: str
    title: str
    number: str
    label: str
    tag: str
    status: str
    when: str
    group: str
    unread: str = ""


@blueprint.get("/dossiers")
@signed_in
@unproven_too
def dossiers() -> Response:
    """Show the dossiers of the applicant in groups: to do, running, over."""
    found = mine(app_ctx(), actor())
    waiting = unread(app_ctx(), actor(), [line.id for line in found])
    labels = lines_public(found)
    lines = [_listed(line, labels[line.id], waiting.get(line.id, 0)) for line in found]
    here = paged(sorted(lines, key=lambda line: _GROUPS.index(line.group)), request.args.get("page", ""), "/dossiers")
    groups = [(say(f"dossiers.{name}"), [line for line in here.items if line.group == name]) for name in _GROUPS]
    note = session.pop("note", "")
    if request.args.get("supprime"):
        note = say("tasks.dropped")
    if request.args.get("introuvable"):
        note = say("follow.not_found")
    has_unverified = bool(session_token(CLAIM)) and bool(waiting_here(app_ctx(), myself(), session_token(CLAIM)))
    trusted = not actor().principal and any(one.active for one in held(app_ctx(), myself()))
    return page(
        "citizen/dossiers.html", groups=[group for group in groups if group[1]], here=here, note=note,
        has_unverified=has_unverified, trusted=trusted, phone_change=move_notice(),
    )  # fmt: skip


def _listed(line: DossierLine, key: str, waiting: int) -> ListedDossier:
    tag = TAGS[key]
    group = "over" if line.closed or key in _ENDS else "to_do" if tag == "act" or key == "ready" else "running"
    address = f"/dossiers/{line.number}" + ("/demande" if key == "draft" and not line.closed else "")
    return ListedDossier(
        address, line_title(line), line.number, line.label, tag, say(f"status.{key}"), "" if key == "checking" else _listed_when(line, group), group,
        say("message.unread", count=waiting) if waiting else "",
    )  # fmt: skip


def _listed_when(line: DossierLine, group: str) -> str:
    if line.submitted_at is None:
        return say("dossiers.draft_of", day=day_of(line.created_at))
    if group == "over" or line.due_at is None or line.due_paused:
        return ""
    return say("dossiers.before" if group == "to_do" else "dossiers.answer_before", day=day_of(line.due_at))


@blueprint.get("/d/<number>")
@signed_in
def short(number: str) -> Response:
    """Redirect the short address of messages to what the applicant must do, else to the dossier."""
    one = case(number)
    acts = not actor().only_reads and public_key(one.procedure, one.dossier) in _ACTS
    href, _ = next_act(one) if acts and not reason_to_read(one) else ("", "")
    return go(href or one.at())


# -- one dossier -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimeStep:
    """One step of the history. `kind` is done, now or next; `grants` a next one that grants the request."""

    kind: str
    title: str
    text: str = ""
    grants: bool = False


@dossier_page(blueprint, "")
def follow(one: DossierContext) -> Response:
    """Show one dossier: status, documents, history, payments, messages, answers and acts.

    Redirects a draft to its form.
    """
    if one.dossier.is_draft and not one.dossier.closed_at:
        return go(one.at("/demande"))
    status = status_of(one)
    form, ahead = one.form(), to_do(one)
    results, box = row_results(one, form), status_box(one, status, ahead)
    mixed = _mixed(results) if status.public in ("accepted", "refused") and one.dossier.closed_at else ""
    box = _mixed_box(one, box, mixed) if mixed else box
    checking, again = say("status.checking"), new_request(one) if status.public in ("refused", "closed") else []
    of_rows = {document.href for result in results for document in result.documents if document.href}
    documents = (document_line(one, document) for document in one.dossier.documents)
    return page(
        "citizen/tracking.html", assisted=assisted_by(one.dossier), dossier=one.dossier, procedure=one.title, note=session.pop("note", ""), box=box,
        ahead=ahead if len(ahead) > 1 or (ahead and ahead[0].href.partition("?")[0] != box.href) else [], results=results,
        documents=[*(document for document in documents if document.href not in of_rows), *receipt_lines(one)],
        steps=(steps := time_steps(one)), main_steps=_main_steps(steps), exceptions=exceptions(one) if box.label != checking else [], bookings=_bookings(one, status), links=linked_lines(one), money=money_lines(one), payments=payment_lines(one),
        messages=_letters(one), sections=answer_sections(one, form), acts=own_acts(one), again=[act for act in again if act.href != box.href],
        no_way_out=no_way_out(one, box.label == checking),
        appeals=appeal_lines(one) if status.public == "refused" or mixed else (), unread=unread_of(one), lost=lost_boxes(one, actor()),
        summary=one.at("/recapitulatif.pdf") if one.dossier.submitted_at else "",
        proof=f"/dossiers/{one.dossier.number}/preuve.json" if one.dossier.submitted_at and not actor().only_reads else "",
    )  # fmt: skip


def _mixed(results: list[RowResult]) -> str:
    """Return how many rows are granted where others are refused, else empty."""
    reported = [result for result in results if result.tag]
    granted = sum(1 for result in reported if result.kind == "ok")
    return say("result.some", granted=granted, all=len(reported)) if 0 < granted < len(reported) else ""


def _mixed_box(one: DossierContext, box: StatusBox, title: str) -> StatusBox:
    """Return the box of a group of which some are refused: how to contest that, instead of « Qui ? Personne »."""
    contested, offer = how_to_contest(one), open_appeal(one)
    if not contested:
        return replace(box, title=title)
    href, action = (one.at(f"/actes/{offer.transition.id}"), label(offer.transition.label)) if offer else ("", "")
    facts = tuple(fact for fact in box.facts if fact[0] != say("track.who"))
    return replace(box, title=title, facts=facts, lines=(*box.lines, contested), href=href, action=action)


def time_steps(one: DossierContext) -> list[TimeStep]:
    """Return the steps of the history: submission, past, present and future."""
    dossier = one.dossier
    steps = [TimeStep("done", say("track.sent"), day_of(dossier.submitted_at))] if dossier.submitted_at else []
    found = timeline(one.procedure, dossier, one.evaluated().scope)
    steps += (_step(one, milestone, after) for milestone, after in zip_longest(found, found[1:]))
    answer = next((n for n, step in enumerate(steps) if step.grants), None)
    last = last_day_announced(one.procedure, dossier, one.evaluated().scope, app_ctx().directory.calendar)
    if answer and steps[answer].kind == "next" and last and last > app_ctx().now():
        steps[answer] = replace(steps[answer], text=_announced(one, last))
    return steps


def _announced(one: DossierContext, last: datetime) -> str:
    """Return when the decision comes: the day announced, or that of the silence that grants before it."""
    meant = silence_of(one.procedure, one.dossier, one.evaluated().scope, app_ctx().directory.calendar)
    if meant is not None and meant[0] == "tacit_granted" and meant[1] < last:
        return say("track.silence.tacit_granted", day=day_of(meant[1]))
    return say("track.announced", day=day_of(last))


def _main_steps(steps: list[TimeStep]) -> list[TimeStep]:
    """Return the first step, the last ones before the present one, that one, the next and the decision, else the last.

    The decision says how many steps are left out before it.
    """
    now, last = next((n for n, step in enumerate(steps) if step.kind != "done"), len(steps)), len(steps) - 1
    decision = next((n for n, step in enumerate(steps) if step.grants and n > now), last)
    shown = sorted({0, *range(max(now - 2, 0), min(now + 2, last + 1)), decision})
    left_out = [(n, n - before - 1) for before, n in pairwise(shown) if n > max(now, before + 1)]
    said = {n: say("track.steps_between", count=count) for n, count in left_out}
    return [replace(steps[n], text=joined(". ", filter(None, (said.get(n), steps[n].text)))) for n in shown]


def steps_ahead(one: DossierContext) -> list[TimeStep]:
    """Return the submission and what comes after it, in the words of the public sheet: one step of each kind."""
    sent, kinds = one.dossier.submitted_at, ("next", "now") if one.dossier.closed_at is None else ("done", "done")
    writer, path = _ahead(one)
    ahead = writer.steps(path)[1:]  # the first is to fill in
    return [
        *([TimeStep("done", say("track.sent"), day_of(sent))] if sent else ()),
        *(
            TimeStep(
                kinds[step is ahead[0]],
                f"{step.verb} {step.detail}".strip(),
                joined(", ", () if step.detail else step.lines),
            )
            for step in ahead
        ),
    ]


def exceptions(one: DossierContext) -> list[str]:
    """Return what may happen in the present state beside the next step of the history."""
    if one.dossier.is_draft or one.dossier.closed_at is not None:
        return []
    writer, path = _ahead(one)
    possible = partial(may_still_happen, dossier=one.dossier, scope=one.evaluated().scope)
    return list(writer.exceptions(path, one.dossier.state, possible))


def _ahead(one: DossierContext) -> tuple[StepWriter, tuple[str, ...]]:
    """Return who writes the steps, and the present state with the usual ones to come."""
    usual = likely_path(one.procedure, one.dossier.state, one.evaluated().scope)
    return StepWriter(one.procedure, site().words, language()), (one.dossier.state, *usual)


def _step(one: DossierContext, milestone: Milestone, after: Milestone | None) -> TimeStep:
    state, following = (one.procedure.states.get(step.state) if step else None for step in (milestone, after))
    over = state is not None and state.is_end
    fact = _FACTS.get(state.mode, "") if state is not None and milestone.done else ""
    title = say(fact or "track.later_pay") if fact or milestone.public == "to_pay" else label(milestone.label)
    if milestone.when == "past" and not fact and state and (left := _how_left(one, milestone, state, following)):
        title = say(f"track.{left}", step=title)
    at = milestone.at if over or milestone.when == "present" else milestone.until
    when = day_of(at) if at else ""
    if over or milestone.when != "present":
        return TimeStep("next" if milestone.when == "future" else "done", title, when, milestone.grants)
    status = status_of(one)
    if status.booking is not None:
        return TimeStep("now", title, moment_of(status.booking.start))
    theirs = milestone.public == "accepted" and status.who == "applicant"
    text = (
        say("track.step_yours", day=day_of(status.until or one.dossier.entered_at))
        if theirs
        else say("track.step_since", when=when)
    )
    return TimeStep("now", title, f"{text}. {say('track.paused')}" if one.dossier.due_paused_at is not None else text)


def _how_left(one: DossierContext, milestone: Milestone, state: State, following: State | None) -> str:
    """Return the word of a past step: done, sent back, stopped, or over without what it waited for."""
    theirs = state.mode not in _OTHERS or APPLICANT in state.by
    if theirs or (milestone.lapsed and state.public == "ready"):
        return "step_too_late" if milestone.lapsed else ""
    if milestone.lapsed or milestone.silent:
        return "step_unheld" if state.waits and not milestone.silent else "step_unanswered"
    if following is None or following.mode == "correct":
        return "sent_back" if following else "step_done"
    if following.outcome not in (None, "granted", "refused"):
        return ""
    acts = [act for act in one.procedure.leaving.get(state.id, ()) if act.target == following.id and act.event is None]
    left = [taken.source for taken in one.dossier.taken if milestone.until is not None and taken.at <= milestone.until]
    back = following.awaits_act or (following.id in left and not reviews(one.procedure, state))
    return "step_again" if back and any("reason" in act.asks for act in acts) else "step_done"


# -- parts of the page -------------------------------------------------------------------------------------------------


def _bookings(one: DossierContext, status: PublicStatus) -> list[tuple[str, str]]:
    """Return the appointments that the box of the status does not show, each with its address."""
    above = status.booking if status.public == "appointment" else None
    held = [booking for booking in one.dossier.bookings.values() if booking.status == "booked" and booking != above]
    return [
        (f"{first_capital(moment_of(booking.start))}, {visit_place(one, booking)}", one.at(f"/rendez-vous?quoi={booking.appointment}"))
        for booking in held
    ]  # fmt: skip


def _letters(one: DossierContext) -> list[tuple[str, str]]:
    """Return when and what the last ten messages said, the newest first.

    One sent by SMS and mail appears once, with the longer text.
    """
    reported: dict[str, list[OutboundMessage]] = {}
    for letter in sorted(letters_of(app_ctx(), actor(), one.id), key=lambda letter: letter.created_at):
        reported.setdefault(letter.dedupe.partition(f":{letter.channel}:")[0], []).append(letter)
    return [_message(same) for same in reversed(list(reported.values())[-10:])]


def _message(same: list[OutboundMessage]) -> tuple[str, str]:
    channels = {letter.channel for letter in same if not letter.failed} & {"sms", "email"}
    at, key = moment_of(same[0].created_at), "_".join(sorted(channels, reverse=True))
    fullest = max(same, key=lambda letter: len(letter.body))
    return (say(f"track.told_{key}", moment=at) if key else at), fullest.body
