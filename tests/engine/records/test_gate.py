"""A gate lets so many in, lets so many wait a moment, and sends everybody else away at once."""

from __future__ import annotations

import threading
import time

import pytest

from engine.records.gate import Gate
from engine.records.store import Busy


def test_few_are_in_few_wait_and_all_others_are_told_at_once() -> None:
    gate, leave, inside = Gate(1, 1, patience=0.3), threading.Event(), threading.Event()
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
    gate = Gate(1, 0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.turn():
            raise ZeroDivisionError
