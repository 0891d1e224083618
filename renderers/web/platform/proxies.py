"""WSGI middleware: what surrounds each request. Above all the client's address as the trusted proxies in front report it.

Each proxy appends the address it saw to `X-Forwarded-For`. With N trusted proxies, the N-th entry from the right is
the client. Entries before it come from the client and are ignored. `X-Forwarded-Proto` and `X-Forwarded-Host` follow
the same rule. A header with fewer entries is read from its first. Proxies that set instead of append have one entry,
as in `docs/deploy/nginx.conf`. A request without the header passed no proxy and has the address of its connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from typing import Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.wrappers import Response

from engine.storage.unit_of_work import Store

_SCHEMES: Final = ("http", "https")
_WITH_PORT: Final = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[0-9.]+))(?::[0-9]{1,5})?")


class Proxies:
    """WSGI middleware for `count` trusted proxies, one at least. A malformed value is answered with 400."""

    def __init__(self, within: WSGIApplication, count: int) -> None:
        self._within, self._count = within, count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            self._read(environ)
        except ValueError:
            return Response("Bad request: malformed X-Forwarded header.\n", 400)(environ, start_response)
        return self._within(environ, start_response)

    def _read(self, environ: WSGIEnvironment) -> None:
        """Set address, scheme and host of the request. Raises ValueError for a malformed value."""
        if address := self._trusted(environ, "HTTP_X_FORWARDED_FOR"):
            environ["REMOTE_ADDR"] = read_address(address)
        if scheme := self._trusted(environ, "HTTP_X_FORWARDED_PROTO"):
            if scheme.lower() not in _SCHEMES:
                raise ValueError(scheme)
            environ["wsgi.url_scheme"] = scheme.lower()
        if host := self._trusted(environ, "HTTP_X_FORWARDED_HOST"):
            environ["HTTP_HOST"] = host.lower()

    def _trusted(self, environ: WSGIEnvironment, name: str) -> str:
        """Return the entry of the farthest trusted proxy, empty without the header."""
        if name not in environ:
            return ""
        entry = environ[name].split(",")[-self._count :][0].strip().strip('"')
        if not entry:
            raise ValueError(name)
        return str(entry)


class SharedSnapshots:
    """WSGI middleware: all that a request reads before it writes, or after, is one snapshot of the store."""

    def __init__(self, within: WSGIApplication, store: Callable[[], Store]) -> None:
        self._within, self._store = within, store

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._store().snapshots():
            return self._within(environ, start_response)


def read_address(text: str) -> str:
    """Return an IP address in its shortest form, without port and zone. Raises ValueError.

    Accepted forms: `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::1`, `[2001:db8::1]:4711`. An IPv4-mapped address becomes
    IPv4.
    """
    if found := _WITH_PORT.fullmatch(text):
        text = found["v6"] or found["v4"]
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
