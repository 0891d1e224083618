"""B6. The disk is full for some time. Pages are read, writes are refused with a message, and no page crashes.

Writing works again as soon as there is space. The test mounts a disk of its own where the machine allows it, and limits the file size
everywhere. Then the mutant: a full disk treated as a defect.
"""

from __future__ import annotations

import os
import re
import resource
import secrets
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from engine.services.sign_in.unverified_drafts import go_on_unproven
from tests.engine.services.world import pdf
from tests.faults.installation import Installation, installed, patient
from tests.faults.load import Load, under_load, visits
from tests.faults.outcomes import faults_of
from tests.faults.people import Acknowledged, Answer, Browser, Journeys, agent, applicant
from tests.ports import free_port
from tests.web.platform.test_stopping import heard, running
from tests.web.platform.test_web_processes import ended_together, get, web_processes

pytestmark = [pytest.mark.slow, pytest.mark.faults]

BEFORE = 200  # acknowledged while there is room
REFUSED = 12
ROOM = 48  # megabytes of the disk of our own
WORDS = 1 << 18  # bytes that the servers may still say: the same bound holds for their log
AGAIN = 5.0  # seconds until writing goes on, once there is room


def mounts(folder: Path) -> bool:
    """Puts a small disk at a folder; whether this machine lets us."""
    for asked in ([], ["sudo", "-n"]):
        command = [*asked, "mount", "-t", "tmpfs", "-o", f"size={ROOM}m,mode=0777", "tmpfs", str(folder)]
        try:
            if subprocess.run(command, capture_output=True).returncode == 0:
                return True
        except FileNotFoundError:
            continue
    return False


def unmounts(folder: Path) -> None:
    for asked in ([], ["sudo", "-n"]):
        if subprocess.run([*asked, "umount", "-l", str(folder)], capture_output=True).returncode == 0:
            return


@cache
def ways() -> tuple[str, ...]:
    folder = Path(mkdtemp())
    may = mounts(folder)
    if may:
        unmounts(folder)
    folder.rmdir()
    return ("size", "disk") if may else ("size",)


on_a_disk_of_our_own = pytest.mark.skipif("disk" not in ways(), reason="no disk of our own on this machine")


@dataclass
class Disk:
    """Something that is made full, and has room again."""

    fill: Callable[[], None]
    free: Callable[[], None]


@contextmanager
def bounded(folder: Path, way: str, mutant: str = "", **environ: str) -> Iterator[tuple[Installation, Disk]]:
    data = folder / "data"
    data.mkdir()
    ballast = data / "ballast"
    if way == "disk":
        assert mounts(data)
    try:
        with installed(folder, servers=1, mutant=mutant, **environ) as installation:
            (server,) = installation.processes

            def bound(size: int) -> None:
                resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

            def size() -> None:
                kept = (data / "guichet.db").stat().st_size
                bound(max(kept, installation.log.stat().st_size + WORDS))

            disk = Disk(lambda: _fill(ballast), ballast.unlink) if way == "disk" else Disk(size, lambda: bound(-1))
            installation.begin()
            yield installation, disk
    finally:
        if way == "disk":
            unmounts(data)


def _fill(ballast: Path) -> None:
    """To the last byte."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def wait_for(true: Callable[[], bool], what: str, load: Load, seconds: float = 40.0) -> float:
    began = time.monotonic()
    while not true():
        assert not load.broken, load.broken
        assert time.monotonic() - began < patient(seconds), what
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("way", ways())
def test_a_full_disk_is_said_and_passes(tmp_path: Path, way: str) -> None:
    with bounded(tmp_path, way, GUICHET_RESERVE="0") as (installation, disk):
        reader = applicant(installation.ports, installation.sessions(1)[0])
        with under_load(installation, people=6) as load:
            wait_for(lambda: load.done.count() > BEFORE, "hardly anybody was served", load)
            disk.fill()
            wait_for(lambda: load.refused > REFUSED, "the disk never was full", load)
            read = [reader.once("GET", address).status for address in ("/", "/dossiers", "/demarches/etal") * 5]
            disk.free()
            before = load.done.count()
            took = wait_for(lambda: load.done.count() > before + 20, "no writing after there was room", load)
        assert Counter(read) == {200: 15}
        assert load.broken == []
        assert set(load.statuses) <= {200, 303, 409, 503, 507}, load.statuses
        assert installation.accidents() == []
        assert took < patient(AGAIN)
        assert faults_of(installation, load.done.all()) == []


@pytest.mark.nightly("mutant")
def test_a_full_disk_taken_for_a_fault_of_ours_is_seen(tmp_path: Path) -> None:
    with bounded(tmp_path, "size", mutant="a_disk_never_fills") as (installation, disk):
        with under_load(installation, people=6) as load:
            wait_for(lambda: load.done.count() > 20, "hardly anybody was served", load)
            disk.fill()
            end = time.monotonic() + patient(30)
            while not load.broken and time.monotonic() < end:
                time.sleep(0.02)
        assert load.statuses[500] > 0
        assert installation.accidents() != []
        assert os.path.exists(installation.log)


@on_a_disk_of_our_own
def test_pages_of_several_web_processes_are_read_on_a_full_disk(tmp_path: Path) -> None:
    """Their shared figures are files with holes: on a full disk the system ended each process at its first request."""
    room, port = tmp_path / "room", free_port()
    room.mkdir()
    assert mounts(room)
    try:
        command = ("serve", "--processes", "2", "--port", str(port))
        with running(tmp_path, *command, TMPDIR=str(room)) as process:
            heard(process, "Guichet :")
            with ended_together(process):
                started = web_processes(process)
                _fill(room / "ballast")
                assert Counter(get(port, "/connexion") for _ in range(20)) == {200: 20}
                assert web_processes(process) == started
    finally:
        unmounts(room)


# -- the reserve -------------------------------------------------------------------------------------------------------

RESERVE = 12  # megabytes of it that uploads never use
MEGABYTE = 1 << 20
SLACK = 2 * MEGABYTE  # what the store itself writes meanwhile


def paper(size: int) -> bytes:
    """A PDF of so many bytes, like no other."""
    return pdf() + b"\n%" + os.urandom(size // 2).hex().encode()


def visitor(installation: Installation) -> Browser:
    """Somebody who went on without a code."""
    signed = go_on_unproven(installation.office, "+22890112233")
    return Browser(installation.ports, {"guichet-claim": signed.token})


def free(folder: Path) -> int:
    return shutil.disk_usage(folder / "data").free


def signs_in(installation: Installation) -> int:
    """The status of the list of one's own requests, for somebody who has just signed in with a code."""
    person = Browser(installation.ports, {})
    person.post("/connexion", {"phone": "90 77 88 99"})
    with installation.office.store.unit() as unit:
        (letter,) = unit.letters_to("+22890778899")
    code = re.search(r"\d{6}", letter.body)
    assert code, letter.body
    person.post("/connexion/code", {"code": code[0]})
    return person.open("/dossiers").status


