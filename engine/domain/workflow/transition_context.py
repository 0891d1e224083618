"""Transition context: a decision during its computation, with the new dossier and everything to commit with it.

Each step returns a new `TransitionContext`. It adds a journal entry with its changes (state, due date,
tasks), so `journal_state` can rebuild the dossier.
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
from engine.model import Procedure
from engine.model.directory import Directory
from engine.model.types import Scope
from engine.records.dossier import Actor, DocumentStatus, Dossier, Owed


@dataclass(frozen=True, slots=True)
class Moment:
    """The context of an act: procedure, actor, instant, directory and wording."""

    procedure: Procedure
    actor: Actor
    now: datetime
    directory: Directory
    wording: Wording
    _last: list[tuple[Dossier, Scope]] = field(default_factory=list, init=False, repr=False, compare=False)

    def scope(self, dossier: Dossier) -> Scope:
        """Return the scope of the dossier. The last one is cached for the same dossier object."""
        if self._last and self._last[0][0] is dossier:
            return self._last[0][1]
        scope = scope_of(self.procedure, dossier, local_day(self.now), self.directory)
        self._last[:] = [(dossier, scope)]
        return scope


@dataclass(frozen=True, slots=True)
class TransitionContext:
    """The result so far. `moved` means that a state was entered."""

    dossier: Dossier
    entries: tuple[EntryDraft, ...] = ()
    events: tuple[str, ...] = ()
    issue: tuple[IssueOrder, ...] = ()
    documents: tuple[tuple[str, DocumentStatus], ...] = ()
    look_ups: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    returns: tuple[tuple[str, int], ...] = ()
    former: tuple[tuple[Owed, int], ...] = ()
    moved: bool = False
    noted: Dossier = field(kw_only=True)  # the dossier after the last entry

    @classmethod
    def of(cls, dossier: Dossier) -> TransitionContext:
        """Return the context of a dossier without any change."""
        return cls(dossier, noted=dossier)

    def with_(self, **changes: object) -> TransitionContext:
        """Return the context with changed fields of the dossier."""
        return replace(self, dossier=replace(self.dossier, **changes))  # type: ignore[arg-type]

    def happened(self, *events: str) -> TransitionContext:
        """Return the context with more events, on which notices depend."""
        return replace(self, events=(*self.events, *events))

    def note(
        self, kind: str, body: Mapping[str, Plain], commits: Mapping[str, Plain] | None = None
    ) -> TransitionContext:
        """Return the context with an entry: the act, and all changes since the entry before."""
        changed = changes(self.noted, self.dossier)
        both = [said for part in (body, changed) if isinstance(said := part.get("reopened"), list)]
        changed |= {"reopened": codes({str(name) for said in both for name in said})} if both else {}
        return replace(
            self, entries=(*self.entries, EntryDraft(kind, {**body, **changed}, commits or {})), noted=self.dossier
        )


def changes(before: Dossier, after: Dossier) -> dict[str, Plain]:
    """Return the part of an entry about the dossier: its state, due date, and the changes since `before`.

    These are the tasks done (by whom) or undone, and the prices fixed or removed (null).
    """
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
    return {**body, **original_changes(before, after)}


def original_changes(before: Dossier, after: Dossier) -> dict[str, Plain]:
    """Return the papers of which a mark changed, by its result, and those whose mark was cleared."""
    found: dict[str, list[Plain]] = {}
    for name in sorted(before.originals.keys() | after.originals.keys()):
        if (kept := after.originals.get(name)) != before.originals.get(name):
            found.setdefault(f"originals_{kept.result if kept else 'cleared'}", []).append(name)
    return {**found}


def _prices(before: Dossier, after: Dossier) -> dict[str, Plain]:
    """Return the changed amounts in whole francs, null for one that is no longer owed."""
    if after.owed is before.owed:
        return {}
    was, now = ({name: one.amount for name, one in each.owed.items()} for each in (before, after))
    return {name: now.get(name) for name in sorted(was.keys() | now.keys()) if was.get(name) != now.get(name)}


def codes(names: Iterable[str]) -> list[Plain]:
    """Return names as an entry stores them, sorted."""
    return [*sorted(names)]


def instant_text(instant: datetime | None) -> str | None:
    """Return an instant as ISO text to the second, None without one."""
    return instant.isoformat(timespec="seconds") if instant else None


def finished(passage: TransitionContext, moment: Moment) -> Decision:
    """Return the decision, with the timers of the new dossier."""
    dossier = passage.dossier
    timers = timers_of(moment.procedure, dossier, moment.now, moment.directory, moment.scope(dossier))
    return Decision(
        dossier, passage.entries, passage.events, passage.issue, passage.documents, passage.look_ups,
        passage.releases, passage.returns, passage.former, timers,
    )  # fmt: skip
