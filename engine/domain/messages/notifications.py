"""Notifications: the outbound messages of a decision, with recipient, channel and text.

Call `notifications_for` after the documents of the decision have their numbers, with the dossier to be stored. A
notice of the procedure replaces the standard message of its event. A state without notice sends the standard
message of its public label when the label changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal, TypeAlias

from engine.core.clock import local_day
from engine.core.gsm7 import to_gsm
from engine.core.values import group_number
from engine.domain.common.decision import Decision
from engine.domain.common.text_provider import Wording
from engine.domain.fields.display import answer_words
from engine.domain.fields.field_type import Speech
from engine.domain.fields.raw_answers import fill_template
from engine.domain.fields.scope import EvaluatedAnswers, evaluate_answers
from engine.domain.workflow.due_dates import clock_end, draft_end, held_bookings
from engine.domain.workflow.fee_quotes import quote
from engine.domain.workflow.progress import is_examined, is_granted, must_act, public_key
from engine.model import APPLICANT, Appointment, Fee, Notice, Procedure, Template
from engine.model.directory import Directory
from engine.model.roles import role_key
from engine.records.dossier import Actor, Booking, Dossier, OutboundMessage

Channel: TypeAlias = Literal["sms", "email", "inbox"]
Link: TypeAlias = "Callable[[Dossier], str] | str"
VisitLink: TypeAlias = Callable[[str], str]  # by appointment
_OF_A_VISIT: Final = frozenset({"booked", "moved", "reminder"})
_MEETINGS: Final = frozenset({"appointment", "moved", "reminder"})
ROLE_ADDRESS: Final = "role:"  # an inbox shared by all holders of the role: `role:agency/role`
_STANDARD: Final = {  # standard messages of events that no notice of a procedure can name
    "booked": "appointment", "moved": "moved", "cancelled": "cancelled", "called_off": "called_off", "reminder": "reminder", "missed": "missed",
    "draft_reminder": "draft", "late": "late",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _NoticeContext:
    """One decision whose messages are being written."""

    procedure: Procedure
    before: Dossier
    dossier: Dossier
    now: datetime
    directory: Directory
    wording: Wording
    link: str
    new_id: Callable[[], str]
    about: str = ""  # the event of the notice being written
    visit_link: VisitLink | None = None
    _known: list[EvaluatedAnswers] = field(default_factory=list, repr=False)

    @property
    def evaluated(self) -> EvaluatedAnswers:
        """The evaluated answers, computed when the first message needs them."""
        if not self._known:
            self._known.append(evaluate_answers(self.procedure, self.dossier, local_day(self.now), self.directory))
        return self._known[0]

    @property
    def language(self) -> str:
        """The language of the dossier, in which the applicant reads."""
        return self.dossier.language

    def letter(self, event: str, channel: Channel, to: str, subject: str, body: str) -> OutboundMessage:
        """Return a message with a key that allows it once per event, revision, channel and address."""
        dedupe = f"{self.dossier.id}:{self.before.revision + 1}:{event}:{channel}:{to}"
        plain = to_gsm(body) if channel == "sms" else body
        return OutboundMessage(self.new_id(), self.dossier.id, channel, to, subject, plain, self.now, dedupe, self.now)


def notifications_for(
    procedure: Procedure, before: Dossier, decision: Decision, actor: Actor, now: datetime, directory: Directory,
    wording: Wording, link: Link, new_id: Callable[[], str], visit_link: VisitLink | None = None,
) -> tuple[OutboundMessage, ...]:  # fmt: skip
    """Return the messages for the events of a decision, in order.

    `link` is the short address of the dossier. A message about a booked appointment uses the address of that
    appointment (`visit_link`).
    """
    dossier = decision.dossier
    address = link if isinstance(link, str) else link(dossier)
    context = _NoticeContext(
        procedure, before, dossier, now, directory, wording, address, new_id, visit_link=visit_link
    )
    letters = (letter for event in dict.fromkeys(decision.events) for letter in _letters_on(context, event))
    return tuple({letter.dedupe: letter for letter in letters}.values())


def _letters_on(context: _NoticeContext, event: str) -> Iterator[OutboundMessage]:
    said, _, about = event.partition(":")
    if said in _OF_A_VISIT and context.visit_link is not None:
        context = replace(context, link=context.visit_link(about.partition(":")[0]))
    declared = [notice for notice in _notices(context.procedure, event) if notice.when.holds(context.evaluated.scope)]
    for notice in declared:
        yield from _declared(replace(context, about=notice.event), event, notice)
    if event == context.dossier.state and not any(notice.to == APPLICANT for notice in declared):
        yield from _standard_of_state(context, event)
    kind, _, rest = event.partition(":")
    dropped = (kind == "late" and _is_theirs(context)) or (kind == "missed" and _is_no_longer_awaited(context, rest))
    if rest and kind in _STANDARD and not dropped:
        yield from _standard(context, event, _STANDARD[kind])
    if kind == "instalment":
        yield from _standard(context, event, "instalment")
    if kind == "remind":
        yield from _standard(context, event, public_key(context.procedure, context.dossier))
    if kind == "late":
        yield from _escalated(context, event, context.procedure.state(context.dossier.state).by)
    if kind == "overdue":
        yield from _overdue(context, event, rest)


def _is_no_longer_awaited(context: _NoticeContext, visit: str) -> bool:
    """Return True when a missed visit cannot be taken again: the request ended, or left the state that waits for it."""
    waits = context.procedure.state(context.dossier.state).waits
    return context.dossier.closed_at is not None or visit.partition(":")[0] not in waits


def _is_theirs(context: _NoticeContext) -> bool:
    """Return True when the applicant must act, or when the silence of the administration decides now: no apology is sent."""
    procedure, dossier, calendar = context.procedure, context.dossier, context.directory.calendar
    ends = (clock_end(dossier, one, context.evaluated.scope, calendar) for one in procedure.clocks.values())
    decided = any(end is not None and end <= context.now for end in ends)
    return decided or must_act(procedure, dossier) or APPLICANT in procedure.state(dossier.state).by


def _notices(procedure: Procedure, event: str) -> tuple[Notice, ...]:
    """Return the notices of an event. `before:<n>` belongs to notice n alone."""
    kind, _, rest = event.partition(":")
    number = rest.partition(":")[0]
    if kind == "before" and number.isdigit():
        return procedure.notices[int(number) : int(number) + 1]
    return tuple(notice for notice in procedure.notices if notice.event == event and notice.before is None)


# -- notices of the procedure ------------------------------------------------------------------------------------------


def _declared(context: _NoticeContext, event: str, notice: Notice) -> Iterator[OutboundMessage]:
    phone, email, inbox = _addresses(context, notice.to)
    if notice.sms is not None and phone:
        yield context.letter(event, "sms", phone, "", filled(context, notice.sms, short=True))
    elif notice.sms is not None and email and notice.email_body is None and notice.to == APPLICANT:
        yield context.letter(event, "email", email, _title(context), filled(context, notice.sms))
    elif notice.sms is not None and inbox and notice.inbox is None:
        yield context.letter(event, "inbox", inbox, _title(context), filled(context, notice.sms, short=True))
    if notice.email_body is not None and email:
        subject = filled(context, notice.email_subject) if notice.email_subject else _title(context)
        yield context.letter(event, "email", email, subject, filled(context, notice.email_body))
    if notice.inbox is not None and inbox:
        yield context.letter(event, "inbox", inbox, _title(context), filled(context, notice.inbox))


def _addresses(context: _NoticeContext, to: str) -> tuple[str | None, str | None, str | None]:
    """Return the phone, e-mail and inbox of a recipient: the applicant, an answer, or all holders of a role."""
    dossier = context.dossier
    if to == APPLICANT:
        return dossier.contact_phone, dossier.contact_email, dossier.owner
    if to in context.procedure.fields:
        answer = context.evaluated.scope.get(to)
        known = answer if isinstance(answer, str) else ""
        return (known if known.startswith("+") else None), (known if "@" in known else None), None
    role = ROLE_ADDRESS + role_key(context.procedure, to)
    return None, role, role


def filled(context: _NoticeContext, template: Template, short: bool = False) -> str:
    """Return a text of the procedure with its names replaced, in the applicant's language."""
    values = {name: _word(context, name, short) for name in template.names}
    return fill_template(template.text.in_(context.language), values)


