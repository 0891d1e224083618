"""Access rules: who may see a dossier, read an answer or act in a role. Every page and command uses them.

An applicant sees their own dossiers. Before the phone number is verified, these are drafts only. An agent
sees submitted dossiers of their offices, if one of their roles acts in the procedure. An auditor sees
submitted dossiers without sensitive answers. A dossier that is not visible is reported as missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.values import Span
from engine.domain.common.working_time import add_months, end_of_day
from engine.model import APPLICANT, SYSTEM, Field, Form, Procedure
from engine.model.legal import Sensitive
from engine.model.provenance import names_behind, sensitive_behind
from engine.model.roles import role_key, roles_of
from engine.records.dossier import Account, Actor, Attachment, Dossier
from engine.records.people import Mandate


def holds(actor: Actor, roles: Iterable[str]) -> bool:
    """Return True when the actor is an agent with one of these roles (`agency/role` keys)."""
    return actor.kind == "agent" and any(role in actor.roles for role in roles)


def is_owner(dossier: Dossier, actor: Actor) -> bool:
    """Return True when the applicant may act on the dossier, for themselves or for the person they represent."""
    return stands_for_owner(dossier, actor) and not actor.only_reads


def stands_for_owner(dossier: Dossier, actor: Actor) -> bool:
    """Return True when the actor represents the owner, with or without the right to change anything.

    An applicant who acts for another person does not represent themself meanwhile.
    """
    if actor.kind == "agent":
        return is_helped(dossier, actor)
    if actor.kind != "applicant" or not dossier.owner or actor.owns != dossier.owner:
        return False
    if actor.unproven and not dossier.is_draft:
        return False
    within = not actor.procedures or dossier.procedure in actor.procedures
    return within and (not actor.dossiers or dossier.id in actor.dossiers)


def helps(actor: Actor) -> bool:
    """Return True when an agent acts for an applicant at a counter."""
    return actor.kind == "agent" and bool(actor.principal)


def is_helped(dossier: Dossier, actor: Actor) -> bool:
    """Return True when an agent fills in this dossier at a counter while its owner is present.

    The assistance names the dossier and gives access to no other. It requires a procedure that the agent
    still receives, and a request that no own number of the agent made: they would take cash of themself.
    """
    within = not actor.procedures or dossier.procedure in actor.procedures
    helped = bool(actor.principal) and actor.principal == dossier.owner and dossier.id in actor.dossiers
    return within and helped and actor.contacts.isdisjoint(phones_of(dossier))


def acting_role(procedure: Procedure, dossier: Dossier, actor: Actor, by: Iterable[str]) -> str | None:
    """Return the key of the first role in `by` in which the actor may act on this dossier. None without one.

    An agent has none in their own dossier.
    """
    for role in by:
        key = role_key(procedure, role)
        if key == APPLICANT and is_owner(dossier, actor):
            return key
        if key == SYSTEM and actor.kind == "system":
            return key
        if holds(actor, (key,)) and in_their_offices(dossier, actor) and not is_own(dossier, actor):
            return key
    return None


def is_own(dossier: Dossier, actor: Actor) -> bool:
    """Return True when an agent made the request as a person, for themself or for another: they handle it in no role.

    A number that the person has left since counts: else an agent would change it, then decide.
    """
    if actor.kind != "agent" or actor.principal:
        return False
    return actor.id == dossier.owner or not actor.contacts.isdisjoint(phones_of(dossier))


def phones_of(dossier: Dossier) -> frozenset[str]:
    """Return the numbers of those who made the request and of those whom it was written to, now or before."""
    contact = (dossier.contact_phone,) if dossier.contact_phone else ()
    return frozenset({*contact, *dossier.former_phones, *dossier.other_phones})


def with_phone_of(dossier: Dossier, actor: Actor) -> Dossier:
    """Return the dossier with the number of the applicant who acts on it, so that `is_own` compares it."""
    more = actor.contacts - phones_of(dossier) if actor.kind == "applicant" else frozenset()
    return replace(dossier, other_phones=(*dossier.other_phones, *more)) if more else dossier


def in_their_offices(dossier: Dossier, actor: Actor) -> bool:
    """Return True when the agent is bound to no office or the dossier to one of theirs. Without office it is for all."""
    return not actor.offices or dossier.office is None or dossier.office in actor.offices


def may_see(procedure: Procedure, dossier: Dossier, actor: Actor) -> bool:
    """Return True when this dossier is visible to this actor."""
    if actor.kind == "applicant":
        return stands_for_owner(dossier, actor)
    if helps(actor):
        return is_helped(dossier, actor)
    if actor.kind == "agent":
        return not dossier.is_draft and holds(actor, roles_of(procedure)) and in_their_offices(dossier, actor)
    if actor.kind == "auditor":
        return not dossier.is_draft and in_mandate(actor, procedure.id)
    return actor.kind == "system"


def in_mandate(actor: Actor, procedure_id: str) -> bool:
    """Return True when an auditor's mandate includes this procedure. A mandate without procedures includes all."""
    return not actor.procedures or procedure_id in actor.procedures


