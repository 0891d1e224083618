"""The clock of the worker, compared at each pass with the last recorded moment.

After a step, irreversible work waits. A step forward looks the same as a stopped worker, and both are
treated alike. Nothing is erased until the clock ran without a step for `PROOF`. After more than
`LONG_STEP` no timer fires either. Rows written by a fast clock are corrected once it is set back, and
once a day.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.core.values import Plain
from engine.records.codec import Unreadable, instant_text, read_instant
from engine.services.context.app_context import AppContext
from engine.services.core.checkpoints import ASTRAY
from engine.services.worker.worker import WorkerPass, run_pass
from engine.storage.unit_of_work import Unit

log = logging.getLogger("guichet.clock")

STEP: Final = timedelta(days=1)  # a gap between two passes after which erasure waits
LONG_STEP: Final = timedelta(days=28)  # a gap after which no timer fires either: a month set one too far, any month
PROOF: Final = timedelta(days=3)  # longer than a weekend: the alarm is read before data is lost
NOTED_EVERY: Final = timedelta(minutes=1)
_KEY: Final = "clock"


@dataclass(frozen=True, slots=True)
class ClockWatch:
    """`seen` is the last moment a worker recorded.

    `since` is when the clock began to run without a step. `step` is the sum of the recent steps, so a
    clock set right again is trusted for timers at once.
    """

    seen: datetime
    since: datetime
    step: timedelta = timedelta()

    def is_proven(self) -> bool:
        """Return whether the clock ran without a step for `PROOF`."""
        return self.seen - self.since >= PROOF

    @property
    def erases(self) -> bool:
        """Whether the clock is trusted for erasure."""
        return self.is_proven()

    @property
    def acts(self) -> bool:
        """Whether the clock is trusted for timers."""
        return self.is_proven() or self.step < LONG_STEP


def guarded_pass(ctx: AppContext, *, calls: bool = True) -> WorkerPass:
    """Run a worker pass, limited to what the clock can be trusted for. `calls` is passed to `run_pass`."""
    watched = watch_clock(ctx)
    return run_pass(ctx, calls=calls, acts=watched.acts, erases=watched.erases)


def watch_clock(ctx: AppContext) -> ClockWatch:
    """Record the present moment, at most once a minute, and detect steps of the clock.

    It also corrects rows written by a clock that was ahead.
    """
    now = ctx.now()
    with ctx.store.unit() as unit:
        before = clock_seen(unit)
    if before is not None and -ASTRAY <= now - before.seen < NOTED_EVERY:
        return before
    with ctx.store.unit(write=True) as unit:
        before = clock_seen(unit)
        watched = _watched(before, now)
        if before is None or now < before.seen - ASTRAY or now.date() != before.seen.date():
            corrected = unit.bring_back(now, ASTRAY)
            if corrected:
                log.error("%d rows were written by a clock that was ahead: corrected", corrected)
        if before is not None and watched.since == now:
            gap, way = abs(now - before.seen), "back" if now < before.seen else "forward"
            log.error("the clock went %s by %s since the last tour: nothing is erased for %s", way, gap, PROOF)
        unit.keep_aside(_KEY, _body(watched), now)
    return watched


def _watched(before: ClockWatch | None, now: datetime) -> ClockWatch:
    if before is None:
        return ClockWatch(now, now)
    gap = now - before.seen
    if gap < -ASTRAY or gap >= STEP:
        return ClockWatch(now, now, gap if before.is_proven() else before.step + gap)
    return ClockWatch(now, before.since, before.step)


def clock_seen(unit: Unit) -> ClockWatch | None:
    """Return the last record of the workers; None before the first or if it is unreadable."""
    kept = unit.peeked_aside(_KEY)
    try:
        return _read(kept) if isinstance(kept, Mapping) else None
    except Unreadable:
        return None


def _body(watched: ClockWatch) -> dict[str, Plain]:
    step = int(watched.step.total_seconds())
    return {"seen": instant_text(watched.seen), "since": instant_text(watched.since), "step": step}


def _read(kept: Mapping[str, Plain]) -> ClockWatch:
    step = kept.get("step")
    return ClockWatch(
        read_instant(str(kept.get("seen"))), read_instant(str(kept.get("since"))),
        timedelta(seconds=step if isinstance(step, int) else 0),
    )  # fmt: skip
