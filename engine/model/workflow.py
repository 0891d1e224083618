"""The circuit: states, the ways between them, what they do, clocks, tables of cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from engine.core.values import Span, Text
from engine.model.base import Mode, NamedElement, Outcome, Public
from engine.model.types import TRUE, Expression, Type, Value


@dataclass(frozen=True, slots=True)
class Effects:
    """What entering a state, or taking a transition, does besides."""

    issues: tuple[str, ...] = ()
    revokes: tuple[str, ...] = ()
    suspends: tuple[str, ...] = ()
    restores: tuple[str, ...] = ()
    returns: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # fee → percent given back


NO_EFFECTS: Final = Effects()


@dataclass(frozen=True, slots=True, kw_only=True)
class State(NamedElement):
    """Where a dossier stands; it waits for one thing, said by `mode`. `due` is a Span or a date from entry."""

    label: Text
    mode: Mode
    by: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()  # ids of tasks, all awaited in parallel
    booked: bool = False  # `book:`: left as soon as the slot is taken
    correct: Literal["requested", "everything"] | None = None
    wait: Expression | None = None
    outcome: Outcome | None = None
    public: Public
    help: Text | None = None
    due: Expression | None = None
    escalate: str | None = None
    remind: tuple[Span, ...] = ()
    effects: Effects = NO_EFFECTS

    @property
    def is_end(self) -> bool:
        return self.outcome is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition(NamedElement):
    """One way from `source` to `target`. A human act has `by`; an automatic way has `event`.

    Events: `done` (all the state waits for), `booked`, `missed` (too many no-shows), `due` (the state's time is over),
    a task's id, a clock's id. An act leading to several states, or open in several, is one Transition per source and
    per target, same `id`, tried in order of `rank`; `when` already holds "and none before".
    """

    source: str
    target: str
    label: Text
    by: tuple[str, ...] = ()
    event: str | None = None
    when: Expression = TRUE
    rank: int = 0
    asks: frozenset[str] = frozenset()  # reason, attachment, correction
    correctable: tuple[str, ...] = ()  # empty = every answer of the application
    fills: str | None = None
    reopens: tuple[str, ...] = ()
    other_than: tuple[str, ...] = ()  # four eyes: transitions or tasks done by somebody else
    same_as: str | None = None
    without: tuple[str, ...] = ()
    within: Span | None = None
    confirm: Text | None = None
    bulk: bool = False  # may be taken for many dossiers at once
    effects: Effects = NO_EFFECTS


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimit(NamedElement):
    """A clock of the law: runs in some states, keeps its count in others, is over for good anywhere else."""

    label: Text
    lasts: Expression
    runs_in: frozenset[str]
    paused_in: frozenset[str] = frozenset()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a table: by an exact code, or (`from_`) by the last row that begins at the value or before."""

    type: Type
    from_: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(NamedElement):
    """A function written as data: the keys in order → a value. Outside every row it gives `otherwise`, else empty."""

    keys: tuple[Key, ...]
    gives: Type
    rows: Mapping[tuple[Value, ...], Value]
    otherwise: Value = None
