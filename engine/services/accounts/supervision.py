"""Supervision of services: their open work by step and agent, the assignment of dossiers, and absences.

A person supervises what awaits the roles that they lead, in their own offices. An administrator supervises the
procedures of their agencies. Neither reads a dossier by it: numbers, states and assigned agents are shown. Each dossier
is assigned in its own unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain
from engine.domain.common.access import acting_role, in_their_offices, is_own
from engine.domain.common.agent_rights import (
    Absence,
    administers,
    agency_of,
    is_absent,
    is_administrator,
    may_see_person,
    with_absence,
)
from engine.domain.common.decision import EntryDraft
from engine.domain.common.four_eyes import barred_from_state
from engine.domain.common.working_time import end_of_day
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.model.roles import awaited_roles
from engine.records.dossier import Account, Actor, Dossier
from engine.records.jobs import Job, JobItem
from engine.services.accounts.agents import note_about
from engine.services.applications.casework import people_of
from engine.services.context.app_context import AppContext, NotFound, pinned
from engine.services.core.commit import keep
from engine.services.core.idempotency import once
from engine.services.core.jobs import MOST_LINES, ORDER, carry_lines, give
from engine.storage.results import EARLIEST, LATEST, Conflict, DossierLine, DossierQuery, OpenCount, ResultPage
from engine.storage.unit_of_work import Unit

QUEUE: Final = ""  # the receiver of dossiers that no agent has
SPREAD: Final = "*"  # the receivers are all who are present
FORMER: Final = "<"  # the receivers are those who had the dossiers before
MOST_COUNTED: Final = 30_000  # open dossiers: more would take over 0.1 s of the processor
LONGEST_ABSENCE: Final = timedelta(days=5 * 366)
_SOON: Final = 2  # working days


# -- what a person supervises ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SupervisedWork:
    """The work that a person supervises: (procedure, state) pairs, offices (None for all), and the roles awaited."""

    places: tuple[tuple[str, str], ...]
    offices: frozenset[str] | None
    roles: frozenset[str]


def supervises(ctx: AppContext, actor: Actor) -> bool:
    """Return whether a person leads a role or administers an agency."""
    return is_administrator(actor) or bool(ctx.directory.led_by(actor.roles))


def supervised_work(
    ctx: AppContext, actor: Actor, procedure: str = "", role: str = "", office_id: str = ""
) -> SupervisedWork:
    """Return what a person supervises, narrowed by the filters given. Raises `NotFound` if they supervise nothing."""
    if not supervises(ctx, actor):
        raise NotFound
    led = ctx.directory.led_by(actor.roles)

    def work(catalogue: Catalogue) -> tuple[tuple[tuple[str, str], ...], frozenset[str]]:
        places: dict[tuple[str, str], frozenset[str]] = {}
        for one in ctx.editions.summaries(catalogue, procedure or None):
            own = administers(actor, (one.agency,))
            for state in one.states:
                waited = state.roles if own else state.roles & led
                if not state.ends and (own or waited) and (not role or role in waited):
                    places[one.id, state.id] = places.get((one.id, state.id), frozenset()) | waited
        return tuple(places), frozenset(key for waited in places.values() for key in waited)

    name = ("supervised", led, actor.administers, procedure, role)
    places, roles = ctx.editions.worked_out(ctx.catalogue, name, work)
    offices = _offices(ctx, actor)
    if office_id:
        offices = frozenset({office_id}) if offices is None or office_id in offices else frozenset()
    return SupervisedWork(places, offices, roles)


def _offices(ctx: AppContext, actor: Actor) -> frozenset[str] | None:
    """Return the offices of the work that a person supervises, None for all: an administrator knows all of an agency."""
    led = ctx.directory.led_by(actor.roles)
    return None if administers(actor, map(agency_of, led)) else actor.offices or None


def _is_supervised(ctx: AppContext, actor: Actor, procedure: Procedure, dossier: Dossier) -> bool:
    if is_own(dossier, actor):
        return False
    if administers(actor, (procedure.identity.agency,)):
        return True
    led = ctx.directory.led_by(actor.roles)
    return not led.isdisjoint(awaited_roles(procedure, dossier.state)) and in_their_offices(dossier, actor)


def _supervises_person(ctx: AppContext, actor: Actor, account: Account) -> bool:
    if account.kind != "agent":
        return False
    shared = not actor.offices or not account.offices or not actor.offices.isdisjoint(account.offices)
    led = ctx.directory.led_by(actor.roles)
    return may_see_person(actor, account) or (shared and not led.isdisjoint(account.on(ctx.day()).roles))


# -- the work ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Backlog:
    """The open work of a scope.

    `bands` of a count: late, due today, due within two working days, due later. `people` may be given some of it, by
    name, absent ones too. `oldest` was sent first.
    """

    counts: tuple[OpenCount, ...]
    people: tuple[Account, ...]
    oldest: DossierLine | None

    @property
    def is_capped(self) -> bool:
        """Whether more dossiers may be open than were counted."""
        return sum(one.count for one in self.counts) >= MOST_COUNTED

    @property
    def held(self) -> Mapping[str | None, int]:
        """How many dossiers each agent has, and none."""
        found: dict[str | None, int] = {}
        for one in self.counts:
            found[one.assigned] = found.get(one.assigned, 0) + one.count
        return found


def backlog(ctx: AppContext, actor: Actor, scope: SupervisedWork) -> Backlog:
    """Return the open work of a scope. Of more than `MOST_COUNTED` dossiers, that many are counted."""
    today = end_of_day(ctx.day()) + timedelta(seconds=1)
    soon = end_of_day(ctx.directory.calendar.add_working_days(ctx.day(), _SOON)) + timedelta(seconds=1)
    with ctx.store.unit() as unit:
        counts = unit.count_open(scope.places, scope.offices, (ctx.now(), today, soon), MOST_COUNTED)
        oldest = unit.find_dossiers(DossierQuery(scope.places, scope.offices, order="received"), None, 1).lines
        return Backlog(counts, _people(ctx, unit, actor, scope), oldest[0] if oldest else None)


def _people(ctx: AppContext, unit: Unit, actor: Actor, scope: SupervisedWork) -> tuple[Account, ...]:
    day = ctx.day()
    return tuple(
        one for one in unit.accounts("agent")
        if one.is_open(day) and not scope.roles.isdisjoint(one.on(day).roles) and _supervises_person(ctx, actor, one)
    )  # fmt: skip


VIEWS: Final = ("", "late", "today", "free", "all")


def list_work(
    ctx: AppContext, scope: SupervisedWork, view: str, held_by: str = "", *, after: str | None = None, order: str = "due",
    reverse: bool = False, limit: int = 50,
) -> ResultPage:  # fmt: skip
    """Return one page of the work of a scope: `VIEWS`, or what an agent has. The view "" shows what has a due date."""
    ends = {"late": ctx.now(), "today": end_of_day(ctx.day()) + timedelta(seconds=1), "": LATEST}
    asked = DossierQuery(
        scope.places, scope.offices, assigned=held_by or None, unassigned=view == "free" and not held_by,
        late_at=None if held_by else ends.get(view), order=order, reverse=reverse,
    )  # fmt: skip
    with ctx.store.unit() as unit:
        return unit.find_dossiers(asked, after, limit)


# -- assignment --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receiver:
    """An agent who is present, with how many dossiers they have, and the ids of those that they may be given."""

    account: Account
    held: int
    can: frozenset[str]


@dataclass(frozen=True, slots=True)
class AssignmentChoice:
    """Dossiers to assign, who may be given one of them, and who gets which (by id) when they are spread."""

    dossiers: tuple[Dossier, ...]
    receivers: tuple[Receiver, ...]
    spread: Mapping[str, str]


def choices_for(ctx: AppContext, actor: Actor, numbers: Sequence[str]) -> AssignmentChoice:
    """Return who may be given these dossiers. Neither an absent person nor one whom four eyes bar is offered."""
    with ctx.store.unit() as unit:
        found = [_supervised(ctx, unit, actor, number) for number in list(dict.fromkeys(numbers))[:MOST_LINES]]
        return _choices(ctx, unit, actor, [one for one in found if one is not None])


def _supervised(ctx: AppContext, unit: Unit, actor: Actor, number: str) -> Dossier | None:
    dossier = unit.dossier_numbered(number)
    return dossier if dossier and _is_supervised(ctx, actor, pinned(ctx, unit, dossier), dossier) else None


def _choices(ctx: AppContext, unit: Unit, actor: Actor, dossiers: Sequence[Dossier]) -> AssignmentChoice:
    scope = supervised_work(ctx, actor)
    team = {one.id: one for one in _people(ctx, unit, actor, scope) if not is_absent(one, ctx.day())}
    persons = {one: ctx.person(account) for one, account in team.items()}
    can: dict[str, set[str]] = {one: set() for one in team}
    for dossier in dossiers:
        procedure = pinned(ctx, unit, dossier)
        for one, account in team.items():
            if _refusal(ctx, procedure, dossier, account, persons[one]) is None:
                can[one].add(dossier.id)
    held = dict.fromkeys(team, 0)
    for counted in unit.count_open(scope.places, scope.offices, (), MOST_COUNTED):
        if counted.assigned in held:
            held[counted.assigned] += counted.count
    receivers = tuple(Receiver(account, held[one], frozenset(can[one])) for one, account in team.items() if can[one])
    return AssignmentChoice(tuple(dossiers), receivers, _spread(dossiers, receivers))


def _spread(dossiers: Sequence[Dossier], receivers: Sequence[Receiver]) -> Mapping[str, str]:
    """Return who gets which dossier: the oldest first, to the one who has the fewest."""
    moved = [one.assigned for one in dossiers]
    load = {one.account.id: one.held - moved.count(one.account.id) for one in receivers}
    found: dict[str, str] = {}
    for dossier in sorted(dossiers, key=lambda one: (one.submitted_at or EARLIEST, one.id)):
        able = [one.account.id for one in receivers if dossier.id in one.can]
        if able:
            found[dossier.id] = min(able, key=load.__getitem__)
            load[found[dossier.id]] += 1
    return found


def _refusal(
    ctx: AppContext, procedure: Procedure, dossier: Dossier, account: Account | None, person: Actor | None
) -> Refusal | None:
    """Return why a dossier may not be given to an agent."""
    if dossier.closed_at is not None or dossier.is_draft:
        return refusal("closed")
    if account is None or person is None or not account.is_open(ctx.day()):
        return refusal("role")
    if is_absent(account, ctx.day()):
        return refusal("absent")
    roles = sorted(awaited_roles(procedure, dossier.state))
    if acting_role(procedure, dossier, person, roles) is None:
        return refusal("hand_role")
    barred = barred_from_state(procedure, dossier, dossier.state, account.id, person.roles)
    return refusal("hand_barred") if barred else None


def order_assignment(
    ctx: AppContext, actor: Actor, to: str, picked: Sequence[tuple[str, int]], *, token: str | None = None
) -> Job:  # fmt: skip
    """Create the job that gives these dossiers to an agent, to the queue (`QUEUE`), or to all present (`SPREAD`).

    `picked` holds pairs of number and revision seen. What the person does not supervise, or no longer, is left out.
    Raises `NotFound` if nothing else is picked, or for a receiver whom they do not supervise. Raises Refused:
    nothing_picked, too_many_picked.
    """
    # Before the unit that writes: it takes seconds, and each item is checked again when it is carried out.
    spread = choices_for(ctx, actor, [number for number, _ in picked]).spread if to == SPREAD else {}

    def work(unit: Unit) -> Job:
        if len(picked) > MOST_LINES:
            raise Refused(refusal("too_many_picked", most=MOST_LINES))
        found = [_supervised(ctx, unit, actor, number) for number in dict(picked)]
        dossiers = [one for one in found if one is not None]
        if found and not dossiers:
            raise NotFound
        account = unit.account(to) if to not in (QUEUE, SPREAD) else None
        if to not in (QUEUE, SPREAD) and (account is None or not _supervises_person(ctx, actor, account)):
            raise NotFound
        given = [(one, spread.get(one.id, to)) for one in dossiers if to != SPREAD or one.id in spread]
        if not given:
            raise Refused(refusal("nothing_picked"))
        asked: dict[str, Plain] = {
            "to": to, "each": [person for _, person in given] if spread else [],
            "from": [one.assigned or QUEUE for one, _ in given],
        }  # fmt: skip
        seen = dict(picked)
        lines = [(one.id, one.number, seen[one.number]) for one, _ in given]
        return give(ctx, unit, actor, "handover", asked, len(lines), lines)

    return once(ctx, actor, "order_handover", token, (to, list(picked)), work, ORDER)


def order_return(ctx: AppContext, actor: Actor, n: int, *, token: str | None = None) -> Job:
    """Create the job that returns the dossiers of an assignment to those who had them before, or to the queue.

    A dossier that changed since is left as it is. Raises `NotFound` for a job that is not an assignment of this person.
    Raises Refused: nothing_picked.
    """

    def work(unit: Unit) -> Job:
        order = unit.order_numbered(n)
        former = former_in(order) if order is not None and order.account == actor.id else []
        if order is None or not former:
            raise NotFound
        done = [one for one in unit.order_lines(order.id) if one.outcome == "done" and one.rank < len(former)]
        if not done:
            raise Refused(refusal("nothing_picked"))
        asked: dict[str, Plain] = {"to": FORMER, "each": [former[one.rank] for one in done]}
        lines = [(one.dossier, one.number, one.revision + 1) for one in done]
        return give(ctx, unit, actor, "handover", asked, len(lines), lines)

    return once(ctx, actor, "order_return", token, n, work, ORDER)


def former_in(order: Job) -> list[Plain]:
    """Return who had each dossier before a job of assignment, `QUEUE` where no agent had it; empty for another job."""
    asked = order.asked if order.work == "handover" and isinstance(order.asked, dict) else {}
    found = asked.get("from")
    return found if isinstance(found, list) else []


def receiver_in(order: Job, rank: int) -> str:
    """Return the account that a job of assignment gives a dossier to, empty for the queue."""
    asked = order.asked if isinstance(order.asked, dict) else {}
    each = asked.get("each")
    return str(each[rank] if isinstance(each, list) and rank < len(each) else asked.get("to") or "")


def carry_assignment(ctx: AppContext, order: Job, most: int) -> int:
    """Assign at most `most` remaining dossiers of a job. Return how many were tried."""

    def work(unit: Unit, order: Job, line: JobItem, actor: Actor) -> None:
        to, dossier = receiver_in(order, line.rank), unit.dossier(line.dossier)
        if dossier is None:
            raise NotFound
        procedure = pinned(ctx, unit, dossier)
        if not _is_supervised(ctx, actor, procedure, dossier):
            raise Refused(refusal("role"))
        if dossier.revision != line.revision:
            raise Conflict(dossier.number)
        person = people_of(ctx, unit).get(to)
        closed = _refusal(ctx, procedure, dossier, unit.account(to), person) if to else _closed(dossier)
        if closed is not None:
            raise Refused(closed)
        body: dict[str, Plain] = {"revision": dossier.revision + 1, "to": to or None, "bulk": order.n}
        keep(ctx, unit, dossier, replace(dossier, assigned=to or None), [EntryDraft("assigned", body)], actor)

    return carry_lines(ctx, order, work, most)


def _closed(dossier: Dossier) -> Refusal | None:
    return refusal("closed") if dossier.closed_at is not None or dossier.is_draft else None


# -- absence -----------------------------------------------------------------------------------------------------------


def set_absence(ctx: AppContext, actor: Actor, account_id: str, first: date | None, last: date | None) -> Account:
    """Set the absence of an agent whom the person leads or administers; without days, end it.

    Raises `NotFound`. Raises Refused: absence_backwards, absence_past, absence_long.
    """
    absence = Absence(first, last) if first is not None and last is not None else None
    if absence is not None and absence.last < absence.first:
        raise Refused(refusal("absence_backwards"))
    if absence is not None and absence.last < ctx.day():
        raise Refused(refusal("absence_past"))
    if absence is not None and absence.last > ctx.day() + LONGEST_ABSENCE:
        raise Refused(refusal("absence_long", day=(ctx.day() + LONGEST_ABSENCE).isoformat()))
    with ctx.store.unit(write=True) as unit:
        before = unit.account_held(account_id)
        if before is None or not _supervises_person(ctx, actor, before):
            raise NotFound
        after = replace(before, profile=with_absence(before, absence))
        if after != before:
            unit.put_account(after)
            reported: dict[str, Plain] = {"until": absence.last.isoformat() if absence else None}
            note_about(ctx, unit, actor, "absence_set" if absence else "absence_ended", after, reported)
    return after
