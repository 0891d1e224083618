"""A real server told to stop: nobody else comes in, who is in is answered, the worker ends its turn."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from engine.services.context.app_context import AppContext
from renderers.cli.admin.http_server import Front, finish
from renderers.cli.admin.web_processes import listening_socket
from server import work
from tests.ports import free_port
from tests.web.portal import ROOT

pytestmark = pytest.mark.slow  # each starts a process


@contextmanager
def running(folder: Path, *command: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    (folder / "procedures").mkdir(exist_ok=True)
    environ = {
        **os.environ, "GUICHET_DATA": str(folder), "GUICHET_PROCEDURES": str(folder / "procedures"),
        "PYTHONUNBUFFERED": "1", "GUICHET_LOG": "text", **more,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", "from renderers.cli.main import console; console()", *command], env=environ, cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str], words: str) -> list[str]:
    """What a process says until it says this."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError("".join(lines))


@contextmanager
def serving(folder: Path, **more: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    with running(folder, "serve", PORT=str(port), **more) as process:
        heard(process, "Guichet :")
        yield process, port


def half_a_request(port: int) -> socket.socket:
    """A form whose last sign is still on its way."""
    line = socket.create_connection(("127.0.0.1", port), 20)
    body = b"phone=90000001"
    head = f"POST /connexion HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: none\r\n\r\n"
    line.sendall(head.encode() + body[:-1])
    return line


def answered(port: int) -> None:
    """One whole exchange: whatever was sent before it has reached the server."""
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall(f"GET /healthz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
        assert all_of(line).startswith(b"HTTP/1.1 200")


def all_of(line: socket.socket) -> bytes:
    whole = b""
    while more := line.recv(65536):
        whole += more
    return whole


def test_who_is_in_is_answered_and_nobody_else_comes_in(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, port):
        idle = socket.create_connection(("127.0.0.1", port), 20)
        under_way = half_a_request(port)
        answered(port)
        process.send_signal(signal.SIGTERM)
        heard(process, "stopping")
        assert idle.recv(1) == b"", "a connection without a request is closed"
        with pytest.raises(OSError, match=r"refused|reset"):
            socket.create_connection(("127.0.0.1", port), 5)
        under_way.sendall(b"1")
        answer = all_of(under_way)
        assert answer.startswith(b"HTTP/1.1 "), answer[:80]
        assert b"</html>" in answer
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert said.rstrip().endswith("guichet stopped"), said


def test_all_who_wait_to_be_accepted_are_answered() -> None:
    """One turn of the loop accepts one connection: the others, whose requests had come, were reset."""
    door = listening_socket("127.0.0.1", 0)
    port = door.getsockname()[1]
    front = Front(answers, door, threads=4, largest=1000)
    lines = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(20)]
    for line in lines:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert front.drain(20)
    for line in lines:
        with line:
            assert all_of(line).endswith(b"here")


def answers(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    start("200 OK", [("Content-Length", "4")])
    return [b"here"]


def test_who_comes_while_it_leaves_is_served(tmp_path: Path) -> None:
    """Told to stop it says so to a proxy, and closes its door only once that had time to notice."""
    with serving(tmp_path, GUICHET_LEAVE_AFTER="3") as (process, port):
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        while not ready(port).startswith(b"HTTP/1.1 503"):
            assert time.monotonic() - began < 2
        answered(port)
        heard(process, "stopping")
        assert time.monotonic() - began > 2
        while accepts(port):  # it closes the socket after it said so
            assert time.monotonic() - began < 20


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def ready(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall(f"GET /readyz?of=process HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
        return all_of(line)


def test_a_request_that_never_ends_is_cut_at_the_bound(tmp_path: Path) -> None:
    with serving(tmp_path, GUICHET_STOP_WITHIN="0.3") as (process, port):
        under_way = half_a_request(port)
        answered(port)
        process.send_signal(signal.SIGTERM)
        assert all_of(under_way) == b""
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "something under way was cut" in said


def test_a_worker_alone_stops_when_told(tmp_path: Path) -> None:
    with running(tmp_path, "worker") as process:
        heard(process, "worker began")
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        assert "guichet stopped" in said


def test_a_signal_in_the_middle_of_a_wait_stops() -> None:
    """The main thread holds the lock of the event for a moment, each time that it begins to wait."""
    lines = (
        "import os, signal, threading", "from renderers.cli.admin.http_server import on_signal", "stop = threading.Event()",
        "on_signal(stop.set)", "with stop._cond:", "    os.kill(os.getpid(), signal.SIGTERM)", "assert stop.wait(20)",
    )  # fmt: skip
    assert subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_a_turn_that_began_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told to stop in the middle of a turn, the worker ends it and begins no other."""
    begun, go_on, stop, turns = threading.Event(), threading.Event(), threading.Event(), []

    def turn(office: AppContext, *, calls: bool = True) -> None:
        begun.set()
        assert go_on.wait(20)
        turns.append(office)

    monkeypatch.setattr("server.guarded_pass", turn)
    worker = threading.Thread(target=work, args=(lambda: "office", stop), daemon=True)
    worker.start()
    assert begun.wait(20)
    stop.set()
    assert not finish((worker,), 0.0)
    go_on.set()
    assert finish((worker,), 20)
    assert turns == ["office"]


def test_slow_people_do_not_shut_the_door_to_others(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, port):
        slow = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(150)]
        for line in slow:
            line.sendall(b"GET / HTTP/1.1\r\nHost: lo")
        with socket.create_connection(("127.0.0.1", port), 20) as line:
            line.settimeout(20)
            line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 200")
        for line in slow:
            line.close()
