"""E-mails that notify agents of pending work, each morning or within minutes, as each agent chooses.

A message states numbers and never names or dossiers, since mail travels unencrypted. The worker does
all of it. A stored cursor marks what was notified and moves in the unit that adds the messages. Any
number of workers therefore notify once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final

from engine.core.clock import local, local_day
from engine.core.problems import Refused, refusal
from engine.core.values import Plain, new_id
from engine.domain.common.access import acting_role
from engine.domain.common.agent_rights import is_absent
from engine.domain.messages.preferences import AgentNotifications, how_named, notifications_of, with_notifications
from engine.journal.search import EventsAsked, JournalEvent
from engine.model import Procedure
from engine.model.roles import awaited_roles
from engine.records.codec import instant_text, read_instant
from engine.records.dossier import Account, Actor, Dossier, OutboundMessage
from engine.services.applications.casework import inbox_counts, list_inbox
from engine.services.appointments.office_day import day as visits_of
from engine.services.context.app_context import AppContext, NotFound, pinned
from engine.services.context.contact_parsing import read_email
from engine.services.context.edition_cache import EditionMissing
from engine.storage.unit_of_work import Unit

MORNING: Final = time(7)
AT_ONCE: Final = 20  # agents of one morning pass: timers wait meanwhile
EVERY: Final = timedelta(minutes=5)  # news within this time go in one message
BEHIND: Final = timedelta(minutes=2)  # longer than a unit may last: no entry appears behind the cursor
MOST_NEWS: Final = 2000  # entries of one pass
_LOOKED_AT: Final = 200  # dossiers of a list whose messages are counted
_MORNINGS, _NEWS = "tidings/morning", "tidings/news"  # keys of the cursors
_COUNTED_QUEUES: Final = ("to_take", "late", "mine")


# -- settings ----------------------------------------------------------------------------------------------------------


def own_notifications(ctx: AppContext, actor: Actor) -> AgentNotifications:
    """Return the notification settings of this agent. Raises `NotFound`."""
    with ctx.store.unit() as unit:
        return notifications_of(_account(unit, actor))


def choose_notifications(ctx: AppContext, actor: Actor, how: str, email_raw: str, language: str) -> AgentNotifications:
    """Save the notification settings.

    A new address gets a message at once, so that a typing error is noticed. Raises `NotFound`. Raises
    Refused: email_format, email_missing.
    """
    chosen = how_named(how)
    if not email_raw.strip() and chosen != "never":
        raise Refused(refusal("email_missing"))
    email = read_email(email_raw) if email_raw.strip() else ""
    with ctx.store.unit(write=True) as unit:
        account = _account(unit, actor)
        before, after = notifications_of(account), AgentNotifications(chosen, email, language)
        unit.put_account(replace(account, profile=with_notifications(account, after)))
        if email and email != before.email and chosen != "never":
            _owe(ctx, unit, after, "welcome", {}, f"{account.id}/{new_id()}")
    return after


def _account(unit: Unit, actor: Actor) -> Account:
    account = unit.account_held(actor.id)
    if account is None or account.kind != "agent":
        raise NotFound
    return account


# -- mornings ----------------------------------------------------------------------------------------------------------


def notify_agents(ctx: AppContext) -> int:
    """Add the notifications that are due now. Return how many were added."""
    return _mornings(ctx) + _news(ctx)


def _mornings(ctx: AppContext) -> int:
    """Add the morning notifications once each working day, from seven o'clock.

    A pass handles `AT_ONCE` agents, in the order of their ids.
    """
    now, today = local(ctx.now()), ctx.day()
    if now.time() < MORNING or not ctx.directory.calendar.works(today):
        return 0
    with ctx.store.unit() as unit:
        mark = unit.peeked_aside(_MORNINGS)
        done, after = _morning_mark(mark, today.isoformat())
        if done:
            return 0
        wanted = [one for one in _agents(ctx, unit) if notifications_of(one).each_morning and one.id > after]
    batch = wanted[:AT_ONCE]
    reported = [(one, found) for one in batch if (found := _waiting(ctx, ctx.person(one)))]
    with ctx.store.unit(write=True) as unit:
        if unit.peeked_aside(_MORNINGS) != mark:
            return 0  # another worker handles it
        for one, found in reported:
            _owe(ctx, unit, notifications_of(one), "morning", found, f"{one.id}/{today}")
        left = len(wanted) > len(batch)
        body: Plain = {"day": today.isoformat(), "after": batch[-1].id if left else "", "done": not left}
        unit.keep_aside(_MORNINGS, body, ctx.now())
    return len(reported)


def _morning_mark(mark: Plain, today: str) -> tuple[bool, str]:
    if not isinstance(mark, Mapping) or mark.get("day") != today:
        return False, ""
    return mark.get("done") is True, str(mark.get("after", ""))


def _agents(ctx: AppContext, unit: Unit) -> list[Account]:
    """Return the agents whose account is open today and who are not absent, by id."""
    day = ctx.day()
    there = (one for one in unit.accounts("agent") if one.is_open(day) and not is_absent(one, day))
    return sorted(there, key=lambda one: one.id)


def _waiting(ctx: AppContext, agent: Actor) -> dict[str, int]:
    """Return the number of pending things of an agent by kind, without zeros."""
    counts = inbox_counts(ctx, agent)
    found = {name: counts[name] for name in _COUNTED_QUEUES}
    names = [line.id for queue in ("mine", "to_take") for line in list_inbox(ctx, agent, queue, limit=_LOOKED_AT).lines]
    with ctx.store.unit() as unit:
        found["messages"] = sum(unit.unread_messages(list(dict.fromkeys(names)), "applicant").values())
    today = visits_of(ctx, agent, ctx.day())
    found["visits"] = sum(one.booking.status == "booked" for one in today)
    return {name: n for name, n in found.items() if n}


# -- news --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _New:
    """A dossier with recent entries.

    `authors` are the actors of these entries. `wrote`: its owner sent a message. `moved`: it changed state.
    """

    definition: Procedure
    dossier: Dossier
    authors: frozenset[str]
    wrote: bool
    moved: bool


def _news(ctx: AppContext) -> int:
    """Notify agents of what happened since the last pass, once every `EVERY`."""
    now = ctx.now()
    until = now - BEHIND
    with ctx.store.unit() as unit:
        mark = unit.peeked_aside(_NEWS)
    since = read_instant(mark) if isinstance(mark, str) else None
    if since is not None and until - since < EVERY:
        return 0
    reported = _found(ctx, since, until) if since is not None else []
    with ctx.store.unit(write=True) as unit:
        if unit.peeked_aside(_NEWS) != mark:
            return 0
        for account, found in reported:
            _owe(ctx, unit, notifications_of(account), "soon", found, f"{account.id}/{instant_text(until)}")
        unit.keep_aside(_NEWS, instant_text(until), now)
    return len(reported)


def _found(ctx: AppContext, since: datetime, until: datetime) -> list[tuple[Account, Counter[str]]]:
    with ctx.store.unit() as unit:
        wanting = [one for one in _agents(ctx, unit) if notifications_of(one).soon]
        happened = unit.find_events(EventsAsked(since, until), None, MOST_NEWS) if wanting else ()
        new = list(_new(ctx, unit, happened, since))
    found = ((one, _for(ctx.person(one), new)) for one in wanting)
    return [(one, counts) for one, counts in found if counts]


def _new(ctx: AppContext, unit: Unit, happened: Iterable[JournalEvent], since: datetime) -> Iterator[_New]:
    by_dossier: dict[str, list[JournalEvent]] = {}
    for one in happened:
        by_dossier.setdefault(one.dossier, []).append(one)
    unread = unit.unread_messages(list(by_dossier), "applicant")
    for dossier_id, entries in by_dossier.items():
        dossier = unit.dossier(dossier_id)
        if dossier is None or dossier.is_draft or dossier.closed_at is not None:
            continue
        try:
            procedure = pinned(ctx, unit, dossier)
        except EditionMissing:
            continue
        wrote = dossier_id in unread and any(one.kind == "message" and one.actor_kind != "agent" for one in entries)
        persons = frozenset(one.actor for one in entries if one.kind not in ("message", "note", "annotated"))
        yield _New(procedure, dossier, persons, wrote, dossier.entered_at >= since)


def _for(agent: Actor, new: Iterable[_New]) -> Counter[str]:
    """Count what concerns an agent: dossiers assigned to them, or to no agent and theirs to act on.

    Their own actions do not count.
    """
    counts: Counter[str] = Counter()
    for one in new:
        awaited = one.dossier.awaits
        roles = awaited if awaited is not None else sorted(awaited_roles(one.definition, one.dossier.state))
        acts = acting_role(one.definition, one.dossier, agent, roles) is not None
        if acts and one.moved and one.dossier.assigned in (None, agent.id) and agent.id not in one.authors:
            counts["new"] += 1
        if one.wrote and (one.dossier.assigned == agent.id or (acts and one.dossier.assigned is None)):
            counts["messages"] += 1
    return counts


# -- messages ----------------------------------------------------------------------------------------------------------


def _owe(
    ctx: AppContext, unit: Unit, wish: AgentNotifications, kind: str, found: Mapping[str, int], dedupe: str
) -> None:
    now, say = ctx.now(), ctx.wording.say
    lines = [say(f"tidings.line_{name}", wish.language, {"count": str(n)}) for name, n in found.items()]
    facts = {
        "lines": "\n".join(lines), "link": f"{ctx.settings.base_url}/agent",
        "own": f"{ctx.settings.base_url}/agent/compte#avis",
        "day": ctx.wording.plain_day(local_day(now), wish.language),
    }  # fmt: skip
    subject = say(f"tidings.{kind}_subject", wish.language, facts)
    body = say(f"tidings.{kind}_body", wish.language, facts)
    letter_id = new_id()
    unit.add_letter(
        OutboundMessage(letter_id, None, "email", wish.email, subject, body, now, f"tidings/{kind}/{dedupe}", now)
    )
