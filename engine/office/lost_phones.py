"""A telephone that its owner lost: at a counter an agent looks at who they are, and the account follows them to another number.

The agent vouches for the person, the code read aloud for the new number; the number before is told and may say no until the
day comes, three days later. Nothing is read or written in the person's name meanwhile, and the agent opens none of their dossiers by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from engine.clock import local, local_day
from engine.office.accounts import MOVE, prove_consent
from engine.office.assistance import CODES_TRIED, NUMBERS_TRIED, received_by
from engine.office.carrying import journalise, keep
from engine.office.office import NUMBER_DIGITS, NotFound, Office
from engine.office.phones import read_phone
from engine.office.tries import too_many
from engine.problems import Refused, refusal
from engine.records.dossier import SYSTEM_ACTOR, Account, Actor, Dossier, Letter
from engine.records.people import PhoneMove
from engine.records.store import Taken, Unit
from engine.rules.decision import EntryDraft
from engine.rules.wishes import wishes_of
from engine.sms import to_gsm
from engine.values import Plain, digits_only, has_check_digit, new_id

WAIT: Final = timedelta(days=3)  # that the holder of the number before has to say no
AT_ONCE: Final = 50
MOST_DOSSIERS: Final = 500
PAPERS: Final = ("id_card", "passport", "driving_licence", "voter_card", "residence_card")


@dataclass(frozen=True, slots=True)
class Holder:
    """What the agent holds against the identity document: the name in the dossier and that of the account, where there is one."""

    number: str
    procedure: str
    label: str
    name: str


# -- at the counter ----------------------------------------------------------------------------------------------------


def holder_of(office: Office, agent: Actor, number: str, former_raw: str, *, again: bool = False) -> Holder:
    """Whose dossier and number these are. Raises NotFound for whoever receives nobody; Refused: phone_format, too_many_tries,
    lost_unknown – one and the same for a number that is nobody's, of another telephone, or of a procedure not received here. `again`: they were named to
    this agent already, which is no new try."""
    former = read_phone(former_raw)
    with office.store.unit(write=True) as unit:
        found = _found(office, unit, agent, number, former, counted=not again)
    if isinstance(found, Refused):  # the count of tries is kept: nothing was raised inside the unit
        raise found
    dossier, account = found
    named = " ".join(str(said) for part in ("family_name", "given_names") if (said := account.profile.get(part)))
    return Holder(dossier.number, dossier.procedure, dossier.label, account.name or named)


def ask_move(
    office: Office, agent: Actor, number: str, former_raw: str, phone_raw: str, paper: str, code: str, *, client: str = ""
) -> PhoneMove:  # fmt: skip
    """Once the agent saw an identity document (`paper`) and the person read the code sent to their new number: the account moves
    to it after `WAIT`, and the number before is told. Raises as `holder_of`; Refused: paper_missing, same_phone, phone_taken,
    move_waiting, code_format, code_wrong, code_expired."""
    former, phone = read_phone(former_raw), check_new(former_raw, phone_raw)
    check_paper(paper)
    move: PhoneMove | None = None
    with office.store.unit(write=True) as unit:
        found = _found(office, unit, agent, number, former)
        closed = found if isinstance(found, Refused) else _proven(office, unit, phone, code, client)
        if closed is None and not isinstance(found, Refused):
            move = _put(office, unit, agent, *found, phone, paper)
    if move is None:
        raise closed or Refused(refusal("lost_unknown"))
    return move


def check_paper(paper: str) -> None:
    """Raises Refused("paper_missing")."""
    if paper not in PAPERS:
        raise Refused(refusal("paper_missing"))


def check_new(former_raw: str, phone_raw: str) -> str:
    """The new number, before a code is sent to it; whether it is somebody's is said to who read that code alone. Raises Refused:
    phone_format, same_phone."""
    former, phone = read_phone(former_raw), read_phone(phone_raw)
    if phone == former:
        raise Refused(refusal("same_phone"))
    return phone


def _found(
    office: Office, unit: Unit, agent: Actor, number: str, former: str, *, counted: bool = True
) -> tuple[Dossier, Account] | Refused:  # fmt: skip
    procedures = received_by(office, agent)
    if not procedures:
        raise NotFound
    digits = digits_only(number)[:NUMBER_DIGITS]
    tries = ((f"lost:{digits}", CODES_TRIED), (f"lost@{agent.id}", NUMBERS_TRIED)) if counted else ()
    closed = too_many(unit, office.now(), *tries)
    if closed is not None:
        return Refused(closed)
    dossier = unit.dossier_numbered(digits) if has_check_digit(digits) else None
    account = unit.account_held(dossier.owner) if dossier and dossier.owner else None
    theirs = account is not None and account.login == former and not account.disabled
    if dossier is None or account is None or not theirs or dossier.procedure not in procedures:
        return Refused(refusal("lost_unknown"))
    return dossier, account


def _proven(office: Office, unit: Unit, phone: str, code: str, client: str) -> Refused | None:
    closed = prove_consent(office, unit, phone, code, client, MOVE)
    return Refused(closed) if closed is not None else None


def _put(
    office: Office, unit: Unit, agent: Actor, dossier: Dossier, account: Account, phone: str, paper: str
) -> PhoneMove:  # fmt: skip
    other, now = unit.account_of("applicant", phone), office.now()
    if other is not None and unit.dossiers_of(other.id, 1):
        raise Refused(refusal("phone_taken"))
    move = PhoneMove(account.id, account.login, phone, dossier.id, agent.id, now, now + WAIT)
    if unit.phone_move(account.id) is not None:
        raise Refused(refusal("move_waiting"))
    unit.add_phone_move(move)
    body: dict[str, Plain] = {"seen": paper, "due": local_day(move.due_at).isoformat()}
    _note(office, unit, dossier, "number_asked", agent, body, {"contact": phone})
    _tell(office, unit, account, "move_asked", account.login, move.due_at)
    for way in unit.identifiers_of(account.id):
        if way.kind == "email":
            _tell(office, unit, account, "move_asked", way.value, move.due_at)
    return move


# -- its owner ---------------------------------------------------------------------------------------------------------


def move_waiting(office: Office, actor: Actor) -> PhoneMove | None:
    """The number asked for in their name, for whoever is signed in with the one before."""
    if actor.kind != "applicant" or actor.unproven or actor.principal:
        return None
    with office.store.unit() as unit:
        return unit.phone_move(actor.id)


def refuse_move(office: Office, actor: Actor) -> None:
    """It was not me: the account stays where it is, and the number that waited is told. Raises NotFound when none waits."""
    if actor.kind != "applicant" or actor.unproven or actor.principal:
        raise NotFound
    with office.store.unit(write=True) as unit:
        account = unit.account_held(actor.id)
        move = unit.phone_move(actor.id)
        if account is None or move is None:
            raise NotFound
        _give_up(office, unit, account, move, actor, "move_refused")


def _give_up(office: Office, unit: Unit, account: Account, move: PhoneMove, actor: Actor, told: str) -> None:
    unit.drop_phone_move(account.id)
    dossier = unit.dossier(move.dossier)
    if dossier is not None:
        _note(office, unit, dossier, "number_refused", actor, {}, {})
    _tell(office, unit, account, told, move.phone, move.due_at)


# -- once its day has come ---------------------------------------------------------------------------------------------


def make_moves(office: Office) -> int:
    """Moves the accounts whose day has come, each in its own unit. How many."""
    with office.store.unit() as unit:
        due = unit.due_phone_moves(office.now(), AT_ONCE)
    return sum(_make(office, one) for one in due)


def _make(office: Office, due: PhoneMove) -> bool:
    with office.store.unit(write=True) as unit:
        account, move = unit.account_held(due.account), unit.phone_move(due.account)
        if move != due or account is None:
            return False
        if account.login != move.former:  # its owner gave another number meanwhile
            unit.drop_phone_move(account.id)
            return False
        agent = unit.account(move.agent)
        actor = agent.actor() if agent else SYSTEM_ACTOR
        try:
            change_phone(office, unit, account, move.phone, actor)
        except Taken:  # they began requests with the new one meanwhile
            _give_up(office, unit, account, move, SYSTEM_ACTOR, "move_taken")
            return False
        unit.drop_sessions(account.id)  # a stolen telephone may still be signed in
        _tell(office, unit, account, "move_made", move.phone, move.due_at)
        return True


def change_phone(office: Office, unit: Unit, account: Account, phone: str, actor: Actor) -> None:
    """The account is known by this number from now on; running dossiers write there, the number before is told. Raises `Taken`
    for the number of somebody who has requests of their own."""
    other = unit.account_of("applicant", phone)
    if other is not None and other.id != account.id:
        if unit.dossiers_of(other.id, 1):
            raise Taken(phone)
        leave(unit, other.id)
    before = account.login if account.login.startswith("+") else None
    unit.put_account(replace(account, login=phone))
    unit.drop_phone_move(account.id)
    write_to(office, unit, account, actor, phone=phone)
    if before and before != phone:
        _tell(office, unit, account, "phone_changed", before, office.now())


def leave(unit: Unit, account_id: str) -> None:
    """Closes an account that somebody signed in to once, and asked for nothing."""
    other = unit.account_held(account_id)
    if other is not None:
        unit.put_account(replace(other, login=f"left:{other.id}", disabled=True))
        unit.drop_phone_move(other.id)
        unit.drop_sessions(other.id)


def write_to(
    office: Office, unit: Unit, account: Account, actor: Actor, *, phone: str | None = None, email: str | None = None
) -> None:
    """Running dossiers, drafts too, write to the new number or address from now on."""
    for line in unit.dossiers_of(account.id, MOST_DOSSIERS):
        before = unit.dossier(line.id)
        if before is None or before.closed_at is not None:
            continue
        after = replace(
            before, contact_phone=phone or before.contact_phone, contact_email=email or before.contact_email
        )
        body: dict[str, Plain] = {"revision": before.revision + 1}
        keep(office, unit, before, after, [EntryDraft("contact_changed", body, {"contact": phone or email})], actor)


# -- telling -----------------------------------------------------------------------------------------------------------


def _note(
    office: Office, unit: Unit, dossier: Dossier, kind: str, actor: Actor, body: dict[str, Plain], commits: Mapping[str, Plain]
) -> None:  # fmt: skip
    """In the journal of the dossier, closed or not: nothing else of it changes."""
    journalise(unit, dossier, [EntryDraft(kind, body, commits)], actor, office.now())


def _tell(office: Office, unit: Unit, account: Account, kind: str, to: str, when: datetime) -> None:
    spoken = wishes_of(account).language or "fr"
    channel: Literal["sms", "email"] = "sms" if to.startswith("+") else "email"
    facts = {
        "link": f"{office.settings.base_url}/compte",
        "meeting": f"{office.wording.short_day(local_day(when), spoken)} {local(when):%Hh%M}",
    }
    said = office.wording.say(f"letter.{kind}.{channel}", spoken, facts)
    subject = office.wording.say(f"letter.{kind}.subject", spoken, facts) if channel == "email" else ""
    letter_id, now = new_id(), office.now()
    body = to_gsm(said) if channel == "sms" else said
    unit.add_letter(Letter(letter_id, None, channel, to, subject, body, now, f"{kind}/{letter_id}", now))
