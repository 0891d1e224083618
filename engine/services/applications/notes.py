"""What agents keep about a dossier for themselves: internal notes, annotations, and which dossiers they follow.

Its owner never reads them. The journal commits to each note and value. An auditor reads that it was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain, canonical_json, new_id
from engine.domain.common.access import is_own, is_owner
from engine.domain.common.decision import EntryDraft
from engine.domain.common.names import free_text
from engine.domain.fields.raw_answers import Raw
from engine.domain.fields.views import AnswerProblem, FieldView
from engine.domain.forms.annotations import read_annotations, view_annotations
from engine.domain.forms.views_of_fields import speech_for
from engine.domain.workflow.transition_context import codes
from engine.records.codec import to_plain
from engine.records.dossier import Actor, Dossier
from engine.records.exchanges import Note, NotedValue
from engine.services.context.app_context import AppContext, NotFound, WrongAnswers, hold_all, own_among, pinned, seen
from engine.services.core.idempotency import NOTHING, Memory, once
from engine.services.core.journalling import journalise
from engine.storage.results import DossierLine
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
        _count(unit, ctx, actor, before)
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


# -- annotations -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Annotated:
    """The annotations of a dossier: as they are drawn, as they are stored, and a mark of what is stored now."""

    views: tuple[FieldView, ...]
    stored: Mapping[str, NotedValue]
    mark: str


def annotations_of(
    ctx: AppContext, actor: Actor, dossier_id: str, raw: Raw | None = None, problems: Iterable[AnswerProblem] = ()
) -> Annotated:
    """Return the annotations for agents who see the dossier, with what they posted, if anything. None of their own one.

    Raises `NotFound` for others.
    """
    with ctx.store.unit() as unit:
        dossier = _open_to(unit, ctx, actor, dossier_id)
        if is_own(dossier, actor):
            return Annotated((), {}, "")
        procedure = pinned(ctx, unit, dossier)
        stored = _stored(unit, dossier)
    values: Mapping[str, Plain] = {name: one.value for name, one in stored.items()}
    if raw is not None:
        values, _ = read_annotations(procedure, raw, ctx.day(), ctx.directory)
    speech = speech_for(actor, dossier, ctx.wording)
    views = view_annotations(procedure, values, ctx.day(), ctx.directory, speech, problems)
    return Annotated(views, stored, _mark(stored))


def annotate(ctx: AppContext, actor: Actor, dossier_id: str, raw: Raw, mark: str, *, token: str | None = None) -> None:
    """Write the annotations of a post: those that it changes. `mark` says what its page showed.

    Raises `NotFound`, `WrongAnswers`. Raises Refused: notes_closed, own_dossier, annotations_changed, notes_many.
    """

    def work(unit: Unit) -> None:
        before = _open_to(unit, ctx, actor, dossier_id)
        if (closed := refusal_for_note(before, actor)) is not None:
            raise Refused(closed)
        values, problems = read_annotations(pinned(ctx, unit, before), raw, ctx.day(), ctx.directory)
        if problems:
            raise WrongAnswers(problems)
        stored = _stored(unit, before)
        if mark != _mark(stored):
            raise Refused(refusal("annotations_changed"))
        changed = sorted(name for name, value in values.items() if value != _value(stored.get(name)))
        if not changed:
            return
        _count(unit, ctx, actor, before)
        now = ctx.now()
        for name in changed:
            unit.put_annotation(NotedValue(before.id, name, values[name], now, actor.id))
        journalise(unit, before, [EntryDraft("annotated", {"annotations": codes(changed)})], actor, now)

    posted = {name: list(values) for name, values in sorted(raw.items())}
    once(ctx, actor, "annotate", token, (dossier_id, mark, posted), work, NOTHING)


def put_label(ctx: AppContext, actor: Actor, dossier_id: str, label: str, given: bool) -> bool:
    """Give a label (`annotation.option`) to a dossier, or take it away. Return whether this changed the dossier.

    Raises `NotFound`. Raises Refused: notes_closed, own_dossier, label_unknown, notes_many.
    """
    name, _, code = label.partition(".")
    with ctx.store.unit(write=True) as unit:
        hold_all(unit, [dossier_id])
        before = _open_to(unit, ctx, actor, dossier_id)
        if (closed := refusal_for_note(before, actor)) is not None:
            raise Refused(closed)
        known = pinned(ctx, unit, before).labels().get(name)
        if known is None or known.type != "choices" or code not in known.options:
            raise Refused(refusal("label_unknown"))
        value = _value(_stored(unit, before).get(name))
        codes_before = [str(one) for one in value] if isinstance(value, list) else []
        if (code in codes_before) is given:
            return False
        _count(unit, ctx, actor, before)
        wanted = {*codes_before, code} if given else {*codes_before} - {code}
        after: Plain = [one for one in known.options if one in wanted] or None
        now = ctx.now()
        unit.put_annotation(NotedValue(before.id, name, after, now, actor.id))
        journalise(unit, before, [EntryDraft("annotated", {"annotations": codes([name])})], actor, now)
    return True


def labels_in(ctx: AppContext, actor: Actor, lines: Sequence[DossierLine]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Return the labels of dossiers of a list, as pairs of annotation and option. None of the agent's own ones."""
    with ctx.store.unit() as unit:
        noted = unit.annotations_of([line.id for line in lines if line.owner not in (actor.id, actor.owns)])
        own = own_among(unit, actor, {one.dossier for one in noted})
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for one in (one for one in noted if one.dossier not in own):
        options = one.value if isinstance(one.value, list) else []
        found[one.dossier] = (*found.get(one.dossier, ()), *((one.name, str(code)) for code in options))
    return found


def _stored(unit: Unit, dossier: Dossier) -> dict[str, NotedValue]:
    return {one.name: one for one in unit.annotations_of([dossier.id])}


def _value(noted: NotedValue | None) -> Plain:
    return noted.value if noted is not None else None


def _mark(stored: Mapping[str, NotedValue]) -> str:
    """Return what tells whether a page shows the values of now."""
    return sha256(canonical_json([to_plain(one) for one in stored.values()])).hexdigest()[:16]


def _count(unit: Unit, ctx: AppContext, actor: Actor, dossier: Dossier) -> None:
    if unit.count_try(f"notes@{dossier.id}@{actor.id}", f"{ctx.day()}") > MOST_A_DAY:
        raise Refused(refusal("notes_many", maximum=MOST_A_DAY))


# -- following ---------------------------------------------------------------------------------------------------------


def follow(ctx: AppContext, actor: Actor, dossier_id: str, wanted: bool) -> None:
    """Add the dossier to those that the agent follows, or remove it. The journal says nothing of it.

    Raises `NotFound`.
    """
    with ctx.store.unit(write=True) as unit:
        dossier = _open_to(unit, ctx, actor, dossier_id)
        if dossier.erased_at is not None:
            raise NotFound
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
