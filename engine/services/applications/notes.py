"""What agents keep about a dossier for themselves: internal notes, and which dossiers they follow.

Its owner never reads them. The journal commits to each note.
"""

from __future__ import annotations

from typing import Final

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain, new_id
from engine.domain.common.access import is_own, is_owner
from engine.domain.common.decision import EntryDraft
from engine.domain.common.names import free_text
from engine.records.dossier import Actor, Dossier
from engine.records.exchanges import Note
from engine.services.context.app_context import AppContext, NotFound, seen
from engine.services.core.idempotency import Memory, once
from engine.services.core.journalling import journalise
from engine.storage.unit_of_work import Unit

LONGEST: Final = 1000
MOST_A_DAY: Final = 100  # by one agent about one dossier: more comes from a machine


def write_note(ctx: AppContext, actor: Actor, dossier_id: str, body: str, *, token: str | None = None) -> Note:
    """Write an internal note.

    Raises `NotFound`. Raises Refused: notes_closed, own_dossier, note_empty, note_long, notes_many.
    """
    text = free_text(body)

    def work(unit: Unit) -> Note:
        before = _open_to(unit, ctx, actor, dossier_id)
        if (closed := refusal_for_note(before, actor)) is not None:
            raise Refused(closed)
        if not text:
            raise Refused(refusal("note_empty"))
        if len(text) > LONGEST:
            raise Refused(refusal("note_long", maximum=LONGEST, over=len(text) - LONGEST))
        if unit.count_try(f"notes@{before.id}@{actor.id}", f"{ctx.day()}") > MOST_A_DAY:
            raise Refused(refusal("notes_many", maximum=MOST_A_DAY))
        now = ctx.now()
        note = Note(new_id(), before.id, now, actor.id, text)
        unit.add_note(note)
        journalise(unit, before, [EntryDraft("note", {"note": note.id}, {f"notes.{note.id}": text})], actor, now)
        return note

    return once(ctx, actor, "write_note", token, (dossier_id, text), work, _WRITTEN)


def notes_of(ctx: AppContext, actor: Actor, dossier_id: str) -> tuple[Note, ...]:
    """Return all notes, the oldest first, for agents who see the dossier. None of their own one.

    Raises `NotFound` for others: an auditor reads in the journal that a note exists, not its text.
    """
    with ctx.store.unit() as unit:
        dossier = _open_to(unit, ctx, actor, dossier_id)
        return () if is_own(dossier, actor) else unit.notes_of(dossier.id)


def follow(ctx: AppContext, actor: Actor, dossier_id: str, wanted: bool) -> None:
    """Add the dossier to those that the agent follows, or remove it. The journal says nothing of it.

    Raises `NotFound`.
    """
    with ctx.store.unit(write=True) as unit:
        dossier = _open_to(unit, ctx, actor, dossier_id)
        change = unit.follow if wanted else unit.unfollow
        change(actor.id, dossier.id)


def is_followed(ctx: AppContext, actor: Actor, dossier_id: str) -> bool:
    """Return whether the agent follows the dossier."""
    with ctx.store.unit() as unit:
        return unit.follows(actor.id, dossier_id)


def refusal_for_note(dossier: Dossier, actor: Actor) -> Refusal | None:
    """Return why this agent may write no note about the dossier: it is erased, or their own.

    None when they may, even after its end.
    """
    if is_own(dossier, actor):
        return refusal("own_dossier")
    return refusal("notes_closed") if dossier.erased_at is not None else None


def _open_to(unit: Unit, ctx: AppContext, actor: Actor, dossier_id: str) -> Dossier:
    """Return the dossier for an agent who may read its notes.

    At a counter the owner is present, so notes are not shown.
    """
    dossier = seen(unit, ctx, actor, dossier_id)
    if actor.kind != "agent" or actor.principal or dossier.is_draft or is_owner(dossier, actor):
        raise NotFound
    return dossier


def _recall(unit: Unit, kept: Plain) -> Note:
    dossier_id, _, note_id = str(kept).partition(" ")
    return next(one for one in unit.notes_of(dossier_id) if one.id == note_id)


_WRITTEN: Final[Memory[Note]] = Memory(lambda note: f"{note.dossier} {note.id}", _recall)
