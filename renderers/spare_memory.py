"""Memory that was freed, given back to the system: where a library of C keeps it (glibc), it is asked not to."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from functools import cache
from typing import Final

_ARENA_MAX: Final = -8  # of mallopt(3)


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def few_arenas() -> None:
    """Before there are threads: each would take memory from a place of its own. `MALLOC_ARENA_MAX` has the last word."""
    if "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(AttributeError, OSError):
            _library().mallopt(_ARENA_MAX, 2)


def give_back() -> None:
    """After work that leaves a lot behind. It takes less than a millisecond."""
    with suppress(AttributeError, OSError):
        _library().malloc_trim(0)
