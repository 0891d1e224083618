"""What a dossier waits for, from whom and until when, and the time limits of the law."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.domain.common.access import may_read
from engine.domain.fields.views import FormView
from engine.domain.workflow.awaited import Awaited
from engine.domain.workflow.due_dates import clock_end, clock_left
from engine.domain.workflow.progress import public_key
from engine.model import APPLICANT, SYSTEM, Appointment, Fee, Form, Link, TimeLimit
from engine.model.roles import role_key
from engine.records.dossier import Payment
from engine.services.applications.contributions import Wait, waits
from renderers.html.diagram import kind_of
from renderers.i18n.translations import whole_number
from renderers.web.agents.answers import rows_of, tacit_opinion
from renderers.web.agents.walk_ins import arrival_href
from renderers.web.platform.dossier_context import label
from renderers.web.platform.request_context import actor, app_ctx, day_of, language, moment_of, say, site
from renderers.web.shared.agent_dossier import AgentCase, act_label, row_name
from renderers.web.shared.money import provider_label
from renderers.web.shared.staff import DueDateTag, people, role_label


@dataclass(frozen=True, slots=True)
class WaitLine:
    """One pending task. `href` is its address if this agent can do it now, `action_label` the text of the link."""

    title: str
    tag: DueDateTag
    text: str
    href: str = ""
    action_label: str = ""
    is_row: bool = False
    is_done: bool = False
    arrival: str = ""  # address to record a walk-in


@dataclass(frozen=True, slots=True)
class DueDateView:
    """One due date or time limit, with its end and its effect in words."""

    title: str
    text: str


# -- pending tasks -----------------------------------------------------------------------------------------------------


def wait_lines(one: AgentCase, form: FormView) -> list[WaitLine]:
    """Return all tasks that the present state waits for besides a decision, in the order of the definition."""
    found = waits(app_ctx(), actor(), one.id)
    names = people(wait.thing.done_by for wait in found)
    return [_line(one, form, wait, names) for wait in found]


def _line(one: AgentCase, form: FormView, wait: Wait, names: Mapping[str, str]) -> WaitLine:
    thing = wait.thing
    title = label(thing.label)
    if isinstance(thing.task, Form) and thing.part is not None and not thing.task.services:
        title = say("waits.of_row", title=title, row=row_name(rows_of(form, thing.task.each), int(thing.part)))
    tag, text = _state_label(one, thing, names)
    if isinstance(thing.task, Appointment):
        return _visit_line(one, wait, WaitLine(title, tag, text, is_done=thing.status == "done" or not wait.is_mine))
    href = one.at(f"/a-faire/{thing.task.id}" + (f"/{thing.part}" if thing.part is not None else ""))
    action_label = _action_label(thing) if wait.is_mine else ""
    is_row = thing.part is not None and thing.part.isdecimal()
    return WaitLine(title, tag, text, href if wait.is_mine else "", action_label, is_row, thing.status == "done")


def _visit_line(one: AgentCase, wait: Wait, line: WaitLine) -> WaitLine:
    """Return the line of an appointment that this agent may propose, book or move."""
    task = wait.thing.task
    line = replace(line, arrival=arrival_href(one, task.id))
    if wait.closed is not None:
        return line
    held = task.id in one.dossier.bookings and one.dossier.bookings[task.id].status == "booked"
    action_label = say("visit.propose" if wait.is_mine else "visit.move" if held else "visit.take")
    return replace(line, href=one.at(f"/creneau/{task.id}"), action_label=action_label)


def _action_label(thing: Awaited) -> str:
    if isinstance(thing.task, Form) and thing.task.services:
        return say("waits.give_opinion")
    return say("waits.change" if thing.status == "done" else "waits.fill")


def _state_label(one: AgentCase, thing: Awaited, names: Mapping[str, str]) -> tuple[DueDateTag, str]:
    if thing.status == "done":
        return _done(one, thing, names)
    if thing.status == "needless":
        return DueDateTag("", say("waits.needless")), say("waits.needless_text")
    if thing.status == "later":
        return DueDateTag("", say("waits.later")), say(
            "waits.after", tasks=_listed(act_label(one.procedure, task) for task in thing.after)
        )
    if (payment := _checked(one, thing)) is not None:
        return DueDateTag("we", say("waits.open")), say("waits.checking", provider=provider_label(payment.provider))
    who = _awaited_of(one, thing)
    if thing.until is None:
        return DueDateTag("we", say("waits.open")), who
    late = app_ctx().now() > thing.until
    until = moment_of(thing.until)
    return DueDateTag("bad", say("waits.late")) if late else DueDateTag("we", say("waits.open")), say(
        "waits.until", who=who, until=until
    )


def _checked(one: AgentCase, thing: Awaited) -> Payment | None:
    """Return the open payment of this fee, None without one. The applicant has done their part meanwhile."""
    payment = one.awaited if isinstance(thing.task, Fee) else None
    return payment if payment is not None and thing.task.id in payment.fees else None


def _done(one: AgentCase, thing: Awaited, names: Mapping[str, str]) -> tuple[DueDateTag, str]:
    given, kind = say("waits.done"), "ok"
    if isinstance(thing.task, Form) and thing.task.services and thing.part is not None:
        said, tacit = one.dossier.answers.get(thing.part), thing.done_by == SYSTEM
        if not may_read(one.procedure, one.dossier, thing.part, actor()):
            given, kind = say("waits.over_hidden" if tacit else "waits.given_hidden"), "" if tacit else "ok"
        elif tacit:
            given, kind = tacit_opinion(str(said)), ""
        else:
            given = say(f"waits.opinion_{said}")
            kind = {"favourable": "ok", "unfavourable": "bad"}.get(str(said), "act")
    return DueDateTag(kind, given), _by(thing, names)


def _by(thing: Awaited, names: Mapping[str, str]) -> str:
    day = day_of(thing.done.at) if thing.done else ""
    if thing.done_by == SYSTEM:
        return say("waits.time_over", day=day) if isinstance(thing.task, Form) and thing.task.services else day
    name = names.get(thing.done_by or "", "")
    if thing.part is not None and thing.part.isdecimal():
        return say("waits.hand", name=name) if name else ""
    return say("waits.hand_on", name=name, day=day) if name else day


def _awaited_of(one: AgentCase, thing: Awaited) -> str:
    """Return from whom a task is awaited, and its progress."""
    task = thing.task
    if isinstance(task, Appointment):
        booking = one.dossier.bookings.get(task.id)
        held = booking is not None and booking.status == "booked"
        if booking is not None and held:
            return say("waits.booked", moment=moment_of(booking.start))
        if task.proposed_by is not None:
            return say("visit.awaited", who=role_label(role_key(one.procedure, task.proposed_by)))
        return say("waits.to_book")
    if isinstance(task, Fee):
        owed = one.dossier.owed.get(task.id)
        return say("waits.to_pay", amount=site().words.money(owed.left if owed else 0, language()))
    if isinstance(task, Link):
        linked = one.dossier.links.get(task.id)
        return say("waits.link_end", number=whole_number(linked.number) if linked else "")
    if SYSTEM in thing.by:
        return say("waits.register")
    return _listed(say("desk.applicant_capital") if role == APPLICANT else role_label(role) for role in thing.by)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


# -- due dates ---------------------------------------------------------------------------------------------------------


def payment_of_step(one: AgentCase) -> Payment | None:
    """Return the open payment of the present state. No due date applies meanwhile."""
    payment, state = one.awaited, one.procedure.states.get(one.dossier.state)
    waited = payment is not None and state is not None and public_key(one.procedure, one.dossier) == "to_pay"
    return payment if waited else None


def deadlines(one: AgentCase, checked: Payment | None) -> list[DueDateView]:
    """Return the due date of the state, and the legal time limits with their effects.

    `checked` is the open payment of this state.
    """
    state = one.procedure.states.get(one.dossier.state)
    if state is None or state.is_end or one.dossier.is_draft:
        return []
    return [
        *_of_state(one, checked),
        *(line for clock in one.procedure.clocks.values() for line in _of_clock(one, clock)),
    ]


def _of_state(one: AgentCase, checked: Payment | None) -> Iterator[DueDateView]:
    dossier, state = one.dossier, one.procedure.state(one.dossier.state)
    if checked is not None:
        yield DueDateView(say("waits.this_step"), say("waits.step_checking", provider=provider_label(checked.provider)))
        return
    if dossier.due_at is None:
        return
    late = next(
        (transition for transition in one.procedure.leaving.get(state.id, ()) if transition.event == "due"), None
    )
    after = say("waits.then", state=label(one.procedure.state(late.target).label)) if late else ""
    until = moment_of(dossier.due_at)
    if dossier.due_paused_at is not None:
        since = day_of(dossier.due_paused_at)
        said = say("waits.step_paused", since=since)
    elif kind_of(state) == "applicant":
        said = say("waits.step_theirs", until=until)
    else:
        said = say("waits.step", until=until)
    yield DueDateView(say("waits.this_step"), " ".join(filter(None, (said, after))))


def _of_clock(one: AgentCase, clock: TimeLimit) -> Iterator[DueDateView]:
    known = one.dossier.clocks.get(clock.id)
    if known is None or known.over:
        return
    scope, calendar = one.evaluated().scope, app_ctx().directory.calendar
    left = clock_left(one.dossier, clock, app_ctx().now(), scope, calendar)
    end = clock_end(one.dossier, clock, scope, calendar)
    if end is None:
        said = say("waits.clock_paused") if left is None else say("waits.clock_paused_left", count=left)
        yield DueDateView(label(clock.label), said)
        return
    transitions = one.procedure.leaving.get(one.dossier.state, ())
    transition = next((one for one in transitions if one.event == clock.id and one.when.holds(scope)), None)
    until = moment_of(end)
    if transition is None:
        yield DueDateView(label(clock.label), say("waits.clock", until=until))
        return
    target = label(one.procedure.state(transition.target).label)
    yield DueDateView(label(clock.label), say("waits.clock_to", until=until, state=target))
