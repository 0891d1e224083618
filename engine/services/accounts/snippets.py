"""Text snippets of agencies, written by administrators and used by agents.

Every version is stored for ever.
"""

from __future__ import annotations

from dataclasses import replace

from engine.core.clock import local_day
from engine.core.problems import Refused, refusal
from engine.core.values import Plain, group_number, new_id
from engine.domain.common.agent_rights import EVERYWHERE, administers, agency_of
from engine.domain.common.names import free_text
from engine.domain.messages.snippets import filled, refusal_for_snippet
from engine.journal.chain import seal
from engine.records.administration import Snippet
from engine.records.dossier import Actor
from engine.records.people import CHAIN
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.core.idempotency import Memory, once
from engine.storage.unit_of_work import Unit

_KEPT: Memory[Snippet] = Memory(lambda one: one.id, lambda unit, kept: _last(unit, str(kept)))


def snippets_for(ctx: AppContext, actor: Actor) -> tuple[Snippet, ...]:
    """Return the snippets of the agencies of an agent; empty for others."""
    with ctx.store.unit() as unit:
        return unit.snippets(agencies_of(ctx, actor)) if actor.kind == "agent" else ()


def agencies_of(ctx: AppContext, actor: Actor) -> tuple[str, ...]:
    """Return the agencies an agent works for or administers."""
    managed = ctx.directory.agencies if EVERYWHERE in actor.administers else actor.administers
    return tuple(sorted({*map(agency_of, actor.roles), *managed}))


def snippet_versions(ctx: AppContext, actor: Actor, snippet_id: str) -> tuple[Snippet, ...]:
    """Return every version, the newest first. Raises `NotFound` for a snippet of another agency."""
    with ctx.store.unit() as unit:
        found = unit.snippet_versions(snippet_id)
    if not found or found[0].agency not in agencies_of(ctx, actor):
        raise NotFound
    return found


def keep_snippet(
    ctx: AppContext, actor: Actor, agency: str, title: str, body: str, *, snippet_id: str = "", version: int = 0,
    retired: bool = False, token: str | None = None,
) -> Snippet:  # fmt: skip
    """Save a new snippet, or the version after `version`.

    Raises Refused: its faults (`refusal_for_snippet`), or snippet_changed when another version was saved
    meanwhile. Raises `NotFound` unless the actor administers the agency.
    """

    def work(unit: Unit) -> Snippet:
        before = unit.snippet_versions(snippet_id) if snippet_id else ()
        own = before[0].agency if before else agency
        if not administers(actor, (own,)) or own not in ctx.directory.agencies or (snippet_id and not before):
            raise NotFound
        last = before[0].version if before else 0
        if last != version:
            raise Refused(refusal("snippet_changed"))
        text = " ".join(free_text(title).split()), free_text(body)
        wrong = None if retired else refusal_for_snippet(*text)
        if wrong is not None:
            raise Refused(wrong)
        kept = Snippet(snippet_id or new_id(), last + 1, own, *text, actor.id, ctx.now())
        if retired and before:
            kept = replace(kept, title=before[0].title, body=before[0].body, retired=True)
        unit.add_snippet(kept)
        reported: Plain = {"account": actor.id, "snippet": kept.id, "version": kept.version, "agency": own}
        unit.add_right(seal(unit.right_head(), CHAIN, ctx.now(), actor, "snippet_kept", "", reported))
        return kept

    arguments = (agency, title, body, snippet_id, version, retired)
    return once(ctx, actor, "keep_snippet", token, arguments, work, _KEPT)


def _last(unit: Unit, snippet_id: str) -> Snippet:
    found = unit.snippet_versions(snippet_id)
    if not found:
        raise NotFound
    return found[0]


def snippet_text(ctx: AppContext, actor: Actor, snippet_id: str, dossier_id: str) -> str:
    """Return a snippet filled for one dossier, with names and dates in the language of the applicant.

    Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        dossier = seen(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, dossier)
        found = unit.snippet_versions(snippet_id)
    if not found or found[0].retired or found[0].agency not in agencies_of(ctx, actor):
        raise NotFound
    place = ctx.directory.offices.get(dossier.office or "")
    spoken = dossier.language
    due = ctx.wording.short_day(local_day(dossier.due_at), spoken) if dossier.due_at else ""
    return filled(found[0].body, {
        "dossier": group_number(dossier.number), "title": procedure.identity.title.in_(spoken), "agent": actor.name,
        "office": place.label.in_(spoken) if place else "", "due": due,
    })  # fmt: skip
