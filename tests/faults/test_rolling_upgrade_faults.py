"""B21. Two releases replace each other under load, one process after another, forwards and back.

The first is the earliest commit whose processes work beside a newer one. The next has two migrations more than this code. People keep
their forms and sessions: no page fails, no act is lost or doubled.
"""

from __future__ import annotations

import select
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.failover.topology import FILES, proxy_settings
from tests.faults.installation import ROOT, Installation, installed, patient
from tests.faults.load import Load, under_load
from tests.faults.next_release import LATER
from tests.faults.outcomes import faults_of
from tests.nginx import program
from tests.ports import free_port
from tests.postgres import database

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.nightly("upgrade")]

PEOPLE = 4
EARLIEST = "26999bae"
SHARE = 800  # connections of one address
ONCE = {"Accept": "*/*", "Connection": "close"}  # a browser asks again by itself on a connection that was closed


@contextmanager
def balanced(folder: Path, ports: list[int]) -> Iterator[int]:
    """The documented HAProxy before two web processes: its port."""
    folder.mkdir()
    port = free_port()
    (folder / "away.html").write_bytes((FILES / "away.html").read_bytes())
    (folder / "haproxy.cfg").write_text(proxy_settings(ports, folder, port), "utf-8")
    with (folder / "said").open("wb") as said:
        proxy = subprocess.Popen(
            [program("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")], stdout=said, stderr=said
        )
    try:
        yield port
    finally:
        proxy.kill()
        proxy.wait()


@contextmanager
def worked_on(folder: Path) -> Iterator[tuple[Installation, Load]]:
    with (
        database() as address,
        checked_out(folder / "earliest") as earliest,
        installed(folder, address, workers=1, GUICHET_LEAVE_AFTER="4") as installation,
        balanced(folder / "haproxy", installation.ports) as port,
    ):
        for one in installation.processes:
            one.order["code"] = str(earliest)
        installation.begin()
        while installation.answers(port) != 200:  # the proxy has checked a process
            time.sleep(0.1)
        with under_load(installation, PEOPLE, (port,), 0.2, headers=ONCE) as load:
            served(load)
            yield installation, load


@contextmanager
def checked_out(folder: Path) -> Iterator[Path]:
    """The earliest release in a folder of its own."""
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), EARLIEST], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def served(load: Load) -> None:
    """Waits until each person may have had something acknowledged."""
    before, began = load.done.count(), time.monotonic()
    while load.done.count() < before + 2 * PEOPLE and not load.broken:
        assert time.monotonic() - began < patient(30), "no person is served"
        time.sleep(0.01)


def replaced(installation: Installation, load: Load, code: Path, mutant: str = "") -> None:
    """Each process in turn stops, and one of another release starts in its place."""
    for one in installation.processes:
        installation.leave(one)
        one.order |= {"code": str(code), "mutant": mutant}
        installation.begin(one)
        time.sleep(4)  # until the proxy believes it
        served(load)


def test_two_releases_replace_each_other(tmp_path: Path) -> None:
    with worked_on(tmp_path) as (installation, load):
        earliest = Path(installation.processes[0].order["code"])
        replaced(installation, load, ROOT, "next_release")
        replaced(installation, load, earliest)
        replaced(installation, load, ROOT, "next_release")
        assert installation.office.store.migration_state().strange == LATER
        load.stop.set()
        answers = Counter(one.status for person in list(load.people) for one in list(person.answered))
        assert load.broken == []
        assert set(answers) <= {200, 303, 409, 429}, answers  # 429: a person sends so many requests a day
        assert answers[200] + answers[303] > 500, answers
        assert installation.accidents() == []
        assert faults_of(installation, load.done.all()) == []


def test_silent_connections_of_one_address_leave_the_others_served(tmp_path: Path) -> None:
    """The documented proxy ends what one address opens beyond its share, before a request: all its places were taken."""
    with balanced(tmp_path / "haproxy", [free_port(), free_port()]) as port, ExitStack() as opened:
        ends = time.monotonic() + patient(10)
        while not answers(port) and time.monotonic() < ends:
            time.sleep(0.05)
        lines = list[socket.socket]()
        for _ in range(SHARE + 50):
            with suppress(ConnectionResetError):
                lines.append(opened.enter_context(socket.create_connection(("127.0.0.1", port), 10, ("127.0.0.66", 0))))
        time.sleep(patient(1))
        kept = sum(not select.select([one], [], [], 0)[0] for one in lines)
        assert kept <= SHARE
        assert kept > SHARE - 10
        assert answers(port)


SLOW = 2_100  # bytes every four seconds: above what the portal asks of a connection
BODIES = {  # longer than the proxy holds; shorter; of no known length; with a head that leaves little room
    "long": ("", 400_000), "short": ("", 44_000), "unknown": ("Transfer-Encoding: chunked\r\n", 0),
    "head": (f"Cookie: a={'b' * 9_000}\r\n", 44_900),
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_slow_bodies_of_eight_addresses_leave_the_others_served(tmp_path: Path, kind: str) -> None:
    """HAProxy passed on what was not whole: 800 slow bodies held all connections of a process."""
    more, size = BODIES[kind]
    with (
        database() as address,
        installed(tmp_path, address, workers=1, GUICHET_PROXIES="1") as installation,
        balanced(tmp_path / "haproxy", installation.ports) as port,
        ExitStack() as opened,
    ):
        installation.begin()
        while installation.answers(port) != 200:
            time.sleep(0.1)
        length, chunk = (f"Content-Length: {size}\r\n", "") if size else ("", "fff\r\n")
        head = f"POST /connexion HTTP/1.1\r\nHost: localhost\r\n{more}{length}\r\n{chunk}"
        lines = list[socket.socket]()
        for at in range(8 * 190):
            source = (f"127.1.0.{1 + at % 8}", 0)
            lines.append(opened.enter_context(socket.create_connection(("127.0.0.1", port), 10, source)))
            lines[-1].sendall(head.encode())
        for _ in range(4):
            for line in lines:
                with suppress(OSError):
                    line.sendall(b"a" * SLOW)
            began = time.monotonic()
            assert installation.answers(port) == 200
            assert time.monotonic() - began < patient(3)
            assert b" 503 " not in sent_whole(port, 100_000), "the long bodies of some addresses leave room for others"
            time.sleep(4)


def sent_whole(port: int, size: int) -> bytes:
    """The first line of the answer to a long post that another address sends at once."""
    with socket.create_connection(("127.0.0.1", port), patient(3), ("127.2.0.1", 0)) as line:
        head = f"POST /connexion HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        line.sendall(head.encode() + b"a" * size)
        return line.recv(4096).partition(b"\r\n")[0]


def answers(port: int) -> bool:
    """Whether the proxy answers another address: no process is behind it."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as line:
            line.sendall(b"GET /aide HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return line.recv(100).startswith(b"HTTP/1.1 503 ")
    except OSError:
        return False
