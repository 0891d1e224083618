"""The tasks surely done at each place of a procedure.

A place is a state, a transition, the start of a task, the issue of a document or a message.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.language.expressions.nodes import Name
from engine.model import APPLICATION, Field, Procedure, Transition
from engine.model.graph import done_after, edges, surely_done
from engine.model.types import Expression
from engine.prover.solver.inputs import ProverInput
from engine.prover.solver.solver import Prover

NOTHING: frozenset[str] = frozenset()


class ProofContext:
    """A procedure during a proof: its input, its prover, and what is sure at each place."""

    def __init__(self, procedure: ProverInput, prover: Prover) -> None:
        self.definition, self.prover = procedure, prover
        self.procedure: Procedure = procedure.procedure
        self.sure = surely_done(procedure.procedure)
        self._file = procedure.procedure.identity.where.file

    def is_shared(self, expression: Expression) -> bool:
        """Return whether an expression comes from a block or preset: it may be useless here and needed elsewhere."""
        return bool(expression.where.file) and expression.where.file != self._file

    def before(self, transition: Transition) -> frozenset[str]:
        """Return the tasks surely done when a transition is tried. A form that it fills is not done yet."""
        state = self.procedure.states.get(transition.source)
        done = set(self.sure[transition.source])
        if transition.event == "done" and state is not None:
            done |= set(state.waits)
        if transition.event in self.procedure.tasks or transition.event in self.definition.services:
            done.add(str(transition.event))
        return frozenset(done)

    def after(self, transition: Transition) -> frozenset[str]:
        """Return the tasks surely done after a transition, without those that it reopens."""
        return done_after(self.procedure, transition, self.before(transition))

    def for_task(self, task_id: str) -> frozenset[str]:
        """Return the tasks surely done when a task opens: where states wait for it, or acts fill it."""
        if task_id == APPLICATION:
            return NOTHING
        task = self.procedure.tasks[task_id]
        found = [self.sure[state.id] for state in self.procedure.states.values() if task_id in state.waits]
        found += [self.before(transition) for transition in edges(self.procedure) if transition.fills == task_id]
        return _common(found) | frozenset(task.after)

    def for_output(self, output_id: str) -> frozenset[str]:
        """Return the tasks surely done whenever the document is issued."""
        states = self.procedure.states.values()
        found = [self.sure[state.id] for state in states if output_id in state.effects.issues]
        found += [
            self.after(transition) for transition in edges(self.procedure) if output_id in transition.effects.issues
        ]
        return _common(found)

    def for_event(self, event: str) -> frozenset[str]:
        """Return the tasks surely done when the message of a state, act, task or time limit is sent."""
        procedure = self.procedure
        if event in procedure.states:
            return self.sure[event]
        if event in procedure.clocks:
            return _common(self.sure[state] for state in procedure.clocks[event].runs_in)
        if event in procedure.tasks:
            return self.for_task(event) | {event}
        return _common(self.after(transition) for transition in edges(procedure) if transition.id == event)

    def name(self, name: str, rows: tuple[str, ...] = ()) -> Name:
        """Return the node of a name as an expression in these rows reads it."""
        for outer in reversed(rows):
            column = next((one for one in self.columns(outer) if one.id == name), None)
            if column is not None:
                return Name(name, column.value_type, in_row=True)
        return Name(name, self.definition.type_of(name))

    def columns(self, rows: str) -> tuple[Field, ...]:
        """Return the columns of a question of rows, with those of forms filled once per row. Empty when unknown."""
        for field in _all(self.definition.fields.values()):
            if field.id == rows and field.type == "rows":
                return (*field.rows, *(column for column, _ in self.definition.added.get(rows, ())))
        return ()


def _all(fields: Iterable[Field]) -> Iterable[Field]:
    for field in fields:
        yield field
        yield from _all(field.rows)


def _common(found: Iterable[frozenset[str]]) -> frozenset[str]:
    """The intersection, empty when there is no set."""
    every = list(found)
    return frozenset.intersection(*every) if every else NOTHING
