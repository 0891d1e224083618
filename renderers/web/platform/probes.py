"""Health endpoints for machines: is the process alive, is it ready, metrics. No session is read or stored."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from math import inf
from typing import Final, Generic, TypeVar, cast

from flask import Blueprint, Response, abort, current_app, make_response, request

from engine.operations.metrics import MetricValues, gauges
from engine.storage.results import GLANCE, Busy, Damaged
from renderers.web.platform.access import unasked
from renderers.web.platform.metrics import CONTENT_TYPE, exposition
from renderers.web.platform.request_context import app_ctx

T = TypeVar("T")

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


class Cached(Generic[T]):
    """An answer of the store, kept for `lasts` seconds. One request asks for it; `late` answers the others meanwhile.

    So a store that is silent holds one thread, however many machines ask.
    """

    def __init__(self, ask: Callable[[], T], lasts: float, late: T) -> None:
        self._ask, self._lasts, self._late, self._last = ask, lasts, late, late
        self._asking, self._asked_at = threading.Lock(), -inf

    def value(self) -> T:
        """Return the answer, a kept one while another request has just begun to ask."""
        if not self._asking.acquire(timeout=GLANCE):
            return self._last if time.monotonic() < self._asked_at + 2 * self._lasts else self._late
        try:
            if time.monotonic() >= self._asked_at + self._lasts:
                self._last, self._asked_at = self._ask(), time.monotonic()
            return self._last
        finally:
            self._asking.release()


class Probes:
    """The state of this process for monitoring. `of_process` and `of_store` return codes of what prevents serving."""

    def __init__(
        self, of_process: Callable[[], tuple[str, ...]], of_store: Callable[[], tuple[str, ...]], readers: Readers
    ) -> None:  # fmt: skip
        self.readers, self.stopping = readers, threading.Event()
        self._process = Cached(of_process, READY_KEPT, ())
        self._store = Cached(of_store, READY_KEPT, ("store_unreachable",))
        self._gauges = Cached(_gauges, GAUGES_KEPT, None)

    def reasons(self, alone: bool = False) -> tuple[str, ...]:
        """Return the codes of what prevents serving, empty if ready.

        With `alone` they are those of this process, without a look at the store: a proxy that asks for them keeps its
        processes while the store is away.
        """
        if self.stopping.is_set():
            return ("stopping",)
        return (*(() if alone else self._store.value()), *self._process.value())

    def figures(self) -> bytes:
        """Return the metrics. Those of the store are up to ten seconds old, and absent while it is silent."""
        return exposition(self._gauges.value())


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
    """Answer 200 if the process can serve, else 503 with the reasons. `?of=process`: only those of this process."""
    reasons = probes().reasons(request.args.get("of") == "process")
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
