"""Running jobs by kind: small ones in the request, the others in the worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from engine.records.jobs import Job, Work
from engine.services.accounts.supervision import carry_assignment
from engine.services.applications.bulk_actions import carry_bulk
from engine.services.audit.exports import run_export
from engine.services.audit.journal_search import carry_events
from engine.services.context.app_context import AppContext
from engine.services.core.jobs import FILES, LEASE
from engine.storage.results import Busy

log = logging.getLogger("guichet.orders")

AT_ONCE: Final = 20  # dossiers that the request itself handles, so that the person sees the result at once
TURN: Final = 100  # items of one pass: messages and due dates wait meanwhile

FEW_ROWS: Final = 1000  # rows of a file that the request itself prepares
WAIT_LIMIT: Final = timedelta(days=1)
_PARTS: Final = 10  # chunks of a file in one pass

_RUNNERS: Final[Mapping[Work, Callable[[AppContext, Job, int], int]]] = {
    "act": carry_bulk,
    "handover": carry_assignment,
    "tray": run_export,
    "events": carry_events,
}


def carry_at_once(ctx: AppContext, order: Job) -> None:
    """Run a small job in the request that created it; a larger one waits for a worker.

    An error is logged: the job is stored, and a worker continues it.
    """
    is_file = order.work in FILES
    if order.ended_at is not None or order.total > (FEW_ROWS if is_file else AT_ONCE):
        return
    try:
        _RUNNERS[order.work](ctx, order, _PARTS if is_file else AT_ONCE)
    except Exception:
        log.exception("order %s", order.n)


def carry_orders(ctx: AppContext) -> int:
    """Run one part of the job whose turn it is. Return how many items were done."""
    now = ctx.now()
    with ctx.store.unit() as unit:
        if not unit.orders_left():
            return 0
    with ctx.store.unit(write=True) as unit:
        order = unit.claim_order(now, now + LEASE)
    if order is None:
        return 0
    try:
        done = _RUNNERS[order.work](ctx, order, _PARTS if order.work in FILES else TURN)
    except Exception as fault:  # it stays claimed for a while, so that other jobs get their turn
        if not isinstance(fault, Busy):
            log.exception("order %s", order.n)
            _give_up(ctx, order)
        return 0
    with ctx.store.unit(write=True) as unit:
        kept = unit.order(order.id)
        if kept is not None and kept.ended_at is None:
            unit.put_order(replace(kept, claimed_until=ctx.now()))  # the others have their turn first
    return done


def _give_up(ctx: AppContext, order: Job) -> None:
    """End a job that has failed for a day: a person must look at it."""
    if ctx.now() - order.at < WAIT_LIMIT:
        return
    with ctx.store.unit(write=True) as unit:
        kept = unit.order(order.id)
        if kept is not None and kept.ended_at is None:
            unit.put_order(replace(kept, ended_at=ctx.now(), claimed_until=None))
