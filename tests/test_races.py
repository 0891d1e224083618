"""Many at once, in any order, and killed in the middle: one seat is sold once, one payment credited once, nothing that
was acknowledged is lost, nothing stays half-written."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.journal.chain import verify
from engine.journal.leaves import Tree
from engine.operations.store_factory import open_store
from engine.storage.results import AlreadyExists, Conflict, Reply
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store
from tests.engine.records.makers import (
    NOON,
    a_booking,
    a_dossier,
    a_message,
    a_payment,
    a_timer,
    an_event,
    journal,
    later,
    opened,
)  # fmt: skip
from tests.postgres import an_empty_store, database
from tests.race_runners import book_from_a_process, books, together

pytestmark = pytest.mark.slow  # threads and processes that cross

ROOT = Path(__file__).resolve().parent.parent
THREADS = 12


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a store without a table yet."""
    if request.param == "sqlite":
        yield str(tmp_path / "guichet.db")
        return
    with database() as own:
        yield own


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    one = SqliteStore(tmp_path / "guichet.db") if request.param == "sqlite" else an_empty_store()
    one.migrate()
    yield one
    one.close()


def sound(store: Store) -> bool:
    return list(store.findings()) == []


# -- the last seat -----------------------------------------------------------------------------------------------------


def test_twelve_threads_on_the_last_seat(store: Store) -> None:
    opened(store, *(a_dossier(f"d{n}") for n in range(THREADS)))
    for day in range(10):
        won = together(THREADS, lambda n, day=day: books(store, f"d{n}", f"b{n}-{day}", day))  # type: ignore[misc]
        assert Counter(map(str, won)) == {"True": 1, "False": THREADS - 1}
        with store.unit(write=True) as unit:  # each day's winner may play again
            ((_, _, booking),) = unit.bookings_on(["lome"], later(days=day), later(days=day, hours=1))
            unit.put_booking(replace(booking, status="attended"))


@pytest.mark.slow
def test_four_processes_of_three_threads_on_the_last_seat(address: str) -> None:
    """They also all migrate the same new file first."""
    days, processes, threads = 10, 4, 3
    context = multiprocessing.get_context("spawn")
    start, won = context.Barrier(processes * threads), context.Queue()
    seed = open_store(address)
    seed.migrate()
    opened(seed, *(a_dossier(f"d{process}-{thread}") for process in range(processes) for thread in range(threads)))
    runners = [
        context.Process(target=book_from_a_process, args=(address, process, threads, days, start, won))
        for process in range(processes)
    ]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(60)
        assert runner.exitcode == 0
    winners = [won.get(timeout=5) for _ in range(won.qsize())]
    with seed.unit() as unit:
        kept = unit.bookings_on(["lome"], NOON, later(days=days))
    assert len(kept) == len(winners)
    sold = Counter(day for day, _, _ in winners)
    # a winner of one day holds a booking still to come, and is refused the next days: as many days sold as people
    assert max(sold.values()) == 1
    assert sorted(sold) == list(range(days))
    seed.close()


@pytest.mark.slow
@pytest.mark.usefixtures("real_migrations")
def test_processes_that_start_together_on_a_new_store(address: str) -> None:
    code = (
        "import sys; from engine.operations.store_factory import open_store; s = open_store(sys.argv[1]); s.migrate()"
    )
    starting = [subprocess.Popen([sys.executable, "-c", code, address], cwd=ROOT) for _ in range(4)]
    assert [one.wait(30) for one in starting] == [0, 0, 0, 0]
    one = open_store(address)
    assert sound(one)
    one.close()


def test_whoever_looks_for_a_free_seat_gets_it(store: Store) -> None:
    """Nobody is told that an hour is full while it is not."""
    opened(store, *(a_dossier(f"d{n}") for n in range(THREADS)))

    def looks_and_takes(n: int) -> bool:
        with store.unit(write=True) as unit:
            taken = unit.seats_taken("desk", "lome", NOON, later(days=2), alone=True).get(NOON, frozenset())
            seat = next((one for one in range(8) if one not in taken), None)
            if seat is not None:
                unit.take_seat("desk", f"d{n}", a_booking(f"b{n}", start=NOON, seat=seat))
            return seat is not None

    assert Counter(map(str, together(THREADS, looks_and_takes))) == {"True": 8, "False": THREADS - 8}


