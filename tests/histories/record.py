"""Records the lives of dossiers of every shipped procedure, as this release keeps them: once, when it is released.

python -m tests.histories.record 0.1.0
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from engine.core.values import canonical_json
from engine.domain.reporting.journal_state import fold
from engine.domain.workflow.actions import open_transitions
from engine.domain.workflow.progress import public_status
from engine.journal.chain import JournalEntry
from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure, Scenario
from engine.records.codec import instant_text, to_plain
from engine.records.dossier import Actor, Dossier
from engine.records.publications import Edition
from engine.services.context.app_context import pinned
from engine.simulation.environment import ScenarioEnvironment
from engine.simulation.player import ScenarioRun
from renderers.i18n.translations import load_words
from tests.engine.services.world import shipped

HERE: Final = Path(__file__).parent
SUMS: Final = "SHA256"
STORIES: Final = 2  # of each procedure: those with most steps


@dataclass(frozen=True, slots=True)
class Moment:
    """A dossier after one act: what was sealed since the one before, what then stands, and what may be done next."""

    act: str
    now: datetime
    entries: tuple[JournalEntry, ...]
    dossier: Dossier
    seen: dict[str, Any] = field(default_factory=dict)


def seen(
    procedure: Procedure, entries: tuple[JournalEntry, ...], dossier: Dossier, now: datetime, catalogue: Catalogue
) -> Any:
    """What the rules make of it: the journal folded, what the applicant is told, each act open to whoever may do it, or why
    it is closed."""
    projection = to_plain(fold(entries))
    status = public_status(procedure, dossier, now)
    who = Actor("agent", "somebody", roles=frozenset(role for way in procedure.transitions for role in way.by))
    offers = open_transitions(procedure, dossier, who, now, catalogue.directory, load_words())
    return {
        "projection": projection,
        "told": [status.public, status.who, instant_text(status.until) if status.until else None],
        "acts": {one.transition.id: one.closed.code if one.closed else "open" for one in offers},
    }


def lived(procedure: Procedure, scenario: Scenario, catalogue: Catalogue) -> list[Moment]:
    """One story, act by act."""
    stage = ScenarioEnvironment.set_for(catalogue, load_words(), scenario.at)
    told, moments, known = ScenarioRun(procedure, scenario, stage), list[Moment](), 0

    def note(act: str) -> None:
        nonlocal known
        assert told.dossier is not None
        with stage.office.store.unit() as unit:
            entries, dossier = unit.entries(told.dossier.id), unit.dossier(told.dossier.id)
            assert dossier is not None
            book = pinned(stage.office, unit, dossier)
        now = stage.office.now()
        moments.append(Moment(act, now, entries[known:], dossier, seen(book, entries, dossier, now, catalogue)))
        known = len(entries)

    assert told.prepare()
    told.submit()
    note("hand in")
    for step in scenario.steps:
        told.step = step
        told.do(step)
        note(step.verb or "look")
    stage.office.store.close()
    return moments


def lines(procedure: Procedure, catalogue: Catalogue) -> Iterator[bytes]:
    """The edition, then one story a line: of each dossier, what changed since the act before."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    yield canonical_json(to_plain(Edition(
        procedure.id, procedure.edition, procedure.fingerprint, procedure.source, procedure.expanded, at)))  # fmt: skip
    told = sorted(
        (one for one in procedure.scenarios if one.stops is None and not one.refuses),
        key=lambda one: len(one.steps), reverse=True,
    )  # fmt: skip
    for scenario in told[:STORIES]:
        before: dict[str, Any] = {}
        acts: list[Any] = []
        for one in lived(procedure, scenario, catalogue):
            dossier = to_plain(one.dossier)
            changed = {name: value for name, value in dossier.items() if before.get(name, ...) != value}
            acts.append({
                "act": one.act, "now": instant_text(one.now), "entries": [to_plain(entry) for entry in one.entries],
                "dossier": changed, "seen": one.seen,
            })  # fmt: skip
            before = dossier
        yield canonical_json({"story": scenario.id, "acts": acts})


def main(release: str) -> None:
    folder, sums = HERE / release, []
    folder.mkdir()
    catalogue = shipped()
    for name, procedure in sorted(catalogue.procedures.items()):
        data = b"".join(line + b"\n" for line in lines(procedure, catalogue))
        (folder / f"{name}.jsonl").write_bytes(data)
        sums.append(f"{sha256(data).hexdigest()}  {name}.jsonl\n")
    (folder / SUMS).write_text("".join(sums), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
