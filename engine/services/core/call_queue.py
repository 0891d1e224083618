"""The queue of calls that the worker owes to partners: payment operators and registers.

A call is queued in the transaction that needs it, and made outside any transaction. The first worker that takes it makes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, cast

from engine.core.values import Plain
from engine.model import Form
from engine.storage.unit_of_work import Unit

Kind: TypeAlias = Literal["order", "told", "register"]

_PREFIX: Final = "call/"


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """`order`: a payment to hand over. `told`: a payment that a callback named. `register`: a dossier that waits for one.
    `subject` is the id of the payment or of the dossier; `partner` the id of the provider or of the register."""

    kind: Kind
    partner: str
    subject: str
    body: Plain = ""

    @property
    def key(self) -> str:
        return f"{_PREFIX}{self.kind}/{self.partner}/{self.subject}"


def queue_call(unit: Unit, call: QueuedCall, now: datetime) -> None:
    """Queues a call once: the same one again only replaces its body."""
    unit.keep_aside(call.key, call.body, now)


def queue_look_ups(unit: Unit, look_ups: Iterable[Form], dossier_id: str, now: datetime) -> None:
    """Queues a call to each register that a dossier waits for."""
    for task in look_ups:
        queue_call(unit, QueuedCall("register", task.register or "", dossier_id), now)


def queued_calls(unit: Unit, limit: int = 200, kind: Kind | None = None, partner: str = "") -> tuple[QueuedCall, ...]:
    """The calls that wait, all of them or those of one kind and partner, in the order of their keys."""
    prefix = _PREFIX if kind is None else f"{_PREFIX}{kind}/" if not partner else f"{_PREFIX}{kind}/{partner}/"
    return tuple(_read(key, body) for key, body, _ in unit.asides(prefix, limit))


def take_call(unit: Unit, call: QueuedCall) -> bool:
    """Takes the call out of the queue, in a writing unit. False where another worker took it."""
    return unit.taken_aside(call.key) is not None


def _read(key: str, body: Plain) -> QueuedCall:
    kind, _, rest = key.removeprefix(_PREFIX).partition("/")
    partner, _, subject = rest.rpartition("/")
    return QueuedCall(cast(Kind, kind), partner, subject, body)
