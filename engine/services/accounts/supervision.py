"""Absences of agents and handover of their dossiers by the administrator of the team.

Each dossier is handed over in its own unit. An administrator does not read dossiers: only numbers,
states and assigned agents are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import acting_role
from engine.domain.common.agent_rights import Absence, administers, is_absent, may_see_person, with_absence
from engine.domain.common.decision import EntryDraft
from engine.domain.common.four_eyes import barred_from_state
from engine.model import Procedure
from engine.model.roles import awaited_roles
from engine.records.dossier import Account, Actor, Dossier
from engine.records.jobs import Job, JobItem
from engine.services.accounts.agents import member, note_about, team
from engine.services.applications.casework import people_of
from engine.services.context.app_context import AppContext, NotFound, pinned
from engine.services.core.commit import keep
from engine.services.core.idempotency import once
from engine.services.core.jobs import MOST_LINES, ORDER, carry_lines, give
from engine.storage.results import Conflict, DossierLine, DossierQuery
from engine.storage.unit_of_work import Unit


@dataclass(frozen=True, slots=True)
class Handed:
    """One dossier of a preview. `closed`: why it cannot be handed over, None if it can."""

    dossier: Dossier
    closed: Refusal | None = None


# -- absence -----------------------------------------------------------------------------------------------------------


def set_absence(ctx: AppContext, actor: Actor, account_id: str, first: date | None, last: date | None) -> Account:
    """Set the absence of an agent of the team; without days, end it.

    Raises `NotFound`. Raises Refused: absence_backwards, absence_past.
    """
    absence = Absence(first, last) if first is not None and last is not None else None
    if absence is not None and absence.last < absence.first:
        raise Refused(refusal("absence_backwards"))
    if absence is not None and absence.last < ctx.day():
        raise Refused(refusal("absence_past"))
    with ctx.store.unit(write=True) as unit:
        before = unit.account_held(account_id)
        if before is None or before.kind != "agent" or not may_see_person(actor, before):
            raise NotFound
        after = replace(before, profile=with_absence(before, absence))
        if after != before:
            unit.put_account(after)
            reported: dict[str, Plain] = {"until": absence.last.isoformat() if absence else None}
            note_about(ctx, unit, actor, "absence_set" if absence else "absence_ended", after, reported)
    return after


# -- handover ----------------------------------------------------------------------------------------------------------


def held_by(ctx: AppContext, actor: Actor, account_id: str) -> tuple[DossierLine, ...]:
    """Return the open dossiers of an agent that this administrator may hand over, by due date.

    Raises `NotFound`.
    """
    held = member(ctx, actor, account_id)
    with ctx.store.unit() as unit:
        found = unit.find_dossiers(DossierQuery(assigned=held.id), limit=MOST_LINES).lines
    agencies = {line.procedure: _agency(ctx, line.procedure) for line in found}
    return tuple(line for line in found if administers(actor, (agencies[line.procedure],)))


def _agency(ctx: AppContext, procedure: str) -> str:
    return next((one.agency for one in ctx.editions.summaries(ctx.catalogue, procedure)), "")


def receivers_for(ctx: AppContext, actor: Actor, account_id: str) -> tuple[Account, ...]:
    """Return the agents of the team who are present today and share a role with this agent.

    Raises `NotFound`.
    """
    held, day = member(ctx, actor, account_id), ctx.day()
    return tuple(
        one for one in team(ctx, actor)
        if one.kind == "agent" and one.id != held.id and one.is_open(day) and not is_absent(one, day)
        and set(one.roles) & set(held.roles)
    )  # fmt: skip


def preview_handover(ctx: AppContext, actor: Actor, numbers: Sequence[str], to: str) -> tuple[Handed, ...]:
    """Return which of these dossiers may be handed to an agent.

    An empty `to` means back to the queue. Saves nothing.
    """
    found = []
    with ctx.store.unit() as unit:
        people = people_of(ctx, unit)
        for number in list(dict.fromkeys(numbers))[:MOST_LINES]:
            dossier = unit.dossier_numbered(number)
            if dossier is None:
                continue
            procedure = pinned(ctx, unit, dossier)
            if administers(actor, (procedure.identity.agency,)):
                found.append(Handed(dossier, _refusal(ctx, unit, procedure, dossier, to, people)))
    return tuple(found)


def _refusal(
    ctx: AppContext, unit: Unit, procedure: Procedure, dossier: Dossier, to: str, people: Mapping[str, Actor]
) -> Refusal | None:
    if dossier.closed_at is not None or dossier.is_draft:
        return refusal("closed")
    if not to:
        return None
    account, person = unit.account(to), people.get(to)
    if account is None or person is None or not account.is_open(ctx.day()):
        return refusal("role")
    if is_absent(account, ctx.day()):
        return refusal("absent")
    roles = sorted(awaited_roles(procedure, dossier.state))
    if acting_role(procedure, dossier, person, roles) is None:
        return refusal("hand_role")
    return refusal("hand_barred") if barred_from_state(procedure, dossier, dossier.state, to, person.roles) else None


def order_handover(
    ctx: AppContext, actor: Actor, holder: str, to: str, picked: Sequence[tuple[str, int]], *, token: str | None = None
) -> Job:  # fmt: skip
    """Create the job that hands these dossiers of an agent to another, or to the queue.

    `picked` holds pairs of number and revision seen. Raises `NotFound` outside the team. Raises
    Refused: nothing_picked, too_many_picked.
    """
    member(ctx, actor, holder)
    if to:
        member(ctx, actor, to)

    def work(unit: Unit) -> Job:
        lines = []
        for number, revision in dict(picked).items():
            dossier = unit.dossier_numbered(number)
            if dossier is None or not administers(actor, (pinned(ctx, unit, dossier).identity.agency,)):
                raise NotFound
            lines.append((dossier.id, dossier.number, revision))
        if not lines:
            raise Refused(refusal("nothing_picked"))
        if len(lines) > MOST_LINES:
            raise Refused(refusal("too_many_picked", most=MOST_LINES))
        return give(ctx, unit, actor, "handover", {"from": holder, "to": to}, len(lines), lines)

    return once(ctx, actor, "order_handover", token, (holder, to, list(picked)), work, ORDER)


def carry_handover(ctx: AppContext, order: Job, most: int) -> int:
    """Hand over at most `most` remaining dossiers of a job. Return how many were tried."""

    def work(unit: Unit, order: Job, line: JobItem, actor: Actor) -> None:
        asked = order.asked if isinstance(order.asked, dict) else {}
        to, dossier = str(asked.get("to") or ""), unit.dossier(line.dossier)
        if dossier is None:
            raise NotFound
        procedure = pinned(ctx, unit, dossier)
        if not administers(actor, (procedure.identity.agency,)):
            raise Refused(refusal("role"))
        if dossier.revision != line.revision or dossier.assigned != asked.get("from"):
            raise Conflict(dossier.number)
        closed = _refusal(ctx, unit, procedure, dossier, to, people_of(ctx, unit))
        if closed is not None:
            raise Refused(closed)
        body: dict[str, Plain] = {"revision": dossier.revision + 1, "to": to or None, "bulk": order.n}
        keep(ctx, unit, dossier, replace(dossier, assigned=to or None), [EntryDraft("assigned", body)], actor)

    return carry_lines(ctx, order, work, most)
