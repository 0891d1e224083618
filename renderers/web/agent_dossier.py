"""One dossier on an agent's screen: the facts on the left, what may be decided on the right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, request, session

from engine.clock import local_day
from engine.definition.model import APPLICATION, Form, Procedure, Transition
from engine.office.casework import assign, letters_of, offers
from engine.office.cashier import payments
from engine.office.intake import procedure_of, see, see_form
from engine.office.surplus import to_give_back
from engine.problems import Refused
from engine.records.dossier import Correction, Letter, Taken
from engine.rules.decision import Offer
from engine.rules.documents import status_of
from engine.rules.forms import view_filling
from engine.rules.offers import correctable_fields
from engine.rules.progress import public_key
from engine.rules.view import FieldView, PageView, RowView
from engine.values import group_number
from renderers.web.agent import acts_in
from renderers.web.base import (
    actor,
    agent,
    dossier_number,
    form_token,
    go,
    language,
    new_token,
    office,
    say,
    site,
)
from renderers.web.cases import Case, label, place_label
from renderers.web.desk import (
    Tag,
    book_of,
    desk_page,
    due_tag,
    editions_of,
    event_label,
    people,
    role_label,
    who_did,
    writer_of,
)
from renderers.web.refusals import sentence
from renderers.web.statuses import TAGS

blueprint = Blueprint("agent_dossier", __name__)


class AgentCase(Case):
    """A dossier at an agent's desk: its addresses are the desk's."""

    def at(self, rest: str = "") -> str:
        return f"/agent/dossiers/{self.dossier.number}{rest}"


def agent_case(number: str) -> AgentCase:
    """Raises `NotFound` for an unknown dossier and for one of other services."""
    dossier = see(office(), actor(), dossier_number(number))
    return AgentCase(dossier, procedure_of(office(), dossier))


# -- the page ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Paper:
    """One file and where it is looked at."""

    href: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as an agent reads it. `tick` is the question's id when a correction of it may be asked now."""

    label: str
    text: str
    masked: bool = False
    tick: str = ""
    note: str = ""  # what was asked to correct, and whether it was done
    note_kind: str = ""
    papers: tuple[Paper, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class OpenAct:
    """An act of the panel: open, or closed and `why`."""

    id: str
    label: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the history, the messages it caused beneath."""

    kind: str
    title: str
    text: str
    reason: str = ""
    letters: tuple[tuple[str, str], ...] = ()


@blueprint.get("/agent/dossiers/<number>")
@agent()
def show(number: str) -> Response:
    return dossier_page(agent_case(number))


def dossier_page(one: AgentCase, error: str = "") -> Response:
    found = offers(office(), actor(), one.id)
    correcting = correction_offer(found)
    ticks = correctable_of(one, correcting.transition) if correcting else frozenset()
    dossier, names = one.dossier, _names(one)
    state = one.procedure.states.get(dossier.state)
    return desk_page(
        "agent/dossier.html", 422 if error else 200,
        dossier=dossier, procedure=one.title, base=one.at(), errors=[("#acte", error)] if error else [],
        name=dossier.label or group_number(dossier.number),
        standing=(TAGS[public_key(one.procedure, dossier)], label(state.label) if state else dossier.state),
        tag=due_tag(state, dossier.entered_at, dossier.due_at, dossier.due_paused_at is not None),
        flag=_correction_flag(one), edition=_edition(one), newer=_newer(one),
        sections=answer_sections(one, ticks), later=later_sections(one),
        events=_events(one, names), payments=_payments(one), bookings=_bookings(one), documents=_documents(one),
        acts=[OpenAct(offer.transition.id, label(offer.transition.label)) for offer in found if offer.open],
        closed=[OpenAct(offer.transition.id, label(offer.transition.label), why(one, offer)) for offer in found if not offer.open],
        correcting=correcting.transition.id if correcting else "", over=state is not None and state.is_end,
        holder=_holder(one, names), mine=dossier.assigned == actor().id,
        takeable=dossier.closed_at is None and acts_in(one.procedure, dossier.state, actor()),
        note=session.pop("desk_note", ""), went_on=session.pop("desk_next", ""), token=new_token(),
    )  # fmt: skip


def _edition(one: Case) -> str:
    since = next(
        (kept.published_at for kept in editions_of(one.procedure.id) if kept.fingerprint == one.procedure.fingerprint),
        None,
    )
    day = one.procedure.identity.from_ or (local_day(since) if since else None)
    if day is None:
        return say("case.edition", edition=one.procedure.edition)
    return say("case.edition_since", edition=one.procedure.edition, day=site().words.plain_day(day, language()))


def _newer(one: Case) -> str:
    current = book_of(one.procedure.id)
    if current is None or current.fingerprint == one.procedure.fingerprint:
        return ""
    return say("case.newer", edition=current.edition)


def _holder(one: Case, names: Mapping[str, str]) -> str:
    holder = one.dossier.assigned
    if holder is None:
        return say("case.assigned_none")
    if holder == actor().id:
        return say("case.assigned_me")
    return say("case.assigned", name=names.get(holder) or say("desk.unknown_person"))


def _names(one: Case) -> Mapping[str, str]:
    return people([one.dossier.assigned, *(taken.by for taken in one.dossier.taken)])


def _correction_flag(one: Case) -> Tag | None:
    """Corrections asked: awaited, or received and to be looked at."""
    correction = one.dossier.correction
    if correction is None or one.dossier.closed_at is not None:
        return None
    if correction.left:
        return Tag("", say("case.corrections_awaited"))
    return Tag("act", say("case.corrections_received")) if correction.made else None


# -- answers -----------------------------------------------------------------------------------------------------------


def answer_sections(one: AgentCase, ticks: frozenset[str]) -> list[Section]:
    """The application, page by page; answers this agent may not read are hidden."""
    form = see_form(office(), actor(), one.id)
    sections = [Section(label(page.title), tuple(_answers(one, page, ticks))) for page in form.pages]
    return [section for section in sections if section.answers]


def later_sections(one: AgentCase) -> list[Section]:
    """What the service filled or a register answered since."""
    found = []
    for task in one.procedure.tasks.values():
        if not isinstance(task, Form) or task.id == APPLICATION or task.id not in one.dossier.done:
            continue
        form = view_filling(
            one.procedure, task.id, one.dossier, office().day(), office().directory, office().wording, reader=actor()
        )  # fmt: skip
        answers = tuple(answer for page in form.pages for answer in _answers(one, page, frozenset()))
        if answers:
            found.append(Section(label(task.label), answers))
    return found


def _answers(one: AgentCase, page: PageView, ticks: frozenset[str]) -> Iterator[Answer]:
    for view in page.fields:
        if not view.shown or view.type == "note":
            continue
        if view.type == "rows":
            yield from _row_answers(one, view, ticks)
        else:
            yield _answer(one, view, label(view.label), view.id, ticks)


def _row_answers(one: AgentCase, view: FieldView, ticks: frozenset[str]) -> Iterator[Answer]:
    """Each row's answers under the title of the row; a correction is asked of the group as a whole."""
    yield _answer(one, view, label(view.label), view.id, ticks, "" if view.rows else say("rows.none"))
    for row in view.rows:
        for inner in row.fields:
            if inner.shown and inner.type != "note":
                yield _answer(one, inner, f"{_row_title(row)} – {label(inner.label)}", "", ticks)


def _row_title(row: RowView) -> str:
    return row.label or say("rows.number", number=row.number)


def _answer(
    one: AgentCase, view: FieldView, title: str, field: str, ticks: frozenset[str], text: str | None = None
) -> Answer:
    kind, note = _correction_note(one.dossier.correction, field)
    return Answer(
        title, _said(view) if text is None else text, view.masked, field if field in ticks and not view.masked else "",
        note, kind, tuple(_paper(one, view, number) for number in range(len(view.files))),
    )  # fmt: skip


def _said(view: FieldView) -> str:
    on_paper = view.type == "evidence" and "upload" not in view.how
    return " ".join(say(f"piece.how.{how}") for how in view.how) if on_paper else view.text


def _paper(one: AgentCase, view: FieldView, number: int) -> Paper:
    file = view.files[number]
    text = say(
        "case.file_text", kind=file.kind.upper(), size=site().words.size(file.size, language()),
        moment=site().words.moment(datetime.fromisoformat(file.received), language()),
    )  # fmt: skip
    return Paper(one.at(f"/pieces/{file.id}"), file.name, text)


def _correction_note(correction: Correction | None, field: str) -> tuple[str, str]:
    if correction is None or field not in correction.fields:
        return "", ""
    reason, key = correction.fields[field], "corrected" if field in correction.made else "awaited"
    kind = "ok" if key == "corrected" else "act"
    return kind, say(f"case.{key}", reason=reason) if reason else say(f"case.{key}_bare")


# -- what may be decided -----------------------------------------------------------------------------------------------


def correction_offer(found: tuple[Offer, ...]) -> Offer | None:
    """The act, if one is open, that asks the applicant to correct answers."""
    return next((offer for offer in found if offer.open and "correction" in offer.transition.asks), None)


def correctable_of(one: Case, way: Transition) -> frozenset[str]:
    return frozenset(correctable_fields(one.procedure, way, one.standing().values.scope))


def why(one: Case, offer: Offer) -> str:
    """Why an act is closed, with what the house's sentence alone could not say: which roles, which condition."""
    reason, way = offer.closed, offer.ways[-1]
    if reason is None:
        return ""
    if reason.code == "role":
        roles = reason.facts.get("roles", ())
        named = [role_label(str(role)) for role in (roles if isinstance(roles, tuple) else (roles,))]
        return say("why.role", roles=", ".join(named))
    if reason.code == "guard":
        return say("why.guard", condition=writer_of(one.procedure).condition(way.when))
    if reason.code in ("four_eyes", "same_as"):
        return say(f"why.{reason.code}", act=act_label(one.procedure, str(reason.facts.get("act", ""))))
    return sentence(reason)


def act_label(book: Procedure, name: str, source: str = "") -> str:
    """What people call an act or a task; what time or the machine did, by its event."""
    ways = [way for way in book.transitions if way.id == name]
    way = next((one for one in ways if one.source == source), ways[0] if ways else None)
    if way is None:
        task = book.tasks.get(name)
        return label(task.label) if task else name
    if way.event is None:
        return label(way.label)
    return event_label(book, way)


# -- history -----------------------------------------------------------------------------------------------------------


def _events(one: Case, names: Mapping[str, str]) -> list[Event]:
    """What happened, the newest last, each with the messages it sent word for word."""
    letters = sorted(letters_of(office(), actor(), one.id), key=lambda letter: letter.created_at)
    sent = one.dossier.submitted_at or one.dossier.created_at
    moments = [sent, *(taken.at for taken in one.dossier.taken)]
    by_moment: dict[int, list[Letter]] = {}
    for letter in letters:
        place = max((at for at, moment in enumerate(moments) if moment <= letter.created_at), default=0)
        by_moment.setdefault(place, []).append(letter)
    events = [
        Event(
            "done",
            say("case.history_sent"),
            site().words.moment(sent, language()),
            letters=_said_letters(by_moment.get(0, ())),
        )
    ]
    for number, taken in enumerate(one.dossier.taken, 1):
        events.append(_event(one, taken, names, _said_letters(by_moment.get(number, ()))))
    return events


def _event(one: Case, taken: Taken, names: Mapping[str, str], letters: tuple[tuple[str, str], ...]) -> Event:
    target = one.procedure.states.get(taken.target)
    title = say(
        "case.to_state", label=act_label(one.procedure, taken.transition, taken.source),
        state=label(target.label) if target else taken.target,
    )  # fmt: skip
    by = say("case.by", moment=site().words.moment(taken.at, language()), name=who_did(taken.by, taken.by_kind, names))
    return Event("done", title, by, say("case.reason", reason=taken.reason) if taken.reason else "", letters)


def _said_letters(letters: object) -> tuple[tuple[str, str], ...]:
    found = []
    for letter in letters if isinstance(letters, list) else ():
        key = "history_letter_failed" if letter.failed else "history_letter" if letter.sent_at else "history_letter_due"
        found.append((say(f"case.{key}", channel=say(f"case.channel_{letter.channel}")), letter.body))
    return tuple(found)


# -- money, visits, papers delivered -----------------------------------------------------------------------------------


def _payments(one: Case) -> list[tuple[str, str, str]]:
    """Label, tag kind and tag: what is owed, then each try to pay."""
    money = site().words.money
    lines = []
    for owed in one.dossier.owed.values():
        text = say("case.owed", label=owed.label, amount=money(owed.amount, language()))
        lines.append((text, "ok" if owed.left == 0 else "act", say("case.paid" if owed.left == 0 else "status.to_pay")))
    back = to_give_back(office(), actor(), one.id)
    for payment in payments(office(), actor(), one.id):
        status = "paid" if payment.status == "overpaid" else payment.status
        key = f"payment.line_{status}" if status in ("paid", "pending", "unknown") else "payment.line_failed"
        day = site().words.plain_day(local_day(payment.ended_at or payment.started_at), language())
        facts = {"amount": money(payment.amount, language()), "day": day}
        lines.append((say(key, **facts), "", payment.receipt or payment.provider_ref or ""))
        if payment.id in back:
            lines.append(
                (say("case.give_back_money", back=money(back[payment.id], language())), "act", say("case.to_give_back"))
            )
    return lines


def _bookings(one: Case) -> list[tuple[str, str, str]]:
    """What is said of each visit, its state, the day's page."""
    found = []
    for name, booking in one.dossier.bookings.items():
        task = one.procedure.tasks.get(name)
        moment = site().words.moment(booking.start, language())
        said = say(
            "case.booking", label=label(task.label) if task else name, moment=moment, office=place_label(booking.office)
        )
        state = say(f"day.status_{booking.status}")
        if booking.status == "booked" and booking.arrived_at:
            state = say("day.status_arrived", at=site().words.clock(booking.arrived_at, language()))
        found.append(
            (said, state, f"/agent/rendez-vous/{local_day(booking.start).isoformat()}?bureau={booking.office}")
        )
    return found


def _documents(one: Case) -> list[tuple[str, str, str, str]]:
    """Title, details, address, and a word when it is not worth anything any more."""
    found = []
    for document in one.dossier.documents:
        worth = status_of(document, local_day(office().now()))
        text = say(
            "case.document",
            number=document.number,
            day=site().words.plain_day(local_day(document.issued_at), language()),
        )
        tag = "" if worth == "valid" else say(f"track.document_{worth}")
        found.append((document.title, text, one.at(f"/documents/{document.id}.pdf"), tag))
    return found


# -- hands -------------------------------------------------------------------------------------------------------------


@blueprint.post("/agent/dossiers/<number>/attribution")
@agent()
def hold(number: str) -> Response:
    """Takes the dossier, from another hand too, or gives it back to the queue."""
    one = agent_case(number)
    back = request.form.get("vers") == "file"
    try:
        assign(office(), actor(), one.id, None if back else actor().id, token=form_token())
    except Refused as closed:
        session["desk_note"] = sentence(closed.reason)
        return go(one.at())
    session["desk_note"] = say("case.given_back" if back else "case.taken")
    return go("/agent" if back else one.at())
