"""What time has already decided of a dossier, whether or not a worker has come by since: the state's time is over, a clock of
the law ran out, services kept silent.

The worker plays it for good (`timers.py`). Until it has, acts are judged by it: nobody decides after the law did. Whoever
acts for the applicant may still do so once the state's own time is over, which only takes from them; not against a clock
of the law. What merely happens (money, a visit, a register's answer) is kept, and the dossier waits for its clock.
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
from engine.domain.workflow.transitions import finish_task, move, settle, way_of
from engine.model import APPLICANT, SYSTEM, Procedure
from engine.records.dossier import SYSTEM_ACTOR, Dossier


@dataclass(frozen=True, slots=True)
class ElapsedOutcome:
    """What ended (a name of `due_dates`), when, and the state where that leaves the dossier."""

    name: str
    at: datetime
    state: str


def time_past(moment: Moment, dossier: Dossier) -> ElapsedOutcome | None:
    """The first end that is past and moves the dossier: all that ended is played in its order, as the worker would now."""
    procedure = moment.procedure
    if dossier.is_draft or dossier.closed_at is not None or dossier.state not in procedure.states:
        return None
    timers = timers_of(procedure, dossier, moment.now, moment.directory, moment.scope(dossier))
    over = sorted((one.due_at, one.name) for one in timers if one.due_at <= moment.now)
    stands, system = dossier, replace(moment, actor=SYSTEM_ACTOR)
    for at, name in over:
        with suppress(Refused):  # it stands no more, or the book forbids it: a person must look
            stands = _played(system, stands, name).dossier
        if len(stands.taken) > len(dossier.taken):
            return ElapsedOutcome(name, at, stands.state)
    return None


def _played(moment: Moment, dossier: Dossier, name: str) -> Decision:
    """What an end does. A register that is silent decides nothing: it may still answer."""
    procedure = moment.procedure
    if name in ("due", "wait") and _is_sure(procedure, dossier, name):
        return state_over(moment, dossier, name)
    if name in procedure.clocks:
        return clock_over(moment, dossier, name)
    if procedure.round_of(name) is not None:
        return part_over(procedure, dossier, name, moment.now, moment.directory, moment.wording)
    raise Refused(refusal("void_timer", timer=name))


def _is_sure(procedure: Procedure, dossier: Dossier, name: str) -> bool:
    """Whether the end of a state's time opens today the way that it opened then. It rings once: where the way hangs on what may
    have changed since, nobody must wait for it; nor where money on its way holds it."""
    event = "done" if name == "wait" else name
    ways = [way for way in procedure.leaving.get(dossier.state, ()) if way.event == event]
    read = frozenset[str]().union(*(way.when.names for way in ways))
    fixed = not read or (not procedure.state(dossier.state).waits and "today" not in read)
    return fixed and not stands_still_while_paid(procedure, dossier, name, dossier.owed)


# -- who is too late ---------------------------------------------------------------------------------------------------


def closed_by_time(
    moment: Moment, past: ElapsedOutcome | None, role: str | None, where: Position = NOWHERE
) -> Refusal | None:  # fmt: skip
    """Why an act comes too late in this role; none when it does not."""
    if past is None or role == SYSTEM or (role == APPLICANT and past.name not in moment.procedure.clocks):
        return None
    return refusal("time_past", where, until=instant_text(past.at) or "", state=past.state)


def goes_on(passage: TransitionContext, moment: Moment, task_id: str | None = None) -> TransitionContext:
    """Passes on after something happened (`task_id`: a task was done), unless a clock of the law ran out before: it decides."""
    if law_decides(moment, passage.dossier):
        return passage.happened(task_id) if task_id is not None else passage
    return finish_task(passage, moment, task_id) if task_id is not None else settle(passage, moment)


def law_decides(moment: Moment, dossier: Dossier) -> bool:
    """Whether the first end that is past is that of a clock of the law."""
    past = time_past(moment, dossier) if moment.procedure.clocks else None
    return past is not None and past.name in moment.procedure.clocks


# -- what an end does --------------------------------------------------------------------------------------------------


def state_over(moment: Moment, dossier: Dossier, kind: str) -> Decision:
    """The state's time is over: its `late` way, or `then` of a wait; an agent's state without `late` only escalates."""
    state = moment.procedure.state(dossier.state)
    wait = instant_of(state.wait, dossier.entered_at, moment.scope(dossier), moment.directory.calendar)
    over = wait if kind == "wait" else dossier.due_at if dossier.due_paused_at is None else None
    if over is None or moment.now < over:
        raise Refused(refusal("void_timer", timer=kind))
    passage = TransitionContext.of(dossier)
    way = way_of(passage, moment, "done" if kind == "wait" else kind)
    if way is not None:
        return finished(settle(move(passage, moment, way), moment), moment)
    body: dict[str, Plain] = {"timer": kind, "escalate": state.escalate}
    return finished(passage.note("due", body).happened(f"late:{state.id}"), moment)


def clock_over(moment: Moment, dossier: Dossier, clock_id: str) -> Decision:
    """A clock of the law ran out: once, for good."""
    clock = moment.procedure.clocks[clock_id]
    end = clock_end(dossier, clock, moment.scope(dossier), moment.directory.calendar)
    if end is None or moment.now < end:
        raise Refused(refusal("void_timer", timer=clock_id))
    spent = replace(dossier.clocks[clock_id], since=None, over=True)
    passage = TransitionContext.of(dossier).with_(clocks={**dossier.clocks, clock_id: spent})
    passage = passage.note("clock_over", {"clock": clock_id}).happened(clock_id)
    way = way_of(passage, moment, clock_id)
    return finished(settle(move(passage, moment, way) if way else passage, moment), moment)
