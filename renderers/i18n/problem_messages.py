"""Sentences of problems: `problems.<language>.yaml` filled with the facts of a problem.

A part between `[[ ]]` is left out when one of its facts is missing. If nothing remains, `or_say` and `or_help` are
used. The engine gives codes and facts, never wording.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from engine.core.problems import Fact, Problem
from engine.language.source.loader import read_source

REFERENCE: Final = "fr"
OFFERED: Final = ("fr", "en")
_FOLDER: Final = Path(__file__).parent / "catalogues"
_HOLE: Final = re.compile(r"\{([a-z_]+)\}")
_OPTIONAL: Final = re.compile(r"\[\[(.*?)\]\](?!\])")
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_MOST_LISTED: Final = 14
_LONGEST: Final = 120

# The lists of words that translate a fact. A value without translation is shown unchanged.
_TRANSLATED: Final[Mapping[str, tuple[str, ...]]] = {
    "expected": ("expected", "types"), "found": ("found", "types"), "kind": ("kind",), "left": ("types",),
    "right": ("types",), "given": ("types", "found"), "wanted": ("wanted", "types"),
    "because": ("because",), "why": ("why",), "proof": ("proofs",),
}  # fmt: skip
_NAMES: Final = ("near", "names", "others", "options", "missing", "trap", "possible")  # each name between quotes
_SPANS: Final = ("lasts", "lead", "horizon", "given", "span")  # lengths of time, as people read them
_SPAN: Final = re.compile(r"(\d+) (working )?(minute|hour|day|week|month|year)s?")
_PATHS: Final = ("circle", "path")  # one leads to the next
_ALTERNATIVES: Final = ("near", "allowed", "types", "options", "others", "wanted", "expected")  # joined by « ou »
_JOINTS: Final[Mapping[str, tuple[str, str]]] = {"fr": (" et ", " ou "), "en": (" and ", " or ")}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `explain` prints about a code: rule, reason, an example that breaks it and one that respects it."""

    code: str
    title: str
    cause: str
    bad: str
    good: str


def visible(text: str) -> str:
    """Return the text safe for a terminal: control and hidden characters become `U+FFFD`."""
    return _UNSEEN.sub("\ufffd", text)


@lru_cache(maxsize=len(OFFERED))
def _catalogue_of(language: str) -> Mapping[str, Any]:
    file = _FOLDER / f"problems.{language if language in OFFERED else REFERENCE}.yaml"
    tree: Any = read_source(file.read_bytes(), file.name).tree
    return dict(tree)


def codes() -> tuple[str, ...]:
    """Return all codes that have sentences, in the order of the French file."""
    return tuple(_catalogue_of(REFERENCE)["problems"])


def message(problem: Problem, language: str = REFERENCE) -> str:
    """Return what is wrong, as one sentence without full stop."""
    entry = _entry(problem.code, language)
    return _speak(problem, entry, "say", language) or str(entry.get("title", problem.code))


def advice(problem: Problem, language: str = REFERENCE) -> str:
    """Return what to write instead, empty if nothing more precise is known than the fault."""
    return _speak(problem, _entry(problem.code, language), "help", language)


def explanation(code: str, language: str = REFERENCE) -> Explanation | None:
    """Return the rule behind a code, None if the code is unknown."""
    entry = _entry(code, language)
    if not entry:
        return None
    return Explanation(code, entry["title"], entry["cause"], entry["bad"], entry["good"])


def _entry(code: str, language: str) -> Mapping[str, Any]:
    for procedure in (_catalogue_of(language), _catalogue_of(REFERENCE)):
        if code in procedure["problems"]:
            return dict(procedure["problems"][code])
    return {}


def _speak(problem: Problem, entry: Mapping[str, Any], part: str, language: str) -> str:
    variant = str(problem.facts.get(entry.get("by", ""), "other"))
    for template in (entry.get(part, ""), entry.get(f"or_{part}", "")):
        if isinstance(template, Mapping):
            template = template.get(variant, template.get("other", ""))
        if said := _fill(str(template), problem.facts, language):
            return said
    return ""


def _fill(template: str, facts: Mapping[str, Fact], language: str) -> str:
    words = {hole: _said(hole, facts[hole], language) for hole in _HOLE.findall(template) if hole in facts}

    def keep(optional: re.Match[str]) -> str:
        return optional[1] if all(words.get(hole) for hole in _HOLE.findall(optional[1])) else ""

    kept = _OPTIONAL.sub(keep, template)
    return _HOLE.sub(lambda hole: words.get(hole[1]) or "…", kept).strip()


def _said(name: str, fact: Fact, language: str) -> str:
    if not isinstance(fact, tuple):
        return _word(name, str(fact), language)
    words = [_word(name, one, language) for one in fact[:_MOST_LISTED]]
    if name in _NAMES:
        words = [_between_quotes(word, language) for word in words]
    if len(fact) > _MOST_LISTED:
        return ", ".join(words) + "…"
    if name in _PATHS:
        return " → ".join(words)
    last = _JOINTS.get(language, _JOINTS[REFERENCE])[name in _ALTERNATIVES]
    return last.join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _between_quotes(word: str, language: str) -> str:
    return f"“{word}”" if language == "en" else f"« {word} »"


def _word(name: str, value: str, language: str) -> str:
    for group in _TRANSLATED.get(name, ()):
        word = _catalogue_of(language)["words"].get(group, {}).get(value)
        if word:
            return str(word)
    if name in _SPANS and (span := _SPAN.fullmatch(value)):
        unit = f"{span[2] or ''}{span[3]}{'s' if span[1] != '1' else ''}"
        return f"{span[1]} {_catalogue_of(language)['words']['spans'].get(unit, unit)}"
    short = value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
    return visible(short)
