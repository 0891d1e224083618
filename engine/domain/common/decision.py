"""What a rule answers: data to carry out. The office keeps all of one decision, or none of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from engine.core.problems import Refusal
from engine.core.values import Plain
from engine.model import Transition
from engine.records.dossier import DocumentStatus, Dossier, Timer

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Act:
    """A person taking a transition: what they wrote, the fields they want corrected, the later form they fill."""

    transition: str
    reason: str | None = None
    correction: Mapping[str, str] = field(default_factory=lambda: _NOTHING)  # field → reason
    filling: Mapping[str, Plain] = field(default_factory=lambda: MappingProxyType({}))
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """A journal entry before it is sealed. `body` holds codes only; `commits` are values to commit to with a salt."""

    kind: str
    body: Mapping[str, Plain] = field(default_factory=lambda: MappingProxyType({}))
    commits: Mapping[str, Plain] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class IssueOrder:
    output: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The dossier as it becomes (its revision still the old one), and all that is owed with it.

    `events` are the ids that notices hang on, in order: transitions taken, tasks done, states entered, clocks over.
    `timers` replace every timer of the dossier that has not fired.
    """

    dossier: Dossier
    entries: tuple[EntryDraft, ...] = ()
    events: tuple[str, ...] = ()
    issue: tuple[IssueOrder, ...] = ()
    documents: tuple[tuple[str, DocumentStatus], ...] = ()  # issued document id → new status
    look_ups: tuple[str, ...] = ()  # registers to ask, by task id
    releases: tuple[str, ...] = ()  # booking ids whose seat is free again
    returns: tuple[tuple[str, int], ...] = ()  # fee, percent to give back
    timers: tuple[Timer, ...] = ()


@dataclass(frozen=True, slots=True)
class AvailableAction:
    """A transition as one actor sees it now: open, or closed and why. `ways` are its targets, in order of rank."""

    ways: tuple[Transition, ...]
    closed: Refusal | None = None

    @property
    def transition(self) -> Transition:
        return self.ways[0]

    @property
    def open(self) -> bool:
        return self.closed is None
