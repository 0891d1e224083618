"""The journal folded back: what a dossier must be, by its own entries. `fsck` compares it with what is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from engine.definition.model import DRAFT
from engine.records.dossier import Dossier
from engine.records.journal import Entry
from engine.rules.passage import instant_text
from engine.values import Plain


@dataclass(frozen=True, slots=True)
class Projection:
    """What the entries say of a dossier: instants as they are written there."""

    state: str = DRAFT
    due: str | None = None
    paused: str | None = None
    done: frozenset[str] = frozenset()
    closed: bool = False
    revision: int = 0


def fold(entries: Iterable[Entry]) -> Projection:
    """The state, due date, tasks and revision after all these entries, in their order. A body says only what changed."""
    projection = Projection()
    for entry in entries:
        body = entry.body
        if isinstance(body, dict):
            projection = _after(projection, body)
    return projection


def _after(before: Projection, body: dict[str, Plain]) -> Projection:
    revision, closed = body.get("revision"), body.get("closed")
    done = (before.done | _names(body.get("done"))) - _names(body.get("reopened"))
    after = replace(
        before,
        done=done,
        revision=max(before.revision, revision) if isinstance(revision, int) else before.revision,
        closed=closed if isinstance(closed, bool) else before.closed,
    )
    if "state" in body and "due" in body:
        after = replace(after, state=str(body["state"]), due=_text(body["due"]), paused=_text(body.get("paused")))
    return after


def _names(value: Plain) -> frozenset[str]:
    return frozenset(str(one) for one in value) if isinstance(value, list) else frozenset()


def _text(value: Plain) -> str | None:
    return value if isinstance(value, str) else None


def projection_of(dossier: Dossier) -> Projection:
    """The same, read from the dossier as it is kept."""
    return Projection(
        dossier.state, instant_text(dossier.due_at), instant_text(dossier.due_paused_at), frozenset(dossier.done),
        dossier.closed_at is not None, dossier.revision,
    )  # fmt: skip


def differences(folded: Projection, kept: Projection) -> tuple[str, ...]:
    """The names of what the journal and the kept dossier disagree on; none = they agree."""
    return tuple(name for name in Projection.__slots__ if getattr(folded, name) != getattr(kept, name))
