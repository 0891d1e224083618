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
def issued(procedure: str) -> tuple[StoryPaper, ...]:
    """Return every document that the stories of a shipped procedure issue, played once."""
    return tuple(papers_of(shipped().procedures[procedure], shipped(), load_words()))


def papers_of(procedure: Procedure, catalogue: Catalogue, words: Translations) -> Iterator[StoryPaper]:
    """Yield every document that the stories of a procedure issue."""
    open_ = replace(procedure, identity=replace(procedure.identity, from_=None, until=None))
    whole = replace(catalogue, procedures=MappingProxyType({**catalogue.procedures, procedure.id: open_}))
    for scenario in procedure.scenarios:
        stage = ScenarioEnvironment.set_for(whole, words, scenario.at)
        run = ScenarioRun(open_, scenario, stage)
        run.play()
        stage.office.store.close()
        if run.dossier is not None:
            yield from (StoryPaper(open_, scenario.id, run.dossier, one) for one in run.dossier.documents)
