"""Which acts are open to whom on a dossier, and why the others are closed; what an act asks that was not given.

An act is closed by `role`, `own_dossier`, `other_office`, `too_late`, `time_past`, `four_eyes`, `assisted`, `same_as`,
`correction_pending` or `guard`; what was given is refused by `reason_missing`, `attachment_missing`, `correction_empty`, `not_correctable` or
`unknown_answer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from engine.core.problems import Refusal, refusal
from engine.domain.common.access import acting_role, holds, in_their_offices
from engine.domain.common.decision import Act, AvailableAction
from engine.domain.common.task_parts import hands
from engine.domain.common.working_time import add_span
from engine.domain.fields.field_types import is_asked
from engine.domain.fields.raw_answers import OTHER
from engine.domain.workflow.elapsed import ElapsedOutcome, closed_by_time, time_past
from engine.domain.workflow.transition_context import Moment
from engine.model import Form, Procedure, Transition
from engine.model.directory import Directory
from engine.model.roles import role_key
from engine.model.types import Scope
from engine.records.dossier import Actor, Dossier

People = Mapping[str, Actor]  # by account id: who holds which roles today


def acts_of(procedure: Procedure, state: str) -> dict[str, tuple[Transition, ...]]:
    """Human acts of a state, by id in the order of the file; the ways of each by rank."""
    found: dict[str, list[Transition]] = {}
    for way in procedure.leaving.get(state, ()):
        if way.event is None:
            found.setdefault(way.id, []).append(way)
    return {name: tuple(sorted(ways, key=lambda way: way.rank)) for name, ways in found.items()}


def offers_of(moment: Moment, dossier: Dossier, people: People | None = None) -> tuple[AvailableAction, ...]:
    """Every act of the present state, open or closed for the moment's actor."""
    if dossier.is_draft or dossier.state not in moment.procedure.states:
        return ()
    scope = moment.scope(dossier)
    acts = acts_of(moment.procedure, dossier.state).values()
    past = time_past(moment, dossier) if acts else None
    return tuple(AvailableAction(ways, closed_because(moment, dossier, ways, scope, people, past)) for ways in acts)


def closed_because(
    moment: Moment, dossier: Dossier, ways: tuple[Transition, ...], scope: Scope, people: People | None, past: ElapsedOutcome | None
) -> Refusal | None:  # fmt: skip
    """The first thing that closes an act; none when it is open. `past`: what time decided already (`time_past`)."""
    way, procedure, actor = ways[0], moment.procedure, moment.actor
    return (
        _role(procedure, dossier, way, actor)
        or _time(dossier, way, moment.now, moment.directory)
        or closed_by_time(moment, past, acting_role(procedure, dossier, actor, way.by), way.where)
        or _four_eyes(procedure, dossier, way, actor)
        or _same_as(procedure, dossier, way, actor, people)
        or _correction(dossier, way)
        or _guard(procedure, ways, scope)
    )


def _role(procedure: Procedure, dossier: Dossier, way: Transition, actor: Actor) -> Refusal | None:
    roles = tuple(role_key(procedure, role) for role in way.by)
    if actor.kind == "agent" and actor.id == dossier.owner:
        return refusal("own_dossier", way.where)
    if acting_role(procedure, dossier, actor, way.by):
        return None
    if holds(actor, roles) and not in_their_offices(dossier, actor):
        return refusal("other_office", way.where, office=dossier.office or "")
    return refusal("role", way.where, roles=roles)


def _time(dossier: Dossier, way: Transition, now: datetime, directory: Directory) -> Refusal | None:
    if way.within is None:
        return None
    until = add_span(dossier.entered_at, way.within, directory.calendar)
    if now <= until:
        return None
    return refusal("too_late", way.where, until=until.isoformat(timespec="seconds"), within=str(way.within))


def _four_eyes(procedure: Procedure, dossier: Dossier, way: Transition, actor: Actor) -> Refusal | None:
    """Who helped to fill the request in has had a hand in it already."""
    if way.other_than and actor.id in dossier.assisted:
        return refusal("assisted", way.where)
    mine = next((one for one in way.other_than if actor.id in _persons(procedure, dossier, one)), None)
    return refusal("four_eyes", way.where, act=mine) if mine else None


