"""Stage of a payment for its payer, and the interval of the page's refreshes.

Only the age of the payment counts, so a reload, a lost page or a second tab changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from engine.records.dossier import Payment
from engine.services.payments.settlement import OPEN, SECOND_THOUGHTS, is_placing

Stage: TypeAlias = Literal["asking", "slow", "confirm", "page"]

SLOW: Final = timedelta(seconds=10)  # age from which the page calls the operator slow
# seconds until the next refresh, by the age of the payment; each one costs the payer data
_AGES: Final = ((timedelta(seconds=6), 2), (timedelta(seconds=14), 4), (timedelta(seconds=30), 8))
_LATER: Final = 15


@dataclass(frozen=True, slots=True)
class Following:
    """What a pending payment waits for.

    `left`: whole minutes, at least 1. `again`: seconds until the next refresh.
    """

    stage: Stage
    left: int
    again: int

    @property
    def mark(self) -> str:
        """A value that changes whenever the text of the page changes."""
        return f"{self.stage}-{self.left}" if self.stage in ("confirm", "page") else self.stage


def page_left(payment: Payment, now: datetime) -> str:
    """Return the operator's page of an open payment, empty once another payment may be started."""
    usable = payment.status in OPEN and now < payment.started_at + SECOND_THOUGHTS
    return (payment.page or "") if usable else ""


def following(payment: Payment, now: datetime) -> Following:
    """Return the stage of a pending payment."""
    age = now - payment.started_at
    left = max(1, -((now - payment.expires_at) // timedelta(minutes=1)))
    again = next((seconds for until, seconds in _AGES if age < until), _LATER)
    if is_placing(payment):
        return Following("slow" if age >= SLOW else "asking", left, again)
    if payment.page:
        return Following("page", left, _LATER)
    return Following(
        "slow" if payment.method == "card" else "confirm", left, again
    )  # a card is typed only on the operator's page
