"""How many statements each click says to SQLite, transactions included: a limit that only goes down."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.counter_office import AGENT, circuit, office_of, sent, visits
from engine.domain.common.decision import Act
from engine.services.applications.casework import take_transition
from engine.services.appointments.bookings import book_slot, slots
from engine.storage.sqlite import store as sqlite_store

Count = Callable[[Callable[[], object]], list[str]]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Count:
    """The statements of some work on stores that are opened from here on."""
    said: list[str] = []
    plain = sqlite_store._open

    def heard(path: str) -> sqlite3.Connection:
        connection = plain(path)
        connection.set_trace_callback(said.append)
        return connection

    def of(work: Callable[[], object]) -> list[str]:
        said.clear()
        work()
        return said[:]

    monkeypatch.setattr(sqlite_store, "_open", heard)
    return of


def test_an_act(statements: Count, tmp_path: Path) -> None:
    with office_of(circuit(4), tmp_path) as office:
        ident = sent(office)[1].id
        take_transition(office, AGENT, ident, Act("avancer0"))
        plain = statements(lambda: take_transition(office, AGENT, ident, Act("avancer1")))
        repeated = statements(lambda: take_transition(office, AGENT, ident, Act("avancer2"), token="one"))
    assert len(plain) <= 11, plain
    assert len(repeated) <= 13, repeated
    assert plain.count("COMMIT") == repeated.count("COMMIT") == 1


def test_a_booking(statements: Count, tmp_path: Path) -> None:
    with office_of(visits(), tmp_path) as office:
        owner, dossier = sent(office)
        days = slots(office, owner, dossier.id, "depot").days
        former, first, second = [(one.office, one.start) for day in days for one in day.slots][:3]
        book_slot(office, owner, dossier.id, "depot", *former)
        owner, dossier = sent(office)
        booked = statements(lambda: book_slot(office, owner, dossier.id, "depot", *first))
        moved = statements(lambda: book_slot(office, owner, dossier.id, "depot", *second))
    assert len(booked) <= 22, booked
    assert len(moved) <= 23, moved
    assert booked.count("COMMIT") == moved.count("COMMIT") == 1
