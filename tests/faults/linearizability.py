"""Checks that the answers given to concurrent requests fit one order.

Each act must lie between its request and its answer, and its result must be that of a sequential run (search of Wing and Gong,
with a cache of states).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, TypeAlias, TypeVar

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True)
class Call:
    """One question and its answer. `ended` is infinite where no answer came: it may have been done at any time since, or never."""

    asked: tuple[Any, ...]
    told: Any
    began: float
    ended: float = inf


Model: TypeAlias = Callable[[S, Call], "S | None"]
"""The state after a call that was told this; nothing when it cannot have been told so."""


def in_some_order(calls: Sequence[Call], model: Model[S], state: S) -> bool:
    """Whether such an order exists."""
    calls = sorted(calls, key=lambda one: one.began)
    whole = sum(1 << place for place, one in enumerate(calls) if one.ended != inf)
    tried = {(0, state)}
    left: list[tuple[int, S]] = [(0, state)]
    while left:
        done, now = left.pop()
        if done & whole == whole:
            return True
        for place in _next(calls, done):
            after = model(now, calls[place])
            if after is not None and (step := (done | 1 << place, after)) not in tried:
                tried.add(step)
                left.append(step)
    return False


def _next(calls: Sequence[Call], done: int) -> list[int]:
    """Those that may come first of what is left: asked before any of it was answered."""
    first, found = inf, []
    for place, one in enumerate(calls):
        if one.began > first:
            break
        if not done >> place & 1:
            found.append(place)
            first = min(first, one.ended)
    return [place for place in found if calls[place].began <= first]


# -- a page of a draft -------------------------------------------------------------------------------------------------

Page: TypeAlias = tuple[int, str]  # its revision, its one answer
KEPT, CONFLICT = "kept", "conflict"


def page_of_a_draft(now: Page, call: Call) -> Page | None:
    """`("read",)` is told revision and answer; `("save", revision, answer)` is kept where that is the revision, and a conflict
    where it is not; without a revision it is kept whatever stands. No two answers are the same."""
    revision, _ = now
    if call.asked[0] == "read":
        return now if call.ended == inf or call.told == now else None
    _, seen, answer = call.asked
    if seen is not None and seen != revision:
        return now if call.told != KEPT else None
    return (revision + 1, answer) if call.told != CONFLICT else None
