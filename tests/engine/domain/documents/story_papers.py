"""The documents that stories issue, with their dossiers, played in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.records.dossier import Dossier, IssuedDocument
from engine.simulation.environment import ScenarioEnvironment
from engine.simulation.player import ScenarioRun
from renderers.i18n.translations import Translations, load_words
from tests.engine.services.world import shipped

PROCEDURES = Path(__file__).parents[4] / "procedures"


@dataclass(frozen=True)
class StoryPaper:
    """One document that a story issued."""

    procedure: Procedure
    story: str
    dossier: Dossier
    document: IssuedDocument

    @property
    def name(self) -> str:
        """The name of the document among all: procedure, story, output."""
        return f"{self.procedure.id}/{self.story}/{self.document.output}"


@cache
def told(procedure: str) -> tuple[tuple[str, Dossier], ...]:
    """Return the dossier of each story of a shipped procedure at its end, played once."""
    return tuple(_ends_of(_always_open(shipped().procedures[procedure]), shipped(), load_words()))


@cache
def issued(procedure: str) -> tuple[StoryPaper, ...]:
    """Return every document that the stories of a shipped procedure issue."""
    open_ = _always_open(shipped().procedures[procedure])
    return tuple(
        StoryPaper(open_, story, dossier, one) for story, dossier in told(procedure) for one in dossier.documents
    )


def papers_of(procedure: Procedure, catalogue: Catalogue, words: Translations) -> Iterator[StoryPaper]:
    """Yield every document that the stories of a procedure issue."""
    open_ = _always_open(procedure)
    for story, dossier in _ends_of(open_, catalogue, words):
        yield from (StoryPaper(open_, story, dossier, one) for one in dossier.documents)


def _always_open(procedure: Procedure) -> Procedure:
    return replace(procedure, identity=replace(procedure.identity, from_=None, until=None))


def _ends_of(procedure: Procedure, catalogue: Catalogue, words: Translations) -> Iterator[tuple[str, Dossier]]:
    whole = replace(catalogue, procedures=MappingProxyType({**catalogue.procedures, procedure.id: procedure}))
    for scenario in procedure.scenarios:
        stage = ScenarioEnvironment.set_for(whole, words, scenario.at)
        run = ScenarioRun(procedure, scenario, stage)
        run.play()
        stage.office.store.close()
        if run.dossier is not None:
            yield scenario.id, run.dossier
