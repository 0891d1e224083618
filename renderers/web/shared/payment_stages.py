"""The stage of a payment that its payer follows, read from what is kept of it, and how often the page asks again.

The age of the payment alone decides: nothing is counted, so that a reload, a lost page and a second tab change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from engine.records.dossier import Payment
from engine.services.payments.settlement import OPEN, SECOND_THOUGHTS, is_placing

Stage: TypeAlias = Literal["asking", "slow", "confirm", "page"]

SLOW: Final = timedelta(seconds=10)  # after which the operator is said to be slow
# seconds until the next look, by the age of the payment: each look costs the payer data
_AGES: Final = ((timedelta(seconds=6), 2), (timedelta(seconds=14), 4), (timedelta(seconds=30), 8))
_LATER: Final = 15


@dataclass(frozen=True, slots=True)
class Following:
    """What a payment that has no end yet waits for. `left`: whole minutes, 1 at least; `again`: seconds until the next look."""

    stage: Stage
    left: int
    again: int

    @property
    def mark(self) -> str:
        """Changes whenever the page says something else."""
        return f"{self.stage}-{self.left}" if self.stage in ("confirm", "page") else self.stage


def page_left(payment: Payment, now: datetime) -> str:
    """The operator's page where an open payment may still be finished, as long as no other payment may be started."""
    usable = payment.status in OPEN and now < payment.started_at + SECOND_THOUGHTS
    return (payment.page or "") if usable else ""


def following(payment: Payment, now: datetime) -> Following:
    """Of a pending payment."""
    age = now - payment.started_at
    left = max(1, -((now - payment.expires_at) // timedelta(minutes=1)))
    again = next((seconds for until, seconds in _AGES if age < until), _LATER)
    if is_placing(payment):
        return Following("slow" if age >= SLOW else "asking", left, again)
    if payment.page:
        return Following("page", left, _LATER)
    return Following(
        "slow" if payment.method == "card" else "confirm", left, again
    )  # without its page no card is typed
