"""The memory, handles and threads of a process: measured by the process itself, and compared over many measurements.

Before each measurement, without any request, garbage is collected and free memory returns to the system. Two settings bound the
cache of SQLite, and are low here so that it fills at once. Growth is the median of the slopes between any two measurements (Theil
and Sen), so that one outlier does not count.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import gc
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any, Final, Literal

from engine.storage.schema import migration_list as sqlite_schema
from tests.faults.installation import SOON, patient

PAGE: Final = os.sysconf("SC_PAGESIZE")
_PAGES, _STATEMENTS = 200, 16  # of each connection to SQLite: KB read and kept, statements prepared and kept


@dataclass(frozen=True, slots=True)
class Weight:
    """`blocks`: small things that Python keeps; `lent`: bytes of everything else that asked for memory, libraries and large texts,
    without those of `sqlite`, which fills its caches for long, up to a bound;
    `resident`: bytes of all of it that are in memory, as the system counts."""

    blocks: int
    lent: int
    sqlite: int
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
    _keep_little()
    glibc = ctypes.CDLL(None)
    glibc.mallinfo2.restype = _Lent

    def told(number: int, frame: FrameType | None) -> None:
        gc.collect()
        glibc.malloc_trim(0)
        found = glibc.mallinfo2()
        sqlite = _of_sqlite()
        lent = found.uordblks + found.hblkhd - sqlite
        weight = Weight(sys.getallocatedblocks(), lent, sqlite, _resident(), _handles(), _threads())
        part = Path(f"{where}.part")
        part.write_text(json.dumps(asdict(weight)), "utf-8")
        part.replace(where)

    signal.signal(signal.SIGUSR1, told)


def _keep_little() -> None:
    """Of SQLite, that is; the caches fill in the first rounds and are not taken for a leak."""
    connect = sqlite3.connect

    def connects(path: str, **how: Any) -> sqlite3.Connection:
        return connect(path, **{**how, "cached_statements": _STATEMENTS})

    sqlite3.connect = connects  # type: ignore
    sqlite_schema.SPEED = (*sqlite_schema.SPEED, f"PRAGMA cache_size=-{_PAGES}")  # type: ignore


def _of_sqlite() -> int:
    """Bytes; none where SQLite does not say, built into Python: they are among those lent then."""
    try:
        used = ctypes.CDLL(_sqlite3.__file__).sqlite3_memory_used
    except (AttributeError, OSError):
        return 0
    used.restype = ctypes.c_int64
    return int(used())


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


def slope(looks: Sequence[Look], along: Literal["requests", "seconds"], of: str) -> float:
    """How much more it holds of something for one more request, or second: the middle of what any two looks say."""
    points = [(getattr(one, along), getattr(one.weight, of)) for one in looks]
    return median((y - b) / (x - a) for (a, b), (x, y) in combinations(points, 2) if x > a)