def _word(context: _NoticeContext, name: str, short: bool) -> str:
    """Return the text of a `{name}`: a name of the engine, else the amount of a fee, else an answer or definition."""
    if name in _OWN_NAMES:
        return _OWN_NAMES[name](context, short)
    task = context.procedure.tasks.get(name)
    if isinstance(task, Fee):
        return _amount(context, task)
    return answer_words(context.evaluated, name, Speech(context.wording, context.language))


def _amount(context: _NoticeContext, fee: Fee) -> str:
    owed = context.dossier.owed.get(fee.id)
    if owed is not None:
        return context.wording.amount(owed.amount, context.language)
    priced = quote(context.procedure, fee.id, context.evaluated.scope, context.language, context.wording)
    return context.wording.amount(priced.amount, context.language)


def _title(context: _NoticeContext, short: bool = False) -> str:
    return context.procedure.identity.title.in_(context.language)


def _due(context: _NoticeContext, short: bool) -> str:
    """Return the day that the message is about: the end of a time limit, of a draft, of the state, else the appointment."""
    dossier, booking, calendar = context.dossier, _meeting(context), context.directory.calendar
    clock = context.procedure.clocks.get(context.about)
    due = clock_end(dossier, clock, context.evaluated.scope, calendar) if clock else dossier.due_at
    if dossier.is_draft:
        due = draft_end(dossier, calendar)
    due = due or (booking.start if booking else None)
    return _day(context, due, short) if due else ""


