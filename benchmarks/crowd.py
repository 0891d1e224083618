"""One process of an office whose people act at once: `python -m benchmarks.crowd FOLDER` reads lines of dossiers (JSON), takes each
from one end of the circuit to the other in a thread of its own, and answers how long each act waited, in seconds, and how many
times one was refused because the store was busy. Who is refused asks again, and waits on.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.counter_office import AGENT, STEPS, opened
from benchmarks.measure import WALL
from engine.domain.common.decision import Act
from engine.services.applications.casework import take_transition
from engine.services.context.app_context import AppContext
from engine.storage.results import Busy

AGAIN = 0.05  # seconds before one asks again


def until_kept(work: Callable[[], object], refused: Callable[[], object]) -> None:
    """Does some work, again while the store is busy; `refused` is called each time it is."""
    while True:
        try:
            work()
        except Busy:
            refused()
            time.sleep(AGAIN)
        else:
            return


class Crowd:
    """People at work: how long each act took, and how often one was refused."""

    def __init__(self, ctx: AppContext) -> None:
        self._ctx = ctx
        self.waits: list[float] = []
        self.refused: list[str] = []

    def together(self, idents: Sequence[str]) -> None:
        """Takes each of these dossiers through the circuit in a thread of its own."""
        people = [threading.Thread(target=self._walk, args=(ident,)) for ident in idents]
        for person in people:
            person.start()
        for person in people:
            person.join()

    def _walk(self, ident: str) -> None:
        for n in range(STEPS):
            began = WALL()
            until_kept(
                lambda act=f"avancer{n}": take_transition(self._ctx, AGENT, ident, Act(act)),  # type: ignore[misc]
                lambda: self.refused.append(ident),
            )
            self.waits.append(WALL() - began)


def main() -> None:
    ctx = opened(Path(sys.argv[1]))
    print("ready", flush=True)
    for line in sys.stdin:
        crowd = Crowd(ctx)
        crowd.together(json.loads(line))
        print(json.dumps({"waits": crowd.waits, "refused": len(crowd.refused)}), flush=True)


if __name__ == "__main__":
    main()
