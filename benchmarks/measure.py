"""One measure: what was found, against what is aimed at."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 9
MOST_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "99"))  # fewer show that a line works, not what it is worth


@dataclass(frozen=True)
class Measure:
    """`most`: what is aimed at is a limit from above. `beside` says the figures behind the ratio."""

    id: str
    what: str
    value: float
    floor: float
    stretch: float
    most: bool = True
    beside: str = ""

    @property
    def met(self) -> bool:
        return self.value <= self.floor if self.most else self.value >= self.floor

    def as_json(self, commit: str) -> dict[str, object]:
        """As `out.json` keeps it."""
        return {
            "id": self.id, "what": self.what, "value": round(self.value, 4), "floor": self.floor, "stretch": self.stretch,
            "most": self.most, "met": self.met, "beside": self.beside, "commit": commit,
        }  # fmt: skip

    def __str__(self) -> str:
        aimed = f"{'at most' if self.most else 'at least'} {self.floor:g}, stretch {self.stretch:g}"
        line = f"{self.id:10} {self.what:70} {self.value:10.2f}  ({aimed}){'' if self.met else '  NOT MET'}"
        return f"{line}\n{'':10} {self.beside}" if self.beside else line


Clock = Callable[[], float]
WALL: Clock = time.perf_counter
CPU: Clock = time.process_time


def spent(work: Callable[[], object], clock: Clock = CPU) -> float:
    """Seconds that some work took."""
    began = clock()
    work()
    return clock() - began


def in_turns(*sides: Callable[[], float], rounds: int = ROUNDS) -> list[tuple[float, ...]]:
    """What each side says, side after side, round after round; the first round warms up."""
    return [tuple(side() for side in sides) for _ in range(min(rounds, MOST_ROUNDS) + 1)][1:]


def median_ratio(rounds: Sequence[tuple[float, ...]], over: int, under: int) -> float:
    """Of two sides, each round by itself."""
    return statistics.median(one[over] / one[under] for one in rounds)


def median_of(rounds: Sequence[tuple[float, ...]], side: int) -> float:
    return statistics.median(one[side] for one in rounds)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that so large a share of them does not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
