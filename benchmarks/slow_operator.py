"""`guichet` with one operator of the demonstration that takes its time: `python -m benchmarks.slow_operator SECONDS serve …`.

With `--empty`: otherwise the worker plays the dossiers of the demonstration first, and waits for this operator."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from engine.integrations.simulated_operator import SandboxProvider

SLOW = "mixx"


def slowed(call: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def takes(provider: SandboxProvider, *rest: Any) -> Any:
        if provider.id == SLOW:
            time.sleep(seconds)
        return call(provider, *rest)

    return takes


if __name__ == "__main__":
    seconds = float(sys.argv.pop(1))
    SandboxProvider.start = slowed(SandboxProvider.start, seconds)  # type: ignore[method-assign]
    SandboxProvider.status = slowed(SandboxProvider.status, seconds)  # type: ignore[method-assign]
    from server import console

    console()