def _day(context: _NoticeContext, instant: datetime, short: bool) -> str:
    say = context.wording.short_day if short else context.wording.day
    return say(local_day(instant), context.language)


def _meeting(context: _NoticeContext) -> Booking | None:
    """Return the next booked slot, else the last one used."""
    held = sorted(held_bookings(context.dossier), key=lambda one: one.start)
    known = sorted(context.dossier.bookings.values(), key=lambda one: one.start)
    return held[0] if held else known[-1] if known else None


def _meeting_words(context: _NoticeContext, short: bool) -> str:
    booking = _meeting(context)
    if booking is None:
        return ""
    said = context.wording.short_moment if short else context.wording.moment
    return said(booking.start, context.language)


def _office(context: _NoticeContext, short: bool) -> str:
    held = next(iter(held_bookings(context.dossier)), None)
    office = context.directory.offices.get((held.office if held else context.dossier.office) or "")
    return office.label.in_(context.language) if office else ""


def _reason(context: _NoticeContext, short: bool) -> str:
    """Return what the last person to act wrote."""
    written = (taken.reason for taken in reversed(context.dossier.taken) if taken.by_kind != "system")
    return next(written, None) or ""


def _number(context: _NoticeContext, short: bool) -> str:
    return context.dossier.documents[-1].number if context.dossier.documents else ""


_OWN_NAMES: Final[dict[str, Callable[[_NoticeContext, bool], str]]] = {
    "dossier": lambda context, short: group_number(context.dossier.number),
    "link": lambda context, short: context.link,
    "title": _title, "due": _due, "meeting": _meeting_words, "office": _office, "reason": _reason, "number": _number,
}  # fmt: skip


# -- standard messages -------------------------------------------------------------------------------------------------


