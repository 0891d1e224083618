"""A decision in the making: the dossier as it becomes, and all that is owed with it so far.

Every step gives a new `TransitionContext` and notes itself in the journal with what it changed (state, due date, tasks), so that
the journal folds back to the dossier (`history`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.common.decision import Decision, EntryDraft, IssueOrder
from engine.domain.common.text_provider import Wording
from engine.domain.fields.scope import scope_of
from engine.domain.workflow.due_dates import timers_of
from engine.model import (
    Procedure,
)
from engine.model.directory import Directory
from engine.model.types import Scope
from engine.records.dossier import Actor, DocumentStatus, Dossier


@dataclass(frozen=True, slots=True)
class Moment:
    """Who does something to dossiers of one procedure, when, and with which words."""

    procedure: Procedure
    actor: Actor
    now: datetime
    directory: Directory
    wording: Wording
    _last: list[tuple[Dossier, Scope]] = field(default_factory=list, init=False, repr=False, compare=False)

    def scope(self, dossier: Dossier) -> Scope:
        """What every name is worth on the dossier; asked again of the same one, what was worked out already."""
        if self._last and self._last[0][0] is dossier:
            return self._last[0][1]
        scope = scope_of(self.procedure, dossier, local_day(self.now), self.directory)
        self._last[:] = [(dossier, scope)]
        return scope


@dataclass(frozen=True, slots=True)
class TransitionContext:
    """What was decided so far. `moved` tells that a state was entered."""

    dossier: Dossier
    entries: tuple[EntryDraft, ...] = ()
    events: tuple[str, ...] = ()
    issue: tuple[IssueOrder, ...] = ()
    documents: tuple[tuple[str, DocumentStatus], ...] = ()
    look_ups: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    returns: tuple[tuple[str, int], ...] = ()
    moved: bool = False
    noted: Dossier = field(kw_only=True)  # the dossier as the last entry left it

    @classmethod
    def of(cls, dossier: Dossier) -> TransitionContext:
        return cls(dossier, noted=dossier)

    def with_(self, **changes: object) -> TransitionContext:
        """The same with other facts on the dossier."""
        return replace(self, dossier=replace(self.dossier, **changes))  # type: ignore[arg-type]

    def happened(self, *events: str) -> TransitionContext:
        return replace(self, events=(*self.events, *events))

    def note(
        self, kind: str, body: Mapping[str, Plain], commits: Mapping[str, Plain] | None = None
    ) -> TransitionContext:
        """Writes an entry: what was done, and all that changed since the entry before."""
        changed = changes(self.noted, self.dossier)
        return replace(
            self, entries=(*self.entries, EntryDraft(kind, {**body, **changed}, commits or {})), noted=self.dossier
        )


def changes(before: Dossier, after: Dossier) -> dict[str, Plain]:
    """What an entry says of the dossier: where it stands, and since `before` the tasks done (by which hand) or undone, and
    the prices frozen or forgotten (null)."""
    body: dict[str, Plain] = {
        "revision": before.revision + 1,
        "state": after.state,
        "due": instant_text(after.due_at),
        "paused": instant_text(after.due_paused_at),
    }
    done = {name for name, one in after.done.items() if before.done.get(name) != one}
    reopened = before.done.keys() - after.done.keys()
    if done:
        body["done"] = codes(done)
        body["hands"] = {name: after.done[name].by for name in sorted(done)}
    if reopened:
        body["reopened"] = codes(reopened)
    if (after.closed_at is None) != (before.closed_at is None):
        body["closed"] = after.closed_at is not None
    priced = _prices(before, after)
    if priced:
        body["priced"] = priced
    return body


def _prices(before: Dossier, after: Dossier) -> dict[str, Plain]:
    """The amounts owed that are not what they were, in whole francs; one that is not owed any more is null."""
    if after.owed is before.owed:
        return {}
    was, now = ({name: one.amount for name, one in each.owed.items()} for each in (before, after))
    return {name: now.get(name) for name in sorted(was.keys() | now.keys()) if was.get(name) != now.get(name)}


def codes(names: Iterable[str]) -> list[Plain]:
    """Names as an entry holds them, in one order."""
    return [*sorted(names)]


def instant_text(instant: datetime | None) -> str | None:
    return instant.isoformat(timespec="seconds") if instant else None


def finished(passage: TransitionContext, moment: Moment) -> Decision:
    """The decision, with the timers of the dossier as it has become."""
    dossier = passage.dossier
    timers = timers_of(moment.procedure, dossier, moment.now, moment.directory, moment.scope(dossier))
    return Decision(
        dossier, passage.entries, passage.events, passage.issue, passage.documents, passage.look_ups,
        passage.releases, passage.returns, timers,
    )  # fmt: skip
