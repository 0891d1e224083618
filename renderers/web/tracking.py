"""Where a request stands: the status box first, then the way done and ahead, and what its owner may still do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from flask import Blueprint, Response, request, session

from engine.clock import local_day
from engine.office.casework import letters_of
from engine.office.cashier import awaited_payment, owed
from engine.office.claims import waiting as waiting_here
from engine.office.intake import mine
from engine.office.messages import unread
from engine.office.representation import held
from engine.records.dossier import Payment
from engine.records.store import DossierLine
from engine.rules.giving_up import lapses_at
from engine.rules.progress import Milestone, PublicStatus, public_status, timeline
from engine.rules.view import FieldView, FileView, FormView, PageView
from renderers.row_pages import find_row
from renderers.web.absences import hour_come, missed_lines
from renderers.web.acts import no_way_out, theirs
from renderers.web.answers import answer_sections
from renderers.web.base import CLAIM, actor, go, language, myself, office, page, say, session_token, site
from renderers.web.cases import Case, case, label, visit_place, whereabouts
from renderers.web.closures import lost_boxes
from renderers.web.contesting import appeal_lines, how_to_contest, open_appeal
from renderers.web.desk import assisted_by
from renderers.web.guards import public, signed_in, unproven_too
from renderers.web.links import awaited_ends, linked_lines
from renderers.web.messages import unread_of
from renderers.web.money import money_lines, payment_lines, provider_label
from renderers.web.refusals import sentence
from renderers.web.results import RowResult, document_line, row_results
from renderers.web.statuses import BOXES, TAGS, line_title, lines_public
from renderers.web.todo import ToDo, to_do
from renderers.web_form import every_field
from renderers.words import first_capital

blueprint = Blueprint("tracking", __name__)

_ENDS = frozenset({"accepted", "refused", "closed"})


# -- all my dossiers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListedDossier:
    href: str
    title: str
    number: str
    label: str
    tag: str
    status: str
    when: str
    group: str
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    lines: tuple[ListedDossier, ...]


@blueprint.get("/dossiers")
@signed_in
@unproven_too
def dossiers() -> Response:
    found = mine(office(), actor())
    waiting = unread(office(), actor(), [line.id for line in found])
    labels = lines_public(found)
    lines = [_listed(line, labels[line.id], waiting.get(line.id, 0)) for line in found]
    groups = [
        Group(say(f"dossiers.{name}"), tuple(line for line in lines if line.group == name))
        for name in ("to_do", "running", "over")
    ]
    note = session.pop("note", "")
    if request.args.get("supprime"):
        note = say("tasks.dropped")
    if request.args.get("introuvable"):
        note = say("follow.not_found")
    waits = bool(session_token(CLAIM)) and bool(waiting_here(office(), myself(), session_token(CLAIM)))
    trusted = not actor().principal and any(one.active for one in held(office(), myself()))
    return page(
        "citizen/dossiers.html",
        groups=[group for group in groups if group.lines],
        note=note,
        waits=waits,
        trusted=trusted,
    )


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
        return say("dossiers.draft_of", day=_plain_day(line.created_at))
    if group == "over" or line.due_at is None or line.due_paused:
        return ""
    return say("dossiers.before" if group == "to_do" else "dossiers.answer_before", day=_plain_day(line.due_at))


@blueprint.get("/d/<number>")
@public
def short(number: str) -> Response:
    """The address of messages."""
    return go(f"/dossiers/{number}" if number.isascii() and number.isdigit() else "/suivi")


# -- one dossier -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskedLine:
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class StatusBox:
    """Three lines, always: where it stands, who must act, by when; then one thing to do."""

    kind: str
    tag: str
    label: str
    title: str
    where: str
    who: str
    when: str
    lines: tuple[str, ...] = ()
    asked: tuple[AskedLine, ...] = ()
    href: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class TimeStep:
    kind: str
    title: str
    text: str = ""
    href: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Linked:
    """A line with a link: a booking, an act, a file."""

    label: str = ""
    text: str = ""
    href: str = ""
    name: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    at: str
    body: str


@blueprint.get("/dossiers/<number>")
@signed_in
def follow(number: str) -> Response:
    one = case(number)
    if one.dossier.is_draft and not one.dossier.closed_at:
        return go(one.at("/demande"))
    status = public_status(one.procedure, one.dossier, office().now())
    form, ahead = one.form(), to_do(one)
    results, box = row_results(one, form), status_box(one, status, ahead)
    if status.public == "accepted":
        box = replace(box, lines=(*box.lines, *_some_only(results)))
    shown = {document.href for result in results for document in result.documents}
    documents = [document_line(one, document) for document in one.dossier.documents]
    return page(
        "citizen/tracking.html", assisted=assisted_by(one.dossier), dossier=one.dossier, procedure=one.title, note=session.pop("note", ""), box=box,
        ahead=ahead if len(ahead) > 1 or (ahead and ahead[0].href.partition("?")[0] != box.href) else [], results=results,
        documents=[document for document in documents if not document.href or document.href not in shown],
        steps=time_steps(one), bookings=_bookings(one), links=linked_lines(one), money=money_lines(one), payments=payment_lines(one),
        letters=_letters(one), files=received_files(one, form), sections=answer_sections(one, form), acts=_acts(one),
        no_way_out=no_way_out(one, box.label == say("status.checking")),
        appeals=appeal_lines(one) if status.public == "refused" else (), unread=unread_of(one), lost=lost_boxes(one, actor()),
        summary=one.at("/recapitulatif.pdf") if one.dossier.submitted_at else "",
        proof=f"/dossiers/{one.dossier.number}/preuve.json" if one.dossier.submitted_at and not actor().only_reads else "",
    )  # fmt: skip


def _some_only(results: list[RowResult]) -> Iterator[str]:
    """An accepted request may hold refusals."""
    told = [result for result in results if result.tag]
    granted = sum(1 for result in told if result.kind == "ok")
    if granted < len(told):
        yield say("result.some", granted=granted, all=len(told))


def status_box(one: Case, status: PublicStatus, ahead: list[ToDo]) -> StatusBox:
    key = _key(one, status)
    late = status.late or (status.who == "applicant" and status.until is not None and office().now() > status.until)
    if (payment := _awaited(one, key, ahead)) is not None:
        return _checking_box(one, payment, ahead)
    href, action = _what_to_do(one, key, ahead)
    return StatusBox(
        kind=BOXES[key], tag=TAGS[key], label=say(f"status.{key}"), title=_title(one, status, key, ahead),
        where=whereabouts(one, status), who=_who(one, status, ahead),
        when=_when(one, status, bool(ahead)), lines=tuple(_more(one, status, late)), asked=tuple(_asked(one, status)),
        href=href, action=action,
    )  # fmt: skip


def _key(one: Case, status: PublicStatus) -> str:
    """The label of the box. What is asked besides corrections is to do, and so is an act that only they can take."""
    state = one.procedure.states.get(one.dossier.state)
    mine = status.who == "applicant"
    if mine and (
        status.public in ("in_review", "sent") or (status.public == "to_correct" and state and state.mode == "gather")
    ):
        return "to_do"
    return status.public


def _title(one: Case, status: PublicStatus, key: str, ahead: list[ToDo]) -> str:
    amount = sum(fee.left for fee in owed(office(), actor(), one.id)) if key == "to_pay" else 0
    moment = site().words.moment(status.booking.start, language()) if status.booking else ""
    if key == "to_do":
        return say("todo.box", count=len(ahead)) if ahead else label(status.label)
    count = len(status.to_correct) or 1
    return say(
        f"track.title.{key}", amount=site().words.money(amount, language()), moment=moment, count=count
    ).strip()  # fmt: skip


def _awaited(one: Case, key: str, ahead: list[ToDo]) -> Payment | None:
    """The payment whose end is not known yet, where the dossier waits for nothing before it."""
    return awaited_payment(office(), actor(), one.id) if key == "to_pay" or (key == "to_do" and not ahead) else None


def _checking_box(one: Case, payment: Payment, ahead: list[ToDo]) -> StatusBox:
    """Who waits for the end of a payment must not pay again: no day to pay before, nobody to act but the operator."""
    who = "else" if ahead else payment.status
    return StatusBox(
        kind=BOXES["checking"], tag=TAGS["checking"], label=say("status.checking"), title=say("track.title.checking"),
        where=say("track.checking.where", provider=provider_label(payment.provider)), who=say(f"track.checking.who_{who}"),
        when=say("track.checking.when_sms" if one.dossier.contact_phone else "track.checking.when_here"),
        lines=tuple(awaited_ends(one)), href=one.at(f"/paiement/{payment.id}"), action=say("track.do.checking"),
    )  # fmt: skip


def _who(one: Case, status: PublicStatus, ahead: list[ToDo]) -> str:
    """Who acts. What is granted may go on: a site is opened, a visit booked, when its holder wants."""
    if status.who == "nobody" and one.dossier.closed_at is None:
        return say("track.you" if ahead else "todo.free" if any(act.href for act in _acts(one)) else "todo.going_on")
    return say({"applicant": "track.you", "us": "track.us", "nobody": "track.nobody"}[status.who])


def _when(one: Case, status: PublicStatus, ahead: bool) -> str:
    if status.booking is not None:
        return first_capital(site().words.moment(status.booking.start, language()))
    if status.who == "nobody" and (ahead or one.dossier.closed_at is None) and status.until is not None:
        return say("track.before", day=_plain_day(status.until))
    if status.who == "nobody":
        return say("track.since", day=_plain_day(one.dossier.closed_at or one.dossier.entered_at))
    if status.until is None:
        return say("track.no_date")
    return say("track.before" if status.who == "applicant" else "track.answer_before", day=_plain_day(status.until))


def _more(one: Case, status: PublicStatus, late: bool) -> Iterator[str]:
    if status.help:
        yield label(status.help)
    yield from awaited_ends(one)
    yield from missed_lines(one)
    if status.booking is not None:
        yield from hour_come(one, status.booking)
    elif late and status.until is not None:
        yield say("track.late" if status.who == "us" else "track.late_you", day=_plain_day(status.until))
    if status.booking is not None:
        yield visit_place(one.procedure.tasks.get(status.booking.appointment), status.booking.office)
    if status.public in ("refused", "to_correct") and (reason := _last_reason(one)):
        yield say("track.reason", reason=reason)
    if status.who == "applicant" and not late and lapses_at(one.procedure, one.dossier) is not None:
        yield say("track.ends_after")
    if status.public == "to_correct":
        yield say("track.clock_waits")
    if status.public == "refused" and (contested := how_to_contest(one)):
        yield contested


def _last_reason(one: Case) -> str:
    written = (taken.reason for taken in reversed(one.dossier.taken) if taken.by_kind == "agent")
    return next((reason for reason in written if reason), "")


def _asked(one: Case, status: PublicStatus) -> Iterator[AskedLine]:
    correction = one.dossier.correction
    for name in status.to_correct if status.public == "to_correct" and correction else ():
        field = one.procedure.fields.get(name)
        yield AskedLine(label(field.label) if field else name, correction.fields.get(name, "") if correction else "")


def _what_to_do(one: Case, key: str, ahead: list[ToDo]) -> tuple[str, str]:
    if key == "refused" and (offer := open_appeal(one)) is not None:
        return one.at(f"/actes/{offer.transition.id}"), label(offer.transition.label)
    if key == "to_do":
        acts = [act for act in _acts(one) if act.href]
        if ahead:
            return ahead[0].href, ahead[0].title
        return (acts[0].href, acts[0].label) if len(acts) == 1 else ("", "")
    addresses = {
        "to_pay": "/paiement", "to_correct": "/corrections", "to_book": "/rendez-vous", "appointment": "/rendez-vous",
    }  # fmt: skip
    return (one.at(addresses[key]), say(f"track.do.{key}")) if key in addresses else ("", "")


def next_act(one: Case) -> tuple[str, str]:
    """Where the applicant does what is theirs to do now, and its words; nothing where it is not their turn."""
    status = public_status(one.procedure, one.dossier, office().now())
    return _what_to_do(one, _key(one, status), to_do(one))


def time_steps(one: Case) -> list[TimeStep]:
    """Sent, what was done since, where it stands, what is still to come."""
    dossier = one.dossier
    steps = [TimeStep("done", say("track.sent"), _moment(dossier.submitted_at))] if dossier.submitted_at else []
    return [*steps, *(_step(one, milestone) for milestone in timeline(one.procedure, dossier, one.standing().scope))]


def _step(one: Case, milestone: Milestone) -> TimeStep:
    title = label(milestone.label)
    if milestone.public == "to_pay":
        title = say("track.later_pay")
    if milestone.when == "past":
        return TimeStep("done", title, _moment(milestone.until or milestone.at))
    if milestone.when == "future":
        return TimeStep("next", title)
    state = one.procedure.states.get(milestone.state)
    if state is not None and state.is_end:
        return TimeStep("done", title, _moment(milestone.at))
    text = say("track.step_since", when=_moment(milestone.at))
    if one.dossier.due_paused_at is not None:
        text = f"{text}. {say('track.paused')}"
    return TimeStep("now", title, text)


# -- its parts ---------------------------------------------------------------------------------------------------------


def _bookings(one: Case) -> list[Linked]:
    held = [booking for booking in one.dossier.bookings.values() if booking.status == "booked"]
    return [
        Linked(text=f"{first_capital(_moment(booking.start))}, {visit_place(one.procedure.tasks.get(booking.appointment), booking.office)}",
               href=one.at(f"/rendez-vous?quoi={booking.appointment}"))
        for booking in held
    ]  # fmt: skip


def _letters(one: Case) -> list[Message]:
    letters = sorted(letters_of(office(), actor(), one.id), key=lambda letter: letter.created_at)
    return [Message(_moment(letter.created_at), letter.body) for letter in letters][-10:]


def received_files(one: Case, form: FormView) -> list[Linked]:
    """The files that answer a question now, each with the proof that it was received."""
    asked = ((part, view) for part in form.pages for view in every_field(part))
    return [
        Linked(label=_asked_in(part, view), href=one.at(f"/pieces/{file.id}"), name=file.name, text=_received(file))
        for part, view in asked
        for file in view.files
    ]  # fmt: skip


def _asked_in(part: PageView, view: FieldView) -> str:
    """The question, and of which row it is."""
    found = find_row(part, view.path.rpartition(".")[0])
    if found is None:
        return label(view.label)
    return say("row.of", group=found.row.label or say("rows.number", number=found.row.number), label=label(view.label))


def _received(file: FileView) -> str:
    at = datetime.fromisoformat(file.received)
    return say("track.file_received", day=_plain_day(at), at=site().words.clock(at, language()))


# -- acts of the applicant ---------------------------------------------------------------------------------------------


def _acts(one: Case) -> list[Linked]:
    """Open ones with their page; a closed one says why."""
    return [
        Linked(label=label(offer.transition.label), href=one.at(f"/actes/{offer.transition.id}") if offer.open else "",
               because=sentence(offer.closed).rstrip(".") if offer.closed else "")
        for offer in theirs(one)
    ]  # fmt: skip


def _plain_day(instant: datetime) -> str:
    return site().words.plain_day(local_day(instant), language())


def _moment(instant: datetime | None) -> str:
    return site().words.moment(instant, language()) if instant else ""
