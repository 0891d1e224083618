"""Units that wait behind one another are kept by one flush: each undone alone, none acknowledged before the disk has it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.storage.fair_lock import FairLock
from engine.storage.results import Busy
from engine.storage.sqlite import write_queue as flushes
from engine.storage.sqlite.store import SqliteStore
from engine.storage.sqlite.write_queue import Flush
from tests.engine.records.makers import a_dossier, a_message

BEHIND = 5


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    monkeypatch.setattr(flushes, "LONGEST", 60.0)  # a slow machine proves as much
    one = SqliteStore(tmp_path / "guichet.db")
    one.migrate()
    with one.unit(write=True):
        pass  # opens the connection of the flushes
    yield one
    one.close()


def keep(store: SqliteStore, name: str) -> str:
    with store.unit(write=True) as unit:
        unit.add_dossier(a_dossier(name))
    return "kept"


def waiting_behind(store: SqliteStore, *works: Callable[[], str]) -> list[str]:
    """What came of each, all of them having waited in this order while the first, which keeps `d0`, was at work."""
    told = [""] * (len(works) + 1)

    def run(place: int, work: Callable[[], str]) -> None:
        try:
            told[place] = work()
        except Exception as error:
            told[place] = type(error).__name__

    def first() -> str:
        with store.unit(write=True) as unit:
            unit.add_dossier(a_dossier("d0"))
            for place, work in enumerate(works, 1):
                threads.append(threading.Thread(target=run, args=(place, work)))
                threads[-1].start()
                while len(store._turns._waiting) < place:
                    time.sleep(0.001)
        return "kept"

    threads: list[threading.Thread] = []
    run(0, first)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return told


def names(store: SqliteStore) -> set[str]:
    """As another connection reads them."""
    connection = sqlite3.connect(store.path)
    found = {name for (name,) in connection.execute("SELECT id FROM dossier")}
    connection.close()
    return found


def keeping(store: SqliteStore, count: int = BEHIND) -> list[Callable[[], str]]:
    return [lambda n=n: keep(store, f"d{n}") for n in range(1, count + 1)]  # type: ignore[misc]


def test_those_who_wait_share_one_flush(store: SqliteStore) -> None:
    said: list[str] = []
    assert store._writer is not None
    store._writer.set_trace_callback(said.append)
    assert waiting_behind(store, *keeping(store)) == ["kept"] * (BEHIND + 1)
    assert said.count("COMMIT") == 1
    assert names(store) == {f"d{n}" for n in range(BEHIND + 1)}


def test_a_flush_takes_only_so_many(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flushes, "MOST", 2)
    said: list[str] = []
    assert store._writer is not None
    store._writer.set_trace_callback(said.append)
    assert waiting_behind(store, *keeping(store)) == ["kept"] * (BEHIND + 1)
    assert said.count("COMMIT") == (BEHIND + 1) // 2


def test_nobody_joins_one_that_lasted(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flushes, "LONGEST", 0.0)
    said: list[str] = []
    assert store._writer is not None
    store._writer.set_trace_callback(said.append)
    assert waiting_behind(store, *keeping(store)) == ["kept"] * (BEHIND + 1)
    assert said.count("COMMIT") == BEHIND + 1


def test_one_that_fails_is_undone_alone(store: SqliteStore) -> None:
    def fails() -> str:
        with store.unit(write=True) as unit:
            unit.add_dossier(a_dossier("gone"))
            raise LookupError

    done = waiting_behind(store, *keeping(store, 2), fails, lambda: keep(store, "d3"), lambda: keep(store, "d3"))
    assert done == ["kept", "kept", "kept", "LookupError", "kept", "AlreadyExists"]
    assert names(store) == {"d0", "d1", "d2", "d3"}


def test_the_last_that_fails_leaves_what_the_others_did(store: SqliteStore) -> None:
    def fails() -> str:
        with store.unit(write=True) as unit:
            unit.add_dossier(a_dossier("gone"))
            raise LookupError

    assert waiting_behind(store, fails) == ["kept", "LookupError"]
    assert names(store) == {"d0"}


def test_nobody_is_told_it_is_kept_when_the_disk_refuses(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Flush) -> None:
        self.connection.execute("ROLLBACK")
        raise Busy("SQLITE_FULL")

    with monkeypatch.context() as patch:
        patch.setattr(Flush, "commit", full)
        assert waiting_behind(store, *keeping(store)) == ["Busy"] * (BEHIND + 1)
    assert names(store) == set()
    assert keep(store, "after") == "kept"
    assert names(store) == {"after"}


def test_a_fault_that_undoes_all_is_told_to_all(store: SqliteStore) -> None:
    """A disk that fills up ends the transaction by itself: those before it are not kept either."""

    def disk_fails() -> str:
        with store.unit(write=True) as unit:
            unit._connection.execute("ROLLBACK")
            raise LookupError

    assert waiting_behind(store, *keeping(store, 2), disk_fails) == ["Busy", "Busy", "Busy", "LookupError"]
    assert names(store) == set()
    assert keep(store, "after") == "kept"


def test_a_promise_that_breaks_when_all_is_kept(store: SqliteStore) -> None:
    """Of a dossier that is not there: alone, it hears why; among others nobody knows whose fault it is."""

    def orphan() -> str:
        with store.unit(write=True) as unit:
            unit.add_letter(a_message("l1", dossier="nobody"))
        return "kept"

    with pytest.raises(sqlite3.IntegrityError):
        orphan()
    assert waiting_behind(store, orphan) == ["Busy", "Busy"]
    assert names(store) == set()


def test_a_refusal_is_heard_when_what_it_rests_on_is_kept(store: SqliteStore) -> None:
    seen: list[set[str]] = []

    def taken() -> str:
        try:
            return keep(store, "d1")
        finally:
            seen.append(names(store))

    assert waiting_behind(store, lambda: keep(store, "d1"), taken, lambda: keep(store, "d2")) == [
        "kept",
        "kept",
        "AlreadyExists",
        "kept",
    ]
    assert seen == [{"d0", "d1", "d2"}]


def test_a_refusal_that_rests_on_what_is_not_kept_is_none(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Flush) -> None:
        self.connection.execute("ROLLBACK")
        raise Busy("SQLITE_FULL")

    with monkeypatch.context() as patch:
        patch.setattr(Flush, "commit", full)
        assert waiting_behind(store, lambda: keep(store, "d0")) == ["Busy", "Busy"]


def test_what_needs_the_store_alone_waits_for_those_before_it(store: SqliteStore) -> None:
    def migrates() -> str:
        store.migrate()
        return "migrated"

    def reads_whole() -> str:
        with store.tables("hold") as rows:
            return str(rows.count("dossier"))

    behind = [lambda: keep(store, "d1"), migrates, lambda: keep(store, "d2"), reads_whole]
    assert waiting_behind(store, *behind) == ["kept", "kept", "migrated", "kept", "3"]


def test_a_turn_that_nobody_waits_for_stays() -> None:
    turns = FairLock()
    assert turns.take(0.1)
    assert not turns.pass_on()
    assert not turns.take(0.01)
    turns.give()
    assert turns.take(0.1)


# -- two processes -----------------------------------------------------------------------------------------------------


def test_a_process_that_writes_without_a_pause_lets_another_one_write(tmp_path: Path) -> None:
    first, second = SqliteStore(tmp_path / "guichet.db"), SqliteStore(tmp_path / "guichet.db")
    first.migrate()
    ends, turns = threading.Event(), list[float]()

    def write_without_a_pause() -> None:
        while not ends.is_set():
            with first.unit(write=True):
                turns.append(time.monotonic())
                time.sleep(0.02)

    busy = threading.Thread(target=write_without_a_pause)
    busy.start()
    try:
        for n in range(20):
            with second.unit(write=True) as unit:
                unit.add_dossier(a_dossier(f"d{n}"))
    finally:
        ends.set()
        busy.join()
    assert len(names(first)) == 20
    assert len(turns) <= 80
    first.close()
    second.close()


def test_a_process_stopped_with_the_turn_does_not_stop_the_others(store: SqliteStore) -> None:
    folder = os.open(Path(store.path).parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    assert keep(store, "d1") == "kept"
    os.close(folder)
    assert names(store) == {"d1"}
