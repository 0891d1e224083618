"""Report of an exploration for the author: a sentence for each finding, and the scenario that leads there."""

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
    """Explore a procedure from that day on, for `seconds` of time at most."""
    words = load_words()
    reason = words.say("explore.reason", language, {})
    return Explorer(procedure, Catalogue.of([procedure], shared), words, day, reason, seed).explore(seconds)


def sentence(finding: ExplorationFinding, words: Translations, language: str) -> str:
    """Return a finding as one sentence."""
    facts = {name: ", ".join(fact) if isinstance(fact, tuple) else str(fact) for name, fact in finding.facts.items()}
    return words.say(f"explore.{finding.kind}", language, {**facts, "at": finding.at})


def exploration_report(explored: Explored, language: str) -> str:
    """Return the report as the command prints it."""
    return "\n".join(_lines(explored, load_words(), language)) + "\n"


def _lines(explored: Explored, words: Translations, language: str) -> Iterator[str]:
    def say(key: str, **facts: object) -> str:
        return words.say(f"explore.{key}", language, {name: str(fact) for name, fact in facts.items()})

    yield say(
        "done", trails=explored.paths, steps=explored.steps, states=len(explored.states), ways=len(explored.transitions)
    )  # fmt: skip
    yield say("whole" if explored.whole else "cut")
    if not explored.whole:
        left = (("left_states", explored.states_left), ("left_ways", explored.transitions_left))
        yield from (say(key, names=", ".join(names)) for key, names in left if names)
    yield say("count", count=len(explored.findings)) if explored.findings else say("nothing")
    for number, one in enumerate(explored.findings, 1):
        yield f"  ✗ {sentence(one, words, language)}"
        if one.story is not None:
            yield f"    {say('paste')}"
            yield ""
            yield story_of(one, number, words, language)


def story_of(finding: ExplorationFinding, number: int, words: Translations, language: str) -> str:
    """Return the scenario that leads to a finding, as YAML. The finding must have one."""
    assert finding.story is not None
    title = words.say("explore.title", language, {"said": sentence(finding, words, language)})
    return story_yaml(finding.story, f"exploration_{number}", title)


def exploration_plain(explored: Explored, language: str) -> dict[str, Any]:
    """Return the report as JSON data."""
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
        "states_left": list(explored.states_left), "ways_left": list(explored.transitions_left), "findings": findings,
    }  # fmt: skip
