"""What a million dossiers change: following one, one's own list, an agent's tray and its counts, booking, searching.

The stores are made in bulk (`population.py`) and kept, in `var/bench` and in databases `guichet_bench_SIZE`; making the large
ones takes minutes, once. Every size is
asked the same in turns. In SQLite what is measured is processor time, that of SQLite included; in PostgreSQL, on the wall.
"""

from __future__ import annotations

import itertools
import sqlite3
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from time import perf_counter, thread_time

import psycopg

from benchmarks.counter_office import AGENT, office_of, sent, visits
from benchmarks.measure import Measure, in_turns, percentile
from benchmarks.plot import Series
from benchmarks.population import fill, name_of, number_of, owner_of, people_of
from benchmarks.portal import ROOT
from engine.records.dossier import Actor
from engine.services.applications.casework import inbox_counts, list_inbox
from engine.services.applications.drafts import mine, see_case
from engine.services.appointments.bookings import book_slot, slots
from engine.services.context.app_context import AppContext
from engine.storage.postgres.store import PostgresStore
from engine.storage.sqlite.store import SqliteStore
from tests.postgres import kept_database

SIZES, POSTGRES_SIZES = (1_000, 30_000, 1_000_000), (30_000, 1_000_000)
PREPARED = ROOT / "var" / "bench"
TRIES, ROUNDS, SEARCHES = 20, 7, 300
WORDS = {
    "track": "following a dossier", "mine": "one's own list", "inbox": "the first page of a tray",
    "sorted": "the first page of a tray by another order", "counts": "the counts of the trays", "booking": "booking a seat",
}  # fmt: skip
Clock = Callable[[], float]


def measures(draw: Callable[[Series], None] = lambda _: None) -> Iterator[Measure]:
    """Every line, as it is measured."""
    with ExitStack() as open_ones:
        offices = [open_ones.enter_context(prepared(size)) for size in SIZES]
        yield from _grown(offices, SIZES, "S2", thread_time, draw)
        store = offices[-1].store
        assert isinstance(store, SqliteStore)
        with closing(sqlite3.connect(store.path)) as db:
            yield from _searched(
                offices[-1], SIZES[-1], "S3", thread_time, lambda word: db.execute(_LIKE, (word,)).fetchall()
            )
    with ExitStack() as open_ones:
        offices = [open_ones.enter_context(_in_postgres(size)) for size in POSTGRES_SIZES]
        yield from _grown(offices, POSTGRES_SIZES, "S2-pg", perf_counter, draw)
        large = offices[-1].store
        assert isinstance(large, PostgresStore)
        with psycopg.connect(large.address, autocommit=True) as line:
            like = _LIKE.replace("?", "%s")
            yield from _searched(
                offices[-1],
                POSTGRES_SIZES[-1],
                "S3-pg",
                perf_counter,
                lambda word: line.execute(like, (word,)).fetchall(),
            )


def prepared(size: int) -> ExitStack:
    """An office over a store of that many dossiers, made once."""
    folder, stack = PREPARED / f"growth-{size}", ExitStack()
    office = stack.enter_context(office_of(visits(), folder))
    mark = folder / "filled"
    if not mark.is_file():
        began = perf_counter()
        _hasten(office)
        fill(office, size)
        mark.touch()
        print(f"           {size} dossiers made in {perf_counter() - began:.0f} s", flush=True)
    stack.enter_context(closing(office.store))
    return _holding(stack, office)


class _Held(ExitStack):
    """An office that is open until left."""

    office: AppContext

    def __enter__(self) -> AppContext:  # type: ignore[override]
        return self.office


def _holding(stack: ExitStack, ctx: AppContext) -> ExitStack:
    held = _Held()
    held.office = ctx
    held.push(stack.pop_all().__exit__)
    return held


def _in_postgres(size: int) -> ExitStack:
    """The same in a database of its own, `guichet_bench_SIZE`, made once."""
    folder, stack = PREPARED / f"growth-postgres-{size}", ExitStack()
    address, mark = kept_database(f"guichet_bench_{size}", anew=not (folder / "filled").is_file()), folder / "filled"
    with psycopg.connect(address, autocommit=True) as db:
        if mark.is_file() and not db.execute("SELECT to_regclass('dossier')").fetchone()[0]:  # type: ignore[index]
            mark.unlink()  # made on another server
    office = stack.enter_context(office_of(visits(), folder, address))
    if not mark.is_file():
        began = perf_counter()
        fill(office, size)
        with psycopg.connect(address, autocommit=True) as db:
            db.execute("ANALYZE")
        mark.touch()
        print(f"           {size} dossiers made in PostgreSQL in {perf_counter() - began:.0f} s", flush=True)
    return _holding(stack, office)


def _hasten(ctx: AppContext) -> None:
    """While a store is filled nothing in it is worth a flush."""
    store = ctx.store
    assert isinstance(store, SqliteStore)
    for connection in store._connections():
        connection.execute("PRAGMA synchronous=0")
        connection.execute("PRAGMA cache_size=-1500000")


