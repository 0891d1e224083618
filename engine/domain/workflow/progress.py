"""Progress of a request for the applicant: what is expected, of whom, until when, and the states before and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from engine.core.values import Text
from engine.domain.workflow.due_dates import clock_end, held_bookings
from engine.model import APPLICANT, Appointment, Fee, Form, Procedure, Public, State, Transition
from engine.model.directory import Calendar
from engine.model.types import Scope
from engine.records.dossier import Booking, CorrectionRequest, Dossier, TakenTransition

Who: TypeAlias = Literal["applicant", "us", "nobody"]
_OF_PARTS = frozenset(
    {"in_review", "to_pay", "to_book", "to_correct"}
)  # in a parallel wait the label depends on whose part is left
_THEIR_TURN = frozenset({"draft", "to_pay", "to_correct", "to_book", "appointment", "ready"})


@dataclass(frozen=True, slots=True)
class PublicStatus:
    """The status of a dossier for the applicant.

    `public` is the key of the label. `until` is the due date or the appointment. `late` means that the
    administration is late.
    """

    public: Public
    who: Who
    until: datetime | None
    label: Text
    help: Text | None = None
    late: bool = False
    booking: Booking | None = None
    to_correct: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Milestone:
    """One step of the timeline: entered `at`, left `until` if past, or due then if present.

    `done` means that it was left because what it waited for came: a payment, the corrections, a visit. `grants` means
    that a document which grants the request is issued on entering it. `lapsed` means that its time was over, or that
    too many visits were missed; `silent` that a time limit of the administration ended it.
    """

    state: str
    label: Text
    when: Literal["past", "present", "future"]
    public: Public
    at: datetime | None = None
    until: datetime | None = None
    done: bool = False
    grants: bool = False
    lapsed: bool = False
    silent: bool = False


def public_key(procedure: Procedure, dossier: Dossier) -> Public:
    """Return the public label of a dossier: its state's, refined by bookings, documents and open tasks."""
    if dossier.is_draft:
        return "closed" if dossier.closed_at else "draft"
    state = procedure.state(dossier.state)
    if state.mode in ("attend", "gather") and _held(state, dossier):
        return "appointment"
    if state.mode == "gather" and state.public in _OF_PARTS:
        return _applicants_part(procedure, state, dossier) or "in_review"
    if state.mode == "gather" and state.public == "accepted":
        return _applicants_part(procedure, state, dossier) or "accepted"
    if state.public == "in_review" and is_granted(procedure, dossier):
        return "accepted"
    return state.public


def _held(state: State, dossier: Dossier) -> Booking | None:
    return next((one for one in held_bookings(dossier) if one.appointment in state.waits), None)


def _applicants_part(procedure: Procedure, state: State, dossier: Dossier) -> Public | None:
    """Return the label of the applicant's open task in a parallel wait, None without one."""
    awaited = (procedure.tasks[one] for one in state.waits if one not in dossier.done)
    left = [task for task in awaited if all(one in dossier.done for one in task.after)]
    if any(isinstance(task, Fee) and task.id in dossier.owed for task in left):
        return "to_pay"
    if any(isinstance(task, Appointment) and not task.proposed_by for task in left):
        return "to_book"
    if any(isinstance(task, Form) and APPLICANT in task.by for task in left):
        return "to_correct"
    return None


def is_granted(procedure: Procedure, dossier: Dossier) -> bool:
    """Return True when a document in force grants the request, and no end was contested since."""
    contested = [one.at for one in dossier.taken if _is_an_end(procedure, one.source)]
    granting = {output.id for output in procedure.outputs.values() if output.grants}
    held = (one for one in dossier.documents if one.output in granting and one.status == "valid")
    return any(not contested or one.issued_at > contested[-1] for one in held)


def _is_an_end(procedure: Procedure, state_id: str) -> bool:
    state = procedure.states.get(state_id)
    return state is not None and state.is_end


def public_status(procedure: Procedure, dossier: Dossier, now: datetime) -> PublicStatus:
    """Return the status of a dossier at an instant."""
    public = public_key(procedure, dossier)
    if dossier.is_draft:
        who: Who = "nobody" if dossier.closed_at else "applicant"
        return PublicStatus(public, who, dossier.due_at, procedure.identity.title)
    state = procedure.state(dossier.state)
    booking = _held(state, dossier)
    due = booking.start if booking else dossier.due_at
    who = _who_acts(state, public)
    left = dossier.correction.left if dossier.correction else ()
    ours = who == "us" or (who == "nobody" and not state.is_end and APPLICANT not in state.by)
    late = ours and due is not None and now > due
    return PublicStatus(public, who, due, state.label, state.help, late, booking, left)


