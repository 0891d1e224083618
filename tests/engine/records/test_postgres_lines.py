"""How long anybody waits for a PostgreSQL server: through a restart, not through an outage; and how soon work goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from engine.records.postgres import PostgresStore
from engine.records.postgres_lines import GLANCE, TRIED_FOR
from engine.records.store import Busy
from tests.faults.cluster import Cluster, a_cluster
from tests.postgres import database

pytestmark = pytest.mark.slow

PATIENCE = 3.0
ROOM = 1.5  # seconds that a loaded machine may add


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with a_cluster() as one:
        yield one


@pytest.fixture
def store(cluster: Cluster) -> Iterator[PostgresStore]:
    one = PostgresStore(cluster.address, patience=PATIENCE)
    yield one
    one.close()


def asked(store: PostgresStore) -> tuple[bool, float]:
    """Whether something was read, and the seconds until that or until it was refused."""
    began = time.monotonic()
    try:
        store.settings()
    except Busy:
        return False, time.monotonic() - began
    return True, time.monotonic() - began


def refused(store: PostgresStore) -> float:
    served, lasted = asked(store)
    assert not served
    return lasted


def served_within(store: PostgresStore, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not asked(store)[0]:
        assert time.monotonic() < end, "it is back, and nobody is served"


def test_an_outage_is_told_at_once_and_ends_by_itself(
    cluster: Cluster, store: PostgresStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The first waits as long as a restart takes, those after hardly at all; once it is back they are served, however long that was."""
    cluster.stop("fast")
    try:
        assert PATIENCE <= refused(store) < PATIENCE + ROOM
        end = time.monotonic() + 4 * TRIED_FOR
        while time.monotonic() < end:
            assert refused(store) < GLANCE + ROOM / 3
    finally:
        cluster.start()
    served_within(store, TRIED_FOR + ROOM)
    assert [one.message for one in caplog.records] == [
        "the database lets nobody in (guichet doctor says why)", "the database lets in again",
    ]  # fmt: skip


def test_a_restart_is_waited_for(cluster: Cluster, store: PostgresStore) -> None:
    """Whoever asks meanwhile is served, and never knows."""
    cluster.stop("fast")
    later = threading.Timer(PATIENCE / 3, cluster.start)
    later.start()
    try:
        served, lasted = asked(store)
        assert served
        assert lasted > PATIENCE / 4
    finally:
        later.join()


def test_patience_begins_anew_once_somebody_was_served(cluster: Cluster, store: PostgresStore) -> None:
    for _ in range(2):
        cluster.stop("fast")
        try:
            assert refused(store) >= PATIENCE
        finally:
            cluster.start()
        served_within(store, TRIED_FOR + ROOM)


def test_a_machine_that_says_nothing_is_not_waited_for_by_the_quarter_of_an_hour() -> None:
    """What the address does not say; what it says stands."""
    with database() as address:
        store = PostgresStore(address)
        with store._lines.line() as connection:
            said = connection.info.get_parameters()
        assert {name: said[name] for name in ("connect_timeout", "tcp_user_timeout", "keepalives_idle")} == {
            "connect_timeout": "3", "tcp_user_timeout": "10000", "keepalives_idle": "5",
        }  # fmt: skip
        store.close()
        store = PostgresStore(f"{address}{'&' if '?' in address else '?'}connect_timeout=7")
        with store._lines.line() as connection:
            assert connection.info.get_parameters()["connect_timeout"] == "7"
        store.close()
