"""A site listening on this machine for a browser, and closed without a race: its sockets are closed when nobody waits on them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from waitress import wasyncore
from waitress.server import create_server

HOST = "127.0.0.1"


class Listener:
    """Serves `application`, which may be given once the address is known."""

    def __init__(self, application: WSGIApplication | None, threads: int) -> None:
        self._map: dict[int, Any] = {}
        self._server = create_server(application or _later, map=self._map, host=HOST, port=0, threads=threads)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.address = f"http://{HOST}:{self._server.effective_port}"

    def serves(self, application: WSGIApplication) -> None:
        self._server.application = application

    def _run(self) -> None:
        while not self._stop.is_set():
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)

    def begin(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._server.pull_trigger()
        self._thread.join()
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._map)


@contextmanager
def listening(application: WSGIApplication | None = None, threads: int = 4) -> Iterator[Listener]:
    """Until the block ends."""
    listener = Listener(application, threads)
    listener.begin()
    try:
        yield listener
    finally:
        listener.close()


def _later(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    start("503 Service Unavailable", [])
    return [b""]
