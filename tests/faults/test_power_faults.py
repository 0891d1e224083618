"""B4. The power is cut at any moment of real commands.

Nothing acknowledged is lost, incomplete or unreadable, and `fsck` finds each store consistent. Then the mutants. Uploaded files and
names in folders are tested in B5.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from engine.services.audit.integrity import fsck
from engine.services.worker import worker as timers
from engine.storage.schema import migration_list as sqlite_schema
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Unit
from tests.effort import tries
from tests.engine.services.world import PASSPORT, World, a_world
from tests.faults.power import Event, Told, cuts, recording

pytestmark = [pytest.mark.slow, pytest.mark.faults]
CUTS = 1_000
FILE = "guichet.db"


class Watched(SqliteStore):
    """The store, that notes what it holds after each commit, once the commit is told to be kept."""

    def __init__(self, path: Path, told: Any) -> None:
        super().__init__(path)
        self._reported = told

    @contextmanager
    def unit(self, write: bool = False, wait_limit: float | None = None) -> Iterator[Unit]:
        with super().unit(write) as unit:
            yield unit
        if write:
            self._reported()


def image(path: Path) -> bytes:
    """All pages of a store as a reader sees them."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")  # for this look alone: what it tidies away is thrown away
        return connection.serialize()


@dataclass
class Run:
    """What was written while the office worked, and every store that somebody was told is kept, by its digest."""

    before: dict[str, bytes]
    events: list[Event]
    states: dict[str, bytes]
    order: dict[str, int]
    world: World


def live(world: World, turn: int) -> None:
    """One journey through a form, a file, money, a decision, an issued document, letters; another through a seat."""
    chief, checker = world.agent("chief", "sncja/greffier_en_chef"), world.agent("checker", "dgdn/controleur")
    one, other = world.applicant(f"+2289000{turn:04d}"), world.applicant(f"+2289100{turn:04d}")
    world.take(world.paid(world.sent(owner=one)), chief, "signer")
    timers.run_pass(world.office)
    world.booked(world.paid(world.take(world.sent(PASSPORT, other), checker, "conforme")), "depot", turn)


def recorded(folder: Path, turns: int) -> Run:
    path = folder / "store" / FILE
    with closing(SqliteStore(path)) as first:
        first.migrate()
    before = {one.name: one.read_bytes() for one in path.parent.iterdir()}
    states, order = dict[str, bytes](), dict[str, int]()
    with recording(path.parent) as recorder:

        def told() -> None:
            pages = image(path)
            digest = sha256(pages).hexdigest()
            states[digest] = pages
            order.setdefault(digest, len(order))
            recorder.events.append(Told(digest))

        told()
        with closing(Watched(path, told)) as store:
            world = a_world(folder, store)
            for turn in range(turns):
                live(world, turn)
                if turn % 2:  # a night: the service stops and starts again
                    store.close()
    return Run(before, recorder.events, states, order, world)


# -- the fault test ---------------------------------------------------------------------------------------------------


def losses(run: Run, folder: Path, times: int) -> Counter[str]:
    """What was found wrong after so many cuts, and how often."""
    found = Counter[str]()
    told = [(place, one.state) for place, one in enumerate(run.events) if isinstance(one, Told)]
    for number, (moment, files) in enumerate(cuts(run.before, run.events, times, seed=4)):
        place = bisect_left(told, (moment, ""))
        kept = run.order[told[max(place - 1, 0)][1]]
        coming = run.order[told[min(place, len(told) - 1)][1]]
        where = folder / str(number)
        where.mkdir(parents=True)
        for name, data in files.items():
            (where / name).write_bytes(data)
        try:
            state = run.order.get(sha256(image(where / FILE)).hexdigest())
        except sqlite3.DatabaseError:
            found["unreadable"] += 1
        else:
            if state is None:
                found["half there"] += 1
            elif state < kept:
                found["lost"] += 1
            elif state > coming:
                found["not told yet"] += 1
        rmtree(where)
    return found


def test_nothing_told_is_lost_nothing_is_half_there(tmp_path: Path) -> None:
    run = recorded(tmp_path, 2 + tries(1))
    assert losses(run, tmp_path / "cuts", tries(CUTS)) == {}
    assert len(run.order) > 20 * (2 + tries(1)), "hardly any command"
    assert {"Wrote", "Sure", "Cut", "Gone", "Told"} == {type(one).__name__ for one in run.events}


def test_every_store_that_may_be_found_is_whole(tmp_path: Path) -> None:
    """Not only the last: somebody may have been told of each."""
    run = recorded(tmp_path, 1)
    path = tmp_path / "one" / FILE
    path.parent.mkdir()
    for number, pages in enumerate(run.states.values()):
        path.write_bytes(pages)
        with closing(SqliteStore(path)) as store:
            assert fsck(replace(run.world.office, store=store)) == (), number


# -- mutants -------------------------------------------------------------------------------------------------------------


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize(("synchronous", "seen"), [("1", "lost"), ("0", "unreadable")], ids=["normal", "off"])
def test_a_disk_that_is_not_waited_for_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synchronous: str, seen: str
) -> None:
    monkeypatch.setitem(sqlite_schema.SETTINGS, "synchronous", synchronous)
    found = losses(recorded(tmp_path, 2), tmp_path / "cuts", CUTS // 10)
    assert found[seen] > 0
    assert found["lost"] > CUTS // 20, "most cuts lose something"
