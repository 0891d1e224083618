"""A telephone that its owner lost: at a counter an agent looks at who they are, and the account follows them to another number.

The agent vouches for the person, the code read aloud for the new number; the number before is told and may say no until the
day comes, three days after it was told. Nothing is read or written in the person's name meanwhile, and the agent opens none of
their dossiers by it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.clock import local_day
from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain, digits_only, has_check_digit
from engine.domain.common.decision import EntryDraft
from engine.records.dossier import SYSTEM_ACTOR, Account, Actor, Dossier, OutboundMessage
from engine.records.people import PhoneMove
from engine.services.accounts.assistance import NUMBERS_TRIED, received_by
from engine.services.accounts.contact_change import change_phone, is_bare, notify
from engine.services.context.app_context import NUMBER_DIGITS, AppContext, NotFound
from engine.services.context.contact_parsing import read_phone
from engine.services.context.rate_limit import too_many
from engine.services.core.journalling import journalise
from engine.services.sign_in.applicant_sign_in import MOVE, prove_consent
from engine.storage.unit_of_work import AlreadyExists, Busy, Unit

log = logging.getLogger("guichet.tour")

WAIT: Final = timedelta(days=3)  # that the holder of the number before has to say no, once told
LOOK_AGAIN: Final = timedelta(hours=1)  # where they are not told yet
AT_ONCE: Final = 50
FORMER_TRIED: Final = 10  # former numbers, for one request by one agent, in a quarter of an hour
_LAST_LETTERS: Final = 100  # of a number
PAPERS: Final = ("id_card", "passport", "driving_licence", "voter_card", "residence_card")


@dataclass(frozen=True, slots=True)
class PhoneHolder:
    """What the agent holds against the identity document: the name in the dossier and that of the account, where there is one; and
    the number that waits already."""

    number: str
    procedure: str
    label: str
    name: str
    waiting: PhoneMove | None = None


# -- at the counter ----------------------------------------------------------------------------------------------------


def holder_of(ctx: AppContext, agent: Actor, number: str, former_raw: str, *, again: bool = False) -> PhoneHolder:
    """Whose dossier and number these are. Raises NotFound for whoever receives nobody; Refused: phone_format, too_many_tries,
    lost_unknown – one and the same for a number that is nobody's, of another telephone, or of a procedure not received here.
    `again`: they were named to this agent already, which is no new try."""
    dossier = _named(ctx, agent, number, read_phone(former_raw), counted=not again)
    with ctx.store.unit() as unit:
        account, waiting = unit.account(dossier.owner), unit.phone_move(dossier.owner)
    if account is None:
        raise Refused(refusal("lost_unknown"))
    named = " ".join(str(said) for part in ("family_name", "given_names") if (said := account.profile.get(part)))
    return PhoneHolder(dossier.number, dossier.procedure, dossier.label, account.name or named, waiting)


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


def ask_move(
    ctx: AppContext, agent: Actor, number: str, former_raw: str, phone_raw: str, paper: str, code: str, *, mark: str = ""
) -> PhoneMove:  # fmt: skip
    """Once the agent saw an identity document (`paper`) and the person read the code sent to their new number: the account moves
    to it after `WAIT`, and the number before is told. Asked twice, it is one. Raises as `holder_of`; Refused: paper_missing,
    same_phone, phone_taken, move_waiting, code_format, code_wrong, code_expired."""
    former, phone = read_phone(former_raw), check_new(former_raw, phone_raw)
    check_paper(paper)
    named = _named(ctx, agent, number, former, counted=True)
    with ctx.store.unit(write=True) as unit:
        account, dossier = unit.account_held(named.owner), unit.dossier(named.id)
        waiting = unit.phone_move(named.owner)
        if waiting is not None and (waiting.phone, waiting.agent) == (phone, agent.id):
            return waiting
        if account is None or dossier is None or not _is_of(dossier, account, former):
            closed = refusal("lost_unknown")
        elif waiting is not None:
            closed = refusal("move_waiting")
        else:
            wrong = prove_consent(ctx, unit, phone, code, MOVE, mark) or _taken(unit, phone)
            if wrong is None:
                return _put(ctx, unit, agent, dossier, account, phone, paper)
            closed = wrong
    raise Refused(closed)  # what was counted and used up is kept: nothing was raised inside the unit


def stop_move(ctx: AppContext, agent: Actor, number: str, former_raw: str) -> None:
    """The office takes back what was asked at its counter; the number that waited is told. Raises as `holder_of`; NotFound when
    none waits."""
    named = _named(ctx, agent, number, read_phone(former_raw), counted=False)
    _stop(ctx, named.owner, agent, "move_stopped")


def _named(ctx: AppContext, agent: Actor, number: str, former: str, *, counted: bool) -> Dossier:
    procedures = received_by(ctx, agent)
    if not procedures:
        raise NotFound
    digits = digits_only(number)
    known = len(digits) == NUMBER_DIGITS and has_check_digit(digits)
    if counted:
        tries = [(f"lost@{agent.id}", NUMBERS_TRIED), *([(f"lost:{digits}@{agent.id}", FORMER_TRIED)] if known else [])]
        with ctx.store.unit(write=True) as unit:
            closed = too_many(unit, ctx.now(), *tries)
        if closed is not None:
            raise Refused(closed)
    with ctx.store.unit() as unit:
        dossier = unit.dossier_numbered(digits) if known else None
        account = unit.account(dossier.owner) if dossier and dossier.owner else None
    if (
        dossier is None
        or account is None
        or dossier.procedure not in procedures
        or not _is_of(dossier, account, former)
    ):
        raise Refused(refusal("lost_unknown"))
    return dossier


def _is_of(dossier: Dossier, account: Account, former: str) -> bool:
    """Whether this request is of that number's account, which is open. A draft that was given up is gone."""
    gone = dossier.is_draft and dossier.closed_at is not None
    return dossier.owner == account.id and account.login == former and not account.disabled and not gone


