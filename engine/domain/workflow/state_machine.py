"""The circuit on `transitions`: from a state and an event or an act, which way is taken.

The only door to the library. One machine a procedure, made once, kept for the most recent ones. It never holds a
dossier: a light token walks it. No text of a definition ever reaches it as a callback, only our own functions; nothing
is done inside a callback but noting the way.
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
    """What walks the machine: where it stands, and the way it took."""

    __slots__ = ("state", "taken")

    def __init__(self, state: str) -> None:
        self.state = state
        self.taken: Transition | None = None


@dataclass(frozen=True, slots=True)
class CompiledMachine:
    """The machine of one procedure."""

    transitions: tuple[Transition, ...]
    machine: Any

    def way(self, state: str, trigger: str, scope: Scope) -> Transition | None:
        """The first way out of `state` on `trigger` whose condition holds; none when there is none."""
        event = self.machine.events.get(trigger)
        if event is None or state not in event.transitions:
            return None
        token = MachineToken(state)
        event.trigger(token, scope=scope)
        return token.taken


def act_trigger(transition_id: str) -> str:
    return "act:" + transition_id


def event_trigger(event: str) -> str:
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
    for ways in procedure.leaving.values():
        for way in sorted(ways, key=lambda way: way.rank):
            trigger = act_trigger(way.id) if way.event is None else event_trigger(way.event)
            machine.add_transition(trigger, way.source, way.target, conditions=[_guard(way)], before=[_note(way)])
    return CompiledMachine(procedure.transitions, machine)


_circuits: OrderedDict[tuple[str, int, str], CompiledMachine] = OrderedDict()
_lock: Final = Lock()


def circuit_of(procedure: Procedure) -> CompiledMachine:
    """The procedure's machine, built at its first use. The most recently used ones are kept."""
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
