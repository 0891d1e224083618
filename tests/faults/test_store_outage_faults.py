"""B7. The database is stopped, killed, disconnected, locked by another program, or stays away.

Users are asked to come back, at once if it has been away for long. No page crashes, nothing acknowledged is lost, and work resumes.
Then the mutants: a cut connection treated as a defect, a server that is always waited for, by all threads.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from engine.storage.postgres.pool import WAIT_LIMIT
from tests.effort import EFFORT, tries
from tests.faults.cluster import Cluster, a_cluster
from tests.faults.installation import Installation, begun, patient
from tests.faults.load import Load, polled, under_load
from tests.faults.outcomes import faults_of

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PEOPLE = 8
AGAIN = 5.0  # seconds until somebody is served again
TOLD = 1.5  # seconds until whoever needs a database that has been away for long is told so
APART = 0.5  # seconds until a page is there that needs no database
AWAY = 4.0  # seconds that it stays so
LOCKED = 30.0 if EFFORT > 1 else 11.0  # longer than one wait for the lock


def stopped(cluster: Cluster) -> None:
    cluster.stop("fast")
    cluster.start()


def stopped_at_once(cluster: Cluster) -> None:
    cluster.stop("immediate")
    cluster.start()


def killed(cluster: Cluster) -> None:
    cluster.kill()
    end = time.monotonic() + patient(30)
    while True:  # until its children have let go of the memory they shared
        try:
            cluster.start()
            return
        except AssertionError:
            assert time.monotonic() < end
            time.sleep(0.2)


def cut(cluster: Cluster) -> None:
    with psycopg.connect(cluster.address, autocommit=True) as line:
        line.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")


def served_again(load: Load, most: float = AGAIN) -> float:
    """Seconds until something more is acknowledged."""
    before, began = load.done.count(), time.monotonic()
    while load.done.count() < before + PEOPLE and not load.broken:
        assert time.monotonic() - began < patient(most), "nobody is served again"
        time.sleep(0.01)
    return time.monotonic() - began


def sound(load: Load) -> None:
    assert load.broken == []
    assert set(load.statuses) <= {200, 303, 409, 503}, load.statuses


def test_a_server_that_goes_and_comes_back(tmp_path: Path) -> None:
    ways: tuple[Callable[[Cluster], None], ...] = (stopped, stopped_at_once, cut, killed, cut)
    with a_cluster() as cluster, begun(tmp_path, cluster.address, workers=1) as installation:
        with under_load(installation, people=PEOPLE) as load:
            for turn in range(tries(len(ways))):
                served_again(load, 30.0)
                ways[turn % len(ways)](cluster)
                served_again(load)
        sound(load)
        assert load.refused > 0
        assert installation.accidents() == []
        assert faults_of(installation, load.done.all()) == []


def test_a_file_that_another_program_locks(tmp_path: Path) -> None:
    with begun(tmp_path, workers=1) as installation:
        with under_load(installation, people=PEOPLE) as load:
            served_again(load, 30.0)
            with closing(sqlite3.connect(tmp_path / "data/guichet.db", isolation_level=None)) as other:
                other.execute("PRAGMA busy_timeout = 20000")
                other.execute("BEGIN IMMEDIATE")
                before = load.done.count()
                time.sleep(LOCKED)
                assert load.done.count() - before <= PEOPLE, "a locked file was written"
                other.execute("ROLLBACK")
            served_again(load)
        sound(load)
        assert installation.accidents() == []
        assert faults_of(installation, load.done.all()) == []


def away_for_long(cluster: Cluster, installation: Installation, again: float = AGAIN) -> tuple[float, float]:
    """The longest wait for a page that needs the database, once it has been away for longer than it is waited for; and for one that does
    not, from the beginning. Many more are at work than there are threads."""
    with under_load(installation, people=2 * PEOPLE) as load:
        served_again(load, 30.0)
        with polled(installation, "/") as home:
            cluster.stop("fast")
            try:
                time.sleep(WAIT_LIMIT + 2)
                with polled(installation, "/readyz") as ready:
                    time.sleep(AWAY)
            finally:
                cluster.start()
            served_again(load, again)
    sound(load)
    assert ({one.status for one in home}, {one.status for one in ready}) == ({200}, {503})
    return max(one.seconds for one in ready), max(one.seconds for one in home)


def test_a_server_that_stays_away(tmp_path: Path) -> None:
    with a_cluster() as cluster, begun(tmp_path, cluster.address, servers=1) as installation:
        longest, apart = away_for_long(cluster, installation)
        assert longest < patient(TOLD), "people wait for what is away"
        assert apart < patient(APART), "people wait behind those who wait"
        assert installation.accidents() == []


ALWAYS, ALL = "a_server_is_always_waited_for", "all_threads_may_wait"


@pytest.mark.nightly("mutant")
@pytest.mark.parametrize("mutants", [ALL, f"{ALWAYS} {ALL}"])
def test_people_who_wait_too_long_are_seen(tmp_path: Path, mutants: str) -> None:
    with a_cluster() as cluster, begun(tmp_path, cluster.address, servers=1, mutant=mutants) as installation:
        longest, apart = away_for_long(cluster, installation, again=30.0)
        assert apart > 4 * APART
        assert ALWAYS not in mutants or longest > 2 * TOLD


@pytest.mark.nightly("mutant")
def test_a_cut_line_taken_for_a_fault_of_ours_is_seen(tmp_path: Path) -> None:
    with (
        a_cluster() as cluster,
        begun(tmp_path, cluster.address, servers=1, mutant="a_line_is_never_cut") as installation,
    ):
        with under_load(installation, people=PEOPLE) as load:
            end = time.monotonic() + patient(60)
            while not load.broken and time.monotonic() < end:
                time.sleep(0.3)
                cut(cluster)
        assert load.statuses[500] > 0
        assert installation.accidents() != []