def must_act(procedure: Procedure, dossier: Dossier) -> bool:
    """Return whether the applicant must pay, book, come, correct or collect now."""
    return public_key(procedure, dossier) in _THEIR_TURN


def _who_acts(state: State, public: Public) -> Who:
    if state.is_end:
        return "nobody"
    if public in _THEIR_TURN or (state.mode == "by" and APPLICANT in state.by and public != "accepted"):
        return "applicant"
    return "nobody" if public == "accepted" else "us"


def is_examined(procedure: Procedure, state: State) -> bool:
    """Return True when agents examine the request in a state: they may ask for a correction, or choose to refuse.

    A signature refuses nothing: it carries out what was decided before.
    """
    ways = [one for one in procedure.leaving.get(state.id, ()) if one.event is None and APPLICANT not in one.by]
    goes_on = {one.id for one in ways if procedure.state(one.target).outcome != "refused"}
    refuses = {one.id for one in ways} - goes_on
    return any("correction" in one.asks for one in ways) or bool(refuses and goes_on)


def applicants_act(procedure: Procedure, dossier: Dossier) -> TakenTransition | None:
    """Return the last transition if the applicant took it and gave a reason, which an agent must read first.

    None otherwise.
    """
    last = dossier.taken[-1] if dossier.taken else None
    theirs = last is not None and last.by_kind != "system" and not by_agent(procedure, dossier, last)
    return last if theirs and last is not None and last.reason else None


def by_agent(procedure: Procedure, dossier: Dossier, taken: TakenTransition) -> bool:
    """Return whether an agent took a transition for the office. One who helped at a counter took the applicant's act."""
    if taken.by_kind != "agent" or taken.by not in dossier.assisted:
        return taken.by_kind == "agent"
    acts = (one for one in procedure.leaving.get(taken.source, ()) if one.id == taken.transition)
    return not any(APPLICANT in one.by for one in acts)


def correction_to_compare(dossier: Dossier) -> CorrectionRequest | None:
    """Return the correction that was sent since the last act of an agent, None without one."""
    last = dossier.corrected[-1] if dossier.corrected else None
    acted = max((one.at for one in dossier.taken if one.by_kind == "agent"), default=dossier.created_at)
    return last if last is not None and last.sent_at is not None and last.sent_at >= acted else None


# -- timeline ----------------------------------------------------------------------------------------------------------


def timeline(procedure: Procedure, dossier: Dossier, scope: Scope) -> tuple[Milestone, ...]:
    """Return the past states of a request, the present one, and the likely next ones up to a granted end."""
    if dossier.is_draft:
        return ()
    present = procedure.state(dossier.state)
    here = Milestone(
        present.id, present.label, "present", public_key(procedure, dossier), dossier.entered_at, dossier.due_at
    )
    ahead = _still_to_come(procedure, dossier, likely_path(procedure, dossier.state, scope))
    future = (
        Milestone(state.id, state.label, "future", state.public, grants=_grants(procedure, state)) for state in ahead
    )
    return (*_past(procedure, dossier), here, *future)


def _still_to_come(procedure: Procedure, dossier: Dossier, path: tuple[str, ...]) -> Iterator[State]:
    """Yield the states of a path but those passed at once: what they wait for is done, and no transition opens it again."""
    reopened = set[str]()
    for before, name in pairwise((dossier.state, *path)):
        state = procedure.state(name)
        reopened.update(*(one.reopens for one in procedure.leaving.get(before, ()) if one.target == name))
        waits = {*state.waits} if state.mode in ("pay", "attend", "gather") else set()
        if not waits or waits & reopened or not waits <= dossier.done.keys():
            yield state


def _past(procedure: Procedure, dossier: Dossier) -> Iterator[Milestone]:
    """Yield the states left behind, without those that the dossier passed through at once."""
    at = dossier.submitted_at
    for taken in dossier.taken:
        state = procedure.states.get(taken.source)
        if state is not None and (at != taken.at or taken.by_kind != "system"):
            events = {one.event for one in procedure.leaving.get(state.id, ()) if one.id == taken.transition}
            yield Milestone(
                state.id, state.label, "past", state.public, at, taken.at, bool(events & {"done", *state.waits}),
                lapsed=bool(events & {"due", "missed"}), silent=bool(events & procedure.clocks.keys()),
            )  # fmt: skip
        at = taken.at


def likely_path(procedure: Procedure, state_id: str, scope: Scope) -> tuple[str, ...]:
    """Return the usual states to come, to a granted end: those of the granted scenarios that the answers allow."""
    return (_search(procedure, state_id, scope, set()) or ())[1:]


