"""Lost phones: an account moves to another number after an agent checked the person's identity.

The agent vouches for the person, the code read aloud for the new number. The former number is notified
and may refuse for three days. Meanwhile nothing is read or written in the person's name. The agent
gains access to none of their dossiers.
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
from engine.domain.common.access import is_own
from engine.domain.common.decision import EntryDraft
from engine.records.dossier import SYSTEM_ACTOR, Account, Actor, Dossier, OutboundMessage
from engine.records.people import PhoneMove
from engine.services.accounts.assistance import NUMBERS_TRIED, received_by
from engine.services.accounts.contact_change import change_phone, drop_address, is_bare, notify
from engine.services.context.app_context import NUMBER_DIGITS, AppContext, NotFound
from engine.services.context.contact_parsing import read_phone
from engine.services.context.rate_limit import too_many
from engine.services.core.journalling import journalise
from engine.services.sign_in.applicant_sign_in import MOVE, prove_consent
from engine.services.sign_in.identity_provider import ASSURANCE
from engine.storage.results import AlreadyExists, Busy
from engine.storage.unit_of_work import Unit

log = logging.getLogger("guichet.tour")

WAIT: Final = timedelta(days=3)  # that the holder of the former number has to refuse, once notified
LOOK_AGAIN: Final = timedelta(hours=1)  # where they are not notified yet
AT_ONCE: Final = 50
FORMER_TRIED: Final = 10  # former numbers, for one dossier by one agent, in a quarter of an hour
PAPERS: Final = ("id_card", "passport", "driving_licence", "voter_card", "residence_card")


@dataclass(frozen=True, slots=True)
class PhoneHolder:
    """What the agent compares with the identity document: the names in the dossier and in the account.

    `waiting` is a move that waits already. `changed`: the account has another number than the one given, since its
    holder changed it.
    """

    number: str
    procedure: str
    label: str
    name: str
    waiting: PhoneMove | None = None
    changed: bool = False


# -- at the counter ----------------------------------------------------------------------------------------------------


def holder_of(ctx: AppContext, agent: Actor, number: str, former_raw: str, *, again: bool = False) -> PhoneHolder:
    """Return the holder of a dossier and a former number: that of the account, or one where the dossier wrote before.

    Raises `NotFound` for an agent without receiving role. Raises Refused: phone_format, too_many_tries,
    own_dossier, lost_unknown. The last is the same for unknown numbers, other phones and other procedures. With `again`,
    the pair was already shown to this agent and is not counted as a try.
    """
    former = read_phone(former_raw)
    dossier = _named(ctx, agent, number, former, counted=not again)
    with ctx.store.unit() as unit:
        account, waiting = unit.account(dossier.owner), unit.phone_move(dossier.owner)
    if account is None:
        raise Refused(refusal("lost_unknown"))
    named = " ".join(str(said) for part in ("family_name", "given_names") if (said := account.profile.get(part)))
    return PhoneHolder(
        dossier.number, dossier.procedure, dossier.label, account.name or named, waiting, account.login != former
    )


def check_paper(paper: str) -> None:
    """Check the kind of identity document. Raises Refused("paper_missing") for an unknown one."""
    if paper not in PAPERS:
        raise Refused(refusal("paper_missing"))


def check_new(former_raw: str, phone_raw: str, *, changed: bool = False) -> str:
    """Return the new number before a code is sent to it.

    It may be the former one if the account has another by now (`changed`). Whether it has an account is only shown
    after the code. Raises Refused: phone_format, same_phone.
    """
    former, phone = read_phone(former_raw), read_phone(phone_raw)
    if phone == former and not changed:
        raise Refused(refusal("same_phone"))
    return phone


def ask_move(
    ctx: AppContext, agent: Actor, number: str, former_raw: str, phone_raw: str, paper: str, code: str, *, mark: str = ""
) -> PhoneMove:  # fmt: skip
    """Ask to move the account to a new number.

    The agent saw an identity document (`paper`), and the person read the code. It moves after `WAIT`,
    and the former number is notified. Asked twice, it is one move. Raises as `holder_of`. Raises
    Refused: paper_missing, same_phone, phone_taken, move_waiting, code_format, code_wrong,
    code_expired.
    """
    former, phone = read_phone(former_raw), read_phone(phone_raw)
    check_paper(paper)
    if phone in agent.contacts:
        raise Refused(refusal("own_dossier"))
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
        elif phone == account.login:
            closed = refusal("same_phone")
        else:
            wrong = prove_consent(ctx, unit, phone, code, MOVE, mark) or _taken(unit, phone)
            if wrong is None:
                return _put(ctx, unit, agent, dossier, account, phone, paper)
            closed = wrong
    raise Refused(closed)  # raised outside the unit, so that counts and used codes are saved


def stop_move(ctx: AppContext, agent: Actor, number: str, former_raw: str) -> None:
    """Cancel a move asked for at this counter and notify the new number.

    Raises as `holder_of`; `NotFound` without a move.
    """
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
    if is_own(dossier, agent):
        raise Refused(refusal("own_dossier"))
    return dossier


def _is_of(dossier: Dossier, account: Account, former: str) -> bool:
    """Return whether the dossier belongs to an open account of this number, or wrote to it before.

    Its finder may have changed the number already. A discarded draft does not count.
    """
    gone = dossier.is_draft and dossier.closed_at is not None
    known = account.login == former or (account.login.startswith("+") and former in dossier.former_phones)
    return dossier.owner == account.id and known and not account.disabled and not gone


def _taken(unit: Unit, phone: str) -> Refusal | None:
    other = unit.account_of("applicant", phone)
    return None if other is None or is_bare(unit, other.id) else refusal("phone_taken")


def _put(
    ctx: AppContext, unit: Unit, agent: Actor, dossier: Dossier, account: Account, phone: str, paper: str
) -> PhoneMove:  # fmt: skip
    now = ctx.now()
    due = now + WAIT
    letter = notify(ctx, unit, account, "move_asked", account.login, due)
    for identifier in unit.identifiers_of(account.id):
        if identifier.kind == "email":
            notify(ctx, unit, account, "move_asked", identifier.value, due)
    move = PhoneMove(account.id, account.login, phone, dossier.id, agent.id, letter, now, due)
    unit.add_phone_move(move)
    body: dict[str, Plain] = {"seen": paper, "moves_on": local_day(due).isoformat()}
    _note(ctx, unit, dossier, "number_asked", agent, body, {"contact": phone})
    return move


# -- owner of the account ----------------------------------------------------------------------------------------------


def move_waiting(ctx: AppContext, actor: Actor) -> PhoneMove | None:
    """Return the move that waits for the account of this applicant.

    None for representatives and unverified persons.
    """
    if actor.kind != "applicant" or actor.unproven or actor.principal:
        return None
    with ctx.store.unit() as unit:
        return unit.phone_move(actor.id)


def refuse_move(ctx: AppContext, actor: Actor) -> None:
    """Refuse a move as owner of the account: it stays where it is, and the new number is notified.

    Raises `NotFound` without a move.
    """
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


# -- due moves ---------------------------------------------------------------------------------------------------------


def make_moves(ctx: AppContext) -> int:
    """Make the moves that are due, each in its own unit. Return how many."""
    with ctx.store.unit() as unit:
        due = unit.due_phone_moves(ctx.now(), AT_ONCE)
    made = 0
    for one in due:
        try:
            made += _make(ctx, one)
        except Busy:  # the others would fail too
            raise
        except Exception:  # the other accounts are still moved
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
        if agent is None or not agent.is_open(day):  # the agent who vouched has left the administration
            _give_up(ctx, unit, account, move, SYSTEM_ACTOR, "move_stopped")
            return False
        if _waits_on(ctx, unit, account, move):
            return False
        try:
            change_phone(ctx, unit, account, move.phone, agent.actor())
        except AlreadyExists:  # the new number got requests of its own meanwhile
            _give_up(ctx, unit, account, move, SYSTEM_ACTOR, "move_stopped")
            return False
        unit.drop_sessions(account.id)  # a stolen phone may still be signed in
        _drop_other_ways(ctx, unit, account, agent.actor())
        notify(ctx, unit, account, "move_made", move.phone, move.due_at)
        return True


def _drop_other_ways(ctx: AppContext, unit: Unit, account: Account, agent: Actor) -> None:
    """Remove the addresses and the identity of a provider, which the holder of the stolen phone may have added.

    What that provider confirmed may be changed again: it may be another person's name.
    """
    for known in unit.identifiers_of(account.id):
        if known.kind == "email":
            drop_address(ctx, unit, account, agent, known.value)
            continue
        unit.drop_identifier(known.kind, known.value)
        if (held := unit.account_held(account.id)) is not None:
            profile = {name: value for name, value in held.profile.items() if name != ASSURANCE}
            unit.put_account(replace(held, profile=profile))


def _waits_on(ctx: AppContext, unit: Unit, account: Account, move: PhoneMove) -> bool:
    """Postpone a move whose former number was not notified long enough ago.

    Notify it again if the message failed. Return whether it waits.
    """
    now = ctx.now()
    until = _not_before(move, unit.letter(move.letter), now)
    if until is not None and until <= now:
        return False
    if until is None:
        until = now + WAIT
        move = replace(move, letter=notify(ctx, unit, account, "move_asked", move.former, until))
    unit.drop_phone_move(account.id)
    unit.add_phone_move(replace(move, due_at=until))
    return True


def _not_before(move: PhoneMove, letter: OutboundMessage | None, now: datetime) -> datetime | None:
    """Return the earliest moment of a move by the state of its message; None if it must be sent again.

    A number out of service refuses at the first try: it has no holder who could refuse.
    """
    if letter is None:
        return None
    if letter.failed:
        return move.due_at if letter.attempts <= 1 else None
    return now + LOOK_AGAIN if letter.sent_at is None else letter.sent_at + WAIT


def _note(
    ctx: AppContext, unit: Unit, dossier: Dossier, kind: str, actor: Actor, body: dict[str, Plain], commits: Mapping[str, Plain]
) -> None:  # fmt: skip
    """Append an entry to the journal of the dossier, even a closed one. Nothing else changes."""
    journalise(unit, dossier, [EntryDraft(kind, body, commits)], actor, ctx.now())