def _is_open_to(procedure: Procedure, dossier: Dossier, name: str, actor: Actor) -> bool:
    """Return True when the actor may read an opinion: a confidential one is for the roles of the round and its author.

    So is a value that is computed from it. An agent reads none about their own request.
    """
    behind = procedure.once(_opinions_behind).get(name)
    if behind is None or actor.kind == "system":
        return True
    return not is_own(dossier, actor) and all(
        holds(actor, (role_key(procedure, role) for role in asked.seen_by)) or _is_author(dossier, one, actor)
        for one, asked in behind.items()
    )


def _is_author(dossier: Dossier, service: str, actor: Actor) -> bool:
    given = dossier.done.get(service)
    return given is not None and given.by == actor.id


def _opinions_behind(procedure: Procedure) -> Mapping[str, Mapping[str, Form]]:
    """Return the confidential opinions that each name shows: its own, or those that its value is computed from."""
    asked = procedure.once(_confidential)
    names = (*asked, *_asked_names(procedure)) if asked else ()
    shown = {name: {one: asked[one] for one in names_behind(procedure, name) if one in asked} for name in names}
    return {name: opinions for name, opinions in shown.items() if opinions}


def _asked_names(procedure: Procedure) -> Iterator[str]:
    """Yield every question and column: of the application, of later forms and of opinions."""
    every = (*procedure.fields.values(), *(one for form in procedure.forms() for one in form.fields))
    return (name for field in every for name in field.names_within)


def _confidential(procedure: Procedure) -> Mapping[str, Form]:
    """Return the forms with restricted readers, by form id and by the services that they consult."""
    services = (service.id for form in procedure.forms() for service in form.services)
    asked = {name: procedure.round_of(name) or procedure.tasks.get(name) for name in (*procedure.tasks, *services)}
    return {name: form for name, form in asked.items() if isinstance(form, Form) and form.seen_by}


def may_read_file(procedure: Procedure, dossier: Dossier, attachment: Attachment, actor: Actor) -> bool:
    """Return True when the actor may open a file.

    A file of an answer follows the rights of that answer. A file of an act is for agents who see the dossier, unless
    it is their own. A file that no answer or act uses yet is for its author. A file of a correction that is not sent
    is for its owner.
    """
    if attachment.id in dossier.files_unsent and not is_owner(dossier, actor):
        return False
    place = attachment.field.split(".")
    named = [one for one in place if not one.isdecimal()]  # `enfants.0.acte`: the rows, then the column
    if attachment.by is None:
        return all(may_read(procedure, dossier, name, actor) for name in named)
    if not may_see(procedure, dossier, actor):
        return False
    if attachment.by == actor.id:
        return True
    if attachment.id not in dossier.files_used:
        return False
    if len(place) == 1:
        return actor.kind == "agent" and not actor.principal and not is_own(dossier, actor)
    asked = named[1:] if procedure.round_of(place[1]) is not None else named
    return all(may_read(procedure, dossier, name, actor) for name in asked)


