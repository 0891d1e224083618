"""Delegation: mandates to act for another person or for a company.

A mandate rests on a checked document, on parenthood, on agreement over the phone, or covers one dossier. The person
represented sees who acts for them and can end it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain, group_number, new_id
from engine.domain.common.access import acting, childhood_end, is_active, is_owner, may_give
from engine.domain.common.agent_rights import EVERYWHERE, administers
from engine.domain.common.names import company_name, free_text, person_name
from engine.journal.chain import seal
from engine.records.dossier import Account, Actor
from engine.records.people import CHAIN, COMPANY, WITHOUT_PHONE, Mandate, MandateKind, MandateRole, MandateStatus
from engine.services.accounts.contact_change import release_contact
from engine.services.accounts.invitations import notifies_by_sms, notify_of_mandate, too_many_invitations
from engine.services.accounts.mandates import MandateView, called, declared_before, given_before, known_within
from engine.services.applications.attachments import Upload
from engine.services.context.app_context import AppContext, NotFound, seen
from engine.services.context.contact_parsing import read_phone
from engine.services.context.rate_limit import too_many
from engine.services.limits.code_limits import UNKNOWN_ASKER, Asker
from engine.services.limits.file_counts import counted_as, counted_paper, sender_of
from engine.services.sign_in.applicant_sign_in import applicant_known_by
from engine.storage.results import AlreadyExists
from engine.storage.unit_of_work import Unit

PROOF_KINDS: Final = ("pdf", "jpg", "png")
LARGEST_PROOF: Final = 5_000_000
LONGEST_REASON: Final = 300
GIVEN_BY_ONE: Final = 10  # mandates requested or given by one person in a quarter of an hour
_NUMBER: Final = re.compile(r"[A-Z0-9][A-Z0-9 ./-]{3,39}")
_DASHES: Final = re.compile("[\u2010-\u2015\u2212]")  # hyphens and dashes of a telephone or of a word processor


def acting_for(ctx: AppContext, actor: Actor, mandate_id: str) -> Actor | None:
    """Return this person as actor under a mandate of theirs that is active today; None otherwise."""
    with ctx.store.unit() as unit:
        mandate = unit.mandate(mandate_id)
        principal = unit.account(mandate.principal) if mandate and mandate.holder == actor.id else None
    if mandate is None or principal is None or not is_active(mandate, ctx.day()):
        return None
    return acting(actor, mandate, principal)


@dataclass(frozen=True, slots=True)
class ActingFor:
    """The capacity in which a person may see a dossier: a mandate and its principal's name, or neither for themself."""

    mandate: str = ""
    principal: str = ""


def acting_choice(ctx: AppContext, actor: Actor, dossier_id: str) -> ActingFor | None:
    """Return the capacity in which this person, acting for themself, sees a dossier. None if in none."""
    with ctx.store.unit() as unit:
        if _sees(ctx, unit, actor, dossier_id):
            return ActingFor()
    for one in held(ctx, actor):
        who = acting_for(ctx, actor, one.mandate.id) if one.active else None
        with ctx.store.unit() as unit:
            if who is not None and _sees(ctx, unit, who, dossier_id):
                return ActingFor(one.mandate.id, called(one.principal))
    return None


def _sees(ctx: AppContext, unit: Unit, actor: Actor, dossier_id: str) -> bool:
    try:
        return bool(seen(unit, ctx, actor, dossier_id))
    except NotFound:
        return False


def principal_name(ctx: AppContext, actor: Actor) -> str:
    """Return the name of the person for whom this one acts; empty for themself."""
    if not actor.principal:
        return ""
    with ctx.store.unit() as unit:
        account = unit.account(actor.principal)
    return called(account) if account else ""


def held(ctx: AppContext, actor: Actor) -> tuple[MandateView, ...]:
    """Return the mandates this person holds or asked for.

    Mandates given to their phone number are assigned to them here.
    """
    with ctx.store.unit() as unit:
        account = unit.account(actor.id)
        awaiting = unit.mandates_awaiting(account.login) if account else ()
    awaiting = tuple(one for one in awaiting if is_active(one, ctx.day()))
    if account is not None and awaiting:
        with ctx.store.unit(write=True) as unit:
            for mandate in filter(None, (unit.mandate(one.id) for one in awaiting)):
                if not mandate.holder and mandate.invited == account.login and is_active(mandate, ctx.day()):
                    unit.put_mandate(replace(mandate, holder=actor.id))
    with ctx.store.unit() as unit:
        return tuple(_mandate_view(ctx, unit, one) for one in unit.mandates_held(actor.id) if one.status != "ended")


