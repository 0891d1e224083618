"""Small posts that are slow to judge, sent together over sockets: the other pages answer, and most senders are told to come back."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlencode
from wsgiref.types import WSGIApplication

import pytest
from PIL import Image

from engine.services.keys import secrets
from renderers.web.citizen import documents
from renderers.web.public import comparisons, definitions
from tests.engine.services.world import pdf
from tests.faults.installation import patient
from tests.web.client import ANSWERS, PortalClient, a_portal_client
from tests.web.live_site import listening

THREADS: Final = 8  # of a server
SENT: Final = 24


def a_slow_picture() -> bytes:
    """A hundred kilobytes, 24 million pixels."""
    out = io.BytesIO()
    Image.new("RGBA", (4898, 4898), (1, 2, 3, 128)).save(out, "PNG")
    return out.getvalue()


def at_the_papers(folder: Path) -> PortalClient:
    visitor = a_portal_client(folder).sign_in()
    number = visitor.begin()
    visitor.send(f"/dossiers/{number}/demande/vous", **ANSWERS, go="next")
    visitor.send(f"/dossiers/{number}/demande/aides", go="next")
    return visitor


def a_post(visitor: PortalClient, picture: bytes) -> tuple[str, bytes, dict[str, str]]:
    """The form of the page as a browser posts it with a file: address, body, headers."""
    address = visitor.page.address
    form = visitor.open(address).form()
    fields = [(name, value) for name, values in form.items() for value in values if name != "end"]
    parts = [
        b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (name.encode(), value.encode())
        for name, value in fields
    ]
    head = b'Content-Disposition: form-data; name="file:carte"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    parts += [head + picture, b'Content-Disposition: form-data; name="end"\r\n\r\n1']
    body = b"".join(b"--limit\r\n%s\r\n" % part for part in parts) + b"--limit--\r\n"
    cookies = "; ".join(f"{one.key}={one.value}" for one in visitor.client._cookies.values())
    kind = "multipart/form-data; boundary=limit"
    script = {"Accept": "*/*", "Sec-Fetch-Site": "same-origin"}
    return address, body, {"Cookie": cookies, "Content-Type": kind, **script}


Answer: TypeAlias = tuple[int, str | None, bytes]  # status, Retry-After, page


def flood(
    application: WSGIApplication, address: str, body: bytes, headers: dict[str, str]
) -> tuple[list[Answer], float]:
    """The answers to as many posts at once, and the longest that another page waited meanwhile."""
    said: list[Answer] = []
    with listening(application, THREADS) as listener:
        host = listener.address.partition("//")[2]

        def sends() -> None:
            line = HTTPConnection(host, timeout=120)
            line.request("POST", address, body, headers)
            answer = line.getresponse()
            said.append((answer.status, answer.headers["Retry-After"], answer.read()))

        senders = [threading.Thread(target=sends) for _ in range(SENT)]
        for one in senders:
            one.start()
        waits = []
        while any(one.is_alive() for one in senders):
            began = time.monotonic()
            line = HTTPConnection(host, timeout=120)
            line.request("GET", "/healthz")
            assert line.getresponse().status == 200
            waits.append(time.monotonic() - began)
            time.sleep(0.1)
    return said, max(waits)


@pytest.mark.slow
def test_while_slow_pictures_are_decoded_the_other_pages_answer(tmp_path: Path) -> None:
    visitor = at_the_papers(tmp_path)
    address, body, headers = a_post(visitor, a_slow_picture())
    said, longest = flood(visitor.client.application, address, body, headers)
    assert longest < patient(2)
    statuses = Counter(status for status, _, _ in said)
    assert set(statuses) == {422, 503}, "another question of the page is not answered yet"
    assert statuses[503] > SENT // 2
    for status, retry, page in said:
        if status == 503:
            assert retry
            assert b'name="revision"' in page or b'name="token"' in page, (
                "what else was typed is sent again from the page"
            )
            assert b'name="file:carte"' in page
    with visitor.office.store.unit() as unit:
        dossier = unit.dossier_numbered(address.split("/")[2])
    assert dossier is not None
    assert {one.kind for one in dossier.attachments} == {"png"}


class _Slow:
    """Passwords as a busy machine judges them."""

    def verify(self, kept: str, password: str) -> bool:
        time.sleep(3)
        return False


@pytest.mark.slow
def test_while_passwords_are_judged_the_other_pages_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_hasher", _Slow())
    visitor = a_portal_client(tmp_path)
    form = visitor.open("/agent/connexion").form()
    values = {**{name: found[0] for name, found in form.items()}, "login": "nobody", "password": "x" * 200}
    cookies = "; ".join(f"{one.key}={one.value}" for one in visitor.client._cookies.values())
    headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    said, longest = flood(visitor.client.application, "/agent/connexion", urlencode(values).encode(), headers)
    assert longest < patient(2)
    statuses = Counter(status for status, _, _ in said)
    assert statuses[503] > SENT // 2, "and nothing of these is counted"
    assert statuses[503] < SENT
    assert all(retry and b"xxxx" not in page for status, retry, page in said if status == 503)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "slow", "path"),
    [
        (documents, "summary_pdf", "/dossiers/{}/recapitulatif.pdf"),
        (definitions, "definition_text", "/demarches/essai/definition"),
        (definitions, "workflow_svg", "/demarches/essai/circuit.svg"),
        (comparisons, "_compared", "/demarches/essai/compare/1...1"),
    ],
)
def test_slow_pages_are_drawn_by_turns_and_the_other_pages_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, slow: str, path: str
) -> None:
    """One person who asked for the longest summary from sixty connections kept a page from others for 45 s."""
    visitor = a_portal_client(tmp_path)
    number, drawing, done = visitor.sign_in().sent(), threading.Semaphore(0), threading.Event()
    work = getattr(module, slow)

    def drawn(*given: object, **named: object) -> object:
        drawing.release()
        assert done.wait(30)
        return b"%PDF" if slow == "summary_pdf" else work(*given, **named)

    monkeypatch.setattr(module, slow, drawn)
    cookies = "; ".join(f"{one.key}={one.value}" for one in visitor.client._cookies.values())
    said: Counter[int] = Counter()
    with listening(visitor.client.application, THREADS) as listener:
        host = listener.address.partition("//")[2]

        def asks() -> None:
            line = HTTPConnection(host, timeout=60)
            line.request("GET", path.format(number), headers={"Cookie": cookies})
            said[line.getresponse().status] += 1

        askers = [threading.Thread(target=asks) for _ in range(SENT)]
        for one in askers:
            one.start()
        assert drawing.acquire(timeout=30)
        for _ in range(3):
            line = HTTPConnection(host, timeout=20)
            line.request("GET", "/connexion")
            assert line.getresponse().status == 200
        done.set()
        for one in askers:
            one.join()
    assert said[200] >= 1
    assert said[503] >= SENT - THREADS
    assert sum(said.values()) == SENT


@pytest.mark.slow
def test_while_the_scanner_hangs_the_other_pages_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight files kept every page waiting for the twenty seconds that a scan may take."""
    visitor, scanned, done = at_the_papers(tmp_path), threading.Semaphore(0), threading.Event()

    def hangs(_: bytes) -> str:
        scanned.release()
        done.wait(30)
        return "file_unchecked"

    monkeypatch.setattr(visitor.office.attachments, "_inspect", hangs)
    address, body, headers = a_post(visitor, pdf())
    said: Counter[int] = Counter()
    with listening(visitor.client.application, THREADS) as listener:
        host = listener.address.partition("//")[2]

        def sends() -> None:
            line = HTTPConnection(host, timeout=60)
            line.request("POST", address, body, headers)
            said[line.getresponse().status] += 1

        senders = [threading.Thread(target=sends) for _ in range(SENT)]
        for one in senders:
            one.start()
        assert scanned.acquire(timeout=30)
        try:
            for _ in range(3):
                line = HTTPConnection(host, timeout=20)
                line.request("GET", "/connexion")
                assert line.getresponse().status == 200
        finally:
            done.set()
        for one in senders:
            one.join()
    assert said[503] >= SENT - THREADS
    assert sum(said.values()) == SENT
