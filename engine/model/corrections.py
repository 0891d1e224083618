"""What changes answers: corrections, forms filled again, registers. What depends on them, and the tasks that they decide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from engine.model.base import APPLICATION
from engine.model.procedure import Procedure
from engine.model.tasks import Fee, Form, Link, Task
from engine.model.workflow import Transition


def corrected_by(procedure: Procedure, transition: Transition) -> frozenset[str]:
    """Return the answers that may change in the state of correction that a transition enters. Empty for another state."""
    state = procedure.states.get(transition.target)
    if state is None or state.correct is None:
        return frozenset()
    asked = transition.correctable if state.correct == "requested" and "correction" in transition.asks else ()
    left = [*(asked or (field.id for field in procedure.form.fields))]
    depending, found = procedure.once(_depending), set[str]()
    while left:
        name = left.pop()
        if name not in found:
            found |= {name, f"{name}_other"}
            left += depending.get(name, ())
    return frozenset(found)


def _depending(procedure: Procedure) -> Mapping[str, tuple[str, ...]]:
    """By answer, the questions and named values that are shown, offered or computed by it."""
    found: dict[str, list[str]] = defaultdict(list)
    for form in (procedure.form, *procedure.forms()):
        for page in form.pages:
            for field in page.fields:
                read = field.when.names | page.when.names | ({field.under} if field.under else set())
                for name in read | (field.value.names if field.value is not None else frozenset()):
                    found[name].append(field.id)
    for defined, expression in procedure.definitions.items():
        for name in expression.names:
            found[name].append(defined)
    return {name: tuple(fields) for name, fields in found.items()}


def asked_by_change(procedure: Procedure, transition: Transition) -> Iterator[str]:
    """Yield the tasks that may be asked after a transition, although a state was left without them.

    Their condition, that of a service, or their rows read what a correction, a form filled or reopened, or a register
    asked again changes. What a correction adds to a fee is paid before it is sent, and one that requires another link is
    not sent.
    """
    corrected, filled = corrected_by(procedure, transition), _filled_by(procedure, transition)
    for task in procedure.tasks.values() if corrected or filled else ():
        changed = filled if isinstance(task, Fee) else corrected | filled
        if not isinstance(task, Link) and task.id != APPLICATION and not changed.isdisjoint(_decided_by(task)):
            yield task.id


def _filled_by(procedure: Procedure, transition: Transition) -> frozenset[str]:
    """The answers of the form that an act fills, of those it reopens, and of the registers asked on entry."""
    state = procedure.states.get(transition.target)
    entered = [procedure.tasks.get(one) for one in state.waits] if state is not None else []
    asked = [one for one in entered if isinstance(one, Form) and one.register is not None]
    names = (transition.fills, *transition.reopens, *(one.id for one in asked))
    forms = (procedure.tasks.get(one or "") or procedure.round_of(one or "") for one in names)
    return frozenset(
        name for form in forms if isinstance(form, Form) for field in form.fields for name in field.names_within
    ).union(one.id for one in asked)


def _decided_by(task: Task) -> frozenset[str]:
    if not isinstance(task, Form):
        return task.when.names
    return task.when.names.union([task.each] if task.each else [], *(one.when.names for one in task.services))
