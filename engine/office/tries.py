"""Tries at the doors, counted in the store so that all servers share the count."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from engine.problems import Refusal, refusal
from engine.records.store import Unit

WINDOW: Final = timedelta(minutes=15)


def too_many(unit: Unit, now: datetime, *counted: tuple[str, int]) -> Refusal | None:
    """Counts one more try under each key, in a window of a quarter of an hour. A client without address is not counted:
    everybody would share its count."""
    began = int(now.timestamp()) // int(WINDOW.total_seconds())
    over = [unit.count_try(key, str(began)) > most for key, most in counted if not key.endswith("@")]
    return refusal("too_many_tries", minutes=int(WINDOW.total_seconds()) // 60) if any(over) else None
