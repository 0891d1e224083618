"""The stories that a file tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from engine.definition.model.things import Thing
from engine.problems import NOWHERE, Position
from engine.values import Plain, Text


@dataclass(frozen=True, slots=True)
class Step:
    """One act of a story. `verb` and its `value`, the other keys in `options` (as, who, with, reason, fields…)."""

    verb: str  # take pay book visit opinion do correct look_up linked wait, or "" when it only expects
    value: Plain
    options: Mapping[str, Plain]
    then: str | None
    expect: Mapping[str, Plain]
    where: Position = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(Thing):
    """`like` is already folded in: `given` and `at` are complete."""

    story: Text
    at: date
    channel: str = "web"
    given: Mapping[str, Plain]
    without: tuple[str, ...] = ()
    stops: str | None = None
    refuses: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
