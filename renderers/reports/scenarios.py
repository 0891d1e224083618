"""Report of the scenarios of a procedure for its author: one line each, failing steps, coverage."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.core.problems import Problem, problem
from engine.core.values import Plain
from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.shared_files import Shared
from engine.model import Procedure, Scenario, Step, Transition
from engine.simulation.coverage import Record, recorded
from engine.simulation.player import Outcome, play
from renderers.i18n.problem_messages import message, visible
from renderers.i18n.translations import load_words
from renderers.reports.problems import render_problem

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "fr": {
        "steps": "{n} pas", "step": "1 pas", "passed": "{ok} histoires jouées, aucune en échec.", "passed_one": "1 histoire jouée, sans échec.",
        "failed": "{bad} histoires en échec sur {all}.", "failed_one": "1 histoire en échec sur {all}.", "broken": "{file} : pas jouée, elle a des erreurs (guichet lint {file})",
        "states": "États jamais atteints : {names}", "acts": "Passages jamais pris : {names}",
        "whole": "Tous les états et tous les passages sont joués.",
        "sides": "Conditions, lignes de frais et de tableaux : {seen} côtés joués sur {all}.",
        "sides_one": "Conditions, lignes de frais et de tableaux : {seen} côté joué sur {all}.",
    },
    "en": {
        "steps": "{n} steps", "step": "1 step", "passed": "{ok} stories played, none failed.", "passed_one": "1 story played, and passed.",
        "failed": "{bad} stories failed of {all}.", "failed_one": "1 story failed of {all}.", "broken": "{file}: not played, it has errors (guichet lint {file})",
        "states": "States never reached: {names}", "acts": "Ways never taken: {names}",
        "whole": "Every state and every way is played.",
        "sides": "Conditions, lines of fees and of tables: {seen} sides played of {all}.",
        "sides_one": "Conditions, lines of fees and of tables: {seen} side played of {all}.",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Played:
    """The outcomes of all scenarios of one procedure, in order."""

    procedure: Procedure
    outcomes: tuple[Outcome, ...]
    record: Record | None = None  # coverage, if requested

    @property
    def succeeded(self) -> bool:
        """Whether no scenario failed."""
        return all(outcome.failure is None for outcome in self.outcomes)

    @property
    def states_left(self) -> tuple[str, ...]:
        """The states that no scenario reaches, in the order of the definition."""
        seen = frozenset[str]().union(*(outcome.states for outcome in self.outcomes))
        return tuple(state for state in self.procedure.states if state not in seen)

    @property
    def acts_left(self) -> tuple[str, ...]:
        """The transitions that no scenario takes, each name once."""
        seen = frozenset[str]().union(*(outcome.acts for outcome in self.outcomes))
        left = (
            transition
            for transition in self.procedure.transitions
            if f"{transition.source}.{transition.id}" not in seen
        )
        return tuple(dict.fromkeys(_named(transition) for transition in left))

    def never_played(self) -> Iterator[Problem]:
        """Yield V740 for each state, transition, side of a condition and line that no scenario covers."""
        transitions = {_named(transition): transition.where for transition in reversed(self.procedure.transitions)}
        for state in self.states_left:
            yield problem("V740", self.procedure.states[state].where, name=state)
        for name in self.acts_left:
            yield problem("V740", transitions[name], name=name)
        if self.record is not None:
            yield from self.record.problems()


def _named(transition: Transition) -> str:
    """Return the name of a transition for authors: `examen.refuser`, `a_payer.late`."""
    return (
        transition.id if transition.id.startswith(f"{transition.source}.") else f"{transition.source}.{transition.id}"
    )


def play_all(procedure: Procedure, shared: Shared, coverage: bool = False) -> Played:
    """Play all scenarios of a procedure, each in its own test environment.

    With `coverage`, a copy of the procedure records what it evaluates.
    """
    played, record = recorded(procedure) if coverage else (procedure, None)
    catalogue, words = Catalogue.of([played], shared), load_words()
    outcomes = tuple(play(played, catalogue, words, story) for story in procedure.scenarios)
    return Played(procedure, outcomes, record)


def not_playable(file: str, language: str) -> str:
    """Return the sentence for a file whose errors prevent scenarios."""
    return _WORDS[language]["broken"].format(file=file)


def story_report(
    played: Played, sources: Mapping[str, str], language: str, *, coverage: bool = False, colour: bool = False
) -> str:
    """Return the report as the command prints it, with the excerpt and the result of failing steps."""
    words = _WORDS[language]
    lines = [played.procedure.id]
    widest = max((len(outcome.story) for outcome in played.outcomes), default=0)
    for outcome in played.outcomes:
        mark = _painted("✓", "32", colour) if outcome.failure is None else _painted("✗", "31", colour)
        steps = words["step"] if outcome.steps == 1 else words["steps"].format(n=outcome.steps)
        lines.append(f"  {mark} {outcome.story.ljust(widest)}  {steps}")
        if outcome.failure is not None:
            text = render_problem(outcome.failure, sources, language, colour)
            lines += ["", *(f"      {line}" for line in text.rstrip().split("\n")), ""]
    bad = sum(outcome.failure is not None for outcome in played.outcomes)
    key = ("failed" if bad else "passed") + ("_one" if (bad or len(played.outcomes)) == 1 else "")
    lines.append(words[key].format(ok=len(played.outcomes), bad=bad, all=len(played.outcomes)))
    if coverage:
        lines += _coverage_lines(played, words, language)
    return "\n".join(lines) + "\n"


def _coverage_lines(played: Played, words: Mapping[str, str], language: str) -> Iterator[str]:
    """Yield the states and transitions not covered, then conditions and lines with their places."""
    left = [("states", played.states_left), ("acts", played.acts_left)]
    missed = [words[key].format(names=", ".join(names)) for key, names in left if names]
    yield from missed or [words["whole"]]
    if played.record is None:
        return
    seen, every = played.record.counts
    yield words["sides_one" if seen == 1 or (seen == 0 and language == "fr") else "sides"].format(seen=seen, all=every)
    for one in played.record.problems():
        yield f"  {visible(str(one.where))}  {message(one, language)}"


def stories_json(files: Iterable[tuple[str, Played | None, dict[str, Any] | None]], language: str) -> str:
    """Return the outcomes of each file as JSON.

    The scenarios of a file with errors are `null`. Coverage and exploration are `null` unless requested.
    """
    reported = [
        {"file": file, **(_plain(played, language) | {"exploration": explored} if played else {"stories": None})}
        for file, played, explored in files
    ]
    return json.dumps({"procedures": reported}, ensure_ascii=False, indent=2) + "\n"


def _plain(played: Played, language: str) -> dict[str, Any]:
    stories = [
        {"id": one.scenario, "story": one.story, "steps": one.steps,
         "failure": _plain_problem(one.failure, language) if one.failure else None}
        for one in played.outcomes
    ]  # fmt: skip
    return {"procedure": played.procedure.id, "stories": stories, "coverage": _plain_coverage(played, language)}


def _plain_coverage(played: Played, language: str) -> dict[str, Any] | None:
    if played.record is None:
        return None
    seen, every = played.record.counts
    never = [_plain_problem(one, language) for one in played.never_played()]
    return {"sides": {"played": seen, "all": every}, "never_played": never}


def _plain_problem(one: Problem, language: str) -> dict[str, Any]:
    facts = {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in one.facts.items()}
    where = {"file": one.where.file, "line": one.where.line, "column": one.where.column}
    return {"code": one.code, **where, "message": message(one, language), "facts": facts}


def _painted(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


_PLAIN: Final = re.compile(
    r"[A-Za-z_][A-Za-z0-9_./-]*|\d{4}-\d\d-\d\d( \d\d:\d\d)?|\d+ (working )?(hour|day|month|year)s?"
)
_WORDS_OF_YAML: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def story_yaml(story: Scenario, name: str, title: str) -> str:
    """Return the scenario under a new name, indented as an entry of `scenarios:`."""
    lines = [f"  {name}:", f"    story: {scalar(title)}", f"    at: {story.at.isoformat()}"]
    if story.channel != "web":
        lines.append(f"    channel: {scalar(story.channel)}")
    if story.given:
        lines.append("    given:")
        lines += [f"      {key}: {flow(value)}" for key, value in story.given.items()]
    if story.steps:
        lines.append("    steps:")
        lines += [f"      - {_step(one)}" for one in story.steps]
    return "\n".join(lines) + "\n"


def _step(step: Step) -> str:
    written: dict[str, Plain] = {step.verb: step.value, **step.options, **({"then": step.then} if step.then else {})}
    return flow(written)


def flow(value: Plain) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(key))}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return scalar(value)


def scalar(value: Plain) -> str:
    """Return a scalar in YAML, quoted unless plain YAML reads it as the same text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\n", " ")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    return "'" + text.replace("'", "''") + "'"
