"""An application behind the server that ships, in this process: what a test sends over a socket is what it hears."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.types import WSGIApplication

from renderers.cli.admin.http_server import Front
from renderers.cli.admin.web_processes import listening_socket

LARGEST = 64 * 1024 * 1024


@contextmanager
def fronting(application: WSGIApplication, threads: int = 4, proxies: int = 0) -> Iterator[int]:
    """The port, until the block ends."""
    front, stopping = Front(application, listening_socket("127.0.0.1", 0), threads, LARGEST, proxies), threading.Event()
    turn = threading.Thread(target=front.run, args=(stopping,))
    turn.start()
    try:
        [door] = front._servers()
        yield int(door.effective_port)
    finally:
        stopping.set()
        front.wake()
        turn.join(10)
        front.drain(1)


def asked(port: int, path: str, *headers: str, host: str = "localhost") -> tuple[int, str]:
    """Status and body of a GET with these header lines, on a connection of its own."""
    lines = (f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "Connection: close", "", "")
    with socket.create_connection(("127.0.0.1", port), 20) as line:
        line.sendall("\r\n".join(lines).encode("latin-1"))
        whole = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = whole.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode("utf-8", "replace")
