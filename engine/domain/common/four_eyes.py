"""Acts that depend on who did an earlier part: for another person (four eyes), or for the same one."""

from __future__ import annotations

from collections.abc import Container, Mapping

from engine.core.problems import Refusal, refusal
from engine.domain.common.access import acting_role
from engine.domain.common.task_parts import persons_of_task
from engine.model import APPLICANT, SYSTEM, Procedure, Transition
from engine.model.roles import awaited_roles, role_key
from engine.records.dossier import Actor, Dossier

People = Mapping[str, Actor]  # account id → the actor with today's roles


def last_actor(dossier: Dossier, act_or_task: str) -> str | None:
    """Return the account id of the person who last took that transition or did that task, None without one."""
    taken = next((one.by for one in reversed(dossier.taken) if one.transition == act_or_task), None)
    done = dossier.done.get(act_or_task)
    return taken or (done.by if done else None)


def barred_from_act(
    procedure: Procedure, dossier: Dossier, transition: Transition, account: str, contacts: frozenset[str] = frozenset(),
    people: People | None = None,
) -> Refusal | None:  # fmt: skip
    """Return why another person must act. An agent who assisted with the request counts as involved.

    So does another account of theirs, one of `people` with the own number that they declared (`contacts`).
    """

    def is_theirs(one: str) -> bool:
        other = people.get(one) if people is not None and contacts and one != account else None
        return one == account or (other is not None and not contacts.isdisjoint(other.contacts))

    if transition.other_than and any(map(is_theirs, dossier.assisted)):
        return refusal("assisted", transition.where)
    involved = ((one, _persons(procedure, dossier, one)) for one in transition.other_than)
    mine = next((one for one, persons in involved if any(map(is_theirs, persons))), None)
    return refusal("four_eyes", transition.where, act=mine) if mine else None


def _persons(procedure: Procedure, dossier: Dossier, act_or_task: str) -> frozenset[str]:
    """Return who last took that transition or did that task, including its parts."""
    last = last_actor(dossier, act_or_task)
    return persons_of_task(procedure, dossier, act_or_task) | ({last} if last else set())


def reserved_to_another(
    procedure: Procedure, dossier: Dossier, transition: Transition, actor: Actor, people: People | None
) -> Refusal | None:
    """Return why only the person who began may act, None when this one may or that one no longer holds the role."""
    first = last_actor(dossier, transition.same_as) if transition.same_as else None
    if transition.same_as is None or first in (None, actor.id):
        return None
    if people is not None and (
        first not in people or not acting_role(procedure, dossier, people[first], transition.by)
    ):
        return None  # the first actor no longer holds the role: any holder may act
    return refusal("same_as", transition.where, act=transition.same_as)


def barred_from_state(
    procedure: Procedure, dossier: Dossier, state: str, account: str, roles: Container[str] | None = None
) -> Refusal | None:
    """Return why another person must hold the dossier in a state, None when this one may.

    A role is left to a person while it has no act that another person must take. `roles` are those of the
    person, None when they are not known: then each role of the state counts.
    """
    asked = {one for one in awaited_roles(procedure, state) - {APPLICANT, SYSTEM} if roles is None or one in roles}
    reasons: dict[str, Refusal] = {}
    for transition in procedure.leaving.get(state, ()):
        barred = barred_from_act(procedure, dossier, transition, account)
        if barred is not None:
            reasons = {**{role_key(procedure, role): barred for role in transition.by}, **reasons}
    return reasons[min(asked)] if asked and asked <= reasons.keys() else None