def _standard_of_state(context: _NoticeContext, event: str) -> Iterator[OutboundMessage]:
    """Yield the message of a new public label. Of an unchanged one, that of a new document or of the applicant's turn."""
    public = public_key(context.procedure, context.dossier)
    before = "" if context.before.is_draft else public_key(context.procedure, context.before)
    if (
        public == "accepted"
        and (before == "accepted" or is_granted(context.procedure, context.before))
        and before != "ready"
    ):
        if news := _news_of_accepted(context):
            yield from _standard(context, event, news)
        return
    if public == before == "in_review":
        if news := "reopened" if _withdraws_refusal(context) else _their_turn(context):
            yield from _standard(context, event, news)
        return
    key: str = public
    if public == "in_review" and not before:
        key = "sent"
    elif public == "in_review" and not is_examined(context.procedure, context.procedure.state(context.dossier.state)):
        key = "in_progress"
    yield from _standard(context, event, "handed_over" if (before, public) == ("ready", "accepted") else key)


def _withdraws_refusal(context: _NoticeContext) -> bool:
    """Return True when the decision on a contested end revoked a document that grants nothing: the refusal."""
    ends = {state.id for state in context.procedure.states.values() if state.is_end}
    if not any(taken.source in ends for taken in context.dossier.taken):
        return False
    granting = {output.id for output in context.procedure.outputs.values() if output.grants}
    letters = {one.id for one in context.before.documents if one.status == "valid" and one.output not in granting}
    return any(one.id in letters and one.status == "revoked" for one in context.dossier.documents)


def _news_of_accepted(context: _NoticeContext) -> str:
    """Return the message about an accepted request that goes on: a document, its end, or the applicant's turn."""
    if len(context.dossier.documents) > len(context.before.documents):
        return "issued"
    if context.dossier.closed_at is not None:
        return "finished"
    return _their_turn(context)


def _their_turn(context: _NoticeContext) -> str:
    """Return the message about a step that awaits an act of the applicant, empty if the step before did too."""
    state, former = (context.procedure.state(one.state) for one in (context.dossier, context.before))
    return "your_turn" if state.awaits_act and not former.awaits_act else ""


def _standard(context: _NoticeContext, event: str, key: str) -> Iterator[OutboundMessage]:
    phone, email, inbox = _addresses(context, APPLICANT)
    if key in _MEETINGS and _comes_to_them(context):
        key += "_there"
    if not context.wording.has(f"notice.{key}.sms"):
        return
    body = context.wording.say(f"notice.{key}.sms", context.language, _facts(context, short=True))
    if phone:
        yield context.letter(event, "sms", phone, "", body)
    elif email:
        yield context.letter(event, "email", email, _title(context), body)
    elif inbox:
        yield context.letter(event, "inbox", inbox, _title(context), body)


def _comes_to_them(context: _NoticeContext) -> bool:
    """Return True when an agent comes to the applicant, who then goes to no office and brings nothing."""
    booking = _meeting(context)
    visit = context.procedure.tasks.get(booking.appointment) if booking else None
    return isinstance(visit, Appointment) and visit.place == "applicant"


def _facts(context: _NoticeContext, short: bool) -> dict[str, str]:
    amount = sum(owed.left for owed in context.dossier.owed.values())
    own = {name: say(context, short) for name, say in _OWN_NAMES.items()}
    return {**own, "amount": context.wording.amount(amount, context.language)}


def _overdue(context: _NoticeContext, event: str, form: str) -> Iterator[OutboundMessage]:
    """Yield messages about a late form: a reminder to the applicant, an inbox entry for agents."""
    by = context.procedure.tasks[form].by if form in context.procedure.tasks else ()
    if APPLICANT in by:
        yield from _standard(context, event, public_key(context.procedure, context.dossier))
    yield from _escalated(context, event, by)


def _escalated(context: _NoticeContext, event: str, by: tuple[str, ...]) -> Iterator[OutboundMessage]:
    """Yield inbox entries for agents when the administration is late: those in charge and the escalation role."""
    state = context.procedure.state(context.dossier.state)
    if not context.wording.has("notice.late.inbox"):
        return
    body = context.wording.say("notice.late.inbox", context.language, _facts(context, short=False))
    for role in dict.fromkeys((*by, *((state.escalate,) if state.escalate else ()))):
        if role != APPLICANT:
            address = ROLE_ADDRESS + role_key(context.procedure, role)
            yield context.letter(event, "inbox", address, _title(context), body)
