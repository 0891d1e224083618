"""What exploring a procedure found, for its author: a sentence each, and the story to paste that leads there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.shared_files import Shared
from engine.model import Procedure
from engine.simulation.exploration import ExplorationFinding, Explored, Explorer
from renderers.i18n.translations import Translations, load_words
from renderers.reports.scenarios import story_yaml


def explore(procedure: Procedure, shared: Shared, day: date, seconds: float, seed: int, language: str) -> Explored:
    """Explores a procedure from that day on."""
    words = load_words()
    reason = words.say("explore.reason", language, {})
    return Explorer(procedure, Catalogue.of([procedure], shared), words, day, reason, seed).explore(seconds)


def sentence(finding: ExplorationFinding, words: Translations, language: str) -> str:
    facts = {name: ", ".join(fact) if isinstance(fact, tuple) else str(fact) for name, fact in finding.facts.items()}
    return words.say(f"explore.{finding.kind}", language, {**facts, "at": finding.at})


def exploration_report(explored: Explored, language: str) -> str:
    """The report as printed."""
    return "\n".join(_lines(explored, load_words(), language)) + "\n"


def _lines(explored: Explored, words: Translations, language: str) -> Iterator[str]:
    def say(key: str, **facts: object) -> str:
        return words.say(f"explore.{key}", language, {name: str(fact) for name, fact in facts.items()})

    yield say(
        "done", trails=explored.paths, steps=explored.steps, states=len(explored.states), ways=len(explored.ways)
    )  # fmt: skip
    yield say("whole" if explored.whole else "cut")
    if not explored.whole:
        left = (("left_states", explored.states_left), ("left_ways", explored.ways_left))
        yield from (say(key, names=", ".join(names)) for key, names in left if names)
    yield say("count", count=len(explored.findings)) if explored.findings else say("nothing")
    for number, one in enumerate(explored.findings, 1):
        yield f"  ✗ {sentence(one, words, language)}"
        if one.story is not None:
            yield f"    {say('paste')}"
            yield ""
            yield story_of(one, number, words, language)


def story_of(finding: ExplorationFinding, number: int, words: Translations, language: str) -> str:
    """The story that leads to a finding."""
    assert finding.story is not None
    title = words.say("explore.title", language, {"said": sentence(finding, words, language)})
    return story_yaml(finding.story, f"exploration_{number}", title)


def exploration_plain(explored: Explored, language: str) -> dict[str, Any]:
    """The same for machines."""
    words = load_words()
    findings = [
        {
            "kind": one.kind, "at": one.at, "message": sentence(one, words, language),
            "facts": {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in one.facts.items()},
            "story": story_of(one, number, words, language) if one.story is not None else None,
        }
        for number, one in enumerate(explored.findings, 1)
    ]  # fmt: skip
    return {
        "trails": explored.paths, "steps": explored.steps, "whole": explored.whole,
        "states_left": list(explored.states_left), "ways_left": list(explored.ways_left), "findings": findings,
    }  # fmt: skip
