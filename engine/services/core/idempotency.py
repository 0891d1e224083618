"""Idempotency: one command, one unit of work, one stored reply.

A second click repeats the reply, not the act. A service passes its work to `once` as a function of the
unit. With a token, the reply is committed with the act. The same token then returns this reply and does
nothing. The same token with other arguments is refused.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from typing import Any, Final, Generic, TypeVar

from engine.core.problems import Refused, refusal
from engine.core.values import Plain
from engine.records.dossier import Actor, Dossier
from engine.services.context.app_context import AppContext, NotFound, WrongAnswers
from engine.storage.files.reserve import NoSpace
from engine.storage.gate import Crowded
from engine.storage.results import AlreadyExists, Away, Busy, Conflict, Reply
from engine.storage.unit_of_work import Unit

T = TypeVar("T")

TRIES: Final = 5
LONGEST: Final = 5.0  # seconds after which a busy store is not tried again, because a person waits
_CLOSED: Final = (Refused, Conflict, NotFound, WrongAnswers)  # errors that a work raises for the data it found
_PAUSE: Final = 0.05  # seconds, doubled at each try, with jitter


@dataclass(frozen=True, slots=True)
class Memory(Generic[T]):
    """How the result of a command is stored and found again: `keep` returns its keys, `recall` loads the
    present state.
    """

    keep: Callable[[T], Plain]
    recall: Callable[[Unit, Plain], T]


def once(
    ctx: AppContext, actor: Actor, verb: str, token: str | None, arguments: object,
    work: Callable[[Unit], T], memory: Memory[T],
) -> T:  # fmt: skip
    """Run `work` in one unit, once for this token.

    Errors of the work pass through, and then nothing is saved. A busy store is tried again only with a
    token: without one, a second try could be a second act.
    """
    if token is None:
        with ctx.store.unit(write=True) as unit:
            return work(unit)
    key = (actor.id, verb, token, digest_of(arguments))
    end = time.monotonic() + LONGEST
    for attempt in range(TRIES):
        try:
            return _try(ctx, key, work, memory)
        except (NoSpace, Crowded):  # a moment later there is no more space; a pause would hold one more thread
            raise
        except Away:  # waited for already; a connection that was cut is tried once more
            if attempt or time.monotonic() > end:
                raise
            time.sleep(_PAUSE)
        except (Busy, _Twin):
            if attempt == TRIES - 1 or time.monotonic() > end:
                raise Busy("still busy") from None
            time.sleep(_PAUSE * 2**attempt * (0.5 + random.random()))
        except _CLOSED:  # perhaps refused by the same command, which came first and held the lock
            for answer in _answered(ctx, key, memory):
                return answer
            raise
    raise AssertionError("the last try answers or raises")


class _Twin(Exception):
    """The same command was committed between look-up and commit: its reply exists now."""


def _answered(ctx: AppContext, key: tuple[str, str, str, str], memory: Memory[T]) -> tuple[T, ...]:
    """Return the stored reply as a tuple of one, empty without one."""
    principal, verb, token, digest = key
    with ctx.store.unit() as unit:
        kept = unit.reply(principal, verb, token)
        return (memory.recall(unit, kept.body),) if kept is not None and kept.digest == digest else ()


def _try(ctx: AppContext, key: tuple[str, str, str, str], work: Callable[[Unit], T], memory: Memory[T]) -> T:
    principal, verb, token, digest = key
    with ctx.store.unit(write=True) as unit:
        kept = unit.reply(principal, verb, token)
        if kept is not None:
            if kept.digest != digest:
                raise Refused(refusal("token_reused"))
            return memory.recall(unit, kept.body)
        answer = work(unit)
        try:
            unit.add_reply(Reply(principal, verb, token, digest, memory.keep(answer), ctx.now()))
        except AlreadyExists as twin:
            raise _Twin from twin
        return answer


def digest_of(arguments: object) -> str:
    """Return the digest of arguments: that of their canonical JSON, so that equal arguments have one digest.

    Raises `TypeError` for a value that is no argument of a command.
    """
    return hashlib.sha256(_ARGUMENTS.encode(arguments).encode()).hexdigest()


def _plain(value: object) -> object:
    """Return a value that JSON has no form for as one that it has. Bytes are replaced by their digest."""
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    raise TypeError(f"{type(value).__name__} is no argument of a command")


_ARGUMENTS: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)

NOTHING: Final[Memory[Any]] = Memory(lambda _: None, lambda _unit, _body: None)


def _dossier_again(unit: Unit, kept: Plain) -> Dossier:
    dossier = unit.dossier(str(kept))
    if dossier is None:
        raise NotFound
    return dossier


DOSSIER: Final[Memory[Dossier]] = Memory(lambda dossier: dossier.id, _dossier_again)
