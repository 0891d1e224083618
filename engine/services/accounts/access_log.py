"""Who looked into a dossier: a controller says why first, and the reading is sealed in the dossier's own journal; that an agent
opened it is noted once a day. Its owner reads who did, each reader what they read."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain, new_id
from engine.domain.common.decision import EntryDraft
from engine.model.roles import roles_of
from engine.records.dossier import Actor, Dossier
from engine.records.people import Reading
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.core.idempotency import Memory, once
from engine.services.core.journalling import journalise
from engine.storage.unit_of_work import GLANCE, Busy, Unit

LONGEST_MOTIVE: Final = 500
_READING: Final[Memory[str]] = Memory(lambda reading: reading, lambda unit, kept: str(kept))


def note_reading(ctx: AppContext, actor: Actor, dossier_id: str, motive: str, *, token: str | None = None) -> str:
    """Notes who reads and why; answers the reading's id, which opens the trail. The chain holds a commitment to the
    motive, its words are kept beside. Raises NotFound, Refused("reason_missing")."""
    motive = " ".join(motive.split())[:LONGEST_MOTIVE]

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
    """Notes that an agent opened a dossier today, and as what."""
    day = ctx.day()
    with ctx.store.unit() as unit:
        known = unit.reading(dossier.id, actor.id, day.isoformat())
        roles = roles_of(pinned(ctx, unit, dossier)) & actor.roles
    if known is None and actor.kind == "agent":
        ctx.unnoted.append(Reading(dossier.id, actor.id, day, ctx.now(), min(roles, default="")))
        with suppress(Busy):
            note_owed(ctx)


def note_owed(ctx: AppContext) -> int:
    """Notes the readings of this process that are owed: those made while the store was locked are noted by the next, or by the
    worker beside. How many. Raises Busy."""
    owed = list(ctx.unnoted)
    if owed:
        with ctx.store.unit(write=True, wait_limit=GLANCE) as unit:
            for one in owed:
                unit.note_reading(one)
        for one in owed:
            with suppress(ValueError):  # noted by another thread too: it is one reading
                ctx.unnoted.remove(one)
    return len(owed)


def my_readings(ctx: AppContext, actor: Actor) -> tuple[tuple[Reading, Dossier], ...]:
    """What an agent or a controller looked into, the last first."""
    with ctx.store.unit() as unit:
        return tuple(
            (one, found) for one in unit.readings_by(actor.id) if (found := unit.dossier(one.dossier)) is not None
        )


def readings_of_mine(ctx: AppContext, actor: Actor) -> tuple[tuple[Reading, Dossier], ...]:
    """Who of the administration looked into an applicant's dossiers, the last first."""
    with ctx.store.unit() as unit:
        lines = unit.dossiers_of(actor.owns) if actor.kind == "applicant" else ()
        mine = [unit.dossier(line.id) for line in lines]
        found = [(reading, one) for one in mine if one is not None for reading in unit.readings_of(one.id)]
    return tuple(sorted(found, key=lambda pair: pair[0].at, reverse=True))


def noted_motive(ctx: AppContext, actor: Actor, dossier_id: str, reading: str) -> str | None:
    """Why this person reads this dossier, if they said it."""
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        kept = unit.taken_aside(_key(reading))
    if not isinstance(kept, dict) or (kept.get("dossier"), kept.get("by")) != (dossier.id, actor.id):
        return None
    return str(kept.get("motive"))


def _key(reading: str) -> str:
    return f"reading/{reading}"
