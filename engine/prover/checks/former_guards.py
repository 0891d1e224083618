"""The conditions of a path, each with the values of its own time.

A condition that held at an earlier transition speaks of answers, tasks and days that may have changed since: a form
filled again, a correction, a register asked again, a task reopened. Each value that changes later gets a name of its own
there, such as `conforme~2`, so that it contradicts no later condition. Nothing else of the condition is lost. An age in
whole years is taken as the same on the whole path.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from engine.language.expressions.compiler import tree
from engine.language.expressions.nodes import (
    Ambient,
    And,
    Compare,
    FunctionCall,
    Happened,
    Name,
    Node,
    Not,
    OneOf,
    Or,
    Over,
    names_of,
    rebuilt,
    walk,
)
from engine.model import Form, Procedure, Task, Transition
from engine.model.corrections import corrected_by
from engine.model.graph import done_after
from engine.model.types import DATE, TRUE, YES_NO
from engine.prover.solver.inputs import FORMER

_TODAY: Final = "today"
_MOST_CODES: Final = 40


@dataclass(frozen=True, slots=True)
class PathGuards:
    """The conditions of the transitions of a path, and its tasks done.

    `ever` are the tasks that may have been done at some time, under their former names too.
    """

    nodes: tuple[Node, ...]
    done: frozenset[str]
    ever: frozenset[str]
    marks: int = 0

    def after(self, procedure: Procedure, transition: Transition) -> PathGuards:
        """Return the conditions with that of one more transition. What it changes gets a former name in those before it."""
        changes = procedure.once(_Changes)
        before = self._former(changes.before(transition, self.done))
        own = (tree(transition.when),) if transition.when != TRUE else ()
        done = done_after(procedure, transition, self.done)
        ever = before.ever | done | {*procedure.states[transition.source].waits}
        taken = PathGuards(tuple(dict.fromkeys((*before.nodes, *own))), done, ever, before.marks)
        return taken._former(changes.after(transition))

    def _former(self, changed: frozenset[str]) -> PathGuards:
        if not self.nodes:
            return self
        former = _Former(changed, f"{FORMER}{self.marks + 1}")
        nodes = (*map(former.of, self.nodes), *former.limits())
        also = {one for one in former.tasks if one.partition(FORMER)[0] in self.ever}
        return replace(self, nodes=nodes, ever=self.ever | also, marks=self.marks + 1)

    def known_of(self, names: frozenset[str]) -> frozenset[Node]:
        """Return what the conditions say now of these answers. Empty without names."""
        parts = (part for one in self.nodes for part in (one.items if isinstance(one, And) else (one,)))
        return frozenset(
            part for part in parts if names_of(part) & names and not any(FORMER in name for name in names_of(part))
        )


def first_guards(procedure: Procedure) -> PathGuards:
    """Return those of a path that has taken no transition: the application is done."""
    first = frozenset({procedure.form.id})
    return PathGuards((), first, first)


class _Changes:
    """What each transition of a procedure changes, computed once."""

    def __init__(self, procedure: Procedure) -> None:
        self.procedure = procedure
        self._after: dict[int, frozenset[str]] = {}
        self._names: dict[str, frozenset[str]] = {}

    def before(self, transition: Transition, done: frozenset[str]) -> frozenset[str]:
        """Return what may have changed since the former conditions: the day, the tasks done or missed in the state."""
        waits = self.procedure.states[transition.source].waits
        tasks = [one for one in waits if one not in done]
        tasks += [
            one for one in (transition.fills, transition.event) if one is not None and one in self.procedure.tasks
        ]
        return frozenset((_TODAY, *(f"missed:{one}" for one in waits))).union(*map(self._names_of, tasks))

    def after(self, transition: Transition) -> frozenset[str]:
        """Return what changes once the condition held: tasks asked again, answers to correct, the count of the act."""
        known = self._after.get(id(transition))
        if known is None:
            states, tasks = self.procedure.states, self.procedure.tasks
            forms = [one for one in states[transition.target].waits if isinstance(tasks.get(one), Form)]
            again = [one for one in forms if getattr(tasks[one], "register", None) is not None]
            names = map(self._names_of, (*transition.reopens, *again))
            known = corrected_by(self.procedure, transition).union([f"taken:{transition.id}"], *names)
            self._after[id(transition)] = known
        return known

    def _names_of(self, task_id: str) -> frozenset[str]:
        """A task that changes, with its answers: of a service, those of its round too."""
        known = self._names.get(task_id)
        if known is None:
            task: Task | None = self.procedure.tasks.get(task_id) or self.procedure.round_of(task_id)
            found = {f"done:{task_id}"} | ({f"done:{task.id}"} if task is not None else set())
            if isinstance(task, Form):
                inside = (name for field in task.fields for name in field.names_within)
                found |= {task.id, *(one.id for one in task.services)}
                found |= {name for one in inside for name in (one, f"{one}_other")}
            known = self._names[task_id] = frozenset(found)
        return known


class _Former:
    """Gives former names to what changed in conditions."""

    def __init__(self, changed: frozenset[str], mark: str) -> None:
        self.changed, self.mark = changed, mark
        self.names: dict[str, Name] = {}
        self.tasks: list[str] = []
        self._wholes: list[Node] = []

    def of(self, node: Node) -> Node:
        """Return a node with the former names."""
        match node:
            case Name(id=name) if name in self.changed:
                return self._name(name, node)
            case Ambient(id=name) if name in self.changed:
                return self._name(name, node)
            case Happened(function=function, id=name) if f"{function}:{name}" in self.changed:
                self.tasks.append(f"{name}{self.mark}")
                return Happened(function, self.tasks[-1])
        if node.type == YES_NO and _is_over_rows(node) and self._reads(node):
            return self._whole(node)
        return rebuilt(node, self.of)

    def _name(self, name: str, node: Name | Ambient) -> Name:
        return self.names.setdefault(name, Name(f"{name}{self.mark}", node.type))

    def _whole(self, node: Node) -> Node:
        """A yes or no of its own for a condition over rows that changed."""
        if node not in self._wholes:
            self._wholes.append(node)
        return Name(f"{self.mark}.{self._wholes.index(node)}", YES_NO)

    def _reads(self, node: Node) -> bool:
        return any(
            (isinstance(one, Name | Ambient) and one.id in self.changed)
            or (isinstance(one, Happened) and f"{one.function}:{one.id}" in self.changed)
            for one in walk(node)
        )

    def limits(self) -> Iterable[Node]:
        """Yield what still holds of the former values: a day that is past, one of the options."""
        for name, former in self.names.items():
            if name == _TODAY:
                yield Compare(Ambient("submitted_on", DATE), "<=", former)
                yield Compare(former, "<=", Ambient(_TODAY, DATE))
            elif former.type.kind == "choice" and former.type.codes and len(former.type.codes) <= _MOST_CODES:
                among = OneOf(former, tuple(sorted(former.type.codes)))
                yield Or((Not(FunctionCall("answered", (former,), YES_NO)), among))


def _is_over_rows(node: Node) -> bool:
    """Return whether a condition, other than one made of conditions, contains a function over rows."""
    return not isinstance(node, And | Or | Not) and any(isinstance(one, Over) for one in walk(node))
