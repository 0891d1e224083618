"""Where a request stands, told to the person who waits: what is expected, of whom, until when; the way done and ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from engine.core.values import Text
from engine.domain.workflow.due_dates import held_bookings
from engine.model import APPLICANT, Appointment, Fee, Form, Procedure, Public, State, Transition
from engine.model.types import Scope
from engine.records.dossier import Booking, Dossier, TakenTransition

Who: TypeAlias = Literal["applicant", "us", "nobody"]
_OF_PARTS = frozenset({"in_review", "to_pay", "to_book", "to_correct"})  # a parallel wait says whose part is left
_THEIR_TURN = frozenset({"draft", "to_pay", "to_correct", "to_book", "appointment", "ready"})


@dataclass(frozen=True, slots=True)
class PublicStatus:
    """The status box. `public` is the key of the label; `until` when something is due, or the meeting; `late` when the
    administration let its time pass."""

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
    """One step of the timeline: entered `at` (past and present), left `until` (past) or due then (present)."""

    state: str
    label: Text
    when: Literal["past", "present", "future"]
    public: Public
    at: datetime | None = None
    until: datetime | None = None


def public_key(procedure: Procedure, dossier: Dossier) -> Public:
    """The public label of a dossier: its state's, made precise by what was booked, issued or is left to do."""
    if dossier.is_draft:
        return "closed" if dossier.closed_at else "draft"
    state = procedure.state(dossier.state)
    if state.mode in ("attend", "gather") and _held(state, dossier):
        return "appointment"
    if state.mode == "gather" and state.public in _OF_PARTS:
        return _applicants_part(procedure, state, dossier) or "in_review"
    if state.public == "in_review" and _is_granted(procedure, dossier):
        return "accepted"
    return state.public


def _held(state: State, dossier: Dossier) -> Booking | None:
    return next((one for one in held_bookings(dossier) if one.appointment in state.waits), None)


def _applicants_part(procedure: Procedure, state: State, dossier: Dossier) -> Public | None:
    """In a parallel wait, what the applicant has to do comes first."""
    awaited = (procedure.tasks[one] for one in state.waits if one not in dossier.done)
    left = [task for task in awaited if all(one in dossier.done for one in task.after)]
    if any(isinstance(task, Fee) and task.id in dossier.owed for task in left):
        return "to_pay"
    if any(isinstance(task, Appointment) and not task.proposed_by for task in left):
        return "to_book"
    if any(isinstance(task, Form) and APPLICANT in task.by for task in left):
        return "to_correct"
    return None


def _is_granted(procedure: Procedure, dossier: Dossier) -> bool:
    granting = {output.id for output in procedure.outputs.values() if output.grants}
    return any(one.output in granting and one.status == "valid" for one in dossier.documents)


def public_status(procedure: Procedure, dossier: Dossier, now: datetime) -> PublicStatus:
    """What the status box says."""
    public = public_key(procedure, dossier)
    if dossier.is_draft:
        who: Who = "nobody" if dossier.closed_at else "applicant"
        return PublicStatus(public, who, dossier.due_at, procedure.identity.title)
    state = procedure.state(dossier.state)
    booking = _held(state, dossier)
    due = booking.start if booking else dossier.due_at
    who = _who_acts(state, public)
    left = dossier.correction.left if dossier.correction else ()
    late = who == "us" and due is not None and now > due
    return PublicStatus(public, who, due, state.label, state.help, late, booking, left)


def _who_acts(state: State, public: Public) -> Who:
    if state.is_end:
        return "nobody"
    if public in _THEIR_TURN or (state.mode == "by" and APPLICANT in state.by and public != "accepted"):
        return "applicant"
    return "nobody" if public == "accepted" else "us"


def applicants_act(dossier: Dossier) -> TakenTransition | None:
    """The act that brought a request where it stands, when the applicant took it and wrote why: who decides reads it first."""
    last = dossier.taken[-1] if dossier.taken else None
    return last if last is not None and last.by_kind == "applicant" and last.reason else None


# -- timeline ----------------------------------------------------------------------------------------------------------


