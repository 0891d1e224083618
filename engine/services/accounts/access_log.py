"""The access log of dossiers.

An auditor states a reason first, and the journal of the dossier records the reading. A dossier opened
by an agent is one line a day, with the last hour. The owner sees who read it, and each reader sees what they read.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain, new_id
from engine.domain.common.decision import EntryDraft
from engine.domain.common.names import free_text
from engine.model.roles import roles_of
from engine.records.dossier import Actor, Dossier
from engine.records.people import Reading
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.core.idempotency import Memory, once
from engine.services.core.journalling import journalise
from engine.storage.results import GLANCE, Busy
from engine.storage.unit_of_work import Unit

LONGEST_MOTIVE: Final = 500
AGAIN: Final = timedelta(minutes=5)
MOST_DOSSIERS: Final = 500  # of one applicant, whose readers are shown
_READING: Final[Memory[str]] = Memory(lambda reading: reading, lambda unit, kept: str(kept))


def note_reading(ctx: AppContext, actor: Actor, dossier_id: str, motive: str, *, token: str | None = None) -> str:
    """Record that an auditor reads a dossier and why.

    Return the id of the reading, which opens the journal. The chain holds a commitment to the reason,
    and its text is stored apart. Raises `NotFound`, Refused("reason_missing").
    """
    motive = " ".join(free_text(motive).split())[:LONGEST_MOTIVE]

    def work(unit: Unit) -> str:
        if actor.kind != "auditor":
            raise NotFound
        dossier = seen(unit, ctx, actor, dossier_id)
        if not motive:
            raise Refused(refusal("reason_missing"))
        now, reading = ctx.now(), new_id()
        journalise(unit, dossier, [EntryDraft("consulted", {}, {"motive": motive})], actor, now)
        kept: Plain = {"dossier": dossier.id, "by": actor.id, "motive": motive}
        unit.keep_aside(_key(reading), kept, now)
        unit.note_reading(Reading(dossier.id, actor.id, ctx.day(), now))
        return reading

    return once(ctx, actor, "note_reading", token, (dossier_id, motive), work, _READING)


def note_visit(ctx: AppContext, actor: Actor, dossier: Dossier) -> None:
    """Record that an agent opened a dossier today, and in which role. After `AGAIN`, the hour of the line follows.

    If the store is busy, the entry waits in this process.
    """
    day = ctx.day()
    with ctx.store.unit() as unit:
        known = unit.reading(dossier.id, actor.id, day.isoformat())
        roles = roles_of(pinned(ctx, unit, dossier)) & actor.roles
    now = ctx.now()
    if actor.kind == "agent" and (known is None or now - known.at >= AGAIN):
        ctx.unnoted.append(Reading(dossier.id, actor.id, day, now, min(roles, default="")))
        with suppress(Busy):
            note_owed(ctx)


def note_owed(ctx: AppContext) -> int:
    """Save the pending entries of this process.

    Those made while the store was locked are saved by the next call or by the worker. Return how many.
    Raises `Busy`.
    """
    owed = list(ctx.unnoted)
    if owed:
        with ctx.store.unit(write=True, wait_limit=GLANCE) as unit:
            for one in owed:
                unit.note_reading(one)
        for one in owed:
            with suppress(ValueError):  # another thread saved it too: it is one entry
                ctx.unnoted.remove(one)
    return len(owed)


def my_readings(ctx: AppContext, actor: Actor) -> tuple[tuple[Reading, Dossier], ...]:
    """Return what an agent or auditor read, the latest first."""
    with ctx.store.unit() as unit:
        return tuple(
            (one, found) for one in unit.readings_by(actor.id) if (found := unit.dossier(one.dossier)) is not None
        )


def readings_of_mine(ctx: AppContext, actor: Actor) -> tuple[tuple[Reading, Dossier], ...]:
    """Return who read the dossiers of an applicant, the latest first."""
    with ctx.store.unit() as unit:
        lines = unit.dossiers_of(actor.owns, MOST_DOSSIERS) if actor.kind == "applicant" else ()
        read = {line.id: readings for line in lines if (readings := unit.readings_of(line.id))}
        mine = [(one, readings) for name, readings in read.items() if (one := unit.dossier(name)) is not None]
    found = [(reading, one) for one, readings in mine for reading in readings]
    return tuple(sorted(found, key=lambda pair: pair[0].at, reverse=True))


def readings_of(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[Reading, ...]:
    """Return who read a dossier, the latest first, for an auditor. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        if actor.kind != "auditor":
            raise NotFound
        return unit.readings_of(dossier.id)


def noted_motive(ctx: AppContext, actor: Actor, dossier_id: str, reading: str) -> str | None:
    """Return the reason that this person gave for this reading of the dossier, None without one.

    Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        kept = unit.taken_aside(_key(reading))
    if not isinstance(kept, dict) or (kept.get("dossier"), kept.get("by")) != (dossier.id, actor.id):
        return None
    return str(kept.get("motive"))


def _key(reading: str) -> str:
    return f"reading/{reading}"
