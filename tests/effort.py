"""How hard the tests that try at random try: once over in `make test`, twice in `make nightly`, as often as
wanted in `make fuzz EFFORT=200`."""

from __future__ import annotations

import os
import time
from typing import Final

EFFORT: Final = max(1, int(os.environ.get("GUICHET_EFFORT", "1")))

ADDITIONS: Final = 1_000_000
QUIET: Final = 0.05  # seconds of processor for that many additions on the cores the limits were set on


def tries(usual: int) -> int:
    """So many tries in a usual run, times the effort asked for."""
    return usual * EFFORT


def pace() -> float:
    """Return how much slower the cores are now than the cores on which the limits were set: 1 or more.

    A busy neighbour on the same core makes each instruction cost more processor time, so a limit in processor time is
    multiplied by what is measured in the same minute.
    """
    began, total = time.thread_time(), 0
    for number in range(ADDITIONS):
        total += number
    return max(1.0, (time.thread_time() - began) / QUIET)
