"""What a process holds on to: told by itself when asked, and judged over many looks at it.

Garbage is collected before each look, at a moment when nobody asks anything: what is left is what is kept. Growth is the middle of
the slopes between any two looks (Theil and Sen), so that no single one decides.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Final

from engine.records import sqlite_schema
from tests.faults.installation import SOON, patient

PAGE: Final = os.sysconf("SC_PAGESIZE")
_CACHE: Final = 200  # KB of each connection to SQLite: full soon, so that a cache that fills is not taken for a leak


@dataclass(frozen=True, slots=True)
class Weight:
    """`blocks`: small things that Python keeps; `lent`: bytes of everything else that asked for memory, libraries and large texts;
    `resident`: bytes that the system counts, with what is free but not given back."""

    blocks: int
    lent: int
    resident: int
    handles: int
    threads: int


@dataclass(frozen=True, slots=True)
class Look:
    """At a process, once so many requests were answered, so many seconds after the beginning."""

    requests: int
    seconds: float
    weight: Weight


class _Lent(ctypes.Structure):
    """What glibc tells of all its arenas (`struct mallinfo2`)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


# -- in the process itself ---------------------------------------------------------------------------------------------


def tell_when_asked(where: str) -> None:
    """From now on SIGUSR1 has this process collect its garbage and write what is left beside `where`."""
    sqlite_schema.SPEED = (*sqlite_schema.SPEED, f"PRAGMA cache_size=-{_CACHE}")  # type: ignore
    lent = ctypes.CDLL(None).mallinfo2
    lent.restype = _Lent

    def told(number: int, frame: FrameType | None) -> None:
        gc.collect()
        found = lent()
        weight = Weight(sys.getallocatedblocks(), found.uordblks + found.hblkhd, _resident(), _handles(), _threads())
        part = Path(f"{where}.part")
        part.write_text(json.dumps(asdict(weight)), "utf-8")
        part.replace(where)

    signal.signal(signal.SIGUSR1, told)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * PAGE


def _handles() -> int:
    return len(os.listdir("/proc/self/fd"))


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


# -- outside -----------------------------------------------------------------------------------------------------------


def weighed(pid: int, where: str) -> Weight:
    """What a process holds at this moment."""
    told = Path(where)
    told.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    began = time.monotonic()
    while not told.exists():
        assert time.monotonic() - began < patient(SOON), "it does not tell what it holds"
        time.sleep(0.005)
    return Weight(**json.loads(told.read_text("utf-8")))


def slope(looks: Sequence[Look], along: Callable[[Look], float], of: Callable[[Weight], float]) -> float:
    """How much more it holds for one more of what it is measured along."""
    return median(
        (of(later.weight) - of(sooner.weight)) / (along(later) - along(sooner))
        for sooner, later in combinations(looks, 2)
        if along(later) > along(sooner)
    )
