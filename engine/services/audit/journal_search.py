"""Search in the journals of all dossiers, for auditors and within their mandate.

A query asks what was done, when and by which agent. Each query is recorded in the journal of rights. Results
identify no applicant, not even across entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from engine.core.values import Plain, fingerprint
from engine.domain.common.access import in_mandate
from engine.domain.common.working_time import at_minute
from engine.journal.chain import JournalEntry, seal
from engine.journal.search import Asks, EventsAsked, Facets, JournalEvent, mark_text, read_mark
from engine.records.codec import from_plain, to_plain
from engine.records.dossier import Actor
from engine.records.jobs import Job
from engine.records.people import CHAIN
from engine.services.audit.exports import MOST_ROWS, carry_parts
from engine.services.context.app_context import AppContext, NotFound
from engine.services.core.idempotency import NOTHING, once
from engine.services.core.jobs import ORDER, give
from engine.storage.results import Conflict
from engine.storage.unit_of_work import Unit

QUESTIONS: Final[tuple[Asks, ...]] = ("late", "night", "same_hands", "taken_refused", "bulk")
READ: Final = "events_read"
_TAKEN: Final = ("events_read", "events_ordered", "events_taken")
_PART: Final = 500  # rows of a file
_MIDNIGHT: Final = 24 * 60
_TRIES: Final = 4

# Fields of an entry that hold codes of the procedure; commitments, amounts and identifiers are left out.
_SAID: Final = ("transition", "source", "target", "event", "task", "part", "status", "why", "timer", "bulk", "closed")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query as its address states it: both days included; an empty field means any."""

    first: date
    last: date
    kind: str = ""
    agent: str = ""
    office: str = ""
    procedure: str = ""
    channel: str = ""
    asks: Asks = ""


@dataclass(frozen=True, slots=True)
class EventPage:
    """The entries of a page, the counts by facet, and where the next page begins (empty: no next page)."""

    lines: tuple[JournalEvent, ...]
    facets: Facets
    after: str


def events(ctx: AppContext, actor: Actor, wanted: Wanted, before: str = "", limit: int = 50) -> EventPage:
    """Return one page of results, the newest first, and record the query.

    Raises `NotFound` for others than auditors.
    """
    asked = _asked(ctx, actor, wanted)
    _note(ctx, actor, wanted)
    with ctx.store.unit() as unit:
        found = unit.find_events(asked, read_mark(before) if before else None, limit + 1)
        facets = unit.count_events(asked)
    lines = found[:limit]
    return EventPage(tuple(map(_masked, lines)), facets, mark_text(lines[-1]) if len(found) > limit else "")


def _asked(ctx: AppContext, actor: Actor, wanted: Wanted) -> EventsAsked:
    """Return the query for the store, restricted to the auditor's mandate. Raises `NotFound` for others."""
    if actor.kind != "auditor":
        raise NotFound
    procedures: tuple[str, ...] | None = tuple(sorted(actor.procedures)) or None
    if wanted.procedure:
        procedures = (wanted.procedure,) if in_mandate(actor, wanted.procedure) else ()
    refusing = _refusing(ctx) if wanted.asks == "taken_refused" else ()
    return EventsAsked(
        at_minute(wanted.first, 0), at_minute(wanted.last, _MIDNIGHT), wanted.kind, wanted.agent, wanted.office,
        procedures, wanted.channel, wanted.asks,
        tuple(one for one in refusing if procedures is None or one[0] in procedures),
    )  # fmt: skip


def _refusing(ctx: AppContext) -> tuple[tuple[str, str], ...]:
    """Return the refusing final states of all editions."""
    return ctx.editions.worked_out(ctx.catalogue, ("refusing",), lambda _: tuple(dict.fromkeys(
        (procedure.id, state.id) for procedure in ctx.editions.summaries(ctx.catalogue) for state in procedure.states if state.refuses
    )))  # fmt: skip


def _masked(one: JournalEvent) -> JournalEvent:
    """Return the entry with codes only, and the actor only if an agent or auditor."""
    body = one.body if isinstance(one.body, dict) else {}
    said: Plain = {name: body[name] for name in _SAID if body.get(name) not in (None, "", [], {})}
    return replace(one, body=said, actor=one.actor if one.actor_kind in ("agent", "auditor") else "")


# -- record of queries -------------------------------------------------------------------------------------------------


def _note(ctx: AppContext, actor: Actor, wanted: Wanted) -> None:
    """Record a query once a day: further pages and repeats add nothing."""
    reported = asked_of(wanted)

    def work(unit: Unit) -> None:
        body: Plain = {"account": actor.id, **reported}
        unit.add_right(seal(unit.right_head(), CHAIN, ctx.now(), actor, READ, "", body))

    token = f"{ctx.day().isoformat()}:{fingerprint(dict(reported))[:32]}"
    for left in reversed(range(_TRIES)):
        try:
            once(ctx, actor, READ, token, reported, work, NOTHING)
            return
        except Conflict:  # another unit wrote to that journal at this moment
            if not left:
                raise


def asked_of(wanted: Wanted) -> Mapping[str, Plain]:
    """Return a query as plain values, without its empty fields."""
    plain = to_plain(wanted)
    return {name: value for name, value in plain.items() if value} if isinstance(plain, dict) else {}


def my_questions(ctx: AppContext, actor: Actor, limit: int = 100) -> tuple[JournalEntry, ...]:
    """Return the queries and downloads of an auditor, the newest first."""
    with ctx.store.unit() as unit:
        return unit.rights_by(actor.id, _TAKEN, limit)


def wanted_of(asked: Plain) -> Wanted:
    """Return the query stored in a job or an entry."""
    known = Wanted.__dataclass_fields__
    said = asked.items() if isinstance(asked, dict) else ()
    return from_plain(Wanted, {name: value for name, value in said if name in known})


# -- export ------------------------------------------------------------------------------------------------------------


def order_events(ctx: AppContext, actor: Actor, wanted: Wanted, *, token: str | None = None) -> Job:
    """Create the job that exports all results. Raises `NotFound` for others than auditors."""
    asked = _asked(ctx, actor, wanted)

    def work(unit: Unit) -> Job:
        total = unit.count_events(asked, MOST_ROWS).total
        return give(ctx, unit, actor, "events", asked_of(wanted), total, (), asked_of(wanted))

    return once(ctx, actor, "order_events", token, asked_of(wanted), work, ORDER)


def carry_events(ctx: AppContext, order: Job, parts: int) -> int:
    """Write the next chunks of the results, as of the creation of the job.

    Return the number of rows written.
    """

    def part(order: Job, actor: Actor, mark: str) -> tuple[list[Plain], str]:
        asked = _asked(ctx, actor, wanted_of(order.asked))
        asked = replace(asked, end=min(asked.end, order.at + timedelta(microseconds=1)))
        with ctx.store.unit() as unit:
            found = unit.find_events(asked, read_mark(mark) if mark else None, _PART + 1)
        rows: list[Plain] = [to_plain(_masked(one)) for one in found[:_PART]]
        return rows, mark_text(found[_PART - 1]) if len(found) > _PART else ""

    return carry_parts(ctx, order, part, parts)


def happening(row: Plain) -> JournalEvent:
    """Return a stored row of an export as an entry of the journal."""
    return from_plain(JournalEvent, row)
