"""Awaited tasks of a dossier: of whom, until when, after which others, and which are done.

A round of opinions has one item per service, and a form per row one item per row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

from engine.core.values import Text
from engine.domain.common.task_parts import consulted, filling_at, is_in_parts, parts_left, person_of
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.due_dates import form_ends
from engine.domain.workflow.tasks import holds_slot, is_satisfied, open_tasks, task_blockers
from engine.model import APPLICANT, APPLICATION, SYSTEM, Appointment, Form, Procedure, Task
from engine.model.directory import Calendar, Directory
from engine.model.roles import role_key, waits_for_many
from engine.model.types import Scope
from engine.records.dossier import Done, Dossier

TaskStatus: TypeAlias = Literal["open", "later", "done", "needless"]


@dataclass(frozen=True, slots=True)
class Awaited:
    """One awaited task or part, with the label that agents read. `part` is a service or the number of a row (from 0). `by` are role keys.

    The status `later` waits for the tasks `after`. `needless` was never done, because the quorum was reached.
    `done` records the completion. `done_by` is the account id of the person who did it.
    """

    task: Task
    part: str | None
    label: Text
    by: tuple[str, ...]
    status: TaskStatus
    until: datetime | None = None
    after: tuple[str, ...] = ()
    done: Done | None = None
    done_by: str | None = None


def awaited(procedure: Procedure, dossier: Dossier, scope: Scope, calendar: Calendar) -> tuple[Awaited, ...]:
    """Return everything that the present state waits for, done or not, in the order of the definition."""
    if dossier.is_draft or dossier.state not in procedure.states:
        return ()
    tasks = (procedure.tasks[one] for one in procedure.state(dossier.state).waits)
    wanted = (task for task in tasks if task.id != APPLICATION and task.when.holds(scope))
    return tuple(one for task in wanted for one in _things(procedure, dossier, task, scope, calendar))


def _things(
    procedure: Procedure, dossier: Dossier, task: Task, scope: Scope, calendar: Calendar
) -> Iterator[Awaited]:  # fmt: skip
    blockers = task_blockers(procedure, task, dossier, scope)
    status: TaskStatus = "done" if is_satisfied(task, dossier, scope) else "later" if blockers else "open"
    ends: Mapping[str, datetime] = {}
    if isinstance(task, Form) and status == "open":
        ends = dict(form_ends(procedure, task, dossier, calendar, scope))
    if isinstance(task, Form) and task.services:
        yield from _opinions(procedure, dossier, task, scope, status, ends, blockers)
    elif isinstance(task, Form) and is_in_parts(task):
        yield from _rows(procedure, dossier, task, scope, status, ends, blockers)
    else:
        done = dossier.done.get(task.id)
        by = _keys(procedure, task.by)
        yield Awaited(
            task, None, task.agents_label, by, status, ends.get(task.id), blockers, done, done.by if done else None
        )  # fmt: skip


def _opinions(
    procedure: Procedure, dossier: Dossier, form: Form, scope: Scope, status: TaskStatus, ends: Mapping[str, datetime],
    blockers: tuple[str, ...],
) -> Iterator[Awaited]:  # fmt: skip
    for service in consulted(form, scope):
        done = dossier.done.get(service.id)
        said: TaskStatus = "done" if done else "needless" if status == "done" else status
        yield Awaited(
            form, service.id, service.label, _keys(procedure, service.by), said, ends.get(service.id), blockers, done,
            done.by if done else None,
        )  # fmt: skip


def _rows(
    procedure: Procedure, dossier: Dossier, form: Form, scope: Scope, status: TaskStatus, ends: Mapping[str, datetime],
    blockers: tuple[str, ...],
) -> Iterator[Awaited]:  # fmt: skip
    rows = scope.get(form.each or "")
    for number in range(len(rows) if isinstance(rows, tuple) else 0):
        filled = filling_at(form.id, dossier.answers, number) is not None
        said: TaskStatus = "done" if filled else status
        yield Awaited(
            form, str(number), form.agents_label, _keys(procedure, form.by), said, ends.get(form.id), blockers,
            dossier.done.get(form.id), person_of(form.id, dossier.answers, number),
        )  # fmt: skip


def _keys(procedure: Procedure, roles: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(role_key(procedure, role) for role in roles)


def roles_awaited(
    procedure: Procedure, dossier: Dossier, day: date, directory: Directory
) -> tuple[str, ...] | None:  # fmt: skip
    """Return the roles (`agency/role`) of agents that owe a form, an opinion or a proposed slot now.

    None where the state does not wait for several persons.
    """
    if dossier.is_draft or dossier.closed_at is not None or not waits_for_many(procedure, dossier.state):
        return None
    scope = scope_of(procedure, dossier, day, directory)
    tasks = open_tasks(procedure, dossier, scope)
    found = {role_key(procedure, role) for task in tasks for role in _owing(task, dossier, scope)}
    return tuple(sorted(found - {APPLICANT, SYSTEM}))


def registers_awaited(
    procedure: Procedure, dossier: Dossier, day: date, directory: Directory
) -> tuple[Form, ...]:  # fmt: skip
    """Return the open look-ups in registers of a dossier."""
    if dossier.is_draft or dossier.closed_at is not None or dossier.state not in procedure.states:
        return ()
    tasks = (procedure.tasks[one] for one in procedure.state(dossier.state).waits)
    look_ups = {task.id: task for task in tasks if isinstance(task, Form) and task.register is not None}
    if not look_ups:
        return ()
    still = open_tasks(procedure, dossier, scope_of(procedure, dossier, day, directory))
    return tuple(look_ups[task.id] for task in still if task.id in look_ups)


def _owing(task: Task, dossier: Dossier, scope: Scope) -> Iterator[str]:
    if isinstance(task, Appointment) and task.proposed_by and not holds_slot(dossier, task.id):
        yield task.proposed_by
    elif isinstance(task, Form) and not task.services:
        yield from task.by
    elif isinstance(task, Form):
        left = parts_left(task, dossier, scope)
        yield from (role for service in task.services if service.id in left for role in service.by)
