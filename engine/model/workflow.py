"""The workflow: states, transitions, effects, legal time limits and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from engine.core.values import Span, Text
from engine.model.base import APPLICANT, Mode, NamedElement, Outcome, Public
from engine.model.types import TRUE, Expression, Type, Value


@dataclass(frozen=True, slots=True)
class Effects:
    """What a transition, or the entry of a state, also does.

    It issues, revokes, suspends or restores outputs and returns fees.
    """

    issues: tuple[str, ...] = ()
    revokes: tuple[str, ...] = ()
    suspends: tuple[str, ...] = ()
    restores: tuple[str, ...] = ()
    returns: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # fee → percent given back


NO_EFFECTS: Final = Effects()


@dataclass(frozen=True, slots=True, kw_only=True)
class State(NamedElement):
    """Where a dossier stands.

    It waits for one thing, given by `mode`. `due` is a Span or a date, counted from entry.
    """

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
        """Whether the dossier is finished in this state."""
        return self.outcome is not None

    @property
    def awaits_act(self) -> bool:
        """Whether the state waits for an act of the applicant."""
        return self.mode == "by" and APPLICANT in self.by


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition(NamedElement):
    """One change from `source` to `target`. A human act has `by`, an automatic transition has `event`.

    The events are `done` (all tasks of the state), `booked` and `missed` (too many no-shows). `due` means that the
    time of the state is over. An event may also be the id of a task or of a time limit. An act with several targets
    or sources gives one Transition for each pair, with the same `id`. They are tried in order of `rank`. `when`
    already includes "and none before".
    """

    source: str
    target: str
    label: Text
    for_agents: Text | None = None
    by: tuple[str, ...] = ()
    event: str | None = None
    when: Expression = TRUE
    rank: int = 0
    asks: frozenset[str] = frozenset()  # reason, attachment, correction, grounds
    grounds: tuple[str, ...] = ()  # laws among which the author of the act chooses
    confirms: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))  # piece → answers
    correctable: tuple[str, ...] = ()  # empty = every answer of the application
    fills: str | None = None
    reopens: tuple[str, ...] = ()
    other_than: tuple[str, ...] = ()  # four eyes: transitions or tasks done by another person
    same_as: str | None = None
    without: tuple[str, ...] = ()
    within: Span | None = None
    confirm: Text | None = None
    bulk: bool = False  # may be taken for many dossiers at once
    effects: Effects = NO_EFFECTS

    @property
    def agents_label(self) -> Text:
        """The label that agents read: `for_agents`, else the applicant's label."""
        return self.for_agents or self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimit(NamedElement):
    """A legal time limit. It runs in some states, is paused in others, and ends for good in any other."""

    label: Text
    lasts: Expression
    runs_in: frozenset[str]
    paused_in: frozenset[str] = frozenset()
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table: an exact code, or with `from_` the last row that begins at the value or before."""

    type: Type
    from_: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(NamedElement):
    """A function written as data: the keys in order → a value. Outside all rows it gives `otherwise`, else empty."""

    keys: tuple[Key, ...]
    gives: Type
    rows: Mapping[tuple[Value, ...], Value]
    otherwise: Value = None
