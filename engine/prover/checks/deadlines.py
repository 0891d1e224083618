"""Proof P1 of time: a time limit or a `late` that never occurs, because another event surely comes first.

Doubtful cases (a day in an answer, a slot that stops the time, a path back) are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

from engine.core.problems import Problem, problem
from engine.core.values import Span
from engine.model import Appointment, Procedure, State, TimeLimit, Transition
from engine.model.graph import closure, edges, left_by, successors
from engine.model.types import TRUE
from engine.prover.checks.announced_delay import spans_of

_HOURS: Final = {"minute": 1 / 60, "hour": 1}
_DAYS: Final = {"day": 1, "week": 7, "month": 31, "year": 366}
_CLUSTER: Final = 4  # successive holidays assumed possible


def at_most(span: Span, working: bool) -> int:
    """Return the most days that a span may last, in working or calendar days."""
    if span.unit in _HOURS:
        days = ceil(span.count * _HOURS[span.unit] / (7 if span.working else 24)) + span.working
    else:
        days = span.count * _DAYS[span.unit]
    if span.working == working:
        return days
    if working:
        return days // 7 * 5 + min(5, days % 7)
    return ceil(days / 5) * 7 + days // 10 + _CLUSTER


def at_least(span: Span) -> int:
    """Return the least days that a span lasts, in its own kind of days."""
    if span.unit in _HOURS:
        return int(span.count * _HOURS[span.unit] / (7 if span.working else 24))
    return {"month": span.count * 365 // 12 - 3, "year": span.count * 365}.get(span.unit, span.count * _DAYS[span.unit])


@dataclass(frozen=True, slots=True)
class Leaving:
    """What surely ends a stay in a state, and the transition it causes."""

    spans: tuple[Span, ...]
    transition: Transition

    def at_most(self, working: bool) -> int:
        """Return the most days before the transition, over all its spans."""
        return max(at_most(span, working) for span in self.spans)


def timers_never_over(procedure: Procedure) -> Iterator[Problem]:
    """Yield P1 for time limits and `late` that never occur in any dossier."""
    reached = closure([procedure.start], successors(procedure))
    for clock in procedure.clocks.values():
        yield from _clock(procedure, clock, reached)
    for state in procedure.states.values():
        if state.id in reached:
            yield from _late(procedure, state)


# -- ends of a stay ----------------------------------------------------------------------------------------------------


def _leavings(procedure: Procedure, state: State) -> Iterator[Leaving]:
    """Each time of a state that leads on for all answers, with its spans."""
    for event, time in (("due", state.due), ("done", state.wait)):
        transitions = [transition for transition in procedure.leaving.get(state.id, ()) if transition.event == event]
        stops = event == "due" and any(isinstance(procedure.tasks.get(one), Appointment) for one in state.waits)
        if time is not None and transitions and _closed(transitions) and not stops and (spans := spans_of(time)):
            yield Leaving(spans, transitions[-1])
    for clock in procedure.clocks.values():
        transitions = [transition for transition in procedure.leaving.get(state.id, ()) if transition.event == clock.id]
        if transitions and _closed(transitions) and _runs_once(procedure, clock) and (spans := spans_of(clock.lasts)):
            yield Leaving(spans, transitions[-1])


def _closed(transitions: list[Transition]) -> bool:
    """Return whether one transition has no condition, or belongs to a list whose last entry takes all other cases."""
    return any(transition.when == TRUE or "." in transition.id for transition in transitions)


def _runs_once(procedure: Procedure, clock: TimeLimit) -> bool:
    """Return whether the dossier never returns to where the limit runs, once the limit is over or left."""
    return not left_by(procedure, clock) & clock.runs_in


# -- time limits -------------------------------------------------------------------------------------------------------


def _clock(procedure: Procedure, clock: TimeLimit, reached: frozenset[str]) -> Iterator[Problem]:
    [lasts] = spans_of(clock.lasts) or (None,)
    begins = [state for state in procedure.states if state in clock.runs_in & reached]
    if lasts is None or not begins:
        return
    ends: dict[str, Leaving] = {}
    for state_id in clock.runs_in & reached:
        leavings = [one for one in _leavings(procedure, procedure.states[state_id]) if one.transition.event != clock.id]
        if not leavings:
            return
        ends[state_id] = min(leavings, key=lambda one: one.at_most(lasts.working))
    times = {state_id: one.at_most(lasts.working) for state_id, one in ends.items()}
    stays = [_longest(procedure, clock, times, state_id, ()) for state_id in begins]
    known = [stay for stay in stays if stay is not None]
    if len(known) < len(stays):
        return
    days, path = max(known, key=lambda stay: stay[0])
    if days < at_least(lasts):
        last = ends[next(state_id for state_id in reversed(path) if state_id in ends)]
        facts = {"unreached": unreached} if (unreached := _only_by(procedure, clock, reached)) else {}
        yield problem("P1", clock.where, at=clock.id, fault="clock", name=clock.id, lasts=str(lasts), path=path,
                      days=days, state=last.transition.source, target=last.transition.target, **facts)  # fmt: skip


def _longest(
    procedure: Procedure, clock: TimeLimit, times: Mapping[str, int], state_id: str, before: tuple[str, ...]
) -> tuple[int, tuple[str, ...]] | None:
    """The most days the limit may run from a state on, and the states. None when there is a cycle."""
    if state_id in before:
        return None
    path = (*before, state_id)
    best: tuple[int, tuple[str, ...]] = (0, path)
    for transition in edges(procedure):
        goes_on = transition.target in clock.runs_in | clock.paused_in
        if transition.source == state_id and transition.event != clock.id and goes_on:
            ahead = _longest(procedure, clock, times, transition.target, path)
            if ahead is None:
                return None
            best = max(best, ahead, key=lambda stay: stay[0])
    return best[0] + times.get(state_id, 0), best[1]


def _only_by(procedure: Procedure, clock: TimeLimit, reached: frozenset[str]) -> tuple[str, ...]:
    """The states that dossiers reach only through this limit."""
    follows: dict[str, list[str]] = {}
    for transition in edges(procedure):
        if transition.event != clock.id:
            follows.setdefault(transition.source, []).append(transition.target)
    return tuple(sorted(reached - closure([procedure.start], follows)))


# -- late --------------------------------------------------------------------------------------------------------------


def _late(procedure: Procedure, state: State) -> Iterator[Problem]:
    late = next((transition for transition in procedure.leaving.get(state.id, ()) if transition.event == "due"), None)
    dues = spans_of(state.due) if state.due is not None else ()
    if late is None or not dues:
        return
    for one in _leavings(procedure, state):
        if one.transition.event == "due":
            continue
        if all(one.at_most(due.working) < at_least(due) for due in dues):
            yield problem("P1", late.where, at=late.id, fault="late", name=state.id, lasts=str(dues[0]),
                          days=one.at_most(dues[0].working), state=state.id, target=one.transition.target)  # fmt: skip
            return
