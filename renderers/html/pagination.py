"""Pagination of a long list: the part shown, and the addresses of the pages before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

ON_A_PAGE: Final = 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paged(Generic[T]):
    """One page of a list. `previous` and `next` are addresses, empty at the ends."""

    items: tuple[T, ...]
    number: int
    count: int
    previous: str
    next: str


def paged(things: Sequence[T], asked: str, path: str, /, size: int = ON_A_PAGE, **query: str) -> Paged[T]:
    """Return the page asked for: the first if it is no number, the last if the number is too high."""
    count = max(1, -(-len(things) // size))
    number = min(max(1, int(asked)), count) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 1
    here = {name: value for name, value in query.items() if value}

    def address(page: int) -> str:
        if not 1 <= page <= count:
            return ""
        return f"{path}?{urlencode({**here, 'page': page} if page > 1 else here)}".rstrip("?")

    shown = tuple(things[(number - 1) * size : number * size])
    return Paged(shown, number, count, address(number - 1), address(number + 1))
