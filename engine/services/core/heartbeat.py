"""Heartbeats of workers in the store: who makes the calls that requests only queue, and since when nobody does.

They are written and read by the clock of the store, so that machines whose clocks differ agree.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from typing import Final

from engine.services.context.app_context import AppContext
from engine.storage.unit_of_work import Unit

EVERY: Final = timedelta(seconds=5)
LOST: Final = timedelta(seconds=30)  # a worker silent for so long is taken for dead
GONE: Final = timedelta(hours=1)  # the row of a worker silent for so long is dropped: many would hide those alive
_PREFIX: Final = "worker/"
_MOST: Final = 1000


def beat(ctx: AppContext) -> None:
    """Notes that this process has a worker that is alive."""
    host = socket.gethostname()
    with ctx.store.unit(write=True) as unit:
        now = unit.clock(ctx.now())
        for key, _, at in unit.asides(_PREFIX, _MOST):
            if now - at >= GONE:
                unit.taken_aside(key)
        unit.keep_aside(f"{_PREFIX}{host}/{os.getpid()}", host, now)


def last_beat(unit: Unit, now: datetime) -> tuple[str, timedelta] | None:
    """The host of the worker that was heard last, and how long ago."""
    beats = [(at, str(host)) for _, host, at in unit.asides(_PREFIX, _MOST)]
    if not beats:
        return None
    at, host = max(beats)
    return host, max(timedelta(), unit.clock(now) - at)


def is_served(ctx: AppContext, unit: Unit) -> bool:
    """Whether a worker is alive that would make a call at once. An office that expects none is never told that it has none."""
    if not ctx.settings.expects_worker:
        return True
    last = last_beat(unit, ctx.now())
    return last is not None and last[1] < LOST
