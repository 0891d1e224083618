"""Who comes without a time of today, kept: the visit is made when they come, and undone when it was noted by mistake."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.problems import Refusal
from engine.core.values import new_id
from engine.domain.appointments.appointments import offices_for
from engine.domain.appointments.walk_ins import came_late, come, not_come, receivable
from engine.domain.workflow.transition_context import Moment
from engine.model import Appointment, directory
from engine.records.dossier import Actor, Booking, Dossier
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.core.commit import carry_out
from engine.services.core.idempotency import DOSSIER, once
from engine.storage.unit_of_work import Unit


@dataclass(frozen=True, slots=True)
class WalkIn:
    """Somebody who may be received today without a time. `held`: the slot of another day that they would give back; `late`:
    marked absent today; `closed`: why they may not be."""

    appointment: Appointment
    offices: tuple[directory.Office, ...]
    held: Booking | None
    late: bool
    closed: Refusal | None


def walk_in(ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str) -> WalkIn:
    """Where this agent may receive them. Raises NotFound."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    task = procedure.tasks.get(appointment_id)
    if not isinstance(task, Appointment):
        raise NotFound
    moment = Moment(procedure, actor, ctx.now(), ctx.directory, ctx.wording)
    places = offices_for(procedure, task, dossier, moment)
    mine = tuple(one for one in places if not actor.offices or one.id in actor.offices)
    booking = dossier.bookings.get(appointment_id)
    held = booking if booking is not None and booking.status == "booked" else None
    return WalkIn(
        task, mine or places, held, came_late(booking, ctx.now()), receivable(moment, dossier, appointment_id)
    )


def receive(
    ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str, office_id: str, *, token: str | None = None
) -> Dossier:
    """They are there, without a time of today. Raises what `rules.walk_ins.come` raises."""

    def work(unit: Unit) -> Dossier:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        decision = come(
            procedure, dossier, appointment_id, office_id, actor, ctx.now(), ctx.directory, ctx.wording,
            booking_id=new_id(),
        )  # fmt: skip
        return carry_out(ctx, unit, dossier, decision, actor)

    arguments = (dossier_id, appointment_id, office_id)
    return once(ctx, actor, "receive", token, arguments, work, DOSSIER)


def undo_arrival(
    ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str, *, token: str | None = None
) -> Dossier:
    """They are not there after all."""

    def work(unit: Unit) -> Dossier:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        decision = not_come(
            procedure, dossier, appointment_id, actor, ctx.now(), ctx.directory, ctx.wording
        )  # fmt: skip
        return carry_out(ctx, unit, dossier, decision, actor)

    return once(ctx, actor, "undo_arrival", token, (dossier_id, appointment_id), work, DOSSIER)
