"""What a worker tells while its store is away: once that it does not answer, once that it does again."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

import server
from engine.storage.results import Busy
from renderers.web.public.form_sizes import FormMeasurer


def test_a_store_that_is_away_is_told_once_and_once_that_it_is_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk: what writes is refused, what has nothing to write is not. Forms are first measured before the first pass."""
    stop, turns = threading.Event(), list[int]()

    def tour(office: Any, *, calls: bool) -> None:
        turns.append(1)
        if len(turns) == 6:
            stop.set()
        if len(turns) < 5:
            raise Busy("SQLITE_FULL")

    def measures(one: FormMeasurer, office: Any) -> int:
        if not turns:
            raise Busy("SQLITE_FULL")
        return 0

    monkeypatch.setattr(server, "guarded_pass", tour)
    monkeypatch.setattr(FormMeasurer, "measure", measures)
    monkeypatch.setattr(server, "count_up", lambda office: None)
    monkeypatch.setattr(server, "PASS_EVERY", 0.0)
    with caplog.at_level(logging.INFO, "guichet"):
        server.work(lambda: None, stop)  # type: ignore[arg-type, return-value]
    assert caplog.messages == [server._SILENT, "the store answers again"]