def begin(person: Browser) -> str:
    """The address of a draft that waits for its file."""
    begun = person.post("/demarches/etal/commencer", {})
    here = re.search(r"/dossiers/\d+", begun.address)
    assert here, begun.text[-500:]
    assert person.post(f"{here[0]}/demande/vous", {"nom": "Amegan", "go": "next"}).status == 303
    return here[0]


def send_until_refused(person: Browser, most: int = 40) -> tuple[str, Answer]:
    """Files of 1 MB, each in place of the one before; what refused."""
    person.busy = frozenset({503})
    here = begin(person)
    for _ in range(most):
        answer = person.post(f"{here}/demande/pieces", {"go": "next"}, {"file:carte": paper(MEGABYTE)})
        if answer.status != 303:
            return here, answer
        shown = person.open(f"{here}/demande/pieces").text
        named = re.search(r'name="detach" value="([^"]+)"', shown)
        assert named, "the file is there"
        assert person.post(f"{here}/demande/pieces", {"detach": named[1]}).status == 303
    raise AssertionError("never refused")


def piece(person: Browser, here: str, size: int) -> Answer:
    """The first piece of a file that comes in pieces."""
    address = f"{here}/envois/{secrets.token_hex(16)}.json?at=0"
    return person.once("POST", address, os.urandom(size), "application/octet-stream", **{"X-CSRFToken": person.csrf()})


@on_a_disk_of_our_own
def test_uploads_stop_at_the_reserve_and_all_else_goes_on(tmp_path: Path) -> None:
    with bounded(tmp_path, "disk", GUICHET_RESERVE=str(RESERVE), GUICHET_METRICS_FROM="127.0.0.1") as (installation, _):
        owner, mayor = (
            applicant(installation.ports, installation.sessions(1)[0]),
            agent(installation.ports, installation.mayor()),
        )
        journeys = Journeys(owner, mayor, Acknowledged(tmp_path / "done"), pdf(), visits(installation.office))
        ready = journeys.fill(1)  # before the disk is full

        here, refused = send_until_refused(unproven := visitor(installation))
        assert refused.status == 507
        assert "Confirmez votre numéro" in refused.text
        assert free(tmp_path) > 2 * RESERVE * MEGABYTE - SLACK
        stopped = piece(unproven, here, 400_000)
        assert (stopped.status, stopped.headers["content-type"]) == (507, "application/problem+json")

        proven = applicant(installation.ports, installation.sessions(1)[0])
        page, file = f"{begin(proven)}/demande/pieces", {"file:carte": paper(MEGABYTE)}
        assert proven.post(page, {"go": "next"}, file).status == 303, "a proven person still has room"
        proven.busy = frozenset({503})
        (tmp_path / "data" / "taken").write_bytes(os.urandom(free(tmp_path) - RESERVE * MEGABYTE - MEGABYTE // 2))
        refused = proven.post(page, {"go": "next"}, {"file:carte": paper(MEGABYTE)})
        assert refused.status == 507
        assert "Aucun fichier ne peut être gardé pour le moment" in refused.text
        assert RESERVE * MEGABYTE - SLACK < free(tmp_path) < RESERVE * MEGABYTE + 2 * SLACK

        journeys.go_on(ready, 1)  # sending, acts and payments go on
        assert signs_in(installation) == 200
        assert (ready, "credited") in journeys.done.all()
        assert faults_of(installation, journeys.done.all()) == []
        assert installation.accidents() == []
        assert installation.said().count("uploads stop") == 1
        told = owner.open("/metrics").text
        (room,) = re.findall(r"^guichet_upload_room_bytes (\S+)", told, re.M)
        assert float(room) < SLACK
