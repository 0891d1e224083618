"""HTTPS client of external systems. The only module that imports urllib3.

One call gives one answer, within a time limit for the whole call. There is no redirect and no retry, because
an order sent twice may be collected twice. The size of an answer is bounded. Anything but a readable answer
is `ProviderDown`: the result is unknown.
"""

from __future__ import annotations

import json
import re
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
    """A time limit in seconds that starts with `with` and then shuts the watched sockets.

    A blocked reader then gets the end of the stream. `is_over` distinguishes that from a short answer.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def watch(self, opened: socket.socket) -> None:
        """Add a socket to shut at the deadline. It is shut at once when the deadline has passed."""
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
    """Shut a socket below TLS, because a TLS shutdown would take the keys from the reading thread."""
    with suppress(OSError):
        socket.socket.shutdown(opened, socket.SHUT_RDWR)


_LARGEST: Final = 256 * 1024
_NOT_NOW: Final = frozenset({408, 425, 429, 502, 503, 504})  # no server is available, or it limits requests
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class InsecureAddress(ValueError):
    """An address over which secrets would travel unencrypted."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The answer of an external system: its status and its JSON object."""

    status: int
    body: Mapping[str, Plain]

    def text(self, *path: str) -> str:
        """Return the text or number at a path as text, empty when there is none."""
        found = self.at(*path)
        return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""

    def at(self, *path: str) -> Plain:
        """Return the value at a path of keys, None when there is none."""
        found: Plain = dict(self.body)
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return found


class _Speaking(threading.local):
    """The deadline of the call that a thread is making."""

    until: SocketDeadline | None = None


_speaking: Final = _Speaking()


class _Watched(HTTPConnection):
    """A connection that its call's deadline watches from the request on."""

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
    """A client of one base address, safe to share between threads."""

    def __init__(self, base: str, seconds: float = 10.0) -> None:
        """Set the base address and the time limit in seconds.

        Raises `InsecureAddress` for plain HTTP to another machine.
        """
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
        """Post a JSON object. With `bare`, only the status of the answer is read. Raises `ProviderDown`."""
        return self._ask("POST", path, json.dumps(dict(body)).encode(), headers, bare)

    def post_form(self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> HttpResponse:
        """Post the fields of a form. Raises `ProviderDown`."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urlencode(fields).encode(), {**kind, **(headers or {})})

    def reach(self) -> None:
        """Send a HEAD request to the base address. Any answer is a success. Raises `ProviderDown` without one."""
        with self._in_time():
            self._pool.request("HEAD", self.base, redirect=False).release_conn()

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Limit the time of a whole call. An answer that was cut short is discarded, even if it looks complete."""
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
        """Get a JSON object. Raises `ProviderDown`."""
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
            if len(content) > _LARGEST:  # the rest is not read
                response.close()
            response.release_conn()
        if response.status in _NOT_NOW:
            raise ProviderSilent(f"status_{response.status}")
        if response.status >= 500 or len(content) > _LARGEST:
            raise ProviderDown(f"status_{response.status}")
        return HttpResponse(response.status, {} if bare else _read(content))


def _read(content: bytes) -> Mapping[str, Plain]:
    try:
        read = _storable(json.loads(content))
    except (ValueError, RecursionError):
        raise ProviderDown("unreadable") from None
    if not isinstance(read, dict):
        raise ProviderDown("unreadable")
    return read


def _storable(value: Plain) -> Plain:
    """Return the value with U+FFFD for NUL and lone surrogates, which no store accepts."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("\ufffd", name): _storable(one) for name, one in value.items()}
    return value


def whole_francs(found: Plain) -> int | None:
    """Return an amount as operators write it: `5000`, `"5000"`, `5000.0`. None when it is no whole number of francs."""
    if isinstance(found, bool) or not isinstance(found, (int, float, str)):
        return None
    text = str(found).strip()
    whole, _, cents = text.partition(".")
    if not whole.isascii() or not whole.isdigit() or len(whole) > 12 or cents.strip("0"):
        return None
    return int(whole)
