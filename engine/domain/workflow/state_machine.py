"""State machine on `transitions`: the acts of a state, whether a guard holds, and which transition a trigger takes.

The only module that imports the library. Each procedure has one machine, built once, and the most recent ones
stay in memory. The machine contains no dossier: a small token passes through it. Its callbacks are our own
functions and never text of a definition. They evaluate a guard or record the transition.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any, Final, cast

from transitions import EventData, Machine
from transitions import Transition as MachineTransition

from engine.model import Procedure, Transition
from engine.model.types import Scope

_KEPT: Final = 64


class MachineToken:
    """The token of one run: its state, and the transition it took."""

    __slots__ = ("state", "taken")

    def __init__(self, state: str) -> None:
        self.state = state
        self.taken: Transition | None = None


class GuardedTransition(MachineTransition):
    """A transition of the library that carries the one of the procedure."""

    def __init__(self, *parts: Any, transition: Transition) -> None:
        super().__init__(*parts)
        self.transition = transition


class CompiledMachine(Machine):
    """The machine of one procedure.

    `acts` has the human acts of a state by id, in the order of the definition. Each has its transitions by
    rank.
    """

    transition_cls = GuardedTransition

    def __init__(self, procedure: Procedure) -> None:
        super().__init__(
            model=None, states=list(procedure.states), initial=procedure.start, auto_transitions=False, send_event=True,
            before_state_change=_note,
        )  # fmt: skip
        self.transitions = procedure.transitions
        for transition in sorted(procedure.transitions, key=lambda transition: transition.rank):
            trigger = act_trigger(transition.id) if transition.event is None else event_trigger(transition.event)
            self.add_transition(trigger, transition.source, transition.target, conditions=_guard, transition=transition)
        self.acts: dict[str, dict[str, tuple[Transition, ...]]] = {state: {} for state in procedure.states}
        for transition in map(_transition_of, self.get_transitions()):  # trigger by trigger
            if transition.event is None:
                self.acts[transition.source][transition.id] = (
                    *self.acts[transition.source].get(transition.id, ()),
                    transition,
                )

    def transition(self, state: str, trigger: str, scope: Scope) -> Transition | None:
        """Return the first transition from `state` on `trigger` whose condition holds, None without one."""
        event = self.events.get(trigger)
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


def _transition_of(transition: MachineTransition | None) -> Transition:
    return cast(GuardedTransition, transition).transition


def _guard(data: EventData) -> bool:
    return _transition_of(data.transition).when.holds(data.kwargs["scope"])


def _note(data: EventData) -> None:
    cast(MachineToken, data.model).taken = _transition_of(data.transition)


_circuits: OrderedDict[tuple[str, int, str], CompiledMachine] = OrderedDict()
_lock: Final = Lock()


def circuit_of(procedure: Procedure) -> CompiledMachine:
    """Return the procedure's machine, built on first use. At most `_KEPT` machines stay in memory."""
    with _lock:
        known = _circuits.get(procedure.key)
        if known and (known.transitions is procedure.transitions or known.transitions == procedure.transitions):
            _circuits.move_to_end(procedure.key)
            return known
    circuit = CompiledMachine(procedure)
    with _lock:
        _circuits[procedure.key] = circuit
        while len(_circuits) > _KEPT:
            _circuits.popitem(last=False)
    return circuit
