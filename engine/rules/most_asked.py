"""Which procedures are asked for most, from what was counted: those come first where only some can be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

LEAST: Final = 5  # fewer tell nothing of a procedure, and might tell of somebody


def most_asked_first(ids: Sequence[str], asked: Mapping[str, int], least: int = LEAST) -> tuple[str, ...]:
    """The same ids, the most asked for first; those asked for as often, and those hardly asked for, keep their order."""
    known = {name: count for name, count in asked.items() if count >= least}
    return tuple(sorted(ids, key=lambda name: -known.get(name, 0)))
