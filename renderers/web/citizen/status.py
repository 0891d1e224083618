"""The status box of a request: where it stands, who must act, by when, and one thing to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.domain.common.access import may_read
from engine.domain.common.task_parts import is_in_parts
from engine.domain.fields.display import answer_words
from engine.domain.fields.field_type import Speech
from engine.domain.workflow.progress import PublicStatus, by_agent, is_examined, lapse_of, public_status, silence_of
from engine.domain.workflow.tasks import holds_slot, open_tasks
from engine.model import APPLICANT, Appointment, Form, State, Transition
from engine.records.dossier import Booking, Payment
from engine.services.core.waiting_list import waits_at
from renderers.i18n.formats import FIXED_SPACE, listed
from renderers.i18n.language_spans import lowered
from renderers.web.citizen.acts import ActLine, how_to_contest, new_request, open_appeal, own_acts
from renderers.web.citizen.later_forms import asked_of
from renderers.web.citizen.linked_dossiers import awaited_ends
from renderers.web.platform.dossier_context import (
    DossierContext,
    hours_of,
    is_at_office,
    label,
    place_label,
    their_address,
    to_bring_in_short,
    visit_address,
    visit_place,
    whereabouts,
)
from renderers.web.platform.request_context import actor, app_ctx, at_counter, day_of, language, moment_of, say
from renderers.web.shared.appointment_notices import absence_costs, hour_come, is_unmarked, missed_lines
from renderers.web.shared.money import first_due, francs, provider_label
from renderers.web.shared.payment_methods import page_left
from renderers.web.shared.statuses import BOXES, READS_REASON, TAGS


@dataclass(frozen=True, slots=True)
class ToDo:
    """One task of the applicant: its address and its title."""

    href: str
    title: str
    text: str = ""


def status_of(one: DossierContext) -> PublicStatus:
    """Return the status of a dossier now. A granted request that lapses without an act is the applicant's to act on."""
    status = public_status(one.procedure, one.dossier, app_ctx().now())
    granted = status.public == "accepted" and one.procedure.state(one.dossier.state).mode == "by"
    return replace(status, who="applicant") if granted and lapse_of(one.procedure, one.dossier) else status


def to_do(one: DossierContext) -> list[ToDo]:
    """Return the forms, payments and appointments to do. Corrections have a box of their own."""
    if one.dossier.is_draft:
        return []
    return [*to_fill(one), *_money(one), *to_book(one)]


def to_fill(one: DossierContext) -> Iterator[ToDo]:
    """Yield the later forms to fill."""
    for asked in asked_of(one):
        text = say("todo.parts_left", count=asked.left) if asked.parts else ""
        yield ToDo(asked.href, asked.title, text)


def _money(one: DossierContext) -> Iterator[ToDo]:
    """Yield the payment that is due, unless one is open."""
    accounts = [account for account in one.accounts if account.open]
    if not accounts or one.awaited is not None:
        return
    due = first_due(accounts)
    text = say("money.before", day=day_of(due)) if due else ""
    part = accounts[0].next_part if len(accounts) == 1 and accounts[0].paid else None  # the rest can wait
    amount = part.amount if part is not None else sum(account.left for account in accounts)
    yield ToDo(one.at("/paiement"), say("todo.pay", amount=francs(amount)), text)


def to_book(one: DossierContext) -> Iterator[ToDo]:
    """Yield the appointments to book."""
    for task in open_tasks(one.procedure, one.dossier, one.evaluated().scope):
        if isinstance(task, Appointment) and not task.proposed_by and not holds_slot(one.dossier, task.id):
            yield ToDo(
                one.at(f"/rendez-vous?quoi={task.id}"),
                say("counter.book" if at_counter() else "todo.book", what=label(task.label)),
            )


@dataclass(frozen=True, slots=True)
class StatusBox:
    """The status box: where the dossier is, who must act and when, or where to come, then one thing to do."""

    kind: str
    tag: str
    label: str
    title: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[str, ...] = ()
    asked: tuple[tuple[str, str], ...] = ()  # the questions to correct, with the reason of each
    href: str = ""
    action: str = ""
    place: str = ""
    bring: str = ""


