"""Metrics of an installation for Prometheus: requests from each process, the rest from the store.

No label names a person, a dossier or an address. Processes behind one port share their metrics in the folder
`PROMETHEUS_MULTIPROC_DIR` of the library.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from engine.operations.metrics import MetricValues

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SHARED: Final = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
if _SHARED:
    Path(_SHARED).mkdir(parents=True, exist_ok=True)

disable_created_metrics()  # Prometheus records when a series began
_OWN: Final = CollectorRegistry()
_REQUESTS: Final = Counter(
    "guichet_http_requests", "Requests answered.", ("method", "route", "status"), registry=_OWN
)  # fmt: skip
_SECONDS: Final = Histogram(
    "guichet_http_request_duration_seconds", "Time to answer.", ("route",), buckets=_BUCKETS, registry=_OWN
)  # fmt: skip
if not _SHARED:
    ProcessCollector(registry=_OWN)


def count(method: str, route: str, status: str, seconds: float) -> None:
    """Count one request, by the class of its status (`2xx`). `seconds` is its duration."""
    _REQUESTS.labels(method, route, f"{status[0]}xx").inc()
    _SECONDS.labels(route).observe(seconds)


def exposition(gauges: MetricValues | None) -> bytes:
    """Return all metrics in the text format. `gauges` is None if the store did not answer."""
    read = CollectorRegistry()
    if _SHARED:
        MultiProcessCollector(read)  # type: ignore[no-untyped-call]
    read.register(_Kept(gauges))
    return generate_latest(read) + (b"" if _SHARED else generate_latest(_OWN))


class _Kept:
    """Collector of the values that the store reports now."""

    def __init__(self, gauges: MetricValues | None) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("guichet_store_up", "1 when the store answers.", float(self._gauges is not None))
        if self._gauges is not None:
            yield from _metrics(self._gauges)


def _metrics(reported: MetricValues) -> Iterator[Metric]:
    dossiers = GaugeMetricFamily("guichet_dossiers", "Open dossiers.", labels=("procedure", "state"))
    for (procedure, state), n in sorted(reported.dossiers.items()):
        dossiers.add_metric((procedure, state), n)
    yield dossiers
    yield GaugeMetricFamily("guichet_outbox_waiting", "Messages that are due and have not left.", reported.letters)
    yield GaugeMetricFamily(
        "guichet_outbox_oldest_seconds", "How long the oldest of them has been due.", reported.letter_age
    )
    yield GaugeMetricFamily("guichet_timers_late", "Due dates that are over and were not acted upon.", reported.timers)
    yield GaugeMetricFamily(
        "guichet_timers_oldest_seconds", "How long the oldest of them has been over.", reported.timer_age
    )
    payments = GaugeMetricFamily("guichet_payments_open", "Payments without an outcome.", labels=("status",))
    for status, n in sorted(reported.payments.items()):
        payments.add_metric((status,), n)
    yield payments
    yield GaugeMetricFamily("guichet_migrations_pending", "Migrations that the store has not had.", reported.pending)
    yield GaugeMetricFamily("guichet_publications", "Number of the last publication.", reported.published)
    editions = GaugeMetricFamily(
        "guichet_edition_age_seconds", "Since when the edition in force is kept.", labels=("procedure",)
    )
    for procedure, age in sorted(reported.editions.items()):
        editions.add_metric((procedure,), age)
    yield editions
    sent = GaugeMetricFamily(
        "guichet_sms_new_numbers", "Codes of the last hour to numbers that never signed in.", labels=("country",)
    )
    bound = GaugeMetricFamily(
        "guichet_sms_new_numbers_most", "How many of them an hour takes at most.", labels=("country",)
    )
    for country, (n, most) in reported.new_numbers.items():
        sent.add_metric((country,), n)
        bound.add_metric((country,), most)
    yield sent
    yield bound
    yield GaugeMetricFamily(
        "guichet_upload_room_bytes",
        "Disk space that uploads may still use; negative once they stopped.",
        reported.upload_space,
    )
    if reported.worker_age is not None:
        yield GaugeMetricFamily("guichet_worker_age_seconds", "Since a worker was last heard.", reported.worker_age)
    if reported.checkpoint_age is not None:
        yield GaugeMetricFamily(
            "guichet_checkpoint_age_seconds", "Since the journal was last signed.", reported.checkpoint_age
        )
