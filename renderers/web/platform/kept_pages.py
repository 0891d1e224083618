"""Cache of public pages for a moment, so that many requests at once render a page once.

The cache holds only pages that shared caches may store for a minute (`security.SHARED`, RFC 9111 §3), and for a
shorter time. Requests with a cookie or a query bypass it, so no personal page is stored. After a publication each
page is rendered again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from renderers.web.platform.request_log import ROUTE
from renderers.web.platform.security import SHARED

MOST: Final = 256  # pages
LARGEST: Final = 64 * 1024  # bytes of one page, compressed or not
_LONGEST: Final = 300  # characters of a key, so that invented names cannot fill the memory
_OWN: Final = ("HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_RANGE", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE")

_Key: TypeAlias = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Page:
    status: str
    headers: list[tuple[str, str]]
    body: bytes
    route: str
    office: object  # application context of the page
    until: float


class KeptPages:
    """WSGI middleware inside the request log. `office` returns the present application context.

    A page made with another context is rendered again.
    """

    def __init__(
        self, within: WSGIApplication, office: Callable[[], object], seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._within, self._office, self._seconds, self._clock = within, office, seconds, clock
        self._kept: dict[_Key, _Page] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        key = _key(environ)
        if key is None:
            return self._within(environ, start_response)
        page = self._kept.get(key)
        if page is not None and self._clock() < page.until and page.office is self._office():
            environ[ROUTE] = page.route
            start_response(page.status, list(page.headers))
            return [page.body]
        return self._made(key, environ, start_response)

    def _made(self, key: _Key, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        office, said = self._office(), list[Any]()

        def started(status: str, headers: list[tuple[str, str]], *failed: Any) -> Callable[[bytes], object]:
            said[:] = [status, headers]
            return start_response(status, headers, *failed)

        body = self._within(environ, started)
        if not said or not _may_be_kept(*said):
            return body
        try:
            whole = b"".join(body)
        finally:
            if close := getattr(body, "close", None):
                close()
        if len(whole) <= LARGEST:
            if len(self._kept) >= MOST:
                self._kept.clear()
            until = self._clock() + self._seconds
            self._kept[key] = _Page(said[0], list(said[1]), whole, environ.get(ROUTE, ""), office, until)
        return [whole]


def _key(environ: WSGIEnvironment) -> _Key | None:
    """Return the key of a page, None for a request that may be personal."""
    if environ["REQUEST_METHOD"] != "GET" or environ.get("QUERY_STRING") or any(environ.get(one) for one in _OWN):
        return None
    key = (
        environ.get("wsgi.url_scheme", ""), environ.get("HTTP_HOST", ""), environ.get("PATH_INFO", ""),
        environ.get("HTTP_ACCEPT_ENCODING", ""),
    )  # fmt: skip
    return key if sum(map(len, key)) <= _LONGEST else None


def _may_be_kept(status: str, headers: list[tuple[str, str]]) -> bool:
    said = {name.lower(): value for name, value in headers}
    return status.startswith("200") and said.get("cache-control") == SHARED and "set-cookie" not in said
