"""Plays the scenarios of a procedure and reports the failed step.

They use the real services, each from an empty context.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

from engine.core.problems import Problem
from engine.domain.common.text_provider import Wording
from engine.language.catalogue.catalogue import Catalogue
from engine.model import DRAFT, Procedure, Scenario
from engine.simulation.environment import ScenarioEnvironment
from engine.simulation.player import ScenarioFailed, ScenarioRun
from engine.storage.unit_of_work import Store


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a scenario. `states` and `acts` are what it passed through, for coverage."""

    scenario: str
    story: str
    steps: int
    failure: Problem | None
    states: frozenset[str] = frozenset()
    acts: frozenset[str] = frozenset()


def play(
    procedure: Procedure, catalogue: Catalogue, wording: Wording, scenario: Scenario, store: Store | None = None
) -> Outcome:  # fmt: skip
    """Play one scenario from an empty context, as if the edition were in force.

    In memory, unless an empty store is given, which is then closed. It raises no error on a wrong
    scenario: the failure is a problem with its place.
    """
    procedure = replace(procedure, identity=replace(procedure.identity, from_=None, until=None))
    catalogue = replace(catalogue, procedures=MappingProxyType({**catalogue.procedures, procedure.id: procedure}))
    stage = ScenarioEnvironment.set_for(catalogue, wording, scenario.at, store)
    reported = ScenarioRun(procedure, scenario, stage)
    failure: Problem | None = None
    try:
        reported.play()
    except ScenarioFailed as failed:
        failure = failed.found
    finally:
        stage.office.store.close()
    dossier = reported.dossier
    passed = {taken.source for taken in dossier.taken} | {taken.target for taken in dossier.taken} if dossier else set()
    states = passed | ({dossier.state} - {DRAFT} if dossier else set())
    acts = {f"{taken.source}.{taken.transition}" for taken in dossier.taken} if dossier else set()
    return Outcome(
        scenario.id, scenario.story.in_("fr"), reported.played, failure, frozenset(states), frozenset(acts)
    )  # fmt: skip