def given(ctx: AppContext, actor: Actor) -> tuple[MandateView, ...]:
    """Return the mandates given for the person this actor acts for: of their procedures, none to a reader or for a dossier."""
    if actor.only_reads or actor.dossiers:
        return ()
    with ctx.store.unit() as unit:
        found = (one for one in unit.mandates_given(actor.owns) if one.status not in ("ended", "refused"))
        within = found if not actor.procedures else filter(None, (known_within(unit, actor, one) for one in found))
        return tuple(_mandate_view(ctx, unit, one) for one in within)


def _mandate_view(ctx: AppContext, unit: Unit, mandate: Mandate) -> MandateView:
    principal, holder = unit.account(mandate.principal), unit.account(mandate.holder) if mandate.holder else None
    if principal is None:
        raise NotFound
    return MandateView(mandate, principal, holder, is_active(mandate, ctx.day()))


def invites_by_sms(ctx: AppContext, actor: Actor) -> bool:
    """Return whether persons invited by this one get an SMS.

    Otherwise they find the invitation on the site.
    """
    with ctx.store.unit() as unit:
        return notifies_by_sms(unit, actor)


def can_give(ctx: AppContext, actor: Actor, held_id: str) -> bool:
    """Return whether this person may give mandates for the person they act for."""
    with ctx.store.unit() as unit:
        own = unit.mandate(held_id) if held_id else None
    return may_give(actor, own if own and own.holder == actor.id else None, ctx.day())


def declare_company(
    ctx: AppContext, actor: Actor, number: str, name: str, proof: Upload | None, *, client: str = "", browser: str = ""
) -> Mandate:  # fmt: skip
    """Ask to act for a company by its number and a document of `client` and `browser`, which an agent checks first.

    Raises Refused: company_number, company_name_missing, company_name_signs, name_long, proof_missing,
    proof_unfit, already_asked, too_many_tries.
    """
    number = " ".join(_DASHES.sub("-", number).upper().split())
    if not _NUMBER.fullmatch(number):
        raise Refused(refusal("company_number"))
    mandate = Mandate(
        new_id(), "", actor.id, "", "company", "manager", "to_check", actor.id, ctx.now(), declared=company_name(name)
    )  # fmt: skip

    def company(unit: Unit) -> Account:
        return unit.company_account(number) or Account(new_id(), "applicant", "", f"{COMPANY}{number}")

    return _claimed(ctx, actor, mandate, proof, company, client, browser)


def declare_proxy(
    ctx: AppContext, actor: Actor, profile: Mapping[str, str], proof: Upload | None, *, client: str = "", browser: str = ""
) -> Mandate:  # fmt: skip
    """Ask to act for a person without a phone by their signed proxy, which an agent checks first.

    `client`, `browser`: see `declare_company`. Raises Refused: name_missing, name_signs, name_long, proof_missing, proof_unfit, too_many_tries.
    """
    known, person_id = _names(profile), new_id()
    name = f"{known['family_name']} {known['given_names']}"
    person = Account(person_id, "applicant", name, f"{WITHOUT_PHONE}{person_id}", profile=known)
    mandate = Mandate(new_id(), "", actor.id, "", "person", "agent", "to_check", actor.id, ctx.now())
    return _claimed(ctx, actor, mandate, proof, lambda unit: person, client, browser)


def _names(profile: Mapping[str, str]) -> dict[str, Plain]:
    return {name: person_name(profile.get(name, "")) for name in ("family_name", "given_names")}


