"""Health endpoints for machines: is the process alive, is it ready, metrics. No session is read or stored."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, cast

from flask import Blueprint, Response, abort, current_app, make_response, request

from engine.operations.metrics import MetricValues, gauges
from engine.storage.results import Busy, Damaged
from renderers.web.platform.access import unasked
from renderers.web.platform.metrics import CONTENT_TYPE, exposition
from renderers.web.platform.request_context import app_ctx

blueprint = Blueprint("probes", __name__)

READY_KEPT: Final = 1.0  # seconds for which an answer is cached, so that frequent requests do not reach the store
GAUGES_KEPT: Final = 10.0
_FORWARDED: Final = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")


@dataclass(frozen=True, slots=True)
class Readers:
    """Access to the metrics: closed until a network or a token is set. If both are set, both are required."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    token: str = field(default="", repr=False)
    proxies: int = 0

    @classmethod
    def of(cls, networks: Iterable[str], token: str, proxies: int) -> Readers:
        """Return the access rule. Raises ValueError if a text is neither an address nor a network."""
        return cls(tuple(ip_network(one.strip()) for one in networks), token, proxies)

    def may(self) -> bool:
        """Return whether this request may read the metrics."""
        if not self.networks and not self.token:
            return False
        return (not self.networks or self._is_near()) and (not self.token or self._knows())

    def _is_near(self) -> bool:
        """Return whether the client is in an allowed network. A request through an undeclared proxy is not."""
        if not self.proxies and any(name in request.headers for name in _FORWARDED):
            return False
        try:
            address = ip_address(request.remote_addr or "")
        except ValueError:
            return False
        return any(address in one for one in self.networks)

    def _knows(self) -> bool:
        said = request.headers.get("Authorization", "")
        return compare_digest(said.encode(), f"Bearer {self.token}".encode())


@dataclass
class Probes:
    """The state of this process for monitoring. `not_ready` returns codes of what prevents serving."""

    not_ready: Callable[[], tuple[str, ...]]
    readers: Readers = field(default_factory=Readers)
    stopping: threading.Event = field(default_factory=threading.Event)
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _until: float = 0.0
    _reasons: tuple[str, ...] = ()
    _gauges: MetricValues | None = None
    _fresh_until: float = 0.0

    def reasons(self) -> tuple[str, ...]:
        """Return the codes of what prevents serving, at most a second old. Empty if ready."""
        if self.stopping.is_set():
            return ("stopping",)
        with self._asking:
            if time.monotonic() >= self._until:
                self._reasons, self._until = self.not_ready(), time.monotonic() + READY_KEPT
            return self._reasons

    def figures(self) -> bytes:
        """Return the metrics. Those of the store are up to ten seconds old."""
        with self._asking:
            if time.monotonic() >= self._fresh_until:
                self._gauges, self._fresh_until = _gauges(), time.monotonic() + GAUGES_KEPT
            return exposition(self._gauges)


def _gauges() -> MetricValues | None:
    try:
        return gauges(app_ctx())
    except (Busy, Damaged):
        return None


def probes() -> Probes:
    """Return the probes of the running application."""
    return cast(Probes, current_app.extensions["guichet.probes"])


@blueprint.get("/healthz")
@unasked
def alive() -> Response:
    """Answer `ok` without any check."""
    return _said("ok\n", "text/plain; charset=utf-8")


@blueprint.get("/readyz")
@unasked
def ready() -> Response:
    """Answer 200 if the process can serve, else 503 with the reasons."""
    reasons = probes().reasons()
    answer = current_app.json.response({"ready": not reasons, "reasons": list(reasons)})
    answer.status_code = 503 if reasons else 200
    return cast(Response, answer)


@blueprint.get("/metrics")
@unasked
def metrics() -> Response:
    """Show the metrics to allowed readers. Any other request gets 404."""
    if not probes().readers.may():
        abort(404)
    return _said(probes().figures(), CONTENT_TYPE)


def _said(body: str | bytes, kind: str) -> Response:
    answer = make_response(body)
    answer.content_type = kind
    return answer
