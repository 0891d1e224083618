"""What the racing processes of `test_races.py` run. Each opens the store itself, as a server's workers do."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.operations.store_factory import open_store
from engine.storage.results import AlreadyExists
from engine.storage.unit_of_work import Store
from tests.engine.records.makers import a_booking, a_dossier, a_message, a_timer, journal, later


def together(count: int, run: Callable[[int], Any]) -> list[Any]:
    """Runs `run(0)` … `run(count - 1)` in as many threads from one start; their answers, in order."""
    answers: list[Any] = [None] * count
    start = threading.Barrier(count)

    def one(place: int) -> None:
        start.wait()
        try:
            answers[place] = run(place)
        except Exception as error:  # an answer like another: the test judges it
            answers[place] = error

    threads = [threading.Thread(target=one, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def books(store: Store, dossier: str, booking_id: str, day: int) -> bool:
    """One person clicks on the last seat of a day."""
    try:
        with store.unit(write=True) as unit:
            unit.take_seat("desk", dossier, a_booking(booking_id, start=later(days=day)))
    except AlreadyExists:
        return False
    return True


def book_from_a_process(address: str, process: int, threads: int, days: int, start: Any, won: Any) -> None:
    store = open_store(address)
    store.migrate()

    def clicks(thread: int) -> None:
        for day in range(days):
            start.wait()  # every thread of every process at once
            if books(store, f"d{process}-{thread}", f"b{process}-{thread}-{day}", day):
                won.put((day, process, thread))

    together(threads, clicks)
    store.close()


def write_until_killed(address: str, acknowledged: Path, run: str, pause: float = 0) -> None:
    """Four threads keep whole commands, a `pause` (seconds) after each; each id goes to the log, for good, only after its unit
    returned."""
    store = open_store(address)
    log = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def command(dossier_id: str) -> None:
        dossier = a_dossier(dossier_id, label=f"Adjo {dossier_id}")
        with store.unit(write=True) as unit:
            unit.add_dossier(dossier)
            journal(unit, dossier_id, "opened")
            unit.add_letter(a_message(f"l-{dossier_id}", dossier=dossier_id))
        booking = a_booking(f"b-{dossier_id}", office=dossier_id)
        with store.unit(write=True) as unit:
            unit.put_dossier(replace(dossier, revision=1, bookings={"visit": booking}), 0)
            journal(unit, dossier_id, "booked", {"start": dossier_id})
            unit.take_seat("desk", dossier_id, booking)
            unit.set_timers(dossier_id, [a_timer(dossier=dossier_id)])

    def endless(thread: int) -> None:
        for n in range(1_000_000):
            dossier_id = f"{run}-{thread}-{n}"
            try:
                command(dossier_id)
            except AlreadyExists:  # a number here is a hash of few digits: after tens of thousands two are alike
                continue
            os.write(log, f"{dossier_id}\n".encode())
            os.fsync(log)
            time.sleep(pause)

    for answer in together(4, endless):
        print(repr(answer), file=sys.stderr)


if __name__ == "__main__":
    write_until_killed(sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]) if len(sys.argv) > 4 else 0)
