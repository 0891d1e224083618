"""How the person who asked gives up a request that is sent: by an act of the circuit here, else by doing no more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from engine.definition.model import APPLICANT, Procedure, Transition
from engine.records.dossier import Dossier
from engine.rules.progress import public_key

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
