"""Which letters a decision owes, to whom, on which channel, in which words.

Call `letters_for` once the documents of the decision are numbered, with the dossier as it will be kept. A notice of the
book speaks for its event; a state without one says the standard message of its public label, when the label changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias

from engine.core.clock import local, local_day
from engine.core.gsm7 import to_gsm
from engine.core.values import group_number
from engine.domain.common.decision import Decision
from engine.domain.common.text_provider import Wording
from engine.domain.fields.display import answer_words
from engine.domain.fields.field_type import Speech
from engine.domain.fields.raw_answers import fill_template
from engine.domain.fields.scope import EvaluatedAnswers, standing_of
from engine.domain.workflow.due_dates import clock_end, draft_end, held_bookings
from engine.domain.workflow.fee_quotes import quote
from engine.domain.workflow.progress import public_key
from engine.model import APPLICANT, Appointment, Fee, Notice, Procedure, Template
from engine.model.directory import Directory
from engine.model.roles import role_key
from engine.records.dossier import Actor, Booking, Dossier, OutboundMessage

Channel: TypeAlias = Literal["sms", "email", "inbox"]
Link: TypeAlias = "Callable[[Dossier], str] | str"
VisitLink: TypeAlias = Callable[[str], str]  # by appointment
_OF_A_VISIT: Final = frozenset({"booked", "moved", "reminder"})
_MEETINGS: Final = frozenset({"appointment", "moved", "reminder"})
ROLE_ADDRESS: Final = "role:"  # an inbox shared by all who hold the role: `role:agency/role`
_STANDARD: Final = {  # what the house says of events that no notice of the book can name
    "booked": "appointment", "moved": "moved", "cancelled": "cancelled", "reminder": "reminder", "missed": "missed",
    "draft_reminder": "draft", "late": "late",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Telling:
    """One decision being told."""

    procedure: Procedure
    before: Dossier
    dossier: Dossier
    now: datetime
    directory: Directory
    wording: Wording
    link: str
    new_id: Callable[[], str]
    about: str = ""  # the event of the notice being told
    visit_link: VisitLink | None = None
    _known: list[EvaluatedAnswers] = field(default_factory=list, repr=False)

    @property
    def standing(self) -> EvaluatedAnswers:
        """What every name is worth, worked out by the first message that asks."""
        if not self._known:
            self._known.append(standing_of(self.procedure, self.dossier, local_day(self.now), self.directory))
        return self._known[0]

    @property
    def language(self) -> str:
        return self.dossier.language

    def letter(self, event: str, channel: Channel, to: str, subject: str, body: str) -> OutboundMessage:
        """A letter owed once for this event of this revision to this address."""
        dedupe = f"{self.dossier.id}:{self.before.revision + 1}:{event}:{channel}:{to}"
        plain = to_gsm(body) if channel == "sms" else body
        return OutboundMessage(self.new_id(), self.dossier.id, channel, to, subject, plain, self.now, dedupe, self.now)


def letters_for(
    procedure: Procedure, before: Dossier, decision: Decision, actor: Actor, now: datetime, directory: Directory,
    wording: Wording, link: Link, new_id: Callable[[], str], visit_link: VisitLink | None = None,
) -> tuple[OutboundMessage, ...]:  # fmt: skip
    """Every letter owed for the events of a decision, in their order. `link` is the dossier's short address; what is said
    of a visit that is held carries the visit's own (`visit_link`)."""
    dossier = decision.dossier
    address = link if isinstance(link, str) else link(dossier)
    telling = _Telling(procedure, before, dossier, now, directory, wording, address, new_id, visit_link=visit_link)
    letters = (letter for event in dict.fromkeys(decision.events) for letter in _letters_on(telling, event))
    return tuple({letter.dedupe: letter for letter in letters}.values())


def _letters_on(telling: _Telling, event: str) -> Iterator[OutboundMessage]:
    said, _, about = event.partition(":")
    if said in _OF_A_VISIT and telling.visit_link is not None:
        telling = replace(telling, link=telling.visit_link(about.partition(":")[0]))
    declared = [notice for notice in _notices(telling.procedure, event) if notice.when.holds(telling.standing.scope)]
    for notice in declared:
        yield from _declared(replace(telling, about=notice.event), event, notice)
    if event == telling.dossier.state and not any(notice.to == APPLICANT for notice in declared):
        yield from _standard_of_state(telling, event)
    kind, _, rest = event.partition(":")
    if rest and kind in _STANDARD and not (kind == "late" and _is_theirs(telling)):
        yield from _standard(telling, event, _STANDARD[kind])
    if kind == "instalment":
        yield from _standard(telling, event, "instalment")
    if kind == "remind":
        yield from _standard(telling, event, public_key(telling.procedure, telling.dossier))
    if kind == "late":
        yield from _escalated(telling, event, telling.procedure.state(telling.dossier.state).by)
    if kind == "overdue":
        yield from _overdue(telling, event, rest)


