"""B6. The disk is full, then it is not: meanwhile people read, whoever writes is told to come back, nobody sees an accident; and
writing goes on by itself as soon as there is room. On a disk of our own where this machine lets us have one, and with a bound
on the size of a file everywhere. Then the twin: a disk that refuses taken for a fault of ours."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.faults.crowds import Load, under_load
from tests.faults.installation import Installation, installed, patient
from tests.faults.judging import faults_of
from tests.faults.people import applicant

pytestmark = [pytest.mark.slow, pytest.mark.faults]

BEFORE = 200  # acknowledged while there is room
REFUSED = 12
ROOM = 48  # megabytes of the disk of our own
WORDS = 1 << 18  # bytes that the servers may still say: the same bound holds for their log
AGAIN = 5.0  # seconds until writing goes on, once there is room


def mounts(folder: Path) -> bool:
    """Puts a small disk at a folder; whether this machine lets us."""
    for asked in ([], ["sudo", "-n"]):
        command = [*asked, "mount", "-t", "tmpfs", "-o", f"size={ROOM}m,mode=0777", "tmpfs", str(folder)]
        try:
            if subprocess.run(command, capture_output=True).returncode == 0:
                return True
        except FileNotFoundError:
            continue
    return False


def unmounts(folder: Path) -> None:
    for asked in ([], ["sudo", "-n"]):
        if subprocess.run([*asked, "umount", "-l", str(folder)], capture_output=True).returncode == 0:
            return


@cache
def ways() -> tuple[str, ...]:
    folder = Path(mkdtemp())
    may = mounts(folder)
    if may:
        unmounts(folder)
    folder.rmdir()
    return ("size", "disk") if may else ("size",)


@dataclass
class Disk:
    """Something that is made full, and has room again."""

    fill: Callable[[], None]
    free: Callable[[], None]


@contextmanager
def bounded(folder: Path, way: str, twin: str = "") -> Iterator[tuple[Installation, Disk]]:
    data = folder / "data"
    data.mkdir()
    ballast = data / "ballast"
    if way == "disk":
        assert mounts(data)
    try:
        with installed(folder, servers=1, twin=twin) as house:
            (server,) = house.processes

            def bound(size: int) -> None:
                resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

            def size() -> None:
                kept = (data / "guichet.db").stat().st_size
                bound(max(kept, house.log.stat().st_size + WORDS))

            disk = Disk(lambda: _fill(ballast), ballast.unlink) if way == "disk" else Disk(size, lambda: bound(-1))
            house.begin()
            yield house, disk
    finally:
        if way == "disk":
            unmounts(data)


def _fill(ballast: Path) -> None:
    """To the last byte."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def wait_for(true: Callable[[], bool], what: str, load: Load, seconds: float = 40.0) -> float:
    began = time.monotonic()
    while not true():
        assert not load.broken, load.broken
        assert time.monotonic() - began < patient(seconds), what
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("way", ways())
def test_a_full_disk_is_said_and_passes(tmp_path: Path, way: str) -> None:
    with bounded(tmp_path, way) as (house, disk):
        reader = applicant(house.ports, house.sessions(1)[0])
        with under_load(house, people=6) as load:
            wait_for(lambda: load.done.count() > BEFORE, "hardly anybody was served", load)
            disk.fill()
            wait_for(lambda: load.refused > REFUSED, "the disk never was full", load)
            read = [reader.once("GET", address).status for address in ("/", "/dossiers", "/demarches/etal") * 5]
            disk.free()
            before = load.done.count()
            took = wait_for(lambda: load.done.count() > before + 20, "no writing after there was room", load)
        assert Counter(read) == {200: 15}
        assert load.broken == []
        assert set(load.statuses) <= {200, 303, 409, 503}, load.statuses
        assert house.accidents() == []
        assert took < patient(AGAIN)
        assert faults_of(house, load.done.all()) == []


def test_a_full_disk_taken_for_a_fault_of_ours_is_seen(tmp_path: Path) -> None:
    with bounded(tmp_path, "size", twin="a_disk_never_fills") as (house, disk):
        with under_load(house, people=6) as load:
            wait_for(lambda: load.done.count() > 20, "hardly anybody was served", load)
            disk.fill()
            end = time.monotonic() + patient(30)
            while not load.broken and time.monotonic() < end:
                time.sleep(0.02)
        assert load.statuses[500] > 0
        assert house.accidents() != []
        assert os.path.exists(house.log)