def _claimed(
    ctx: AppContext, actor: Actor, mandate: Mandate, proof: Upload | None, of: Callable[[Unit], Account], client: str,
    browser: str,
) -> Mandate:  # fmt: skip
    """Store the document, then save the mandate to check."""
    if proof is None:
        raise Refused(refusal("proof_missing"))
    with ctx.store.unit(write=True) as unit:
        closed = _many(ctx, unit, actor)
    if closed:
        raise Refused(closed)
    sender = sender_of(ctx, actor, browser, client)
    with counted_paper(ctx, actor.id, client):
        kept = ctx.attachments.keep(proof.data, proof.name, PROOF_KINDS, LARGEST_PROOF, mandate.id, sender=sender)

    def save() -> Mandate:
        with ctx.store.unit(write=True) as unit:
            principal = of(unit)
            if unit.account(principal.id) is None:  # a known account stays unchanged
                unit.put_account(principal)
            asked = {one.status for one in unit.mandates_held(actor.id) if one.principal == principal.id}
            if asked & {"to_check", "active"}:
                raise Refused(refusal("already_asked"))
            (own,) = actor.contacts or ("",)
            made = replace(mandate, principal=principal.id, invited=own, proof=kept.sha256, proof_name=kept.name)
            unit.put_mandate(made)
            return made

    try:
        return save()
    except AlreadyExists:  # another person named the same company meanwhile
        return save()


def declare_child(ctx: AppContext, actor: Actor, profile: Mapping[str, str], born: date) -> Mandate:
    """Create a mandate for one's own child, as declared, until the eve of majority. Asked twice, it is one.

    Raises Refused: name_missing, name_signs, name_long, not_a_child, too_many_tries.
    """
    known = _names(profile)
    if born > ctx.day() or (last := childhood_end(born)) < ctx.day():  # the eighteenth birthday of 9990 has no date
        raise Refused(refusal("not_a_child"))
    child_id = new_id()
    child = Account(
        child_id, "applicant", f"{known['family_name']} {known['given_names']}", f"child:{child_id}",
        profile={**known, "birth_date": born.isoformat()},
    )  # fmt: skip
    mandate = Mandate(
        new_id(), child.id, actor.id, "", "child", "manager", "active", actor.id, ctx.now(), until=last
    )  # fmt: skip
    with ctx.store.unit(write=True) as unit:
        closed, twin = _many(ctx, unit, actor), declared_before(unit, mandate, child)
        if closed is None and twin is None:
            unit.put_account(child)
            unit.put_mandate(mandate)
    if closed:
        raise Refused(closed)
    return twin or mandate


def ask_person(
    ctx: AppContext, actor: Actor, phone_raw: str, name: str, until: date | None = None, *, asker: Asker = UNKNOWN_ASKER
) -> Mandate:  # fmt: skip
    """Ask a person, by their phone number, to be allowed to act for them.

    They are notified, sign in and answer. The name is that of the person who asks. The other person
    reads it beside the number after sign-in. Raises Refused: phone_format, name_missing, name_signs,
    name_long, own_mandate, day_past, already_asked, too_many_tries, invitations_many,
    invitations_paused.
    """
    phone, name = read_phone(phone_raw), person_name(name)
    with ctx.store.unit(write=True) as unit:
        closed = _many(ctx, unit, actor)  # counted first: a second request of the same person waits for the first here
        if any(one.status == "asked" and one.invited == phone for one in unit.mandates_held(actor.id)):
            raise Refused(refusal("already_asked"))
        closed = closed or too_many_invitations(ctx, unit, ctx.now(), actor, phone, asker)
        if closed is None:
            principal = applicant_known_by(unit, "phone", phone, ctx.now())
            _check(ctx, actor, principal.id, until)
            mandate = Mandate(
                new_id(), principal.id, actor.id, phone, "person", "agent", "asked", actor.id, ctx.now(), until=until,
                declared=name,
            )  # fmt: skip
            unit.put_mandate(mandate)
            if notifies_by_sms(unit, actor):
                notify_of_mandate(ctx, unit, phone, "asked", principal)
    if closed:
        raise Refused(closed)
    return mandate


