"""Assistance at a counter: an agent fills in a request for a person who is present.

An agent helps one person at a time, who agreed. They agree by a code read aloud, by a signature, or by
number and code of an earlier receipt. It ends when the agent says so or signs out, after a quarter of an
hour without a page, and after four hours at the latest. Meanwhile the agent reaches the dossiers begun in it and those that are opened in it, by
number or from the list that follows a code. A receipt names its own dossier. No other dossier of that person is reachable. Each dossier
records who helped and how its owner agreed. A closed one is only read.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from engine.core.problems import Refused, refusal
from engine.core.values import Plain, digits_only, has_check_digit, new_id
from engine.domain.common.access import phones_of
from engine.domain.common.decision import EntryDraft
from engine.domain.common.names import person_name
from engine.language.catalogue.catalogue import Catalogue
from engine.model import COUNTER, PAPER
from engine.model.roles import roles_of
from engine.model.summary import EditionSummary
from engine.records.codec import instant_text, read_instant
from engine.records.dossier import Account, Actor, Dossier
from engine.records.people import WITHOUT_PHONE, Reading
from engine.services.applications.draft_answers import own_draft
from engine.services.applications.drafts import MOST_LISTED, open_dossier
from engine.services.context.app_context import NUMBER_DIGITS, AppContext, NotFound, pinned
from engine.services.context.contact_parsing import read_phone
from engine.services.context.rate_limit import Limit, too_many
from engine.services.core.commit import keep
from engine.services.limits.guesses import count_wrong, is_known, limits_of, shut
from engine.services.sign_in.agreements import sheet_number
from engine.services.sign_in.applicant_sign_in import SEND, applicant_known_by, prove_consent
from engine.services.sign_in.security_log import logged
from engine.services.sign_in.sessions import SignedIn, open_session
from engine.storage.results import DossierLine
from engine.storage.unit_of_work import Unit

IDLE: Final = timedelta(minutes=15)
LONGEST: Final = timedelta(hours=4)  # then the person agrees again: pages alone prolong no assistance without end
TOUCH_EVERY: Final = timedelta(seconds=60)
CODE_DIGITS: Final = 8
RECEIPT_CODES_A_DAY: Final = 10_000  # wrong codes of one receipt, from unknown browsers
CODES_TRIED_BY_CLIENT: Final = 40  # wrong codes of any receipt, from one address, in a quarter of an hour
NUMBERS_TRIED: Final = 40  # by one agent, in a quarter of an hour


@dataclass(frozen=True, slots=True)
class Assistance:
    """The person an agent helps now, how that person agreed, and the dossiers that the agent may open meanwhile.

    `begun_at` is the time when the person agreed, `seen_at` that of the last page. `sheet` is the number of the signed
    consent sheet, if it was printed here.
    """

    id: str
    person: str
    consent: str  # `code`, `paper` or `receipt`
    dossiers: tuple[str, ...]
    begun_at: datetime
    seen_at: datetime
    sheet: str = ""


# -- rights ------------------------------------------------------------------------------------------------------------


def received_by(ctx: AppContext, agent: Actor) -> Mapping[str, EditionSummary]:
    """Return the procedures in force that this agent may fill in at a counter, by id.

    Empty for an agent without such a role. No procedure is loaded.
    """
    if agent.kind != "agent" or agent.principal:
        return {}
    day = ctx.day()

    def work(catalogue: Catalogue) -> Mapping[str, EditionSummary]:
        near = dict.fromkeys(one.id for one in ctx.editions.having(catalogue, agent.roles))
        current = (catalogue.current_summary(name, day) for name in near)
        return MappingProxyType({one.id: one for one in current if one and _receives(catalogue, one, agent)})

    return ctx.editions.worked_out(ctx.catalogue, ("received", day, agent.roles, agent.offices), work)


def _receives(catalogue: Catalogue, procedure: EditionSummary, agent: Actor) -> bool:
    """Return whether the agent has a receiving role of the agency of the procedure, in one of its offices."""
    if not procedure.receives & agent.roles:
        return False
    return not agent.offices or any(one.id in agent.offices for one in catalogue.directory.offices_of(procedure.agency))


# -- current assistance ------------------------------------------------------------------------------------------------


def assistance_of(ctx: AppContext, agent: Actor, touches: bool = True) -> Assistance | None:
    """Return the current assistance of this agent, None once it is over. `touches`: reading it counts as activity."""
    now = ctx.now()
    with ctx.store.unit() as unit:
        kept = _read(unit.peeked_aside(_key(agent)))
        person = unit.account(kept.person) if kept is not None else None
    if kept is None or now - kept.seen_at >= IDLE or now - kept.begun_at >= LONGEST:
        return None
    if person is None or person.disabled:  # erased since, or left for another account
        return None
    if touches and now - kept.seen_at >= TOUCH_EVERY:
        with ctx.store.unit(write=True) as unit:
            still = _read(unit.peeked_aside(_key(agent)))
            if still is not None and still.id == kept.id:  # ended meanwhile: it stays ended
                _keep(unit, agent, still, now)
    return kept


def helping(ctx: AppContext, agent: Actor, touches: bool = True) -> Actor | None:
    """Return the agent as actor for the person they help. `touches` as in `assistance_of`.

    None without assistance or without the right any more.
    """
    now = assistance_of(ctx, agent, touches)
    procedures = received_by(ctx, agent) if now else {}
    return _acting(agent, now, procedures) if now and procedures else None


def _acting(agent: Actor, now: Assistance, procedures: Iterable[str]) -> Actor:
    """Return the actor of an assistance.

    The agent's own rights are suspended, and they act for the person on these dossiers.
    """
    return Actor(
        "agent", agent.id, agent.name, procedures=frozenset(procedures), principal=now.person,
        dossiers=frozenset(now.dossiers), language=agent.language, contacts=agent.contacts,
    )  # fmt: skip


def person_named(ctx: AppContext, actor: Actor) -> tuple[str, str]:
    """Return the name of the helped person, as far as known, and their phone number. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        account = unit.account(actor.principal)
        named = [one.label for name in sorted(actor.dossiers) if (one := unit.dossier(name)) and one.label]
    if account is None:
        raise NotFound
    return account.name or next(iter(named), ""), account.login if account.login.startswith("+") else ""


