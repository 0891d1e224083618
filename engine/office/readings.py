"""A controller reading a dossier says why first; the reading is sealed in the dossier's own journal."""

from __future__ import annotations

from typing import Final

from engine.office.carrying import journalise
from engine.office.command import Memory, once
from engine.office.office import NotFound, Office, seen
from engine.problems import Refused, refusal
from engine.records.dossier import Actor
from engine.records.store import Unit
from engine.rules.decision import EntryDraft
from engine.values import Plain, new_id

LONGEST_MOTIVE: Final = 500
_READING: Final[Memory[str]] = Memory(lambda reading: reading, lambda unit, kept: str(kept))


def note_reading(office: Office, actor: Actor, dossier_id: str, motive: str, *, token: str | None = None) -> str:
    """Notes who reads and why; answers the reading's id, which opens the trail. The chain holds a commitment to the
    motive, its words are kept beside. Raises NotFound, Refused("reason_missing")."""
    motive = " ".join(motive.split())[:LONGEST_MOTIVE]

    def work(unit: Unit) -> str:
        if actor.kind != "auditor":
            raise NotFound
        dossier = seen(unit, office, actor, dossier_id)
        if not motive:
            raise Refused(refusal("reason_missing"))
        now, reading = office.now(), new_id()
        journalise(unit, dossier, [EntryDraft("consulted", {}, {"motive": motive})], actor, now)
        kept: Plain = {"dossier": dossier.id, "by": actor.id, "motive": motive}
        unit.keep_aside(_key(reading), kept, now)
        return reading

    return once(office, actor, "note_reading", token, (dossier_id, motive), work, _READING)


def noted_motive(office: Office, actor: Actor, dossier_id: str, reading: str) -> str | None:
    """Why this person reads this dossier, if they said it."""
    with office.store.unit() as unit:
        dossier = seen(unit, office, actor, dossier_id)
        kept = unit.taken_aside(_key(reading))
    if not isinstance(kept, dict) or (kept.get("dossier"), kept.get("by")) != (dossier.id, actor.id):
        return None
    return str(kept.get("motive"))


def _key(reading: str) -> str:
    return f"reading/{reading}"
