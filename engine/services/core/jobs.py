"""Jobs: work on many dossiers, stored first and then run by a worker or the request itself.

An interrupted job continues where it stopped. Each item is done in its own unit together with its result, so
none is done twice or by half.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeAlias

from engine.core.problems import Refusal, Refused, refusal
from engine.core.values import Plain, new_id
from engine.domain.common.access import may_see
from engine.journal.chain import JournalEntry, seal
from engine.publication.gates import facts_of
from engine.records.dossier import Actor
from engine.records.jobs import Job, JobItem, Outcome, Work
from engine.records.people import CHAIN
from engine.services.context.app_context import AppContext, NotFound, WrongAnswers, pinned
from engine.services.context.rate_limit import Limit, too_many
from engine.services.core.idempotency import Memory
from engine.storage.results import Busy, Conflict, IntegrityFinding
from engine.storage.unit_of_work import Unit

log = logging.getLogger("guichet.orders")

MOST_LINES: Final = 500
FILES: Final[frozenset[Work]] = frozenset({"tray", "events"})
FILES_AHEAD: Final = 5  # files of one person that are not ready yet
FILES_A_DAY: Final = 40  # of one person: each is stored for a week, up to 40 MB
JOBS_A_DAY: Final = 200  # other jobs of one person
_MOST_NUMBERED: Final = 10**9  # no store counts further
LEASE: Final = timedelta(minutes=1)
_SERIES: Final = "orders"
_ORDERED: Final = "_ordered"  # the end of the kind of a job entry
_SAME_ACT: Final = timedelta(minutes=5)  # a job is saved just before its entry is sealed
_WHOLE: Final = 2**31  # number of entries: the whole journal

LineWork: TypeAlias = Callable[[Unit, Job, JobItem, Actor], None]  # raises what the act raises


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a job: `done` succeeded and `others` did not, of `total`.

    `parts` and `rows` count the chunks and rows of an exported file.
    """

    order: Job
    done: int
    others: int
    parts: int = 0
    rows: int = 0

    @property
    def ended(self) -> bool:
        """Whether the job has ended."""
        return self.order.ended_at is not None

    @property
    def left(self) -> int:
        """The number of items not yet handled, never negative."""
        return max(0, self.order.total - self.done - self.others)


# -- creation ----------------------------------------------------------------------------------------------------------


def give(
    ctx: AppContext, unit: Unit, actor: Actor, work: Work, asked: Mapping[str, Plain], total: int,
    lines: Sequence[tuple[str, str, int]] = (), reported: Mapping[str, Plain] | None = None,
) -> Job:  # fmt: skip
    """Save a job with its dossiers as (id, number, revision seen), and record it in the journal of rights.

    Raises Refused: files_ahead while `FILES_AHEAD` files of this person are not ready; too_many_tries.
    """
    if work in FILES and unit.count_orders_left(actor.id, FILES) >= FILES_AHEAD:
        raise Refused(refusal("files_ahead", most=FILES_AHEAD))
    key, most = ("lists", FILES_A_DAY) if work in FILES else ("jobs", JOBS_A_DAY)
    if closed := too_many(unit, ctx.now(), Limit(f"{key}:{actor.id}", most, timedelta(days=1))):
        raise Refused(closed)
    now, n = ctx.now(), unit.next_serial(_SERIES)
    order = Job(new_id(), n, work, actor.id, now, dict(asked), total)
    kept = [JobItem(order.id, rank, *line) for rank, line in enumerate(lines)]
    unit.add_order(order, kept)
    note(ctx, unit, actor, f"{work}{_ORDERED}", order, reported)
    return order


def note(
    ctx: AppContext, unit: Unit, actor: Actor, kind: str, order: Job, reported: Mapping[str, Plain] | None = None
) -> None:
    """Append an entry about a job to the journal of rights: agent, kind and number, never the dossiers."""
    body: Plain = {"account": actor.id, "order": order.n, "total": order.total, **(reported or {})}
    unit.add_right(seal(unit.right_head(), CHAIN, ctx.now(), actor, kind, "", body))


def _order_again(unit: Unit, kept: Plain) -> Job:
    order = unit.order(str(kept))
    if order is None:
        raise NotFound
    return order


ORDER: Final[Memory[Job]] = Memory(lambda order: order.id, _order_again)


# -- progress ----------------------------------------------------------------------------------------------------------


def progress(ctx: AppContext, actor: Actor, n: int) -> Progress:
    """Return the progress of a job of this person. Raises `NotFound` for a job of another person."""
    with ctx.store.unit() as unit:
        order = unit.order_numbered(n) if n < _MOST_NUMBERED else None
        if order is None or order.account != actor.id:
            raise NotFound
        return _progress(unit, order)


def my_orders(ctx: AppContext, actor: Actor) -> tuple[Progress, ...]:
    """Return the progress of all jobs of this person, the newest first."""
    with ctx.store.unit() as unit:
        return tuple(_progress(unit, order) for order in unit.orders_of(actor.id))


