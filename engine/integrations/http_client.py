"""Speaking to an operator over HTTPS. The only door to urllib3.

One call, one answer: a short patience, for the whole of it too, no redirect, no retry (an order asked for twice may be two), an
answer of bounded size. Whatever is not a readable answer is `ProviderDown`: nothing is known.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

from engine.core.values import Plain
from engine.integrations.payment_provider import ProviderDown, ProviderSilent


class SocketDeadline:
    """From `with` on, so many seconds; then the sockets it was told of are shut, and whoever reads from them reads their end.
    `is_over` tells that from an answer that was short."""

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def watch(self, opened: socket.socket) -> None:
        self._sockets.append(opened)
        if self.is_over:
            _shut(opened)

    def _end(self) -> None:
        self.is_over = True
        for opened in self._sockets:
            _shut(opened)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self._timer.cancel()


def _shut(opened: socket.socket) -> None:
    """Below TLS: its own way would take the keys from the thread that is reading."""
    with suppress(OSError):
        socket.socket.shutdown(opened, socket.SHUT_RDWR)


_LARGEST: Final = 256 * 1024
_NOT_NOW: Final = frozenset({408, 425, 429, 502, 503, 504})  # nobody is there, or wants to be left alone
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class InsecureAddress(ValueError):
    """Secrets would travel in clear."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What the operator answered: its status and its JSON object."""

    status: int
    body: Mapping[str, Plain]

    def text(self, *path: str) -> str:
        """The text or number at a path, as text; empty when there is none."""
        found = self.at(*path)
        return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""

    def at(self, *path: str) -> Plain:
        found: Plain = dict(self.body)
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return found


class _Speaking(threading.local):
    """The call that a thread is making."""

    until: SocketDeadline | None = None


_speaking: Final = _Speaking()


class _Watched(HTTPConnection):
    """From its question on, the time of its call counts for it."""

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        _watch(self)
        return super().getresponse()


class _WatchedTls(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        _watch(self)
        return super().getresponse()


def _watch(one: HTTPConnection) -> None:
    if _speaking.until is not None and one.sock is not None:
        _speaking.until.watch(one.sock)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class HttpClient:
    """One operator's address. Safe to share between threads."""

    def __init__(self, base: str, seconds: float = 10.0) -> None:
        """`base` without its last slash. Raises `InsecureAddress` for plain HTTP to another machine."""
        split = urlsplit(base)
        if split.scheme != "https" and split.hostname not in _LOCAL:
            raise InsecureAddress(base)
        self.base = base.rstrip("/")
        connect = min(5.0, seconds)
        self._longest = connect + seconds
        self._pool = urllib3.PoolManager(
            num_pools=4, maxsize=8, retries=False, timeout=urllib3.Timeout(connect=connect, read=seconds)
        )
        self._pool.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def post(
        self, path: str, body: Mapping[str, Plain], headers: Mapping[str, str] | None = None, *, bare: bool = False
    ) -> HttpResponse:  # fmt: skip
        """`bare`: only the status of the answer counts. Raises `ProviderDown`."""
        return self._ask("POST", path, json.dumps(dict(body)).encode(), headers, bare)

    def post_form(self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> HttpResponse:
        """The same with the fields of a form. Raises `ProviderDown`."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(fields).encode(), {**kind, **(headers or {})})

    def reach(self) -> None:
        """Knocks at the address and asks for nothing: whatever answers, answers. Raises `ProviderDown` when nobody does."""
        with self._in_time():
            self._pool.request("HEAD", self.base, redirect=False).release_conn()

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """The whole call ends in time; an answer that was cut short is none, though it may look whole."""
        with SocketDeadline(self._longest) as until:
            _speaking.until = until
            try:
                yield
            except (urllib3.exceptions.HTTPError, OSError) as error:
                kind = "Deadline" if until.is_over else type(error).__name__
                raise ProviderSilent(kind) from None  # an address may hold a secret: it is not chained
            finally:
                _speaking.until = None
        if until.is_over:
            raise ProviderSilent("Deadline")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """Raises `ProviderDown`."""
        return self._ask("GET", path, None, headers)

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None, bare: bool = False
    ) -> HttpResponse:  # fmt: skip
        wanted = {"Accept": "application/json", **({"Content-Type": "application/json"} if body else {})}
        with self._in_time():
            response = self._pool.request(
                method, self.base + path, body=body, headers={**wanted, **(headers or {})}, redirect=False,
                preload_content=False,
            )  # fmt: skip
            try:
                content = response.read(_LARGEST + 1, decode_content=True)
            except BaseException:
                response.close()
                raise
            if len(content) > _LARGEST:  # nobody waits for the rest
                response.close()
            response.release_conn()
        if response.status in _NOT_NOW:
            raise ProviderSilent(f"status_{response.status}")
        if response.status >= 500 or len(content) > _LARGEST:
            raise ProviderDown(f"status_{response.status}")
        return HttpResponse(response.status, {} if bare else _read(content))


def _read(content: bytes) -> Mapping[str, Plain]:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        raise ProviderDown("unreadable") from None
    if not isinstance(read, dict):
        raise ProviderDown("unreadable")
    return read


def whole_francs(found: Plain) -> int | None:
    """An amount as operators write it: `5000`, `"5000"`, `5000.0`; none when it is not a whole number of francs."""
    if isinstance(found, bool) or not isinstance(found, (int, float, str)):
        return None
    text = str(found).strip()
    whole, _, cents = text.partition(".")
    if not whole.isascii() or not whole.isdigit() or len(whole) > 12 or cents.strip("0"):
        return None
    return int(whole)
