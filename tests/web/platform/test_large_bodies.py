"""Large bodies that come together: so many bytes at once and no more, over a socket."""

from __future__ import annotations

import resource
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

import pytest

from renderers.cli.admin import bodies as console_bodies
from renderers.cli.admin import http_server as console_serving
from renderers.cli.admin.bodies import Bodies, Request
from renderers.cli.admin.http_server import Front
from renderers.cli.admin.web_processes import listening_socket
from tests.faults.installation import patient

MEGABYTE: Final = 1_000_000
LARGEST: Final = 45 * MEGABYTE


def counts(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    size = len(environ["wsgi.input"].read())
    start_response("200 OK", [])
    return [str(size).encode()]


@contextmanager
def a_door() -> Iterator[tuple[str, int]]:
    front, stopping = Front(counts, listening_socket("127.0.0.1", 0), 2, LARGEST + 1, proxies=1), threading.Event()
    turn = threading.Thread(target=front.run, args=(stopping,))
    turn.start()
    try:
        yield "127.0.0.1", int(front._servers()[0].effective_port)
    finally:
        stopping.set()
        front.wake()
        turn.join(5)
        front.drain(0)


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bodies]:
    one = Bodies(20 * MEGABYTE)  # one address has half
    monkeypatch.setattr(Request, "bodies", one)
    yield one
    time.sleep(patient(1))  # the last requests give their room back to the same


def begins(door: tuple[str, int], size: int, chunked: bool = False, address: str = "203.0.113.7") -> socket.socket:
    line = socket.create_connection(door, patient(5))
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}"
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    line.sendall(f"{head}\r\n{length}\r\n\r\n".encode())
    return line


def answered(line: socket.socket) -> bytes:
    said = b""
    while b"\r\n\r\n" not in said or not said.partition(b"\r\n\r\n")[2]:
        said += line.recv(65_536)
    return said


def whole(line: socket.socket, size: int) -> bytes:
    line.sendall(b"a" * size)
    return answered(line)


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + patient(5)
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_only_announced_keeps_no_room_from_others(bodies: Bodies) -> None:
    with a_door() as door, ExitStack() as kept:
        for _ in range(5):
            kept.enter_context(begins(door, 9 * MEGABYTE)).sendall(b"a" * 100_000)
        time.sleep(0.2)  # 45 MB are announced
        other = kept.enter_context(begins(door, 200_000))
        assert whole(other, 200_000).endswith(b"200000")


def test_beyond_the_bound_a_large_body_is_refused_and_small_ones_are_not(bodies: Bodies) -> None:
    with a_door() as door, ExitStack() as kept:
        held = [kept.enter_context(begins(door, 3 * MEGABYTE)) for _ in range(3)]
        for line in held:
            line.sendall(b"a" * 2_900_000)
        wait_until(lambda: bodies._taken == 9 * MEGABYTE)
        late = kept.enter_context(begins(door, 3 * MEGABYTE))
        refused = whole(late, 3 * MEGABYTE)
        assert refused.startswith(b"HTTP/1.1 507 ")
        assert "revenez en arrière" in refused.decode()
        assert b"Retry-After: 60" in refused
        small = kept.enter_context(begins(door, 60_000))
        assert whole(small, 60_000).endswith(b"60000")
        assert whole(held[0], 100_000).endswith(b"3000000")
        held[1].close()  # who goes away gives their room back
        for _ in range(3):
            again = kept.enter_context(begins(door, 3 * MEGABYTE))
            assert whole(again, 3 * MEGABYTE).endswith(b"3000000")
    end = time.monotonic() + 5.0
    while bodies._taken and time.monotonic() < end:  # given back once the answer has left
        time.sleep(0.05)
    assert bodies._taken == 0


@pytest.mark.parametrize(
    "addresses", [["198.51.100.1"], [f"198.51.100.{n}" for n in range(4)], [f"2001:db8:0:{n}::1" for n in range(9)]]
)
def test_addresses_that_send_slowly_leave_room_for_one_more(bodies: Bodies, addresses: list[str]) -> None:
    """Seven bodies of 45 MB, a byte of each at a time, refused the files of all for hours where the proxy buffers none."""
    with a_door() as door, ExitStack() as kept:
        for address in addresses * 12:
            line = kept.enter_context(begins(door, 2 * MEGABYTE, address=address))
            line.sendall(b"a" * 1_900_000)
        wait_until(lambda: bodies._taken >= 9 * MEGABYTE)
        time.sleep(0.5)  # the last ones too
        other = kept.enter_context(begins(door, 500_000))
        assert whole(other, 500_000).endswith(b"500000")


