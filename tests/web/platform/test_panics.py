"""A request that ends with what is no `Exception`, such as a panic of a library written in Rust, over a socket."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from tests.web.socket_server import asked, fronting


class RustPanic(BaseException):
    """As `pyo3_runtime.PanicException`."""


def _at_once(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/panic":
        raise RustPanic("index out of bounds")
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def _in_the_answer(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    start("200 OK", [])
    yield b"begun"
    if environ["PATH_INFO"] == "/panic":
        raise RustPanic("index out of bounds")


@pytest.mark.parametrize("application", [_at_once, _in_the_answer])
def test_its_connection_is_closed_and_the_next_request_is_answered(application: object) -> None:
    """A connection that stays open counts for good, and a process accepts 800."""
    with fronting(application, threads=1) as port:  # type: ignore[arg-type]
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port), 5) as line:
                line.sendall(b"GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n")
                while line.recv(65536):  # a timeout of 5 s: the server never closed it
                    pass
        assert asked(port, "/")[0] == 200
