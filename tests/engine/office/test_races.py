"""Processes that race and processes that are killed: the last seat is sold once, nothing acknowledged is lost."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.office import bookings
from engine.office.inspection import fsck
from engine.records.dossier import Dossier
from tests.engine.office.hammer import world_in
from tests.engine.office.test_bookings import to_book
from tests.engine.office.world import ROOT, World

KILLS = 10


def hammer(mode: str, folder: Path, *rest: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.engine.office.hammer", mode, str(folder), *rest]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_four_processes_of_three_threads_for_the_last_seat(tmp_path: Path) -> None:
    world = world_in(tmp_path)
    dossiers = [to_book(world, number) for number in range(13)]
    first = bookings.slots(world.office, world.owner(dossiers[0]), dossiers[0].id, "depot").first_free
    assert first
    assert first.left == 1
    groups = [[one.id for one in dossiers[at::4]][:3] for at in range(4)]
    racing = [hammer("seat", tmp_path, first.start.isoformat(), *group) for group in groups]
    for process in racing:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    said = [line for process in racing for line in process.communicate(timeout=60)[0].split()]
    assert sorted(said) == ["booked"] + ["slot_full"] * 11
    assert fsck(world.office) == ()


@pytest.mark.slow
def test_killed_ten_times_under_load_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    world = world_in(tmp_path)
    chance = random.Random(7)
    acknowledged: list[tuple[str, str, int]] = []
    for turn in range(KILLS // 2):
        pair = [hammer("live", tmp_path, f"{turn}{number}") for number in range(2)]
        began = [process.stdout.readline() for process in pair if process.stdout]
        time.sleep(chance.random())
        for process, first in zip(pair, began, strict=True):
            process.kill()
            told = first + process.communicate()[0]
            whole = told[: told.rfind("\n") + 1].splitlines()
            acknowledged += [(one, kind, int(revision)) for one, kind, revision in map(str.split, whole)]
    assert len(acknowledged) > 3 * KILLS, "hardly any load"
    assert fsck(world.office) == ()
    for dossier_id, kind, revision in acknowledged:
        dossier = _kept(world, dossier_id)
        assert dossier.revision >= revision
        assert kind in {entry.kind for entry in world.read(lambda unit, id=dossier_id: unit.entries(id))}


def _kept(world: World, dossier_id: str) -> Dossier:
    dossier: Dossier | None = world.read(lambda unit: unit.dossier(dossier_id))
    assert dossier is not None, "acknowledged and lost"
    return dossier