def may_read_whole(procedure: Procedure, dossier: Dossier, field: Field, actor: Actor) -> bool:
    """Return True when the actor may read an answer, and of rows every column."""
    return all(may_read(procedure, dossier, name, actor) for name in field.names_within)


def limited_names(procedure: Procedure) -> frozenset[str]:
    """Return the names that limited readers have: sensitive answers and columns, and confidential opinions."""
    return frozenset({*procedure.personal_data.sensitive, *procedure.once(_confidential)})


def reserved_names(procedure: Procedure) -> Collection[str]:
    """Return the sensitive answers and columns, and the values and columns that are computed from them."""
    return procedure.once(_limits).keys()


def guarded_names(procedure: Procedure) -> frozenset[str]:
    """Return the names that `may_read_seen` may refuse. All others are for everyone who sees the dossier."""
    return procedure.once(_guarded)


def _guarded(procedure: Procedure) -> frozenset[str]:
    return frozenset({*procedure.once(_limits), *procedure.once(_opinions_behind)})


def may_read(procedure: Procedure, dossier: Dossier, field_id: str, actor: Actor) -> bool:
    """Return True when the actor sees the dossier and may read this answer.

    A sensitive answer is for its owner and for the roles that the procedure names, in the states it names. A value
    that is computed from sensitive answers is for those who may read them all.
    """
    return may_see(procedure, dossier, actor) and may_read_seen(procedure, dossier, field_id, actor)


def may_read_seen(procedure: Procedure, dossier: Dossier, field_id: str, actor: Actor) -> bool:
    """Return True when the actor, who is known to see the dossier, may read this answer."""
    if not _is_open_to(procedure, dossier, field_id, actor):
        return False
    limits = procedure.once(_limits).get(field_id)
    if limits is None or actor.kind in ("applicant", "system") or actor.principal:
        return True
    return all(
        (not one.states or dossier.state in one.states)
        and holds(actor, (role_key(procedure, role) for role in one.seen_by))
        for one in limits
    )


def _limits(procedure: Procedure) -> Mapping[str, tuple[Sensitive, ...]]:
    """Return who may read each sensitive answer, and each value or column that is computed from sensitive answers."""
    sensitive = procedure.personal_data.sensitive
    if not sensitive:
        return {}
    behind = {name: sensitive_behind(procedure, name) for name in (*sensitive, *_asked_names(procedure))}
    return {name: tuple(sensitive[one] for one in names) for name, names in behind.items() if names}


ADULT: Final = 18
INVITED: Final = timedelta(days=90)
PAPERS_KEPT: Final = Span(12, "month")  # how long the document of a mandate is stored after its end, by default


def is_active(mandate: Mandate, day: date) -> bool:
    """Return True when the mandate is active and its last day, if any, is not past.

    One for a number that no person has signed in with ends after `INVITED`: the number may have another holder.
    """
    untaken = not mandate.holder and day > local_day(mandate.created_at) + INVITED
    return mandate.status == "active" and not untaken and (mandate.until is None or day <= mandate.until)


def over_since(mandate: Mandate, now: datetime) -> datetime | None:
    """Return when a mandate ended, was refused or expired. None while it holds or waits for an answer."""
    if mandate.status in ("ended", "refused"):
        return mandate.changed_at or mandate.created_at
    if mandate.status == "active" and mandate.until is not None:
        last = end_of_day(mandate.until)
        return last if last <= now else None
    return None


def acting(actor: Actor, mandate: Mandate, principal: Account) -> Actor:
    """Return the actor with the principal and the limits of a mandate."""
    return replace(
        actor, principal=principal.id, procedures=frozenset(mandate.procedures), dossiers=frozenset(mandate.dossiers),
        only_reads=mandate.role == "reader",
    )  # fmt: skip


def may_give(actor: Actor, held: Mandate | None, day: date) -> bool:
    """Return True when the actor may give mandates: for themselves, or for a principal they manage without limits.

    `held` is the mandate under which the actor acts, None when they act for themselves.
    """
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
    """Return the last day on which a parent acts for a child, the day before the 18th birthday."""
    return date.fromordinal(add_months(born, 12 * ADULT).toordinal() - 1)
