"""Who may see a dossier, read an answer, act in a role. One answer for every door.

An applicant sees their own dossiers; one who has not proven their number, drafts only. An agent sees those of the procedures in which one of their roles acts, in their
offices, once sent. An auditor sees all that was sent, without sensitive answers. What is not visible does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from engine.core.values import Span
from engine.domain.common.working_time import add_months, end_of_day
from engine.model import APPLICANT, SYSTEM, Form, Procedure
from engine.model.roles import role_key, roles_of
from engine.records.dossier import Account, Actor, Attachment, Dossier
from engine.records.people import Mandate


def holds(actor: Actor, roles: Iterable[str]) -> bool:
    """Whether an agent holds one of these roles (`agency/role` keys)."""
    return actor.kind == "agent" and any(role in actor.roles for role in roles)


def is_owner(dossier: Dossier, actor: Actor) -> bool:
    """Whether the dossier is this applicant's to act on: their own, or of whoever they act for."""
    return stands_for_owner(dossier, actor) and not actor.only_reads


def stands_for_owner(dossier: Dossier, actor: Actor) -> bool:
    """The same, or to read only. Acting for another, one's own dossiers are left aside."""
    if actor.kind == "agent":
        return is_helped(dossier, actor)
    if actor.kind != "applicant" or not dossier.owner or actor.owns != dossier.owner:
        return False
    if actor.unproven and not dossier.is_draft:
        return False
    within = not actor.procedures or dossier.procedure in actor.procedures
    return within and (not actor.dossiers or dossier.id in actor.dossiers)


def is_helped(dossier: Dossier, actor: Actor) -> bool:
    """Whether an agent fills this dossier in at a counter, its owner being there: it is named, nothing else is theirs; and not
    one of a procedure that they receive no more."""
    within = not actor.procedures or dossier.procedure in actor.procedures
    return within and bool(actor.principal) and actor.principal == dossier.owner and dossier.id in actor.dossiers


def acting_role(procedure: Procedure, dossier: Dossier, actor: Actor, by: Iterable[str]) -> str | None:
    """In which of the roles `by` the actor may act on this dossier; none when in none of them."""
    for role in by:
        key = role_key(procedure, role)
        if key == APPLICANT and is_owner(dossier, actor):
            return key
        if key == SYSTEM and actor.kind == "system":
            return key
        if holds(actor, (key,)) and in_their_offices(dossier, actor):
            return key
    return None


def in_their_offices(dossier: Dossier, actor: Actor) -> bool:
    """An agent bound to offices handles the dossiers of these; a dossier of no office is everyone's."""
    return not actor.offices or dossier.office is None or dossier.office in actor.offices


def may_see(procedure: Procedure, dossier: Dossier, actor: Actor) -> bool:
    """Whether this dossier exists for this actor."""
    if actor.kind == "applicant":
        return stands_for_owner(dossier, actor)
    if actor.kind == "agent" and actor.principal:
        return is_helped(dossier, actor)
    if actor.kind == "agent":
        return not dossier.is_draft and holds(actor, roles_of(procedure)) and in_their_offices(dossier, actor)
    if actor.kind == "auditor":
        return not dossier.is_draft and in_mandate(actor, procedure.id)
    return actor.kind == "system"


def in_mandate(actor: Actor, procedure_id: str) -> bool:
    """Whether a controller's mandate names this procedure; one that names none is for all."""
    return not actor.procedures or procedure_id in actor.procedures


def _is_open_to(procedure: Procedure, dossier: Dossier, name: str, actor: Actor) -> bool:
    """A confidential opinion is for the roles that the round names and for its author."""
    asked = procedure.once(_confidential).get(name)
    if asked is None or actor.kind == "system":
        return True
    given = dossier.done.get(name)
    readers = tuple(role_key(procedure, role) for role in asked.seen_by)
    return holds(actor, readers) or (given is not None and given.by == actor.id)


def _confidential(procedure: Procedure) -> Mapping[str, Form]:
    """What is not for everybody who sees the dossier, by its name and by the services it consults."""
    services = (service.id for form in procedure.forms() for service in form.services)
    asked = {name: procedure.round_of(name) or procedure.tasks.get(name) for name in (*procedure.tasks, *services)}
    return {name: form for name, form in asked.items() if isinstance(form, Form) and form.seen_by}


def may_read_file(procedure: Procedure, dossier: Dossier, attachment: Attachment, actor: Actor) -> bool:
    """Whether the actor may open a file: that of an answer is for whoever may read the answer; one joined to an act, for
    the agents who see the dossier; one that nothing names yet, for its author alone."""
    place = attachment.field.split(".")
    if attachment.by is None:
        return may_read(procedure, dossier, place[0], actor)
    if not may_see(procedure, dossier, actor):
        return False
    if attachment.by == actor.id:
        return True
    if attachment.id not in dossier.files_used:
        return False
    if len(place) == 1:
        return actor.kind == "agent" and not actor.principal
    asked = place[1] if procedure.round_of(place[1]) is not None else place[0]
    return all(may_read(procedure, dossier, name, actor) for name in (asked, place[-1]))


def may_read(procedure: Procedure, dossier: Dossier, field_id: str, actor: Actor) -> bool:
    """Whether the actor may read this answer: a sensitive one is for its owner and the roles the book names, in the
    states it names."""
    return may_see(procedure, dossier, actor) and may_read_seen(procedure, dossier, field_id, actor)


def may_read_seen(procedure: Procedure, dossier: Dossier, field_id: str, actor: Actor) -> bool:
    """The same for who is known to see the dossier."""
    if not _is_open_to(procedure, dossier, field_id, actor):
        return False
    sensitive = procedure.personal_data.sensitive.get(field_id)
    if sensitive is None or actor.kind in ("applicant", "system") or actor.principal:
        return True
    if sensitive.states and dossier.state not in sensitive.states:
        return False
    return holds(actor, (role_key(procedure, role) for role in sensitive.seen_by))


ADULT: Final = 18
PAPERS_KEPT: Final = Span(12, "month")  # how long the paper of a mandate outlives it, where nobody says otherwise


def is_active(mandate: Mandate, day: date) -> bool:
    return mandate.status == "active" and (mandate.until is None or day <= mandate.until)


def over_since(mandate: Mandate, now: datetime) -> datetime | None:
    """When a mandate ended, was refused or ran out; none while it holds or waits for an answer."""
    if mandate.status in ("ended", "refused"):
        return mandate.changed_at or mandate.created_at
    if mandate.status == "active" and mandate.until is not None:
        last = end_of_day(mandate.until)
        return last if last <= now else None
    return None


def acting(actor: Actor, mandate: Mandate, principal: Account) -> Actor:
    """The same person, acting for another within a mandate."""
    return replace(
        actor, principal=principal.id, procedures=frozenset(mandate.procedures), dossiers=frozenset(mandate.dossiers),
        only_reads=mandate.role == "reader",
    )  # fmt: skip


def may_give(actor: Actor, held: Mandate | None, day: date) -> bool:
    """Whether somebody may let others act for whoever they stand for: themself, or a principal they manage without bounds."""
    if not actor.principal:
        return True
    return (
        held is not None
        and held.role == "manager"
        and is_active(held, day)
        and not held.dossiers
        and not held.procedures
    )


def childhood_end(born: date) -> date:
    """The last day on which a parent acts for a child: the eve of their majority."""
    return date.fromordinal(add_months(born, 12 * ADULT).toordinal() - 1)
