"""Metrics: queue lengths and ages, age of the editions in force; and readiness of this process."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from engine.records.statistics import OverdueCount
from engine.services.context.app_context import AppContext
from engine.services.core.call_queue import last_beat
from engine.services.keys.signing_keys import NoKeys, SigningKeys
from engine.services.limits.code_limits import new_numbers
from engine.storage.results import Busy, Damaged

LEAST_FREE: Final = (
    64 * 1024 * 1024
)  # bytes below which no write is safe; uploads stop long before (`storage/files/reserve.py`)


@dataclass(frozen=True, slots=True)
class MetricValues:
    """The figures of one moment. Ages are in seconds."""

    dossiers: Mapping[tuple[str, str], int]
    letters: int
    letter_age: float
    timers: int
    timer_age: float
    payments: Mapping[str, int]
    pending: int
    published: int
    editions: Mapping[str, float]
    checkpoint_age: float | None = None
    new_numbers: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # `code_limits.new_numbers`
    upload_space: int = 0  # bytes that uploads may still use; negative once they stopped
    worker_age: float | None = None


def gauges(ctx: AppContext) -> MetricValues:
    """Return the figures of now. Raises `Busy` when the store does not answer."""
    now, catalogue = ctx.now(), ctx.catalogue
    evaluated = ctx.store.migration_state()
    with ctx.store.unit() as unit:
        queues, published, tree, beat = unit.queues(now), unit.last_publication(), unit.tree(), last_beat(unit, now)
        new = new_numbers(ctx.settings.sms, unit, now)
    ages = {
        procedure: (now - at).total_seconds()
        for (procedure, fingerprint), at in queues.editions.items()
        if catalogue.fingerprint(procedure) == fingerprint
    }
    return MetricValues(
        queues.dossiers, queues.letters.count, _age(queues.letters, now), queues.timers.count,
        _age(queues.timers, now), {"pending": 0, "unknown": 0, **queues.payments}, len(evaluated.pending), published, ages,
        (now - tree.at).total_seconds() if tree else None, new, ctx.attachments.reserve.free_bytes(),
        beat[1].total_seconds() if beat else None,
    )  # fmt: skip


def _age(waiting: OverdueCount, now: datetime) -> float:
    return (now - waiting.since).total_seconds() if waiting.since else 0.0


def process_not_ready(ctx: AppContext, ring: Path | None, data: Path) -> tuple[str, ...]:
    """Return the codes of why this process cannot serve, which another process may not share. `ring`: its key file."""
    return (
        *(_of_keys(ring) if ring else ()),
        *_of_disk(data),
        *(() if ctx.catalogue.procedures.keys() else ("no_edition",)),
    )


def store_not_ready(ctx: AppContext) -> tuple[str, ...]:
    """Return the codes of why the store cannot serve: most often the same for every process."""
    try:
        evaluated = ctx.store.migration_state()
        with ctx.store.unit() as unit:
            unit.last_publication()
    except Busy:
        return ("store_unreachable",)
    except Damaged:
        return ("store_damaged",)
    return (
        *(("migrations_pending",) if evaluated.pending else ()),
        *(("store_of_another_release",) if not evaluated.usable else ()),
    )


def _of_keys(ring: Path) -> tuple[str, ...]:
    try:
        SigningKeys.open(ring)
    except NoKeys:
        return ("keys_unreadable",)
    return ()


def _of_disk(data: Path) -> tuple[str, ...]:
    try:
        return ("disk_full",) if shutil.disk_usage(data).free < LEAST_FREE else ()
    except OSError:
        return ("data_unreachable",)
