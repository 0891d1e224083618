"""The report of SMS as rows, for the page and the command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from engine.records.statistics import SmsCount
from engine.services.audit.sms_report import PORTAL

COLUMNS: Final = ("month", "procedure", "country", "messages", "segments", "unpriced_segments", "cost_xof")


@dataclass(frozen=True, slots=True)
class SmsTotal:
    """The sum of several counts. `cost` is in hundredths of a franc."""

    messages: int = 0
    segments: int = 0
    unpriced: int = 0
    cost: int = 0


def total(counts: Iterable[SmsCount]) -> SmsTotal:
    """Return the sum of the counts, 0 if there are none."""
    kept = tuple(counts)
    return SmsTotal(
        sum(one.messages for one in kept), sum(one.segments for one in kept), sum(one.unpriced for one in kept),
        sum(one.cost for one in kept),
    )  # fmt: skip


def csv_rows(counts: Iterable[SmsCount]) -> list[Sequence[object]]:
    """Return the rows below a header row. The cost is in francs and omits segments without price."""
    rows: list[Sequence[object]] = [COLUMNS]
    for one in counts:
        cost = f"{one.cost // 100}.{one.cost % 100:02d}"
        named = (one.month, one.procedure or PORTAL, one.country)
        rows.append((*named, one.messages, one.segments, one.unpriced, cost))
    return rows
