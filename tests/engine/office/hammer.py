"""A process of its own that works on a shared office until it is killed, or runs for one seat: for the tests of races.

python -m tests.engine.office.hammer live FOLDER NUMBER
python -m tests.engine.office.hammer seat FOLDER SLOT DOSSIER…
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from engine.office import bookings, intake, timers
from engine.office.keys import SigningKeys
from engine.problems import Refused
from engine.records.sqlite import SqliteStore
from tests.engine.office.world import World, a_world


def world_in(folder: Path) -> World:
    """The office of that folder, the same in every process: its store, its operator, its keys."""
    world = a_world(folder, SqliteStore(folder / "office.db"), folder / "operator.db")
    world.office = replace(world.office, keys=SigningKeys.open(folder / "keys.json", make=True))
    return world


def tell(*words: object) -> None:
    """What is acknowledged to a person is said at once: whoever reads it may count on it for ever."""
    print(*words, flush=True)


def live(folder: Path, number: str) -> None:
    """Whole journeys, one after another, each step acknowledged once it is kept."""
    world = world_in(folder)
    chief = world.agent("chief", "sncja/greffier_en_chef")
    for turn in range(10_000):
        owner = world.applicant(f"+2289{number}{turn:05d}")
        dossier = world.filled(owner=owner)
        tell(dossier.id, "attached", dossier.revision)
        dossier = intake.submit(world.office, owner, dossier.id, declared=True, token="t")
        tell(dossier.id, "submitted", dossier.revision)
        dossier = world.paid(dossier)
        tell(dossier.id, "credited", dossier.revision)
        dossier = world.take(dossier, chief, "signer")
        tell(dossier.id, "issued", dossier.revision)
        timers.tour(world.office)


def seat(folder: Path, start: str, dossiers: list[str]) -> None:
    """Each dossier in its thread tries to take the same slot, once the file `go` is there."""
    world = world_in(folder)

    def one(dossier_id: str) -> str:
        dossier = world.read(lambda unit: unit.dossier(dossier_id))
        owner = world.read(lambda unit: unit.account(dossier.owner)).actor()
        while not (folder / "go").exists():
            time.sleep(0.001)
        try:
            bookings.book_slot(
                world.office, owner, dossier_id, "depot", "dgdn_lome", datetime.fromisoformat(start), token=dossier_id
            )
        except Refused as closed:
            return closed.reason.code
        return "booked"

    tell("ready")
    with ThreadPoolExecutor(len(dossiers)) as pool:
        for said in pool.map(one, dossiers):
            tell(said)


if __name__ == "__main__":
    mode, where, *rest = sys.argv[1:]
    if mode == "live":
        live(Path(where), rest[0])
    else:
        seat(Path(where), rest[0], rest[1:])
