"""How long anybody waits for a PostgreSQL server: through a restart, not through an outage; and how soon work goes on."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from engine.storage.gate import Crowded
from engine.storage.postgres.connection_errors import line_settings, without_server
from engine.storage.postgres.pool import _ANSWERS as ANSWERS
from engine.storage.postgres.pool import GLANCE, TRIED_FOR
from engine.storage.postgres.store import PostgresStore
from engine.storage.results import Away, Busy
from tests.faults.cluster import Cluster, a_cluster
from tests.postgres import database

pytestmark = pytest.mark.slow

TIME_BUDGET = 3.0
ROOM = 1.5  # seconds that a loaded machine may add


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with a_cluster() as one:
        yield one


@pytest.fixture
def store(cluster: Cluster) -> Iterator[PostgresStore]:
    one = PostgresStore(cluster.address, wait_limit=TIME_BUDGET)
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


def refused(store: PostgresStore, away: bool = True) -> float:
    """The seconds until it was refused: nobody is there, or only none was free."""
    began = time.monotonic()
    with pytest.raises(Busy) as told:
        store.settings()
    assert isinstance(told.value, Away) is away, told.value
    return time.monotonic() - began


def grown(store: PostgresStore) -> None:
    """Wait until the pool opens no connection: one that it obtains later counts as an answer of the server."""
    pool = store._lines._of_this_process()
    while (stats := pool.get_stats())["pool_size"] != stats["pool_available"]:
        time.sleep(0.01)


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
        assert TIME_BUDGET <= refused(store) < TIME_BUDGET + ROOM
        waits = [refused(store) for _ in range(20)]
        assert min(waits) < 2 * GLANCE
        assert max(waits) < GLANCE + ROOM
    finally:
        cluster.start()
    served_within(store, TRIED_FOR + ROOM)
    assert [one.message for one in caplog.records] == [
        "the database lets nobody in (guichet doctor says why)", "the database lets in again",
    ]  # fmt: skip


def test_a_restart_is_waited_for(cluster: Cluster, store: PostgresStore) -> None:
    """Whoever asks meanwhile is served, and never knows."""
    cluster.stop("fast")
    later = threading.Timer(TIME_BUDGET / 3, cluster.start)
    later.start()
    try:
        served, lasted = asked(store)
        assert served
        assert lasted > TIME_BUDGET / 4
    finally:
        later.join()


def test_patience_begins_anew_once_somebody_was_served(cluster: Cluster, store: PostgresStore) -> None:
    for _ in range(2):
        cluster.stop("fast")
        try:
            assert refused(store) >= TIME_BUDGET
        finally:
            cluster.start()
        served_within(store, TRIED_FOR + ROOM)


def test_a_machine_that_says_nothing_is_not_waited_for_by_the_quarter_of_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the address does not say; what it says stands, and what the environment says."""
    with database() as address:
        store = PostgresStore(address)
        with store._lines.line() as connection:
            said = connection.info.get_parameters()
        assert {name: said[name] for name in ("connect_timeout", "tcp_user_timeout", "keepalives_idle")} == {
            "connect_timeout": "3", "tcp_user_timeout": "10000", "keepalives_idle": "5",
        }  # fmt: skip
        store.close()
        longer = f"{address}{'&' if '?' in address else '?'}connect_timeout=7"
        store = PostgresStore(longer)
        with store._lines.line() as connection:
            assert connection.info.get_parameters()["connect_timeout"] == "7"
        store.close()
    assert line_settings("postgresql://a,b/x")["target_session_attrs"] == "read-write"
    assert "target_session_attrs" not in line_settings("postgresql://a,b/x?target_session_attrs=any")
    assert "target_session_attrs" not in line_settings("postgresql://a/x")
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "9")
    assert "connect_timeout" not in line_settings(address)
    assert "tcp_user_timeout" in line_settings(address)
    monkeypatch.setenv("PGSERVICE", "one")
    assert line_settings(address) == line_settings("service=one") == {}


