"""How the stories of a procedure went, for its author: one line a story, the failing step with its place, coverage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.definition.catalogue import Catalogue
from engine.definition.model import Procedure
from engine.definition.shared_files import Shared
from engine.office.scenario import Outcome, play
from renderers.problem_text import render_problem
from renderers.words import load_words

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "fr": {
        "steps": "{n} pas", "passed": "{ok} histoires jouées, aucune en échec.", "passed_one": "1 histoire jouée, sans échec.",
        "failed": "{bad} histoires en échec sur {all}.", "failed_one": "1 histoire en échec sur {all}.", "broken": "{file} : pas jouée, elle a des erreurs (guichet lint {file})",
        "states": "États jamais atteints : {names}", "acts": "Passages jamais pris : {names}",
        "whole": "Tous les états et tous les passages sont joués.",
    },
    "en": {
        "steps": "{n} steps", "passed": "{ok} stories played, none failed.", "passed_one": "1 story played, and passed.",
        "failed": "{bad} stories failed of {all}.", "failed_one": "1 story failed of {all}.", "broken": "{file}: not played, it has errors (guichet lint {file})",
        "states": "States never reached: {names}", "acts": "Ways never taken: {names}",
        "whole": "Every state and every way is played.",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Played:
    """All the stories of one procedure, in order."""

    procedure: Procedure
    outcomes: tuple[Outcome, ...]

    @property
    def succeeded(self) -> bool:
        return all(outcome.failure is None for outcome in self.outcomes)

    @property
    def states_left(self) -> tuple[str, ...]:
        seen = frozenset[str]().union(*(outcome.states for outcome in self.outcomes))
        return tuple(state for state in self.procedure.states if state not in seen)

    @property
    def acts_left(self) -> tuple[str, ...]:
        seen = frozenset[str]().union(*(outcome.acts for outcome in self.outcomes))
        named = dict.fromkeys(f"{way.source}.{way.id}" for way in self.procedure.transitions)
        return tuple(name for name in named if name not in seen)


def play_all(procedure: Procedure, shared: Shared) -> Played:
    """Plays every story of a procedure, each on a stage of its own."""
    catalogue, words = Catalogue.of([procedure], shared), load_words()
    return Played(procedure, tuple(play(procedure, catalogue, words, story) for story in procedure.scenarios))


def not_playable(file: str, language: str) -> str:
    return _WORDS[language]["broken"].format(file=file)


def story_report(
    played: Played, sources: Mapping[str, str], language: str, *, coverage: bool = False, colour: bool = False
) -> str:
    """The report as printed. Failing steps come with their excerpt and what was seen."""
    words = _WORDS[language]
    lines = [played.procedure.id]
    widest = max((len(outcome.story) for outcome in played.outcomes), default=0)
    for outcome in played.outcomes:
        mark = _painted("✓", "32", colour) if outcome.failure is None else _painted("✗", "31", colour)
        lines.append(f"  {mark} {outcome.story.ljust(widest)}  {words['steps'].format(n=outcome.steps)}")
        if outcome.failure is not None:
            text = render_problem(outcome.failure, sources, language, colour)
            lines += ["", *(f"      {line}" for line in text.rstrip().split("\n")), ""]
    bad = sum(outcome.failure is not None for outcome in played.outcomes)
    key = ("failed" if bad else "passed") + ("_one" if (bad or len(played.outcomes)) == 1 else "")
    lines.append(words[key].format(ok=len(played.outcomes), bad=bad, all=len(played.outcomes)))
    if coverage:
        left = [("states", played.states_left), ("acts", played.acts_left)]
        missed = [words[key].format(names=", ".join(names)) for key, names in left if names]
        lines += missed or [words["whole"]]
    return "\n".join(lines) + "\n"


def _painted(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