def confirm_by_code(ctx: AppContext, actor: Actor, code: str, *, mark: str = "") -> None:
    """Accept the second code, by which the helped person confirms what was read to them.

    Raises `NotFound`. Raises Refused: no_phone, code_format, code_wrong, code_expired.
    """
    _, phone = person_named(ctx, actor)
    if not phone:
        raise Refused(refusal("no_phone"))
    with ctx.store.unit(write=True) as unit:
        closed = prove_consent(ctx, unit, phone, code, SEND, mark)
    if closed is not None:
        raise Refused(closed)


def end_assistance(ctx: AppContext, agent: Actor) -> None:
    """End the assistance of this agent, without effect if there is none."""
    with ctx.store.unit(write=True) as unit:
        unit.taken_aside(_key(agent))


# -- consent -----------------------------------------------------------------------------------------------------------


def help_by_code(ctx: AppContext, agent: Actor, phone_raw: str, code: str, *, mark: str = "") -> None:
    """Begin an assistance for the person who read the code sent to their phone.

    Raises Refused: role, phone_format, code_format, code_wrong, code_expired, own_dossier.
    """
    phone = read_phone(phone_raw)
    _check(ctx, agent)
    with ctx.store.unit(write=True) as unit:
        closed = prove_consent(ctx, unit, phone, code, mark=mark)
        if closed is None:
            _begin(ctx, unit, agent, applicant_known_by(unit, "phone", phone, ctx.now()), "code")
    if closed is not None:  # raised outside the unit, so that the count of tries is saved
        raise Refused(closed)


