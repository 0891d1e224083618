"""Request log: each request has an identifier, a duration, a count and one line with its route pattern.

Addresses are never logged. The identifier comes from a trusted proxy if it is a UUID or 32 hexadecimal digits, else
it is generated. Error pages show it, so that users can quote it.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, g, request

from renderers.i18n.log_format import ACCESS, during
from renderers.web.platform.metrics import count

log = logging.getLogger(ACCESS)

PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
HEADER: Final = "X-Request-Id"
_WELL_FORMED: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ROUTE: Final = "guichet.route"
_ROLE: Final = "guichet.role"
_NOWHERE: Final = "-"  # an address without route


class RequestLog:
    """Outermost WSGI middleware. `proxies` is the number of trusted proxies.

    `host` replaces the host name of probes, which call a machine by its address.
    """

    def __init__(self, within: WSGIApplication, proxies: int = 0, host: str = "") -> None:
        self._within, self._proxies, self._host = within, proxies, host

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        begun, status = time.monotonic(), "500"
        name = self._named(environ)
        if "HTTP_HOST" in environ:
            environ["HTTP_HOST"] = environ["HTTP_HOST"].lower()  # the square of a paper holds it in capitals
        if self._host and environ.get("PATH_INFO") in PROBES:
            environ["HTTP_HOST"] = self._host
            environ.pop("HTTP_X_FORWARDED_HOST", None)

        def started(line: str, headers: list[tuple[str, str]], *failed: Any) -> Callable[[bytes], object]:
            nonlocal status
            status = line[:3]
            return start_response(line, [*headers, (HEADER, name)], *failed)

        with during(name):
            try:
                return self._within(environ, started)
            finally:
                _report(environ, status, time.monotonic() - begun)

    def _named(self, environ: WSGIEnvironment) -> str:
        given = environ.get("HTTP_X_REQUEST_ID", "") if self._proxies else ""
        return given if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex


def _report(environ: WSGIEnvironment, status: str, seconds: float) -> None:
    method = environ.get("REQUEST_METHOD", "")
    method = method if method in _METHODS else "OTHER"
    route = environ.get(ROUTE, _NOWHERE)
    if route in PROBES and status == "200":
        return
    count(method, route, status, seconds)
    reported = {
        "method": method, "route": route, "status": int(status), "ms": round(seconds * 1000),
        "role": environ.get(_ROLE, "anonymous"),
    }  # fmt: skip
    log.info("request", extra=reported)


def install(app: Flask, proxies: int = 0, hosts: tuple[str, ...] = ()) -> None:
    """Install the log. It comes before all other checks of a request, so early refusals are logged too."""
    app.wsgi_app = RequestLog(app.wsgi_app, proxies, hosts[0].removeprefix(".") if hosts else "")  # type: ignore[method-assign]
    app.before_request(_note_route)
    app.teardown_request(_note_role)


def is_probe() -> bool:
    """Return whether the request is for a health endpoint or the metrics."""
    return request.path in PROBES


def _note_route() -> None:
    if request.url_rule is not None:
        request.environ[ROUTE] = request.url_rule.rule


def _note_role(failure: BaseException | None) -> None:
    """Record the kind of actor, if the request needed it."""
    who = g.get("actors", {}).get(g.get("area", "citizen"))
    if who is not None and who.id:
        request.environ[_ROLE] = who.kind
