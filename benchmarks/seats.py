"""Whole bookings beside their own statements alone, kept FULL; and 32 people at once, all on one seat, then each on their own of
1,080, in both stores: no seat is sold twice."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.circuit import CLIENTS
from benchmarks.counter_office import office_of, sent, visits
from benchmarks.crowd import until_kept
from benchmarks.measure import WALL, Measure, in_turns, median_of, median_ratio, spent
from benchmarks.own_statements import OwnStatements
from engine.core.problems import Refused
from engine.records.dossier import Actor, Dossier
from engine.services.appointments.bookings import book_slot, slots
from engine.services.context.app_context import AppContext
from tests.postgres import database

SLOTS, ALONE, CROWDS = 1_080, 24, 3
Seat = tuple[str, datetime]


def measures() -> Iterator[Measure]:
    """Every line, as it is measured: in SQLite, then in PostgreSQL."""
    with tempfile.TemporaryDirectory() as name, office_of(visits(), Path(name) / "ours") as office:
        rest = iter(_free(office))
        yield _beside_own_statements(office, rest, Path(name) / "twin.db")
        yield from _sold("P8", office, rest, "SQLite, FULL")
    with (
        tempfile.TemporaryDirectory() as name,
        database() as address,
        office_of(visits(), Path(name), address) as office,
    ):
        yield from _sold("P8-pg", office, iter(_free(office)), "PostgreSQL")


def _free(ctx: AppContext) -> list[Seat]:
    """The first free slots of the office, in order."""
    owner, dossier = sent(ctx)
    found, day = list[Seat](), None
    while len(found) < SLOTS:
        sheet = slots(ctx, owner, dossier.id, "depot", from_day=day, limit=200)
        found += [(one.office, one.start) for each in sheet.days for one in each.slots]
        if sheet.next_from is None:
            break
        day = sheet.next_from
    if len(found) < ALONE * 11 + CLIENTS * (CROWDS + 1):
        raise SystemExit(f"{len(found)} slots only")
    return found[:SLOTS]


def _beside_own_statements(ctx: AppContext, rest: Iterator[Seat], twin: Path) -> Measure:
    def bookings() -> list[Callable[[], object]]:
        people = [(*sent(ctx), *next(rest)) for _ in range(ALONE)]
        return [lambda one=one: book_slot(ctx, one[0], one[1].id, "depot", *one[2:]) for one in people]  # type: ignore[misc]

    def ours() -> float:
        works = bookings()
        return spent(lambda: [one() for one in works], WALL) / len(works)

    with closing(OwnStatements(ctx, bookings(), twin)) as own:
        rounds = in_turns(ours, own.again)
        us, alone = 1000 * median_of(rounds, 0), 1000 * median_of(rounds, 1)
        beside = f"{us:.2f} ms ours, {alone:.2f} ms its {own.each:.0f} statements alone"
    what = "a whole booking, FULL: its own statements alone / ours"
    return Measure("P8", what, median_ratio(rounds, 1, 0), 0.5, 0.5, False, beside)


def _sold(ident: str, ctx: AppContext, rest: Iterator[Seat], where: str) -> Iterator[Measure]:
    """The hot seat, then each their own."""
    hot, refused = next(rest), list[str]()
    sold = Counter(_together(ctx, lambda _: hot, refused))
    if sold != {"booked": 1, "slot_full": CLIENTS - 1}:
        raise SystemExit(f"the hot seat: {sold}")
    for _ in range(CROWDS):
        wanted = [next(rest) for _ in range(CLIENTS)]
        if (reported := Counter(_together(ctx, wanted.__getitem__, refused))) != {"booked": CLIENTS}:
            raise SystemExit(f"bookings: {reported}")
    what = f"seats sold twice, {CLIENTS} clients on one seat and on {SLOTS}, {where}"
    yield Measure(f"{ident}-double", what, _doubles(ctx), 0, 0)
    beside = f"of {CLIENTS * (CROWDS + 1)}"
    what = "the same: bookings refused because the store was busy, and asked again"
    yield Measure(f"{ident}-refused", what, len(refused), 0, 0, beside=beside)


def _together(ctx: AppContext, wanted: Callable[[int], Seat], refused: list[str]) -> Sequence[str]:
    """What came of each of 32 people, all from one start."""
    people: list[tuple[Actor, Dossier]] = [sent(ctx) for _ in range(CLIENTS)]
    start, reported = threading.Barrier(CLIENTS), list[str]()

    def one(n: int) -> None:
        (owner, dossier), (place, at) = people[n], wanted(n)
        start.wait()
        try:
            until_kept(
                lambda: book_slot(ctx, owner, dossier.id, "depot", place, at), lambda: refused.append(dossier.id)
            )
            reported.append("booked")
        except Refused as closed:
            reported.append(closed.reason.code)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return reported


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
