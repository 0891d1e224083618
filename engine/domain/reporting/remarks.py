"""What an auditor should look at in one dossier, read from its journal: the ready questions of all journals, and two more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from engine.core.clock import local
from engine.core.values import Plain
from engine.journal.chain import JournalEntry
from engine.model import APPLICANT, SYSTEM, Procedure
from engine.records.dossier import Dossier

RemarkCode: TypeAlias = Literal["appeal", "late", "night", "bulk", "silent", "taken_refused"]

EVENING: Final = 20  # hours of the night, as in `engine.journal.search`
MORNING: Final = 6


@dataclass(frozen=True, slots=True)
class Remark:
    """One point: the numbers of its entries, and the account of the agent where a single one is concerned."""

    code: RemarkCode
    entries: tuple[int, ...] = ()
    by: str = ""


def remarks_on(procedure: Procedure, dossier: Dossier, entries: Sequence[JournalEntry]) -> tuple[Remark, ...]:
    """Return the remarks on a dossier, the most serious first. `procedure` is its edition."""
    acts = [(entry, _body(entry)) for entry in entries if entry.kind == "transition" and entry.actor_kind == "agent"]
    found = [*_appeals(procedure, dossier, entries), *_taken_then_refused(procedure, entries)]
    late = _late(entries)
    by_code: tuple[tuple[RemarkCode, tuple[int, ...]], ...] = (
        ("late", tuple(entry.n for entry, _ in acts if entry.n in late)),
        ("night", tuple(entry.n for entry, _ in acts if not MORNING <= local(entry.at).hour < EVENING)),
        ("bulk", tuple(entry.n for entry, body in acts if body.get("bulk"))),
        ("silent", _silent(procedure, entries)),
    )
    return (*found, *(Remark(code, numbers) for code, numbers in by_code if numbers))


def _body(entry: JournalEntry) -> Mapping[str, Plain]:
    return entry.body if isinstance(entry.body, dict) else {}


def _refuses(procedure: Procedure, state: Plain) -> bool:
    return (
        procedure.states[state].outcome == "refused" if isinstance(state, str) and state in procedure.states else False
    )


def _appeals(procedure: Procedure, dossier: Dossier, entries: Sequence[JournalEntry]) -> Iterator[Remark]:
    """Yield each contested refusal whose author acted on the appeal, or holds the dossier meanwhile."""
    refusal: JournalEntry | None = None
    contested: tuple[JournalEntry, int] | None = None
    for entry in entries:
        body = _body(entry)
        if entry.kind != "transition":
            continue
        if contested is not None and entry.actor_kind == "agent" and entry.actor == contested[0].actor:
            yield Remark("appeal", (contested[0].n, contested[1], entry.n), entry.actor)
            contested = None
        if entry.actor_kind == APPLICANT and refusal is not None and _refuses(procedure, body.get("source")):
            contested, refusal = (refusal, entry.n), None
        elif entry.actor_kind == "agent" and _refuses(procedure, body.get("target")):
            contested, refusal = None, entry
        elif _is_closing(procedure, body):
            contested = None
    if contested is not None and dossier.assigned == contested[0].actor:
        yield Remark("appeal", (contested[0].n, contested[1]), contested[0].actor)


def _is_closing(procedure: Procedure, body: Mapping[str, Plain]) -> bool:
    target = procedure.states.get(str(body.get("target")))
    return target is not None and target.outcome is not None


def _taken_then_refused(procedure: Procedure, entries: Sequence[JournalEntry]) -> Iterator[Remark]:
    taken: dict[str, int] = {}
    for entry in entries:
        body = _body(entry)
        if entry.kind == "assigned" and body.get("to") == entry.actor:
            taken.setdefault(entry.actor, entry.n)
        elif entry.kind == "transition" and entry.actor in taken and _refuses(procedure, body.get("target")):
            yield Remark("taken_refused", (taken[entry.actor], entry.n), entry.actor)


def _late(entries: Sequence[JournalEntry]) -> frozenset[int]:
    """Return the entries made after the due date in force until then, which was not paused."""
    due: datetime | None = None
    found = set()
    for entry in entries:
        if due is not None and entry.at > due:
            found.add(entry.n)
        body = _body(entry)
        if "due" in body:
            said = body["due"] if not body.get("paused") else None
            due = datetime.fromisoformat(said) if isinstance(said, str) else None
    return frozenset(found)


def _silent(procedure: Procedure, entries: Sequence[JournalEntry]) -> tuple[int, ...]:
    """Return the entries by which the time of an opinion was over: no person gave it."""
    services = {service.id for form in procedure.forms() for service in form.services}
    return tuple(
        entry.n
        for entry in entries
        if entry.kind == "part_done" and entry.actor_kind == SYSTEM and _body(entry).get("part") in services
    )
