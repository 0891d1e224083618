"""Which roles (`agency/role`) have a part in a book, and which of them each state waits for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.model import APPLICANT, COUNTER, SYSTEM, Appointment, Form, Procedure


def role_key(procedure: Procedure, role: str) -> str:
    """`agency/role` of a role as the book writes it; `applicant` and `system` stay themselves."""
    if role in (APPLICANT, SYSTEM) or "/" in role:
        return role
    return f"{procedure.identity.agency}/{role}"


def roles_of(procedure: Procedure) -> frozenset[str]:
    """Every role (`agency/role`) that has a part in a procedure."""
    return frozenset(role_key(procedure, role) for role in _named_roles(procedure)) - {APPLICANT, SYSTEM}


def _named_roles(procedure: Procedure) -> Iterator[str]:
    for state in procedure.states.values():
        yield from state.by
        if state.escalate:
            yield state.escalate
    for way in procedure.transitions:
        yield from way.by
    for task in procedure.tasks.values():
        yield from task.by
        if isinstance(task, Form):
            yield from task.seen_by
        if isinstance(task, Appointment) and task.proposed_by:
            yield task.proposed_by
    for sensitive in procedure.personal_data.sensitive.values():
        yield from sensitive.seen_by


def receiving_roles(procedure: Procedure) -> frozenset[str]:
    """The roles (`agency/role`) of the procedure's own agency that meet people: those that keep its appointments; without
    any, those that its first step waits for, or the nearest after it that waits for somebody there. None where it is not
    offered at a counter."""
    if COUNTER not in procedure.identity.channels:
        return frozenset()
    visits = (task for task in procedure.tasks.values() if isinstance(task, Appointment))
    meeting = {role_key(procedure, role) for visit in visits for role in visit.by}
    return _own(procedure, meeting) if meeting else _first_roles(procedure)


def _first_roles(procedure: Procedure) -> frozenset[str]:
    """Where people pay or wait first, it is the next hand that receives them."""
    seen, steps = set[str](), {procedure.start}
    while steps:
        found = _own(procedure, {role for step in steps for role in awaited_roles(procedure, step)})
        if found:
            return found
        seen |= steps
        steps = {way.target for step in steps for way in procedure.leaving.get(step, ())} - seen
    return frozenset()


def _own(procedure: Procedure, roles: Iterable[str]) -> frozenset[str]:
    return frozenset(role for role in roles if role.startswith(f"{procedure.identity.agency}/"))


def awaited_roles(procedure: Procedure, state_id: str) -> frozenset[str]:
    """The roles (`agency/role`) that a state waits for: its own, its acts', those of the forms and rounds it gathers, those
    that propose a visit."""
    state = procedure.states.get(state_id)
    if state is None:
        return frozenset()
    tasks = [procedure.tasks[one] for one in state.waits]
    gathered = [role for task in tasks if isinstance(task, Form) for role in task.by]
    gathered += [task.proposed_by for task in tasks if isinstance(task, Appointment) and task.proposed_by]
    acting = (role for way in procedure.leaving.get(state_id, ()) for role in way.by)
    return frozenset(role_key(procedure, role) for role in (*state.by, *gathered, *acting))


def waits_for_many(procedure: Procedure, state_id: str) -> bool:
    """Whether a state waits for the parts of several hands, or for a visit that an agent proposes."""
    state = procedure.state(state_id)
    visits = (procedure.tasks[one] for one in state.waits)
    return state.mode == "gather" or any(isinstance(one, Appointment) and one.proposed_by for one in visits)