def test_one_person_in_ten_tabs_holds_one_booking(store: Store) -> None:
    opened(store)
    won = together(10, lambda n: books(store, "d1", f"b{n}", n))
    assert won.count(True) == 1
    assert won.count(False) == 9


def test_a_sold_out_day_sells_each_seat_once_and_freed_seats_again(store: Store) -> None:
    seats = 5
    opened(store, *(a_dossier(f"d{n}") for n in range(THREADS)))

    def takes_any(n: int) -> bool:
        for seat in range(seats):
            try:
                with store.unit(write=True) as unit:
                    unit.take_seat("desk", f"d{n}", a_booking(f"b{n}", seat=seat))
                return True
            except AlreadyExists:
                continue
        return False

    won = together(THREADS, takes_any)
    assert won.count(True) == seats
    with store.unit(write=True) as unit:
        unit.release_seat(f"b{won.index(True)}")
    again = together(THREADS, lambda n: not won[n] and takes_any(n))
    assert again.count(True) == 1
    with store.unit() as unit:
        (taken,) = unit.seats_taken("desk", "lome", NOON, later(days=2)).values()
    assert taken == frozenset(range(seats))


# -- one dossier, one draft, one reply ---------------------------------------------------------------------------------


def test_of_many_writers_of_one_revision_one_is_kept(store: Store) -> None:
    opened(store)

    def decides(n: int) -> str:
        try:
            with store.unit(write=True) as unit:
                unit.put_dossier(a_dossier(revision=revision + 1, state=f"state {n}"), revision)
                journal(unit, "d1", "transition", writer=n)
        except Conflict:
            return "conflict"
        return f"state {n}"

    for revision in range(15):
        answers = together(8, decides)
        assert answers.count("conflict") == 7
        (kept,) = {*answers} - {"conflict"}
        with store.unit() as unit:
            dossier = unit.dossier("d1")
            assert dossier is not None
            assert dossier.state == kept
            assert verify(unit.entries("d1")) is None
            assert unit.head("d1")[0] == revision + 2
    assert sound(store)


def test_one_draft_whoever_asks_at_once(store: Store) -> None:
    def opens(n: int) -> str:
        try:
            opened(store, a_dossier(f"d{n}", owner="ama"))
        except AlreadyExists:
            with store.unit() as unit:
                draft = unit.draft_of("ama", "permit")
                return draft.id if draft else ""
        return f"d{n}"

    assert len(set(together(THREADS, opens))) == 1
    assert len(list(store.all_dossiers())) == 1


def test_a_command_sent_ten_times_at_once_is_done_once(store: Store) -> None:
    opened(store)

    def sends(n: int) -> object:
        try:
            with store.unit(write=True) as unit:
                if reply := unit.reply("ama", "submit", "key"):
                    return reply.body
                journal(unit, "d1", "submitted")
                unit.add_reply(Reply("ama", "submit", "key", "digest", {"by": n}, NOON))
                return {"by": n}
        except AlreadyExists:  # a twin was faster: its answer is there now
            return sends(n)

    answers = together(10, sends)
    assert all(answer == answers[0] for answer in answers)
    with store.unit() as unit:
        assert unit.head("d1")[0] == 2


def test_many_workers_begin_one_tree(store: Store) -> None:
    """Whoever comes second at the first signature finds it begun, and that is all."""
    opened(store, *(a_dossier(f"d{n}") for n in range(THREADS)))

    def begins(_: int) -> str:
        try:
            with store.unit(write=True) as unit:
                if unit.tree() is not None:
                    return "begun"
                owed = unit.owed_leaves(1000)
                unit.add_leaves(0, owed)
                unit.put_tree(Tree(len(owed), NOON, ""), first=True)
        except Conflict:
            return "begun"
        return "began"

    assert Counter(together(6, begins)) == {"began": 1, "begun": 5}
    with store.unit() as unit:
        tree = unit.tree()
        assert tree is not None
        assert tree.size == THREADS
    assert sound(store)


# -- one credit --------------------------------------------------------------------------------------------------------


