"""How hard the tests that try at random try: once over in `make test`, as often as wanted in `make fuzz EFFORT=100`."""

from __future__ import annotations

import os
from typing import Final

EFFORT: Final = max(1, int(os.environ.get("GUICHET_EFFORT", "1")))


def tries(usual: int) -> int:
    """So many tries in a usual run, times the effort asked for."""
    return usual * EFFORT