def status_box(one: DossierContext, status: PublicStatus, ahead: list[ToDo]) -> StatusBox:
    """Return the status box of a dossier. `ahead` is what the applicant has to do (`to_do`)."""
    key = _key(one, status)
    late = status.late or (status.who == "applicant" and status.until is not None and app_ctx().now() > status.until)
    if (payment := _awaited(one, key, ahead)) is not None:
        return _checking_box(one, payment, ahead)
    href, action = _what_to_do(one, key, ahead)
    visit = status.booking
    over = visit is not None and is_unmarked(visit)
    return StatusBox(
        kind=BOXES[key], tag=TAGS[key], label=say(f"status.{key}"), title=_title(one, status, key, ahead),
        facts=() if visit else _named(
            step="" if key == "in_progress" else label(status.label), where="" if href and status.who == "applicant" else whereabouts(one, status), who=_who(one, status, ahead),
            when=_when(one, status, bool(ahead)), hours=hours_of(one.dossier.office) if status.public == "ready" else "",
        ),
        place=". ".join(filter(None, _place(one, visit))) if visit else "",
        bring=to_bring_in_short(one) if visit and not over and is_at_office(one, visit) else "",
        lines=tuple(_more(one, status, late)), asked=tuple(_asked(one, status)), href="" if over else href, action=action,
    )  # fmt: skip


def _place(one: DossierContext, visit: Booking) -> tuple[str, str]:
    """Return where an appointment takes place, and the address."""
    here = is_at_office(one, visit)
    return visit_place(one, visit), visit_address(one, visit) if here else their_address(one)


def _named(**facts: str) -> tuple[tuple[str, str], ...]:
    return tuple((say(f"track.{name}"), said) for name, said in facts.items() if said)


def _key(one: DossierContext, status: PublicStatus) -> str:
    """Return the public label of the box, `to_do` if the applicant must act outside a correction.

    `in_progress` if we do something else than to examine the request.
    """
    state = one.procedure.states.get(one.dossier.state)
    gathers = state is not None and state.mode == "gather"
    acts = status.public in ("in_review", "sent", "accepted") or (status.public == "to_correct" and gathers)
    if acts and status.who == "applicant":
        return "to_do"
    other = status.public == "in_review" and state is not None and not is_examined(one.procedure, state)
    return "in_progress" if other else status.public


def _title(one: DossierContext, status: PublicStatus, key: str, ahead: list[ToDo]) -> str:
    moment = moment_of(status.booking.start) if status.booking else ""
    if key == "to_do" and not ahead and status.public == "accepted":
        return say("track.title.accepted")
    if key == "to_do":
        return say("todo.box", count=len(ahead)) if ahead else _act_due(one, status) or label(status.label)
    if key == "to_correct" and not status.to_correct and not ahead:
        return say("correct.all_done")
    if key == "appointment" and status.booking:
        here = is_at_office(one, status.booking)
        if is_unmarked(status.booking):
            return say("booking.unmarked")
        key = "appointment_home" if not here else "arrived" if status.booking.arrived_at else key
    count = len(status.to_correct) or 1
    if key == "accepted" and one.dossier.closed_at:
        before = one.procedure.states.get(one.dossier.taken[-1].source) if one.dossier.taken else None
        key = "handed_over" if before is not None and before.public == "ready" else key
        if status.help:
            return label(status.help).rstrip(".")
    step = lowered(label(status.label))
    return say(f"track.title.{key}", amount=francs(one.left_to_pay), moment=moment, count=count, step=step).strip()


def _act_due(one: DossierContext, status: PublicStatus) -> str:
    """Return what the applicant must do and by when, empty without an act or a due date."""
    acts = [lowered(act.label) for act in _acts_due(one)] if status.until else []
    return say("todo.act", act=listed(acts, language(), "or"), day=day_of(status.until)) if acts else ""


def _acts_due(one: DossierContext) -> list[ActLine]:
    """Return what the applicant may do now to go on."""
    return [act for act in own_acts(one) if act.href and not act.ends]


def _awaited(one: DossierContext, key: str, ahead: list[ToDo]) -> Payment | None:
    """Return the open payment if the dossier waits for nothing else first."""
    return one.awaited if key == "to_pay" or (key == "to_do" and not ahead) else None


def _checking_box(one: DossierContext, payment: Payment, ahead: list[ToDo]) -> StatusBox:
    """Return the box of an open payment, which shows no due date, so that the applicant does not pay twice."""
    who = "else" if ahead else "page" if page_left(payment, app_ctx().now()) else payment.status
    return StatusBox(
        kind=BOXES["checking"], tag=TAGS["checking"], label=say("status.checking"), title=say("track.title.checking"),
        facts=_named(
            where=say("track.checking.where", provider=provider_label(payment.provider)), who=say(f"track.checking.who_{who}"),
            when=say("track.checking.when_sms" if one.dossier.contact_phone else "track.checking.when_here"),
        ),
        lines=tuple(awaited_ends(one)), href=one.at(f"/paiement/{payment.id}"), action=say("track.do.checking"),
    )  # fmt: skip


