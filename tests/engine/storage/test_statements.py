"""How many statements each click says to SQLite, transactions included: a limit that only goes down."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from benchmarks import journey
from benchmarks.counter_office import AGENT, circuit, office_of, sent, visits
from benchmarks.portal import write_procedures
from engine.domain.common.decision import Act
from engine.services.applications.casework import take_transition
from engine.services.appointments.bookings import book_slot, slots
from engine.services.context.app_context import AppContext
from engine.services.core.call_queue import beat
from engine.services.worker.worker import make_calls
from engine.storage.sqlite import store as sqlite_store
from renderers.cli.admin.installation import open_office
from server import Settings, create_app

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
    assert len(booked) <= 20, booked
    assert len(moved) <= 21, moved
    assert booked.count("COMMIT") == moved.count("COMMIT") == 1


class InProcess(journey.Journey):
    """A journey of twelve requests without a socket. The worker makes its calls between two of them."""

    def __init__(self, ctx: AppContext, client: FlaskClient, token: str, statements: Count) -> None:
        super().__init__(0, token, math.inf)
        self._ctx, self._client, self._statements = ctx, client, statements
        self.said: dict[str, list[str]] = {}
        client.set_cookie("guichet", token)

    def _ask(self, kind: str, method: str, path: str, body: str | None = None) -> tuple[int, str, str]:
        form = {"data": body, "content_type": "application/x-www-form-urlencoded"} if body is not None else {}
        answers: list[TestResponse] = []
        said = self._statements(lambda: answers.append(self._client.open(path, method=method, **form)))  # type: ignore[arg-type]
        if kind:  # a look at a page that updates itself is no request
            self.said[kind] = said
        else:
            make_calls(self._ctx)
        return answers[0].status_code, answers[0].headers.get("Location", ""), answers[0].text


def test_a_journey_of_twelve_requests(statements: Count, tmp_path: Path) -> None:
    write_procedures(tmp_path / "procedures", shipped=False)
    (tmp_path / "procedures" / f"{journey.SLUG}.yaml").write_text(journey.PROCEDURE, "utf-8")
    settings = Settings(procedures=tmp_path / "procedures", data=tmp_path / "data", demo=True, secret="measures" * 4)
    ctx, operator = open_office(settings)
    app = create_app(settings, ctx, operator)
    for token in journey.people(tmp_path, "", 2):  # the first one's pages are the first of the process
        beat(ctx)
        one = InProcess(ctx, app.test_client(), token, statements)
        assert one.go(), one.faults
    counts = {kind: len(said) for kind, said in one.said.items()}
    assert sum(counts.values()) <= 156, counts
    assert counts["form"] <= 4, one.said["form"]
    assert counts["pay"] <= 17, one.said["pay"]
    assert counts["follow"] <= 9, one.said["follow"]
    assert all(said.count("COMMIT") <= 1 for said in one.said.values()), counts
    ctx.store.close()
