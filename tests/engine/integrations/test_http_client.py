"""Who is asked: the address that was given and no other, once its certificate is vouched for."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from engine.integrations.http_client import HttpClient
from engine.integrations.payment_provider import ProviderDown, ProviderSilent

ROOT: Final = Path(__file__).resolve().parents[3]


class Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody to another page of its own, and notes who came."""

    asked: list[str]

    def _answer(self) -> None:
        self.asked.append(self.path)
        self.send_response(302)
        self.send_header("Location", "/secret")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_HEAD = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Elsewhere.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.shutdown()


def test_nobody_is_followed_to_another_address(server: ThreadingHTTPServer) -> None:
    wire = HttpClient(f"http://127.0.0.1:{server.server_port}")
    assert wire.post("/pay", {"token": "x"}, bare=True).status == 302
    wire.reach()
    assert Elsewhere.asked == ["/pay", "/"]


def test_a_certificate_that_nobody_vouches_for_is_no_operator(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    server.socket = its_own(tmp_path).wrap_socket(server.socket, server_side=True)
    wire = HttpClient(f"https://localhost:{server.server_port}", seconds=5)
    with pytest.raises(ProviderDown):
        wire.post("/pay", {"token": "x"})
    with pytest.raises(ProviderDown):
        wire.reach()
    assert Elsewhere.asked == [], "no secret left before the other side was known"


class Dripping(BaseHTTPRequestHandler):
    """Answers a sign at a time, each well within a socket's patience."""

    parts: Final = {"/head": b"HTTP/1.1 200 OK\r\nX: ", "/body": b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"}
    open_ended: Final = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}"

    def do_GET(self) -> None:
        self.wfile.write(self.parts.get(self.path, self.open_ended))
        with suppress(OSError):
            while True:
                self.wfile.write(b" ")
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("path", ["/head", "/body", "/open"])
def test_an_answer_that_drips_is_waited_for_as_long_as_any_other(path: str, secure: bool, tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as one:
        if secure:
            one.socket = its_own(tmp_path).wrap_socket(one.socket, server_side=True)
        threading.Thread(target=one.serve_forever, daemon=True).start()
        wire = HttpClient(f"{'https' if secure else 'http'}://localhost:{one.server_port}", seconds=0.3)
        if secure:
            wire._pool.connection_pool_kw["ca_certs"] = str(tmp_path / "own.pem")
        began = time.monotonic()
        with pytest.raises(ProviderSilent, match="Deadline"):
            wire.get(path)
        assert time.monotonic() - began < 5
        one.shutdown()


def test_an_answer_of_too_many_bytes_is_not_read_to_its_end() -> None:
    class Endless(Dripping):
        def do_GET(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * 300_000)
            with suppress(OSError):
                self.rfile.read(1)

    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(ProviderDown, match="status_200"):
            HttpClient(f"http://127.0.0.1:{one.server_port}", seconds=2).get("/")
        assert time.monotonic() - began < 2
        one.shutdown()


def test_nobody_there_is_told_from_an_answer_that_tells_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(ProviderSilent):
        HttpClient(f"http://127.0.0.1:{deaf.getsockname()[1]}", seconds=0.2).get("/status")
    with pytest.raises(ProviderSilent):
        HttpClient("http://127.0.0.1:1").get("/status")

    class Failing(Elsewhere):
        def _answer(self) -> None:
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = _answer

    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        with pytest.raises(ProviderDown) as told:
            HttpClient(f"http://127.0.0.1:{one.server_port}").get("/status")
        one.shutdown()
    assert type(told.value) is ProviderDown


def its_own(folder: Path) -> ssl.SSLContext:
    """The context of a server that signed its certificate itself."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    file = folder / "own.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_whom_we_call_stands_in_the_files_of_an_administrator() -> None:
    """Every place that opens a line to another machine, and where its address comes from; another one is judged, then added."""
    opens = re.compile(
        r"\b(?:HttpClient|create_connection|SMTP|SMTP_SSL|_Session|_TlsSession|PoolManager|urlopen|HTTPConnection|HTTPSConnection|S3Store)\("
    )
    found = {
        (path.relative_to(ROOT).as_posix(), called.strip("("))
        for path in (
            *sorted((ROOT / "engine").rglob("*.py")),
            *sorted((ROOT / "renderers").rglob("*.py")),
            ROOT / "server.py",
        )
        for called in opens.findall(path.read_text("utf-8"))
    }
    assert found == {
        ("engine/integrations/http_client.py", "PoolManager"),
        ("engine/integrations/config.py", "HttpClient"),  # the file of gateways: operators, SMS
        ("engine/integrations/openid.py", "HttpClient"),  # the same file, and what its issuer publishes
        ("engine/integrations/smtp.py", "_Session"),  # the same file
        ("engine/integrations/smtp.py", "_TlsSession"),
        ("engine/integrations/clamav.py", "create_connection"),  # the same file
        ("engine/storage/files/s3.py", "S3Store"),  # GUICHET_FILES
    }