def _who(one: DossierContext, status: PublicStatus, ahead: list[ToDo]) -> str:
    """Return who must act. After an approval the applicant may still act without a due date."""
    if status.who == "nobody" and (ahead or one.dossier.closed_at is None):
        return say("track.you" if ahead else "todo.free" if any(act.href for act in own_acts(one)) else "todo.going_on")
    if status.who == "us" and ahead:
        return say("track.us_too")
    mine = "track.come" if status.public == "ready" else "track.you"
    return say({"applicant": mine, "us": "track.us", "nobody": "track.nobody"}[status.who])


def _when(one: DossierContext, status: PublicStatus, ahead: bool) -> str:
    if status.who == "nobody" and (ahead or one.dossier.closed_at is None) and status.until is not None:
        return say("track.before", day=day_of(status.until))
    if status.who == "nobody":
        return say("track.since", day=day_of(one.dossier.closed_at or one.dossier.entered_at))
    if status.until is None:
        state = one.procedure.states.get(one.dossier.state)
        return say("track.by_itself" if state is not None and state.mode == "look_up" else "track.no_date")
    return say("track.before" if status.who == "applicant" else "track.answer_before", day=day_of(status.until))


def _more(one: DossierContext, status: PublicStatus, late: bool) -> Iterator[str]:
    if status.public == "accepted" and status.who == "applicant" and (act := _act_due(one, status)):
        yield act
    come = list(hour_come(one, status.booking)) if status.booking else []
    yield from come
    if status.help and not (status.public == "accepted" and one.dossier.closed_at):  # there it is the title
        yield label(status.help)
    yield from awaited_ends(one)
    yield from missed_lines(one)
    yield from _seats_awaited(one, status)
    if status.booking is not None:
        visit = one.procedure.tasks.get(status.booking.appointment)
        yield from absence_costs(one, visit) if isinstance(visit, Appointment) and not come else ()
    elif late and status.until is not None:
        yield say("track.late_you" if status.who == "applicant" else "track.late", day=day_of(status.until))
    theirs = _is_theirs(one)
    if (theirs or status.public in READS_REASON) and (reason := _last_reason(one, status)):
        yield say("track.reason", reason=reason)
    if theirs:
        yield from _how_it_came(one)
    if status.public == "closed":
        yield from _why_over(one)
    lapse = lapse_of(one.procedure, one.dossier)
    if status.who == "applicant" and not late and lapse is not None:
        if status.public not in ("accepted", "ready"):
            yield say("track.ends_after")
        elif lapse[1].outcome == "expired" and status.public == "accepted":
            yield say("todo.expires")
        else:
            yield say("todo.end", end=label(lapse[1].label))
    yield from _silence(one, status, late)
    if status.public == "to_correct":
        yield say("track.clock_waits")
    if status.public == "refused" and (contested := how_to_contest(one)):
        yield contested


def _silence(one: DossierContext, status: PublicStatus, late: bool) -> Iterator[str]:
    """Yield what happens if the administration does not answer: by law, even while the applicant books or comes.

    Else what the applicant can do.
    """
    ours = status.who == "us" and status.booking is None
    meant = silence_of(one.procedure, one.dossier, one.evaluated().scope, app_ctx().directory.calendar)
    if meant is not None:
        yield say(f"track.silence.{meant[0]}", day=day_of(meant[1]))
    elif ours and status.until is not None and not late:
        yield say("track.silence.none")


def _seats_awaited(one: DossierContext, status: PublicStatus) -> Iterator[str]:
    """Yield the offices whose waiting lists the applicant is on."""
    if status.public not in ("to_book", "to_do", "in_review"):
        return
    for task in one.procedure.appointments():
        if there := place_label(waits_at(app_ctx(), actor(), one.id, task.id)):
            yield say("waiting.listed", office=there)


def _is_theirs(one: DossierContext) -> bool:
    """Return whether the state waits for an act of the applicant."""
    state = one.procedure.states.get(one.dossier.state)
    return state is not None and state.awaits_act


def _last_reason(one: DossierContext, status: PublicStatus) -> str:
    """Return the reason written by an agent: their common one for corrections, of what refused, of the act that led here."""
    if status.public == "to_correct" and one.dossier.correction is not None:
        return one.dossier.correction.reason
    acts = [taken for taken in one.dossier.taken if by_agent(one.procedure, one.dossier, taken)]
    if status.public == "refused":
        outputs = (one.procedure.outputs.get(document.output) for document in one.dossier.documents)
        named = {act for output in outputs if output and output.paper is not None for act in output.paper.reason_of}
        ends = {state.id for state in one.procedure.states.values() if state.outcome == "refused"}
        acts = [taken for taken in acts if taken.transition in named or taken.target in ends]
        return next((taken.reason for taken in reversed(acts) if taken.reason), "")
    last = one.dossier.taken[-1] if one.dossier.taken else None
    return last.reason or "" if last in acts and last is not None and last.target == one.dossier.state else ""