# -- S2 ----------------------------------------------------------------------------------------------------------------


def _grown(
    offices: Sequence[AppContext], sizes: Sequence[int], ident: str, clock: Clock, draw: Callable[[Series], None]
) -> Iterator[Measure]:
    """Each act at the largest size against the middle one: below that, lists are not full."""
    base = -2
    for act, words in WORDS.items():
        sides = [_side(office, size, act, clock) for office, size in zip(offices, sizes, strict=True)]
        rounds = in_turns(*sides, rounds=ROUNDS)
        times = [1000 * statistics.median(one[side] for one in rounds) for side in range(len(sizes))]
        value = statistics.median(one[-1] / one[base] for one in rounds)
        beside = ", ".join(f"{size:,}: {time:.2f} ms" for size, time in zip(sizes, times, strict=True))
        draw(Series(f"{ident}-{act}", words, tuple(zip(sizes, times, strict=True))))
        yield Measure(
            f"{ident}-{act}", f"{words}, {sizes[-1]:,} dossiers / {sizes[base]:,}", value, 2, 1.2, beside=beside
        )


def _side(ctx: AppContext, size: int, act: str, clock: Clock) -> Callable[[], float]:
    """Seconds of one act, over some tries on dossiers from everywhere."""
    numbers = list(people_of(size, TRIES))

    def side() -> float:
        works = _works(ctx, act, numbers)
        began = clock()
        for work in works:
            work()
        return (clock() - began) / len(works)

    return side


def _works(ctx: AppContext, act: str, numbers: Sequence[int]) -> list[Callable[[], object]]:
    if act == "booking":
        return [_booking(ctx, place) for place in range(4)]
    if act == "inbox":
        return [lambda: _some(list_inbox(ctx, AGENT, "to_take").lines)] * TRIES
    if act == "sorted":
        orders = itertools.islice(itertools.cycle(itertools.product(("received", "entered"), (True, False))), TRIES)
        return [lambda o=o: _some(list_inbox(ctx, AGENT, "to_take", order=o[0], reverse=o[1]).lines) for o in orders]  # type: ignore[misc]
    if act == "counts":
        return [lambda: inbox_counts(ctx, AGENT)] * TRIES
    if act == "mine":
        return [lambda n=n: _some(mine(ctx, _owner(n))) for n in numbers]  # type: ignore[misc]
    return [lambda n=n: see_case(ctx, _owner(n), number_of(n)) for n in numbers]  # type: ignore[misc]


def _booking(ctx: AppContext, place: int) -> Callable[[], object]:
    """Somebody about to take the free slot at that place of the list."""
    owner, dossier = sent(ctx)
    free = [slot for day in slots(ctx, owner, dossier.id, "depot").days for slot in day.slots]
    if len(free) <= place:
        raise SystemExit("every seat is taken: forget var/bench/growth-*")
    return lambda: book_slot(ctx, owner, dossier.id, "depot", free[place].office, free[place].start)


def _owner(number: int) -> Actor:
    return Actor("applicant", owner_of(number))


def _some(found: Sequence[object]) -> None:
    if not found:
        raise SystemExit("an empty list")


# -- S3 ----------------------------------------------------------------------------------------------------------------


_LIKE = "SELECT id, number, label FROM dossier WHERE label LIKE ? ORDER BY due_order LIMIT 50"


def _searched(
    ctx: AppContext, size: int, ident: str, clock: Clock, like: Callable[[str], Sequence[object]]
) -> Iterator[Measure]:
    """By a person's name, by the commonest name, by number; beside reading every label."""
    numbers = list(people_of(size, SEARCHES))
    commonest = name_of(numbers[0]).split()[0]
    asked = [*(name_of(n) for n in numbers), *(number_of(n) for n in numbers)]

    def timed(work: Callable[[], Sequence[object]]) -> float:
        began = clock()
        _some(work())
        return clock() - began

    rare = sorted(timed(lambda word=word: list_inbox(ctx, AGENT, "all", text=word).lines) for word in asked)  # type: ignore[misc]
    common = [timed(lambda: list_inbox(ctx, AGENT, "all", text=commonest).lines) for _ in range(SEARCHES)]
    read = statistics.median(timed(lambda n=n: like(f"%{name_of(n).split()[1]}%")) for n in numbers[:7])  # type: ignore[misc]
    usual = statistics.median(rare)
    beside = f"{1000 * usual:.2f} ms ours, {1000 * read:.0f} ms LIKE; the commonest name {1000 * statistics.median(common):.2f} ms"
    what = f"search among {size:,} dossiers: times as fast as LIKE '%name%'"
    yield Measure(ident, what, read / usual, 100, 500, False, beside)
    worst = 1000 * max(percentile(rare, 0.99), percentile(common, 0.99))
    of = "of processor" if clock is thread_time else "on the wall"
    yield Measure(f"{ident}-p99", f"the same: 99 of 100 within, the commonest name too (ms {of})", worst, 5, 1)


if __name__ == "__main__":
    for measure in measures():
        print(measure, flush=True)