def deliver(store: Store, event_id: str, kind: str) -> bool:
    """A callback whose status was asked: recorded once, credited once, whatever came before. True when it credited."""
    with store.unit(write=True) as unit:
        if not unit.add_event(an_event(event_id, kind=kind)) or kind != "paid":
            return False
        payment = unit.payment("p1")
        assert payment is not None
        unit.put_payment(replace(payment, status="paid"))
        return unit.add_credit("p1", "d1", 500, NOON)


def test_the_same_event_a_hundred_times_is_one_credit(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.add_payment(a_payment())
    credited = together(10, lambda n: sum(deliver(store, "e1", "paid") for _ in range(10)))
    assert sum(credited) == 1
    assert sound(store)


def test_events_in_every_order_are_one_credit(tmp_path: Path) -> None:
    events = (("e1", "pending"), ("e2", "failed"), ("e3", "paid"), ("e4", "paid"), ("e3", "paid"))
    for order in itertools.permutations(events):
        store = SqliteStore(":memory:")
        opened(store)
        with store.unit(write=True) as unit:
            unit.add_payment(a_payment())
        assert [deliver(store, *event) for event in order].count(True) == 1
        with store.unit() as unit:
            assert len(unit.events_of("p1")) == 4
        assert sound(store)
        store.close()


# -- timers and letters ------------------------------------------------------------------------------------------------


def test_five_hundred_timers_and_eight_workers_are_five_hundred_effects(store: Store) -> None:
    opened(store)
    with store.unit(write=True) as unit:
        unit.set_timers("d1", [a_timer(f"t{n:03d}") for n in range(500)])

    def works(_: int) -> int:
        effects = 0
        for _ in range(100):
            with store.unit() as unit:
                due = unit.due_timers(NOON, limit=50)
            for timer in random.sample(due, min(10, len(due))):
                with store.unit(write=True) as unit:
                    if unit.fire_timer(timer, NOON):
                        journal(unit, "d1", "fired", timer=timer.name)
                        effects += 1
        return effects

    assert sum(together(8, works)) == 500
    with store.unit() as unit:
        assert Counter(str(entry.body) for entry in unit.entries("d1")).most_common(1)[0][1] == 1
    assert sound(store)


def test_a_letter_is_lent_to_one_of_many_workers(store: Store) -> None:
    with store.unit(write=True) as unit:
        for n in range(200):
            unit.add_letter(a_message(f"l{n}"))

    def works(_: int) -> list[str]:
        lent: list[str] = []
        for _ in range(100):  # enough for one worker alone
            with store.unit(write=True) as unit:
                letters = unit.claim_letters(NOON, later(minutes=5), limit=7)
            lent += [letter.id for letter in letters]
        return lent

    lent = list(itertools.chain(*together(6, works)))
    assert len(lent) == len(set(lent)) == 200


# -- killed ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_ten_times_under_load_nothing_acknowledged_is_lost(address: str, tmp_path: Path) -> None:
    seed = open_store(address)
    seed.migrate()
    seed.close()
    log = tmp_path / "acknowledged"
    log.touch()
    chance = random.Random(20)
    for run in range(10):
        before = log.stat().st_size
        command = [sys.executable, "-m", "tests.race_runners", address, str(log), f"run{run}"]
        writer = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        try:
            deadline = time.monotonic() + 20
            while log.stat().st_size == before:  # under load from its first acknowledgement
                assert writer.poll() is None, writer.communicate()[1].decode()
                assert time.monotonic() < deadline
                time.sleep(0.002)
            time.sleep(chance.uniform(0.02, 0.3))
        finally:
            os.kill(writer.pid, signal.SIGKILL)
            writer.communicate()
        if run % 5 == 4:
            judge(address, log)
    assert len(acknowledged(log)) > 50


def acknowledged(log: Path) -> list[str]:
    """The ids whose line is whole."""
    return [line[:-1] for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


def judge(address: str, log: Path) -> None:
    store = open_store(address)
    assert list(store.findings()) == []
    kept = set(store.all_dossiers())
    done = acknowledged(log)
    assert [one for one in done if one not in kept] == []
    with store.unit() as unit:
        for dossier_id in done[-200:]:
            assert unit.head(dossier_id)[0] == 2
            assert len(unit.letters_of(dossier_id)) == 1
    store.close()