def reason_to_read(one: DossierContext) -> bool:
    """Return whether the page of the request says why a visit must be booked again, which the page of the slots does not."""
    status = status_of(one)
    return status.public == "to_book" and bool(_last_reason(one, status))


def _left_last(one: DossierContext) -> tuple[State, tuple[Transition, ...]] | None:
    """Return the state that was left last and the moves of the name that left it, None without one."""
    last = one.dossier.taken[-1] if one.dossier.taken else None
    source = one.procedure.states.get(last.source) if last is not None else None
    if last is None or source is None:
        return None
    return source, tuple(move for move in one.procedure.leaving.get(source.id, ()) if move.id == last.transition)


def _how_it_came(one: DossierContext) -> Iterator[str]:
    """Yield why it is the applicant's turn after a visit or a form of agents: what they noted, or that it was not held."""
    source, moves = _left_last(one) or (None, ())
    if source is None:
        return
    if source.waits and {"due", "missed"} & {move.event for move in moves}:
        yield f"{say('track.step_unheld', step=label(source.label))}."
        return
    filled = (move.fills for move in moves if move.fills and APPLICANT not in move.by)
    tasks = (one.procedure.tasks.get(name) for name in (*source.waits, *filled))
    forms = (task for task in tasks if isinstance(task, Form) and not is_in_parts(task) and APPLICANT not in task.by)
    speech = Speech(app_ctx().wording, language())
    for field in (field for form in forms for field in form.fields):
        if may_read(one.procedure, one.dossier, field.id, actor()):
            text = answer_words(one.evaluated(), field.id, speech)
            yield from [f"{label(field.agents_label)}{FIXED_SPACE}: {text}"] if text else []


def _why_over(one: DossierContext) -> Iterator[str]:
    """Yield what did not come in time, where the end of a time limit or a missed visit closed the request."""
    source, moves = _left_last(one) or (None, ())
    if source is not None and {"due", "missed"} & {move.event for move in moves}:
        visits = any(isinstance(one.procedure.tasks.get(name), Appointment) for name in source.waits)
        mode = "ready" if source.public == "ready" else "attend" if visits else source.mode
        yield say(f"track.lapsed.{mode if mode in ('ready', 'pay', 'correct', 'attend') else 'other'}")


def _asked(one: DossierContext, status: PublicStatus) -> Iterator[tuple[str, str]]:
    correction = one.dossier.correction
    order = list(one.procedure.fields)
    asked = status.to_correct if status.public == "to_correct" and correction else ()
    for name in sorted(asked, key=lambda name: order.index(name) if name in order else len(order)):
        field = one.procedure.fields.get(name)
        yield label(field.label) if field else name, correction.fields.get(name, "") if correction else ""


def _what_to_do(one: DossierContext, key: str, ahead: list[ToDo]) -> tuple[str, str]:
    if key == "refused" and (offer := open_appeal(one)) is not None:
        return one.at(f"/actes/{offer.transition.id}"), label(offer.transition.label)
    if key == "to_do" and ahead:
        return ahead[0].href, ahead[0].title
    if key in ("to_do", "refused", "closed"):
        acts = _acts_due(one) if key == "to_do" else new_request(one)
        return (acts[0].href, acts[0].label) if len(acts) == 1 else ("", "")
    addresses = {
        "to_pay": "/paiement", "to_correct": "/corrections", "to_book": "/rendez-vous", "appointment": "/rendez-vous",
    }  # fmt: skip
    whole = key == "to_correct" and one.dossier.correction is not None and not one.dossier.correction.left
    words = "correct.send" if whole and not ahead else f"track.do.{key}"
    return (one.at(addresses[key]), say(words)) if key in addresses else ("", "")


def waiting(one: DossierContext) -> str:
    """Return what we do now, and by when the applicant hears of it, empty without a due date."""
    status = status_of(one)
    if status.until is None:
        return ""
    key, channel = _key(one, status), "sms" if one.dossier.contact_phone else "email"
    word = f"sent.answer_{channel}" if key == "in_review" else "track.answer_before"
    return f"{_title(one, status, key, [])}. {say(word, day=day_of(status.until))}"


def next_act(one: DossierContext) -> tuple[str, str]:
    """Return the address and the words of what the applicant must do now, empty if it is not their turn."""
    status = status_of(one)
    return _what_to_do(one, _key(one, status), to_do(one))
