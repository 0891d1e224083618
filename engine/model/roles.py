"""The roles (`agency/role`) that have a part in a procedure, and those that each state waits for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from engine.model import APPLICANT, COUNTER, PAPER, SYSTEM, Appointment, Form, Procedure


def role_key(procedure: Procedure, role: str) -> str:
    """Return the key `agency/role` of a role that a definition names alone. `applicant` and `system` do not change."""
    if role in (APPLICANT, SYSTEM) or "/" in role:
        return role
    return f"{procedure.identity.agency}/{role}"


def roles_of(procedure: Procedure) -> frozenset[str]:
    """Return each role (`agency/role`) that has a part in a procedure."""
    return frozenset(role_key(procedure, role) for role in _named_roles(procedure)) - {APPLICANT, SYSTEM}


def acting_roles(procedure: Procedure) -> tuple[str, ...]:
    """Return each role (`agency/role`) that takes an act or does a task. A role that only reads is none."""
    named = chain.from_iterable(
        (*(one.by for one in procedure.transitions), *(one.by for one in procedure.tasks.values()))
    )
    return tuple(dict.fromkeys(role_key(procedure, role) for role in named if role not in (APPLICANT, SYSTEM)))


def _named_roles(procedure: Procedure) -> Iterator[str]:
    yield from acting_roles(procedure)
    for state in procedure.states.values():
        yield from state.by
        if state.escalate:
            yield state.escalate
    for task in procedure.tasks.values():
        if isinstance(task, Form):
            yield from task.seen_by
        if isinstance(task, Appointment) and task.proposed_by:
            yield task.proposed_by
    for sensitive in procedure.personal_data.sensitive.values():
        yield from sensitive.seen_by


def receiving_roles(procedure: Procedure) -> frozenset[str]:
    """Return the roles (`agency/role`) of the procedure's own agency that receive people at a counter.

    These are the roles that handle its appointments. Without appointments, they are those of the first step that
    waits for an agent of the agency. Empty when the procedure comes neither at a counter nor on paper.
    """
    if not {COUNTER, PAPER} & {*procedure.identity.channels}:
        return frozenset()
    visits = (task for task in procedure.tasks.values() if isinstance(task, Appointment))
    meeting = {role_key(procedure, role) for visit in visits for role in visit.by}
    return _own(procedure, meeting) if meeting else _first_roles(procedure)


def _first_roles(procedure: Procedure) -> frozenset[str]:
    """The roles of the agency in the first step that waits for any, searched step by step from the start."""
    seen, steps = set[str](), {procedure.start}
    while steps:
        found = _own(procedure, {role for step in steps for role in awaited_roles(procedure, step)})
        if found:
            return found
        seen |= steps
        steps = {transition.target for step in steps for transition in procedure.leaving.get(step, ())} - seen
    return frozenset()


def _own(procedure: Procedure, roles: Iterable[str]) -> frozenset[str]:
    return frozenset(role for role in roles if role.startswith(f"{procedure.identity.agency}/"))


def awaited_roles(procedure: Procedure, state_id: str) -> frozenset[str]:
    """Return the roles (`agency/role`) that a state waits for.

    They are its own, those of its acts, of its forms and rounds, and those that propose an appointment.
    """
    state = procedure.states.get(state_id)
    if state is None:
        return frozenset()
    tasks = [procedure.tasks[one] for one in state.waits]
    gathered = [role for task in tasks if isinstance(task, Form) for role in task.by]
    gathered += [task.proposed_by for task in tasks if isinstance(task, Appointment) and task.proposed_by]
    acting = (role for transition in procedure.leaving.get(state_id, ()) for role in transition.by)
    return frozenset(role_key(procedure, role) for role in (*state.by, *gathered, *acting))


def waits_for_many(procedure: Procedure, state_id: str) -> bool:
    """Return whether a state waits for parts of several people, or for an appointment that an agent proposes."""
    state = procedure.state(state_id)
    visits = (procedure.tasks[one] for one in state.waits)
    return state.mode == "gather" or any(isinstance(one, Appointment) and one.proposed_by for one in visits)
