"""HTTP server: limits on connections, and an orderly stop.

Many connections may be open at once. A client that sends too slowly is cut, and slow reading occupies no thread. On a
stop no new connection is accepted and requests under way are finished, within a time limit.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType
from typing import Any, Final
from wsgiref.types import WSGIApplication

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ThreadedTaskDispatcher, WSGITask

from engine.services.context.rate_limit import block_of, network_of
from renderers.cli.admin.bodies import Request

_TURN: Final = 0.2  # seconds between two checks of the requests under way
_AT_ONCE: Final = 800  # connections of one process, which may open 1,024 files by default
_IDLE: Final = 30  # seconds without data after which a connection is closed
_GRACE: Final = 20.0  # seconds to receive a whole request,
_LEAST: Final = 500  # plus one for each of so many bytes received: a large file over a slow line,
_AHEAD: Final = 30.0  # never more than so many seconds ahead: early bytes extend no limit without end
_READY: Final = 1 << 28  # bytes of an answer buffered on disk for a slow reader; beyond them its thread would wait
_UNSENT: Final = 16_384  # bytes that the system buffers for a connection


def freeze_loaded() -> None:
    """Leave what the start loaded out of garbage collection: it lives as long as the process, and a search through it
    stops all threads."""
    gc.collect()
    gc.freeze()


class AnsweredTask(WSGITask):
    """A request under way. Whatever ends it, its connection is answered and closed.

    waitress does so for an `Exception` only. A panic of a library written in Rust is none: the connection would be
    counted for good, and after 800 of them the process accepts no other.
    """

    def service(self) -> None:
        """Answer the request. Raises Exception."""
        try:
            super().service()
        except Exception:
            raise
        except BaseException as ended:
            raise RuntimeError(f"ended by {type(ended).__name__}") from ended


class Channel(HTTPChannel):
    """A connection with a time limit for the rest of its request.

    One request at a time, because no browser sends several at once. A client that does gets one answer, and the
    connection closes.
    """

    _until = 0.0
    _several = False
    task_class = AnsweredTask

    def __init__(self, server: BaseWSGIServer, sock: socket.socket, *more: Any, **others: Any) -> None:
        with suppress(AttributeError, OSError):  # a system without this option
            # a small system buffer, so that a slow reader is seen to read
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        super().__init__(server, sock, *more, **others)

    def parser_class(self, adj: Any) -> Request:
        """Return the parser of one request, whose body is counted under the block of its address."""
        return Request(adj, lambda request: block_of(self.server.task_dispatcher.queue.address_of(self, request)))

    def received(self, data: bytes) -> bool:
        """Pass data to the parser, extend the time limit by the bytes received, and drop additional requests."""
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
        """Answer the request, then close the connection if the client sent several requests."""
        super().service()
        if self._several:
            with self.requests_lock:
                self.close_when_flushed = True
            self.server.pull_trigger()

    def handle_close(self) -> None:
        """Close the connection and the unfinished request, which releases its reserved bytes."""
        super().handle_close()
        if (cut := self.request) is not None:
            self.request = None
            cut.close()

    def is_too_slow(self, now: float) -> bool:
        """Return whether the time limit has passed.

        Without it one byte at a time would hold a connection for ever.
        """
        return self.request is not None and now > self._until


class Turns:
    """The requests that wait for a thread, by address. It replaces the single queue of waitress.

    Each address has its turn, so that one address with 200 requests does not delay the others. The caller holds
    the lock of the dispatcher. `proxies` is the number of trusted proxies.
    """

    def __init__(self, proxies: int) -> None:
        self._proxies = proxies
        self._waiting: dict[str, deque[HTTPChannel]] = {}  # in the order of their turns

    def append(self, channel: HTTPChannel) -> None:
        """Add a request behind those of its address."""
        request = channel.requests[0] if channel.requests else None
        self._waiting.setdefault(self.address_of(channel, request), deque()).append(channel)

    def popleft(self) -> HTTPChannel:
        """Remove and return the first request of the address whose turn it is."""
        address = next(iter(self._waiting))
        line = self._waiting.pop(address)
        first = line.popleft()
        if line:
            self._waiting[address] = line  # at the end
        return first

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def address_of(self, channel: HTTPChannel, request: Request | None) -> str:
        """Return the address that the trusted proxies report. Entries written by the client are ignored."""
        said = request.headers.get("X_FORWARDED_FOR", "") if self._proxies and request is not None else ""
        address = said.split(",")[-self._proxies :][0].strip().strip('"') if said else str(channel.addr[0])
        bare = address.partition(":")[0] if address.count(":") == 1 else address.lstrip("[").partition("]")[0]
        return network_of(bare.partition("%")[0])  # malformed addresses share one turn


def turns_of(threads: int, proxies: int) -> ThreadedTaskDispatcher:
    """Return a dispatcher with so many threads, whose queue is `Turns`."""
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.queue = Turns(proxies)
    dispatcher.set_thread_count(threads)
    return dispatcher


class Front:
    """The server of a listening socket."""

    def __init__(
        self, app: WSGIApplication, listening: socket.socket, threads: int, largest: int, proxies: int = 0
    ) -> None:  # fmt: skip
        self._map: dict[int, Any] = {}
        self._server = create_server(
            app, map=self._map, _dispatcher=turns_of(threads, proxies), sockets=[listening], threads=threads, ident="guichet", max_request_body_size=largest,
            connection_limit=_AT_ONCE, channel_timeout=_IDLE, cleanup_interval=_IDLE // 6, backlog=_AT_ONCE,
            outbuf_high_watermark=_READY,
            # X-Forwarded-* headers reach the application, which knows how many proxies are trusted (`renderers/web/platform/proxies.py`)
            clear_untrusted_proxy_headers=False,
        )  # fmt: skip
        for area in self._servers():
            area.channel_class = Channel
        self._looked = time.monotonic()

    def run(self, stopping: threading.Event, leave_after: float = 0.0) -> None:
        """Serve until the event is set, and for `leave_after` seconds more: a proxy notices that before the end."""
        end: float | None = None
        while end is None or time.monotonic() < end:
            if end is None and stopping.is_set():
                end = time.monotonic() + leave_after
                continue
            wasyncore.loop(timeout=1.0, use_poll=True, map=self._map, count=1)
            self._cut_the_slow()

    def _cut_the_slow(self) -> None:
        now = time.monotonic()
        if now - self._looked < 1.0:
            return
        self._looked = now
        for one in list(self._map.values()):
            # a reader idle for long: waitress alone would wait until it may write
            if isinstance(one, Channel) and (one.is_too_slow(now) or one.will_close):
                one.handle_close()

    def wake(self) -> None:
        """Make `run` check at once whether it has to stop. May be called from any thread."""
        for area in self._servers():
            area.pull_trigger()

    def drain(self, within: float) -> bool:
        """Stop accepting and finish the requests under way, for `within` seconds at most. False if some were cut."""
        for area in self._servers():
            self._accept_pending(area)
            wasyncore.dispatcher.close(area)
        began = time.monotonic()
        while (left := began + _TURN - time.monotonic()) > 0:  # who was just accepted has time to send
            wasyncore.loop(timeout=left, use_poll=True, map=self._map, count=1)
        end = began + within
        while under_way := self._under_way():
            if time.monotonic() > end:
                for channel in under_way:
                    channel.handle_close()
                return False
            wasyncore.loop(timeout=_TURN, use_poll=True, map=self._map, count=1)
        return True

    def _accept_pending(self, area: BaseWSGIServer) -> None:
        """Accept all connections that wait. waitress accepts one a turn, and those left are reset with the socket."""
        for _ in range(_AT_ONCE):
            before = len(self._map)
            area.handle_accept()
            if len(self._map) == before:
                return

    def _servers(self) -> list[BaseWSGIServer]:
        return [one for one in list(self._map.values()) if isinstance(one, BaseWSGIServer)]

    def _under_way(self) -> list[HTTPChannel]:
        """Return the connections that send or await data, and close the idle ones."""
        left = []
        for one in list(self._map.values()):
            if isinstance(one, HTTPChannel):
                if one.requests or one.request is not None or one.total_outbufs_len:
                    left.append(one)
                else:
                    one.handle_close()
        return left


def on_signal(act: Callable[[], None]) -> None:
    """Call `act` in a thread at the first SIGTERM or Ctrl-C. A second one ends the process at once.

    The handler takes no lock: it runs in the middle of any statement of the main thread, which may hold one.
    """
    reader, writer = os.pipe()

    def wait() -> None:
        os.read(reader, 1)
        act()

    def reported(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.write(writer, b".")

    threading.Thread(target=wait, name="signals", daemon=True).start()

    signal.signal(signal.SIGTERM, reported)
    signal.signal(signal.SIGINT, reported)


def finish(threads: Iterable[threading.Thread], within: float) -> bool:
    """Wait for the worker passes under way, for `within` seconds in total. False if one continues."""
    end = time.monotonic() + within
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
