"""B7, a lock from outside. Another program locks the store for a long time.

Reads are served within a second. Writes are refused as busy within a bounded time, whatever their number.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from statistics import median

import psycopg
import pytest

from engine.storage.schema.migration_list import WAIT_LIMIT
from tests.engine.services.world import pdf
from tests.faults.cluster import a_cluster
from tests.faults.installation import PROCEDURE, Installation, begun, patient
from tests.faults.load import visits
from tests.faults.people import Acknowledged, Browser, Journeys, agent, applicant
from tests.postgres import database
from tests.race_runners import together

pytestmark = [pytest.mark.slow, pytest.mark.faults]

LOCKED = 24.0  # seconds: more than two waits of one writer
SOON = 1.0
WRITERS = 8  # as many as there are threads
TABLES = "account, session, dossier, dossier_body, entry, letter, timer, rate, reading, message, aside, reply"

Hold = Callable[[Path, str], "contextmanager"]  # type: ignore[type-arg]


@contextmanager
def file_held(folder: Path, address: str) -> Iterator[None]:
    with closing(sqlite3.connect(folder / "data/guichet.db", isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 20000")
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def tables_held(folder: Path, address: str) -> Iterator[None]:
    with psycopg.connect(address) as other:
        other.execute(f"LOCK TABLE {TABLES} IN EXCLUSIVE MODE")
        yield


@dataclass
class Measured:
    """How long pages took, and how they were answered."""

    read: dict[str, float] = field(default_factory=dict)
    answered: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0


def let_age(installation: Installation, *tokens: str) -> None:
    """The sessions were seen a while ago: the next page would note that they are seen again."""
    from engine.services.keys.secrets import token_digest

    with installation.office.store.unit(write=True) as unit:
        for token in tokens:
            session = unit.session(token_digest(token))
            assert session is not None
            unit.put_session(replace(session, seen_at=session.seen_at - timedelta(minutes=5)))


def writes(person: Browser, until: float, measured: Measured) -> None:
    while time.monotonic() < until:
        began = time.monotonic()
        answer = person.once("POST", f"/demarches/{PROCEDURE}/commencer", f"token={began}&csrf_token={person.csrf()}".encode(),
                             "application/x-www-form-urlencoded")  # fmt: skip
        measured.longest = max(measured.longest, time.monotonic() - began)
        measured.refused[answer.status] += 1
        time.sleep(0.2)


def measured_while(installation: Installation, hold: Callable[[Path, str], object], address: str) -> Measured:
    """Pages read again and again while others write, the store held by somebody else."""
    [token, *others], mayor_token = installation.sessions(1 + WRITERS), installation.mayor()
    person, mayor = applicant(installation.ports, token), agent(installation.ports, mayor_token)
    journeys = Journeys(person, mayor, Acknowledged(installation.folder / "done"), pdf(), visits(installation.office))
    sent, draft = journeys.fill(1), journeys.fill
    assert person.post(f"/dossiers/{sent}/verification", {"declared": "1"}).status == 303
    assert mayor.post(f"/agent/dossiers/{sent}/messages", {"body": "Bonjour"}).status in (200, 303)
    draft_number = draft(2)
    writers = [applicant(installation.ports, one) for one in others]
    for one in writers:
        one.csrf()
    let_age(installation, token, mayor_token)
    pages = {
        "/": person, f"/demarches/{PROCEDURE}": person, "/dossiers": person, f"/dossiers/{sent}": person,
        f"/dossiers/{sent}/messages": person, f"/dossiers/{draft_number}/demande": person,
        f"/dossiers/{draft_number}/demande/vous": person, "/agent": mayor, f"/agent/dossiers/{sent}": mayor,
    }  # fmt: skip
    found = Measured()
    with hold(installation.folder, address):  # type: ignore[attr-defined]
        end = time.monotonic() + LOCKED
        threads = [threading.Thread(target=writes, args=(one, end, found)) for one in writers]
        for thread in threads:
            thread.start()
        time.sleep(SOON)
        while time.monotonic() < end:
            for page, who in pages.items():
                began = time.monotonic()
                found.answered[who.once("GET", page).status] += 1
                found.read[page] = max(found.read.get(page, 0.0), time.monotonic() - began)
            time.sleep(0.2)
        for thread in threads:
            thread.join()
    return found


def judge(installation: Installation, found: Measured) -> None:
    assert set(found.answered) == {200}, found.answered
    assert median(found.read.values()) < patient(SOON), found.read
    assert max(found.read.values()) < patient(3 * SOON), (
        found.read
    )  # other tests on the same cores; who waits, waits 10 s
    assert set(found.refused) == {503}, found.refused
    assert found.longest < patient(WAIT_LIMIT + 3), found.longest
    assert installation.accidents() == []


def test_a_lock_of_half_a_second_refuses_nobody(tmp_path: Path) -> None:
    """A slow disk, a migration and a change of master stop each commit for a moment. It was 503 after 0.3 s."""
    with database() as address, begun(tmp_path, address, servers=1) as installation:
        people = [applicant(installation.ports, token) for token in installation.sessions(2 * WRITERS)]
        for one in people:
            one.csrf()
            assert one.once("GET", f"/demarches/{PROCEDURE}").status == 200

        def begins(place: int) -> int:
            said = f"token={place}&csrf_token={people[place].csrf()}".encode()
            kind = "application/x-www-form-urlencoded"
            return people[place].once("POST", f"/demarches/{PROCEDURE}/commencer", said, kind).status

        with psycopg.connect(address) as other:
            other.execute("LOCK TABLE entry IN EXCLUSIVE MODE")
            opening = threading.Timer(0.5, other.rollback)
            opening.start()
            told = together(len(people), begins)
            opening.join()
        assert Counter(told) == {303: len(people)}


def test_a_file_that_is_locked_delays_nobody_who_reads(tmp_path: Path) -> None:
    with begun(tmp_path, servers=1) as installation:
        judge(installation, measured_while(installation, file_held, ""))


def test_tables_that_are_locked_delay_nobody_who_reads(tmp_path: Path) -> None:
    with a_cluster() as cluster, begun(tmp_path, cluster.address, servers=1) as installation:
        judge(installation, measured_while(installation, tables_held, cluster.address))