def _search(procedure: Procedure, state_id: str, scope: Scope, seen: set[str]) -> tuple[str, ...] | None:
    """Return the first path to a granted end, including its start. Each state is tried once."""
    seen.add(state_id)
    state = procedure.state(state_id)
    if state.is_end:
        return (state_id,) if state.outcome == "granted" else None
    for target in _next(procedure, state_id, scope):
        found = _search(procedure, target, scope, seen) if target not in seen else None
        if found is not None:
            return (state_id, *found)
    return None


def _next(procedure: Procedure, state_id: str, scope: Scope) -> tuple[str, ...]:
    """Return the next states, the usual first: as the granted scenarios go, in their order, then automatic ones.

    Acts come later, and those excluded by the answers last. A tacit outcome is likely only where nothing else leads on.
    """
    forward = [transition for transition in procedure.leaving.get(state_id, ()) if _leads_on(transition)]
    usual = procedure.once(_usual_targets).get(state_id, ())
    forward = [one for one in forward if one.event not in procedure.clocks] or forward
    forward.sort(
        key=lambda transition: (
            _is_ruled_out(transition, scope),
            usual.index(transition.target) if transition.target in usual else len(usual),
            transition.event is None,
        )
    )
    return tuple(dict.fromkeys(transition.target for transition in forward))


def _usual_targets(procedure: Procedure) -> dict[str, tuple[str, ...]]:
    """Return by state where the granted scenarios go when they leave it for the last time, the first scenario first.

    An author writes the usual case first. A scenario may pass through a state twice: a correction, a second exam.
    """
    found: dict[str, dict[str, None]] = {}
    for scenario in procedure.scenarios:
        path = [procedure.start, *(step.then for step in scenario.steps if step.then)]
        if procedure.states[path[-1]].outcome == "granted":
            for source, target in {one: then for one, then in pairwise(path) if one != then}.items():
                found.setdefault(source, {}).setdefault(target)
    return {state: tuple(targets) for state, targets in found.items()}


def _is_ruled_out(transition: Transition, scope: Scope) -> bool:
    """Return True when the answers exclude a transition. A condition over unknown answers excludes nothing."""
    known = all(scope.get(name) is not None for name in transition.when.names)
    return known and not transition.when.holds(scope)


def _leads_on(transition: Transition) -> bool:
    if transition.event is not None:
        return transition.event not in ("due", "missed")
    return "correction" not in transition.asks and transition.within is None