def _taken(unit: Unit, phone: str) -> Refusal | None:
    other = unit.account_of("applicant", phone)
    return None if other is None or is_bare(unit, other.id) else refusal("phone_taken")


def _put(
    ctx: AppContext, unit: Unit, agent: Actor, dossier: Dossier, account: Account, phone: str, paper: str
) -> PhoneMove:  # fmt: skip
    now = ctx.now()
    due = now + WAIT
    letter = notify(ctx, unit, account, "move_asked", account.login, due)
    for way in unit.identifiers_of(account.id):
        if way.kind == "email":
            notify(ctx, unit, account, "move_asked", way.value, due)
    move = PhoneMove(account.id, account.login, phone, dossier.id, agent.id, letter, now, due)
    unit.add_phone_move(move)
    body: dict[str, Plain] = {"seen": paper, "moves_on": local_day(due).isoformat()}
    _note(ctx, unit, dossier, "number_asked", agent, body, {"contact": phone})
    return move


# -- its owner ---------------------------------------------------------------------------------------------------------


def move_waiting(ctx: AppContext, actor: Actor) -> PhoneMove | None:
    """The number asked for in their name, for whoever is signed in with the one before."""
    if actor.kind != "applicant" or actor.unproven or actor.principal:
        return None
    with ctx.store.unit() as unit:
        return unit.phone_move(actor.id)


def refuse_move(ctx: AppContext, actor: Actor) -> None:
    """It was not me: the account stays where it is, and the number that waited is told. Raises NotFound when none waits."""
    if actor.kind != "applicant" or actor.unproven or actor.principal:
        raise NotFound
    _stop(ctx, actor.id, actor, "move_refused")


def _stop(ctx: AppContext, account_id: str, actor: Actor, reported: str) -> None:
    with ctx.store.unit(write=True) as unit:
        account, move = unit.account_held(account_id), unit.phone_move(account_id)
        if account is None or move is None:
            raise NotFound
        _give_up(ctx, unit, account, move, actor, reported)


def _give_up(ctx: AppContext, unit: Unit, account: Account, move: PhoneMove, actor: Actor, reported: str) -> None:
    unit.drop_phone_move(account.id)
    dossier = unit.dossier(move.dossier)
    if dossier is not None:
        _note(ctx, unit, dossier, "number_refused", actor, {}, {})
    notify(ctx, unit, account, reported, move.phone, move.due_at)


# -- once its day has come ---------------------------------------------------------------------------------------------


def make_moves(ctx: AppContext) -> int:
    """Moves the accounts whose day has come, each in its own unit. How many."""
    with ctx.store.unit() as unit:
        due = unit.due_phone_moves(ctx.now(), AT_ONCE)
    made = 0
    for one in due:
        try:
            made += _make(ctx, one)
        except Busy:  # none of the others would fare better
            raise
        except Exception:  # the others are moved
            log.exception("a number that waited, of %s", one.account)
    return made


def _make(ctx: AppContext, due: PhoneMove) -> bool:
    with ctx.store.unit(write=True) as unit:
        account, move, agent = unit.account_held(due.account), unit.phone_move(due.account), unit.account(due.agent)
        if account is None or move is None or move != due:
            return False
        day = ctx.day()
        if not account.is_open(day) or account.login != move.former:
            unit.drop_phone_move(account.id)
            return False
        if agent is None or not agent.is_open(day):  # who vouched is not of the house any more
            _give_up(ctx, unit, account, move, SYSTEM_ACTOR, "move_stopped")
            return False
        if _waits_on(ctx, unit, account, move):
            return False
        try:
            change_phone(ctx, unit, account, move.phone, agent.actor())
        except AlreadyExists:  # they began requests with the new one meanwhile
            _give_up(ctx, unit, account, move, SYSTEM_ACTOR, "move_stopped")
            return False
        unit.drop_sessions(account.id)  # a stolen telephone may still be signed in
        notify(ctx, unit, account, "move_made", move.phone, move.due_at)
        return True


def _waits_on(ctx: AppContext, unit: Unit, account: Account, move: PhoneMove) -> bool:
    """Puts off a move of which the number before was not told long enough ago; it is told again where that was given up."""
    now = ctx.now()
    letter = next((one for one in unit.letters_to(move.former, _LAST_LETTERS) if one.id == move.letter), None)
    until = _not_before(move, letter, now)
    if until is not None and until <= now:
        return False
    if until is None:
        until = now + WAIT
        move = replace(move, letter=notify(ctx, unit, account, "move_asked", move.former, until))
    unit.drop_phone_move(account.id)
    unit.add_phone_move(replace(move, due_at=until))
    return True


def _not_before(move: PhoneMove, letter: OutboundMessage | None, now: datetime) -> datetime | None:
    """When a move may be made, by what became of the letter; none where it must be written again. A number that no operator
    knows any more refuses at the first try: nobody is there to say no."""
    if letter is None:
        return None
    if letter.failed:
        return move.due_at if letter.attempts <= 1 else None
    return now + LOOK_AGAIN if letter.sent_at is None else letter.sent_at + WAIT


def _note(
    ctx: AppContext, unit: Unit, dossier: Dossier, kind: str, actor: Actor, body: dict[str, Plain], commits: Mapping[str, Plain]
) -> None:  # fmt: skip
    """In the journal of the dossier, closed or not: nothing else of it changes."""
    journalise(unit, dossier, [EntryDraft(kind, body, commits)], actor, ctx.now())
