"""Builder of scenarios. `like` is resolved: each scenario holds all its answers and times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from engine.core.values import Plain, Text
from engine.language.compiler.build_context import frozen, plain
from engine.language.compiler.symbols import SymbolContext
from engine.language.source.loader import Path, Tree
from engine.language.source.notation import read_date
from engine.language.source.schema_rules import VERBS
from engine.model import Scenario, Step

USUAL_DAY: Final = date(2026, 11, 24)
_DATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NAMED: Final[Mapping[str, tuple[str, ...]]] = {  # the kinds of names under each verb
    "book": ("appointment",), "opinion": ("service",), "look_up": ("look_up",), "linked": ("link",), "correct": ("question", "detail", "evidence"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Given:
    """The answers and times a scenario starts from, with those of the scenario it is like."""

    answers: Mapping[str, Plain]
    at: date
    channel: str


def build_scenarios(symbols: SymbolContext) -> Iterator[Scenario]:
    """Yield the scenarios, in the order of the file."""
    for name, path in symbols.build.each(("scenarios",)):
        yield _scenario(symbols, name, path)


def _scenario(symbols: SymbolContext, name: str, path: Path) -> Scenario:
    build = symbols.build
    given = _given(symbols, name, ())
    checks = {check for _, page in build.each(("form",)) for check in _checks_inside(symbols, page)}
    refusable = {*checks, *symbols.words.types, *symbols.names.column_ids()}
    refuses = []
    for one, there in build.named((*path, "refuses")):
        if one not in refusable:
            build.unknown("N301", there, one, refusable)
        refuses.append(one)
    if not refuses:
        _check_dates(symbols, (*path, "given"))
    stops = build.words((*path, "stops"))
    if stops is not None and stops not in build.entries(("eligibility",)):
        build.unknown("N301", (*path, "stops"), stops, build.entries(("eligibility",)))
    return Scenario(
        id=name,
        where=build.where(path, key=True),
        story=build.template((*path, "story")) or Text.of(name, build.language),
        at=given.at,
        channel=given.channel,
        given=frozen(given.answers),
        without=symbols.names.checked(build, (*path, "without"), "evidence"),
        holds=symbols.names.checked(build, (*path, "holds"), "evidence"),
        stops=stops,
        refuses=tuple(refuses),
        steps=tuple(_steps(symbols, (*path, "steps"))),
    )


def _check_dates(symbols: SymbolContext, path: Path) -> None:
    """Report S203 for each date below a path that does not exist, such as 2026-02-30."""
    value = symbols.build.at(path)
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            _check_dates(symbols, (*path, key))
    elif isinstance(value, str) and _DATED.fullmatch(value) and read_date(value) is None:
        symbols.build.say("S203", path, expected="date", name=str(path[-1]), value=value)


def _checks_inside(symbols: SymbolContext, path: Path) -> Iterator[str]:
    yield from symbols.build.entries((*path, "checks"))
    for _, field in symbols.build.each((*path, "fields")):
        yield from _checks_inside(symbols, field)


def _given(symbols: SymbolContext, name: str, seen: tuple[str, ...]) -> _Given:
    """The answers of a scenario over those of the one it is like. A cycle of `like` is E420."""
    build = symbols.build
    path: Path = ("scenarios", name)
    model = build.words((*path, "like"))
    before = _Given({}, USUAL_DAY, "web")
    if model is not None and model not in build.entries(("scenarios",)):
        if not seen:
            build.unknown("N301", (*path, "like"), model, build.entries(("scenarios",)))
    elif model is not None and (model == name or model in seen):
        if not seen or model == seen[0]:
            build.say("E420", (*path, "like"), name=name, circle=(*seen, name, model))
    elif model is not None:
        before = _given(symbols, model, (*seen, name))
    own = {key: plain(value) for key, value in build.entries((*path, "given")).items()}
    at = build.day((*path, "at")) or before.at
    return _Given({**before.answers, **own}, at, build.words((*path, "channel")) or before.channel)


# -- steps -------------------------------------------------------------------------------------------------------------


def _steps(symbols: SymbolContext, path: Path) -> Iterator[Step]:
    for at, entry in enumerate(symbols.build.items(path)):
        if isinstance(entry, dict):
            yield _step(symbols, entry, (*path, at))


def _step(symbols: SymbolContext, entry: dict[str, Tree], path: Path) -> Step:
    build = symbols.build
    verb = next((key for key in entry if key in VERBS), "")
    for key in ("then", "expect"):
        place = (*path, "then") if key == "then" else (*path, "expect", "state")
        state = build.words(place)
        if state is not None and state not in symbols.names.of("state"):
            build.unknown("N307", place, state, symbols.names.of("state"))
    _check_verb(symbols, verb, path)
    for key in () if entry.get("refused") else ("with", "correct"):
        _check_dates(symbols, (*path, key))
    expect = build.entries((*path, "expect"))
    return Step(
        verb,
        plain(entry.get(verb)) if verb else None,
        frozen({key: plain(value) for key, value in entry.items() if key not in (verb, "then", "expect")}),
        build.words((*path, "then")),
        frozen({key: plain(value) for key, value in expect.items()}),
        build.where(path),
    )


def _check_verb(symbols: SymbolContext, verb: str, path: Path) -> None:
    """Report unknown names of a step. The scenario player checks whether the act is possible."""
    build = symbols.build
    here = (*path, verb)
    if verb == "take":
        symbols.names.checked(build, here, "transition")
    elif verb == "do":
        symbols.names.checked(build, here, "form")
    elif verb in _NAMED:
        for name in build.entries(here):
            if (
                verb != "correct" or name in symbols.names.ids
            ):  # an unknown answer is T905, reported when the scenario is played
                symbols.names.check(build, name, (*here, name), *_NAMED[verb], key=True)
    for name in build.entries((*path, "differs")):
        if name not in symbols.names.column_ids():  # of a form filled once per row
            symbols.names.check(build, name, (*path, "differs", name), "question", "detail", key=True)
    for name, there in build.named((*path, "grounds")):
        if name not in build.laws:
            build.unknown("N306", there, name, build.laws)
    if build.at((*path, "as")) is not None:
        build.role((*path, "as"))
