"""The queue of calls to payment operators and registers, and the heartbeats of the workers that make them.

A call is queued in the transaction that needs it and made outside any transaction. The first worker
that takes it makes it.

Heartbeats use the clock of the store, so that machines with different clocks agree.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias, cast

from engine.core.values import Plain
from engine.model import Form
from engine.services.context.app_context import AppContext
from engine.storage.unit_of_work import Unit

Kind: TypeAlias = Literal["order", "told", "register"]

_PREFIX: Final = "call/"


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """A call to an external system.

    `order` sends the order of a payment. `told` asks about a payment that a callback named. `register` asks a
    register for a dossier. `subject` is the id of the payment or dossier, `partner` the id of the operator or
    register.
    """

    kind: Kind
    partner: str
    subject: str
    body: Plain = ""

    @property
    def key(self) -> str:
        """The stored key of the call: equal calls share it."""
        return f"{_PREFIX}{self.kind}/{self.partner}/{self.subject}"


def queue_call(unit: Unit, call: QueuedCall, now: datetime) -> None:
    """Queue a call once: an equal call only replaces the body."""
    unit.keep_aside(call.key, call.body, now)


def queue_look_ups(unit: Unit, look_ups: Iterable[Form], dossier_id: str, now: datetime) -> None:
    """Queue a call to each register that a dossier waits for."""
    for task in look_ups:
        queue_call(unit, QueuedCall("register", task.register or "", dossier_id), now)


def queued_calls(unit: Unit, limit: int = 200, kind: Kind | None = None, partner: str = "") -> tuple[QueuedCall, ...]:
    """Return the queued calls in the order of their keys: all, or those of one kind and partner."""
    prefix = _PREFIX if kind is None else f"{_PREFIX}{kind}/" if not partner else f"{_PREFIX}{kind}/{partner}/"
    return tuple(_read(key, body) for key, body, _ in unit.asides(prefix, limit))


def take_call(unit: Unit, call: QueuedCall) -> bool:
    """Take the call out of the queue, in a writing unit. Return False if another worker took it."""
    return unit.taken_aside(call.key) is not None


def _read(key: str, body: Plain) -> QueuedCall:
    kind, _, rest = key.removeprefix(_PREFIX).partition("/")
    partner, _, subject = rest.rpartition("/")
    return QueuedCall(cast(Kind, kind), partner, subject, body)


EVERY: Final = timedelta(seconds=5)
LOST: Final = timedelta(seconds=30)  # a worker silent for so long counts as dead
GONE: Final = timedelta(hours=1)  # the row of a worker silent for so long is deleted: many rows would hide live workers
_WORKERS: Final = "worker/"
_MOST_WORKERS: Final = 1000


def beat(ctx: AppContext) -> None:
    """Record that the worker of this process is alive."""
    host = socket.gethostname()
    with ctx.store.unit(write=True) as unit:
        now = unit.clock(ctx.now())
        for key, _, at in unit.asides(_WORKERS, _MOST_WORKERS):
            if now - at >= GONE:
                unit.taken_aside(key)
        unit.keep_aside(f"{_WORKERS}{host}/{os.getpid()}", host, now)


def last_beat(unit: Unit, now: datetime) -> tuple[str, timedelta] | None:
    """Return the host of the latest heartbeat and its age; None without any."""
    beats = [(at, str(host)) for _, host, at in unit.asides(_WORKERS, _MOST_WORKERS)]
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
