"""The dossier state that the journal implies. `fsck` compares it with the stored dossier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from engine.core.values import Plain
from engine.domain.documents.originals import RESULTS
from engine.domain.editions.renaming import transition_name
from engine.domain.workflow.transition_context import instant_text
from engine.journal.chain import JournalEntry
from engine.model import DRAFT
from engine.records.dossier import Dossier

_SAME_ACT: Final = timedelta(minutes=5)  # an act is decided just before its entry is appended


@dataclass(frozen=True, slots=True)
class RecordedTransition:
    """One transition that was taken: source, target, actor (id and kind), instant and laws chosen as grounds."""

    transition: str
    source: str
    target: str
    by: str
    by_kind: str
    at: datetime
    grounds: tuple[str, ...] = ()

    def is_same(self, other: RecordedTransition) -> bool:
        """Return True when both are the same transition, at most five minutes apart."""
        return replace(self, at=other.at) == other and abs(self.at - other.at) <= _SAME_ACT


@dataclass(frozen=True, slots=True)
class Projection:
    """What the entries imply about a dossier, with instants as the entries write them."""

    state: str = DRAFT
    due: str | None = None
    paused: str | None = None
    done: frozenset[str] = frozenset()
    closed: bool = False
    revision: int = 0
    hands: Mapping[str, str] = field(default_factory=dict)  # finished task → account that did it
    taken: tuple[RecordedTransition, ...] = ()
    priced: Mapping[str, int] = field(default_factory=dict)  # fee → whole francs owed
    originals: Mapping[str, str] = field(default_factory=dict)  # evidence → what an agent found of its paper


def fold(entries: Iterable[JournalEntry]) -> Projection:
    """Return the state after all these entries, in their order. An entry body contains changes only."""
    projection = Projection()
    for entry in entries:
        body = entry.body
        if isinstance(body, dict):
            projection = _after(projection, entry, body)
    return projection


def _after(before: Projection, entry: JournalEntry, body: dict[str, Plain]) -> Projection:
    before = _renamed(before, body.get("names"))
    revision, closed = body.get("revision"), body.get("closed")
    done = (before.done - _names(body.get("reopened"))) | _names(body.get("done"))  # a price of 0 is done at once
    after = replace(
        before,
        done=done,
        revision=max(before.revision, revision) if isinstance(revision, int) else before.revision,
        closed=closed if isinstance(closed, bool) else before.closed,
        hands={name: by for name, by in {**before.hands, **_persons(entry, body)}.items() if name in done},
        taken=(*before.taken, _transition(entry, body)) if entry.kind == "transition" else before.taken,
        priced=_priced(before.priced, body.get("priced")),
        originals=_noted(before.originals, body),
    )
    if "state" in body and "due" in body:
        after = replace(after, state=str(body["state"]), due=_text(body["due"]), paused=_text(body.get("paused")))
    return after


def _renamed(before: Projection, names: Plain) -> Projection:
    """Return the projection with the names of a later edition, when an entry records the migration to it."""
    if not isinstance(names, dict):
        return before
    moves = {old: new if isinstance(new, str) else None for old, new in names.items()}
    kept = {
        old: new
        for old in (*before.done, *before.priced, *before.originals)
        if (new := moves.get(old, old)) is not None
    }
    return replace(
        before,
        done=frozenset(kept[one] for one in before.done if one in kept),
        hands={kept[name]: by for name, by in before.hands.items() if name in kept},
        priced={kept[name]: amount for name, amount in before.priced.items() if name in kept},
        originals={kept[name]: result for name, result in before.originals.items() if name in kept},
        taken=tuple(
            replace(
                transition,
                transition=transition_name(moves, transition.transition),
                source=moves.get(transition.source) or transition.source,
                target=moves.get(transition.target) or transition.target,
                grounds=tuple(moves.get(one) or one for one in transition.grounds),
            )
            for transition in before.taken
        ),
    )


def _persons(entry: JournalEntry, body: dict[str, Plain]) -> dict[str, str]:
    """Return who did the tasks that an entry reports as done: the persons it names, else its actor."""
    named = body.get("hands")
    persons = named if isinstance(named, dict) else {}
    return {name: str(persons.get(name, entry.actor)) for name in _names(body.get("done"))}


def _transition(entry: JournalEntry, body: dict[str, Plain]) -> RecordedTransition:
    """Return the transition of an entry. One that an event caused is attributed to the system."""
    by, kind = ("system", "system") if "event" in body else (entry.actor, entry.actor_kind)
    return RecordedTransition(
        str(body.get("transition")),
        str(body.get("source")),
        str(body.get("target")),
        by,
        kind,
        entry.at,
        tuple(map(str, grounds)) if isinstance(grounds := body.get("grounds"), list) else (),
    )


def _priced(before: Mapping[str, int], changed: Plain) -> Mapping[str, int]:
    if not isinstance(changed, dict):
        return before
    after: dict[str, Plain] = {**before, **changed}
    return {name: amount for name, amount in after.items() if isinstance(amount, int)}


def _noted(before: Mapping[str, str], body: dict[str, Plain]) -> Mapping[str, str]:
    """Return the results of originals with those that an entry names."""
    cleared = _names(body.get("originals_cleared"))
    after = {name: result for name, result in before.items() if name not in cleared}
    return after | {name: result for result in RESULTS for name in _names(body.get(f"originals_{result}"))}


def _names(value: Plain) -> frozenset[str]:
    return frozenset(str(one) for one in value) if isinstance(value, list) else frozenset()


def _text(value: Plain) -> str | None:
    return value if isinstance(value, str) else None


def projection_of(dossier: Dossier) -> Projection:
    """Return the projection of a stored dossier."""
    return Projection(
        dossier.state, instant_text(dossier.due_at), instant_text(dossier.due_paused_at), frozenset(dossier.done),
        dossier.closed_at is not None, dossier.revision, {name: one.by for name, one in dossier.done.items()},
        tuple(RecordedTransition(one.transition, one.source, one.target, one.by, one.by_kind, one.at, one.grounds) for one in dossier.taken),
        {name: one.amount for name, one in dossier.owed.items()},
        {name: one.result for name, one in dossier.originals.items()},
    )  # fmt: skip


def differences(folded: Projection, kept: Projection) -> tuple[str, ...]:
    """Return the names of the fields in which journal and stored dossier differ, none when they agree."""
    differing = [
        name
        for name in Projection.__slots__
        if name != "taken" and getattr(folded, name) != getattr(kept, name)
    ]  # fmt: skip
    pairs = zip(folded.taken, kept.taken, strict=False)
    if len(folded.taken) != len(kept.taken) or not all(one.is_same(other) for one, other in pairs):
        differing.append("taken")
    return tuple(differing)
