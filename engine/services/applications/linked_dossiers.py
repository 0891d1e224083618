"""Links between dossiers: naming an earlier one on a draft, and noticing its end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from engine.core.clock import local_day
from engine.core.problems import Refusal, Refused, refusal
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.linked_dossiers import awaited_links, copied, is_spent, link_ended, link_unfit, may_end
from engine.model import Link, Procedure
from engine.model.types import Scope
from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier, LinkedDossier
from engine.services.applications.draft_answers import keep_answers, own_draft, shown_form
from engine.services.context.app_context import AppContext, NotFound, pinned, seen
from engine.services.context.edition_cache import EditionMissing
from engine.services.core.commit import carry_out
from engine.services.core.idempotency import DOSSIER, once
from engine.services.core.register_lookups import next_in_states
from engine.services.limits.code_limits import UNKNOWN_ASKER, Asker
from engine.services.sign_in.applicant_sign_in import prove_link, send_link_code
from engine.storage.results import Conflict
from engine.storage.unit_of_work import Unit

log = logging.getLogger("guichet.tour")

_NEXT = "links"  # name of the cursor where the next worker pass begins


def name_earlier(
    ctx: AppContext, actor: Actor, dossier_id: str, link_id: str, number: str, row: int | None = None, *,
    phone: str | None = None, revision: int | None = None, token: str | None = None,
) -> Dossier:  # fmt: skip
    """Name the earlier dossier (id or number) on which a draft depends.

    The answers that the procedure asks for are copied. It is the person's own, or its contact `phone`
    was proven (`linked_dossiers.prove_earlier`). Raises `NotFound`, `Conflict`. Raises Refused:
    link_unfit, link_row, not_now, role, closed, already_submitted.
    """

    def work(unit: Unit) -> Dossier:
        before = own_draft(unit, ctx, actor, dossier_id, revision)
        procedure, day = pinned(ctx, unit, before), ctx.day()
        link = procedure.tasks.get(link_id)
        if not isinstance(link, Link):
            raise NotFound
        earlier = _earlier(unit, ctx, actor, number, phone)
        scope = scope_of(procedure, before, day, ctx.directory)
        definition = pinned(ctx, unit, earlier)
        unfit = _unfit(ctx, procedure, link, earlier, definition, row, scope)
        if unfit is not None:
            raise Refused(unfit)
        links = {**before.links, link_id: LinkedDossier(earlier.id, earlier.number, row)}
        answers = copied(procedure, before, link, earlier, definition, row, day, ctx.directory)
        after = replace(before, links=links, answers={**before.answers, **answers})
        return keep_answers(ctx, unit, before, after, "linked", actor, link=link_id)

    arguments = (dossier_id, link_id, number, row, revision)
    return once(ctx, actor, "name_earlier", token, arguments, work, DOSSIER)


def _earlier(unit: Unit, ctx: AppContext, actor: Actor, number: str, phone: str | None) -> Dossier:
    """Return the earlier dossier for its owner or the holder of its contact phone.

    At a counter, the agent may name a dossier of the helped person, which grants no access to it.
    """
    other = unit.dossier_numbered(number) if phone or actor.principal else None
    if other is not None and not other.is_draft:
        helped = actor.kind == "agent" and bool(actor.principal) and other.owner == actor.principal
        if helped or (phone is not None and other.contact_phone == phone):
            return other
    return seen(unit, ctx, actor, number)


@dataclass(frozen=True, slots=True)
class LinkCandidate:
    """An earlier dossier that may be named.

    `rows`: the rows to choose from, where the link wants one. `unfit`: why it cannot be named.
    """

    dossier: Dossier
    definition: Procedure
    rows: tuple[str, ...] = ()
    unfit: Refusal | None = None


def candidate(
    ctx: AppContext, actor: Actor, dossier_id: str, link_id: str, number: str, phone: str | None = None
) -> LinkCandidate:
    """Return one earlier dossier as it could be named on a draft. Raises `NotFound` as `name_earlier`."""
    with ctx.store.unit() as unit:
        draft = own_draft(unit, ctx, actor, dossier_id)
        procedure = pinned(ctx, unit, draft)
        link = procedure.tasks.get(link_id)
        if not isinstance(link, Link):
            raise NotFound
        earlier = _earlier(unit, ctx, actor, number, phone)
        definition = pinned(ctx, unit, earlier)
    rows = _rows(ctx, link, earlier, definition)
    scope = scope_of(procedure, draft, ctx.day(), ctx.directory)
    tried = [_unfit(ctx, procedure, link, earlier, definition, row, scope) for row in range(len(rows)) or (None,)]
    unfit = None if None in tried else tried[0]
    return LinkCandidate(earlier, definition, rows, unfit)


def _unfit(
    ctx: AppContext, procedure: Procedure, link: Link, earlier: Dossier, definition: Procedure, row: int | None,
    scope: Scope,
) -> Refusal | None:  # fmt: skip
    """Return why an earlier dossier cannot be linked, None when it can. Its documents may be of another agency."""
    if not may_end(procedure, link, definition, ctx.catalogue.procedures.get(link.procedure)):
        return refusal("link_unfit", link.where, link=link.id)
    return link_unfit(link, earlier, definition, row, scope)


def with_fit_links(ctx: AppContext, unit: Unit, draft: Dossier) -> Dossier:
    """Return the draft without the earlier dossiers that its answers no longer ask for, or that fit no more.

    A document may be revoked or replaced after its dossier was named. A dossier whose edition is missing stays named.
    """
    procedure = pinned(ctx, unit, draft)
    scope = scope_of(procedure, draft, ctx.day(), ctx.directory)
    links = {link.id: link for link in procedure.links()}
    fit = {
        name: linked for name, linked in draft.links.items()
        if name in links and _is_fit(ctx, unit, procedure, links[name], linked, scope)
    }  # fmt: skip
    return draft if fit == draft.links else replace(draft, links=fit)


def _is_fit(
    ctx: AppContext, unit: Unit, procedure: Procedure, link: Link, linked: LinkedDossier, scope: Scope
) -> bool:  # fmt: skip
    earlier = unit.dossier(linked.dossier)
    if earlier is None:  # a scenario names dossiers that do not exist
        return True
    try:
        definition = pinned(ctx, unit, earlier)
    except EditionMissing:
        return True
    return _unfit(ctx, procedure, link, earlier, definition, linked.row, scope) is None


def has_spent_link(ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier) -> bool:
    """Return whether the documents that a dossier would replace or revoke were all revoked or replaced meanwhile."""
    for link in procedure.links():
        linked = dossier.links.get(link.id) if link.ends_documents else None
        earlier = unit.dossier(linked.dossier) if linked else None
        if linked and earlier and is_spent(link, earlier, pinned(ctx, unit, earlier), linked.row):
            return True
    return False


def fit_links(ctx: AppContext, actor: Actor, dossier_id: str) -> Mapping[str, LinkedDossier]:
    """Return the earlier dossiers named on a draft that still fit, by link. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        return with_fit_links(ctx, unit, seen(unit, ctx, actor, dossier_id)).links