def _is_theirs(telling: _Telling) -> bool:
    """The applicant is the one who is late: no excuse is due."""
    return APPLICANT in telling.procedure.state(telling.dossier.state).by


def _notices(procedure: Procedure, event: str) -> tuple[Notice, ...]:
    """Notices of an event; `before:<n>` is the n-th notice's own."""
    kind, _, rest = event.partition(":")
    number = rest.partition(":")[0]
    if kind == "before" and number.isdigit():
        return procedure.notices[int(number) : int(number) + 1]
    return tuple(notice for notice in procedure.notices if notice.event == event and notice.before is None)


# -- notices of the book -----------------------------------------------------------------------------------------------


def _declared(telling: _Telling, event: str, notice: Notice) -> Iterator[OutboundMessage]:
    phone, email, inbox = _addresses(telling, notice.to)
    if notice.sms is not None and phone:
        yield telling.letter(event, "sms", phone, "", filled(telling, notice.sms, short=True))
    elif notice.sms is not None and inbox and notice.inbox is None:
        yield telling.letter(event, "inbox", inbox, _title(telling), filled(telling, notice.sms, short=True))
    if notice.email_body is not None and email:
        subject = filled(telling, notice.email_subject) if notice.email_subject else _title(telling)
        yield telling.letter(event, "email", email, subject, filled(telling, notice.email_body))
    if notice.inbox is not None and inbox:
        yield telling.letter(event, "inbox", inbox, _title(telling), filled(telling, notice.inbox))


def _addresses(telling: _Telling, to: str) -> tuple[str | None, str | None, str | None]:
    """Phone, e-mail and inbox of whom a notice is for: the applicant, an answer, else everyone of a role."""
    dossier = telling.dossier
    if to == APPLICANT:
        return dossier.contact_phone, dossier.contact_email, dossier.owner
    if to in telling.procedure.fields:
        answer = telling.standing.scope.get(to)
        known = answer if isinstance(answer, str) else ""
        return (known if known.startswith("+") else None), (known if "@" in known else None), None
    role = ROLE_ADDRESS + role_key(telling.procedure, to)
    return None, role, role


def filled(telling: _Telling, template: Template, short: bool = False) -> str:
    """A text of the book with its names replaced, in the applicant's language."""
    values = {name: _word(telling, name, short) for name in template.names}
    return fill_template(template.text.in_(telling.language), values)


def _word(telling: _Telling, name: str, short: bool) -> str:
    """What a `{name}` says. The engine's own names win; then fees (their amount); then answers and definitions."""
    if name in _OWN_NAMES:
        return _OWN_NAMES[name](telling, short)
    task = telling.procedure.tasks.get(name)
    if isinstance(task, Fee):
        return _amount(telling, task)
    return answer_words(telling.standing, name, Speech(telling.wording, telling.language))


def _amount(telling: _Telling, fee: Fee) -> str:
    owed = telling.dossier.owed.get(fee.id)
    if owed is not None:
        return telling.wording.amount(owed.amount, telling.language)
    priced = quote(telling.procedure, fee.id, telling.standing.scope, telling.language, telling.wording)
    return telling.wording.amount(priced.amount, telling.language)


def _title(telling: _Telling, short: bool = False) -> str:
    return telling.procedure.identity.title.in_(telling.language)


def _due(telling: _Telling, short: bool) -> str:
    """The day of what the letter is about: a clock's end, a draft's, the state's, else the meeting's."""
    dossier, booking, calendar = telling.dossier, _meeting(telling), telling.directory.calendar
    clock = telling.procedure.clocks.get(telling.about)
    due = clock_end(dossier, clock, telling.standing.scope, calendar) if clock else dossier.due_at
    if dossier.is_draft:
        due = draft_end(dossier, calendar)
    due = due or (booking.start if booking else None)
    return _day(telling, due, short) if due else ""


def _day(telling: _Telling, instant: datetime, short: bool) -> str:
    say = telling.wording.short_day if short else telling.wording.day
    return say(local_day(instant), telling.language)