def consent_sheet(ctx: AppContext, agent: Actor, family_name: str, given_names: str) -> tuple[str, str]:
    """Return the name and the number of the sheet by which a person accepts this agent's help today.

    Raises Refused: role, name_missing, name_signs, name_long.
    """
    _check(ctx, agent)
    name = f"{person_name(family_name)} {person_name(given_names)}"
    return name, sheet_number(ctx, agent.id, ctx.day().isoformat(), name)


def help_on_paper(
    ctx: AppContext, agent: Actor, family_name: str, given_names: str, signed: bool, printed: str = ""
) -> None:
    """Begin an assistance for a person without a phone who signed their agreement.

    `printed` is the number of the consent sheet that was printed, recorded if it is of this person. Raises as
    `consent_sheet`. Raises Refused: consent_missing.
    """
    name, number = consent_sheet(ctx, agent, family_name, given_names)
    names: dict[str, Plain] = {"family_name": person_name(family_name), "given_names": person_name(given_names)}
    if not signed:
        raise Refused(refusal("consent_missing"))
    person_id = new_id()
    account = Account(person_id, "applicant", name, f"{WITHOUT_PHONE}{person_id}", profile=names)
    with ctx.store.unit(write=True) as unit:
        unit.put_account(account)
        _begin(ctx, unit, agent, account, "paper", number if printed == number else "")


def help_by_receipt(ctx: AppContext, agent: Actor, number: str, code: str) -> Dossier | None:
    """Begin an assistance by the number and code of a receipt, and return its dossier.

    None if the agent may not help with that dossier. Raises Refused: role, receipt_wrong,
    too_many_tries.
    """
    _check(ctx, agent)
    digits, tries = digits_only(number), (Limit(f"receipt@{agent.id}", NUMBERS_TRIED),)
    account = _known_by_receipt(ctx, digits, code, lambda _: tries)
    procedures = received_by(ctx, agent)
    with ctx.store.unit(write=True) as unit:
        now = _begin(ctx, unit, agent, account, "receipt")
        dossier = unit.dossier_numbered(digits)
        if dossier is None or not _is_theirs(dossier, now, procedures):
            return None
        return _join(ctx, unit, agent, now, dossier)


def _check(ctx: AppContext, agent: Actor) -> None:
    if not received_by(ctx, agent):
        raise Refused(refusal("role", roles=("agent",)))


def _begin(
    ctx: AppContext, unit: Unit, agent: Actor, person: Account, consent: str, sheet: str = ""
) -> Assistance:  # fmt: skip
    if person.login in agent.contacts:
        raise Refused(refusal("own_dossier"))
    if not person.is_open(ctx.day()):
        raise NotFound
    now = Assistance(new_id(), person.id, consent, (), ctx.now(), ctx.now(), sheet)
    _keep(unit, agent, now, ctx.now())
    return now


# -- requests ----------------------------------------------------------------------------------------------------------


def requests_of(ctx: AppContext, agent: Actor) -> tuple[DossierLine, ...]:
    """Return the requests that the agent may open now, those that are not closed first.

    After a code these are all of the person that the agent receives, else those of this assistance.
    """
    now, procedures = assistance_of(ctx, agent, touches=False), received_by(ctx, agent)
    if now is None:
        return ()
    with ctx.store.unit() as unit:
        lines = unit.dossiers_of(now.person, MOST_LISTED, open_first=True)
    return tuple(
        line
        for line in lines
        if line.procedure in procedures
        and (line.submitted_at is not None or not line.closed)
        and (now.consent == "code" or line.id in now.dossiers)
    )


