"""Reuse of answers: those of an earlier request are offered for a new one and copied into its draft.

Only the owner's own answers, while they are stored; data that is or should be erased is never offered.
Files are encrypted again for the draft, under the same digest. The end of either dossier then takes
nothing from the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from engine.core.values import Plain, new_id
from engine.domain.documents.retention import KEEP, keep_moments
from engine.domain.editions.prefill import Reusable, reusable
from engine.domain.forms.eligibility import adopt_criteria
from engine.model import Procedure
from engine.records.dossier import Actor, Dossier, Reused
from engine.services.applications.draft_answers import keep_answers, own_draft
from engine.services.applications.drafts import blank_draft, mine
from engine.services.applications.held_documents import look_for_held
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.core.idempotency import DOSSIER, once
from engine.storage.files.attachments import Lost
from engine.storage.files.encryption import NoFileKey
from engine.storage.unit_of_work import Unit

LOOKED_AT: Final = 10  # earlier requests that are checked, the newest first
OFFERED: Final = 3  # earlier requests that are offered, one for each person
WORTH: Final = 3  # answers that another procedure must give: fewer are not offered


@dataclass(frozen=True, slots=True)
class EarlierDossier:
    """A request whose answers may be reused: how many, and how many files."""

    dossier: Dossier
    definition: Procedure
    answers: int
    files: int


def earlier_requests(
    ctx: AppContext, actor: Actor, procedure_id: str, criteria: Mapping[str, Plain], language: str = "fr"
) -> tuple[EarlierDossier, ...]:
    """Return the requests whose answers a draft of this procedure could reuse.

    The newest of the same procedure for each person; otherwise the newest of another that asks the
    same. Empty when a draft exists already.
    """
    procedure = ctx.catalogue.current(procedure_id, ctx.day())
    if procedure is None or actor.kind != "applicant" or actor.only_reads or actor.dossiers:
        return ()
    sent = [line for line in mine(ctx, actor) if line.submitted_at is not None]
    sent.sort(key=lambda line: line.procedure != procedure_id)  # the same procedure first, each newest first
    if not sent:
        return ()
    answers = adopt_criteria(procedure, criteria, ctx.day(), ctx.directory)
    with ctx.store.unit() as unit:
        if unit.draft_of(actor.owns, procedure_id) is not None:
            return ()
        draft = blank_draft(ctx, unit, procedure, actor, answers, "web", language)
        found: dict[str, EarlierDossier] = {}  # by the label of the request
        for line in sent[:LOOKED_AT]:
            if line.label in found or len(found) == OFFERED or (found and line.procedure != procedure_id):
                continue
            offer = _offered(ctx, unit, actor, procedure, draft, line.id)
            if offer is not None:
                found[line.label] = offer
    return tuple(found.values())


def _offered(
    ctx: AppContext, unit: Unit, actor: Actor, procedure: Procedure, draft: Dossier, earlier_id: str
) -> EarlierDossier | None:
    with suppress(NotFound):
        earlier = _kept(ctx, unit, actor, draft, earlier_id)
        definition = pinned(ctx, unit, earlier)
        found = reusable(
            procedure, draft, definition, earlier, ctx.day(), ctx.directory, _gone(ctx, definition, earlier),
            ctx.catalogue.current(definition.id, ctx.day()),
        )  # fmt: skip
        if found.files or found.said >= (1 if definition.id == procedure.id else WORTH):
            return EarlierDossier(earlier, definition, found.said, len(found.files))
    return None


def take_over(ctx: AppContext, actor: Actor, dossier_id: str, number: str, *, token: str | None = None) -> Dossier:
    """Copy the missing answers and files of an earlier request into a draft.

    Raises `NotFound` for a request of another person or an erased one. Raises Refused: role, closed,
    already_submitted.
    """
    with ctx.store.unit() as unit:
        draft, earlier, found = _found(ctx, unit, actor, dossier_id, number)
    lost = frozenset(_sealed_again(ctx, draft, earlier, found))

    def work(unit: Unit) -> Dossier:
        before, earlier, found = _found(ctx, unit, actor, dossier_id, number, lost)
        ids = {one.id: new_id() for one in found.files}
        files = tuple(replace(one, id=ids[one.id]) for one in found.files)
        sent_at = earlier.submitted_at or earlier.created_at
        names = frozenset(found.answers)
        after = replace(
            before, answers={**before.answers, **found.named(ids)}, attachments=(*before.attachments, *files),
            reused=Reused(earlier.number, earlier.procedure, sent_at, names) if names else before.reused,
        )  # fmt: skip
        body: dict[str, Plain] = {"earlier": earlier.number, "edition": earlier.edition, "files": len(files)}
        return look_for_held(ctx, unit, keep_answers(ctx, unit, before, after, "reused", actor, **body), actor)

    return once(ctx, actor, "take_over", token, (dossier_id, number), work, DOSSIER)


def _found(
    ctx: AppContext, unit: Unit, actor: Actor, dossier_id: str, number: str, lost: Collection[str] = ()
) -> tuple[Dossier, Dossier, Reusable]:
    draft = own_draft(unit, ctx, actor, dossier_id)
    earlier = _kept(ctx, unit, actor, draft, number)
    definition, procedure = pinned(ctx, unit, earlier), pinned(ctx, unit, draft)
    without = {*lost, *_gone(ctx, definition, earlier)}
    present = ctx.catalogue.current(definition.id, ctx.day())
    return draft, earlier, reusable(procedure, draft, definition, earlier, ctx.day(), ctx.directory, without, present)


def _kept(ctx: AppContext, unit: Unit, actor: Actor, draft: Dossier, earlier_id: str) -> Dossier:
    """Return a submitted request of the same owner that is still stored. Raises `NotFound`."""
    earlier = seen(unit, ctx, actor, earlier_id)
    if earlier.is_draft or earlier.owner != draft.owner or earlier.erased_at is not None:
        raise NotFound
    if "" in _gone(ctx, pinned(ctx, unit, earlier), earlier):
        raise NotFound
    return earlier


def _gone(ctx: AppContext, procedure: Procedure, earlier: Dossier) -> frozenset[str]:
    """Return the answers whose retention is over, erased or not.

    An empty name stands for the whole dossier.
    """
    now = ctx.now()
    moments = keep_moments(procedure, earlier, ctx.directory.calendar)
    return frozenset(name.partition(":")[2] for name, at in moments if name.partition(":")[0] == KEEP and at <= now)


def _sealed_again(ctx: AppContext, draft: Dossier, earlier: Dossier, found: Reusable) -> Iterator[str]:
    """Encrypt each file for the draft before a row names it. Yield the ids of files that no longer exist."""
    for one in found.files:
        try:
            ctx.attachments.adopt(one.sha256, ctx.attachments.read(one.sha256, earlier.id), draft.id)
        except (Lost, NoFileKey):
            yield one.id