def _persons(procedure: Procedure, dossier: Dossier, act_or_task: str) -> frozenset[str]:
    """Who last took that transition or did that task, its parts included."""
    last = last_actor(dossier, act_or_task)
    return hands(procedure, dossier, act_or_task) | ({last} if last else set())


def _same_as(
    procedure: Procedure, dossier: Dossier, way: Transition, actor: Actor, people: People | None
) -> Refusal | None:
    first = last_actor(dossier, way.same_as) if way.same_as else None
    if way.same_as is None or first in (None, actor.id):
        return None
    if people is not None and (first not in people or not acting_role(procedure, dossier, people[first], way.by)):
        return None  # they no longer hold the role: any holder takes over
    return refusal("same_as", way.where, act=way.same_as)


def last_actor(dossier: Dossier, act_or_task: str) -> str | None:
    """Who last took that transition or did that task (account id)."""
    taken = next((one.by for one in reversed(dossier.taken) if one.transition == act_or_task), None)
    done = dossier.done.get(act_or_task)
    return taken or (done.by if done else None)


def _correction(dossier: Dossier, way: Transition) -> Refusal | None:
    if "correction" in way.asks and dossier.correction and dossier.correction.left:
        return refusal("correction_pending", way.where, fields=dossier.correction.left)
    return None


def _guard(procedure: Procedure, ways: tuple[Transition, ...], scope: Scope) -> Refusal | None:
    """Closed when no way holds. A guard over answers that the act itself fills is judged when it is taken."""
    filled = filled_names(procedure, ways[0])
    if any(way.when.names & filled or way.when.holds(scope) for way in ways):
        return None
    return guard_refusal(ways[-1])


def guard_refusal(way: Transition) -> Refusal:
    return refusal("guard", way.when.where, when=way.when.text, names=tuple(sorted(way.when.names)))


def filled_names(procedure: Procedure, way: Transition) -> frozenset[str]:
    """The answers that an act gives by filling its later form."""
    form = procedure.tasks.get(way.fills) if way.fills else None
    fields = form.fields if isinstance(form, Form) else ()
    return frozenset(name for field in fields for name in (field.id, f"{field.id}_{OTHER}"))


# -- what is given with an act -----------------------------------------------------------------------------------------


def missing_from(moment: Moment, dossier: Dossier, way: Transition, act: Act) -> Refusal | None:
    """What the act asks and the person did not give, or gave wrongly."""
    if "reason" in way.asks and not (act.reason or "").strip() and not _each_said(way, act):
        return refusal("reason_missing", way.where)
    if "attachment" in way.asks and not act.attachments:
        return refusal("attachment_missing", way.where)
    if "correction" in way.asks:
        return _bad_correction(moment, dossier, way, act)
    strange = sorted(act.filling.keys() - filled_names(moment.procedure, way))
    return refusal("unknown_answer", way.where, field=strange[0]) if strange else None


def _each_said(way: Transition, act: Act) -> bool:
    """Whether every answer to correct has a reason of its own: they are the reason then."""
    return "correction" in way.asks and bool(act.correction) and all(said.strip() for said in act.correction.values())


def _bad_correction(moment: Moment, dossier: Dossier, way: Transition, act: Act) -> Refusal | None:
    if not act.correction:
        return refusal("correction_empty", way.where)
    allowed = correctable_fields(moment.procedure, way, moment.scope(dossier))
    for name, reason in act.correction.items():
        if name not in allowed:
            return refusal("not_correctable", way.where, field=name)
        if not reason.strip() and not (act.reason or "").strip():
            return refusal("reason_missing", way.where, field=name)
    return None


def correctable_fields(procedure: Procedure, way: Transition, scope: Scope) -> tuple[str, ...]:
    """The answers of the application that an act may ask to correct: asked, on the path, allowed by the book."""
    shown = (page for page in procedure.form.pages if page.when.holds(scope))
    asked = (field for page in shown for field in page.fields if is_asked(field) and field.when.holds(scope))
    return tuple(field.id for field in asked if not way.correctable or field.id in way.correctable)