def test_lines_that_are_all_in_use_are_no_outage(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    store = PostgresStore(cluster.address, most=1, wait_limit=0.3)
    with store._lines.line():
        for _ in range(2):
            assert 0.3 <= refused(store, away=False) < 0.3 + ROOM
    assert store._lines._silent_since is None
    assert asked(store)[0]
    assert caplog.messages == []
    store.close()


def test_a_growth_that_fails_beside_people_who_are_served_is_no_silence(cluster: Cluster) -> None:
    """The server has room for one more only: who waits gets the line of the one before, and a restart is still waited for."""
    with psycopg.connect(cluster.address, autocommit=True) as owner:
        owner.execute("CREATE ROLE narrow LOGIN CONNECTION LIMIT 1")
    store = PostgresStore(cluster.address.replace("postgres@", "narrow@", 1), wait_limit=TIME_BUDGET)
    with store._lines.line():
        waits = threading.Thread(target=asked, args=(store,))
        waits.start()
        time.sleep(TRIED_FOR / 2)
    waits.join()
    time.sleep(2 * TRIED_FOR)  # the growth gives up
    cluster.stop("fast")
    later = threading.Timer(1.0, cluster.start)
    later.start()
    try:
        assert asked(store)[0]
    finally:
        later.join()
    store.close()


def test_a_server_that_is_frozen_is_given_up(cluster: Cluster) -> None:
    """It takes whatever is said, and answers nothing: the kernel says that all is well."""
    store = PostgresStore(cluster.address, wait_limit=1.0)
    with store.unit() as unit:
        assert unit is not None
    grown(store)
    processes = [*cluster.processes()]
    for one in processes:
        os.kill(one, signal.SIGSTOP)
    try:
        assert refused(store) < 1.0 + 2 * ANSWERS + ROOM
        assert refused(store) < 1.0 + ROOM
    finally:
        for one in processes:
            os.kill(one, signal.SIGCONT)
    served_within(store, ANSWERS + ROOM)
    store.close()


def test_another_server_is_tried_without_the_one_that_is_frozen(cluster: Cluster) -> None:
    """libpq waits two seconds for a frozen server before it tries the next, at each attempt."""
    frozen = Far(cluster.port, 0.0)
    address = f"postgresql://postgres@127.0.0.1:{frozen.port},127.0.0.1:{cluster.port}/postgres"
    store = PostgresStore(address, wait_limit=TIME_BUDGET)
    with store._lines.line() as line:
        assert line.info.port == frozen.port
    frozen.freeze()
    with pytest.raises(Busy), store._lines.line(wait_limit=GLANCE):
        pass
    with store._lines.line(wait_limit=1.0) as line:
        assert line.info.port == cluster.port
    frozen.thaw()
    store._lines._of_this_process().drain()
    with store._lines.line() as line:
        assert line.info.port == frozen.port
    store.close()
    frozen.close()


@pytest.mark.parametrize(
    ("address", "without"),
    [
        ("host=a,b,c port=5432 user=u", "host=b,c port=5432,5432"),
        ("host=b,a,c port=1,5432,3", "host=b,c port=1,3"),
        ("host=a,a port=5432,5433", "host=a port=5433"),
        ("host=a,b hostaddr=10.0.0.1,10.0.0.2", "host=b hostaddr=10.0.0.2"),
        ("host=a", "host=a"),
        ("host=b,c", "host=b,c"),
        ("service=x", "service=x"),
    ],
)
def test_an_address_without_one_of_its_servers(address: str, without: str) -> None:
    assert without_server(address, "a", 5432).replace("user=u ", "") == without


@pytest.mark.parametrize(("threads", "writers"), [(1, 1), (4, 2), (8, 5), (16, 11)])
def test_some_threads_write_one_more_reads_and_the_rest_is_told_at_once(
    cluster: Cluster, threads: int, writers: int
) -> None:
    """As when no standby confirms: those who write stay, who reads comes through, and the next writer is busy."""
    store, leave = PostgresStore(cluster.address, threads=threads), threading.Event()
    inside = threading.Barrier(writers + 1)

    def writes() -> None:
        with store.unit(write=True):
            inside.wait(10)
            leave.wait(10)

    those = [threading.Thread(target=writes) for _ in range(writers)]
    for one in those:
        one.start()
    inside.wait(10)
    with pytest.raises(Crowded), store.unit(write=True):
        pass
    with store.unit():
        assert store._users._free == 0
    leave.set()
    for one in those:
        one.join()
    store.close()


class Far:
    """A server that stands far away: whatever is said either way takes its time. It can be cut."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port, self._seconds = port, seconds
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._lines: list[socket.socket] = []
        self._carries_on = threading.Event()
        self._carries_on.set()
        threading.Thread(target=self._lets_in, daemon=True).start()

    def _lets_in(self) -> None:
        with suppress(OSError):
            while True:
                self._joins(self._door.accept()[0])

    def _joins(self, here: socket.socket) -> None:
        try:
            there = socket.create_connection(("127.0.0.1", self._port))
        except OSError:
            self._ends(here)
            return
        self._lines += [here, there]
        for one, other in ((here, there), (there, here)):
            threading.Thread(target=self._carries, args=(one, other), daemon=True).start()

    def _carries(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while said := one.recv(65536):
                time.sleep(self._seconds)
                self._carries_on.wait()
                other.sendall(said)
        self._ends(one, other)

    def freeze(self) -> None:
        """Accept every connection and carry nothing more."""
        self._carries_on.clear()

    def thaw(self) -> None:
        self._carries_on.set()

    def cut(self) -> None:
        self._ends(*self._lines)
        self._lines.clear()

    def close(self) -> None:
        self._ends(self._door, *self._lines)

    def _ends(self, *lines: socket.socket) -> None:
        for one in lines:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def test_a_server_that_is_far_away_is_served_by_again(cluster: Cluster) -> None:
    """Each answer takes longer than a glance: once it has answered, it is waited for as ever."""
    far = Far(cluster.port, 0.15)
    store = PostgresStore(cluster.address.replace(str(cluster.port), str(far.port)), wait_limit=1.0)
    assert asked(store)[0]
    cluster.stop("fast")
    far.cut()
    try:
        refused(store)
        assert store._lines._silent_since is not None
    finally:
        cluster.start()
    served_within(store, 4 * ROOM)
    store.close()
    far.close()


def own_pool(store: PostgresStore) -> bool:
    """Whether many threads that use it at once get one pool, which is none of this process's parent."""
    parents, found, gate = store._lines._of, list[object](), threading.Barrier(6)

    def uses() -> None:
        gate.wait()
        found.append(store._lines._of_this_process())

    threads = [threading.Thread(target=uses) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return parents is not None and len(set(map(id, found))) == 1 and found[0] is not parents[1]


def test_threads_of_a_child_never_get_its_parent_s_lines(cluster: Cluster) -> None:
    store = PostgresStore(cluster.address, most=8)
    for _ in range(5):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if own_pool(store) else 1
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asked(store)[0]
    store.close()
