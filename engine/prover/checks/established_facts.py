"""What is surely done wherever the procedure says something: in a state, before a way, when a task opens, when a
document is issued or a message leaves."""

from __future__ import annotations

from collections.abc import Iterable

from engine.language.expressions.nodes import Name
from engine.model import APPLICATION, Field, Procedure, Transition
from engine.model.graph import edges, surely_done
from engine.model.types import Expression
from engine.prover.solver.inputs import ProverInput
from engine.prover.solver.solver import Prover

NOTHING: frozenset[str] = frozenset()


class ProofContext:
    """A procedure under proof: what is read of it, who answers, and what is sure where."""

    def __init__(self, procedure: ProverInput, prover: Prover) -> None:
        self.definition, self.prover = procedure, prover
        self.procedure: Procedure = procedure.procedure
        self.sure = surely_done(procedure.procedure)
        self._file = procedure.procedure.identity.where.file

    def is_shared(self, expression: Expression) -> bool:
        """Written in a block or a preset: what is idle in one procedure serves in another."""
        return bool(expression.where.file) and expression.where.file != self._file

    def before(self, way: Transition) -> frozenset[str]:
        """The tasks surely done when a way is tried. A form it fills is being filled, not done."""
        state = self.procedure.states.get(way.source)
        done = set(self.sure[way.source])
        if way.event == "done" and state is not None:
            done |= set(state.waits)
        if way.event in self.procedure.tasks or way.event in self.definition.services:
            done.add(str(way.event))
        return frozenset(done)

    def after(self, way: Transition) -> frozenset[str]:
        filled = {way.fills} if way.fills else set()
        return frozenset((self.before(way) | filled) - set(way.reopens))

    def for_task(self, task_id: str) -> frozenset[str]:
        """The tasks surely done when one opens: where states wait for it, where acts fill it."""
        if task_id == APPLICATION:
            return NOTHING
        task = self.procedure.tasks[task_id]
        found = [self.sure[state.id] for state in self.procedure.states.values() if task_id in state.waits]
        found += [self.before(way) for way in edges(self.procedure) if way.fills == task_id]
        return _common(found) | frozenset(task.after)

    def for_output(self, output_id: str) -> frozenset[str]:
        """The tasks surely done whenever the document is issued."""
        states = self.procedure.states.values()
        found = [self.sure[state.id] for state in states if output_id in state.effects.issues]
        found += [self.after(way) for way in edges(self.procedure) if output_id in way.effects.issues]
        return _common(found)

    def for_event(self, event: str) -> frozenset[str]:
        """The tasks surely done when a message leaves: a state, an act, a task, a clock."""
        procedure = self.procedure
        if event in procedure.states:
            return self.sure[event]
        if event in procedure.clocks:
            return _common(self.sure[state] for state in procedure.clocks[event].runs_in)
        if event in procedure.tasks:
            return self.for_task(event) | {event}
        return _common(self.after(way) for way in edges(procedure) if way.id == event)

    def name(self, name: str, rows: tuple[str, ...] = ()) -> Name:
        """The answer of that name as an expression inside those rows would read it."""
        for outer in reversed(rows):
            column = next((one for one in self.columns(outer) if one.id == name), None)
            if column is not None:
                return Name(name, column.value_type, in_row=True)
        return Name(name, self.definition.type_of(name))

    def columns(self, rows: str) -> tuple[Field, ...]:
        """The questions of each row."""
        for field in _all(self.definition.fields.values()):
            if field.id == rows and field.type == "rows":
                return (*field.rows, *(column for column, _ in self.definition.added.get(rows, ())))
        return ()


def _all(fields: Iterable[Field]) -> Iterable[Field]:
    for field in fields:
        yield field
        yield from _all(field.rows)


def _common(found: Iterable[frozenset[str]]) -> frozenset[str]:
    """What is in all of them; nothing when there is none."""
    every = list(found)
    return frozenset.intersection(*every) if every else NOTHING
