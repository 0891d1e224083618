"""Progress of long work: a caller may watch the items that a function goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class ProgressReporter(Protocol):
    """Shows how far work is."""

    def __call__(self, items: Iterable[T], count: Callable[[], int], what: str) -> Iterable[T]:
        """Return the items unchanged, shown while they are taken.

        `count` returns their number and is called only if they are shown. `what`: `rows`, `files`, `dossiers`.
        """
        ...


def unwatched(items: Iterable[T], count: Callable[[], int], what: str) -> Iterable[T]:
    """Return the items; show nothing."""
    return items
