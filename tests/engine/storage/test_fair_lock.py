"""First come, first served; who gives up leaves the queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from engine.storage.fair_lock import FairLock


def started(run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.01)  # until it waits
    return thread


def test_who_waits_longest_is_next() -> None:
    turns, order = FairLock(), []
    assert turns.take(1)

    def waits(n: int) -> None:
        assert turns.take(5)
        order.append(n)
        turns.give()

    threads = [started(lambda n=n: waits(n)) for n in range(8)]  # type: ignore[misc]
    turns.give()
    for thread in threads:
        thread.join()
    assert order == list(range(8))
    assert turns.take(0)


def test_who_gives_up_is_passed_over() -> None:
    turns, answers = FairLock(), []
    assert turns.take(1)
    impatient = started(lambda: answers.append(turns.take(0.02)))
    patient = started(lambda: answers.append(turns.take(5)))
    impatient.join()
    assert answers == [False]
    turns.give()
    patient.join()
    assert answers == [False, True]
    assert not turns.take(0)
    turns.give()
    assert turns.take(0)
