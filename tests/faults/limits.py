"""Limits of memory and processor time for a program that runs hostile input. The program ends and the tests go on."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def limit_memory(more: int) -> None:
    """The program may take so many bytes more than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def each_within(seconds: float, cases: Iterable[tuple[str, T]]) -> Iterator[T]:
    """Each thing with so much of the processor; beyond, the program ends (SIGPROF), having said which one it was at."""
    for name, one in cases:
        print(json.dumps({"at": name}), flush=True)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        yield one
        signal.setitimer(signal.ITIMER_PROF, 0)
