"""Contributions to a dossier as one person may read them: opinions, rows of forms, awaited tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from engine.core.problems import Refusal
from engine.core.values import Text
from engine.domain.appointments.appointments import bookable
from engine.domain.common.access import acting_role, may_read
from engine.domain.common.task_parts import filling_at, fillings, is_in_parts, person_of
from engine.domain.fields.views import PageView
from engine.domain.forms.part_forms import view_part
from engine.domain.workflow.awaited import Awaited, awaited
from engine.domain.workflow.tasks import holds_slot
from engine.domain.workflow.transition_context import Moment
from engine.model import APPLICATION, SYSTEM, Appointment, Form, Procedure
from engine.records.dossier import Actor, Dossier
from engine.services.applications.opinions import part_closed
from engine.services.context.app_context import AppContext, pinned, seen


@dataclass(frozen=True, slots=True)
class Contribution:
    """One finished part of a task: its author (account id) and, for an opinion, its time.

    `page` is None for a person who may not read it.
    """

    form: Form
    part: str
    label: Text
    by: str
    at: datetime | None
    page: PageView | None


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing the dossier waits for.

    `closed`: why this person may not do it; None when they can do it now.
    """

    thing: Awaited
    closed: Refusal | None
    is_mine: bool  # awaited of this person and open to them now


def contributions(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[Contribution, ...]:
    """Return every opinion given and every row filled, in the order of the definition. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    forms = (form for form in procedure.forms() if is_in_parts(form))
    return tuple(one for form in forms for one in _given(ctx, actor, procedure, dossier, form))


def _given(
    ctx: AppContext, actor: Actor, procedure: Procedure, dossier: Dossier, form: Form
) -> Iterator[Contribution]:  # fmt: skip
    for service in form.services:
        done = dossier.done.get(service.id)
        if done is not None:
            page = _page(ctx, actor, procedure, dossier, form, service.id, service.id)
            yield Contribution(form, service.id, service.label, done.by, done.at, page)
    for number in range(len(fillings(form.id, dossier.answers)) if form.each else 0):
        if filling_at(form.id, dossier.answers, number) is not None:
            page = _page(ctx, actor, procedure, dossier, form, str(number), form.id)
            by = person_of(form.id, dossier.answers, number) or ""
            yield Contribution(form, str(number), form.agents_label, by, None, page)


def _page(
    ctx: AppContext, actor: Actor, procedure: Procedure, dossier: Dossier, form: Form, part: str, name: str
) -> PageView | None:
    if not may_read(procedure, dossier, name, actor):
        return None
    return view_part(procedure, form, part, dossier, ctx.day(), ctx.directory, ctx.wording, reader=actor)


def waits(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[Wait, ...]:
    """Return everything the dossier waits for now, done or not, and which of it this person may do.

    Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    moment = Moment(procedure, actor, ctx.now(), ctx.directory, ctx.wording)
    things = awaited(procedure, dossier, moment.scope(dossier), ctx.directory.calendar)
    return tuple(_wait(moment, dossier, thing) for thing in things)


def _wait(moment: Moment, dossier: Dossier, thing: Awaited) -> Wait:
    form = thing.task
    if isinstance(form, Appointment):
        closed = bookable(moment, dossier, form.id)
        proposes = form.proposed_by is not None and acting_role(
            moment.procedure, dossier, moment.actor, [form.proposed_by]
        )
        return Wait(thing, closed, closed is None and bool(proposes) and not holds_slot(dossier, form.id))
    if not isinstance(form, Form) or SYSTEM in form.by or form.id == APPLICATION:
        return Wait(thing, None, False)
    closed = part_closed(moment, dossier, form, thing.part)
    return Wait(thing, closed, closed is None)