def timeline(procedure: Procedure, dossier: Dossier, scope: Scope) -> tuple[Milestone, ...]:
    """The states a request went through, stands in, and will likely go through to a good end."""
    if dossier.is_draft:
        return ()
    present = procedure.state(dossier.state)
    here = Milestone(
        present.id, present.label, "present", public_key(procedure, dossier), dossier.entered_at, dossier.due_at
    )
    ahead = (procedure.state(one) for one in likely_path(procedure, dossier.state, scope))
    future = (Milestone(state.id, state.label, "future", state.public) for state in ahead)
    return (*_past(procedure, dossier), here, *future)


def _past(procedure: Procedure, dossier: Dossier) -> Iterator[Milestone]:
    """States left behind. One that let the dossier pass at once, nobody saw."""
    at = dossier.submitted_at
    for taken in dossier.taken:
        state = procedure.states.get(taken.source)
        if state is not None and (at != taken.at or taken.by_kind != "system"):
            yield Milestone(state.id, state.label, "past", state.public, at, taken.at)
        at = taken.at


def likely_path(procedure: Procedure, state_id: str, scope: Scope) -> tuple[str, ...]:
    """States still to come, without the present one: along `then`, else the first act of the file, to a good end."""
    return (_search(procedure, state_id, scope, set()) or ())[1:]


def _search(procedure: Procedure, state_id: str, scope: Scope, seen: set[str]) -> tuple[str, ...] | None:
    """The first path to a good end, its beginning included. Each state is tried once."""
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
    """Where a state usually leads: by itself first, then by what people do, then by their silence; last what the answers
    given rule out."""
    ways = procedure.leaving.get(state_id, ())
    forward = [way for way in ways if _leads_on(way)]
    silence = frozenset(procedure.clocks)
    forward.sort(key=lambda way: (way.event in silence, way.event is None, _is_ruled_out(way, scope)))
    return tuple(dict.fromkeys(way.target for way in forward))


def _is_ruled_out(way: Transition, scope: Scope) -> bool:
    """A condition over what is not known yet rules nothing out: the first of the file is what usually happens."""
    known = all(scope.get(name) is not None for name in way.when.names)
    return known and not way.when.holds(scope)


def _leads_on(way: Transition) -> bool:
    if way.event is not None:
        return way.event not in ("due", "missed")
    return "correction" not in way.asks and way.within is None


_GIVEN_UP: Final = frozenset({"withdrawn", "abandoned"})
_HAD: Final = frozenset({"accepted", "ready"})  # nobody gives up what they were granted


def may_ask_to_give_up(procedure: Procedure, dossier: Dossier) -> bool:
    """Whether there is still something to give up: sent, running, and not granted yet."""
    running = not dossier.is_draft and dossier.closed_at is None and dossier.state in procedure.states
    return running and public_key(procedure, dossier) not in _HAD


def has_way_out(procedure: Procedure, state_id: str) -> bool:
    """Whether the circuit gives the applicant an act that ends the request here, open today or not."""
    ways = (way for way in procedure.leaving.get(state_id, ()) if way.event is None and APPLICANT in way.by)
    return any(procedure.state(way.target).outcome in _GIVEN_UP for way in ways)


def ends_for_good(procedure: Procedure, ways: Iterable[Transition]) -> bool:
    """Whether an act leads to nothing but an end of what is given up, which nothing leaves."""
    return all(
        procedure.state(way.target).outcome in _GIVEN_UP and not procedure.leaving.get(way.target) for way in ways
    )


def lapses_at(procedure: Procedure, dossier: Dossier) -> datetime | None:
    """When a request of which the applicant does no more ends by itself: what is awaited is theirs, and time closes it."""
    state = procedure.state(dossier.state)
    theirs = state.mode in ("pay", "correct") or (state.mode in ("by", "gather") and APPLICANT in state.by)
    if not theirs or dossier.due_paused_at is not None:
        return None
    ends = (way for way in procedure.leaving.get(state.id, ()) if way.event == "due")
    return dossier.due_at if any(procedure.state(way.target).outcome in _GIVEN_UP for way in ends) else None
