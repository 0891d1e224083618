"""Effects of timers on a dossier: a reminder, a transition, or the end of a legal time limit.

A timer that no longer applies, or is not due yet, is refused with `void_timer`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from engine.core.problems import Refused, refusal
from engine.domain.common.decision import Decision
from engine.domain.common.text_provider import Wording
from engine.domain.workflow.actions import answer_look_up
from engine.domain.workflow.due_dates import draft_end, resume_due, visit_end
from engine.domain.workflow.elapsed import clock_over, state_over
from engine.domain.workflow.tacit_outcomes import part_over
from engine.domain.workflow.transition_context import Moment, TransitionContext, finished
from engine.model import DRAFT, Form, Procedure
from engine.model.directory import Directory
from engine.records.dossier import SYSTEM_ACTOR, Dossier


def time_over(
    procedure: Procedure, dossier: Dossier, timer_name: str, now: datetime, directory: Directory, wording: Wording
) -> Decision:
    """Return the decision of a timer (names: see `due_dates.py`).

    Raises `Refused` (`void_timer`) when it does not apply.
    """
    moment = Moment(procedure, SYSTEM_ACTOR, now, directory, wording)
    kind, _, rest = timer_name.partition(":")
    if kind == "instalment" and dossier.owed.get(rest.partition(":")[0]):
        return _reminded(moment, dossier, timer_name, kind, rest)
    if dossier.closed_at is not None or dossier.is_draft != (kind in ("draft", "draft_reminder")):
        raise Refused(refusal("void_timer", timer=timer_name))
    if kind == "draft":
        return _draft_over(moment, dossier)
    if kind in ("remind", "reminder", "before", "draft_reminder"):
        return _reminded(moment, dossier, timer_name, kind, rest)
    if kind == "visit" and rest:
        return _visit_over(moment, dossier, timer_name, rest)
    if kind in ("due", "wait"):
        return state_over(moment, dossier, kind)
    if kind in procedure.clocks:
        return clock_over(moment, dossier, kind)
    task = procedure.tasks.get(kind)
    if (isinstance(task, Form) and task.register is None) or procedure.round_of(kind) is not None:
        return part_over(procedure, dossier, kind, now, directory, wording)
    if task is not None and kind in procedure.state(dossier.state).waits and kind not in dossier.done:
        return answer_look_up(procedure, dossier, kind, "unavailable", {}, now, directory, wording)
    raise Refused(refusal("void_timer", timer=timer_name))


def _draft_over(moment: Moment, dossier: Dossier) -> Decision:
    """Close an unsubmitted draft. It never entered the workflow."""
    if moment.now < draft_end(dossier, moment.directory.calendar):
        raise Refused(refusal("void_timer", timer="draft"))
    passage = TransitionContext.of(dossier).with_(closed_at=moment.now)
    return finished(passage.note("abandoned", {"state": DRAFT}).happened("draft"), moment)


def _reminded(moment: Moment, dossier: Dossier, timer_name: str, kind: str, rest: str) -> Decision:
    """Send a reminder without any transition. One about a changed or past slot is refused."""
    if kind == "reminder":
        appointment, _, number = rest.partition(":")
        booking = dossier.bookings.get(appointment)
        held = booking is not None and booking.status == "booked" and moment.now < booking.start
        if booking is None or not held or str(booking.sequence) != number.partition(":")[0]:
            raise Refused(refusal("void_timer", timer=timer_name))
        timer_name = f"reminder:{appointment}"
    if kind == "instalment" and not dossier.owed[rest.partition(":")[0]].left:
        raise Refused(refusal("void_timer", timer=timer_name))
    passage = TransitionContext.of(dossier).note("reminded", {"timer": timer_name}).happened(timer_name)
    return finished(passage, moment)


def _visit_over(moment: Moment, dossier: Dossier, timer_name: str, rest: str) -> Decision:
    """Resume the state's time after the day of an unmarked appointment. Nothing else changes."""
    appointment, _, sequence = rest.partition(":")
    booking = dossier.bookings.get(appointment)
    held = booking is not None and booking.status == "booked" and str(booking.sequence) == sequence
    if booking is None or not held or dossier.due_paused_at is None or moment.now < visit_end(booking):
        raise Refused(refusal("void_timer", timer=timer_name))
    passage = replace(TransitionContext.of(dossier), dossier=resume_due(dossier, visit_end(booking)))
    return finished(passage.note("unmarked", {"appointment": appointment}), moment)
