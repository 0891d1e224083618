"""Sealing what was done on a dossier into its journal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from engine.office.surplus import OWING, owe_back
from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier
from engine.records.journal import seal, with_commitments
from engine.records.store import Unit
from engine.rules.decision import EntryDraft
from engine.values import Plain


def journalise(unit: Unit, dossier: Dossier, drafts: Iterable[EntryDraft], actor: Actor, now: datetime) -> None:
    """Seals entries to the dossier's chain; the salts of what they commit to are kept apart from them. The last one commits to
    the rows that this unit wrote of the dossier since its entry before. What they owe back to who paid is kept beside them."""
    head, all_drafts = unit.head(dossier.id), tuple(drafts)
    before, owing = head[0], False
    for left, draft in enumerate(all_drafts, 1 - len(all_drafts)):
        commits: dict[str, Plain] = {**draft.commits, **({} if left else unit.uncommitted(dossier.id))}
        body, salts = with_commitments(draft.body, commits)
        entry = seal(head, dossier.id, now, actor, draft.kind, dossier.fingerprint, body)
        unit.add_entry(entry, salts)
        head = (entry.n, entry.hash)
        owing = owing or draft.kind in OWING
    if owing:
        owe_back(unit, dossier, before + 1)


def journalise_told(unit: Unit, dossier: Dossier, event: str, now: datetime) -> None:
    """For a letter that no other entry tells of: after it is added."""
    journalise(unit, dossier, [EntryDraft("told", {"event": event})], SYSTEM_ACTOR, now)