def give(
    ctx: AppContext, actor: Actor, held_id: str, phone_raw: str, role: MandateRole, *, until: date | None = None,
    procedures: tuple[str, ...] = (), dossier_id: str = "", asker: Asker = UNKNOWN_ASKER,
) -> Mandate:  # fmt: skip
    """Give a mandate for the person this actor acts for, in general or for one dossier.

    Given twice, it is one. It lasts until the last day of the manager who gives it at most. Ending the manager's mandate leaves it in force.
    Raises `NotFound`. Raises Refused: phone_format, mandate_bounds, own_mandate, day_past, procedure_unknown,
    too_many_tries, invitations_many, invitations_paused.
    """
    phone = read_phone(phone_raw)
    if strange := [one for one in procedures if one not in ctx.catalogue.procedures]:
        raise Refused(refusal("procedure_unknown", procedure=strange[0]))
    with ctx.store.unit(write=True) as unit:
        own = unit.mandate(held_id) if held_id else None
        principal = unit.account(actor.owns)
        own = own if own and own.holder == actor.id and own.principal == actor.principal else None
        if principal is None or not may_give(actor, own, ctx.day()):
            raise Refused(refusal("mandate_bounds"))
        until = min(filter(None, (until, own.until if own else None)), default=None)
        dossiers: tuple[str, ...] = ()
        number = ""
        if dossier_id:
            dossier = seen(unit, ctx, actor, dossier_id)
            if not is_owner(dossier, actor):
                raise NotFound
            dossiers, number = (dossier.id,), group_number(dossier.number)
        closed = _many(ctx, unit, actor) or too_many_invitations(ctx, unit, ctx.now(), actor, phone, asker)
        if closed is None:
            known = unit.account_of("applicant", phone)
            _check(ctx, actor, known.id if known else "", until, principal.id)
            kind: MandateKind = (
                "dossier" if dossiers else "company" if principal.login.startswith(COMPANY) else "person"
            )
            role = "agent" if dossiers and role == "manager" else role
            mandate = Mandate(
                new_id(), principal.id, known.id if known else "", phone, kind, role, "active", actor.id, ctx.now(),
                until=until, procedures=procedures, dossiers=dossiers,
            )  # fmt: skip
            if (twin := given_before(unit, mandate, ctx.day())) is not None:
                return twin
            unit.put_mandate(mandate)
            if notifies_by_sms(unit, actor):
                notify_of_mandate(ctx, unit, phone, "dossier" if number else "given", known, number)
    if closed:
        raise Refused(closed)
    return mandate


def _many(ctx: AppContext, unit: Unit, actor: Actor) -> Refusal | None:
    if actor.unproven:
        return refusal("unproven")
    return too_many(unit, ctx.now(), (f"mandate:{counted_as(unit, actor.id)}", GIVEN_BY_ONE))


def _check(ctx: AppContext, actor: Actor, other: str, until: date | None, principal: str = "") -> None:
    if other and other in (actor.id, principal):
        raise Refused(refusal("own_mandate"))
    if until is not None and until < ctx.day():
        raise Refused(refusal("day_past", day=until.isoformat()))


# -- answers and ends --------------------------------------------------------------------------------------------------


def answer(ctx: AppContext, actor: Actor, mandate_id: str, yes: bool, reason: str = "") -> Mandate:
    """Answer a request for a mandate as the person asked: yes, or no with an optional reason.

    Raises `NotFound` for others and for an answered request.
    """
    return _changed(
        ctx, actor, mandate_id, lambda one: one.principal == actor.id and one.status == "asked", _said(yes),
        "" if yes else _because(reason),
    )  # fmt: skip


def end(ctx: AppContext, actor: Actor, mandate_id: str) -> Mandate:
    """End a mandate: its principal, a manager of the principal, or its holder may.

    Dossiers no longer write to the holder. Raises `NotFound` for others, as an employee for their manager's.
    """
    manages = _manages(ctx, actor)
    return _changed(
        ctx, actor, mandate_id,
        lambda one: (one.holder == actor.id or (one.principal == actor.owns and manages))
        and one.status in ("asked", "to_check", "active"),
        "ended",
    )  # fmt: skip


def _manages(ctx: AppContext, actor: Actor) -> bool:
    """Return whether this person may give mandates here: for themself, or for a principal they manage."""
    with ctx.store.unit() as unit:
        held = [one for one in unit.mandates_held(actor.id) if one.principal == actor.principal]
    return any(may_give(actor, one, ctx.day()) for one in (None, *held))


