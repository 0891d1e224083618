"""Decisions: what a rule returns, as data. A commit applies all of a decision or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from engine.core.problems import Refusal
from engine.core.values import Plain
from engine.domain.common.names import free_text
from engine.model import Transition
from engine.records.dossier import DocumentStatus, Dossier, Owed, Timer

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class PieceComparison:
    """What an agent found on comparing answers with their pieces: the equal ones, and what a piece says instead."""

    same: tuple[str, ...] = ()
    differs: Mapping[str, Plain] = field(default_factory=lambda: MappingProxyType({}))  # answer → value of the piece


NOT_COMPARED: Final = PieceComparison()


@dataclass(frozen=True, slots=True)
class Act:
    """An act of a person: the transition, the reason, the fields to correct and the later form they filled in.

    `compared` are the answers that the act confirms, `grounds` the laws chosen as its grounds.
    """

    transition: str
    reason: str | None = None
    correction: Mapping[str, str] = field(default_factory=lambda: _NOTHING)  # field → reason
    filling: Mapping[str, Plain] = field(default_factory=lambda: MappingProxyType({}))
    attachments: tuple[str, ...] = ()
    compared: PieceComparison = NOT_COMPARED
    grounds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", free_text(self.reason or "") or None)
        object.__setattr__(self, "correction", {name: free_text(said) for name, said in self.correction.items()})


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """A journal entry before it is appended.

    `body` contains codes only. `commits` are values to store as salted commitments.
    """

    kind: str
    body: Mapping[str, Plain] = field(default_factory=lambda: MappingProxyType({}))
    commits: Mapping[str, Plain] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class IssueOrder:
    """A document to issue: the output, and the row (from 0) when one is issued per row."""

    output: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The new dossier, still with the old revision, and everything to commit with it.

    `events` are the ids that notices refer to, in order: transitions, finished tasks, entered states, ended
    time limits. `timers` replace all timers of the dossier that have not fired.
    """

    dossier: Dossier
    entries: tuple[EntryDraft, ...] = ()
    events: tuple[str, ...] = ()
    issue: tuple[IssueOrder, ...] = ()
    documents: tuple[tuple[str, DocumentStatus], ...] = ()  # issued document id → new status
    look_ups: tuple[str, ...] = ()  # registers to ask, by task id
    releases: tuple[str, ...] = ()  # booking ids whose seat is free again
    returns: tuple[tuple[str, int], ...] = ()  # fee, percent to give back
    former: tuple[tuple[Owed, int], ...] = ()  # the same of prices that are asked again, as they were
    timers: tuple[Timer, ...] = ()


@dataclass(frozen=True, slots=True)
class AvailableAction:
    """A transition as one actor sees it now: possible, or refused with a reason.

    `transitions` are its targets by rank.
    """

    transitions: tuple[Transition, ...]
    closed: Refusal | None = None

    @property
    def transition(self) -> Transition:
        """The first of `transitions`, used for the id, roles and questions of the act."""
        return self.transitions[0]

    @property
    def open(self) -> bool:
        """True when the actor may act now. A guard may still refuse the act itself."""
        return self.closed is None
