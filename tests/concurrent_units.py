"""Two units of work that meet: the second begins while the first holds what it wants, and waits there before the first ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
import pytest

from engine.storage.postgres.store import PostgresStore
from engine.storage.sqlite.store import SqliteStore
from engine.storage.unit_of_work import Store

TIME_BUDGET: Final = 20  # seconds: a test whose second never comes to wait nor to its end fails
_WAITING: Final = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Beside:
    """Somebody else, in a thread and a unit of their own. `begin` goes on once they wait for what another holds, or are done."""

    def __init__(self, store: Store, act: Callable[[], Any]) -> None:
        self._store, self._act, self._answer = store, act, None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._answer = self._act()
        except Exception as error:  # an answer like another: the test judges it
            self._answer = error

    @property
    def begun(self) -> bool:
        return self._thread.ident is not None

    def begin(self) -> None:
        self._thread.start()
        until = time.monotonic() + TIME_BUDGET
        while self._thread.is_alive() and not _somebody_waits(self._store):
            assert time.monotonic() < until, "neither waits nor ends"
            self._thread.join(0.01)

    def end(self) -> Any:
        """What they answered, or raised."""
        assert self.begun, "never begun"
        self._thread.join(TIME_BUDGET)
        assert not self._thread.is_alive()
        return self._answer


def beside(patch: pytest.MonkeyPatch, owner: Any, name: str, other: Beside) -> None:
    """The other begins as soon as the first has done what this function does, its unit still open; once."""
    real = getattr(owner, name)

    def then(*given: Any, **more: Any) -> Any:
        answer = real(*given, **more)
        if not other.begun:
            other.begin()
        return answer

    patch.setattr(owner, name, then)


def _somebody_waits(store: Store) -> bool:
    if isinstance(store, SqliteStore):
        return bool(store._turns._waiting)
    assert isinstance(store, PostgresStore)
    with psycopg.connect(store.address, autocommit=True) as watch:
        return watch.execute(_WAITING).fetchone() is not None