def check(
    ctx: AppContext, actor: Actor, mandate_id: str, yes: bool, reason: str = "", *, name: str = ""
) -> Mandate:  # fmt: skip
    """Accept or refuse the document of a mandate as administrator, and notify its holder.

    `name` is the name of the company on the document, which the account then bears. Raises `NotFound`
    for others. Raises Refused: own_dossier, reason_missing, company_name_missing, company_name_signs, name_long.
    """
    if not may_check(actor):
        raise NotFound
    why = "" if yes else _because(reason)
    if not yes and not why:
        raise Refused(refusal("reason_missing"))
    with ctx.store.unit(write=True) as unit:
        mandate = unit.mandate(mandate_id)
        principal = unit.account_held(mandate.principal) if mandate else None
        if mandate is None or principal is None or mandate.status != "to_check":
            raise NotFound
        holder = unit.account(mandate.holder)
        if not actor.contacts.isdisjoint({mandate.invited, holder.login if holder else ""}):
            raise Refused(refusal("own_dossier"))
        if yes and mandate.kind == "company":
            principal = replace(principal, name=company_name(name))
            unit.put_account(principal)
        done = replace(mandate, status=_said(yes), changed_at=ctx.now(), reason=why)
        unit.put_mandate(done)
        _journalise(ctx, unit, actor, done, principal)
        if holder is not None and holder.login.startswith("+"):
            notify_of_mandate(ctx, unit, holder.login, "accepted" if yes else "refused", holder)
    return done


def _journalise(ctx: AppContext, unit: Unit, actor: Actor, mandate: Mandate, principal: Account) -> None:
    """Append an entry about the checked document. It commits to the accepted company name."""
    reported: dict[str, Plain] = {"account": actor.id, "mandate": mandate.id, "principal": principal.id}
    if mandate.status == "active" and mandate.kind == "company":
        reported["name"] = ctx.keys.seal_code(*_sealed(principal))
    kind = "mandate_accepted" if mandate.status == "active" else "mandate_refused"
    unit.add_right(seal(unit.right_head(), CHAIN, ctx.now(), actor, kind, "", reported))


def _sealed(company: Account) -> tuple[str, str, str]:
    return "company name", company.id, company.name


def to_check(ctx: AppContext, actor: Actor) -> tuple[MandateView, ...]:
    """Return the mandates whose document waits for a check. Raises `NotFound` unless the actor may check."""
    if not may_check(actor):
        raise NotFound
    with ctx.store.unit() as unit:
        return tuple(_mandate_view(ctx, unit, one) for one in unit.mandates_to_check())


def proof_of(ctx: AppContext, actor: Actor, mandate_id: str) -> tuple[str, bytes]:
    """Return the document of a mandate, its name and content.

    Raises `NotFound` for persons who may not check it.
    """
    with ctx.store.unit() as unit:
        mandate = unit.mandate(mandate_id)
    if mandate is None or not mandate.proof or not may_check(actor):
        raise NotFound
    return mandate.proof_name, ctx.attachments.read(mandate.proof, mandate.id)


def may_check(actor: Actor) -> bool:
    """Return whether an agent may check the documents of mandates: one who administers all agencies."""
    return actor.kind == "agent" and administers(actor, (EVERYWHERE,))


def _said(yes: bool) -> MandateStatus:
    return "active" if yes else "refused"


def _because(reason: str) -> str:
    """Return a reason for display to another person, on one line."""
    return " ".join(free_text(reason).split())[:LONGEST_REASON]


def _changed(
    ctx: AppContext, actor: Actor, mandate_id: str, may: Callable[[Mandate], bool], status: MandateStatus, reason: str = ""
) -> Mandate:  # fmt: skip
    with ctx.store.unit(write=True) as unit:
        mandate = unit.mandate(mandate_id)
        if mandate is None or not may(mandate):
            raise NotFound
        unit.put_mandate(mandate := replace(mandate, status=status, changed_at=ctx.now(), reason=reason))
        if status == "ended":
            release_contact(ctx, unit, mandate, actor, always=True)
    return mandate
