"""Links between dossiers: naming an earlier one on a draft, and noticing when it ends."""

from __future__ import annotations

from dataclasses import replace

from engine.clock import local_day
from engine.definition.model import Link, Procedure
from engine.office.answering import keep_answers, own_draft
from engine.office.carrying import carry_out
from engine.office.command import DOSSIER, once
from engine.office.lookups import ask_now
from engine.office.office import NotFound, Office, pinned, seen
from engine.problems import Refused
from engine.records.dossier import SYSTEM_ACTOR, Actor, Dossier, Linked
from engine.records.store import Conflict, Tray, Unit
from engine.rules.linking import awaited_links, copied, link_ended, link_unfit
from engine.rules.scopes import scope_of


def name_earlier(
    office: Office, actor: Actor, dossier_id: str, link_id: str, number: str, row: int | None = None, *,
    revision: int | None = None, token: str | None = None,
) -> Dossier:  # fmt: skip
    """Names the earlier dossier (id or number, the person's own) that a draft hangs on; what the book copies of it is
    filled in. Raises NotFound, Conflict, Refused: link_unfit, link_row, not_now, role, closed, already_submitted."""

    def work(unit: Unit) -> Dossier:
        before = own_draft(unit, office, actor, dossier_id, revision)
        procedure, day = pinned(office, unit, before), office.day()
        link = procedure.tasks.get(link_id)
        if not isinstance(link, Link):
            raise NotFound
        earlier = seen(unit, office, actor, number)
        scope = scope_of(procedure, before, day, office.directory)
        unfit = link_unfit(link, earlier, pinned(office, unit, earlier), row, scope)
        if unfit is not None:
            raise Refused(unfit)
        links = {**before.links, link_id: Linked(earlier.id, earlier.number, row)}
        answers = copied(procedure, before, link, earlier, row, day, office.directory)
        after = replace(before, links=links, answers={**before.answers, **answers})
        return keep_answers(office, unit, before, after, "linked", actor, link=link_id)

    arguments = (dossier_id, link_id, number, row, revision)
    return once(office, actor, "name_earlier", token, arguments, work, DOSSIER)


def follow_links(office: Office, limit: int = 50) -> int:
    """Passes on every dossier that waited for the end of another one. How many did."""
    places = tuple(
        (procedure.id, state.id)
        for procedure in office.shelf.procedures(office.catalogue)
        for state in procedure.states.values()
        if any(isinstance(procedure.tasks[one], Link) for one in state.waits)
    )
    if not places:
        return 0
    with office.store.unit() as unit:
        lines = unit.find_dossiers(Tray(places=tuple(dict.fromkeys(places))), None, limit).lines
    return sum(_follow(office, line.id) for line in lines)


def _follow(office: Office, dossier_id: str) -> bool:
    try:
        with office.store.unit(write=True) as unit:
            moved = _pass_on(office, unit, dossier_id)
    except (Refused, Conflict):  # somebody was faster
        return False
    if moved is not None:
        ask_now(office, moved)
    return moved is not None


def _pass_on(office: Office, unit: Unit, dossier_id: str) -> Dossier | None:
    dossier = unit.dossier(dossier_id)
    if dossier is None:
        return None
    procedure = pinned(office, unit, dossier)
    scope = scope_of(procedure, dossier, local_day(office.now()), office.directory)
    for link in awaited_links(procedure, dossier, scope):
        earlier = unit.dossier(dossier.links[link.id].dossier)
        outcome = _end_of(pinned(office, unit, earlier), earlier) if earlier else None
        if outcome is not None:
            decision = link_ended(
                procedure, dossier, link.id, outcome, office.now(), office.directory, office.wording
            )  # fmt: skip
            return carry_out(office, unit, dossier, decision, SYSTEM_ACTOR)
    return None


def _end_of(book: Procedure, earlier: Dossier) -> str | None:
    state = book.states.get(earlier.state)
    return state.outcome if state is not None and earlier.closed_at is not None else None