def begin_request(
    ctx: AppContext, agent: Actor, procedure_id: str, criteria: Mapping[str, Plain], language: str, token: str | None,
    *, channel: str = COUNTER, sheet: str = "",
) -> Dossier:  # fmt: skip
    """Open a draft for the helped person, or return their existing one, and record who helped.

    `channel` is `paper` where a signed form is typed in, and `sheet` the signs of its edition. Raises as
    `open_dossier`; `NotFound` without an assistance.
    """
    actor, now = helping(ctx, agent), assistance_of(ctx, agent)
    if actor is None or now is None:
        raise NotFound
    if procedure_id not in received_by(ctx, agent):
        raise NotFound
    opening = replace(actor, dossiers=frozenset[str]())
    dossier = open_dossier(
        ctx, opening, procedure_id, criteria=criteria, channel=channel, language=language, token=token
    )
    acting = replace(actor, dossiers=actor.dossiers | {dossier.id})
    with ctx.store.unit(write=True) as unit:
        return _join(ctx, unit, agent, now, own_draft(unit, ctx, acting, dossier.id), channel, sheet)


def resume_request(ctx: AppContext, agent: Actor, number: str) -> Dossier:
    """Open an earlier request of the helped person by its number.

    A draft can be filled in further. A submitted one can be paid, corrected or given its appointment. Raises
    `NotFound` without an assistance. Raises Refused: too_many_tries, request_unknown. The second is the same
    for unknown numbers, other owners and other procedures.
    """
    now, procedures = assistance_of(ctx, agent), received_by(ctx, agent)
    if now is None or not procedures:
        raise NotFound
    digits = digits_only(number)
    known = len(digits) == NUMBER_DIGITS and has_check_digit(digits)
    with ctx.store.unit(write=True) as unit:
        closed = too_many(unit, ctx.now(), (f"resume@{agent.id}", NUMBERS_TRIED))
        dossier = unit.dossier_numbered(digits) if known and closed is None else None
        if dossier is not None and _is_theirs(dossier, now, procedures):
            return dossier if dossier.id in now.dossiers else _join(ctx, unit, agent, now, dossier)
    raise Refused(closed or refusal("request_unknown"))  # the count of tries is saved


def _is_theirs(dossier: Dossier, now: Assistance, procedures: Container[str]) -> bool:
    """Return whether the assistance covers a dossier.

    The person owns it and the agent receives its procedure. A discarded draft is excluded.
    """
    gone = dossier.is_draft and dossier.closed_at is not None
    return dossier.owner == now.person and dossier.procedure in procedures and not gone


def _join(
    ctx: AppContext, unit: Unit, agent: Actor, now: Assistance, before: Dossier, channel: str = COUNTER, sheet: str = ""
) -> Dossier:
    """Add the dossier to the assistance and record the help; of a closed one, a reading in the access log.

    A draft is then of the counter. One typed in from a signed form stays of that form.

    Raises `NotFound` when the assistance ended or changed meanwhile. Raises Refused("own_dossier") if an own number of
    the agent made it.
    """
    if not agent.contacts.isdisjoint(phones_of(before)):
        raise Refused(refusal("own_dossier"))
    still = _read(unit.peeked_aside(_key(agent)))
    if still is None or still.id != now.id:
        raise NotFound
    named = (*still.dossiers, *((before.id,) if before.id not in still.dossiers else ()))
    kept = before
    if before.closed_at is None:
        helped = (*before.assisted, *((agent.id,) if agent.id not in before.assisted else ()))
        came = PAPER if before.is_draft and before.channel == PAPER else channel
        body: dict[str, Plain] = {"revision": before.revision + 1, "consent": now.consent, "channel": came}
        body |= {"sheet": sheet} if sheet else {}
        body |= {"agreement": now.sheet} if now.sheet else {}
        after = replace(before, assisted=helped, channel=came if before.is_draft else before.channel)
        acting = _acting(agent, replace(still, dossiers=named), ())
        kept = keep(ctx, unit, before, after, [EntryDraft("assisted", body)], acting)
    else:
        role = min(roles_of(pinned(ctx, unit, before)) & agent.roles, default="")
        unit.note_reading(Reading(before.id, agent.id, ctx.day(), ctx.now(), role))
    if named != still.dossiers:
        _keep(unit, agent, replace(still, dossiers=named), ctx.now())
    return kept