def _meeting(telling: _Telling) -> Booking | None:
    """The slot held, the nearest first; else the one used last."""
    held = sorted(held_bookings(telling.dossier), key=lambda one: one.start)
    known = sorted(telling.dossier.bookings.values(), key=lambda one: one.start)
    return held[0] if held else known[-1] if known else None


def _meeting_words(telling: _Telling, short: bool) -> str:
    booking = _meeting(telling)
    if booking is None:
        return ""
    if not short:
        return telling.wording.moment(booking.start, telling.language)
    return f"{_day(telling, booking.start, True)} {local(booking.start):%Hh%M}"


def _office(telling: _Telling, short: bool) -> str:
    held = next(iter(held_bookings(telling.dossier)), None)
    office = telling.directory.offices.get((held.office if held else telling.dossier.office) or "")
    return office.label.in_(telling.language) if office else ""


def _reason(telling: _Telling, short: bool) -> str:
    """What the last person to act wrote."""
    written = (taken.reason for taken in reversed(telling.dossier.taken) if taken.by_kind != "system")
    return next(written, None) or ""


def _number(telling: _Telling, short: bool) -> str:
    return telling.dossier.documents[-1].number if telling.dossier.documents else ""


_OWN_NAMES: Final[dict[str, Callable[[_Telling, bool], str]]] = {
    "dossier": lambda telling, short: group_number(telling.dossier.number),
    "link": lambda telling, short: telling.link,
    "title": _title, "due": _due, "meeting": _meeting_words, "office": _office, "reason": _reason, "number": _number,
}  # fmt: skip


# -- the house's own ---------------------------------------------------------------------------------------------------


def _standard_of_state(telling: _Telling, event: str) -> Iterator[OutboundMessage]:
    """The message of the public label just reached: nothing when the label is the one already known."""
    public = public_key(telling.procedure, telling.dossier)
    if telling.before.is_draft:
        public = "sent" if public == "in_review" else public
    elif public == public_key(telling.procedure, telling.before) and public in ("in_review", "accepted"):
        return
    yield from _standard(telling, event, public)


def _standard(telling: _Telling, event: str, key: str) -> Iterator[OutboundMessage]:
    phone, email, inbox = _addresses(telling, APPLICANT)
    if key in _MEETINGS and _comes_to_them(telling):
        key += "_there"
    if not telling.wording.has(f"notice.{key}.sms"):
        return
    body = telling.wording.say(f"notice.{key}.sms", telling.language, _facts(telling, short=True))
    if phone:
        yield telling.letter(event, "sms", phone, "", body)
    elif email:
        yield telling.letter(event, "email", email, _title(telling), body)
    elif inbox:
        yield telling.letter(event, "inbox", inbox, _title(telling), body)


def _comes_to_them(telling: _Telling) -> bool:
    """An agent comes to the applicant: nobody goes to an office, nor brings anything."""
    booking = _meeting(telling)
    visit = telling.procedure.tasks.get(booking.appointment) if booking else None
    return isinstance(visit, Appointment) and visit.place == "applicant"


def _facts(telling: _Telling, short: bool) -> dict[str, str]:
    amount = sum(owed.left for owed in telling.dossier.owed.values())
    own = {name: say(telling, short) for name, say in _OWN_NAMES.items()}
    return {**own, "amount": telling.wording.amount(amount, telling.language)}


def _overdue(telling: _Telling, event: str, form: str) -> Iterator[OutboundMessage]:
    """A form that a state gathers is late: the applicant is reminded of theirs, agents find it in their inbox."""
    by = telling.procedure.tasks[form].by if form in telling.procedure.tasks else ()
    if APPLICANT in by:
        yield from _standard(telling, event, public_key(telling.procedure, telling.dossier))
    yield from _escalated(telling, event, by)


def _escalated(telling: _Telling, event: str, by: tuple[str, ...]) -> Iterator[OutboundMessage]:
    """The administration is late: those who handle the dossier, and whom the state escalates to, find it in their
    inbox."""
    state = telling.procedure.state(telling.dossier.state)
    if not telling.wording.has("notice.late.inbox"):
        return
    body = telling.wording.say("notice.late.inbox", telling.language, _facts(telling, short=False))
    for role in dict.fromkeys((*by, *((state.escalate,) if state.escalate else ()))):
        if role != APPLICANT:
            address = ROLE_ADDRESS + role_key(telling.procedure, role)
            yield telling.letter(event, "inbox", address, _title(telling), body)
