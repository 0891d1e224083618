"""Thirty-two people at once: all on one seat, then each on their own of 1,080. Whole bookings, kept durably, beside a bare
transaction that takes a seat and keeps nothing else."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.circuit import CLIENTS, FULL
from benchmarks.counter_office import a_database, office_of, raw_sqlite, sent, visits
from benchmarks.measure import WALL, Measure, in_turns, median_of, median_ratio, spent
from engine.core.problems import Refused
from engine.records.dossier import Actor, Dossier
from engine.services.appointments.bookings import book_slot, slots
from engine.services.context.app_context import AppContext

SLOTS, RAW = 1_080, 256


def measures() -> Iterator[Measure]:
    """Every line, as it is measured: in SQLite, then in PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, closing(raw_sqlite(Path(folder) / "raw.db", FULL)) as db:
        yield from _sold(Path(folder), "", "A1", _bare_sqlite(db))
    with (
        tempfile.TemporaryDirectory() as folder,
        a_database() as address,
        psycopg.connect(address, autocommit=True) as line,
    ):
        yield from _sold(Path(folder), address, "A1-pg", _bare_postgres(line))


def _sold(folder: Path, address: str, ident: str, bare: Callable[[int], object]) -> Iterator[Measure]:
    """The hot seat, then each their own; `bare` takes the seat of that number, in one transaction and nothing else."""
    with office_of(visits(), folder / "ours", address) as office:
        free = _free(office)
        hot, rest, bared = free[0], iter(free[1:]), count()
        sold = Counter(_crowd(office, lambda _: hot))
        if sold != {"booked": 1, "slot_full": CLIENTS - 1}:
            raise SystemExit(f"the hot seat: {sold}")

        def ours() -> float:
            return _pace(office, [next(rest) for _ in range(CLIENTS)])

        rounds = in_turns(ours, lambda: RAW / spent(lambda: [bare(next(bared)) for _ in range(RAW)], WALL))
        doubles = _doubles(office)
    us, them = median_of(rounds, 0), median_of(rounds, 1)
    where = "PostgreSQL" if address else "SQLite, FULL"
    what = f"seats sold twice, {CLIENTS} clients on one seat and on {SLOTS}, {where}"
    yield Measure(f"{ident}-double", what, doubles, 0, 0)
    what = f"bookings of {CLIENTS} clients at once, {where}: share of a bare transaction's pace (%)"
    beside = f"{us:.0f} /s whole bookings, {them:.0f} /s bare"
    yield Measure(ident, what, 100 * median_ratio(rounds, 0, 1), 70, 85, False, beside)


def _free(ctx: AppContext) -> list[tuple[str, datetime]]:
    """The first free slots of the office, in order."""
    owner, dossier = sent(ctx)
    found, day = list[tuple[str, datetime]](), None
    while len(found) < SLOTS:
        sheet = slots(ctx, owner, dossier.id, "depot", from_day=day, limit=200)
        found += [(one.office, one.start) for each in sheet.days for one in each.slots]
        if sheet.next_from is None:
            break
        day = sheet.next_from
    if len(found) < 32 * 12:
        raise SystemExit(f"{len(found)} slots only")
    return found[:SLOTS]


def _pace(ctx: AppContext, wanted: Sequence[tuple[str, datetime]]) -> float:
    reported: list[str] = []
    people = [sent(ctx) for _ in wanted]
    took = spent(lambda: reported.extend(_together(ctx, people, lambda n: wanted[n])), WALL)
    if Counter(reported) != {"booked": len(wanted)}:
        raise SystemExit(f"bookings: {Counter(reported)}")
    return len(wanted) / took


def _crowd(ctx: AppContext, wanted: Callable[[int], tuple[str, datetime]]) -> list[str]:
    return _together(ctx, [sent(ctx) for _ in range(CLIENTS)], wanted)


def _together(
    ctx: AppContext, people: Sequence[tuple[Actor, Dossier]], wanted: Callable[[int], tuple[str, datetime]]
) -> list[str]:
    """What came of each, all from one start."""
    start, reported = threading.Barrier(len(people)), list[str]()

    def one(n: int) -> None:
        (owner, dossier), (place, at) = people[n], wanted(n)
        start.wait()
        try:
            book_slot(ctx, owner, dossier.id, "depot", place, at)
            reported.append("booked")
        except Refused as closed:
            reported.append(closed.reason.code)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(len(people))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return reported


_SEAT, _TAKEN = (
    "CREATE TABLE seat (slot TEXT PRIMARY KEY, holder TEXT NOT NULL)",
    "INSERT INTO seat VALUES ({mark}, 'somebody') ON CONFLICT DO NOTHING",
)


def _bare_sqlite(db: sqlite3.Connection) -> Callable[[int], object]:
    db.execute(_SEAT)

    def take(number: int) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute(_TAKEN.format(mark="?"), (f"slot {number}",))
        db.execute("COMMIT")

    return take


def _bare_postgres(line: psycopg.Connection[Any]) -> Callable[[int], object]:
    line.execute(_SEAT)

    def take(number: int) -> None:
        with line.transaction():
            line.execute(_TAKEN.format(mark="%s"), (f"slot {number}",))

    return take


def _doubles(ctx: AppContext) -> int:
    """Seats that more than one person holds."""
    now = ctx.now()
    with ctx.store.unit() as unit:
        held = unit.bookings_on(sorted(ctx.directory.offices), now, now + timedelta(days=120))
    places = Counter((resource, one.office, one.start, one.seat) for _, resource, one in held)
    if not places:
        raise SystemExit("nothing was booked")
    return sum(count - 1 for count in places.values())


if __name__ == "__main__":
    for measure in measures():
        print(measure, flush=True)
