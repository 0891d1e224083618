"""Walk-in visitors, received without an appointment today.

They are recorded on arrival, and removed if recorded by mistake.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.core.problems import Refusal, refusal
from engine.core.values import new_id
from engine.domain.appointments.appointments import BY_SERVICE, iso_minute
from engine.domain.appointments.walk_ins import came_late, come, not_come, receivable, receiving, seat_again
from engine.domain.workflow.transition_context import Moment
from engine.model import Appointment, directory
from engine.records.dossier import Actor, Booking, Dossier
from engine.services.appointments.seat_cache import SeatsAhead
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.core.commit import carry_out
from engine.services.core.idempotency import DOSSIER, once
from engine.services.core.outbound_messages import add_message
from engine.storage.unit_of_work import Unit


@dataclass(frozen=True, slots=True)
class WalkIn:
    """A person who may be received today without an appointment.

    `held`: the booking of another day that they would give up. `late`: marked absent today. `closed`:
    why they may not be received.
    """

    appointment: Appointment
    offices: tuple[directory.Office, ...]
    held: Booking | None
    late: bool
    closed: Refusal | None


def walk_in(ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str) -> WalkIn:
    """Return whether and in which offices this agent may receive the applicant. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
    task = procedure.tasks.get(appointment_id)
    if not isinstance(task, Appointment):
        raise NotFound
    moment = Moment(procedure, actor, ctx.now(), ctx.directory, ctx.wording)
    places, closed = receiving(moment, dossier, task), receivable(moment, dossier, appointment_id)
    booking = dossier.bookings.get(appointment_id)
    held = booking if booking is not None and booking.status == "booked" else None
    if not places and closed is None:
        closed = refusal("role", task.where, roles=tuple(task.by))
    return WalkIn(task, places, held, came_late(booking, ctx.now()), closed)


def receive(
    ctx: AppContext, actor: Actor, dossier_id: str, appointment_id: str, office_id: str, *, revision: int | None = None,
    token: str | None = None,
) -> Dossier:  # fmt: skip
    """Record a walk-in visitor. Raises `NotFound`, `Conflict` and the refusals of `domain.appointments.walk_ins.come`."""

    def work(unit: Unit) -> Dossier:
        dossier = seen(unit, ctx, actor, dossier_id, revision)
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
    """Undo a recorded arrival. A walk-in gives back the booking that it took the place of.

    Where its seat is taken meanwhile, the booking is cancelled as by `cancel_booking`, with a message that says why.
    Raises `NotFound`, Refused: not_booked, role, slot_full, messages_many.
    """

    def work(unit: Unit) -> Dossier:
        ctx.directories.look(unit, "share")
        dossier, now = seen(unit, ctx, actor, dossier_id), ctx.now()
        procedure = pinned(ctx, unit, dossier)
        task, former, seat = procedure.tasks.get(appointment_id), _given_up(unit, dossier, appointment_id), None
        if former is not None and isinstance(task, Appointment):
            taken = SeatsAhead(unit, procedure, task, former.office, now, dossier.id, alone=True)
            office = ctx.directory.offices.get(former.office)
            seat = seat_again(task, office, former, taken, now, ctx.directory.calendar)
        decision = not_come(
            procedure, dossier, appointment_id, actor, now, ctx.directory, ctx.wording, former=former, seat=seat
        )
        after = carry_out(ctx, unit, dossier, decision, actor)
        if after.bookings[appointment_id].lost == BY_SERVICE:
            text = ctx.wording.say("walk_in.seat_taken", dossier.language, {})
            add_message(ctx, unit, after, actor, "agent", text)
        return after

    return once(ctx, actor, "undo_arrival", token, (dossier_id, appointment_id), work, DOSSIER)


def _given_up(unit: Unit, dossier: Dossier, appointment_id: str) -> Booking | None:
    """Return the booking that the recorded walk-in took the place of. None without one."""
    walk_in = dossier.bookings.get(appointment_id)
    if walk_in is None or not walk_in.is_walk_in:
        return None
    came = [one.body for one in unit.entries(dossier.id) if one.kind == "walked_in" and isinstance(one.body, dict)]
    instead = {body.get("instead") for body in came if body.get("start") == iso_minute(walk_in.start)}
    return next(
        (
            replace(one, appointment=appointment_id)
            for _, one in unit.bookings_of(dossier.id)
            if one.sequence == walk_in.sequence - 1 and iso_minute(one.start) in instead
        ),
        None,
    )
