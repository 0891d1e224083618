"""How a server stands at its door and how it stops.

Many may stand there at once; whoever sends too slowly is cut, and no thread waits for who takes too slowly. Told to stop, nothing
new is let in, what is under way is finished, the worker ends its turn; all within a bound.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType
from typing import Any, Final
from wsgiref.types import WSGIApplication

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server

from renderers.cli.admin.bodies import Request

_TURN: Final = 0.2  # seconds between two looks at what is under way
_AT_ONCE: Final = 800  # connections of one process; it may open 1,024 files where nothing else is said
_IDLE: Final = 30  # seconds that a connection may stand without a word
_GRACE: Final = 20.0  # seconds for a request to come whole,
_LEAST: Final = 500  # and one more for so many bytes of it that came: a large file over a poor line,
_AHEAD: Final = 30.0  # never more than so many seconds ahead: what came early buys no time without end
_READY: Final = 1 << 28  # bytes of an answer on the disk for who takes it slowly; past them its thread would wait too
_UNSENT: Final = 16_384  # bytes that the system holds for a connection


class Channel(HTTPChannel):
    """A connection that knows until when more of its request must have come. One request at a time: no browser sends several
    at once; whoever does has one answer and begins anew."""

    _until = 0.0
    _several = False
    parser_class = Request

    def __init__(self, server: BaseWSGIServer, sock: socket.socket, *more: Any, **others: Any) -> None:
        with suppress(AttributeError, OSError):  # a system that cannot tell
            # little lies there, so that who takes a little at a time is heard taking it
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        super().__init__(server, sock, *more, **others)

    def received(self, data: bytes) -> bool:
        before = self.request
        going: bool = super().received(data)
        now = time.monotonic()
        if self.request is not before:
            self._until = now + _GRACE
        self._until = max(self._until, min(self._until + len(data) / _LEAST, now + _AHEAD))
        with self.requests_lock:
            for request in self.requests[1:]:
                request.close()
                self._several = True
            del self.requests[1:]
        return going

    def service(self) -> None:
        super().service()
        if self._several:
            with self.requests_lock:
                self.close_when_flushed = True
            self.server.pull_trigger()

    def handle_close(self) -> None:
        super().handle_close()
        if (cut := self.request) is not None:
            self.request = None
            cut.close()

    def is_too_slow(self, now: float) -> bool:
        """Whoever sends a sign at a time would hold a connection for ever."""
        return self.request is not None and now > self._until


class Front:
    """The door of the web. Raises OSError when the port is taken."""

    def __init__(self, app: WSGIApplication, host: str, port: int, threads: int, largest: int) -> None:
        self._map: dict[int, Any] = {}
        self._server = create_server(
            app, map=self._map, host=host, port=port, threads=threads, ident="guichet", max_request_body_size=largest,
            connection_limit=_AT_ONCE, channel_timeout=_IDLE, cleanup_interval=_IDLE // 6, backlog=_AT_ONCE,
            outbuf_high_watermark=_READY,
            # X-Forwarded-* headers reach the application, which knows how many proxies are trusted (`renderers/web/platform/proxies.py`)
            clear_untrusted_proxy_headers=False,
        )  # fmt: skip
        for area in self._servers():
            area.channel_class = Channel
        self._looked = time.monotonic()

    def run(self, stopping: threading.Event) -> None:
        """Serves until told to stop."""
        while not stopping.is_set():
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)
            self._cut_the_slow()

    def _cut_the_slow(self) -> None:
        now = time.monotonic()
        if now - self._looked < 1.0:
            return
        self._looked = now
        for one in list(self._map.values()):
            # one that took nothing for long: waitress by itself waits until it may write
            if isinstance(one, Channel) and (one.is_too_slow(now) or one.will_close):
                one.handle_close()

    def wake(self) -> None:
        """Makes `run` look at once whether it is told to stop."""
        for area in self._servers():
            area.pull_trigger()

    def drain(self, within: float) -> bool:
        """Lets nobody else in and finishes what came in, so many seconds at most. False: something was cut."""
        wasyncore.loop(timeout=0.0, use_poll=True, map=self._map, count=1)  # who stands in the doorway is in
        for area in self._servers():
            wasyncore.dispatcher.close(area)
        end = time.monotonic() + within
        while under_way := self._under_way():
            if time.monotonic() > end:
                for channel in under_way:
                    channel.handle_close()
                return False
            wasyncore.loop(timeout=_TURN, use_poll=True, map=self._map, count=1)
        return True

    def _servers(self) -> list[BaseWSGIServer]:
        return [one for one in list(self._map.values()) if isinstance(one, BaseWSGIServer)]

    def _under_way(self) -> list[HTTPChannel]:
        """The connections that send or await something; those that stand idle are closed."""
        left = []
        for one in list(self._map.values()):
            if isinstance(one, HTTPChannel):
                if one.requests or one.request is not None or one.total_outbufs_len:
                    left.append(one)
                else:
                    one.handle_close()
        return left


def on_signal(act: Callable[[], None]) -> None:
    """The first SIGTERM or Ctrl-C calls `act`; another one ends the process at once."""

    def reported(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        act()

    signal.signal(signal.SIGTERM, reported)
    signal.signal(signal.SIGINT, reported)


def finish(threads: Iterable[threading.Thread], within: float) -> bool:
    """Waits for the turns under way, so many seconds at most together. False: one goes on."""
    end = time.monotonic() + within
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