# -- receipts without a phone ------------------------------------------------------------------------------------------


def follow_code(ctx: AppContext, dossier: Dossier) -> str:
    """Return the code printed beside the number for an owner without a phone, empty for others.

    It is not stored: it is the keyed digest of the number.
    """
    with ctx.store.unit() as unit:
        account = unit.account(dossier.owner)
    return _codes(ctx, dossier.number)[0] if account and account.login.startswith(WITHOUT_PHONE) else ""


def _codes(ctx: AppContext, number: str) -> list[str]:
    """Return the codes of a number: the one printed now, then those under earlier secrets."""
    seals = ctx.keys.seals_of("receipt", number)
    return [f"{int(one, 16) % 10**CODE_DIGITS:0{CODE_DIGITS}d}" for one in seals]


@logged("code of a receipt")
def follow_by_code(
    ctx: AppContext, number: str, code: str, *, client: str = "", device: str = "", browser: str = ""
) -> tuple[SignedIn, str]:
    """Sign in a person without a phone by the number and code of their receipt.

    Return the session and the number. Raises Refused: receipt_wrong, too_many_tries.
    """
    digits = digits_only(number)

    def tries(owner: str) -> tuple[Limit, ...]:
        known = browser if is_known(ctx, owner, browser) else ""
        own = limits_of(f"receipt:{digits[:NUMBER_DIGITS]}", RECEIPT_CODES_A_DAY, client=client, browser=known)
        return own if known else (Limit(f"receipt@{client}", CODES_TRIED_BY_CLIENT), *own)

    account = _known_by_receipt(ctx, digits, code, tries)
    with ctx.store.unit(write=True) as unit:
        return open_session(ctx, unit, account, ctx.now(), device=device), digits


def _known_by_receipt(
    ctx: AppContext, digits: str, code: str, tries_of: Callable[[str], tuple[Limit, ...]]
) -> Account:  # fmt: skip
    """Return the account that number and code name together.

    Every wrong pair gets the same answer. `tries_of` returns the limits on wrong pairs for the owner of
    the number, empty if unknown.
    """
    known, typed = len(digits) == NUMBER_DIGITS and has_check_digit(digits), digits_only(code)
    right = [hmac.compare_digest(typed, one) for one in _codes(ctx, digits)]
    with ctx.store.unit(write=True) as unit:
        dossier = unit.dossier_numbered(digits) if known else None
        account = unit.account(dossier.owner) if dossier and any(right) else None
        account = account if account is not None and account.login.startswith(WITHOUT_PHONE) else None
        tries = tries_of(dossier.owner if dossier else "")
        closed = shut(unit, ctx.now(), tries)
        if closed is None and account is None:
            count_wrong(unit, ctx.now(), tries)
    if closed is not None or account is None:
        raise Refused(closed or refusal("receipt_wrong"))
    return account


# -- storage -----------------------------------------------------------------------------------------------------------


def _key(agent: Actor) -> str:
    return f"assistance/{agent.id}"


def _keep(unit: Unit, agent: Actor, one: Assistance, at: datetime) -> None:
    body: Plain = {
        "id": one.id, "person": one.person, "consent": one.consent, "dossiers": [*one.dossiers],
        "begun": instant_text(one.begun_at), "seen": instant_text(at), **({"sheet": one.sheet} if one.sheet else {}),
    }  # fmt: skip
    unit.keep_aside(_key(agent), body, at)


def _read(kept: Plain) -> Assistance | None:
    if not isinstance(kept, dict):
        return None
    dossiers = kept.get("dossiers")
    named = tuple(str(one) for one in dossiers) if isinstance(dossiers, list) else ()
    seen = read_instant(kept.get("seen"))
    begun = read_instant(kept["begun"]) if "begun" in kept else seen  # without it: begun under an earlier release
    return Assistance(
        str(kept.get("id")), str(kept.get("person")), str(kept.get("consent")), named, begun, seen, str(kept.get("sheet", ""))
    )  # fmt: skip
