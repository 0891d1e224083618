"""Elapsed outcomes: what time has decided of a dossier, whether or not a worker pass has recorded it.

The state's time is over, a legal time limit ended, or services gave no answer. The worker records it
(`timers.py`). Until then acts are checked against it, so that no act follows an outcome that the law has
already given. The applicant's side may still act after the state's time, whose end is only to their
disadvantage. It may not act against a legal time limit. External events (money, an appointment, a register's
answer) are recorded, and the dossier waits for its time limit.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from engine.core.problems import NOWHERE, Position, Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.decision import Decision
from engine.domain.workflow.due_dates import clock_end, instant_of, stands_still_while_paid, timers_of
from engine.domain.workflow.tacit_outcomes import part_over
from engine.domain.workflow.transition_context import Moment, TransitionContext, finished, instant_text
from engine.domain.workflow.transitions import advance_until_blocked, apply_transition, finish_task, transition_for
from engine.model import APPLICANT, SYSTEM, Procedure
from engine.records.dossier import SYSTEM_ACTOR, Dossier


@dataclass(frozen=True, slots=True)
class ElapsedOutcome:
    """What ended (the name of a timer, see `due_dates.py`), when, and the resulting state."""

    name: str
    at: datetime
    state: str


def time_past(moment: Moment, dossier: Dossier) -> ElapsedOutcome | None:
    """Return the first past end that moves the dossier, None without one.

    The ends are applied in order, as the worker would now.
    """
    procedure = moment.procedure
    if dossier.is_draft or dossier.closed_at is not None or dossier.state not in procedure.states:
        return None
    timers = timers_of(procedure, dossier, moment.now, moment.directory, moment.scope(dossier))
    over = sorted((one.due_at, one.name) for one in timers if one.due_at <= moment.now)
    stands, system = dossier, replace(moment, actor=SYSTEM_ACTOR)
    for at, name in over:
        with suppress(Refused):  # it no longer applies, or the procedure forbids it: a person must decide
            stands = _played(system, stands, name).dossier
        if len(stands.taken) > len(dossier.taken):
            return ElapsedOutcome(name, at, stands.state)
    return None


def _played(moment: Moment, dossier: Dossier, name: str) -> Decision:
    """Return the decision of an end. An unanswered register decides nothing, because it may still answer."""
    procedure = moment.procedure
    if name in ("due", "wait") and _is_sure(procedure, dossier, name):
        return state_over(moment, dossier, name)
    if name in procedure.clocks:
        return clock_over(moment, dossier, name)
    if procedure.round_of(name) is not None:
        return part_over(procedure, dossier, name, moment.now, moment.directory, moment.wording)
    raise Refused(refusal("void_timer", timer=name))


def _is_sure(procedure: Procedure, dossier: Dossier, name: str) -> bool:
    """Return True when the end of a state's time takes the same transition today as it did then.

    The timer fires once. A transition whose condition may have changed since blocks no act. A payment under
    way delays the end too.
    """
    event = "done" if name == "wait" else name
    transitions = [transition for transition in procedure.leaving.get(dossier.state, ()) if transition.event == event]
    read = frozenset[str]().union(*(transition.when.names for transition in transitions))
    fixed = not read or (not procedure.state(dossier.state).waits and "today" not in read)
    return fixed and not stands_still_while_paid(procedure, dossier, name, dossier.owed)


# -- acts that are too late --------------------------------------------------------------------------------------------


def closed_by_time(
    moment: Moment, past: ElapsedOutcome | None, role: str | None, where: Position = NOWHERE
) -> Refusal | None:  # fmt: skip
    """Return why an act comes too late in this role, None when it does not."""
    if past is None or role == SYSTEM or (role == APPLICANT and past.name not in moment.procedure.clocks):
        return None
    return refusal("time_past", where, until=instant_text(past.at) or "", state=past.state)


def goes_on(passage: TransitionContext, moment: Moment, task_id: str | None = None) -> TransitionContext:
    """Advance the dossier after an event, unless a legal time limit ended before it.

    `task_id` is the finished task, None when the event is no end of a task.
    """
    if law_decides(moment, passage.dossier):
        return passage.happened(task_id) if task_id is not None else passage
    return finish_task(passage, moment, task_id) if task_id is not None else advance_until_blocked(passage, moment)


def law_decides(moment: Moment, dossier: Dossier) -> bool:
    """Return True when the first past end is that of a legal time limit."""
    past = time_past(moment, dossier) if moment.procedure.clocks else None
    return past is not None and past.name in moment.procedure.clocks


# -- the effect of an end ----------------------------------------------------------------------------------------------


def state_over(moment: Moment, dossier: Dossier, kind: str) -> Decision:
    """Return the decision at the end of a state's time: its `late` transition, or `then` of a wait (`kind`: due, wait).

    An agent's state without `late` only escalates. Raises `Refused` (`void_timer`) before the end.
    """
    state = moment.procedure.state(dossier.state)
    wait = instant_of(state.wait, dossier.entered_at, moment.scope(dossier), moment.directory.calendar)
    over = wait if kind == "wait" else dossier.due_at if dossier.due_paused_at is None else None
    if over is None or moment.now < over:
        raise Refused(refusal("void_timer", timer=kind))
    passage = TransitionContext.of(dossier)
    transition = transition_for(passage, moment, "done" if kind == "wait" else kind)
    if transition is not None:
        return finished(advance_until_blocked(apply_transition(passage, moment, transition), moment), moment)
    body: dict[str, Plain] = {"timer": kind, "escalate": state.escalate}
    return finished(passage.note("due", body).happened(f"late:{state.id}"), moment)


def clock_over(moment: Moment, dossier: Dossier, clock_id: str) -> Decision:
    """Return the decision at the end of a legal time limit, once and for all. Raises `Refused` (`void_timer`)."""
    clock = moment.procedure.clocks[clock_id]
    end = clock_end(dossier, clock, moment.scope(dossier), moment.directory.calendar)
    if end is None or moment.now < end:
        raise Refused(refusal("void_timer", timer=clock_id))
    spent = replace(dossier.clocks[clock_id], since=None, over=True)
    passage = TransitionContext.of(dossier).with_(clocks={**dossier.clocks, clock_id: spent})
    passage = passage.note("clock_over", {"clock": clock_id}).happened(clock_id)
    transition = transition_for(passage, moment, clock_id)
    return finished(
        advance_until_blocked(apply_transition(passage, moment, transition) if transition else passage, moment), moment
    )
