"""A scanner at its socket: what it answers, what it does not, and what that means for who hands a file in."""

from __future__ import annotations

import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from engine.core.clock import SystemClock
from engine.integrations.clamav import ClamAV
from engine.integrations.config import read_gateways
from engine.integrations.gateways import WrongGateways
from engine.services.applications import drafts as intake
from engine.storage.files.attachments import AttachmentStore
from engine.storage.files.encryption import FileKeys
from tests.engine.services.world import B3, a_world, pdf

# The test file of antivirus makers, in two parts so that no scanner takes this one for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + rb"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Clamd(socketserver.StreamRequestHandler):
    """As `clamd` answers; `says` instead of that when it is set."""

    says: ClassVar[bytes | None] = None

    def handle(self) -> None:
        assert self.rfile.read(10) == b"zINSTREAM\0"
        data = b""
        while length := struct.unpack(">I", self.rfile.read(4))[0]:
            data += self.rfile.read(length)
        found = b"stream: Win.Test.EICAR_HDB-1 FOUND\0" if EICAR in data else b"stream: OK\0"
        self.wfile.write(found if self.says is None else self.says)


@contextmanager
def clamd(folder: Path, says: bytes | None = None) -> Iterator[str]:
    address = str(folder / "clamd.ctl")
    handler = type("Handler", (Clamd,), {"says": says})
    with socketserver.ThreadingUnixStreamServer(address, handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield address
        server.shutdown()


def test_clean_and_not(tmp_path: Path) -> None:
    with clamd(tmp_path) as address:
        scanner = ClamAV(path=address)
        assert scanner.inspect(pdf()) is None
        assert scanner.inspect(b"") is None
        assert scanner.inspect(b"x" * 1_000_000) is None
        assert scanner.inspect(b"x" * 200_000 + EICAR) == "file_virus"


@pytest.mark.parametrize(
    "says", [b"INSTREAM size limit exceeded. ERROR\0", b"", b"\0", b"UNKNOWN COMMAND\0", b"OK FOUNDX"]
)
def test_what_is_no_answer_lets_nothing_through(tmp_path: Path, says: bytes) -> None:
    with clamd(tmp_path, says) as address:
        assert ClamAV(path=address).inspect(pdf()) == "file_unchecked"


def test_nobody_there(tmp_path: Path) -> None:
    assert ClamAV(path=str(tmp_path / "none")).inspect(pdf()) == "file_unchecked"
    assert ClamAV(host="127.0.0.1", port=1, seconds=1).inspect(pdf()) == "file_unchecked"


def test_an_answer_byte_by_byte_ends_in_time(tmp_path: Path) -> None:
    class Dribbles(Clamd):
        def handle(self) -> None:
            with suppress(OSError):
                for _ in range(100):
                    self.wfile.write(b"s")
                    time.sleep(0.1)

    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "clamd.ctl"), Dribbles) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        began = time.monotonic()
        assert ClamAV(path=str(tmp_path / "clamd.ctl"), seconds=0.5).inspect(pdf()) == "file_unchecked"
        assert time.monotonic() - began < 5
        server.shutdown()


def test_who_hands_a_file_in_is_told(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    owner, dossier = world.applicant(), world.draft(B3)
    place = next(one.at for one in intake.check(world.office, owner, dossier.id).errors)
    with clamd(tmp_path) as address:
        watched = AttachmentStore(tmp_path / "files", FileKeys.generate(), ClamAV(path=address).inspect)
        world.office = replace(world.office, attachments=watched)
        bad = intake.attach(world.office, owner, dossier.id, place, intake.Upload("a.pdf", pdf() + EICAR))
        assert bad.problem is not None
        assert bad.problem.code == "file_virus"
        good = intake.attach(world.office, owner, dossier.id, place, intake.Upload("a.pdf", pdf()))
        assert good.problem is None
    silent = intake.attach(world.office, owner, dossier.id, place, intake.Upload("b.pdf", pdf()))
    assert silent.problem is not None
    assert silent.problem.code == "file_unchecked"
    assert len(list((tmp_path / "files").glob("??/??/*"))) == 1


def test_it_is_named_in_the_file_of_gateways(tmp_path: Path) -> None:
    file = tmp_path / "gateways.toml"
    with clamd(tmp_path) as address:
        file.write_text(f'[antivirus]\nsocket = "{address}"\n')
        scanner = read_gateways(file, SystemClock(), "https://x").scanner
        assert scanner is not None
        assert AttachmentStore(tmp_path / "files", None, scanner.inspect).keep(pdf(), "a.pdf", ("pdf",), 1_000_000)
    for text in ("[antivirus]\n", '[antivirus]\nsocket = "a"\nhost = "b"\n', '[antivirus]\nsocket = "a"\nx = 1\n'):
        file.write_text(text)
        with pytest.raises(WrongGateways):
            read_gateways(file, SystemClock(), "https://x")
