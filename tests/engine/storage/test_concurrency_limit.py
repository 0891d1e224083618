"""A gate lets so many in, lets so many wait a moment, and sends everybody else away at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from engine.storage import gate as gate_module
from engine.storage.gate import STALLED, AdmissionGate, Crowded, ThreadLimit, TimeSpent
from engine.storage.results import Busy


def test_few_are_in_few_wait_and_all_others_are_told_at_once() -> None:
    gate, leave, inside = AdmissionGate(1, 1, wait_limit=0.3), threading.Event(), threading.Event()
    told: list[float] = []

    def stays() -> None:
        with gate.turn():
            inside.set()
            leave.wait(10)

    def tries() -> None:
        began = time.monotonic()
        try:
            with gate.turn():
                told.append(-1)
        except Busy:
            told.append(time.monotonic() - began)

    first = threading.Thread(target=stays)
    first.start()
    assert inside.wait(10)
    others = [threading.Thread(target=tries) for _ in range(4)]
    for one in others:
        one.start()
    for one in others:
        one.join(10)
    assert len(told) == 4
    assert [wait >= 0.3 for wait in sorted(told)] == [False, False, False, True]
    assert min(told) >= 0
    leave.set()
    first.join(10)
    with gate.turn():
        pass


def test_who_fails_inside_leaves_all_the_same() -> None:
    gate = AdmissionGate(1, 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.turn():
            raise ZeroDivisionError


def test_a_caller_is_there_once_by_any_of_its_names() -> None:
    gate = AdmissionGate(3, 3, wait_limit=30)
    with gate.turn("account:a", "browser:x"):
        for names in (("account:a", "browser:y"), ("account:b", "browser:x")):
            with pytest.raises(Crowded, match="twice"), gate.turn(*names):
                pass
        with gate.turn("account:b", "browser:y"), gate.turn():
            pass
    with gate.turn("account:a", "browser:x"):
        pass


def test_a_place_is_kept_for_callers_that_are_known() -> None:
    gate = AdmissionGate(2, 2, wait_limit=0.2, kept=1, unknown_wait_limit=0.2)
    with gate.turn("account:a", known=False):
        with pytest.raises(Crowded, match="turn"), gate.turn("account:b", known=False):
            pass
        with gate.turn("account:c"), pytest.raises(Crowded, match="turn"), gate.turn("account:d"):
            pass
    with gate.turn("account:b", known=False):
        pass


def test_strangers_do_not_fill_the_line_of_callers_that_are_known() -> None:
    gate, told = AdmissionGate(2, 2, wait_limit=2, kept=1), list[str]()

    def tries(name: str) -> None:
        try:
            with gate.turn(name, known=False):
                told.append("in")
        except Crowded as crowded:
            told.append(str(crowded))

    with gate.turn("account:a", known=False):
        strangers = [threading.Thread(target=tries, args=(f"account:{number}",)) for number in range(3)]
        for one in strangers:
            one.start()
        time.sleep(0.3)
        assert told == ["queue", "queue"]
        with gate.turn("account:known"):
            pass
    for one in strangers:
        one.join(10)
    assert told == ["queue", "queue", "in"]


def test_strangers_of_one_address_leave_others_their_turn() -> None:
    """Whoever comes again and again from one address neither fills the line nor goes before another that waits."""
    gate, over = AdmissionGate(2, 4, wait_limit=1, kept=1), threading.Event()

    def comes_again(name: str) -> None:
        while not over.is_set():
            try:
                with gate.turn(name, known=False, place="203.0.113.7"):
                    time.sleep(0.1)
            except Crowded:
                time.sleep(0.001)

    crowd = [threading.Thread(target=comes_again, args=(f"account:{number}",)) for number in range(12)]
    for one in crowd:
        one.start()
    try:
        time.sleep(0.3)
        for _ in range(10):
            began = time.monotonic()
            with gate.turn("account:other", known=False, place="198.51.100.1"):
                assert time.monotonic() - began < 0.3
    finally:
        over.set()
        for one in crowd:
            one.join(10)


@contextmanager
def busy(gate: AdmissionGate, address: str, told: list[str] | None = None) -> Iterator[None]:
    """Somebody unknown who is inside, or waits and then tells how it ended."""
    inside, leave = threading.Event(), threading.Event()

    def stays() -> None:
        try:
            with gate.turn(known=False, place=address):
                inside.set()
                leave.wait(10)
                end = "in"
        except Crowded as crowded:
            end = str(crowded)
        if told is not None:
            told.append(f"{address} {end}")

    one = threading.Thread(target=stays)
    one.start()
    inside.wait(0.2)
    try:
        yield
    finally:
        leave.set()
        one.join(10)


def test_the_address_that_spent_least_takes_the_place_of_the_one_that_spent_most() -> None:
    now, told = [0.0], list[str]()
    gate = AdmissionGate(2, 3, kept=1, unknown_wait_limit=9, clock=lambda: now[0])
    for address, seconds in (("a", 2.0), ("b", 3.0)):
        with gate.turn(known=False, place=address):
            now[0] += seconds
    with ExitStack() as waiting, gate.turn(known=False, place="c"):
        for address in ("a", "b", "new"):
            waiting.enter_context(busy(gate, address, told))
        assert told == ["b turn"]
        with pytest.raises(Crowded, match="queue"), gate.turn(known=False, place="b"):
            pass
    assert sorted(told) == ["a in", "b turn", "new in"]
    assert [gate._spent.of(address, now[0]) > 0 for address in ("a", "b", "new")] == [True, True, False]


def test_one_known_person_takes_some_of_the_places() -> None:
    gate = AdmissionGate(4, 0)
    with gate.turn(place="a", most=2), gate.turn(place="a", most=2):
        with pytest.raises(Crowded, match="many"), gate.turn(place="a", most=2):
            pass
        with gate.turn(place="b", most=2), gate.turn():
            pass


def test_what_takes_long_makes_way_for_an_address_that_spent_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "GRANTED", 0.0)
    gate, told = AdmissionGate(2, 3, kept=1, unknown_wait_limit=9), list[str]()
    with gate.turn(known=False, place="a"):
        time.sleep(0.05)
    with ExitStack() as waiting, gate.turn(known=False, place="b") as make_way:
        waiting.enter_context(busy(gate, "a"))
        make_way()
    with ExitStack() as waiting, gate.turn(known=False, place="a") as make_way:
        waiting.enter_context(busy(gate, "a"))
        make_way()
        waiting.enter_context(busy(gate, "new", told))
        with pytest.raises(Crowded, match="turn"):
            make_way()
    assert told == ["new in"]


def test_what_an_address_spent_is_forgotten_and_few_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    spent, later = TimeSpent(), 2 * gate_module.HALF
    spent.add("a", 8.0, 0.0)
    assert spent.of("a", later) == pytest.approx(2.0)
    monkeypatch.setattr(gate_module, "MOST_PLACES", 2)
    spent.add("b", 1.0, later)
    spent.add("c", 3.0, later)
    assert [spent.of(address, later) > 0 for address in "abc"] == [True, False, True]


def test_an_address_that_no_longer_comes_takes_no_memory() -> None:
    spent, moment = TimeSpent(), gate_module.FORGOTTEN / 4
    for at in range(40):  # one that comes again each time, and one that comes once
        spent.add("again", 1.0, at * moment)
        spent.add(f"once {at}", 1.0, at * moment)
    assert list(spent._spent) == [*(f"once {at}" for at in range(36, 39)), "again", "once 39"]
    assert spent.of("again", 39 * moment) == pytest.approx(2.0)


# -- threads that wait -------------------------------------------------------------------------------------------------


@contextmanager
def occupied(limit: ThreadLimit, count: int, seconds: float) -> Iterator[None]:
    """So many threads are inside, one of which leaves and comes back after so many seconds, until the block ends."""
    stop, inside = threading.Event(), threading.Barrier(count + 1)

    def stays(moves: bool) -> None:
        with limit.place():
            inside.wait(10)
            stop.wait(seconds if moves else 10)
        while moves and not stop.is_set():
            with limit.place(10.0):
                stop.wait(seconds)

    threads = [threading.Thread(target=stays, args=(place == 0,)) for place in range(count)]
    for one in threads:
        one.start()
    inside.wait(10)
    try:
        yield
    finally:
        stop.set()
        for one in threads:
            one.join(10)


def waited(limit: ThreadLimit) -> tuple[bool, float]:
    """Whether there was a place, and the seconds until that was known."""
    began = time.monotonic()
    try:
        with limit.place():
            return True, time.monotonic() - began
    except Crowded:
        return False, time.monotonic() - began


def test_a_thread_waits_while_others_come_and_go() -> None:
    """A thread that comes back at once does not take the place of one that waits."""
    limit = ThreadLimit(2)
    with occupied(limit, 2, STALLED / 3):
        found = [waited(limit) for _ in range(3)]
    assert [there for there, _ in found] == [True] * 3
    assert sum(seconds for _, seconds in found) < 10 * STALLED


def test_a_thread_is_sent_away_once_the_others_only_wait() -> None:
    """The first after a moment, the next at once; and not before all places are taken."""
    limit = ThreadLimit(3)
    with occupied(limit, 2, 10.0):
        assert waited(limit)[0]
        with limit.place():
            found, seconds = waited(limit)
            assert not found
            assert STALLED / 2 < seconds < STALLED + 1
            assert sum(waited(limit)[1] for _ in range(10)) < STALLED
    assert waited(limit)[0]


def test_a_short_pause_of_the_store_refuses_nobody() -> None:
    """A slow disk, a short lock and a busy processor stop every unit for half a second."""
    limit = ThreadLimit(2)
    with occupied(limit, 2, 0.6):
        assert waited(limit)[0]


def test_a_failure_is_no_progress_until_one_succeeds() -> None:
    """Each of those whom a locked store refuses at the end of its wait would otherwise hold the others as long again."""
    limit = ThreadLimit(1)
    with suppress(Busy), limit.place():
        assert not waited(limit)[0]
        raise Busy("locked")
    with limit.place():
        found, seconds = waited(limit)
        assert not found
        assert seconds < STALLED / 2
    with limit.place():
        found, seconds = waited(limit)
        assert not found
        assert seconds > STALLED / 2