def candidates(ctx: AppContext, actor: Actor, dossier_id: str, link_id: str) -> tuple[LinkCandidate, ...]:
    """Return the person's own dossiers that may be named, newest first.

    A representative gets those of the mandate. Raises `NotFound`.
    """
    with ctx.store.unit() as unit:
        draft = own_draft(unit, ctx, actor, dossier_id)
        link = pinned(ctx, unit, draft).tasks.get(link_id)
        if not isinstance(link, Link):
            raise NotFound
        lines = unit.dossiers_of(actor.owns, procedure=link.procedure)
    sent = (line for line in lines if line.submitted_at is not None)
    found = []
    for line in sent:
        with suppress(NotFound):
            found.append(candidate(ctx, actor, dossier_id, link_id, line.number))
    return tuple(one for one in found if one.unfit is None)


def _rows(ctx: AppContext, link: Link, earlier: Dossier, procedure: Procedure) -> tuple[str, ...]:
    """Return the labels of the rows of an earlier dossier where one is chosen.

    A row without a label has an empty text.
    """
    if link.row is None:
        return ()
    form = shown_form(ctx, procedure, earlier, None)
    group = next((view for page in form.pages for view in page.fields if view.id == link.row), None)
    return tuple(row.label for row in group.rows) if group is not None else ()


def send_proof(
    ctx: AppContext, number: str, *, asker: Asker = UNKNOWN_ASKER, language: str = "fr", mark: str = ""
) -> None:
    """Send a code to the phone of a dossier, whose holder may then name it.

    The caller never learns whether the dossier exists or a code was just sent.
    """
    phone = _phone_of(ctx, number)
    if phone is not None:
        with suppress(Refused):
            send_link_code(ctx, phone, asker=asker, language=language, mark=mark)


def prove_earlier(ctx: AppContext, number: str, code: str, *, mark: str = "") -> str | None:
    """Return the phone of a dossier once the code sent to it was typed; None when they do not match."""
    phone = _phone_of(ctx, number)
    if phone is None:
        return None
    try:
        return prove_link(ctx, phone, code, mark=mark)
    except Refused:
        return None


def _phone_of(ctx: AppContext, number: str) -> str | None:
    with ctx.store.unit() as unit:
        dossier = unit.dossier_numbered(number)
    return dossier.contact_phone if dossier is not None and not dossier.is_draft else None


def follow_links(ctx: AppContext, limit: int = 50) -> int:
    """Move on every dossier whose linked dossier has ended; each worker pass checks the next ones.

    Return how many moved.
    """
    places = ctx.editions.worked_out(ctx.catalogue, "links", lambda catalogue: tuple(dict.fromkeys(
        (procedure.id, state.id) for procedure in ctx.editions.summaries(catalogue) for state in procedure.states if state.links
    )))  # fmt: skip
    return sum(_follow(ctx, one) for one in next_in_states(ctx, _NEXT, places, limit))


def _follow(ctx: AppContext, dossier_id: str) -> bool:
    try:
        with ctx.store.unit(write=True) as unit:
            return _pass_on(ctx, unit, dossier_id)
    except (Refused, Conflict):  # another unit was faster
        return False
    except EditionMissing:  # a person must look at it; the others go on
        log.warning("the edition of %s, or of one it waits for, cannot be read", dossier_id)
        return False


def _pass_on(ctx: AppContext, unit: Unit, dossier_id: str) -> bool:
    dossier = unit.dossier(dossier_id)
    if dossier is None:
        return False
    procedure = pinned(ctx, unit, dossier)
    scope = scope_of(procedure, dossier, local_day(ctx.now()), ctx.directory)
    for link in awaited_links(procedure, dossier, scope):
        earlier = unit.dossier(dossier.links[link.id].dossier)
        outcome = _end_of(pinned(ctx, unit, earlier), earlier) if earlier else None
        if outcome is not None:
            decision = link_ended(
                procedure, dossier, link.id, outcome, ctx.now(), ctx.directory, ctx.wording
            )  # fmt: skip
            carry_out(ctx, unit, dossier, decision, SYSTEM_ACTOR)
            return True
    return False


def _end_of(procedure: Procedure, earlier: Dossier) -> str | None:
    state = procedure.states.get(earlier.state)
    return state.outcome if state is not None and earlier.closed_at is not None else None
