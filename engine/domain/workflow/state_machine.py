"""State machine on `transitions`: from a state and a trigger, which transition is taken.

The only module that imports the library. Each procedure has one machine, built once, and the most recent ones
stay in memory. The machine contains no dossier: a small token passes through it. Its callbacks are our own
functions and never text of a definition. They only record the transition.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, cast

from transitions import EventData, Machine

from engine.model import Procedure, Transition
from engine.model.types import Scope

_KEPT: Final = 64


class MachineToken:
    """The token of one run: its state, and the transition it took."""

    __slots__ = ("state", "taken")

    def __init__(self, state: str) -> None:
        self.state = state
        self.taken: Transition | None = None


@dataclass(frozen=True, slots=True)
class CompiledMachine:
    """The machine of one procedure."""

    transitions: tuple[Transition, ...]
    machine: Any

    def transition(self, state: str, trigger: str, scope: Scope) -> Transition | None:
        """Return the first transition from `state` on `trigger` whose condition holds, None without one."""
        event = self.machine.events.get(trigger)
        if event is None or state not in event.transitions:
            return None
        token = MachineToken(state)
        event.trigger(token, scope=scope)
        return token.taken


def act_trigger(transition_id: str) -> str:
    """Return the trigger of a human act."""
    return "act:" + transition_id


def event_trigger(event: str) -> str:
    """Return the trigger of an event."""
    return "event:" + event


def _guard(transition: Transition) -> Callable[[EventData], bool]:
    return lambda data: transition.when.holds(data.kwargs["scope"])


def _note(transition: Transition) -> Callable[[EventData], None]:
    def note(data: EventData) -> None:
        cast(MachineToken, data.model).taken = transition

    return note


def _build(procedure: Procedure) -> CompiledMachine:
    machine = Machine(
        model=None, states=list(procedure.states), initial=procedure.start, auto_transitions=False, send_event=True
    )
    for transitions in procedure.leaving.values():
        for transition in sorted(transitions, key=lambda transition: transition.rank):
            trigger = act_trigger(transition.id) if transition.event is None else event_trigger(transition.event)
            machine.add_transition(
                trigger,
                transition.source,
                transition.target,
                conditions=[_guard(transition)],
                before=[_note(transition)],
            )
    return CompiledMachine(procedure.transitions, machine)


_circuits: OrderedDict[tuple[str, int, str], CompiledMachine] = OrderedDict()
_lock: Final = Lock()


def circuit_of(procedure: Procedure) -> CompiledMachine:
    """Return the procedure's machine, built on first use. At most `_KEPT` machines stay in memory."""
    with _lock:
        known = _circuits.get(procedure.key)
        if known and (known.transitions is procedure.transitions or known.transitions == procedure.transitions):
            _circuits.move_to_end(procedure.key)
            return known
    circuit = _build(procedure)
    with _lock:
        _circuits[procedure.key] = circuit
        while len(_circuits) > _KEPT:
            _circuits.popitem(last=False)
    return circuit
