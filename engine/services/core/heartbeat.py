"""Heartbeats of workers in the store: whether a worker makes queued calls, and since when none does.

They use the clock of the store, so that machines with different clocks agree.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from typing import Final

from engine.services.context.app_context import AppContext
from engine.storage.unit_of_work import Unit

EVERY: Final = timedelta(seconds=5)
LOST: Final = timedelta(seconds=30)  # a worker silent for so long counts as dead
GONE: Final = timedelta(hours=1)  # the row of a worker silent for so long is deleted: many rows would hide live workers
_PREFIX: Final = "worker/"
_MOST: Final = 1000


def beat(ctx: AppContext) -> None:
    """Record that the worker of this process is alive."""
    host = socket.gethostname()
    with ctx.store.unit(write=True) as unit:
        now = unit.clock(ctx.now())
        for key, _, at in unit.asides(_PREFIX, _MOST):
            if now - at >= GONE:
                unit.taken_aside(key)
        unit.keep_aside(f"{_PREFIX}{host}/{os.getpid()}", host, now)


def last_beat(unit: Unit, now: datetime) -> tuple[str, timedelta] | None:
    """Return the host of the latest heartbeat and its age; None without any."""
    beats = [(at, str(host)) for _, host, at in unit.asides(_PREFIX, _MOST)]
    if not beats:
        return None
    at, host = max(beats)
    return host, max(timedelta(), unit.clock(now) - at)


def is_served(ctx: AppContext, unit: Unit) -> bool:
    """Return whether a live worker would make a call at once.

    An installation that expects no worker always gets True.
    """
    if not ctx.settings.expects_worker:
        return True
    last = last_beat(unit, ctx.now())
    return last is not None and last[1] < LOST