DetourKind: TypeAlias = Literal[
    "correction", "further", "again", "lapse", "tacit_granted", "tacit_refused", "tacit_kept", "refusal", "appeal",
    "withdrawal", "ended",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Detour:
    """A change of state beside the usual path: what happens, and the transition that does it."""

    kind: DetourKind
    transition: Transition


def may_still_happen(transition: Transition, dossier: Dossier, scope: Scope) -> bool:
    """Return whether a transition is still possible: the answers allow it, and its time limit has not ended."""
    clock = dossier.clocks.get(transition.event or "")
    return not _is_ruled_out(transition, scope) and not (clock is not None and clock.over)


def detours(
    procedure: Procedure, path: tuple[str, ...], possible: Callable[[Transition], bool] = bool
) -> tuple[Detour, ...]:
    """Return what may happen beside a path, in its order: each transition that leaves it, then those that follow.

    A way back to the path is no detour, nor is what follows an appeal: its answer is a decision of its own. Transitions
    that are not `possible` are left out.
    """
    found: list[Detour] = []
    left, seen = list(path), set(path)
    while left:
        source = left.pop(0)
        for transition in filter(possible, procedure.leaving.get(source, ())):
            kind = _detour_kind(procedure, transition, path)
            if kind is not None:
                found.append(Detour(kind, transition))
            if kind in ("correction", "further", "refusal", "ended") and transition.target not in seen:
                seen.add(transition.target)
                left.append(transition.target)
    return tuple(found)


def _detour_kind(procedure: Procedure, transition: Transition, path: tuple[str, ...]) -> DetourKind | None:
    """Return the kind of a transition beside a path, None for the path itself and for a way back to it."""
    source, target = procedure.state(transition.source), procedure.state(transition.target)
    if source.id in path and target.id in path:
        return "again" if path.index(target.id) <= path.index(source.id) else None
    if target.mode == "correct":
        return "correction"
    if APPLICANT in transition.by and (source.outcome == "refused" or transition.within is not None):
        return "appeal"
    by_silence = transition.event == "due" or transition.event in procedure.clocks
    silent = by_silence and not _waits_for_applicant(source)  # what the silence of the administration means
    if silent and _grants(procedure, target):
        return "tacit_granted"
    if silent and target.outcome in ("granted", "refused"):
        kept: DetourKind = "tacit_granted" if target.outcome == "granted" else "tacit_refused"
        return "tacit_kept" if reviews(procedure, source) else kept
    if target.outcome == "refused" and not by_silence:
        return "refusal"
    if target.outcome in _GIVEN_UP and APPLICANT in transition.by:
        return "withdrawal"
    if target.is_end and target.outcome != "granted":
        return "lapse" if by_silence or transition.event == "missed" else "ended"
    return None if target.id in path else "further"


def reviews(procedure: Procedure, state: State) -> bool:
    """Return True when only the contest of an end leads to a state: what its silence ends in is the decision of before."""
    into = [one for transitions in procedure.leaving.values() for one in transitions if one.target == state.id]
    return bool(into) and all(_is_an_end(procedure, one.source) for one in into)


def _grants(procedure: Procedure, state: State) -> bool:
    return any(procedure.outputs[output].grants for output in state.effects.issues)


def _waits_for_applicant(state: State) -> bool:
    return state.mode in ("pay", "correct") or (state.mode in ("by", "gather") and APPLICANT in state.by)


_GIVEN_UP: Final = frozenset({"withdrawn", "abandoned"})
_HAD: Final = frozenset({"accepted", "ready"})  # a granted request is not withdrawn


def may_ask_to_give_up(procedure: Procedure, dossier: Dossier) -> bool:
    """Return True when the request can be withdrawn: submitted, open and not granted yet."""
    running = not dossier.is_draft and dossier.closed_at is None and dossier.state in procedure.states
    return running and public_key(procedure, dossier) not in _HAD


def has_way_out(procedure: Procedure, state_id: str) -> bool:
    """Return True when an act of the applicant may end the request in this state, possible today or not."""
    transitions = (
        transition
        for transition in procedure.leaving.get(state_id, ())
        if transition.event is None and APPLICANT in transition.by
    )
    return any(procedure.state(transition.target).outcome in _GIVEN_UP for transition in transitions)


def ends_for_good(procedure: Procedure, transitions: Iterable[Transition]) -> bool:
    """Return True when an act leads only to withdrawal, in states without a further transition."""
    return all(
        procedure.state(transition.target).outcome in _GIVEN_UP and not procedure.leaving.get(transition.target)
        for transition in transitions
    )


def lapse_of(procedure: Procedure, dossier: Dossier) -> tuple[datetime, State] | None:
    """Return when and how a request ends if the applicant does nothing more. None when it does not end so."""
    state = procedure.state(dossier.state)
    if not (_waits_for_applicant(state) or state.public == "ready") or dossier.due_paused_at is not None:
        return None
    late = (transition for transition in procedure.leaving.get(state.id, ()) if transition.event == "due")
    targets = (procedure.state(transition.target) for transition in late)
    end = next((target for target in targets if target.is_end and target.outcome != "granted"), None)
    return (dossier.due_at, end) if end is not None and dossier.due_at is not None else None


def silence_of(
    procedure: Procedure, dossier: Dossier, scope: Scope, calendar: Calendar
) -> tuple[DetourKind, datetime] | None:
    """Return what the silence of the administration means and when: `tacit_granted`, `tacit_refused` or `tacit_kept`.

    None when it means nothing, or when that depends on more than the answers.
    """
    ends: dict[str, tuple[DetourKind | None, datetime]] = {}
    for transition in procedure.leaving.get(dossier.state, ()):
        at = _silence_ends(procedure, dossier, transition.event or "", scope, calendar)
        if at is None or transition.event is None or _is_ruled_out(transition, scope):
            continue
        kind = _detour_kind(procedure, transition, ())
        ends[transition.event] = (kind if ends.get(transition.event, (kind,))[0] == kind else None, at)
    kind, at = min(ends.values(), key=lambda end: end[1], default=(None, None))
    if kind is None or at is None or not kind.startswith("tacit"):
        return None
    contested = kind == "tacit_refused" and any(_is_an_end(procedure, one.source) for one in dossier.taken)
    return "tacit_kept" if contested else kind, at


def _silence_ends(
    procedure: Procedure, dossier: Dossier, event: str, scope: Scope, calendar: Calendar
) -> datetime | None:
    if event in procedure.clocks:
        return clock_end(dossier, procedure.clocks[event], scope, calendar)
    return dossier.due_at if event == "due" and dossier.due_paused_at is None else None