def test_many_addresses_that_send_slowly_leave_room_for_a_photo(bodies: Bodies) -> None:
    """Each has half of what the others leave: eleven left nothing."""
    with a_door() as door, ExitStack() as kept:
        for n in range(24):
            for _ in range(12):
                line = kept.enter_context(begins(door, 2 * MEGABYTE, address=f"198.51.100.{n}"))
                line.sendall(b"a" * 1_000_000)
        wait_until(lambda: bodies._taken >= 15 * MEGABYTE)
        time.sleep(0.5)  # the last ones too
        other = kept.enter_context(begins(door, 200_000))
        assert whole(other, 200_000).endswith(b"200000")


def test_what_came_early_buys_no_time_without_end(bodies: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand seconds' worth at once, then a byte at a time: cut, and its room given back. Who goes on sending is not."""
    monkeypatch.setattr(console_serving, "_GRACE", 1.0)
    monkeypatch.setattr(console_serving, "_AHEAD", 1.0)
    with a_door() as door, begins(door, 3 * MEGABYTE) as slow, begins(door, 3 * MEGABYTE) as steady:
        slow.sendall(b"a" * 500_000)
        steady.sendall(b"a" * 500_000)
        wait_until(lambda: bodies._taken == 2 * MEGABYTE)
        end = time.monotonic() + patient(8)
        while bodies._taken > MEGABYTE and time.monotonic() < end:
            with suppress(OSError):
                slow.sendall(b"a")
            steady.sendall(b"a" * 1_000)
            time.sleep(0.2)
        assert bodies._taken == MEGABYTE
        steady.sendall(b"a" * 1_000)


def test_a_body_that_does_not_say_its_length_counts_as_it_comes(bodies: Bodies) -> None:
    with a_door() as door, begins(door, 0, chunked=True) as line:
        chunk = b"%x\r\n%s\r\n" % (MEGABYTE, b"a" * MEGABYTE)
        line.sendall(chunk * 12 + b"0\r\n\r\n")
        assert answered(line).startswith(b"HTTP/1.1 507 ")
    assert bodies._taken == 0


def test_an_address_that_cannot_be_split_is_refused(bodies: Bodies) -> None:
    with a_door() as door, socket.create_connection(door, patient(5)) as line:
        line.sendall(b"GET http://[/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line.recv(100).startswith(b"HTTP/1.1 400 ")


def test_temporary_files_never_fill_their_disk(bodies: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(console_bodies.shutil.disk_usage("/"))
    free = console_bodies.LEFT + 2 * MEGABYTE
    monkeypatch.setattr(console_bodies.shutil, "disk_usage", lambda folder: usage(1, 1, free))
    with a_door() as door, begins(door, 3 * MEGABYTE) as large, begins(door, MEGABYTE) as fits:
        assert whole(large, 3 * MEGABYTE).startswith(b"HTTP/1.1 507 ")
        assert whole(fits, MEGABYTE).endswith(b"1000000")


def test_a_flood_of_the_largest_leaves_the_disk_alone(bodies: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty bodies of 45 MB announced at once: none of them is written anywhere."""
    written: list[int] = []
    kept = tempfile.TemporaryFile

    def seen(*more: Any, **others: Any) -> Any:
        written.append(1)
        return kept(*more, **others)

    monkeypatch.setattr(tempfile, "TemporaryFile", seen)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with a_door() as door, ExitStack() as lines:
        floods = [lines.enter_context(begins(door, LARGEST)) for _ in range(50)]
        for line in floods:
            line.sendall(b"a" * MEGABYTE)
        small = lines.enter_context(begins(door, 1000))
        assert whole(small, 1000).endswith(b"1000")
    assert written == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000, "kilobytes"


@pytest.mark.parametrize("begun", [b"", b"1;", b"0\r\nA: "], ids=["size", "extension", "trailer"])
def test_a_line_of_chunks_without_an_end_is_cut(begun: bytes) -> None:
    """The whole line is searched again with each part of it: ten megabytes would hold the process for half a minute."""
    with a_door() as door, begins(door, 0, chunked=True) as line:
        line.sendall(begun + b"0" * 40_000)
        assert answered(line).startswith(b"HTTP/1.1 400 ")
        with suppress(ConnectionError):
            assert line.recv(65_536) == b""
    with a_door() as door, begins(door, 0, chunked=True) as line:
        line.sendall(b"2;name=value\r\nab\r\n0\r\nTrailer: " + b"a" * 4_000 + b"\r\n\r\n")
        assert answered(line).endswith(b"\r\n\r\n2")
