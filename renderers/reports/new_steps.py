"""What an auditor asks of a new step: who acts, how long it may take, what may be done, who newly reads dossiers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from engine.language.diff.change import Change
from engine.language.diff.elements import Element
from engine.model import APPLICANT, Procedure
from engine.model.roles import awaited_roles, role_key
from renderers.definition.values import ChangeValues
from renderers.i18n.translations import quoted

_BY_APPLICANT: Final = ("pay", "book", "correct")  # what a state waits for, done by the applicant
_KEY: Final = "changes.note."


def notes_of_step(procedure: Procedure, values: ChangeValues, change: Change) -> Iterator[str]:
    """Yield the notes of a state or an act that the later edition adds, and of each step that brings new readers."""
    element = change.after
    if change.kind != "added" or not isinstance(element, Element):
        return
    if element.noun == "states" and element.path[-1] in procedure.states:
        yield from _of_state(procedure, values, element)
    elif element.noun == "acts":
        yield from _of_act(procedure, values, element)
    readers = change.facts.get("readers")
    if isinstance(readers, tuple):
        yield values.say(f"{_KEY}step_readers", roles=_roles(values, readers))


def _of_state(procedure: Procedure, values: ChangeValues, element: Element) -> Iterator[str]:
    state = procedure.states[element.path[-1]]
    if state.is_end:
        return
    waited = {APPLICANT} if state.mode in _BY_APPLICANT else awaited_roles(procedure, state.id)
    if waited:
        yield values.say(f"{_KEY}step_who", roles=_roles(values, waited))
    if state.due is None:
        yield values.say(f"{_KEY}step_no_due")
    else:
        late, due = element.facets.get("late"), values.of("due", state.due)
        key = "step_due_late" if late else "step_due"
        yield values.say(f"{_KEY}{key}", due=due, late=values.of("late", late) if late else "")
    acts = [one.label for one in procedure.leaving.get(state.id, ()) if one.event is None and one.label]
    if acts:
        labels = dict.fromkeys(quoted(values.reader.t(label), values.reader.language) for label in acts)
        yield values.say(f"{_KEY}step_may", acts=", ".join(labels))


def _of_act(procedure: Procedure, values: ChangeValues, element: Element) -> Iterator[str]:
    taken = [one for one in procedure.transitions if one.id == element.path[-1]]
    by = {role_key(procedure, role) for one in taken for role in one.by or procedure.states[one.source].by}
    if by:
        yield values.say(f"{_KEY}step_who", roles=_roles(values, by))
    where = {key: values.of(key, element.facets[key]) for key in ("from", "to") if element.facets.get(key)}
    if len(where) == 2:
        yield values.say(f"{_KEY}step_way", **where)


def _roles(values: ChangeValues, roles: Iterable[str]) -> str:
    return ", ".join(values.reader.role(role) for role in sorted(roles))
