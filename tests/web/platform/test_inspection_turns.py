"""Files of unverified visitors from many addresses at once: whose address used the least time comes first. Over a socket."""

from __future__ import annotations

import http.client
import re
import threading
import zlib
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest

from engine.operations.settings import Settings
from engine.records.dossier import Account
from engine.records.people import Session
from engine.services.keys.secrets import new_token, token_digest
from engine.services.limits import file_counts
from engine.services.sign_in.unverified_drafts import go_on_unproven
from engine.storage.files import pdf_streams
from engine.storage.gate import GRANTED
from engine.storage.sqlite.store import SqliteStore
from server import create_app
from tests.engine.services.applications.test_unverified_files import photo
from tests.engine.services.world import B3, World, a_world
from tests.faults.hostile_files import a_pdf, clears, stream
from tests.faults.installation import patient
from tests.web.socket_server import fronting

pytestmark = pytest.mark.slow


@cache
def slow() -> bytes:
    """A file that takes all the processor time that one may take."""
    return a_pdf(stream(zlib.compress(clears(5_000_000), 9), b"/Filter[/FlateDecode/LZWDecode]"))


class Sender:
    """A browser at an address, before a form with a question for a file."""

    def __init__(self, port: int, address: str, cookie: str, path: str, field: str) -> None:
        self._page, self._field = path, field
        self._port, self._headers = port, {"Cookie": cookie, "X-Forwarded-For": address}
        with self._asked("GET") as answer:
            self._token = re.findall(r'name="csrf_token" value="([^"]+)"', answer.read().decode())[0]
            session = str(answer.headers["Set-Cookie"]).partition(";")[0]
        self._headers["Cookie"] += f"; {session}"

    def _asked(self, method: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        line.request(method, self._page, body, self._headers | headers)
        return line.getresponse()

    def sends(self, file: bytes, name: str, **fields: str) -> int:
        """The status of the answer to a file."""
        mark = uuid4().hex
        parts = [f'name="csrf_token"\r\n\r\n{self._token}'.encode(), b'name="end"\r\n\r\n1']
        parts[1:1] = [f'name="{field}"\r\n\r\n{said}'.encode() for field, said in fields.items()]
        parts.insert(1, f'name="{self._field}"; filename="{name}"\r\n\r\n'.encode() + file)
        lines = [f"--{mark}\r\nContent-Disposition: form-data; ".encode() + part + b"\r\n" for part in parts]
        kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        with self._asked("POST", b"".join([*lines, f"--{mark}--\r\n".encode()]), **kind) as answer:
            return answer.status


def drafting(world: World, port: int, address: str) -> Sender:
    """Somebody with a draft begun without a code."""
    signed = go_on_unproven(world.office, "+22890112233")
    world.people[signed.actor.id] = signed.actor
    path = f"/dossiers/{world.draft(B3, signed.actor).number}/demande/personne"
    return Sender(port, address, f"guichet-claim={signed.token}", path, "file:justificatif")


def test_several_addresses_together_keep_no_other_visitor_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, over = a_world(tmp_path, SqliteStore(tmp_path / "store.db")), threading.Event()
    app = create_app(Settings(data=tmp_path, proxies=1), world.office, world.operator)
    monkeypatch.setattr(world.office.attachments._judging, "_unknown_wait_limit", patient(30))
    monkeypatch.setattr(pdf_streams, "MOST_SECONDS", 1.6 * GRANTED)  # not two seconds: long enough to have to make way
    with fronting(app, threads=8, proxies=1) as port:
        crowd = [drafting(world, port, f"198.51.100.{number}") for number in range(4)]
        crowd += [drafting(world, port, f"2001:db8:7:{number}::1") for number in range(2)]

        answered = [threading.Event() for _ in crowd]  # from then on an address is ranked by what it spent

        def repeats(one: Sender, first: threading.Event) -> None:
            while not over.is_set():
                with suppress(OSError):
                    one.sends(slow(), "a.pdf")
                first.set()
                over.wait(0.2)

        slow()
        threads = [threading.Thread(target=repeats, args=row) for row in zip(crowd, answered, strict=True)]
        try:
            visitors = [drafting(world, port, f"203.0.113.{number}") for number in range(2)]
            for thread in threads:
                thread.start()
            assert all(first.wait(patient(60)) for first in answered)
            refused = [
                all(one.sends(photo(number), "a.jpg") == 503 for _ in range(3)) for number, one in enumerate(visitors)
            ]
        finally:
            over.set()
            for thread in threads:
                thread.join(60)
    assert not any(refused), refused


def test_a_signed_proxy_counts_for_the_address_of_its_sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_counts, "SECONDS_PER_ADDRESS", 0.001)
    world = a_world(tmp_path, SqliteStore(tmp_path / "store.db"))
    app = create_app(Settings(data=tmp_path, proxies=1), world.office, world.operator)
    with fronting(app, threads=2, proxies=1) as port:
        told = []
        for number, address in enumerate(("203.0.113.7", "203.0.113.7", "203.0.113.8")):
            one, now, token = f"mail{number}", world.office.now(), new_token()
            with world.office.store.unit(write=True) as unit:
                unit.put_account(Account(one, "applicant", "", f"{one}@example.org"))
                unit.put_session(Session(token_digest(token), one, now, now, now + timedelta(days=1)))
            sender = Sender(port, address, f"guichet={token}", "/compte/personnes/procuration", "proof")
            told.append(sender.sends(photo(number), "a.jpg", family_name="Ameyo", given_names="Afi"))
    assert told == [303, 429, 303]