def lines(ctx: AppContext, actor: Actor, n: int) -> tuple[tuple[JobItem, str], ...]:
    """Return the result of each dossier of a job, with its label where this person may still see it.

    Raises `NotFound`.
    """
    order = progress(ctx, actor, n).order
    with ctx.store.unit() as unit:
        return tuple((line, _label(ctx, unit, actor, line.dossier)) for line in unit.order_lines(order.id))


def _label(ctx: AppContext, unit: Unit, actor: Actor, dossier_id: str) -> str:
    dossier = unit.dossier(dossier_id)
    return dossier.label if dossier is not None and may_see(pinned(ctx, unit, dossier), dossier, actor) else ""


def closed_by(line: JobItem) -> Refusal:
    """Return why an item failed."""
    return Refusal(line.why or "other", facts_of(line.facts))


def _progress(unit: Unit, order: Job) -> Progress:
    if order.work in ("tray", "events"):  # an export to a file
        parts, rows, _ = unit.order_parts(order.id)
        return Progress(order, rows, 0, parts, rows)
    found = unit.order_outcomes(order.id)
    done = found.get("done", 0)
    return Progress(order, done, sum(found.values()) - done - found.get("", 0))


# -- running -----------------------------------------------------------------------------------------------------------


def giver(ctx: AppContext, unit: Unit, order: Job) -> Actor:
    """Return the person who started the job with their present rights.

    Raises Refused when their account was closed meanwhile.
    """
    account = unit.account(order.account)
    if account is None or not account.is_open(ctx.day()):
        raise Refused(refusal("role", roles=()))
    return ctx.person(account)


def carry_lines(ctx: AppContext, order: Job, work: LineWork, most: int) -> int:
    """Run at most `most` items and end the job after the last. Return how many were tried."""
    with ctx.store.unit() as unit:
        left = unit.order_lines_left(order.id, most)
    for line in left:
        _carry_line(ctx, order, line, work)
    with ctx.store.unit(write=True) as unit:
        kept = unit.order(order.id)
        if kept is not None and kept.ended_at is None and not unit.order_lines_left(order.id, 1):
            unit.put_order(replace(kept, ended_at=ctx.now(), claimed_until=None))
    return len(left)


def _carry_line(ctx: AppContext, order: Job, line: JobItem, work: LineWork) -> None:
    try:
        with ctx.store.unit(write=True) as unit:
            kept = unit.order_line(order.id, line.rank)
            if kept is None or kept.outcome:  # another worker did it meanwhile
                return
            work(unit, order, kept, giver(ctx, unit, order))
            unit.put_order_line(replace(kept, outcome="done", at=ctx.now()))
    except Busy:
        raise
    except Refused as closed:
        _settle(ctx, line, "closed", closed.reason)
    except (NotFound, WrongAnswers):
        _settle(ctx, line, "closed", Refusal("role"))
    except Conflict:
        _settle(ctx, line, "changed", Refusal("changed_meanwhile"))
    except Exception:
        log.exception("line %s of order %s", line.rank, order.n)
        _settle(ctx, line, "failed", Refusal("other"))


def _settle(ctx: AppContext, line: JobItem, outcome: Outcome, reason: Refusal) -> None:
    """Record the result of an item that changed nothing in its dossier."""
    facts: dict[str, Plain] = {
        name: list(fact) if isinstance(fact, tuple) else fact for name, fact in reason.facts.items()
    }
    with ctx.store.unit(write=True) as unit:
        kept = unit.order_line(line.work_order, line.rank)
        if kept is not None and not kept.outcome:
            unit.put_order_line(replace(kept, outcome=outcome, why=reason.code, facts=facts, at=ctx.now()))


# -- fsck --------------------------------------------------------------------------------------------------------------


def broken_orders(ctx: AppContext) -> Iterator[IntegrityFinding]:
    """Yield each job that differs from its entry in the journal of rights, in person or number of dossiers.

    A job without entry and an entry without job are reported too.
    """
    with ctx.store.unit() as unit:
        kept = {str(one.n): one for one in unit.all_orders()}
        entries = [one for one in unit.rights(_WHOLE) if one.kind.endswith(_ORDERED) and isinstance(one.body, dict)]
    reported = {str(one.body.get("order")): one for one in entries if isinstance(one.body, dict)}
    for n in sorted(kept.keys() - reported.keys()):
        yield IntegrityFinding("order_unjournaled", None, {"about": n})
    for n, entry in reported.items():
        order = kept.get(n)
        if order is None:
            yield IntegrityFinding("order_deleted", None, {"about": n})
        elif not _is_as_given(order, entry):
            yield IntegrityFinding("order_differs", None, {"about": n})


def _is_as_given(order: Job, entry: JournalEntry) -> bool:
    body = entry.body if isinstance(entry.body, dict) else {}
    total = (
        body.get("total") if order.work in ("act", "handover") else order.total
    )  # an export states its number of rows at the end
    reported = (f"{order.work}{_ORDERED}", order.account, order.total)
    return reported == (entry.kind, body.get("account"), total) and abs(entry.at - order.at) <= _SAME_ACT
