"""B20. The primary database server is lost, and its standby becomes the primary.

Nothing acknowledged is lost, nothing is done twice, and no page fails, although the servers are reached through an address that leads
to a standby meanwhile. Then the mutants: a standby taken for the primary, a commit that waits for no standby.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.storage.gate import STALLED
from engine.storage.postgres.connection_errors import why_unreachable
from engine.storage.postgres.pool import OPTIONS
from engine.storage.postgres.store import PostgresStore
from engine.storage.results import Away, Unreachable
from tests.faults.cluster import Pair, a_pair
from tests.faults.installation import Installation, begun, patient
from tests.faults.load import Load, polled, under_load
from tests.faults.outcomes import faults_of

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PEOPLE = 4
PROMOTED = 2.0  # seconds after a promotion until a person is served
THREADS = 8  # of a server
# seconds for a page that waits for no commit: at first the threads left wait for a place too
APART = STALLED + 0.3
UNCONFIRMED = 4.0  # seconds without a standby
STANDBY = 1.0  # seconds in which only a standby answers


def served(load: Load, most: float) -> float:
    """Seconds until each person may have had something acknowledged."""
    before, began = load.done.count(), time.monotonic()
    while load.done.count() < before + PEOPLE and not load.broken:
        assert time.monotonic() - began < patient(most), "no person is served"
        time.sleep(0.01)
    return time.monotonic() - began


@contextmanager
def worked_on(folder: Path, mutant: str = "") -> Iterator[tuple[Pair, Installation, Load]]:
    """A pair of servers with an installation that people use."""
    with (
        a_pair() as pair,
        begun(folder, pair.address, workers=1, mutant=mutant) as installation,
        under_load(installation, people=PEOPLE) as load,
    ):
        served(load, 30.0)
        yield pair, installation, load


def lost(pair: Pair) -> None:
    """The primary is killed. For a while only the standby answers, then it is promoted."""
    pair.primary.kill()
    time.sleep(STANDBY)
    pair.promote()


def test_the_primary_is_lost_and_comes_back_as_a_standby(tmp_path: Path) -> None:
    with worked_on(tmp_path) as (pair, installation, load):
        lost(pair)
        served(load, PROMOTED)
        pair.rejoin()  # the first of the address: a new connection is led to a standby
        pair.confirm("*")
        time.sleep(STANDBY)
        pair.primary.stop("fast")
        pair.promote()
        served(load, PROMOTED)
        load.stop.set()
        judged(installation, load)


def judged(installation: Installation, load: Load) -> None:
    assert load.broken == []
    assert set(load.statuses) <= {200, 303, 409, 503}, load.statuses
    assert installation.accidents() == []
    assert faults_of(installation, load.done.all()) == []


def test_what_a_standby_is_good_for(tmp_path: Path) -> None:
    """It is read by commands that only read. Work goes to the primary, whichever comes first in the address."""
    with a_pair() as pair, closing(PostgresStore(pair.primary.address)) as primary:
        primary.migrate()
        with pytest.raises(Unreachable, match="follows"):
            PostgresStore(pair.standby.address, wait_limit=0.3)
        with closing(PostgresStore(pair.standby.address, follows=True)) as reader:
            assert not reader.migration_state().pending
            with reader.unit() as unit:
                assert unit.last_publication() == 0
            with pytest.raises(Away, match="follows"), reader.unit(write=True):
                pass
            with pytest.raises(Away, match="follows"), reader.tables("hold"):
                pass
        both = f"host=127.0.0.1,127.0.0.1 port={pair.standby.port},{pair.primary.port} user=postgres dbname=postgres"
        with closing(PostgresStore(both)) as worker, worker.unit(write=True):
            found = worker.settings()
            assert (found["follows"], found["copies"], found["confirming"], found["several"]) == ("", "1", "1", "on")
        primary_role = pair.primary.address.replace("postgres@", "plain@")
        pair.primary.ask("CREATE ROLE plain LOGIN")
        with closing(PostgresStore(primary_role)) as plain:  # sees that there is a standby, not what it does
            assert (plain.settings()["copies"], plain.settings()["confirming"]) == ("1", "1")
        only = why_unreachable(f"{pair.standby.address}?target_session_attrs=read-write", OPTIONS)
        assert only is not None
        assert only.cause == "follows"


def waiting_for_a_standby(folder: Path, mutant: str = "") -> tuple[float, float]:
    """The longest waits for a page that needs no store and for one that reads it, while no standby confirms a commit. No one may end
    such a commit, and more people send something than there are threads."""
    with a_pair() as pair, begun(folder, pair.address, servers=1, mutant=mutant) as installation:
        with under_load(installation, people=2 * THREADS) as load:
            served(load, 30.0)
            pair.standby.stop("immediate")
            with polled(installation, "/") as home, polled(installation, "/readyz") as ready:
                time.sleep(UNCONFIRMED)
                pair.standby.start()
            served(load, 10.0)
        judged(installation, load)
        assert ({one.status for one in home}, {one.status for one in ready}) == ({200}, {200})
        return max(one.seconds for one in home), max(one.seconds for one in ready)


def test_commits_that_wait_for_a_standby_keep_no_page_waiting(tmp_path: Path) -> None:
    assert max(waiting_for_a_standby(tmp_path)) < patient(APART)


@pytest.mark.nightly("mutant")
def test_commits_that_keep_pages_waiting_are_seen(tmp_path: Path) -> None:
    assert min(waiting_for_a_standby(tmp_path, "all_threads_may_wait")) > 2 * APART


@pytest.mark.nightly("mutant")
def test_a_standby_taken_for_the_primary_is_seen(tmp_path: Path) -> None:
    with worked_on(tmp_path, "a_standby_is_taken_for_the_primary") as (pair, installation, load):
        lost(pair)
        time.sleep(STANDBY)
    assert load.statuses[500] > 0
    assert installation.accidents() != []


@pytest.mark.nightly("mutant")
def test_commits_that_no_standby_confirms_are_seen(tmp_path: Path) -> None:
    with worked_on(tmp_path) as (pair, installation, load):
        pair.confirm("")
        pair.standby.stop("immediate")
        served(load, 10.0)
        pair.primary.kill()
        load.stop.set()
        pair.standby.start()
        pair.promote()
        assert any("lost" in one for one in faults_of(installation, load.done.all()))
