"""The stories of a file, `like` folded in: each says whole what it gives and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from engine.core.values import Plain, Text
from engine.language.compiler.build_context import frozen, plain
from engine.language.compiler.symbols import SymbolContext
from engine.language.source.loader import Path, Tree
from engine.language.source.schema_rules import VERBS
from engine.model import Scenario, Step

USUAL_DAY: Final = date(2026, 11, 24)
_NAMED: Final[Mapping[str, tuple[str, ...]]] = {  # what the keys under a verb name
    "book": ("appointment",), "opinion": ("service",), "look_up": ("look_up",), "linked": ("link",), "correct": ("question", "detail", "evidence"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Given:
    """What a story starts from, the story it is like included."""

    answers: Mapping[str, Plain]
    at: date
    channel: str


def build_scenarios(shop: SymbolContext) -> Iterator[Scenario]:
    for name, path in shop.bench.each(("scenarios",)):
        yield _scenario(shop, name, path)


def _scenario(shop: SymbolContext, name: str, path: Path) -> Scenario:
    bench = shop.bench
    given = _given(shop, name, ())
    checks = {check for _, page in bench.each(("form",)) for check in _checks_inside(shop, page)}
    refusable = {*checks, *shop.words.types, *shop.names.column_ids()}
    refuses = []
    for one, there in bench.named((*path, "refuses")):
        if one not in refusable:
            bench.unknown("N301", there, one, refusable)
        refuses.append(one)
    stops = bench.words((*path, "stops"))
    if stops is not None and stops not in bench.entries(("eligibility",)):
        bench.unknown("N301", (*path, "stops"), stops, bench.entries(("eligibility",)))
    return Scenario(
        id=name,
        where=bench.where(path, key=True),
        story=bench.text((*path, "story")) or Text.of(name, bench.language),
        at=given.at,
        channel=given.channel,
        given=frozen(given.answers),
        without=shop.names.checked(bench, (*path, "without"), "evidence"),
        stops=stops,
        refuses=tuple(refuses),
        steps=tuple(_steps(shop, (*path, "steps"))),
    )


def _checks_inside(shop: SymbolContext, path: Path) -> Iterator[str]:
    yield from shop.bench.entries((*path, "checks"))
    for _, field in shop.bench.each((*path, "fields")):
        yield from _checks_inside(shop, field)


def _given(shop: SymbolContext, name: str, seen: tuple[str, ...]) -> _Given:
    """The answers of a story over those of the one it is like. A circle of likenesses is E420."""
    bench = shop.bench
    path: Path = ("scenarios", name)
    model = bench.words((*path, "like"))
    before = _Given({}, USUAL_DAY, "web")
    if model is not None and model not in bench.entries(("scenarios",)):
        if not seen:
            bench.unknown("N301", (*path, "like"), model, bench.entries(("scenarios",)))
    elif model is not None and (model == name or model in seen):
        if not seen or model == seen[0]:
            bench.say("E420", (*path, "like"), name=name, circle=(*seen, name, model))
    elif model is not None:
        before = _given(shop, model, (*seen, name))
    own = {key: plain(value) for key, value in bench.entries((*path, "given")).items()}
    at = bench.day((*path, "at")) or before.at
    return _Given({**before.answers, **own}, at, bench.words((*path, "channel")) or before.channel)


# -- steps -------------------------------------------------------------------------------------------------------------


def _steps(shop: SymbolContext, path: Path) -> Iterator[Step]:
    for at, entry in enumerate(shop.bench.items(path)):
        if isinstance(entry, dict):
            yield _step(shop, entry, (*path, at))


def _step(shop: SymbolContext, entry: dict[str, Tree], path: Path) -> Step:
    bench = shop.bench
    verb = next((key for key in entry if key in VERBS), "")
    for key in ("then", "expect"):
        place = (*path, "then") if key == "then" else (*path, "expect", "state")
        state = bench.words(place)
        if state is not None and state not in shop.names.of("state"):
            bench.unknown("N307", place, state, shop.names.of("state"))
    _check_verb(shop, verb, path)
    expect = bench.entries((*path, "expect"))
    return Step(
        verb,
        plain(entry.get(verb)) if verb else None,
        frozen({key: plain(value) for key, value in entry.items() if key not in (verb, "then", "expect")}),
        bench.words((*path, "then")),
        frozen({key: plain(value) for key, value in expect.items()}),
        bench.where(path),
    )


def _check_verb(shop: SymbolContext, verb: str, path: Path) -> None:
    """The names a step uses; whether the act is possible there is for the player to say."""
    bench = shop.bench
    here = (*path, verb)
    if verb == "take":
        shop.names.checked(bench, here, "transition")
    elif verb == "do":
        shop.names.checked(bench, here, "form")
    elif verb in _NAMED:
        for name in bench.entries(here):
            if verb != "correct" or name in shop.names.ids:  # an unknown answer is T905, told when the story is played
                shop.names.check(bench, name, (*here, name), *_NAMED[verb], key=True)
    if bench.at((*path, "as")) is not None:
        bench.role((*path, "as"))
